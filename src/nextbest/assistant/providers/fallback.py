"""Several providers as one: in order, each retried with backoff, left alone while it is down, all within one deadline.

The last resort, the phrasebook, isn't here: the agent has it. A request that is wrong (`InputError`) is never retried.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Literal, TypeVar

from nextbest.assistant.providers.protocol import (
    ChatProvider,
    ChatRequest,
    Completion,
    Feature,
    Piece,
    ProviderError,
    as_read,
    check_features,
)
from nextbest.errors import InputError, NextbestError

State = Literal["closed", "open", "half_open"]
T = TypeVar("T")
_ANSWERED = {
    "broken_json",
    "unknown_tool",
    "bad_arguments",
    "no_tool_call",
    "length",
    "empty",
    "filtered",
    "too_long",
}
"""Kinds of failure after which the provider is up all the same: they say nothing to its breaker."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how soon a provider is asked again."""

    attempts: int = 2
    """In all, of each provider."""
    base_s: float = 0.25
    """Before the second attempt, doubled before each further one, times a random share between a half and one."""
    max_wait_s: float = 2.0
    """A longer Retry-After means the next provider at once."""
    timeout_s: float | None = None
    """Of one attempt; None: what is left of the request's."""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise InputError("attempts", "must be 1 or more", value=self.attempts)
        if self.base_s < 0 or self.max_wait_s < 0 or (self.timeout_s is not None and self.timeout_s <= 0):
            raise InputError("retries", "must have times that aren't negative")


class Breaker:
    """Leaves a provider alone after failures in a row: closed -> open -> half open (one try) -> closed or open again.

    Parameters
    ----------
    failures
        In a row, until it opens.
    open_s
        How long nobody asks; doubled, up to `max_open_s`, each time the one try fails.
    clock
        Seconds, monotonic.
    """

    def __init__(
        self,
        *,
        failures: int = 3,
        open_s: float = 30.0,
        max_open_s: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if failures < 1 or open_s <= 0 or max_open_s < open_s:
            raise InputError("breaker", "must have failures >= 1 and 0 < open_s <= max_open_s")
        self._failures, self._open_s, self._max_open_s, self._clock = failures, open_s, max_open_s, clock
        self._lock = Lock()
        self._n_failed, self._wait_s = 0, open_s
        self._opened_at: float | None = None
        self._is_trying = False

    @property
    def state(self) -> State:
        """Now."""
        with self._lock:
            if self._opened_at is None:
                return "closed"
            over = self._clock() >= self._opened_at + self._wait_s
            return "half_open" if over else "open"

    def may_ask(self) -> bool:
        """Whether to ask now; in half open, one asker gets True and must report."""
        with self._lock:
            if self._opened_at is None:
                return True
            if self._is_trying or self._clock() < self._opened_at + self._wait_s:
                return False
            self._is_trying = True
            return True

    def succeeded(self) -> None:
        """It answered."""
        with self._lock:
            self._n_failed, self._opened_at, self._is_trying, self._wait_s = 0, None, False, self._open_s

    def failed(self) -> bool:
        """It didn't; whether this opened the breaker."""
        with self._lock:
            self._n_failed += 1
            if self._is_trying:
                self._wait_s = min(self._wait_s * 2, self._max_open_s)
            elif self._opened_at is not None or self._n_failed < self._failures:
                return False
            self._opened_at, self._is_trying = self._clock(), False
            return True

    def left(self) -> None:
        """The asker left without knowing: the next one may try."""
        with self._lock:
            self._is_trying = False


class FallbackProvider:
    """The first provider that answers.

    Parameters
    ----------
    providers
        Best first; names must differ.
    retries
        For all of them.
    breakers
        By provider's name, for those that shouldn't have the default.
    clock, sleep, rng
        Seconds, waiting and chance, to be replaced in tests.
    """

    def __init__(
        self,
        providers: Sequence[ChatProvider],
        *,
        retries: Retries | None = None,
        breakers: Mapping[str, Breaker] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        names = [provider.name for provider in providers]
        if not names or len(set(names)) < len(names):
            raise InputError("providers", "must be one or more of different names", value=names)
        self._providers, self._retries = list(providers), retries or Retries()
        given = breakers or {}
        self.breakers = {name: given.get(name) or Breaker(clock=clock) for name in names}
        """By provider's name, for whoever watches."""
        self._clock, self._sleep = clock, sleep
        self._rng = rng or random.Random()  # noqa: S311 - jitter of waits
        self._lock = Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    @property
    def name(self) -> str:
        """The providers' names."""
        return " > ".join(provider.name for provider in self._providers)

    @property
    def features(self) -> frozenset[Feature]:
        """What any of them can do; one that can't is passed over."""
        return frozenset().union(*(provider.features for provider in self._providers))

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """(provider, what) -> how often: "answered", "retried", "opened", "skipped_open", or a failure's kind."""
        with self._lock:
            return dict(self._counts)

    def complete(self, request: ChatRequest) -> Completion:
        """The first whole answer.

        Raises
        ------
        InputError
            No provider can do what the request needs.
        ProviderError
            The last failure, when all have failed or the time is over.
        """
        check_features(self, request)
        done = self._first(request, lambda provider, asked: provider.complete(asked))
        return done if done.provider else replace(done, provider=self.name)

    def stream(self, request: ChatRequest) -> Iterator[Piece]:
        """The first stream that begins; once a piece was delivered nobody else is asked, a failure is told instead."""
        check_features(self, request, streams=True)
        return self._streamed(request)

    def _streamed(self, request: ChatRequest) -> Iterator[Piece]:
        name, first, rest = self._first(request, _begun, is_stream=True)
        breaker = self.breakers[name]
        try:
            yield first
            yield from rest
        except ProviderError as error:
            self._failed(name, error)
            raise
        except BaseException:
            breaker.left()
            raise
        finally:
            close = getattr(rest, "close", None)
            if close is not None:
                close()
        breaker.succeeded()
        self._count(name, "answered")

    def _first(
        self, request: ChatRequest, ask: Callable[[ChatProvider, ChatRequest], T], *, is_stream: bool = False
    ) -> T:
        end = self._clock() + request.timeout_s
        last: ProviderError | None = None
        for provider in self._providers:
            if as_read(provider, request).needs - provider.features:
                continue
            if not self.breakers[provider.name].may_ask():
                self._count(provider.name, "skipped_open")
                continue
            for attempt in range(1, self._retries.attempts + 1):
                left_s = end - self._clock()
                if left_s <= 0:
                    self.breakers[provider.name].left()
                    raise last or ProviderError(
                        self.name, f"no answer in {request.timeout_s:g} s", kind="timeout"
                    )
                try:
                    done = ask(
                        provider, replace(request, timeout_s=min(left_s, self._retries.timeout_s or left_s))
                    )
                except ProviderError as error:
                    last = error
                    self._failed(provider.name, error)
                    if not self._waited(provider.name, error, attempt, end):
                        break
                    self._count(provider.name, "retried")
                except NextbestError as error:
                    # its file, its package: it will be no better in a moment, but another provider may answer
                    last = ProviderError(provider.name, str(error), kind="refused")
                    self._failed(provider.name, last)
                    break
                except BaseException:
                    self.breakers[provider.name].left()
                    raise
                else:
                    if not is_stream:
                        self.breakers[provider.name].succeeded()
                        self._count(provider.name, "answered")
                    return done
        raise last or ProviderError(
            self.name, "are all left alone after failures", kind="not_ready", remedy="ask again in a while"
        )

    def _waited(self, name: str, error: ProviderError, attempt: int, end: float) -> bool:
        """Whether to ask the same one again, having waited as long as that takes."""
        if not error.retryable or attempt >= self._retries.attempts:
            return False
        if self.breakers[name].state == "open":
            return False
        wait_s = self._retries.base_s * 2 ** (attempt - 1) * self._rng.uniform(0.5, 1.0)
        wait_s = max(wait_s, error.retry_after_s or 0.0)
        if wait_s > self._retries.max_wait_s or self._clock() + wait_s >= end:
            return False
        self._sleep(wait_s)
        return True

    def _failed(self, name: str, error: ProviderError) -> None:
        self._count(name, error.kind)
        if error.kind in _ANSWERED:
            self.breakers[name].succeeded()
        elif self.breakers[name].failed():
            self._count(name, "opened")

    def _count(self, name: str, what: str) -> None:
        with self._lock:
            self._counts[name, what] += 1


def _begun(provider: ChatProvider, request: ChatRequest) -> tuple[str, Piece, Iterator[Piece]]:
    """A stream up to its first piece."""
    stream = provider.stream(request)
    return provider.name, next(stream), stream

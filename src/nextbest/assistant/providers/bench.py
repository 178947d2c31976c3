"""Providers compared by what a client would feel: the first words, the whole answer, how often it may be sent, routing.

An answer counts as worded only if it went through the same gate as in a chat (`agent.voice`): what a model invents is
caught there, so the score says how often the model was of use, not whether clients were lied to. A provider that fails is
a row with its reason, and the others go on.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from statistics import median
from typing import Any

from nextbest.assistant.agent.voice import Spoken, Voice
from nextbest.assistant.base import INTENTS, LANGUAGES, Language
from nextbest.assistant.intent.questions import Part
from nextbest.assistant.prompts.placeholders import masked
from nextbest.assistant.prompts.prompts import render
from nextbest.assistant.prompts.taught import call_messages, phrase_messages, read_call
from nextbest.assistant.providers.bench_cases import DraftCase, draft_cases, route_questions
from nextbest.assistant.providers.protocol import (
    ChatProvider,
    ChatRequest,
    Completion,
    Feature,
    Kind,
    Piece,
    ProviderError,
)
from nextbest.assistant.providers.settings import Given, make_provider
from nextbest.errors import InputError, NextbestError

_HOPELESS: frozenset[Kind] = frozenset({"connection", "denied", "not_found"})
_AWAY = _HOPELESS | {"timeout", "server", "rate_limited", "not_ready", "cut"}
_IN_A_ROW = 3
MOST_MISSED = 0.1
"""Share of answers that never came above which a provider isn't picked."""
INTENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"intent": {"enum": list(INTENTS)}},
    "required": ["intent"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One provider; None = nothing to measure it on. Times in milliseconds of wall clock, shares 0 to 1."""

    name: str
    failed: str | None = None
    """Why it could not be measured to the end."""
    open_ms: float | None = None
    """Weights read, or the first connection made: what the first question of a process pays besides."""
    first_token_ms: float | None = None
    """Median."""
    first_token_p95_ms: float | None = None
    answer_p95_ms: float | None = None
    answer_cpu_s: float | None = None
    """Median of processor seconds of this process, its threads included: what an answer costs on a busy machine too."""
    tokens_per_s: float | None = None
    """Of answers, after the first token; by the provider's own count, else pieces."""
    n_drafts: int = 0
    worded: float | None = None
    """Share of answers whose words were the model's when they were sent: nothing invented, nothing left out."""
    findings: dict[str, int] = field(default_factory=dict)
    """What was caught, by kind."""
    n_routed: int = 0
    routing: float | None = None
    """Share of questions whose intent it names right."""
    routing_by_language: dict[str, float] = field(default_factory=dict)
    route_ms: float | None = None
    failures: dict[str, int] = field(default_factory=dict)
    """Answers that failed, by kind."""

    @property
    def n_missed(self) -> int:
        """Answers that never came; those that came and were of no use show in the scores."""
        return sum(n for kind, n in self.failures.items() if kind in _AWAY)


@dataclass(frozen=True, slots=True)
class BenchResult:
    """All rows in the order given, and which one to take."""

    rows: tuple[ProviderRow, ...]
    budget_ms: float
    pick: str | None
    """None: nobody keeps the budget; the phrasebook needs no model."""

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "budget_ms": self.budget_ms,
            "pick": self.pick,
            "providers": [asdict(row) for row in self.rows],
        }


def bench_providers(
    providers: Sequence[Given],
    *,
    budget_ms: float = 2500.0,
    part: Part = "dev",
    n_questions: int = 22,
    n_drafts: int = 8,
    timeout_s: float = 60.0,
    with_grammar: bool = True,
    told: Callable[[str], None] = lambda _: None,
) -> BenchResult:
    """Measure providers one after the other.

    Parameters
    ----------
    providers
        As `make_provider` takes them.
    budget_ms
        Until the first token, at the 95th percentile.
    part
        Of the questions. "test" is for figures that are reported, not for choosing.
    n_questions, n_drafts
        Of each language.
    told
        Called with a line before each provider.

    Raises
    ------
    InputError
        No provider, or counts and times below 1.
    """
    if not providers:
        raise InputError("providers", "must be one or more")
    if min(n_questions, n_drafts) < 1 or budget_ms <= 0 or timeout_s <= 0:
        raise InputError("bench", "must have counts of 1 or more and positive times")
    rows = []
    for given in providers:
        name = given if isinstance(given, str) else str(getattr(given, "kind", given))
        told(f"{name} ...")
        try:
            made = make_provider(given)
            if made is None:
                raise InputError("provider", "names no model", value=name)
            rows.append(_measured(made, part, n_questions, n_drafts, timeout_s, with_grammar=with_grammar))
        except NextbestError as error:
            rows.append(ProviderRow(name, failed=str(error)))
    return BenchResult(tuple(rows), budget_ms, picked(rows, budget_ms))


def picked(rows: Sequence[ProviderRow], budget_ms: float) -> str | None:
    """The row that words most answers within the budget, then routes best, then is fastest; None: no row does."""
    good = [
        row
        for row in rows
        if row.failed is None
        and row.worded
        and row.first_token_p95_ms is not None
        and row.first_token_p95_ms <= budget_ms
        and row.n_missed <= MOST_MISSED * (row.n_drafts + row.n_routed)
    ]
    best = max(good, key=lambda r: (r.worded or 0, r.routing or 0, -(r.first_token_ms or 0)), default=None)
    return None if best is None else best.name


def _measured(
    provider: ChatProvider,
    part: Part,
    n_questions: int,
    n_drafts: int,
    timeout_s: float,
    *,
    with_grammar: bool,
) -> ProviderRow:
    timed = _Timed(provider)
    row = ProviderRow(provider.name)
    try:
        open_ms = timed.opened(timeout_s)
        row = replace(row, open_ms=open_ms)
        row = _drafts(row, timed, n_drafts, timeout_s, with_grammar=with_grammar)
        row = _routing(row, timed, part, n_questions, timeout_s)
    except _HopelessError as error:
        row = replace(row, failed=str(error))
    finally:
        close = getattr(provider, "close", None)
        if close is not None:
            close()
    return replace(row, failures=dict(timed.failures))


def _drafts(
    row: ProviderRow, timed: "_Timed", n_each: int, timeout_s: float, *, with_grammar: bool
) -> ProviderRow:
    voice = Voice(timed, timeout_s=timeout_s, with_grammar=with_grammar)
    found: Counter[str] = Counter()
    n = n_worded = 0
    for language in LANGUAGES:
        for case in islice(draft_cases(language), n_each):
            spoken = _said(voice, case)
            timed.check()
            n += 1
            n_worded += not spoken.fell_back
            found.update(f.kind for f in spoken.findings)
    firsts, totals = sorted(timed.first_ms), sorted(timed.total_ms)
    return replace(
        row,
        n_drafts=n,
        worded=n_worded / n,
        findings=dict(found),
        first_token_ms=median(firsts) if firsts else None,
        first_token_p95_ms=_p95(firsts),
        answer_p95_ms=_p95(totals),
        answer_cpu_s=median(timed.cpu_s) if timed.cpu_s else None,
        tokens_per_s=median(timed.speeds) if timed.speeds else None,
    )


def _said(voice: Voice, case: DraftCase) -> Spoken:
    spoken = None
    for piece in voice.say(
        case.understood, case.results, fallback="-", notes="", mode="information", linker=None
    ):
        if isinstance(piece, Spoken):
            spoken = piece
    assert spoken is not None  # the voice ends with one
    return spoken


def _routing(row: ProviderRow, timed: "_Timed", part: Part, n_each: int, timeout_s: float) -> ProviderRow:
    n_right: Counter[Language] = Counter()
    n_asked: Counter[Language] = Counter()
    times: list[float] = []
    for question in route_questions(part, n_each):
        prompt = render("route", {"question": question.text}, language=question.language)
        request = ChatRequest(
            prompt.messages,
            schema=INTENT_SCHEMA,
            max_tokens=40,
            timeout_s=timeout_s,
            taught=call_messages(question.text),
        )
        n_asked[question.language] += 1
        start = time.monotonic()
        try:
            said = _intent(timed.complete(request).text)
        except (ProviderError, ValueError, KeyError):
            timed.check()
            continue
        times.append((time.monotonic() - start) * 1000)
        n_right[question.language] += said == question.intent
    return replace(
        row,
        n_routed=n_asked.total(),
        routing=n_right.total() / n_asked.total(),
        routing_by_language={lang: n_right[lang] / n for lang, n in n_asked.items()},
        route_ms=median(times) if times else None,
    )


def _intent(text: str) -> object:
    """What a model named: in the line that it was taught, else in JSON."""
    taught = read_call(text)
    return json.loads(text)["intent"] if taught is None else taught[0]


class _HopelessError(Exception):
    """Nobody is there, or the key is refused: asking on is waste."""


class _Timed:
    """A provider with a stop-watch."""

    def __init__(self, provider: ChatProvider) -> None:
        self._provider = provider
        self.first_ms: list[float] = []
        self.total_ms: list[float] = []
        self.cpu_s: list[float] = []
        self.speeds: list[float] = []
        self.failures: Counter[str] = Counter()
        self._in_a_row: list[ProviderError] = []

    @property
    def name(self) -> str:
        return self._provider.name

    @property
    def features(self) -> frozenset[Feature]:
        return self._provider.features

    def opened(self, timeout_s: float) -> float:
        """Milliseconds until it answers its first token at all, and is warm for both prompts that follow."""
        start = time.monotonic()
        begin = getattr(self._provider, "open", None)
        if begin is not None:
            begin()
        for language in LANGUAGES:
            prompt = render("phrase", {"question": "?", "results": ["{i1}"]}, language=language)
            short = phrase_messages("?", masked((), language), language)
            request = ChatRequest(prompt.messages, max_tokens=8, timeout_s=timeout_s, taught=short)
            try:
                with closing(self._provider.stream(request)) as pieces:  # type: ignore[type-var]  # a generator
                    next(pieces)
            except ProviderError as error:
                self._failed(error)
                self.check()
        return (time.monotonic() - start) * 1000

    def complete(self, request: ChatRequest) -> Completion:
        try:
            done = self._provider.complete(request)
        except ProviderError as error:
            self._failed(error)
            raise
        self._in_a_row.clear()
        return done

    def stream(self, request: ChatRequest) -> Iterator[Piece]:
        start, spent = time.monotonic(), time.process_time()
        first: float | None = None
        n_pieces, usage = 0, None
        try:
            for piece in self._provider.stream(request):
                if piece.text:
                    n_pieces += 1
                    first = first or time.monotonic()
                usage = piece.usage or usage
                yield piece
        except ProviderError as error:
            self._failed(error)
            raise
        self._in_a_row.clear()
        end = time.monotonic()
        if first is not None:
            self.first_ms.append((first - start) * 1000)
            self.total_ms.append((end - start) * 1000)
            self.cpu_s.append(time.process_time() - spent)
            n_tokens = usage.completion_tokens if usage and usage.completion_tokens else n_pieces
            if n_tokens > 1 and end > first:
                self.speeds.append((n_tokens - 1) / (end - first))

    def check(self) -> None:
        """Give up on a provider that isn't there."""
        if len(self._in_a_row) >= _IN_A_ROW or (
            self._in_a_row and self._in_a_row[-1].kind in _HOPELESS and not self.total_ms
        ):
            raise _HopelessError(str(self._in_a_row[-1]))

    def _failed(self, error: ProviderError) -> None:
        self.failures[error.kind] += 1
        if error.kind in _AWAY:
            self._in_a_row.append(error)
        else:
            self._in_a_row.clear()


def _p95(ordered: Sequence[float]) -> float | None:
    """95th percentile, the next higher observed value."""
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))] if ordered else None

"""A provider that always lies in one place: what grounding must catch, every time, whatever it is about.

It takes a truthful draft and changes one figure, item, unit or date of it, or adds an item. Placeholders ({i1}, {f1}) are
written over with names and figures of its own.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from threading import Lock
from typing import Literal, get_args

import numpy as np

from nextbest.assistant.providers.protocol import ChatRequest, Completion, Feature, Piece
from nextbest.assistant.providers.scripted import ScriptedProvider
from nextbest.errors import InputError

LieKind = Literal["figure", "item", "unit", "date", "added_item"]
LIES: tuple[LieKind, ...] = get_args(LieKind)

_MONTHS = (
    "января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря"
    "|January|February|March|April|May|June|July|August|September|October|November|December"
)
_B = r"[\s\u00a0\u202f]"
_DATE = re.compile(rf"\b(?:\d{{4}}-\d\d-\d\d|\d\d?{_B}(?:{_MONTHS})(?:{_B}\d{{4}})?)\b")
_QUOTED = re.compile(r"«[^«»]+»|“[^“”]+”|\"[^\"\n]+\"|\{i\d+\}")
_NUMBER = re.compile(rf"\{{f\d+\}}|(?<![\w.,])\d+(?:{_B}\d{{3}})*(?:[.,]\d+)?(?![\w])")
_UNITS: tuple[tuple[str, str], ...] = (
    ("%", "₽"), ("₽", "$"), ("$", "€"), ("€", "₽"), ("RUB", "USD"), ("USD", "EUR"), ("EUR", "RUB"),
    ("рублей", "долларов"), ("руб.", "долл."), ("roubles", "dollars"), ("dollars", "euros"),
    ("дней", "месяцев"), ("дня", "месяца"), ("месяцев", "лет"), ("days", "months"), ("months", "years"), ("years", "months"),
)  # fmt: skip
INVENTED: tuple[str, ...] = (
    "Chelsea Green", "Серебряный Архипелаг", "Quiet Harbour Saga", "Артюрк", "Вклад «Полярная звезда»", "Midnight Bakery Tycoon",
)  # fmt: skip
"""Nothing is called so."""


@dataclass(frozen=True, slots=True)
class Lie:
    """A draft with one untruth."""

    text: str
    kind: LieKind
    before: str
    """What stood there; empty for an added item."""
    after: str


def tell_lie(
    draft: str,
    *,
    rng: np.random.Generator,
    kinds: Sequence[LieKind] = LIES,
    titles: Sequence[str] = (),
    avoid: Sequence[str] = (),
) -> Lie:
    """The draft with exactly one thing untrue; where none of `kinds` has anything to change, an item is added.

    Parameters
    ----------
    kinds
        Which lies may be told, drawn from equally among those that are possible.
    titles
        Names without quotation marks that count as items too.
    avoid
        Figures, as written, that are true elsewhere and so would be no lie.

    Raises
    ------
    InputError
        An empty draft or an unknown kind.
    """
    if not draft.strip():
        raise InputError("draft", "must not be empty")
    if not kinds or set(kinds) - set(LIES):
        raise InputError("kinds", f"must be of {', '.join(LIES)}", value=list(kinds))
    spots: dict[LieKind, list[tuple[int, int]]] = {kind: _spots(draft, kind, titles) for kind in kinds}
    possible = [kind for kind in kinds if spots[kind] or kind == "added_item"] or ["added_item"]
    kind = possible[int(rng.integers(len(possible)))]
    if kind == "added_item":
        name = _invented(draft, rng)
        added = (
            f" Ещё обратите внимание на «{name}»."
            if _is_russian(draft)
            else f" Also have a look at “{name}”."
        )
        return Lie(draft.rstrip() + added, "added_item", "", name)
    start, end = spots[kind][int(rng.integers(len(spots[kind])))]
    before = draft[start:end]
    after = _changed(kind, before, draft, rng, avoid)
    return Lie(draft[:start] + after + draft[end:], kind, before, after)


def _spots(draft: str, kind: LieKind, titles: Sequence[str]) -> list[tuple[int, int]]:
    dates = [m.span() for m in _DATE.finditer(draft)]
    items = [m.span() for m in _QUOTED.finditer(draft)]
    for title in titles:
        items += [
            m.span()
            for m in re.finditer(re.escape(title), draft)
            if title.strip() and not any(s <= m.start() < e for s, e in items)
        ]
    if kind == "date":
        return [s for s in dates if not _inside(s, items)]
    if kind == "item":
        return items
    if kind == "figure":
        numbers = [m.span() for m in _NUMBER.finditer(draft)]
        return [s for s in numbers if not _inside(s, items) and not _inside(s, dates)]
    if kind == "unit":
        found = [
            m.span() for unit, _ in _UNITS for m in re.finditer(rf"(?<![\w]){re.escape(unit)}(?![\w])", draft)
        ]
        return [s for s in found if not _inside(s, items)]
    return []


def _inside(span: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    return any(start < span[1] and span[0] < end for start, end in others)


def _changed(kind: LieKind, before: str, draft: str, rng: np.random.Generator, avoid: Sequence[str]) -> str:
    if kind == "unit":
        return dict(_UNITS)[before]
    if kind == "date":
        return _other_day(before, rng)
    if kind == "item":
        name = _invented(draft, rng)
        return f"«{name}»" if _is_russian(draft) else f"“{name}”"
    true = {_value(m[0]) for m in _NUMBER.finditer(draft) if "{" not in m[0]} | {_value(a) for a in avoid}
    while True:
        after = _other_number(before, rng, _is_russian(draft))
        if _value(after) not in true:
            return after


def _other_number(before: str, rng: np.random.Generator, is_russian: bool) -> str:
    """A number written like the one before, and far enough from it to be no rounding of it."""
    if "{" in before:
        text = f"{rng.integers(11, 99)}.{rng.integers(1, 10)}"
        return text.replace(".", ",") if is_russian else text
    digits = re.sub(_B, "", before).replace(",", ".")
    n_decimals = len(digits.partition(".")[2])
    value = float(digits)
    factor = float(rng.choice([0.5, 0.7, 1.3, 1.6, 2.0, 3.0]))
    changed = value * factor if abs(value * factor - value) >= 1 else value + int(rng.integers(2, 9))
    text = f"{changed:.{n_decimals}f}"
    return text.replace(".", ",") if "," in before else text


def _other_day(before: str, rng: np.random.Generator) -> str:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", before):
        try:
            moved = date.fromisoformat(before) + timedelta(days=int(rng.integers(3, 300)))
        except (ValueError, OverflowError):
            moved = date(2001, 1, 1)
        return moved.isoformat()
    day = int(re.match(r"\d+", before)[0])  # type: ignore[index]  # the pattern begins with digits
    other = day + int(rng.integers(3, 12))
    return re.sub(r"^\d+", str(other if other <= 28 else day - 3 if day > 3 else 9), before)


def _value(text: str) -> float | None:
    try:
        return float(re.sub(_B, "", text).replace(",", "."))
    except ValueError:
        return None


def _invented(draft: str, rng: np.random.Generator) -> str:
    free = [name for name in INVENTED if name not in draft] or [INVENTED[0] + " II"]
    return free[int(rng.integers(len(free)))]


def _is_russian(text: str) -> bool:
    return bool(re.search("[а-яё]", text, re.IGNORECASE))


def truthful_draft(request: ChatRequest) -> str:
    """The shortest true answer to the prompt `phrase`: a sentence for each of its placeholders, in their order."""
    asked = request.messages[-1].content
    rows = [re.findall(r"\{[irf]\d+\}", line) for line in asked.splitlines() if line.startswith("| ")]
    sentences = [": ".join(places) + "." for places in rows if places]
    return " ".join(sentences) or "—"


@dataclass
class LiarProvider:
    """Answers each request with `truth(request)` made untrue in one place; the same seed lies the same way."""

    truth: Callable[[ChatRequest], str] = truthful_draft
    seed: int = 0
    kinds: Sequence[LieKind] = LIES
    titles: Sequence[str] = ()
    name: str = "liar"
    features: frozenset[Feature] = frozenset({"stream", "schema", "grammar", "tools"})
    lies: list[Lie] = field(default_factory=list)
    """Told so far, in order."""
    _lock: Lock = field(default_factory=Lock, repr=False)

    def complete(self, request: ChatRequest) -> Completion:
        """One lie."""
        return self._scripted(request).complete(request)

    def stream(self, request: ChatRequest) -> Iterator[Piece]:
        """One lie, in pieces."""
        return self._scripted(request).stream(request)

    def _scripted(self, request: ChatRequest) -> ScriptedProvider:
        with self._lock:
            rng = np.random.default_rng([self.seed, len(self.lies)])
            lie = tell_lie(self.truth(request), rng=rng, kinds=self.kinds, titles=self.titles)
            self.lies.append(lie)
        return ScriptedProvider([lie.text], name=self.name)

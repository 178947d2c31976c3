"""What a wrong number was meant to be, where one figure and only one comes into question. Never a guess.

The figure has to be the one whose label or item stands beside the number, and the number has to be nearly it: one digit
off, or right in the wrong currency or unit.
"""

import re
from collections.abc import Sequence
from datetime import date

from nextbest.assistant.base import Figure, Language
from nextbest.assistant.grounding.facts import Fact, Facts
from nextbest.assistant.grounding.numerals import Quantity
from nextbest.assistant.phrasing.rendering import FALLS, day, render


def written(figure: Figure, language: Language, *, said: str, before: str) -> str:
    """A figure as it is put in the place of a wrong number: with the sign that the words around leave open."""
    if isinstance(figure.value, date):
        return day(figure.value, language)
    if figure.value < 0 and (FALLS.search(before[-60:]) or FALLS.search(figure.label.get(language, ""))):
        return render(figure, language, style="unsigned" if said[:1] not in "-−–" else "plain")
    return render(figure, language, style="signed" if said[:1] == "+" else "plain")


def nearly(text: str, quantity: Quantity, candidates: Sequence[Fact], language: Language) -> Figure | None:
    """The one figure among the candidates that a number nearly is; None: none, or several.

    Parameters
    ----------
    text
        The sentence.
    quantity
        The number in it.
    candidates
        Figures beside whose label or item it stands.
    """
    said = text[quantity.start : quantity.end]
    found = {
        f.figure.key: f.figure
        for f in candidates
        if f.figure is not None
        and not isinstance(f.figure.value, date)
        and _is_near(said, render(f.figure, language))
    }
    return next(iter(found.values())) if len(found) == 1 else None


def near_day(quantity: Quantity, facts: Facts) -> date | None:
    """The one day of the facts that differs from the one said in its day, month or year only."""
    if quantity.day is None or None in quantity.day:
        return None
    days = {f.day for f in facts.dates if f.day is not None and None not in f.day}
    near = [d for d in days if sum(a != b for a, b in zip(d, quantity.day, strict=True)) == 1]
    if len(near) != 1:
        return None
    year, month, number = near[0]
    if year is None or month is None or number is None:
        return None
    return date(year, month, number)


def _is_near(said: str, true: str) -> bool:
    """Whether two written numbers have the same digits, or all but one."""
    a, b = re.sub(r"\D", "", said), re.sub(r"\D", "", true)
    if a == b:
        return bool(a)
    if min(len(a), len(b)) < 2 or abs(len(a) - len(b)) > 1:
        return False
    if len(a) == len(b):
        off = [i for i in range(len(a)) if a[i] != b[i]]
        return len(off) == 1 or (
            len(off) == 2 and off[1] == off[0] + 1 and a[off[0]] == b[off[1]] and a[off[1]] == b[off[0]]
        )
    short, long = sorted((a, b), key=len)
    return any(long[:i] + long[i + 1 :] == short for i in range(len(long)))

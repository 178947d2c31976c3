"""What code finds in a text besides its intent: items, client, time, money, goal, counts, wishes.

Order matters and is this module's: an item's title first ("Left 4 Dead 2" holds no count), then the client's number,
then time, money, places and counts, each out of what the ones before left.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Protocol

from nextbest.assistant.base import Language, Link, Money, Slots
from nextbest.assistant.intent import names
from nextbest.assistant.intent.amounts import find_amounts, find_lone_sum
from nextbest.assistant.intent.counts import find_k, find_ordinal
from nextbest.assistant.intent.durations import TAKEN_BACK
from nextbest.assistant.intent.horizons import find_bare_length, find_horizon
from nextbest.assistant.intent.language import is_transliterated, to_cyrillic
from nextbest.assistant.intent.marked import STRUCK, Marked
from nextbest.assistant.intent.number_words import folded
from nextbest.assistant.intent.periods import Period, find_period


class Links(Protocol):
    """What finds items in a text: `linking.Linker`."""

    def link(self, text: str, language: Language, *, expects_item: bool = False) -> tuple[Link, ...]:
        """Items that the text names, from left to right; `expects_item`: one must be meant."""
        ...


_LATIN = re.compile(r"[a-z]{2,}", re.IGNORECASE)
_SENTENCE = 3
"""Words from which Latin letters may be Russian typed so; "10k GBP" is not."""
_ALIKE = re.compile(
    r"похож|наподоби|аналог|\bвроде\b|\bв\s+(?:духе|стиле)|замени|альтернатив|напомина|similar|resembl|alternativ|equivalent|substitut|replac|remind|lookalike"
    r"|\b(?:something|anything|games?|films?|movies?|books?|one|stuff)\s+like\b",
    re.IGNORECASE,
)
"""An item must be named beside these, if nothing that was shown is meant."""


def find_slots(
    text: str,
    language: Language,
    *,
    today: date,
    linker: Links | None = None,
    assets: Iterable[str] | Mapping[str, Sequence[str]] | None = None,
    categories: Iterable[str] | Mapping[str, Sequence[str]] | None = None,
    expects_item: bool = False,
) -> Slots:
    """Slots of one text; a text that says nothing of the kind has none (`Slots()`).

    Parameters
    ----------
    text
        As `cleaning` returns it; spans of the items count its characters.
    language
        The client's; both languages are read in any text.
    today
        The caller's day: what "yesterday", "since January" and "by 2030" are counted from.
    linker
        Finds the catalogue's titles; None: no items.
    assets
        Asset ids of the market store, with names where they are known; None: no assets.
    categories
        Values of the catalogue's category, with other names where there are any; None: none.
    expects_item
        An item must be meant, so that everyday words may be its title.

    Notes
    -----
    A year has 365 days and a month a twelfth of them unless the calendar is meant (`durations`). A year ahead is never a period back and
    the other way round. Time is O(length of the text).
    """
    items = linker.link(text, language) if linker is not None else ()
    if linker is not None and not items and (expects_item or _ALIKE.search(text)):
        items = linker.link(text, language, expects_item=True)
    left = text
    for link in items:
        first, last = link.span
        left = left[:first] + STRUCK * (last - first) + left[last:]
    client, left = names.find_client(left)
    written = (
        to_cyrillic(left) if len(_LATIN.findall(left)) >= _SENTENCE and is_transliterated(left) else left
    )
    lowered = folded(written)
    said = Marked.of(written)
    horizon, period, undirected = _times(said, today)
    amounts = find_amounts(said)
    ordinal = find_ordinal(said)
    category, words = names.find_category(written, categories)
    return Slots(
        items=items,
        client=client,
        period_days=period.days if period else None,
        period=period.dates if period else None,
        horizon_days=horizon,
        undirected_days=undirected,
        amount=amounts.amount,
        monthly=amounts.monthly,
        goal=names.find_goal(lowered),
        k=find_k(said, nouns=words),
        ordinal=ordinal,
        asset=names.find_asset(left, assets, without_money=said.text)
        or (names.find_asset(written, assets) if written is not left else None),
        category=category,
        cheaper=names.wants_cheaper(lowered),
        rejects=names.rejects(lowered),
    )


def find_bare_sum(text: str) -> Money | None:
    """The one number of a text about saving that nothing else explains ("отпуск: 2500 через 8 месяцев"); None: none or several."""
    said = Marked.of(names.find_client(text)[1])
    return find_lone_sum(said)


def _times(said: Marked, today: date) -> tuple[int | None, Period | None, int | None]:
    """Days ahead, days back, and the days of the one of them that the intent may turn round."""
    while match := TAKEN_BACK.search(said.text):
        said.strike(match)
    horizon = find_horizon(said, today=today)
    period = find_period(said, today=today)
    if horizon is None and period is None and (days := find_bare_length(said)) is not None:
        return None, Period(days), days
    bare = [horizon.days] if horizon is not None and horizon.is_bare else []
    bare += [period.bare_days] if period is not None and period.bare_days else []
    is_one = (horizon is None) != (period is None)
    return None if horizon is None else horizon.days, period, bare[0] if bare and is_one else None

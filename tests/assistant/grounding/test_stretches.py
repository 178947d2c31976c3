"""What of a sentence the catalogue is asked about: nothing that is explained, and all that could be a title."""

import re

import pytest

from nextbest.assistant.base import ItemFact, Link, ToolResult
from nextbest.assistant.grounding.checking import check
from nextbest.assistant.grounding.spans import words_of
from nextbest.assistant.grounding.stretches import unexplained
from nextbest.assistant.grounding.titles import Named

PLAIN = frozenset(["you", "may", "like", "the", "is", "worth", "days", "it", "in", "at", "and"])
SAID = " you have taken it before "


def asked(text: str, *titles: str) -> list[str]:
    """The stretches of a sentence with these titles in it."""
    named = [Named(t, m.start(), m.end()) for t in titles for m in re.finditer(re.escape(t), text)]
    found = unexplained(
        text,
        words_of(text),
        named,
        is_plain=lambda word: word.low in PLAIN or word.low.isdigit(),
        is_said=lambda words: f" {' '.join(word.low for word in words)} " in SAID,
    )
    return [text[start:end].strip(" .,:“”") for start, end in found]


@pytest.mark.parametrize(
    ("text", "titles", "stretches"),
    [
        ("You have taken it before.", (), []),
        ("“Hades”: you have taken it before.", ("Hades",), []),
        ("You may like “Hades”.", ("Hades",), ["You may like"]),
        ("You may like Hades II.", ("Hades",), ["You may like", "Hades II"]),
        ("You may like Dark Hades.", ("Hades",), ["You may like Dark Hades"]),
        ("Hades: Nights of Tokyo.", ("Hades",), ["Nights of Tokyo"]),
        ("It is worth 25 248 059 in 30 days.", (), ["It is worth", "in", "days"]),
        ("Half-Life 2 and Metro 2033.", (), ["Half-Life 2 and Metro 2033"]),
        ("Hades and Hades.", ("Hades",), ["and"]),
        ("", (), []),
    ],
)
def test_stretches(text: str, titles: tuple[str, ...], stretches: list[str]) -> None:
    """A title beside words that could lengthen it is asked about with them, a figure never."""
    assert asked(text, *titles) == stretches


class Catalogue:
    """A linker with two titles, one of them longer than one of this turn's."""

    def link(self, text: str, /) -> tuple[Link, ...]:
        """Where they stand."""
        return tuple(
            Link("other", m[0], 1.0, m.span()) for m in re.finditer("Какао «Нева», мини|чай с мятой", text)
        )


@pytest.mark.parametrize("lie", ["Вам подойдёт Какао «Нева», мини.", "Вам подойдёт и чай с мятой."])
def test_another_title_is_found_beside_a_true_one(lie: str) -> None:
    """The catalogue's other titles are found where they begin with a title of this turn, or have small letters."""
    item = ItemFact("cocoa", {"ru": "Какао «Нева»", "en": "Cocoa Neva"})
    told = [ToolResult("recommend_items", "ok", "shop", items=(item,))]
    draft = f"Вот Какао «Нева». {lie}"

    def sent(linker: Catalogue | None) -> str:
        return check(draft, told, question="Что взять?", language="ru", linker=linker).text

    assert sent(Catalogue()) == "Вот Какао «Нева»."
    assert sent(None) == draft  # by their looks alone they can't be told

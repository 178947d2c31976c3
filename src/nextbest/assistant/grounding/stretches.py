"""Which stretches of a sentence the catalogue has to be asked about: not its own items' titles, nor what tools said word for word.

The catalogue's linker costs a millisecond and more for each dozen words, several times what all else of grounding does; most
words of an answer are titles of this turn, labels, reasons, and the same few words around them.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from nextbest.assistant.grounding.spans import Word

_BREAK = re.compile(r"[:;.!?—–()\n]")
_REACH = 3
"""Words behind or before a title that may make it another one: "Hades" and "Hades II"."""


class Covering(Protocol):
    """A stretch that is explained."""

    @property
    def start(self) -> int:
        """First character."""
        ...

    @property
    def end(self) -> int:
        """Behind the last one."""
        ...


def unexplained(
    text: str,
    words: Sequence[Word],
    named: Sequence[Covering],
    *,
    is_plain: Callable[[Word], bool],
    is_said: Callable[[Sequence[Word]], bool],
) -> Iterator[tuple[int, int]]:
    """Stretches of a sentence in which a title of the catalogue could hide, from left to right.

    Parameters
    ----------
    text, words
        The sentence.
    named
        Titles of this turn's items in it.
    is_plain
        Whether a word is everybody's.
    is_said
        Whether words stand in just this order in what was told.

    Yields
    ------
    tuple of int
        Start and end in characters, with the marks around it. A title beside words that could make it another one is
        inside too; a number among plain words is not, so that the same words come out the same.
    """
    for run in _runs(words, named):
        if is_said(run):
            continue
        for part in _without_numbers(run, is_plain):
            before = [w for w in words if w.end <= part[0].start]
            after = [w for w in words if w.start >= part[-1].end]
            start, end = before[-1].end if before else 0, after[0].start if after else len(text)
            left = _beside(text, named, part[0].start, is_left=True)
            right = _beside(text, named, part[-1].end, is_left=False)
            if left is not None and not all(map(is_plain, part[:_REACH])):
                start = left
            if right is not None and not all(map(is_plain, part[-_REACH:])):
                end = right
            yield start, end


def _runs(words: Sequence[Word], named: Sequence[Covering]) -> Iterator[list[Word]]:
    """Words between titles."""
    run: list[Word] = []
    for word in words:
        if any(n.start <= word.start and word.end <= n.end for n in named):
            if run:
                yield run
            run = []
        else:
            run.append(word)
    if run:
        yield run


def _without_numbers(run: Sequence[Word], is_plain: Callable[[Word], bool]) -> Iterator[list[Word]]:
    """Parts of a run between numbers that stand among plain words: no part of a title then."""
    part: list[Word] = []
    for place, word in enumerate(run):
        beside = run[max(0, place - 1) : place + 2]
        if word.low.isdigit() and all(map(is_plain, beside)):
            if part:
                yield part
            part = []
        else:
            part.append(word)
    if part:
        yield part


def _beside(text: str, named: Sequence[Covering], at: int, *, is_left: bool) -> int | None:
    """The far end of the title that stands right before or behind a place; None: none does, or a mark parts them."""
    for title in named:
        gap = text[title.end : at] if is_left else text[at : title.start]
        stands = title.end <= at if is_left else title.start >= at
        if stands and len(gap) <= 4 and re.search(r"\w", gap) is None and _BREAK.search(gap) is None:
            return title.start if is_left else title.end
    return None

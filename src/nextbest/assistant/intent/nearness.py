"""Whether a text that is to be learned comes close to a question that figures are reported on: the one place that compares.

Closeness is the share of pieces of three letters that two texts have in common (Jaccard): "сколько я заработал за год" and
"сколько я заработала за год?" are close, the same wish in other words isn't. Nothing of the questions gets out of here but
yes and no.
"""

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from nextbest.assistant.base import LANGUAGES
from nextbest.assistant.intent.questions import PARTS, load_questions
from nextbest.text.ngrams import transliterate

CLOSE = 0.6
"""From this share on a text isn't learned: two words of a short question may differ, hardly more than their endings."""
_SIGNS = re.compile(r"[\W_]+")


def pieces_of(text: str) -> frozenset[str]:
    """Pieces of three letters of a text in Latin letters, without signs, a space before and after each word.

    >>> sorted(pieces_of("Да?"))
    [' da', 'da ']
    """
    plain = f" {_SIGNS.sub(' ', transliterate(text)).strip()} "
    return frozenset(plain[at : at + 3] for at in range(len(plain) - 2))


def nearest(texts: Sequence[str], others: Sequence[str]) -> NDArray[np.float64]:
    """The largest Jaccard share of each text with any of the others, shape (N,); 0 where there are none.

    Notes
    -----
    O(pieces of the texts x how many of the others have each).
    """
    theirs = [pieces_of(other) for other in others]
    having: dict[str, list[int]] = {}
    for place, pieces in enumerate(theirs):
        for piece in pieces:
            having.setdefault(piece, []).append(place)
    sizes_M = np.array([len(pieces) for pieces in theirs], dtype=np.float64)
    found_N = np.zeros(len(texts))
    for place, text in enumerate(texts):
        pieces = pieces_of(text)
        holders = [having[piece] for piece in pieces if piece in having]
        if holders:
            common_M = np.bincount(np.concatenate([np.array(h) for h in holders]), minlength=len(theirs))
            found_N[place] = float((common_M / (len(pieces) + sizes_M - common_M)).max())
    return found_N


def is_close(texts: Sequence[str]) -> NDArray[np.bool_]:
    """Which texts come close to a question of any part, follow-ups too, shape (N,)."""
    close_N: NDArray[np.bool_] = nearest(texts, _questions()) >= CLOSE
    return close_N


@cache
def _questions() -> tuple[str, ...]:
    return tuple(
        question.text
        for part in PARTS
        for language in LANGUAGES
        for is_followup in (False, True)
        for question in load_questions(part, language, followups=is_followup)
    )

"""What the classifier of intents sees of a text: its vector, its spelling, words that tell, and which slots it fills.

Names of things are masked before a text is encoded: "like Hades" and "like a red coat" ask the same, and the catalogue
of tomorrow isn't the one of the templates. Axes: N texts, D columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextbest.assistant.base import Slots
from nextbest.assistant.intent import lexicon
from nextbest.assistant.intent.cleaning import without_drawling
from nextbest.assistant.intent.language import is_transliterated, to_cyrillic
from nextbest.text.encoder import Encoder
from nextbest.text.ngrams import NgramEncoder

MASK = "X"
"""Stands for a thing of the catalogue."""
FLAGS = (
    "items", "asset", "client", "period", "horizon_days", "amount", "goal", "k", "ordinal", "rejects", "cheaper",
)  # fmt: skip
"""Slots that are a column each: whether the text fills them."""
_SPELLING, _WORDS, _SLOTS = 0.6, 0.5, 0.4
"""Weights of the parts beside the vector's 1; chosen on folds of templates."""
_SHORT = (2, 4)


@dataclass(frozen=True, slots=True)
class Seen:
    """One text as the classifier is given it."""

    text: str
    """Names masked."""
    flags: frozenset[str] = frozenset()
    """Of `FLAGS`."""


def masked(text: str, slots: Slots) -> str:
    """The text with each named thing as `MASK`."""
    for link in sorted(slots.items, key=lambda link: -link.span[0]):
        first, last = link.span
        text = f"{text[:first]}{MASK}{text[last:]}"
    return text


def flags_of(slots: Slots) -> frozenset[str]:
    """Which of `FLAGS` the slots fill."""
    empty = Slots()
    filled = {name for name in FLAGS if getattr(slots, name) != getattr(empty, name)}
    if slots.period_days is not None:
        filled.add("period")
    if slots.monthly is not None:
        filled.add("amount")
    return frozenset(filled)


class Features:
    """Texts to rows of one matrix.

    Parameters
    ----------
    encoder
        Of meaning; the spelling is always there beside it, alone where the encoder knows nothing else.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self._spelling = NgramEncoder(dim=2048)
        self._has_meaning = encoder.name != "ngrams"
        self.dim = (
            (encoder.dim if self._has_meaning else 0) + 2048 + len(lexicon.NAMES) + len(FLAGS) + len(_SHORT)
        )

    def matrix(self, seen: Sequence[Seen]) -> NDArray[np.float32]:
        """Shape (N, `dim`), float32, never NaN."""
        plain = [self.plain(one.text) for one in seen]
        words_NK = np.array([lexicon.found(text) for text in plain], np.float32)
        words_NK = words_NK.reshape(len(seen), len(lexicon.NAMES))
        flags_NF = np.array(
            [
                [name in one.flags for name in FLAGS] + [len(text.split()) <= n for n in _SHORT]
                for one, text in zip(seen, plain, strict=True)
            ],
            np.float32,
        ).reshape(len(seen), len(FLAGS) + len(_SHORT))
        parts = [self.encoder.encode(plain)] if self._has_meaning else []
        weight = _SPELLING if self._has_meaning else 1.0
        parts += [weight * self._spelling.encode(plain), _WORDS * words_NK, _SLOTS * flags_NF]
        return np.hstack(parts)

    @staticmethod
    def plain(text: str) -> str:
        """As encoders know texts: lower case, Russian in its own letters."""
        text = without_drawling(text).lower()
        return to_cyrillic(text) if is_transliterated(text) else text

"""A text as code reads it: cleaned, its language, its slots, its intent with a calibrated probability, and its doubts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nextbest.assistant.base import Language, Slots, Understood
from nextbest.assistant.intent.cleaning import clean, has_words
from nextbest.assistant.intent.features import Features, Seen, flags_of, masked
from nextbest.assistant.intent.head import Head, ranked
from nextbest.assistant.intent.language import detect_language
from nextbest.assistant.intent.slots import Links, find_slots
from nextbest.errors import ArtifactError
from nextbest.text.encoder import Encoder, make_encoder

HEADS = "heads"
"""Folder beside this module: a head for each encoder, written by `nextbest assistant train-intents --shipped`."""
OFFERED = 2
"""Intents named in a question back, the likeliest among them."""
_LIKELY = 0.1
"""Less probable ones aren't offered."""
DEFAULT_LANGUAGE: Language = "ru"
"""Of an answer to a text without letters, where nothing else is known."""


class Understander:
    """Understands texts; may be asked from several threads.

    Parameters
    ----------
    head
        The classifier.
    encoder
        Of the name that the head was taught on.

    Raises
    ------
    ArtifactError
        The head was taught on another encoder, or on other features.
    """

    def __init__(self, head: Head, encoder: Encoder) -> None:
        if head.encoder != encoder.name:
            raise ArtifactError(
                "intents",
                f"were taught on the encoder {head.encoder!r}, not {encoder.name!r}",
                remedy="teach them again with `nextbest assistant train-intents`",
            )
        self.head, self._features = head, Features(encoder)
        if self._features.dim != len(head.weight_DC):
            raise ArtifactError(
                "intents",
                f"were taught on {len(head.weight_DC)} features, this version has {self._features.dim}",
                remedy="teach them again with `nextbest assistant train-intents`",
            )

    @classmethod
    def load(cls, folder: str | Path | None = None) -> "Understander":
        """The head of a folder, or the shipped one for the best encoder that is installed.

        Raises
        ------
        ArtifactError
            The folder holds no head, or one of an encoder that isn't installed.
        """
        if folder is not None:
            head = Head.load(Path(folder))
            return cls(head, make_encoder(head.encoder))
        encoder = make_encoder()
        return cls(_shipped(encoder.name), encoder)

    def understand(
        self,
        text: str,
        *,
        language: Language | None = None,
        linker: Links | None = None,
        today: date | None = None,
        assets: Iterable[str] | Mapping[str, Sequence[str]] | None = None,
        categories: Iterable[str] | Mapping[str, Sequence[str]] | None = None,
    ) -> Understood:
        """What a text asks.

        Parameters
        ----------
        text
            Anything.
        language
            Of the answer, where the caller knows it; None: that of the text.
        linker, assets, categories
            As of `slots.find_slots`.
        today
            The caller's day; None: today, UTC.

        Returns
        -------
        Understood
            A text without a word (empty, emoji) is small talk.
        """
        cleaned = clean(text)
        said = language or detect_language(cleaned) or DEFAULT_LANGUAGE
        if not has_words(cleaned):
            return Understood(cleaned, said, "small_talk", 1.0)
        slots = find_slots(
            cleaned,
            said,
            today=today or datetime.now(UTC).date(),
            linker=linker,
            assets=assets,
            categories=categories,
        )
        order = ranked(self.head.probabilities(self._matrix(cleaned, slots))[0])
        (intent, probability), *others = order
        return Understood(
            text=cleaned,
            language=said,
            intent=intent,
            probability=probability,
            alternatives=tuple((name, p) for name, p in others[: OFFERED - 1] if p >= _LIKELY),
            is_sure=probability >= self.head.band,
            slots=slots,
        )

    def _matrix(self, text: str, slots: Slots) -> NDArray[np.float32]:
        return self._features.matrix([Seen(masked(text, slots), flags_of(slots))])


@cache
def _shipped(encoder: str) -> Head:
    with as_file(files(__package__) / HEADS / encoder) as folder:
        if not folder.is_dir():
            raise ArtifactError(folder.name, "has no shipped head", remedy="install the package anew")
        return Head.load(folder)

"""A text as code reads it: cleaned, its language, its slots, its intent with a calibrated probability, and its doubts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache, partial
from importlib.resources import as_file, files
from pathlib import Path

from nextbest.assistant.base import Language, Slots, Understood
from nextbest.assistant.intent.bert import KIND as BERT
from nextbest.assistant.intent.bert import BertIntents
from nextbest.assistant.intent.cleaning import clean, has_words
from nextbest.assistant.intent.features import Features, Seen, flags_of, masked
from nextbest.assistant.intent.head import Floats, Head, ranked
from nextbest.assistant.intent.language import detect_language
from nextbest.assistant.intent.slots import Links, find_slots
from nextbest.assistant.intent.tuned import KIND as TUNED
from nextbest.assistant.intent.tuned import TunedIntents, can_run_tuned
from nextbest.errors import ArtifactError
from nextbest.models import store
from nextbest.models.language.sentence.encoder import open_encoder
from nextbest.text.encoder import Encoder

HEADS = "heads"
"""Folder beside this module: what `nextbest assistant train-intents --shipped` wrote, `tuned`, `use`, `ngrams`, the best first."""
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
        The classifier: a linear head on vectors, or an encoder fine-tuned, which needs nothing beside it.
    encoder
        Of the name that a linear head was taught on.

    Raises
    ------
    ArtifactError
        The head was taught on another encoder, or on other features.
    """

    def __init__(self, head: Head | BertIntents | TunedIntents, encoder: Encoder | None = None) -> None:
        self.head = head
        if not isinstance(head, Head):
            return
        encoder = encoder or open_encoder(head.encoder)
        if head.encoder != encoder.name:
            raise ArtifactError(
                "intents",
                f"were taught on the encoder {head.encoder!r}, not {encoder.name!r}",
                remedy="teach them again with `nextbest assistant train-intents`",
            )
        self._features = Features(encoder)
        if self._features.dim != len(head.weight_DC):
            raise ArtifactError(
                "intents",
                f"were taught on {len(head.weight_DC)} features, this version has {self._features.dim}",
                remedy="teach them again with `nextbest assistant train-intents`",
            )

    @classmethod
    def load(cls, folder: str | Path | None = None) -> "Understander":
        """The classifier of a folder, or the best shipped one whose packages are installed.

        Raises
        ------
        ArtifactError
            The folder holds no form of a classifier, or a head of an encoder that isn't installed.
        """
        if folder is not None:
            return cls(read_head(Path(folder)))
        return cls(_shipped("tuned" if can_run_tuned() else open_encoder().name))

    def warm(self) -> None:
        """Read what the first question would wait for."""
        if isinstance(self.head, TunedIntents):
            self.head.warm()
        self.understand("what next?")

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
        read = partial(
            find_slots,
            cleaned,
            said,
            today=today or datetime.now(UTC).date(),
            linker=linker,
            assets=assets,
            categories=categories,
        )
        slots = read()
        order = ranked(self._probabilities(cleaned, slots))
        (intent, probability), *others = order
        if intent == "similar" and not slots.items and linker is not None:
            slots = read(expects_item=True)  # like what?
        return Understood(
            text=cleaned,
            language=said,
            intent=intent,
            probability=probability,
            alternatives=tuple((name, p) for name, p in others[: OFFERED - 1] if p >= _LIKELY),
            is_sure=probability >= self.head.band,
            slots=slots,
        )

    def _probabilities(self, text: str, slots: Slots) -> Floats:
        seen = [Seen(masked(text, slots), flags_of(slots))]
        if isinstance(self.head, Head):
            found_NC = self.head.probabilities(self._features.matrix(seen))
        else:
            found_NC = self.head.probabilities(seen)
        shares_C: Floats = found_NC[0]
        return shares_C


def read_head(folder: Path) -> Head | BertIntents | TunedIntents:
    """The classifier of a folder, whichever form it is.

    Raises
    ------
    ArtifactError
        The folder holds none.
    InputError
        What a fine-tuned encoder needs isn't installed.
    """
    kind = store.read_manifest(folder)["kind"]
    if kind == BERT:
        return BertIntents.load(folder)
    return TunedIntents.load(folder) if kind == TUNED else Head.load(folder)


@cache
def _shipped(name: str) -> Head | BertIntents | TunedIntents:
    with as_file(files(__package__) / HEADS / name) as folder:
        if not folder.is_dir():
            raise ArtifactError(folder.name, "has no shipped head", remedy="install the package anew")
        return read_head(folder)

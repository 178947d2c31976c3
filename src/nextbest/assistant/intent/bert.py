"""The second form of the classifier of intents: a small encoder (BERT and its like) fine-tuned on the same corpus.

Torch and transformers are imported when one is taught or loaded. Axes: N texts, C intents.
"""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nextbest.assistant.base import INTENTS, LANGUAGES, Language
from nextbest.assistant.intent.corpus import Example, make_corpus
from nextbest.assistant.intent.features import FLAGS, Features, Seen
from nextbest.assistant.intent.head import Floats, choose_band, fit_temperature, manifest_of, softmax
from nextbest.assistant.intent.train import folds_of
from nextbest.errors import ArtifactError, DataError, InputError
from nextbest.models import store

if TYPE_CHECKING:
    from nextbest.models.language.classifier import TextClassifier
    from nextbest.models.language.classifier_fit import ClassifierConfig

log = logging.getLogger(__name__)
KIND = "intent encoder"
MOST_UNKNOWN, MOST_PER_WORD = 0.05, 4.0
"""Of a language's questions: more unknown tokens, or more tokens a word, and the vocabulary isn't made for it."""
_REMEDY = "teach one with `nextbest assistant train-intents --form bert`"


@dataclass(frozen=True, eq=False)
class BertIntents:
    """Texts to calibrated probabilities."""

    classifier: "TextClassifier"
    temperature: float
    """Logits are divided by it: fitted on texts of templates that weren't learned."""
    band: float
    """Below this probability of the likeliest intent the client is asked back."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Of the training: checkpoint, corpus, languages, seed, what held-out templates said."""

    def probabilities(self, seen: Sequence[Seen]) -> Floats:
        """Shape (N, C), rows sum to 1, columns as `INTENTS`."""
        logits_NC = self.classifier.logits([as_told(one) for one in seen]).astype(np.float64)
        return softmax(logits_NC / self.temperature)

    def save(self, folder: Path) -> None:
        """Write the folder, whole or not at all: safetensors, the tokenizer's files, the head, a manifest.

        Raises
        ------
        InputError
            It holds something else.
        ExternalError
            The disk refused.
        """
        with tempfile.TemporaryDirectory() as temporary:
            written = self.classifier.write(Path(temporary))
            store.write_folder(
                Path(folder),
                kind=KIND,
                config={
                    "temperature": self.temperature,
                    "band": self.band,
                    "max_length": self.classifier.max_length,
                    "intents": list(INTENTS),
                },
                arrays={"weight": self.classifier.weight_DC, "bias": self.classifier.bias_C},
                ids={},
                files={path.name: path for path in written},
                about={"training": dict(self.about)},
            )

    @classmethod
    def load(cls, folder: Path) -> "BertIntents":
        """What `save` wrote.

        Raises
        ------
        ArtifactError
            The folder is missing, damaged, of another kind, or of other intents.
        InputError
            torch or transformers isn't installed.
        """
        from nextbest.models.language.classifier import TextClassifier

        manifest = manifest_of(folder, KIND, remedy=_REMEDY)
        config = manifest["config"]
        store.check_files(folder, manifest)
        arrays = store.read_arrays(folder, manifest)
        try:
            weight_DC, bias_C = arrays["weight"].astype(np.float32), arrays["bias"].astype(np.float32)
            temperature, band = float(config["temperature"]), float(config["band"])
            max_length = int(config["max_length"])
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(folder, f"lacks a part ({error})", remedy=_REMEDY) from error
        classifier = TextClassifier.read(Path(folder), weight_DC, bias_C, max_length=max_length)
        return cls(classifier, temperature, band, dict(manifest.get("training", {})))


def as_told(seen: Seen) -> str:
    """A text as the encoder reads it: the slots it fills by name, then its words.

    >>> as_told(Seen("And X over a year?", frozenset({"period", "asset"})))
    'asset period: and x over a year?'
    """
    filled = " ".join(name.replace("_", " ") for name in FLAGS if name in seen.flags)
    return f"{filled}: {Features.plain(seen.text)}"


@dataclass(frozen=True, eq=False)
class TaughtBert:
    """A taught encoder and what held-out templates said.

    They also decided when to stop, the temperature and the band, so that its figures flatter a little.
    """

    intents: BertIntents
    accuracy: float
    outside: float
    """The same, of those that aren't asked back."""
    asked_back: float
    """Share of them that is."""
    n_examples: int
    """Learned, held-out ones left out."""
    curve: list[dict[str, float]]
    """Of epochs: `loss`, `validation`, `accuracy`, `cpu_s`."""
    vocabulary: dict[Language, dict[str, float]]
    """For each language learned: share of unknown tokens, tokens of a word."""


def teach_bert(
    source: str | Path,
    *,
    rng: int = 0,
    n_each: int = 5,
    n_said: int = 4,
    more: Sequence[Example] = (),
    languages: Sequence[Language] = LANGUAGES,
    config: "ClassifierConfig | None" = None,
    progress: bool = False,
) -> TaughtBert:
    """An encoder taught on the project's corpus; a quarter of the templates is held out for stopping, temperature and band.

    Parameters
    ----------
    source
        A folder of transformers' format, or `hub:OWNER/NAME`.
    rng
        Seed of the corpus; that of the training is `config.seed`.
    n_each
        Phrasings of each template.
    n_said
        Ways in which each written question is said.
    more
        Examples of one's own, beside the corpus; each is a template of its own.
    languages
        Questions in other languages aren't learned, and aren't understood then.
    config
        None: as tried in benchmarks/assistant_intents_bert.md.

    Raises
    ------
    InputError
        The extra isn't installed, the source is no encoder, or no language is left.
    DataError
        An intent has too few templates to hold some out.
    ArtifactError
        The checkpoint is damaged.
    """
    from nextbest.models.language.classifier import TextClassifier, open_encoder
    from nextbest.models.language.classifier_fit import fit_classifier

    if not languages or set(languages) - set(LANGUAGES):
        raise InputError("languages", f"must be some of {', '.join(LANGUAGES)}", value=list(languages))
    examples = [
        e for e in [*make_corpus(rng, n_each=n_each, n_said=n_said), *more] if e.language in languages
    ]
    is_held_N = folds_of(examples) == 0
    label_N = np.array([INTENTS.index(example.intent) for example in examples], np.int64)
    texts = [as_told(Seen(example.text, example.flags)) for example in examples]
    learned = [text for text, is_held in zip(texts, is_held_N, strict=True) if not is_held]
    held = [text for text, is_held in zip(texts, is_held_N, strict=True) if is_held]
    for part_N in (label_N[~is_held_N], label_N[is_held_N]):
        if len(set(part_N.tolist())) < len(INTENTS):
            raise DataError(
                "corpus", "a part of it leaves an intent without templates", remedy="write more of them"
            )
    model, tokenizer = open_encoder(source)
    nothing = np.zeros((model.config.hidden_size, 0), np.float32)
    bare = TextClassifier(model, tokenizer, nothing, nothing[0], max_length=1)
    vocabulary = {language: _fit_of(bare, examples, language) for language in languages}
    fitted = fit_classifier(
        source,
        learned,
        label_N[~is_held_N],
        n_classes=len(INTENTS),
        validation=(held, label_N[is_held_N]),
        config=config,
        progress=progress,
    )
    held_N, logits_NC = label_N[is_held_N], fitted.validation_NC.astype(np.float64)
    temperature = fit_temperature(logits_NC, held_N)
    p_NC = softmax(logits_NC / temperature)
    band = choose_band(p_NC, held_N)
    kept_N, right_N = p_NC.max(1) >= band, p_NC.argmax(1) == held_N
    accuracy, asked, outside = float(right_N.mean()), float((~kept_N).mean()), float(right_N[kept_N].mean())
    about: dict[str, Any] = {
        "checkpoint": Path(source).name if not str(source).startswith("hub:") else str(source),
        "languages": list(languages),
        "n_examples": len(learned),
        "rng": rng,
        "n_each": n_each,
        "vocabulary": vocabulary,
        "epochs": len(fitted.curve),
        "held_out": {
            "accuracy": round(accuracy, 4),
            "outside": round(outside, 4),
            "asked_back": round(asked, 4),
        },
    }
    intents = BertIntents(fitted.classifier, temperature, band, about)
    return TaughtBert(intents, accuracy, outside, asked, len(learned), fitted.curve, vocabulary)


def _fit_of(bare: "TextClassifier", examples: Sequence[Example], language: Language) -> dict[str, float]:
    """How the vocabulary fits a language's questions; a warning where it doesn't."""
    found = bare.fit_of(
        [Features.plain(example.text) for example in examples if example.language == language]
    )
    if found.unknown > MOST_UNKNOWN or found.per_word > MOST_PER_WORD:
        log.warning(
            "the checkpoint's vocabulary isn't made for questions in %r: %.0f %% of their tokens are unknown to it, and a word is "
            "%.1f tokens; take a multilingual checkpoint, or leave the language out with --language",
            language,
            100 * found.unknown,
            found.per_word,
        )
    return {"unknown": round(found.unknown, 4), "tokens_per_word": round(found.per_word, 2)}

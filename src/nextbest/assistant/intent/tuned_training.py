"""Teach the third form: an adapter of the shipped encoder and a linear head, both on the corpus, their sum calibrated.

Taught twice: without a quarter of the templates and written questions, which then tell temperature and band, and on everything, which
is kept. No question of `questions/` is read here.
"""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nextbest.assistant.base import INTENTS
from nextbest.assistant.intent.bert import as_told
from nextbest.assistant.intent.corpus import Example, make_corpus
from nextbest.assistant.intent.features import Features, Seen
from nextbest.assistant.intent.head import Head, choose_band, fit_logistic, fit_temperature, softmax
from nextbest.assistant.intent.train import (
    L2,
    MOST_ASKED,
    WRITTEN_WEIGHT,
    corpus_digest,
    folds_of,
    weights_of,
)
from nextbest.assistant.intent.tuned import MOST_PIECES, TunedIntents
from nextbest.errors import DataError, InputError
from nextbest.models.language.sentence.encoder import open_encoder

if TYPE_CHECKING:
    from nextbest.models.language.classifier_fit import ClassifierConfig, Fitted
    from nextbest.models.language.e5.packed import Packed

SHARE = 0.5
"""Of the linear head's logits; chosen on held-out written questions (benchmarks/assistant_intents.md)."""
SURE = 0.99
"""Of held-out written questions that the linear head answers alone, as many are right."""
_LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.+)\.([ab])$")


@dataclass(frozen=True, eq=False)
class TaughtTuned:
    """What was taught, and what held-out written questions said of the first teaching."""

    intents: TunedIntents
    accuracy: float
    outside: float
    """The same, of those that aren't asked back."""
    asked_back: float
    """Share of them that is."""
    n_examples: int
    curve: list[dict[str, float]]
    """Of the second teaching's epochs: `loss`, `cpu_s`."""


def default_config() -> "ClassifierConfig":
    """As tried in benchmarks/assistant_intents.md."""
    from nextbest.models.language.classifier_fit import ClassifierConfig

    return ClassifierConfig(
        adapter_rank=16, learning_rate=1e-3, epochs=6, max_length=MOST_PIECES, n_threads=0
    )


def teach_tuned(
    *,
    rng: int = 0,
    n_each: int = 3,
    n_said: int = 2,
    more: Sequence[Example] = (),
    config: "ClassifierConfig | None" = None,
    packed: "Packed | None" = None,
    encoder: str | None = None,
    progress: bool = False,
) -> TaughtTuned:
    """An adapter and a linear head taught on the project's corpus.

    Parameters
    ----------
    rng
        Seed of the corpus; that of the training is `config.seed`.
    n_each, n_said
        Phrasings of each template, and ways in which each written question is said, 1 or more.
    more
        Examples of one's own, beside the corpus; each is a template of its own.
    config
        Needs an `adapter_rank`; None: as tried.
    packed
        Weights; None: the installed package's.
    encoder
        Of the linear head; None: the best that is installed.
    progress
        Show bars.

    Raises
    ------
    InputError
        `n_said` below 1, no `adapter_rank`, or the extra isn't installed.
    ExternalError
        The package of the weights isn't installed.
    DataError
        An intent has too few templates to hold some out.
    """
    from nextbest.models.language.classifier_fit import fit_classifier
    from nextbest.models.language.e5.checkpoint import module_names, write_checkpoint
    from nextbest.models.language.e5.packed import open_packed
    from nextbest.models.language.needs import need_language_models

    need_language_models("--form tuned")
    config = config or default_config()
    if n_said < 1:
        raise InputError("n_said", "must be 1 or more: calibration is by written questions", value=n_said)
    if config.adapter_rank is None:
        raise InputError("config", "must name the adapter's rank, because weights aren't shipped")
    packed = packed or open_packed()
    examples = [*make_corpus(rng, n_each=n_each, n_said=n_said), *more]
    seen = [Seen(example.text, example.flags) for example in examples]
    texts = [as_told(one) for one in seen]
    label_N = np.array([INTENTS.index(example.intent) for example in examples], np.int64)
    is_written_N = np.array([example.is_written for example in examples])
    is_held_N = folds_of(examples) == 0
    if len(set(label_N[~is_held_N].tolist())) < len(INTENTS):
        raise DataError(
            "corpus", "a part of it leaves an intent without templates", remedy="write more of them"
        )
    features = Features(open_encoder(encoder))
    matrix_ND, weight_N = features.matrix(seen), weights_of(examples, label_N)

    with tempfile.TemporaryDirectory() as temporary:
        source = write_checkpoint(Path(temporary) / "encoder", packed)

        def taught(rows_N: np.ndarray) -> "tuple[Fitted, Head]":
            fitted = fit_classifier(
                source,
                [texts[row] for row in np.flatnonzero(rows_N)],
                label_N[rows_N],
                n_classes=len(INTENTS),
                validation=None,
                weight_N=np.where(is_written_N, WRITTEN_WEIGHT, 1.0)[rows_N],
                config=config,
                progress=progress,
            )
            weights = fit_logistic(matrix_ND[rows_N], label_N[rows_N], l2=L2, weight_N=weight_N[rows_N])
            return fitted, Head(*weights, temperature=1.0, band=0.0, encoder=features.encoder.name)

        first, linear = taught(~is_held_N)
        asked_N = is_held_N & is_written_N
        linear_NC = linear.logits(matrix_ND[asked_N]).astype(np.float64)
        linear_temperature = fit_temperature(linear_NC, label_N[asked_N])
        linear_band = choose_band(
            softmax(linear_NC / linear_temperature), label_N[asked_N], accuracy=SURE, most_asked=1.0
        )
        logits_NC = first.classifier.logits([texts[row] for row in np.flatnonzero(asked_N)]).astype(
            np.float64
        )
        logits_NC += SHARE * linear_NC
        temperature = fit_temperature(logits_NC, label_N[asked_N])
        p_NC = softmax(logits_NC / temperature)
        band = choose_band(p_NC, label_N[asked_N], most_asked=MOST_ASKED)
        kept_N, right_N = p_NC.max(1) >= band, p_NC.argmax(1) == label_N[asked_N]
        second, linear = taught(np.ones(len(examples), bool))
    accuracy, asked, outside = float(right_N.mean()), float((~kept_N).mean()), float(right_N[kept_N].mean())
    about: dict[str, Any] = {
        "corpus": corpus_digest(examples),
        "n_examples": len(examples),
        "n_templates": len({example.template for example in examples}),
        "rng": rng,
        "n_each": n_each,
        "n_said": n_said,
        "config": config.model_dump(exclude={"seconds", "n_threads"}),
        "held_out": {
            "accuracy": round(accuracy, 4),
            "outside": round(outside, 4),
            "asked_back": round(asked, 4),
        },
    }
    intents = TunedIntents(
        adapter=_short(second.adapter, module_names()),
        weights=packed.digest,
        weight_DC=second.classifier.weight_DC,
        bias_C=second.classifier.bias_C,
        linear=replace(linear, temperature=linear_temperature, band=linear_band),
        share=SHARE,
        temperature=temperature,
        band=band,
        about=about,
    )
    return TaughtTuned(intents, accuracy, outside, asked, len(examples), second.curve)


def _short(adapter: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Matrices by the names that the encoder in eight bits knows."""
    found = {}
    for name, value in adapter.items():
        match = _LAYER.match(name)
        if match is None or match[2] not in names:
            raise InputError("adapter", "is of a matrix that the encoder hasn't", value=name)
        found[f"l{match[1]}.{names[match[2]]}.{match[3]}"] = value
    return found

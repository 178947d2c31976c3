"""Teach the classifier of intents: the corpus as features, folds by template, a temperature and a band of doubt.

Whole templates and written questions are held out of each fold. Temperature and band are chosen on written questions that
weren't learned, because those are what clients' own look like. No question of `questions/` is read here.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.assistant.base import INTENTS
from nextbest.assistant.intent.corpus import Example, make_corpus
from nextbest.assistant.intent.features import Features, Seen
from nextbest.assistant.intent.head import Head, choose_band, fit_logistic, fit_temperature, softmax
from nextbest.errors import DataError, InputError
from nextbest.models.language.sentence.encoder import open_encoder
from nextbest.text.encoder import Encoder

L2 = 1e-5
"""Penalty on weights; chosen on folds of templates."""
FOLDS = 4
MOST_ASKED = 0.2
"""Of written questions, which are harder than most: of `questions`, part dev and dev2, it is 0.08, and 0.99 of the others are right."""
WRITTEN_WEIGHT = 3.0
"""Of a written question beside a filled template; chosen on folds."""


@dataclass(frozen=True)
class Taught:
    """A head and what its folds said."""

    head: Head
    accuracy: float
    """Over written questions that weren't learned, folds put together."""
    outside: float
    """The same, of those that aren't asked back."""
    asked_back: float
    """Share of them that is."""
    n_examples: int


def teach(
    *,
    encoder: Encoder | None = None,
    rng: int = 0,
    n_each: int = 14,
    n_said: int = 4,
    more: Sequence[Example] = (),
    l2: float = L2,
    progress: bool = False,
) -> Taught:
    """A head taught on the project's corpus.

    Parameters
    ----------
    encoder
        None: the best that is installed.
    rng
        Seed of the corpus; the same one gives the same head.
    n_each
        Phrasings of each template.
    n_said
        Ways in which each written question is said, 1 or more.
    more
        Examples of one's own, beside the corpus; each is a template of its own.
    l2
        Penalty on weights.
    progress
        Show a bar.

    Raises
    ------
    DataError
        An intent has too few templates to hold some out.
    InputError
        `n_each` or `n_said` below 1.
    """
    from tqdm import tqdm

    if n_said < 1:
        raise InputError("n_said", "must be 1 or more: calibration is by written questions", value=n_said)
    examples = [*make_corpus(rng, n_each=n_each, n_said=n_said), *more]
    features = Features(encoder or open_encoder())
    matrix_ND = features.matrix([Seen(example.text, example.flags) for example in examples])
    label_N = np.array([INTENTS.index(example.intent) for example in examples], np.int64)
    weight_N = weights_of(examples, label_N)
    fold_N = folds_of(examples)
    logits_NC = np.zeros((len(examples), len(INTENTS)))
    for fold in tqdm(range(FOLDS), desc="folds", disable=not progress):
        learned_N = fold_N != fold
        if len(set(label_N[learned_N].tolist())) < len(INTENTS):
            raise DataError(
                "corpus", f"fold {fold} leaves an intent without templates", remedy="write more of them"
            )
        weight_DC, bias_C = fit_logistic(
            matrix_ND[learned_N], label_N[learned_N], l2=l2, weight_N=weight_N[learned_N]
        )
        logits_NC[~learned_N] = matrix_ND[~learned_N] @ weight_DC + bias_C
    written_N = np.array([example.is_written for example in examples])
    temperature = fit_temperature(logits_NC[written_N], label_N[written_N])
    p_NC = softmax(logits_NC[written_N] / temperature)
    band = choose_band(p_NC, label_N[written_N], most_asked=MOST_ASKED)
    kept_N, right_N = p_NC.max(1) >= band, p_NC.argmax(1) == label_N[written_N]
    accuracy, asked = float(right_N.mean()), float((~kept_N).mean())
    outside = float(right_N[kept_N].mean())
    weight_DC, bias_C = fit_logistic(matrix_ND, label_N, l2=l2, weight_N=weight_N)
    about: dict[str, Any] = {
        "corpus": corpus_digest(examples),
        "n_examples": len(examples),
        "n_templates": len({example.template for example in examples}),
        "rng": rng,
        "n_each": n_each,
        "folds": {
            "accuracy": round(accuracy, 4),
            "outside": round(outside, 4),
            "asked_back": round(asked, 4),
        },
    }
    head = Head(weight_DC, bias_C, temperature, band, features.encoder.name, about)
    return Taught(head, accuracy, outside, asked, len(examples))


def weights_of(examples: Sequence[Example], label_N: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each intent counts alike, a written question more than a filled template."""
    weight_N = 1.0 / np.bincount(label_N, minlength=len(INTENTS))[label_N]
    weight_N[[example.is_written for example in examples]] *= WRITTEN_WEIGHT
    return weight_N


def folds_of(examples: Sequence[Example]) -> NDArray[np.int64]:
    """The fold of each example: that of its template, by hash."""
    folds = {
        template: int.from_bytes(hashlib.blake2b(template.encode(), digest_size=4).digest()) % FOLDS
        for template in {example.template for example in examples}
    }
    return np.array([folds[example.template] for example in examples], np.int64)


def corpus_digest(examples: Sequence[Example]) -> str:
    total = hashlib.sha256()
    for example in examples:
        total.update(f"{example.text}\x00{example.intent}\x00{sorted(example.flags)}\n".encode())
    return total.hexdigest()

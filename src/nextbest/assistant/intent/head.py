"""The linear head on a text's features: multinomial logistic regression, its probabilities calibrated, its doubts told.

Numpy and scipy only. Saved as npz and a manifest; nothing is pickled. Axes: N texts, D columns, C intents.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.assistant.base import INTENTS, Intent
from nextbest.errors import ArtifactError, InputError
from nextbest.models import store

KIND = "intent head"
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Head:
    """Features to calibrated probabilities."""

    weight_DC: NDArray[np.float32]  # noqa: N815 - axes in the name
    bias_C: NDArray[np.float32]  # noqa: N815
    temperature: float
    """Logits are divided by it: fitted on written questions that weren't learned."""
    band: float
    """Below this probability of the likeliest intent the client is asked back."""
    encoder: str
    """Name of the encoder whose vectors it was taught on."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Of the training: corpus, seed, what folds said."""

    def probabilities(self, features_ND: NDArray[np.floating[Any]]) -> Floats:
        """Shape (N, C), rows sum to 1, columns as `INTENTS`.

        Raises
        ------
        InputError
            The columns aren't those it was taught on.
        """
        return softmax(self.logits(features_ND).astype(np.float64) / self.temperature)

    def logits(self, features_ND: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Shape (N, C), before the temperature.

        Raises
        ------
        InputError
            The columns aren't those it was taught on.
        """
        if features_ND.ndim != 2 or features_ND.shape[1] != len(self.weight_DC):
            raise InputError("features", f"must have {len(self.weight_DC)} columns", value=features_ND.shape)
        found_NC: NDArray[np.floating[Any]] = features_ND @ self.weight_DC + self.bias_C
        return found_NC

    def save(self, folder: Path) -> None:
        """Write the folder, whole or not at all.

        Raises
        ------
        InputError
            It holds something else.
        ExternalError
            The disk refused.
        """
        store.write_folder(
            Path(folder),
            kind=KIND,
            config={
                "temperature": self.temperature,
                "band": self.band,
                "encoder": self.encoder,
                "intents": list(INTENTS),
            },
            arrays={"weight": self.weight_DC.astype(np.float16), "bias": self.bias_C},
            ids={},
            about={"training": dict(self.about)},
        )

    @classmethod
    def load(cls, folder: Path) -> "Head":
        """What `save` wrote.

        Raises
        ------
        ArtifactError
            The folder is missing, damaged, of another kind, or of other intents.
        """
        remedy = "teach one with `nextbest assistant train-intents`"
        manifest = manifest_of(folder, KIND, remedy=remedy)
        config = manifest["config"]
        arrays = store.read_arrays(folder, manifest)
        try:
            return cls(
                arrays["weight"].astype(np.float32),
                arrays["bias"].astype(np.float32),
                float(config["temperature"]),
                float(config["band"]),
                str(config["encoder"]),
                json.loads(json.dumps(manifest.get("training", {}))),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(folder, f"lacks a part ({error})", remedy=remedy) from error


def manifest_of(folder: Path, kind: str, *, remedy: str) -> dict[str, Any]:
    """The manifest of a folder of intents, of this kind and this version's names.

    Raises
    ------
    ArtifactError
        The folder is missing, of another kind, or of other intents.
    """
    manifest = store.read_manifest(folder)
    if manifest["kind"] != kind:
        raise ArtifactError(folder, f"holds {manifest['kind']!r}, not {kind!r}", remedy=remedy)
    if manifest["config"].get("intents") != list(INTENTS):
        raise ArtifactError(folder, "knows other intents than this version", remedy=remedy)
    return manifest


def fit_logistic(
    features_ND: NDArray[np.float32], label_N: NDArray[np.int64], *, l2: float, weight_N: Floats | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights and bias of multinomial logistic regression by L-BFGS; the bias isn't penalised.

    Parameters
    ----------
    features_ND, label_N
        Rows and their column of `INTENTS`.
    l2
        Penalty on half the squared weights, beside the mean loss.
    weight_N
        Of each row; None: such that each intent counts alike.
    """
    n_columns, n_intents = features_ND.shape[1], len(INTENTS)
    counts_C = np.maximum(np.bincount(label_N, minlength=n_intents), 1)
    weights = 1.0 / counts_C[label_N] if weight_N is None else weight_N
    share_N1 = (weights / weights.sum())[:, None].astype(np.float32)
    target_NC = np.eye(n_intents, dtype=np.float32)[label_N]

    def loss(flat: Floats) -> tuple[float, Floats]:
        weight_DC = flat[: n_columns * n_intents].reshape(n_columns, n_intents).astype(np.float32)
        logits_NC = features_ND @ weight_DC + flat[n_columns * n_intents :].astype(np.float32)
        p_NC = softmax(logits_NC.astype(np.float64))
        told_N = np.log(np.maximum((p_NC * target_NC).sum(1), 1e-300))
        gap_NC = ((p_NC - target_NC) * share_N1).astype(np.float32)
        value = -float((told_N * share_N1[:, 0]).sum()) + l2 / 2 * float((weight_DC**2).sum())
        slope_DC = features_ND.T @ gap_NC + l2 * weight_DC
        return value, np.concatenate([slope_DC.ravel(), gap_NC.sum(0)]).astype(np.float64)

    start = np.zeros(n_columns * n_intents + n_intents)
    from scipy.optimize import minimize  # 13 MB that only teaching needs

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 150, "ftol": 1e-7})
    flat = found.x.astype(np.float32)
    return flat[: n_columns * n_intents].reshape(n_columns, n_intents), flat[n_columns * n_intents :]


def fit_temperature(logits_NC: Floats, label_N: NDArray[np.int64]) -> float:
    """The temperature at which the log-loss of those labels is lowest (Guo et al. 2017)."""
    grid = np.exp(np.linspace(np.log(0.3), np.log(5.0), 60))
    rows = np.arange(len(label_N))
    losses = [-np.log(np.maximum(softmax(logits_NC / t)[rows, label_N], 1e-300)).mean() for t in grid]
    return float(grid[int(np.argmin(losses))])


def choose_band(
    probability_NC: Floats, label_N: NDArray[np.int64], *, accuracy: float = 0.99, most_asked: float = 0.15
) -> float:
    """The lowest probability from which on answers are right often enough, but asking back no more than allowed."""
    top_N, right_N = probability_NC.max(1), probability_NC.argmax(1) == label_N
    limit = float(np.quantile(top_N, most_asked))
    for threshold in np.arange(0.2, 0.995, 0.01):
        kept_N = top_N >= threshold
        if threshold > limit or not kept_N.any():
            return limit
        if right_N[kept_N].mean() >= accuracy:
            return float(threshold)
    return limit


def softmax(logits_NC: Floats) -> Floats:
    """Rows that sum to 1."""
    raised_NC = np.exp(logits_NC - logits_NC.max(axis=1, keepdims=True))
    shares_NC: Floats = raised_NC / raised_NC.sum(axis=1, keepdims=True)
    return shares_NC


def ranked(probability_C: Floats) -> list[tuple[Intent, float]]:
    """Intents with their probabilities, likeliest first."""
    return [(INTENTS[c], float(probability_C[c])) for c in np.argsort(-probability_C, kind="stable")]

"""Scores of class words as probabilities: the class prior, moved by what the model says as far as that has paid.

Axes: N questions, C classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import ArtifactError

FloatArray = NDArray[np.float64]
PSEUDO_ROWS = 20.0
"""Weight of "the words' offsets are right as they are" and of "what it says is worth nothing", in questions."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """log p = log prior + temperature^-1 (score - its usual value) + offset, normalised over classes."""

    prior_C: FloatArray  # noqa: N815 - axes in the name
    usual_C: FloatArray  # noqa: N815
    """Mean score of each word: some words are likelier whatever is asked."""
    sharpness: float
    """One over the temperature; 0: what the model says is worth nothing, and the answer is the prior."""
    offset_C: FloatArray  # noqa: N815

    @classmethod
    def fit(cls, score_NC: FloatArray, class_N: NDArray[np.int64], prior_C: FloatArray) -> Self:
        """Sharpness and offsets with the least log-loss on questions that weren't taught, held near 0.

        Parameters
        ----------
        score_NC
            Log-probabilities of the class words; finite.

        Notes
        -----
        Zhao et al. 2021 and Zhou et al. 2023 take off the words' usual scores; Platt 1999 fits the rest.
        """
        from scipy.optimize import minimize

        usual_C = score_NC.mean(0)
        n_classes = len(prior_C)
        spread = max(float((score_NC - usual_C).std()), 1e-9)
        unit_NC = (score_NC - usual_C) / spread

        def loss(x: FloatArray) -> tuple[float, FloatArray]:
            logit_NC = np.log(prior_C) + x[0] * unit_NC + x[1:]
            log_p_NC = logit_NC - np.logaddexp.reduce(logit_NC, axis=1)[:, None]
            rest_NC = np.exp(log_p_NC)
            total = -log_p_NC[np.arange(len(class_N)), class_N].sum() + 0.5 * PSEUDO_ROWS * (x @ x)
            rest_NC[np.arange(len(class_N)), class_N] -= 1
            slope = np.array([(rest_NC * unit_NC).sum(), *rest_NC.sum(0)]) + PSEUDO_ROWS * x
            return float(total), slope

        start = np.zeros(1 + n_classes)
        found = minimize(
            loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] + [(None, None)] * n_classes
        )
        return cls(prior_C, usual_C, float(found.x[0]) / spread, found.x[1:])

    def __call__(self, score_NC: FloatArray) -> FloatArray:
        """Probabilities, shape (N, C); rows of NaN stay."""
        logit_NC = np.log(self.prior_C) + self.sharpness * (score_NC - self.usual_C) + self.offset_C
        found: FloatArray = np.exp(logit_NC - np.logaddexp.reduce(logit_NC, axis=1)[:, None])
        return found

    def described(self) -> dict[str, Any]:
        """In JSON's own types."""
        return {
            "prior": self.prior_C.tolist(),
            "usual": self.usual_C.tolist(),
            "sharpness": self.sharpness,
            "offset": self.offset_C.tolist(),
        }

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Self:
        """What `described` gave; `ArtifactError` where it isn't."""
        try:
            return cls(
                np.array(described["prior"], float),
                np.array(described["usual"], float),
                float(described["sharpness"]),
                np.array(described["offset"], float),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError("calibration", f"is not readable ({error!r})") from error

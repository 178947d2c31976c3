"""Logistic regression with an L2 penalty on standardised columns: the straight line that a blend leans on.

Axes: N rows, F columns.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.models.products.base import sigmoid

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Logistic:
    """Log-odds = offset + (x - mean) / spread @ slope; a missing value stands at the mean."""

    mean_F: Floats
    spread_F: Floats
    slope_F: Floats
    offset: float

    @classmethod
    def fit(cls, x_NF: NDArray[Any], y_N: NDArray[Any], weight_N: NDArray[Any], *, l2: float) -> "Logistic":
        """Minimise the weighted log-loss plus l2 / 2 x the squared slopes (the offset is free).

        `l2` is in clients: the larger, the flatter.
        """
        from scipy.optimize import minimize

        x_NF, w = np.asarray(x_NF, np.float64), np.asarray(weight_N, np.float64)
        there_NF = np.isfinite(x_NF)
        total_F = np.maximum(w @ there_NF, 1e-12)
        filled_NF = np.where(there_NF, x_NF, 0.0)
        mean_F = w @ filled_NF / total_F
        centred_NF = np.where(there_NF, x_NF - mean_F, 0.0)
        spread_F = np.sqrt(w @ centred_NF**2 / total_F)
        spread_F = np.where(spread_F > 1e-12, spread_F, 1.0)
        z_NF, y = centred_NF / spread_F, np.asarray(y_N, np.float64)
        share = np.clip(np.average(y, weights=w), 1e-6, 1 - 1e-6)

        def loss(beta: Floats) -> tuple[float, Floats]:
            slope, raw = beta[:-1], z_NF @ beta[:-1] + beta[-1]
            residual = w * (sigmoid(raw) - y)
            value = float(w @ (np.logaddexp(0, raw) - y * raw)) + 0.5 * l2 * float(slope @ slope)
            return value, np.append(residual @ z_NF + l2 * slope, residual.sum())

        start = np.append(np.zeros(z_NF.shape[1]), np.log(share / (1 - share)))
        best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
        return cls(mean_F, spread_F, best[:-1], float(best[-1]))

    def parts(self, x_NF: NDArray[Any]) -> Floats:
        """What each column adds to the log-odds, against a client at the mean. Shape (N, F)."""
        x_NF = np.asarray(x_NF, np.float64)
        z_NF = np.where(np.isfinite(x_NF), (x_NF - self.mean_F) / self.spread_F, 0.0)
        return np.asarray(z_NF * self.slope_F)

    def raw(self, x_NF: NDArray[Any]) -> Floats:
        """Log-odds. Shape (N,)."""
        return np.asarray(self.parts(x_NF).sum(axis=1) + self.offset)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything fitted."""
        return {
            "mean": self.mean_F,
            "spread": self.spread_F,
            "slope": self.slope_F,
            "offset": np.array([self.offset]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "Logistic":
        """What `arrays` described. KeyError when one is missing."""
        return cls(arrays["mean"], arrays["spread"], arrays["slope"], float(arrays["offset"][0]))

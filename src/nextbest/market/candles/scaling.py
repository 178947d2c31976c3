"""By what a return is divided before it is learned, and back: a regression in closed form. Knows no torch.

Axes: A assets, T bars, H horizons, R regressors, N rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.market.candles.config import CandlesConfig
from nextbest.market.candles.features import Facts, FloatArray, mean_after

_RIDGE = 1e-3
"""Penalty of a standardised regressor, as a share of the rows."""
_MAX_ROWS = 200_000
"""Rows of a regression: evenly thinned out above that."""
_CLIP = 5.0


@dataclass(frozen=True, eq=False)
class Scaling:
    """Log-scales of returns by horizon, and standardised states; learned from the training part only."""

    weight_HR: FloatArray  # noqa: N815 - axes in the name
    """Of the regressors; no columns where there is no regression."""
    offset_H: FloatArray  # noqa: N815
    """Constant of each horizon's log-scale."""
    mean_F: FloatArray  # noqa: N815
    """Of the state's numbers."""
    spread_F: FloatArray  # noqa: N815

    @staticmethod
    def fit(
        facts: Facts,
        return_ATH: FloatArray,
        *,
        config: CandlesConfig,
        horizons: Sequence[int],
        learned_ATH: NDArray[np.bool_],
    ) -> "Scaling":
        """Learn from the places where `learned_ATH`: both sides of a row lie in the training part there."""
        known_AT = facts.known_AT & learned_ATH.any(-1)
        state_NF = facts.state(config)[known_AT]
        weights, offsets = [], []
        for i, horizon in enumerate(horizons):
            rows_AT = facts.known_AT & learned_ATH[..., i] & np.isfinite(return_ATH[..., i])
            weight_R = np.zeros(0)
            if config.scaling == "har":
                weight_R = _regressed(facts, config, horizon=horizon, index=i, rows_AT=rows_AT)
            shape_AT = _log_shape(facts, config, weight_R, index=i)
            z_N = return_ATH[..., i][rows_AT] * np.exp(-shape_AT[rows_AT])
            # of a normal distribution the mean size is sqrt(2/pi) deviations
            size = np.abs(z_N).mean() if len(z_N) else 1.0
            offsets.append(np.log(max(float(size), 1e-12) * np.sqrt(np.pi / 2)))
            weights.append(weight_R)
        return Scaling(
            weight_HR=np.array(weights).reshape(len(horizons), -1),
            offset_H=np.array(offsets),
            mean_F=state_NF.mean(0),
            spread_F=np.maximum(state_NF.std(0), 1e-6),
        )

    def log_scale(self, facts: Facts, config: CandlesConfig) -> FloatArray:
        """Log of the standard deviation of each horizon's return as a normal one of its mean size has, (A, T, H)."""
        return np.stack(
            [
                _log_shape(facts, config, weight_R, index=i) + offset
                for i, (weight_R, offset) in enumerate(zip(self.weight_HR, self.offset_H, strict=True))
            ],
            axis=-1,
        )

    def state(self, facts: Facts, config: CandlesConfig) -> FloatArray:
        """The state in standard deviations of the training part, (A, T, F); 0 where it isn't known."""
        z_ATF = (facts.state(config) - self.mean_F) / self.spread_F
        return np.asarray(np.nan_to_num(np.clip(z_ATF, -_CLIP, _CLIP), nan=0.0))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """To be kept, by name."""
        return {
            "scaling_weight_HR": self.weight_HR,
            "scaling_offset_H": self.offset_H,
            "state_mean_F": self.mean_F,
            "state_spread_F": self.spread_F,
        }

    @staticmethod
    def of(arrays: Mapping[str, NDArray[Any]]) -> "Scaling":
        """From what `arrays` gave; KeyError where one is missing."""
        return Scaling(
            weight_HR=arrays["scaling_weight_HR"],
            offset_H=arrays["scaling_offset_H"],
            mean_F=arrays["state_mean_F"],
            spread_F=arrays["state_spread_F"],
        )


def _log_shape(facts: Facts, config: CandlesConfig, weight_R: FloatArray, *, index: int) -> FloatArray:
    """The log-scale but for its constant, shape (A, T); NaN where there is none."""
    if config.scaling == "none":
        return np.where(facts.known_AT, 0.0, np.nan)
    if config.scaling == "level":
        return np.asarray(facts.scale_SAT[config.level] / 2)
    shape_AT: FloatArray = facts.regressors(config, horizon=index) @ weight_R / 2
    return shape_AT


def _regressed(
    facts: Facts,
    config: CandlesConfig,
    *,
    horizon: int,
    index: int,
    rows_AT: NDArray[np.bool_],
) -> FloatArray:
    """Ridge regression of the log of the mean variance over the horizon's bars; the constant is left to others."""
    log_AT = np.log(np.maximum(mean_after(facts.variance_AT, horizon), 1e-14))
    rows_AT = rows_AT & np.isfinite(log_AT)
    x_NR, y_N = facts.regressors(config, horizon=index)[rows_AT], log_AT[rows_AT]
    thin = -(-len(y_N) // _MAX_ROWS)
    x_NR, y_N = x_NR[::thin] if thin else x_NR, y_N[::thin] if thin else y_N
    if len(y_N) < 2:
        return np.zeros(x_NR.shape[1])
    mean_R, spread_R = x_NR.mean(0), x_NR.std(0)
    z_NR = (x_NR - mean_R) / np.where(spread_R > 1e-9, spread_R, np.inf)
    gram_RR = z_NR.T @ z_NR + _RIDGE * len(y_N) * np.eye(z_NR.shape[1])
    slope_R = np.linalg.solve(gram_RR, z_NR.T @ (y_N - y_N.mean()))
    weight_R: FloatArray = slope_R / np.where(spread_R > 1e-9, spread_R, np.inf)
    return weight_R

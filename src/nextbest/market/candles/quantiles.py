"""Quantiles at any levels from what a head answers. Knows no torch. Axes: H horizons, Q levels, W learned levels."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from nextbest.market.candles.config import Head

FloatArray = NDArray[np.float64]
LEARNED_LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Of the quantile head; other levels lie between them."""


def answered_quantiles(shape: FloatArray, *, levels: Sequence[float] | FloatArray, head: Head) -> FloatArray:
    """Quantiles in units of the scaling, shape (..., H, Q).

    Parameters
    ----------
    shape
        The heads' answers, (..., H, W) of a quantile head, (..., H, 3) of a Student head, as `network.Answer` says.
    levels
        Each above 0 and below 1.

    Notes
    -----
    Between learned levels, and beyond the outermost two, a quantile head's distribution is a straight line against
    normal scores.
    """
    level_Q = np.asarray(levels, np.float64)
    if head == "student":
        location, log_scale, degrees = np.moveaxis(shape, -1, 0)[..., None]
        quantile: FloatArray = location + np.exp(log_scale) * stdtrit(2 + np.exp(degrees), level_Q)
        return quantile
    return between(shape, known=LEARNED_LEVELS, levels=level_Q)


def between(
    quantile: FloatArray, *, known: Sequence[float], levels: Sequence[float] | FloatArray
) -> FloatArray:
    """Quantiles at `levels` from those at `known` (rising, two or more), on the last axis: straight against normal scores."""
    known_W, score_Q = ndtri(np.asarray(known)), ndtri(np.asarray(levels, np.float64))
    right_Q = np.clip(np.searchsorted(known_W, score_Q), 1, len(known_W) - 1)
    share_Q = (score_Q - known_W[right_Q - 1]) / (known_W[right_Q] - known_W[right_Q - 1])
    line: FloatArray = quantile[..., right_Q - 1] * (1 - share_Q) + quantile[..., right_Q] * share_Q
    return line

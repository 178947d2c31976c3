"""What a language model has to beat: the class prior, the last class, and a regression on what recent volatility was.

Each learns from all known questions of the past, cheap as it is. Axes: A assets, T bars, N questions, C classes, R columns.
"""

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.market.classical.har import bar_variance
from nextbest.market.llm.labels import Labels
from nextbest.market.llm.lesson import Rows

FloatArray = NDArray[np.float64]
PSEUDO_ROWS = 5.0
"""Of the prior, added to the counts after each class."""
SCALES = (1, 5, 22)
"""Bars over which the regression reads volatility."""
_RIDGE = 1.0
_FLOOR = 1e-12


def last_class(
    labels: Labels, panel: PricePanel, learned: Rows, asked: Rows, prior_C: FloatArray
) -> FloatArray:
    """How often each class came after the class of the bars just seen, shape (N, C); the prior where that isn't known."""
    now_AT = labels.at(panel)
    counts = np.tile(PSEUDO_ROWS * prior_C, (labels.n_classes + 1, 1))
    # class -1, not known, is the last row: it stays the prior
    now_N = now_AT[learned.asset_N, learned.bar_N]
    np.add.at(counts, (now_N[now_N >= 0], learned.class_N[now_N >= 0]), 1.0)
    found: FloatArray = (counts / counts.sum(1, keepdims=True))[now_AT[asked.asset_N, asked.bar_N]]
    return found


def regression(
    labels: Labels, panel: PricePanel, learned: Rows, asked: Rows, prior_C: FloatArray
) -> FloatArray:
    """Multinomial regression on log volatility over 1, 5 and 22 bars, its mean over assets, and returns; shape (N, C).

    The HAR regressors of Corsi 2009 asked for classes. Where a column isn't known, the prior.
    """
    from scipy.optimize import minimize

    x_ATR = _columns(panel)
    x_NR, y_N = x_ATR[learned.asset_N, learned.bar_N], learned.class_N
    known_N = np.isfinite(x_NR).all(1)
    asked_NR = x_ATR[asked.asset_N, asked.bar_N]
    is_known_N = np.isfinite(asked_NR).all(1)
    if not known_N.any():
        return np.tile(prior_C, (len(asked), 1))
    x_NR, y_N = x_NR[known_N], y_N[known_N]
    mean_R, spread_R = x_NR.mean(0), np.maximum(x_NR.std(0), 1e-9)
    x_NR = (x_NR - mean_R) / spread_R
    n_columns, n_classes = x_NR.shape[1], labels.n_classes

    def logs(flat: FloatArray, rows_NR: FloatArray) -> FloatArray:
        weights = flat.reshape(n_columns + 1, n_classes)
        logit_NC = np.log(prior_C) + rows_NR @ weights[1:] + weights[0]
        out: FloatArray = logit_NC - np.logaddexp.reduce(logit_NC, axis=1)[:, None]
        return out

    def loss(flat: FloatArray) -> tuple[float, FloatArray]:
        log_p_NC = logs(flat, x_NR)
        slope_NC = np.exp(log_p_NC)
        slope_NC[np.arange(len(y_N)), y_N] -= 1
        slope = np.concatenate([slope_NC.sum(0)[None], x_NR.T @ slope_NC]).ravel() + _RIDGE * flat
        return float(-log_p_NC[np.arange(len(y_N)), y_N].sum() + 0.5 * _RIDGE * flat @ flat), slope

    fitted = minimize(loss, np.zeros((n_columns + 1) * n_classes), jac=True, method="L-BFGS-B").x
    found = np.tile(prior_C, (len(asked), 1))
    found[is_known_N] = np.exp(logs(fitted, (asked_NR[is_known_N] - mean_R) / spread_R))
    return found


def _columns(panel: PricePanel) -> FloatArray:
    """(A, T, R) of what each bar knows; NaN where half of a scale's bars are missing."""
    variance_AT, return_AT = bar_variance(panel), panel.log_return_AT
    columns = []
    for scale in SCALES:
        level_AT = 0.5 * np.log(np.maximum(_mean_of_last(variance_AT, scale), _FLOOR))
        there_AT = np.isfinite(level_AT)
        total_T = np.where(there_AT, level_AT, 0.0).sum(0)
        mean_T = np.where(there_AT.any(0), total_T / np.maximum(there_AT.sum(0), 1), np.nan)
        columns += [level_AT, np.broadcast_to(mean_T, level_AT.shape)]
    slow_AT = np.exp(columns[-2])
    columns += [_mean_of_last(return_AT, scale) * np.sqrt(scale) / slow_AT for scale in SCALES]
    return np.stack(columns, axis=-1)


def _mean_of_last(value_AT: FloatArray, n: int) -> FloatArray:
    there_AT = np.isfinite(value_AT)
    width, n_bars = np.ones(n), value_AT.shape[1]
    total_AT = np.stack([np.convolve(row, width)[:n_bars] for row in np.where(there_AT, value_AT, 0.0)])
    count_AT = np.rint(np.stack([np.convolve(row, width)[:n_bars] for row in there_AT.astype(np.float64)]))
    return np.where(count_AT > n / 2, total_AT / np.maximum(count_AT, 1), np.nan)

"""The benchmark's part of `fast_metrics`: a chunk of rows against one series, or each row against its own.

Legend: `C` rows of a chunk, `T` days.
"""

import math

import numpy as np
import numpy.typing as npt

from nextbest.portfolio.metrics.sums import CONSTANT_SPREAD

FloatArray = npt.NDArray[np.float64]

RELATIVE_METRICS = (
    "beta",
    "alpha_ann",
    "correlation",
    "tracking_error_ann",
    "information_ratio",
    "up_capture",
    "down_capture",
)
"""What a call with a benchmark gives on top."""


def relative_metrics(
    r_CT: FloatArray, bench: FloatArray, *, periods_per_year: float, rf: float
) -> dict[str, FloatArray]:
    """Figures of rows without NaN against a benchmark of shape (T,) or (C, T)."""
    if np.isnan(bench).any():
        return _relative_with_holes(r_CT, bench, periods_per_year=periods_per_year, rf=rf)
    n_rows, n = r_CT.shape
    b_CT = np.broadcast_to(bench, r_CT.shape)
    nan_C = np.full(n_rows, np.nan)
    if n < 2:
        return dict.fromkeys(RELATIVE_METRICS, nan_C)
    root = math.sqrt(periods_per_year)
    mean_C, bench_mean_C = r_CT.mean(axis=1), b_CT.mean(axis=1)
    r_varies_C = r_CT.max(axis=1) - r_CT.min(axis=1) > CONSTANT_SPREAD
    b_varies_C = b_CT.max(axis=1) - b_CT.min(axis=1) > CONSTANT_SPREAD
    centred_CT = r_CT - mean_C[:, None]
    b_centred_CT = bench - bench.mean(axis=-1, keepdims=True)  # stays (T,) where it can
    if bench.ndim == 1:
        cov_C = centred_CT @ b_centred_CT / n
        b_var_C = np.full(n_rows, b_centred_CT @ b_centred_CT / n)
    else:
        cov_C = np.einsum("ij,ij->i", centred_CT, b_centred_CT) / n
        b_var_C = np.einsum("ij,ij->i", b_centred_CT, b_centred_CT) / n
    var_C = np.einsum("ij,ij->i", centred_CT, centred_CT) / n
    beta_C = np.where(b_varies_C, cov_C / b_var_C, np.nan)
    active_CT = np.subtract(r_CT, bench, out=centred_CT)
    active_C = active_CT.mean(axis=1)
    active_varies_C = active_CT.max(axis=1) - active_CT.min(axis=1) > CONSTANT_SPREAD
    active_CT -= active_C[:, None]
    error_C = np.sqrt(np.einsum("ij,ij->i", active_CT, active_CT) / (n - 1))
    error_C = np.where(active_varies_C, error_C, 0.0)
    correlation_C = np.where(r_varies_C & b_varies_C, cov_C / np.sqrt(var_C * b_var_C), np.nan)
    log_CT = np.log1p(r_CT)
    return {
        "beta": beta_C,
        "alpha_ann": (mean_C - rf - beta_C * (bench_mean_C - rf)) * periods_per_year,
        "correlation": np.clip(correlation_C, -1.0, 1.0),
        "tracking_error_ann": error_C * root,
        "information_ratio": np.where(active_varies_C, active_C / error_C, np.nan) * root,
        "up_capture": _capture(log_CT, bench, bench > 0),
        "down_capture": _capture(log_CT, bench, bench < 0),
    }


def _capture(log_CT: FloatArray, bench: FloatArray, days: npt.NDArray[np.bool_]) -> FloatArray:
    """Geometric mean return of some days over the benchmark's; NaN without such days or after a loss of all."""
    count = days.sum(axis=-1)
    weights = days / np.maximum(count, 1)[..., None]
    if bench.ndim == 1:
        own_C = log_CT @ weights
        theirs = np.log1p(bench) @ weights
    else:
        own_C = np.einsum("ij,ij->i", log_CT, weights)
        theirs = np.einsum("ij,ij->i", np.log1p(bench), weights)
    ratio_C: FloatArray = np.expm1(own_C) / np.expm1(theirs)
    ratio_C[(count == 0) | ~np.isfinite(ratio_C)] = np.nan
    return ratio_C


def _relative_with_holes(
    r_CT: FloatArray, bench: FloatArray, *, periods_per_year: float, rf: float
) -> dict[str, FloatArray]:
    """The same where the benchmark lacks days: those days are left out, row by row if they differ."""
    if bench.ndim == 1:
        seen_T = ~np.isnan(bench)
        if not seen_T.any():
            return dict.fromkeys(RELATIVE_METRICS, np.full(len(r_CT), np.nan))
        return relative_metrics(
            np.ascontiguousarray(r_CT[:, seen_T]), bench[seen_T], periods_per_year=periods_per_year, rf=rf
        )
    rows = [
        _relative_with_holes(r_T[None, :], bench_T, periods_per_year=periods_per_year, rf=rf)
        for r_T, bench_T in zip(r_CT, bench, strict=True)
    ]
    return {name: np.concatenate([row[name] for row in rows]) for name in RELATIVE_METRICS}

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
    r_CT: FloatArray,
    bench: FloatArray,
    *,
    periods_per_year: float,
    rf: float,
    scratch: tuple[FloatArray, FloatArray] | None = None,
) -> dict[str, FloatArray]:
    """Figures of rows without NaN against a benchmark of shape (T,) or (C, T); `scratch`: two buffers like `r_CT`."""
    if np.isnan(bench).any():
        return _relative_with_holes(r_CT, bench, periods_per_year=periods_per_year, rf=rf)
    n_rows, n = r_CT.shape
    if n < 2:
        return dict.fromkeys(RELATIVE_METRICS, np.full(n_rows, np.nan))
    first_CT, second_CT = scratch or (np.empty_like(r_CT), np.empty_like(r_CT))
    root = math.sqrt(periods_per_year)
    # The benchmark's own figures are numbers where all rows share it, vectors where each has its own days.
    mean_C, bench_mean = r_CT.mean(axis=1), bench.mean(axis=-1)
    r_varies_C, b_varies = _varies(r_CT), _varies(bench)
    away_CT = np.subtract(r_CT, mean_C[:, None], out=first_CT)
    b_away = bench - bench.mean(axis=-1, keepdims=True)
    cov_C = _row_sums(away_CT, b_away) / n
    b_var = np.einsum("...j,...j->...", b_away, b_away) / n
    var_C = _row_sums(away_CT, away_CT) / n
    beta_C = np.where(b_varies, cov_C / b_var, np.nan)
    correlation_C = np.where(r_varies_C & b_varies, cov_C / np.sqrt(var_C * b_var), np.nan)
    active_CT = np.subtract(r_CT, bench, out=first_CT)
    active_C, active_varies_C = active_CT.mean(axis=1), _varies(active_CT)
    active_CT -= active_C[:, None]
    error_C = np.where(active_varies_C, np.sqrt(_row_sums(active_CT, active_CT) / (n - 1)), 0.0)
    log_CT = np.log1p(r_CT, out=second_CT)
    return {
        "beta": beta_C,
        "alpha_ann": (mean_C - rf - beta_C * (bench_mean - rf)) * periods_per_year,
        "correlation": np.clip(correlation_C, -1.0, 1.0),
        "tracking_error_ann": error_C * root,
        "information_ratio": np.where(active_varies_C, active_C / error_C, np.nan) * root,
        "up_capture": _capture(log_CT, bench, bench > 0),
        "down_capture": _capture(log_CT, bench, bench < 0),
    }


def _varies(x: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether each row (or the one series) is more than constant."""
    varies: npt.NDArray[np.bool_] = x.max(axis=-1) - x.min(axis=-1) > CONSTANT_SPREAD
    return varies


def _row_sums(a_CT: FloatArray, b: FloatArray) -> FloatArray:
    """Sum of products of each row of `a_CT` with the one series or with the row of `b`."""
    sums_C: FloatArray = a_CT @ b if b.ndim == 1 else np.einsum("ij,ij->i", a_CT, b)
    return sums_C


def _capture(log_CT: FloatArray, bench: FloatArray, days: npt.NDArray[np.bool_]) -> FloatArray:
    """Geometric mean return of some days over the benchmark's; NaN without such days or after a loss of all."""
    count = days.sum(axis=-1)
    weights = days / np.maximum(count, 1)[..., None]
    own_C = _row_sums(log_CT, weights)
    theirs = np.einsum("...j,...j->...", np.log1p(bench), weights)
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

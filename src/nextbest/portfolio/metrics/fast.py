"""Many portfolios at once: a matrix of returns in, a vector for each figure out.

The core of every mass calculation (nightly run, ranking, peers). Knows no dates, no clients and no words;
figures of one portfolio with calendar dates, reasons and formulas are `catalogue.py`'s.

Rows are portfolios, so that one row lies together in memory, and a few rows at a time go through all figures
while they are in the cache. Powers are products (`x * x * x`, not `x ** 3`), numbers stay float64: in float32
the tail averages lose four digits. Rows with missing days are packed together first and then take the same road,
so that clean rows never pay for them.

Legend: `P` portfolios, `C` rows of a chunk, `T` days.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from nextbest.errors import DataError, InputError
from nextbest.portfolio.metrics.fast_relative import CONSTANT_SPREAD, RELATIVE_METRICS, relative_metrics
from nextbest.portfolio.metrics.normal_tail import cornish_fisher_tail, normal_tail

FloatArray = npt.NDArray[np.float64]

METRICS = (
    "twr",
    "cagr",
    "volatility_ann",
    "volatility_log_ann",
    "downside_deviation_ann",
    "sharpe",
    "sortino",
    "calmar",
    "omega",
    "max_drawdown",
    "max_drawdown_duration",
    "var_historical",
    "cvar_historical",
    "var_normal",
    "cvar_normal",
    "var_cornish_fisher",
    "cvar_cornish_fisher",
    "skewness",
    "kurtosis",
    "best",
    "worst",
    "hit_rate",
    "n",
)
"""What every call gives, in this order."""


def fast_metrics(
    returns_PT: FloatArray,
    *,
    periods_per_year: float,
    alpha: float = 0.05,
    rf: float = 0.0,
    benchmark_T: FloatArray | None = None,
    chunk: int = 32,
) -> dict[str, FloatArray]:
    """Some twenty figures of each portfolio, one vector of shape (P,) for each name of `METRICS`.

    Parameters
    ----------
    returns_PT
        Simple returns, fractions, one row a portfolio, one column a day. Shape (P, T); NaN = no observation
        that day (left out, never zero). Best C-ordered float64; anything else is copied row by row.
    periods_per_year
        Observations in a year, > 0; scales volatility by its root. `cagr` takes n / periods_per_year as years.
    alpha
        Tail of VaR and CVaR, 0-0.5 exclusive.
    rf
        Risk-free return of one period, fraction: what Sharpe is in excess of, and the threshold of Sortino, Omega
        and downside deviation.
    benchmark_T
        Simple returns of the benchmark on the same days; NaN = none. Shape (T,). Adds `RELATIVE_METRICS`, counted
        on days that both have.
    chunk
        Rows in the cache at once, 1 or more; no effect on results.

    Returns
    -------
    dict of name -> ndarray of shape (P,), float64
        NaN where the figure isn't defined: no or one observation, constant returns (ratios over volatility), no
        losses (Sortino, Omega, Calmar), less than a year (CAGR, Calmar), a return of -1 (log volatility, CAGR) or
        below it (twr too). Never inf.

        ============================  =================================================================
        twr                           prod(1 + r) - 1
        cagr                          (1 + twr)^(periods_per_year / n) - 1, from n >= periods_per_year
        volatility_ann                std(r, ddof 1) sqrt(periods_per_year)
        volatility_log_ann            the same of ln(1 + r)
        downside_deviation_ann        sqrt(mean(min(r - rf, 0)^2) periods_per_year), mean over all n
        sharpe                        mean(r - rf) / std(r, ddof 1) sqrt(periods_per_year)
        sortino                       mean(r - rf) / downside deviation, annualised alike
        calmar                        cagr / |max_drawdown|
        omega                         sum(max(r - rf, 0)) / sum(max(rf - r, 0))
        max_drawdown                  min(wealth / peak - 1), the base 1 is the first peak; in [-1, 0]
        max_drawdown_duration         observations of the longest stretch below a peak, recovered or not
        var_historical                alpha-quantile, linear between order statistics (type 7)
        cvar_historical               mean of the floor(alpha (n - 1)) + 1 worst
        var_normal, cvar_normal       mean and std (ddof 0) of a normal law
        var_/cvar_cornish_fisher      with skewness and kurtosis; NaN where the expansion falls in the tail
        skewness, kurtosis            population moments; kurtosis in excess of the normal law's 3
        best, worst, hit_rate         largest, smallest, share above zero
        n                             observations
        beta, alpha_ann, correlation  least squares of r - rf on b - rf; alpha x periods_per_year
        tracking_error_ann            std(r - b, ddof 1) sqrt(periods_per_year)
        information_ratio             mean(r - b) / std(r - b, ddof 1) sqrt(periods_per_year)
        up_/down_capture              geometric mean return over that of the benchmark, days with b > 0 / b < 0
        ============================  =================================================================

    Raises
    ------
    InputError
        A parameter is out of range, or the shapes disagree.
    DataError
        An infinite return.

    Notes
    -----
    Sharpe 1994 (arithmetic mean, simple excess), Sortino & van der Meer 1991 (all observations in the mean),
    Keating & Shadwick 2002, Young 1991 (Calmar), Favre & Galeano 2002 and Maillard 2018 (Cornish-Fisher). Agrees with
    empyrical where that has the figure.

    Examples
    --------
    >>> made = fast_metrics(np.array([[0.1, -0.5, 0.2]]), periods_per_year=252)
    >>> round(float(made["max_drawdown"][0]), 3), float(made["n"][0])
    (-0.5, 3.0)
    """
    returns_PT = _matrix(returns_PT)
    if not periods_per_year > 0 or not math.isfinite(periods_per_year):
        raise InputError("periods_per_year", "must be a finite number above 0", value=periods_per_year)
    if not 0 < alpha < 0.5:
        raise InputError("alpha", "must lie between 0 and 0.5", value=alpha)
    if not math.isfinite(rf):
        raise InputError("rf", "must be a finite number", value=rf)
    if chunk < 1:
        raise InputError("chunk", "must be 1 or more", value=chunk)
    names: tuple[str, ...] = METRICS
    if benchmark_T is not None:
        benchmark_T = np.asarray(benchmark_T, np.float64)
        if benchmark_T.shape != returns_PT.shape[1:]:
            raise InputError(
                "benchmark_T", f"must have shape {returns_PT.shape[1:]}", value=benchmark_T.shape
            )
        if np.isinf(benchmark_T).any():
            raise DataError("benchmark_T", "returns must be finite", n_bad=int(np.isinf(benchmark_T).sum()))
        names = METRICS + RELATIVE_METRICS
    found = {name: np.full(len(returns_PT), np.nan) for name in names}
    found["n"][:] = 0.0
    with np.errstate(all="ignore"):  # what isn't defined becomes NaN below, by its own rule
        for rows, returns_CT, bench in _chunks(returns_PT, benchmark_T, chunk=chunk):
            figures = _absolute(returns_CT, periods_per_year=periods_per_year, alpha=alpha, rf=rf)
            if bench is not None:
                figures |= relative_metrics(returns_CT, bench, periods_per_year=periods_per_year, rf=rf)
            for name, values_C in figures.items():
                found[name][rows] = np.where(np.isfinite(values_C), values_C, np.nan)
    return found


def _matrix(returns_PT: FloatArray) -> FloatArray:
    """The argument as a matrix of finite-or-NaN float64."""
    matrix = np.asarray(returns_PT)
    if matrix.ndim != 2:
        raise InputError("returns_PT", "must have two axes, portfolios and days", value=matrix.shape)
    if matrix.dtype.kind not in "fiu":
        raise InputError("returns_PT", "must hold numbers", value=str(matrix.dtype))
    return matrix


def _chunks(
    returns_PT: FloatArray, benchmark_T: FloatArray | None, *, chunk: int
) -> Iterator[tuple[npt.NDArray[np.intp], FloatArray, FloatArray | None]]:
    """Row numbers, their returns without NaN, and the benchmark on the same days: (T,), or (C, T) for packed rows."""
    gappy: list[int] = []
    for start in range(0, len(returns_PT), chunk):
        part_CT = np.ascontiguousarray(returns_PT[start : start + chunk], np.float64)
        rows = np.arange(start, start + len(part_CT))
        sums_C = part_CT.sum(axis=1)  # one pass finds NaN and inf alike
        if not np.isfinite(sums_C).all():
            _refuse_infinite(part_CT, start)
            clean_C = np.isfinite(sums_C)
            gappy += rows[~clean_C].tolist()
            rows, part_CT = rows[clean_C], part_CT[clean_C]
        if len(rows) and part_CT.shape[1]:
            yield rows, part_CT, benchmark_T
    by_count: dict[int, list[int]] = {}
    for row in gappy:
        by_count.setdefault(int(np.count_nonzero(returns_PT[row] == returns_PT[row])), []).append(row)
    for n_days, members in by_count.items():
        for start in range(0, len(members) if n_days else 0, chunk):
            rows = np.array(members[start : start + chunk])
            seen_CT = ~np.isnan(returns_PT[rows])
            packed_CT = returns_PT[rows][seen_CT].reshape(len(rows), n_days).astype(np.float64, copy=False)
            bench_CT = None
            if benchmark_T is not None:
                bench_CT = np.broadcast_to(benchmark_T, seen_CT.shape)[seen_CT].reshape(packed_CT.shape)
            yield rows, packed_CT, bench_CT


def _refuse_infinite(part_CT: FloatArray, start: int) -> None:
    """Raise if a return is infinite."""
    bad = np.argwhere(np.isinf(part_CT))
    if len(bad):
        raise DataError(
            "returns_PT",
            "returns must be finite or NaN",
            n_bad=len(bad),
            examples=[(int(p) + start, int(t)) for p, t in bad],
            remedy="a price of zero before it? Such a day is no observation: give NaN",
        )


def _absolute(r_CT: FloatArray, *, periods_per_year: float, alpha: float, rf: float) -> dict[str, FloatArray]:
    """Figures of rows without NaN that need no benchmark."""
    n_rows, n = r_CT.shape
    root = math.sqrt(periods_per_year)
    nan_C = np.full(n_rows, np.nan)
    best_C, worst_C = r_CT.max(axis=1), r_CT.min(axis=1)
    mean_C = r_CT.mean(axis=1)
    varies_C = best_C - worst_C > CONSTANT_SPREAD

    buffer_CT = r_CT - mean_C[:, None]
    square_CT = buffer_CT * buffer_CT
    m2_C = square_CT.sum(axis=1) / n
    m3_C = np.einsum("ij,ij->i", square_CT, buffer_CT) / n
    m4_C = np.einsum("ij,ij->i", square_CT, square_CT) / n
    std_C = np.where(varies_C, np.sqrt(m2_C), 0.0)
    sample_std_C = std_C * math.sqrt(n / (n - 1)) if n > 1 else nan_C
    skewness_C = np.where(varies_C, m3_C / (m2_C * np.sqrt(m2_C)), np.nan)
    kurtosis_C = np.where(varies_C, m4_C / (m2_C * m2_C) - 3.0, np.nan)

    below_CT = np.subtract(r_CT, rf, out=buffer_CT) if rf else r_CT
    below_CT = np.minimum(below_CT, 0.0, out=buffer_CT)
    losses_C = -below_CT.sum(axis=1)
    downside_C = np.sqrt(np.einsum("ij,ij->i", below_CT, below_CT) / n)
    excess_C = mean_C - rf
    gains_C = np.maximum(excess_C * n + losses_C, 0.0)

    k, fraction = divmod(alpha * (n - 1), 1.0)
    tail = int(k) + 1
    sorted_CT = square_CT
    np.copyto(sorted_CT, r_CT)
    if tail < n:
        sorted_CT.partition(tail, axis=1)  # places 0..tail-1 now hold the worst, in any order
        last_C = sorted_CT[:, :tail].max(axis=1)
        var_C = last_C + fraction * (sorted_CT[:, tail] - last_C)
    else:
        var_C = worst_C
    cvar_C = np.minimum(sorted_CT[:, :tail].mean(axis=1), var_C)

    growth_CT = np.add(r_CT, 1.0, out=buffer_CT)
    log_std_C = np.where(varies_C | (n < 2), _log_std(growth_CT, out=square_CT), 0.0)
    log_std_C[worst_C <= -1.0] = np.nan
    wealth_CT = np.multiply.accumulate(growth_CT, axis=1, out=growth_CT)
    total_C = np.where(worst_C < -1.0, np.nan, wealth_CT[:, -1] - 1.0)
    drawdown_C, duration_C = _drawdown(wealth_CT, scratch_CT=square_CT)
    broke_C = worst_C <= -1.0  # a wealth of zero or below has no growth rate

    years = n / periods_per_year
    cagr_C = (1.0 + total_C) ** (1.0 / years) - 1.0 if years >= 1.0 else nan_C
    cagr_C = np.where(broke_C, np.nan, cagr_C)
    ratio_ok_C = varies_C & (n > 1)
    var_normal_C, cvar_normal_C = normal_tail(mean_C, std_C, alpha=alpha)
    var_cf_C, cvar_cf_C = cornish_fisher_tail(mean_C, std_C, skewness_C, kurtosis_C, alpha=alpha)
    return {
        "twr": total_C,
        "cagr": cagr_C,
        "volatility_ann": sample_std_C * root,
        "volatility_log_ann": log_std_C * root,
        "downside_deviation_ann": downside_C * root,
        "sharpe": np.where(ratio_ok_C, excess_C / sample_std_C, np.nan) * root,
        "sortino": np.where(ratio_ok_C & (downside_C > 0), excess_C / downside_C, np.nan) * root,
        "calmar": np.where(drawdown_C < 0, cagr_C / -drawdown_C, np.nan),
        "omega": np.where(ratio_ok_C & (losses_C > 0), gains_C / losses_C, np.nan),
        "max_drawdown": drawdown_C,
        "max_drawdown_duration": duration_C,
        "var_historical": var_C if n > 1 else nan_C,
        "cvar_historical": cvar_C if n > 1 else nan_C,
        "var_normal": np.where(ratio_ok_C, var_normal_C, np.nan),
        "cvar_normal": np.where(ratio_ok_C, cvar_normal_C, np.nan),
        "var_cornish_fisher": np.where(ratio_ok_C, var_cf_C, np.nan),
        "cvar_cornish_fisher": np.where(ratio_ok_C, cvar_cf_C, np.nan),
        "skewness": skewness_C,
        "kurtosis": kurtosis_C,
        "best": best_C,
        "worst": worst_C,
        "hit_rate": np.array([np.count_nonzero(row_T) for row_T in r_CT > 0]) / n,
        "n": np.full(n_rows, float(n)),
    }


def _log_std(growth_CT: FloatArray, *, out: FloatArray) -> FloatArray:
    """Sample standard deviation of ln(growth), shape (C,); NaN for one observation."""
    n = growth_CT.shape[1]
    if n < 2:
        return np.full(len(growth_CT), np.nan)
    log_CT = np.log(growth_CT, out=out)
    log_CT -= log_CT.mean(axis=1)[:, None]
    std_C: FloatArray = np.sqrt(np.einsum("ij,ij->i", log_CT, log_CT) / (n - 1))
    return std_C


def _drawdown(wealth_CT: FloatArray, *, scratch_CT: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Deepest fall below the highest wealth so far, and the observations of the longest stretch below it."""
    n_rows, n = wealth_CT.shape
    first_C = wealth_CT[:, 0].copy()
    wealth_CT[:, 0] = np.maximum(first_C, 1.0)  # the base 1.0 is the first peak
    peak_CT = np.maximum.accumulate(wealth_CT, axis=1, out=scratch_CT)
    wealth_CT[:, 0] = first_C
    at_peak = np.flatnonzero(wealth_CT == peak_CT)
    depth_C = np.divide(wealth_CT, peak_CT, out=scratch_CT).min(axis=1) - 1.0
    # A row's stretches lie between its peaks: before its first day (the base), each day at a peak, after its last.
    starts = np.arange(n_rows) * n
    places = np.concatenate([starts - 1, at_peak, starts + n])
    rows = np.concatenate([np.arange(n_rows), at_peak // n, np.arange(n_rows)])
    order = np.lexsort((places, rows))
    places, rows = places[order], rows[order]
    lengths = places[1:] - places[:-1] - 1
    lengths[rows[1:] != rows[:-1]] = 0
    firsts = np.searchsorted(rows, np.arange(n_rows))
    longest_C = np.maximum.reduceat(np.append(lengths, 0), firsts)
    return np.clip(depth_C, -1.0, 0.0), longest_C.astype(np.float64)

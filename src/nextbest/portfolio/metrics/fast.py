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
from nextbest.portfolio.metrics.fast_relative import RELATIVE_METRICS, relative_metrics
from nextbest.portfolio.metrics.sums import SUMS, figures_of
from nextbest.portfolio.metrics.underwater import Underwater

FloatArray = npt.NDArray[np.float64]

TAILS = ("var_historical", "cvar_historical")
"""Figures of sorted returns: sums alone don't give them."""
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
    chunk: int = 48,
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
    if benchmark_T is not None:
        benchmark_T = np.asarray(benchmark_T, np.float64)
        if benchmark_T.shape != returns_PT.shape[1:]:
            raise InputError(
                "benchmark_T", f"must have shape {returns_PT.shape[1:]}", value=benchmark_T.shape
            )
        if np.isinf(benchmark_T).any():
            raise DataError("benchmark_T", "returns must be finite", n_bad=int(np.isinf(benchmark_T).sum()))
    relative_names = RELATIVE_METRICS if benchmark_T is not None else ()
    sums = {name: np.full(len(returns_PT), np.nan) for name in (*SUMS, *TAILS, *relative_names)}
    sums["n"][:] = 0.0
    buffers = _Buffers(chunk, 1)
    with np.errstate(all="ignore"):  # what isn't defined becomes NaN, by its own rule
        for rows, returns_CT, bench in _chunks(returns_PT, benchmark_T, chunk=chunk):
            if returns_CT.shape[1] != buffers.n_days:
                buffers = _Buffers(min(chunk, len(returns_PT)), returns_CT.shape[1])
            found = _sums(returns_CT, buffers, alpha=alpha, rf=rf)
            if bench is not None:
                scratch = buffers.first_CT[: len(rows)], buffers.second_CT[: len(rows)]
                found |= relative_metrics(
                    returns_CT, bench, periods_per_year=periods_per_year, rf=rf, scratch=scratch
                )
            for name, values_C in found.items():
                sums[name][rows] = values_C
    figures = figures_of(sums, periods_per_year=periods_per_year, rf=rf, alpha=alpha)
    several_P = sums["n"] > 1
    figures |= {name: np.where(several_P, sums[name], np.nan) for name in TAILS}
    figures |= {name: np.where(np.isfinite(sums[name]), sums[name], np.nan) for name in relative_names}
    return {name: figures[name] for name in (*METRICS, *relative_names)}


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


class _Buffers:
    """Memory for rows of one length, taken once: fresh pages for each chunk cost as much as the arithmetic."""

    def __init__(self, n_rows: int, n_days: int) -> None:
        self.n_days = n_days
        self.first_CT = np.empty((n_rows, n_days))
        self.second_CT = np.empty((n_rows, n_days))
        self.above_CT = np.empty((n_rows, n_days), bool)
        self.underwater = Underwater(n_rows, n_days)


def _sums(r_CT: FloatArray, buffers: _Buffers, *, alpha: float, rf: float) -> dict[str, FloatArray]:
    """What `figures_of` needs of rows without NaN, and VaR and CVaR from the sorted tail."""
    n_rows, n = r_CT.shape
    first_CT, second_CT = buffers.first_CT[:n_rows], buffers.second_CT[:n_rows]
    best_C, worst_C = r_CT.max(axis=1), r_CT.min(axis=1)
    mean_C = r_CT.mean(axis=1)
    above_CT = np.greater(r_CT, 0.0, out=buffers.above_CT[:n_rows])
    n_up_C = np.array([np.count_nonzero(row_T) for row_T in above_CT], np.float64)
    away_CT = np.subtract(r_CT, mean_C[:, None], out=first_CT)
    square_CT = np.multiply(away_CT, away_CT, out=second_CT)
    m2_C = square_CT.sum(axis=1)
    m3_C, m4_C = _row_dots(square_CT, away_CT), _row_dots(square_CT, square_CT)

    below_CT = np.subtract(r_CT, rf, out=first_CT) if rf else r_CT
    below_CT = np.minimum(below_CT, 0.0, out=first_CT)
    losses_C, downside_C = -below_CT.sum(axis=1), _row_dots(below_CT, below_CT)

    k, fraction = divmod(alpha * (n - 1), 1.0)
    tail = int(k) + 1
    np.copyto(second_CT, r_CT)
    if tail < n:
        second_CT.partition(tail, axis=1)  # places 0..tail-1 now hold the worst, in any order
        last_C = second_CT[:, :tail].max(axis=1)
        var_C = last_C + fraction * (second_CT[:, tail] - last_C)
    else:
        var_C = worst_C
    cvar_C = np.minimum(second_CT[:, :tail].mean(axis=1), var_C)

    growth_CT = buffers.underwater.growth_of(r_CT)
    log_CT = np.log(growth_CT, out=first_CT)
    log_CT -= log_CT.mean(axis=1)[:, None]
    log_m2_C = _row_dots(log_CT, log_CT)
    wealth_C, depth_C, below_C = buffers.underwater.falls(n_rows)
    return {
        "n": np.full(n_rows, float(n)),
        "mean": mean_C,
        "m2": m2_C,
        "m3": m3_C,
        "m4": m4_C,
        "log_m2": log_m2_C,
        "losses": losses_C,
        "downside": downside_C,
        "n_up": n_up_C,
        "best": best_C,
        "worst": worst_C,
        "wealth": wealth_C,
        "max_drawdown": depth_C,
        "longest_below": below_C,
        "var_historical": var_C,
        "cvar_historical": cvar_C,
    }


def _row_dots(a_CT: FloatArray, b_CT: FloatArray) -> FloatArray:
    """Sum of products of each row."""
    dots_C: FloatArray = np.einsum("ij,ij->i", a_CT, b_CT)
    return dots_C

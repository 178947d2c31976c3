"""From a portfolio's sums to its figures: the end of `fast_metrics` and of `Running` alike, so that both agree.

Vectors of shape (P,) in and out. Knows no returns.
"""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nextbest.portfolio.metrics.normal_tail import cornish_fisher_tail, normal_tail

FloatArray = npt.NDArray[np.float64]

CONSTANT_SPREAD = 1e-12
"""Returns whose largest and smallest differ by no more are constant: quotients of prices carry 1e-16 of noise, and
a ratio over that noise is nonsense of size 1e14."""
SUMS = (
    "n",  # observations
    "mean",
    "m2",  # sums of powers of the distance from the mean
    "m3",
    "m4",
    "log_m2",  # the same of ln(1 + r)
    "losses",  # sum of max(rf - r, 0)
    "downside",  # sum of its square
    "n_up",  # observations above zero
    "best",
    "worst",
    "wealth",  # product of 1 + r
    "max_drawdown",
    "longest_below",  # observations
)
"""What `figures_of` needs of each portfolio."""


def figures_of(
    sums: Mapping[str, FloatArray], *, periods_per_year: float, rf: float, alpha: float
) -> dict[str, FloatArray]:
    """Figures by the rules of `fast_metrics`; NaN where one isn't defined, never inf."""
    with np.errstate(all="ignore"):
        found = _figures(sums, periods_per_year=periods_per_year, rf=rf, alpha=alpha)
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in found.items()}


def _figures(
    s: Mapping[str, FloatArray], *, periods_per_year: float, rf: float, alpha: float
) -> dict[str, FloatArray]:
    """The figures, with inf in places."""
    n, root = s["n"], math.sqrt(periods_per_year)
    some, varies = n > 0, s["best"] - s["worst"] > CONSTANT_SPREAD
    ratio_ok = varies & (n > 1)
    excess = s["mean"] - rf
    m2 = np.where(varies, s["m2"], 0.0)
    variance = m2 / n
    std = np.sqrt(variance)
    sample_std = np.where(n > 1, np.sqrt(m2 / (n - 1)), np.nan)
    log_std = np.where(n > 1, np.sqrt(np.where(varies, s["log_m2"], 0.0) / (n - 1)), np.nan)
    skewness = np.where(varies, (s["m3"] / n) / (variance * std), np.nan)
    kurtosis = np.where(varies, (s["m4"] / n) / (variance * variance) - 3.0, np.nan)
    downside = np.sqrt(s["downside"] / n)
    gains = np.maximum(excess * n + s["losses"], 0.0)
    keeps_some = s["worst"] > -1.0  # else wealth ends at zero or below, and has no growth rate
    years = n / periods_per_year
    cagr = np.where((years >= 1.0) & keeps_some, s["wealth"] ** (1.0 / years) - 1.0, np.nan)
    drawdown = np.where(some, np.clip(s["max_drawdown"], -1.0, 0.0), np.nan)
    var_normal, cvar_normal = normal_tail(s["mean"], std, alpha=alpha)
    var_cf, cvar_cf = cornish_fisher_tail(s["mean"], std, skewness, kurtosis, alpha=alpha)
    return {
        "twr": np.where(some & (s["worst"] >= -1.0), s["wealth"] - 1.0, np.nan),
        "cagr": cagr,
        "volatility_ann": sample_std * root,
        "volatility_log_ann": np.where(keeps_some, log_std, np.nan) * root,
        "downside_deviation_ann": downside * root,
        "sharpe": np.where(ratio_ok, excess / sample_std, np.nan) * root,
        "sortino": np.where(ratio_ok & (downside > 0), excess / downside, np.nan) * root,
        "calmar": np.where(drawdown < 0, cagr / -drawdown, np.nan),
        "omega": np.where(ratio_ok & (s["losses"] > 0), gains / s["losses"], np.nan),
        "max_drawdown": drawdown,
        "max_drawdown_duration": np.where(some, s["longest_below"], np.nan),
        "var_normal": np.where(ratio_ok, var_normal, np.nan),
        "cvar_normal": np.where(ratio_ok, cvar_normal, np.nan),
        "var_cornish_fisher": np.where(ratio_ok, var_cf, np.nan),
        "cvar_cornish_fisher": np.where(ratio_ok, cvar_cf, np.nan),
        "skewness": skewness,
        "kurtosis": kurtosis,
        "best": s["best"],
        "worst": s["worst"],
        "hit_rate": s["n_up"] / n,
        "n": n.copy(),
    }

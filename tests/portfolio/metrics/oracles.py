"""Plain second implementations: one portfolio, lists and loops, straight from the definitions. Slow on purpose."""

import math
from statistics import NormalDist


def plain_metrics(
    returns: list[float], *, periods_per_year: float, alpha: float, rf: float
) -> dict[str, float]:
    """What `fast_metrics` should give for one row without odd cases (two or more, not constant, all above -1)."""
    n = len(returns)
    mean = sum(returns) / n
    m2, m3, m4 = (sum((r - mean) ** p for r in returns) / n for p in (2, 3, 4))
    sample = math.sqrt(m2 * n / (n - 1))
    logs = [math.log(1 + r) for r in returns]
    log_mean = sum(logs) / n
    log_sample = math.sqrt(sum((x - log_mean) ** 2 for x in logs) / (n - 1))
    downside = math.sqrt(sum(min(r - rf, 0) ** 2 for r in returns) / n)
    wealth, peak, deepest, below, longest = 1.0, 1.0, 0.0, 0, 0
    for r in returns:
        wealth *= 1 + r
        peak = max(peak, wealth)
        below = 0 if wealth >= peak else below + 1
        longest = max(longest, below)
        deepest = min(deepest, wealth / peak - 1)
    ordered = sorted(returns)
    place = alpha * (n - 1)
    k = math.floor(place)
    var = ordered[k] + (place - k) * (ordered[min(k + 1, n - 1)] - ordered[k])
    z = NormalDist().inv_cdf(alpha)
    std, skew, kurt = math.sqrt(m2), m3 / m2**1.5, m4 / m2**2 - 3
    years = n / periods_per_year
    cagr = wealth ** (1 / years) - 1 if years >= 1 else math.nan
    losses = sum(max(rf - r, 0) for r in returns)
    gains = sum(max(r - rf, 0) for r in returns)
    root = math.sqrt(periods_per_year)
    return {
        "twr": wealth - 1,
        "cagr": cagr,
        "volatility_ann": sample * root,
        "volatility_log_ann": log_sample * root,
        "downside_deviation_ann": downside * root,
        "sharpe": (mean - rf) / sample * root,
        "sortino": (mean - rf) / downside * root if downside else math.nan,
        "calmar": cagr / -deepest if deepest else math.nan,
        "omega": gains / losses if losses else math.nan,
        "max_drawdown": deepest,
        "max_drawdown_duration": longest,
        "var_historical": var,
        "cvar_historical": sum(ordered[: k + 1]) / (k + 1),
        "var_normal": mean + std * z,
        "cvar_normal": mean - std * math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / alpha,
        "skewness": skew,
        "kurtosis": kurt,
        "best": max(returns),
        "worst": min(returns),
        "hit_rate": sum(r > 0 for r in returns) / n,
        "n": n,
    }


def cornish_fisher_by_numbers(
    mean: float, std: float, skew: float, kurt: float, *, alpha: float, steps: int = 100_000
) -> tuple[float, float]:
    """VaR by the expansion, CVaR by averaging the expansion over the tail, step by step."""

    def w(p: float) -> float:
        z = NormalDist().inv_cdf(p)
        return z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * kurt / 24 - (2 * z**3 - 5 * z) * skew**2 / 36

    average = sum(w(alpha * (i + 0.5) / steps) for i in range(steps)) / steps
    return mean + std * w(alpha), mean + std * average


def plain_relative(
    returns: list[float], bench: list[float], *, periods_per_year: float, rf: float
) -> dict[str, float]:
    """What a benchmark adds, for series of equal length without odd cases."""
    n = len(returns)
    mean, bench_mean = sum(returns) / n, sum(bench) / n
    cov = sum((r - mean) * (b - bench_mean) for r, b in zip(returns, bench, strict=True)) / n
    var_b = sum((b - bench_mean) ** 2 for b in bench) / n
    var_r = sum((r - mean) ** 2 for r in returns) / n
    active = [r - b for r, b in zip(returns, bench, strict=True)]
    active_mean = sum(active) / n
    error = math.sqrt(sum((a - active_mean) ** 2 for a in active) / (n - 1))
    beta = cov / var_b

    def capture(days: list[int]) -> float:
        if not days:
            return math.nan
        own = math.prod(1 + returns[t] for t in days) ** (1 / len(days)) - 1
        return own / (math.prod(1 + bench[t] for t in days) ** (1 / len(days)) - 1)

    return {
        "beta": beta,
        "alpha_ann": (mean - rf - beta * (bench_mean - rf)) * periods_per_year,
        "correlation": cov / math.sqrt(var_b * var_r),
        "tracking_error_ann": error * math.sqrt(periods_per_year),
        "information_ratio": active_mean / error * math.sqrt(periods_per_year),
        "up_capture": capture([t for t, b in enumerate(bench) if b > 0]),
        "down_capture": capture([t for t, b in enumerate(bench) if b < 0]),
    }

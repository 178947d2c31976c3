"""Falls below the highest wealth so far. All returns count, also those over a gap: wealth fell there too."""

import math
from collections.abc import Callable

import numpy as np

from nextbest.portfolio.metrics import drawdown
from nextbest.portfolio.metrics.drawdown import Drawdown
from nextbest.portfolio.metrics.figures.figure import Figure, core, from_returns
from nextbest.portfolio.metrics.measured import Answer, Spec
from nextbest.portfolio.metrics.sample import Sample

_EACH = "over all observations, gaps included; the base before the first return is the first peak"


def _episode(sample: Sample, found: Drawdown | None) -> dict[str, object]:
    """Dates (where the calendar is known) and lengths of one fall."""
    if found is None:
        return {}
    told: dict[str, object] = {
        "recovered": found.recovery is not None,
        "observations": found.end - found.peak - (found.recovery is not None),
        "observations_to_trough": found.trough - found.peak,
    }
    if sample.days_T is not None and sample.start is not None:
        days = np.concatenate([[sample.start], sample.days_T]).astype("datetime64[D]")
        told |= {
            "start": str(days[found.peak + 1]),
            "trough": str(days[found.trough + 1]),
            "recovery": None if found.recovery is None else str(days[found.recovery + 1]),
            "days": int((days[found.end + 1] - days[found.peak + 1]).astype(int)),
        }
    return told


def _deepest(sample: Sample) -> dict[str, object]:
    """Details of the deepest fall."""
    return _episode(sample, drawdown.deepest(sample.returns_T))


def _longest_days(sample: Sample) -> Answer:
    """Calendar days of the longest stretch below a peak."""
    n = len(sample.returns_T)
    if not n or sample.days_T is None or sample.start is None:
        return Answer(reason="no_data", n=n)
    told = [_episode(sample, found) for found in drawdown.drawdowns(sample.returns_T)]
    longest = max(told, key=lambda one: int(str(one["days"])), default=None)
    if longest is None:
        return Answer(value=0.0, n=n)
    return Answer(value=float(str(longest["days"])), n=n, details=longest)


def _over(denominator: Callable[[Sample], float]) -> Callable[[Sample], float]:
    """Annual growth above the risk-free return, over a measure of falls."""

    def ratio(sample: Sample) -> float:
        size = denominator(sample)
        return (sample.cagr - sample.rf_ann) / size if size > 0 else math.nan

    return ratio


def _calmar(sample: Sample) -> float:
    """Annual growth over the deepest fall."""
    return sample.cagr / -sample.core_all["max_drawdown"]


_RATIO_NEEDS = ("above_minus_one", "year", "fall")

DRAWDOWN_FIGURES = (
    Figure(
        Spec(
            "max_drawdown",
            "Maximum drawdown",
            "Максимальная просадка",
            "fraction",
            "min(wealth / max wealth so far - 1)",
            _EACH + "; in [-1, 0]",
            "Bacon 2008",
        ),
        from_returns(lambda s: s.core_all["max_drawdown"], regular=False, details=_deepest),
    ),
    Figure(
        Spec(
            "max_drawdown_duration",
            "Longest time under water, observations",
            "Самая долгая просадка, наблюдений",
            "observations",
            "most observations in a row below a peak",
            "recovered or not; not that of the deepest fall",
            "by definition",
        ),
        core("max_drawdown_duration", regular=False),
    ),
    Figure(
        Spec(
            "longest_drawdown_days",
            "Longest time under water, days",
            "Самая долгая просадка, дней",
            "days",
            "most calendar days from a peak until back at it",
            "recovered, or until the last day; not that of the deepest fall",
            "by definition",
        ),
        _longest_days,
    ),
    Figure(
        Spec(
            "current_drawdown",
            "Current drawdown",
            "Текущая просадка",
            "fraction",
            "last wealth / max wealth so far - 1",
            _EACH,
            "by definition",
        ),
        from_returns(lambda s: float(drawdown.drawdown_series(s.returns_T)[-1]), regular=False),
    ),
    Figure(
        Spec(
            "average_drawdown",
            "Average drawdown",
            "Средняя просадка",
            "fraction",
            "mean depth of the falls from a peak",
            "one depth an episode, however long; the last one counts unrecovered; 0 without any",
            "Bacon 2008",
        ),
        from_returns(lambda s: drawdown.average_drawdown(s.returns_T), regular=False),
    ),
    Figure(
        Spec(
            "time_under_water",
            "Time under water",
            "Доля времени в просадке",
            "fraction",
            "share of observations below a peak",
            _EACH,
            "by definition",
        ),
        from_returns(lambda s: float(np.mean(drawdown.drawdown_series(s.returns_T) < 0)), regular=False),
    ),
    Figure(
        Spec(
            "ulcer_index",
            "Ulcer index",
            "Индекс язвы",
            "fraction",
            "sqrt(mean(drawdown^2))",
            _EACH,
            "Martin & McCann 1989",
        ),
        from_returns(lambda s: drawdown.ulcer_index(s.returns_T), regular=False),
    ),
    Figure(
        Spec("pain_index", "Pain index", "Индекс боли", "fraction", "mean(|drawdown|)", _EACH, "Bacon 2008"),
        from_returns(lambda s: drawdown.pain_index(s.returns_T), regular=False),
    ),
    Figure(
        Spec(
            "conditional_drawdown",
            "Conditional drawdown at risk",
            "Условная просадка (CDaR)",
            "fraction",
            "mean of the floor(alpha * (n - 1)) + 1 deepest drawdowns",
            "of the series of drawdowns, not of episodes",
            "Chekhlov et al. 2005",
        ),
        from_returns(lambda s: drawdown.conditional_drawdown(s.returns_T, alpha=s.alpha), regular=False),
        has_alpha=True,
    ),
    Figure(
        Spec(
            "calmar",
            "Calmar ratio",
            "Коэффициент Калмара",
            "ratio",
            "CAGR / |maximum drawdown|",
            "whole history, not the last three years; no risk-free return",
            "Young 1991",
        ),
        from_returns(_calmar, *_RATIO_NEEDS, regular=False),
    ),
    Figure(
        Spec(
            "martin",
            "Martin ratio",
            "Коэффициент Мартина",
            "ratio",
            "(CAGR - rf) / ulcer index",
            "annual growth, annual risk-free return",
            "Martin & McCann 1989",
        ),
        from_returns(_over(lambda s: drawdown.ulcer_index(s.returns_T)), *_RATIO_NEEDS, regular=False),
        ("rf",),
    ),
    Figure(
        Spec(
            "pain_ratio",
            "Pain ratio",
            "Коэффициент боли",
            "ratio",
            "(CAGR - rf) / pain index",
            "annual growth, annual risk-free return",
            "Bacon 2008",
        ),
        from_returns(_over(lambda s: drawdown.pain_index(s.returns_T)), *_RATIO_NEEDS, regular=False),
        ("rf",),
    ),
    Figure(
        Spec(
            "burke",
            "Burke ratio",
            "Коэффициент Бёрка",
            "ratio",
            "(CAGR - rf) / sqrt(sum(depth^2))",
            "all episodes, one depth each; not divided by their number",
            "Burke 1994",
        ),
        from_returns(_over(lambda s: drawdown.burke_denominator(s.returns_T)), *_RATIO_NEEDS, regular=False),
        ("rf",),
    ),
)

"""The pictures of a portfolio as ECharts options: plain dicts that are JSON, with English words and their Russian pairs.

Takes arrays, draws nothing, computes nothing that is not the picture's own shape (rebasing, thinning, binning). Percent
where an axis says percent: ECharts' own labels then read right outside of our page too.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from nextbest.charts_page.drawing import (
    BLUE,
    CELL_HIGH,
    CELL_INK,
    CELL_LOW,
    CELL_MIDDLE,
    MONTHS,
    ORANGE,
    PALETTE,
    PURPLE,
    DayArray,
    FloatArray,
    Option,
    Words,
    check_lengths,
    closed_days,
    frame,
    line,
    plain,
    thinned,
    time_axis,
    timed,
    value_axis,
)
from nextbest.data.holdings.market import Gap
from nextbest.errors import InputError

PORTFOLIO: Words = {"en": "Portfolio", "ru": "Портфель"}
BENCHMARK: Words = {"en": "Benchmark", "ru": "Бенчмарк"}
DRAWDOWN: Words = {"en": "Drawdown", "ru": "Просадка"}
FREQUENCY: Words = {"en": "Share of days", "ru": "Доля дней"}
RETURN: Words = {"en": "Return", "ru": "Доходность"}


def growth_chart(
    days_T: DayArray,
    index_T: FloatArray,
    benchmark_T: FloatArray | None = None,
    *,
    gaps: Sequence[Gap] = (),
    caption: Words | None = None,
) -> Option:
    """Value of 100 invested on the first day, beside the benchmark's.

    Parameters
    ----------
    days_T
        datetime64[D], ascending.
    index_T
        Linked returns on any scale; NaN = no observation, left open.
    benchmark_T
        The same of the benchmark; rebased on the first day on which both are there.
    gaps
        Closed days: shaded, and no line goes across.
    caption
        Period, currency, method.

    Raises
    ------
    InputError
        The arrays differ in length, or the first value is not positive.
    """
    check_lengths(days_T, index_T, *([] if benchmark_T is None else [benchmark_T]))
    shown = [index_T] if benchmark_T is None else [index_T, benchmark_T]
    there = np.flatnonzero(np.all([np.isfinite(values) for values in shown], axis=0))
    start = int(there[0]) if len(there) else 0
    rebased = np.array([_rebased(values, start) for values in shown])
    places = thinned(rebased)
    area = closed_days(gaps, days_T)
    names, colours = (PORTFOLIO, BENCHMARK), (BLUE, ORANGE)
    series = [
        line(
            names[s],
            timed(days_T[places], values[places], gaps=gaps, places=3),
            colour=colours[s],
            dashed=s == 1,
            mark_area=area if s == 0 else None,
        )
        for s, values in enumerate(rebased)
    ]
    return frame(
        {"en": "Growth of 100", "ru": "Рост 100"},
        unit="index",
        series=series,
        x=time_axis(),
        y=value_axis(),
        caption=caption,
        words=names,
        height=320,
    )


def underwater_chart(
    days_T: DayArray, index_T: FloatArray, *, gaps: Sequence[Gap] = (), caption: Words | None = None
) -> Option:
    """How far below its highest value so far the portfolio stands, percent (0 or less); arguments as in `growth_chart`."""
    check_lengths(days_T, index_T)
    filled = np.where(np.isfinite(index_T), index_T, -np.inf)
    peak = np.maximum.accumulate(filled) if len(filled) else filled
    with np.errstate(invalid="ignore", divide="ignore"):
        drawdown = np.where(np.isfinite(index_T), index_T / peak - 1, np.nan)
    places = thinned(drawdown[None, :])
    data = timed(days_T[places], drawdown[places], gaps=gaps, scale=100)
    series = line(DRAWDOWN, data, colour=ORANGE, area=0.25, width=1.2, mark_area=closed_days(gaps, days_T))
    return frame(
        {"en": "Drawdown from the highest value so far", "ru": "Просадка от прошлого максимума"},
        unit="percent",
        series=[series],
        x=time_axis(),
        y=value_axis(max=0, axisLabel={"formatter": "{value}%"}),
        caption=caption,
        words=[DRAWDOWN],
        legend=False,
        height=220,
    )


def monthly_chart(months: Mapping[tuple[int, int], float], *, caption: Words | None = None) -> Option:
    """Return of each calendar month as a table of coloured cells.

    Parameters
    ----------
    months
        (year, month 1..12) -> return, fraction; a month that is missing or NaN stays empty.
    caption
        Period, currency, method.
    """
    there = [value for value in months.values() if np.isfinite(value)]
    years = sorted({year for year, _ in months}, reverse=True)
    data = [
        [month - 1, years.index(year), plain(value * 100, 4)]
        for (year, month), value in sorted(months.items())
        if np.isfinite(value)
    ]
    # One wild month must not wash out the others: the scale ends where nine of ten months lie, the rest has its end's colour.
    most = float(np.quantile([abs(value) * 100 for value in there], 0.9)) if there else 1.0
    series: Option = {
        "type": "heatmap",
        "name": RETURN["en"],
        "data": data,
        "label": {"show": True, "color": CELL_INK, "fontSize": 11},
        "itemStyle": {"borderWidth": 1, "borderColor": "rgba(125,132,140,0.35)"},
    }
    option = frame(
        {"en": "Return of each month", "ru": "Доходность по месяцам"},
        unit="percent",
        series=[series],
        x={
            "type": "category",
            "data": [month["en"] for month in MONTHS],
            "position": "top",
            "axisLabel": {"interval": 0, "narrow": {"fontSize": 9}},
            "axisTick": {"show": False},
        },
        y={
            "type": "category",
            "data": [str(year) for year in years],
            "inverse": True,
            "axisTick": {"show": False},
        },
        caption=caption,
        words=[*MONTHS, RETURN],
        trigger="item",
        legend=False,
        height=70 + 30 * max(1, len(years)),
        visualMap={
            "show": False,
            "type": "continuous",
            "min": -max(most, 0.01),
            "max": max(most, 0.01),
            "inRange": {"color": [CELL_LOW, CELL_MIDDLE, CELL_HIGH]},
        },
    )
    option["about"]["labels"] = "tenths"  # a cell has no room for a percent sign: the title says what it is
    return option


def rolling_chart(
    title: Words,
    days_T: DayArray,
    values: Sequence[tuple[Words, FloatArray]],
    *,
    unit: str = "percent",
    gaps: Sequence[Gap] = (),
    caption: Words | None = None,
) -> Option:
    """One metric over a moving window, a line for each of `values` (fractions when `unit` is percent)."""
    if not 1 <= len(values) <= len(PALETTE):
        raise InputError("values", f"must hold 1 to {len(PALETTE)} lines", value=len(values))
    arrays = np.array([array for _, array in values])
    check_lengths(days_T, *arrays)
    places = thinned(arrays)
    scale = 100.0 if unit == "percent" else 1.0
    series = [
        line(
            name,
            timed(days_T[places], array[places], gaps=gaps, scale=scale),
            colour=PALETTE[s],
            dashed=s % 2 == 1,
            mark_area=closed_days(gaps, days_T) if s == 0 else None,
        )
        for s, (name, array) in enumerate(values)
    ]
    return frame(
        title,
        unit=unit,
        series=series,
        x=time_axis(),
        y=value_axis(),
        caption=caption,
        words=[name for name, _ in values],
        legend=len(values) > 1,
        height=260,
    )


def distribution_chart(
    returns_T: FloatArray,
    *,
    var: float | None,
    cvar: float | None = None,
    alpha: float = 0.05,
    n_bins: int = 41,
    caption: Words | None = None,
) -> Option:
    """How often a day brought which return, with VaR and CVaR as lines across.

    Parameters
    ----------
    returns_T
        Simple daily returns, fractions; NaN is left out.
    var, cvar
        Returns (losses negative), fractions; None: no line.
    alpha
        Of VaR and CVaR, for their labels.
    n_bins
        Bins of equal width between the 0.2 % and the 99.8 % quantile; what lies outside is counted in the outermost two.
    caption
        Period, currency, method.
    """
    finite = returns_T[np.isfinite(returns_T)]
    low, high = np.quantile(finite, [0.002, 0.998]) if len(finite) else (-0.01, 0.01)
    low, high = min(float(low), *(v for v in (var, cvar) if v is not None), 0.0), float(high)
    if not high > low:
        high = low + 1e-4
    edges = np.linspace(low, high, n_bins + 1)
    counts, _ = np.histogram(np.clip(finite, low, high), bins=edges)
    share = counts / max(len(finite), 1) * 100
    points = [[plain(edge * 100, 4), plain(s, 4)] for edge, s in zip(edges, [*share, share[-1]], strict=True)]
    marks = [
        {
            "xAxis": plain(value * 100, 4),
            "lineStyle": {"color": colour, "width": 2, "type": kind},
            "label": {
                "formatter": f"{name} {alpha:.0%}",
                "color": "inherit",
                "position": "end",
                "align": side,
            },
        }
        for name, value, colour, kind, side in (
            ("VaR", var, ORANGE, "solid", "left"),
            ("CVaR", cvar, PURPLE, "dashed", "right"),
        )
        if value is not None
    ]
    series: Option = {
        "type": "line",
        "name": FREQUENCY["en"],
        "step": "end",
        "data": points,
        "symbol": "none",
        "lineStyle": {"width": 1, "color": BLUE},
        "itemStyle": {"color": BLUE},
        "areaStyle": {"color": BLUE, "opacity": 0.35},
        "markLine": {"symbol": "none", "silent": True, "data": marks},
    }
    return frame(
        {"en": "Daily returns and what a bad day costs", "ru": "Дневные доходности и цена плохого дня"},
        unit="percent",
        series=[series],
        x=value_axis(
            name=None,
            min=plain(low * 100, 4),
            max=plain(high * 100, 4),
            splitLine={"show": False},
            axisLabel={"showMinLabel": False, "showMaxLabel": False},
        ),
        y=value_axis(from_zero=True, axisLine={"onZero": False}),
        caption=caption,
        words=[
            FREQUENCY,
            *(
                {"en": f"{name} {alpha:.0%}", "ru": f"{name} {alpha * 100:.0f}\xa0%"}
                for name in ("VaR", "CVaR")
            ),
        ],
        legend=False,
        height=270,
        grid={"top": 28},
    )


def _rebased(values_T: FloatArray, start: int) -> FloatArray:
    if not len(values_T) or not np.isfinite(values_T[start]):
        return np.full(len(values_T), np.nan)
    if values_T[start] <= 0:
        raise InputError("index_T", "must be positive on the first day", value=float(values_T[start]))
    made: FloatArray = values_T / values_T[start] * 100
    return made

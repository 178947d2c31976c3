"""The pictures of a choice as ECharts options: how money is split, what risk buys, where the goal lies.

Same rules as `charts`: plain dicts that are JSON, English words with their Russian pairs, percent where an axis says so.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nextbest.charts_page.drawing import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    FloatArray,
    Option,
    Words,
    check_lengths,
    frame,
    line,
    plain,
    value_axis,
)
from nextbest.errors import InputError

ACTUAL: Words = {"en": "Now", "ru": "Сейчас"}
TARGET: Words = {"en": "Plan", "ru": "План"}
DRIFT: Words = {"en": "Drift", "ru": "Отклонение"}
RISK: Words = {"en": "Volatility a year", "ru": "Волатильность в год"}
RETURN_ANN: Words = {"en": "Expected return a year", "ru": "Ожидаемая доходность в год"}
FRONTIER: Words = {"en": "Efficient frontier", "ru": "Эффективная граница"}
YOU: Words = {"en": "You", "ru": "Вы"}
PEERS: Words = {"en": "Peers", "ru": "Похожие клиенты"}
PROPOSAL: Words = {"en": "Proposal", "ru": "Предложение"}
GOAL: Words = {"en": "Goal", "ru": "Цель"}
MEDIAN: Words = {"en": "Median (50%)", "ru": "Медиана (50 %)"}


def allocation_chart(
    classes: Sequence[Words],
    actual_C: FloatArray,
    target_C: FloatArray | None = None,
    *,
    target: Words = TARGET,
    caption: Words | None = None,
) -> Option:
    """Share of each class now; with a target also the target's and, on the right, what is too much or too little.

    Parameters
    ----------
    classes
        Names, in the order of the arrays.
    actual_C, target_C
        Weights, fractions of the whole.
    target
        What the second allocation is called.
    caption
        Day, currency, method.
    """
    check_lengths(np.empty(len(classes)), actual_C, *([] if target_C is None else [target_C]))
    names = [name["en"] for name in classes]
    y: Option = {"type": "category", "data": names, "inverse": True, "axisTick": {"show": False}}
    series = [_bar(ACTUAL, actual_C, BLUE)]
    height = 80 + (30 if target_C is None else 46) * max(1, len(classes))
    x: Any = value_axis(from_zero=True, unit="percent")
    grid: Any = None
    if target_C is not None:
        series.append(_bar(target, target_C, GREY))
        series.append(_bar(DRIFT, np.asarray(actual_C) - np.asarray(target_C), ORANGE, axis=1))
        x = [x, value_axis(from_zero=True, unit="percent", gridIndex=1, splitNumber=3)]
        grid = [
            {"left": 8, "right": "40%", "top": 34, "bottom": 8, "outerBoundsMode": "same"},
            {"left": "66%", "right": 40, "top": 34, "bottom": 8, "outerBoundsMode": "same"},
        ]
    option = frame(
        {"en": "Allocation", "ru": "Распределение"},
        unit="percent",
        series=series,
        x=x,
        y=y,
        caption=caption,
        words=[*classes, ACTUAL, target, DRIFT],
        legend=target_C is not None,
        height=height,
    )
    if grid is not None:
        option["grid"] = grid
        right = {
            "type": "category",
            "gridIndex": 1,
            "data": names,
            "inverse": True,
            "axisTick": {"show": False},
        }
        option["yAxis"] = [y, right | {"axisLabel": {"show": False}}]
    option["tooltip"]["axisPointer"] = {"type": "shadow"}
    return option


def frontier_chart(
    frontier: Sequence[tuple[float, float]],
    *,
    you: tuple[float, float] | None,
    peers: tuple[float, float] | None = None,
    proposal: tuple[float, float] | None = None,
    caption: Words | None = None,
) -> Option:
    """Risk against expected return: the best that can be had, and where the client, the peers and the proposal stand.

    Parameters
    ----------
    frontier
        (volatility, expected return), both a year, fractions, by rising volatility.
    you, peers, proposal
        The same for one portfolio; None: not shown.
    caption
        Method of the estimates.
    """
    curve = line(FRONTIER, [_percents(point) for point in frontier], colour=GREY, width=2)
    curve["tooltip"] = {"show": False}
    series = [curve]
    for name, point, colour, symbol in (
        (YOU, you, BLUE, "circle"),
        (PEERS, peers, GREEN, "triangle"),
        (PROPOSAL, proposal, ORANGE, "diamond"),
    ):
        if point is not None:
            series.append(
                {
                    "type": "scatter",
                    "name": name["en"],
                    "symbol": symbol,
                    "symbolSize": 15,
                    "itemStyle": {"color": colour},
                    "data": [{"name": name["en"], "value": _percents(point)}],
                }
            )
    return frame(
        {"en": "Risk and return", "ru": "Риск и доходность"},
        unit="percent",
        series=series,
        x=value_axis(name=RISK, nameLocation="middle", nameGap=28),
        y=value_axis(name=RETURN_ANN, nameTextStyle={"align": "left"}),
        caption=caption,
        words=[RISK, RETURN_ANN, FRONTIER, YOU, PEERS, PROPOSAL],
        trigger="item",
        height=340,
        grid={"top": 62, "bottom": 12},
    )


def goal_chart(
    quantiles_MQ: FloatArray,
    *,
    target: float,
    currency: str,
    actual: Sequence[tuple[float, float]] = (),
    caption: Words | None = None,
) -> Option:
    """A fan of what wealth may become: 5, 25, 50, 75 and 95 % of the simulated paths, with the goal across.

    Parameters
    ----------
    quantiles_MQ
        Shape (n_months + 1, 5), month 0 is today; money in `currency`, ascending along the quantiles.
    target
        The goal, in the same money.
    currency
        ISO 4217.
    actual
        (month, wealth) as it came about, drawn over the fan.
    caption
        Method, contributions, whether the money is of today.

    Raises
    ------
    InputError
        `quantiles_MQ` has not five columns, or they are not ascending.
    """
    if quantiles_MQ.ndim != 2 or quantiles_MQ.shape[1] != 5:
        raise InputError(
            "quantiles_MQ", "must have the five columns 5, 25, 50, 75 and 95 %", value=quantiles_MQ.shape
        )
    if (np.diff(quantiles_MQ, axis=1) < 0).any():
        raise InputError("quantiles_MQ", "must not fall from one quantile to the next")
    months = np.arange(len(quantiles_MQ))
    series: list[Option] = []
    for name, low, high, opacity in (("outer", 0, 4, 0.16), ("inner", 1, 3, 0.28)):
        base = _fan_band(months, quantiles_MQ[:, low], stack=name, opacity=0.0)
        band = _fan_band(months, quantiles_MQ[:, high] - quantiles_MQ[:, low], stack=name, opacity=opacity)
        series += [base, band]
    percents = (95, 75, 50, 25, 5)
    labels = [
        MEDIAN if percent == 50 else {"en": f"{percent}%", "ru": f"{percent} %"} for percent in percents
    ]
    for percent, label in zip(percents, labels, strict=True):
        q = (5, 25, 50, 75, 95).index(percent)
        data = [[int(m), plain(v, 2)] for m, v in zip(months, quantiles_MQ[:, q], strict=True)]
        series.append(
            line(label, data, colour=BLUE, width=2.6 if percent == 50 else 1.0, dashed=percent in (5, 95))
        )
    median = next(s for s in series if s.get("name") == MEDIAN["en"])
    median["markLine"] = {
        "symbol": "none",
        "silent": True,
        "lineStyle": {"color": ORANGE, "width": 2, "type": "solid"},
        "label": {"formatter": GOAL["en"], "position": "insideStartTop", "color": "inherit"},
        "data": [{"yAxis": plain(target, 2)}],
    }
    if actual:
        points = [[plain(month, 2), plain(wealth, 2)] for month, wealth in actual]
        series.append(line(YOU, points, colour=GREEN, width=2.4))
    option = frame(
        {"en": "Way to the goal", "ru": "Путь к цели"},
        unit=currency,
        series=series,
        x=value_axis(
            name={"en": "months from now", "ru": "месяцев от сегодня"}, nameLocation="middle", nameGap=26,
            max=int(months[-1]) if len(months) else 1, splitLine={"show": False}, unit="count",
        ),
        y=value_axis(from_zero=True),
        caption=caption,
        words=[*labels, GOAL, YOU, {"en": "months from now", "ru": "месяцев от сегодня"}],
        height=350,
        grid={"bottom": 12, "top": 40},
    )  # fmt: skip
    option["yAxis"]["axisLabel"] = {"showMaxLabel": False}
    option["yAxis"]["max"] = plain(1.05 * max(target, float(np.nanmax(quantiles_MQ[:, 4]))), 0)
    option["legend"]["data"] = [label["en"] for label in labels] + ([YOU["en"]] if actual else [])
    return option


def _fan_band(months: Any, values_M: FloatArray, *, stack: str, opacity: float) -> Option:
    """One layer of a filled band: stacked, no line, out of tooltip and legend."""
    return {
        "type": "line",
        "name": f"band {stack}" if opacity else f"base {stack}",
        "stack": stack,
        "stackStrategy": "all",
        "data": [[int(m), plain(v, 2)] for m, v in zip(months, values_M, strict=True)],
        "symbol": "none",
        "silent": True,
        "lineStyle": {"opacity": 0},
        "areaStyle": {"color": BLUE, "opacity": opacity},
        "itemStyle": {"color": BLUE},
        "tooltip": {"show": False},
    }


def _bar(name: Words, weights_C: FloatArray, colour: str, *, axis: int = 0) -> Option:
    return {
        "type": "bar",
        "name": name["en"],
        "data": [plain(float(weight) * 100, 4) for weight in weights_C],
        "xAxisIndex": axis,
        "yAxisIndex": axis,
        "itemStyle": {"color": colour},
        "barMaxWidth": 18,
        "label": {"show": True, "position": "right", "color": "inherit"},
    }


def _percents(point: tuple[float, float]) -> list[float | None]:
    return [plain(part * 100, 4) for part in point]

"""The picture of an outlook as an ECharts option: how far each asset's worth may lie from today's. Same rules as `charts`."""

from collections.abc import Sequence

import numpy as np

from nextbest.charts_page.drawing import (
    BLUE,
    FloatArray,
    Option,
    Words,
    check_lengths,
    frame,
    plain,
    value_axis,
)
from nextbest.errors import InputError

RANGE: Words = {"en": "80 of 100 cases (q10 to q90)", "ru": "80 случаев из 100 (q10 - q90)"}
MEDIAN: Words = {"en": "Median", "ru": "Медиана"}
_MOST = 20


def range_chart(names: Sequence[Words], changes_AQ: FloatArray, *, caption: Words | None = None) -> Option:
    """A bar from q10 to q90 and a point at q50 for each asset, in percent from today.

    Parameters
    ----------
    names
        Asset and time of each row; of more than twenty the first are drawn.
    changes_AQ
        Shape (n_assets, 3): q10, q50, q90 over today's value - 1, fractions, not falling along a row.

    Raises
    ------
    InputError
        The lengths differ, there aren't three columns, or a row falls.
    """
    check_lengths(np.empty(len(names)), changes_AQ)
    if changes_AQ.ndim != 2 or changes_AQ.shape[1] != 3 or (np.diff(changes_AQ, axis=1) < 0).any():
        raise InputError("changes_AQ", "must have q10, q50 and q90, none below the one before it")
    names, changes_AQ = names[:_MOST], changes_AQ[:_MOST]
    low, middle, high = (changes_AQ * 100).T
    base: Option = {
        "type": "bar",
        "name": "base",
        "stack": "range",
        "stackStrategy": "all",  # a range may begin below zero and end above it
        "data": [plain(float(value), 4) for value in low],
        "silent": True,
        "itemStyle": {"opacity": 0},
        "tooltip": {"show": False},
        "barMaxWidth": 14,
    }
    bar = base | {  # its length is no number that anybody asks for, so that it has no tooltip either
        "name": RANGE["en"],
        "data": [plain(float(b - a), 4) for a, b in zip(low, high, strict=True)],
        "itemStyle": {"color": BLUE, "opacity": 0.45},
    }
    point: Option = {
        "type": "scatter",
        "name": MEDIAN["en"],
        "data": [[plain(float(value), 4), i] for i, value in enumerate(middle)],
        "symbolSize": 9,
        "itemStyle": {"color": BLUE},
    }
    option = frame(
        {"en": "How far from today's worth", "ru": "Насколько далеко от сегодняшней стоимости"},
        unit="percent",
        series=[base, bar, point],
        x=value_axis(from_zero=True, axisLabel={"formatter": "{value}%"}),
        y={
            "type": "category",
            "data": [name["en"] for name in names],
            "inverse": True,
            "axisTick": {"show": False},
        },
        caption=caption
        or {
            "en": "at the last time forecast, percent from today, today's rates",
            "ru": "в последний срок прогноза, проценты от сегодняшней стоимости, по сегодняшнему курсу",
        },
        words=[*names, RANGE, MEDIAN],
        trigger="item",
        height=80 + 30 * max(1, len(names)),
    )
    option["legend"]["data"] = [RANGE["en"], MEDIAN["en"]]
    return option

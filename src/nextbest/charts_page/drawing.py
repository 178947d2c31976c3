"""What all charts share: colours, axes, closed days, and how a long series gets shorter. Knows no domain.

An option is a plain dict that ECharts takes as it is, without functions and without NaN; beside ECharts' own keys it
has `about`: title, caption, unit, height, and the words that change with the language.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from nextbest.errors import InputError

FloatArray = npt.NDArray[np.float64]
DayArray = npt.NDArray[np.datetime64]
Option = dict[str, Any]
Words = dict[str, str]
"""One text in each language: `en`, `ru`."""


class Gap(Protocol):
    """A stretch in which the exchange was closed: the last day before it and the first one after."""

    @property
    def start(self) -> date: ...

    @property
    def end(self) -> date: ...


BLUE, ORANGE, GREEN, PURPLE, GREY = "#3580c9", "#d55e00", "#1d9a6c", "#b0669f", "#7d848c"
PALETTE: Final = (BLUE, ORANGE, GREEN, PURPLE, GREY)
"""After Okabe & Ito (2008), shifted until each stands out on white and on the dark page by 3:1 (WCAG 1.4.11); lines that
could be taken for each other differ in dashes too."""
CELL_LOW, CELL_MIDDLE, CELL_HIGH, CELL_INK = "#eb9a64", "#f1f1ef", "#74b0e4", "#15191e"
"""Of a heat map: pale enough for the same dark ink in both themes; orange and blue stay apart for the colour-blind."""
SHADE: Final = "rgba(125,132,140,0.18)"
MAX_POINTS: Final = 800
"""Points of one series in an option: more than the page has pixels for."""

MONTHS: Final[tuple[Words, ...]] = tuple(
    {"en": en, "ru": ru}
    for en, ru in zip(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
        ("янв", "фев", "мар", "апр", "май", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"),
        strict=True,
    )
)
CLOSED: Final[Words] = {"en": "exchange closed", "ru": "биржа закрыта"}


def thinned(values_ST: FloatArray, *, max_points: int = MAX_POINTS) -> npt.NDArray[np.int64]:
    """Places of a long series that keep its look: of each stretch the lowest and the highest point of every series.

    Parameters
    ----------
    values_ST
        Shape (n_series, n_days); NaN is a hole.
    max_points
        About how many places to keep, for each series; a series that short stays whole.

    Returns
    -------
    ndarray of int64, ascending
        With the first and the last place, the extremes of the whole, and the edges of every hole: what an eye would
        call a peak is there, at its own day, with its own value. No value is averaged.

    Raises
    ------
    InputError
        `max_points` is below 4.
    """
    if max_points < 4:
        raise InputError("max_points", "must be 4 or more", value=max_points)
    n_days = values_ST.shape[1]
    if n_days <= max_points:
        return np.arange(n_days)
    keep = {0, n_days - 1}
    edges = np.linspace(0, n_days, max_points // 2 + 1).astype(np.int64)
    for values in values_ST:
        hole = np.isnan(values)
        change = np.flatnonzero(hole[1:] != hole[:-1])
        keep.update(change.tolist(), (change + 1).tolist())
        low, high = np.where(hole, np.inf, values), np.where(hole, -np.inf, values)
        for start, end in pairwise(edges):
            keep.add(int(start + np.argmin(low[start:end])))
            keep.add(int(start + np.argmax(high[start:end])))
    return np.array(sorted(keep), dtype=np.int64)


def plain(value: float, places: int = 6) -> float | None:
    """A number that JSON can hold; None where there is none.

    >>> plain(float("nan")), plain(1.23456789, 4)
    (None, 1.2346)
    """
    number = float(value)
    return round(number, places) if np.isfinite(number) else None


def day_text(day: np.datetime64 | date) -> str:
    """ISO day."""
    return str(day.astype("datetime64[D]") if isinstance(day, np.datetime64) else day)


def timed(
    days_T: DayArray, values_T: FloatArray, *, gaps: Sequence[Gap] = (), scale: float = 1.0, places: int = 4
) -> list[list[Any]]:
    """Points of a line over time. A closed stretch breaks the line: a point without a value stands inside it."""
    points: list[list[Any]] = [
        [day_text(day), plain(value * scale, places)] for day, value in zip(days_T, values_T, strict=True)
    ]
    points += [[day_text(np.datetime64(gap.start) + 1), None] for gap in _inside(gaps, days_T)]
    return sorted(points, key=lambda point: str(point[0]))


def closed_days(gaps: Sequence[Gap], days_T: DayArray) -> Option:
    """Shaded stretches during which the exchange was closed, as a series' `markArea`."""
    return {
        "silent": True,
        "itemStyle": {"color": SHADE},
        "label": {"show": False},
        "data": [
            [{"name": CLOSED["en"], "xAxis": gap.start.isoformat()}, {"xAxis": gap.end.isoformat()}]
            for gap in _inside(gaps, days_T)
        ],
    }


def _inside(gaps: Sequence[Gap], days_T: DayArray) -> list[Gap]:
    """Those with a day of the chart on both sides."""
    if not len(days_T):
        return []
    return [g for g in gaps if days_T[0] <= np.datetime64(g.start) and np.datetime64(g.end) <= days_T[-1]]


def line(
    name: Words,
    data: list[list[Any]],
    *,
    colour: str,
    dashed: bool = False,
    area: float | None = None,
    width: float = 1.8,
    mark_area: Option | None = None,
) -> Option:
    """One line series that leaves holes open."""
    style: Option = {"width": width, "color": colour}
    if dashed:
        style["type"] = "dashed"
    series: Option = {
        "type": "line",
        "name": name["en"],
        "data": data,
        "symbol": "circle" if len(data) == 1 else "none",
        "connectNulls": False,
        "lineStyle": style,
        "itemStyle": {"color": colour},
    }
    if area is not None:
        series["areaStyle"] = {"color": colour, "opacity": area}
    if mark_area is not None and mark_area["data"]:
        series["markArea"] = mark_area
    return series


def frame(
    title: Words,
    *,
    unit: str,
    series: Sequence[Option],
    x: Option,
    y: Option,
    caption: Words | None = None,
    words: Sequence[Words] = (),
    trigger: str = "axis",
    legend: bool = True,
    height: int = 300,
    grid: Option | None = None,
    **more: Any,
) -> Option:
    """An option with its legend above, so that it never lies on an axis, and its words in both languages."""
    top = 34 if legend else 14
    about: Option = {
        "title": title,
        "unit": unit,
        "height": height,
        "words": {"ru": {pair["en"]: pair["ru"] for pair in words if pair["en"] != pair["ru"]}},
    }
    if caption is not None:
        about["caption"] = caption
    option: Option = {
        "about": about,
        "color": list(PALETTE),
        "tooltip": {"trigger": trigger},
        "grid": {"left": 8, "right": 18, "top": top, "bottom": 8, "outerBoundsMode": "same"} | (grid or {}),
        "xAxis": x,
        "yAxis": y,
        "series": list(series),
    }
    if legend:
        option["legend"] = {"type": "scroll", "top": 0, "left": 0, "itemWidth": 22, "itemHeight": 10}
    return option | more


def time_axis() -> Option:
    """Days along the bottom."""
    return {"type": "time", "axisLabel": {"hideOverlap": True}}


def value_axis(*, name: Words | None = None, from_zero: bool = False, **more: Any) -> Option:
    """Numbers; the axis spans the data unless it must start at zero."""
    axis: Option = {"type": "value", "scale": not from_zero}
    if name is not None:
        axis["name"] = name["en"]
    return axis | more


def translated(option: Mapping[str, Any], language: str) -> Option:
    """An option whose texts are in one language, without `about`: ready for ECharts outside of our page.

    Raises
    ------
    InputError
        The language is not `en` or `ru`.
    """
    if language not in ("en", "ru"):
        raise InputError("language", "must be 'en' or 'ru'", value=language)
    words: Mapping[str, str] = option["about"]["words"].get(language, {})
    made: Option = _replaced({key: part for key, part in option.items() if key != "about"}, words)
    return made


def _replaced(node: Any, words: Mapping[str, str]) -> Any:
    if isinstance(node, str):
        return words.get(node, node)
    if isinstance(node, Mapping):
        return {key: _replaced(part, words) for key, part in node.items()}
    if isinstance(node, list):
        return [_replaced(part, words) for part in node]
    return node


def check_lengths(first: Any, *others: Any) -> None:
    """Nothing, if all have the length of the first.

    Raises
    ------
    InputError
        One has another.
    """
    if any(len(other) != len(first) for other in others):
        raise InputError(
            "values", f"must be as long as the days: {len(first)}", value=[len(o) for o in others]
        )

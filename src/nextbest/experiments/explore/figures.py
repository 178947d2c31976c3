"""Charts as inline SVG: bars, lines, heat maps, ranges. Knows matplotlib, knows nothing of panels.

matplotlib is an extra and is imported when the first chart is drawn. Text stays text, so that a
page is small and can be searched.
"""

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import InputError

FloatArray = NDArray[np.float64]
INK, MAIN, ACCENT, SOFT, GRID = "#22303c", "#2b6a8f", "#d0603a", "#9fb6c3", "#dfe5e9"
LINES = (MAIN, ACCENT, "#5f8f5b", "#8b6bab", "#b8912f", "#6b7780")
WIDTH = 8.6
"""Inches; a chart fills the page's column."""
_SETTINGS: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "svg.fonttype": "none",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}


def check_drawing() -> None:
    """Raise unless charts can be drawn here.

    Raises
    ------
    InputError
        matplotlib isn't installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise InputError(
            "report",
            "drawing needs matplotlib, which isn't installed",
            remedy="pip install nextbest[explore]",
        ) from error


@dataclass(frozen=True)
class Axis:
    """How numbers along an axis are written."""

    label: str = ""
    percent: bool = False
    log: bool = False


@contextmanager
def _canvas(
    name: str, height: float, *, width: float = WIDTH
) -> Iterator[tuple[Any, Any, Callable[[], str]]]:
    """A figure, its axes, and what turns them into SVG."""
    check_drawing()
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)

        def as_svg() -> str:
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
            text = buffer.getvalue()
            svg = text[text.index("<svg") :]
            svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
            # Ids are counted anew in every chart; in one page they must differ.
            svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
            return svg.replace("<svg ", '<svg role="img" class="chart" ', 1)

        yield figure, axes, as_svg


def _write(axes: Any, which: Literal["x", "y"], axis: Axis, *, grid: bool = True) -> None:
    from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, PercentFormatter

    target = axes.xaxis if which == "x" else axes.yaxis
    if axis.log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        target.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    if axis.percent:
        formatter: Any = FuncFormatter(lambda v, _: f"{v * 100:.3g}%") if axis.log else PercentFormatter(1.0)
    else:
        formatter = EngFormatter(sep="") if axis.log else FuncFormatter(_plain)
    target.set_major_formatter(formatter)
    target.set_minor_formatter(FuncFormatter(lambda *_: ""))
    target.set_label_text(axis.label)
    if grid:
        axes.grid(axis=which, color=GRID, linewidth=0.8)


def _plain(value: float, _: object) -> str:
    """`12,000` as 12k, `1,500,000` as 1.5M; small numbers as they are."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def columns(
    name: str,
    labels: Sequence[str],
    values: FloatArray,
    *,
    axis: Axis,
    marked: Sequence[int] = (),
    height: float = 2.7,
) -> str:
    """Upright bars over ordered labels (months, values); `marked` bars stand out."""
    with _canvas(name, height) as (_, axes, as_svg):
        places = np.arange(len(labels))
        colours = [ACCENT if place in marked else SOFT for place in places]
        axes.bar(places, values, color=colours, width=0.82)
        step = max(1, int(np.ceil(len(labels) / 18)))
        axes.set_xticks(places[::step], [labels[i] for i in places[::step]])
        axes.set_xlim(-0.6, len(labels) - 0.4)
        _write(axes, "y", axis)
        return as_svg()


def lines(
    name: str,
    labels: Sequence[str],
    series: Mapping[str, FloatArray],
    *,
    axis: Axis,
    from_zero: bool = True,
    height: float = 2.7,
) -> str:
    """Lines over ordered labels; NaN leaves a hole."""
    with _canvas(name, height) as (_, axes, as_svg):
        places = np.arange(len(labels))
        for (label, values), colour in zip(series.items(), LINES, strict=False):
            axes.plot(places, values, color=colour, linewidth=1.8, marker="o", markersize=3, label=label)
        axes.set_xticks(places, labels)
        axes.set_xlim(-0.4, len(labels) - 0.6)
        _write(axes, "y", axis)
        if from_zero and not axis.log:
            axes.set_ylim(bottom=0)
        axes.legend(frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0)
        return as_svg()


def bars(
    name: str,
    labels: Sequence[str],
    values: FloatArray,
    *,
    axis: Axis,
    texts: Sequence[str] | None = None,
    marked: Sequence[int] = (),
    width: float = WIDTH,
) -> str:
    """Lying bars, first label on top; `texts` stand at their ends."""
    with _canvas(name, 0.75 + 0.2 * len(labels), width=width) as (_, axes, as_svg):
        places = np.arange(len(labels))
        colours = [ACCENT if place in marked else MAIN for place in places]
        drawn = np.nan_to_num(values)
        axes.barh(places, drawn, color=colours, height=0.7)
        axes.set_yticks(places, labels)
        axes.invert_yaxis()
        axes.margins(y=0.01, x=0.12 if texts else 0.05)
        _write(axes, "x", axis)
        for place, text in enumerate(texts or ()):
            axes.annotate(
                text, (drawn[place], place), (4, 0), textcoords="offset points", va="center", fontsize=7.5
            )
        return as_svg()


def ranges(name: str, labels: Sequence[str], quantiles_NQ: FloatArray, *, axis: Axis) -> str:
    """Five quantiles for each label: a thin line from the first to the last, a thick one inside, a mark at the middle."""
    with _canvas(name, 0.75 + 0.2 * len(labels)) as (_, axes, as_svg):
        places = np.arange(len(labels))
        axes.hlines(places, quantiles_NQ[:, 0], quantiles_NQ[:, 4], color=SOFT, linewidth=1.2)
        axes.hlines(places, quantiles_NQ[:, 1], quantiles_NQ[:, 3], color=SOFT, linewidth=5)
        axes.plot(quantiles_NQ[:, 2], places, "|", color=ACCENT, markersize=9, markeredgewidth=2)
        axes.set_yticks(places, labels)
        axes.set_ylim(len(labels) - 0.4, -0.6)
        _write(axes, "x", axis)
        return as_svg()


def heat(
    name: str,
    rows: Sequence[str],
    labels: Sequence[str],
    values_RC: FloatArray,
    *,
    write: Callable[[float], str],
    centre: float | None = None,
    log: bool = False,
    top: float | None = None,
    square: bool = False,
) -> str:
    """A table of numbers with shaded cells; NaN cells stay empty.

    `centre` shades to both sides of it (blue below, orange above) on a log scale; else from white to blue, up to
    `top`.
    """
    from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize

    with _canvas(name, 0.85 + 0.2 * len(rows) + (0.55 if square else 0)) as (_, axes, as_svg):
        shown = np.ma.masked_invalid(np.asarray(values_RC, dtype=float))
        largest = float(top if top is not None else (shown.max() if shown.count() else 1.0))
        if centre is not None:
            colours = LinearSegmentedColormap.from_list("both", [MAIN, "#ffffff", ACCENT])
            span = 4.0
            norm: Any = LogNorm(centre / span, centre * span, clip=True)
            shown = np.ma.maximum(shown, centre / span)
        else:
            colours = LinearSegmentedColormap.from_list("up", ["#ffffff", "#8fb4c8", MAIN])
            low = max(float(shown[shown > 0].min()), largest / 1e4) if log and (shown > 0).any() else 0.0
            norm = (
                LogNorm(low, max(largest, low * 10), clip=True)
                if log and low
                else Normalize(0, largest or 1.0)
            )
        mesh = axes.pcolormesh(shown, cmap=colours, norm=norm, edgecolors="white", linewidth=0.6)
        axes.set_yticks(np.arange(len(rows)) + 0.5, rows)
        axes.set_xticks(
            np.arange(len(labels)) + 0.5,
            labels,
            rotation=55 if square else 0,
            ha="right" if square else "center",
        )
        axes.invert_yaxis()
        axes.spines[:].set_visible(False)
        size = 6.2 if len(labels) > 17 else 7.0
        for (r, c), value in np.ndenumerate(np.asarray(values_RC, dtype=float)):
            text = write(value) if np.isfinite(value) else ""
            if text:
                red, green, blue, _ = mesh.cmap(mesh.norm(max(value, 1e-12)))
                dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.62
                axes.text(
                    c + 0.5,
                    r + 0.5,
                    text,
                    ha="center",
                    va="center",
                    fontsize=size,
                    color="white" if dark else INK,
                )
        return as_svg()

"""Months in which a panel's level jumps: rows, a product's prevalence, a column's missing rate.

The statistic
-------------
A series is put on a scale where an ordinary month moves it by about the same amount wherever it stands:
`log(rows)` for rows, `2 asin(sqrt(p))` for shares (differences are Cohen's h, 1988). Of its month-to-month
differences `d`::

    z = (d - median(d)) / sqrt(MAD(d)^2 + se^2 + 0.01^2)

where MAD is the median absolute deviation times 1.4826, `se^2 = 1/n + 1/n_before` the sampling variance of a
share's difference (0 for rows), and 0.01 the smallest month-to-month noise that is taken seriously. A month
with `|z| >= 6` is a break. So rows must jump by 6 % beyond their usual growth, a share of 0.15 by 0.02, one of
0.01 by 0.006, and by more where the series is restless. A panel shorter than 6 months is not judged.

A jump that lasts is a `level`; one that is mostly undone within three months is a `spike`.
"""

from datetime import date
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel

from nextbest.data.panel.panel import Panel
from nextbest.data.panel.profile import MonthProfile

FloatArray = NDArray[np.float64]
THRESHOLD = 6.0
FLOOR = 0.01
MIN_MONTHS = 6
_SPAN = 3
"""Months on each side that tell a level from a spike."""


class Break(BaseModel, frozen=True, extra="forbid"):
    """One jump."""

    month: date
    what: Literal["rows", "prevalence", "missing"]
    column: str = ""
    """Product or attribute; empty for rows."""
    kind: Literal["level", "spike"] = "level"
    before: float
    """Rows, or a share, the month before."""
    after: float
    z: float
    arrived: int = 0
    """Rows: clients who weren't there the month before."""
    arrived_empty: float = 0.0
    """Rows: share of these who hold no product."""
    arrived_months: float | None = None
    """Rows: median months since these joined the bank; None where the panel doesn't say."""
    stayers_before: float | None = None
    """Prevalence among the clients present in both months, in the month before; None for others than products."""
    stayers_after: float | None = None

    @property
    def is_mix(self) -> bool:
        """Whether a prevalence jumped because of who came or left, not of what clients hold."""
        if self.stayers_before is None or self.stayers_after is None:
            return False
        own = abs(_arc(self.stayers_after) - _arc(self.stayers_before))
        return bool(own < 0.25 * abs(_arc(self.after) - _arc(self.before)))

    @property
    def is_late_sight(self) -> bool:
        """Whether the clients who appeared are old ones seen late: mostly without products, or long in the bank."""
        return self.arrived_empty >= 0.5 or (self.arrived_months or 0) >= 6

    def words(self, lang: str = "en") -> str:
        """What happened and what it means for a model, in English or Russian (`ru`)."""
        from nextbest.data.panel.break_words import words_of

        return words_of(self, lang)


class Jump(NamedTuple):
    """A difference that stands out."""

    place: int
    """Place of the month after the jump."""
    z: float
    kind: Literal["level", "spike"]


def find_jumps(level_M: FloatArray, *, variance_M: FloatArray | None = None) -> list[Jump]:
    """Jumps of a series by the statistic in this module's docstring.

    Parameters
    ----------
    level_M
        The series on its scale, consecutive months. Shape (n_months,); NaN breaks the chain.
    variance_M
        Sampling variance of each difference, 0 by default. Shape (n_months,); the first is not used.

    Returns
    -------
    list of Jump
        Oldest first; none where fewer than 6 months are known.
    """
    d_M = np.diff(level_M)
    known = np.isfinite(d_M)
    if known.sum() < MIN_MONTHS - 1:
        return []
    usual = float(np.median(d_M[known]))
    spread = 1.4826 * float(np.median(np.abs(d_M[known] - usual)))
    se2_M = np.zeros(len(d_M)) if variance_M is None else variance_M[1:]
    z_M = (d_M - usual) / np.sqrt(spread**2 + se2_M + FLOOR**2)
    found: list[Jump] = []
    for place in (np.flatnonzero(known & (np.abs(np.nan_to_num(z_M)) >= THRESHOLD)) + 1).tolist():
        jump = Jump(place, float(z_M[place - 1]), _kind(level_M, place))
        is_return = (
            found
            and found[-1].kind == "spike"
            and place - found[-1].place < _SPAN
            and found[-1].z * jump.z < 0
        )
        if not is_return:
            found.append(jump)
    return found


def _kind(level_M: FloatArray, place: int) -> Literal["level", "spike"]:
    """Level if at least half of the jump is there on average over the months on both sides."""
    after, before = level_M[place : place + _SPAN], level_M[max(place - _SPAN, 0) : place]
    lasting = np.nanmean(after) - np.nanmean(before)
    return "level" if lasting / (level_M[place] - level_M[place - 1]) >= 0.5 else "spike"


def find_breaks(panel: Panel, months: MonthProfile) -> tuple[Break, ...]:
    """Breaks of a panel, oldest first; rows before prevalences before missing rates."""
    chain = np.where(months.follows_M, 0.0, np.nan)  # NaN where the month before isn't there
    n_M = months.rows_M.astype(float)
    found = [
        _of_rows(panel, months, jump) for jump in find_jumps(_chained(np.log(np.maximum(n_M, 1)), chain))
    ]
    variance_M = np.zeros(len(n_M))
    variance_M[1:] = 1 / np.maximum(n_M[1:], 1) + 1 / np.maximum(n_M[:-1], 1)
    products, attributes = panel.schema.product_columns, panel.schema.attribute_names
    for p, column in enumerate(products):
        found += _of_share("prevalence", column, months.holders_MP[:, p], months, variance_M, p)
    for a, column in enumerate(attributes):
        found += _of_share("missing", column, months.missing_MA[:, a], months, variance_M, None)
    order = {"rows": 0, "prevalence": 1, "missing": 2}
    return tuple(sorted(found, key=lambda b: (b.month, order[b.what])))


def _chained(level_M: FloatArray, chain_M: FloatArray) -> FloatArray:
    """The series from the last gap on: what lies before a missing month can't be compared with what follows."""
    gaps = np.flatnonzero(np.isnan(chain_M[1:])) + 1
    level_M = level_M.copy()
    if len(gaps):
        level_M[: gaps[-1]] = np.nan
    return level_M


def _of_rows(panel: Panel, months: MonthProfile, jump: Jump) -> Break:
    m = jump.place
    arrived = int(months.arrived_M[m])
    return Break(
        month=months.months[m],
        what="rows",
        kind=jump.kind,
        before=float(months.rows_M[m - 1]),
        after=float(months.rows_M[m]),
        z=round(jump.z, 2),
        arrived=arrived,
        arrived_empty=float(months.arrived_empty_M[m]) / max(arrived, 1),
        arrived_months=_months_known(panel, m) if arrived else None,
    )


def _of_share(
    what: Literal["prevalence", "missing"],
    column: str,
    count_M: NDArray[np.int64],
    months: MonthProfile,
    variance_M: FloatArray,
    product: int | None,
) -> list[Break]:
    share_M = count_M / np.maximum(months.rows_M, 1)
    chain = np.where(months.follows_M, 0.0, np.nan)
    found = []
    for place, z, kind in find_jumps(_chained(_arc(share_M), chain), variance_M=variance_M):
        stayers_before = stayers_after = None
        if product is not None and (stayed := int(months.stayed_M[place])):
            stayers_before = float(count_M[place - 1] - months.left_holders_MP[place, product]) / stayed
            stayers_after = float(count_M[place] - months.arrived_holders_MP[place, product]) / stayed
        found.append(
            Break(
                month=months.months[place],
                what=what,
                column=column,
                kind=kind,
                before=float(share_M[place - 1]),
                after=float(share_M[place]),
                z=round(z, 2),
                stayers_before=stayers_before,
                stayers_after=stayers_after,
            )
        )
    return found


def _months_known(panel: Panel, m: int) -> float | None:
    """Median months since the clients who arrived in month `m` joined the bank."""
    column = panel.schema.roles.get("joined")
    if column is None:
        return None
    month = panel.months[m]
    table = panel.attributes(month, [column])
    arrived = ~np.asarray(panel.present_MC[m - 1])[table["row"].to_numpy()]
    joined = table[column].filter(pl.Series(arrived)).drop_nulls()
    if not len(joined):
        return None
    months = (month.year - joined.dt.year()) * 12 + month.month - joined.dt.month()
    middle = months.median()
    return float(middle) if isinstance(middle, int | float) else None


def _arc(share: FloatArray | float) -> FloatArray:
    """The scale of shares on which a difference is Cohen's h."""
    arc: FloatArray = 2 * np.arcsin(np.sqrt(np.clip(share, 0, 1)))
    return arc

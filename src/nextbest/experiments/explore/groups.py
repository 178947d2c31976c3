"""What a panel's attributes say: distributions in the newest month, and who adds. Draws nothing."""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

import itertools
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.panel.masks import count_holders, count_products
from nextbest.data.panel.panel import Panel, additions
from nextbest.data.panel.schema import PanelSchema

IntArray = NDArray[np.int64]
AGE_EDGES = (18, 25, 30, 40, 50, 60, 70)
"""Lower edges of age bands; the first band is below the first edge."""
N_LISTED = 15
"""Categories of a column that are listed; the rest is `other`."""
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class Histogram:
    """Clients by a whole number (age in years, seniority in months)."""

    start: int
    count_V: IntArray
    """Clients at `start`, `start + 1`, ..."""
    missing: int

    def quantile(self, q: float) -> float:
        """Smallest value that a share `q` of the clients doesn't exceed; NaN without clients."""
        total = self.count_V.sum()
        if not total:
            return float("nan")
        return float(self.start + np.searchsorted(np.cumsum(self.count_V), q * total))

    @property
    def peaks(self) -> tuple[int, ...]:
        """Values at which the smoothed histogram has a hump worth naming: at least a third of its highest."""
        if self.count_V.sum() == 0:
            return ()
        smooth = np.convolve(self.count_V, np.ones(5) / 5, mode="same")
        padded = np.concatenate([[-1.0], smooth, [-1.0]])
        tops = np.flatnonzero((padded[1:-1] > padded[:-2]) & (padded[1:-1] >= padded[2:]))
        humps: list[int] = []
        for top in tops[np.argsort(-smooth[tops], kind="stable")].tolist():
            if smooth[top] < smooth.max() / 3:
                break
            if all(_valley(smooth, top, other) < 0.9 * smooth[top] for other in humps):
                humps.append(top)
        return tuple(sorted(int(self.start + top) for top in humps))


def _valley(smooth: NDArray[np.float64], one: int, other: int) -> float:
    low, high = sorted((one, other))
    return float(smooth[low : high + 1].min())


@dataclass(frozen=True)
class Spread:
    """Quantiles of a number in one group of clients."""

    name: str
    n: int
    """Clients with a value."""
    quantiles: tuple[float, ...]
    """At `QUANTILES`."""


@dataclass(frozen=True)
class AdderGroup:
    """Additions of one group of clients, over months with moves; the group as of the month before."""

    name: str
    client_months: int
    adder_months: int
    added_P: IntArray

    @property
    def rate(self) -> float:
        """Share of the group's client-months with an addition."""
        return self.adder_months / self.client_months if self.client_months else float("nan")


@dataclass(frozen=True)
class GroupFacts:
    """Attributes of the newest month and additions by group; empty where the schema has no such role."""

    month: date | None
    age: Histogram | None
    seniority: Histogram | None
    income_by_segment: tuple[Spread, ...]
    income_by_region: tuple[Spread, ...]
    income_missing: float | None
    """Share of clients without an income."""
    channels: tuple[tuple[str, int], ...]
    """Entry channels by clients, most first; `other` last."""
    adders: dict[str, tuple[AdderGroup, ...]]
    """By `age`, `segment`, `activity`, `channel`."""


def group_facts(panel: Panel) -> GroupFacts:
    """Distributions in the newest month, and additions by group over all months."""
    roles, month = panel.schema.roles, panel.months[-1] if panel.months else None
    if month is None:
        return GroupFacts(None, None, None, (), (), None, (), {})
    wanted = {
        r: roles[r] for r in ("age", "seniority", "income", "segment", "region", "channel") if r in roles
    }
    table = panel.attributes(month, list(dict.fromkeys(wanted.values())))
    table = table.select(pl.col(column).alias(role) for role, column in wanted.items())
    income = table["income"] if "income" in wanted else None
    return GroupFacts(
        month=month,
        age=_histogram(table["age"]) if "age" in wanted else None,
        seniority=_histogram(table["seniority"]) if "seniority" in wanted else None,
        income_by_segment=_spreads(table, "segment", {}) if {"income", "segment"} <= set(wanted) else (),
        income_by_region=(
            _spreads(table, "region", _names(panel.schema, roles["region"]))
            if {"income", "region"} <= set(wanted)
            else ()
        ),
        income_missing=None if income is None or not len(income) else income.null_count() / len(income),
        channels=_channels(table["channel"]) if "channel" in wanted else (),
        adders=_adders(panel),
    )


def _histogram(column: pl.Series) -> Histogram:
    values = column.drop_nulls().cast(pl.Int64).to_numpy()
    if not len(values):
        return Histogram(0, np.zeros(0, dtype=np.int64), len(column))
    start = int(values.min())
    return Histogram(start, np.bincount(values - start).astype(np.int64), column.null_count())


def _spreads(table: pl.DataFrame, by: str, names: dict[str, str]) -> tuple[Spread, ...]:
    """Income quantiles by group, highest median first."""
    found = (
        table.filter(pl.col("income").is_not_null() & pl.col(by).is_not_null())
        .group_by(pl.col(by).cast(pl.String))
        .agg(pl.len(), *(pl.col("income").quantile(q).alias(f"q{q}") for q in QUANTILES))
        .sort("q0.5", by, descending=[True, False])
    )
    return tuple(
        Spread(names.get(name, name), n, tuple(float(q) for q in quantiles))
        for name, n, *quantiles in found.rows()
    )


def _names(schema: PanelSchema, column: str) -> dict[str, str]:
    """Code -> name of an attribute that has a name beside it."""
    for pair in schema.code_names:
        if pair.code == column:
            return {code: name.title() for code, name in pair.names.items()}
    return {}


def _channels(column: pl.Series) -> tuple[tuple[str, int], ...]:
    counts = (
        column.drop_nulls()
        .cast(pl.String)
        .value_counts(name="n")
        .sort("n", column.name, descending=[True, False])
    )
    listed = [(str(name), int(n)) for name, n in counts.head(N_LISTED).iter_rows()]
    rest = int(counts["n"].sum()) - sum(n for _, n in listed)
    return (*listed, ("other", rest)) if rest else tuple(listed)


def _adders(panel: Panel) -> dict[str, tuple[AdderGroup, ...]]:
    """Additions by group, with attributes as of the month before."""
    roles = panel.schema.roles
    wanted = {role: roles[role] for role in ("age", "segment", "activity", "channel") if role in roles}
    totals: dict[str, dict[str, list[IntArray]]] = {role: {} for role in wanted}
    for month in panel.months:
        before = panel.schema.month_before(month)
        if before not in panel.months or not wanted:
            continue
        row_N, _, added_N = additions(panel, month)
        table = panel.attributes(before, list(dict.fromkeys(wanted.values())))
        place_N = np.searchsorted(table["row"].to_numpy(), row_N)
        adds = pl.Series("adds", count_products(added_N) > 0)
        for role, column in wanted.items():
            labels = _labels(role, table[column].gather(place_N))
            counted = (
                pl.DataFrame([labels.alias("g"), adds]).group_by("g").agg(pl.len(), pl.col("adds").sum())
            )
            of_adders = labels.filter(adds)
            added_A = added_N[added_N > 0]
            for name, n, n_adders in counted.rows():
                if name is None:
                    continue
                mine = added_A[(of_adders == name).fill_null(value=False).to_numpy()]
                added_P = count_holders(mine, n_products=panel.n_products)
                sums = totals[role].setdefault(str(name), [np.zeros(2 + panel.n_products, dtype=np.int64)])
                sums[0] += np.concatenate([[n, n_adders], added_P])
    return {role: _listed(role, groups) for role, groups in totals.items()}


def _labels(role: str, column: pl.Series) -> pl.Series:
    """Groups of a column as an Enum or Categorical: bands of age, words for a flag, the categories themselves."""
    if role == "age":
        bands = pl.Series(age_bands(), dtype=pl.Enum(age_bands()))
        ages = column.cast(pl.Float64)
        place_N = np.searchsorted(np.array(AGE_EDGES), ages.fill_null(0).to_numpy(), side="right")
        return bands.gather(pl.Series(place_N).set(ages.is_null(), None))
    if column.dtype == pl.Boolean:
        words = pl.Enum(["inactive", "active"])
        return column.cast(pl.UInt8).cast(pl.String).replace({"0": "inactive", "1": "active"}).cast(words)
    return column


def age_bands() -> list[str]:
    """Names of the age bands.

    >>> age_bands()[:2], age_bands()[-1]
    (['0-17', '18-24'], '70+')
    """
    edges = (0, *AGE_EDGES)
    inner = [f"{low}-{high - 1}" for low, high in itertools.pairwise(edges)]
    return [*inner, f"{edges[-1]}+"]


def _listed(role: str, groups: dict[str, list[IntArray]]) -> tuple[AdderGroup, ...]:
    """Groups in their own order (bands, domains), channels by size and only the largest."""
    made = [AdderGroup(name, int(s[0][0]), int(s[0][1]), s[0][2:]) for name, s in groups.items()]
    if role == "age":
        order = age_bands()
        return tuple(sorted(made, key=lambda g: order.index(g.name)))
    if role == "channel":
        return tuple(sorted(made, key=lambda g: (-g.client_months, g.name))[:N_LISTED])
    return tuple(sorted(made, key=lambda g: g.name))

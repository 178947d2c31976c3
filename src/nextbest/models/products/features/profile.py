"""Features of a client's attributes: what is learned of training months, and how columns become numbers.

Attributes that leak the departure are never read, protected ones only where the config says so.
Axes: N rows, F features.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.panel.schema import Attribute, PanelSchema
from nextbest.models.products.features.clients import CHANGING_ROLES
from nextbest.models.products.features.config import FeatureConfig
from nextbest.models.products.features.encoding import category_codes, month_numbers, numbers
from nextbest.models.products.features.parts import Chunk, Column, Floats
from nextbest.models.products.features.words import count_events, month_words, months_unchanged

PROTECTED = "protected"
GROUPS: Mapping[str, str] = {
    "joined": "seniority",
    "new": "seniority",
    "status": "relation",
    "deceased": "relation",
}
"""Role -> reason group where it isn't the role's own name."""
FENCED = ("income", "age", "seniority")
"""Roles whose outliers the policy on training rows is about."""


@dataclass(frozen=True)
class ProfileState:
    """What is learned of the attributes of training months; plain numbers and names."""

    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Attribute -> its frequent values, most frequent first: places are codes."""
    region_income: Mapping[str, float] = field(default_factory=dict)
    """Region -> median income of its clients."""
    income: float = np.nan
    """Median income of all clients; NaN where none is known."""
    channel_seniority: Mapping[str, float] = field(default_factory=dict)
    """Channel -> median seniority, in months, of the clients who came by it."""
    fences: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Role -> lowest and highest value that isn't an outlier."""

    @classmethod
    def fit(
        cls, months: Iterable[pl.DataFrame], *, schema: PanelSchema, config: FeatureConfig
    ) -> "ProfileState":
        """Learn from the attributes of some months; a client counts once for each month."""
        named = [a.name for a in read_attributes(schema, config) if _is_counted(schema, a)]
        wanted = [schema.roles[role] for role in (*FENCED, "region", "channel") if role in schema.roles]
        columns = list(dict.fromkeys([*named, *wanted]))
        types = pl.Schema({name: _joinable(schema.attribute(name)) for name in columns})
        table = pl.concat(
            [pl.DataFrame(schema=types), *(month.select(columns).cast(types) for month in months)]
        )
        income, region = schema.roles.get("income"), schema.roles.get("region")
        seniority, channel = schema.roles.get("seniority"), schema.roles.get("channel")
        return cls(
            categories={name: _frequent(table[name], schema.attribute(name), config) for name in named},
            region_income=_medians(table, by=region, of=income, min_count=1),
            income=_median(table, income),
            channel_seniority=_medians(table, by=channel, of=seniority, min_count=config.min_count),
            fences={
                role: _fences(values, role, config.fence)
                for role in FENCED
                if role in schema.roles and len(values := table[schema.roles[role]].drop_nulls())
            },
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "categories": {name: list(values) for name, values in self.categories.items()},
            "region_income": dict(self.region_income),
            "income": None if np.isnan(self.income) else self.income,
            "channel_seniority": dict(self.channel_seniority),
            "fences": {role: list(ends) for role, ends in self.fences.items()},
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "ProfileState":
        """What `to_dict` gave; KeyError, TypeError or ValueError where something is missing or malformed."""
        return cls(
            categories={name: tuple(map(str, values)) for name, values in state["categories"].items()},
            region_income={name: float(value) for name, value in state["region_income"].items()},
            income=np.nan if state["income"] is None else float(state["income"]),
            channel_seniority={name: float(value) for name, value in state["channel_seniority"].items()},
            fences={role: (float(low), float(high)) for role, (low, high) in state["fences"].items()},
        )


def read_attributes(schema: PanelSchema, config: FeatureConfig) -> tuple[Attribute, ...]:
    """Attributes that become features.

    Left out: what leaks the departure; protected ones unless `config.use_protected`; categories of one value;
    open categories without a role (names that stand beside a code), since any text may come there.
    """
    roles = set(schema.roles.values())
    return tuple(
        a
        for a in schema.attributes
        if not a.leaks_departure
        and (config.use_protected or not a.is_protected)
        and not (a.kind == "category" and len(a.domain) == 1)
        and not (a.kind == "category" and not a.domain and a.name not in roles)
    )


Fill = Callable[[pl.DataFrame, Chunk], list[Floats]]


class Profile:
    """The attributes as numbers.

    Categories with a domain are coded by their place in it; those of any text and the region by how frequent
    they were in training (0 = most frequent; one code more for all rare or unseen values). A missing income is
    the region's median, with a flag. A missing seniority is counted from the joining date.
    """

    def __init__(self, schema: PanelSchema, config: FeatureConfig, state: ProfileState) -> None:
        self._roles = schema.roles
        self._state = state
        self._months_back = 1 if config.attributes == "month_end" else 0
        role_of = {name: role for role, name in schema.roles.items()}
        special: dict[tuple[str | None, str], Callable[[str, str], tuple[list[str], Fill]]] = {
            ("income", "number"): self._income,
            ("region", "category"): self._region,
            ("channel", "category"): self._channel,
            ("seniority", "integer"): self._seniority,
            ("joined", "date"): self._joined,
        }
        columns: list[Column] = []
        self._fills: list[Fill] = []
        for attribute in read_attributes(schema, config):
            role = role_of.get(attribute.name)
            stem = role or f"attribute.{attribute.name}"
            make = special.get((role, attribute.kind))
            names, fill = make(stem, attribute.name) if make else self._plain(stem, attribute)
            group = PROTECTED if attribute.is_protected else GROUPS.get(stem, stem)
            columns.extend(Column(name, group) for name in names)
            self._fills.append(fill)
        self.columns = tuple(columns)

    def fill(self, chunk: Chunk, out_FN: Floats) -> None:
        """See `Part`."""
        place = 0
        for fill in self._fills:
            for values in fill(chunk.inputs.attributes, chunk):
                out_FN[place] = values
                place += 1

    def _plain(self, stem: str, attribute: Attribute) -> tuple[list[str], Fill]:
        name = attribute.name
        if attribute.kind == "category":
            codes = category_codes_of(attribute, self._state)
            other = float(len(codes))
            return [stem], lambda frame, _: [category_codes(frame[name], codes, other=other)]
        if attribute.kind == "date":
            return [stem], lambda frame, chunk: [_month(chunk) - month_numbers(frame[name])]
        return [stem], lambda frame, _: [numbers(frame[name])]

    def _joined(self, stem: str, name: str) -> tuple[list[str], Fill]:
        return [f"{stem}.month"], lambda frame, _: [month_numbers(frame[name]) % 12 + 1]

    def _income(self, stem: str, name: str) -> tuple[list[str], Fill]:
        medians, overall = self._state.region_income, self._state.income
        region = self._roles.get("region")

        def fill(frame: pl.DataFrame, _: Chunk) -> list[Floats]:
            income = numbers(frame[name])
            usual = np.full(len(frame), overall, np.float32)
            if region is not None:
                known = category_codes(frame[region], medians)
                usual = np.where(np.isnan(known), usual, known)
            is_missing = np.isnan(income)
            own_log, usual_log = _log(np.where(is_missing, usual, income)), _log(usual)
            return [own_log, own_log - usual_log, is_missing.astype(np.float32)]

        return [f"{stem}.log", f"{stem}.to_region", f"{stem}.is_imputed"], fill

    def _region(self, stem: str, name: str) -> tuple[list[str], Fill]:
        medians = self._state.region_income
        codes = _places(self._state.categories.get(name, ()))
        other = float(len(codes))

        def fill(frame: pl.DataFrame, _: Chunk) -> list[Floats]:
            column = frame[name]
            return [category_codes(column, codes, other=other), _log(category_codes(column, medians))]

        return [stem, f"{stem}.income_log"], fill

    def _channel(self, stem: str, name: str) -> tuple[list[str], Fill]:
        medians = self._state.channel_seniority
        codes = _places(self._state.categories.get(name, ()))
        other = float(len(codes))

        def fill(frame: pl.DataFrame, _: Chunk) -> list[Floats]:
            column = frame[name]
            return [category_codes(column, codes, other=other), category_codes(column, medians)]

        return [stem, f"{stem}.seniority"], fill

    def _seniority(self, stem: str, name: str) -> tuple[list[str], Fill]:
        joined = self._roles.get("joined")

        def fill(frame: pl.DataFrame, chunk: Chunk) -> list[Floats]:
            months = numbers(frame[name])
            is_missing = np.isnan(months)
            if joined is not None and is_missing.any():
                since = _month(chunk) - self._months_back - month_numbers(frame[joined])
                months = np.where(is_missing, np.maximum(since, 0), months)
            return [months]

        return [stem], fill

    def is_outlier(self, attributes: pl.DataFrame) -> NDArray[np.bool_]:
        """Rows with a value outside the fitted fences; a missing one is inside. Shape (N,)."""
        outside = np.zeros(len(attributes), np.bool_)
        for role, (low, high) in self._state.fences.items():
            values = numbers(attributes[self._roles[role]])
            outside |= (values < low) | (values > high)
        return outside


class Changes:
    """Months of activity, and what changed against a month earlier; NaN where unknown."""

    def __init__(self, schema: PanelSchema, config: FeatureConfig, state: ProfileState) -> None:
        read = {a.name: a for a in read_attributes(schema, config)}
        columns: list[Column] = []
        self._fills: list[Callable[[pl.DataFrame, pl.DataFrame], Floats]] = []
        for role in CHANGING_ROLES:
            how = "move" if role == "relation" else "is_new"
            attribute = read.get(schema.roles.get(role, ""))
            if attribute is not None:
                columns.append(Column(f"{role}.{how}", GROUPS.get(role, role)))
                self._fills.append(_change(attribute, how, state))
        activity = read.get(schema.roles.get("activity", ""))
        self._has_activity = activity is not None and activity.kind == "flag"
        months = (Column("activity.share", "activity"), Column("activity.run", "activity"))
        self.columns = (*(months if self._has_activity else ()), *columns)
        self.attributes = tuple(schema.roles[c.name.partition(".")[0]] for c in columns)
        """Attributes that are needed of the month before."""

    def fill(self, chunk: Chunk, out_FN: Floats) -> None:
        """See `Part`."""
        inputs = chunk.inputs
        if self._has_activity:
            out_FN[0], out_FN[1] = _activity(chunk)
            out_FN = out_FN[2:]
        if inputs.before is None:
            out_FN[:] = np.nan
            return
        for place, fill in enumerate(self._fills):
            out_FN[place] = fill(inputs.attributes, inputs.before)


class Season:
    """The calendar month of the target."""

    def __init__(self, config: FeatureConfig) -> None:
        self._cycle = config.season == "cycle"
        names = ("season.sin", "season.cos") if self._cycle else ("season.month",)
        self.columns = tuple(Column(name, "season") for name in names)

    def fill(self, chunk: Chunk, out_FN: Floats) -> None:
        """See `Part`."""
        month = chunk.inputs.target.month
        if self._cycle:
            angle = 2 * np.pi * (month - 1) / 12
            out_FN[0], out_FN[1] = np.sin(angle), np.cos(angle)
        else:
            out_FN[0] = month


def _activity(chunk: Chunk) -> tuple[Floats, Floats]:
    """Share of the months present with activity, and for how many months the present state has lasted."""
    active_NL = chunk.inputs.active_NL
    present_N = chunk.words.present_N
    n_known_N = count_events(present_N)
    if active_NL is None:
        none_N = np.full(len(n_known_N), np.nan, np.float32)
        return none_N, none_N
    active_N = month_words(active_NL[:, : chunk.n_months]) & present_N
    n_known_N[n_known_N == 0] = np.nan
    return count_events(active_N) / n_known_N, months_unchanged(active_N, present_N)


def category_codes_of(attribute: Attribute, state: ProfileState) -> Mapping[str, float]:
    """Value -> code: the place in the domain, or among the frequent values where any text may come."""
    return _places(attribute.domain or state.categories.get(attribute.name, ()))


def _change(
    attribute: Attribute, how: str, state: ProfileState
) -> Callable[[pl.DataFrame, pl.DataFrame], Floats]:
    name = attribute.name
    if attribute.kind != "category":
        return lambda now, before: numbers(now[name]) - numbers(before[name])
    codes = category_codes_of(attribute, state)
    other = float(len(codes))
    n_codes = np.float32(len(codes) + 1)

    def change(now: pl.DataFrame, before: pl.DataFrame) -> Floats:
        new = category_codes(now[name], codes, other=other)
        old = category_codes(before[name], codes, other=other)
        if how == "move":
            return old * n_codes + new
        return np.where(np.isnan(new) | np.isnan(old), np.nan, new != old).astype(np.float32)

    return change


def _is_counted(schema: PanelSchema, attribute: Attribute) -> bool:
    return attribute.kind == "category" and (
        not attribute.domain or attribute.name == schema.roles.get("region")
    )


def _joinable(attribute: Attribute) -> pl.DataType:
    """A type that months can be put together in: categories of any text may differ from month to month."""
    if attribute.kind == "category":
        return pl.Enum(attribute.domain) if attribute.domain else pl.String()
    return pl.Float32()


def _places(values: Iterable[str]) -> dict[str, float]:
    return {value: float(place) for place, value in enumerate(values)}


def _frequent(column: pl.Series, attribute: Attribute, config: FeatureConfig) -> tuple[str, ...]:
    """Values by falling count, ties by name; those of an open category only from `min_count` on."""
    name = column.name
    counts = column.drop_nulls().to_frame().group_by(name).len().with_columns(pl.col(name).cast(pl.String))
    least = 1 if attribute.domain else config.min_count
    kept = counts.filter(pl.col("len") >= least).sort("len", name, descending=[True, False])
    return tuple(kept[name].to_list())


def _median(table: pl.DataFrame, name: str | None) -> float:
    middle = None if name is None else table[name].median()
    return float(middle) if isinstance(middle, int | float) else np.nan


def _medians(table: pl.DataFrame, *, by: str | None, of: str | None, min_count: int) -> dict[str, float]:
    """Median of one column for each value of another that has `min_count` known ones."""
    if by is None or of is None:
        return {}
    known = table.lazy().select(by, of).drop_nulls()
    found = known.group_by(by).agg(pl.col(of).median().alias("median"), pl.len().alias("count"))
    kept = found.filter(pl.col("count") >= min_count).select(pl.col(by).cast(pl.String), "median")
    return dict(kept.sort(by).collect().iter_rows())


def _fences(column: pl.Series, role: str, width: float) -> tuple[float, float]:
    values = column.to_numpy().astype(np.float64)
    is_log = role == "income"
    low, high = np.quantile(np.log(np.maximum(values, 1.0)) if is_log else values, [0.25, 0.75])
    ends = np.array([low, high]) + np.array([-width, width]) * (high - low)
    low, high = np.exp(ends) if is_log else ends
    return float(low), float(high)


def _log(values: Floats) -> Floats:
    """Natural logarithm of at least 1; in float64, so that a lone row and a row of many round alike."""
    return np.log(np.maximum(values, np.float32(1)).astype(np.float64)).astype(np.float32)


def _month(chunk: Chunk) -> np.float32:
    """The target's month as `month_numbers` counts."""
    return np.float32(chunk.inputs.target.year * 12 + chunk.inputs.target.month - 1)

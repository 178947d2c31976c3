"""Candles of several assets on one clock: frozen arrays, and copies of a part of them.

A axis: assets, T axis: bars. Times are bar opens in UTC. NaN = this asset had no bar then; nothing is ever
filled. Knows no file, no model and no calendar.

The clock (`steps.bar_clock`) of a market that never closes holds every step, so that a missing hour is a column of
NaN and horizons count hours; that of any other holds the moments at which at least one asset has a bar, so that
Friday's bar stands beside Monday's. One panel is one calendar: with crypto beside stocks every weekend is a gap of
the stocks.
"""

# ruff: noqa: N802, N815  (names suffixed by their axes are the house style for arrays)

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.prices.steps import bar_clock, bar_start, check_step, find_step, in_us, step_name
from nextbest.errors import DataError, InputError
from nextbest.tables import PRICES, TIME_DTYPE

FIELDS = ("open", "high", "low", "close", "volume")
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PricePanel:
    """Assets x bars of one step on one clock.

    The arrays are read-only and belong to this panel alone: given arrays that could still be written to are
    copied, so that no view of somebody else's memory (and no future of it) hangs on it.
    """

    asset_ids: tuple[str, ...]
    """Their names, in the order of the rows; no name twice."""
    time_T: NDArray[np.datetime64]
    """Bar opens, datetime64[us], UTC, strictly increasing, at least one step apart."""
    step: timedelta
    """Length of a bar."""
    open_AT: FloatArray
    """Shape (A, T), in the quote currency; > 0, or NaN = no bar, or a source of closes only."""
    high_AT: FloatArray
    """Shape (A, T), like `open_AT`."""
    low_AT: FloatArray
    """Shape (A, T), like `open_AT`."""
    close_AT: FloatArray
    """Shape (A, T); > 0, or NaN = no bar."""
    volume_AT: FloatArray
    """Shape (A, T), pieces traded; >= 0, or NaN = no bar, or not known."""

    def __post_init__(self) -> None:
        check_step(self.step)
        if len(set(self.asset_ids)) < len(self.asset_ids):
            raise InputError("asset_ids", "must not hold a name twice", value=self.asset_ids[:5])
        object.__setattr__(self, "asset_ids", tuple(self.asset_ids))
        object.__setattr__(self, "time_T", _own(np.asarray(self.time_T), np.dtype("datetime64[us]")))
        if self.time_T.ndim != 1 or np.isnat(self.time_T).any():
            raise InputError("time_T", "must be one axis of known times", value=self.time_T.shape)
        if (np.diff(self.time_T.astype(np.int64)) < in_us(self.step)).any():
            raise InputError("time_T", f"bars must be {step_name(self.step)} apart or more, in order")
        for name in FIELDS:
            value_AT = _own(np.asarray(getattr(self, f"{name}_AT")), np.dtype(np.float64))
            if value_AT.shape != (self.n_assets, self.n_bars):
                shape = (self.n_assets, self.n_bars)
                raise InputError(f"{name}_AT", f"must have shape {shape}", value=value_AT.shape)
            low_ok = value_AT >= 0 if name == "volume" else value_AT > 0
            if not (np.isnan(value_AT) | (low_ok & np.isfinite(value_AT))).all():
                raise InputError(f"{name}_AT", "must be above zero (a volume: not below), finite, or NaN")
            object.__setattr__(self, f"{name}_AT", value_AT)

    def __repr__(self) -> str:
        span = f", {self.time_T[0]} to {self.time_T[-1]}" if self.n_bars else ""
        return f"PricePanel({self.n_assets} assets x {self.n_bars} bars of {step_name(self.step)}{span})"

    @property
    def n_assets(self) -> int:
        """Rows."""
        return len(self.asset_ids)

    @property
    def n_bars(self) -> int:
        """Columns."""
        return len(self.time_T)

    @classmethod
    def of(
        cls, table: pl.DataFrame, *, step: timedelta | None = None, assets: Sequence[str] | None = None
    ) -> Self:
        """The panel of a table `prices`.

        Parameters
        ----------
        table
            As `tables.PRICES` says, in any order; each asset at most once a time. A null is NaN in the panel.
        step
            Length of a bar; without it the commonest distance of two bars.
        assets
            Which, and in which order; without it all of the table in the order of their names.

        Raises
        ------
        InputError
            `assets` names one that the table doesn't have, or `step` isn't a step.
        DataError
            The table breaks its contract, has no bar, a bar twice, or bars nearer to each other than `step`.
        """
        PRICES.check(table)
        asset_ids = tuple(table["asset_id"].unique().sort() if assets is None else assets)
        if unknown := sorted(set(asset_ids) - set(table["asset_id"].unique())):
            raise InputError("assets", "not all in the table", value=unknown[:5])
        table = table.filter(pl.col("asset_id").is_in(asset_ids)).sort("asset_id", "time")
        if not len(table):
            raise DataError("prices", "holds no bar")
        twice = table.filter(pl.struct("asset_id", "time").is_duplicated())
        if len(twice):
            examples = [f"{a} {t}" for a, t in twice.select("asset_id", "time").head(5).rows()]
            raise DataError("prices", "an asset has a time twice", n_bad=len(twice), examples=examples)
        step = find_step(table) if step is None else check_step(step)
        seen_us = table["time"].to_physical().unique().sort().to_numpy()
        _check_apart(seen_us, step)
        clock_us = bar_clock(seen_us, step)
        row_A = {asset: row for row, asset in enumerate(asset_ids)}
        row_R = table["asset_id"].replace_strict(row_A, return_dtype=pl.Int64).to_numpy()
        column_R = np.searchsorted(clock_us, table["time"].to_physical().to_numpy())
        arrays = {}
        for name in FIELDS:
            arrays[f"{name}_AT"] = np.full((len(asset_ids), len(clock_us)), np.nan)
            if name in table.columns:
                arrays[f"{name}_AT"][row_R, column_R] = table[name].to_numpy()
        return cls(asset_ids=asset_ids, time_T=clock_us.view("datetime64[us]"), step=step, **arrays)

    def table(self) -> pl.DataFrame:
        """The bars as a table `prices`, by asset and time; NaN is null there, and a time without close no row."""
        row_R, column_R = np.nonzero(~np.isnan(self.close_AT))
        values = {name: getattr(self, f"{name}_AT")[row_R, column_R] for name in FIELDS}
        names = pl.Series(self.asset_ids, dtype=pl.String)
        return pl.DataFrame(
            {
                "asset_id": names.gather(pl.Series(row_R)),
                "time": pl.Series(self.time_T[column_R]).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
                **{name: pl.Series(value).fill_nan(None) for name, value in values.items()},
            },
            schema_overrides={"time": TIME_DTYPE},
        ).sort("asset_id", "time")

    def until(self, stop: int, *, length: int | None = None) -> Self:
        """Bars [stop - length, stop) in new memory: all that is known when bar `stop - 1` has closed.

        Parameters
        ----------
        stop
            The first bar left out, 0 to `n_bars`.
        length
            How many bars at most, 1 or more; None = all from the first.

        Raises
        ------
        InputError
            `stop` or `length` is out of range.
        """
        if not 0 <= stop <= self.n_bars:
            raise InputError("stop", f"must be 0 to {self.n_bars}", value=stop)
        if length is not None and length < 1:
            raise InputError("length", "must be 1 or more", value=length)
        return self._bars(0 if length is None else max(0, stop - length), stop)

    def period(self, start: date | datetime | None = None, end: date | datetime | None = None) -> Self:
        """Bars that open at `start` or later and before `end`, in new memory; a time without a zone is UTC."""
        low = 0 if start is None else int(np.searchsorted(self.time_T, _moment(start)))
        high = self.n_bars if end is None else int(np.searchsorted(self.time_T, _moment(end)))
        return self._bars(low, max(low, high))

    def select(self, asset_ids: Sequence[str]) -> Self:
        """These assets in this order, on the same clock, in new memory; an unknown name is an `InputError`."""
        if unknown := [a for a in asset_ids if a not in self.asset_ids]:
            raise InputError("assets", "not all in the panel", value=unknown[:5])
        rows = [self.asset_ids.index(a) for a in asset_ids]
        arrays = {f"{name}_AT": getattr(self, f"{name}_AT")[rows] for name in FIELDS}
        return type(self)(asset_ids=tuple(asset_ids), time_T=self.time_T, step=self.step, **arrays)

    def resample(self, step: timedelta) -> Self:
        """Longer bars: first open, highest high, lowest low, last close, sum of volumes.

        A bar is made of those that are there: a day with 23 hours is a day, one without any is NaN. The first and
        the last bar are left out when the clock doesn't cover them whole (where the market closes, when they hold
        fewer bars than the middle one), so that half a day never passes for a day.

        Raises
        ------
        InputError
            `step` isn't a multiple of the panel's.
        """
        check_step(step)
        ratio, rest = divmod(step, self.step)
        if rest or not ratio:
            raise InputError("step", f"must be a multiple of {step_name(self.step)}", value=step_name(step))
        if ratio == 1 or not self.n_bars:
            return type(self)(**{**self._fields(), "step": step})
        time_us = self.time_T.astype(np.int64)
        opens_us, first_N, count_N = np.unique(
            bar_start(time_us, step), return_index=True, return_counts=True
        )
        always_open = bool((np.diff(time_us) == in_us(self.step)).all())
        whole = ratio if always_open else int(np.median(count_N))
        keep_N = np.ones(len(opens_us), bool)
        keep_N[[0, -1]] = count_N[[0, -1]] >= whole
        stops_N = first_N + count_N
        parts = [slice(a, b) for a, b, kept in zip(first_N, stops_N, keep_N, strict=True) if kept]
        arrays = {f"{name}_AT": self._joined(name, parts) for name in FIELDS}
        time_T = opens_us[keep_N].view("datetime64[us]")
        return type(self)(asset_ids=self.asset_ids, time_T=time_T, step=step, **arrays)

    @cached_property
    def log_return_AT(self) -> FloatArray:
        """log(close[t] / close[t - 1]), shape (A, T), read-only; NaN in the first bar and beside a gap."""
        return_AT = np.full(self.close_AT.shape, np.nan)
        return_AT[:, 1:] = np.diff(np.log(self.close_AT), axis=1)
        return_AT.setflags(write=False)
        return return_AT

    def digest(self) -> str:
        """SHA-256 of everything in the panel, as hex: equal for equal bars, whatever files they came from."""
        said = hashlib.sha256()
        for text in (*self.asset_ids, step_name(self.step)):
            said.update(f"{len(text)}:{text}".encode())
        said.update(self.time_T.astype("<i8").tobytes())
        for name in FIELDS:
            value_AT = getattr(self, f"{name}_AT")
            said.update(np.where(np.isnan(value_AT), np.nan, value_AT + 0.0).astype("<f8").tobytes())
        return said.hexdigest()

    def _fields(self) -> dict[str, Any]:
        names = ("asset_ids", "time_T", "step", *(f"{name}_AT" for name in FIELDS))
        return {name: getattr(self, name) for name in names}

    def _bars(self, start: int, stop: int) -> Self:
        arrays = {f"{name}_AT": getattr(self, f"{name}_AT")[:, start:stop] for name in FIELDS}
        return type(self)(asset_ids=self.asset_ids, time_T=self.time_T[start:stop], step=self.step, **arrays)

    def _joined(self, name: str, parts: Sequence[slice]) -> FloatArray:
        value_AT = getattr(self, f"{name}_AT")
        joined_AN = np.full((self.n_assets, len(parts)), np.nan)
        for column, part in enumerate(parts):
            joined_AN[:, column] = _JOIN[name](value_AT[:, part])
        return joined_AN


def _own(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """A read-only array on its own memory; the given one, if it is that already."""
    if array.dtype == dtype and array.base is None and not array.flags.writeable and array.flags.c_contiguous:
        return array
    own = np.array(array, dtype=dtype, order="C", copy=True)
    own.setflags(write=False)
    return own


def _check_apart(time_us: NDArray[np.int64], step: timedelta) -> None:
    near = np.flatnonzero(np.diff(time_us) < in_us(step))
    if len(near):
        raise DataError(
            "prices",
            f"bars nearer to each other than {step_name(step)}",
            n_bad=len(near),
            examples=[str(moment) for moment in time_us[near[:5] + 1].view("datetime64[us]")],
            remedy="make one panel for each step and clock; panel.resample() makes longer bars",
        )


def _moment(when: date | datetime) -> np.datetime64:
    if not isinstance(when, datetime):
        return np.datetime64(when, "us")
    naive = when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when
    return np.datetime64(naive, "us")


def _first(value_AT: FloatArray) -> FloatArray:
    """The first of each row that is there."""
    there_AT = ~np.isnan(value_AT)
    first_A: FloatArray = value_AT[np.arange(len(value_AT)), there_AT.argmax(1)]
    return first_A


def _total(value_AT: FloatArray) -> FloatArray:
    return np.where(np.isnan(value_AT).all(1), np.nan, np.nansum(value_AT, axis=1))


_JOIN = {
    "open": _first,
    "high": lambda value_AT: np.fmax.reduce(value_AT, axis=1),
    "low": lambda value_AT: np.fmin.reduce(value_AT, axis=1),
    "close": lambda value_AT: _first(value_AT[:, ::-1]),
    "volume": _total,
}

"""What goes wrong between a bank and its panel's file, put into raw text in known numbers.

Dirt is in the text, never in what happened. Rows are chosen by a hash of (seed, customer, month), so the
same seed soils the same rows whatever slices they are made in, and one kind doesn't move another. No row
gets two kinds; only a late row may be of any.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.panel.schema import SANTANDER
from nextbest.errors import InputError
from nextbest.simulate.panel.attributes import uniform
from nextbest.simulate.panel.raw import COLUMNS, LOST, padded

DirtKind = Literal[
    "duplicate_rows",
    "mixed_types",
    "late_month",
    "schema_drift",
    "shuffled_columns",
    "bad_province",
    "negative_seniority",
]
"""duplicate_rows: rows written twice. mixed_types: whole numbers as decimals (`35.0`). late_month: part of the
last month but one comes in a second file. schema_drift: the last month comes in a file of its own, some of
its columns spelled otherwise, one more behind them. shuffled_columns: columns in another order. bad_province:
codes that don't exist, or that belong to another name. negative_seniority: -999999 and small negative numbers."""
DIRT_KINDS: tuple[DirtKind, ...] = get_args(DirtKind)
SHARES: Mapping[str, float] = {
    "duplicate_rows": 0.005,
    "mixed_types": 0.02,
    "bad_province": 0.004,
    "negative_seniority": 0.002,
}
"""Share of rows that each kind soils."""
LATE_SHARE = 0.3
MIXED = ("age", "ind_nuevo", "antiguedad", "indrel", "cod_prov", "ind_actividad_cliente", "ind_recibo_ult1")
"""Columns that `mixed_types` writes as decimals."""
BAD_CODES = (" 0", "53", "99", "-1")
DRIFTED: Mapping[str, str] = {"ncodpers": "NCODPERS", "renta": " renta", "ind_recibo_ult1": "Ind_Recibo_Ult1"}
"""Column -> how the drifted file spells it: what a careful reader still recognises."""
ADDED = "ind_seguro_fin_ult1"
"""The product column that the drifted file has more."""


class PanelDirt:
    """Puts the asked kinds into slices of raw text and counts what it put in."""

    def __init__(self, kinds: Sequence[str] = (), *, rng: int, months: Sequence[date]) -> None:
        """Kinds of dirt for a panel of these months.

        Parameters
        ----------
        kinds
            Among `DIRT_KINDS`.
        rng
            Seed, 0 or more.
        months
            The panel's, in order.

        Raises
        ------
        InputError
            No such kind, or one that needs a second month in a panel of one.
        """
        if unknown := [kind for kind in kinds if kind not in DIRT_KINDS]:
            raise InputError("dirt", f"must be among {list(DIRT_KINDS)}", value=unknown)
        self.kinds = frozenset(kinds)
        self.seed, self.months = rng, tuple(months)
        if len(self.months) < 2 and self.kinds & {"late_month", "schema_drift"}:
            raise InputError("dirt", "late_month and schema_drift need a panel of two months or more")
        self.late_month = self.months[-2] if "late_month" in self.kinds else None
        self.drift_month = self.months[-1] if "schema_drift" in self.kinds else None
        self.counts: Counter[str] = Counter({kind: 0 for kind in DIRT_KINDS if kind in self.kinds})
        """Kind -> how often it is in the text: rows written once more (duplicate_rows) or late (late_month), cells
        (mixed_types, bad_province, negative_seniority), columns (schema_drift: spelled otherwise or more;
        shuffled_columns: not in their place)."""
        self.columns: tuple[str, ...] = COLUMNS
        """The order of columns in every file."""
        if "shuffled_columns" in self.kinds:
            self.columns = tuple(np.random.default_rng([rng, 4]).permutation(COLUMNS).tolist())
            moved = sum(a != b for a, b in zip(self.columns, COLUMNS, strict=True))
            self.counts["shuffled_columns"] += moved
        if self.drift_month is not None:
            self.counts["schema_drift"] += len(DRIFTED) + 1

    def soil(self, table: pl.DataFrame, month: date) -> pl.DataFrame:
        """Raw text (columns `COLUMNS`) of some customers in `month` with the rows' dirt in it; copies come last."""
        kinds = self.kinds & set(SHARES)
        if not kinds:
            return table
        ids = _ids(table)
        m = self.months.index(month)
        u = uniform(ids, seed=self.seed, month=m, what=30)
        v = uniform(ids, seed=self.seed, month=m, what=31)
        chosen: dict[str, NDArray[np.bool_]] = {}
        low = 0.0
        for kind, share in SHARES.items():
            chosen[kind] = (u >= low) & (u < low + share)
            low += share
        if "mixed_types" in kinds:
            table = self._mix(table, chosen["mixed_types"])
        if "bad_province" in kinds:
            table = self._misplace(table, chosen["bad_province"], v)
        if "negative_seniority" in kinds:
            table = self._go_back(table, chosen["negative_seniority"], v)
        if "duplicate_rows" in kinds:
            again = table.filter(pl.Series(chosen["duplicate_rows"]))
            self.counts["duplicate_rows"] += len(again)
            table = pl.concat([table, again])
        return table

    def split_late(self, table: pl.DataFrame, month: date) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Rows that come in time, and those of the late file."""
        if month != self.late_month:
            return table, table.clear()
        m = self.months.index(month)
        late = pl.Series(uniform(_ids(table), seed=self.seed, month=m, what=32) < LATE_SHARE)
        self.counts["late_month"] += int(late.sum())
        return table.filter(~late), table.filter(late)

    def drift(self, table: pl.DataFrame) -> pl.DataFrame:
        """The table with the last file's columns."""
        on = uniform(_ids(table), seed=self.seed, month=len(self.months) - 1, what=33) < 0.05
        more = pl.Series(["0", "1"]).gather(pl.Series(on.astype(np.uint32))).alias(ADDED)
        return table.with_columns(more).rename(dict(DRIFTED))

    def _mix(self, table: pl.DataFrame, mask: NDArray[np.bool_]) -> pl.DataFrame:
        columns = []
        for name in MIXED:
            bare = table[name].str.strip_chars()
            fits = pl.Series(mask) & bare.is_in(["NA", "", str(LOST)]).not_()
            if name == "age":  # an impossible age is another kind's dirt
                fits &= (bare.cast(pl.Int64, strict=False) <= 120).fill_null(value=False)
            self.counts["mixed_types"] += int(fits.sum())
            columns.append((bare + ".0").zip_with(fits, table[name]).alias(name))
        return table.with_columns(columns)

    def _misplace(self, table: pl.DataFrame, mask: NDArray[np.bool_], v: NDArray[np.float64]) -> pl.DataFrame:
        code = table["cod_prov"]
        fits = pl.Series(mask) & (code != "NA")
        self.counts["bad_province"] += int(fits.sum())
        unknown = pl.Series(BAD_CODES).gather(
            pl.Series((v * 2 * len(BAD_CODES)).astype(np.uint32) % len(BAD_CODES))
        )
        next_one = code.str.strip_chars().cast(pl.Int64, strict=False) % 52 + 1
        bad = unknown.zip_with(pl.Series(v < 0.5), padded("cod_prov", next_one))
        return table.with_columns(bad.zip_with(fits, code).alias("cod_prov"))

    def _go_back(self, table: pl.DataFrame, mask: NDArray[np.bool_], v: NDArray[np.float64]) -> pl.DataFrame:
        there = table["antiguedad"]
        fits = pl.Series(mask) & ~there.str.ends_with("NA") & (there != str(LOST))
        self.counts["negative_seniority"] += int(fits.sum())
        number = np.where(v < 0.5, LOST, -1 - (v * 24).astype(np.int64))
        bad = padded("antiguedad", pl.Series(number))
        return table.with_columns(bad.zip_with(fits, there).alias("antiguedad"))


def _ids(table: pl.DataFrame) -> NDArray[np.int64]:
    return table[SANTANDER.id_column].str.strip_chars().cast(pl.Int64).to_numpy()

"""Dirt with a ledger: what goes wrong in real logs, put into a clean journal in known numbers.

The result is text, as a file would hold it, and says of each row what was done to it: so cleaning can
be checked against the truth. Knows no cleaning.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from nextbest.errors import InputError
from nextbest.tables import ITEM_ID, JOURNAL, TIME, USER_ID

Rng = int | np.random.Generator
CLEAN, CANCELLED = "clean", "cancelled"
MARK = "mark"


class DirtConfig(BaseModel, frozen=True, extra="forbid"):
    """How much of each kind, as a share of the clean rows; 0 = none."""

    exact_duplicate: float = Field(default=0.01, ge=0, le=0.5)
    """Rows written twice."""
    near_duplicate: float = Field(default=0.0, ge=0, le=0.5)
    """Rows written again one second later."""
    cancelled: float = Field(default=0.01, ge=0, le=0.5)
    """Purchases whose refund follows within days: negative pieces and amount, kind `refund`. Only purchases
    that the client makes once, so that the refund can't belong to another."""
    missing_user: float = Field(default=0.002, ge=0, le=0.5)
    """Further rows without a client; the same for `missing_item` and `missing_time`."""
    missing_item: float = Field(default=0.002, ge=0, le=0.5)
    missing_time: float = Field(default=0.002, ge=0, le=0.5)
    future_time: float = Field(default=0.002, ge=0, le=0.5)
    """Further rows dated a hundred years ahead."""
    unreadable_time: float = Field(default=0.001, ge=0, le=0.5)
    """Further rows dated the 31st of February."""
    unreadable_amount: float = Field(default=0.001, ge=0, le=0.5)
    """Further rows whose amount is a word."""
    comma_decimals: bool = False
    """Write every amount with a comma, `12,50`."""


FURTHER = (
    "exact_duplicate",
    "near_duplicate",
    "missing_user",
    "missing_item",
    "missing_time",
    "future_time",
    "unreadable_time",
    "unreadable_amount",
)
"""Kinds of dirt that add a row; `cancelled` adds a row marked `refund` and marks its purchase."""


@dataclass(frozen=True, eq=False)
class DirtyJournal:
    """A journal as a file would hold it, and the truth about it."""

    table: pl.DataFrame
    """Text columns of the journal's names. Rows stand where their clean original stood; copies follow it."""
    marks: pl.Series
    """What each row is: `clean`, `cancelled`, `refund`, or the kind of dirt."""

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each mark, all kinds named."""
        found = dict(self.marks.value_counts().iter_rows())
        return {name: int(found.get(name, 0)) for name in (CLEAN, CANCELLED, "refund", *FURTHER)}

    @property
    def n_true(self) -> int:
        """Purchases that really happened and stayed: what perfect cleaning keeps."""
        return self.counts[CLEAN]


def add_dirt(journal: pl.DataFrame, *, config: DirtConfig | None = None, rng: Rng = 0) -> DirtyJournal:
    """The journal as text, with known dirt.

    Parameters
    ----------
    journal
        A clean journal with `amount`, `quantity` and `kind`, such as `simulate_shop` gives. All rows of
        a client must be in it, or a refund may find another purchase.
    config
        Shares; None = the defaults.
    rng
        Seed or generator.

    Raises
    ------
    DataError
        The journal breaks its contract.
    InputError
        A column that dirt needs is missing.

    Notes
    -----
    Counts are round(share * rows), fewer only for `cancelled` where too few purchases are the client's
    only one of the item. Each row gets one kind at most.
    """
    JOURNAL.check(journal)
    if missing := [c for c in ("amount", "quantity", "kind") if c not in journal.columns]:
        raise InputError("journal", f"needs the columns {missing} to be dirtied")
    config = config or DirtConfig()
    gen = np.random.default_rng(rng)
    rows = journal.with_row_index("place").with_columns(pl.lit(CLEAN).alias(MARK), step=pl.lit(0))
    free = gen.permutation(len(rows))
    once = rows.select(pl.struct(USER_ID, ITEM_ID).is_unique()).to_series().to_numpy()
    bought = free[once[free]][: round(config.cancelled * len(rows))]
    free = free[~np.isin(free, bought)]
    parts = [_marked(rows, bought), _refunds(rows, bought, gen)]
    for kind in FURTHER:
        n = round(float(getattr(config, kind)) * len(rows))
        picked, free = free[:n], free[n:]
        parts.append(_copies(rows, picked, kind))
    table = pl.concat([_text(part, kind) for part, kind in _with_kinds(parts)]).sort("place", "step")
    if config.comma_decimals:
        table = table.with_columns(pl.col("amount").str.replace(".", ",", literal=True))
    return DirtyJournal(table.drop("place", "step", MARK), table[MARK].alias(MARK))


def _with_kinds(parts: list[pl.DataFrame]) -> list[tuple[pl.DataFrame, str]]:
    return list(zip(parts, (CLEAN, "refund", *FURTHER), strict=True))


def _marked(rows: pl.DataFrame, bought: NDArray[np.int64]) -> pl.DataFrame:
    """All rows, those that will be refunded marked."""
    mask = np.zeros(len(rows), np.bool_)
    mask[bought] = True
    return rows.with_columns(pl.when(pl.Series(mask)).then(pl.lit(CANCELLED)).otherwise(MARK).alias(MARK))


def _refunds(rows: pl.DataFrame, bought: NDArray[np.int64], gen: np.random.Generator) -> pl.DataFrame:
    """The refund of each of these purchases, one to five days later."""
    later = pl.Series(gen.integers(86_400, 5 * 86_400, len(bought)) * 1_000_000).cast(pl.Duration("us"))
    return rows[np.sort(bought)].with_columns(
        pl.lit("refund").alias(MARK),
        -pl.col("amount"),
        -pl.col("quantity"),
        pl.col(TIME) + later,
        kind=pl.lit("refund"),
        step=pl.lit(1),
    )


def _copies(rows: pl.DataFrame, picked: NDArray[np.int64], kind: str) -> pl.DataFrame:
    """Copies to be spoiled; but for exact ones each has its own second, so that it is no duplicate."""
    seconds = {"exact_duplicate": 0, "near_duplicate": 1}.get(kind, 7)
    shift = timedelta(seconds=seconds)
    if kind == "future_time":
        shift = timedelta(days=36_525)
    return rows[np.sort(picked)].with_columns(
        pl.lit(kind).alias(MARK), pl.col(TIME) + pl.lit(shift), step=pl.lit(1)
    )


def _text(part: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Every column as text, with the hole or the nonsense of this kind."""
    written = part.with_columns(
        pl.col(TIME).dt.strftime("%Y-%m-%d %H:%M:%S"),
        pl.col("quantity").cast(pl.Int64).cast(pl.String),
    ).with_columns(pl.exclude("place", "step").cast(pl.String))
    holes: dict[str, tuple[str, str | None]] = {
        "missing_user": (USER_ID, None),
        "missing_item": (ITEM_ID, None),
        "missing_time": (TIME, None),
        "unreadable_time": (TIME, "2025-02-31 12:00:00"),
        "unreadable_amount": ("amount", "по чеку"),
    }
    if kind not in holes:
        return written
    column, value = holes[kind]
    return written.with_columns(pl.lit(value, dtype=pl.String).alias(column))

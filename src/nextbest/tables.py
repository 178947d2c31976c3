"""Names, types, keys and order of every table that rooms hand to each other.

Holds no data and reads no file. A table is a `polars.DataFrame`; ids are the outside's own
(Int64 or String, one type in a column), times are `Datetime("us", "UTC")`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from nextbest.errors import DataError

USER_ID, ITEM_ID, TIME = "user_id", "item_id", "time"
TIME_DTYPE = pl.Datetime("us", "UTC")
ID_DTYPES = (pl.Int64(), pl.String())

TimeKind = Literal["real", "order", "none"]
"""What the `time` column of a journal means: moments, only the order inside each user, or nothing."""


@dataclass(frozen=True)
class TableSpec:
    """Columns of one table: what must be there, what may be, and the sort order it is kept in."""

    name: str
    required: Mapping[str, pl.DataType | None]
    """Column -> dtype; None means an id (Int64 or String)."""
    optional: Mapping[str, pl.DataType | None] = field(default_factory=dict)
    order: tuple[str, ...] = ()

    def check(self, table: pl.DataFrame) -> pl.DataFrame:
        """The same table, if every required column is there, non-null, and known columns have their type.

        Columns that the spec doesn't name are free context and pass.

        Raises
        ------
        DataError
            A required column is missing or null somewhere, or a known column has another type.
        """
        missing = [c for c in self.required if c not in table.columns]
        if missing:
            raise DataError(
                self.name, f"column(s) {missing} missing", remedy=f"the table has {table.columns[:20]}"
            )
        for column, dtype in {**self.required, **self.optional}.items():
            if column not in table.columns:
                continue
            found = table.schema[column]
            allowed = ID_DTYPES if dtype is None else (dtype,)
            if found not in allowed:
                raise DataError(
                    self.name, f"column {column!r} must be {' or '.join(map(str, allowed))}, is {found}"
                )
            if column in self.required and (n_null := table[column].null_count()):
                rows = table[column].is_null().arg_true().head(5).to_list()
                raise DataError(self.name, f"{column} must not be null", n_bad=n_null, examples=rows)
        return table


JOURNAL = TableSpec(
    "journal",
    required={USER_ID: None, ITEM_ID: None, TIME: TIME_DTYPE},
    optional={
        "amount": pl.Float64(),  # in `currency`
        "currency": pl.String(),  # ISO 4217
        "quantity": pl.Float64(),  # pieces; negative = returned
        "kind": pl.String(),  # purchase, play, view, ...
        "text": pl.String(),
        "mcc": pl.Int32(),  # ISO 18245
        "merchant": pl.String(),
    },
    order=(USER_ID, TIME),
)
QUARANTINE = TableSpec(
    "quarantine",
    required={
        "source": pl.String(),  # file or query
        "row": pl.Int64(),  # row number in the source, first data row = 1
        "reason": pl.String(),  # stable code of the step that rejected it
        "raw": pl.String(),  # the row as it was read, one JSON object
    },
    order=("source", "row"),
)
CATALOG = TableSpec(
    "catalog",
    required={ITEM_ID: None, "title": pl.String()},
    optional={"text": pl.String(), "category": pl.String(), "price": pl.Float64()},
    order=(ITEM_ID,),
)
CLIENTS = TableSpec("clients", required={USER_ID: None}, order=(USER_ID,))
RECOMMENDATIONS = TableSpec(
    "recommendations",
    required={USER_ID: None, ITEM_ID: None, "rank": pl.Int32(), "score": pl.Float32()},
    optional={"source": pl.String(), "reason": pl.String()},
    order=(USER_ID, "rank"),
)

# Portfolio: what investors hold and what it is worth. Ids are text, days are those of the exchange.
ASSETS = TableSpec(
    "assets",
    required={
        "asset_id": pl.String(),
        "title": pl.String(),
        "asset_class": pl.String(),  # equity, bond, gold, currency, deposit, ...
        "currency": pl.String(),  # ISO 4217, of its closes and dividends
    },
    optional={"sector": pl.String(), "country": pl.String()},
    order=("asset_id",),
)
ASSET_PRICES = TableSpec(
    "asset_prices",
    required={
        "asset_id": pl.String(),
        "day": pl.Date(),
        "close": pl.Float64(),  # as traded, not adjusted, in the asset's currency; > 0
    },
    optional={"volume": pl.Float64()},  # turnover in the asset's currency
    order=("asset_id", "day"),
)
FX = TableSpec(
    "fx",
    required={
        "currency": pl.String(),
        "day": pl.Date(),
        "rate": pl.Float64(),  # units of the book's base currency for one of `currency`; > 0
    },
    order=("currency", "day"),
)
TRADES = TableSpec(
    "trades",
    required={
        "trade_id": pl.String(),
        "client_id": pl.String(),
        "asset_id": pl.String(),
        "day": pl.Date(),
        "quantity": pl.Float64(),  # pieces of that day (splits before it are in); < 0 = sold
        "price": pl.Float64(),  # a piece, in `currency`, without fee; > 0
    },
    optional={
        "fee": pl.Float64(),  # in `currency`; >= 0
        "currency": pl.String(),  # without it the asset's
    },
    order=("client_id", "day", "trade_id"),
)
CASH_FLOWS = TableSpec(
    "cash_flows",
    required={
        "client_id": pl.String(),
        "day": pl.Date(),
        "amount": pl.Float64(),  # in `currency`; > 0 = money coming in
        "currency": pl.String(),
    },
    optional={
        "kind": pl.String()
    },  # deposit, withdrawal, transfer (external); interest, fee, tax, dividend (not)
    order=("client_id", "day"),
)
DIVIDENDS = TableSpec(
    "dividends",
    required={
        "asset_id": pl.String(),
        "day": pl.Date(),  # ex-day where known, else the record day
        "amount": pl.Float64(),  # on one piece of that day, before tax, in `currency`; > 0
        "currency": pl.String(),
    },
    order=("asset_id", "day"),
)
SPLITS = TableSpec(
    "splits",
    required={
        "asset_id": pl.String(),
        "day": pl.Date(),  # first day on which the new pieces trade
        "ratio": pl.Float64(),  # new pieces for one old; > 0
    },
    order=("asset_id", "day"),
)
BENCHMARKS = TableSpec(
    "benchmarks",
    required={
        "benchmark_id": pl.String(),
        "day": pl.Date(),
        "close": pl.Float64(),  # in the book's base currency, with dividends where the index has them; > 0
    },
    order=("benchmark_id", "day"),
)
INVESTORS = TableSpec(
    "investors",
    required={
        "client_id": pl.String(),
        "currency": pl.String(),  # in which the client counts
        "birth_year": pl.Int32(),
        "risk_tolerance": pl.Int32(),  # 1 (least) .. 5
        "risk_capacity": pl.Int32(),  # 1 .. 5: what loss the client can bear
        "knowledge": pl.Int32(),  # 1 .. 5
        "profiled_at": pl.Date(),  # day of the last questionnaire
    },
    optional={
        "income": pl.Float64(),  # a month, in `currency`
        "monthly_contribution": pl.Float64(),  # in `currency`
        "liquidity_need": pl.Float64(),  # share of wealth that may be needed within a year, 0..1
    },
    order=("client_id",),
)
GOALS = TableSpec(
    "goals",
    required={
        "client_id": pl.String(),
        "goal_id": pl.String(),
        "goal_type": pl.String(),  # retirement, home, education, reserve, wealth, ...
        "target_amount": pl.Float64(),  # in `currency` of today; > 0
        "currency": pl.String(),
        "horizon_years": pl.Float64(),  # from `profiled_at`; > 0
    },
    optional={"monthly_contribution": pl.Float64()},  # in `currency`
    order=("client_id", "goal_id"),
)

# Market: candles of one step, and what a model says of the bars to come.
PRICES = TableSpec(
    "prices",
    required={
        "asset_id": pl.String(),
        "time": TIME_DTYPE,  # the bar's open; a bar of day D opens at D 00:00 UTC
        "close": pl.Float64(),  # in the quote currency; > 0
    },
    optional={
        "open": pl.Float64(),  # these three: > 0, null where the source has closes only
        "high": pl.Float64(),
        "low": pl.Float64(),
        "volume": pl.Float64(),  # pieces traded; >= 0, null where not known
    },
    order=("asset_id", "time"),
)
FORECASTS = TableSpec(
    "forecasts",
    required={
        "asset_id": pl.String(),
        "cutoff": TIME_DTYPE,  # open of the last bar known
        "time": TIME_DTYPE,  # open of the bar forecast
        "q10": pl.Float64(),  # quantiles of the close at `time`, in the quote currency
        "q50": pl.Float64(),
        "q90": pl.Float64(),
    },
    optional={"mean": pl.Float64()},  # null where the model gives quantiles only
    order=("asset_id", "cutoff", "time"),
)

"""The kinds of table that a book takes: key, usual names of their columns, rules that one row alone can break.

A row that breaks a rule goes to quarantine under a stable code: `no_<column>` where a value is missing,
`bad_<column>` where it can't be read, else the code beside the rule. Rules that need other tables are in
`references` and `positions`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from nextbest.errors import InputError
from nextbest.tables import (
    ASSET_PRICES,
    ASSETS,
    BENCHMARKS,
    CASH_FLOWS,
    DIVIDENDS,
    FX,
    GOALS,
    INVESTORS,
    SPLITS,
    TRADES,
    TableSpec,
)

KindName = Literal[
    "assets",
    "fx",
    "asset_prices",
    "splits",
    "dividends",
    "benchmarks",
    "investors",
    "goals",
    "trades",
    "cash_flows",
]
_DAY = ("date", "timestamp", "time", "datetime", "trade_date", "tradedate", "дата")
_ASSET = ("asset", "isin", "ticker", "symbol", "secid", "security", "instrument", "assetid")
_CLIENT = (
    "client",
    "customer_id",
    "customerid",
    "customer",
    "investor_id",
    "investor",
    "user_id",
    "account_id",
)
_CLOSE = ("closeprice", "close_price", "adj_close", "price", "value", "last", "settle")
_CURRENCY = ("ccy", "cur", "currencyid", "currency_code")


@dataclass(frozen=True)
class Kind:
    """One kind of table."""

    name: KindName
    spec: TableSpec
    key: tuple[str, ...]
    """Columns that no two rows share."""
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Our column -> names it goes by outside, lower case; the first that is there is taken."""
    rules: tuple[tuple[str, pl.Expr], ...] = ()
    """Reason code and condition of the rows that break the rule."""
    not_future: tuple[str, ...] = ()
    """Day columns that may not lie after `now`."""
    wide: str | None = None
    """Column that a table of days x ids gives in its header; the cells are `value`."""
    value: str = ""
    conflict: str = "conflicting_row"
    """Reason of a row whose key is there already with other values."""

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """All columns with their types, the required first."""
        return {c: t for c, t in {**self.spec.required, **self.spec.optional}.items() if t is not None}


def _outside(column: str, low: float, high: float) -> pl.Expr:
    return ~pl.col(column).is_between(low, high)


_KINDS = (
    Kind(
        "assets",
        ASSETS,
        ("asset_id",),
        {
            "asset_id": _ASSET,
            "title": ("name", "assetname", "asset_name", "short_name"),
            "asset_class": ("class", "assetcategory", "asset_category", "category", "type"),
            "currency": _CURRENCY,
        },
    ),
    Kind(
        "fx",
        FX,
        ("currency", "day"),
        {"day": _DAY, "currency": _CURRENCY, "rate": ("close", "value", "price", "fx")},
        rules=(("not_positive_rate", pl.col("rate") <= 0),),
        not_future=("day",),
        wide="currency",
        value="rate",
    ),
    Kind(
        "splits",
        SPLITS,
        ("asset_id", "day"),
        {"asset_id": _ASSET, "day": (*_DAY, "ex_date"), "ratio": ("split", "split_ratio", "factor")},
        rules=(("not_positive_ratio", pl.col("ratio") <= 0),),
        not_future=("day",),
    ),
    Kind(
        "dividends",
        DIVIDENDS,
        ("asset_id", "day"),
        {
            "asset_id": _ASSET,
            "day": ("ex_date", "ex_day", "exdate", *_DAY, "record_date", "registry_close"),
            "amount": ("dividend", "value", "cash_amount"),
            "currency": _CURRENCY,
        },
        rules=(("not_positive_amount", pl.col("amount") <= 0),),
        not_future=("day",),
    ),
    Kind(
        "asset_prices",
        ASSET_PRICES,
        ("asset_id", "day"),
        {"asset_id": _ASSET, "day": _DAY, "close": _CLOSE, "volume": ("turnover", "value", "vol")},
        rules=(("not_positive_price", pl.col("close") <= 0), ("negative_volume", pl.col("volume") < 0)),
        not_future=("day",),
        wide="asset_id",
        value="close",
    ),
    Kind(
        "benchmarks",
        BENCHMARKS,
        ("benchmark_id", "day"),
        {"benchmark_id": ("benchmark", *_ASSET), "day": _DAY, "close": _CLOSE},
        rules=(("not_positive_price", pl.col("close") <= 0),),
        not_future=("day",),
        wide="benchmark_id",
        value="close",
    ),
    Kind(
        "investors",
        INVESTORS,
        ("client_id",),
        {
            "client_id": _CLIENT,
            "currency": _CURRENCY,
            "birth_year": ("year_of_birth", "born"),
            "profiled_at": ("lastquestionnairedate", "profile_date", "questionnaire_date"),
        },
        rules=(
            ("risk_out_of_range", _outside("risk_tolerance", 1, 5) | _outside("risk_capacity", 1, 5)),
            ("knowledge_out_of_range", _outside("knowledge", 1, 5)),
            ("birth_year_out_of_range", _outside("birth_year", 1890, 2100)),
            ("negative_income", (pl.col("income") < 0) | (pl.col("monthly_contribution") < 0)),
            ("liquidity_need_out_of_range", _outside("liquidity_need", 0, 1)),
        ),
        not_future=("profiled_at",),
    ),
    Kind(
        "goals",
        GOALS,
        ("client_id", "goal_id"),
        {"client_id": _CLIENT, "goal_id": ("goal",), "goal_type": ("type",), "currency": _CURRENCY},
        rules=(
            ("not_positive_target", pl.col("target_amount") <= 0),
            ("not_positive_horizon", pl.col("horizon_years") <= 0),
            ("negative_contribution", pl.col("monthly_contribution") < 0),
        ),
    ),
    Kind(
        "trades",
        TRADES,
        ("trade_id",),
        {
            "trade_id": ("id", "transaction_id", "transactionid", "order_id", "deal_id"),
            "client_id": _CLIENT,
            "asset_id": _ASSET,
            "day": _DAY,
            "quantity": ("units", "qty", "shares", "pieces", "amount"),
            "price": ("unit_price", "trade_price", "close"),
            "fee": ("commission", "fees"),
            "currency": _CURRENCY,
        },
        rules=(
            ("zero_quantity", pl.col("quantity") == 0),
            ("not_positive_price", pl.col("price") <= 0),
            ("negative_fee", pl.col("fee") < 0),
        ),
        not_future=("day",),
        conflict="conflicting_trade_id",
    ),
    Kind(
        "cash_flows",
        CASH_FLOWS,
        ("client_id", "day", "amount", "currency", "kind", "nth"),
        {
            "client_id": _CLIENT,
            "day": _DAY,
            "amount": ("value", "sum", "total"),
            "currency": _CURRENCY,
            "kind": ("type", "flow_type"),
        },
        rules=(("zero_amount", pl.col("amount") == 0),),
        not_future=("day",),
    ),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _KINDS}
"""By name, in the order in which they are imported: what others refer to first."""


def kind_of(name: str) -> Kind:
    """The kind of that name.

    Raises
    ------
    InputError
        There is none.
    """
    if name not in KINDS:
        raise InputError("kind", f"must be one of {list(KINDS)}", value=name)
    return KINDS[name]

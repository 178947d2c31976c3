"""A bank of six products, small enough to decide by hand, and its clients."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from nextbest.data.panel.schema import Attribute, PanelSchema, Product
from nextbest.pipeline.decisions.decide import decide
from nextbest.pipeline.decisions.decisions import Decisions
from nextbest.pipeline.decisions.policy import DecisionPolicy

BANK = PanelSchema(
    name="bank",
    id_column="id",
    month_column="month",
    products=(
        Product("acc", "Account", "Счёт", "account"),
        Product("sal", "Salary", "Зарплата", "payroll"),
        Product("pen", "Pension", "Пенсия", "payroll"),
        Product("card", "Card", "Карта", "card"),
        Product("loan", "Loan", "Кредит", "loan"),
        Product("jun", "Junior account", "Детский счёт", "account"),
    ),
    attributes=(
        Attribute("age", "integer", low=0, high=120),
        Attribute("res", "category", ("S", "N"), is_protected=True),
        Attribute("sex", "category", ("H", "V"), is_protected=True),
        Attribute("dead", "category", ("S", "N")),
        Attribute("rel", "category", ("A", "I", "P")),
        Attribute("emp", "category", ("N", "A", "F")),
        Attribute("seg", "category", ("top", "mass", "gone")),
        Attribute("income", "number", low=0),
        Attribute("active", "flag"),
        Attribute("since", "integer"),
        Attribute("prov", "category"),
        Attribute("chan", "category"),
    ),
    roles={
        "age": "age",
        "residence": "res",
        "sex": "sex",
        "deceased": "dead",
        "relation": "rel",
        "employee": "emp",
        "segment": "seg",
        "income": "income",
        "activity": "active",
        "seniority": "since",
        "region": "prov",
        "channel": "chan",
    },
)
COLUMNS = BANK.product_columns
MONTH = date(2016, 6, 28)
NOW = datetime(2016, 6, 1, tzinfo=UTC)
PLAIN: dict[str, Any] = {
    "age": 40,
    "res": "S",
    "sex": "V",
    "dead": "N",
    "rel": "A",
    "emp": "N",
    "seg": "mass",
    "income": 30_000.0,
    "active": True,
    "since": 24,
    "prov": "28",
    "chan": "KAT",
}
"""A client whom nothing forbids anything."""
TYPES: dict[str, Any] = {
    "age": pl.Int16,
    "income": pl.Float32,
    "active": pl.Boolean,
    "since": pl.Int32,
    "res": pl.Enum(["S", "N"]),
    "prov": pl.Categorical,
}


def policy(products: dict[str, Any] | None = None, **parts: Any) -> DecisionPolicy:
    """Every product open and worth 10, three places, two channels, nobody in control; `parts` replace."""
    named = {column: {"value": 10.0} for column in COLUMNS}
    for column, changes in (products or {}).items():
        named[column] = {"value": 10.0, **changes}
    raw: dict[str, Any] = {
        "version": "test-1",
        "panel": "bank",
        "currency": "EUR",
        "value_unit": "margin of a year",
        "channels": ["app", "mail"],
        "products": named,
        "control": {"share": 0.0},
    }
    return DecisionPolicy.model_validate(raw | parts)


def people(*changes: dict[str, Any]) -> pl.DataFrame:
    """One client for each dict, plain but for its changes."""
    rows = [PLAIN | change for change in changes]
    return pl.DataFrame(
        {
            name: pl.Series([row[name] for row in rows], dtype=TYPES.get(name, pl.String), strict=True)
            for name in PLAIN
        }
    )


def mask(*columns: str) -> int:
    """Products as bits."""
    return sum(1 << BANK.bit(column) for column in columns)


def masks(*held: Sequence[str]) -> np.ndarray:
    """A uint32 mask for each client."""
    return np.array([mask(*columns) for columns in held], np.uint32)


def shown(*rows: tuple[Any, ...], ids: type[pl.DataType] = pl.Int64) -> pl.DataFrame:
    """Contacts: (client, product, days before NOW[, outcome[, channel]])."""
    full = [(*row, *(None, "app")[len(row) - 3 :]) for row in rows]
    return pl.DataFrame(
        {
            "customer_id": pl.Series([r[0] for r in full], dtype=ids),
            "product": pl.Series([r[1] for r in full], dtype=pl.String),
            "time": pl.Series([NOW - timedelta(days=r[2]) for r in full], dtype=pl.Datetime("us", "UTC")),
            "outcome": pl.Series([r[3] for r in full], dtype=pl.String),
            "channel": pl.Series([r[4] for r in full], dtype=pl.String),
        }
    )


def decided(
    p: Sequence[Sequence[float]],
    policy: DecisionPolicy,
    *,
    held: Sequence[Sequence[str]] | None = None,
    attributes: pl.DataFrame | None = None,
    ids: Sequence[Any] | None = None,
    **options: Any,
) -> Decisions:
    """`decide` with a plain client for everything that isn't said."""
    n = len(p)
    return decide(
        np.array(p, np.float32).reshape(n, len(COLUMNS)),
        masks(*(held or [()] * n)),
        attributes=people(*[{}] * n) if attributes is None else attributes,
        client_ids=pl.Series(list(ids) if ids is not None else list(range(n)), dtype=None if n else pl.Int64),
        month=MONTH,
        policy=policy,
        schema=BANK,
        **options,
    )


def offers(decisions: Decisions, client: int = 0) -> list[str]:
    """Products offered to one client, best first."""
    return [COLUMNS[bit] for bit in decisions.product_NK[client].tolist() if bit >= 0]

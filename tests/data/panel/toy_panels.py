"""A bank small enough to check by eye: three products, a handful of clients, months of 2024."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from nextbest.data.panel.panel import Panel
from nextbest.data.panel.schema import Attribute, PanelSchema, Product
from nextbest.data.panel.store import PanelWriter

ACCOUNT, CARD, LOAN = 1, 2, 4
SCHEMA = PanelSchema(
    "toy",
    id_column="client",
    month_column="month",
    products=(
        Product("account", "Account", "Счёт", "account"),
        Product("card", "Card", "Карта", "card", may_be_missing=True),
        Product("loan", "Loan", "Кредит", "loan"),
    ),
    attributes=(
        Attribute("age", "integer", low=0, high=120, sentinels=("-1",)),
        Attribute("segment", "category", ("top", "rest")),
        Attribute("city", "category"),
        Attribute("income", "number", low=0),
        Attribute("active", "flag"),
        Attribute("joined", "date"),
    ),
    roles={"age": "age", "segment": "segment", "region": "city", "income": "income", "joined": "joined"},
)


def month(number: int, *, year: int = 2024) -> date:
    """The snapshot of a month."""
    return date(year, number, 28)


def attributes_of(n: int, *, age: int = 30) -> pl.DataFrame:
    """Attributes for n clients, all alike."""
    return pl.DataFrame(
        {
            "age": [age] * n,
            "segment": ["top"] * n,
            "city": ["Omsk"] * n,
            "income": [1000.5] * n,
            "active": [True] * n,
            "joined": [date(2020, 2, 3)] * n,
        }
    )


def write_panel(
    folder: Path, months: Mapping[date, Mapping[int, int]], *, schema: PanelSchema = SCHEMA
) -> Panel:
    """A panel of `{month: {client: mask}}`; a client's age in a month is the month's number."""
    with PanelWriter(folder, schema=schema) as writer:
        for when, clients in months.items():
            writer.append_month(
                when,
                list(clients),
                np.array(list(clients.values()), dtype=np.uint32),
                attributes_of(len(clients), age=when.month),
            )
        return writer.commit()

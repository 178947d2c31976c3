"""Small banks for the tests: panels on disk with everything that features must cope with."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from nextbest.data.panel.panel import Panel
from nextbest.data.panel.schema import SANTANDER, Attribute, PanelSchema, Product
from nextbest.data.panel.store import PanelWriter

N_PRODUCTS = len(SANTANDER.products)
MONTHS = tuple(SANTANDER.month_before(date(2016, 5, 28), n=n) for n in reversed(range(15)))
"""March 2015 to May 2016."""


def random_bank(
    folder: Path,
    *,
    n_customers: int = 160,
    months: Sequence[date] = MONTHS,
    rng: int = 0,
    flips: float = 0.12,
) -> Panel:
    """A bank of clients who come, go, flicker, share incomes, and miss values, at random.

    The last product changes hands with probability `flips` a month, the first hardly ever.
    """
    gen = np.random.default_rng(rng)
    first = np.where(gen.random(n_customers) < 0.7, 0, gen.integers(0, len(months), n_customers))
    last = np.where(gen.random(n_customers) < 0.8, len(months), gen.integers(1, len(months) + 1, n_customers))
    base = random_attributes(n_customers, gen)
    held_NP = gen.random((n_customers, N_PRODUCTS)) < 0.2
    with PanelWriter(folder) as writer:
        for place, month in enumerate(months):
            held_NP ^= gen.random((n_customers, N_PRODUCTS)) < np.linspace(flips / 60, flips, N_PRODUCTS)
            here = np.flatnonzero((first <= place) & (place < last) & (gen.random(n_customers) < 0.98))
            held_N = (held_NP[here] * (1 << np.arange(N_PRODUCTS))).sum(axis=1).astype(np.uint32)
            aged = base.with_columns(
                ind_actividad_cliente=pl.Series(gen.random(n_customers) < 0.5),
                tiprel_1mes=pl.Series(gen.choice(["A", "I", "P"], n_customers)),
                antiguedad=base["antiguedad"] + place,
            )
            writer.append_month(month, here * 3 + 11, held_N, aged[here])
        return writer.commit()


def random_attributes(n: int, gen: np.random.Generator) -> pl.DataFrame:
    """Attributes of the schema, with missing values, shared incomes and an outlier."""
    income = np.round(np.exp(gen.normal(11.5, 0.6, n)), 2)
    shared = gen.random(n) < 0.4
    income[shared] = income[gen.integers(0, max(n // 6, 1), shared.sum())]
    income[n // 2] = 9e7
    province = np.where(gen.random(n) < 0.4, "28", gen.choice(["8", "46", "15", "1"], n))
    columns: dict[str, pl.Series] = {
        "ind_empleado": pl.Series(gen.choice(["N", "A", "F"], n)),
        "pais_residencia": pl.Series(gen.choice(["ES", "FR"], n)),
        "sexo": pl.Series(gen.choice(["H", "V"], n)),
        "age": pl.Series(gen.integers(3, 100, n)),
        "fecha_alta": pl.Series([date(int(y), 3, 4) for y in gen.integers(1996, 2015, n)]),
        "ind_nuevo": pl.Series(gen.random(n) < 0.1),
        "antiguedad": pl.Series(gen.integers(0, 240, n)),
        "indrel": pl.Series(gen.choice(["1", "99"], n)),
        "ult_fec_cli_1t": pl.Series([date(2015, 7, 1)] * n),
        "indrel_1mes": pl.Series(gen.choice(["1", "3"], n)),
        "tiprel_1mes": pl.Series(gen.choice(["A", "I"], n)),
        "indresi": pl.Series(gen.choice(["S", "N"], n)),
        "indext": pl.Series(gen.choice(["S", "N"], n)),
        "conyuemp": pl.Series([None] * n, dtype=pl.String),
        "canal_entrada": pl.Series(gen.choice(["KHE", "KAT", "KFC", "KXX"], n, p=[0.5, 0.3, 0.19, 0.01])),
        "indfall": pl.Series(["N"] * n),
        "tipodom": pl.Series(["1"] * n),
        "cod_prov": pl.Series(province),
        "nomprov": pl.Series(["MADRID"] * n),
        "ind_actividad_cliente": pl.Series(gen.random(n) < 0.5),
        "renta": pl.Series(income),
        "segmento": pl.Series(gen.choice(["01 - TOP", "02 - PARTICULARES", "03 - UNIVERSITARIO"], n)),
    }
    frame = pl.DataFrame({name: columns[name] for name in SANTANDER.attribute_names})
    for name in ("renta", "cod_prov", "canal_entrada", "antiguedad", "age", "segmento"):
        frame = frame.with_columns(frame[name].set(pl.Series(gen.random(n) < 0.15), None))
    return frame


TOY = PanelSchema(
    name="toy",
    id_column="client",
    month_column="month",
    products=(
        Product("account", "Account", "Счёт", "account"),
        Product("wage", "Wage", "Зарплата", "payroll"),
        Product("pension", "Pension", "Пенсия", "payroll"),
    ),
    attributes=(
        Attribute("income", "number", low=0),
        Attribute("town", "category"),
        Attribute("channel", "category"),
        Attribute("age", "integer", low=0, high=120),
        Attribute("months", "integer", low=0, high=1200),
        Attribute("joined", "date"),
        Attribute("active", "flag"),
        Attribute("relation", "category", ("A", "I")),
        Attribute("rank", "category", ("low", "high")),
        Attribute("note", "category"),
        Attribute("constant", "category", ("1",)),
        Attribute("visit", "date"),
        Attribute("sex", "category", ("H", "V"), is_protected=True),
        Attribute("left", "date", leaks_departure=True),
    ),
    roles={
        "income": "income",
        "region": "town",
        "channel": "channel",
        "age": "age",
        "seniority": "months",
        "joined": "joined",
        "activity": "active",
        "relation": "relation",
        "sex": "sex",
    },
)
"""Three products, and one attribute of every sort that features treat in its own way."""
USUAL: dict[str, object] = {
    "income": 1000.0,
    "town": "Avila",
    "channel": "web",
    "age": 40,
    "months": 10,
    "joined": date(2015, 1, 1),
    "active": True,
    "relation": "A",
    "rank": "low",
    "note": "x",
    "constant": "1",
    "visit": date(2016, 1, 1),
    "sex": "H",
    "left": None,
}
JAN, FEB, MAR, APR, MAY = (date(2016, month, 28) for month in range(1, 6))
Client = tuple[int, int, dict[str, object]]
"""Id, mask of products, and the attributes that aren't the usual ones."""


def toy_bank(folder: Path, months: Mapping[date, Sequence[Client]]) -> Panel:
    """A bank of the toy schema, client by client."""
    with PanelWriter(folder, schema=TOY) as writer:
        for month, clients in months.items():
            frame = pl.DataFrame([USUAL | own for _, _, own in clients], schema=toy_types(), strict=False)
            masks = np.array([held for _, held, _ in clients], np.uint32)
            writer.append_month(month, [number for number, _, _ in clients], masks, frame)
        return writer.commit()


def toy_types() -> pl.Schema:
    return pl.Schema({a.name: pl.String() if a.kind == "category" else a.dtype for a in TOY.attributes})

"""A month of the panel as text, byte for byte in the style of `train_ver2.csv`, or typed for Parquet.

Style: integers padded to their column's width (` 35`, `      6`, ` 0`), `NA` padded likewise, income and
texts left empty where missing, province names always in quotes (they hold commas), the relation code as
`1` or `1.0`, one income in eight with a binary fraction's tail (`122179.11000000002`).
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.panel.schema import SANTANDER
from nextbest.simulate.panel import facts
from nextbest.simulate.panel.attributes import (
    PAYROLL_GAP,
    attributes_frame,
    joint_gap,
    lost_seniority,
    stated_age,
    uniform,
)
from nextbest.simulate.panel.people import Bools, Floats, People

Masks = NDArray[np.uint32]

WIDTH = {
    "ncodpers": 7,
    "age": 3,
    "ind_nuevo": 2,
    "antiguedad": 7,
    "indrel": 2,
    "tipodom": 2,
    "cod_prov": 2,
    "ind_actividad_cliente": 2,
    "ind_nomina_ult1": 2,
    "ind_nom_pens_ult1": 2,
}
"""Columns of padded integers."""
COLUMNS = (
    SANTANDER.month_column,
    SANTANDER.id_column,
    *SANTANDER.attribute_names,
    *SANTANDER.product_columns,
)
"""Columns in the file's order."""
QUOTED = "nomprov"
"""The column whose values stand in quotes, missing ones too."""
LOST = -999_999
"""What stands for a lost seniority."""
DECIMAL_SHARE = 9_133_383 / (9_133_383 + 4_357_298)
"""Share of relation codes written with a point."""
TAIL_SHARE = 1 / 8
"""Share of incomes that carry a tail."""
_PAYROLLS = tuple(product.column for product in SANTANDER.products if product.may_be_missing)


def header(columns: tuple[str, ...]) -> bytes:
    """The first line of a file."""
    return (",".join(f'"{name}"' for name in columns) + "\n").encode()


def csv_lines(text: pl.DataFrame) -> bytes:
    """Rows of a raw table as lines of the file, without the header."""
    quoted = text.with_columns(('"' + text[QUOTED] + '"').alias(QUOTED))
    return quoted.write_csv(include_header=False, quote_style="never").encode()


def raw_text(people: People, month: int, *, held: Masks, active: Bools, seed: int) -> pl.DataFrame:
    """Text of every cell of customers present in `month`, one row each in their order.

    Parameters
    ----------
    people
        The N customers.
    month
        0..16.
    held, active
        Their masks and activity of the month. Shape (N,).
    seed
        The panel's.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, all String, none null: what stands between the file's commas, quotes taken off.

    Notes
    -----
    Reading it back gives `attributes_frame` and `held`: `NA` in both payroll columns stands only where
    neither is held, an impossible age and a lost seniority only where the frame has null.
    """
    ids = people.customer_id
    typed = attributes_frame(people, month, active=active, seed=seed)
    columns = {
        SANTANDER.month_column: pl.repeat(facts.MONTHS[month].isoformat(), len(ids), eager=True),
        SANTANDER.id_column: padded("ncodpers", pl.Series(ids)),
    }
    for name in SANTANDER.attribute_names:
        values = typed[name]
        if name == "age":
            gap = joint_gap(ids, seed=seed)
            values = pl.Series(stated_age(people, month)).set(pl.Series(gap), None)
        elif name == "antiguedad":
            values = _stated_seniority(values, ids, seed=seed)
        elif name == "renta":
            values = pl.Series(with_tails(people.income)).set(values.is_null(), None)
        elif name == "indrel_1mes":
            values = _mixed(values.cast(pl.String), ids, month, seed=seed)
        elif values.dtype == pl.Boolean:
            values = values.cast(pl.Int8)
        columns[name] = padded(name, values) if name in WIDTH else values.cast(pl.String).fill_null("")
    missing = payroll_gap(ids, held, month, seed=seed)
    for bit, column in enumerate(SANTANDER.product_columns):
        width = WIDTH.get(column, 1)
        words = pl.Series(["0".rjust(width), "1".rjust(width), "NA".rjust(width)])
        code = (held >> np.uint32(bit)) & np.uint32(1)
        columns[column] = words.gather(pl.Series(np.where(missing, 2, code) if column in _PAYROLLS else code))
    return pl.DataFrame(columns)


def raw_typed(people: People, month: int, *, held: Masks, active: Bools, seed: int) -> pl.DataFrame:
    """The same rows typed: days, integers, truths and texts; both payrolls null where the text has `NA`.

    A lost seniority is -999999 as in the text; an impossible age is missing. Products are Int8, 0 or 1.
    """
    ids = people.customer_id
    typed = attributes_frame(people, month, active=active, seed=seed)
    texts = pl.selectors.by_dtype(pl.Enum).cast(pl.String)
    frame = typed.with_columns(texts, antiguedad=_stated_seniority(typed["antiguedad"], ids, seed=seed))
    frame = frame.insert_column(0, pl.Series(SANTANDER.id_column, ids))
    frame = frame.insert_column(
        0, pl.repeat(facts.MONTHS[month], len(ids), dtype=pl.Date, eager=True).alias(SANTANDER.month_column)
    )
    missing = pl.Series(payroll_gap(ids, held, month, seed=seed))
    products = []
    for bit, column in enumerate(SANTANDER.product_columns):
        values = pl.Series(column, ((held >> np.uint32(bit)) & np.uint32(1)).astype(np.int8))
        products.append(values.set(missing, None) if column in _PAYROLLS else values)
    return frame.hstack(products)


def payroll_gap(ids: NDArray[np.int64], held: Masks, month: int, *, seed: int) -> Bools:
    """Rows in which both payroll columns are missing; only where neither is held."""
    both = np.uint32(sum(1 << SANTANDER.bit(column) for column in _PAYROLLS))
    free = 1 - facts.PREVALENCE[facts.PRODUCT["nom_pens"]]
    drawn = uniform(ids, seed=seed, month=month, what=21) < PAYROLL_GAP / free
    return np.asarray(drawn & ((held & both) == 0))


def with_tails(income: Floats) -> Floats:
    """Incomes, some moved by the smallest step a double knows: equal incomes stay equal."""
    cents = np.round(income * 100).astype(np.uint64)
    with np.errstate(over="ignore"):
        mixed = (cents * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    moved = np.nextafter(income, np.where(mixed % 2 == 0, np.inf, -np.inf))
    return np.asarray(np.where(mixed < TAIL_SHARE * 2**32, moved, income))


def padded(column: str, values: pl.Series) -> pl.Series:
    """Text of a column of `WIDTH`; missing is `NA`, padded."""
    return values.cast(pl.String).fill_null("NA").str.pad_start(WIDTH[column])


def _stated_seniority(values: pl.Series, ids: NDArray[np.int64], *, seed: int) -> pl.Series:
    """Months with the bank as the file states them, `LOST` where they were lost; null in the joint gap."""
    lost = lost_seniority(ids, seed=seed) & ~joint_gap(ids, seed=seed)
    return values.cast(pl.Int32).set(pl.Series(lost), LOST)


def _mixed(codes: pl.Series, ids: NDArray[np.int64], month: int, *, seed: int) -> pl.Series:
    """Codes, the numbers among them with a point or without, as two exports of one table would."""
    point = pl.Series(uniform(ids, seed=seed, month=month, what=20) < DECIMAL_SHARE) & (codes != "P")
    return (codes + ".0").zip_with(point.fill_null(value=False), codes)

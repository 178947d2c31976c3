"""UCI Online Retail, I and II: invoice lines of a British gift wholesaler, as CSV or Parquet.

Cancelled invoices (`C...`) and negative quantities are returns. Stock codes that are postage, fees,
discounts and the like are no products and are rejected as `not_a_product`. The titles of the
catalog are the most frequent description of each code.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from nextbest.data.cleaning.values import read_numbers
from nextbest.data.sources.base import Chunk, Input, Job, Source
from nextbest.data.sources.columnar import Frame
from nextbest.data.sources.opening import open_file
from nextbest.errors import DataError

_NAMES = {
    "user_id": ("CustomerID", "Customer ID"),
    "item_id": ("StockCode",),
    "time": ("InvoiceDate",),
    "quantity": ("Quantity",),
    "text": ("Description",),
    "invoice": ("InvoiceNo", "Invoice"),
    "unit_price": ("UnitPrice", "Price"),
    "country": ("Country",),
}
NOT_PRODUCTS = (
    r"(?i)^(POST|DOT|M|D|S|B|C2|C3|CRUK|PADS?|BANK CHARGES|AMAZONFEE|ADJUST\d?|GIFT|GIFT_.*|TEST\d*|SP\d+)$"
)
"""Stock codes (any case) of postage, carriage, manual entries, discounts, samples, bad debt, fees, vouchers."""


def plan(paths: Sequence[Path]) -> Job:
    """Every file that has the columns of invoice lines.

    Raises
    ------
    DataError
        No file has them.
    """
    journal, catalog = [], []
    for path in paths:
        source = open_file(path)
        columns = source.columns()
        mapping = {ours: c for ours, names in _NAMES.items() for c in names if c in columns}
        if {"user_id", "item_id", "time", "quantity", "invoice", "unit_price"} <= mapping.keys():
            no_product = (
                pl.col(mapping["item_id"]).cast(pl.String).str.strip_chars().str.contains(NOT_PRODUCTS)
            )
            journal.append(Input(source, mapping, derive=_lines, reject=(("not_a_product", no_product),)))
            catalog.append(Input(_Titles(source, mapping)))
    if not journal:
        raise DataError(
            ", ".join(map(str, paths)),
            "no UCI Online Retail lines found",
            remedy="needed: " + ", ".join(" or ".join(names) for names in _NAMES.values()),
        )
    settled = {"day_first": False, "time_zone": "Europe/London"}
    return Job(tuple(journal), tuple(catalog), cleaning=settled)


def _lines(table: pl.DataFrame) -> pl.DataFrame:
    """Amount of the line in pounds, codes in one case, cancellations by kind."""
    quantity, _ = read_numbers(table["quantity"])
    price, _ = read_numbers(table["unit_price"])
    cancelled = pl.col("invoice").cast(pl.String).str.strip_chars().str.to_uppercase().str.starts_with("C")
    return table.with_columns(
        (quantity * price).round(4).alias("amount"),
        pl.lit("GBP").alias("currency"),
        pl.when(cancelled).then(pl.lit("cancellation")).otherwise(pl.lit("purchase")).alias("kind"),
        pl.col("item_id").cast(pl.String).str.strip_chars().str.to_uppercase(),
        pl.col("invoice").cast(pl.String),
    )


class _Titles:
    """The catalog that the lines imply: most frequent description and median price of each code."""

    is_text = False

    def __init__(self, source: Source, mapping: dict[str, str]) -> None:
        self._source, self._mapping, self.name = source, mapping, f"{source.name}#titles"

    def columns(self) -> list[str]:
        return ["item_id", "title", "price"]

    def size_hint(self) -> int | None:
        return None

    def chunks(self) -> Iterator[Chunk]:
        counts = []
        for chunk in self._source.chunks():
            table = chunk.table
            price, _ = read_numbers(table[self._mapping["unit_price"]])
            rows = pl.DataFrame(
                {
                    "item_id": table[self._mapping["item_id"]]
                    .cast(pl.String)
                    .str.strip_chars()
                    .str.to_uppercase(),
                    "title": table[self._mapping["text"]].cast(pl.String).str.strip_chars(),
                    "price": price,
                }
            )
            counts.append(
                rows.filter(
                    pl.col("title").is_not_null()
                    & (pl.col("price") > 0)
                    & ~pl.col("item_id").str.contains(NOT_PRODUCTS)
                )
            )
        rows = (
            pl.concat(counts) if counts else pl.DataFrame(schema={"item_id": pl.String, "title": pl.String})
        )
        if not len(rows):
            return
        titles = (
            rows.group_by("item_id", "title")
            .len()
            .sort("item_id", "len", "title", descending=[False, True, False])
        )
        titles = titles.unique("item_id", keep="first", maintain_order=True).select("item_id", "title")
        prices = rows.group_by("item_id").agg(pl.col("price").median())
        yield from Frame(titles.join(prices, on="item_id", how="left").sort("item_id")).chunks()

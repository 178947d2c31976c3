"""H&M: `transactions_train.csv`, `articles.csv`, `customers.csv`, told apart by their columns.

A day is all that is known of a time. Equal rows are several pieces of one article, so they are no
duplicates. Prices are scaled by the publisher and carry no currency.
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nextbest.data.sources.base import Input, Job
from nextbest.data.sources.opening import open_file
from nextbest.errors import DataError


def plan(paths: Sequence[Path]) -> Job:
    """Transactions, articles and customers among the files; others are left alone.

    Raises
    ------
    DataError
        No file of transactions is among them.
    """
    journal, catalog, clients = [], [], []
    for path in paths:
        source = open_file(path)
        columns = set(source.columns())
        if {"t_dat", "customer_id", "article_id"} <= columns:
            mapping = {"user_id": "customer_id", "item_id": "article_id", "time": "t_dat", "amount": "price"}
            journal.append(Input(source, mapping, derive=_ten_digits))
        elif {"article_id", "prod_name"} <= columns:
            mapping = {"item_id": "article_id", "title": "prod_name"}
            if "detail_desc" in columns:
                mapping["text"] = "detail_desc"
            if "product_type_name" in columns:
                mapping["category"] = "product_type_name"
            catalog.append(Input(source, mapping, derive=_ten_digits))
        elif "customer_id" in columns:
            clients.append(Input(source, {"user_id": "customer_id"}))
    if not journal:
        raise DataError(
            ", ".join(map(str, paths)),
            "no H&M transactions (columns t_dat, customer_id, article_id) found",
        )
    return Job(tuple(journal), tuple(catalog), tuple(clients), cleaning={"exact_duplicates": False})


def _ten_digits(table: pl.DataFrame) -> pl.DataFrame:
    """Article ids as the publisher writes them: tools that read them as numbers drop the zeros in front."""
    return table.with_columns(pl.col("item_id").cast(pl.String).str.zfill(10))

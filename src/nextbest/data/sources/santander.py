"""Santander product recommendation: `train_ver2.csv`, 24 products of 956,645 clients over 17 months.

A panel, not a journal: `nextbest.data.panel.reading.ingest_panel` reads it. Kaggle's `test_ver2.csv`
(clients of June 2016 without products) is not part of the panel.
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nextbest.data.panel.schema import SANTANDER
from nextbest.data.sources.base import Source
from nextbest.data.sources.opening import Readable, find_files, open_file, open_sources
from nextbest.errors import DataError


def panel_sources(inputs: Readable | Sequence[Readable]) -> list[Source]:
    """The panel's sources; of a folder only the files that hold it.

    Raises
    ------
    DataError
        A folder holds no file of the panel, or a file can't be opened.
    """
    items = [inputs] if isinstance(inputs, str | Path | pl.DataFrame) else list(inputs)
    sources: list[Source] = []
    for item in items:
        if isinstance(item, pl.DataFrame) or "://" in str(item) or not Path(item).is_dir():
            sources.extend(open_sources(item))
            continue
        found = [source for source in map(open_file, find_files(item)) if is_panel(source)]
        if not found:
            raise DataError(
                str(item),
                "the folder holds no file with the panel's columns",
                remedy="name the folder with train_ver2.csv (.csv, .csv.gz, .zip or .parquet)",
            )
        sources.extend(found)
    return sources if sources else open_sources(items)


def is_panel(source: Source) -> bool:
    """Whether a source has the panel's keys and products."""
    there = {name.strip().casefold() for name in source.columns()}
    needed = {SANTANDER.id_column, SANTANDER.month_column, *SANTANDER.product_columns}
    return needed <= there

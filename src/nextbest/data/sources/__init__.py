"""Where rows come from: general readers, and one adapter per known format."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import polars as pl

from nextbest.data.sources.base import Input, Job
from nextbest.data.sources.opening import Readable, find_files, open_sources
from nextbest.errors import InputError

ADAPTERS: dict[str, str] = {
    "amazon_sequences": "files of `user item` or `user item item ...` lines in time order, without times",
    "hm": "H&M: transactions_train.csv, articles.csv, customers.csv or their folder",
    "movielens": "MovieLens 1M (ratings.dat), 100K (u.data) or .inter files, or their folder",
    "steam_200k": "Steam-200k: steam-200k.csv, or steam.zip with game_purchase.dat",
    "uci_online_retail": "UCI Online Retail I or II as CSV or Parquet",
}
"""Known formats, by the name that `ingest(source=...)` takes, with what they are."""
PANELS: dict[str, str] = {"santander": "Santander product recommendation: train_ver2.csv"}
"""Known panels of products by month, which `nextbest.data.panel.reading.ingest_panel` reads."""


def plan(
    inputs: Readable | Sequence[Readable],
    *,
    mapping: Mapping[str, str] | None = None,
    source: str | None = None,
    catalog: Readable | None = None,
    clients: Readable | None = None,
    catalog_mapping: Mapping[str, str] | None = None,
    clients_mapping: Mapping[str, str] | None = None,
) -> Job:
    """Open everything that one ingest reads; a companion that is named replaces the format's own.

    Raises
    ------
    InputError
        The format isn't known, is given a mapping, or is asked to read something else than files.
    DataError
        A file is missing, broken or of another format.
    """
    if source is None:
        job = Job(tuple(Input(s, mapping) for s in open_sources(inputs)))
    else:
        job = _known(source, inputs, mapping)
    if catalog is not None:
        job = replace(job, catalog=tuple(Input(s, catalog_mapping) for s in open_sources(catalog)))
    if clients is not None:
        job = replace(job, clients=tuple(Input(s, clients_mapping) for s in open_sources(clients)))
    return job


def _known(source: str, inputs: Readable | Sequence[Readable], mapping: Mapping[str, str] | None) -> Job:
    if source in PANELS:
        raise InputError(
            "source",
            f"{source} is a panel, not a journal",
            remedy="nextbest.data.panel.reading.ingest_panel reads it",
        )
    if source not in ADAPTERS:
        raise InputError("source", f"must be one of {sorted(ADAPTERS)}", value=source)
    if mapping:
        raise InputError("mapping", f"the format {source} knows its columns; leave out the one or the other")
    items = [inputs] if isinstance(inputs, str | Path | pl.DataFrame) else list(inputs)
    if not items:
        raise InputError("inputs", "must name at least one file or folder")
    paths: list[Path] = []
    for item in items:
        if isinstance(item, pl.DataFrame) or "://" in str(item):
            raise InputError("inputs", f"the format {source} is read from files or folders")
        paths.extend(find_files(item))
    job: Job = import_module(f"nextbest.data.sources.{source}").plan(paths)
    return job

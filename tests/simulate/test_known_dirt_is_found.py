"""Ingest against the truth: cleaning finds every row of dirt, by its reason, and keeps every real purchase."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from nextbest.data.cleaning import CleaningConfig
from nextbest.data.ingest import ingest
from nextbest.data.store import Workspace
from nextbest.simulate import DirtConfig, simulate_shop, write_shop

REASONS = {
    "exact_duplicate": "duplicate",
    "near_duplicate": "near_duplicate",
    "missing_user": "missing_user_id",
    "missing_item": "missing_item_id",
    "missing_time": "missing_time",
    "future_time": "time_in_future",
    "unreadable_time": "time_unreadable",
    "unreadable_amount": "amount_unreadable",
    "cancelled": "cancelled_purchase",
    "refund": "cancellation",
}
"""Kind in the ledger -> reason in the quarantine."""


@pytest.mark.parametrize("comma", [False, True])
def test_every_kind_of_dirt_is_found_and_nothing_else(tmp_path: Path, comma: bool) -> None:
    dirt = DirtConfig(
        exact_duplicate=0.02,
        near_duplicate=0.02,
        cancelled=0.02,
        unreadable_amount=0.01,
        unreadable_time=0.01,
        comma_decimals=comma,
    )
    files = write_shop(tmp_path / "shop", scale=0.002, n_days=60, events_per_user=10, dirt=dirt)
    report = ingest(
        tmp_path / "store",
        files.journal,
        mapping=dict(pair.split("=") for pair in files.mapping),
        catalog=files.catalog,
        clients=files.clients,
        config=CleaningConfig(near_duplicates_s=2, now=datetime(2026, 1, 1, tzinfo=UTC)),
    )
    marks = pl.read_json(files.ledger)["marks"].struct.unnest().row(0, named=True)
    found: dict[str, int] = {}
    for step in report.to_dict()["steps"]:
        for reason, n in step["reasons"].items():
            found[reason] = found.get(reason, 0) + n
    assert found == {REASONS[kind]: n for kind, n in marks.items() if kind != "clean"}
    assert report.stored == marks["clean"]
    assert report.read == report.stored + report.quarantined

    clean = simulate_shop(n_users=200, n_items=447, n_days=60, events_per_user=10)
    kept = Workspace(tmp_path / "store").journal(["user_id", "item_id", "time", "amount"]).collect()
    ids = pl.col("user_id").cast(pl.Int64)
    really = clean.journal.select(kept.columns)
    assert len(kept.with_columns(ids).join(really, on=kept.columns, how="anti")) == 0

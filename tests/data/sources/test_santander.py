"""Which files of the competition are its panel."""

from pathlib import Path

import duckdb
import polars as pl
import pytest

from data.panel.raw_files import HEADER, row, write_raw
from nextbest.data.ingest import ingest
from nextbest.data.panel.reading import ingest_panel
from nextbest.data.panel.schema import SANTANDER, SCHEMAS
from nextbest.data.sources import PANELS
from nextbest.data.sources.santander import is_panel, panel_sources
from nextbest.errors import DataError, InputError


def test_the_competitions_test_file_is_told_apart(tmp_path: Path) -> None:
    header = [name for name in HEADER if not name.endswith("ult1")]
    file = write_raw(tmp_path / "test_ver2.csv", [row(1)], header=header)
    with pytest.raises(DataError, match="no product column"):
        ingest_panel(file, tmp_path / "panel")


def test_of_a_folder_only_panel_files_are_read(tmp_path: Path) -> None:
    raw = tmp_path / "kaggle"
    raw.mkdir()
    write_raw(raw / "train_ver2.csv", [row(1)])
    write_raw(raw / "test_ver2.csv", [row(2)], header=HEADER[:24])
    (raw / "sample_submission.csv").write_text("ncodpers,added_products\n1,x\n")
    assert ingest_panel(raw, tmp_path / "panel").read == 1
    (raw / "train_ver2.csv").unlink()
    with pytest.raises(DataError, match="train_ver2"):
        ingest_panel(raw, tmp_path / "panel")


def test_files_folders_tables_and_databases_are_taken_together_in_their_order(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    write_raw(raw / "train_ver2.csv", [row(1)])
    pl.DataFrame([row(3)]).write_parquet(tmp_path / "more.parquet")
    with duckdb.connect(str(tmp_path / "bank.duckdb")) as base:
        base.execute(f"CREATE TABLE panel AS SELECT * FROM read_parquet('{tmp_path / 'more.parquet'}')")
    url = f"duckdb:///{tmp_path / 'bank.duckdb'}?table=panel"
    sources = panel_sources([raw, tmp_path / "more.parquet", pl.DataFrame([row(4)]), url])
    assert [sum(len(chunk.table) for chunk in source.chunks()) for source in sources] == [1, 1, 1, 1]
    assert all(is_panel(source) for source in sources)


def test_nothing_named_is_a_wrong_call() -> None:
    with pytest.raises(InputError, match="at least one"):
        panel_sources([])


def test_the_journals_ingest_says_that_a_panel_is_none_of_its(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ingest_panel"):
        ingest(tmp_path, pl.DataFrame([row(1)]), source="santander")


def test_every_known_panel_has_a_schema() -> None:
    assert set(PANELS) == set(SCHEMAS)


def test_the_schema_describes_the_48_columns_of_the_file() -> None:
    wanted = {SANTANDER.id_column, SANTANDER.month_column, *SANTANDER.attribute_names}
    assert wanted | set(SANTANDER.product_columns) == set(HEADER)
    assert len(HEADER) == 48

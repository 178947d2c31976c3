"""The files of a simulated shop: names, sizes, a ledger that is right, and both formats."""

import json
from pathlib import Path

import polars as pl
import pytest

from nextbest.errors import ExternalError, InputError
from nextbest.simulate import DirtConfig, simulate_shop, write_shop
from nextbest.simulate import shop as shop_module


def test_scale_sets_clients_and_items(tmp_path: Path) -> None:
    files = write_shop(tmp_path / "new" / "shop", scale=0.0004, n_days=20, events_per_user=4)
    assert [path.exists() for path in files] == [True] * 4
    assert len(pl.read_csv(files.clients)) == 40
    assert len(pl.read_csv(files.catalog)) == 200


def test_the_journal_has_the_columns_that_the_mapping_names(tmp_path: Path) -> None:
    files = write_shop(tmp_path, scale=0.0002, n_days=20, events_per_user=4)
    header = pl.read_csv(files.journal, infer_schema=False).columns
    assert header == [
        "client", "product", "moment", "sum", "currency", "pieces", "operation", "mcc_code", "shop", "channel",
    ]  # fmt: skip
    assert {pair.split("=")[1] for pair in files.mapping} <= set(header)
    assert "user_id=client" in files.mapping


def test_the_ledger_counts_the_rows_that_are_there(tmp_path: Path) -> None:
    files = write_shop(tmp_path, scale=0.001, n_days=30, events_per_user=10)
    ledger = json.loads(files.ledger.read_text(encoding="utf-8"))
    table = pl.read_csv(files.journal, infer_schema=False)
    assert ledger["rows"] == len(table) == sum(ledger["marks"].values())
    assert ledger["marks"]["missing_user"] == table["client"].null_count() > 0
    assert ledger["marks"]["refund"] == (table["operation"] == "refund").sum() > 0


@pytest.mark.parametrize("dirt", [None, DirtConfig()])
def test_csv_and_parquet_hold_the_same_rows(tmp_path: Path, dirt: DirtConfig | None) -> None:
    csv = write_shop(tmp_path / "a", scale=0.0005, n_days=20, events_per_user=4, dirt=dirt)
    parquet = write_shop(
        tmp_path / "b", scale=0.0005, n_days=20, events_per_user=4, dirt=dirt, format="parquet"
    )
    written = pl.read_csv(csv.journal, infer_schema=False)
    parts = pl.read_parquet(parquet.journal / "*.parquet")
    assert len(written) == len(parts)
    assert written["client"].equals(parts["client"].cast(pl.String))
    assert written["sum"].null_count() == parts["sum"].null_count()


def test_without_dirt_the_file_is_the_simulated_shop(tmp_path: Path) -> None:
    files = write_shop(tmp_path, scale=0.0005, n_days=20, events_per_user=4, dirt=None, format="parquet")
    same = simulate_shop(n_users=50, n_items=224, n_days=20, events_per_user=4)
    written = pl.read_parquet(files.journal / "*.parquet")
    assert written["client"].equals(same.journal["user_id"].alias("client"))
    assert written["moment"].equals(same.journal["time"].alias("moment"))


def test_writing_again_replaces_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop_module, "BLOCK", 10)
    for form, pattern in (("csv", "journal.csv"), ("parquet", "journal/*.parquet")):
        write_shop(tmp_path, scale=0.0004, n_days=20, events_per_user=4, format=form)  # type: ignore[arg-type]
        files = write_shop(tmp_path, scale=0.0002, n_days=20, events_per_user=4, format=form)  # type: ignore[arg-type]
        read = pl.read_csv if form == "csv" else pl.read_parquet
        rows = json.loads(files.ledger.read_text(encoding="utf-8"))["rows"]
        assert sum(len(read(path)) for path in tmp_path.glob(pattern)) == rows
        assert len(pl.read_csv(files.clients)) == 20


def test_the_same_rng_writes_the_same_bytes(tmp_path: Path) -> None:
    one, two, other = (
        write_shop(tmp_path / str(i), scale=0.0002, n_days=20, events_per_user=4, rng=r)
        for i, r in enumerate((7, 7, 8))
    )
    assert one.journal.read_bytes() == two.journal.read_bytes() != other.journal.read_bytes()


def test_progress_is_shown_on_standard_error_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shop(tmp_path, scale=0.0002, n_days=20, events_per_user=4)
    assert capsys.readouterr() == ("", "")
    write_shop(tmp_path, scale=0.0002, n_days=20, events_per_user=4, progress=True)
    out, err = capsys.readouterr()
    assert (out, "simulate" in err) == ("", True)


def test_a_folder_that_is_a_file_is_an_outside_problem(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("in the way", encoding="utf-8")
    with pytest.raises(ExternalError, match="disk"):
        write_shop(tmp_path / "shop", scale=0.0002, n_days=5, events_per_user=2)


def test_a_wrong_call_names_its_rule(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="scale"):
        write_shop(tmp_path, scale=0)
    with pytest.raises(InputError, match="format"):
        write_shop(tmp_path, scale=1, format="xlsx")  # type: ignore[arg-type]

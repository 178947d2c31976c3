"""The workspace: commits, re-runs, readers and writers, killed and starved processes."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nextbest.data import ingest as ingest_module
from nextbest.data.cleaning import CleaningConfig
from nextbest.data.ingest import ingest, read_journal
from nextbest.data.locking import writer_lock
from nextbest.data.store import Workspace
from nextbest.errors import ArtifactError, DataError, ExternalError, InputError

JAN = [datetime(2024, 1, day, tzinfo=UTC) for day in range(1, 32)]


def journal(*events: tuple[Any, Any, int], **columns: list[Any]) -> pl.DataFrame:
    """Events `(user, item, day of January)`."""
    return pl.DataFrame(
        {
            "user_id": [u for u, _, _ in events],
            "item_id": [i for _, i, _ in events],
            "time": [JAN[d - 1] for _, _, d in events],
            **columns,
        }
    )


ABC = journal((1, 10, 1), (2, 20, 2), (1, 30, 3))


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file a reader may see."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != "lock"
    }


def test_the_same_input_twice_adds_nothing_and_changes_no_part(tmp_path: Path) -> None:
    first = ingest(tmp_path, ABC)
    parts = Workspace(tmp_path).manifest.journal
    second = ingest(tmp_path, ABC)
    assert (first.read, first.stored, first.added) == (3, 3, 3)
    assert (second.read, second.stored, second.quarantined, second.added) == (3, 3, 0, 0)
    assert Workspace(tmp_path).manifest.journal == parts
    assert Workspace(tmp_path).n_rows == 3


def test_an_overlapping_input_adds_only_its_new_rows(tmp_path: Path) -> None:
    ingest(tmp_path, ABC)
    report = ingest(tmp_path, pl.concat([ABC[1:], journal((2, 40, 4))]))
    assert (report.read, report.stored, report.added, report.n_rows_total) == (3, 3, 1, 4)


def test_true_copies_survive_and_a_second_run_still_adds_nothing(tmp_path: Path) -> None:
    coffee = journal((1, 10, 1), (1, 10, 1), (1, 10, 1))
    keep = CleaningConfig(exact_duplicates=False)
    assert ingest(tmp_path, coffee, config=keep).added == 3
    assert ingest(tmp_path, coffee, config=keep).added == 0
    assert ingest(tmp_path, pl.concat([coffee, coffee[:1]]), config=keep).added == 1
    assert ingest(tmp_path, coffee).to_dict()["quarantined"] == 2


def test_rows_come_back_in_time_order_inside_a_user_ties_in_source_order(tmp_path: Path) -> None:
    table = journal((1, 3, 5), (1, 1, 2), (2, 9, 1), (1, 2, 5), (1, 7, 5))
    ingest(tmp_path, table)
    mine = Workspace(tmp_path).journal(["item_id", "user_id"]).filter(user_id=1).collect()
    assert mine["item_id"].to_list() == [1, 3, 2, 7]
    assert mine.columns == ["item_id", "user_id"]


def test_an_unknown_column_is_refused_by_name(tmp_path: Path) -> None:
    ingest(tmp_path, ABC)
    with pytest.raises(InputError, match="colour"):
        Workspace(tmp_path).journal(["colour"])


def test_an_empty_workspace_answers_with_empty_tables(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "nothing")
    assert workspace.journal().collect().is_empty()
    assert workspace.quarantine().collect().is_empty()
    assert workspace.catalog() is None
    assert workspace.clients() is None
    assert workspace.time_kind == "real"
    assert workspace.connect().sql("SELECT count(*) FROM journal").fetchall() == [(0,)]
    assert "nothing" in repr(workspace)


def test_an_empty_log_is_refused_and_a_later_empty_day_is_not(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows"):
        ingest(tmp_path, ABC.clear())
    ingest(tmp_path, ABC)
    report = ingest(tmp_path, ABC.clear())
    assert (report.read, report.added, report.n_rows_total) == (0, 0, 3)


@pytest.mark.parametrize(
    "table", [journal((1, 1, 1)), journal((1, 1, 1), (1, 2, 2)), journal((1, 1, 1), (2, 1, 2))]
)
def test_one_user_or_one_item_is_a_journal(tmp_path: Path, table: pl.DataFrame) -> None:
    assert ingest(tmp_path, table).added == len(table)
    assert_frame_equal(Workspace(tmp_path).journal().collect(), table, check_row_order=False)


def test_sql_sees_the_same_rows_with_utc_times(tmp_path: Path) -> None:
    catalog = pl.DataFrame({"item_id": [10, 20], "title": ["tea", "it's"]})
    clients = pl.DataFrame({"user_id": [1], "age": [40]})
    bad = pl.DataFrame({"user_id": [None], "item_id": [1], "time": [JAN[0]]}, schema=ABC.schema)
    ingest(tmp_path, pl.concat([ABC, bad]), catalog=catalog, clients=clients)
    sql = Workspace(tmp_path).connect()
    assert sql.sql("SELECT count(*), min(time)::VARCHAR FROM journal").fetchall() == [
        (3, "2024-01-01 00:00:00+00")
    ]
    assert sql.sql("SELECT reason FROM quarantine").fetchall() == [("missing_user_id",)]
    assert sql.sql("SELECT title FROM catalog ORDER BY item_id").fetchall() == [("tea",), ("it's",)]
    assert sql.sql("SELECT age FROM clients").fetchall() == [(40,)]


@pytest.mark.parametrize("name", ["item_id", "title", "category", "price"])
@pytest.mark.parametrize("values", [[["a", "b"], ["c"]], [{"a": 1}, {"a": 2}]], ids=["lists", "structures"])
def test_a_list_where_one_value_belongs_is_told_and_nothing_is_stored(
    tmp_path: Path, name: str, values: list[object]
) -> None:
    ingest(tmp_path, ABC)
    before = Workspace(tmp_path).journal().collect()
    catalog = pl.DataFrame({"item_id": [10, 20], "title": ["a", "b"]}).with_columns(pl.Series(name, values))
    with pytest.raises(
        DataError, match=f"column '{name}' is .* one value a row; found: .* name {name} a column of"
    ):
        ingest(tmp_path, ABC, catalog=catalog)
    assert Workspace(tmp_path).catalog() is None
    assert_frame_equal(Workspace(tmp_path).journal().collect(), before)


def test_lists_under_a_name_of_their_own_are_kept_beside_the_catalogue(tmp_path: Path) -> None:
    catalog = pl.DataFrame(
        {"item_id": [10, 20], "title": ["a", "b"], "genres": [["rpg", "indie"], ["puzzle"]]}
    )
    ingest(tmp_path, ABC, catalog=catalog)
    found = Workspace(tmp_path).catalog()
    assert found is not None
    assert found["genres"].to_list() == ['{"v":["rpg","indie"]}', '{"v":["puzzle"]}']


def test_a_catalog_row_replaces_the_one_of_its_id_and_the_last_in_a_file_counts(tmp_path: Path) -> None:
    ingest(tmp_path, ABC, catalog=pl.DataFrame({"item_id": [10, 20], "title": ["a", "b"]}))
    report = ingest(
        tmp_path,
        ABC,
        catalog=pl.DataFrame({"item_id": [20, 20, 30], "title": ["x", "B", "c"], "price": [1.0, 2.0, 3.0]}),
    )
    assert report.catalog is not None
    assert (report.catalog.read, report.catalog.stored, report.catalog.quarantined) == (3, 2, 1)
    found = Workspace(tmp_path).catalog()
    assert found is not None
    assert found.rows() == [(10, "a", None), (20, "B", 2.0), (30, "c", 3.0)]
    assert Workspace(tmp_path).quarantine().collect()["reason"].to_list() == ["duplicate_id"]
    assert ingest(tmp_path, ABC).catalog is None
    assert Workspace(tmp_path).catalog() is not None


def test_ids_that_turn_out_to_be_text_turn_the_whole_workspace(tmp_path: Path) -> None:
    ingest(tmp_path, ABC, catalog=pl.DataFrame({"item_id": [10], "title": ["a"]}))
    report = ingest(tmp_path, journal(("A7", "x", 5)))
    assert (report.added, report.n_rows_total) == (1, 4)
    stored = Workspace(tmp_path).journal().collect()
    assert stored.schema["user_id"] == stored.schema["item_id"] == pl.String
    assert sorted(stored["user_id"]) == ["1", "1", "2", "A7"]
    catalog = Workspace(tmp_path).catalog()
    assert catalog is not None
    assert catalog["item_id"].to_list() == ["10"]
    assert ingest(tmp_path, ABC).added == 0


def test_a_catalog_with_text_ids_makes_the_journals_text(tmp_path: Path) -> None:
    ingest(tmp_path, ABC, catalog=pl.DataFrame({"item_id": ["10", "B"], "title": ["a", "b"]}))
    assert Workspace(tmp_path).journal().collect().schema["item_id"] == pl.String


def test_context_columns_come_and_go_between_ingests(tmp_path: Path) -> None:
    ingest(tmp_path, ABC.with_columns(rating=pl.lit(5)))
    ingest(tmp_path, journal((9, 90, 9)).with_columns(shop=pl.lit("north"), rating=pl.lit(2.5)))
    ingest(tmp_path, journal((8, 80, 8)))
    stored = Workspace(tmp_path).journal().sort("user_id", "time").collect()
    assert stored["rating"].to_list() == [5.0, 5.0, 5.0, None, 2.5]
    assert stored["shop"].to_list() == [None, None, None, None, "north"]
    names = [c[0] for c in Workspace(tmp_path).connect().sql("SELECT * FROM journal").description]
    assert names == stored.columns


def test_buckets_split_as_the_journal_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_module, "ROWS_PER_BUCKET", 4)
    events = [(u, u * 10 + d, d) for u in range(20) for d in (1, 2)]
    for start in range(0, 40, 8):
        report = ingest(tmp_path, journal(*events[start : start + 8]))
        assert report.added == 8
    manifest = Workspace(tmp_path).manifest
    assert manifest.n_buckets == 16
    assert len(manifest.journal) > 5
    assert_frame_equal(
        Workspace(tmp_path).journal().sort("user_id", "time").collect(),
        journal(*events),
        check_row_order=True,
    )
    assert ingest(tmp_path, journal(*events)).added == 0


def test_rows_past_the_memory_go_through_the_disk_and_come_out_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "ROWS_PER_BUCKET", 50)
    table = journal(*[(f"u{u % 37}", u % 11, u % 28 + 1) for u in range(500)])
    table = pl.concat([table, table[:20]]).with_columns(note=pl.lit("x\u00a0y"), text=pl.lit(" a  b "))
    small, large = tmp_path / "small", tmp_path / "large"
    one = ingest(small, table, memory_mb=0)
    two = ingest(large, table)
    assert one == two.model_copy(update={"sources": one.sources})
    for a, b in zip(
        (Workspace(small).journal(), Workspace(small).quarantine()),
        (Workspace(large).journal(), Workspace(large).quarantine()),
        strict=True,
    ):
        assert_frame_equal(a.collect(), b.collect())
    assert not list(small.glob("stage-*"))


def test_order_and_moments_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "seq.txt"
    path.write_text("1 2\n1 3\n")
    workspace = tmp_path / "ws"
    ingest(workspace, path, source="amazon_sequences")
    assert Workspace(workspace).time_kind == "order"
    with pytest.raises(InputError, match="another workspace"):
        ingest(workspace, ABC)


def test_a_reader_keeps_its_snapshot_through_the_next_ingest(tmp_path: Path) -> None:
    ingest(tmp_path, ABC)
    before = Workspace(tmp_path).journal()
    ingest(tmp_path, journal((1, 99, 9), (2, 98, 9)))
    assert len(before.collect()) == 3
    assert len(Workspace(tmp_path).journal().collect()) == 5


def test_files_of_older_snapshots_are_removed(tmp_path: Path) -> None:
    for day in range(1, 6):
        ingest(tmp_path, journal((1, day, day)))
    assert len(list((tmp_path / "journal").iterdir())) == 2


def test_a_broken_manifest_is_told(tmp_path: Path) -> None:
    ingest(tmp_path, ABC)
    (tmp_path / "manifest.json").write_text("{}x")
    with pytest.raises(ArtifactError, match="manifest"):
        Workspace(tmp_path).journal()


def test_a_part_that_someone_deleted_is_told(tmp_path: Path) -> None:
    ingest(tmp_path, ABC)
    next((tmp_path / "journal").iterdir()).unlink()
    with pytest.raises(DataError, match="missing"):
        Workspace(tmp_path).journal()


def test_a_second_writer_is_refused_while_the_first_writes(tmp_path: Path) -> None:
    ingest(tmp_path, ABC)
    with writer_lock(tmp_path), pytest.raises(ExternalError, match=rf"pid {os.getpid()}.*writing") as caught:
        ingest(tmp_path, ABC)
    assert caught.value.retryable
    assert ingest(tmp_path, ABC).added == 0


def test_two_processes_read_while_one_writes(tmp_path: Path) -> None:
    ingest(tmp_path, ABC)
    code = "import sys; from nextbest.data.store import Workspace as W; print(len(W(sys.argv[1]).journal().collect()))"
    with writer_lock(tmp_path):
        readers = [
            subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
            for _ in range(2)
        ]
        assert [int(reader.communicate(timeout=60)[0]) for reader in readers] == [3, 3]


KILLED = """
    import os, signal, sys
    from nextbest.data import ingest as module, manifest
    import polars as pl
    real, calls = getattr(module, sys.argv[3]), []

    def fatal(*args, **options):
        if len(calls) == int(sys.argv[4]):
            os.kill(os.getpid(), signal.SIGKILL)
        calls.append(1)
        return real(*args, **options)

    setattr(module, sys.argv[3], fatal)
    module.ROWS_PER_BUCKET = 2
    module.ingest(sys.argv[1], sys.argv[2])
"""


@pytest.mark.parametrize(("where", "nth"), [("settle", 0), ("write_part", 1), ("commit", 0), ("sweep", 1)])
def test_a_killed_ingest_leaves_the_store_whole_and_the_next_run_completes(
    tmp_path: Path, where: str, nth: int
) -> None:
    store, more = tmp_path / "store", tmp_path / "more.parquet"
    ingest(store, ABC)
    before, manifest = snapshot(store), Workspace(store).manifest
    pl.concat([ABC, journal(*[(u, u, 9) for u in range(3, 12)])]).write_parquet(more)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(store), str(more), where, str(nth)], check=False
    )
    assert done.returncode == -signal.SIGKILL
    if where != "sweep":
        assert Workspace(store).manifest == manifest
        assert {name: content for name, content in snapshot(store).items() if name in before} == before
        assert len(Workspace(store).journal().collect()) == 3
    report = ingest(store, more)
    assert (report.added, report.n_rows_total) == (0 if where == "sweep" else 9, 12)
    assert len(Workspace(store).journal().collect()) == 12
    named = {*Workspace(store).manifest.files, *Workspace(store).manifest.previous}
    assert {n for n in snapshot(store) if n.endswith(".parquet")} == {
        n for n in named if (store / n).exists()
    }
    assert not list(store.glob("stage-*"))


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def big(n: int) -> pl.DataFrame:
    noise = pl.Series(range(n)).hash()
    return pl.DataFrame(
        {"user_id": noise.cast(pl.String), "item_id": pl.Series(range(n)), "time": [JAN[0]] * n}
    )


def test_a_full_disk_is_an_external_error_and_the_store_is_as_before(tiny_disk: Path) -> None:
    store = tiny_disk / "store"
    ingest(store, ABC)
    before = snapshot(store)
    for options in ({}, {"memory_mb": 0}):
        with pytest.raises(ExternalError, match=r"no space left.*as it was before") as caught:
            ingest(store, big(300_000), **options)  # type: ignore[arg-type]
        assert caught.value.retryable
        assert snapshot(store) == before
    assert ingest(store, journal((5, 5, 5))).n_rows_total == 4


def test_a_failing_write_is_an_external_error_and_the_store_is_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(tmp_path, ABC)
    before = snapshot(tmp_path)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ingest_module, "commit", fail)
    with pytest.raises(ExternalError, match="no space left"):
        ingest(tmp_path, journal((7, 7, 7)))
    assert snapshot(tmp_path) == before


def test_users_whose_rows_were_all_set_aside_do_not_stop_those_of_others(tmp_path: Path) -> None:
    ingest(tmp_path, journal((1, 10, 5), quantity=[-1.0]))
    assert ingest(tmp_path, journal((2, 20, 6), quantity=[1.0])).added == 1
    assert len(Workspace(tmp_path).quarantine().collect()) == 1


def daily(folder: Path, name: str, user: int, day: int, quantity: int) -> None:
    """Ingest a file of one row."""
    (folder / name).write_text(
        f"user_id,item_id,time,quantity\n{user},1,2024-01-{day:02d},{quantity}\n", encoding="utf-8"
    )
    ingest(folder / "store", folder / name)


def test_a_row_netted_by_a_later_file_is_told_once_and_under_its_own_file(tmp_path: Path) -> None:
    daily(tmp_path, "return.csv", 1, 5, -1)
    daily(tmp_path, "purchase.csv", 1, 1, 1)
    found = Workspace(tmp_path / "store").quarantine().collect()
    assert {(Path(source).name, reason) for source, _, reason, _ in found.rows()} == {
        ("return.csv", "cancellation"),
        ("purchase.csv", "cancelled_purchase"),
    }
    assert len(found) == 2


def test_an_entry_of_another_day_of_a_file_is_not_taken_out_of_quarantine(tmp_path: Path) -> None:
    daily(tmp_path, "sales.csv", 1, 5, -1)
    daily(tmp_path, "sales.csv", 2, 6, -1)
    daily(tmp_path, "sales.csv", 2, 1, 1)  # only the return of user 2 finds its purchase
    found = Workspace(tmp_path / "store").quarantine().collect()
    assert sorted(found["reason"]) == ["cancellation", "cancellation_unmatched", "cancelled_purchase"]
    unmatched = found.filter(pl.col("reason") == "cancellation_unmatched")
    assert json.loads(unmatched["raw"][0])["user_id"] == "1"


@pytest.mark.parametrize("code", [errno.EIO, errno.EINVAL])
def test_a_folder_that_cannot_be_flushed_after_the_commit_keeps_the_new_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    ingest(tmp_path, ABC)
    real = os.fsync

    def refuse_folders(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(code, os.strerror(code))
        real(handle)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    with pytest.raises(ExternalError) if code == errno.EIO else nullcontext():
        ingest(tmp_path, journal((9, 90, 9)))
    assert set(Workspace(tmp_path).journal(["user_id"]).collect()["user_id"]) == {1, 2, 9}


def test_an_old_file_that_cannot_be_removed_does_not_undo_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(tmp_path, ABC)
    ingest(tmp_path, journal((8, 80, 8)))

    def held_by_a_reader(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, "in use", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", held_by_a_reader)
        patch.setattr(ingest_module, "sweep", _only_after_commit(ingest_module.sweep))
        assert ingest(tmp_path, journal((9, 90, 9))).added == 1
    assert set(Workspace(tmp_path).journal(["user_id"]).collect()["user_id"]) == {1, 2, 8, 9}


def _only_after_commit(sweep: Any) -> Any:
    """`sweep`, but for the first call: the one before anything is read."""
    calls: list[None] = []

    def call(*args: Any) -> Any:
        calls.append(None)
        return sweep(*args) if len(calls) > 1 else 0

    return call


def test_a_workspace_below_a_file_is_a_wrong_call(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="must be a folder"):
        ingest(tmp_path / "file" / "store", ABC)


def test_a_folder_that_cannot_be_written_is_an_external_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ExternalError, match="could not be written"):
        ingest(tmp_path / "store", ABC)


def test_the_report_is_a_table_and_a_json_document(tmp_path: Path) -> None:
    report = ingest(
        tmp_path, pl.concat([ABC, ABC[:1]]), catalog=pl.DataFrame({"item_id": [1], "title": ["t"]})
    )
    document = json.loads(json.dumps(report.to_dict()))
    assert {k: document[k] for k in ("read", "stored", "quarantined", "added")} == {
        "read": 4,
        "stored": 3,
        "quarantined": 1,
        "added": 3,
    }
    assert [s["step"] for s in document["steps"]][:3] == ["structure", "types", "text"]
    assert report.reasons == {"duplicate": 1}
    assert "| exact_duplicates | yes | 1 | 0 | duplicate 1 |" in str(report)
    assert "| catalog | yes | 0 | 0 | read 1, stored 1 |" in report.to_markdown()


def test_a_progress_bar_is_shown_when_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ingest(tmp_path, ABC, progress=True)
    assert "ingest" in capsys.readouterr().err
    ingest(tmp_path, ABC)
    assert not capsys.readouterr().err


def test_a_journal_can_be_read_without_a_workspace(tmp_path: Path) -> None:
    ABC.write_parquet(tmp_path / "a.parquet")
    assert_frame_equal(read_journal(tmp_path / "a.parquet").sort("time"), ABC)


def test_a_journal_whose_every_row_was_rejected_still_has_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("user_id,item_id,time\n1,2,soon\n")
    assert ingest(tmp_path / "w", file).quarantined == 1
    assert Workspace(tmp_path / "w").journal(["user_id", "item_id", "time"]).collect().is_empty()
    assert Workspace(tmp_path / "w").connect().sql("SELECT time FROM journal").fetchall() == []


def test_a_missing_column_of_the_catalog_is_told_with_the_catalogs_flag(tmp_path: Path) -> None:
    items = pl.DataFrame({"sku": [1], "name": ["Tea"]})
    with pytest.raises(DataError, match="--catalog-map item_id=sku,title=name"):
        ingest(tmp_path / "w", journal((1, 1, 0)), catalog=items)

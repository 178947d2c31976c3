"""The stored panel: rows, masks, attributes, additions; writing, rewriting, killed writers."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.panel.toy_panels import ACCOUNT, CARD, LOAN, SCHEMA, attributes_of, month, write_panel
from nextbest.data.locking import writer_lock
from nextbest.data.panel.masks import count_holders, count_products, pack_masks, unpack_masks
from nextbest.data.panel.panel import Panel, additions
from nextbest.data.panel.schema import SANTANDER, Attribute, PanelSchema, Product
from nextbest.data.panel.store import PanelWriter
from nextbest.errors import ArtifactError, DataError, ExternalError, InputError

JAN, FEB, MAR = month(1), month(2), month(3)


@pytest.fixture
def panel(tmp_path: Path) -> Panel:
    """Client 5 leaves, client 2 comes, client 9 stays and takes a card in February."""
    return write_panel(
        tmp_path,
        {
            JAN: {9: ACCOUNT, 5: ACCOUNT | LOAN},
            FEB: {2: CARD, 9: ACCOUNT | CARD},
            MAR: {9: CARD | LOAN, 5: LOAN, 2: CARD},
        },
    )


def test_rows_are_clients_sorted_by_id_and_masks_are_zero_where_absent(panel: Panel) -> None:
    assert panel.ids.ids.to_list() == [2, 5, 9]
    assert panel.held_MC.tolist() == [[0, 5, 1], [2, 0, 3], [2, 4, 6]]
    assert panel.present_MC.tolist() == [[False, True, True], [True, False, True], [True] * 3]
    assert (panel.held_MC.dtype, panel.present_MC.dtype) == (np.uint32, np.bool_)
    assert (panel.n_customers, panel.n_products, panel.n_rows) == (3, 3, 7)


def test_masks_are_memory_mapped_and_read_only(panel: Panel) -> None:
    assert isinstance(panel.held_MC, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        panel.held_MC[0, 0] = 1


def test_attributes_are_those_of_the_clients_present_in_row_order(panel: Panel) -> None:
    table = panel.attributes(FEB)
    assert table["row"].to_list() == [0, 2]
    assert table.columns == ["row", *SCHEMA.attribute_names]
    assert table["age"].to_list() == [2, 2]
    assert dict(table.schema) == {
        "row": pl.Int32(),
        "age": pl.Int16(),
        "segment": pl.Enum(["top", "rest"]),
        "city": pl.Categorical(),
        "income": pl.Float32(),
        "active": pl.Boolean(),
        "joined": pl.Date(),
    }


def test_attributes_take_the_columns_asked_for_in_their_order(panel: Panel) -> None:
    assert panel.attributes(JAN, ["city", "age"]).columns == ["row", "city", "age"]
    assert panel.attributes(JAN, []).columns == ["row"]
    with pytest.raises(InputError, match="zip"):
        panel.attributes(JAN, ["zip"])


def test_any_day_of_a_month_names_it(panel: Panel) -> None:
    assert panel.index(date(2024, 2, 1)) == 1
    with pytest.raises(InputError, match="2024-01-28"):
        panel.index(month(7))


def test_additions_need_the_client_present_in_both_months(panel: Panel) -> None:
    row_N, held_N, added_N = additions(panel, FEB)
    assert (row_N.tolist(), held_N.tolist(), added_N.tolist()) == ([2], [ACCOUNT], [CARD])
    row_N, held_N, added_N = additions(panel, MAR)
    assert (row_N.tolist(), held_N.tolist(), added_N.tolist()) == ([0, 2], [CARD, ACCOUNT | CARD], [0, LOAN])


def test_additions_of_the_first_month_or_after_a_gap_are_refused(panel: Panel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="month"):
        additions(panel, JAN)
    gapped = write_panel(tmp_path / "gap", {JAN: {1: 1}, MAR: {1: 3}})
    with pytest.raises(InputError, match="month"):
        additions(gapped, MAR)


def test_a_later_month_keeps_the_stored_ones_and_shifts_rows_of_new_clients_in(panel: Panel) -> None:
    folder = panel.folder
    after = write_panel(folder, {month(4): {4: LOAN, 9: CARD}})
    assert after.ids.ids.to_list() == [2, 4, 5, 9]
    assert after.held_MC[:3, [0, 2, 3]].tolist() == panel.held_MC.tolist()
    assert after.attributes(FEB)["row"].to_list() == [0, 3]
    assert Panel.open(folder).months == (JAN, FEB, MAR, month(4))


def test_a_month_written_again_is_replaced(panel: Panel) -> None:
    after = write_panel(panel.folder, {FEB: {2: LOAN}})
    assert after.held(FEB).tolist() == [LOAN, 0, 0]
    assert after.held(MAR).tolist() == panel.held(MAR).tolist()


def test_a_panel_opened_before_a_commit_still_reads_its_own_snapshot(panel: Panel) -> None:
    write_panel(panel.folder, {month(4): {1: LOAN}})
    assert panel.ids.ids.to_list() == [2, 5, 9]
    assert panel.attributes(FEB)["row"].to_list() == [0, 2]
    assert panel.held_MC.tolist() == [[0, 5, 1], [2, 0, 3], [2, 4, 6]]


def test_a_workspace_is_opened_through_its_panel_folder(tmp_path: Path) -> None:
    write_panel(tmp_path / "panel", {JAN: {1: 1}})
    assert Panel.open(tmp_path).n_rows == 1


def test_months_may_come_in_any_order_with_gaps(tmp_path: Path) -> None:
    panel = write_panel(tmp_path, {MAR: {1: 1}, JAN: {2: 1}})
    assert panel.months == (JAN, MAR)
    assert panel.present_MC.tolist() == [[False, True], [True, False]]


def test_a_panel_keeps_its_schema_whole(tmp_path: Path) -> None:
    schema = PanelSchema(
        "own",
        "id",
        "m",
        (Product("p", "P", "П"),),
        (Attribute("x", "flag"),),
        {"activity": "x"},
        id_kind="text",
        snapshot_day=15,
    )
    with PanelWriter(tmp_path, schema=schema) as writer:
        writer.append_month(JAN, ["b", "a"], np.array([1, 0]), pl.DataFrame({"x": [True, None]}))
        writer.commit(report={"read": 2})
    panel = Panel.open(tmp_path)
    assert panel.schema == schema
    assert panel.months == (date(2024, 1, 15),)
    assert panel.ids.ids.to_list() == ["a", "b"]
    assert panel.held_MC.tolist() == [[0, 1]]
    assert panel.attributes(JAN)["x"].to_list() == [None, True]
    assert panel.report == {"read": 2}


def test_nothing_there_is_an_artifact_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nextbest ingest"):
        Panel.open(tmp_path / "nowhere")


def test_a_journals_workspace_is_not_a_panel(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format":1,"generation":3}')
    with pytest.raises(ArtifactError, match="holds no panel"):
        Panel.open(tmp_path)


def test_a_manifest_of_a_later_version_is_an_artifact_error(panel: Panel) -> None:
    path = panel.folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}).replace(" ", ""))
    with pytest.raises(ArtifactError, match="version"):
        Panel.open(panel.folder)


@pytest.mark.parametrize("victim", ["held", "ids", "months"])
def test_a_lost_file_is_an_artifact_error(panel: Panel, victim: str) -> None:
    manifest = panel.manifest
    file = manifest.months[0].file if victim == "months" else getattr(manifest, victim)
    (panel.folder / file).unlink()
    with pytest.raises(ArtifactError, match="can't be read"):
        Panel.open(panel.folder).attributes(JAN)


def test_masks_of_another_shape_than_the_manifest_says_are_refused(panel: Panel) -> None:
    np.save(panel.folder / panel.manifest.held, np.zeros((1, 1), dtype=np.uint32))
    with pytest.raises(ArtifactError, match="shape"):
        Panel.open(panel.folder)


@pytest.mark.parametrize(
    ("ids", "held", "change", "message"),
    [
        ([1, 1], [0, 0], {}, "stand once"),
        ([1, None], [0, 0], {}, "not be null"),
        ([1, 2], [0, 8], {}, "3 bits"),
        ([1, 2], [0, 0], {"age": [5, 121]}, "age must lie in 0 to 120"),
        ([1, 2], [0, 0], {"segment": ["top", "middle"]}, "segment must be Enum"),
        ([1, 2], [0, 0], {"income": [1.0, float("nan")]}, "income must lie"),
        ([1, 2], [0, 0], {"income": [1.0, float("inf")]}, "income must lie"),
        ([1, 2], [0, 0], {"zip": [1, 2]}, "not of the schema: \\['zip'\\]"),
        (["x", "y"], [0, 0], {}, "customer_id must be Int64"),
    ],
)
def test_a_month_that_breaks_the_schema_is_refused(
    tmp_path: Path, ids: list[object], held: list[int], change: dict[str, list[object]], message: str
) -> None:
    table = attributes_of(2).with_columns(pl.Series(name, values) for name, values in change.items())
    with PanelWriter(tmp_path, schema=SCHEMA) as writer, pytest.raises(DataError, match=message):
        writer.append_month(JAN, pl.Series(ids), np.array(held), table)


def test_lengths_that_differ_and_a_month_given_twice_are_wrong_calls(tmp_path: Path) -> None:
    with PanelWriter(tmp_path, schema=SCHEMA) as writer:
        with pytest.raises(InputError, match="equally long"):
            writer.append_month(JAN, [1], np.array([0, 0]), attributes_of(1))
        writer.append_month(JAN, [1], np.array([0]), attributes_of(1))
        with pytest.raises(InputError, match="already"):
            writer.append_month(date(2024, 1, 5), [1], np.array([0]), attributes_of(1))


def test_a_folder_of_another_schema_is_refused(panel: Panel) -> None:
    with pytest.raises(InputError, match="schema 'toy'"):
        PanelWriter(panel.folder, schema=SANTANDER)
    with writer_lock(panel.folder):  # the refused writer let go of it
        pass


def test_two_writers_at_once_are_refused(tmp_path: Path) -> None:
    with PanelWriter(tmp_path, schema=SCHEMA), pytest.raises(ExternalError, match="another process"):
        PanelWriter(tmp_path, schema=SCHEMA)


def test_an_empty_commit_is_an_empty_panel(tmp_path: Path) -> None:
    with PanelWriter(tmp_path, schema=SCHEMA) as writer:
        panel = writer.commit()
    assert (panel.n_rows, panel.months, panel.held_MC.shape) == (0, (), (0, 0))
    assert "empty" in repr(panel)


@pytest.mark.parametrize("when", ["before_commit", "in_commit"])
def test_a_killed_writer_leaves_the_committed_panel(panel: Panel, when: str) -> None:
    code = f"""
        import os, signal
        import numpy as np
        from pathlib import Path
        from data.panel.toy_panels import SCHEMA, attributes_of, month
        from nextbest.data.panel import store
        kill = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
        if {when!r} == "in_commit":
            store.commit = kill
        with store.PanelWriter(Path({str(panel.folder)!r}), schema=SCHEMA) as writer:
            writer.append_month(month(2), [77], np.array([1]), attributes_of(1))
            if {when!r} == "before_commit":
                kill()
            writer.commit()
    """
    tests = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([tests, *sys.path])},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    again = Panel.open(panel.folder)
    assert again.held_MC.tolist() == panel.held_MC.tolist()
    assert again.attributes(FEB)["row"].to_list() == [0, 2]
    after = write_panel(panel.folder, {month(4): {1: LOAN}})
    named = {*after.manifest.files, *after.manifest.previous}
    assert {str(p.relative_to(after.folder)) for p in after.folder.glob("*/*")} == named


@given(st.lists(st.lists(st.booleans(), min_size=24, max_size=24), max_size=20))
def test_unpacking_undoes_packing_and_counts_agree(rows: list[list[bool]]) -> None:
    held_NP = np.array(rows, dtype=bool).reshape(-1, 24)
    masks = pack_masks(held_NP)
    assert unpack_masks(masks, n_products=24).tolist() == held_NP.tolist()
    assert count_products(masks).tolist() == held_NP.sum(axis=1).tolist()
    assert count_holders(masks, n_products=24).tolist() == held_NP.sum(axis=0).tolist()


def test_more_products_than_bits_are_refused() -> None:
    with pytest.raises(InputError, match="32"):
        pack_masks(np.zeros((1, 33), dtype=bool))


@pytest.mark.parametrize(
    ("n", "expected"), [(1, date(2023, 12, 28)), (0, JAN), (13, date(2022, 12, 28)), (-12, date(2025, 1, 28))]
)
def test_months_are_counted_by_the_calendar(n: int, expected: date) -> None:
    assert SCHEMA.month_before(JAN, n=n) == expected


def test_a_schema_refuses_names_that_the_panel_needs_and_days_that_some_month_lacks() -> None:
    with pytest.raises(InputError, match="held"):
        PanelSchema("x", "id", "m", (Product("held", "", ""),), ())
    with pytest.raises(InputError, match="28"):
        PanelSchema("x", "id", "m", (Product("p", "", ""),), (), snapshot_day=31)

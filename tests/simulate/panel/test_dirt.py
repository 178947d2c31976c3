"""Dirt: what is counted is what the reader finds, and no dirt changes what happened."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextbest.data.panel.panel import Panel
from nextbest.data.panel.reading import ingest_panel
from nextbest.data.panel.report import PanelReport
from nextbest.data.panel.schema import SANTANDER
from nextbest.errors import InputError
from nextbest.simulate.panel import simulate_panel
from nextbest.simulate.panel.dirt import ADDED, DIRT_KINDS, DRIFTED, MIXED, PanelDirt
from nextbest.simulate.panel.files import WrittenPanel, write_panel_files
from nextbest.simulate.panel.raw import COLUMNS, raw_text

SIZE = {"scale": 0.003, "rng": 4, "months": 4}
Read = tuple[WrittenPanel, PanelReport]


def read(folder: Path, *kinds: str) -> Read:
    written = write_panel_files(folder / "bank", **SIZE, dirt=kinds)
    return written, ingest_panel(written.panel, folder / "store")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Read:
    return read(tmp_path_factory.mktemp("clean"))


def repairs(report: PanelReport, kind: str, columns: tuple[str, ...]) -> int:
    return sum(report.column(column).repairs.get(kind, 0) for column in columns)


def same_products(folder: Path, clean: Read) -> bool:
    ours, theirs = Panel.open(folder / "store"), Panel.open(clean[0].folder.parent / "store")
    assert np.array_equal(ours.ids.ids, theirs.ids.ids)
    return np.array_equal(ours.held_MC, theirs.held_MC) and np.array_equal(ours.present_MC, theirs.present_MC)


def test_repeated_rows_are_merged_one_for_one(tmp_path: Path, clean: Read) -> None:
    written, report = read(tmp_path, "duplicate_rows")
    assert report.merged == written.dirt["duplicate_rows"] > 10
    assert report.conflicting == 0
    assert written.rows == report.read == clean[1].read + report.merged
    assert same_products(tmp_path, clean)


def test_decimals_are_read_as_the_numbers_that_they_are(tmp_path: Path, clean: Read) -> None:
    written, report = read(tmp_path, "mixed_types")
    assert repairs(report, "variant", MIXED) == written.dirt["mixed_types"] > 500
    assert report.violations == clean[1].violations
    assert same_products(tmp_path, clean)


def test_late_rows_are_in_the_second_file_and_their_month_is_short_without_it(
    tmp_path: Path, clean: Read
) -> None:
    written = write_panel_files(tmp_path / "bank", **SIZE, dirt=["late_month"])
    main, late = written.panel
    n_late, month = written.dirt["late_month"], date(2015, 3, 28)
    in_time = ingest_panel(main, tmp_path / "store")
    full = {m.month: m.rows for m in clean[1].months}
    assert {m.month: m.rows for m in in_time.months} == full | {month: full[month] - n_late}
    assert 0.2 * full[month] < n_late < 0.4 * full[month]
    after = ingest_panel(late, tmp_path / "store")
    assert (after.read, after.added) == (n_late, n_late)
    assert same_products(tmp_path, clean)


def test_the_drifted_file_spells_columns_otherwise_and_brings_one_more(tmp_path: Path, clean: Read) -> None:
    written, report = read(tmp_path, "schema_drift")
    main, drifted = written.panel
    columns = pl.read_csv(drifted, n_rows=0).columns
    assert [a for a, b in zip(columns, COLUMNS, strict=False) if a != b] == list(DRIFTED.values())
    assert columns[48:] == [ADDED] == list(report.extra_columns)
    assert written.dirt["schema_drift"] == len(DRIFTED) + 1
    assert pl.read_csv(main, columns=[0])["fecha_dato"].max() == "2015-03-28"
    assert report.read == clean[1].read
    assert same_products(tmp_path, clean)


def test_shuffled_columns_are_told_by_their_names(tmp_path: Path, clean: Read) -> None:
    written, report = read(tmp_path, "shuffled_columns")
    columns = pl.read_csv(written.panel[0], n_rows=0).columns
    assert sorted(columns) == sorted(COLUMNS)
    n_moved = sum(a != b for a, b in zip(columns, COLUMNS, strict=True))
    assert n_moved == written.dirt["shuffled_columns"] > 24
    assert [c.repairs for c in report.columns] == [c.repairs for c in clean[1].columns]
    assert same_products(tmp_path, clean)


def test_bad_provinces_are_refused_or_contradict_their_name(tmp_path: Path, clean: Read) -> None:
    written, report = read(tmp_path, "bad_province")
    found = [repairs(report, kind, ("cod_prov",)) for kind in ("out_of_domain", "contradicts")]
    assert sum(found) == written.dirt["bad_province"] > 10
    assert min(found) > 0
    filled = repairs(report, "filled", ("cod_prov",)) - repairs(clean[1], "filled", ("cod_prov",))
    assert filled == found[0]
    assert same_products(tmp_path, clean)


def test_negative_seniorities_become_missing(tmp_path: Path, clean: Read) -> None:
    written, report = read(tmp_path, "negative_seniority")
    found = [
        repairs(report, kind, ("antiguedad",)) - repairs(clean[1], kind, ("antiguedad",))
        for kind in ("sentinel", "out_of_range")
    ]
    assert sum(found) == written.dirt["negative_seniority"] > 5
    assert min(found) > 0
    assert same_products(tmp_path, clean)


def test_all_kinds_at_once_keep_their_counts_and_the_truth(tmp_path: Path, clean: Read) -> None:
    written, report = read(tmp_path, *DIRT_KINDS)
    assert tuple(written.dirt) == DIRT_KINDS
    assert report.merged == written.dirt["duplicate_rows"]
    assert report.conflicting == 0
    assert repairs(report, "variant", MIXED) == written.dirt["mixed_types"]
    code = ("out_of_domain", "contradicts")
    assert sum(repairs(report, kind, ("cod_prov",)) for kind in code) == written.dirt["bad_province"]
    assert len(written.panel) == 3
    assert same_products(tmp_path, clean)


def test_one_kind_does_not_move_another_nor_a_slice_its_rows() -> None:
    bank = simulate_panel(**SIZE)
    month = bank.months_[1]
    rows = np.flatnonzero(bank.present(month))

    def text(part: np.ndarray) -> pl.DataFrame:
        people = bank.people.take(part)
        return raw_text(people, 1, held=bank.held_MC[1, part], active=bank.active_MC[1, part], seed=4)

    one = PanelDirt(["bad_province"], rng=4, months=bank.months_)
    two = PanelDirt(["bad_province", "mixed_types", "late_month"], rng=4, months=bank.months_)
    whole = one.soil(text(rows), month)
    parts = pl.concat([two.soil(text(part), month) for part in (rows[:100], rows[100:])])
    odd = whole["cod_prov"] != text(rows)["cod_prov"]
    assert odd.sum() == one.counts["bad_province"] == two.counts["bad_province"] > 0
    assert parts["cod_prov"].filter(odd).to_list() == whole["cod_prov"].filter(odd).to_list()


def test_clean_text_passes_as_it_is() -> None:
    dirt = PanelDirt(rng=0, months=[date(2015, 1, 28)])
    table = pl.DataFrame({column: ["1"] for column in COLUMNS})
    assert dirt.soil(table, date(2015, 1, 28)) is table
    assert dirt.columns == COLUMNS
    assert not dirt.counts


def test_an_unknown_kind_is_told_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"must be among .*'duplicate_rows'.*got \['mud'\]"):
        PanelDirt(["mud", "late_month"], rng=0, months=[date(2015, 1, 28)])


@pytest.mark.parametrize("kind", ["late_month", "schema_drift"])
def test_a_panel_of_one_month_has_no_month_to_be_late_or_to_drift(kind: str) -> None:
    with pytest.raises(InputError, match="two months"):
        PanelDirt([kind], rng=0, months=[date(2015, 1, 28)])


def test_the_added_product_is_none_of_the_schema() -> None:
    assert ADDED not in SANTANDER.product_columns

"""Raw panel files to a stored panel: every dirt of `train_ver2.csv`, every shape of file, laws."""

import gzip
import json
import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.panel.raw_files import GAP, HEADER, read_raw, row, write_raw
from data.panel.toy_panels import SCHEMA
from nextbest.data.panel.panel import Panel
from nextbest.data.panel.reading import ingest_panel
from nextbest.data.panel.report import PanelReport
from nextbest.data.panel.schema import SANTANDER
from nextbest.errors import DataError, InputError

JAN, FEB = "2015-01-28", "2015-02-28"
CCO = 1 << SANTANDER.bit("ind_cco_fin_ult1")
RECIBO = 1 << SANTANDER.bit("ind_recibo_ult1")
NOMINA = 1 << SANTANDER.bit("ind_nomina_ult1")
PENS = 1 << SANTANDER.bit("ind_nom_pens_ult1")


def ingested(tmp_path: Path, *rows: dict[str, str], **options: str) -> tuple[Panel, PanelReport]:
    """A panel of raw rows and the report of reading them."""
    file = write_raw(tmp_path / "raw.csv", rows, **options)
    report = ingest_panel(file, tmp_path / "panel")
    assert report.read == report.stored + report.quarantined + report.merged
    return Panel.open(tmp_path), report


def value(panel: Panel, name: str, *, place: int = 0) -> object:
    """An attribute of one client in the first month."""
    return panel.attributes(panel.months[0], [name])[name][place]


@pytest.mark.parametrize(
    ("column", "raw", "typed", "repair"),
    [
        ("age", " 35", 35, "padded"),
        ("age", " NA", None, "missing"),
        ("age", "164", None, "out_of_range"),
        ("age", "x", None, "unreadable"),
        ("age", "35.0", 35, "variant"),
        ("antiguedad", "      6", 6, "padded"),
        ("antiguedad", "-999999", None, "sentinel"),
        ("antiguedad", "     NA", None, "missing"),
        ("antiguedad", "35.5", None, "unreadable"),
        ("renta", "", None, "missing"),
        ("renta", "         NA", None, "missing"),
        ("renta", "  122179.5", 122179.5, "padded"),
        ("renta", "-1", None, "out_of_range"),
        ("renta", "much", None, "unreadable"),
        ("renta", "inf", None, "unreadable"),
        ("indrel_1mes", "1", "1", None),
        ("indrel_1mes", "1.0", "1", "variant"),
        ("indrel_1mes", "P", "P", None),
        ("indrel_1mes", "p", "P", "variant"),
        ("indrel_1mes", "7", None, "out_of_domain"),
        ("sexo", "X", None, "out_of_domain"),
        ("sexo", "", None, "missing"),
        ("ind_nuevo", " 1", True, "padded"),
        ("ind_nuevo", "2", None, "out_of_domain"),
        ("fecha_alta", "2012-08-10", date(2012, 8, 10), None),
        ("fecha_alta", "2012-08-10 00:00:00", date(2012, 8, 10), "variant"),
        ("fecha_alta", "2012-13-10", None, "unreadable"),
        ("fecha_alta", "0212-03-10", None, "out_of_range"),
        ("cod_prov", " 8", "8", "padded"),
        ("cod_prov", "08", "8", "variant"),
        ("canal_entrada", "004", "004", None),
        ("segmento", "01 - TOP", "01 - TOP", None),
    ],
)
def test_a_raw_value_is_repaired_and_counted(
    tmp_path: Path, column: str, raw: str, typed: object, repair: str | None
) -> None:
    around = {"nomprov": ""} if column == "cod_prov" else {}
    panel, report = ingested(tmp_path, row(1, **{column: raw, **around}))
    assert value(panel, column) == typed
    repairs = report.column(column).repairs
    assert repairs.get(repair, 0) == 1 if repair else not repairs
    assert report.quarantined == 0


@pytest.mark.parametrize("kind", ["out_of_range", "out_of_domain", "unreadable"])
def test_values_that_break_the_contract_are_shown(tmp_path: Path, kind: str) -> None:
    column, raw = {
        "out_of_range": ("age", "164"),
        "out_of_domain": ("sexo", "X"),
        "unreadable": ("renta", "much"),
    }[kind]
    _, report = ingested(tmp_path, row(1, **{column: raw}), row(2), row(3, **{column: raw}))
    assert report.column(column).examples == {kind: (raw,)}
    assert (report.column(column).violations, report.violations) == (2, 2)
    assert raw in report.to_markdown()


def test_a_comma_inside_a_quoted_province_is_part_of_it(tmp_path: Path) -> None:
    panel, _ = ingested(tmp_path, row(1))
    assert (value(panel, "nomprov"), value(panel, "cod_prov")) == ("CORUÑA, A", "15")


def test_a_missing_province_code_is_filled_from_the_name_and_a_wrong_one_is_counted(tmp_path: Path) -> None:
    panel, report = ingested(
        tmp_path,
        row(1, cod_prov="", nomprov="MADRID"),
        row(2, cod_prov="8", nomprov="MADRID"),
        row(3, cod_prov="99", nomprov="Coruna, a"),
        row(4, cod_prov="", nomprov=""),
        row(5, cod_prov="28", nomprov="ATLANTIS"),
    )
    codes = panel.attributes(panel.months[0])["cod_prov"].to_list()
    assert codes == ["28", "8", "15", None, "28"]
    assert report.column("cod_prov").repairs == {
        "missing": 2, "out_of_domain": 1, "filled": 2, "contradicts": 1,
    }  # fmt: skip
    assert report.column("cod_prov").examples == {"out_of_domain": ("99",), "contradicts": ("8 MADRID",)}


def test_columns_missing_together_are_one_gap(tmp_path: Path) -> None:
    rows = [row(n, **GAP) for n in range(5)]
    rows += [row(5 + n, ind_nomina_ult1=" NA", ind_nom_pens_ult1=" NA") for n in range(3)]
    rows += [row(8 + n, renta="") for n in range(4)] + [row(12 + n) for n in range(20)]
    _, report = ingested(tmp_path, *rows)
    assert [(set(gap.columns), gap.rows) for gap in report.joint_gaps] == [
        (set(GAP), 5),
        ({"ind_nomina_ult1", "ind_nom_pens_ult1"}, 3),
    ]


def test_a_missing_payroll_is_not_held_and_counted(tmp_path: Path) -> None:
    panel, report = ingested(
        tmp_path,
        row(1, own=["cco"], ind_nomina_ult1=" NA", ind_nom_pens_ult1="     NA"),
        row(2, ind_nomina_ult1=" 1", ind_nom_pens_ult1="1.0"),
    )
    assert panel.held_MC.tolist() == [[CCO, NOMINA | PENS]]
    assert report.column("ind_nomina_ult1").repairs == {"padded": 2, "missing_as_zero": 1}
    assert report.column("ind_nom_pens_ult1").repairs == {"padded": 1, "variant": 1, "missing_as_zero": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ncodpers": "12x"}, "bad_id"),
        ({"ncodpers": "     NA"}, "bad_id"),
        ({"ncodpers": "1.5"}, "bad_id"),
        ({"fecha_dato": "28/01/2015"}, "bad_month"),
        ({"fecha_dato": ""}, "bad_month"),
        ({"ind_cco_fin_ult1": "2"}, "bad_product_value"),
        ({"ind_nomina_ult1": "yes"}, "bad_product_value"),
        ({"ind_cco_fin_ult1": ""}, "missing_product"),
        ({"ncodpers": "", "ind_cco_fin_ult1": "2"}, "bad_id"),
    ],
)
def test_a_row_that_cant_be_placed_or_known_goes_to_quarantine_with_its_number(
    tmp_path: Path, changes: dict[str, str], reason: str
) -> None:
    panel, report = ingested(tmp_path, row(1), row(2, **changes), row(3))
    assert (report.read, report.stored, report.quarantined) == (3, 2, 1)
    assert report.reasons == {reason: 1}
    kept = panel.quarantine().collect()
    assert kept.select("row", "reason").rows() == [(2, reason)]
    assert kept["source"][0].endswith("raw.csv")
    shown = json.loads(kept["raw"][0])
    assert {name: shown[name] or "" for name in changes if changes[name].strip() != "NA"} == {
        name: text for name, text in changes.items() if text.strip() != "NA"
    }
    assert list(shown) == list(HEADER)


def test_repairs_of_refused_rows_are_not_counted(tmp_path: Path) -> None:
    _, report = ingested(tmp_path, row(1, age="35"), row("x", age=" NA"))
    assert report.column("age").repairs == {}


def test_a_row_with_another_number_of_fields_goes_to_quarantine(tmp_path: Path) -> None:
    file = write_raw(tmp_path / "raw.csv", [row(1), row(2)])
    lines = file.read_text().splitlines()
    lines[1] = lines[1].replace('"CORUÑA, A"', "CORUÑA, A")
    file.write_text("\n".join(lines) + "\n")
    report = ingest_panel(file, tmp_path / "panel")
    assert (report.stored, report.reasons) == (1, {"ragged_row": 1})


def test_equal_rows_of_a_client_and_month_are_merged(tmp_path: Path) -> None:
    _, report = ingested(tmp_path, row(1), row(2), row(1))
    assert (report.read, report.stored, report.merged, report.conflicting) == (3, 2, 1, 0)


def test_of_rows_that_differ_the_last_stays_and_is_counted(tmp_path: Path) -> None:
    panel, report = ingested(tmp_path, row(1, own=["cco"]), row(1, own=["recibo"]), row(2))
    assert panel.held_MC.tolist() == [[RECIBO, 0]]
    assert (report.stored, report.merged, report.conflicting) == (2, 1, 1)
    assert "clients [1]" in report.to_markdown()


def test_months_and_clients_may_stand_in_any_order(tmp_path: Path) -> None:
    panel, _ = ingested(
        tmp_path, row(9, FEB), row(2, JAN, own=["cco"]), row(2, FEB), row(9, JAN, own=["recibo"])
    )
    assert panel.months == (date(2015, 1, 28), date(2015, 2, 28))
    assert panel.held_MC.tolist() == [[CCO, RECIBO], [0, 0]]


def test_a_date_on_another_day_counts_for_its_month(tmp_path: Path) -> None:
    panel, report = ingested(tmp_path, row(1, "2015-01-31"), row(2, "2015-01-28"))
    assert panel.months == (date(2015, 1, 28),)
    assert report.column("fecha_dato").repairs == {"variant": 1}


def test_columns_may_be_shuffled_and_more_than_needed(tmp_path: Path) -> None:
    header = ["note", *reversed(HEADER)]
    file = write_raw(tmp_path / "raw.csv", [row(7, own=["recibo"], note="x")], header=header)
    report = ingest_panel(file, tmp_path / "panel")
    assert report.extra_columns == ("note",)
    assert "note" in report.to_markdown()
    assert Panel.open(tmp_path).held_MC.tolist() == [[RECIBO]]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    header = [name for name in HEADER if name not in ("renta", "ind_cco_fin_ult1")]
    file = write_raw(tmp_path / "raw.csv", [row(1)], header=header)
    with pytest.raises(DataError, match=r"2 of the 48 columns .* \['renta', 'ind_cco_fin_ult1'\]"):
        ingest_panel(file, tmp_path / "panel")
    assert not (tmp_path / "panel").exists()


def test_a_file_without_rows_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    full, empty = write_raw(tmp_path / "full.csv", [row(1)]), write_raw(tmp_path / "empty.csv", [])
    for files in ([empty], [full, empty]):
        with pytest.raises(DataError, match=r"empty\.csv: holds no rows, only columns; nothing was stored"):
            ingest_panel(files, tmp_path / "store" / "panel")
        assert not (tmp_path / "store").exists()


def test_a_file_without_rows_leaves_the_panel_that_is_there(tmp_path: Path) -> None:
    panel, _ = ingested(tmp_path, row(1, own=["cco"]))
    before = {path: path.stat().st_mtime_ns for path in panel.folder.rglob("*") if path.suffix}
    with pytest.raises(DataError, match="holds no rows"):
        ingest_panel(
            [write_raw(tmp_path / "more.csv", [row(2)]), write_raw(tmp_path / "e.csv", [])], panel.folder
        )
    assert {path: path.stat().st_mtime_ns for path in panel.folder.rglob("*") if path.suffix} == before
    assert Panel.open(panel.folder).held_MC.tolist() == [[CCO]]


def test_an_empty_file_and_an_unknown_format_are_refused(tmp_path: Path) -> None:
    (tmp_path / "raw.csv").touch()
    with pytest.raises(DataError, match="empty"):
        ingest_panel(tmp_path / "raw.csv", tmp_path / "panel")
    with pytest.raises(InputError, match="santander"):
        ingest_panel(tmp_path / "raw.csv", tmp_path / "panel", source="movielens")


ROWS = [
    row(1, JAN, own=["cco"], age=" NA"),
    row(2, JAN, renta=""),
    row(1, FEB, own=["cco", "recibo"]),
    row(3, FEB),
]


def as_csv(folder: Path) -> Path:
    return write_raw(folder / "x.csv", ROWS)


def as_gz(folder: Path) -> Path:
    path = folder / "x.csv.gz"
    path.write_bytes(gzip.compress(as_csv(folder).read_bytes()))
    return path


def as_zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "x.csv.zip", "w") as archive:
        archive.write(as_csv(folder), "train_ver2.csv")
    return folder / "x.csv.zip"


def as_windows_text(folder: Path) -> Path:
    return write_raw(folder / "x.csv", ROWS, encoding="cp1252", separator=";")


def as_text_parquet(folder: Path) -> Path:
    pl.DataFrame(ROWS).write_parquet(folder / "x.parquet")
    return folder / "x.parquet"


def as_typed_parquet(folder: Path) -> Path:
    """As pandas leaves it: floats for integers with gaps, datetimes, categoricals, one object column."""
    text = pl.DataFrame(ROWS).with_columns(
        pl.col(pl.String).str.strip_chars().replace({"NA": None, "": None})
    )
    floats = ["age", "antiguedad", "renta", "ind_nuevo", "indrel", "cod_prov", "tipodom", "ind_nomina_ult1"]
    typed = text.with_columns(
        pl.col(floats).cast(pl.Float64),
        pl.col("ncodpers").cast(pl.Int32),
        pl.col("fecha_dato", "fecha_alta").str.to_datetime("%Y-%m-%d"),
        pl.col("segmento", "canal_entrada").cast(pl.Categorical),
        pl.col("ind_actividad_cliente") == "1",
        pl.col("ind_cco_fin_ult1").cast(pl.UInt8),
        pl.col("ind_recibo_ult1") == "1",
    ).with_columns(pl.col("age").fill_null(float("nan")))
    typed.write_parquet(folder / "x.parquet")
    return folder / "x.parquet"


def as_duckdb(folder: Path) -> str:
    import duckdb

    parquet = as_typed_parquet(folder)
    with duckdb.connect(str(folder / "bank.duckdb")) as base:
        base.execute(f"CREATE TABLE panel AS SELECT * FROM read_parquet('{parquet}')")
    return f"duckdb:///{folder / 'bank.duckdb'}?table=panel"


@pytest.mark.parametrize(
    "write", [as_gz, as_zip, as_windows_text, as_text_parquet, as_typed_parquet, as_duckdb]
)
def test_every_kind_of_file_gives_the_same_panel(tmp_path: Path, write: Callable[[Path], Path | str]) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    ingest_panel(as_csv(first), first / "panel")
    report = ingest_panel(write(second), second / "panel")
    assert (report.read, report.stored) == (4, 4)
    assert_same_panel(Panel.open(first), Panel.open(second))


def assert_same_panel(left: Panel, right: Panel) -> None:
    """The same clients, masks and attributes."""
    assert left.months == right.months
    assert left.ids == right.ids
    assert left.held_MC.tolist() == right.held_MC.tolist()
    assert left.present_MC.tolist() == right.present_MC.tolist()
    for month in left.months:
        for ours, theirs in zip(left.attributes(month), right.attributes(month), strict=True):
            assert (ours.name, ours.to_list()) == (theirs.name, theirs.to_list())


def test_the_same_file_twice_changes_no_file_of_the_panel(tmp_path: Path) -> None:
    file = write_raw(tmp_path / "raw.csv", [*ROWS, row("x"), row(1, JAN)])
    first = ingest_panel(file, tmp_path / "panel")
    before = Panel.open(tmp_path).manifest
    second = ingest_panel(file, tmp_path / "panel")
    after = Panel.open(tmp_path).manifest
    assert (first.added, second.added, second.updated) == (4, 0, 0)
    assert after.files == before.files
    ours, theirs = (r.model_dump(exclude={"added"}) for r in (first, second))
    assert ours == theirs


def test_a_new_month_is_appended_and_old_parts_stay(tmp_path: Path) -> None:
    write_raw(tmp_path / "1.csv", ROWS[:2])
    write_raw(tmp_path / "2.csv", ROWS[2:])
    ingest_panel(tmp_path / "1.csv", tmp_path / "panel")
    part = Panel.open(tmp_path).manifest.months[0]
    report = ingest_panel(tmp_path / "2.csv", tmp_path / "panel")
    assert (report.read, report.added, report.n_rows_total, report.n_customers) == (2, 2, 4, 3)
    assert Panel.open(tmp_path).manifest.months[0] == part


def test_a_corrected_file_updates_what_it_says_otherwise(tmp_path: Path) -> None:
    write_raw(tmp_path / "1.csv", ROWS)
    write_raw(tmp_path / "2.csv", [row(2, JAN, own=["recibo"]), row(4, JAN)])
    ingest_panel(tmp_path / "1.csv", tmp_path / "panel")
    report = ingest_panel(tmp_path / "2.csv", tmp_path / "panel")
    assert (report.stored, report.added, report.updated) == (2, 1, 1)
    assert Panel.open(tmp_path).held(date(2015, 1, 28)).tolist() == [CCO, RECIBO, 0, 0]


ENTRIES = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from([JAN, FEB, "2015-03-28"]),
        st.sets(st.sampled_from(["cco", "recibo", "tjcr"])),
        st.sampled_from([" 35", " NA", "164", "1.0"]),
        st.sampled_from(["87218.1", "", "   NA"]),
    ),
    min_size=1,
    max_size=10,
)
AGES = {" 35": 35, " NA": None, "164": None, "1.0": 1}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ENTRIES, st.lists(st.integers(0, 10), max_size=1))
def test_a_panel_read_in_pieces_is_the_plain_dictionary_of_its_rows(
    tmp_path_factory: pytest.TempPathFactory,
    entries: list[tuple[int, str, set[str], str, str]],
    cuts: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    rows = [row(c, m, own=sorted(own), age=age, renta=renta) for c, m, own, age, renta in entries]
    ends = [0, *sorted(cuts), len(rows)]
    reports = []
    for start, end in zip(ends, [*ends[1:], len(rows)], strict=True):
        if not rows[start:end]:
            continue  # a file without rows is refused
        file = write_raw(folder / f"{start}-{end}.csv", rows[start:end])
        reports.append(ingest_panel(file, folder / "panel"))
        assert {r["ncodpers"] for r in read_raw(file)} == {r["ncodpers"] for r in rows[start:end]}
    panel = Panel.open(folder)
    oracle = {(c, m): (own, age, renta) for c, m, own, age, renta in entries}  # the last of a pair stays
    found = {}
    for month in panel.months:
        table = panel.attributes(month, ["age", "renta"])
        for place, age, renta in table.iter_rows():
            held = int(panel.held(month)[place])
            own = {n for n in ("cco", "recibo", "tjcr") if held >> SANTANDER.bit(_column(n)) & 1}
            found[panel.ids.ids[place], str(month)] = (own, age, renta)
    assert found == {
        key: (own, AGES[age], pytest.approx(87218.1) if renta == "87218.1" else None)
        for key, (own, age, renta) in oracle.items()
    }
    assert sum(r.added for r in reports) == len(oracle) == panel.n_rows
    assert all(r.read == r.stored + r.quarantined + r.merged for r in reports)


def _column(name: str) -> str:
    return next(c for c in SANTANDER.product_columns if f"_{name}_" in c)


def test_a_bank_with_its_own_schema_is_read_the_same_way(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {
            "client": [1, 2], "month": [date(2024, 1, 31)] * 2, "account": [1, 0], "card": [None, 1.0],
            "loan": [False, True], "age": [-1, 40], "segment": ["top", "??"], "city": ["Omsk", None],
            "income": [1.5, None], "active": [True, None], "joined": [None, date(2020, 1, 1)],
        }
    )  # fmt: skip
    report = ingest_panel(table, tmp_path, schema=SCHEMA)
    panel = Panel.open(tmp_path)
    assert panel.held_MC.tolist() == [[1, 6]]
    assert panel.attributes(panel.months[0])["age"].to_list() == [None, 40]
    assert report.column("age").repairs == {"sentinel": 1}
    assert report.column("segment").repairs == {"out_of_domain": 1}
    assert report.column("card").repairs == {"missing_as_zero": 1}


@pytest.mark.parametrize("when", ["settle_month", "find_breaks"])
def test_a_killed_ingest_leaves_the_panel_as_it_was(tmp_path: Path, when: str) -> None:
    write_raw(tmp_path / "1.csv", ROWS)
    write_raw(tmp_path / "2.csv", [row(2, JAN, own=["recibo"]), row(9, "2015-03-28")])
    ingest_panel(tmp_path / "1.csv", tmp_path / "panel")
    before = Panel.open(tmp_path)
    code = f"""
        import os, signal
        from nextbest.data.panel import reading
        reading.{when} = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
        reading.ingest_panel({str(tmp_path / "2.csv")!r}, {str(tmp_path / "panel")!r})
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert_same_panel(before, Panel.open(tmp_path))
    report = ingest_panel(tmp_path / "2.csv", tmp_path / "panel")
    assert (report.added, report.updated) == (1, 1)
    assert not list((tmp_path / "panel").glob("stage-*"))


def test_the_report_goes_through_json_and_stays_with_the_panel(tmp_path: Path) -> None:
    panel, report = ingested(tmp_path, *ROWS, row("x"))
    assert panel.report == report.to_dict() == json.loads(json.dumps(report.to_dict()))
    assert {"read", "stored", "quarantined", "added", "steps"} <= set(report.to_dict())
    assert PanelReport.model_validate(panel.report) == report
    text = str(report)
    assert "read 5 = stored 4 + quarantined 1 + merged 0" in text
    assert "| 2015-02 | 2 | 1 | 1 | 1 | 0 |" in text

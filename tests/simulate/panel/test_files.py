"""Files of a simulated panel are read back as the panel itself; folders of others are left alone."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextbest.cli import main
from nextbest.data.panel.panel import Panel
from nextbest.data.panel.reading import ingest_panel
from nextbest.data.panel.schema import SANTANDER
from nextbest.errors import InputError
from nextbest.simulate.panel import SimulatedPanel, simulate_panel
from nextbest.simulate.panel.files import LEDGER, WrittenPanel, write_panel_files
from nextbest.simulate.panel.offers import OPEN_COLUMNS
from nextbest.simulate.panel.raw import COLUMNS

SIZE = {"scale": 0.002, "rng": 6}
FORMATS = ("csv", "parquet")


@pytest.fixture(scope="module")
def bank() -> SimulatedPanel:
    return simulate_panel(**SIZE)


@pytest.fixture(scope="module")
def truth(bank: SimulatedPanel, tmp_path_factory: pytest.TempPathFactory) -> Panel:
    return bank.to_panel(tmp_path_factory.mktemp("truth"))


@pytest.fixture(scope="module", params=FORMATS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> WrittenPanel:
    return write_panel_files(tmp_path_factory.mktemp("bank"), **SIZE, file_format=request.param)


def texts(table: pl.DataFrame) -> pl.DataFrame:
    """Categories as text: dictionaries differ between two panels of the same content."""
    return table.with_columns(pl.selectors.by_dtype(pl.Enum, pl.Categorical).cast(pl.String))


def test_the_files_read_back_as_the_panel_month_for_month(
    written: WrittenPanel, truth: Panel, tmp_path: Path
) -> None:
    report = ingest_panel(written.panel, tmp_path)
    ours = Panel.open(tmp_path)
    assert (report.quarantined, report.merged, report.violations) == (0, 0, 0)
    assert report.read == written.rows == truth.n_rows
    assert ours.months == truth.months
    assert np.array_equal(ours.ids.ids, truth.ids.ids)
    assert np.array_equal(ours.held_MC, truth.held_MC)
    assert np.array_equal(ours.present_MC, truth.present_MC)
    for month in truth.months:
        assert texts(ours.attributes(month)).equals(texts(truth.attributes(month)))
    gaps = {gap.columns: gap.rows for gap in report.joint_gaps}
    (thirteen,) = [columns for columns in gaps if len(columns) == 13]
    assert {"age", "fecha_alta", "tipodom"} < set(thirteen)
    assert gaps[thirteen] == sum(truth.attributes(month)["fecha_alta"].null_count() for month in truth.months)
    assert ("ind_nomina_ult1", "ind_nom_pens_ult1") in gaps


def test_the_truth_of_the_last_months_is_the_panel_s_own(written: WrittenPanel, bank: SimulatedPanel) -> None:
    tables = sorted(path.name for path in written.truth if path.name.startswith("additions"))
    assert tables == [f"additions_{month}.parquet" for month in bank.months_[-4:]]
    for month in bank.months_[-4:]:
        table = pl.read_parquet(written.folder / f"truth/additions_{month}.parquet")
        ids, p_NP = bank.truth(month)
        assert table["customer_id"].to_list() == ids.tolist()
        assert np.array_equal(table.select(SANTANDER.product_columns).to_numpy(), p_NP)


def test_offers_and_their_truth_have_the_same_rows(written: WrittenPanel, bank: SimulatedPanel) -> None:
    log = pl.read_parquet(written.offers)
    truth = pl.read_parquet(written.folder / "truth/offers.parquet")
    choices = pl.read_parquet(written.folder / "truth/choices.parquet")
    assert len(log) == len(truth) == written.offers_made > 1000
    assert log["added"].to_list() == np.where(log["is_control"], truth["y0"], truth["y1"]).tolist()
    months = log[choices["offer"].to_numpy()]["month"].unique().sort().to_list()
    assert months == list(bank.months_[-4:])
    assert len(choices.columns) == 1 + 2 * len(OPEN_COLUMNS)
    assert not {"tau", "y0", "y1", "group"} & set(log.columns)


def test_what_was_written_is_told_as_json_and_as_text(written: WrittenPanel, bank: SimulatedPanel) -> None:
    told = json.loads(json.dumps(written.to_dict()))
    assert (told["customers"], told["months"], told["dirt"]) == (bank.n_customers, 17, {})
    assert told["panel"] == [str(path) for path in written.panel]
    assert f"{written.rows:,} rows of {bank.n_customers:,} customers in 17 months" in written.to_text()
    assert str(written.panel[0]) in written.to_text()
    ledger = json.loads((written.folder / LEDGER).read_text("utf-8"))
    assert ledger["is_complete"] is True
    assert all((written.folder / name).is_file() for name in ledger["files"])


def test_parquet_with_dirt_holds_the_text_of_the_csv(tmp_path: Path) -> None:
    size = SIZE | {"months": 3}
    kinds = ["bad_province", "duplicate_rows", "late_month"]
    csv = write_panel_files(tmp_path / "csv", **size, dirt=kinds)
    parquet = write_panel_files(tmp_path / "parquet", **size, dirt=kinds, file_format="parquet")
    assert csv.dirt == parquet.dirt
    assert [path.stem for path in csv.panel] == [path.stem for path in parquet.panel]
    for one, other in zip(csv.panel, parquet.panel, strict=True):
        there = pl.read_csv(one, infer_schema=False).fill_null("")
        assert there.equals(pl.read_parquet(other))
    assert "bad_province" in csv.to_text()


def test_a_parquet_file_is_typed_where_it_is_clean(tmp_path: Path) -> None:
    written = write_panel_files(tmp_path, **(SIZE | {"months": 2}), file_format="parquet")
    schema = pl.read_parquet_schema(written.panel[0])
    assert tuple(schema) == COLUMNS
    assert (schema["fecha_dato"], schema["age"], schema["renta"]) == (pl.Date, pl.Int16, pl.Float32)


def test_the_same_seed_writes_the_same_bytes_over_the_old_files(tmp_path: Path) -> None:
    size = SIZE | {"months": 3}
    first = write_panel_files(tmp_path, **size, dirt=["late_month"])
    before = {path.name: path.read_bytes() for path in (first.panel[0], first.offers)}
    note = tmp_path / "mine.txt"
    note.write_text("kept", encoding="utf-8")
    write_panel_files(tmp_path, **(size | {"rng": 7}))
    assert not first.panel[1].exists()
    assert first.panel[0].read_bytes() != before[first.panel[0].name]
    again = write_panel_files(tmp_path, **size, dirt=["late_month"])
    assert {path.name: path.read_bytes() for path in (again.panel[0], again.offers)} == before
    assert note.read_text("utf-8") == "kept"


def test_a_folder_of_somebody_else_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "train_ver2.csv").write_text("the real one", encoding="utf-8")
    with pytest.raises(InputError, match=r"holds something else; got \['train_ver2.csv'\]; name a new"):
        write_panel_files(tmp_path, **SIZE)
    assert [path.name for path in tmp_path.iterdir()] == ["train_ver2.csv"]


def test_a_ledger_that_names_files_elsewhere_takes_nothing_away(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("kept", encoding="utf-8")
    folder = tmp_path / "bank"
    folder.mkdir()
    (folder / LEDGER).write_text(json.dumps({"files": ["../outside.txt", str(outside)]}), encoding="utf-8")
    write_panel_files(folder, **(SIZE | {"months": 2}))
    assert outside.read_text("utf-8") == "kept"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": [1]}'])
def test_a_ledger_that_cannot_be_read_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / LEDGER).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="can't be read"):
        write_panel_files(tmp_path, **SIZE)


def test_a_file_in_the_folder_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bank").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="is a file"):
        write_panel_files(tmp_path / "bank", **SIZE)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"file_format": "xlsx"}, "file_format"),
        ({"scale": 0.0}, "scale"),
        ({"rng": -1}, "rng"),
        ({"months": 18}, "months"),
        ({"dirt": ["mud"]}, "dirt"),
    ],
)
def test_a_wrong_argument_is_named_and_writes_nothing(tmp_path: Path, wrong: dict, name: str) -> None:
    with pytest.raises(InputError, match=f"^{name}:"):
        write_panel_files(tmp_path / "bank", **(SIZE | wrong))
    assert not (tmp_path / "bank").exists()


def test_one_month_is_a_panel_without_offers_or_truth(tmp_path: Path) -> None:
    written = write_panel_files(tmp_path, **(SIZE | {"months": 1}))
    assert written.offers_made == 0
    assert pl.read_parquet(written.offers).columns[:3] == ["customer_id", "month", "time"]
    assert [path.name for path in written.truth] == ["offers.parquet", "choices.parquet"]
    assert ingest_panel(written.panel, tmp_path / "store").read == written.rows


def test_simulate_then_ingest_run_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bank: SimulatedPanel
) -> None:
    out, store = str(tmp_path / "bank"), str(tmp_path / "store")
    arguments = ["--scale", "0.002", "--rng", "6", "--out", out, "--json", "--dirt", "duplicate_rows"]
    assert main(["products", "simulate", *arguments]) == 0
    told = json.loads(capsys.readouterr().out)
    arguments = ["--source", "santander", "--store", store, "--json"]
    assert main(["ingest", f"{out}/train_ver2.csv", *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["read"], report["merged"]) == (told["rows"], told["dirt"]["duplicate_rows"])
    assert Panel.open(Path(store)).n_customers == bank.n_customers


def test_progress_is_shown_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_panel_files(tmp_path, **(SIZE | {"months": 2}), progress=True)
    assert "write: 100%" in capsys.readouterr().err

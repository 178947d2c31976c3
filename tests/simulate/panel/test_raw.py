"""The raw text of a simulated month is spelled as the competition's file spells it, and loses nothing."""

import csv
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from nextbest.data.panel.schema import SANTANDER
from nextbest.simulate.panel import SimulatedPanel, attributes, simulate_panel
from nextbest.simulate.panel.attributes import joint_gap
from nextbest.simulate.panel.raw import COLUMNS, csv_lines, header, raw_text, raw_typed, with_tails

MONTH = 9
# fmt: off
PATTERNS = {  # read off the first 999 rows of the real file, and its published domains
    "fecha_dato": r"2015-10-28", "ncodpers": r" {0,6}\d{1,7}",
    "ind_empleado": r"[NBFAS]?", "pais_residencia": r"([A-Z]{2})?", "sexo": r"[HV]?",
    "age": r" NA| {0,2}\d{1,3}", "fecha_alta": r"(\d{4}-\d\d-\d\d)?", "ind_nuevo": r"NA| [01]",
    "antiguedad": r"     NA| {0,6}\d{1,7}|-999999", "indrel": r"NA| 1|99",
    "ult_fec_cli_1t": r"(\d{4}-\d\d-\d\d)?", "indrel_1mes": r"([1-4](\.0)?|P)?", "tiprel_1mes": r"[AIPRN]?",
    "indresi": r"[SN]?", "indext": r"[SN]?", "conyuemp": r"[SN]?", "canal_entrada": r"([A-Z0-9]{3})?",
    "indfall": r"[SN]?", "tipodom": r"NA| 1", "cod_prov": r"NA| \d|\d\d", "nomprov": r"[A-ZÑ, ]*",
    "ind_actividad_cliente": r"NA| [01]", "renta": r"(\d+\.\d{1,17})?",
    "segmento": r"(01 - TOP|02 - PARTICULARES|03 - UNIVERSITARIO)?",
    "ind_nomina_ult1": r"NA| [01]", "ind_nom_pens_ult1": r"NA| [01]",
}
# fmt: on
WIDE = {"ncodpers": 7, "age": 3, "antiguedad": 7}


@pytest.fixture(scope="module")
def bank() -> SimulatedPanel:
    return simulate_panel(scale=0.004, rng=2, months=10)


def some(bank: SimulatedPanel, rows: np.ndarray | None = None) -> dict[str, object]:
    rows = np.flatnonzero(bank.present(bank.months_[MONTH])) if rows is None else rows
    return {
        "people": bank.people.take(rows),
        "month": MONTH,
        "held": bank.held_MC[MONTH, rows],
        "active": bank.active_MC[MONTH, rows],
        "seed": bank.seed,
    }


@pytest.fixture(scope="module")
def text(bank: SimulatedPanel) -> pl.DataFrame:
    return raw_text(**some(bank))


@pytest.mark.parametrize("column", COLUMNS)
def test_every_cell_is_spelled_as_in_the_real_file(text: pl.DataFrame, column: str) -> None:
    pattern = re.compile(PATTERNS.get(column, "[01]"))
    assert [cell for cell in text[column].unique() if not pattern.fullmatch(cell)] == []


@pytest.mark.parametrize(("column", "width"), WIDE.items())
def test_integers_are_padded_to_one_width(text: pl.DataFrame, column: str, width: int) -> None:
    assert set(text[column].str.len_chars()) == {width}


def test_the_header_names_the_columns_in_quotes_and_in_the_file_s_order() -> None:
    line = header(COLUMNS).decode()
    assert line.startswith(
        '"fecha_dato","ncodpers","ind_empleado","pais_residencia","sexo","age","fecha_alta"'
    )
    assert line.endswith('"ind_nomina_ult1","ind_nom_pens_ult1","ind_recibo_ult1"\n')
    assert line.count(",") == 47


def test_a_row_of_the_joint_gap_is_the_real_file_s_to_the_byte(
    bank: SimulatedPanel, text: pl.DataFrame
) -> None:
    ids = text["ncodpers"].str.strip_chars().cast(pl.Int64).to_numpy()
    rows = text.filter(pl.Series(joint_gap(ids, seed=bank.seed)))
    assert len(rows) > 0
    for line in csv_lines(rows).decode().splitlines():
        after_id = line.split(",", 2)[2]
        assert after_id.startswith(',,, NA,,NA,     NA,NA,,,,,,,,,NA,NA,"",NA,,,')


def test_province_names_stand_in_quotes_and_their_commas_split_no_field(text: pl.DataFrame) -> None:
    lines = csv_lines(text).decode()
    assert ',"CORUÑA, A",' in lines
    rows = list(csv.reader(lines.splitlines()))
    assert {len(row) for row in rows} == {48}
    assert [row[COLUMNS.index("nomprov")] for row in rows] == text["nomprov"].to_list()


def test_the_relation_code_comes_with_a_point_in_two_rows_of_three(text: pl.DataFrame) -> None:
    codes = text["indrel_1mes"].value_counts()
    n = dict(codes.iter_rows())
    assert 0.63 < n["1.0"] / (n["1.0"] + n["1"]) < 0.72


def test_a_lost_seniority_is_written_as_its_stand_in(
    bank: SimulatedPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attributes, "LOST_SENIORITY", 0.05)
    arguments = some(bank)
    text, typed = raw_text(**arguments), raw_typed(**arguments)
    lost = text["antiguedad"] == "-999999"
    assert 0.03 < lost.mean() < 0.07
    assert typed["antiguedad"].eq(-999999).fill_null(value=False).to_list() == lost.to_list()
    assert text.filter(lost)["age"].str.ends_with("NA").any() is False


def test_an_impossible_age_is_written_though_the_panel_has_none(bank: SimulatedPanel) -> None:
    arguments = some(bank, np.flatnonzero(bank.present(bank.months_[MONTH]))[:3])
    arguments["people"] = replace(arguments["people"], age=np.array([150.0, 40.2, 7.1], np.float32))
    assert raw_text(**arguments)["age"].to_list() == ["150", " 40", "  7"]
    assert raw_typed(**arguments)["age"].to_list() == [None, 40, 7]


def test_both_payrolls_are_missing_together_and_only_where_neither_is_held(bank: SimulatedPanel) -> None:
    n_missing = 0
    for m in range(10):
        rows = np.flatnonzero(bank.present(bank.months_[m]))
        arguments = some(bank, rows) | {
            "month": m,
            "held": bank.held_MC[m, rows],
            "active": bank.active_MC[m, rows],
        }
        text = raw_text(**arguments)
        missing = (text["ind_nomina_ult1"] == "NA").to_numpy()
        assert missing.tolist() == (text["ind_nom_pens_ult1"] == "NA").to_list()
        payrolls = sum(1 << SANTANDER.bit(c) for c in ("ind_nomina_ult1", "ind_nom_pens_ult1"))
        assert not (bank.held_MC[m, rows][missing] & np.uint32(payrolls)).any()
        n_missing += int(missing.sum())
    expected = sum(int(bank.present(month).sum()) for month in bank.months_) * 16_063 / 13_647_309
    assert abs(n_missing - expected) < 5 * expected**0.5


def test_a_slice_is_written_as_in_the_whole(bank: SimulatedPanel, text: pl.DataFrame) -> None:
    rows = np.flatnonzero(bank.present(bank.months_[MONTH]))
    parts = [raw_text(**some(bank, part)) for part in (rows[:7], rows[7:8], rows[8:])]
    assert pl.concat(parts).equals(text)


def test_one_income_in_eight_has_a_tail_and_no_cent_is_lost() -> None:
    income = np.round(np.random.default_rng(0).lognormal(11.5, 0.6, 20_000), 2)
    written = with_tails(income)
    tailed = written != income
    assert 0.115 < tailed.mean() < 0.135
    assert (np.round(written, 2) == income).all()
    assert (with_tails(income[::-1])[::-1] == written).all()
    assert all(len(repr(float(value)).split(".")[1]) > 5 for value in written[tailed])


def test_products_are_the_masks_bits(bank: SimulatedPanel, text: pl.DataFrame) -> None:
    held = some(bank)["held"]
    for bit, column in enumerate(SANTANDER.product_columns):
        assert (text[column].str.strip_chars() == "1").to_list() == ((held >> bit) & 1).astype(bool).tolist()

"""Who is in which group is read as of the month before, and a panel without the attributes has no report."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextbest.data.panel.panel import Panel, additions
from nextbest.data.panel.schema import SANTANDER, Attribute, PanelSchema, Product
from nextbest.data.panel.store import PanelWriter
from nextbest.experiments.products.fairness import FairnessTally, fairness_markdown

BEFORE, TARGET = date(2016, 4, 28), date(2016, 5, 28)
N = 60
SCHEMA = PanelSchema(
    "small",
    "id",
    "month",
    (Product("card", "Card", "Карта"), Product("loan", "Loan", "Кредит")),
    (
        Attribute("gender", "category", ("H", "V"), is_protected=True),
        Attribute("years", "integer", low=0, high=120),
        Attribute("place", "category"),
    ),
    roles={"sex": "gender", "age": "years", "region": "place"},
)


def bank(folder: Path, roles: Mapping[str, str] = SCHEMA.roles) -> Panel:
    """Sixty clients; in the target month all have another sex, age and province than before."""
    schema = PanelSchema("small", "id", "month", SCHEMA.products, SCHEMA.attributes, roles=roles)
    before = {"gender": ["H", "V"] * 30, "years": [30] * 40 + [17] * 20, "place": ["a"] * N}
    after = {"gender": ["V", "H"] * 30, "years": [70] * N, "place": ["b"] * N}
    with PanelWriter(folder, schema=schema) as writer:
        for month, values in ((BEFORE, before), (TARGET, after)):
            table = pl.DataFrame(values, schema_overrides={"years": pl.Int16})
            held = np.full(N, int(month == TARGET), np.uint32)
            writer.append_month(month, list(range(N)), held, table)
        return writer.commit()


def counted(panel: Panel) -> FairnessTally:
    """The card foretold of all men and of no woman; both products as likely as 1 in 4."""
    found = additions(panel, TARGET)
    tally = FairnessTally(panel)
    tally.add(
        TARGET,
        row_N=found.row_N,
        offered_N=np.where(np.arange(N) % 2, 1, 0).astype(np.uint32),
        added_N=found.added_N,
        probability_NP=np.full((N, 2), 0.25, np.float32),
    )
    return tally


def test_groups_are_those_of_the_month_before(tmp_path: Path) -> None:
    report = counted(bank(tmp_path)).report()
    assert report is not None
    rows = {(row["attribute"], row["group"]): row for row in report["groups"]}
    assert set(rows) == {
        ("all", "all"),
        *(("sex", "H"), ("sex", "V")),
        *(("age_band", "26-35"), ("age_band", "0-17")),
        ("province", "a"),
    }
    men, women = rows["sex", "V"], rows["sex", "H"]
    assert (men["offered_share"], women["offered_share"]) == (1, 0)
    assert (men["ratio_to_whole"], men["precision"], women["precision"]) == (2, 1, None)
    assert (men["expected"], men["observed"], men["observed_to_expected"]) == (15, 30, 2)
    assert rows["age_band", "0-17"]["n_clients"] == 20
    lines = fairness_markdown(report)
    assert "| sex | V | 30 | 1.000 | 2.000 | 1.000 | 2.000 |" in lines
    assert "| sex | H | 30 | 0.000 | 0.000 | - | 2.000 |" in lines


@pytest.mark.parametrize("roles", [{}, {"income": "years"}])
def test_a_panel_without_these_attributes_has_no_report(tmp_path: Path, roles: dict[str, str]) -> None:
    assert counted(bank(tmp_path, roles)).report() is None
    assert fairness_markdown(None) == []
    assert FairnessTally(bank(tmp_path, roles)).report() is None


def test_provinces_are_named(tmp_path: Path) -> None:
    table = pl.DataFrame({name: [None] * 30 for name in SANTANDER.attribute_names})
    table = table.with_columns(cod_prov=pl.lit("28"), nomprov=pl.lit("MADRID"))
    table = table.cast({a.name: pl.String if a.kind == "category" else a.dtype for a in SANTANDER.attributes})
    with PanelWriter(tmp_path) as writer:
        for month in (BEFORE, TARGET):
            writer.append_month(month, list(range(30)), np.zeros(30, np.uint32), table)
        panel = writer.commit()
    tally, none_N = FairnessTally(panel), np.zeros(30, np.uint32)
    rows = additions(panel, TARGET).row_N
    p_NP = np.zeros((30, 24), np.float32)
    tally.add(TARGET, row_N=rows, offered_N=none_N, added_N=none_N, probability_NP=p_NP)
    report = tally.report()
    assert report is not None
    named = {(row["attribute"], row["group"]) for row in report["groups"]}
    assert {("province", "MADRID"), ("sex", "unknown"), ("age_band", "unknown")} <= named

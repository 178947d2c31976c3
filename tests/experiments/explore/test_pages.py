"""Pages of explorations: complete, self-contained, in both languages, and possible for the oddest panels."""

import builtins
import json
import re
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data.panel.raw_files import GAP, row, write_raw
from data.panel.toy_panels import ACCOUNT, CARD, month, write_panel
from nextbest.data.ingest import ingest
from nextbest.data.panel.panel import Panel
from nextbest.data.panel.schema import PanelSchema, Product
from nextbest.data.panel.store import PanelWriter
from nextbest.errors import ArtifactError, InputError
from nextbest.experiments.explore import Exploration, explore, explore_files, explore_panel
from nextbest.experiments.explore.figures import Axis, bars, columns, heat, lines, ranges

CYRILLIC = re.compile("[а-яё]")


def raw_rows() -> list[dict[str, str]]:
    """Eight months of 100 clients and more with every role's attribute, some gaps, additions, returns."""
    rng = np.random.default_rng(0)
    rows = []
    for m in range(1, 9):
        for c in range(150 if m >= 5 else 100):
            own = ["cco"] if (c + m) % 3 else []
            own += ["recibo"] if rng.random() < 0.4 else []
            own += ["tjcr"] if m > 4 and c % 2 else []
            changes = {
                "age": f" {20 + c % 60}",
                "segmento": ["01 - TOP", "02 - PARTICULARES"][c % 2],
                "renta": f"{1000 + 50 * c}" if c % 4 else "",
                "canal_entrada": ["KHE", "KAT"][c % 2],
                "ind_actividad_cliente": f" {c % 2}",
            }
            rows.append(row(c, f"2015-{m:02d}-28", own=own, **(changes | (GAP if c == 3 else {}))))
    return rows


@pytest.fixture(scope="module")
def panel_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a small Santander panel."""
    from nextbest.data.panel.reading import ingest_panel

    folder = tmp_path_factory.mktemp("panel")
    ingest_panel(write_raw(folder / "raw.csv", raw_rows()), folder / "store" / "panel")
    return folder / "store"


@pytest.fixture(scope="module")
def journal_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a journal of half a year."""
    folder = tmp_path_factory.mktemp("journal")
    n = 300
    ingest(
        folder,
        pl.DataFrame(
            {
                "user_id": [i % 37 for i in range(n)] + [None],
                "item_id": [i * i % 23 for i in range(n)] + [1],
                "time": [datetime(2024, 1 + i % 6, 1 + i % 28, i % 24, tzinfo=UTC) for i in range(n + 1)],
                "amount": [1.0 + i % 90 for i in range(n + 1)],
            }
        ),
    )
    return folder


@pytest.fixture(scope="module", params=["panel-en", "panel-ru", "journal-en", "journal-ru"])
def exploration(request: pytest.FixtureRequest) -> Exploration:
    kind, lang = request.param.split("-")
    return explore(request.getfixturevalue(f"{kind}_store"), lang=lang)


@pytest.fixture(scope="module", params=["panel-ru", "journal-en"])
def drawn(request: pytest.FixtureRequest) -> tuple[Exploration, str]:
    """An exploration and its page."""
    kind, lang = request.param.split("-")
    found = explore(request.getfixturevalue(f"{kind}_store"), lang=lang)
    return found, found.to_html()


@pytest.fixture(scope="module")
def html(drawn: tuple[Exploration, str]) -> str:
    return drawn[1]


def test_a_page_needs_nothing_from_outside(html: str) -> None:
    assert html.startswith("<!doctype html>")
    assert "<script" not in html
    assert re.findall(r"(?:src|href)=\"(?!#)[^\"]*\"", html) == []
    assert set(re.findall(r"https?://[^\"'\s<>]+", html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert re.findall(r"url\((?!#)", html) == []


def test_ids_are_unique_and_references_lead_somewhere(html: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(ids)


def test_every_section_says_what_it_means_and_has_something_to_show(exploration: Exploration) -> None:
    page = exploration.page
    assert len(page.sections) >= 6
    for section in page.sections:
        assert len(section.meaning) > 30, section.key
        assert section.charts or section.tables or section.notes, section.key
        assert bool(CYRILLIC.search(section.meaning + section.title)) == (page.lang == "ru"), section.key
        for chart in section.charts:
            assert bool(CYRILLIC.search(chart.caption)) == (page.lang == "ru"), chart.caption
    assert not re.search(r"\bnan\b", exploration.to_text() + " ".join(s.meaning for s in page.sections))


def test_every_chart_is_in_the_page(drawn: tuple[Exploration, str]) -> None:
    exploration, html = drawn
    n_charts = sum(len(section.charts) for section in exploration.page.sections)
    assert html.count('<svg role="img"') == n_charts >= 6
    assert ">nan<" not in html


def test_the_document_is_json_without_nan(exploration: Exploration) -> None:
    text = json.dumps(exploration.document, allow_nan=False)
    assert json.loads(text)["kind"] in ("panel", "journal")


def test_all_sections_of_a_full_panel_are_there(panel_store: Path) -> None:
    keys = [section.key for section in explore(panel_store).page.sections]
    assert keys == [
        "baselines", "rows", "missing", "prevalence", "moves", "seasons", "turnover", "returns", "adders",
        "together", "age", "seniority", "income", "channels", "groups",
    ]  # fmt: skip


def test_breaks_and_joint_gaps_of_the_data_are_told(panel_store: Path) -> None:
    page = explore(panel_store).page
    sections = {section.key: section for section in page.sections}
    assert any("rows go from 100 to 150" in note for note in sections["rows"].notes)
    assert any("miss 13 columns together" in note for note in sections["missing"].notes)


def test_raw_files_are_looked_at_without_being_kept(tmp_path: Path, panel_store: Path) -> None:
    found = explore_files(write_raw(tmp_path / "raw.csv", raw_rows()))
    assert found.document["products"] == explore(panel_store).document["products"]
    assert [path.name for path in tmp_path.iterdir()] == ["raw.csv"]


def odd_panels(folder: Path) -> dict[str, Panel]:
    bare = PanelSchema("bare", "id", "m", (Product("only", "Only", "Один"),), ())
    with PanelWriter(folder / "bare", schema=bare) as writer:
        for m in (1, 2):
            writer.append_month(month(m), [1, 2], np.array([0, m - 1]), pl.DataFrame([{}, {}]))
        without_roles = writer.commit()
    return {
        "empty": write_panel(folder / "empty", {}),
        "one month": write_panel(folder / "one", {month(1): {1: ACCOUNT, 2: 0}}),
        "a gap": write_panel(folder / "gap", {month(1): {1: ACCOUNT}, month(4): {1: CARD}}),
        "nothing held": write_panel(folder / "none", {month(m): {1: 0, 2: 0} for m in range(1, 4)}),
        "without roles": without_roles,
    }


@pytest.mark.parametrize("which", ["empty", "one month", "a gap", "nothing held", "without roles"])
@pytest.mark.parametrize("lang", ["en", "ru"])
def test_odd_panels_have_pages_too(tmp_path: Path, which: str, lang: str) -> None:
    found = explore_panel(odd_panels(tmp_path)[which], lang=lang)  # type: ignore[arg-type]
    assert json.loads(json.dumps(found.document, allow_nan=False))["kind"] == "panel"
    assert found.to_text()
    if lang == "en":
        assert "</html>" in found.to_html()


def test_nothing_ingested_and_an_unknown_language_are_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nextbest ingest"):
        explore(tmp_path)
    with pytest.raises(InputError, match="en"):
        explore(tmp_path, lang="de")  # type: ignore[arg-type]


def test_without_matplotlib_a_page_says_what_to_install_and_text_is_still_there(
    panel_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def lacking(name: str, *args: object, **kwargs: object) -> object:
        if name.split(".", maxsplit=1)[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    found = explore(panel_store)
    monkeypatch.setattr(builtins, "__import__", lacking)
    assert "Turnover" in found.to_text()
    with pytest.raises(InputError, match=r"pip install nextbest\[explore\]"):
        found.to_html()


def test_text_from_the_data_cant_become_markup(tmp_path: Path) -> None:
    rows = [row(c, f"2015-0{m}-28", canal_entrada="<b>&x</b>") for c in range(3) for m in (1, 2)]
    html = explore_files(write_raw(tmp_path / "raw.csv", rows)).to_html()
    assert "<b>&x</b>" not in html
    assert "&lt;b&gt;&amp;x&lt;/b&gt;" in html


def test_charts_stand_nan_zero_and_single_values() -> None:
    nothing = np.array([np.nan, np.nan])
    drawn = [
        columns("a", ["x", "y"], nothing, axis=Axis()),
        lines("b", ["x", "y"], {"l": np.array([0.0, np.nan])}, axis=Axis()),
        bars("c", ["x", "y"], np.zeros(2), axis=Axis(percent=True), texts=["", "0"]),
        heat("d", ["x"], ["y", "z"], np.full((1, 2), np.nan), write=str),
        heat("e", ["x"], ["y"], np.zeros((1, 1)), write=str, centre=1.0),
        heat("f", ["x"], ["y"], np.zeros((1, 1)), write=str, log=True),
        ranges("g", ["x"], np.full((1, 5), 7.0), axis=Axis(log=True)),
    ]
    assert all(svg.startswith("<svg role=") and svg.rstrip().endswith("</svg>") for svg in drawn)


def test_the_same_chart_twice_is_the_same_text() -> None:
    made = {bars("a", ["x"], np.ones(1), axis=Axis()) for _ in range(2)}
    assert len(made) == 1


def test_months_name_the_year_once(panel_store: Path) -> None:
    from nextbest.experiments.explore.writing import Writer

    months = (date(2015, 12, 28), date(2016, 1, 28), date(2016, 2, 28))
    assert Writer("en").months(months) == ["Dec\n2015", "Jan\n2016", "Feb"]
    assert Writer("ru").months(months)[1] == "янв\n2016"
    assert Writer("ru").whole(1234567) == "1\N{NO-BREAK SPACE}234\N{NO-BREAK SPACE}567"
    assert Writer("en").share(0.00012) == "0.012%"

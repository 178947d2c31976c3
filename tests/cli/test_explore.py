"""`nextbest explore`: what is written, what is printed, and the exit codes."""

import json
import sys
from pathlib import Path

import pytest

from data.panel.raw_files import row, write_raw
from nextbest.cli import main


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    rows = [row(c, f"2015-0{m}-28", own=["cco"] if (c + m) % 2 else []) for c in range(6) for m in (1, 2, 3)]
    return write_raw(tmp_path / "train_ver2.csv", rows)


def test_a_stored_panel_becomes_a_page_and_a_summary(raw: Path, tmp_path: Path, capsys) -> None:
    store = str(tmp_path / "store")
    assert main(["ingest", str(raw), "--source", "santander", "--store", store, "--json"]) == 0
    capsys.readouterr()
    out = tmp_path / "page.html"
    assert main(["explore", "--store", store, "--out", str(out), "--lang", "ru"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].startswith("Панель santander")
    assert 2 <= len([line for line in lines if line.startswith("- ")]) <= 5
    assert lines[-1].endswith(f": {out}")
    assert len(lines) <= 7
    assert '<html lang="ru">' in out.read_text(encoding="utf-8")


def test_markdown_holds_all_words_and_needs_no_matplotlib(
    raw: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    out = tmp_path / "page.md"
    assert main(["explore", "--panel", str(raw), "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    assert text.startswith("# Panel santander")
    assert "**Turnover and hazard.**" in text
    assert "Turnover" not in capsys.readouterr().out


def test_with_json_there_is_one_document_and_no_page(
    raw: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["explore", "--panel", str(raw), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["rows"], document["customers"]) == ("panel", 18, 6)
    assert not (tmp_path / "explore.html").exists()


def test_the_page_goes_to_explore_html_unless_told(
    raw: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["explore", "--panel", str(raw), "--quiet"]) == 0
    assert (tmp_path / "explore.html").stat().st_size > 10_000
    assert capsys.readouterr().err == ""


def test_a_missing_matplotlib_is_told_before_the_work(
    raw: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["explore", "--panel", str(raw), "--out", str(tmp_path / "x.html")]) == 2
    assert "pip install nextbest[explore]" in capsys.readouterr().err
    assert main(["explore", "--panel", str(raw), "--json"]) == 0


def test_an_empty_store_is_a_missing_artifact(tmp_path: Path, capsys) -> None:
    assert main(["explore", "--store", str(tmp_path), "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["error"] == "ArtifactError"

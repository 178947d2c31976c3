"""`nextbest ingest --source santander`: the panel's way through the command."""

import json
from pathlib import Path

import pytest

from data.panel.raw_files import row, write_raw
from nextbest.cli import main
from nextbest.data.panel.panel import Panel


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, dict, str]:
    """Exit code, the one document of standard output, standard error."""
    code = main([str(word) for word in words] + ["--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def test_a_panel_is_stored_in_the_workspace_and_counted(tmp_path: Path, capsys) -> None:
    file = write_raw(tmp_path / "train_ver2.csv", [row(1), row(2), row(1), row("x")])
    store = tmp_path / "store"
    words = ("ingest", file, "--source", "santander", "--store", store, "--report", tmp_path / "contract.md")
    code, document, _ = run(capsys, *words)
    assert code == 0
    assert {name: document[name] for name in ("read", "stored", "quarantined", "merged", "added")} == {
        "read": 4, "stored": 2, "quarantined": 1, "merged": 1, "added": 2,
    }  # fmt: skip
    assert {step["step"] for step in document["steps"]} == {"rows", "repairs", "duplicates"}
    assert "bad_id 1" in (tmp_path / "contract.md").read_text()
    assert Panel.open(store).n_rows == 2
    assert run(capsys, *words)[1]["added"] == 0


def test_a_second_ingest_says_that_nothing_is_new_and_a_changed_one_all(tmp_path: Path, capsys) -> None:
    file = write_raw(tmp_path / "train_ver2.csv", [row(1), row(2), row("x")])
    words = [str(w) for w in ("ingest", file, "--source", "santander", "--store", tmp_path / "s")]
    assert main(words) == 0
    first = capsys.readouterr().out
    assert "| step | quarantined |" in first
    assert main([*words, "--report", str(tmp_path / "all.md")]) == 0
    second = capsys.readouterr().out.splitlines()
    assert second[0].startswith("read 3 = stored 2 + quarantined 1")
    assert second[1:] == [
        "quarantined: bad_id 1",
        "nothing new: every row was here already (the whole report: --report FILE)",
    ]
    assert "| step | quarantined |" in (tmp_path / "all.md").read_text()
    write_raw(file, [row(1, age=" 41"), row(2)])
    assert main(words) == 0
    changed = capsys.readouterr().out
    assert "updated 1" in changed
    assert "| step | quarantined |" in changed


def test_the_source_may_stand_in_the_settings_file(tmp_path: Path, capsys) -> None:
    (tmp_path / "own.toml").write_text('[ingest]\nsource = "santander"\n')
    file = write_raw(tmp_path / "train_ver2.csv", [row(1)])
    code, document, _ = run(
        capsys, "ingest", file, "--settings", tmp_path / "own.toml", "--store", tmp_path / "s"
    )
    assert (code, document["stored"]) == (0, 1)


def test_every_row_refused_is_told(tmp_path: Path, capsys) -> None:
    file = write_raw(tmp_path / "train_ver2.csv", [row("x")])
    code, _, err = run(capsys, "ingest", file, "--source", "santander", "--store", tmp_path / "s")
    assert code == 0
    assert "every row went to quarantine" in err


@pytest.mark.parametrize(
    "flags", [["--map", "user_id=ncodpers"], ["--set", "decimal=,"], ["--catalog", "items.csv"]]
)
def test_flags_of_a_log_are_refused(tmp_path: Path, capsys, flags: list[str]) -> None:
    file = write_raw(tmp_path / "train_ver2.csv", [row(1)])
    code, document, _ = run(
        capsys, "ingest", file, "--source", "santander", "--store", tmp_path / "s", *flags
    )
    assert code == 2
    assert flags[0] in document["detail"]


def test_a_missing_column_is_bad_data(tmp_path: Path, capsys) -> None:
    (tmp_path / "x.csv").write_text("ncodpers,fecha_dato\n1,2015-01-28\n")
    code, document, _ = run(
        capsys, "ingest", tmp_path / "x.csv", "--source", "santander", "--store", tmp_path / "s"
    )
    assert (code, document["error"]) == (3, "DataError")

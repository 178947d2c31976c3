"""`nextbest tune`: one document, a folder that `compare` reads, going on, and Ctrl-C."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nextbest.cli import main, parser

RECIPE = """\
name = "mine"
[[models]]
kind = "popularity"
[[models]]
kind = "transitions"
[models.search]
source_power = { low = 0.0, high = 1.0 }
window = { choices = [2, 5, 20] }
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a workspace of 30 clients who walk a ring of 20 goods, and a recipe."""
    folder = tmp_path_factory.mktemp("shop")
    lines = ["client,product,moment"]
    lines += [f"{u},{(u + s) % 20},2024-01-{s + 1:02d} 10:00:{u:02d}" for s in range(12) for u in range(30)]
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    (folder / "mine.toml").write_text(RECIPE)
    words = [
        "--map",
        "user_id=client,item_id=product,time=moment",
        "--store",
        str(folder / "store"),
        "--quiet",
    ]
    assert main(["ingest", str(folder / "log.csv"), *words]) == 0
    return folder


def command(shop: Path, out: Path, *words: str) -> list[str]:
    recipe = ["--recipe", str(shop / "mine.toml"), "--store", str(shop / "store"), "--out", str(out)]
    return ["tune", *recipe, *words]


def test_json_is_one_document_and_the_folder_holds_a_recipe_for_compare(shop, tmp_path, capsys) -> None:
    capsys.readouterr()
    assert main(command(shop, tmp_path / "t", "--trials", "3", "--json")) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert err == ""
    assert [(m["model"], m["trials"]) for m in report["models"]] == [("popularity", 1), ("transitions", 3)]
    assert report["models"][1]["best"].keys() == {"source_power", "window"}
    assert sorted(p.name for p in (tmp_path / "t").iterdir()) == [
        "best.toml",
        "lock",
        "study.log",
        "trials.csv",
        "tune.json",
    ]
    words = ["--store", str(shop / "store"), "--resamples", "20", "--json"]
    assert main(["compare", "--recipe", report["found"], *words]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {r["model"]: r["chosen"]["config"] for r in rows}["transitions_tuned"] == report["models"][1][
        "config"
    ]


def test_the_same_folder_again_goes_on_and_another_split_is_a_wrong_call(shop, tmp_path, capsys) -> None:
    for n in ("2", "4"):
        assert main(command(shop, tmp_path / "t", "--trials", n)) == 0
    assert "| transitions | 1.0000 | 1.0000 | 4 | 0 |" in capsys.readouterr().out
    code = main(command(shop, tmp_path / "t", "--trials", "4", "--protocol", "leave-last", "--json"))
    assert code == 2
    assert 'protocol was "time", is "leave-last"' in json.loads(capsys.readouterr().out)["detail"]


def test_without_a_budget_it_is_a_wrong_call(shop, tmp_path, capsys) -> None:
    assert main(command(shop, tmp_path / "t")) == 2
    assert "budget: must be given" in capsys.readouterr().err


def test_a_missing_optuna_names_the_extra(shop, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(command(shop, tmp_path / "t", "--trials", "2")) == 2
    assert "pip install nextbest[tune]" in capsys.readouterr().err


def test_ctrl_c_says_where_the_finished_trials_are(shop, tmp_path, capsys, monkeypatch) -> None:
    from nextbest.models.transitions import Transitions

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Transitions, "_fit", stop)
    assert main(command(shop, tmp_path / "t", "--trials", "2")) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert f"finished trials are in {tmp_path / 't'}" in err
    assert "popularity" in (tmp_path / "t" / "trials.csv").read_text()


def test_k_has_one_dash_or_two() -> None:
    needed = ["tune", "--recipe", "baselines", "--out", "t"]
    assert [parser().parse_args([*needed, flag, "7"]).k for flag in ("-k", "--k")] == [7, 7]


def test_the_command_line_starts_without_optuna() -> None:
    code = "import sys; from nextbest.cli import parser; parser(); sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

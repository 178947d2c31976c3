"""`--mlflow`: what commands keep beside what they print, and that they print it whatever becomes of the keeping."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.train_shop import write_shop
from nextbest.cli import main, parser
from nextbest.settings import Settings

mlflow = pytest.importorskip("mlflow", reason="the extra mlflow isn't installed")
pytest.importorskip("alembic")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
COMMANDS = (
    ["compare", "--recipe", "baselines"],
    ["train", "--recipe", "baselines", "--out", "m"],
    ["assistant", "train-intents", "--out", "i"],
    ["assistant", "bench", "--provider", "fake"],
    ["assistant", "embed", "f.parquet"],
    ["assistant", "finetune", "--model", "m", "--out", "o"],
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of runs for all tests here: its tables cost two CPU-seconds."""
    return tmp_path_factory.mktemp("runs") / "mlflow"


def recipe(folder: Path) -> str:
    """Two models in a moment."""
    file = folder / "two.toml"
    file.write_text('name = "two"\n[[models]]\nkind = "popularity"\n[[models]]\nkind = "item_knn"\n')
    return str(file)


def read(document: dict[str, Any]) -> tuple[Any, list[Any]]:
    """A run and its children, by MLflow's own client."""
    where = document["mlflow"]
    client = mlflow.MlflowClient(tracking_uri=where["uri"])
    run = client.get_run(where["run_id"])
    inner = client.search_runs(
        [run.info.experiment_id], filter_string=f"tags.`mlflow.parentRunId` = '{where['run_id']}'"
    )
    return run, inner


def test_a_comparison_is_a_run_for_each_model(shop: Path, kept: Path, tmp_path: Path, capsys) -> None:
    words = ["compare", "--recipe", recipe(tmp_path), "--store", str(shop), "--json", "--resamples", "50"]
    assert main([*words, "--mlflow", str(kept)]) == 0
    document = json.loads(capsys.readouterr().out)
    run, inner = read(document)
    assert run.info.status == "FINISHED"
    assert run.data.params["protocol.name"] == "time"
    assert {r.info.run_name for r in inner} == {row["model"] for row in document["rows"]}
    for row in document["rows"]:
        (own,) = (r for r in inner if r.info.run_name == row["model"])
        ndcg = row["metrics"]["ndcg@10"]
        assert own.data.metrics["ndcg_at_10"] == ndcg["value"]
        assert own.data.metrics["ndcg_at_10 ci_high"] == ndcg["ci_high"]
    client = mlflow.MlflowClient(tracking_uri=document["mlflow"]["uri"])
    assert [f.path for f in client.list_artifacts(run.info.run_id)] == ["comparison.md"]


def training(shop: Path, folder: Path) -> list[str]:
    """A training's command line."""
    where = ["--store", str(shop), "--out", str(folder / "m")]
    return ["train", "--recipe", recipe(folder), *where, "--json"]


def test_a_training_keeps_its_choice_and_its_cost(
    shop: Path, kept: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("NEXTBEST_MLFLOW", str(kept))  # the flag's default
    words = training(shop, tmp_path)
    assert main(words) == 0
    document = json.loads(capsys.readouterr().out)
    run, inner = read(document)
    assert run.data.params["chosen.kind"] == document["chosen"]["kind"]
    assert run.data.metrics["validation ndcg_at_10"] == document["chosen"]["validation"]
    assert run.data.metrics["n_users"] == document["n_users"]
    assert run.data.tags["model"] == str(tmp_path / "m")
    assert len(inner) == 2


def test_a_command_that_fails_leaves_a_failed_run(shop: Path, kept: Path, tmp_path: Path, capsys) -> None:
    words = training(shop, tmp_path)
    assert main([*words, "--cutoff", "1990-01-01", "--mlflow", str(kept)]) == 3
    assert "holds no event before 1990" in json.loads(capsys.readouterr().out)["detail"]
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{kept / 'mlflow.db'}")
    found = client.get_experiment_by_name("nextbest")
    (failed,) = client.search_runs([found.experiment_id], filter_string="attributes.status = 'FAILED'")
    assert "holds no event before 1990" in failed.data.tags["error"]


def test_a_server_that_does_not_answer_costs_a_line_and_not_the_result(
    shop: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    words = ["compare", "--recipe", recipe(tmp_path), "--store", str(shop), "--json", "--resamples", "50"]
    assert main([*words, "--mlflow", "http://me:secret@127.0.0.1:9"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert len(document["rows"]) == 2
    assert (
        document["mlflow"]["error"]
        == "mlflow at http://***@127.0.0.1:9: doesn't answer; nothing else was lost"
    )
    assert [line for line in err.splitlines() if "not tracked" in line] == [
        "nextbest: warning: not tracked: mlflow at http://***@127.0.0.1:9: doesn't answer; nothing else was lost"
    ]
    assert "secret" not in out + err


def test_a_wrong_address_is_told_before_the_work(shop: Path, tmp_path: Path, capsys) -> None:
    words = ["compare", "--recipe", recipe(tmp_path), "--store", str(shop), "--json"]
    assert main([*words, "--mlflow", "ftp://runs"]) == 2
    assert "must be a folder or an address" in json.loads(capsys.readouterr().out)["detail"]


def test_without_the_flag_nothing_is_kept_or_said(shop: Path, tmp_path: Path, capsys) -> None:
    words = ["compare", "--recipe", recipe(tmp_path), "--store", str(shop), "--json", "--resamples", "50"]
    assert main(words) == 0
    assert "mlflow" not in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_every_command_that_measures_has_the_flag(words: list[str]) -> None:
    assert parser().parse_args([*words, "--mlflow", "runs"]).mlflow == "runs"
    assert parser().parse_args(words).mlflow is None


def test_the_environment_may_name_the_store() -> None:
    assert Settings.from_env({"NEXTBEST_MLFLOW": "runs"}).mlflow == "runs"
    assert Settings.from_env({}).mlflow is None

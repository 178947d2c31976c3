"""Runs in a real MLflow store, read back by MLflow's own client."""

import math
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

from nextbest.errors import ExternalError, InputError
from nextbest.tracking import Run, Tracker

mlflow = pytest.importorskip("mlflow", reason="the extra mlflow isn't installed")
pytest.importorskip("alembic")

from nextbest.ops.tracking import ARTIFACTS, DATABASE, open_tracker, without_secret  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store: its tables cost two CPU-seconds, once."""
    folder = tmp_path_factory.mktemp("mlflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with open_tracker(folder, experiment="another").run("first"):
            pass
    return folder / DATABASE


@pytest.fixture
def store(fresh: Path, tmp_path: Path) -> Path:
    """A folder that keeps runs."""
    shutil.copy(fresh, tmp_path / DATABASE)
    return tmp_path


def runs(store: Path, experiment: str = "nextbest") -> list[Any]:
    """Oldest first."""
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{store / DATABASE}")
    found = client.get_experiment_by_name(experiment)
    return client.search_runs([found.experiment_id], order_by=["attributes.start_time ASC"])


def test_what_is_written_is_read_back_by_mlflow(store: Path) -> None:
    report = store / "report.txt"
    report.write_text("as a file")
    tracker = open_tracker(store)
    with tracker.run("compare") as run:
        run.params({"k": 10, "recipe": ["a", "b"], "none": None, "config": {"é": 1.5}, "long": "x" * 9000})
        run.metrics({"ndcg@10": 0.25, "left out": None, "worst": math.nan})
        for step in (1, 2, 3):
            run.metrics({"loss": 1 / step}, step=step)
        run.tags({"model": "ease"})
        run.text("table.md", "| таблица |")
        run.artifact(report)
        with run.child("ease") as inner:
            inner.metrics({"ndcg@10": 0.5})
        where = run.describe()
    client = mlflow.MlflowClient(tracking_uri=where["uri"])
    read = client.get_run(where["run_id"])
    assert (read.info.status, read.info.run_name) == ("FINISHED", "compare")
    params = read.data.params
    assert (params["k"], params["recipe"], params["config"]) == ("10", '["a", "b"]', '{"é": 1.5}')
    assert len(params["long"]) == 6000
    assert "none" not in params
    assert read.data.metrics["ndcg_at_10"] == 0.25
    assert math.isnan(read.data.metrics["worst"])
    assert "left out" not in read.data.metrics
    assert [(m.step, m.value) for m in client.get_metric_history(where["run_id"], "loss")] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]  # fmt: skip
    assert read.data.tags["model"] == "ease"
    assert sorted(f.path for f in client.list_artifacts(where["run_id"])) == ["report.txt", "table.md"]
    assert [p.read_text() for p in (store / ARTIFACTS).rglob("table.md")] == ["| таблица |"]
    inner_run = next(r for r in runs(store) if r.info.run_name == "ease")
    assert inner_run.data.tags["mlflow.parentRunId"] == where["run_id"]
    assert inner_run.data.metrics == {"ndcg_at_10": 0.5}


def test_more_than_one_request_holds_is_written_in_several(store: Path) -> None:
    with open_tracker(store).run("big") as run:
        run.params({f"p{i}": i for i in range(250)})
        run.metrics({f"m{i}": float(i) for i in range(1200)})
        run.tags({f"t{i}": str(i) for i in range(150)})
    (read,) = runs(store)
    assert (len(read.data.params), len(read.data.metrics)) == (250, 1200)
    assert sum(name[1:].isdigit() for name in read.data.tags) == 150


@pytest.mark.parametrize(("error", "status"), [(ValueError("no such column"), "FAILED"), (KeyboardInterrupt(), "KILLED")])  # fmt: skip
def test_a_run_that_an_error_leaves_says_so(store: Path, error: BaseException, status: str) -> None:
    with pytest.raises(type(error)), open_tracker(store).run("a"):
        raise error
    (read,) = runs(store)
    assert read.info.status == status
    assert read.data.tags["error"].startswith(type(error).__name__)


def test_runs_of_one_store_are_of_the_experiment_that_the_environment_names(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "shop")
    for _ in range(2):
        with open_tracker(store).run("a"):
            pass
    assert len(runs(store, "shop")) == 2


def test_the_callers_own_mlflow_is_left_alone(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = mlflow.get_tracking_uri()
    with open_tracker(store).run("a") as run:
        run.text("a.txt", "a")
        assert mlflow.active_run() is None
    assert mlflow.get_tracking_uri() == before
    assert not (tmp_path / "mlruns").exists()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_server_that_does_not_answer_is_one_clear_line() -> None:
    said = r"mlflow at http://\*\*\*@127\.0\.0\.1:9: doesn't answer"
    begun = open_tracker("http://me:secret@127.0.0.1:9").run("a")
    with pytest.raises(ExternalError, match=said) as told, begun:
        raise AssertionError("no run")
    assert "\n" not in str(told.value)
    assert "secret" not in str(told.value)


def test_a_deleted_experiment_is_told_with_what_to_do(store: Path) -> None:
    with open_tracker(store, experiment="gone").run("a"):
        pass
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{store / DATABASE}")
    client.delete_experiment(client.get_experiment_by_name("gone").experiment_id)
    begun = open_tracker(store, experiment="gone").run("a")
    with pytest.raises(ExternalError, match="'gone' was deleted; restore it"), begun:
        raise AssertionError("no run")


def test_a_database_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_text("not a database, " * 100)
    with pytest.raises(ExternalError, match="mlflow at sqlite:"), open_tracker(tmp_path).run("a"):
        raise AssertionError("no run")


@pytest.mark.parametrize("where", ["ftp://host/x", "  ", "nonsense://x"])
def test_what_is_neither_folder_nor_address_is_refused_before_any_work(where: str) -> None:
    with pytest.raises(InputError, match="must be a folder or an address"):
        open_tracker(where)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(InputError, match="is a file"):
        open_tracker(tmp_path / "runs")


def test_without_the_extra_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("nextbest.ops.tracking.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"nextbest\[mlflow\]"):
        open_tracker(tmp_path)


def test_passwords_are_not_shown() -> None:
    assert without_secret("postgresql://u:p@h/db and http://t@h") == "postgresql://***@h/db and http://***@h"
    assert without_secret("https://host/a@b") == "https://host/a@b"


def test_it_is_a_tracker(store: Path) -> None:
    tracker = open_tracker(store)
    assert isinstance(tracker, Tracker)
    with tracker.run("a") as run:
        assert isinstance(run, Run)

"""Runs kept by MLflow: a folder on this disk, a database, or a tracking server.

The only module that knows MLflow; nothing of it is imported before a tracker is opened. Only its client is used, no
global run: several runs may be open at once, and a run of the caller's own isn't touched.
"""

import json
import logging
import math
import os
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nextbest.errors import ExternalError, InputError
from nextbest.tracking import Run
from nextbest.version import __version__

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")
EXPERIMENT = "nextbest"
"""Name of the experiment unless `MLFLOW_EXPERIMENT_NAME` says another."""
DATABASE, ARTIFACTS = "mlflow.db", "artifacts"
"""In a folder that keeps runs."""
SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks", "uc")
_LONGEST_VALUE, _LONGEST_TAG = 6000, 5000
_MOST_PARAMS, _MOST_METRICS = 100, 1000
"""What one request of MLflow's may hold."""
_PLAIN = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "15"}  # fmt: skip
"""Set where the environment doesn't say otherwise: MLflow would report its use to its makers, and asks a dead server for
minutes."""
_SECRET = re.compile(r"(?<=://)[^/@\s]+@")


def open_tracker(where: str | Path, *, experiment: str | None = None) -> "MlflowTracker":
    """A tracker that writes to MLflow.

    Parameters
    ----------
    where
        A folder, made if it isn't there, which holds a database (`mlflow.db`) and files (`artifacts`); or an address:
        `http://host:5000`, `sqlite:///file.db`, `postgresql://...`, `databricks`. Users, passwords and tokens are MLflow's
        own variables (`MLFLOW_TRACKING_USERNAME`, `_PASSWORD`, `_TOKEN`).
    experiment
        None: `MLFLOW_EXPERIMENT_NAME`, or "nextbest".

    Raises
    ------
    InputError
        The extra isn't installed, or `where` is neither a folder nor an address that MLflow takes.

    Notes
    -----
    Nothing is connected yet: a server that doesn't answer is told by the first `run`.
    """
    if find_spec("mlflow") is None or find_spec("sqlalchemy") is None or find_spec("alembic") is None:
        raise InputError("mlflow", "isn't installed", remedy='pip install "nextbest[mlflow]"')
    named = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    text = str(where)
    scheme = text.partition(":")[0].partition("+")[0].lower()
    if text == "databricks" or ("://" in text and scheme in SCHEMES):
        return MlflowTracker(text, experiment=named)
    if "://" in text or not text.strip():
        raise InputError(
            "mlflow",
            "must be a folder or an address that MLflow takes",
            value=without_secret(text),
            remedy=f"addresses begin with {', '.join(SCHEMES)}",
        )
    folder = Path(text).absolute()
    if folder.exists() and not folder.is_dir():
        raise InputError("mlflow", "must be a folder, is a file", value=text, remedy=f"sqlite:///{folder}")
    return MlflowTracker(f"sqlite:///{folder / DATABASE}", experiment=named, folder=folder)


def without_secret(address: str) -> str:
    """An address without the user and password in it."""
    return _SECRET.sub("***@", address)


class MlflowTracker:
    """Runs of one experiment of one MLflow store; see `open_tracker`."""

    def __init__(self, uri: str, *, experiment: str, folder: Path | None = None) -> None:
        self._uri, self.experiment, self._folder = uri, experiment, folder
        self._client: MlflowClient | None = None
        self._experiment_id = ""

    @property
    def uri(self) -> str:
        """Of the store, without a password."""
        return without_secret(self._uri)

    @contextmanager
    def run(self, name: str) -> Iterator[Run]:
        """A run that ends with the block; see `nextbest.tracking.Tracker.run`.

        Raises
        ------
        ExternalError
            The store can't be reached or written, or the experiment was deleted there.
        """
        self.attempt(self._connect)
        with self._open(name, parent=None) as run:
            yield run

    @contextmanager
    def open_child(self, name: str, parent: str) -> Iterator[Run]:
        """A run below another."""
        with self._open(name, parent=parent) as run:
            yield run

    @contextmanager
    def _open(self, name: str, *, parent: str | None) -> Iterator[Run]:
        tags = {
            "nextbest.version": __version__,
            "mlflow.source.name": "nextbest",
            "mlflow.source.type": "LOCAL",
        }
        if parent is not None:
            tags["mlflow.parentRunId"] = parent
        begun = self.attempt(
            lambda client: client.create_run(
                self._experiment_id, start_time=int(time.time() * 1000), tags=tags, run_name=name
            )
        )
        run_id = begun.info.run_id
        run = MlflowRun(self, run_id)
        try:
            yield run
        except BaseException as error:
            status = "KILLED" if isinstance(error, KeyboardInterrupt | GeneratorExit) else "FAILED"
            # the block's error is the one to know of; a store that is gone too has been told, or will be next time
            try:
                run.tags({"error": f"{type(error).__name__}: {error}"})
                self.attempt(lambda client: client.set_terminated(run_id, status=status))
            except ExternalError:
                logging.getLogger(__name__).warning("a failed run stays open in %s", self.uri)
            raise
        self.attempt(lambda client: client.set_terminated(run_id, status="FINISHED"))

    def attempt(self, ask: "Callable[[MlflowClient], T]") -> T:
        """Ask MLflow's client; whatever it raises is an `ExternalError` of one line.

        Its kinds of errors are those of requests, SQLAlchemy, cloud stores and its own, and none may cost a result.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of its own libraries
                warnings.simplefilter("ignore", FutureWarning)
                return ask(self._opened())
        except Exception as error:
            why = without_secret(" ".join(str(error).split()))
            if "Max retries exceeded" in why or "timed out" in why:
                why = "doesn't answer"
            raise ExternalError(
                f"mlflow at {self.uri}",
                why[:300] or type(error).__name__,
                retryable=True,
                remedy="nothing else was lost",
            ) from error

    def _opened(self) -> "MlflowClient":
        if self._client is None:
            for name, value in _PLAIN.items():
                os.environ.setdefault(name, value)
            from mlflow import MlflowClient

            for noisy in ("mlflow", "alembic"):  # each table that a new database gets, by name
                logging.getLogger(noisy).setLevel(logging.WARNING)
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
            self._client = MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)
        return self._client

    def _connect(self, client: "MlflowClient") -> None:
        """Find the experiment or make it."""
        found = client.get_experiment_by_name(self.experiment)
        if found is not None and found.lifecycle_stage == "deleted":
            raise ValueError(
                f"the experiment {self.experiment!r} was deleted; restore it, or set MLFLOW_EXPERIMENT_NAME"
            )
        if found is not None:
            self._experiment_id = found.experiment_id
            return
        # without a place of its own, a database would keep files in the folder where the command was called
        files = None if self._folder is None else (self._folder / ARTIFACTS).as_uri()
        self._experiment_id = client.create_experiment(self.experiment, artifact_location=files)


class MlflowRun:
    """One run; see `nextbest.tracking.Run`."""

    def __init__(self, tracker: MlflowTracker, run_id: str) -> None:
        self._tracker, self.run_id = tracker, run_id

    def describe(self) -> dict[str, Any]:
        """Store, experiment and id."""
        return {"uri": self._tracker.uri, "experiment": self._tracker.experiment, "run_id": self.run_id}

    def params(self, values: Mapping[str, object]) -> None:
        """Settings; what isn't text is written as JSON, and cut where MLflow would refuse it."""
        from mlflow.entities import Param

        given = [
            Param(store_name(k), as_text(v)[:_LONGEST_VALUE]) for k, v in values.items() if v is not None
        ]
        for some in _parts(given, _MOST_PARAMS):
            self._write(params=some)

    def metrics(self, values: Mapping[str, float | None], *, step: int | None = None) -> None:
        """Figures; the `@` that MLflow doesn't allow in a name is written `_at_`."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        given = [Metric(store_name(k), float(v), now, step or 0) for k, v in values.items() if v is not None]
        for some in _parts(given, _MOST_METRICS):
            self._write(metrics=some)

    def tags(self, values: Mapping[str, str]) -> None:
        """Words."""
        from mlflow.entities import RunTag

        for some in _parts(
            [RunTag(store_name(k), v[:_LONGEST_TAG]) for k, v in values.items()], _MOST_PARAMS
        ):
            self._write(tags=some)

    def text(self, name: str, text: str) -> None:
        """A report as a file of the run."""
        self._tracker.attempt(lambda client: client.log_text(self.run_id, text, name))

    def artifact(self, path: Path) -> None:
        """A file."""
        self._tracker.attempt(lambda client: client.log_artifact(self.run_id, str(path)))

    @contextmanager
    def child(self, name: str) -> Iterator[Run]:
        """A run inside this one."""
        with self._tracker.open_child(name, self.run_id) as run:
            yield run

    def _write(self, **parts: Any) -> None:
        self._tracker.attempt(lambda client: client.log_batch(self.run_id, **parts))


def store_name(name: str) -> str:
    """A name as MLflow allows it.

    >>> store_name("ndcg@10"), store_name("cold, 0 known")
    ('ndcg_at_10', 'cold_ 0 known')
    """
    return re.sub(r"[^\w\-. /]", "_", name.replace("@", "_at_"))[:250]


def as_text(value: object) -> str:
    """A setting as text: words as they are, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str, sort_keys=True)


def _parts(values: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]

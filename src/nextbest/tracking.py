"""Where an evaluation writes down what it did: one protocol, which nothing below `ops` needs a library for.

A tracker is a convenience beside the result, never a part of it: `Tolerant` turns whatever a tracker can't write into one
line, and the work goes on.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from nextbest.errors import ExternalError


@runtime_checkable
class Run(Protocol):
    """One run of a command, or a part of one. Every method may raise `ExternalError`, and no other error."""

    def describe(self) -> dict[str, Any]:
        """Where the run is found again, as JSON values; empty where nothing is written."""
        ...

    def params(self, values: Mapping[str, object]) -> None:
        """What was asked for: settings by name. None is left out."""
        ...

    def metrics(self, values: Mapping[str, float | None], *, step: int | None = None) -> None:
        """What came out: figures by name, perhaps at a step of training. None (nothing to measure) is left out, NaN isn't."""
        ...

    def tags(self, values: Mapping[str, str]) -> None:
        """Words to find the run by."""
        ...

    def text(self, name: str, text: str) -> None:
        """A report, kept as a file of that name."""
        ...

    def artifact(self, path: Path) -> None:
        """A file, kept with the run."""
        ...

    def child(self, name: str) -> "AbstractContextManager[Run]":
        """A run inside this one: a model of a comparison, a provider of a bench."""
        ...


@runtime_checkable
class Tracker(Protocol):
    """Keeps runs."""

    def run(self, name: str) -> AbstractContextManager[Run]:
        """A run that ends with the block: finished, or failed where an error leaves it.

        Raises
        ------
        ExternalError
            The run can't be begun.
        """
        ...


class NullRun:
    """Writes nothing."""

    def describe(self) -> dict[str, Any]:
        """Nowhere."""
        return {}

    def params(self, values: Mapping[str, object]) -> None:
        """Nothing."""

    def metrics(self, values: Mapping[str, float | None], *, step: int | None = None) -> None:
        """Nothing."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Nothing."""

    def text(self, name: str, text: str) -> None:
        """Nothing."""

    def artifact(self, path: Path) -> None:
        """Nothing."""

    @contextmanager
    def child(self, name: str) -> Iterator[Run]:
        """Another that writes nothing."""
        yield NullRun()


class NullTracker:
    """The default: keeps nothing."""

    @contextmanager
    def run(self, name: str) -> Iterator[Run]:
        """A run that writes nothing."""
        yield NullRun()


class Tolerant:
    """Another tracker, whose failures cost a line and never the work.

    Parameters
    ----------
    tracker
        The one that writes.
    told
        Called with the first failure in words; what comes after it isn't written and isn't told.
    """

    def __init__(self, tracker: Tracker, told: Callable[[str], None]) -> None:
        self._tracker, self._told = tracker, told
        self.failure: str | None = None
        """The first failure in words; None so far."""

    @contextmanager
    def run(self, name: str) -> Iterator[Run]:
        """A run; where it can't be begun, one that writes nothing."""
        with self._inside(lambda: self._tracker.run(name)) as run:
            yield run

    @contextmanager
    def _inside(self, begin: Callable[[], AbstractContextManager[Run]]) -> Iterator[Run]:
        """The block in a run of the tracker, whose beginning and end may fail; errors of the block pass through both."""
        opened: AbstractContextManager[Run] | None = None
        run: Run = NullRun()
        if self.failure is None:
            try:
                opened = begin()
                run = opened.__enter__()
            except ExternalError as error:
                self.fail(error)
                opened = None
        try:
            yield _TolerantRun(run, self)
        except BaseException as error:
            self._end(opened, error)
            raise
        self._end(opened, None)

    def _end(self, opened: AbstractContextManager[Run] | None, error: BaseException | None) -> None:
        if opened is None:
            return
        try:
            opened.__exit__(None if error is None else type(error), error, None)
        except ExternalError as failed:
            self.fail(failed)

    def fail(self, error: ExternalError) -> None:
        """Tell the first failure."""
        if self.failure is None:
            self.failure = str(error)
            self._told(self.failure)


class _TolerantRun:
    """A run whose failures are told once."""

    def __init__(self, run: Run, owner: Tolerant) -> None:
        self._run, self._owner = run, owner

    def describe(self) -> dict[str, Any]:
        failed = {} if self._owner.failure is None else {"error": self._owner.failure}
        return self._run.describe() | failed

    def params(self, values: Mapping[str, object]) -> None:
        self._try(lambda: self._run.params(values))

    def metrics(self, values: Mapping[str, float | None], *, step: int | None = None) -> None:
        self._try(lambda: self._run.metrics(values, step=step))

    def tags(self, values: Mapping[str, str]) -> None:
        self._try(lambda: self._run.tags(values))

    def text(self, name: str, text: str) -> None:
        self._try(lambda: self._run.text(name, text))

    def artifact(self, path: Path) -> None:
        self._try(lambda: self._run.artifact(path))

    @contextmanager
    def child(self, name: str) -> Iterator[Run]:
        with self._owner._inside(lambda: self._run.child(name)) as run:
            yield run

    def _try(self, write: Callable[[], None]) -> None:
        if self._owner.failure is not None:
            return
        try:
            write()
        except ExternalError as error:
            self._owner.fail(error)

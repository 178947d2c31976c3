"""A tracker that fails costs a line, never the work."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from nextbest.errors import DataError, ExternalError
from nextbest.tracking import NullRun, NullTracker, Run, Tolerant, Tracker


class Writer(NullRun):
    """Notes what it is given; fails at the words it is told to."""

    def __init__(self, notes: list[str], fails_at: str) -> None:
        self._notes, self._fails_at = notes, fails_at

    def _note(self, word: str) -> None:
        if word == self._fails_at:
            raise ExternalError("store", f"failed at {word}", retryable=True)
        self._notes.append(word)

    def describe(self) -> dict[str, str]:
        return {"run_id": "7"}

    def params(self, values: Mapping[str, object]) -> None:
        self._note("params")

    def metrics(self, values: Mapping[str, float | None], *, step: int | None = None) -> None:
        self._note("metrics")

    def text(self, name: str, text: str) -> None:
        self._note("text")

    @contextmanager
    def child(self, name: str) -> Iterator[Run]:
        self._note("child")
        try:
            yield self
        except BaseException:
            self._note("child failed")
            raise
        self._note("child end")


class Keeper:
    """Runs as a list of words."""

    def __init__(self, fails_at: str = "") -> None:
        self.notes: list[str] = []
        self._fails_at = fails_at

    @contextmanager
    def run(self, name: str) -> Iterator[Run]:
        run = Writer(self.notes, self._fails_at)
        run._note("begin")
        try:
            yield run
        except BaseException:
            run._note("failed")
            raise
        run._note("end")


def work(tracker: Tracker) -> str:
    with tracker.run("a") as run:
        run.params({"k": 1})
        with run.child("inner") as inner:
            inner.metrics({"m": 1.0})
        run.text("t", "t")
        run.tags({})
        run.artifact(Path("nowhere"))
    return "the result"


WHOLE = ["begin", "params", "child", "metrics", "child end", "text", "end"]


def test_all_that_is_written_reaches_the_tracker_within() -> None:
    keeper, told = Keeper(), []
    tolerant = Tolerant(keeper, told.append)
    assert work(tolerant) == "the result"
    assert (keeper.notes, told, tolerant.failure) == (WHOLE, [], None)


@pytest.mark.parametrize("fails_at", WHOLE)
def test_wherever_it_fails_the_work_is_done_and_one_line_is_told(fails_at: str) -> None:
    keeper, told = Keeper(fails_at), []
    assert work(Tolerant(keeper, told.append)) == "the result"
    assert told == [f"store: failed at {fails_at}"]
    written = WHOLE[: WHOLE.index(fails_at)]
    # what was begun is also ended
    ends = [end for begin, end in (("child", "child end"), ("begin", "end")) if begin in written]
    assert keeper.notes == [*written, *(end for end in ends if end not in written and end != fails_at)]


@pytest.mark.parametrize("error", [DataError("journal", "is empty"), KeyboardInterrupt(), ExternalError("disk", "is full", retryable=True)])  # fmt: skip
def test_an_error_of_the_work_goes_through_as_it_is_and_the_run_knows(error: BaseException) -> None:
    keeper, told = Keeper(), []
    with pytest.raises(type(error)) as caught, Tolerant(keeper, told.append).run("a") as run, run.child("b"):
        raise error
    assert caught.value is error
    assert keeper.notes == ["begin", "child", "child failed", "failed"]
    assert told == []


def test_a_run_says_what_it_lost() -> None:
    with Tolerant(Keeper("params"), lambda _: None).run("a") as run:
        assert run.describe() == {"run_id": "7"}
        run.params({})
        assert run.describe() == {"run_id": "7", "error": "store: failed at params"}
    with Tolerant(Keeper("begin"), lambda _: None).run("a") as run:
        assert run.describe() == {"error": "store: failed at begin"}


def test_without_a_tracker_nothing_is_written_and_nothing_said() -> None:
    assert work(NullTracker()) == "the result"
    with NullTracker().run("a") as run:
        assert run.describe() == {}
    assert isinstance(NullTracker(), Tracker)
    assert isinstance(NullRun(), Run)

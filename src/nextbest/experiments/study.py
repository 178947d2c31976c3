"""Trials on disk, and which setting to try next: the only module that knows Optuna.

A study file is Optuna's journal, a line of JSON an entry, without a server; its own dashboard reads it too.
Only finished trials are written, one entry each: what a killed run was about is tried again, and comes out
the same, because what is tried next depends on nothing but the finished trials, their number and the seed.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nextbest.errors import ArtifactError, InputError
from nextbest.experiments.search_range import SearchRange
from nextbest.experiments.search_space import SearchSpace, Settings, key_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

ASKS_BEFORE_ANY_UNTRIED = 10
"""How often the sampler may propose what was tried already before one that wasn't is drawn at random."""
LARGEST_LISTED_SPACE = 10_000
_RECORD = "nextbest"


def check_optuna() -> None:
    """Raise unless settings can be searched here.

    Raises
    ------
    InputError
        Optuna isn't installed.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise InputError(
            "tune", "searching needs optuna, which isn't installed", remedy="pip install nextbest[tune]"
        ) from error


@dataclass(frozen=True)
class TrialRecord:
    """One setting tried."""

    settings: Settings
    """Value of each range by its dotted name."""
    config: dict[str, Any]
    """The whole config that was fitted."""
    validation: float | None
    """None for a trial that failed."""
    failed: str | None
    """Why it did; None for one that didn't."""
    cpu_s: float
    """CPU-seconds of choosing, fitting, listing and counting."""
    wall_s: float
    peak_mb: float
    """Highest memory of the process, megabytes (1e6 bytes)."""


class ModelStudy:
    """The trials of one model, oldest first; the first is its default."""

    def __init__(self, stored: "Study", space: SearchSpace, *, rng: int) -> None:
        """Go on from what is `stored`; `rng` is the seed of all that is drawn."""
        import optuna

        self.space, self.rng = space, rng
        self._distributions = {name: _distribution(r) for name, r in space.ranges.items()}
        self._stored = stored
        # Questions are asked of a copy in memory, so that what isn't finished never reaches the file.
        self._asked = optuna.create_study(direction="maximize")
        self.records: list[TrialRecord] = []
        for trial in stored.get_trials(deepcopy=False):
            self._take(TrialRecord(**trial.user_attrs[_RECORD]))

    def next(self) -> Settings | None:
        """What to try now; None when every setting was tried."""
        if not self.records:
            return self.space.default_settings
        tried = {key_of(r.settings) for r in self.records}
        if len(tried) - (not self.space.holds_default) >= self.space.n_settings:
            return None
        for attempt in range(ASKS_BEFORE_ANY_UNTRIED):
            if key_of(settings := self._ask(attempt)) not in tried:
                return settings
        gen = self._generator(ASKS_BEFORE_ANY_UNTRIED)
        if self.space.n_settings > LARGEST_LISTED_SPACE:
            return self._ask(ASKS_BEFORE_ANY_UNTRIED, at_random=True)
        untried = [s for s in self.space.every_setting() if key_of(s) not in tried]
        return untried[int(gen.integers(len(untried)))]

    def add(self, record: TrialRecord) -> None:
        """Keep a finished trial, on disk before this returns."""
        self._stored.add_trial(self._trial(record, for_sampler=False))
        self._take(record)

    def _take(self, record: TrialRecord) -> None:
        self.records.append(record)
        if self._holds(record):
            self._asked.add_trial(self._trial(record, for_sampler=True))

    def _ask(self, attempt: int, *, at_random: bool = False) -> Settings:
        import optuna

        seed = int(self._generator(attempt).integers(2**31))
        samplers = optuna.samplers
        self._asked.sampler = (
            samplers.RandomSampler(seed=seed) if at_random else samplers.TPESampler(seed=seed)
        )
        trial = self._asked.ask(self._distributions)
        self._asked.tell(trial, state=optuna.trial.TrialState.FAIL)  # the sampler passes over these
        return {name: _value(self.space.ranges[name], drawn) for name, drawn in trial.params.items()}

    def _generator(self, attempt: int) -> np.random.Generator:
        return np.random.default_rng([self.rng, len(self.records), attempt])

    def _holds(self, record: TrialRecord) -> bool:
        return all(r.holds(record.settings.get(name)) for name, r in self.space.ranges.items())

    def _trial(self, record: TrialRecord, *, for_sampler: bool) -> "FrozenTrial":
        import optuna

        state = optuna.trial.TrialState
        # The sampler never looks at failed trials and would run into them again; pruned ones it avoids.
        failed = state.PRUNED if for_sampler else state.FAIL
        known = self._distributions if self._holds(record) else {}  # a default may lie out of its range
        return optuna.trial.create_trial(
            state=state.COMPLETE if record.failed is None else failed,
            value=record.validation,
            params={name: _drawn(self.space.ranges[name], record.settings[name]) for name in known},
            distributions=known,
            user_attrs={_RECORD: asdict(record)},
        )


@contextmanager
def open_studies(path: Path) -> Iterator["Studies"]:
    """The studies in a file, made where there is none; Optuna's log lines are held back while it is open.

    The caller holds the folder's lock: nobody else may write meanwhile.

    Raises
    ------
    ArtifactError
        The file is no study file.
    """
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        _mend(path)
        yield Studies(path)
    finally:
        optuna.logging.set_verbosity(verbosity)


class Studies:
    """One study file: a study for each model by its name."""

    def __init__(self, path: Path) -> None:
        from optuna.storages import JournalStorage, journal

        self._path = path
        # Links need rights on Windows that users don't have.
        lock = journal.JournalFileOpenLock(str(path)) if sys.platform == "win32" else None
        with _readable(path):
            self._storage = JournalStorage(journal.JournalFileBackend(str(path), lock_obj=lock))

    def of(self, space: SearchSpace, *, rng: int) -> ModelStudy:
        """The study of one model, empty when it is new."""
        import optuna

        name, storage = space.model.name, self._storage
        if name in optuna.get_all_study_names(storage):
            stored = optuna.load_study(study_name=name, storage=storage)
        else:
            stored = optuna.create_study(study_name=name, storage=storage, direction="maximize")
        with _readable(self._path):
            return ModelStudy(stored, space, rng=rng)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what Optuna and we raise over a foreign or broken file into one error that names it."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise ArtifactError(
            path, f"is not a study file of this version ({error!r})", remedy="tune into another folder"
        ) from error


def _mend(path: Path) -> None:
    """Drop what a killed process left: half a last line, and Optuna's own lock."""
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    if not path.exists():
        return
    with path.open("r+b") as file:
        text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        with _readable(path):  # Optuna would pass over a broken last line and stumble over it later
            for line in whole.splitlines():
                json.loads(line)
        if whole != text:
            file.truncate(len(whole))


def _distribution(found: SearchRange) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if found.choices is not None:
        return CategoricalDistribution([_label(v) for v in found.choices])
    assert found.low is not None
    if found.is_whole:
        return IntDistribution(int(found.low), found.top, log=found.log, step=int(found.step or 1))
    return FloatDistribution(float(found.low), float(found.top), log=found.log, step=_float(found.step))


def _float(number: float | None) -> float | None:
    return None if number is None else float(number)


def _label(choice: object) -> str | float:
    """What stands for a choice in the study: itself, or JSON where it is a list or a table."""
    return choice if isinstance(choice, str | int | float) else json.dumps(choice)


def _drawn(found: SearchRange, value: Any) -> Any:
    """A setting's value as Optuna keeps it."""
    if found.choices is not None:
        return _label(found.choices[found.choices.index(value)])
    return int(value) if found.is_whole else float(value)


def _value(found: SearchRange, drawn: Any) -> Any:
    """The setting's value of what Optuna drew."""
    if found.choices is not None:
        return found.choices[[_label(v) for v in found.choices].index(drawn)]
    if found.step is not None or found.is_whole:
        assert found.low is not None
        return found.value_at(round((drawn - found.low) / (found.step or 1)))
    return drawn

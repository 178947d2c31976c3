"""One command in several processes, started by `torchrun`: the first leads, the others fit what it asks for.

The first process alone reads the journal, chooses, writes and prints; the log reaches the others as shards on a
disk that all see. Loads torch only where there are several processes.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from nextbest.data.ids import IdIndex
from nextbest.data.interactions import Interactions
from nextbest.data.item_features import ItemCoder, ItemFeatures
from nextbest.errors import InputError
from nextbest.experiments.lists import fit_model
from nextbest.experiments.recipe import Recipe
from nextbest.models import make_model, model_class
from nextbest.models.base import Recommender
from nextbest.models.sequence.ranks import rank_and_world
from nextbest.models.sequence.sequence_model import SequenceModel
from nextbest.models.sequence.shards import ParquetShards, write_shards

if TYPE_CHECKING:
    from nextbest.models.sequence.distributed import World

_SHARD_EVENTS = 250_000
"""Events of a shard, about: what a process holds in memory at a time."""
_MOST_SHARDS = 512
_MET_BY_ALL = frozenset({"training", "device", "precision"})
"""Names of errors that every process meets in one fit, so that none is left waiting for another."""


def check_alone(command: str) -> None:
    """Nothing, if this process is the only one.

    Raises
    ------
    InputError
        There are several, and this command would do everything in each of them.
    """
    _, size = rank_and_world()
    if size > 1:
        raise InputError(
            "WORLD_SIZE",
            f"must be 1 for `{command}`, which runs in one process",
            value=size,
            remedy="start it without torchrun; only `train` runs in several",
        )


@contextmanager
def several(out: Path) -> Iterator["Crew | None"]:
    """The processes of this command, None where this one is alone; shards are written beside `out` and removed.

    Raises
    ------
    InputError
        The environment says that there are several, but not which this is.
    ExternalError
        Another process is gone.
    """
    if rank_and_world()[1] == 1:
        yield None
        return
    from nextbest.models.sequence.distributed import gathered

    with gathered() as world:
        crew = Crew(world, out.absolute().with_name(f".{out.absolute().name}.shards"))
        try:
            yield crew
        except Exception:
            crew.release()
            raise
        else:
            crew.release()
        finally:
            crew.clean()


class Crew:
    """The processes of one command, as one of them sees them: the first calls `fit`, the others `work`."""

    def __init__(self, world: "World", folder: Path) -> None:
        """`folder`: for the shards, on a disk that all see; what is left there of a killed command is removed."""
        self._world, self._folder = world, folder
        self._log: Interactions | None = None
        self._n_logs = 0
        self._is_fitting = False

    @property
    def is_first(self) -> bool:
        """Whether this process leads."""
        return self._world.is_first

    @property
    def size(self) -> int:
        """Processes."""
        return self._world.size

    def check(self, recipe: Recipe) -> None:
        """Nothing, if several processes can fit the models of this recipe; its fallbacks are fitted by the first.

        Raises
        ------
        InputError
            One of them learns in one process only.
        """
        if alone := [m.name for m in recipe.models if not _learns_in_shares(m.kind)]:
            raise InputError(
                "recipe",
                f"model(s) {alone[:5]} learn in one process, and there are {self.size}",
                remedy="start without torchrun, or leave them out: only sequence models learn in several",
            )
        mixed = [m.name for m in recipe.fallbacks for c in m.candidates() if _has_such_members(m.kind, c)]
        if mixed:
            raise InputError(
                "recipe",
                f"fallback(s) {mixed[:5]} blend sequence models, which learn in several processes, with others",
                remedy="start without torchrun, or leave them out",
            )

    # --- the first process ------------------------------------------------------------------
    def fit(
        self,
        kind: str,
        config: dict[str, Any],
        train: Interactions,
        *,
        rng: int,
        progress: bool = False,
        checkpoints: Path | None = None,
    ) -> Recommender:
        """A model fitted by all processes, each on its share of `train`; by this one alone if it isn't a sequence
        model.

        Raises
        ------
        InputError
            The log has too few users for so many processes, or the fit failed as it would in one.
        ExternalError
            The disk refused the shards.
        """
        if not _learns_in_shares(kind):
            return fit_model(kind, config, train, rng=rng, progress=progress, checkpoints=checkpoints)
        folder = self._shards_of(train)
        model = make_model(kind, config)
        assert isinstance(model, SequenceModel)
        shards = ParquetShards.open(folder, 0, self.size)
        self._world.from_first({"kind": kind, "config": config, "rng": rng, "folder": str(folder)})
        self._is_fitting = True
        try:
            model.fit_shards(
                shards,
                item_ids=train.item_ids,
                item_features=train.item_features,
                rng=np.random.default_rng(rng),
                checkpoints=checkpoints,
                progress=progress,
            )
        except InputError as error:
            self._is_fitting = error.name not in _MET_BY_ALL
            raise
        self._is_fitting = False
        model.segment_ids_ = train.segment_ids
        return model

    def release(self) -> None:
        """Let the others go; where they are in the middle of a fit, the closed connection tells them."""
        if self.is_first and not self._is_fitting:
            self._world.from_first({})

    def clean(self) -> None:
        """Remove the shards."""
        if self.is_first:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _shards_of(self, train: Interactions) -> Path:
        """The log as shards, written once for all fits on it that follow each other."""
        folder = self._folder / str(self._n_logs)
        if self._log is train:
            return folder
        self.clean()
        self._n_logs += 1
        folder = self._folder / str(self._n_logs)
        manifest = write_shards(
            train, folder, n_shards=_n_shards(train.histories.n_events, n_processes=self.size)
        )
        n_full = sum(shard.n_users > 0 for shard in manifest.shards)
        if n_full < self.size:
            raise InputError(
                "processes",
                f"must be at most {n_full} for a log of {train.n_users} user(s)",
                value=self.size,
                remedy="start fewer",
            )
        if train.item_features is not None:
            np.save(_features_of(folder), train.item_features.x_IF, allow_pickle=False)
        self._log = train
        return folder

    # --- the others -------------------------------------------------------------------------
    def work(self) -> None:
        """Fit along with the first process until it needs no more; the models are its own, here they are dropped.

        Raises
        ------
        NextbestError
            A fit failed in this process alone: the first one finds the connection closed.
        """
        while job := self._world.from_first({}):
            folder = Path(job["folder"])
            shards = ParquetShards.open(folder, self._world.rank, self.size)
            model = make_model(job["kind"], job["config"])
            assert isinstance(model, SequenceModel)
            x_IF = np.load(_features_of(folder)) if _features_of(folder).exists() else None
            try:
                model.fit_shards(
                    shards,
                    item_ids=IdIndex(pl.Series(range(shards.n_items), dtype=pl.Int64)),  # nobody asks here
                    item_features=None if x_IF is None else ItemFeatures(ItemCoder(()), x_IF),
                    rng=np.random.default_rng(job["rng"]),
                )
            except InputError as error:
                if error.name not in _MET_BY_ALL:
                    raise


def _learns_in_shares(kind: str) -> bool:
    return issubclass(model_class(kind), SequenceModel)


def _has_such_members(kind: str, config: dict[str, Any]) -> bool:
    members = getattr(make_model(kind, config).config, "members", ())
    return any(_learns_in_shares(member.kind) for member in members)


def _features_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.features.npy")


def _n_shards(n_events: int, *, n_processes: int) -> int:
    """A power of two: shares as equal as can be, and shards of about `_SHARD_EVENTS`."""
    if n_processes > _MOST_SHARDS:
        raise InputError("processes", f"must be at most {_MOST_SHARDS}", value=n_processes)
    fair = n_processes if n_processes.bit_count() == 1 else 8 * n_processes
    wanted = max(fair, -(-n_events // _SHARD_EVENTS))
    return min(_MOST_SHARDS, 1 << (wanted - 1).bit_length())

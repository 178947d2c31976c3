"""What every estimator of additions promises, and how products packed in masks become columns.

An estimator learns from a `TrainingSet` and gives, for clients known as of a cutoff, one probability a
product. Knows nothing of panels, months' calendars or decisions. Axes: N rows, P products, F features.
"""

# ruff: noqa: N802  (functions suffixed by their axes are the house style for arrays)

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from nextbest.data.panel.masks import unpack_masks
from nextbest.errors import ArtifactError, InputError, NotFittedError
from nextbest.models.products.features.tables import FeatureTable
from nextbest.models.products.training import TrainingSet
from nextbest.models.store import read_arrays, read_files, read_manifest, write_folder

FloatArray = NDArray[np.float32]
Rng = int | np.random.Generator
Transition = Literal["add", "drop"]
"""What a model predicts: a product not held appears, or a product held goes."""

log = logging.getLogger(__name__)


class Frozen(BaseModel):
    """Base of every config here: frozen, and a field that isn't known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass
class State:
    """Everything fitted, in forms that a model folder keeps without pickle."""

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    """By plain file name."""

    def under(self, prefix: str) -> "State":
        """The same, each name behind `prefix.`, so that several states share a folder."""
        return State(
            {f"{prefix}.{name}": array for name, array in self.arrays.items()},
            {f"{prefix}.{name}": content for name, content in self.files.items()},
        )

    def of(self, prefix: str) -> "State":
        """What `under(prefix)` put there."""
        head = f"{prefix}."
        return State(
            {n.removeprefix(head): a for n, a in self.arrays.items() if n.startswith(head)},
            {n.removeprefix(head): c for n, c in self.files.items() if n.startswith(head)},
        )

    def update(self, other: "State") -> None:
        """Take over what the other holds."""
        self.arrays.update(other.arrays)
        self.files.update(other.files)


def bit_N(mask_N: NDArray[np.uint32], product: int) -> NDArray[np.bool_]:
    """Is `product` in each packed mask. Shape (N,)."""
    return np.asarray((mask_N >> np.uint32(product)) & np.uint32(1), np.bool_)


def logit(p: NDArray[Any]) -> NDArray[np.float64]:
    """Log-odds of probabilities, which are first kept off 0 and 1 by 1e-9."""
    clipped = np.clip(np.asarray(p, np.float64), 1e-9, 1 - 1e-9)
    return np.log(clipped / (1 - clipped))


def sigmoid(z: NDArray[Any]) -> NDArray[np.float64]:
    """Probability of log-odds, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(z, np.float64)))


class AdditionModel(ABC):
    """P(transition in the target month) of every product, for clients as of a cutoff.

    Conventions of every estimator

    - Probabilities are of the panel, not of the drawn rows: `weight_N` of the training set is honoured.
    - A transition that can't happen has probability 0: adding what is held, dropping what isn't.
    - Features are taken by name: a table may hold more of them, in any order.
    - The same training set and `rng` give the same model, whatever the number of threads.
    - Inputs are never changed; a fitted model may be asked from several threads.
    """

    kind: ClassVar[str]
    """Stable name in configs and manifests."""
    Config: ClassVar[type[Frozen]]
    masks_impossible: ClassVar[bool] = True
    """Are probabilities 0 where the transition can't happen; only one baseline says no."""

    products_: tuple[str, ...]
    """Column of each product, in bit order. Length P."""
    names_: tuple[str, ...]
    """Features that the model was fitted on, in its own order."""
    groups_: tuple[str, ...]
    """Their reason groups."""

    def __init__(
        self, config: Frozen | None = None, *, transition: Transition = "add", n_threads: int = 1
    ) -> None:
        """Take a frozen `Config`, or None for the defaults.

        Raises
        ------
        InputError
            `config` belongs to another model, `transition` is unknown or `n_threads` < 1.
        """
        if config is not None and not isinstance(config, self.Config):
            raise InputError("config", f"must be a {self.Config.__name__}", value=type(config).__name__)
        if transition not in ("add", "drop"):
            raise InputError("transition", "must be 'add' or 'drop'", value=transition)
        if n_threads < 1:
            raise InputError("n_threads", "must be 1 or more", value=n_threads)
        self.config: Any = config if config is not None else self.Config()
        self.transition: Transition = transition
        self.n_threads = n_threads

    # --- what each model writes -------------------------------------------------------------
    @abstractmethod
    def _fit(
        self, train: TrainingSet, *, valid: TrainingSet | None, rng: np.random.Generator, progress: bool
    ) -> None:
        """Learn; `products_`, `names_`, `groups_` are set already and `train` has these columns only."""

    @abstractmethod
    def _probabilities(self, x_NF: FloatArray, can_NP: NDArray[np.bool_]) -> FloatArray:
        """A new array (N, P); places where `can_NP` is False are overwritten by 0 afterwards."""

    @abstractmethod
    def _state(self) -> State:
        """Everything that `_restore` needs."""

    @abstractmethod
    def _restore(self, state: State, described: Mapping[str, Any]) -> None:
        """Put the state back. KeyError or ValueError when a part is missing or has a wrong shape."""

    def _contributions(self, x_NF: FloatArray, product: int) -> FloatArray:
        raise NotImplementedError(f"{self.kind} has no additive reading")

    def _columns(self, train: TrainingSet) -> list[int]:
        """Which features of a training set the model takes: all, unless it says otherwise."""
        return list(range(len(train.names)))

    # --- what every model gets --------------------------------------------------------------
    @property
    def n_products(self) -> int:
        """Products that have a column in the probabilities."""
        self._check_fitted()
        return len(self.products_)

    def fit(
        self,
        train: TrainingSet,
        *,
        valid: TrainingSet | None = None,
        rng: Rng = 0,
        progress: bool = False,
    ) -> Self:
        """Learn from a training set and return the model itself; a second call forgets the first.

        Parameters
        ----------
        train
            Rows to learn from; `weight_N` may carry the weight of months too.
        valid
            Later rows that choose the number of trees where the config allows early stopping; None: all trees.
        rng
            Seed or Generator.
        progress
            Show a bar.

        Raises
        ------
        InputError
            No row, or `valid` has other products or features than `train`.
        """
        if not len(train):
            raise InputError("train", "must have at least one row", value=0)
        if valid is not None and (valid.products != train.products or valid.names != train.names):
            raise InputError("valid", "must have the products and features of train")
        columns = self._columns(train)
        self.products_ = train.products
        self.names_ = tuple(train.names[c] for c in columns)
        self.groups_ = tuple(train.groups[c] for c in columns)
        try:
            self._fit(
                _with_columns(train, columns),
                valid=None if valid is None else _with_columns(valid, columns),
                rng=np.random.default_rng(rng),
                progress=progress,
            )
        except BaseException:
            del self.products_, self.names_, self.groups_  # half a model must not answer
            raise
        log.debug("fitted %s (%s) on %d rows", self.kind, self.transition, len(train))
        return self

    def probabilities(self, table: FeatureTable, held_N: NDArray[np.uint32]) -> FloatArray:
        """P(transition in the target month), shape (N, P), float32, no unit; 0 where it can't happen.

        Parameters
        ----------
        table
            Features of N clients; must hold every feature the model was fitted on.
        held_N
            Packed products held in the month before the target. Shape (N,), uint32.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            A feature is missing or `held_N` has another length.
        """
        x_NF = self._x(table)
        if np.shape(held_N) != (len(table),):
            raise InputError("held_N", f"must have shape ({len(table)},)", value=np.shape(held_N))
        can_NP = self._can(unpack_masks(held_N, n_products=self.n_products))
        p_NP = self._probabilities(x_NF, can_NP)
        if self.masks_impossible:
            p_NP[~can_NP] = 0
        return p_NP

    def contributions(self, table: FeatureTable, product: int) -> FloatArray:
        """How much each feature adds to the log-odds of one product, shape (N, F), float32 (TreeSHAP).

        F runs over the columns of `table`; a feature the model doesn't use has 0. The sum over F plus the
        model's mean log-odds is the client's log-odds before calibration.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            A feature is missing, or no such product.
        NotImplementedError
            The model has no additive reading (baselines).
        """
        x_NF = self._x(table)
        if not 0 <= product < self.n_products:
            raise InputError("product", f"must be 0 to {self.n_products - 1}", value=product)
        own_NF = self._contributions(x_NF, product)
        if self.names_ == table.names:
            return own_NF
        parts_NF = np.zeros((len(table), table.n_features), np.float32)
        parts_NF[:, [table.names.index(name) for name in self.names_]] = own_NF
        return parts_NF

    def save(self, folder: Path) -> None:
        """Write the model as a folder (arrays, boosters as text or cbm, manifest; never pickle), in one rename.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            `folder` is there and holds something else than a model.
        ExternalError
            The disk refused; what stood there before still does.
        """
        self._check_fitted()
        state = self._state()
        write_folder(
            Path(folder),
            kind=self.kind,
            config=self.described(),
            arrays=state.arrays,
            ids={},
            files=state.files,
        )

    @classmethod
    def load(cls, folder: Path, *, n_threads: int = 1) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ArtifactError
            The folder is missing, incomplete, changed, or holds another kind of model.
        """
        manifest = read_manifest(folder)
        if manifest["kind"] != cls.kind:
            raise ArtifactError(folder, f"holds a {manifest['kind']!r} model, not {cls.kind!r}")
        state = State(read_arrays(folder, manifest), read_files(folder, manifest))
        return cls.restored(manifest["config"], state, folder=folder, n_threads=n_threads)

    def described(self) -> dict[str, Any]:
        """Settings, products and features in JSON's own types: what `restored` reads beside the state."""
        return {
            "settings": self.config.model_dump(mode="json"),
            "transition": self.transition,
            "products": list(self.products_),
            "names": list(self.names_),
            "groups": list(self.groups_),
        }

    @classmethod
    def restored(
        cls, described: Mapping[str, Any], state: State, *, folder: Path, n_threads: int = 1
    ) -> Self:
        """The fitted model of what `described` and `_state` gave; `folder` is named in errors."""
        try:
            model = cls(
                cls.Config.model_validate(described["settings"]),
                transition=described["transition"],
                n_threads=n_threads,
            )
            model.products_ = tuple(described["products"])
            model.names_ = tuple(described["names"])
            model.groups_ = tuple(described["groups"])
            model._restore(state, described)
        except (ValidationError, KeyError, TypeError, ValueError, InputError) as error:
            raise ArtifactError(folder, f"lacks a part that {cls.kind!r} needs ({error})") from error
        return model

    # --- shared steps -----------------------------------------------------------------------
    def _can(self, held_NP: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Where the transition is possible."""
        return ~held_NP if self.transition == "add" else held_NP

    def _changed(self, train: TrainingSet) -> NDArray[np.uint32]:
        """The transitions that happened, packed. Shape (N,)."""
        return train.added_N if self.transition == "add" else train.dropped_N

    def _x(self, table: FeatureTable) -> FloatArray:
        """The model's own columns of a table, without a copy where they stand as in `fit`."""
        self._check_fitted()
        if table.names == self.names_:
            return table.x_NF
        place = {name: at for at, name in enumerate(table.names)}
        if missing := [name for name in self.names_ if name not in place]:
            raise InputError("table", f"lacks {len(missing)} feature(s) of the model", value=missing[:5])
        return np.ascontiguousarray(table.x_NF[:, [place[name] for name in self.names_]])

    def _check_fitted(self) -> None:
        if not hasattr(self, "products_"):
            raise NotFittedError(self.kind)


def _with_columns(train: TrainingSet, columns: list[int]) -> TrainingSet:
    """The set with these features only; the set itself when these are all."""
    if columns == list(range(len(train.names))):
        return train
    from dataclasses import replace

    return replace(
        train,
        names=tuple(train.names[c] for c in columns),
        groups=tuple(train.groups[c] for c in columns),
        x_NF=np.ascontiguousarray(train.x_NF[:, columns]),
    )

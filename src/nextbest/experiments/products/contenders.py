"""The rows of the product table: baselines, single estimators, and the product model with its parts apart.

A contender is fitted for one target month and says, for a block of clients, how likely each addition
is. Scores nothing. Axes: N rows, P products, K places.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nextbest.data.panel.panel import Panel
from nextbest.errors import InputError
from nextbest.models.products.base import AdditionModel
from nextbest.models.products.config import ProductConfig, make_estimator, month_weights, without_lags
from nextbest.models.products.features.steps import FeatureSteps
from nextbest.models.products.features.tables import FeatureInput, FeatureTable
from nextbest.models.products.priors import MonthlyAdditions, shifted
from nextbest.models.products.product_model import Predictions, ProductModel
from nextbest.models.products.training import TrainingSet, training_set

Masks = NDArray[np.uint32]
Probabilities = NDArray[np.float32]
BASELINES = ("constant_current_account", "persistence", "popularity", "masked_popularity", "segment_rates")
SINGLES = ("gbm_no_lags", "multiclass", "per_product", "two_stage")
WHOLE = ("blend", "blend_priors", "product_model")
"""The product model without priors and re-ranking, with priors, and as it is served: one fit."""
COSTLY = ("catboost_multilogloss",)
DEFAULT_ROWS = (*BASELINES, *SINGLES, *WHOLE)
ALL_ROWS = (*DEFAULT_ROWS, *COSTLY)


@dataclass(frozen=True, eq=False)
class Said:
    """What one row of the table says of a block of clients."""

    p_NP: Probabilities | None = None
    """P(add). None: the row has no probabilities."""
    list_NK: NDArray[np.int8] | None = None
    """Products in order, where that isn't the order of `p_NP`."""
    own_NP: Probabilities | None = None
    """P(own in the target month). None: held products are kept, additions come by threshold."""
    own_N: Masks | None = None
    """Ownership said outright, where no threshold is involved."""


class Contender(ABC):
    """One fit behind one or several rows of the table."""

    rows: tuple[str, ...]
    """Rows that `ask` answers for."""

    @abstractmethod
    def fit(self, month: "Month", *, rng: int, progress: bool) -> None:
        """Learn for the month; reads nothing of it but what its cutoff allows."""

    def move(self, month: "Month", target: date) -> None:  # noqa: B027  (no part of what each must write)
        """Get ready to be asked about a later month without another fit; most have nothing to do."""

    @abstractmethod
    def ask(self, inputs: FeatureInput, table: FeatureTable) -> dict[str, Said]:
        """What each of `rows` says of the clients; `table` holds the month's own features."""


class Month:
    """One target month: the panel as of it, and a training set that the single estimators share."""

    def __init__(self, panel: Panel, target: date, config: ProductConfig, *, rng: int) -> None:
        self.panel, self.target, self.config = panel, target, config
        self._rng = rng
        self._steps: FeatureSteps | None = None
        self._train: TrainingSet | None = None

    @property
    def months(self) -> tuple[date, ...]:
        """Target months that estimators learn from: the newest, and last year's of the same name."""
        usable = MonthlyAdditions.of(self.panel, before=self.target).months
        last_year = {m for m in usable if (m.year + 1, m.month) == (self.target.year, self.target.month)}
        return tuple(sorted({*usable[-self.config.months - 1 :], *last_year}))

    @property
    def steps(self) -> FeatureSteps:
        """Features fitted on those months."""
        if self._steps is None:
            self._steps = FeatureSteps(self.config.features).fit(self.panel, self.months)
        return self._steps

    @property
    def train(self) -> TrainingSet:
        """The shared rows, each with the weight of its month."""
        if self._train is None:
            rows = training_set(
                self.panel,
                self.steps,
                self.months,
                keep_unchanged=self.config.unchanged_rows,
                rng=self._rng,
            )
            weight_M = month_weights(rows.months, self.target, self.config).astype(np.float32)
            self._train = replace(rows, weight_N=rows.weight_N * weight_M[rows.month_N])
        return self._train

    def forget(self) -> None:
        """Let go of the training set."""
        self._train = None


class Constant(Contender):
    """Everyone has a current account and nothing else: what the first system's figures amount to."""

    rows = ("constant_current_account",)

    def __init__(self, product: int) -> None:
        self._product = product

    def fit(self, month: Month, *, rng: int, progress: bool) -> None:
        """Nothing to learn."""

    def ask(self, inputs: FeatureInput, table: FeatureTable) -> dict[str, Said]:
        """The same list and the same ownership for all."""
        n = len(inputs)
        bit = np.uint32(1) << np.uint32(self._product)
        lists = np.full((n, 1), self._product, np.int8)
        lists[(inputs.held_N & bit) != 0] = -1
        return {self.rows[0]: Said(list_NK=lists, own_N=np.full(n, bit, np.uint32))}


class Single(Contender):
    """One estimator on the shared training set, as it comes: no calibration, no priors."""

    def __init__(self, name: str, model: AdditionModel) -> None:
        self.rows = (name,)
        self._model = model

    def fit(self, month: Month, *, rng: int, progress: bool) -> None:
        """Fit on all months before the target."""
        self._model.fit(month.train, rng=rng, progress=progress)

    def ask(self, inputs: FeatureInput, table: FeatureTable) -> dict[str, Said]:
        """P(add) and, for persistence, the ownership it stands for."""
        p_NP = self._model.probabilities(table, inputs.held_N)
        if self.rows[0] == "persistence":  # an empty list: nothing is added
            return {
                "persistence": Said(p_NP, np.full((len(p_NP), 1), -1, np.int8), own_N=np.array(inputs.held_N))
            }
        if not self._model.masks_impossible:  # popularity that also lists what is held
            order = np.argsort(-p_NP, axis=1, kind="stable").astype(np.int8)
            return {self.rows[0]: Said(list_NK=order)}
        return {self.rows[0]: Said(p_NP)}


class Whole(Contender):
    """The product model; its rows show what priors and re-ranking add."""

    rows = WHOLE

    def __init__(self, config: ProductConfig, *, n_threads: int) -> None:
        self.model = ProductModel(config, n_threads=n_threads)

    def fit(self, month: Month, *, rng: int, progress: bool) -> None:
        """Fit as `nextbest products train` does."""
        month.forget()
        self.model.fit(month.panel, target=month.target, rng=rng, progress=progress)

    def move(self, month: Month, target: date) -> None:
        """Expect the numbers of that month, as `batch` and `serve` do with a model of an earlier one."""
        self.model = self.model.for_month(month.panel, target=target)

    def ask(self, inputs: FeatureInput, table: FeatureTable) -> dict[str, Said]:
        """Blend, with priors, and the served list and ownership."""
        table = self.model.features(inputs)
        answer = self.model.predict(inputs, table=table)
        blend_NP = shifted(answer.p_NP, -self.model.fitted_.shift_P)  # the priors taken back
        own_NP = None
        if self.model.fitted_.drops is not None:
            own_NP = self.model.own(inputs, predictions=answer, table=table)
        return {
            "blend": Said(blend_NP),
            "blend_priors": Said(answer.p_NP, own_NP=own_NP),
            "product_model": Said(answer.p_NP, self.model.rank(_only_known(answer)), own_NP),
        }


@dataclass(frozen=True)
class Plan:
    """Which rows a table has."""

    names: tuple[str, ...]
    known: ClassVar[tuple[str, ...]] = ALL_ROWS

    def __post_init__(self) -> None:
        unknown = [name for name in self.names if name not in self.known]
        if unknown or not self.names or len(set(self.names)) < len(self.names):
            raise InputError(
                "models", f"must be different names of {list(self.known)}", value=list(self.names)
            )

    def contenders(self, panel: Panel, config: ProductConfig, *, n_threads: int) -> list[Contender]:
        """New contenders for these rows, cheap ones first."""
        found: list[Contender] = []
        settings: Mapping[str, object] = {m.kind: m.config for m in config.members}
        for name in self.names:
            if name == "constant_current_account":
                columns = panel.schema.product_columns
                wanted = "ind_cco_fin_ult1"
                found.append(Constant(columns.index(wanted) if wanted in columns else 0))
            elif name == "gbm_no_lags":
                found.append(Single(name, without_lags("multiclass", n_threads=n_threads)))
            elif name not in WHOLE:
                own = settings.get(name)
                model = make_estimator(name, own if isinstance(own, dict) else None, n_threads=n_threads)
                found.append(Single(name, model))
        if any(name in WHOLE for name in self.names):
            found.append(Whole(config, n_threads=n_threads))
        return found


def _only_known(answer: Predictions) -> Predictions:
    """The answer itself: a month's clients were all there the month before, so all are known."""
    assert answer.known_N.all()
    return answer

"""One offer, one flat table: who will say yes. For campaign lists without a monthly panel.

The same machinery as the product model's: boosters behind one door, log-odds blended, probabilities
calibrated on rows that weren't learned from. Axes: N rows, F columns.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, PositiveInt, ValidationError
from tqdm import tqdm

from nextbest.errors import ArtifactError, DataError, InputError, NotFittedError
from nextbest.models.products.base import FloatArray, Frozen, Rng, State, sigmoid
from nextbest.models.products.calibration import CalibrationConfig, Calibrator, shift_for_total
from nextbest.models.products.flat_table import FlatTable
from nextbest.models.products.gbm import GBM, BinnedRows, GBMConfig, fit_binary
from nextbest.models.products.logistic import Logistic
from nextbest.models.store import read_arrays, read_files, read_manifest, write_folder

KIND = "offer"
Floats = NDArray[np.float64]
Learner = Literal["lightgbm", "catboost", "logistic"]


class OfferConfig(Frozen):
    """How many settings are tried, on which rows they are judged, how they are blended."""

    learners: tuple[Learner, ...] = Field(default=("lightgbm", "logistic"), min_length=1)
    n_trials: PositiveInt = 8
    """Random settings tried of each learner."""
    max_cpu_s: float | None = Field(default=None, gt=0)
    """Stop trying when that many CPU-seconds are spent; one setting of each learner is always tried."""
    order: Literal["none", "time"] = "none"
    """`time`: rows are in time order, so a setting is judged on later rows than it learned from, and
    probabilities are moved to the level of the newest rows."""
    n_folds: int = Field(default=4, ge=2)
    """Parts of the rows that settings are judged on."""
    blend_rounds: PositiveInt = 12
    """Picks of the blend: each adds the setting that helps most, the same one again if it does."""
    n_bags: PositiveInt = 3
    """Boosters of each picked setting in the final model, differing in their random numbers."""
    min_count: PositiveInt = 10
    """Rows that a category's value needs to count as one."""
    calibration: CalibrationConfig = CalibrationConfig(min_isotonic=3000)


@dataclass
class _Trial:
    """One setting, and what it said of rows it hadn't seen."""

    learner: Learner
    settings: GBMConfig | float
    """Of a booster, or the L2 penalty of a line."""
    raw_N: Floats
    """Log-odds; NaN where no later part judged it."""
    picks: int = 0
    models: list[GBM | Logistic] = field(default_factory=list)


class OfferModel:
    """P(yes) of one offer from a client's columns.

    Settings are drawn at random, judged out of fold by log-loss, and blended by greedy picks (ensemble
    selection, Caruana et al. 2004); a Platt or isotonic curve on the same rows makes them probabilities.
    """

    table_: FlatTable
    trials_: list[_Trial]
    """Picked settings with their fitted models."""
    calibrator_: Calibrator
    shift_: float
    """Log-odds added for the newest level; 0 without time order."""
    metrics_: dict[str, Any]

    def __init__(self, config: OfferConfig | None = None, *, n_threads: int = 1) -> None:
        self.config, self.n_threads = config or OfferConfig(), n_threads

    def fit(
        self, table: pl.DataFrame, said_yes: NDArray[np.bool_], *, rng: Rng = 0, progress: bool = False
    ) -> Self:
        """Learn from clients who were asked, and return the model itself.

        Parameters
        ----------
        table
            One row a client, oldest first when `order='time'`; numbers, flags and categories; null = missing.
        said_yes
            Shape (N,).

        Raises
        ------
        InputError
            Not one answer for each row, or a learner whose library isn't installed.
        DataError
            Fewer than 20 of either answer, or in time order none but late ones; or a column of another type.
        """
        config, gen = self.config, np.random.default_rng(rng)
        y_N = np.asarray(said_yes, np.bool_)
        if y_N.shape != (table.height,):
            raise InputError("said_yes", f"must have shape ({table.height},)", value=y_N.shape)
        if min(y_N.sum(), (~y_N).sum()) < 20:
            raise DataError("said_yes", "needs 20 rows of either answer", n_bad=int(y_N.sum()))
        start = time.process_time()
        self.table_ = FlatTable(min_count=config.min_count).fit(table)
        x_NF = self.table_.codes(table)
        parts = _folds(y_N, config, gen)
        if not parts:
            raise DataError(
                "said_yes",
                "needs 10 rows that said yes, and one that didn't, before the newest part",
                remedy="fewer n_folds, or order='none' if rows are in no order of time",
            )
        trials = self._tried(x_NF, y_N, parts, gen, start=start, progress=progress)
        judged = np.isfinite(trials[0].raw_N)
        raw_N = self._picked(trials, y_N, judged)
        self.trials_ = [trial for trial in trials if trial.picks]
        for trial in self.trials_:
            n_bags = 1 if trial.learner == "logistic" else config.n_bags
            trial.models = [self._model(trial, x_NF, y_N, gen) for _ in range(n_bags)]
        self.calibrator_ = Calibrator(config.calibration).fit(
            sigmoid(raw_N)[:, None],
            y_N[judged, None],
            can_NP=np.ones((len(raw_N), 1), np.bool_),
            weight_N=np.ones(len(raw_N)),
        )
        self.shift_ = 0.0
        if config.order == "time":
            newest = parts[-1][1]
            p_N = self._calibrated(x_NF[newest]).astype(np.float64)
            z_N = np.log(p_N / (1 - p_N))
            self.shift_ = shift_for_total(z_N, np.ones(len(newest)), float(y_N[newest].sum()))
        self.metrics_ = {
            "log_loss_out_of_fold": _log_loss(raw_N, y_N[judged]),
            "n_tried": len(trials),
            "picks": [[trial.learner, trial.picks] for trial in self.trials_],
            "cpu_s": round(time.process_time() - start, 1),
        }
        return self

    def probabilities(self, table: pl.DataFrame) -> FloatArray:
        """P(yes), calibrated, shape (N,), float32.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            A column is missing.
        """
        self._check_fitted()
        p_N = self._calibrated(self.table_.codes(table)).astype(np.float64)
        return sigmoid(np.log(p_N / (1 - p_N)) + self.shift_).astype(np.float32)

    def contributions(self, table: pl.DataFrame) -> FloatArray:
        """What each column adds to the blended log-odds before calibration, shape (N, F) (exact TreeSHAP)."""
        self._check_fitted()
        x_NF = self.table_.codes(table)
        total_NF = np.zeros(x_NF.shape)
        n_picks = sum(trial.picks for trial in self.trials_)
        for trial in self.trials_:
            for model in trial.models:
                weight = trial.picks / n_picks / len(trial.models)
                if isinstance(model, Logistic):
                    spread_ND, source_D = self.table_.spread(x_NF)
                    np.add.at(total_NF.T, source_D, weight * model.parts(spread_ND).T)
                else:
                    total_NF += weight * model.contributions(x_NF)
        return total_NF.astype(np.float32)

    # --- learn ----------------------------------------------------------------------------------
    def _tried(
        self,
        x_NF: FloatArray,
        y_N: NDArray[np.bool_],
        parts: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
        gen: np.random.Generator,
        *,
        start: float,
        progress: bool,
    ) -> list[_Trial]:
        """All settings with their log-odds on rows they hadn't seen."""
        config = self.config
        plan = [learner for _ in range(config.n_trials) for learner in config.learners]
        trials: list[_Trial] = []
        for learner in tqdm(plan, desc="offer", disable=not progress):
            spent = time.process_time() - start
            is_late = config.max_cpu_s is not None and spent > config.max_cpu_s
            if is_late and len(trials) >= len(config.learners):
                break
            trial = _Trial(learner, _drawn_settings(learner, gen), np.full(len(y_N), np.nan))
            for learned, judged in parts:
                model = self._model(trial, x_NF[learned], y_N[learned], gen)
                raw = self._raw(model, x_NF[judged])
                if config.order == "time":  # which level comes next isn't a setting's business
                    raw = raw + shift_for_total(raw, np.ones(len(raw)), float(y_N[judged].sum()))
                trial.raw_N[judged] = raw
            trials.append(trial)
        return trials

    def _model(
        self, trial: _Trial, x_NF: FloatArray, y_N: NDArray[np.bool_], gen: np.random.Generator
    ) -> GBM | Logistic:
        weight_N = np.ones(len(y_N))
        if isinstance(trial.settings, GBMConfig):
            binned = BinnedRows(x_NF, config=trial.settings, n_threads=self.n_threads)
            return fit_binary(binned, y_N, weight_N, rng=gen)
        return Logistic.fit(self.table_.spread(x_NF)[0], y_N, weight_N, l2=trial.settings)

    def _raw(self, model: GBM | Logistic, x_NF: FloatArray) -> Floats:
        if isinstance(model, Logistic):
            return model.raw(self.table_.spread(x_NF)[0])
        return model.raw(x_NF)[:, 0]

    def _picked(self, trials: list[_Trial], y_N: NDArray[np.bool_], judged: NDArray[np.bool_]) -> Floats:
        """Greedy picks by log-loss; the mean log-odds of the picks on the judged rows."""
        raw_TN = np.stack([trial.raw_N[judged] for trial in trials])
        total_N = np.zeros(raw_TN.shape[1])
        for n in range(1, self.config.blend_rounds + 1):
            losses = [_log_loss((total_N + raw_N) / n, y_N[judged]) for raw_N in raw_TN]
            best = int(np.argmin(losses))
            trials[best].picks += 1
            total_N += raw_TN[best]
        return np.asarray(total_N / self.config.blend_rounds)

    def _calibrated(self, x_NF: FloatArray) -> FloatArray:
        """P(yes) at the level of all rows learned from. Shape (N,)."""
        total_N = np.zeros(len(x_NF))
        n_picks = sum(trial.picks for trial in self.trials_)
        for trial in self.trials_:
            for model in trial.models:
                total_N += trial.picks / n_picks / len(trial.models) * self._raw(model, x_NF)
        return self.calibrator_(sigmoid(total_N)[:, None])[:, 0].clip(1e-7, 1 - 1e-7)

    def _check_fitted(self) -> None:
        if not hasattr(self, "metrics_"):
            raise NotFittedError("OfferModel")

    # --- keep -----------------------------------------------------------------------------------
    def save(self, folder: Path) -> None:
        """Write the model as one folder without pickle, in one rename; errors as `ProductModel.save`."""
        self._check_fitted()
        state = State({"shift": np.array([self.shift_])})
        state.update(State(self.calibrator_.arrays()).under("calibration"))
        trials = []
        for at, trial in enumerate(self.trials_):
            settings = trial.settings
            plain = settings.model_dump(mode="json") if isinstance(settings, GBMConfig) else settings
            trials.append(
                {"learner": trial.learner, "picks": trial.picks, "settings": plain, "n": len(trial.models)}
            )
            for bag, model in enumerate(trial.models):
                part = State(model.arrays()) if isinstance(model, Logistic) else model.state()
                state.update(part.under(f"{at}.{bag}"))
        config = {
            "settings": self.config.model_dump(mode="json"),
            "table": self.table_.state(),
            "trials": trials,
            "metrics": self.metrics_,
        }
        write_folder(Path(folder), kind=KIND, config=config, arrays=state.arrays, ids={}, files=state.files)

    @classmethod
    def load(cls, folder: Path, *, n_threads: int = 1) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ArtifactError
            The folder is missing, incomplete, changed, or holds another kind of model.
        """
        manifest = read_manifest(folder)
        if manifest["kind"] != KIND:
            raise ArtifactError(folder, f"holds a {manifest['kind']!r} model, not {KIND!r}")
        state = State(read_arrays(folder, manifest), read_files(folder, manifest))
        described = manifest["config"]
        try:
            model = cls(OfferConfig.model_validate(described["settings"]), n_threads=n_threads)
            model.table_ = FlatTable.from_state(described["table"])
            model.shift_ = float(state.arrays["shift"][0])
            model.calibrator_ = Calibrator.from_arrays(
                state.of("calibration").arrays, model.config.calibration
            )
            model.trials_ = [
                _restored_trial(one, state, at, n_threads) for at, one in enumerate(described["trials"])
            ]
            model.metrics_ = described["metrics"]
        except (ValidationError, KeyError, TypeError, ValueError, InputError) as error:
            raise ArtifactError(folder, f"lacks a part of an offer model ({error})") from error
        return model


def _restored_trial(one: dict[str, Any], state: State, at: int, n_threads: int) -> _Trial:
    learner: Learner = one["learner"]
    parts = [state.of(f"{at}.{bag}") for bag in range(one["n"])]
    if learner == "logistic":
        lines: list[GBM | Logistic] = [Logistic.from_arrays(part.arrays) for part in parts]
        return _Trial(learner, float(one["settings"]), np.zeros(0), one["picks"], lines)
    settings = GBMConfig.model_validate(one["settings"])
    boosters: list[GBM | Logistic] = [
        GBM.from_state(part, library=settings.library, n_threads=n_threads) for part in parts
    ]
    return _Trial(learner, settings, np.zeros(0), one["picks"], boosters)


def _drawn_settings(learner: Learner, gen: np.random.Generator) -> GBMConfig | float:
    """A random setting of a learner: small trees, because such tables are small."""
    if learner == "logistic":
        return float(10 ** gen.uniform(0, 3.5))
    rounds = int(gen.choice([60, 120, 250]))
    depth = int(gen.integers(2, 7))
    return GBMConfig(
        library=learner,
        n_trees=rounds,
        learning_rate=float(6 / rounds * gen.choice([0.5, 1.0, 1.5])),
        max_leaves=int(min(2**depth, gen.choice([6, 12, 24]))),
        max_depth=depth,
        min_leaf_rows=int(gen.choice([10, 40, 120])),
        feature_fraction=float(gen.choice([0.2, 0.4, 0.8])),
        row_fraction=float(gen.choice([0.6, 1.0])),
        l2=float(10 ** gen.uniform(-0.5, 1.5)),
    )


def _folds(
    y_N: NDArray[np.bool_], config: OfferConfig, gen: np.random.Generator
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(learned, judged) rows: random parts with equal shares of yes, or each part after all before it."""
    n, k = len(y_N), config.n_folds
    if config.order == "time":
        edges = np.linspace(0, n, k + 2).astype(int)
        parts = [(np.arange(0, a), np.arange(a, b)) for a, b in pairwise(edges[1:])]
        return [(learned, judged) for learned, judged in parts if 10 <= y_N[learned].sum() < len(learned)]
    part_N = np.empty(n, np.int64)
    for answer in (False, True):
        rows = gen.permutation(np.flatnonzero(y_N == answer))
        part_N[rows] = np.arange(len(rows)) % k
    return [(np.flatnonzero(part_N != part), np.flatnonzero(part_N == part)) for part in range(k)]


def _log_loss(raw_N: Floats, y_N: NDArray[np.bool_]) -> float:
    return float(np.mean(np.logaddexp(0, raw_N) - y_N * raw_N))

"""How a product model is learned from a panel: which months, in which order, and everything that comes out.

Reads a panel up to the month before the target and nothing after. Axes: N rows, P products, M months.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

import logging
import time
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from nextbest.data.panel.masks import unpack_masks
from nextbest.data.panel.panel import Panel
from nextbest.errors import InputError
from nextbest.models.products.calibration import Calibrator
from nextbest.models.products.config import ProductConfig, month_weights, months_learned
from nextbest.models.products.ensemble import Ensemble
from nextbest.models.products.features.steps import FeatureSteps
from nextbest.models.products.per_product import PerProduct
from nextbest.models.products.priors import MonthlyAdditions, forecast_additions, shifted, shifts_for
from nextbest.models.products.thresholds import expected_f1_threshold
from nextbest.models.products.training import TrainingSet, training_set

Floats = NDArray[np.float64]
log = logging.getLogger(__name__)


@dataclass(eq=False)
class Fitted:
    """Everything that fitting leaves."""

    target: date
    """Month whose additions it is about."""
    products: tuple[str, ...]
    steps: FeatureSteps
    ensemble: Ensemble
    shift_P: Floats
    """Log-odds added to each product, from the seasonal priors."""
    expected_P: Floats
    """Additions forecast for the whole panel in the target month; NaN without priors."""
    threshold: float
    """P(add) from which an addition is foretold: the best expected micro-F1 of the target month."""
    drops: PerProduct | None
    """P(drop) of holders."""
    drop_calibrator: Calibrator
    profile_steps: FeatureSteps | None
    profile: PerProduct | None
    """P(add) from attributes alone."""
    metrics: dict[str, Any]
    """Months and rows learned from, MAP@7 on the validation month, CPU-seconds by step."""


def learn(
    panel: Panel,
    *,
    target: date,
    config: ProductConfig,
    rng: np.random.Generator,
    n_threads: int = 1,
    progress: bool = False,
) -> Fitted:
    """Fit on the months before the newest one, judge and calibrate on that, then fit the boosters on all.

    Parameters
    ----------
    panel
        Read up to the month before `target`; the target itself need not be in it.
    target
        Month whose additions will be asked for.

    Raises
    ------
    InputError
        The panel has too few months before the target, or lacks the newest of them; or the model is to know
        attributes of a target (`scoring_time`) that the panel hasn't.
    DataError
        Nothing to learn from in these months.
    """
    draw, fit, refit, drop, profile = rng.spawn(5)
    clock = _Clock()
    target = panel.schema.month_of(target)
    past = MonthlyAdditions.of(panel, before=target)
    months, valid_month = months_learned(past.months, target, config)
    _check_target(panel, target, config)
    steps = FeatureSteps(config.features).fit(panel, months)
    everything = training_set(
        panel, steps, (*months, valid_month), keep_unchanged=config.unchanged_rows, rng=draw
    )
    valid = training_set(
        panel, _without_outlier_policy(steps), [valid_month], keep_unchanged=config.valid_rows, rng=draw
    )
    clock.lap("features")
    train = _weighted(_first_months(everything, len(months)), valid_month, config)
    ensemble = Ensemble(config, n_threads=n_threads)
    ensemble.fit(train, valid, rng=fit, progress=progress)
    clock.lap("members")
    drops, drop_calibrator = _fit_drops(train, valid, config, drop, n_threads=n_threads, progress=progress)
    clock.lap("drops")
    rows = {"train": len(train), "valid": len(valid)}
    if config.refit:
        everything = _weighted(everything, target, config)
        ensemble.refit(everything, rng=refit, progress=progress)
        if drops is not None:
            drops.fit(everything, rng=drop, progress=progress)
        rows["refit"] = len(everything)
        clock.lap("refit")
    del everything, train
    priors = _priors(panel, past, target, steps, ensemble, draw)
    clock.lap("priors")
    profile_steps, profile_model = _fit_profile(
        panel, (*months, valid_month), config, profile, n_threads=n_threads, progress=progress
    )
    clock.lap("profile")
    metrics = {
        "train_months": [str(month) for month in months],
        "valid_month": str(valid_month),
        "rows": rows,
        **ensemble.metrics_,
        "cpu_s": clock.laps,
    }
    log.info("fitted products for %s: %s", target, metrics)
    return Fitted(
        target=target,
        products=panel.schema.product_columns,
        steps=steps,
        ensemble=ensemble,
        drops=drops,
        drop_calibrator=drop_calibrator,
        profile_steps=profile_steps,
        profile=profile_model,
        metrics=metrics,
        **priors,
    )


def moved_to(fitted: Fitted, panel: Panel, *, target: date, rng: np.random.Generator) -> Fitted:
    """The same boosters for another month: its expected numbers, shifts and threshold, and nothing else anew.

    Parameters
    ----------
    panel
        Read up to the month before `target`.

    Raises
    ------
    InputError
        The panel lacks the month before the target.
    """
    target = panel.schema.month_of(target)
    panel.index(panel.schema.month_before(target))
    past = MonthlyAdditions.of(panel, before=target)
    priors = _priors(panel, past, target, fitted.steps, fitted.ensemble, rng)
    return replace(fitted, target=target, **priors)


def _check_target(panel: Panel, target: date, config: ProductConfig) -> None:
    """What the target's clients are asked with must be there: better told before the boosters than after."""
    panel.index(panel.schema.month_before(target))
    if config.features.attributes == "scoring_time" and target not in panel.months:
        raise InputError(
            "target",
            "must be a month of the panel where attributes of the target itself are known (scoring_time)",
            value=f"{target:%Y-%m}",
            remedy=f"name one, {panel.months[-1]:%Y-%m} at the latest, or train with month_end",
        )


def _fit_drops(
    train: TrainingSet,
    valid: TrainingSet,
    config: ProductConfig,
    rng: np.random.Generator,
    *,
    n_threads: int,
    progress: bool,
) -> tuple[PerProduct | None, Calibrator]:
    calibrator, n_products = Calibrator(config.calibration), len(train.products)
    if config.ownership is None:
        return None, calibrator
    drops = PerProduct(config.ownership, transition="drop", n_threads=n_threads)
    drops.fit(train, valid=valid, rng=rng, progress=progress)
    calibrator.fit(
        drops.probabilities(valid.table, valid.held_N),
        unpack_masks(valid.dropped_N, n_products=n_products),
        can_NP=unpack_masks(valid.held_N, n_products=n_products),
        weight_N=valid.weight_N,
    )
    return drops, calibrator


class _Priors(TypedDict):
    """Fields of `Fitted` that belong to one target month."""

    shift_P: Floats
    expected_P: Floats
    threshold: float


def _priors(
    panel: Panel,
    past: MonthlyAdditions,
    target: date,
    steps: FeatureSteps,
    ensemble: Ensemble,
    rng: np.random.Generator,
) -> _Priors:
    """Shifts on a sample of the clients that will be scored, the numbers they meet, and the threshold then."""
    config, n_products = ensemble.config, len(panel.schema.products)
    clients = steps.clients(panel, target)
    rows = clients.present()
    n_all = len(rows)
    if n_all > config.population_rows:
        rows = np.sort(rng.choice(rows, config.population_rows, replace=False))
    inputs = clients.inputs(rows)
    p_NP = ensemble.probabilities(steps.transform(inputs), inputs.held_N)
    shift_P, expected_P = np.zeros(n_products), np.full(n_products, np.nan)
    if config.priors is not None:
        expected_P = forecast_additions(past, target, config.priors)
        weight_N = np.full(len(rows), n_all / max(len(rows), 1))
        shift_P = shifts_for(p_NP, expected_P, weight_N=weight_N, config=config.priors)
    threshold, _ = expected_f1_threshold(shifted(p_NP, shift_P))
    return {"shift_P": shift_P, "expected_P": expected_P, "threshold": threshold}


def _fit_profile(
    panel: Panel,
    months: tuple[date, ...],
    config: ProductConfig,
    rng: np.random.Generator,
    *,
    n_threads: int,
    progress: bool,
) -> tuple[FeatureSteps | None, PerProduct | None]:
    if config.profile is None:
        return None, None
    newest = months[-config.profile_months :]
    steps = FeatureSteps(config.profile_features).fit(panel, newest)
    rows = training_set(panel, steps, newest, keep_unchanged=config.unchanged_rows, rng=rng)
    return steps, PerProduct(config.profile, n_threads=n_threads).fit(rows, rng=rng, progress=progress)


def _without_outlier_policy(steps: FeatureSteps) -> FeatureSteps:
    """The same steps, but every row of a training set is kept: a month is judged on all its clients."""
    state = steps.state()
    return FeatureSteps.from_state({**state, "config": {**state["config"], "outliers": "keep"}})


def _first_months(rows: TrainingSet, n_months: int) -> TrainingSet:
    """The rows of the first months, without a copy: rows stand month by month."""
    end = int(np.searchsorted(rows.month_N, n_months))
    return replace(
        rows,
        x_NF=rows.x_NF[:end],
        held_N=rows.held_N[:end],
        added_N=rows.added_N[:end],
        dropped_N=rows.dropped_N[:end],
        month_N=rows.month_N[:end],
        months=rows.months[:n_months],
        row_N=rows.row_N[:end],
        weight_N=rows.weight_N[:end],
    )


def _weighted(rows: TrainingSet, target: date, config: ProductConfig) -> TrainingSet:
    """The rows with the weight of their month for this target on top of their own."""
    weight_M = month_weights(rows.months, target, config).astype(np.float32)
    return replace(rows, weight_N=rows.weight_N * weight_M[rows.month_N])


class _Clock:
    """CPU-seconds of each step."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.process_time()

    def lap(self, name: str) -> None:
        now = time.process_time()
        self.laps[name], self._last = round(now - self._last, 2), now

"""One row a model and horizon: every figure a leaderboard prints, of all models on the same dates.

Knows no model: forecasts and outcomes come as arrays. Figures are plain floats, bools and None, ready for JSON.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError
from nextbest.evaluation.forecast.direction import direction_accuracy, rank_ic
from nextbest.evaluation.forecast.dm import DM, date_means, diebold_mariano
from nextbest.evaluation.forecast.hac import overlap
from nextbest.evaluation.forecast.mcs import model_confidence_set
from nextbest.evaluation.forecast.point import mase, r2_against, rmse
from nextbest.evaluation.forecast.quantiles import (
    LEVELS,
    check_levels,
    coverage,
    crps,
    pinball,
    quantile_faults,
)
from nextbest.evaluation.forecast.spa import spa
from nextbest.evaluation.significance import Rng

Floats = NDArray[np.float64]
MIN_ANSWERED = 0.9
"""Share of the benchmark's cells a model must answer to enter the joint tests (confidence set, SPA)."""
MIN_DIRECTED = 0.5
"""Share of its cells in which a model must say up or down to have a directional accuracy and a rank IC."""

COLUMNS = (
    *("model", "horizon", "n", "n_nan", "n_crossing", "n_dates", "reason", "mase", "rmse_x100", "r2"),
    *("crps_x100", "crps_relative", "pinball_x100", "coverage80", "coverage80_low", "coverage80_high"),
    *("direction", "direction_wilson_low", "direction_wilson_high", "direction_low", "direction_high"),
    *("n_directed", "rank_ic", "rank_ic_t", "rank_ic_p", "dm_squared_t", "dm_squared_p"),
    *("dm_squared_reason", "dm_crps_t", "dm_crps_p", "dm_crps_reason", "dm_lags", "in_mcs", "mcs_p"),
    *("mcs_reason", "spa_squared_p", "spa_squared_reason", "spa_crps_p", "spa_crps_reason"),
)
"""Keys of every row, in the order in which they are printed."""


def score(
    forecasts: Mapping[str, ArrayLike],
    outcomes: ArrayLike,
    *,
    dates: ArrayLike,
    horizons: Sequence[int],
    scale_A: ArrayLike,
    benchmark: str = "rw_gauss",
    rng: Rng,
    levels: Sequence[float] = LEVELS,
    means: Mapping[str, ArrayLike] | None = None,
    every: int = 1,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    mcs_alpha: float = 0.1,
) -> list[dict[str, Any]]:
    """Rows by horizon, in it by CRPS, the best first; a model without any answer is last, with its reason.

    Parameters
    ----------
    forecasts
        By model: quantiles of the cumulative log-return from the origin's close. Shape (O, A, H, Q); an answer with a
        NaN at any level is no answer.
    outcomes
        What came. Shape (O, A, H); NaN where no bar says.
    dates
        Of the origins, strictly rising: numbers or datetimes. Shape (O,). An origin is one observation: all assets of
        it move together.
    horizons
        Steps ahead, as on the axis H; unit: bars.
    scale_A
        `one_step_scale` of the bars before the first origin. Shape (A,); NaN: the asset has no MASE.
    benchmark
        The model that all are held against; its own comparisons are None, but it carries the SPA p-values.
    rng
        Generator or seed. A model's figures don't depend on which others are there, but for the joint tests.
    levels
        Shape (Q,); .1, .5 and .9 among them.
    means
        Point forecasts of models that give a mean; others' point is the median. Shape (O, A, H).
    every
        Distance of origins; unit: bars. Forecasts overlap over ceil(horizon / every) origins.
    n_resamples, confidence, mcs_alpha
        Of the bootstraps, the intervals and the confidence set.

    Returns
    -------
    list of dict
        Keys `COLUMNS`. `mase`, `r2`, `crps_relative` (its CRPS over the benchmark's) have no unit; `rmse_x100`,
        `crps_x100`, `pinball_x100` (a list by level) are log-returns x100; shares are 0-1. `r2`, `crps_relative` and the
        DM figures are over cells that both answered; DM t > 0 is worse than the benchmark. `in_mcs`: in the Model
        Confidence Set by CRPS. `direction` counts neither zero forecasts nor unchanged prices and is None, as rank IC is,
        for a model that says up or down in fewer than half its cells. None stands for a figure that can't be had;
        the `_reason` beside it says why.

    Raises
    ------
    InputError
        Shapes don't fit, dates don't rise, levels miss .1, .5 or .9, or the benchmark isn't among the models.
    DataError
        The benchmark has no answer at a horizon, or a scale is 0 or less.
    """
    tables, points, y, steps = _checked(forecasts, outcomes, dates, horizons, benchmark, levels, means)
    seeds = np.random.default_rng(rng).integers(2**62, size=len(horizons)).tolist()
    rows: list[dict[str, Any]] = []
    for place, horizon in enumerate(horizons):
        at = {name: table[:, :, place] for name, table in tables.items()}
        found = _score_horizon(
            at,
            {name: point[:, :, place] for name, point in points.items()},
            y[:, :, place],
            scale=np.asarray(scale_A, np.float64),
            benchmark=benchmark,
            levels=steps,
            shared=overlap(horizon, every),
            seed=seeds[place],
            n_resamples=n_resamples,
            confidence=confidence,
            mcs_alpha=mcs_alpha,
        )
        for row in found:
            row["horizon"] = int(horizon)
        rows += sorted(found, key=lambda row: (row["crps_x100"] is None, row["crps_x100"] or 0.0))
    return rows


def _score_horizon(
    tables: Mapping[str, Floats],
    points: Mapping[str, Floats],
    y_OA: Floats,
    *,
    scale: Floats,
    benchmark: str,
    levels: Floats,
    shared: int,
    seed: int,
    n_resamples: int,
    confidence: float,
    mcs_alpha: float,
) -> list[dict[str, Any]]:
    crps_of = {name: crps(table, y_OA, levels=levels) for name, table in tables.items()}
    squared_of = {
        name: np.where(np.isnan(crps_of[name]), np.nan, (points[name] - y_OA) ** 2) for name in tables
    }
    answered = {name: ~np.isnan(crps_of[name]) for name in tables}
    if not answered[benchmark].any():
        raise DataError("forecasts", f"the benchmark {benchmark!r} has no answer", n_bad=y_OA.size)
    boot = {"n_resamples": n_resamples, "overlap": shared}
    low, high = (int(np.abs(levels - wanted).argmin()) for wanted in (0.1, 0.9))
    rows = []
    for name, table in tables.items():
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        faults, on = quantile_faults(table), answered[name]
        row |= {"model": name, "n": int(on.sum()), "n_nan": int((~on).sum()), "n_crossing": faults.n_crossing}
        row |= {"n_dates": int(on.any(axis=1).sum())}
        rows.append(row)
        if not on.any():
            row["reason"] = "no answer beside an outcome"
            continue
        point = np.where(on, points[name], np.nan)
        if (on & ~np.isnan(scale)).any():
            row["mase"] = mase(point, y_OA, scale_A=scale)
        row["rmse_x100"] = 100 * rmse(point, y_OA)
        row["crps_x100"] = 100 * float(np.mean(crps_of[name][on]))
        row["pinball_x100"] = (100 * pinball(table[on], y_OA[on], levels=levels).mean(axis=0)).tolist()
        inside = coverage(
            table[:, :, low],
            table[:, :, high],
            np.where(on, y_OA, np.nan),
            rng=seed,
            confidence=confidence,
            **boot,
        )
        row["coverage80"] = inside.value
        if not np.isnan(inside.ci_low):  # else dates are too few for an interval
            row |= {"coverage80_low": inside.ci_low, "coverage80_high": inside.ci_high}
        row |= _direction(point, y_OA, seed=seed, confidence=confidence, **boot)
        both = on & answered[benchmark]
        if both.any():
            row["crps_relative"] = float(crps_of[name][both].sum() / crps_of[benchmark][both].sum())
            row["r2"] = r2_against(point, y_OA, np.where(answered[benchmark], points[benchmark], np.nan))
        if name != benchmark:
            squared = _dm(squared_of[name], squared_of[benchmark], shared)
            ranked = _dm(crps_of[name], crps_of[benchmark], shared)
            row |= {"dm_squared_t": squared.t, "dm_squared_p": squared.p, "dm_squared_reason": squared.reason}
            row |= {"dm_crps_t": ranked.t, "dm_crps_p": ranked.p, "dm_crps_reason": ranked.reason}
            row["dm_lags"] = ranked.lags
    _joint(
        rows,
        crps_of,
        squared_of,
        benchmark=benchmark,
        seed=seed,
        mcs_alpha=mcs_alpha,
        n_resamples=n_resamples,
        shared=shared,
    )
    return rows


def _dm(loss_OA: Floats, base_OA: Floats, shared: int) -> DM:
    """Model against benchmark over cells that both answered."""
    either = np.isnan(loss_OA) | np.isnan(base_OA)
    ours, theirs = (date_means(np.where(either, np.nan, loss)) for loss in (loss_OA, base_OA))
    return diebold_mariano(ours, theirs, shared)


def _direction(
    point_OA: Floats, y_OA: Floats, *, seed: int, confidence: float, n_resamples: int, overlap: int
) -> dict[str, Any]:
    found = direction_accuracy(
        point_OA, y_OA, rng=seed, confidence=confidence, n_resamples=n_resamples, overlap=overlap
    )
    n = found.n + found.n_tied + found.n_zero_forecast
    row: dict[str, Any] = {"n_directed": found.n}
    if found.n + found.n_tied < MIN_DIRECTED * n or not found.n:
        return row
    row |= {"direction": found.accuracy, "direction_low": found.ci_low, "direction_high": found.ci_high}
    row |= {"direction_wilson_low": found.wilson_low, "direction_wilson_high": found.wilson_high}
    ic = rank_ic(point_OA, y_OA, horizon=overlap)
    return row | {"rank_ic": ic.mean, "rank_ic_t": ic.t, "rank_ic_p": ic.p}


def _joint(
    rows: list[dict[str, Any]],
    crps_of: Mapping[str, Floats],
    squared_of: Mapping[str, Floats],
    *,
    benchmark: str,
    seed: int,
    mcs_alpha: float,
    n_resamples: int,
    shared: int,
) -> None:
    """Confidence set and SPA over models that answered enough, on the cells that all of them answered."""
    by_name = {row["model"]: row for row in rows}
    needed = MIN_ANSWERED * by_name[benchmark]["n"]
    names = [name for name, row in by_name.items() if row["n"] >= needed]
    for name, row in by_name.items():
        if name not in names:
            row["mcs_reason"] = (
                f"answered {row['n']} cells, {int(np.ceil(needed))} needed to be compared with all"
            )
    gone = np.isnan(np.stack([crps_of[name] for name in names])).any(axis=0)
    crps_DM, squared_DM = (
        np.stack([date_means(np.where(gone, np.nan, losses[name])) for name in names], axis=1)
        for losses in (crps_of, squared_of)
    )
    found = model_confidence_set(crps_DM, alpha=mcs_alpha, rng=seed, n_resamples=n_resamples, overlap=shared)
    for place, name in enumerate(names):
        row = by_name[name]
        row["mcs_reason"] = found.reason
        if found.reason is None:
            row |= {"in_mcs": bool(found.included[place]), "mcs_p": float(found.p[place])}
    base = names.index(benchmark)
    others = [place for place in range(len(names)) if place != base]
    for key, losses in (("squared", squared_DM), ("crps", crps_DM)):
        test = spa(losses[:, base], losses[:, others], rng=seed, n_resamples=n_resamples, overlap=shared)
        by_name[benchmark] |= {f"spa_{key}_p": test.consistent, f"spa_{key}_reason": test.reason}


def _checked(
    forecasts: Mapping[str, ArrayLike],
    outcomes: ArrayLike,
    dates: ArrayLike,
    horizons: Sequence[int],
    benchmark: str,
    levels: Sequence[float],
    means: Mapping[str, ArrayLike] | None,
) -> tuple[dict[str, Floats], dict[str, Floats], Floats, Floats]:
    """Quantiles and point forecasts by model, outcomes and levels, once all shapes fit."""
    y, steps = np.asarray(outcomes, np.float64), check_levels(levels)
    if missing := [wanted for wanted in (0.1, 0.5, 0.9) if np.abs(steps - wanted).min() > 1e-9]:
        raise InputError("levels", f"must hold .1, .5 and .9; {missing} missing", value=steps.tolist())
    if y.ndim != 3 or y.shape[2] != len(horizons):
        raise InputError(
            "outcomes", f"must have the axes origin, asset and {len(horizons)} horizons", value=y.shape
        )
    when = np.asarray(dates)
    if when.shape != y.shape[:1]:
        raise InputError("dates", f"must have one for each of {len(y)} origins", value=when.shape)
    if (stuck := np.flatnonzero(when[1:] <= when[:-1])).size:
        raise InputError(
            "dates",
            f"must rise strictly; {stuck.size} don't, first at {(stuck[:5] + 1).tolist()}",
            remedy="sort the origins, and give hourly origins their hour",
        )
    if benchmark not in forecasts:
        raise InputError("benchmark", f"must be one of {list(forecasts)[:20]}", value=benchmark)
    median = int(np.abs(steps - 0.5).argmin())
    tables, points = {}, {}
    for name, values in forecasts.items():
        table = np.asarray(values, np.float64)
        if table.shape != (*y.shape, len(steps)):
            raise InputError(
                f"forecasts[{name!r}]", f"must have the shape {(*y.shape, len(steps))}", value=table.shape
            )
        tables[name], points[name] = table, table[..., median]
    for name, values in (means or {}).items():
        point = np.asarray(values, np.float64)
        if name not in tables or point.shape != y.shape:
            raise InputError(
                f"means[{name!r}]", f"must be of a model and have the shape {y.shape}", value=point.shape
            )
        points[name] = point
    return tables, points, y, steps

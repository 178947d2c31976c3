"""What a named model says of the bars after the newest one: the table `tables.FORECASTS`, which others read without knowing a model.

The model is fitted on the bars handed in and asked once, about the end of them. An asset without a bar there isn't
answered and says why. Axes: A assets, H horizons, Q levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.steps import WEEK, in_us
from nextbest.errors import DataError, InputError, NextbestError
from nextbest.market.base import LEVELS, Forecaster, check_request
from nextbest.market.bench.answers import checked
from nextbest.tables import FORECASTS, TIME_DTYPE

ALWAYS = (0.1, 0.5, 0.9)
"""Levels of every table, whatever else is asked."""
BARS_A_STEP = 4
"""A horizon may be at most one part in so many of the bars known: past that a history says nothing of its own about it."""
_RECENT_WEEKS = 8
_OFTEN = 0.5


@dataclass(frozen=True)
class Forecasts:
    """One model's answer about the end of one panel."""

    model: str
    step: timedelta
    cutoff: datetime
    """Open of the last bar known, UTC."""
    n_bars: int
    """Bars that the model was fitted on."""
    horizons: tuple[int, ...]
    levels: tuple[float, ...]
    table: pl.DataFrame
    """As `tables.FORECASTS`, with `horizon` (bars ahead), `close` (the last known) and a column `q...` of each level."""
    missing: dict[str, str] = field(default_factory=dict)
    """Asset -> why it isn't answered."""
    calendar_guessed: bool = False
    """Whether the market closes: `time` then follows the weeks before, and no holiday is known."""


def forecast_table(
    panel: PricePanel,
    model: Forecaster,
    *,
    horizons: Sequence[int] = (1,),
    levels: Sequence[float] = LEVELS,
    rng: int = 0,
    fit: bool = True,
) -> Forecasts:
    """Quantiles of the closes to come, in the quote currency, of all assets with a bar at the panel's end.

    Parameters
    ----------
    panel
        Everything that is known. The model gets copies.
    horizons
        Bars ahead, rising.
    levels
        Of the quantiles; .1, .5 and .9 are there anyway.
    rng
        Seed of the fit.
    fit
        False: the model has learned already (`load_forecaster`) and answers as it is.

    Returns
    -------
    Forecasts
        `mean` is null: forecasters answer quantiles.

    Raises
    ------
    InputError
        Too few bars for the model or for the farthest horizon, or a horizon or level that breaks its rule.
    DataError
        The model raised something of its own, or answered no numbers, or quantiles that cross, for every asset.
    """
    said = tuple(sorted({*levels, *ALWAYS}))
    check_request(horizons, said)
    if panel.n_bars < model.min_bars:
        raise InputError(
            "candles",
            f"{model.name} needs {model.min_bars} bars or more",
            value=panel.n_bars,
            remedy="give it more bars, or ask a simpler model",
        )
    if horizons[-1] * BARS_A_STEP > panel.n_bars:
        raise InputError(
            "horizons",
            f"must be at most {panel.n_bars // BARS_A_STEP}, a quarter of the {panel.n_bars} bars known",
            value=horizons[-1],
        )
    alive_A = ~np.isnan(panel.close_AT[:, -1])
    answer_AHQ, words = _asked(panel, model, tuple(horizons), said, alive_A, rng=rng, fit=fit)
    with np.errstate(over="ignore"):  # a series of nonsense: what isn't finite is told as no answer
        price_AHQ = panel.close_AT[:, -1, None, None] * np.exp(answer_AHQ)
    whole_A = np.asarray(np.isfinite(price_AHQ).all((1, 2)))
    missing = {
        asset: _why(panel, model, row, words) for row, asset in enumerate(panel.asset_ids) if not whole_A[row]
    }
    if words is not None and alive_A.any() and not whole_A.any() and not _short(panel, model):
        raise DataError(model.name, words, remedy="ask another model")
    times, guessed = bar_times_ahead(panel, horizons)
    cutoff = _utc(panel.time_T[-1])
    rows = [
        {
            "asset_id": asset,
            "cutoff": cutoff,
            "time": times[h],
            "horizon": horizon,
            "close": float(panel.close_AT[row, -1]),
            **{column(level): float(price_AHQ[row, h, q]) for q, level in enumerate(said)},
            "mean": None,
        }
        for row, asset in enumerate(panel.asset_ids)
        if whole_A[row]
        for h, horizon in enumerate(horizons)
    ]
    schema: dict[str, pl.DataType] = {"asset_id": pl.String(), "cutoff": TIME_DTYPE, "time": TIME_DTYPE, "horizon": pl.Int64()}  # fmt: skip
    schema |= dict.fromkeys(("close", *map(column, said), "mean"), pl.Float64())
    table = FORECASTS.check(pl.DataFrame(rows, schema=schema)).sort("asset_id", "cutoff", "time")
    return Forecasts(
        model.name, panel.step, cutoff, panel.n_bars, tuple(horizons), said, table, missing, guessed
    )


def column(level: float) -> str:
    """Name of a level's column.

    >>> column(0.1), column(0.025)
    ('q10', 'q2.5')
    """
    return f"q{100 * level:.6g}"


def bar_times_ahead(panel: PricePanel, horizons: Sequence[int]) -> tuple[list[datetime], bool]:
    """Opens of the bars so many after the last, and whether they are guessed.

    A market that never closes goes on step by step. Any other has bars at the moments of the week at which it had
    them in at least half of the eight weeks before: weekends and nights are left out, holidays aren't known.
    """
    length = in_us(panel.step)
    time_us = panel.time_T.astype(np.int64)
    last = int(time_us[-1])
    regular = bool((np.diff(time_us) == length).all())
    if regular or panel.step >= WEEK or WEEK % panel.step:
        return [_utc(np.datetime64(last + h * length, "us")) for h in horizons], not regular
    week = in_us(WEEK)
    n_weeks = min(_RECENT_WEEKS, max(1, round((last - int(time_us[0])) / week)))
    recent = time_us[time_us > last - n_weeks * week]
    slots, counts = np.unique(recent % week, return_counts=True)
    open_slots = np.sort(slots[counts >= _OFTEN * n_weeks])
    if not len(open_slots):
        open_slots = slots
    ahead: NDArray[np.int64] = np.arange(last // week, last // week + horizons[-1] // len(open_slots) + 3)
    coming = (ahead[:, None] * week + open_slots).ravel()
    coming = coming[coming > last]
    return [_utc(np.datetime64(int(coming[h - 1]), "us")) for h in horizons], True


def _asked(
    panel: PricePanel,
    model: Forecaster,
    horizons: tuple[int, ...],
    levels: tuple[float, ...],
    alive_A: NDArray[np.bool_],
    *,
    rng: int,
    fit: bool,
) -> tuple[NDArray[np.float64], str | None]:
    """Log-returns (A, H, Q), NaN where there is no answer, and what was wrong with some."""
    known = panel.until(panel.n_bars)
    asked = panel.until(panel.n_bars, length=model.context_length or None)
    try:
        if fit:
            model.fit(known, horizons=horizons, rng=np.random.default_rng([rng, 0]))
        said = model.forecast((asked,), horizons=horizons, levels=levels)
    except NextbestError:
        raise
    except Exception as error:
        raise DataError(
            model.name, f"failed: {type(error).__name__}: {error}", remedy="ask another model"
        ) from error
    shape = (1, panel.n_assets, len(horizons), len(levels))
    answer, words = checked(said, shape, alive_A[None])
    return answer[0], words


def _short(panel: PricePanel, model: Forecaster) -> bool:
    return bool(((~np.isnan(panel.close_AT)).sum(axis=1) < model.min_bars).all())


def _why(panel: PricePanel, model: Forecaster, row: int, words: str | None) -> str:
    there = np.flatnonzero(~np.isnan(panel.close_AT[row]))
    if not len(there):
        return "has no bar"
    if there[-1] < panel.n_bars - 1:
        return f"has no bar at the cutoff; its last is {panel.time_T[there[-1]].astype('datetime64[s]')}"
    if len(there) < model.min_bars:
        return f"has {len(there)} bars, {model.name} needs {model.min_bars}"
    return f"{model.name} gave no answer" + (f": {words}" if words else "")


def _utc(moment: np.datetime64) -> datetime:
    naive: datetime = moment.astype("datetime64[us]").item()
    return naive.replace(tzinfo=UTC)

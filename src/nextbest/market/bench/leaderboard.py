"""What a bench found: a row a model and horizon, the forecasts behind it, and what failed, in its own words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import DataError
from nextbest.evaluation.forecast.table import score
from nextbest.market.base import FloatArray, Forecaster
from nextbest.market.bench.origins import Origins


@dataclass(frozen=True)
class Failure:
    """One block that gave no answer, or not a whole one."""

    model: str
    first: int
    """Origins [first, stop) that were asked."""
    stop: int
    words: str
    """The model's own, or which rule its answer broke."""


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """Rows by horizon, the best CRPS first, and everything they were made of."""

    rows: list[dict[str, Any]]
    """Keys of `evaluation.forecast.table.COLUMNS`, and: `seen_until` (ISO day or None), `maybe_seen` (an origin lies
    before that day's end), `cpu_s`, `failed_origins`, `failure` (the first words, or None)."""
    forecasts: Mapping[str, FloatArray]
    """By model: quantiles of the log-return, shape (O, A, H, Q); NaN = no answer."""
    outcomes: FloatArray
    """Log-returns that came, shape (O, A, H)."""
    dates: NDArray[np.datetime64]
    """Open of the last known bar of each origin, shape (O,)."""
    horizons: tuple[int, ...]
    levels: tuple[float, ...]
    failures: tuple[Failure, ...]
    cpu_s: Mapping[str, float]
    """CPU-seconds of each model's fits and forecasts, those of the runs it goes on from among them."""
    resumed: Mapping[str, int]
    """Origins of each model that were read from the ledger."""

    def row(self, model: str, horizon: int) -> dict[str, Any]:
        """That model's row at that horizon."""
        found = [row for row in self.rows if row["model"] == model and row["horizon"] == horizon]
        if not found:
            raise DataError("leaderboard", f"has no row of {model!r} at {horizon}")
        return found[0]


def leaderboard_rows(
    forecasts: Mapping[str, FloatArray],
    outcomes_OAH: FloatArray,
    dates_O: NDArray[np.datetime64],
    origins: Origins,
    *,
    scale_A: FloatArray,
    benchmark: str,
    rng: int,
    levels: Sequence[float],
    n_resamples: int,
    models: Sequence[Forecaster],
    failures: Sequence[Failure],
    cpu_s: Mapping[str, float],
) -> list[dict[str, Any]]:
    """`score`'s rows with what the run itself knows of each model."""
    rows = score(
        forecasts,
        outcomes_OAH,
        dates=dates_O,
        horizons=origins.horizons,
        scale_A=scale_A,
        benchmark=benchmark,
        rng=rng,
        levels=levels,
        every=origins.every,
        n_resamples=n_resamples,
    )
    by_name = {model.name: model for model in models}
    for row in rows:
        mine = [failure for failure in failures if failure.model == row["model"]]
        seen_until: date | None = by_name[row["model"]].seen_until
        row["seen_until"] = seen_until.isoformat() if seen_until else None
        row["maybe_seen"] = bool(seen_until and dates_O[0] <= np.datetime64(seen_until))
        row["cpu_s"] = cpu_s[row["model"]]
        row["failed_origins"] = sum(failure.stop - failure.first for failure in mine)
        row["failure"] = mine[0].words if mine else None
    return rows

"""Random walks by the shape of their spread, drift, and the value of a season ago. All without a library.

Their only parameter is read off the history at each cutoff, so `fit` learns nothing.
Axes: H horizons, Q levels, W bars of a window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError
from nextbest.market.base import LEVELS, FloatArray, check_request
from nextbest.market.classical.series import each_asset, is_intraday, log_closes_of, returns_of

_NEGLIGIBLE = 1e-13
"""Weight of a bar, relative to the newest's, from which on an exponential mean needn't read it."""


class Unlearned:
    """A model that reads everything off the history at the cutoff."""

    seen_until: date | None = None

    def fit(self, history: PricePanel, *, horizons: Sequence[int], rng: np.random.Generator) -> None:
        """Nothing to learn."""


@dataclass(frozen=True)
class GaussianWalk(Unlearned):
    """No drift, normal steps of the standard deviation of all returns known (divided by n, not n - 1)."""

    name: str = "rw_gauss"
    context_length: int = 0
    min_bars: int = 3

    @property
    def config(self) -> dict[str, Any]:
        """No settings."""
        return {}

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles sigma sqrt(h) z, shape (O, A, H, Q); NaN without two returns or without a close at the cutoff."""
        unit_HQ = normal_HQ(horizons, levels)
        return each_asset(
            histories,
            returns_of,
            lambda _, r: r.std() * unit_HQ if len(r) > 1 else None,
            horizons=horizons,
            levels=levels,
        )


@dataclass(frozen=True)
class EWMAWalk(Unlearned):
    """No drift, normal steps of an exponentially weighted variance around zero (RiskMetrics 1996)."""

    decay: float | None = None
    """Weight of a bar relative to the next, 0-1 exclusive; None: .94 of daily and longer bars, .97 of shorter ones."""
    name: str = "rw_ewma"
    min_bars: int = 3

    def __post_init__(self) -> None:
        if self.decay is not None and not 0 < self.decay < 1:
            raise InputError("decay", "must lie between 0 and 1", value=self.decay)

    @property
    def context_length(self) -> int:
        """Bars until a weight is nothing beside the newest's."""
        return int(np.log(_NEGLIGIBLE) / np.log(self.decay or 0.97)) + 2

    @property
    def config(self) -> dict[str, Any]:
        """The decay."""
        return {"decay": self.decay}

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles sigma sqrt(h) z, shape (O, A, H, Q); weights of gaps are shared out among the bars there are."""
        unit_HQ = normal_HQ(horizons, levels)
        intraday = bool(histories) and is_intraday(histories[0].step)
        decay = self.decay or (0.97 if intraday else 0.94)

        def answer(_: int, r_W: FloatArray) -> FloatArray | None:
            if len(r_W) < 2:
                return None
            weight_W = decay ** np.arange(len(r_W) - 1, -1, -1.0)
            spread: FloatArray = np.sqrt(weight_W @ r_W**2 / weight_W.sum()) * unit_HQ
            return spread

        return each_asset(histories, returns_of, answer, horizons=horizons, levels=levels)


@dataclass(frozen=True)
class HistoricalSimulation(Unlearned):
    """The past h-step moves themselves: empirical quantiles (linear, type 7) of overlapping sums in a window."""

    window: int | None = None
    """Returns read; None: 500 of daily and longer bars, 1,440 of shorter ones."""
    min_moves: int = 20
    """Fewer h-step moves than that in the window and there is no answer at h."""
    name: str = "rw_hist_sim"

    def __post_init__(self) -> None:
        if (self.window is not None and self.window < 2) or self.min_moves < 2:
            raise InputError("window", "and min_moves must be 2 or more", value=(self.window, self.min_moves))

    @property
    def context_length(self) -> int:
        """Closes of the longest window."""
        return (self.window or 1440) + 1

    @property
    def min_bars(self) -> int:
        """Closes of the fewest moves of one step."""
        return self.min_moves + 1

    @property
    def config(self) -> dict[str, Any]:
        """Window and fewest moves."""
        return {"window": self.window, "min_moves": self.min_moves}

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles of past moves, mean and all, shape (O, A, H, Q); a move over a gap's missing close is left out."""
        h_H, level_Q = check_request(horizons, levels)
        n_assets = histories[0].n_assets if histories else 0
        found_OAHQ = np.full((len(histories), n_assets, len(h_H), len(level_Q)), np.nan)
        for origin, history in enumerate(histories):
            window = self.window or (1440 if is_intraday(history.step) else 500)
            close_AW = np.log(history.close_AT[:, -(window + 1) :])
            known_A = ~np.isnan(close_AW[:, -1]) if close_AW.shape[1] else np.zeros(n_assets, bool)
            for place, h in enumerate(h_H):
                move_AW = close_AW[:, h:] - close_AW[:, :-h]
                there_AW = ~np.isnan(move_AW)
                if there_AW.all() and known_A.all() and move_AW.shape[1] >= self.min_moves:
                    found_OAHQ[origin, :, place] = np.quantile(move_AW, level_Q, axis=1).T
                    continue
                for asset in np.flatnonzero(known_A & (there_AW.sum(1) >= self.min_moves)):
                    moves = move_AW[asset, there_AW[asset]]
                    found_OAHQ[origin, asset, place] = np.quantile(moves, level_Q)
        return found_OAHQ


@dataclass(frozen=True)
class Drift(Unlearned):
    """Random walk with the mean of all returns known, and the variance of the estimated drift in its spread.

    Variance at h: sigma^2 h (1 + h / n), sigma^2 around the mean with n - 1 (Hyndman & Athanasopoulos 2021, 5.5).
    """

    name: str = "drift"
    context_length: int = 0
    min_bars: int = 4

    @property
    def config(self) -> dict[str, Any]:
        """No settings."""
        return {}

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles mu h + sigma sqrt(h (1 + h / n)) z, shape (O, A, H, Q)."""
        h_H, _ = check_request(horizons, levels)
        unit_HQ = normal_HQ(horizons, levels)

        def answer(_: int, r: FloatArray) -> FloatArray | None:
            if len(r) < 3:
                return None
            widening_H = np.sqrt(1 + h_H / len(r))
            said: FloatArray = (r.mean() * h_H)[:, None] + r.std(ddof=1) * widening_H[:, None] * unit_HQ
            return said

        return each_asset(histories, returns_of, answer, horizons=horizons, levels=levels)


@dataclass(frozen=True)
class SeasonalNaive(Unlearned):
    """The log price of the same place in the last season, spread by the past seasonal differences.

    Variance at h: that of the differences around their mean, times the seasons begun by h (Hyndman & Athanasopoulos 2021, 5.5).
    """

    season: int | None = None
    """Bars; None: 24 of hourly bars, 7 of daily bars of a market that never closes, else 5."""
    name: str = "seasonal_naive"
    context_length: int = 0
    min_bars: int = 4

    def __post_init__(self) -> None:
        if self.season is not None and self.season < 1:
            raise InputError("season", "must be 1 or more", value=self.season)

    @property
    def config(self) -> dict[str, Any]:
        """The season."""
        return {"season": self.season}

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles around the price of a season ago, shape (O, A, H, Q); NaN with fewer than two differences since a gap."""
        h_H, _ = check_request(horizons, levels)
        season = self.season or (season_of(histories[0]) if histories else 1)
        back_H = -season + (h_H - 1) % season
        begun_H = (h_H - 1) // season + 1
        z_Q = normal_HQ([1], levels)[0]

        def answer(_: int, x: FloatArray) -> FloatArray | None:
            if len(x) < season + 2:
                return None
            spread = (x[season:] - x[:-season]).std()
            said: FloatArray = (x[back_H] - x[-1])[:, None] + spread * np.sqrt(begun_H)[:, None] * z_Q
            return said

        return each_asset(histories, log_closes_of, answer, horizons=horizons, levels=levels)


def season_of(history: PricePanel) -> int:
    """Bars of a day (bars shorter than a day), else of a week: 7, or 5 where weekends have no bar; 1 if longer."""
    seconds = history.step.total_seconds()
    if seconds < 86_400:
        return max(1, round(86_400 / seconds))
    if seconds > 86_400:
        return 1
    days = int((history.time_T[-1] - history.time_T[0]) / np.timedelta64(1, "D")) + 1 if history.n_bars else 1
    return 7 if history.n_bars >= 0.8 * days else 5


def normal_HQ(horizons: Sequence[int], levels: Sequence[float]) -> FloatArray:  # noqa: N802 - axes in the name
    """Normal quantiles of the sum of h steps of variance 1."""
    from scipy.special import ndtri

    h_H, level_Q = check_request(horizons, levels)
    z_Q: FloatArray = ndtri(level_Q)
    z_Q = np.where(np.abs(level_Q - 0.5) < 1e-12, 0.0, z_Q)  # the median of a walk is its last price, exactly
    found: FloatArray = np.sqrt(h_H)[:, None] * z_Q
    return found

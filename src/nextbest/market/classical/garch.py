"""Random walk whose variance is a GARCH(1,1) with Student-t steps: fitted by `arch`, carried on by our own recursion.

Between two fits only the state moves: one linear filter an asset and cutoff, where the library would be called anew
each time. Axes: T returns, H horizons, Q levels.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError, NotFittedError
from nextbest.market.base import LEVELS, FloatArray, check_request
from nextbest.market.classical.series import each_asset, is_intraday, returns_of

_SCALE = 100.0
"""Returns are fitted in percent: the optimiser's steps are made for numbers near 1."""
_BACKCAST_BARS, _BACKCAST_DECAY = 75, 0.94
"""Of the variance before the first return, as `arch` has it."""
_LEAST_DF = 4.5
"""Fewer degrees of freedom have no kurtosis from which a sum's could be told."""


@dataclass(frozen=True)
class GarchParameters:
    """Variance of return t: omega + alpha r[t-1]^2 + beta variance[t-1]; returns in percent."""

    omega: float
    alpha: float
    beta: float
    df: float
    """Degrees of freedom of the steps, above 2."""


@dataclass
class GarchWalk:
    """No drift; the variance of h steps by the recursion, their shape a t whose excess kurtosis falls as 1 / h.

    A t with `df` degrees of freedom has excess kurtosis 6 / (df - 4), the sum of h independent ones 1 / h of it: so the
    sum is taken for a t with 4 + (df - 4) h degrees.
    """

    window: int | None = None
    """Returns that are fitted; None: 2,000 of daily and longer bars, 3,000 of shorter ones."""
    min_returns: int = 100
    """An asset with fewer isn't fitted and has no answer."""
    name: str = "rw_garch_t"
    seen_until: date | None = None
    parameters_: dict[str, GarchParameters] | None = field(default=None, repr=False)
    """By asset, after `fit`."""

    def __post_init__(self) -> None:
        if (self.window is not None and self.window < self.min_returns) or self.min_returns < 10:
            raise InputError("min_returns", "must be 10 or more, window not less", value=self.min_returns)

    @property
    def context_length(self) -> int:
        """Bars of the longest window."""
        return (self.window or 3000) + 1

    @property
    def min_bars(self) -> int:
        """Bars of the fewest returns."""
        return self.min_returns + 1

    @property
    def config(self) -> dict[str, Any]:
        """Window and fewest returns."""
        return {"window": self.window, "min_returns": self.min_returns}

    def fit(self, history: PricePanel, *, horizons: Sequence[int], rng: np.random.Generator) -> None:
        """Maximum likelihood an asset, on the window's newest returns.

        Raises
        ------
        InputError
            `arch` isn't installed.
        """
        try:
            from arch.univariate import GARCH, StudentsT, ZeroMean
        except ImportError as error:
            raise InputError(
                self.name, "needs arch, which isn't installed", remedy="pip install nextbest[market]"
            ) from error
        found: dict[str, GarchParameters] = {}
        window = self._window(history)
        for asset, returns in zip(history.asset_ids, returns_of(history), strict=True):
            r_T = returns[-window:] * _SCALE
            if len(r_T) < self.min_returns or not r_T.std() > 0:
                continue
            with warnings.catch_warnings():  # scale and convergence: the last point is used, as good as it is
                warnings.simplefilter("ignore")
                fitted = ZeroMean(
                    r_T, volatility=GARCH(1, 0, 1), distribution=StudentsT(), rescale=False
                ).fit(disp="off", show_warning=False)
            values = fitted.params
            said = GarchParameters(*(float(values[n]) for n in ("omega", "alpha[1]", "beta[1]", "nu")))
            if np.isfinite([said.omega, said.alpha, said.beta, said.df]).all() and said.df > 2:
                found[asset] = said
        self.parameters_ = found

    def forecast(
        self, histories: Sequence[PricePanel], *, horizons: Sequence[int], levels: Sequence[float] = LEVELS
    ) -> FloatArray:
        """Quantiles around zero, shape (O, A, H, Q); NaN for an asset that had too few returns at the last fit.

        Raises
        ------
        NotFittedError
            `fit` wasn't called.
        """
        if self.parameters_ is None:
            raise NotFittedError(self.name)
        if not histories:
            return each_asset(histories, returns_of, lambda *_: None, horizons=horizons, levels=levels)
        h_H, level_Q = check_request(horizons, levels)
        window = self._window(histories[0])
        fitted = [self.parameters_.get(asset) for asset in histories[0].asset_ids]
        unit_A = [None if p is None else student_HQ(p.df, h_H, level_Q) for p in fitted]

        def answer(asset: int, returns: FloatArray) -> FloatArray | None:
            parameters, unit_HQ = fitted[asset], unit_A[asset]
            if parameters is None or unit_HQ is None or len(returns) < self.min_returns:
                return None
            next_variance = garch_variance(returns[-window:] * _SCALE, parameters)[-1]
            spread_H = np.sqrt(cumulative_variance(next_variance, parameters, int(h_H[-1]))[h_H - 1]) / _SCALE
            said: FloatArray = spread_H[:, None] * unit_HQ
            return said

        return each_asset(histories, returns_of, answer, horizons=horizons, levels=levels)

    def _window(self, history: PricePanel) -> int:
        return self.window or (3000 if is_intraday(history.step) else 2000)


def garch_variance(r_T: FloatArray, parameters: GarchParameters) -> FloatArray:
    """Conditional variance of each return and of the next one, shape (T + 1,), in the unit of `r_T` squared.

    The variance before the first return is `arch`'s own guess: a mean of the first 75 squares, the first weighing most.
    """
    from scipy.signal import lfilter

    weight = _BACKCAST_DECAY ** np.arange(min(_BACKCAST_BARS, len(r_T)))
    before = float(weight @ r_T[: len(weight)] ** 2 / weight.sum())
    p = parameters
    driven = p.omega + p.alpha * np.concatenate(([before], r_T**2))
    found: FloatArray = lfilter([1.0], [1.0, -p.beta], driven, zi=[p.beta * before])[0]
    return found


def cumulative_variance(next_variance: float, parameters: GarchParameters, n: int) -> FloatArray:
    """Variance of the sum of the next 1, 2, ... n returns, shape (n,)."""
    p = parameters
    step_N = np.empty(n)
    step_N[0] = next_variance
    for at in range(1, n):
        step_N[at] = p.omega + (p.alpha + p.beta) * step_N[at - 1]
    total: FloatArray = np.cumsum(step_N)
    return total


def student_HQ(df: float, h_H: Any, level_Q: FloatArray) -> FloatArray:  # noqa: N802 - axes in the names
    """Quantiles of a t of variance 1 with the degrees of freedom of a sum of h, shape (H, Q); the median is 0."""
    from scipy.special import stdtrit

    df_H = 4 + (max(df, _LEAST_DF) - 4) * np.asarray(h_H, np.float64)
    unit = stdtrit(df_H[:, None], level_Q) * np.sqrt((df_H - 2) / df_H)[:, None]
    found: FloatArray = np.where(np.abs(level_Q - 0.5) < 1e-12, 0.0, unit)
    return found

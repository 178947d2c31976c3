"""Reference answers for the goal engine: a closed form, and the best that switching portfolios can do.

Numbers in, probabilities out. The simulation is held against both.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Control:
    """The best odds, and the portfolio to hold at each wealth and year."""

    probability: float
    """Of reaching the goal, if the best portfolio is held each year; 0-1."""
    wealth_G: Floats
    """Grid of wealth. Shape (G,)."""
    choice_YG: NDArray[np.int64]
    """Portfolio to hold in each year at each wealth, a row number of the inputs. Shape (n_years, G)."""


def lognormal_odds(*, wealth: float, target: float, years: float, drift: float, volatility: float) -> float:
    """Probability that a lump sum reaches `target` under geometric Brownian motion.

    Parameters
    ----------
    drift
        Of the price, continuous, a year: the log return has mean drift - volatility^2 / 2.
    volatility
        Of the log return a year, above 0.

    Raises
    ------
    InputError
        A money, time or volatility isn't above 0.

    Examples
    --------
    >>> round(lognormal_odds(wealth=100, target=100, years=1, drift=0.02, volatility=0.2), 6)
    0.5
    """
    from scipy.special import ndtr

    for name, value in (("wealth", wealth), ("target", target), ("years", years), ("volatility", volatility)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(name, "must be above 0", value=value)
    mean = (drift - volatility**2 / 2) * years
    return float(ndtr((np.log(wealth / target) + mean) / (volatility * np.sqrt(years))))


def optimal_odds(
    mean_P: ArrayLike,
    volatility_P: ArrayLike,
    *,
    wealth: float,
    target: float,
    n_years: int,
    contribution_ann: float = 0.0,
    n_grid: int = 475,
) -> Control:
    """The highest probability of a goal if the portfolio may be changed every year, by dynamic programming.

    Parameters
    ----------
    mean_P, volatility_P
        Mean return and volatility a year of each portfolio that may be held, fractions. Shape (P,).
    wealth, target
        Money today and wanted, above 0; nominal.
    n_years
        Years to the goal, 1 or more.
    contribution_ann
        Paid in at the start of each year, 0 or more.
    n_grid
        Points of log wealth, 50 or more.

    Raises
    ------
    InputError
        A parameter is out of range, or the shapes differ.

    Notes
    -----
    Das, Ostrov, Radhakrishnan & Srivastav 2019 (goals-based wealth management): wealth grows lognormally with log mean
    mean - volatility^2 / 2. Here a cell's probability is the normal mass over it, with an edge of the grid at the target.
    """
    from scipy.special import ndtr

    mean, volatility = np.asarray(mean_P, np.float64), np.asarray(volatility_P, np.float64)
    if mean.ndim != 1 or mean.shape != volatility.shape or not len(mean):
        raise InputError("volatility", f"must have the shape of mean, {mean.shape}", value=volatility.shape)
    if not np.isfinite(mean).all() or not (np.isfinite(volatility) & (volatility > 0)).all():
        raise InputError(
            "volatility", "and mean must be finite, volatility above 0", value=volatility.tolist()[:5]
        )
    for name, value, least in (("wealth", wealth, 0.0), ("target", target, 0.0), ("n_years", n_years, 0.5)):
        if not (np.isfinite(value) and value > least):
            raise InputError(name, "must be above 0", value=value)
    if contribution_ann < 0 or n_grid < 50:
        raise InputError(
            "contribution_ann", "must be 0 or more, and n_grid 50 or more", value=(contribution_ann, n_grid)
        )
    log_mean = mean - volatility**2 / 2
    reach = 4 * float(volatility.max()) * np.sqrt(n_years)
    low = np.log(wealth) + min(float(log_mean.min()) * n_years, 0.0) - reach
    top = max(wealth + contribution_ann * n_years, target)
    high = np.log(top) + max(float(log_mean.max()) * n_years, 0.0) + reach
    step = (high - low) / (n_grid - 1)
    first = np.log(target) + step / 2  # the target lies on the edge between two cells
    grid_G = first + step * np.arange(np.floor((low - first) / step), np.floor((high - first) / step) + 1)
    value_G = (grid_G > np.log(target)).astype(np.float64)
    choice_YG = np.zeros((n_years, len(grid_G)), np.int64)
    wealth_G = np.exp(grid_G)
    paid_G = np.log(wealth_G + contribution_ann)
    for year in reversed(range(n_years)):
        best_G = np.full(len(grid_G), -1.0)
        for p in range(len(mean)):
            n_side = int(np.ceil((abs(log_mean[p]) + 6 * volatility[p]) / step)) + 1
            edges = (np.arange(-n_side, n_side + 2) - 0.5) * step
            mass = np.diff(ndtr((edges - log_mean[p]) / volatility[p]))
            padded = np.pad(value_G, n_side, mode="edge")
            expected_G = np.convolve(padded, mass[::-1], mode="valid") / mass.sum()
            if contribution_ann:
                expected_G = np.interp(paid_G, grid_G, expected_G)
            better = expected_G > best_G
            best_G[better], choice_YG[year, better] = expected_G[better], p
        value_G = best_G
    return Control(float(np.interp(np.log(wealth), grid_G, value_G)), wealth_G, choice_YG)

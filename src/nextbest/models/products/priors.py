"""How many will add each product next month: level, trend and season of the past, and log-odds moved to meet it.

A booster knows who is likelier than whom; how many there will be moves with the calendar (tax payments in
June, current accounts in December). Reads a panel up to the month before the target only.
Axes: M months, P products, N rows.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from nextbest.data.panel.masks import count_holders
from nextbest.data.panel.panel import Panel, additions
from nextbest.errors import InputError
from nextbest.models.products.base import FloatArray, Frozen, logit, sigmoid
from nextbest.models.products.calibration import shift_for_total

Floats = NDArray[np.float64]
_HALF = 0.5
"""Added to every count, so that a month without additions has a logarithm."""


class PriorConfig(Frozen):
    """How the past makes a forecast."""

    window: PositiveInt = 6
    """Months before the target that make the level."""
    decay: float = Field(default=0.75, gt=0, le=1)
    """Weight of a month over that of the month after it."""
    season_trust: float = Field(default=0.5, ge=0, le=1)
    """How far last year's deviation of the same month is believed; one year can't tell season from accident."""
    season_counts: NonNegativeFloat = 200.0
    """Additions at which half of that trust is left."""
    season_window: PositiveInt = 3
    """Months on either side that last year's deviation is measured against."""
    max_shift: PositiveFloat = 3.0
    """Log-odds that a product is moved at most."""


@dataclass(frozen=True)
class MonthlyAdditions:
    """Additions of each product in each target month of the past."""

    months: tuple[date, ...]
    """Oldest first; months without the calendar month before them have no number and are left out."""
    added_MP: NDArray[np.int64]

    @classmethod
    def of(cls, panel: Panel, *, before: date) -> "MonthlyAdditions":
        """Counts of all target months before `before`.

        Raises
        ------
        InputError
            The panel has no two neighbouring months before `before`.
        """
        schema, end = panel.schema, panel.schema.month_of(before)
        known = set(panel.months)
        months = tuple(m for m in panel.months if m < end and schema.month_before(m) in known)
        if not months:
            raise InputError("before", "must have two months of the panel before it", value=str(before))
        n_products = len(schema.products)
        counts = [count_holders(additions(panel, m).added_N, n_products=n_products) for m in months]
        return cls(months, np.array(counts, np.int64))


def forecast_additions(past: MonthlyAdditions, target: date, config: PriorConfig | None = None) -> Floats:
    """Expected additions of each product in the target month, shape (P,); unit: clients of the panel.

    exp(level + season): the level is the weighted mean of the log counts of the last months, each freed of
    its own season; the season of a month is how far last year's same month stood off its neighbours, believed
    as far as `season_trust` and the counts allow. Without last year's month the season is 0.
    """
    config = config or PriorConfig()
    log_MP = np.log(past.added_MP + _HALF)
    place = {_number(month): at for at, month in enumerate(past.months)}
    now = _number(target)

    def season(number: int) -> Floats:
        last_year = place.get(number - 12)
        if last_year is None:
            return np.zeros(log_MP.shape[1])
        width = config.season_window
        near = [place[n] for n in range(number - 12 - width, number - 12 + width + 1) if n in place]
        counts = past.added_MP[last_year]
        trust = config.season_trust * counts / np.maximum(counts + config.season_counts, 1e-9)
        return np.asarray(trust * (log_MP[last_year] - log_MP[near].mean(axis=0)))

    recent = [n for n in sorted(place) if now - config.window <= n < now] or [max(place)]
    weights = np.array([config.decay ** (now - n) for n in recent])
    free_MP = np.array([log_MP[place[n]] - season(n) for n in recent])
    level_P = weights @ free_MP / weights.sum()
    return np.asarray(np.maximum(np.exp(level_P + season(now)) - _HALF, 0.0))


def shifts_for(
    p_NP: NDArray[Any], expected_P: Floats, *, weight_N: NDArray[Any], config: PriorConfig | None = None
) -> Floats:
    """What to add to the log-odds of each product so that its weighted sum is the expected number. Shape (P,).

    Parameters
    ----------
    p_NP
        P(add) of the clients to be scored, or a sample of them; 0 where held.
    expected_P
        Additions expected among them, as `forecast_additions` gives for a whole panel.
    weight_N
        Clients that each row stands for.
    """
    config = config or PriorConfig()
    shift_P = np.zeros(len(expected_P))
    for p, expected in enumerate(expected_P):
        some = p_NP[:, p] > 0
        weight = np.asarray(weight_N[some], np.float64)
        # less than an addition in a hundred months is no number to move a product by
        total = max(float(expected), 0.01)
        shift_P[p] = shift_for_total(logit(p_NP[some, p]), weight, total, most=config.max_shift)
    return shift_P


def shifted(p_NP: NDArray[Any], shift_P: Floats) -> FloatArray:
    """Probabilities with their log-odds moved by product, a new array, float32; 0 stays 0."""
    moved_NP = sigmoid(logit(p_NP) + shift_P).astype(np.float32)
    moved_NP[p_NP <= 0] = 0
    return moved_NP


def _number(month: date) -> int:
    """Months since year 0, so that neighbours differ by 1."""
    return month.year * 12 + month.month - 1

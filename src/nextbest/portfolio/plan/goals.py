"""The goal engine: what wealth may become, how likely the goal is, and what would make it likelier.

Monthly returns of classes in, odds out; knows no client and no instrument. All questions to one `GoalSimulator` are
answered on the same random numbers, so two answers differ only by what was asked.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError
from nextbest.portfolio.plan.glide import Weights, monthly_weights

Floats = NDArray[np.float64]
Rng = int | np.random.Generator
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of wealth, in the fan."""
MAX_MONTHS = 1_200


@dataclass(frozen=True)
class Goal:
    """What is to be reached, by when, and what is put in."""

    target: float
    """Money wanted, in today's prices; above 0."""
    n_months: int
    """Months until then, 1 or more."""
    monthly_contribution: float = 0.0
    """Paid in at the start of each month, in today's prices: it grows with inflation. 0 or more."""
    inflation_ann: float = 0.0
    """Growth of prices a year, a fraction; moves the target and the contributions."""
    fee_ann: float = 0.0
    """Share of wealth taken a year, in twelve parts; a fraction."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.target) and self.target > 0):
            raise InputError("target", "must be above 0", value=self.target)
        if not 1 <= self.n_months <= MAX_MONTHS:
            raise InputError("n_months", f"must be 1 to {MAX_MONTHS}", value=self.n_months)
        if not (np.isfinite(self.monthly_contribution) and self.monthly_contribution >= 0):
            raise InputError("monthly_contribution", "must be 0 or more", value=self.monthly_contribution)
        if not -0.5 < self.inflation_ann < 1:
            raise InputError(
                "inflation_ann", "must be a fraction between -0.5 and 1", value=self.inflation_ann
            )
        if not 0 <= self.fee_ann < 1:
            raise InputError("fee_ann", "must be a fraction, 0 or more and below 1", value=self.fee_ann)

    def price_level(self, month: int) -> float:
        """Prices `month` months from now, today's are 1."""
        return float((1 + self.inflation_ann) ** (month / 12))


@dataclass(frozen=True)
class GoalOdds:
    """What the simulation says of one goal. Money is of the month it belongs to, not of today, where not said otherwise."""

    probability: float
    """Share of paths that end at the target or above, 0-1."""
    n_paths: int
    target_nominal: float
    """The target in the prices of its month."""
    shortfall_mean: float
    """Mean over all paths of what is missing at the end (0 where the goal is reached); money of that month."""
    shortfall_worst: float
    """What is missing at the edge of the worst 5 % of the paths; money of that month."""
    quantiles_MQ: Floats
    """Wealth at the end of each month at 5, 25, 50, 75 and 95 % of the paths, month 0 is today. Shape (n_months + 1, 5)."""
    required_contribution: float | None
    """Monthly contribution, today's prices, for `wanted`; None where `wanted` wasn't asked."""
    wanted: float | None
    """The probability asked for."""

    @property
    def standard_error(self) -> float:
        """Of the probability, by the number of paths; stratified draws make the true one smaller."""
        return float(np.sqrt(self.probability * (1 - self.probability) / self.n_paths))


class GoalSimulator:
    """Simulated futures of class returns, drawn once and asked often.

    Parameters
    ----------
    returns_MC
        Simple monthly returns, one month a row in order of time, one class a column; fractions, -1 or more. Complete
        rows: a row is drawn whole, so classes keep what they have in common.
    n_paths
        Futures, 100 or more.
    block
        Months drawn together, so that what follows what is kept within them; 1 or more, at most the rows.
    rng
        Generator or seed; the same one gives the same futures.

    Raises
    ------
    DataError
        A cell is NaN or infinite (nothing is filled) or a return is below -1.
    InputError
        A parameter is out of range.

    Notes
    -----
    Circular block bootstrap (Politis & Romano 1992). The starts of a block over the paths are a Latin hypercube sample
    (McKay, Beckman & Conover 1979): every month of history starts equally many of them, which takes most of the chance
    out of the mean.
    """

    def __init__(self, returns_MC: ArrayLike, *, n_paths: int = 10_000, block: int = 12, rng: Rng) -> None:
        values = np.asarray(returns_MC, np.float64)
        if values.ndim != 2 or not values.size:
            raise InputError("returns", "must have a row a month and a column a class", value=values.shape)
        bad_M = ~np.isfinite(values).all(axis=1)
        if bad_M.any():
            raise DataError(
                "returns",
                "months with NaN or infinity",
                n_bad=int(bad_M.sum()),
                examples=np.flatnonzero(bad_M).tolist(),
                remedy="give complete months only; nothing is filled",
            )
        if (values < -1).any():
            raise DataError("returns", "must be -1 or more", n_bad=int((values < -1).any(axis=1).sum()))
        if n_paths < 100:
            raise InputError("n_paths", "must be 100 or more", value=n_paths)
        if not 1 <= block <= len(values):
            raise InputError("block", f"must be 1 to {len(values)}, the months of history", value=block)
        self.returns_MC = values
        self.n_paths, self.block = n_paths, block
        self._gen = np.random.default_rng(rng)
        self._rows: list[NDArray[np.intp]] = []

    @property
    def n_classes(self) -> int:
        """Classes that have returns."""
        return int(self.returns_MC.shape[1])

    def odds(self, goal: Goal, *, wealth: float, weights: Weights, wanted: float | None = None) -> GoalOdds:
        """Odds of `goal` from `wealth` with class `weights`; the contribution for `wanted` where asked.

        Raises
        ------
        InputError
            Wealth is below 0, weights don't fit, or `wanted` isn't between 0 and 1.
        """
        _check_wealth(wealth)
        quantiles_MQ = np.empty((goal.n_months + 1, len(QUANTILES)))
        quantiles_MQ[0] = wealth
        for month, (lump_S, paid_S) in enumerate(self._factors(goal, weights), start=1):
            end_S = wealth * lump_S + goal.monthly_contribution * paid_S
            quantiles_MQ[month] = _sorted_quantiles(np.sort(end_S))
        target = goal.target * goal.price_level(goal.n_months)
        missing_S = np.maximum(target - end_S, 0.0)
        required = None if wanted is None else _required(target, wealth, lump_S, paid_S, wanted)
        return GoalOdds(
            probability=_share(end_S, target),
            n_paths=self.n_paths,
            target_nominal=target,
            shortfall_mean=float(missing_S.mean()),
            shortfall_worst=float(np.quantile(missing_S, 0.95)),
            quantiles_MQ=quantiles_MQ,
            required_contribution=required,
            wanted=wanted,
        )

    def probability(self, goal: Goal, *, wealth: float, weights: Weights) -> float:
        """Only the probability of `odds`, for a third of its cost."""
        _check_wealth(wealth)
        lump_S, paid_S = self._last(goal, weights)
        return _share(
            wealth * lump_S + goal.monthly_contribution * paid_S,
            goal.target * goal.price_level(goal.n_months),
        )

    def required_contribution(self, goal: Goal, *, wealth: float, weights: Weights, wanted: float) -> float:
        """Least monthly contribution, in today's prices, with which `wanted` of the paths reach the goal.

        On fixed random numbers each path has one contribution from which on it reaches the goal; the answer is their
        order statistic, so the root is exact.

        Raises
        ------
        InputError
            As `odds`.
        """
        _check_wealth(wealth)
        lump_S, paid_S = self._last(goal, weights)
        return _required(goal.target * goal.price_level(goal.n_months), wealth, lump_S, paid_S, wanted)

    def required_months(
        self, goal: Goal, *, wealth: float, weights: Weights, wanted: float, most: int = 600
    ) -> int | None:
        """Fewest months, from 1 to `most`, at which `wanted` of the paths reach the goal; None if not by then.

        The target moves with prices meanwhile and a glide path with the horizon. Where more time doesn't always help
        (prices outrun growth) the answer is the end of a stretch of too few months, found by halving.

        Raises
        ------
        InputError
            As `odds`; or `most` is out of range, or weights are given month by month.
        """
        _check_wanted(wanted)
        if not 1 <= most <= MAX_MONTHS:
            raise InputError("most", f"must be 1 to {MAX_MONTHS}", value=most)

        def reached(n_months: int) -> bool:
            return (
                self.probability(replace(goal, n_months=n_months), wealth=wealth, weights=weights) >= wanted
            )

        if reached(1):
            return 1
        low, high = 1, 1  # `low` is too few
        while not reached(high):
            if high == most:
                return None
            low, high = high, min(2 * high, most)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if reached(middle) else (middle, high)
        return high

    def _last(self, goal: Goal, weights: Weights) -> tuple[Floats, Floats]:
        """Factors at the goal's month."""
        *_, last = self._factors(goal, weights)
        return last

    def _factors(self, goal: Goal, weights: Weights) -> Iterator[tuple[Floats, Floats]]:
        """After each month: what one unit held today has become, and one unit paid in each month (growing with prices).

        Wealth is linear in both, which is why one pass answers any wealth and contribution. Shapes (n_paths,); the
        arrays are used again for the next month.
        """
        weights_MC = monthly_weights(weights, n_months=goal.n_months, n_classes=self.n_classes)
        keep = (1 - goal.fee_ann) ** (1 / 12)
        growth_MH = (1 + weights_MC @ self.returns_MC.T) * keep
        lump_S, paid_S, growth_S = np.ones(self.n_paths), np.zeros(self.n_paths), np.empty(self.n_paths)
        while len(self._rows) < goal.n_months:
            self._draw_block()
        for month in range(goal.n_months):
            # rows are within range by construction, and "clip" spares a copy
            np.take(
                growth_MH[month if len(growth_MH) > 1 else 0], self._rows[month], out=growth_S, mode="clip"
            )
            np.multiply(lump_S, growth_S, out=lump_S)
            paid_S += goal.price_level(month)
            np.multiply(paid_S, growth_S, out=paid_S)
            yield lump_S, paid_S

    def _draw_block(self) -> None:
        """Rows of history for the next `block` months of every path."""
        n_rows = len(self.returns_MC)
        place_S = self._gen.permutation(self.n_paths) + self._gen.random(self.n_paths)
        start_S = np.minimum((place_S * (n_rows / self.n_paths)).astype(np.intp), n_rows - 1)
        for step in range(self.block):
            row_S = start_S + step
            row_S[row_S >= n_rows] -= n_rows
            self._rows.append(row_S)


def goal_odds(
    goal: Goal,
    *,
    wealth: float,
    returns_MC: ArrayLike,
    weights: Weights,
    n_paths: int = 10_000,
    block: int = 12,
    wanted: float | None = None,
    rng: Rng,
) -> GoalOdds:
    """Odds of one goal; what `GoalSimulator` says to a single question.

    Parameters
    ----------
    goal
        Target, months, contributions, inflation and fee.
    wealth
        Money today, 0 or more.
    returns_MC
        Simple monthly returns of classes, complete rows. Shape (M, C).
    weights
        Of classes: (C,), (n_months, C) or a `GlidePath`. Rebalanced every month, without cost.
    n_paths, block, rng
        As `GoalSimulator`.
    wanted
        Probability for which the contribution is to be worked out, 0-1 exclusive.

    Raises
    ------
    DataError, InputError
        As `GoalSimulator`.

    Examples
    --------
    >>> goal_odds(Goal(110.0, 12), wealth=100.0, returns_MC=[[0.01]], weights=[1.0], block=1, rng=0).probability
    1.0
    """
    simulator = GoalSimulator(returns_MC, n_paths=n_paths, block=block, rng=rng)
    return simulator.odds(goal, wealth=wealth, weights=weights, wanted=wanted)


def _required(target: float, wealth: float, lump_S: Floats, paid_S: Floats, wanted: float) -> float:
    """The contribution from which on `wanted` of the paths reach the target; infinite where money vanishes."""
    _check_wanted(wanted)
    missing_S = target - wealth * lump_S
    with np.errstate(divide="ignore"):  # a path that loses everything in its last month can't be helped
        needed_S = np.where(missing_S <= 0, 0.0, missing_S / paid_S)
    place = int(np.ceil(round(wanted * len(needed_S), 6))) - 1
    return float(np.partition(needed_S, place)[place]) * (
        1 + 1e-12
    )  # so that rounding doesn't lose the last path


def _sorted_quantiles(sorted_S: Floats) -> Floats:
    """Quantiles of sorted values, linear between neighbours (NumPy's default)."""
    at_Q = np.array(QUANTILES) * (len(sorted_S) - 1)
    below_Q = at_Q.astype(np.intp)
    low_Q, high_Q = sorted_S[below_Q], sorted_S[np.minimum(below_Q + 1, len(sorted_S) - 1)]
    found: Floats = low_Q + (at_Q - below_Q) * (high_Q - low_Q)
    return found


def _share(end_S: Floats, target: float) -> float:
    """Share of paths at the target or above; rounding of a path that ends exactly there is forgiven."""
    return float((end_S >= target * (1 - 1e-12)).mean())


def _check_wealth(wealth: float) -> None:
    if not (np.isfinite(wealth) and wealth >= 0):
        raise InputError("wealth", "must be 0 or more", value=wealth)


def _check_wanted(wanted: float) -> None:
    if not 0 < wanted < 1:
        raise InputError("wanted", "must lie between 0 and 1, both excluded", value=wanted)

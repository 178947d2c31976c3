"""The plan a client follows, as the book keeps it, and where a portfolio stands against it.

A record holds what tracking compares with, nothing of how the plan was made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from nextbest.data.holdings.book import Book
from nextbest.errors import DataError, InputError
from nextbest.portfolio.plan.class_returns import class_returns
from nextbest.portfolio.plan.glide import GlidePath, Weights
from nextbest.portfolio.plan.goals import Goal, goal_odds
from nextbest.portfolio.plan.proposal import Plan, PlanConfig
from nextbest.portfolio.tracking.tables import ensure_tables, transaction

DAYS_PER_MONTH = 365.25 / 12
CASH = "cash"
"""Asset class of recorded cash."""


class PlanRecord(BaseModel, frozen=True, extra="forbid"):
    """One client's plan: one JSON row of the book."""

    created: date
    """Day from which it holds, until a later one does."""
    currency: str
    allocation: dict[str, Annotated[float, Field(ge=0, le=1)]]
    """Asset class -> share, adding up to one."""
    goal_id: str
    target_amount: PositiveFloat
    """In today's prices of `created`, in `currency`."""
    n_months: PositiveInt
    """From `created` to the goal."""
    monthly_contribution: Annotated[float, Field(ge=0)] = 0.0
    inflation_ann: Annotated[float, Field(gt=-1)] = 0.0
    near_allocation: dict[str, Annotated[float, Field(ge=0, le=1)]] | None = None
    """Share of each class on the day of the goal, if the plan glides there; None: `allocation` to the end."""
    glide_months: PositiveInt | None = None
    """Months before the goal at which the glide begins; with `near_allocation`."""
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    """Of reaching the goal, when the plan was made."""
    quantiles_MQ: tuple[tuple[float, float, float, float, float], ...] = ()  # noqa: N815 - shape suffix
    """Expected worth at 5, 25, 50, 75 and 95 % of the paths, month 0 is `created`; shape (n_months + 1, 5), or empty."""

    @model_validator(mode="after")
    def _adds_up(self) -> "PlanRecord":
        for name, allocation in (("allocation", self.allocation), ("near_allocation", self.near_allocation)):
            if allocation is not None and abs(sum(allocation.values()) - 1) > 1e-6:
                raise ValueError(f"{name} must add up to one, is {sum(allocation.values()):.6f}")
        if (self.near_allocation is None) != (self.glide_months is None):
            raise ValueError("near_allocation and glide_months belong together")
        if self.quantiles_MQ and len(self.quantiles_MQ) != self.n_months + 1:
            raise ValueError(f"quantiles_MQ must have {self.n_months + 1} rows, has {len(self.quantiles_MQ)}")
        if any(list(row) != sorted(row) for row in self.quantiles_MQ):
            raise ValueError("quantiles_MQ must rise from 5 to 95 % in every month")
        return self

    def months_since(self, day: date) -> float:
        """Months from `created` to `day`, at the least 0."""
        return max((day - self.created).days, 0) / DAYS_PER_MONTH

    def allocation_on(self, day: date) -> dict[str, float]:
        """Share of each class that the plan wants in the month of `day`; the near one after the goal's day."""
        if self.near_allocation is None or self.glide_months is None:
            return self.allocation
        left = max(self.n_months - int(self.months_since(day)), 0)
        far = min(left / self.glide_months, 1.0)
        names = {**self.allocation, **self.near_allocation}
        return {
            name: far * self.allocation.get(name, 0.0) + (1 - far) * self.near_allocation.get(name, 0.0)
            for name in names
        }

    def quantiles_at(self, day: date) -> NDArray[np.float64] | None:
        """Expected quantiles on `day`, between months by a straight line, shape (5,); None without a path or after it."""
        months = self.months_since(day)
        if not self.quantiles_MQ or months > self.n_months:
            return None
        before = min(int(months), self.n_months - 1)
        low, high = self._path[before], self._path[before + 1]
        quantiles: NDArray[np.float64] = low + (months - before) * (high - low)
        return quantiles

    @cached_property
    def _path(self) -> NDArray[np.float64]:
        return np.asarray(self.quantiles_MQ, dtype=np.float64)


class Odds(Protocol):
    """Something that knows how likely a goal is from here."""

    def probability(self, plan: PlanRecord, *, wealth: float, months_left: int, months_gone: float) -> float:
        """Of having the plan's target after `months_left` more months with `wealth` now; `months_gone` have passed."""
        ...


@dataclass
class SimulatedOdds:
    """Odds by the goal engine's block bootstrap: drawn once for each number of months, then asked for every client.

    Parameters
    ----------
    returns_MC
        Simple monthly returns, one class a column, complete rows, as for `plan.goals.goal_odds`.
    asset_classes
        Names of the columns; a plan's class that isn't among them is an error.
    seed
        The same seed gives the same odds, so that a day computed again says the same.
    """

    returns_MC: NDArray[np.float64]  # noqa: N815 - shape suffix
    asset_classes: tuple[str, ...]
    n_paths: int = 2000
    block: int = 12
    seed: int = 0
    _cached: dict[tuple[object, ...], float] = field(default_factory=dict, repr=False)

    def probability(self, plan: PlanRecord, *, wealth: float, months_left: int, months_gone: float) -> float:
        """As `Odds`.

        Raises
        ------
        InputError
            The plan holds a class that the returns don't have.
        """
        wanted = {**plan.allocation, **(plan.near_allocation or {})}
        if unknown := sorted(
            {name for name, weight in wanted.items() if weight > 0} - set(self.asset_classes)
        ):
            raise InputError("returns_MC", "must hold every class of the plan", value=unknown)
        weights: Weights = self._row(plan.allocation)
        if plan.near_allocation is not None and plan.glide_months is not None:
            weights = GlidePath(
                self._row(plan.allocation), self._row(plan.near_allocation), plan.glide_months
            )
        grown = (1 + plan.inflation_ann) ** (months_gone / 12)
        key = (
            tuple(sorted(wanted.items())),
            tuple(sorted(plan.allocation.items())),
            plan.glide_months,
            months_left,
            round(wealth, 2),
            plan.target_amount * grown,
            plan.monthly_contribution,
        )
        if key not in self._cached:
            goal = Goal(
                target=plan.target_amount * grown,
                n_months=months_left,
                monthly_contribution=plan.monthly_contribution * grown,
                inflation_ann=plan.inflation_ann,
            )
            self._cached[key] = goal_odds(
                goal,
                wealth=wealth,
                returns_MC=self.returns_MC,
                weights=weights,
                n_paths=self.n_paths,
                block=min(self.block, len(self.returns_MC)),
                rng=self.seed,
            ).probability
        return self._cached[key]

    def _row(self, allocation: Mapping[str, float]) -> NDArray[np.float64]:
        row = np.array([allocation.get(name, 0.0) for name in self.asset_classes], dtype=np.float64)
        row /= row.sum()
        return row


class OddsOfBook:
    """Odds from the returns of a book's own asset classes up to a day, in the currency of each plan; read when first asked.

    Days that are caught up later than they came are asked about with what was known on the day of catching up.

    Parameters
    ----------
    book
        Open while it is asked.
    until
        Last day whose prices may be used.
    """

    def __init__(self, book: Book, *, until: date, config: PlanConfig | None = None) -> None:
        self._book, self._until, self._config = book, until, config or PlanConfig()
        self._by_currency: dict[str, SimulatedOdds] = {}

    def probability(self, plan: PlanRecord, *, wealth: float, months_left: int, months_gone: float) -> float:
        """As `Odds`.

        Raises
        ------
        InputError
            The plan holds a class that the book has no prices of.
        DataError
            There are too few months with prices.
        """
        if plan.currency not in self._by_currency:
            market = self._book.market(end=self._until, currency=plan.currency)
            returns = class_returns(market, cash_return_ann=self._config.cash_return_ann)
            self._by_currency[plan.currency] = SimulatedOdds(returns.returns_MC, returns.classes)
        odds = self._by_currency[plan.currency]
        return odds.probability(plan, wealth=wealth, months_left=months_left, months_gone=months_gone)


def record_of(plan: Plan) -> PlanRecord:
    """What tracking keeps of a plan: its proposal, the goal, the odds and the expected path.

    Raises
    ------
    InputError
        The plan was refused: there is no proposal to follow.
    """
    if plan.chosen is None or plan.returns is None:
        raise InputError("plan", "must have a proposal", value=plan.refused)
    weights, goal, classes = plan.chosen.weights, plan.request.goal, plan.returns.classes
    glide = weights if isinstance(weights, GlidePath) else None
    start = plan.chosen.candidate.weights_C if glide is None else glide.far_C

    def named(row: NDArray[np.float64]) -> dict[str, float]:
        return {name: float(w) for name, w in zip(classes, np.clip(row, 0, 1), strict=True) if w > 0}

    return PlanRecord(
        created=plan.request.now.date(),
        currency=plan.request.currency,
        allocation=named(start),
        near_allocation=None if glide is None else named(glide.near_C),
        glide_months=None if glide is None else glide.glide_months,
        goal_id=plan.request.goal_id,
        target_amount=goal.target,
        n_months=goal.n_months,
        monthly_contribution=goal.monthly_contribution,
        inflation_ann=goal.inflation_ann,
        probability=plan.chosen.odds.probability,
        quantiles_MQ=tuple(map(tuple, np.maximum.accumulate(plan.chosen.odds.quantiles_MQ, axis=1).tolist())),
    )


def save_plan(book: Book, client: str, plan: PlanRecord) -> None:
    """Keep a plan in the book; one of the same day is replaced, earlier ones stay.

    Raises
    ------
    InputError
        The client isn't known or counts in another currency, or the book is open for reading only.
    """
    client_idx, currency = client_place(book, client)
    if plan.currency != currency:
        raise InputError("plan", f"must be in the client's currency {currency}", value=plan.currency)
    ensure_tables(book)
    with transaction(book):
        book.connection().execute(
            "INSERT OR REPLACE INTO tracking_plans VALUES (?, ?, ?)",
            [client_idx, plan.created, plan.model_dump_json()],
        )


def plans_until(book: Book, day: date) -> dict[int, list[PlanRecord]]:
    """All plans of each client (by `client_idx`) that hold from `day` or earlier, oldest first.

    Raises
    ------
    DataError
        A stored plan can't be read.
    """
    rows = book.connection().execute(
        "SELECT client_idx, body FROM tracking_plans WHERE created <= ? ORDER BY client_idx, created", [day]
    )
    plans: dict[int, list[PlanRecord]] = {}
    for client, body in rows.fetchall():
        plans.setdefault(client, []).append(_read(body))
    return plans


def client_place(book: Book, client: str) -> tuple[int, str]:
    """`client_idx` and currency of a client.

    Raises
    ------
    InputError
        The book doesn't know the client.
    """
    rows = book.connection().execute(
        "SELECT client_idx, currency FROM investors WHERE client_id = ?", [client]
    )
    found = rows.fetchone()
    if found is None:
        raise InputError("client", "must be an investor of the book", value=client)
    return int(found[0]), str(found[1])


def drift(weights: Mapping[str, float], target: Mapping[str, float]) -> dict[str, float]:
    """How far each class is from the plan's (`allocation_on`), fractions of the portfolio, + = too much of it.

    >>> drift({"bonds": 0.5, "gold": 0.5}, {"bonds": 0.6, "equity": 0.4})
    {'bonds': -0.1, 'equity': -0.4, 'gold': 0.5}
    """
    names = sorted({*weights, *target})
    return {name: round(weights.get(name, 0.0) - target.get(name, 0.0), 12) for name in names}


def _read(body: str) -> PlanRecord:
    try:
        return PlanRecord.model_validate_json(body)
    except ValidationError as error:
        raise DataError("tracking_plans", f"holds a plan that can't be read: {error}") from error

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
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    """Of reaching the goal, when the plan was made."""
    quantiles_MQ: tuple[tuple[float, float, float, float, float], ...] = ()  # noqa: N815 - shape suffix
    """Expected worth at 5, 25, 50, 75 and 95 % of the paths, month 0 is `created`; shape (n_months + 1, 5), or empty."""

    @model_validator(mode="after")
    def _adds_up(self) -> "PlanRecord":
        if abs(sum(self.allocation.values()) - 1) > 1e-6:
            raise ValueError(f"allocation must add up to one, is {sum(self.allocation.values()):.6f}")
        if self.quantiles_MQ and len(self.quantiles_MQ) != self.n_months + 1:
            raise ValueError(f"quantiles_MQ must have {self.n_months + 1} rows, has {len(self.quantiles_MQ)}")
        if any(list(row) != sorted(row) for row in self.quantiles_MQ):
            raise ValueError("quantiles_MQ must rise from 5 to 95 % in every month")
        return self

    def months_since(self, day: date) -> float:
        """Months from `created` to `day`, at the least 0."""
        return max((day - self.created).days, 0) / DAYS_PER_MONTH

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
        from nextbest.portfolio.plan.goals import Goal, goal_odds

        if unknown := sorted({c for c, w in plan.allocation.items() if w > 0} - set(self.asset_classes)):
            raise InputError("returns_MC", "must hold every class of the plan", value=unknown)
        weights = np.array([plan.allocation.get(name, 0.0) for name in self.asset_classes])
        grown = (1 + plan.inflation_ann) ** (months_gone / 12)
        key = (
            tuple(weights),
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
                weights=weights / weights.sum(),
                n_paths=self.n_paths,
                block=min(self.block, len(self.returns_MC)),
                rng=self.seed,
            ).probability
        return self._cached[key]


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


def drift(weights: Mapping[str, float], plan: PlanRecord) -> dict[str, float]:
    """How far each class is from the plan, fractions of the portfolio, + = too much of it.

    >>> plan = PlanRecord(created=date(2024, 1, 1), currency="RUB", allocation={"bonds": 0.6, "equity": 0.4},
    ...                   goal_id="home", target_amount=1e6, n_months=60)
    >>> drift({"bonds": 0.5, "gold": 0.5}, plan)
    {'bonds': -0.1, 'equity': -0.4, 'gold': 0.5}
    """
    names = sorted({*weights, *plan.allocation})
    return {name: round(weights.get(name, 0.0) - plan.allocation.get(name, 0.0), 12) for name in names}


def _read(body: str) -> PlanRecord:
    try:
        return PlanRecord.model_validate_json(body)
    except ValidationError as error:
        raise DataError("tracking_plans", f"holds a plan that can't be read: {error}") from error

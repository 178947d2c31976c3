"""Carries all clients of a state through days, one after the other, and collects what is to be written.

Reads its feed, writes nothing.

Legend: `P` clients of the state, `C` asset classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveFloat

from nextbest.data.holdings.book import Book
from nextbest.portfolio.tracking.alerts import ALERT_KINDS, AlertKind, AlertLimits, next_state
from nextbest.portfolio.tracking.feed import Feed, Gaps, read_feed
from nextbest.portfolio.tracking.plans import CASH, Odds, PlanRecord, plans_until
from nextbest.portfolio.tracking.positions import NO_DAY, Day, Positions, step
from nextbest.portfolio.tracking.state import NOT_OPEN, Clients, State
from nextbest.portfolio.tracking.tables import day_number

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
HISTORY = {
    "client_idx": pl.Int32,
    "day": pl.Date,
    "nav": pl.Float64,
    "flow": pl.Float64,
    "return": pl.Float64,
    "regular": pl.Boolean,
    "twr": pl.Float64,
    "drawdown": pl.Float64,
    "drift": pl.Float64,
    "probability": pl.Float64,
}
ALERTS = {
    "client_idx": pl.Int32,
    "kind": pl.String,
    "opened": pl.Date,
    "closed": pl.Date,
    "opened_value": pl.Float64,
    "worst_value": pl.Float64,
}


class TrackingConfig(BaseModel, frozen=True, extra="forbid"):
    """How portfolios are tracked. The first two hold for the life of a book's tracking."""

    periods_per_year: PositiveFloat = 252.0
    """Observed returns a year, for volatility and its ratios."""
    rf: float = 0.0
    """Riskless return of one day, fraction."""
    limits: AlertLimits = AlertLimits()
    days_at_once: Annotated[int, Field(ge=1)] = 20
    """Days of a catch-up that are one transaction; a usual day is one of its own."""


@dataclass
class Rows:
    """What is to be written: history and alerts that have closed."""

    history: list[pl.DataFrame] = field(default_factory=list)
    closed: list[pl.DataFrame] = field(default_factory=list)
    n_returns: int = 0
    n_opened: int = 0
    n_closed: int = 0


class Carrier:
    """Carries one state through days, and collects what is to be written."""

    def __init__(
        self,
        book: Book,
        clients: Clients,
        state: State,
        asset_idx_A: list[int],
        class_A: list[str],
        after: date | None,
        until: date,
        gaps: Gaps,
        config: TrackingConfig,
        odds: Odds | None,
        first_P: NDArray[np.int64] | None = None,
    ) -> None:
        self.state, self.config, self.odds = state, config, odds
        self.gaps = gaps
        self.first_P = np.full(state.n_clients, NO_DAY) if first_P is None else first_P
        self.feeds: dict[str, Feed] = {
            currency: read_feed(book, currency, state.client_P[places], asset_idx_A, after, until)
            for currency, (places, _) in state.groups.items()
        }
        plans = plans_until(book, until)
        self.plans_P: list[list[PlanRecord]] = [plans.get(int(c), []) for c in clients.client_P]
        self.planned = [p for p, of_client in enumerate(self.plans_P) if of_client]
        wanted = [plan for p in self.planned for plan in self.plans_P[p]]
        in_plans = {c for plan in wanted for c in (*plan.allocation, *(plan.near_allocation or ()))}
        names = sorted({*class_A, CASH, *in_plans})
        self.class_place = {name: c for c, name in enumerate(names)}
        self.class_A = np.array([self.class_place[name] for name in class_A], dtype=np.int64)

    def carry(self, days: Sequence[date], rows: Rows) -> None:
        """Take these days, which lie in the feed, in order."""
        for day in days:
            number = day_number(day)
            closed = any(first < day < reopened for first, reopened in self.gaps)
            state = self.state
            n = state.n_clients
            nav_P, flow_P, return_P = (np.full(n, np.nan) for _ in range(3))
            regular_P, seen_P = np.ones(n, np.bool_), np.zeros(n, np.bool_)
            weights_PC = np.full((n, len(self.class_place)), np.nan)
            for currency, (places, positions) in state.groups.items():
                feed = self.feeds[currency]
                t = int(np.searchsorted(feed.market.days_T, np.datetime64(day, "D")))
                found = step(positions, feed.market, t, feed.events(t), closed=closed)
                nav_P[places], flow_P[places], return_P[places] = found.nav_P, found.flow_P, found.return_P
                regular_P[places], seen_P[places] = found.regular_P, found.seen_P
                if self.planned:
                    weights_PC[places] = self._weights(positions, feed, t, found)
            self._grow(number, return_P, regular_P, seen_P)
            plan_P = {
                p: plan for p in self.planned if seen_P[p] and (plan := _in_force(self.plans_P[p], day))
            }
            drift_P = self._drift(weights_PC, plan_P, day)
            probability_P = self._probability(day, nav_P, plan_P)
            drawdown_P = state.growth_P / state.peak_P - 1
            self._alert(number, seen_P, nav_P, drawdown_P, drift_P, probability_P, plan_P, day, rows)
            told_P = seen_P & (number >= self.first_P)
            rows.n_returns += int(np.isfinite(return_P[told_P]).sum())
            rows.history.append(
                pl.DataFrame(
                    {
                        "client_idx": state.client_P[told_P],
                        "day": [day] * int(told_P.sum()),
                        "nav": nav_P[told_P],
                        "flow": flow_P[told_P],
                        "return": return_P[told_P],
                        "regular": regular_P[told_P],
                        "twr": state.growth_P[told_P] - 1,
                        "drawdown": drawdown_P[told_P],
                        "drift": drift_P[told_P],
                        "probability": probability_P[told_P],
                    },
                    schema=HISTORY,
                    strict=False,
                ).with_columns(pl.col("return", "drift", "probability").fill_nan(None))
            )

    def _grow(self, number: int, return_P: Floats, regular_P: Bools, seen_P: Bools) -> None:
        """Growth and falls by every return; moments by the regular ones."""
        state = self.state
        state.growth_P = state.growth_P * (1 + np.nan_to_num(return_P))
        state.peak_P = np.maximum(state.peak_P, state.growth_P)
        state.max_drawdown_P = np.minimum(state.max_drawdown_P, state.growth_P / state.peak_P - 1)
        state.running.update(np.where(regular_P, return_P, np.nan))
        state.first_day_P = np.where(seen_P & (state.first_day_P == NO_DAY), number, state.first_day_P)

    def _weights(self, positions: Positions, feed: Feed, t: int, found: Day) -> Floats:
        """Share of each class in each portfolio of one currency, shape (P, C)."""
        n_assets, n_classes = feed.market.n_assets, len(self.class_place)
        asset_H = positions.key_H % n_assets
        worth_H = positions.pieces_H * positions.price_H * feed.market.fx_TA[t, asset_H]
        cell_H = positions.key_H // n_assets * n_classes + self.class_A[asset_H]
        flat = np.bincount(cell_H, weights=worth_H, minlength=positions.n_clients * n_classes)
        worth_PC: Floats = flat.astype(np.float64).reshape(positions.n_clients, n_classes)
        worth_PC[:, self.class_place[CASH]] += positions.cash_P
        with np.errstate(divide="ignore", invalid="ignore"):
            weights: Floats = np.where(found.nav_P[:, None] > 0, worth_PC / found.nav_P[:, None], np.nan)
        return weights

    def _drift(self, weights_PC: Floats, plan_P: dict[int, PlanRecord], day: date) -> Floats:
        """Largest distance of a class from the plan; NaN without one."""
        drift_P = np.full(len(weights_PC), np.nan)
        for p, plan in plan_P.items():
            target_C = np.zeros(weights_PC.shape[1])
            for name, weight in plan.allocation_on(day).items():
                target_C[self.class_place[name]] = weight
            drift_P[p] = np.abs(weights_PC[p] - target_C).max()
        return drift_P

    def _probability(self, day: date, nav_P: Floats, plan_P: dict[int, PlanRecord]) -> Floats:
        """How likely each goal is, computed on the first observed day of a month and when the plan is new."""
        state, month = self.state, day.year * 12 + day.month
        for p, plan in plan_P.items():
            if self.odds is None or state.probability_month_P[p] == month:
                continue
            gone = plan.months_since(day)
            left = plan.n_months - int(gone)
            if left >= 1:
                state.probability_P[p] = self.odds.probability(
                    plan, wealth=max(float(nav_P[p]), 0.0), months_left=left, months_gone=gone
                )
            else:
                wanted = plan.target_amount * (1 + plan.inflation_ann) ** (plan.n_months / 12)
                state.probability_P[p] = float(nav_P[p] >= wanted)
            state.probability_month_P[p] = month
        return state.probability_P.copy()

    def _alert(
        self,
        number: int,
        seen_P: Bools,
        nav_P: Floats,
        drawdown_P: Floats,
        drift_P: Floats,
        probability_P: Floats,
        plan_P: dict[int, PlanRecord],
        day: date,
        rows: Rows,
    ) -> None:
        """Open and close by today's values; a client computed again keeps what it was before its first day."""
        below_P = np.full(len(nav_P), np.nan)
        for p, plan in plan_P.items():
            quantiles = plan.quantiles_at(day)
            if quantiles is not None and quantiles[0] > 0:
                below_P[p] = nav_P[p] / quantiles[0]
        values: dict[AlertKind, Floats] = {
            "drawdown": -drawdown_P,
            "drift": drift_P,
            "goal_probability": probability_P,
            "below_plan": below_P,
        }
        for kind in ALERT_KINDS:
            limit, alerts = self.config.limits.of(kind), self.state.alerts[kind]
            value_P = np.where(seen_P, values[kind], np.nan)
            was_P = alerts.opened_P <= number
            now_P = np.where(number >= self.first_P, next_state(was_P, value_P, limit), was_P)
            worse = np.fmax if limit.high_is_bad else np.fmin
            alerts.worst_P = np.where(was_P, worse(alerts.worst_P, value_P), alerts.worst_P)
            opened_P, closed_P = now_P & ~was_P, was_P & ~now_P
            rows.n_opened += int(opened_P.sum())
            if closed_P.any():
                rows.n_closed += int(closed_P.sum())
                rows.closed.append(alert_rows(self.state, kind, closed_P, closed=day))
            alerts.opened_P = np.where(opened_P, number, np.where(closed_P, NOT_OPEN, alerts.opened_P))
            alerts.value_P = np.where(opened_P, value_P, alerts.value_P)
            alerts.worst_P = np.where(opened_P, value_P, alerts.worst_P)


def _in_force(plans: list[PlanRecord], day: date) -> PlanRecord | None:
    """The latest plan that holds on `day`."""
    return next((plan for plan in reversed(plans) if plan.created <= day), None)


def alert_rows(state: State, kind: AlertKind, chosen_P: Bools, *, closed: date | None) -> pl.DataFrame:
    """Rows of `tracking_alerts` for the open alerts of one kind of some clients."""
    alerts, places = state.alerts[kind], np.flatnonzero(chosen_P)
    return pl.DataFrame(
        {
            "client_idx": state.client_P[places],
            "kind": [kind] * len(places),
            "opened": [day_of(int(alerts.opened_P[p])) for p in places],
            "closed": [closed] * len(places),
            "opened_value": alerts.value_P[places],
            "worst_value": alerts.worst_P[places],
        },
        schema=ALERTS,
        strict=False,
    )


def day_of(number: int) -> date:
    """The day of a day number (`tables.day_number`)."""
    return date(1970, 1, 1) + timedelta(days=int(number))

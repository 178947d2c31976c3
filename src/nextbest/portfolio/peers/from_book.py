"""The three tables an index is fitted on, from a book as of a day: nothing later than that day is read into them.

Knows how a profile is made of an investor, a goal and a valued portfolio; no distance, no privacy.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.holdings.book import Book
from nextbest.data.holdings.market import Market
from nextbest.errors import InputError
from nextbest.portfolio.metrics.fast import fast_metrics
from nextbest.portfolio.peers.features import Profile
from nextbest.portfolio.valuation import Valuation, value

CASH = "cash"
"""Asset class of recorded cash."""
DAYS_PER_YEAR = 365.25
_LATEST_START = 31
"""Days into the window by which a client must have been observed to have a result."""
_PERIODS_PER_YEAR = 252.0
_AT_A_TIME = 2_000
"""Clients whose results are computed together."""
_Window = tuple[NDArray[np.float64], NDArray[np.bool_]]
_Result = tuple[float | None, float | None, float | None, int]
_NO_RETURNS: _Window = (np.empty(0), np.empty(0, bool))
_PROFILE = {
    "client_id": pl.String,
    "goal_type": pl.String,
    "horizon_years": pl.Float64,
    "target_ratio": pl.Float64,
    "contribution_rate": pl.Float64,
    "risk_capacity": pl.Float64,
    "risk_tolerance": pl.Float64,
    "age_years": pl.Float64,
    "currency": pl.String,
    "liquidity_need": pl.Float64,
    "knowledge": pl.Float64,
    "income": pl.Float64,
    "wealth": pl.Float64,
}


@dataclass(frozen=True)
class PeerTables:
    """What `PeerIndex.fit` takes."""

    as_of: date
    profiles: pl.DataFrame
    allocations: pl.DataFrame
    outcomes: pl.DataFrame


def profile_of(
    investor: Mapping[str, Any], goal: Mapping[str, Any] | None, *, wealth: float | None, as_of: date
) -> Profile:
    """The features of one client (`features.FEATURES`); None = not known.

    Parameters
    ----------
    investor, goal
        Rows of INVESTORS and GOALS; a goal in another currency than the client's gives no ratio.
    wealth
        Worth of the portfolio, in the client's currency.

    Notes
    -----
    Years to the goal count from `profiled_at`, less the time since then; a goal whose time is over has none.
    Contributions are the goal's, else the client's, over income, both a month.
    """
    age = as_of.year - investor["birth_year"]
    contribution, income = investor.get("monthly_contribution"), investor.get("income")
    horizon = ratio = kind = None
    if goal is not None:
        kind = goal["goal_type"]
        left = years_left(investor, goal, as_of=as_of)
        horizon = left if left > 0 else None
        if goal.get("monthly_contribution") is not None:
            contribution = goal["monthly_contribution"]
        if wealth and wealth > 0 and goal["currency"] == investor["currency"]:
            ratio = goal["target_amount"] / wealth
    return {
        "goal_type": kind,
        "horizon_years": horizon,
        "target_ratio": ratio,
        "contribution_rate": contribution / income if contribution is not None and income else None,
        "risk_capacity": investor["risk_capacity"],
        "risk_tolerance": investor["risk_tolerance"],
        "age_years": age,
        "currency": investor["currency"],
        "liquidity_need": investor.get("liquidity_need"),
        "knowledge": investor["knowledge"],
        "income": income or None,
        "wealth": wealth if wealth and wealth > 0 else None,
    }


def years_left(investor: Mapping[str, Any], goal: Mapping[str, Any], *, as_of: date) -> float:
    """Years to a goal, which count from `profiled_at`; 0 or less where its time is over."""
    gone = max(0.0, (as_of - investor["profiled_at"]).days / DAYS_PER_YEAR)
    return float(goal["horizon_years"] - gone)


def current_goal(
    investor: Mapping[str, Any], goals: Iterable[Mapping[str, Any]], *, as_of: date
) -> Mapping[str, Any] | None:
    """The goal that a client without a choice is asked about, planned for and compared by: the first whose time isn't over.

    Parameters
    ----------
    goals
        The client's, by goal_id.

    Returns
    -------
    Mapping or None
        The first goal where the time of all is over; None without any.
    """
    rows = list(goals)
    return next(
        (row for row in rows if years_left(investor, row, as_of=as_of) > 0), rows[0] if rows else None
    )


def peer_tables(book: Book, *, as_of: date, since: date | None = None) -> PeerTables:
    """Profiles, allocations and results of all clients with a portfolio on `as_of`.

    Parameters
    ----------
    as_of
        Last day read; clients profiled later are left out.
    since
        Begin of the one period over which results are compared; None = a year before `as_of`. A client who was first
        observed more than 31 days into it has no result; his portfolio still counts.

    Returns
    -------
    PeerTables
        A client's `current_goal` is the one that counts. Clients whose worth or cash is below zero are left out.

    Raises
    ------
    InputError
        `since` isn't before `as_of`.
    DataError
        There are no prices up to `as_of`, or an account can't be valued.
    """
    since = since or as_of - timedelta(days=365)
    if since >= as_of:
        raise InputError("since", "must be before as_of", value=str(since))
    investors = book.investors().filter(pl.col("profiled_at") <= as_of)
    goals: dict[str, list[dict[str, Any]]] = {}
    for row in book.goals().to_dicts():
        goals.setdefault(row["client_id"], []).append(row)
    people = {row["client_id"]: row for row in investors.to_dicts()}
    markets: dict[str, Market] = {}
    profiles, allocations, windows = [], [], []
    for account in book.accounts():
        person = people.get(account.client_id)
        if person is None:
            continue
        if account.currency not in markets:
            markets[account.currency] = book.market(end=as_of, currency=account.currency)
        worth = value(account.until(as_of), markets[account.currency])
        weights = allocation_of(worth)
        if not weights:
            continue
        goal = current_goal(person, goals.get(account.client_id, ()), as_of=as_of)
        profile = profile_of(person, goal, wealth=float(worth.nav_T[-1]), as_of=as_of)
        profiles.append({"client_id": account.client_id, **profile})
        allocations += [(account.client_id, name, weight) for name, weight in weights.items()]
        windows.append(_window(worth, since))
    return PeerTables(
        as_of,
        pl.DataFrame(profiles, schema=_PROFILE, strict=False),
        pl.DataFrame(
            allocations,
            schema={"client_id": pl.String, "asset_class": pl.String, "weight": pl.Float64},
            orient="row",
        ),
        pl.DataFrame(
            [(row["client_id"], *result) for row, result in zip(profiles, _results(windows), strict=True)],
            schema={
                "client_id": pl.String,
                "twr": pl.Float64,
                "max_drawdown": pl.Float64,
                "sharpe_ann": pl.Float64,
                "n_returns": pl.Int64,
            },
            orient="row",
        ),
    )


def allocation_of(worth: Valuation) -> dict[str, float]:
    """Share of each asset class on the last observed day, adding up to one; {} where nothing is there or is below zero."""
    if not len(worth.days_T) or worth.nav_T[-1] <= 0:
        return {}
    amounts: dict[str, float] = {}
    for name, amount in zip(worth.asset_class, worth.value_TA[-1], strict=True):
        amounts[name] = amounts.get(name, 0.0) + float(amount)
    amounts[CASH] = amounts.get(CASH, 0.0) + float(worth.cash_T[-1])
    total = sum(amounts.values())
    if total <= 0 or min(amounts.values()) < 0:
        return {}
    return {name: amount / total for name, amount in sorted(amounts.items()) if amount > 0}


def _window(worth: Valuation, since: date) -> _Window | None:
    """Observed returns since `since`, and which of them span no gap; None for who came too late."""
    start = np.datetime64(since, "D")
    if worth.days_T[0] > start + np.timedelta64(_LATEST_START, "D"):
        return None
    seen = (worth.days_T > start) & np.isfinite(worth.return_T)
    return worth.return_T[seen], worth.regular_T[seen]


def _results(windows: Sequence[_Window | None]) -> list[_Result]:
    """TWR, deepest drawdown, annual Sharpe ratio and number of regular returns of each window.

    As the catalogue has them, falls and growth over all returns and the rest over regular ones, but a block of clients
    at once: one by one they cost as much as valuing the accounts.
    """
    found: list[_Result] = []
    for begin in range(0, len(windows), _AT_A_TIME):
        block = [
            window if window is not None else _NO_RETURNS for window in windows[begin : begin + _AT_A_TIME]
        ]
        returns_PT = np.full((len(block), max([1, *(len(returns) for returns, _ in block)])), np.nan)
        regular_PT = returns_PT.copy()
        for row, (returns, regular) in enumerate(block):
            returns_PT[row, : len(returns)] = returns
            regular_PT[row, : len(returns)] = np.where(regular, returns, np.nan)
        of_all = fast_metrics(returns_PT, periods_per_year=_PERIODS_PER_YEAR)
        of_regular = fast_metrics(regular_PT, periods_per_year=_PERIODS_PER_YEAR)
        columns = (of_all["twr"], of_all["max_drawdown"], of_regular["sharpe"])
        for *values, n in zip(
            *(column.tolist() for column in columns), of_regular["n"].tolist(), strict=True
        ):
            twr, fall, sharpe = (v if n and np.isfinite(v) else None for v in values)
            found.append((twr, fall, sharpe, int(n)))
    return found

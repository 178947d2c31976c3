"""The three tables an index is fitted on, from a book as of a day: nothing later than that day is read into them.

Knows how a profile is made of an investor, a goal and a valued portfolio; no distance, no privacy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from nextbest.data.holdings.book import Book
from nextbest.data.holdings.market import Market
from nextbest.errors import InputError
from nextbest.portfolio.metrics.catalogue import measure_returns
from nextbest.portfolio.peers.features import Profile
from nextbest.portfolio.valuation import Valuation, value

CASH = "cash"
"""Asset class of recorded cash."""
DAYS_PER_YEAR = 365.25
_LATEST_START = 31
"""Days into the window by which a client must have been observed to have a result."""
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
        gone = (as_of - investor["profiled_at"]).days / DAYS_PER_YEAR
        horizon = goal["horizon_years"] - gone if goal["horizon_years"] > gone else None
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
        A client's first goal by goal_id is the one that counts. Clients whose worth or cash is below zero are left out.

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
    goals = {row["client_id"]: row for row in reversed(book.goals().to_dicts())}
    people = {row["client_id"]: row for row in investors.to_dicts()}
    markets: dict[str, Market] = {}
    profiles, allocations, outcomes = [], [], []
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
        profile = profile_of(person, goals.get(account.client_id), wealth=float(worth.nav_T[-1]), as_of=as_of)
        profiles.append({"client_id": account.client_id, **profile})
        allocations += [(account.client_id, name, weight) for name, weight in weights.items()]
        outcomes.append((account.client_id, *_result(worth, since)))
    return PeerTables(
        as_of,
        pl.DataFrame(profiles, schema=_PROFILE, strict=False),
        pl.DataFrame(
            allocations,
            schema={"client_id": pl.String, "asset_class": pl.String, "weight": pl.Float64},
            orient="row",
        ),
        pl.DataFrame(
            outcomes,
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


def _result(worth: Valuation, since: date) -> tuple[float | None, float | None, float | None, int]:
    """TWR, deepest drawdown, annual Sharpe ratio and number of regular returns since `since`."""
    start = np.datetime64(since, "D")
    if worth.days_T[0] > start + np.timedelta64(_LATEST_START, "D"):
        return None, None, None, 0
    returns = worth.return_T[worth.days_T > start]
    regular = worth.regular_T[worth.days_T > start]
    n = int((np.isfinite(returns) & regular).sum())
    if not n:
        return None, None, None, 0
    made = measure_returns(
        returns, periods_per_year=252.0, regular_T=regular, names=("twr", "max_drawdown", "sharpe")
    )
    return made["twr"].value, made["max_drawdown"].value, made["sharpe"].value, n

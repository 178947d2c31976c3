"""Tables that a back-test asks peers and suitability with, as of a day: goals, features, allocations, results."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.holdings.book import Book
from nextbest.portfolio.peers.from_book import DAYS_PER_YEAR
from nextbest.portfolio.plan.questionnaire import RiskProfile, with_horizon

Floats = NDArray[np.float64]


def people_on(book: Book, day: date) -> dict[str, tuple[dict[str, Any], dict[str, Any], float]]:
    """Client to investor, first goal whose time isn't over, and the years left of it; profiled by that day."""
    goals: dict[str, list[dict[str, Any]]] = {}
    for goal in book.goals().iter_rows(named=True):
        goals.setdefault(goal["client_id"], []).append(goal)
    found = {}
    for person in book.investors().iter_rows(named=True):
        gone = (day - person["profiled_at"]).days / DAYS_PER_YEAR
        left = [g for g in goals.get(person["client_id"], []) if g["horizon_years"] > gone]
        if gone >= 0 and left:
            found[person["client_id"]] = (person, left[0], left[0]["horizon_years"] - gone)
    return found


def risk_profile(person: dict[str, Any], years_left: float, day: date) -> RiskProfile:
    """The client's grades as the book has them."""
    grades = (int(person[c]) for c in ("risk_capacity", "risk_tolerance", "knowledge"))
    capacity, tolerance, knowledge = grades
    need = float(person.get("liquidity_need") or 0.0)
    return with_horizon(RiskProfile(capacity, tolerance, knowledge, 5, day, need), years=years_left)


def peer_allocations(
    clients: pl.Series, share_NC: Floats, classes: Sequence[str], holds: NDArray[np.bool_]
) -> pl.DataFrame:
    """Class shares of those who hold something, long."""
    share = share_NC[holds] / share_NC[holds].sum(axis=1, keepdims=True)
    wide = pl.DataFrame({c: share[:, i] for i, c in enumerate(classes)}).with_columns(
        client_id=clients.filter(pl.Series(holds))
    )
    return wide.unpivot(index="client_id", variable_name="asset_class", value_name="weight").select(
        "client_id", "asset_class", "weight"
    )


def peer_outcomes(clients: pl.Series, return_NM: Floats, holds: NDArray[np.bool_]) -> pl.DataFrame:
    """Results over the months before; nulls where fewer than six months were held."""
    held = return_NM[holds]
    n = np.isfinite(held).sum(axis=1)
    growth = np.cumprod(1 + np.nan_to_num(held), axis=1)
    peak = np.maximum.accumulate(np.maximum(growth, 1.0), axis=1)
    filled = np.where(np.isfinite(held), held, 0.0)
    mean = filled.sum(axis=1) / np.maximum(n, 1)
    spread = np.where(np.isfinite(held), held - mean[:, None], 0.0)
    size = np.sqrt((spread**2).sum(axis=1) / np.maximum(n - 1, 1))
    enough = (n >= 6) & (size > 1e-6)
    sharpe = np.where(enough, mean / np.maximum(size, 1e-6) * np.sqrt(12), np.nan)
    return pl.DataFrame(
        {
            "client_id": clients.filter(pl.Series(holds)),
            "twr": pl.Series(np.where(enough, growth[:, -1] - 1, np.nan)).fill_nan(None),
            "max_drawdown": pl.Series(np.where(enough, (growth / peak - 1).min(axis=1), np.nan)).fill_nan(
                None
            ),
            "sharpe_ann": pl.Series(sharpe).fill_nan(None),
            "n_returns": n.astype(np.int64),
        }
    )

"""Tables that a back-test asks peers and suitability with, as of a day: goals, features, allocations, results."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.holdings.book import Book
from nextbest.portfolio.plan.questionnaire import RiskProfile, with_horizon

Floats = NDArray[np.float64]


def with_goals(book: Book) -> pl.DataFrame:
    """Investors with their first goal, in the order of `book.investors()`."""
    goals = book.goals().group_by("client_id", maintain_order=True).first()
    paid = pl.coalesce("goal_contribution", "monthly_contribution").fill_null(0.0)
    return (
        book.investors()
        .join(
            goals.select(
                "client_id",
                "goal_type",
                "target_amount",
                "horizon_years",
                goal_contribution="monthly_contribution",
            ),
            on="client_id",
            how="left",
            maintain_order="left",
        )
        .with_columns(paid=paid)
    )


def risk_profile(person: dict[str, Any], cutoff: date) -> RiskProfile:
    """The client's grades as the book has them; the day is the cutoff's, because only the class matters here."""
    capacity, tolerance, knowledge = (
        int(person[c]) for c in ("risk_capacity", "risk_tolerance", "knowledge")
    )
    need = float(person.get("liquidity_need") or 0.0)
    return with_horizon(
        RiskProfile(capacity, tolerance, knowledge, 5, cutoff, need), years=float(person["horizon_years"])
    )


def peer_question(person: dict[str, Any], wealth: float, cutoff: date) -> dict[str, Any]:
    """The client as peers' features have one."""
    row = peer_profiles(pl.DataFrame([person]), np.array([wealth]), cutoff).row(0, named=True)
    return {k: v for k, v in row.items() if k != "client_id"}


def peer_profiles(people: pl.DataFrame, wealth_N: Floats, cutoff: date) -> pl.DataFrame:
    """Features of the peers' index for every client."""
    wealth = pl.Series("wealth", wealth_N)
    return people.select(
        "client_id", "goal_type", "risk_capacity", "risk_tolerance", "knowledge", "currency", "liquidity_need", "income",
        pl.col("horizon_years"),
        target_ratio=pl.when(wealth > 0).then(pl.col("target_amount") / wealth),
        contribution_rate=pl.when(pl.col("income") > 0).then(pl.col("paid") / pl.col("income")),
        age_years=(cutoff.year - pl.col("birth_year")).cast(pl.Float64),
        wealth=pl.when(wealth > 0).then(wealth),
    )  # fmt: skip


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

"""Who the simulated investors are: a table of customers, their income, age, wealth and goals.

Laws. Birth year: normal around 1972, standard deviation 13, between 18 and 85 at the start. Starting wealth:
log-uniform within the band of the capacity. Monthly income: wealth by 40 with log standard deviation 0.5, at least
that of a pension. Liquidity need: Beta(2, 8), more for low capacity. Goals: one or two of five types by age, target
= wealth and contributions grown by 6 % a year to the horizon, times a lognormal ambition (log standard deviation
0.35), so that about half are reached by a middling portfolio.
"""

from datetime import date

import numpy as np
import polars as pl

from nextbest.errors import InputError
from nextbest.simulate.portfolios.config import WEALTH, PortfolioLaws
from nextbest.tables import GOALS, INVESTORS

CUSTOMER_COLUMNS = ("client_id", "risk_tolerance", "risk_capacity", "knowledge", "profiled_at", "since")
"""What a table of customers must have; classes 1..5, days Date."""
GOAL_TYPES = ("retirement", "home", "education", "reserve", "wealth")
_HORIZON = {
    "retirement": (5, 25),
    "home": (3, 12),
    "education": (4, 15),
    "reserve": (1, 4),
    "wealth": (5, 20),
}
_BY_AGE = (
    (35, (0.10, 0.40, 0.15, 0.20, 0.15)),
    (50, (0.25, 0.20, 0.25, 0.15, 0.15)),
    (200, (0.50, 0.05, 0.10, 0.15, 0.20)),
)
_GROWTH, _AMBITION = 0.06, 0.35


def draw_customers(n: int, *, start: date, end: date, rng: np.random.Generator) -> pl.DataFrame:
    """A table of `n` customers who came between two days, evenly, with classes as in FAR-Trans.

    Tolerance has about its marginals (20, 40, 28, 9, 3 %); capacity goes with it (rank correlation about 0.3).
    """
    tolerance = rng.choice(5, size=n, p=(0.20, 0.40, 0.28, 0.09, 0.03)) + 1
    shift = rng.normal(size=n) + 0.35 * (tolerance - 2)
    capacity = 1 + np.searchsorted((-1.8, 0.4, 1.1, 2.2), shift)
    knowledge = np.clip(np.rint(rng.normal(1.6 + 0.4 * tolerance, 0.8)), 1, 5)
    days = np.datetime64(start) + rng.integers(0, max((end - start).days, 1), size=n)
    profiled = days - rng.integers(0, 60, size=n)
    return pl.DataFrame(
        {
            "client_id": [f"c{i:06d}" for i in range(n)],
            "risk_tolerance": tolerance.astype(np.int32),
            "risk_capacity": capacity.astype(np.int32),
            "knowledge": knowledge.astype(np.int32),
            "profiled_at": profiled.astype("datetime64[D]"),
            "since": days.astype("datetime64[D]"),
        }
    )


def check_customers(customers: pl.DataFrame) -> pl.DataFrame:
    """The table, if it has the columns and classes.

    Raises
    ------
    InputError
        A column is missing or null, a class isn't 1..5, or a client stands twice.
    """
    if missing := [c for c in CUSTOMER_COLUMNS if c not in customers.columns]:
        raise InputError("customers", f"must have column(s) {missing}", remedy=f"it has {customers.columns}")
    if nulls := [c for c in CUSTOMER_COLUMNS if customers[c].null_count()]:
        raise InputError("customers", f"column(s) {nulls} must not be null")
    for column in ("risk_tolerance", "risk_capacity", "knowledge"):
        bad = customers.filter(~pl.col(column).is_between(1, 5))
        if bad.height:
            raise InputError("customers", f"{column} must be 1..5", value=bad[column].head(5).to_list())
    if customers["client_id"].n_unique() < customers.height:
        raise InputError("customers", "client_id must not repeat")
    return customers


def draw_wealth(capacity: int, laws: PortfolioLaws, rng: np.random.Generator) -> float:
    """Starting wealth in the market's currency."""
    low, high = WEALTH[capacity]
    return float(np.exp(rng.uniform(np.log(low), np.log(high)))) * laws.currency_per_euro


def investor_row(
    customer: dict[str, object],
    *,
    currency: str,
    wealth: float,
    contribution: float,
    rng: np.random.Generator,
) -> dict[str, object]:
    """A row of INVESTORS."""
    since, capacity = customer["since"], int(customer["risk_capacity"])  # type: ignore[call-overload]
    assert isinstance(since, date)
    born = int(np.clip(round(rng.normal(1972, 13)), since.year - 85, since.year - 18))
    need = float(np.clip(rng.beta(2, 8) * (1.5 if capacity <= 2 else 1.0), 0, 1))
    return {
        "client_id": customer["client_id"],
        "currency": currency,
        "birth_year": born,
        "risk_tolerance": customer["risk_tolerance"],
        "risk_capacity": capacity,
        "knowledge": customer["knowledge"],
        "profiled_at": customer["profiled_at"],
        "income": round(
            wealth / 40 * float(np.exp(rng.normal(0, 0.5))) + 20_000 * wealth / (wealth + 1e6), 2
        ),
        "monthly_contribution": round(contribution, 2),
        "liquidity_need": round(need, 3),
    }


def goal_rows(
    investor: dict[str, object], *, wealth: float, since: date, rng: np.random.Generator
) -> list[dict[str, object]]:
    """One or two rows of GOALS."""
    age = since.year - int(investor["birth_year"])  # type: ignore[call-overload]
    odds = next(p for limit, p in _BY_AGE if age < limit)
    kinds = rng.choice(GOAL_TYPES, size=1 + int(rng.uniform() < 0.25), replace=False, p=odds)
    contribution = float(investor["monthly_contribution"])  # type: ignore[arg-type]
    rows = []
    for i, kind in enumerate(kinds):
        low, high = _HORIZON[str(kind)]
        years = float(rng.integers(low, high + 1))
        part = 1.0 / len(kinds)
        grown = (1 + _GROWTH) ** years
        saved = contribution * 12 * (grown - 1) / np.log(1 + _GROWTH)
        target = part * (wealth * grown + saved) * float(np.exp(rng.normal(0, _AMBITION)))
        rows.append(
            {
                "client_id": investor["client_id"],
                "goal_id": f"g{i + 1}",
                "goal_type": str(kind),
                "target_amount": round(target, -3) or 1000.0,
                "currency": investor["currency"],
                "horizon_years": years,
                "monthly_contribution": round(contribution * part, 2),
            }
        )
    return rows


def investors_table(rows: list[dict[str, object]]) -> pl.DataFrame:
    """INVESTORS of rows."""
    return pl.DataFrame(rows, schema={**INVESTORS.required, **INVESTORS.optional})


def goals_table(rows: list[dict[str, object]]) -> pl.DataFrame:
    """GOALS of rows."""
    return pl.DataFrame(rows, schema={**GOALS.required, **GOALS.optional})

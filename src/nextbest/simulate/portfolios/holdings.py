"""Holdings for given customers over given prices, and whole synthetic investors: tables ready for a book."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from nextbest.data.holdings.market import FloatArray
from nextbest.data.holdings.market_tables import MarketTables
from nextbest.errors import InputError
from nextbest.simulate.portfolios.choices import choose, popularity_weights
from nextbest.simulate.portfolios.config import PortfolioLaws
from nextbest.simulate.portfolios.customers import (
    check_customers,
    draw_customers,
    draw_wealth,
    goal_rows,
    goals_table,
    investor_row,
    investors_table,
)
from nextbest.simulate.portfolios.exchange import simulate_market
from nextbest.simulate.portfolios.life import Life, Stage, live, prepare
from nextbest.tables import CASH_FLOWS, TRADES

_LEAST_DAYS = 2


@dataclass(frozen=True)
class Holdings:
    """Tables of simulated clients."""

    investors: pl.DataFrame
    goals: pl.DataFrame
    trades: pl.DataFrame
    cash_flows: pl.DataFrame


def holdings_for(
    customers: pl.DataFrame,
    market: MarketTables,
    *,
    base_currency: str = "RUB",
    laws: PortfolioLaws | None = None,
    rng: np.random.Generator | int,
) -> Holdings:
    """Trades, deposits, incomes and goals for customers whose risk is known, over prices that are known.

    Each client's draws depend on `rng` and the client's place alone, so that the first hundred of a thousand live as
    they would alone. The laws stand in `PortfolioLaws`, `choices`, `life` and `customers`.

    Parameters
    ----------
    customers
        `CUSTOMER_COLUMNS`; who came before the market's first day (or `laws.start`) starts on it.
    market
        Prices; `volume` decides what is popular, without it the order of the assets does.
    base_currency
        In which clients count; the one of the market's rates.

    Returns
    -------
    Holdings
        A client for whom nothing trades at the start has a row in `investors` and `goals`, and no trades.

    Raises
    ------
    InputError
        Customers lack a column or break its rule, or the laws leave fewer than two days.
    DataError
        The market has no price.
    """
    laws = laws or PortfolioLaws()
    check_customers(customers)
    arrays = market.market(base_currency=base_currency)
    stage = prepare(arrays)
    low = 0 if laws.start is None else int(np.searchsorted(arrays.days_T, np.datetime64(laws.start)))
    high = arrays.n_days - 1
    if laws.end is not None:
        high = int(np.searchsorted(arrays.days_T, np.datetime64(laws.end), side="right")) - 1
    if high - low < _LEAST_DAYS:
        raise InputError(
            "laws", "start and end leave fewer than two days of the market", value=(laws.start, laws.end)
        )
    weights = _weights(market, arrays.asset_ids, arrays.asset_class, laws)
    seeds = np.random.default_rng(rng).spawn(customers.height)
    investors, goals, lives = [], [], []
    for customer, own in zip(customers.iter_rows(named=True), seeds, strict=True):
        wealth = draw_wealth(customer["risk_capacity"], laws, own)
        contribution = 0.0
        if own.uniform() < laws.contributes:
            contribution = wealth * laws.contribution_mean * float(np.exp(own.normal(0, 0.6)))
        investor = investor_row(
            customer, currency=base_currency, wealth=wealth, contribution=contribution, rng=own
        )
        investors.append(investor)
        goals += goal_rows(investor, wealth=wealth, since=customer["since"], rng=own)
        life = _life(stage, laws, customer, weights, wealth, contribution, low, high, own)
        lives.append((customer["client_id"], life, bool(own.uniform() >= laws.without_flows)))
    return Holdings(
        investors_table(investors),
        goals_table(goals),
        _trades(lives, stage),
        _flows(lives, stage, base_currency),
    )


def _weights(
    market: MarketTables, asset_ids: tuple[str, ...], asset_class: tuple[str, ...], laws: PortfolioLaws
) -> FloatArray:
    volumes = market.asset_prices.group_by("asset_id").agg(pl.col("volume").median())
    order = pl.DataFrame({"asset_id": asset_ids}).join(
        volumes, on="asset_id", how="left", maintain_order="left"
    )
    countries = pl.DataFrame({"asset_id": asset_ids}).join(
        market.assets.select("asset_id", "country"), on="asset_id", how="left", maintain_order="left"
    )
    return popularity_weights(
        asset_class,
        tuple(countries["country"].to_list()),
        order["volume"].cast(pl.Float64).fill_null(0.0).to_numpy(),
        laws=laws,
    )


def _life(
    stage: Stage,
    laws: PortfolioLaws,
    customer: dict[str, object],
    weights: FloatArray,
    wealth: float,
    contribution: float,
    low: int,
    high: int,
    rng: np.random.Generator,
) -> Life | None:
    """The client's life, None where nothing can be bought."""
    since = customer["since"]
    assert isinstance(since, date)
    came = int(np.searchsorted(stage.market.days_T, np.datetime64(since)))
    # Who came on the first day came over a while before it: spread over the first year.
    first = low + int(rng.integers(0, 250)) if came <= low else came
    first = min(first, max(low, high - 250))
    chosen, wanted = choose(
        stage,
        laws,
        weights=weights,
        tolerance=int(customer["risk_tolerance"]),  # type: ignore[call-overload]
        capacity=int(customer["risk_capacity"]),  # type: ignore[call-overload]
        first=first,
        last=high,
        rng=rng,
    )
    if not len(chosen):
        return None
    return live(
        stage,
        laws,
        chosen=chosen,
        weights=wanted,
        wealth=wealth,
        contribution=contribution,
        first=first,
        last=high,
        rng=rng,
    )


def _trades(lives: list[tuple[str, Life | None, bool]], stage: Stage) -> pl.DataFrame:
    client, day, asset, quantity, price, fee = [], [], [], [], [], []
    for name, life, _ in lives:
        for t, a, pieces, close, paid in life.trades if life else ():
            client.append(name)
            day.append(t)
            asset.append(a)
            quantity.append(pieces)
            price.append(close)
            fee.append(paid)
    n = len(client)
    ids, currencies = pl.Series(stage.market.asset_ids), pl.Series(stage.market.currency_A)
    places = pl.Series(asset, dtype=pl.Int64)
    return pl.DataFrame(
        {
            "trade_id": [f"t{i:08d}" for i in range(n)],
            "client_id": pl.Series(client, dtype=pl.String),
            "asset_id": ids.gather(places),
            "day": pl.Series(stage.market.days_T[np.array(day, dtype=np.int64)]),
            "quantity": pl.Series(quantity, dtype=pl.Float64),
            "price": pl.Series(price, dtype=pl.Float64),
            "fee": pl.Series(fee, dtype=pl.Float64),
            "currency": currencies.gather(places),
        },
        schema={**TRADES.required, **TRADES.optional},
    )


def _flows(lives: list[tuple[str, Life | None, bool]], stage: Stage, currency: str) -> pl.DataFrame:
    client, day, amount = [], [], []
    for name, life, has_flows in lives:
        for t, money in life.flows if life and has_flows else ():
            client.append(name)
            day.append(t)
            amount.append(money)
    return (
        pl.DataFrame(
            {
                "client_id": pl.Series(client, dtype=pl.String),
                "day": pl.Series(stage.market.days_T[np.array(day, dtype=np.int64)]),
                "amount": pl.Series(amount, dtype=pl.Float64),
            }
        )
        .select(
            "client_id",
            "day",
            "amount",
            currency=pl.lit(currency),
            kind=pl.when(pl.col("amount") > 0).then(pl.lit("deposit")).otherwise(pl.lit("withdrawal")),
        )
        .cast({c: t for c, t in {**CASH_FLOWS.required, **CASH_FLOWS.optional}.items() if t is not None})
    )


def simulate_investors(
    n: int,
    *,
    market: MarketTables | None = None,
    laws: PortfolioLaws | None = None,
    rng: np.random.Generator | int,
) -> tuple[MarketTables, Holdings]:
    """Everything synthetic: an exchange (unless one is given) and `n` investors on it, base currency RUB.

    Raises
    ------
    InputError
        `n` < 1.
    """
    if n < 1:
        raise InputError("n", "must be 1 or more", value=n)
    exchange, people, lives = np.random.default_rng(rng).spawn(3)
    market = market or simulate_market(rng=exchange)
    days = market.asset_prices["day"]
    first, last = days.min(), days.max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    customers = draw_customers(n, start=first, end=first + (last - first) / 2, rng=people)
    return market, holdings_for(customers, market, laws=laws, rng=lives)

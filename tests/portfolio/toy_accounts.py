"""Small markets and accounts whose answers can be told by eye."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from nextbest.data.holdings.account import ACCOUNT_FLOWS, ACCOUNT_TRADES, Account
from nextbest.data.holdings.calendar import find_gaps
from nextbest.data.holdings.market import Market

START = date(2024, 1, 1)
NAN = float("nan")


def market(
    closes: dict[str, Sequence[float]],
    *,
    currency: dict[str, str] | None = None,
    usd: Sequence[float] | None = None,
    splits: dict[tuple[int, str], float] | None = None,
    dividends: dict[tuple[int, str], float] | None = None,
    days: Sequence[int] | None = None,
) -> Market:
    """Assets in RUB (or as `currency` says) on the days after `START`."""
    names = tuple(closes)
    close = np.array([closes[n] for n in names], dtype=float).T
    n_days = len(close)
    rates = {
        "RUB": np.ones(n_days),
        "USD": np.array(usd if usd is not None else [90.0] * n_days, dtype=float),
    }
    own = tuple((currency or {}).get(n, "RUB") for n in names)
    split, dividend = np.ones_like(close), np.zeros_like(close)
    for (t, name), ratio in (splits or {}).items():
        split[t, names.index(name)] = ratio
    for (t, name), amount in (dividends or {}).items():
        dividend[t, names.index(name)] = amount
    days_T = np.array([START + timedelta(days=d) for d in days or range(n_days)], dtype="datetime64[D]")
    return Market(
        days_T=days_T,
        asset_ids=names,
        asset_class=("equity",) * len(names),
        currency_A=own,
        close_TA=close,
        fx_TA=np.stack([rates[c] for c in own], axis=1),
        split_TA=split,
        dividend_TA=dividend,
        gaps=find_gaps(days_T, close),
        currency="RUB",
        rates=rates,
    )


def account(
    *trades: tuple[int, str, float, float],
    flows: Sequence[tuple[int, float] | tuple[int, float, str]] | None = None,
    fee: float = 0.0,
    currency: str = "RUB",
    paid_in: str | None = None,
) -> Account:
    """Trades: day, asset, quantity, price; flows: day, amount and kind, None = cash isn't recorded."""
    table = pl.DataFrame(
        [
            (f"t{i:03d}", a, START + timedelta(days=d), float(q), float(p), fee, paid_in or currency)
            for i, (d, a, q, p) in enumerate(trades)
        ],
        schema=ACCOUNT_TRADES,
        orient="row",
    ).sort("day", pl.col("quantity") < 0, "trade_id")
    money = pl.DataFrame(
        [
            (START + timedelta(days=f[0]), float(f[1]), currency, f[2] if len(f) > 2 else None)
            for f in flows or ()
        ],
        schema=ACCOUNT_FLOWS,
        orient="row",
    ).sort("day")
    return Account("someone", currency, table, money, flows is not None)

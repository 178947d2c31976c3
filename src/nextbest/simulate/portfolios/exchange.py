"""A synthetic exchange: shares, bond funds, gold, the dollar and deposits, with dividends, splits, holidays and one closure.

Laws, of daily log returns: a share is beta x market + own part, both Student t with 4 degrees of freedom (scaled to
their volatility), beta uniform 0.6..1.4; market 20 % a year, own 15 to 35 %, drift 4 % a year plus dividends of 0 to
10 % a year paid each summer. A bond fund has 5 % volatility and 7 % drift, gold 15 and 7, the dollar 10 and 3,
a deposit grows by 8 % a year without noise. One share in ten splits 10 for 1 or 1 for 10 once. Every third share of
those that trade in dollars has `country` US. A share misses a day with probability 0.5 %.
"""

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.holdings.market import FloatArray
from nextbest.data.holdings.market_tables import MarketTables
from nextbest.errors import InputError

_DAYS_A_YEAR = 252
_CLOSURE = 20
"""Weekdays that the one closure lasts."""
_FREEDOM = 4


def simulate_market(
    *,
    n_shares: int = 30,
    start: date = date(2018, 1, 1),
    n_days: int = 1_000,
    with_closure: bool = True,
    rng: np.random.Generator | int,
) -> MarketTables:
    """Prices of `n_shares` shares and seven other assets over about `n_days` trading days.

    Parameters
    ----------
    n_shares
        1 or more.
    n_days
        Weekdays from `start`, holidays and the closure among them; 260 or more.
    with_closure
        Whether nothing trades for four weeks in the middle.

    Raises
    ------
    InputError
        A number is too small.
    """
    if n_shares < 1:
        raise InputError("n_shares", "must be 1 or more", value=n_shares)
    if n_days < 260:
        raise InputError("n_days", "must be 260 or more", value=n_days)
    rng = np.random.default_rng(rng)
    days = np.busday_offset(np.datetime64(start), np.arange(n_days), roll="forward")
    names, classes, currencies, countries, closes = [], [], [], [], []
    market = _noise(n_days, 0.20, rng)
    for i in range(n_shares):
        beta, own = rng.uniform(0.6, 1.4), rng.uniform(0.15, 0.35)
        path = _path(beta * market + _noise(n_days, own, rng), 0.04, rng.uniform(50, 3000))
        names.append(f"S{i:03d}")
        classes.append("equity")
        abroad = i % 6 == 5
        currencies.append("USD" if abroad else "RUB")
        countries.append("US" if abroad else "RU")
        closes.append(path)
    for name, kind, volatility, drift in (
        ("BOND1", "bond", 0.05, 0.07),
        ("BOND2", "bond", 0.06, 0.075),
        ("BOND3", "bond", 0.04, 0.065),
        ("GOLD", "gold", 0.15, 0.07),
        ("DEPOSIT", "deposit", 0.0, 0.08),
    ):
        names.append(name)
        classes.append(kind)
        currencies.append("RUB")
        countries.append("RU")
        closes.append(_path(_noise(n_days, volatility, rng), drift, 100.0))
    names.append("USD")
    classes.append("currency")
    currencies.append("USD")
    countries.append("RU")
    closes.append(np.ones(n_days))
    close = np.stack(closes, axis=1)
    rate = _path(_noise(n_days, 0.10, rng), 0.03, 70.0)
    splits = _splits(close, days, n_shares, names, rng)
    dividends = _dividends(close, days, n_shares, names, currencies, rng)
    priced = rng.uniform(size=close.shape) > 0.005
    priced[:, n_shares:] = True
    closed = _closed(days, with_closure=with_closure)
    priced[closed] = False
    priced[0] = priced[-1] = True
    t, a = np.nonzero(priced)
    volume = rng.lognormal(mean=np.linspace(20, 14, len(names)), sigma=0.4)
    index = 1000 * np.exp(np.log(close[:, :n_shares]).mean(axis=1) - np.log(close[0, :n_shares]).mean())
    return MarketTables(
        assets=pl.DataFrame(
            {
                "asset_id": names,
                "title": names,
                "asset_class": classes,
                "currency": currencies,
                "country": countries,
            }
        ),
        asset_prices=pl.DataFrame(
            {
                "asset_id": pl.Series(names).gather(a),
                "day": days[t],
                "close": close[t, a].round(4),
                "volume": volume[a].round(0),
            }
        ),
        splits=splits,
        dividends=dividends,
        fx=pl.DataFrame({"currency": ["USD"] * n_days, "day": days, "rate": rate.round(4)}),
        benchmarks=pl.DataFrame({"benchmark_id": ["SHARES"] * n_days, "day": days, "close": index}).filter(
            pl.Series(~closed)
        ),
    ).checked()


def _noise(n: int, volatility_ann: float, rng: np.random.Generator) -> FloatArray:
    scale = volatility_ann / np.sqrt(_DAYS_A_YEAR) / np.sqrt(_FREEDOM / (_FREEDOM - 2))
    noise: FloatArray = np.clip(rng.standard_t(_FREEDOM, size=n) * scale, -0.25, 0.25)
    return noise


def _path(log_returns: FloatArray, drift_ann: float, first: float) -> FloatArray:
    steps = log_returns + drift_ann / _DAYS_A_YEAR
    steps[0] = 0.0
    path: FloatArray = first * np.exp(np.cumsum(steps))
    return path


def _closed(days: NDArray[np.datetime64], *, with_closure: bool) -> NDArray[np.bool_]:
    """Holidays (first days of the year, one in May, one in November) and the closure."""
    day = days.astype("datetime64[D]").astype(object)
    closed = np.array([(d.month, d.day) in ((1, 1), (1, 2), (1, 7), (5, 9), (11, 4)) for d in day])
    if with_closure:
        middle = len(days) // 2
        closed[middle : middle + _CLOSURE] = True
    return closed


def _splits(
    close: FloatArray, days: NDArray[np.datetime64], n_shares: int, names: list[str], rng: np.random.Generator
) -> pl.DataFrame:
    """Splits of one share in ten; `close` is changed to what trades after them."""
    rows = []
    for a in range(0, n_shares, 10):
        t, ratio = int(rng.integers(len(days) // 4, len(days))), float(rng.choice([10.0, 0.1]))
        close[t:, a] /= ratio
        rows.append((names[a], days[t].astype("datetime64[D]").item(), ratio))
    return pl.DataFrame(
        rows, schema={"asset_id": pl.String, "day": pl.Date, "ratio": pl.Float64}, orient="row"
    )


def _dividends(
    close: FloatArray,
    days: NDArray[np.datetime64],
    n_shares: int,
    names: list[str],
    currencies: list[str],
    rng: np.random.Generator,
) -> pl.DataFrame:
    """One payment each July of those that pay; the close falls by it from that day on."""
    months = days.astype("datetime64[M]").astype(np.int64) % 12
    julys = np.flatnonzero((months == 6) & (np.roll(months, 1) == 5))
    rows = []
    for a in range(n_shares):
        rate = rng.uniform(0, 0.10)
        if rate < 0.02:
            continue
        for july in julys[julys > 0]:
            t = min(int(july + rng.integers(0, 20)), len(days) - 1)
            amount = round(float(rate * close[t - 1, a]), 4)
            close[t:, a] *= 1 - rate
            rows.append((names[a], days[t].astype("datetime64[D]").item(), amount, currencies[a]))
    return pl.DataFrame(
        rows,
        schema={"asset_id": pl.String, "day": pl.Date, "amount": pl.Float64, "currency": pl.String},
        orient="row",
    ).filter(pl.col("amount") > 0)

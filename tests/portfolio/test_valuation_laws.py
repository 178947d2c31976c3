"""Laws of every valuation, and agreement with a plain loop over the days."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextbest.data.holdings.account import Account
from nextbest.data.holdings.market import Market
from nextbest.portfolio.valuation import FlowTiming, value
from portfolio.event_loop import slow_value
from portfolio.toy_accounts import NAN, account, market

ASSETS = ("A", "B", "C")
N_DAYS = 12
prices = st.floats(1, 50).map(lambda x: round(x, 2))
timings = st.sampled_from(["start", "end"])
Trade = tuple[int, str, float, float]


@st.composite
def markets(draw: st.DrawFn, *, missing: bool = True, splits: bool = True, dividends: bool = True) -> Market:
    """Three assets, the last in dollars; about a fifth of the closes missing."""
    some = st.one_of(prices, prices, prices, prices, st.just(NAN)) if missing else prices
    closes = {a: draw(st.lists(some, min_size=N_DAYS, max_size=N_DAYS)) for a in ASSETS}
    closes["A"][0] = 10.0  # an asset that nobody need hold, so that the first day is one
    places = st.tuples(st.integers(1, N_DAYS - 1), st.sampled_from(ASSETS))
    days = sorted(draw(st.sets(st.integers(1, 40), min_size=N_DAYS - 1, max_size=N_DAYS - 1)))
    return market(
        closes,
        currency={"C": "USD"},
        usd=draw(st.lists(st.floats(50, 100), min_size=N_DAYS, max_size=N_DAYS)),
        splits=draw(st.dictionaries(places, st.sampled_from([2.0, 0.5]), max_size=3 * splits)),
        dividends=draw(st.dictionaries(places, st.floats(0.1, 2), max_size=4 * dividends)),
        days=[0, *days],
    )


@st.composite
def accounts(draw: st.DrawFn, days: list[int], *, flows: bool | None = None) -> Account:
    """Purchases, and sales of one piece less than was ever bought (before splits), with fees and odd days."""
    trades: list[Trade] = []
    for asset in draw(st.lists(st.sampled_from(ASSETS), min_size=1, max_size=3, unique=True)):
        bought = draw(
            st.lists(st.tuples(st.sampled_from(days), st.integers(2, 9), prices), min_size=1, max_size=3)
        )
        trades += [(d, asset, float(q), p) for d, q, p in bought]
        if draw(st.booleans()):
            last = max(d for d, _, _ in bought)
            trades.append((max(last, draw(st.sampled_from(days))), asset, -0.5, draw(prices)))
    recorded = draw(st.booleans()) if flows is None else flows
    money = None
    if recorded:
        kinds = st.sampled_from(["deposit", "interest", "fee"])
        some = st.tuples(st.sampled_from(days), st.floats(-50, 500), kinds)
        money = [(0, 5000.0, "deposit"), *draw(st.lists(some, max_size=4))]
    return account(*trades, flows=money, fee=draw(st.sampled_from([0.0, 0.25])))


def _days(of: Market) -> list[int]:
    return (of.days_T - of.days_T[0]).astype(int).tolist()


def _growth(returns: np.ndarray) -> float:
    return float(np.nanprod(1 + returns) - 1)


@settings(max_examples=60)
@given(data=st.data(), timing=timings)
def test_agrees_with_a_plain_loop(data: st.DataObject, timing: FlowTiming) -> None:
    prices_of = data.draw(markets())
    known = data.draw(accounts(_days(prices_of)))
    fast, slow = value(known, prices_of, flow_timing=timing), slow_value(known, prices_of, timing=timing)
    assert fast.days_T.tolist() == slow.days
    near = {"rel": 1e-9, "abs": 1e-7}
    assert fast.nav_T == pytest.approx(slow.nav, **near)
    assert fast.flow_T == pytest.approx(slow.flow, **near)
    assert fast.income_T == pytest.approx(slow.income, **near)
    assert fast.return_T == pytest.approx(slow.returns, **near, nan_ok=True)
    if slow.days:
        found = dict(zip(fast.asset_ids, fast.contribution_A, strict=True))
        assert {a: found[a] for a in slow.contribution} == pytest.approx(slow.contribution, **near)


@settings(max_examples=40)
@given(data=st.data())
def test_contributions_sum_to_the_gain_and_values_to_the_worth(data: st.DataObject) -> None:
    prices_of = data.draw(markets())
    found = value(data.draw(accounts(_days(prices_of))), prices_of)
    if len(found.nav_T):
        assert found.contribution_A.sum() + found.contribution_cash == pytest.approx(found.gain, abs=1e-6)
        assert found.value_TA.sum(axis=1) + found.cash_T == pytest.approx(found.nav_T, abs=1e-6)


@settings(max_examples=40)
@given(data=st.data(), timing=timings)
def test_linked_parts_equal_the_whole(data: st.DataObject, timing: FlowTiming) -> None:
    prices_of = data.draw(markets())
    known = data.draw(accounts(_days(prices_of)))
    whole = value(known, prices_of, flow_timing=timing)
    if len(whole.days_T) < 2:
        return
    cut = data.draw(st.integers(0, len(whole.days_T) - 1))
    last = int(np.searchsorted(prices_of.days_T, whole.days_T[cut])) + 1
    first_part = value(known, _first_days(prices_of, last), flow_timing=timing)
    assert first_part.return_T == pytest.approx(whole.return_T[: cut + 1], nan_ok=True)
    linked = (1 + _growth(first_part.return_T)) * (1 + _growth(whole.return_T[cut + 1 :])) - 1
    assert linked == pytest.approx(_growth(whole.return_T))


def _first_days(whole: Market, n: int) -> Market:
    cut = {f: getattr(whole, f)[:n] for f in ("days_T", "close_TA", "fx_TA", "split_TA", "dividend_TA")}
    return replace(whole, **cut, rates={c: r[:n] for c, r in whole.rates.items()})


@settings(max_examples=40)
@given(data=st.data())
def test_twr_does_not_know_of_flows_spent_at_the_days_closes(data: st.DataObject) -> None:
    prices_of = data.draw(markets(missing=False))
    begin = {a: prices_of.close_TA[0, i] * prices_of.fx_TA[0, i] for i, a in enumerate(ASSETS)}
    first = [(0, a, 4.0, p) for a, p in begin.items()]
    alone = value(account(*first), prices_of, flow_timing="end")
    t = data.draw(st.integers(1, N_DAYS - 2))
    share = data.draw(st.floats(-0.9, 5).filter(lambda x: abs(x) > 0.01))
    # The flow buys (or sells) the portfolio itself, as it stands after the splits so far.
    held = 4.0 * np.cumprod(prices_of.split_TA, axis=0)[t]
    day = _days(prices_of)[t]
    close = prices_of.close_TA[t] * prices_of.fx_TA[t]
    more = [(day, a, float(share * held[i]), float(close[i])) for i, a in enumerate(ASSETS)]
    with_flow = value(account(*first, *more), prices_of, flow_timing="end")
    assert with_flow.return_T[1:] == pytest.approx(alone.return_T[1:])
    before = prices_of.close_TA[t - 1] / prices_of.split_TA[t]
    if share > 0 and not prices_of.dividend_TA[t].any():
        # Spent at the closes of the day before, money that is there from the start is as neutral.
        early = [
            (day, a, float(share * held[i]), float(before[i] * prices_of.fx_TA[t - 1, i]))
            for i, a in enumerate(ASSETS)
        ]
        at_start = value(account(*first, *early), prices_of, flow_timing="start")
        assert at_start.return_T[1:] == pytest.approx(alone.return_T[1:])


@settings(max_examples=30)
@given(data=st.data(), factor=st.floats(0.01, 100), timing=timings)
def test_another_unit_of_money_scales_worth_and_leaves_returns(
    data: st.DataObject, factor: float, timing: FlowTiming
) -> None:
    prices_of = data.draw(markets())
    known = data.draw(accounts(_days(prices_of)))
    scaled_market = replace(
        prices_of,
        close_TA=prices_of.close_TA * np.where(np.array(prices_of.currency_A) == "RUB", factor, 1.0),
        dividend_TA=prices_of.dividend_TA * np.where(np.array(prices_of.currency_A) == "RUB", factor, 1.0),
        fx_TA=prices_of.fx_TA * np.where(np.array(prices_of.currency_A) == "USD", factor, 1.0),
        rates={"RUB": prices_of.rates["RUB"], "USD": prices_of.rates["USD"] * factor},
    )
    scaled_account = replace(
        known,
        trades=known.trades.with_columns(pl.col("price") * factor, pl.col("fee") * factor),
        flows=known.flows.with_columns(pl.col("amount") * factor),
    )
    plain, scaled = (
        value(known, prices_of, flow_timing=timing),
        value(scaled_account, scaled_market, flow_timing=timing),
    )
    assert scaled.nav_T == pytest.approx(plain.nav_T * factor, rel=1e-9, abs=1e-7 * factor)
    assert scaled.return_T == pytest.approx(plain.return_T, rel=1e-6, abs=1e-9, nan_ok=True)


@settings(max_examples=30)
@given(data=st.data())
def test_the_order_of_assets_and_of_trades_within_a_day_does_not_matter(data: st.DataObject) -> None:
    prices_of = data.draw(markets())
    known = data.draw(accounts(_days(prices_of)))
    if known.trades.select("day", "asset_id").is_duplicated().any():
        return  # two prices of one asset on one day without a close: the last one stands
    order = data.draw(st.permutations(range(known.trades.height)))
    mixed = replace(known, trades=known.trades[order].sort("day", maintain_order=True))
    columns = data.draw(st.permutations(range(3)))
    turned = replace(
        prices_of,
        asset_ids=tuple(prices_of.asset_ids[c] for c in columns),
        currency_A=tuple(prices_of.currency_A[c] for c in columns),
        **{f: getattr(prices_of, f)[:, columns] for f in ("close_TA", "fx_TA", "split_TA", "dividend_TA")},
    )
    plain, other = value(known, prices_of), value(mixed, turned)
    assert other.nav_T == pytest.approx(plain.nav_T)
    assert other.return_T == pytest.approx(plain.return_T, nan_ok=True)
    assert dict(zip(other.asset_ids, other.contribution_A, strict=True)) == pytest.approx(
        dict(zip(plain.asset_ids, plain.contribution_A, strict=True))
    )


@settings(max_examples=30)
@given(data=st.data(), t=st.integers(1, N_DAYS - 1), ratio=st.sampled_from([2.0, 10.0, 0.1]))
def test_a_split_changes_nothing(data: st.DataObject, t: int, ratio: float) -> None:
    prices_of = data.draw(markets(splits=False))
    known = data.draw(accounts(_days(prices_of)))
    after = np.where(np.arange(N_DAYS) >= t, ratio, 1.0)
    split = prices_of.split_TA.copy()
    split[t, 1] = ratio
    close, dividend = prices_of.close_TA.copy(), prices_of.dividend_TA.copy()
    close[:, 1] /= after
    dividend[:, 1] /= after
    split_market = replace(prices_of, split_TA=split, close_TA=close, dividend_TA=dividend)
    new = (pl.col("asset_id") == "B") & (pl.col("day") >= prices_of.days_T[t].item())
    factor = pl.when(new).then(ratio).otherwise(1.0)
    split_account = replace(
        known, trades=known.trades.with_columns(pl.col("quantity") * factor, pl.col("price") / factor)
    )
    plain, split_value = value(known, prices_of), value(split_account, split_market)
    assert split_value.nav_T == pytest.approx(plain.nav_T)
    assert split_value.return_T == pytest.approx(plain.return_T, nan_ok=True)


@settings(max_examples=30)
@given(data=st.data())
def test_a_reinvested_dividend_is_the_total_return(data: st.DataObject) -> None:
    closes = data.draw(st.lists(prices, min_size=N_DAYS, max_size=N_DAYS))
    paid = data.draw(st.dictionaries(st.integers(1, N_DAYS - 1), st.floats(0.1, 3), max_size=3))
    prices_of = market({"A": closes}, dividends={(t, "A"): amount for t, amount in paid.items()})
    total_return = np.prod([(closes[t] + paid.get(t, 0.0)) / closes[t - 1] for t in range(1, N_DAYS)]) - 1
    held, trades = 10.0, [(0, "A", 10.0, closes[0])]
    for t, amount in sorted(paid.items()):
        more = held * amount / closes[t]
        trades.append((t, "A", more, closes[t]))
        held += more
    kept = value(account(*trades, flows=[(0, 10.0 * closes[0])]), prices_of)
    assert kept.cash_T == pytest.approx(np.zeros(N_DAYS), abs=1e-7)
    assert _growth(kept.return_T) == pytest.approx(total_return)
    # What is paid out and bought back on one day is no flow on balance, whenever flows count.
    for timing in ("start", "end"):
        found = value(account(*trades), prices_of, flow_timing=timing)  # type: ignore[arg-type]
        assert _growth(found.return_T) == pytest.approx(total_return)

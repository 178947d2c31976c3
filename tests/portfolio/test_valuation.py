"""Valuations that can be told by eye: one fact each."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from nextbest.data.holdings.market import Gap, Market
from nextbest.errors import DataError, InputError
from nextbest.portfolio.valuation import value
from portfolio.toy_accounts import NAN, START, account, market

FLAT = market({"A": [10, 11, 12.1]})


def _growth(returns: np.ndarray) -> float:
    return float(np.nanprod(1 + returns) - 1)


def test_a_share_that_rises_by_a_tenth_a_day_returns_a_tenth_a_day() -> None:
    found = value(account((0, "A", 10, 10)), FLAT)
    assert found.days_T.tolist() == [START, START + timedelta(days=1), START + timedelta(days=2)]
    assert found.nav_T == pytest.approx([100, 110, 121])
    assert np.isnan(found.return_T[0])
    assert found.return_T[1:] == pytest.approx([0.1, 0.1])
    assert found.flow_T == pytest.approx([100, 0, 0])
    assert found.bought_T == pytest.approx([100, 0, 0])
    assert found.gain == pytest.approx(21)
    assert found.span_T.tolist() == [0, 1, 1]
    assert found.notes == ()
    assert "someone" not in repr(found)


def test_money_in_counts_from_the_days_start_and_money_out_until_its_end() -> None:
    trades = ((0, "A", 10, 10), (1, "A", 10, 11), (2, "A", -20, 12.1))
    start = value(account(*trades), FLAT)
    assert start.return_T[1:] == pytest.approx([220 / 210 - 1, 0.1])
    end = value(account(*trades), FLAT, flow_timing="end")
    assert end.return_T[1:] == pytest.approx([0.1, 0.1])
    assert start.nav_T[-1] == 0.0
    assert start.flow_T == pytest.approx([100, 110, -242])
    assert start.sold_T == pytest.approx([0, 0, 242])


def test_a_split_changes_nothing() -> None:
    split = market({"A": [10, 5.5, 6.05]}, splits={(1, "A"): 2.0})
    plain, halved = value(account((0, "A", 10, 10)), FLAT), value(account((0, "A", 10, 10)), split)
    assert halved.nav_T == pytest.approx(plain.nav_T)
    assert halved.return_T[1:] == pytest.approx(plain.return_T[1:])


def test_a_price_of_before_a_split_is_not_mistaken_for_one_of_after_it() -> None:
    suspended = market({"A": [10, NAN, NAN, 1.1], "B": [1, 1, 1, 1]}, splits={(1, "A"): 10.0})
    found = value(account((0, "A", 10, 10), (0, "B", 1, 1)), suspended)
    assert found.nav_T == pytest.approx([101, 101, 101, 111])
    assert found.notes == ("stale_price: on 2 day(s) a last price stands in, at most 2 day(s) old: ['A']",)


def test_a_dividend_is_income_of_its_day_for_what_was_held_the_day_before() -> None:
    paid = market({"A": [10, 9, 9]}, dividends={(1, "A"): 1.0})
    gone = value(account((0, "A", 10, 10), (1, "A", 5, 9)), paid)
    assert gone.income_T == pytest.approx([0, 10, 0])
    assert gone.flow_T == pytest.approx([100, 45 - 10, 0])
    assert gone.return_T[1:] == pytest.approx([0.0, 0.0])
    kept = value(account((0, "A", 10, 10), flows=[(0, 100)]), paid)
    assert kept.cash_T == pytest.approx([0, 10, 10])
    assert kept.nav_T == pytest.approx([100, 100, 100])
    assert kept.flow_T == pytest.approx([100, 0, 0])


def test_cash_is_a_holding_and_a_debt_is_told() -> None:
    found = value(account((1, "A", 10, 11), flows=[(0, 100)]), FLAT)
    assert found.cash_T == pytest.approx([100, -10, -10])
    assert found.nav_T == pytest.approx([100, 100, 111])
    assert found.return_T[1:] == pytest.approx([0, 0.11])
    assert found.notes == ("negative_cash: on 2 day(s) the balance is below zero, -10.00 at the least",)


def test_interest_and_fees_are_no_flows_from_outside() -> None:
    found = value(account(flows=[(0, 100), (1, 2, "interest"), (2, -1, "fee")]), FLAT)
    assert found.flow_T == pytest.approx([100, 0, 0])
    assert found.return_T[1:] == pytest.approx([0.02, 101 / 102 - 1])
    assert found.income_T == pytest.approx([0, 2, -1])
    assert found.contribution_cash == pytest.approx(1)


def test_recorded_dividends_take_the_place_of_the_markets() -> None:
    paid = market({"A": [10, 9, 9]}, dividends={(1, "A"): 1.0})
    found = value(account((0, "A", 10, 10), flows=[(0, 100), (2, 9, "dividend")]), paid)
    assert found.income_T == pytest.approx([0, 0, 9])
    assert found.notes[0].startswith("dividends_as_recorded")


def test_a_closed_exchange_is_one_return_over_a_gap() -> None:
    found = value(account((0, "A", 10, 10)), market({"A": [10, 11, 5.5]}, days=[0, 1, 28]))
    assert found.span_T.tolist() == [0, 1, 27]
    assert found.regular_T.tolist() == [True, True, False]
    assert found.return_T[1:] == pytest.approx([0.1, -0.5])
    assert found.notes == ("gap: no trading from 2024-01-02 to 2024-01-29, 27 days",)


def test_while_the_exchange_is_closed_no_last_price_stands_in() -> None:
    days = [0, 1, 2, 3, 28]
    prices = market({"A": [10, NAN, NAN, NAN, 5], "GOLD": [1, 1, 2, 2, 2]}, days=days)
    closed = replace(prices, gaps=(Gap(START, START + timedelta(days=28), 28),))
    both = value(account((0, "A", 1, 10), (0, "GOLD", 10, 1)), closed)
    assert both.nav_T == pytest.approx([20, 25])
    assert both.regular_T.tolist() == [True, False]
    gold = value(account((0, "GOLD", 10, 1)), closed)
    assert gold.nav_T == pytest.approx([10, 10, 20, 20, 20])


def test_a_day_on_which_nothing_held_trades_is_no_observation() -> None:
    found = value(account((0, "A", 1, 10)), market({"A": [10, NAN, 12], "B": [1, 1, 1]}))
    assert found.nav_T == pytest.approx([10, 12])
    assert found.span_T.tolist() == [0, 2]
    assert found.return_T[1:] == pytest.approx([0.2])


def test_a_price_that_is_too_old_ends_the_observations_until_there_is_a_new_one() -> None:
    prices = market({"A": [10, NAN, NAN, NAN, 12], "B": [1, 1, 1, 1, 1]})
    found = value(account((0, "A", 1, 10), (0, "B", 1, 1)), prices, max_stale_days=2)
    assert found.nav_T == pytest.approx([11, 11, 11, 13])
    assert found.span_T.tolist() == [0, 1, 1, 2]
    assert any(note.startswith("no_price: 1 day(s)") for note in found.notes)


def test_a_trade_on_a_day_without_a_close_is_a_price() -> None:
    found = value(account((0, "A", 1, 10), (1, "A", 1, 20)), market({"A": [10, NAN, 20], "B": [1, 1, 1]}))
    assert found.nav_T == pytest.approx([10, 40, 40])
    assert found.notes == ("priced_by_trade: 1 trade(s) on days without a close count as the price",)


def test_a_trade_on_a_sunday_counts_on_monday_and_one_after_the_end_is_left_out() -> None:
    found = value(
        account((0, "A", 1, 10), (3, "A", 1, 11), (9, "A", 1, 11)),
        market({"A": [10, 11, 12]}, days=[0, 1, 4]),
    )
    assert found.flow_T == pytest.approx([10, 0, 11])
    assert [note.split(":")[0] for note in found.notes] == ["after_market", "rolled"]


def test_a_dollar_share_moves_with_the_dollar() -> None:
    rising = market({"A": [10, 10, 10]}, currency={"A": "USD"}, usd=[90, 99, 99])
    found = value(account((0, "A", 1, 900)), rising)
    assert found.nav_T == pytest.approx([900, 990, 990])
    in_dollars = value(account((0, "A", 1, 10), currency="USD"), rising)
    assert in_dollars.currency == "USD"
    assert in_dollars.nav_T == pytest.approx([10, 10, 10])
    told_in_roubles = value(account((0, "A", 1, 10), currency="USD"), rising, currency="RUB")
    assert told_in_roubles.nav_T == pytest.approx([900, 990, 990])


def test_cash_told_in_another_currency_gains_by_its_rate() -> None:
    found = value(
        account(flows=[(0, 100)], currency="USD"), market({"A": [1, 1, 1]}, usd=[90, 99, 99]), currency="RUB"
    )
    assert found.nav_T == pytest.approx([9000, 9900, 9900])
    assert found.contribution_cash == pytest.approx(900)
    assert found.gain == pytest.approx(900)


def test_a_day_without_a_rate_is_no_observation_and_spoils_none_after_it() -> None:
    quiet = market({"AAA": [100, 110, 120, 130, 140]}, usd=[100, 100, NAN, 100, 100])
    held = account((0, "AAA", 1, 100), flows=[(0, 500), (3, 10)])
    worth = value(held, quiet, currency="USD")
    assert worth.flow_T == pytest.approx([5, 0, 0.1, 0])
    assert worth.return_T[1:] == pytest.approx([0.02, 5.4 / 5.2 - 1, 5.5 / 5.4 - 1])
    assert worth.gain == pytest.approx(0.4)


def test_money_that_moves_on_a_day_without_a_rate_is_a_data_error() -> None:
    quiet = market({"AAA": [100, 110, 120]}, usd=[100, NAN, 100])
    with pytest.raises(DataError, match="must have a rate to USD on their day"):
        value(account((0, "AAA", 1, 100), flows=[(0, 500), (1, 10)]), quiet, currency="USD")


def test_fees_are_a_loss_of_the_asset() -> None:
    found = value(account((0, "A", 10, 10), fee=5.0), FLAT)
    assert found.flow_T[0] == pytest.approx(105)
    assert found.contribution_A == pytest.approx([16])


def test_without_events_there_is_nothing() -> None:
    for empty in (account(), account(flows=[]), account((9, "A", 1, 1))):
        found = value(empty, FLAT)
        assert len(found.days_T) == len(found.nav_T) == len(found.return_T) == 0
        assert found.gain == 0.0
        assert found.value_TA.shape == (0, len(found.asset_ids))


def test_everything_sold_and_bought_again_has_no_return_in_between() -> None:
    prices = market({"A": [10, 11, 12, 13, 14.3]})
    found = value(account((0, "A", 1, 10), (1, "A", -1, 11), (3, "A", 1, 13)), prices)
    assert [d.day for d in found.days_T.tolist()] == [1, 2, 4, 5]
    assert found.return_T[1:] == pytest.approx([0.1, 0.0, 0.1])
    late = value(account((0, "A", 1, 10), (1, "A", -1, 11), (3, "A", 1, 13)), prices, flow_timing="end")
    assert np.isnan(late.return_T[2])


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        ({"flow_timing": "noon"}, "must be 'start' or 'end'"),
        ({"max_stale_days": -1}, "0 or more"),
        ({"currency": "GBP"}, "must have rates"),
    ],
)
def test_a_wrong_argument_is_an_input_error(asked: dict[str, object], rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        value(account((0, "A", 1, 10)), FLAT, **asked)  # type: ignore[arg-type]


def test_a_market_without_the_asset_or_its_first_day_is_refused() -> None:
    with pytest.raises(InputError, match="every asset of the account"):
        value(account((0, "Z", 1, 10)), FLAT)
    with pytest.raises(InputError, match="no later than the account's first trade"):
        value(account((-1, "A", 1, 10)), FLAT)


def test_a_trade_without_a_rate_on_its_day_is_a_data_error() -> None:
    with pytest.raises(DataError, match="trades: must have a rate to RUB"):
        value(account((0, "A", 1, 10), paid_in="USD"), market({"A": [10, 10]}, usd=[NAN, 90]))


def test_a_market_of_no_days_values_nothing() -> None:
    none = Market(
        *(FLAT.days_T[:0], FLAT.asset_ids, FLAT.asset_class, FLAT.currency_A),
        *(x[:0] for x in (FLAT.close_TA, FLAT.fx_TA, FLAT.split_TA, FLAT.dividend_TA)),
        currency="RUB",
    )
    assert len(value(account((0, "A", 1, 10)), none).days_T) == 0
    assert date(2024, 1, 1) == START

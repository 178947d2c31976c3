"""An account as it was known on a day."""

from datetime import date

import polars as pl
import pytest

from nextbest.data.holdings.account import ACCOUNT_FLOWS, ACCOUNT_TRADES, Account


@pytest.fixture
def account():
    trades = pl.DataFrame(
        [
            ("a", "X", date(2024, 1, 3), 1.0, 10.0, 0.0, "RUB"),
            ("b", "X", date(2024, 3, 1), 2.0, 12.0, 0.0, "RUB"),
        ],
        schema=ACCOUNT_TRADES,
        orient="row",
    )
    flows = pl.DataFrame([(date(2024, 2, 1), 50.0, "RUB", None)], schema=ACCOUNT_FLOWS, orient="row")
    return Account("c", "RUB", trades, flows, has_flows=True)


def test_what_came_after_the_day_is_not_known_on_it(account):
    then = account.until(date(2024, 2, 1))
    assert then.trades["trade_id"].to_list() == ["a"]
    assert then.flows.height == 1
    assert then.has_flows
    assert account.trades.height == 2


def test_before_its_first_flow_an_account_recorded_no_cash(account):
    then = account.until(date(2024, 1, 31))
    assert not then.has_flows
    assert then.flows.height == 0

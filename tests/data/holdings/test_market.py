"""Long tables become arrays: nothing filled, days rolled, rates carried as long as they hold, gaps told."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from data.holdings.conftest import WEEKDAYS
from nextbest.data.holdings.book import Book
from nextbest.data.holdings.calendar import find_gaps
from nextbest.data.holdings.market import Gap
from nextbest.errors import DataError, InputError


def test_a_market_has_days_with_prices_and_nan_where_an_asset_has_none(book: Book) -> None:
    book.add("asset_prices", pl.DataFrame({"asset_id": "SILENT", "day": [date(2024, 1, 9)], "close": [5.0]}))
    market = book.market()
    assert market.asset_ids == ("DOLLAR", "ROUBLE", "SILENT")
    assert market.asset_class == ("equity", "equity", "bond")
    assert market.days_T.tolist() == WEEKDAYS.to_list()
    assert np.isnan(market.close_TA[:, 2]).sum() == len(WEEKDAYS) - 1
    assert market.close_TA[1].tolist() == [10.0, 100.0, 5.0]
    assert market.asset_index["SILENT"] == 2


def test_a_rate_holds_ten_days_and_no_longer(book: Book) -> None:
    fx = book.market(["DOLLAR"]).fx_TA[:, 0]
    last = date(2024, 1, 12)
    for day, rate in zip(WEEKDAYS, fx, strict=True):
        assert np.isnan(rate) == (day > last + timedelta(days=10))
        assert np.isnan(rate) or rate == 90.0


def test_another_currency_turns_all_rates(book: Book) -> None:
    market = book.market(currency="USD")
    assert market.currency == "USD"
    assert market.fx_TA[0].tolist() == [1.0, 1 / 90, 1 / 90]
    assert market.rates["RUB"][0] == 1 / 90
    with pytest.raises(InputError, match=r"one of \['RUB', 'USD'\]"):
        book.market(currency="GBP")


def test_a_split_and_a_dividend_of_a_sunday_count_on_monday(book: Book) -> None:
    sunday, monday = date(2024, 1, 14), 5
    book.add(
        "splits",
        pl.DataFrame({"asset_id": "ROUBLE", "day": [sunday, date(2024, 1, 13)], "ratio": [2.0, 3.0]}),
    )
    book.add(
        "dividends", pl.DataFrame({"asset_id": "ROUBLE", "day": sunday, "amount": 4.0, "currency": ["USD"]})
    )
    market = book.market(["ROUBLE"])
    assert market.split_TA[monday, 0] == 6.0
    assert market.split_TA.prod() == 6.0
    assert market.dividend_TA[monday, 0] == 360.0
    assert np.count_nonzero(market.dividend_TA) == 1


def test_a_window_holds_its_days_only(book: Book) -> None:
    book.add("splits", pl.DataFrame({"asset_id": "ROUBLE", "day": [date(2024, 1, 9)], "ratio": [2.0]}))
    market = book.market(["ROUBLE"], start=date(2024, 1, 10), end=date(2024, 1, 12))
    assert market.days_T.tolist() == [date(2024, 1, 10), date(2024, 1, 11), date(2024, 1, 12)]
    assert (market.split_TA == 1.0).all()
    with pytest.raises(DataError, match="no price of these assets"):
        book.market(["SILENT"])


def test_a_dividend_without_a_rate_on_its_day_is_named(book: Book) -> None:
    book.add("fx", pl.DataFrame({"currency": "EUR", "day": [date(2024, 1, 8)], "rate": [100.0]}))
    book.add(
        "dividends",
        pl.DataFrame({"asset_id": "ROUBLE", "day": [date(2024, 1, 9)], "amount": [1.0], "currency": ["EUR"]}),
    )
    assert book.market().dividend_TA.sum() == 100.0
    with pytest.raises(DataError, match="'ROUBLE'"):
        _without_rates(book)


def _without_rates(book: Book) -> None:
    book.connection().execute("DELETE FROM fx WHERE currency = 'EUR'")
    book.market()


def _closes(days: list[date]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(days, dtype="datetime64[D]"), np.ones((len(days), 2))


def test_weekends_and_new_year_are_no_gap_and_a_closed_exchange_is() -> None:
    weekend = [date(2024, 1, 5), date(2024, 1, 8)]
    new_year = [date(2023, 12, 29), date(2024, 1, 6)]
    closed = [date(2022, 2, 25), date(2022, 3, 24)]
    assert find_gaps(*_closes(weekend)) == ()
    assert find_gaps(*_closes(new_year)) == ()
    assert find_gaps(*_closes(closed)) == (Gap(closed[0], closed[1], 27),)


def test_a_central_banks_price_does_not_open_the_exchange() -> None:
    days = [date(2022, 2, 25) + timedelta(days=i) for i in range(28)]
    close = np.full((28, 21), np.nan)
    close[[0, 27]] = 1.0
    close[:, 0] = 1.0
    assert find_gaps(np.array(days, dtype="datetime64[D]"), close) == (Gap(days[0], days[27], 27),)

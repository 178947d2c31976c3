"""Figures of a period: returns link to those of the whole life, days count from the last one valued."""

from datetime import date, timedelta

import numpy as np
import pytest

from nextbest.data.holdings.book import Book
from nextbest.errors import InputError
from nextbest.portfolio.metrics_document import metrics_document
from nextbest.portfolio.period_document import FIGURES, period_document
from nextbest.portfolio.worth import worth_of
from portfolio.investor_books import CLIENT, NOW, workspace

LAST = NOW.date()


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    with Book.open(workspace(tmp_path_factory.mktemp("store")) / "portfolio") as book:
        yield book


def value(document, name):
    return document["figures"][name]["value"]


def test_the_whole_life_has_the_figures_of_the_whole_document(book) -> None:
    whole = metrics_document(book, CLIENT)
    found = period_document(book, CLIENT, start=date(1990, 1, 1), end=LAST)
    assert found["period"] == whole["period"]
    assert set(found["figures"]) == set(FIGURES)
    for name in ("twr", "volatility_ann", "max_drawdown", "sharpe"):
        assert value(found, name) == pytest.approx(value(whole, name))


def test_a_months_return_is_that_of_its_days(book) -> None:
    worth, _ = worth_of(book, CLIENT)
    inside = (worth.days_T >= np.datetime64("2021-03-01")) & (worth.days_T <= np.datetime64("2021-03-31"))
    by_hand = np.prod(1 + np.nan_to_num(worth.return_T[inside])) - 1
    found = period_document(book, CLIENT, start=date(2021, 3, 1), end=date(2021, 3, 31))
    assert value(found, "twr") == pytest.approx(by_hand)
    assert found["tables"]["worth"]["end"]["value"] == pytest.approx(worth.nav_T[inside][-1])
    assert found["period"]["start"] < "2021-03-01"
    assert found["disclaimer"]


def test_days_count_back_from_the_last_one_valued(book) -> None:
    far = period_document(book, CLIENT, end=date(2030, 1, 1), n_days=30)
    near = period_document(book, CLIENT, start=LAST - timedelta(29), end=LAST)
    assert far["period"] == near["period"]
    assert value(far, "twr") == value(near, "twr")


@pytest.mark.parametrize(
    "asked",
    [
        {"start": date(2000, 1, 1), "end": date(2000, 12, 31)},
        {"start": date(2040, 1, 1), "end": date(2041, 1, 1)},
        {"end": LAST},
        {"end": LAST, "start": LAST, "n_days": 3},
    ],
)
def test_a_period_without_days_and_an_unclear_one_are_refused(book, asked) -> None:
    with pytest.raises(InputError):
        period_document(book, CLIENT, **asked)


def test_an_unknown_client_is_told(book) -> None:
    with pytest.raises(InputError, match="client"):
        period_document(book, "nobody", end=LAST, n_days=30)

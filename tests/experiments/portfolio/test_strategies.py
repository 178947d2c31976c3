"""The back-test of strategies: what it holds is what the valuation says, and no strategy sees what comes after."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from nextbest.data.holdings.book import Book
from nextbest.data.holdings.market import Market
from nextbest.errors import DataError, InputError
from nextbest.experiments.portfolio.client_months import growth_between, month_ends
from nextbest.experiments.portfolio.strategies import STRATEGIES, BacktestConfig, compare_strategies
from nextbest.portfolio.valuation import value
from nextbest.simulate.portfolios.books import simulate_book

CUTOFFS = (date(2020, 6, 30), date(2020, 12, 31))


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    folder = tmp_path_factory.mktemp("book")
    simulate_book(folder, scale=90, rng=4)
    with Book.open(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def config(book: Book) -> BacktestConfig:
    return BacktestConfig(cutoffs=CUTOFFS, n_clients=20, n_paths=100, benchmark=book.benchmarks()[0])


class Changed:
    """A book whose prices after a day are others."""

    def __init__(self, book: Book, after: date) -> None:
        self._book, self._after = book, after

    def __getattr__(self, name: str):
        return getattr(self._book, name)

    def market(self) -> Market:
        market = self._book.market()
        factor = np.where(market.days_T > np.datetime64(self._after), 3.0, 1.0)[:, None]
        return replace(market, close_TA=market.close_TA * factor)


def test_worth_at_the_end_of_a_month_is_that_of_the_valuation(book):
    market = book.market()
    clients = book.investors()["client_id"].to_list()
    for end in month_ends(book, market):
        if str(end.month) == "2020-06":
            break
    checked = 0
    for n in (0, 7, 30, 55):
        valued = value(book.account(clients[n]), market)
        at = int(np.searchsorted(valued.days_T.astype("datetime64[M]"), end.month, side="right")) - 1
        if at < 0:
            continue
        assert end.value_NA[n].sum() == pytest.approx(valued.value_TA[at].sum(), rel=1e-6)
        checked += valued.value_TA[at].sum() > 0
    assert checked >= 2


def test_no_strategy_sees_prices_after_its_cutoff(book, config):
    one = replace_cutoffs(config, CUTOFFS[:1])
    true, other = (compare_strategies(b, config=one, rng=0) for b in (book, Changed(book, CUTOFFS[0])))
    assert true.windows[0]["weights"] == other.windows[0]["weights"]
    assert true.windows[0]["roi_model"] < other.windows[0]["roi_model"]  # but they are judged by them


def replace_cutoffs(config: BacktestConfig, cutoffs: tuple[date, ...]) -> BacktestConfig:
    return config.model_copy(update={"cutoffs": cutoffs})


def test_every_strategy_is_measured_on_the_same_clients_and_what_is_proposed_suits(book, config):
    found = compare_strategies(book, config=config, rng=1)
    assert set(found.roi) == set(found.probability) == set(STRATEGIES)
    assert len({interval.n for interval in found.roi.values()}) == 1
    assert len(found.windows) == 2
    assert found.suits["model"] == 1.0
    assert 0 <= found.suits["own"] < 1
    for row in found.windows:
        for weights in row["weights"].values():
            assert sum(weights.values()) == pytest.approx(1, abs=1e-4)
    for other, (roi, odds) in found.difference.items():
        assert roi.difference == pytest.approx(found.roi["peers"].value - found.roi[other].value)
        assert odds.difference == pytest.approx(
            found.probability["peers"].value - found.probability[other].value
        )
    again = compare_strategies(book, config=config, rng=1)
    assert again.roi == found.roi


def test_growth_over_a_closed_month_is_bridged_with_splits_and_dividends():
    days = np.array(["2024-01-31", "2024-02-01", "2024-04-30"], "datetime64[D]")
    close = np.array([[100.0, np.nan], [np.nan, 5.0], [60.0, 6.0]])
    split, dividend = np.ones((3, 2)), np.zeros((3, 2))
    split[1, 0], dividend[2, 0] = 2.0, 10.0
    market = Market(
        days, ("A", "B"), ("equity", "bond"), ("RUB", "RUB"), close, np.ones((3, 2)), split, dividend
    )
    found = growth_between(market, np.datetime64("2024-01"), np.datetime64("2024-04"))
    assert found[0] == pytest.approx((60 * 2 + 10 * 2) / 100)
    assert np.isnan(found[1])


def test_wrong_cutoffs_and_classes_are_refused(book, config):
    with pytest.raises(InputError, match="last days of months"):
        compare_strategies(book, config=replace_cutoffs(config, (date(2020, 6, 29),)), rng=0)
    with pytest.raises(InputError, match="outside the months"):
        compare_strategies(book, config=replace_cutoffs(config, (date(2030, 6, 30),)), rng=0)
    with pytest.raises(InputError, match="months with prices after"):
        compare_strategies(book, config=replace_cutoffs(config, (date(2021, 9, 30),)), rng=0)
    with pytest.raises(DataError, match="no class 'vault'"):
        compare_strategies(book, config=config.model_copy(update={"safe_class": "vault"}), rng=0)

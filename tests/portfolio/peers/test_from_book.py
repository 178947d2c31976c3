"""The tables of the peers hold what was known on their day, and nothing later."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextbest.data.holdings.book import Book
from nextbest.errors import InputError
from nextbest.portfolio.metrics.catalogue import measure_returns
from nextbest.portfolio.peers import from_book
from nextbest.portfolio.peers.from_book import current_goal, peer_tables, profile_of
from nextbest.portfolio.peers.index import PeerIndex

START = date(2024, 1, 1)
ANN = {
    "birth_year": 1980,
    "risk_tolerance": 3,
    "risk_capacity": 4,
    "knowledge": 2,
    "currency": "RUB",
    "profiled_at": START,
    "income": 100.0,
    "monthly_contribution": 10.0,
    "liquidity_need": 0.2,
}
GOAL = {"goal_type": "home", "target_amount": 5000.0, "currency": "RUB", "horizon_years": 2.0}


def day(n: int) -> date:
    return START + timedelta(days=n)


def table(names: str, *rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=names.split(), orient="row", infer_schema_length=None)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory):
    with Book.create(tmp_path_factory.mktemp("peers"), base_currency="RUB") as made:
        made.add(
            "assets",
            table(
                "asset_id title asset_class currency", ("A", "A", "equity", "RUB"), ("B", "B", "bond", "RUB")
            ),
        )
        prices = [(a, day(n), 100.0 + (n if a == "A" else 0)) for a in "AB" for n in range(50)]
        made.add("asset_prices", table("asset_id day close", *prices))
        columns = "client_id currency birth_year risk_tolerance risk_capacity knowledge profiled_at income"
        people = [("ann", 0), ("bob", 0), ("cat", 0), ("late", 45)]
        made.add("investors", table(columns, *((c, "RUB", 1980, 3, 4, 2, day(n), 100.0) for c, n in people)))
        goal = "client_id goal_id goal_type target_amount currency horizon_years monthly_contribution"
        made.add(
            "goals",
            table(
                goal,
                ("ann", "g2", "x", 1.0, "RUB", 1.0, 1.0),
                ("ann", "g1", "home", 6900.0, "RUB", 2.0, 25.0),
            ),
        )
        trade = "trade_id client_id asset_id day quantity price fee currency"
        rows = [
            ("1", "ann", "A", day(0), 10.0, 100.0, 0.0, "RUB"),
            ("2", "ann", "B", day(0), 10.0, 100.0, 0.0, "RUB"),
            ("3", "bob", "A", day(39), 1.0, 139.0, 0.0, "RUB"),
            ("4", "ann", "A", day(45), 99.0, 145.0, 0.0, "RUB"),
            ("5", "late", "A", day(1), 1.0, 101.0, 0.0, "RUB"),
        ]
        made.add("trades", table(trade, *rows))
        yield made


def test_profiles_allocations_and_results_are_those_of_the_day(book: Book) -> None:
    tables = peer_tables(book, as_of=day(40), since=day(5))
    assert tables.profiles["client_id"].to_list() == ["ann", "bob"]
    ann = tables.profiles.row(0, named=True)
    assert ann["wealth"] == 2400.0
    assert ann["target_ratio"] == pytest.approx(6900 / 2400)
    assert (ann["goal_type"], ann["contribution_rate"], ann["age_years"]) == ("home", 0.25, 44)
    assert ann["horizon_years"] == pytest.approx(2 - 40 / 365.25)
    weights = tables.allocations.filter(pl.col("client_id") == "ann").select("asset_class", "weight").rows()
    assert weights == [("bond", pytest.approx(1000 / 2400)), ("equity", pytest.approx(1400 / 2400))]
    result = tables.outcomes.row(0, named=True)
    assert result["twr"] == pytest.approx(2400 / 2050 - 1)
    assert (result["n_returns"], result["max_drawdown"]) == (35, 0.0)


def test_a_client_who_came_late_in_the_window_has_a_portfolio_but_no_result(book: Book) -> None:
    tables = peer_tables(book, as_of=day(40), since=day(5))
    assert tables.outcomes.row(1)[1:] == (None, None, None, 0)
    assert tables.allocations.filter(pl.col("client_id") == "bob")["weight"].to_list() == [1.0]


def test_nothing_of_later_days_changes_the_tables(book: Book, tmp_path: Path) -> None:
    before = peer_tables(book, as_of=day(40), since=day(5))
    assert "late" not in before.profiles["client_id"].to_list()
    assert "late" in peer_tables(book, as_of=day(46)).profiles["client_id"].to_list()
    assert before.allocations.filter(pl.col("asset_class") == "equity")["weight"][0] == pytest.approx(
        1400 / 2400
    )


def test_the_tables_fit_an_index(book: Book) -> None:
    tables = peer_tables(book, as_of=day(40))
    index = PeerIndex.fit(tables.profiles, tables.allocations, tables.outcomes, as_of=tables.as_of)
    assert (len(index), index.as_of) == (2, day(40))


def test_what_is_not_known_of_a_client_is_none() -> None:
    bare = {**ANN, "income": None, "monthly_contribution": None, "liquidity_need": None}
    found = profile_of(bare, None, wealth=None, as_of=day(0))
    unknown = {name for name, value in found.items() if value is None}
    assert unknown == {
        "goal_type", "horizon_years", "target_ratio", "contribution_rate", "liquidity_need", "income", "wealth"
    }  # fmt: skip
    other = profile_of(ANN, {**GOAL, "currency": "USD"}, wealth=100.0, as_of=day(0))
    assert (other["target_ratio"], other["contribution_rate"]) == (None, 0.1)
    assert profile_of(ANN, GOAL, wealth=100.0, as_of=day(800))["horizon_years"] is None


def test_a_window_that_does_not_begin_before_its_end_is_refused(book: Book) -> None:
    with pytest.raises(InputError, match="since: must be before as_of"):
        peer_tables(book, as_of=day(5), since=day(5))


@pytest.mark.parametrize("at_a_time", [2, 2_000])
def test_results_of_many_clients_at_once_are_those_of_the_catalogue(
    at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(4)
    windows: list[tuple[np.ndarray, np.ndarray] | None] = [None, (np.empty(0), np.empty(0, bool))]
    windows += [(rng.normal(0.001, 0.02, n), np.arange(n) != n // 2) for n in (1, 2, 40, 250)]
    windows += [(np.full(30, 0.01), np.ones(30, bool)), (np.array([-1.2, 0.1]), np.ones(2, bool))]
    monkeypatch.setattr(from_book, "_AT_A_TIME", at_a_time)
    found = from_book._results(windows)
    assert found[:2] == [(None, None, None, 0)] * 2
    names = ("twr", "max_drawdown", "sharpe")
    for (returns, regular), result in zip(windows[2:], found[2:], strict=True):
        made = measure_returns(returns, periods_per_year=252.0, regular_T=regular, names=names)
        n = int(regular.sum())
        expected = [made[name].value if n else None for name in names]
        assert result == (*(v if v is None else pytest.approx(v, rel=1e-12) for v in expected), n)


def test_the_goal_that_counts_is_the_first_whose_time_is_not_over() -> None:
    goals = [{**GOAL, "goal_id": "g1"}, {**GOAL, "goal_id": "g2", "horizon_years": 9.0}]
    assert current_goal(ANN, goals, as_of=day(100)) is goals[0]
    assert current_goal(ANN, goals, as_of=day(800)) is goals[1]
    assert current_goal(ANN, goals, as_of=day(9000)) is goals[0]  # all are over: still what the client wanted
    assert current_goal(ANN, [], as_of=day(0)) is None

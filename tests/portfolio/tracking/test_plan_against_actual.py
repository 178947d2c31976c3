"""A client with a plan: drift, path, odds, alerts with their days, and the document that tells of them."""

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from nextbest.data.holdings.book import Book
from nextbest.errors import DataError, InputError
from nextbest.portfolio.tracking.alerts import AlertLimits, Limit
from nextbest.portfolio.tracking.document import tracked_figures, tracking_document
from nextbest.portfolio.tracking.plans import PlanRecord, save_plan
from nextbest.portfolio.tracking.tracker import TrackingConfig, track
from portfolio.tracking.toy_books import day, plain_book, table

#        0    1    2    3    4    5    6    7    8
EQUITY = [100, 110, 120, 95, 98, 95, 110, 125, 126]
BONDS = [100.0] * 9
PLAN = PlanRecord(
    created=day(0),
    currency="RUB",
    allocation={"bonds": 0.5, "equity": 0.5},
    goal_id="home",
    target_amount=3000.0,
    n_months=1,
    probability=0.7,
    quantiles_MQ=((2000.0,) * 5, (1975.0, 2100, 2200, 2300, 2400)),
)
CONFIG = TrackingConfig(limits=AlertLimits(drawdown=Limit(opens_at=0.10, closes_at=0.05)))


class Scripted:
    """Odds that fall with every question."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, int]] = []

    def probability(self, plan: PlanRecord, *, wealth: float, months_left: int, months_gone: float) -> float:
        self.asked.append((wealth, months_left))
        return 0.4


@pytest.fixture
def book(tmp_path: Path):
    with plain_book(tmp_path, {"AAA": [float(c) for c in EQUITY], "BBB": BONDS}, "ann", "bob") as opened:
        columns = "trade_id client_id asset_id day quantity price fee currency"
        rows = [
            (f"{client}{asset}", client, asset, day(0), 10.0, 100.0, 0.0, "RUB")
            for client in ("ann", "bob")
            for asset in ("AAA", "BBB")
        ]
        opened.add("trades", table(columns, *rows))
        save_plan(opened, "ann", PLAN)
        yield opened


def alerts(book: Book, client_idx: int = 0) -> list[tuple[str, date, date | None]]:
    rows = book.connection().execute(
        "SELECT kind, opened, closed FROM tracking_alerts WHERE client_idx = ? ORDER BY opened, kind",
        [client_idx],
    )
    return rows.fetchall()


def test_drift_is_the_largest_distance_from_the_plan_and_null_without_one(book: Book) -> None:
    track(book, day(2), config=CONFIG)
    rows = (
        book.connection()
        .execute("SELECT client_idx, drift FROM tracking_history ORDER BY day, client_idx")
        .fetchall()
    )
    expected = [0, 110 / 210 - 0.5, 120 / 220 - 0.5]
    assert [r[1] for r in rows if r[0] == 0] == pytest.approx(expected)
    assert [r[1] for r in rows if r[0] == 1] == [None] * 3


def test_alerts_open_and_close_on_their_days_and_do_not_flap(book: Book) -> None:
    """Worth 2000 2100 2200 1950 1980 1950 2100 2250 2260: a fall of 11 % that is made good on day 6."""
    report = track(book, day(8), config=CONFIG)
    fallen = [row for row in alerts(book) if row[0] == "drawdown"]
    assert fallen == [("drawdown", day(3), day(6))]
    assert alerts(book, 1) == fallen
    below = [row for row in alerts(book) if row[0] == "below_plan"]
    assert below == [("below_plan", day(3), day(6))]
    drifted = [row for row in alerts(book) if row[0] == "drift"]
    assert drifted == [("drift", day(7), None)]
    assert (report.opened, report.closed) == (4, 3)


def test_alerts_are_the_same_day_by_day(book: Book) -> None:
    for n in range(9):
        track(book, day(n), config=CONFIG)
    assert [(kind, opened, closed) for kind, opened, closed in alerts(book)] == [
        ("below_plan", day(3), day(6)),
        ("drawdown", day(3), day(6)),
        ("drift", day(7), None),
    ]


def test_the_worst_value_of_an_alert_is_kept(book: Book) -> None:
    track(book, day(8), config=CONFIG)
    rows = book.connection().execute(
        "SELECT opened_value, worst_value FROM tracking_alerts WHERE kind = 'drawdown' AND client_idx = 0"
    )
    assert rows.fetchall()[0] == pytest.approx((1 - 1950 / 2200, 1 - 1950 / 2200))


def test_a_correction_keeps_what_was_opened_before_it(book: Book) -> None:
    track(book, day(8), config=CONFIG)
    book.add("asset_prices", table("asset_id day close", ("AAA", day(6), 96.0)), replace=True)
    track(book, day(8), config=CONFIG)
    assert ("drawdown", day(3), day(7)) in alerts(book)
    assert ("drift", day(7), None) in alerts(book)
    book.add("asset_prices", table("asset_id day close", ("AAA", day(3), 119.0)), replace=True)
    track(book, day(8), config=CONFIG)
    assert not any(opened == day(3) for _, opened, _ in alerts(book))


def test_odds_are_asked_for_once_a_month_of_clients_with_a_plan(book: Book) -> None:
    odds = Scripted()
    track(book, day(4), config=CONFIG, odds=odds)
    track(book, day(8), config=CONFIG, odds=odds)
    assert odds.asked == [(2000.0, 1)]
    assert ("goal_probability", day(0), None) in alerts(book)


def test_after_its_end_a_goal_is_reached_or_not(book: Book) -> None:
    save_plan(book, "ann", PLAN.model_copy(update={"created": date(2023, 11, 1), "target_amount": 1999.0}))
    save_plan(book, "bob", PLAN.model_copy(update={"created": date(2023, 11, 1), "target_amount": 2001.0}))
    odds = Scripted()
    book.connection().execute("DELETE FROM tracking_plans WHERE created = ?", [day(0)])
    track(book, day(0), config=CONFIG, odds=odds)
    rows = (
        book.connection().execute("SELECT probability FROM tracking_history ORDER BY client_idx").fetchall()
    )
    assert rows == [(1.0,), (0.0,)]
    assert odds.asked == []


def test_a_later_plan_takes_over_on_its_day(book: Book) -> None:
    save_plan(book, "ann", PLAN.model_copy(update={"created": day(2), "allocation": {"equity": 1.0}}))
    track(book, day(2), config=CONFIG)
    rows = (
        book.connection()
        .execute("SELECT drift FROM tracking_history WHERE client_idx = 0 ORDER BY day")
        .fetchall()
    )
    assert rows[1][0] == pytest.approx(110 / 210 - 0.5)
    assert rows[2][0] == pytest.approx(100 / 220)


def test_the_document_says_all_of_it_as_json(book: Book) -> None:
    track(book, day(8), config=CONFIG, odds=Scripted())
    document = tracking_document(book, "ann")
    assert json.loads(json.dumps(document)) == document
    assert (document["kind"], document["as_of"], document["currency"]) == ("tracking", "2024-01-09", "RUB")
    assert document["figures"]["twr"]["value"] == pytest.approx(0.13)
    assert document["figures"]["max_drawdown"]["value"] == pytest.approx(1950 / 2200 - 1)
    plan = {row["asset_class"]: row for row in document["tables"]["plan"]}
    assert plan["equity"]["actual"] == pytest.approx(126 / 226)
    assert plan["bonds"]["drift"] == pytest.approx(100 / 226 - 0.5)
    path = document["tables"]["path"]
    assert (path["actual"], path["probability_now"], path["probability_then"]) == (2260.0, 0.4, 0.7)
    assert path["expected"]["q05"] == pytest.approx(2000 - 25 * 8 / (365.25 / 12))
    assert len(document["tables"]["history"]) == 9
    assert set(document["charts"]) == {"growth", "underwater", "allocation", "path"}
    assert len(document["texts"]["en"]) == len(document["texts"]["ru"]) == 2
    assert document["disclaimer"]["ru"].startswith("Не является")


def test_the_document_of_a_client_without_anything_is_empty_and_valid(book: Book) -> None:
    book.add(
        "investors",
        pl.DataFrame({"client_id": ["new"]}).with_columns(
            currency=pl.lit("RUB"),
            birth_year=1990,
            risk_tolerance=1,
            risk_capacity=1,
            knowledge=1,
            profiled_at=day(0),
        ),
    )
    track(book, day(3), config=CONFIG)
    document = tracking_document(book, "new")
    assert (document["as_of"], document["tables"]["history"], document["charts"]) == (None, [], {})
    assert document["figures"]["twr"] == {**document["figures"]["twr"], "value": None, "reason": "no_data"}
    assert document["texts"]["en"] == ["Nothing has been tracked yet."]
    calm = tracking_document(book, "bob")
    assert "plan" not in calm["tables"]


def test_latest_figures_of_all_clients_come_from_the_running_state(book: Book) -> None:
    track(book, day(8), config=CONFIG)
    rows = tracked_figures(book)
    assert rows["client_id"].to_list() == ["ann", "bob"]
    assert rows["twr"].to_list() == pytest.approx([0.13, 0.13])
    assert rows["max_drawdown"].to_list() == pytest.approx([1950 / 2200 - 1] * 2)
    assert rows["n"].to_list() == [8.0, 8.0]
    assert rows["volatility_ann"][0] > 0


def test_wrong_calls_are_refused(book: Book, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be an investor of the book; got 'eve'"):
        save_plan(book, "eve", PLAN)
    with pytest.raises(InputError, match="in the client's currency RUB; got 'USD'"):
        save_plan(book, "ann", PLAN.model_copy(update={"currency": "USD"}))
    with pytest.raises(InputError, match="must be an investor"):
        tracking_document(book, "eve")
    book.connection().execute("UPDATE tracking_plans SET body = '{}'")
    with pytest.raises(DataError, match="can't be read"):
        track(book, day(3))
    with (
        plain_book(tmp_path / "other", {"AAA": [1.0]}, "ann") as fresh,
        pytest.raises(InputError, match="never tracked"),
    ):
        tracking_document(fresh, "ann")


def test_a_document_of_an_earlier_day_knows_nothing_of_the_days_after_it(book: Book) -> None:
    track(book, day(3), config=CONFIG, odds=Scripted())
    then = tracking_document(book, "ann")
    track(book, day(8), config=CONFIG, odds=Scripted())
    again = tracking_document(book, "ann", until=day(3))
    assert (again["as_of"], again["figures"]) == (then["as_of"], then["figures"])
    assert again["tables"]["history"] == then["tables"]["history"]
    assert again["tables"]["path"] == then["tables"]["path"]
    assert "plan" in then["tables"]
    assert "plan" not in again["tables"]  # what was held that day isn't kept
    for row in again["tables"]["alerts"]:
        assert row["closed"] is None or row["closed"] <= "2024-01-04"
    assert tracking_document(book, "ann", until=day(-1))["as_of"] is None

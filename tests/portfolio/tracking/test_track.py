"""Tracking day by day is the valuation of the whole history, however the days and corrections come."""

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nextbest.data.holdings.book import Book
from nextbest.errors import DataError, InputError
from nextbest.portfolio.metrics.running import Running
from nextbest.portfolio.tracking.tables import CLIENT_COLUMNS, RUNNING
from nextbest.portfolio.tracking.tracker import TrackReport, track
from nextbest.portfolio.valuation import value
from portfolio.tracking.toy_books import day, plain_book, random_book, table

TABLES = ("days", "clients", "holdings", "history", "alerts", "seen_events", "seen_prices")
LAST = day(44)


def content(book: Book) -> dict[str, pl.DataFrame]:
    """All of tracking's tables, sorted."""
    found = {}
    for name in TABLES:
        rows = pl.DataFrame(pl.from_arrow(book.connection().sql(f"FROM tracking_{name}").to_arrow_table()))
        if "digest" in rows.columns:
            rows = rows.with_columns(pl.col("digest").cast(pl.Float64))
        found[name] = rows.sort(
            [c for c in ("client_idx", "asset_idx", "kind", "day", "opened") if c in rows.columns]
        )
    return found


def assert_same(a: dict[str, pl.DataFrame], b: dict[str, pl.DataFrame]) -> None:
    for name in TABLES:
        assert_frame_equal(a[name], b[name], rel_tol=1e-9, abs_tol=1e-12)


def assert_valued(book: Book) -> None:
    """The history is what `value` says of every client."""
    history = content(book)["history"]
    ids = dict(book.connection().execute("SELECT client_id, client_idx FROM investors").fetchall())
    n_returns = 0
    markets = {currency: book.market(currency=currency) for currency in ("RUB", "USD")}
    for account in book.accounts():
        whole = value(account, markets[account.currency])
        mine = history.filter(pl.col("client_idx") == ids[account.client_id])
        assert mine["day"].to_list() == whole.days_T.tolist()
        np.testing.assert_allclose(mine["nav"].to_numpy(), whole.nav_T, rtol=1e-9, atol=1e-6)
        np.testing.assert_allclose(mine["flow"].to_numpy(), whole.flow_T, rtol=1e-9, atol=1e-6)
        returns = mine["return"].fill_null(np.nan).to_numpy()
        np.testing.assert_allclose(returns, whole.return_T, rtol=1e-9, atol=1e-12)
        some = np.isfinite(returns)
        assert mine["regular"].to_numpy()[some].tolist() == whole.regular_T[some].tolist()
        grown = np.cumprod(1 + np.nan_to_num(whole.return_T))
        np.testing.assert_allclose(mine["twr"].to_numpy(), grown - 1, rtol=1e-9, atol=1e-12)
        n_returns += int(np.isfinite(returns).sum())
    assert n_returns > 0


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Random books by seed, not tracked yet, to be copied."""
    folders = {}
    for seed in range(4):
        folders[seed] = tmp_path_factory.mktemp(f"book{seed}")
        random_book(folders[seed], seed).close()
    return folders


def copied(raw: dict[int, Path], seed: int, to: Path) -> Book:
    to.mkdir(exist_ok=True)
    shutil.copy(raw[seed] / "book.duckdb", to / "book.duckdb")
    book = Book.open(to, read_only=False)
    book.connection().execute("SET threads = 1")  # a few rows: threads cost more than they bring
    return book


@pytest.mark.parametrize("seed", range(4))
def test_day_by_day_is_the_valuation_of_the_whole_history(raw, seed: int, tmp_path: Path) -> None:
    with copied(raw, seed, tmp_path) as book:
        for n in range(45):
            track(book, day(n))
        assert_valued(book)


def test_days_that_were_missed_are_caught_up(raw, tmp_path: Path) -> None:
    with copied(raw, 0, tmp_path / "a") as daily, copied(raw, 0, tmp_path / "b") as rare:
        for n in range(6, 45, 12):
            track(daily, day(n))
        track(daily, LAST)
        for n in (3, 17, 44):
            report = track(rare, day(n))
        assert_same(content(daily), content(rare))
        assert report.days[-1] <= LAST


def test_the_same_day_twice_changes_nothing(raw, tmp_path: Path) -> None:
    with copied(raw, 1, tmp_path) as book:
        track(book, LAST)
        before = content(book)
        again = track(book, LAST)
        earlier = track(book, day(7))
        assert again == earlier == TrackReport((), 5, 0, 0, 0)
        assert_same(before, content(book))


def test_moments_are_those_of_the_regular_returns(raw, tmp_path: Path) -> None:
    with copied(raw, 2, tmp_path) as book:
        track(book, LAST)
        state = content(book)["clients"]
        for account in book.accounts(["c0", "c2"]):
            whole = value(account, book.market(currency=account.currency))
            running = Running(1, periods_per_year=252)
            for r, regular in zip(whole.return_T, whole.regular_T, strict=True):
                if regular and np.isfinite(r):
                    running.update(np.array([r]))
            place = 0 if account.client_id == "c0" else 2
            for name in RUNNING:
                assert state[f"running_{name}"][place] == pytest.approx(
                    running.state()[name][0], rel=1e-9, nan_ok=True
                )
        assert set(state.columns) == set(CLIENT_COLUMNS)


LATE = table(
    "trade_id client_id asset_id day quantity price fee currency",
    ("late", "c1", "AAA", day(15), 5.0, 11.0, 0.0, "RUB"),
)


def test_a_late_trade_computes_that_client_again_from_its_day(raw, tmp_path: Path) -> None:
    with copied(raw, 0, tmp_path / "a") as book, copied(raw, 0, tmp_path / "b") as whole:
        track(book, LAST)
        before = content(book)["history"]
        book.add("trades", LATE)
        report = track(book, LAST)
        assert report.recomputed == {"c1": day(15)}
        assert_valued(book)
        after = content(book)["history"]
        same = (pl.col("client_idx") != 1) | (pl.col("day") < day(15))
        assert_frame_equal(before.filter(same), after.filter(same), check_exact=True)
        whole.add("trades", LATE)
        track(whole, LAST)
        assert_same(content(book), content(whole))
        assert track(book, LAST).recomputed == {}


def test_a_corrected_trade_is_noticed(raw, tmp_path: Path) -> None:
    with copied(raw, 0, tmp_path) as book:
        book.add("trades", LATE)
        track(book, LAST)
        book.add("trades", LATE.with_columns(price=pl.lit(12.0)), replace=True)
        assert track(book, LAST).recomputed == {"c1": day(15)}
        assert_valued(book)


def test_a_corrected_price_computes_everybody_again_from_its_day(raw, tmp_path: Path) -> None:
    with copied(raw, 0, tmp_path) as book:
        track(book, LAST)
        book.add("asset_prices", table("asset_id day close", ("DDD", day(15), 123.0)), replace=True)
        report = track(book, LAST)
        assert set(report.recomputed.values()) == {day(15)}
        assert len(report.recomputed) == 5
        assert_valued(book)


def test_a_price_on_a_day_that_had_none_becomes_a_day(raw, tmp_path: Path) -> None:
    with copied(raw, 0, tmp_path) as book:
        track(book, LAST)
        book.add("asset_prices", table("asset_id day close", ("AAA", day(6), 99.0)))
        track(book, LAST)
        assert day(6) in content(book)["days"]["day"].to_list()
        assert_valued(book)


def test_cash_recorded_for_the_first_time_changes_the_account_from_its_first_day(raw, tmp_path: Path) -> None:
    with copied(raw, 0, tmp_path) as book:
        track(book, day(30))
        money = ("c0", day(33), 100.0, "RUB", None)
        book.add("cash_flows", table("client_id day amount currency kind", money))
        assert "c0" in track(book, LAST).recomputed
        assert_valued(book)


def test_dividends_recorded_for_the_first_time_leave_those_of_the_market_out(raw, tmp_path: Path) -> None:
    with copied(raw, 0, tmp_path) as book:
        track(book, day(30))
        paid = ("c2", day(33), 100.0, "RUB", "dividend")
        book.add("cash_flows", table("client_id day amount currency kind", paid))
        assert "c2" in track(book, LAST).recomputed
        assert_valued(book)


def test_a_client_and_an_asset_that_come_later_are_tracked(raw, tmp_path: Path) -> None:
    with copied(raw, 3, tmp_path) as book:
        track(book, day(25))
        new = table(
            "client_id currency birth_year risk_tolerance risk_capacity knowledge profiled_at",
            ("zoe", "RUB", 1990, 2, 2, 2, day(0)),
        )
        book.add("investors", new)
        book.add("assets", table("asset_id title asset_class currency", ("ABC", "x", "cash", "RUB")))
        book.add(
            "asset_prices", table("asset_id day close", *(("ABC", day(n), 50.0 + n) for n in range(33, 45)))
        )
        columns = "trade_id client_id asset_id day quantity price fee currency"
        book.add("trades", table(columns, ("z", "zoe", "ABC", day(34), 5.0, 84.0, 0.0, "RUB")))
        track(book, LAST)
        assert_valued(book)


def test_a_trade_after_the_last_price_waits_for_the_next(tmp_path: Path) -> None:
    columns = "trade_id client_id asset_id day quantity price fee currency"
    with plain_book(tmp_path, {"AAA": [100.0, 101.0, 102.0]}, "ann") as book:
        book.add("trades", table(columns, ("a", "ann", "AAA", day(1), 1.0, 101.0, 0.0, "RUB")))
        book.add("trades", table(columns, ("b", "ann", "AAA", day(4), 1.0, 103.0, 0.0, "RUB")))
        track(book, day(4))
        book.add("asset_prices", table("asset_id day close", ("AAA", day(5), 104.0)))
        assert track(book, day(5)).recomputed == {}
        assert content(book)["history"]["nav"].to_list() == [101.0, 102.0, 208.0]
        assert_valued(book)


def test_a_day_that_fails_leaves_the_book_as_it_was(
    raw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nextbest.portfolio.tracking import tracker

    with copied(raw, 0, tmp_path / "a") as book, copied(raw, 0, tmp_path / "b") as whole:
        track(book, day(10))
        before = content(book)

        def broken(*_: object) -> None:
            raise DataError("disk", "is full")

        with monkeypatch.context() as patch:
            patch.setattr(tracker, "remember_seen", broken)
            with pytest.raises(DataError, match="is full"):
                track(book, day(14))
        assert_same(before, content(book))
        track(book, LAST)
        track(whole, LAST)
        assert_same(content(book), content(whole))


def test_what_stood_in_while_the_exchange_was_closed_is_taken_back_when_it_opens(raw, tmp_path: Path) -> None:
    with copied(raw, 0, tmp_path) as book:
        assert [(g.start, g.end) for g in book.market().gaps] == [(day(18), day(32))]
        track(book, day(29))
        before = content(book)["history"].filter(pl.col("day") > day(18))
        assert before.height > 0
        assert set(track(book, LAST).recomputed.values()) == {day(19)}
        assert_valued(book)
        assert track(book, LAST).recomputed == {}


def test_a_book_open_for_reading_is_refused(raw, tmp_path: Path) -> None:
    copied(raw, 0, tmp_path).close()
    with Book.open(tmp_path) as book, pytest.raises(InputError, match="open for reading only"):
        track(book, date(2024, 2, 1))


def test_an_empty_book_has_nothing_to_track(tmp_path: Path) -> None:
    with Book.create(tmp_path, base_currency="RUB") as book:
        assert track(book, LAST) == TrackReport((), 0, 0, 0, 0)

"""Simulated investors: lives that add up, laws that show, the same again from the same rng."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextbest.data.holdings.book import Book
from nextbest.data.holdings.market_tables import MarketTables
from nextbest.data.holdings.references import count_jumps
from nextbest.errors import InputError
from nextbest.portfolio.valuation import value
from nextbest.simulate.portfolios import (
    Holdings,
    PortfolioLaws,
    draw_customers,
    holdings_for,
    read_market_folder,
    simulate_book,
    simulate_investors,
    simulate_market,
)
from nextbest.simulate.portfolios.config import CLASSES, TARGETS

N = 250


@pytest.fixture(scope="module")
def world() -> tuple[MarketTables, Holdings]:
    return simulate_investors(N, rng=7)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    reports = simulate_book(folder, scale=N, rng=7)
    assert {r.kind: r.quarantined for r in reports if r.quarantined} == {}
    assert {r.kind: r.warnings for r in reports if r.warnings} == {}
    return folder


def test_what_is_simulated_passes_every_check_of_the_import(book: Path) -> None:
    with Book.open(book) as opened:
        assert opened.quarantine().is_empty()
        assert opened.investors().height == N
        assert opened.goals()["client_id"].n_unique() == N
        assert sum(account.trades.height > 0 for account in opened.accounts()) == N


def test_nobody_spends_more_than_came_in(book: Path) -> None:
    with Book.open(book) as opened:
        market = opened.market()
        valuations = [value(account, market) for account in opened.accounts() if account.has_flows]
    assert len(valuations) > N / 2
    assert min(v.cash_T.min() for v in valuations) > -1e-6
    assert min(v.nav_T.min() for v in valuations) > 0


def test_the_same_rng_gives_the_same_world_and_a_client_does_not_depend_on_the_next() -> None:
    market = simulate_market(n_shares=6, n_days=300, rng=1)
    customers = draw_customers(12, start=date(2018, 1, 1), end=date(2018, 6, 1), rng=np.random.default_rng(2))
    first, again = holdings_for(customers, market, rng=3), holdings_for(customers, market, rng=3)
    assert first.trades.equals(again.trades)
    few = holdings_for(customers.head(5), market, rng=3)
    assert few.trades.drop("trade_id").equals(first.trades.head(few.trades.height).drop("trade_id"))
    assert few.goals.equals(first.goals.head(few.goals.height))
    assert not holdings_for(customers, market, rng=4).trades.equals(first.trades)


def test_who_tolerates_more_risk_holds_more_shares(world: tuple[MarketTables, Holdings]) -> None:
    market, holdings = world
    first = holdings.trades.filter(pl.col("quantity") > 0).join(
        market.assets.select("asset_id", "asset_class"), on="asset_id"
    )
    first = first.filter(pl.col("day") == pl.col("day").min().over("client_id"))
    rate = pl.when(pl.col("currency") == "USD").then(75.0).otherwise(1.0)
    bought = (
        first.join(holdings.investors.select("client_id", "risk_tolerance"), on="client_id")
        .with_columns(money=pl.col("quantity") * pl.col("price") * rate)
        .group_by("risk_tolerance")
        .agg(
            (pl.col("money").filter(pl.col("asset_class") == "equity").sum() / pl.col("money").sum()).alias(
                "share"
            )
        )
        .sort("risk_tolerance")
    )
    shares = bought["share"].head(4).to_list()
    assert shares == sorted(shares)
    assert shares[1] == pytest.approx(TARGETS[2][0], abs=0.12)


def test_every_class_of_the_targets_sums_to_one() -> None:
    for shares in TARGETS.values():
        assert sum(shares) == pytest.approx(1)
        assert len(shares) == len(CLASSES)


def test_few_popular_shares_make_most_trades_and_foreign_ones_few(
    world: tuple[MarketTables, Holdings],
) -> None:
    market, holdings = world
    trades = holdings.trades.join(
        market.assets.select("asset_id", "asset_class", "country"), on="asset_id"
    ).filter(pl.col("asset_class") == "equity")
    counts = trades["asset_id"].value_counts(sort=True)["count"]
    assert counts.head(10).sum() / counts.sum() > 0.5
    assert (trades["country"] == "US").mean() < 5 / 30


def test_some_cash_isnt_recorded_and_none_is_without_law(world: tuple[MarketTables, Holdings]) -> None:
    _, holdings = world
    share = holdings.cash_flows["client_id"].n_unique() / N
    assert 0.75 < share < 0.95
    market = simulate_market(n_shares=3, n_days=260, rng=1)
    customers = draw_customers(20, start=date(2018, 1, 1), end=date(2018, 2, 1), rng=np.random.default_rng(1))
    bare = holdings_for(customers, market, laws=PortfolioLaws(without_flows=1.0), rng=1)
    assert bare.cash_flows.is_empty()
    assert bare.trades.height > 0


def test_an_asset_that_stops_trading_is_sold_at_its_last_close() -> None:
    market = simulate_market(n_shares=3, n_days=400, with_closure=False, rng=5)
    gone = market.asset_prices["day"].unique().sort()[350]
    prices = market.asset_prices.filter((pl.col("asset_id") != "S001") | (pl.col("day") <= gone))
    shortened = MarketTables(
        market.assets, prices, market.splits, market.dividends, market.fx, market.benchmarks
    )
    customers = draw_customers(60, start=date(2018, 1, 1), end=date(2018, 2, 1), rng=np.random.default_rng(1))
    trades = holdings_for(customers, shortened, rng=1).trades.filter(pl.col("asset_id") == "S001")
    assert trades.height > 0
    assert trades["day"].max() == gone
    left = trades.group_by("client_id").agg(pl.col("quantity").sum())["quantity"]
    assert left.abs().max() < 1e-6


def test_the_exchange_closes_once_splits_and_pays(world: tuple[MarketTables, Holdings]) -> None:
    market, _ = world
    (gap,) = market.market(base_currency="RUB").gaps
    assert gap.calendar_days >= 28
    assert market.splits.height == 3
    assert market.dividends.height > 30
    assert count_jumps(market.asset_prices, market.splits).is_empty()
    assert count_jumps(market.asset_prices, market.splits.clear()).height == 3


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: simulate_investors(0, rng=1), "n: must be 1 or more"),
        (lambda: simulate_market(n_shares=0, rng=1), "n_shares"),
        (lambda: simulate_market(n_days=10, rng=1), "n_days"),
        (lambda: simulate_book("x", scale=0, rng=1), "scale"),
        (lambda: read_market_folder("no-such-folder"), "no layout that is known"),
    ],
)
def test_a_wrong_argument_is_an_input_error(call: object, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        call()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda c: c.drop("knowledge"), r"must have column\(s\) \['knowledge'\]"),
        (lambda c: c.with_columns(risk_capacity=9), "risk_capacity must be 1..5"),
        (lambda c: pl.concat([c, c]), "must not repeat"),
        (lambda c: c.with_columns(since=pl.lit(None, pl.Date)), "must not be null"),
    ],
)
def test_a_table_of_customers_is_checked(change: object, rule: str) -> None:
    customers = draw_customers(3, start=date(2018, 1, 1), end=date(2018, 6, 1), rng=np.random.default_rng(2))
    with pytest.raises(InputError, match=rule):
        holdings_for(change(customers), simulate_market(n_shares=2, n_days=260, rng=1), rng=1)  # type: ignore[operator]


def test_laws_that_leave_no_days_are_refused() -> None:
    customers = draw_customers(3, start=date(2018, 1, 1), end=date(2018, 6, 1), rng=np.random.default_rng(2))
    with pytest.raises(InputError, match="fewer than two days"):
        holdings_for(
            customers,
            simulate_market(n_shares=2, n_days=260, rng=1),
            laws=PortfolioLaws(start=date(2030, 1, 1)),
            rng=1,
        )


def test_a_book_over_real_layouts_holds_their_market_and_the_customers_given(tmp_path: Path) -> None:
    _write_layouts(simulate_market(n_shares=4, n_days=500, with_closure=False, rng=1), tmp_path / "market")
    customers = draw_customers(9, start=date(2018, 1, 1), end=date(2018, 6, 1), rng=np.random.default_rng(2))
    reports = simulate_book(
        tmp_path / "out", customers=customers, market_folder=tmp_path / "market", scale=8, rng=1
    )
    assert {r.kind: r.quarantined for r in reports if r.quarantined} == {}
    with Book.open(tmp_path / "out") as opened:
        assert opened.investors()["client_id"].to_list() == customers["client_id"].head(8).to_list()
        assert set(opened.assets()["asset_class"]) == set(CLASSES)
        assert opened.benchmarks() == ["MCFTRR"]
        market = opened.market()
        # The gold file ends a month before the others, so there the book ends.
        assert str(market.days_T[-1]) == "2019-10-31"
        assert all(len(value(account, market).days_T) > 200 for account in opened.accounts())


def _write_layouts(market: MarketTables, folder: Path) -> None:
    """A synthetic market in the files of the two layouts."""
    moex, classes = folder / "moex", folder / "classes"
    moex.mkdir(parents=True)
    classes.mkdir()
    ours = market.assets.filter((pl.col("asset_class") == "equity") & (pl.col("currency") == "RUB"))[
        "asset_id"
    ]
    shares = market.asset_prices.filter(pl.col("asset_id").is_in(ours.implode()))
    shares.select(date="day", ticker="asset_id", close="close", value="volume").write_csv(
        moex / "moex_close_x.csv"
    )
    market.splits.select(
        date="day",
        before=1 / pl.min_horizontal("ratio", 1.0),
        after=pl.max_horizontal("ratio", 1.0),
        ticker="asset_id",
    ).write_csv(moex / "moex_splits.csv")
    market.dividends.select(
        registry_close="day",
        amount="amount",
        currency="currency",
        registry_close_source=pl.lit("yahoo_ex_div"),
        ticker="asset_id",
    ).write_csv(moex / "moex_dividends.csv")
    market.benchmarks.select(date="day", close="close").write_csv(moex / "MCFTRR.csv")
    files = {"BOND1": "RU000A0EQ3Q5", "BOND2": "RU000A0EQ3R3", "BOND3": "BBG00RPRPX12", "GOLD": "gold"}
    for asset, name in files.items():
        series = market.asset_prices.filter(pl.col("asset_id") == asset).select("day", "close")
        if asset == "GOLD":
            series = series.filter(pl.col("day") <= date(2019, 10, 31))
        if asset in ("BOND1", "BOND2"):
            series = series.with_columns(assets=1)
        series.write_csv(classes / f"{name}.csv", include_header=False)
    market.fx.select("day", "rate").write_csv(classes / "currency_rates_usd.csv", include_header=False)
    thirds = [
        f"{third}.{month:02d}.{year},8.0"
        for year in (2018, 2019)
        for month in range(1, 13)
        for third in ("I", "II", "III")
    ]
    (classes / "deposit_rate.csv").write_text("\n".join(thirds))


def test_a_class_that_the_market_lacks_goes_to_the_others_and_without_any_nothing_is_bought() -> None:
    market = simulate_market(n_shares=3, n_days=300, with_closure=False, rng=5)
    customers = draw_customers(10, start=date(2018, 1, 1), end=date(2018, 2, 1), rng=np.random.default_rng(1))
    shares = _only(market, "equity")
    bought = holdings_for(customers, shares, rng=1)
    assert bought.trades["client_id"].n_unique() == 10
    assert set(bought.trades["asset_id"]) <= set(shares.assets["asset_id"])
    other = _only(market, "gold")
    other = replace(other, assets=other.assets.with_columns(asset_class=pl.lit("art")))
    nobody = holdings_for(customers, other, rng=1)
    assert (nobody.investors.height, nobody.trades.height) == (10, 0)


def _only(market: MarketTables, asset_class: str) -> MarketTables:
    assets = market.assets.filter(pl.col("asset_class") == asset_class)
    tables = {
        n: getattr(market, n).join(assets, on="asset_id", how="semi")
        for n in ("asset_prices", "splits", "dividends")
    }
    return replace(market, assets=assets, **tables)

"""A book of simulated investors in a folder: all synthetic, or real customers over real prices."""

from dataclasses import fields
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from nextbest.data.holdings.book import Book
from nextbest.data.holdings.layouts.asset_classes import is_asset_classes, read_asset_classes
from nextbest.data.holdings.layouts.far_trans import read_far_trans_customers
from nextbest.data.holdings.layouts.moex import is_moex, read_moex
from nextbest.data.holdings.market_tables import MarketTables, concat_tables
from nextbest.data.holdings.report import BookReport
from nextbest.errors import InputError
from nextbest.simulate.portfolios.config import PortfolioLaws
from nextbest.simulate.portfolios.customers import draw_customers
from nextbest.simulate.portfolios.exchange import simulate_market
from nextbest.simulate.portfolios.holdings import holdings_for

BASE_CURRENCY = "RUB"


def read_market_folder(folder: str | Path, *, start: date | None = None) -> MarketTables:
    """The market of a folder of a known layout, or of all such folders right below it.

    Raises
    ------
    InputError
        No layout is known by its files.
    DataError
        A file is broken.
    """
    folder = Path(folder)
    places = [folder, *sorted(p for p in folder.glob("*") if p.is_dir())] if folder.is_dir() else []
    parts = [read_moex(p, start=start) for p in places if is_moex(p)]
    parts += [read_asset_classes(p, start=start) for p in places if is_asset_classes(p)]
    if not parts:
        raise InputError(
            "market_folder",
            "holds no layout that is known",
            value=str(folder),
            remedy="needed: moex_close_*.csv.gz with its companions, or gold.csv and deposit_rate.csv with theirs",
        )
    return concat_tables(parts)


def simulate_book(
    out: str | Path,
    *,
    customers: str | Path | pl.DataFrame | None = None,
    market_folder: str | Path | None = None,
    scale: int | None = None,
    laws: PortfolioLaws | None = None,
    start: date | None = None,
    rng: np.random.Generator | int,
) -> list[BookReport]:
    """Write a book of simulated holdings into `out`, through the same import and checks as any other.

    Parameters
    ----------
    customers
        Folder or file of FAR-Trans customers, or a table with `CUSTOMER_COLUMNS`; None = drawn.
    market_folder
        Prices of a known layout (see `read_market_folder`); None = a synthetic exchange.
    scale
        Clients: drawn so many, or the first so many of the given; None = 1,000 or all.
    laws
        None = the defaults; over real prices lives begin in 2018. Prices end on the last day that all classes have.
    start
        First day of the synthetic exchange; None = its default.

    Returns
    -------
    list of BookReport
        One of each kind imported.

    Raises
    ------
    InputError, DataError, ExternalError
        As `Book.create`, the layouts and `holdings_for`.
    """
    if scale is not None and scale < 1:
        raise InputError("scale", "must be 1 or more", value=scale)
    exchange, people, lives = np.random.default_rng(rng).spawn(3)
    if market_folder is None:
        market = (
            simulate_market(rng=exchange) if start is None else simulate_market(start=start, rng=exchange)
        )
    else:
        market = read_market_folder(market_folder, start=date(2014, 1, 1))
        market = _until(market, _common_end(market))
        laws = laws or PortfolioLaws(start=date(2018, 1, 3))
    if customers is None:
        first, last = _span(market, laws)
        table = draw_customers(scale or 1_000, start=first, end=first + (last - first) / 2, rng=people)
    elif isinstance(customers, pl.DataFrame):
        table = customers
    else:
        table = read_far_trans_customers(customers)
    if scale is not None:
        table = table.head(scale)
    holdings = holdings_for(table, market, base_currency=BASE_CURRENCY, laws=laws, rng=lives)
    with Book.create(out, base_currency=BASE_CURRENCY) as book:
        return [
            book.add("fx", market.fx),
            book.add("assets", market.assets),
            book.add("splits", market.splits),
            book.add("dividends", market.dividends),
            book.add("asset_prices", market.asset_prices),
            book.add("benchmarks", market.benchmarks),
            book.add("investors", holdings.investors),
            book.add("goals", holdings.goals),
            book.add("trades", holdings.trades),
            book.add("cash_flows", holdings.cash_flows),
        ]


def _common_end(market: MarketTables) -> date:
    """Last day on which every class still has an asset with a price, so that nobody is left with a silent one."""
    prices = market.asset_prices.join(market.assets.select("asset_id", "asset_class"), on="asset_id")
    ends = prices.group_by("asset_class").agg(pl.col("day").max())["day"]
    end = ends.min()
    assert isinstance(end, date)
    return end


def _until(market: MarketTables, end: date) -> MarketTables:
    """The market as known at the end of that day."""
    tables = {f.name: getattr(market, f.name) for f in fields(MarketTables)}
    return MarketTables(
        **{n: t.filter(pl.col("day") <= end) if "day" in t.columns else t for n, t in tables.items()}
    )


def _span(market: MarketTables, laws: PortfolioLaws | None) -> tuple[date, date]:
    days = market.asset_prices["day"]
    first, last = days.min(), days.max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    return (laws and laws.start) or first, (laws and laws.end) or last

"""What `nextbest demo` makes besides its shop: a book of portfolios, candles, a bank's panel, and who is who in them.

Everything is simulated from one seed and ends on fixed days, so that the same command makes the same workspace.
"""

import argparse
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.cli.output import note

if TYPE_CHECKING:
    import polars as pl

    from nextbest.data.ids import OutsideId

N_INVESTORS = 200
N_PLANNED = 30
"""Investors who are asked for a plan that tracking holds them against, the first ones of the book."""
OPEN_ODDS = (0.15, 0.95)
"""A goal likelier or less likely than this is nothing to talk about: those between come first among the identities."""
BANK_SCALE, BANK_MONTHS = 0.003, 10
ASSETS = ("ALPHA/USD", "BETA/USD", "GAMMA/USD")
MARKET_START = date(2023, 1, 2)
"""First day of the exchange; it goes on for 1,000 weekdays."""
CANDLES_START = datetime(2024, 2, 5, tzinfo=UTC)
N_BARS = 1_000
DAY = timedelta(days=1)
HORIZONS = (1, 7, 30)
"""Bars ahead at which the forecaster is tested."""
FORECASTERS = ("rw_gauss", "rw_hist_sim")
_EVERY = 5
PRODUCTS = {
    "months": 3,
    "members": [{"kind": "per_product", "config": {"gbm": {"n_trees": 40}}}],
    "ownership": None,
    "refit": False,
    "profile": {"known_products": False, "gbm": {"n_trees": 20}},
    "profile_months": 2,
}
"""A small product model: seconds, not minutes."""


def make_rooms(args: argparse.Namespace, store: Path, users: "pl.Series") -> dict[str, Any]:
    """Fill a workspace with what the other rooms answer from; folders that are there already are kept.

    Parameters
    ----------
    store
        The workspace.
    users
        Ids of the shop's users, each once; the n-th of them is the n-th investor and the n-th customer.

    Returns
    -------
    dict
        What was made: sizes, and `identities` with the first person who is in all rooms.
    """
    import polars as pl

    from nextbest.assistant.tools.identities import keep_identities

    clients = _portfolios(args, store)
    candles = _candles(args, store)
    customers = _bank(args, store)
    n = min(len(users), max(len(clients), len(customers)))
    table = pl.DataFrame(
        {
            "user_id": users.sort().head(n),
            "customer_id": _first(customers, n),
            "client_id": pl.Series(_first(clients, n), dtype=pl.String),
        },
        schema_overrides={"customer_id": pl.Int64},
    )
    keep_identities(store, table)
    whole = table.drop_nulls(["client_id", *(["customer_id"] if customers else [])])
    return {
        "n_investors": len(clients),
        "n_customers": len(customers),
        "assets": candles,
        "identities": {"n": n, "first": whole.head(1).to_dicts()[0] if len(whole) else None},
    }


def _portfolios(args: argparse.Namespace, store: Path) -> list[str]:
    """A book with a plan for some, tracked to its last day; its clients, those whose goal is open first."""
    from nextbest.data.holdings.book import Book
    from nextbest.data.holdings.database import FILE
    from nextbest.portfolio.tracking.plans import client_place, plans_until
    from nextbest.simulate.portfolios import simulate_book

    folder = store / "portfolio"
    if not (folder / FILE).is_file():
        note(args, f"      {N_INVESTORS} simulated portfolios -> {folder}")
        simulate_book(folder, scale=N_INVESTORS, start=MARKET_START, rng=args.rng)
        _track(folder)
    with Book.open(folder) as book:
        clients = book.investors()["client_id"].sort().to_list()
        plans = plans_until(book, date.max)
        odds = {
            client: plans[idx][-1].probability or 0.0
            for client in clients
            if (idx := client_place(book, client)[0]) in plans
        }
    low, high = OPEN_ODDS
    return sorted(clients, key=lambda client: not low <= odds.get(client, 0.0) <= high)


def _track(folder: Path) -> None:
    from nextbest.data.holdings.book import Book
    from nextbest.errors import DataError, InputError
    from nextbest.portfolio.documents import make_plan
    from nextbest.portfolio.tracking.plans import OddsOfBook, record_of, save_plan
    from nextbest.portfolio.tracking.tracker import track

    with Book.open(folder, read_only=False) as book:
        last = book.connection().execute("SELECT max(day) FROM asset_prices").fetchall()[0][0]
        made_on = datetime(last.year - 1, last.month, last.day, tzinfo=UTC)
        for client in book.investors()["client_id"].sort().to_list()[:N_PLANNED]:
            try:
                plan = make_plan(book, client, now=made_on)
            except (InputError, DataError):  # no goal ahead, or nothing held yet: nobody to track
                continue
            if plan.chosen is not None:
                save_plan(book, client, record_of(plan))
        track(book, last, odds=OddsOfBook(book, until=last))


def _candles(args: argparse.Namespace, store: Path) -> list[str]:
    """Candles of a day, with the standing of the forecaster on them."""
    import polars as pl

    from nextbest.cli.market import board_document
    from nextbest.data.prices.reading import check_candles
    from nextbest.data.prices.store import PriceStore
    from nextbest.market.base import make_forecaster
    from nextbest.market.bench.harness import bench
    from nextbest.market.bench.origins import origins_of
    from nextbest.market.ledger import Ledger
    from nextbest.market.standing import keep_leaderboard, leaderboard_file
    from nextbest.simulate.market import random_walks

    prices = PriceStore.open(store)
    if not leaderboard_file(store, DAY).is_file():
        note(args, f"      candles of {', '.join(ASSETS)}, random walks, and how a forecaster stands on them")
        walks = random_walks(
            n_assets=len(ASSETS), n_bars=N_BARS, law="garch_t", start=CANDLES_START, rng=args.rng
        ).panel
        names = dict(zip(walks.asset_ids, ASSETS, strict=True))
        table = walks.table().with_columns(pl.col("asset_id").replace_strict(names))
        prices.add(check_candles(table, step=DAY, name="demo"))
        panel = prices.panel(DAY)
        origins = origins_of(panel, horizons=HORIZONS, every=_EVERY)
        with Ledger.open(store / "market") as ledger:
            board = bench(
                panel,
                [make_forecaster(name) for name in FORECASTERS],
                origins,
                ledger=ledger,
                rng=args.rng,
                progress=False,
            )
        keep_leaderboard(store, DAY, board_document(board, panel, origins))
    return list(ASSETS)


def _bank(args: argparse.Namespace, store: Path) -> list[int]:
    """A panel with a small product model, where gradient boosting is installed; the customers of the newest month."""
    if find_spec("lightgbm") is None:
        note(args, "      no bank products: they need `pip install nextbest[products]`")
        return []
    from nextbest.data.panel.manifest import find_panel
    from nextbest.data.panel.panel import Panel
    from nextbest.experiments.products.train import train_products
    from nextbest.models.products.config import ProductConfig
    from nextbest.simulate.panel import simulate_panel

    folder, model = store / "panel", store / "products"
    if find_panel(store) is None:
        note(args, f"      a bank's panel -> {folder}")
        simulate_panel(scale=BANK_SCALE, months=BANK_MONTHS, rng=args.rng).to_panel(folder)
    panel = Panel.open(folder)
    if not (model / "manifest.json").is_file():
        note(args, f"      its product model -> {model}")
        train_products(panel, model, config=ProductConfig.of(PRODUCTS), rng=args.rng)
    return sorted(panel.ids.decode(panel.rows(panel.months[-1])).to_list())


def _first(ids: "list[Any]", n: int) -> "list[OutsideId | None]":
    """The first n, filled up with None."""
    return [*ids[:n], *([None] * (n - len(ids)))]

"""Rooms with real data, made once: a shop of seven items, a book of 120 investors, walks, a tiny bank, three passages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from nextbest.assistant.intent.linking import Linker
from nextbest.assistant.tools.toolbox import Toolbox
from nextbest.data.holdings.book import Book
from nextbest.data.prices.reading import check_candles
from nextbest.data.prices.store import PriceStore
from nextbest.portfolio.tracking.tracker import track
from nextbest.simulate.market import random_walks
from portfolio.investor_books import NOW, workspace
from service.shops import save_shop

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Place:
    """A passage of the scripted index."""

    passage_id: str
    title: str
    text: str
    source: str
    score: float


class ScriptedIndex:
    """Finds passages by a word of them."""

    passages = (
        Place("faq.md#1", "Cards", "A card costs nothing a year.", "faq.md", 2.0),
        Place("faq.md#2", "Вклады", "Вклад можно закрыть в любой день.", "faq.md", 1.0),
    )

    def search(self, query: str, *, k: int) -> Sequence[Place]:
        words = query.casefold().split()
        return [p for p in self.passages if any(w in f"{p.title} {p.text}".casefold() for w in words)][:k]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a shop's model, a tracked book and candles of a day."""
    store = tmp_path_factory.mktemp("tools") / "store"
    save_shop(store / "model")
    workspace(store)
    with Book.open(store / "portfolio", read_only=False) as book:
        track(book, NOW.date())
    table = random_walks(n_assets=2, n_bars=200, rng=5).panel.table()
    names = pl.col("asset_id").replace({"SIM000": "BTC/USDT", "SIM001": "ETH"})
    PriceStore.open(store).add(check_candles(table.with_columns(names), step=DAY, name="test"))
    return store


@pytest.fixture(scope="session")
def toolbox(store: Path):
    opened = Toolbox.open(workspace=store, documents=ScriptedIndex(), make_linker=Linker, now=lambda: NOW)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def bank_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny bank: `panel` and its model in `products`."""
    pytest.importorskip("lightgbm")
    from pipeline.products.tiny_bank import tiny_model, tiny_panel

    folder = tmp_path_factory.mktemp("bank") / "store"
    tiny_model(tiny_panel(folder)).save(folder / "products")
    return folder


@pytest.fixture(scope="session")
def bank_toolbox(bank_folder: Path) -> Toolbox:
    return Toolbox.open(workspace=bank_folder, now=lambda: NOW)

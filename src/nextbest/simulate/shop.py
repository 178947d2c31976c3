"""The simulated bank-and-shop as tables: journal, catalogue, clients, and the truth behind them.

Clients come in blocks, each from its own stream of random numbers: memory is that of one block,
any block can be made alone, and the same `rng` gives the same data.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from nextbest.data.ids import IdIndex
from nextbest.errors import InputError
from nextbest.simulate.config import ShopConfig
from nextbest.simulate.laws import Floats, Ints, Laws, make_laws
from nextbest.simulate.purchases import draw_purchases
from nextbest.simulate.truth import Truth
from nextbest.simulate.words import (
    AGE_BANDS,
    BRANDS,
    CATEGORIES,
    CURRENCY_OF,
    MERCHANTS,
    QUALITIES,
    REGIONS,
    VARIANTS,
)
from nextbest.tables import ITEM_ID, TIME, TIME_DTYPE, USER_ID

Rng = int | np.random.Generator
BLOCK = 4096
"""Clients drawn together."""
_FIRST_CLIENT = 1_000_001
_SHARED_TASTE = 0.4
"""Share of the variance of taste that age band and region explain."""


@dataclass(frozen=True, eq=False)
class SimulatedShop:
    """A whole shop in memory; tables as `nextbest.tables` defines them."""

    journal: pl.DataFrame
    """`JOURNAL`, sorted, with `channel` as free context."""
    catalog: pl.DataFrame
    """`CATALOG`, with `title_ru`, `category_ru`, `brand` and the `currency` of the price."""
    clients: pl.DataFrame
    """`CLIENTS`, with `region` and `age_band`."""
    truth: Truth


def simulate_shop(
    *,
    n_users: int = 5000,
    n_items: int = 2000,
    n_days: int = 180,
    events_per_user: float = 40,
    rng: Rng = 0,
    config: ShopConfig | None = None,
) -> SimulatedShop:
    """A shop with known truth, whole in memory; `ShopStream` gives larger ones by blocks.

    Parameters
    ----------
    n_users, n_items, n_days
        Clients, items of the catalogue and days; each 1 or more.
    events_per_user
        Mean purchases of a client; above 0.
    rng
        Seed or generator; the same one gives the same shop.
    config
        Strength of each law; None = the defaults.

    Raises
    ------
    InputError
        A number is out of range.

    Examples
    --------
    >>> shop = simulate_shop(n_users=20, n_items=50, n_days=30, events_per_user=5)
    >>> shop.journal.columns[:3], shop.catalog.height, shop.clients.height
    (['user_id', 'item_id', 'time'], 50, 20)
    """
    stream = ShopStream(
        n_users=n_users,
        n_items=n_items,
        n_days=n_days,
        events_per_user=events_per_user,
        rng=rng,
        config=config,
    )
    journals, clients, tastes = zip(*(stream.block(b) for b in range(stream.n_blocks)), strict=True)
    people = pl.concat(clients)
    truth = Truth(stream.laws, stream.item_ids, IdIndex(people[USER_ID]), np.concatenate(tastes))
    return SimulatedShop(pl.concat(journals), stream.catalog, people, truth)


class ShopStream:
    """A shop of any size, a block of clients at a time."""

    def __init__(
        self,
        *,
        n_users: int = 5000,
        n_items: int = 2000,
        n_days: int = 180,
        events_per_user: float = 40,
        rng: Rng = 0,
        config: ShopConfig | None = None,
    ) -> None:
        """Draw the laws and the catalogue; see `simulate_shop` for the arguments."""
        for name, value in (("n_users", n_users), ("n_items", n_items), ("n_days", n_days)):
            if value < 1:
                raise InputError(name, "must be 1 or more", value=value)
        if not events_per_user > 0:
            raise InputError("events_per_user", "must be above 0", value=events_per_user)
        if not isinstance(rng, np.random.Generator) and rng < 0:
            raise InputError("rng", "must be 0 or more, or a generator", value=rng)
        self.n_users, self.n_items, self.n_days = n_users, n_items, n_days
        self.events_per_user = events_per_user
        self.config = config or ShopConfig()
        self._seed = int(rng.integers(2**62)) if isinstance(rng, np.random.Generator) else int(rng)
        gen = np.random.default_rng([self._seed, 0])
        self.laws: Laws = make_laws(n_items=n_items, n_days=n_days, config=self.config, rng=gen)
        numbers = gen.permutation(n_items) + 1  # so that neighbouring ids tell nothing
        width = max(5, len(str(n_items)))
        self.item_ids = IdIndex(pl.Series([f"SKU-{n:0{width}d}" for n in numbers.tolist()], dtype=pl.String))
        self.catalog = _catalog(self.laws, self.item_ids, gen)
        self._age_taste, self._region_taste = (
            gen.normal(size=(len(rows), self.config.dimensions)) for rows in (AGE_BANDS, REGIONS)
        )

    @property
    def n_blocks(self) -> int:
        """Blocks that hold all clients."""
        return -(-self.n_users // BLOCK)

    def blocks(self) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Journal and clients of each block in turn; all purchases of a client are in one block."""
        for number in range(self.n_blocks):
            journal, clients, _ = self.block(number)
            yield journal, clients

    def block(self, number: int) -> tuple[pl.DataFrame, pl.DataFrame, Floats]:
        """Journal, clients and tastes of block `number`, 0..n_blocks - 1."""
        if not 0 <= number < self.n_blocks:
            raise InputError("number", f"must lie in 0..{self.n_blocks - 1}", value=number)
        first = number * BLOCK
        n = min(BLOCK, self.n_users - first)
        gen = np.random.default_rng([self._seed, 1, number])
        age = gen.choice(len(AGE_BANDS), size=n, p=_shares(AGE_BANDS))
        region = gen.choice(len(REGIONS), size=n, p=_shares(REGIONS))
        shared = 0.8 * self._age_taste[age] + 0.6 * self._region_taste[region]
        own = gen.normal(size=shared.shape)
        taste = self.config.taste * (np.sqrt(_SHARED_TASTE) * shared + np.sqrt(1 - _SHARED_TASTE) * own)
        purchases = draw_purchases(
            self.laws, taste, n_days=self.n_days, events_per_user=self.events_per_user, rng=gen
        )
        ids = np.arange(first, first + n) + _FIRST_CLIENT
        clients = pl.DataFrame(
            {
                USER_ID: ids,
                "region": _texts([name for name, _ in REGIONS], region),
                "age_band": _texts([name for name, _ in AGE_BANDS], age),
            }
        )
        table = self._journal(ids, purchases.user, purchases.item, purchases.second, clients, gen)
        return table, clients, taste

    def _journal(
        self,
        ids: Ints,
        user: Ints,
        item: Ints,
        second: Ints,
        clients: pl.DataFrame,
        gen: np.random.Generator,
    ) -> pl.DataFrame:
        """The columns around each purchase: what it cost, where, in which money."""
        category = self.laws.category[item]
        pieces = np.where(np.isfinite(self.laws.period[item]), 1 + gen.poisson(0.4, len(item)), 1)
        discount = np.where(gen.random(len(item)) < 0.1, gen.uniform(0.7, 0.95, len(item)), 1.0)
        drift = np.exp(gen.normal(scale=0.03, size=len(item)))
        roubles = self.laws.price[item] * pieces * discount * drift
        currency, rate = _money(clients["region"])
        amount = np.maximum(np.round(roubles * rate[user], 2), 0.01)
        usual = (ids[user] * 31 + category * 7) % len(MERCHANTS)
        shop = np.where(gen.random(len(item)) < 0.7, usual, gen.integers(0, len(MERCHANTS), len(item)))
        online = shop == len(MERCHANTS) - 1
        channel = np.where(online, np.where(gen.random(len(item)) < 0.6, 2, 1), 0)
        merchants = [f"{c.name_ru} {kind}" for c in CATEGORIES for kind in MERCHANTS]
        start = int(self.config.start.timestamp())
        return pl.DataFrame(
            {
                USER_ID: ids[user],
                ITEM_ID: self.item_ids.decode(item),
                TIME: pl.Series((second + start) * 1_000_000).cast(TIME_DTYPE),
                "amount": amount,
                "currency": currency.gather(user),
                "quantity": pieces.astype(np.float64),
                "kind": pl.repeat("purchase", len(item), eager=True),
                "mcc": np.array([c.mcc for c in CATEGORIES], np.int32)[category],
                "merchant": _texts(merchants, category * len(MERCHANTS) + shop),
                "channel": _texts(["card", "web", "app"], channel),
            }
        )


def _catalog(laws: Laws, item_ids: IdIndex, gen: np.random.Generator) -> pl.DataFrame:
    """Titles and texts in two languages, sorted by item."""
    n = laws.n_items
    noun, brand, variant, quality = (gen.integers(0, 1 << 30, size=n) for _ in range(4))
    rows = []
    for i, c in enumerate(laws.category.tolist()):
        category = CATEGORIES[c]
        en, ru = category.nouns[noun[i] % len(category.nouns)]
        brand_en, brand_ru = BRANDS[brand[i] % len(BRANDS)]
        kind_en, kind_ru = VARIANTS[variant[i] % len(VARIANTS)]
        good_en, good_ru = QUALITIES[quality[i] % len(QUALITIES)]
        title, title_ru = f"{en} {brand_en}, {kind_en}", f"{ru} «{brand_ru}», {kind_ru}"
        text = (
            f"{title_ru}: {good_ru}. Раздел: {category.name_ru.lower()}. "
            f"{title}: {good_en}. Department: {category.name.lower()}."
        )
        rows.append((title, title_ru, text, category.name, category.name_ru, brand_en))
    names = ["title", "title_ru", "text", "category", "category_ru", "brand"]
    words = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    return (
        words.insert_column(0, item_ids.ids.alias(ITEM_ID))
        .with_columns(price=laws.price, currency=pl.lit("RUB"))
        .sort(ITEM_ID)
    )


def _shares(rows: tuple[tuple[str, float], ...]) -> Floats:
    shares = np.array([share for _, share in rows])
    total: Floats = shares / shares.sum()
    return total


def _texts(words: list[str], which: Ints) -> pl.Series:
    return pl.Series(words, dtype=pl.String).gather(which)


def _money(region: pl.Series) -> tuple[pl.Series, Floats]:
    """Currency of each client and units of it for one rouble."""
    money = [CURRENCY_OF.get(name, ("RUB", 1.0)) for name in region.to_list()]
    return pl.Series([code for code, _ in money], dtype=pl.String), np.array([rate for _, rate in money])

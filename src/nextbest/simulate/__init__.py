"""A synthetic bank and shop with known truth: journals of any size to learn, test and measure on."""

from nextbest.simulate.config import ShopConfig
from nextbest.simulate.dirt import DirtConfig, DirtyJournal, add_dirt
from nextbest.simulate.files import ShopFiles, write_shop
from nextbest.simulate.shop import ShopStream, SimulatedShop, simulate_shop
from nextbest.simulate.truth import Truth

__all__ = [
    "DirtConfig",
    "DirtyJournal",
    "ShopConfig",
    "ShopFiles",
    "ShopStream",
    "SimulatedShop",
    "Truth",
    "add_dirt",
    "simulate_shop",
    "write_shop",
]

"""One thread: tests share the machine."""

from collections.abc import Iterator

import pytest
import torch

from market.candles.candle_cases import HORIZONS, market, tiny
from nextbest.data.prices.panel import PricePanel
from nextbest.market.candles.model import Candles


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def panel() -> PricePanel:
    return market()


@pytest.fixture(scope="session")
def fitted(panel: PricePanel) -> Candles:
    model = Candles(tiny(cross_asset=True, location="learned"))
    model.fit(panel.until(600), horizons=HORIZONS, rng=1)
    return model

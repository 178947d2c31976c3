"""Prices whose truth is known: random walks, series that can be predicted, regimes, and bad data."""

from nextbest.simulate.market.candles import SimulatedMarket
from nextbest.simulate.market.dirt import DirtyCandles, dirty_candles
from nextbest.simulate.market.laws import planted, random_walks, regime_changes

__all__ = ["DirtyCandles", "SimulatedMarket", "dirty_candles", "planted", "random_walks", "regime_changes"]

"""Tiny settings, and a market whose volatility comes in known waves."""

from datetime import timedelta

import numpy as np

from nextbest.data.prices.panel import PricePanel
from nextbest.market.candles.config import CandlesConfig
from nextbest.models.sequence.config import TrainConfig

HORIZONS = (1, 4)


def tiny(**changes: object) -> CandlesConfig:
    """Settings that train in a moment."""
    training = TrainConfig(
        n_epochs=2, learning_rate=3e-3, warmup_steps=2, patience=5, device="cpu", n_threads=1
    )
    settings = {
        "patch": 4,
        "n_patches": 4,
        "volatility_scales": (2, 6, 24),
        "dim": 8,
        "n_heads": 2,
        "n_blocks": 1,
        "windows_per_epoch": 32,
        "calibrate": False,
        "windows_per_batch": 8,
        "training": training,
    }
    return CandlesConfig.model_validate({**settings, **changes})


def market(n_bars: int = 700, *, n_assets: int = 3, seed: int = 0, regime: int = 60) -> PricePanel:
    """Walks whose deviation is 1 % and 4 % in turns of `regime` hours; highs and lows some steps beyond."""
    rng = np.random.default_rng(seed)
    deviation_T = np.where(np.arange(n_bars) // regime % 2, 0.04, 0.01)
    steps_ATK = deviation_T[:, None] / 3 * rng.standard_normal((n_assets, n_bars, 9))
    path_ATK = np.cumsum(steps_ATK, -1)
    start_AT = np.cumsum(path_ATK[..., -1], 1) - path_ATK[..., -1]
    price_ATK = 100 * np.exp(
        start_AT[..., None] + np.concatenate([np.zeros_like(path_ATK[..., :1]), path_ATK], -1)
    )
    return PricePanel(
        asset_ids=tuple("ABCDEF"[:n_assets]),
        time_T=np.datetime64("2025-01-01T00", "us") + np.arange(n_bars) * np.timedelta64(1, "h"),
        step=timedelta(hours=1),
        open_AT=price_ATK[..., 0],
        high_AT=price_ATK.max(-1),
        low_AT=price_ATK.min(-1),
        close_AT=price_ATK[..., -1],
        volume_AT=rng.lognormal(size=(n_assets, n_bars)),
    )


def changed(panel: PricePanel, **arrays: object) -> PricePanel:
    """The same panel with other arrays."""
    names = ("asset_ids", "time_T", "step", "open_AT", "high_AT", "low_AT", "close_AT", "volume_AT")
    return PricePanel(**{name: arrays.get(name, getattr(panel, name)) for name in names})

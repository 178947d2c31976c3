"""Markets with a known truth for language models: volatility in long waves that can be read off the window, and pure noise."""

from datetime import timedelta

import numpy as np

from nextbest.data.prices.panel import PricePanel
from nextbest.market.llm.config import LLMConfig


def waves(n_bars: int = 600, *, n_assets: int = 3, seed: int = 0, regime: int = 40) -> PricePanel:
    """Deviation 1 % and 4 % in turns of `regime` days, each asset's turns at another time."""
    rng = np.random.default_rng(seed)
    start_A = rng.integers(0, 2 * regime, n_assets)
    turn_AT = (np.arange(n_bars) + start_A[:, None]) // regime % 2
    return _walk(np.where(turn_AT, 0.04, 0.01), rng)


def noise(n_bars: int = 600, *, n_assets: int = 3, seed: int = 0) -> PricePanel:
    """Deviation 2 % always: nothing before a bar says anything of it."""
    return _walk(np.full((n_assets, n_bars), 0.02), np.random.default_rng(seed))


def changed(panel: PricePanel, **arrays: object) -> PricePanel:
    """The same panel with other arrays."""
    names = ("asset_ids", "time_T", "step", "open_AT", "high_AT", "low_AT", "close_AT", "volume_AT")
    return PricePanel(**{name: arrays.get(name, getattr(panel, name)) for name in names})


def scaled(panel: PricePanel, factor: float) -> PricePanel:
    """Prices in another currency."""
    names = ("open_AT", "high_AT", "low_AT", "close_AT")
    return changed(panel, **{name: factor * getattr(panel, name) for name in names})


def with_gap(panel: PricePanel, asset: int, bars: slice) -> PricePanel:
    """Without some bars of one asset."""
    arrays = {}
    for name in ("open_AT", "high_AT", "low_AT", "close_AT", "volume_AT"):
        arrays[name] = getattr(panel, name).copy()
        arrays[name][asset, bars] = np.nan
    return changed(panel, **arrays)


def tiny(**changes: object) -> LLMConfig:
    """Settings that a model of a hundred thousand weights learns by in a second."""
    settings = {
        "n_classes": 2,
        "horizon": 2,
        "n_bars": 8,
        "n_bins": 2,
        "patch": 2,
        "n_calibration": 100,
        "n_examples": 400,
        "steps": 25,
        "validate_steps": 25,
        "batch_size": 16,
        "learning_rate": 1e-2,
        "n_threads": 1,
        **changes,
    }
    return LLMConfig.model_validate(settings)


def _walk(deviation_AT: np.ndarray, rng: np.random.Generator) -> PricePanel:
    n_assets, n_bars = deviation_AT.shape
    steps_ATK = deviation_AT[..., None] / 3 * rng.standard_normal((n_assets, n_bars, 9))
    path_ATK = np.cumsum(steps_ATK, -1)
    start_AT = np.cumsum(path_ATK[..., -1], 1) - path_ATK[..., -1]
    price_ATK = 100 * np.exp(
        start_AT[..., None] + np.concatenate([np.zeros_like(path_ATK[..., :1]), path_ATK], -1)
    )
    return PricePanel(
        asset_ids=tuple(f"NAMED{a}" for a in range(n_assets)),
        time_T=np.datetime64("2025-01-01", "us") + np.arange(n_bars) * np.timedelta64(1, "D"),
        step=timedelta(days=1),
        open_AT=price_ATK[..., 0],
        high_AT=price_ATK.max(-1),
        low_AT=price_ATK.min(-1),
        close_AT=price_ATK[..., -1],
        volume_AT=rng.lognormal(size=(n_assets, n_bars)),
    )

"""Panels for tests: prices typed in, and random walks."""

from datetime import timedelta

import numpy as np

from nextbest.data.prices.panel import PricePanel

DAY = timedelta(days=1)


def panel_of(close, *, open=None, volume=None, step=DAY):  # noqa: A002  (the field's own name)
    """A panel from closes (A, T); opens are the closes before unless given."""
    close = np.asarray(close, np.float64)
    if open is None:
        open = np.concatenate([close[:, :1], close[:, :-1]], axis=1)  # noqa: A001
        open = np.where(np.isnan(close), np.nan, np.where(np.isnan(open), close, open))  # noqa: A001
    open = np.asarray(open, np.float64)  # noqa: A001
    volume = np.where(np.isnan(close), np.nan, 1e6) if volume is None else np.asarray(volume, np.float64)
    start = np.datetime64("2020-01-01T00:00:00", "us")
    return PricePanel(
        asset_ids=tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(close)]),
        time_T=start + np.arange(close.shape[1]) * np.timedelta64(int(step.total_seconds()), "s"),
        step=step,
        open_AT=open,
        high_AT=np.fmax(open, close),
        low_AT=np.fmin(open, close),
        close_AT=close,
        volume_AT=volume,
    )


def walk(n_bars=400, n_assets=3, *, rng=0, volatility=0.03, drift=0.0):
    """A panel of independent random walks."""
    gen = np.random.default_rng(rng)
    returns = gen.normal(drift, volatility, size=(n_assets, n_bars))
    return panel_of(100 * np.exp(np.cumsum(returns, axis=1)))

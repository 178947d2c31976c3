"""Candles spoilt in ways that files are spoilt, each fault known by its row: what a reading must find, and only that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError

_Cells = Mapping[str, str | None]
_SPOILT: dict[str, tuple[str, Callable[[_Cells], dict[str, str | None]]]] = {
    "zero price": ("nonpositive_price", lambda _: {"close": "0"}),
    "negative price": ("nonpositive_price", lambda row: {"low": f"-{row['low']}"}),
    "infinite price": ("non_finite_price", lambda _: {"high": "inf"}),
    "word for a price": ("unreadable_price", lambda _: {"open": "halted"}),
    "no close": ("no_close", lambda _: {"close": None}),
    "high below low": ("ohlc_inconsistent", lambda row: {"high": row["low"], "low": row["high"]}),
    "negative volume": ("negative_volume", lambda _: {"volume": "-5"}),
    "word for a time": ("unreadable_time", lambda _: {"time": "soon"}),
    "no time": ("no_time", lambda _: {"time": None}),
}
"""Fault -> the reason in quarantine, and how a row gets it."""


@dataclass(frozen=True)
class DirtyCandles:
    """Candles as a careless file has them, and what is wrong with them."""

    table: pl.DataFrame
    """Columns `asset_id, time, open, high, low, close, volume`, all text, in the file's order."""
    reasons: dict[int, str]
    """Row number (the first is 1) -> reason, of every row that is no candle."""
    missing: dict[str, int]
    """Asset -> bars that it lacks between its first and its last, those in quarantine among them."""


def dirty_candles(panel: PricePanel, *, each: int = 2, rng: int | np.random.Generator = 0) -> DirtyCandles:
    """A clean panel's bars as text, `each` rows with every fault, and as many bars left out, repeated or off the clock.

    No bar has two faults, and the first and last bars of an asset have none.

    Raises
    ------
    InputError
        The panel has too few bars for so many faults.
    """
    rng = np.random.default_rng(rng)
    clean = panel.table().with_columns(
        pl.col("time").dt.strftime("%Y-%m-%d %H:%M:%S"),
        pl.col("open", "high", "low", "close", "volume").cast(pl.String),
    )
    inner = clean.with_row_index("_row").filter(
        pl.col("_row").is_between(pl.col("_row").min(), pl.col("_row").max(), closed="none").over("asset_id")
    )["_row"]
    kinds = [*_SPOILT, "left out", "repeated", "contradicted", "off the clock"]
    if each < 1 or len(inner) < each * len(kinds):
        raise InputError("each", f"must be 1 to {len(inner) // len(kinds)} for this panel", value=each)
    picked = dict(
        zip(kinds, rng.permutation(inner.to_numpy())[: each * len(kinds)].reshape(-1, each), strict=True)
    )
    rows = clean.to_dicts()
    reasons: dict[int, str] = {}
    for kind, (reason, spoil) in _SPOILT.items():
        for row in picked[kind]:
            rows[row] |= spoil(rows[row])
            reasons[int(row)] = reason
    lost = set(reasons) | {int(row) for row in (*picked["left out"], *picked["contradicted"])}
    missing = dict.fromkeys(panel.asset_ids, 0)
    for row in lost:
        missing[rows[row]["asset_id"]] += 1
    extra: list[tuple[dict[str, str | None], str]] = []
    extra += [(dict(rows[row]), "duplicate_same") for row in picked["repeated"]]
    for row in picked["contradicted"]:
        reasons[int(row)] = "duplicate_conflict"
        other = {"volume": str(float(rows[row]["volume"]) + 1)}
        extra.append((rows[row] | other, "duplicate_conflict"))
    for row in picked["off the clock"]:
        extra.append((rows[row] | {"time": rows[row]["time"][:-5] + "00:17"}, "off_step"))
    gone = {int(row) for row in picked["left out"]}
    kept = [(row, reasons.get(number)) for number, row in enumerate(rows) if number not in gone] + extra
    found = {number: reason for number, (_, reason) in enumerate(kept, start=1) if reason is not None}
    schema = dict.fromkeys(clean.columns, pl.String())
    return DirtyCandles(pl.DataFrame([row for row, _ in kept], schema=schema), found, missing)

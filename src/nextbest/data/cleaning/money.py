"""Amounts in one currency: rates as of the row's time; and which amounts are unusual, per currency."""

from collections import Counter

import numpy as np
import polars as pl

from nextbest.data.cleaning.config import CleaningConfig
from nextbest.tables import TIME, TIME_DTYPE

_BINS_PER_DECADE = 200
"""Resolution of the amount histogram: about 1.2 % of the amount."""


def to_base(table: pl.DataFrame, config: CleaningConfig) -> tuple[pl.DataFrame, pl.Series, int]:
    """Amounts in the base currency, a mask of rows without a rate, and how many amounts were converted.

    A converted row keeps its own figures as `amount_original` and `currency_original`. Rows
    without a currency count as base where the table has no currency column, as unknown where it has.
    """
    base = config.base_currency
    if "currency" not in table.columns:
        return (
            table.with_columns(pl.lit(base).alias("currency")),
            pl.repeat(value=False, n=len(table), dtype=pl.Boolean, eager=True),
            0,
        )
    rates = pl.DataFrame(
        {
            "currency": [r.currency for r in config.rates],
            "_since": [r.time for r in config.rates],
            "_rate": [r.rate for r in config.rates],
        },
        schema={"currency": pl.String, "_since": TIME_DTYPE, "_rate": pl.Float64},
    ).sort("_since")
    joined = (
        table.with_row_index("_at")
        .sort(TIME)
        .join_asof(
            rates, left_on=TIME, right_on="_since", by="currency", strategy="backward", check_sortedness=False
        )
        .sort("_at")
    )
    own = joined["currency"] == base
    missing = (
        joined["amount"].is_not_null() & joined["_rate"].is_null() & ~own.fill_null(value=False)
    ).fill_null(value=True)
    foreign = joined["_rate"].is_not_null() & (~own).fill_null(value=False)
    out = joined.with_columns(
        amount_original=pl.when(foreign).then("amount"),
        currency_original=pl.when(foreign).then("currency"),
        amount=pl.when(foreign).then(pl.col("amount") * pl.col("_rate")).otherwise("amount"),
        currency=pl.when(foreign).then(pl.lit(base)).otherwise("currency"),
    ).drop("_at", "_since", "_rate", strict=False)
    return out, missing, int((foreign & joined["amount"].is_not_null()).sum())


class AmountHistogram:
    """Counts of amounts on a log scale, per currency: enough for a median and its deviation, in one pass."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[int]] = {}

    def see(self, table: pl.DataFrame) -> None:
        """Count the positive amounts of one more chunk."""
        if "amount" not in table.columns:
            return
        currency = pl.col("currency").fill_null("") if "currency" in table.columns else pl.lit("")
        binned = (
            table.lazy()
            .filter(pl.col("amount") > 0)
            .select(
                currency.alias("currency"),
                (pl.col("amount").log10() * _BINS_PER_DECADE).floor().cast(pl.Int32).alias("bin"),
            )
            .group_by("currency", "bin")
            .len()
            .collect()
        )
        for name, place, n in binned.iter_rows():
            self.counts.setdefault(name, Counter())[place] += n

    def bounds(self, mads: float) -> dict[str, tuple[float, float]]:
        """Currency -> smallest and largest usual amount: median times or over 10**(mads x 1.4826 x MAD).

        Median and MAD are of log10(amount); both are good to half a bin.
        """
        found = {}
        for currency, counts in self.counts.items():
            places = np.array(sorted(counts))
            n = np.array([counts[p] for p in places.tolist()])
            middle = _weighted_median(places + 0.5, n)
            mad = _weighted_median(np.abs(places + 0.5 - middle), n)
            reach = max(mads * 1.4826 * max(mad, 0.5), 1.0) / _BINS_PER_DECADE
            centre = middle / _BINS_PER_DECADE
            found[currency] = (float(10 ** (centre - reach)), float(10 ** (centre + reach)))
        return found


def _weighted_median(values: np.ndarray, n: np.ndarray) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(n[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])

"""What a bucket's rows become: the steps that need a user's whole history, over stored and new rows together.

The result is a function of the set of rows ever read (and of the rules), not of how they were
spread over ingests: rows that a step took out or altered are kept aside as they were, and come
back into the reckoning when their user gets new rows.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.cleaning.config import CleaningConfig
from nextbest.data.cleaning.duplicates import copies, near_copies
from nextbest.data.cleaning.refunds import MATCHED, PURCHASE, UNMATCHED, altered, is_return, net
from nextbest.data.ordering import in_order
from nextbest.data.report import Tally
from nextbest.tables import USER_ID

ALTERED = "altered"
STATUS, SOURCE, ROW = "_status", "_source", "_row"
_FATES = (
    ("", ""),
    ("exact_duplicates", "duplicate"),
    ("near_duplicates", "near_duplicate"),
    ("refunds", PURCHASE),
    ("refunds", MATCHED),
    ("refunds", UNMATCHED),
    ("outliers", "amount_outlier"),
)
"""Step and reason for which a row leaves, by code; 0 = it stays."""
_CODE_OF = {reason: code for code, (_, reason) in enumerate(_FATES)}
_REASONS = pl.Series([reason for _, reason in _FATES])


@dataclass(frozen=True)
class Settled:
    """A bucket after an ingest."""

    journal: pl.DataFrame
    """Sorted by user and time; journal columns, `_source`, `_row`."""
    aside: pl.DataFrame
    """The same columns and `_status`: the reason a row left, or `altered`."""
    rejected: pl.DataFrame
    """New rows that leave: `_place` in the new rows as given, `reason`."""
    newly_out: pl.DataFrame
    """Rows of earlier ingests that leave now, or for another reason: journal columns, `_source`, `_row`, `reason`."""
    n_netted_before: int
    """Those of them that the journal held until now."""
    released: pl.DataFrame
    """Rows whose quarantine entry no longer holds: `_source`, `_row`, `reason`."""
    n_added: int
    n_stored: int


def settle(
    new: pl.DataFrame,
    stored: pl.DataFrame | None,
    aside: pl.DataFrame | None,
    *,
    config: CleaningConfig,
    bounds: dict[str, tuple[float, float]],
    tally: Tally,
) -> Settled:
    """Run the history steps over one bucket.

    Parameters
    ----------
    new
        Rows of this ingest in source order: journal columns, `_source`, `_row`.
    stored, aside
        What the store holds for this bucket, with the same columns (aside also `_status`).
    bounds
        Usual amounts by currency, for the step `outliers`.
    """
    columns = [c for c in new.columns if not c.startswith("_")]
    table, untouched, aside_untouched = _together(new, stored, aside)
    old = table["_old"] if "_old" in table.columns else None
    place, nth, match = copies(table, old=old)
    # A new copy that repeats an old row shares its fate; a further copy is a duplicate or, with the step off, a row.
    repeats = match >= 0
    gone = np.zeros(len(table), bool)
    gone[place[repeats]] = True
    fate = np.zeros(len(table), np.uint8)
    if config.exact_duplicates:
        gone[place] = True
        fate[place[nth >= 1]] = _CODE_OF["duplicate"]
        repeats &= nth == 0
    same, twin = place[repeats], match[repeats]
    left = table.with_row_index("_at")
    if gone.any():
        left = left.filter(~pl.Series(gone))

    originals: list[pl.DataFrame] = []
    if config.near_duplicates_s > 0:
        mask = near_copies(left, seconds=config.near_duplicates_s)
        left = _take(left, mask, "near_duplicate", fate, originals)
    if config.refunds and (returns := is_return(left, kinds=config.refund_kinds)) is not None:
        netted = net(left, returns)
        changed = left[sorted(netted.quantity.keys() | netted.amount.keys())]
        tally.change("refunds", _n_new(changed))
        originals.append(changed.with_columns(pl.lit(ALTERED).alias(STATUS)))
        leaving = left[sorted(netted.reasons)]
        why = pl.Series(STATUS, [netted.reasons[p] for p in sorted(netted.reasons)], pl.String)
        originals.append(leaving.with_columns(why))
        fate[leaving["_at"].to_numpy()] = [_CODE_OF[reason] for reason in why]
        left = altered(left, netted)
        stay = np.ones(len(left), bool)
        stay[list(netted.reasons)] = False
        left = left.filter(pl.Series(stay))
    if config.outliers != "off" and bounds and "amount" in left.columns:
        left = _outliers(left, config, bounds, fate, originals, tally)
    n_same = int((fate[twin] == 0).sum())
    fate[same] = fate[twin]
    return _settled(table, left, untouched, aside_untouched, originals, fate, n_same, columns, tally)


def _together(
    new: pl.DataFrame, stored: pl.DataFrame | None, aside: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame | None, pl.DataFrame | None]:
    """Stored, set-aside and new rows of the users that the new rows touch, sorted; and the rest, untouched."""
    new = new.with_columns(pl.int_range(len(new), dtype=pl.Int64, eager=True).alias("_place"))
    if stored is None or not len(stored):
        stored = None
    if stored is None and (aside is None or not len(aside)):
        return in_order(new), None, None
    users = new.select(USER_ID).unique()
    parts, untouched, aside_untouched = [], None, None
    if aside is not None and len(aside):
        aside_untouched = aside.join(users, on=USER_ID, how="anti", maintain_order="left")
        aside = aside.join(users, on=USER_ID, how="semi", maintain_order="left")
    if stored is not None:
        untouched = stored.join(users, on=USER_ID, how="anti", maintain_order="left")
        mine = stored.join(users, on=USER_ID, how="semi", maintain_order="left")
        if aside is not None and len(aside):
            changed = aside.filter(pl.col(STATUS) == ALTERED).select(SOURCE, ROW)
            mine = mine.join(changed, on=[SOURCE, ROW], how="anti", maintain_order="left")
        parts.append(mine.with_columns(pl.lit(None, dtype=pl.String).alias(STATUS)))
    if aside is not None and len(aside):
        parts.append(aside)
    if not parts:  # the store holds rows of other users only, all of them set aside
        return in_order(new), untouched, aside_untouched
    both = pl.concat(
        [
            pl.concat(parts, how="diagonal").with_columns(
                _place=pl.lit(-1, dtype=pl.Int64), _old=pl.lit(value=True)
            ),
            new.with_columns(pl.lit(None, dtype=pl.String).alias(STATUS), _old=pl.lit(value=False)),
        ],
        how="diagonal",
    )
    return in_order(both), untouched, aside_untouched


def _n_new(rows: pl.DataFrame) -> int:
    """Rows of this ingest among some rows."""
    return int((rows["_place"] >= 0).sum())


def _take(
    left: pl.DataFrame, mask: pl.Series, why: str, fate: NDArray[np.uint8], originals: list[pl.DataFrame]
) -> pl.DataFrame:
    """The rows outside the mask; those inside are noted and set aside."""
    if not mask.any():
        return left
    leaving = left.filter(mask)
    originals.append(leaving.with_columns(pl.lit(why).alias(STATUS)))
    fate[leaving["_at"].to_numpy()] = _CODE_OF[why]
    return left.filter(~mask)


def _outliers(
    left: pl.DataFrame,
    config: CleaningConfig,
    bounds: dict[str, tuple[float, float]],
    fate: NDArray[np.uint8],
    originals: list[pl.DataFrame],
    tally: Tally,
) -> pl.DataFrame:
    """Reject or clip positive amounts outside the bounds of their currency."""
    limits = pl.DataFrame(
        {
            "_c": list(bounds),
            "_low": [b[0] for b in bounds.values()],
            "_high": [b[1] for b in bounds.values()],
        },
        schema={"_c": pl.String, "_low": pl.Float64, "_high": pl.Float64},
    )
    key = pl.col("currency").fill_null("") if "currency" in left.columns else pl.lit("")
    with_limits = left.with_columns(key.alias("_c")).join(limits, on="_c", how="left", maintain_order="left")
    amount = with_limits["amount"]
    odd = ((amount > 0) & ((amount < with_limits["_low"]) | (amount > with_limits["_high"]))).fill_null(
        value=False
    )
    if config.outliers == "quarantine":
        return _take(left, odd, "amount_outlier", fate, originals)
    if not odd.any():
        return left
    clipping = left.filter(odd)
    tally.change("outliers", _n_new(clipping))
    for part in originals:  # a row that netting altered has its original aside already: one a row is enough
        clipping = clipping.join(part.filter(pl.col(STATUS) == ALTERED), on="_at", how="anti")
    originals.append(clipping.with_columns(pl.lit(ALTERED).alias(STATUS)))
    clipped = with_limits.select(
        pl.when(odd)
        .then(pl.col("amount").clip(pl.col("_low"), pl.col("_high")))
        .otherwise("amount")
        .alias("amount")
    )
    return left.with_columns(clipped.to_series())


def _settled(
    table: pl.DataFrame,
    left: pl.DataFrame,
    untouched: pl.DataFrame | None,
    aside_untouched: pl.DataFrame | None,
    originals: list[pl.DataFrame],
    fate: NDArray[np.uint8],
    n_same: int,
    columns: list[str],
    tally: Tally,
) -> Settled:
    """Put the outcome of every row together and count it."""
    lineage = [SOURCE, ROW]
    is_new = table["_place"].to_numpy() >= 0
    out = np.flatnonzero(is_new & (fate > 0))
    for (step, why), n in zip(_FATES, np.bincount(fate[out], minlength=len(_FATES)).tolist(), strict=True):
        tally.reject(step, why, n)
    rejected = pl.DataFrame(
        {"_place": table["_place"].gather(pl.Series(out)), "reason": _REASONS.gather(pl.Series(fate[out]))}
    )
    n_new_left = _n_new(left)
    newly_out = table.clear().select(*columns, *lineage).with_columns(reason=pl.lit(None, dtype=pl.String))
    n_netted_before = 0
    released = pl.DataFrame(schema={SOURCE: pl.UInt32, ROW: pl.Int64, "reason": pl.String})
    journal = left.select(*columns, *lineage)
    if "_old" in table.columns:
        touched = ~is_new & ((fate > 0) | table[STATUS].is_not_null().to_numpy())
        before = table.filter(pl.Series(touched)).with_columns(
            _REASONS.gather(pl.Series(fate[touched])).alias("reason")
        )
        leaving = before.filter(pl.col("reason") != "")
        held = leaving[STATUS].is_null() | (leaving[STATUS] == ALTERED).fill_null(value=False)
        n_netted_before = int(held.sum())
        newly_out = leaving.filter(held | (leaving[STATUS] != leaving["reason"])).select(
            *columns, *lineage, "reason"
        )
        released = before.filter(
            pl.col(STATUS).is_not_null() & (pl.col(STATUS) != ALTERED) & (pl.col(STATUS) != pl.col("reason"))
        ).select(*lineage, reason=STATUS)
        if untouched is not None and len(untouched):
            journal = in_order(pl.concat([journal, untouched.select(journal.columns)]))
    kept_aside = [part.select(*columns, *lineage, STATUS) for part in originals]
    if aside_untouched is not None:
        kept_aside.append(aside_untouched.select(*columns, *lineage, STATUS))
    empty = journal.clear().with_columns(pl.lit(None, dtype=pl.String).alias(STATUS))
    return Settled(
        journal=journal,
        aside=pl.concat([empty, *kept_aside]),
        rejected=rejected,
        newly_out=newly_out,
        n_netted_before=n_netted_before,
        released=released,
        n_added=n_new_left,
        n_stored=n_new_left + n_same,
    )

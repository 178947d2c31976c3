"""What a bucket's rows become: the steps that need a user's whole history, over stored and new rows together.

The result is a function of the set of rows ever read (and of the rules), not of how they were
spread over ingests: rows that a step took out or altered are kept aside as they were, and come
back into the reckoning when their user gets new rows.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from nextbest.data.cleaning.config import CleaningConfig
from nextbest.data.cleaning.duplicates import copies, near_copies
from nextbest.data.cleaning.refunds import altered, is_return, net
from nextbest.data.ordering import in_order
from nextbest.data.report import Tally
from nextbest.tables import USER_ID

ALTERED = "altered"
STATUS, SOURCE, ROW = "_status", "_source", "_row"


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
    reason: dict[int, str] = {}
    if config.exact_duplicates:
        extra = place[(nth >= 1)]
        gone[extra] = True
        reason.update(dict.fromkeys(extra.tolist(), "duplicate"))
        first = place[(nth == 0)]
        repeats = repeats & (nth == 0)
        gone[first] = True
        tally.reject("exact_duplicates", "duplicate", len(extra))
    same_as = dict(zip(place[repeats].tolist(), match[repeats].tolist(), strict=True))
    left = table.with_row_index("_at").filter(~pl.Series(gone)) if gone.any() else table.with_row_index("_at")

    outcome: dict[int, tuple[str, str]] = {}
    originals: list[pl.DataFrame] = []
    if config.near_duplicates_s > 0:
        mask = near_copies(left, seconds=config.near_duplicates_s)
        left = _take(left, mask, "near_duplicates", "near_duplicate", outcome, originals)
    if config.refunds and (returns := is_return(left, kinds=config.refund_kinds)) is not None:
        netted = net(left, returns)
        places = left["_at"].to_list()
        changed = sorted(netted.quantity.keys() | netted.amount.keys())
        tally.change("refunds", sum(not (old is not None and old[places[p]]) for p in changed))
        originals.append(left[changed].with_columns(pl.lit(ALTERED).alias(STATUS)))
        leaving = left[sorted(netted.reasons)]
        originals.append(
            leaving.with_columns(
                pl.Series(STATUS, [netted.reasons[p] for p in sorted(netted.reasons)], pl.String)
            )
        )
        outcome.update({places[p]: ("refunds", why) for p, why in netted.reasons.items()})
        left = altered(left, netted)
        stay = np.ones(len(left), bool)
        stay[list(netted.reasons)] = False
        left = left.filter(pl.Series(stay))
    if config.outliers != "off" and bounds and "amount" in left.columns:
        left = _outliers(left, config, bounds, outcome, originals, tally, old)
    return _settled(
        table, left, untouched, aside_untouched, originals, outcome, reason, same_as, columns, tally
    )


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


def _take(
    left: pl.DataFrame,
    mask: pl.Series,
    step: str,
    why: str,
    outcome: dict[int, tuple[str, str]],
    originals: list[pl.DataFrame],
) -> pl.DataFrame:
    """The rows outside the mask; those inside are noted and set aside."""
    if not mask.any():
        return left
    leaving = left.filter(mask)
    originals.append(leaving.with_columns(pl.lit(why).alias(STATUS)))
    outcome.update(dict.fromkeys(leaving["_at"].to_list(), (step, why)))
    return left.filter(~mask)


def _outliers(
    left: pl.DataFrame,
    config: CleaningConfig,
    bounds: dict[str, tuple[float, float]],
    outcome: dict[int, tuple[str, str]],
    originals: list[pl.DataFrame],
    tally: Tally,
    old: pl.Series | None,
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
        return _take(left, odd, "outliers", "amount_outlier", outcome, originals)
    if not odd.any():
        return left
    # A row that netting already altered has its original aside: one original a row is enough.
    known = {at for part in originals for at in part.filter(pl.col(STATUS) == ALTERED)["_at"].to_list()}
    fresh = left.filter(odd).filter(~pl.col("_at").is_in(list(known)))
    originals.append(fresh.with_columns(pl.lit(ALTERED).alias(STATUS)))
    ats = left.filter(odd)["_at"].to_list()
    tally.change("outliers", sum(not (old is not None and old[at]) for at in ats))
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
    outcome: dict[int, tuple[str, str]],
    reason: dict[int, str],
    same_as: dict[int, int],
    columns: list[str],
    tally: Tally,
) -> Settled:
    """Put the outcome of every row together and count it."""
    places = table["_place"]
    for at, twin in same_as.items():
        if twin in outcome:
            reason[at] = outcome[twin][1]
            tally.reject(*outcome[twin], 1)
    for at, (step, why) in outcome.items():
        if places[at] >= 0:
            reason[at] = why
            tally.reject(step, why, 1)
    ats = sorted(reason)
    rejected = pl.DataFrame(
        {"_place": places.gather(ats) if ats else [], "reason": [reason[a] for a in ats]},
        schema={"_place": pl.Int64, "reason": pl.String},
    )
    lineage = [SOURCE, ROW]
    n_new_left = int((left["_place"] >= 0).sum()) if "_old" in left.columns else len(left)
    n_same = sum(twin not in outcome for twin in same_as.values())
    newly_out = table.clear().select(*columns, *lineage).with_columns(reason=pl.lit(None, dtype=pl.String))
    n_netted_before = 0
    released = pl.DataFrame(schema={SOURCE: pl.UInt32, ROW: pl.Int64, "reason": pl.String})
    journal = left.select(*columns, *lineage)
    if "_old" in table.columns:
        leaving = [a for a in outcome if places[a] < 0]
        rows = table[leaving].with_columns(pl.Series("reason", [outcome[a][1] for a in leaving], pl.String))
        held = rows[STATUS].is_null() | (rows[STATUS] == ALTERED).fill_null(value=False)
        n_netted_before = int(held.sum())
        newly_out = rows.filter(held | (rows[STATUS] != rows["reason"])).select(*columns, *lineage, "reason")
        now = pl.DataFrame(
            {"_at": list(outcome), "now": [why for _, why in outcome.values()]},
            schema={"_at": pl.UInt32, "now": pl.String},
        )
        released = (
            table.with_row_index("_at")
            .filter(pl.col("_old") & pl.col(STATUS).is_not_null() & (pl.col(STATUS) != ALTERED))
            .join(now, on="_at", how="left")
            .filter(pl.col("now").ne_missing(pl.col(STATUS)))
            .select(*lineage, reason=STATUS)
        )
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

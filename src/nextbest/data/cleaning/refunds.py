"""Returns netted against the purchases they cancel."""

from dataclasses import dataclass
from math import inf

import numpy as np
import polars as pl

from nextbest.tables import ITEM_ID, TIME, USER_ID

PURCHASE, MATCHED, UNMATCHED = "cancelled_purchase", "cancellation", "cancellation_unmatched"


@dataclass(frozen=True)
class Netted:
    """What netting does to a table, by place of the row."""

    reasons: dict[int, str]
    """Rows that leave, and why."""
    quantity: dict[int, float]
    """Purchases that stay with fewer pieces."""
    amount: dict[int, float]
    """Purchases that stay with a smaller amount."""


def is_return(table: pl.DataFrame, *, kinds: tuple[str, ...]) -> pl.Series | None:
    """Mask of returns: negative quantity, negative amount or a kind that says so; None if no column can tell."""
    tests = []
    for name in ("quantity", "amount"):
        if name in table.columns:
            lowest = table[name].min()
            if isinstance(lowest, float) and lowest < 0:
                tests.append(pl.col(name) < 0)
    if "kind" in table.columns:
        tests.append(pl.col("kind").str.to_lowercase().is_in(kinds))
    if not tests:
        return None
    mask = table.select(pl.any_horizontal(t.fill_null(value=False) for t in tests)).to_series()
    return mask if mask.any() else None


def net(table: pl.DataFrame, returns: pl.Series) -> Netted:
    """Match each return to the latest earlier purchase of its user and item that has as much left.

    `table` is sorted by user and time; at equal times source order decides what is earlier. "As
    much" is counted in pieces where both rows have them, else in money; a return without either
    cancels one whole purchase. A purchase with nothing left leaves together with the return; one with
    something left stays, smaller, and only the return leaves.
    """
    columns = [USER_ID, ITEM_ID, TIME, *(c for c in ("quantity", "amount", "currency") if c in table.columns)]
    rows = table.select(columns).with_columns(_return=returns).with_row_index("_place")
    touched = rows.filter("_return").select(USER_ID, ITEM_ID).unique()
    rows = rows.join(touched, on=[USER_ID, ITEM_ID], how="semi", maintain_order="left").sort(
        USER_ID, ITEM_ID, "_place"
    )
    for name in ("quantity", "amount"):
        if name not in rows.columns:
            rows = rows.with_columns(pl.lit(None, dtype=pl.Float64).alias(name))
    out = Netted({}, {}, {})
    last: tuple[object, object] | None = None
    purchases: list[list[float | None]] = []
    largest = [0.0, 0.0]  # no purchase of the pair has more pieces, more money; spares vain searches
    fields = rows.select(USER_ID, ITEM_ID, "_place", "_return", "quantity", "amount").iter_rows()
    for user, item, place, returned, quantity, amount in fields:
        if (user, item) != last:
            last, purchases, largest = (user, item), [], [0.0, 0.0]
        if not returned:
            purchases.append([place, quantity, amount])
            largest = [max(largest[0], _size(quantity)), max(largest[1], _size(amount))]
            continue
        out.reasons[place] = UNMATCHED
        measure, size = (0, abs(quantity)) if quantity else (1, abs(amount or 0))
        if size > largest[measure] * (1 + 1e-9):
            continue
        for k in range(len(purchases) - 1, -1, -1):
            left = _left(purchases[k], quantity, amount)
            if left is None:
                continue
            out.reasons[place] = MATCHED
            at, had_quantity, had_amount = purchases[k]
            where = int(at or 0)
            if left <= 1e-9:
                out.reasons[where] = PURCHASE
                out.quantity.pop(where, None)
                out.amount.pop(where, None)
                purchases.pop(k)
                break
            if had_quantity is not None:
                purchases[k][1] = had_quantity * left
                out.quantity[where] = had_quantity * left
            if had_amount is not None:
                smaller = (
                    had_amount - abs(amount)
                    if amount is not None and had_amount > abs(amount)
                    else had_amount * left
                )
                purchases[k][2] = smaller
                out.amount[where] = smaller
            break
        else:
            largest[measure] = max((_size(p[1 + measure]) for p in purchases), default=0.0)
    return out


def _size(had: float | None) -> float:
    """What a purchase has to give back; without a figure it may be anything."""
    return inf if had is None else had


def _left(purchase: list[float | None], quantity: float | None, amount: float | None) -> float | None:
    """Share of the purchase that remains after the return; None if it has less than what comes back."""
    _, had_quantity, had_amount = purchase
    for had, back in ((had_quantity, quantity), (had_amount, amount)):
        if had is not None and back is not None and back != 0:
            size = abs(back)
            if had <= 0 or size > had * (1 + 1e-9):
                return None
            return max(1 - size / had, 0.0)
    return 0.0


def altered(table: pl.DataFrame, netted: Netted) -> pl.DataFrame:
    """The table with the smaller quantities and amounts in place."""
    for name, changes in (("quantity", netted.quantity), ("amount", netted.amount)):
        if changes:
            places = pl.Series(np.fromiter(changes.keys(), np.uint32, len(changes)))
            values = pl.Series(np.fromiter(changes.values(), np.float64, len(changes)))
            table = table.with_columns(table[name].scatter(places, values).alias(name))
    return table

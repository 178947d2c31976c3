"""Histories as bit words: one uint16 for each client and product, bit l = the month l+1 before the target.

Flanks, counts and months since an event are then a few bit operations and one table look-up for
millions of client-products at once. Axes: P products, N clients, L months back.
"""

# ruff: noqa: N802, N815  (fields suffixed by their axes are the house style for arrays)

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

MAX_MONTHS = 16
"""Months back that a word holds; older months are not looked at."""
Words = NDArray[np.uint16]
Floats = NDArray[np.float32]
_ONE = np.uint16(1)


@dataclass(frozen=True, eq=False)
class HistoryWords:
    """What N clients held in the last months, turned so that the months of a product lie in one number."""

    held_PN: Words
    """Bit l: held l+1 months before the target. Shape (P, N)."""
    present_N: Words
    """Bit l: in the bank then. Shape (N,)."""

    @classmethod
    def from_masks(
        cls, held_NL: NDArray[np.uint32], present_NL: NDArray[np.bool_], *, n_products: int
    ) -> "HistoryWords":
        """Turn product masks by month into month words by product; months past MAX_MONTHS are left out."""
        n_rows, n_months = held_NL.shape
        product_P1 = np.arange(n_products, dtype=np.uint32)[:, None]
        words_PN = np.zeros((n_products, n_rows), np.uint32)
        plane_PN = np.empty((n_products, n_rows), np.uint32)
        for lag in range(min(n_months, MAX_MONTHS)):
            is_here_N = present_NL[:, lag]
            held_N = np.where(is_here_N, held_NL[:, lag], np.uint32(0))
            np.right_shift(held_N[None, :], product_P1, out=plane_PN)
            plane_PN &= np.uint32(1)
            plane_PN <<= np.uint32(lag)
            words_PN |= plane_PN
        return cls(words_PN.astype(np.uint16), month_words(present_NL))

    @cached_property
    def added_PN(self) -> Words:
        """Bit l: not held a month earlier, held in that month, present in both."""
        return self.held_PN & ~(self.held_PN >> _ONE) & self._pairs_N

    @cached_property
    def dropped_PN(self) -> Words:
        """Bit l: held a month earlier, not held in that month, present in both."""
        return ~self.held_PN & (self.held_PN >> _ONE) & self._pairs_N

    @cached_property
    def _pairs_N(self) -> Words:
        return self.present_N & (self.present_N >> _ONE)

    def lag_PN(self, lag: int, products: NDArray[np.intp] | slice = slice(None)) -> Floats:
        """1 held, 0 not held, NaN absent, `lag` months before the target (1 = the month before)."""
        shift = np.uint16(lag - 1)
        values = ((self.held_PN[products] >> shift) & _ONE).astype(np.float32)
        values[:, (self.present_N >> shift) & _ONE == 0] = np.nan
        return values


def month_words(flags_NL: NDArray[np.bool_]) -> Words:
    """A flag of several months as one number, bit l = column l; columns past MAX_MONTHS are left out. Shape (N,)."""
    n_months = min(flags_NL.shape[1], MAX_MONTHS)
    wide = np.zeros((len(flags_NL), MAX_MONTHS), np.bool_)
    wide[:, :n_months] = flags_NL[:, :n_months]
    return np.packbits(wide, axis=1, bitorder="little").view("<u2")[:, 0].astype(np.uint16)


def months_unchanged(words: Words, present_N: Words) -> Floats:
    """Months that the state of the month before the target has lasted, as far as is known; NaN if absent then.

    The last axis of `words` is the clients', as in `present_N`.
    """
    same = np.where(words & _ONE != 0, words, ~words) & present_N
    months = months_since(~same) - np.float32(1)
    months[np.isnan(months)] = MAX_MONTHS  # all bits are the same: the word ends first
    return np.where(present_N & _ONE != 0, months, np.float32(np.nan))


def months_since(words: Words) -> Floats:
    """Months from the newest event to the target (1 = the month before it); NaN where there was none."""
    return _since()[words]


def months_since_second(words: Words) -> Floats:
    """Months from the second newest event to the target; NaN where there was none."""
    return _since()[words & (words - _ONE)]


def count_events(words: Words) -> Floats:
    """Number of events in each word."""
    return _ones()[words]


def as_fraction(words: Words) -> Floats:
    """The word read as a binary fraction, newest month first: 0.5 = only the last month, 0.75 the last two.

    One number that holds the exact pattern of all months, ordered by the newest that differs, so that a tree
    finds "held last month, not the one before" with two cuts.
    """
    return _fractions()[words]


@cache
def _since() -> Floats:
    words = np.arange(1 << 16)
    lowest = words & -words
    table = np.log2(np.where(lowest == 0, 1, lowest)) + 1
    table[0] = np.nan
    return table.astype(np.float32)


@cache
def _ones() -> Floats:
    words = np.arange(1 << 16)
    ones: Floats = ((words[:, None] >> np.arange(16)) & 1).sum(axis=1).astype(np.float32)
    return ones


@cache
def _fractions() -> Floats:
    words = np.arange(1 << 16)
    bits = np.arange(16)
    fractions: Floats = (((words[:, None] >> bits) & 1) * 0.5 ** (bits + 1)).sum(axis=1).astype(np.float32)
    return fractions

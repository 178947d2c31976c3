"""The model-ready log: histories as arrays of row numbers, with the ids that explain them.

Made from a journal table in one place (`Interactions.from_journal`); models, pipeline and
service only ever see this form. Knows nothing of files or models.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from nextbest.data.ids import UNKNOWN, IdIndex, OutsideId
from nextbest.data.item_features import ItemFeatures
from nextbest.errors import DataError
from nextbest.tables import ITEM_ID, TIME, USER_ID


@dataclass(frozen=True, eq=False)
class Histories:
    """What B users did, oldest first, packed without padding.

    The row of user b is `item_idx[indptr[b]:indptr[b + 1]]`; a user may have none.
    """

    indptr: NDArray[np.int64]
    """Shape (B + 1,)."""
    item_idx: NDArray[np.int32]
    """Shape (n,); never UNKNOWN."""
    weight: NDArray[np.float32]
    """Shape (n,); > 0, 1 where the journal says nothing better; no unit."""
    time_us: NDArray[np.int64]
    """Shape (n,); microseconds since 1970-01-01 UTC, not decreasing inside a user."""
    segment: NDArray[np.int32] | None = None
    """Shape (B,); group of each user (region, age band, ...), -1 = unknown; None = nobody has one."""

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def n_events(self) -> int:
        """Events of all users together."""
        return len(self.item_idx)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Events of each user, shape (B,)."""
        return np.diff(self.indptr)

    def row(self, b: int) -> slice:
        """Where the events of user b stand."""
        return slice(int(self.indptr[b]), int(self.indptr[b + 1]))

    def take(self, users: NDArray[np.integer] | slice | Sequence[int]) -> "Histories":
        """Histories of the users at these places, in this order; a place of -1 gives an empty history."""
        if isinstance(users, slice):
            users = np.arange(len(self))[users]
        places = np.asarray(users, dtype=np.int64)
        known = places >= 0
        starts = np.where(known, self.indptr[places], 0)
        lengths = np.where(known, self.indptr[places + 1] - self.indptr[places], 0)
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        picks = np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
        segment = None if self.segment is None else np.where(known, self.segment[places], -1).astype(np.int32)
        return Histories(indptr, self.item_idx[picks], self.weight[picks], self.time_us[picks], segment)

    def last(self, n: int) -> "Histories":
        """The newest `n` events of every user."""
        keep = np.minimum(self.lengths, n)
        indptr = np.concatenate([[0], np.cumsum(keep)]).astype(np.int64)
        picks = np.repeat(self.indptr[1:] - keep - indptr[:-1], keep) + np.arange(indptr[-1])
        return Histories(indptr, self.item_idx[picks], self.weight[picks], self.time_us[picks], self.segment)

    def to_csr(self, n_items: int, *, binary: bool = False) -> csr_array:
        """Users x items, repeats summed by weight (`binary`: 1 where there is any). Shape (B, n_items)."""
        data = np.ones(self.n_events, np.float32) if binary else self.weight
        matrix = csr_array((data, self.item_idx, self.indptr), shape=(len(self), n_items), copy=True)
        matrix.sum_duplicates()
        if binary:
            matrix.data[:] = 1
        return matrix

    @classmethod
    def from_lists(
        cls, item_idx: Iterable[Sequence[int]], *, time_us: Iterable[Sequence[int]] | None = None
    ) -> "Histories":
        """Histories from one list of row numbers a user; unknown items (-1) are left out, weights are 1.

        Without `time_us` the times are 0, 1, 2, ... inside each user.
        """
        rows = [np.asarray(r, dtype=np.int64) for r in item_idx]
        times = [np.arange(len(r)) for r in rows] if time_us is None else [np.asarray(t) for t in time_us]
        kept = [r != UNKNOWN for r in rows]
        rows, times = (
            [r[m] for r, m in zip(rows, kept, strict=True)],
            [t[m] for t, m in zip(times, kept, strict=True)],
        )
        indptr = np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64)
        items = np.concatenate([*rows, np.empty(0, np.int64)]).astype(np.int32)
        return cls(
            indptr,
            items,
            np.ones(len(items), np.float32),
            np.concatenate([*times, np.empty(0, np.int64)]).astype(np.int64),
        )


@dataclass(frozen=True, eq=False)
class Interactions:
    """A whole log, ready for models: whose row is whose, which column is which, and the histories."""

    user_ids: IdIndex
    item_ids: IdIndex
    histories: Histories
    """Row b belongs to `user_ids.decode([b])`."""
    segment_ids: IdIndex | None = None
    """Names of the segments that `histories.segment` counts."""
    item_features: ItemFeatures | None = None
    """What a catalogue says of the items, for models that read it; None = nothing."""

    @property
    def n_users(self) -> int:
        """Users, those with an empty history included."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """Items that have a row number, also those nobody took."""
        return len(self.item_ids)

    @classmethod
    def from_journal(
        cls,
        journal: pl.DataFrame,
        *,
        user_ids: IdIndex | None = None,
        item_ids: IdIndex | None = None,
        weight: str | None = None,
        segments: pl.DataFrame | None = None,
    ) -> "Interactions":
        """Encode a journal: events sorted by user and time, ties in the journal's own order (stable).

        Parameters
        ----------
        journal
            Columns `user_id, item_id, time`; others are ignored but for `weight`.
        user_ids, item_ids
            Use these row numbers; events of ids they don't hold are left out. None: all ids of the journal.
        weight
            Column with a positive weight per event (hours played, pieces). None: every event weighs 1.
        segments
            Columns `user_id, segment` (text): the group of each user, at most one row a user.

        Raises
        ------
        DataError
            A column is missing, or a weight is null, NaN, infinite or not positive.
        """
        wanted = [USER_ID, ITEM_ID, TIME] + ([weight] if weight else [])
        if missing := [c for c in wanted if c not in journal.columns]:
            raise DataError(
                "journal", f"column(s) {missing} missing", remedy=f"it has {journal.columns[:20]}"
            )
        user_ids = user_ids or IdIndex.from_values(journal[USER_ID])
        item_ids = item_ids or IdIndex.from_values(journal[ITEM_ID])
        weights = (
            journal[weight].cast(pl.Float32)
            if weight
            else pl.repeat(1.0, len(journal), dtype=pl.Float32, eager=True)
        )
        bad = ~((weights > 0) & weights.is_finite()).fill_null(value=False)  # NaN > 0 is true in Polars
        if weight and bad.any():
            raise DataError(
                "journal",
                f"{weight} must be positive to be a weight",
                n_bad=int(bad.sum()),
                examples=journal[weight].filter(bad).head(5).to_list(),
            )
        table = pl.DataFrame(
            {
                "u": user_ids.encode(journal[USER_ID]),
                "i": item_ids.encode(journal[ITEM_ID]),
                "t": journal[TIME].to_physical(),
                "w": weights,
            }
        ).filter((pl.col("u") >= 0) & (pl.col("i") >= 0))
        table = table.sort("u", "t", maintain_order=True)
        counts = np.bincount(table["u"].to_numpy(), minlength=len(user_ids))
        histories = Histories(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            table["i"].to_numpy(),
            table["w"].to_numpy(),
            table["t"].to_numpy(),
        )
        if segments is None:
            return cls(user_ids, item_ids, histories)
        segment_ids = IdIndex.from_values(segments["segment"].drop_nulls().cast(pl.String))
        segment = np.full(len(user_ids), -1, np.int32)
        rows = user_ids.encode(segments[USER_ID])
        segment[rows[rows >= 0]] = segment_ids.encode(segments["segment"].cast(pl.String))[rows >= 0]
        return cls(user_ids, item_ids, replace(histories, segment=segment), segment_ids)

    def histories_of(self, users: Iterable[OutsideId] | pl.Series) -> Histories:
        """Histories of these users in this order; an unknown user's is empty."""
        return self.histories.take(self.user_ids.encode(users))

    @cached_property
    def item_counts(self) -> NDArray[np.int64]:
        """Events of each item, shape (n_items,)."""
        return np.bincount(self.histories.item_idx, minlength=self.n_items)

    @property
    def last_time_us(self) -> int | None:
        """Time of the newest event, microseconds since 1970 UTC; None for an empty log."""
        return int(self.histories.time_us.max()) if self.histories.n_events else None

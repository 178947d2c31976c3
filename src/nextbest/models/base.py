"""What every recommender promises: scores are a pure function of a history.

Because of that one rule an unseen user, a history posted in a request and an event posted a
second ago need no special road: they are all histories. Knows nothing of metrics, splits,
files other than its own model folder (`models/store.py`), or the web.
"""

import logging
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.ids import UNKNOWN
from nextbest.data.interactions import Histories, Interactions
from nextbest.models.checks import check_items, check_k, checked_mask, checked_rows
from nextbest.models.histories import renumbered, seen_pairs, with_segments
from nextbest.models.kept import Kept
from nextbest.models.threads import WORTH_THREADS, for_each
from nextbest.models.topk import FloatArray, TopK, block_size, no_evidence, select_top_k
from nextbest.tables import ITEM_ID, USER_ID

__all__ = ["FloatArray", "How", "Recommender", "Rng", "TopK", "no_evidence"]

Rng = int | np.random.Generator

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class How:
    """What a fit shows and keeps while it runs; nothing that changes the model."""

    progress: bool = False
    checkpoints: Path | None = None


class Recommender(Kept):
    """One model. `fit` learns item-side parameters; `score` turns histories into scores.

    Conventions of every model

    - A history's weights and times mean what the model's own docstring says; nothing else of it counts.
    - "No evidence" is -inf, never 0, and never recommended: rows may be shorter than k (the pipeline's
      fallbacks fill them). NaN and +inf never leave.
    - Ties go to the lower `item_idx`, that is to the smaller id.
    - Methods never change their input; `score` and `top_k` change nothing in the model and may be
      called from several threads.
    - Memory beside the result is bounded: users are scored in blocks sized by the number of items.
    """

    _how: How = How()

    # --- what each model writes -------------------------------------------------------------
    @abstractmethod
    def _fit(self, interactions: Interactions, *, rng: np.random.Generator) -> None:
        """Learn; `item_ids_` and `segment_ids_` are set already. May meet an empty log."""

    @abstractmethod
    def _score(self, histories: Histories) -> FloatArray:
        """A new array of scores, shape (B, n_items), for one block of checked histories."""

    @abstractmethod
    def _similarity(self, item_idx: NDArray[np.int32]) -> FloatArray:
        """A new array: likeness of all items to each of these, shape (n, n_items), -inf = no evidence."""

    def _contributions(self, histories: Histories, item_idx: NDArray[np.int32]) -> FloatArray:
        """`contributions` of checked histories with events; every place of `item_idx` holds an item."""
        return np.full((histories.n_events, item_idx.shape[1]), np.nan, np.float32)

    # --- what every model gets --------------------------------------------------------------
    @property
    def n_items(self) -> int:
        """Items that have a column in the scores."""
        self._check_fitted()
        return len(self.item_ids_)

    def fit(
        self,
        interactions: Interactions,
        *,
        rng: Rng = 0,
        progress: bool = False,
        checkpoints: Path | None = None,
    ) -> Self:
        """Learn from a log and return the model itself; a second call forgets the first.

        Parameters
        ----------
        interactions
            The log; whether weights, times, segments and item features count is the model's own matter.
        rng
            Seed or Generator; the same log and `rng` in the same state give the same model.
        progress
            Show a bar, where learning takes epochs.
        checkpoints
            Folder to write to after every epoch and to go on from, if it holds a checkpoint of this very training;
            models that learn in one go ignore it.

        Raises
        ------
        InputError
            The log is too large for this model; the message names a remedy.
        """
        self.item_ids_, self.segment_ids_ = interactions.item_ids, interactions.segment_ids
        self._how = How(progress=progress, checkpoints=checkpoints)
        try:
            self._fit(interactions, rng=np.random.default_rng(rng))
        except BaseException:
            del self.item_ids_, self.segment_ids_  # half a model must not answer
            raise
        log.debug("fitted %s on %d users, %d items", self.kind, interactions.n_users, interactions.n_items)
        return self

    def score(self, histories: Histories) -> FloatArray:
        """Scores of all items for each history, shape (B, n_items); -inf = no evidence, never NaN.

        No unit; higher is better; comparable inside one row only. Items of the history are scored like
        all others. The whole array is returned: for many users ask `top_k`, which works in blocks.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            A history holds a row number that this model doesn't have.
        """
        self._check_histories(histories)
        size = block_size(self.n_items)
        if len(histories) <= size:
            return self._score(histories)
        scores = np.empty((len(histories), self.n_items), np.float32)
        for start in range(0, len(histories), size):
            scores[start : start + size] = self._score(histories.take(slice(start, start + size)))
        return scores

    def top_k(
        self,
        histories: Histories,
        *,
        k: int,
        exclude_seen: bool | NDArray[np.bool_] = True,
        allowed: NDArray[np.bool_] | None = None,
        n_threads: int = 0,
    ) -> TopK:
        """The `k` best items for each history, exact, best first.

        Parameters
        ----------
        histories
            B users, in this model's row numbers (see `histories_for`).
        k
            Places, 1 or more; it may exceed the number of items.
        exclude_seen
            Leave out items of the history itself: one choice for all, or shape (B,).
        allowed
            Items that may be recommended: shape (n_items,) for all, or (B, n_items). None = all.
        n_threads
            Threads for a batch of many users, 0 = all cores; a few users (under four blocks) are answered on
            the calling thread. The answer doesn't depend on it.

        Returns
        -------
        TopK
            Shape (B, k); rows with fewer choices end in -1 and -inf.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            `k` < 1, a mask of another shape, or a row number that this model doesn't have.
        """
        self._check_histories(histories)
        check_k(k)
        n_users = len(histories)
        exclude = np.broadcast_to(
            checked_mask("exclude_seen", exclude_seen, shapes=[(), (n_users,)]), (n_users,)
        )
        if allowed is not None:
            allowed = checked_mask("allowed", allowed, shapes=[(self.n_items,), (n_users, self.n_items)])
        item_idx = np.empty((n_users, k), np.int32)
        score = np.empty((n_users, k), np.float32)
        size = self._users_at_once()

        def answer(rows: slice) -> None:
            block = histories if n_users <= size else histories.take(rows)
            mask = allowed[rows] if allowed is not None and allowed.ndim == 2 else allowed
            best = self._top_k_block(block, k=k, exclude=exclude[rows], allowed=mask)
            item_idx[rows], score[rows] = best.item_idx, best.score

        blocks = [slice(start, min(start + size, n_users)) for start in range(0, n_users, size)]
        for_each(answer, blocks, n_threads=n_threads if len(blocks) >= WORTH_THREADS else 1)
        return TopK(item_idx, score)

    def recommend(
        self,
        interactions: Interactions,
        *,
        user_ids: pl.Series | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        item_ids_allowed: pl.Series | None = None,
        item_ids_denied: pl.Series | None = None,
    ) -> pl.DataFrame:
        """Recommendations for users of a log, as the `recommendations` table (`source` is the kind).

        Parameters
        ----------
        interactions
            Histories to answer from; may be another log than the fitted one: ids are matched, and items
            that the model doesn't know are ignored.
        user_ids
            Whom to answer, in this order, repeats once; one that the log doesn't hold counts as an empty
            history. None = every user of the log.
        k
            Rows a user at most, 1 or more.
        exclude_seen
            Leave out items of the user's own history.
        item_ids_allowed, item_ids_denied
            Only these items; never these. Ids that the model doesn't know are ignored.

        Returns
        -------
        polars.DataFrame
            `user_id, item_id, rank, score, source`; a user with no choice left has no row.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            `k` < 1.
        """
        self._check_fitted()
        users = (
            interactions.user_ids.ids if user_ids is None else user_ids.unique(maintain_order=True)
        ).alias(USER_ID)
        best = self.top_k(
            self.histories_for(interactions, user_ids=users),
            k=k,
            exclude_seen=exclude_seen,
            allowed=self.item_ids_.mask(allowed=item_ids_allowed, denied=item_ids_denied),
        )
        rows, places = np.nonzero(best.item_idx != UNKNOWN)
        return pl.DataFrame(
            {
                USER_ID: users.gather(rows),
                ITEM_ID: self.item_ids_.decode(best.item_idx[rows, places]),
                "rank": (places + 1).astype(np.int32),
                "score": best.score[rows, places],
            }
        ).with_columns(source=pl.lit(self.kind))

    def similar_items(self, item_idx: NDArray[np.integer], *, k: int) -> TopK:
        """The `k` items most like each of these, without itself; shape (n, k), best first.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            `k` < 1 or a row number that this model doesn't have.
        """
        check_k(k)
        items = np.asarray(item_idx, dtype=np.int64).ravel()
        check_items("item_idx", items, n_items=self.n_items)
        found, score = np.empty((len(items), k), np.int32), np.empty((len(items), k), np.float32)
        size = block_size(self.n_items)
        for start in range(0, len(items), size):
            rows = slice(start, start + size)
            likeness = self._similarity(items[rows].astype(np.int32))
            likeness[np.arange(len(likeness)), items[rows]] = -np.inf
            best = select_top_k(likeness, k=k)
            found[rows], score[rows] = best.item_idx, best.score
        return TopK(found, score)

    def contributions(self, histories: Histories, item_idx: NDArray[np.integer]) -> FloatArray:
        """How much each event adds to the scores of some items of its user's, shape (n_events, K).

        Rows stand as in `histories.item_idx`; column k belongs to place k of `item_idx`, shape (B, K), -1 =
        none. A user's parts of an item add up to its score wherever that is finite (in a blend: to the score
        less what members without parts, such as popularity, give); all are NaN where the model has no such
        additive reading, and where there is no item. Used for reasons, not for ranking.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            `item_idx` has no row for each history, or a row number that this model doesn't have.
        """
        self._check_histories(histories)
        wanted = checked_rows("item_idx", item_idx, n_rows=len(histories), n_items=self.n_items)
        none = wanted == UNKNOWN
        if not histories.n_events or none.all():
            return np.full((histories.n_events, wanted.shape[1]), np.nan, np.float32)
        if not none.any():
            return self._contributions(histories, wanted)
        parts = self._contributions(histories, np.where(none, 0, wanted))
        parts[np.repeat(none, histories.lengths, axis=0)] = np.nan
        return parts

    def histories_for(self, interactions: Interactions, *, user_ids: pl.Series | None = None) -> Histories:
        """Histories of a log in this model's own row numbers; events of items it doesn't know are left out.

        Row b belongs to `user_ids[b]`, or to `interactions.user_ids.decode([b])` without `user_ids`.
        """
        self._check_fitted()
        histories = interactions.histories if user_ids is None else interactions.histories_of(user_ids)
        if interactions.item_ids != self.item_ids_:
            histories = renumbered(histories, self.item_ids_.encode(interactions.item_ids.ids))
        if histories.segment is not None and interactions.segment_ids != self.segment_ids_:
            histories = with_segments(histories, interactions.segment_ids, self.segment_ids_)
        return histories

    # --- shared steps -----------------------------------------------------------------------
    def _users_at_once(self) -> int:
        """Users of a block of `top_k`."""
        return block_size(self.n_items)

    def _top_k_block(
        self,
        histories: Histories,
        *,
        k: int,
        exclude: NDArray[np.bool_],
        allowed: NDArray[np.bool_] | None,
    ) -> TopK:
        """`top_k` of one block of checked histories; a model with a cheaper road overrides this."""
        scores = self._score(histories)
        scores[seen_pairs(histories, exclude)] = -np.inf
        if allowed is not None:
            np.copyto(scores, -np.inf, where=~allowed)
        return select_top_k(scores, k=k)

    def _check_histories(self, histories: Histories) -> None:
        self._check_fitted()
        check_items("histories", histories.item_idx, n_items=self.n_items)

"""A weighted blend of models: each member's scores on its own scale, added up."""

import copy
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveFloat

from nextbest.data.event_log import to_time_us
from nextbest.data.ids import UNKNOWN, IdIndex, OutsideId
from nextbest.data.interactions import Histories, Interactions
from nextbest.errors import InputError
from nextbest.models.base import FloatArray, Recommender, Rng, no_evidence
from nextbest.models.histories import renumbered
from nextbest.models.sequence.sequence_model import SequenceModel
from nextbest.models.topk import block_size


class Member(BaseModel, frozen=True, extra="forbid"):
    """One model of a blend."""

    kind: Literal[
        "popularity",
        "personal",
        "item_knn",
        "transitions",
        "ease",
        "als",
        "svd",
        "gru4rec",
        "sasrec",
        "bert4rec",
        "lstm",
    ]
    weight: PositiveFloat = 1.0
    """How much its scores count beside the others'; no unit."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Settings of that model."""


class BlendConfig(BaseModel, frozen=True, extra="forbid"):
    """Which models, how much each."""

    members: tuple[Member, ...] = Field(
        default=(
            Member(kind="personal", config={"fill_popular": False}),
            Member(kind="als"),
        ),
        min_length=1,
    )


class Blend(Recommender):
    """Members are fitted on the same log; a score is the weighted sum of theirs, each scaled per user.

    Score: sum over members of weight x score / largest absolute score of that user's row (so each member
    spans at most -1..1). A member without evidence for an item adds nothing; an item that no member has
    evidence for has none here. Contributions are the members', scaled the same way, so reasons stay true.
    """

    kind: ClassVar[str] = "blend"
    Config: ClassVar[type[BaseModel]] = BlendConfig
    config: BlendConfig

    members_: list[Recommender]

    def __init__(self, config: BaseModel | None = None) -> None:
        """Take a frozen `Config`; settings of members are read now, not after hours of other fits.

        Raises
        ------
        InputError
            `config` belongs to another model, or a member's has a field that the member doesn't have or allow.
        """
        super().__init__(config)
        self._unfitted()

    def _fit(self, interactions: Interactions, *, rng: np.random.Generator) -> None:
        self.members_ = self._unfitted()
        folder = self._how.checkpoints
        streams = rng.spawn(len(self.members_))
        for place, (member, stream) in enumerate(zip(self.members_, streams, strict=True)):
            member.fit(
                interactions,
                rng=stream,
                progress=self._how.progress,
                checkpoints=None if folder is None else folder / str(place),
            )

    # --- live -------------------------------------------------------------------------------
    def fit_more(
        self,
        interactions: Interactions,
        *,
        since: datetime,
        catalog: pl.DataFrame | None = None,
        rng: Rng = 0,
        progress: bool = False,
    ) -> Self:
        """Take up new days, each member in its own way, and return the blend itself.

        Sequence models go on learning (`SequenceModel.fit_more`: what the parameters mean stands there); all others count
        or factorise anew, which needs the whole log. New items get rows after the old ones in every member.

        Parameters
        ----------
        interactions
            The whole log, new days with the old ones. Not changed.
        since, catalog, progress
            As in `SequenceModel.fit_more`; the catalogue is for the members that were fitted with item features.
        rng
            Seed or Generator; each member draws from a stream of its own.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            No member is a sequence model, one has no rows for items that `with_items` added, or what a member refuses. The
            blend stays as it was, then and after any error.
        DataError
            The catalogue lacks a column or holds an item twice.
        """
        self._check_fitted()
        to_time_us("since", since)
        learners = [m for m in self.members_ if isinstance(m, SequenceModel)]
        kinds = [m.kind for m in self.members_]
        if not learners:
            raise InputError(
                "fit_more", f"no member goes on learning, they are {kinds}", remedy="fit the blend again"
            )
        if short := [m.kind for m in learners if m.n_items < self.n_items]:
            raise InputError(
                "fit_more",
                f"member(s) {short} without item features have no rows for the items that with_items added",
                remedy="fit the blend again",
            )
        if catalog is not None and all(m.item_coder_ is None for m in learners):
            raise InputError("catalog", "no member was fitted with item features", remedy="leave it out")
        streams = np.random.default_rng(rng).spawn(len(kinds))
        # a renewal replaces a model's arrays and changes none, so that copies may share them
        members = [copy.copy(m) for m in self.members_]
        for place, member in enumerate(members):
            if isinstance(member, SequenceModel):
                of_items = catalog if member.item_coder_ is not None else None
                member.fit_more(
                    interactions, since=since, catalog=of_items, rng=streams[place], progress=progress
                )
                ids = member.item_ids_  # the same of each: old ones, then the log's new ones
        histories = renumbered(interactions.histories, ids.encode(interactions.item_ids.ids))
        log = Interactions(interactions.user_ids, ids, histories, interactions.segment_ids)
        for place, member in enumerate(members):
            if not isinstance(member, SequenceModel):
                member.fit(log, rng=streams[place], progress=progress)
        self.item_ids_, self.segment_ids_, self.members_ = ids, interactions.segment_ids, members
        return self

    def with_items(self, item_ids: pl.Series | Iterable[OutsideId], catalog: pl.DataFrame) -> Self:
        """A new blend with more items, known by the members that were fitted with item features.

        The other members have no evidence for them and add nothing to their scores, and such events are no events to
        them, until `fit_more` or a new fit. Nothing is learned; parameters and errors are those of
        `SequenceModel.with_items`.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            No member was fitted with item features, or an id has a row already, comes twice or is of another type.
        DataError
            The catalogue lacks a column or an item, or holds an item twice.
        """
        self._check_fitted()
        item_ids = item_ids if isinstance(item_ids, pl.Series) else list(item_ids)  # read by several members
        members: list[Recommender] = []
        ids = self.item_ids_
        for member in self.members_:
            if isinstance(member, SequenceModel) and member.item_coder_ is not None:
                more = member.with_items(item_ids, catalog)
                members.append(more)
                ids = more.item_ids_
            else:
                members.append(member)
        if ids is self.item_ids_:
            raise InputError(
                "with_items",
                f"no member was fitted with item features, they are {[m.kind for m in members]}",
                remedy="fit the blend with a sequence model and item features",
            )
        model = type(self)(self.config)
        model.item_ids_, model.segment_ids_, model.members_ = ids, self.segment_ids_, members
        return model

    def _unfitted(self) -> list[Recommender]:
        from nextbest.models import make_model

        return [make_model(m.kind, m.config) for m in self.config.members]

    def _score(self, histories: Histories) -> FloatArray:
        total = np.zeros((len(histories), self.n_items), np.float32)
        evidence = np.zeros(total.shape, np.bool_)
        for spec, member in zip(self.config.members, self.members_, strict=True):
            scores = self._scores_of(member, histories)
            known = scores > -np.inf
            scores[~known] = 0
            scores *= (spec.weight / _scale(scores))[:, None]
            total += scores
            evidence |= known
        total[~evidence] = -np.inf
        return total

    def _contributions(self, histories: Histories, item_idx: NDArray[np.int32]) -> FloatArray:
        total = np.zeros((histories.n_events, item_idx.shape[1]), np.float32)
        has_parts = np.zeros(total.shape, np.bool_)
        for spec, member in zip(self.config.members, self.members_, strict=True):
            parts = self._parts_of(member, histories, item_idx)
            readable = ~np.isnan(parts)
            if not readable.any():
                continue
            factor = spec.weight / self._scale_of(member, histories)
            parts *= np.repeat(factor, histories.lengths).astype(np.float32)[:, None]
            np.add(total, parts, out=total, where=readable)
            has_parts |= readable
        total[~has_parts] = np.nan
        return total

    def _scores_of(self, member: Recommender, histories: Histories) -> FloatArray:
        """A member's scores of all items, shape (B, n_items); it may have no rows for items added later."""
        return self._widened(member._score(self._read_by(member, histories)))

    def _parts_of(self, member: Recommender, histories: Histories, item_idx: NDArray[np.int32]) -> FloatArray:
        """A member's contributions; events and items that it has no rows for add nothing. Shape (n_events, K)."""
        n_known = member.n_items
        if n_known == self.n_items:
            return member._contributions(histories, item_idx)
        parts = np.zeros((histories.n_events, item_idx.shape[1]), np.float32)
        read = self._read_by(member, histories)
        if read.n_events:
            items = np.where(item_idx < n_known, item_idx, 0)
            parts[histories.item_idx < n_known] = member._contributions(read, items)
        parts[np.repeat(item_idx >= n_known, histories.lengths, axis=0)] = 0
        return parts

    def _read_by(self, member: Recommender, histories: Histories) -> Histories:
        """Without the events of items that the member has no rows for."""
        if member.n_items == self.n_items:
            return histories
        rows = np.arange(self.n_items, dtype=np.int32)
        rows[member.n_items :] = UNKNOWN
        return renumbered(histories, rows)

    def _widened(self, scores: FloatArray) -> FloatArray:
        """With a column of no evidence for each item that the member has no rows for."""
        missing = self.n_items - scores.shape[1]
        return np.pad(scores, ((0, 0), (0, missing)), constant_values=-np.inf) if missing else scores

    def _scale_of(self, member: Recommender, histories: Histories) -> FloatArray:
        """`_scale` of a member's scores, by blocks of users. Shape (B,)."""
        scale, size = np.empty(len(histories), np.float32), block_size(self.n_items)
        for start in range(0, len(histories), size):
            rows = slice(start, start + size)
            scores = self._scores_of(member, histories if size >= len(histories) else histories.take(rows))
            scores[scores == -np.inf] = 0
            scale[rows] = _scale(scores)
        return scale

    def _similarity(self, item_idx: NDArray[np.int32]) -> FloatArray:
        """The likeness of the first member that knows likeness of items."""
        for member in self.members_:
            n_known = member.n_items
            likeness = self._widened(member._similarity(np.where(item_idx < n_known, item_idx, 0)))
            likeness[item_idx >= n_known] = -np.inf
            if (likeness > -np.inf).any():
                return likeness
        return no_evidence(len(item_idx), self.n_items)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        n_items_M = np.array([member.n_items for member in self.members_])
        # only where some differ: else each member's own arrays tell what fits the catalogue
        widths = {} if (n_items_M == self.n_items).all() else {"member_items": n_items_M}
        return widths | {
            f"{place}.{name}": array
            for place, member in enumerate(self.members_)
            for name, array in member._arrays().items()
        }

    def _restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.members_ = self._unfitted()
        n_items_M = arrays.get("member_items", np.full(len(self.members_), len(self.item_ids_)))
        for place, (member, n_items) in enumerate(zip(self.members_, n_items_M.tolist(), strict=True)):
            whole = n_items == len(self.item_ids_)
            member.item_ids_ = self.item_ids_ if whole else IdIndex(self.item_ids_.ids[:n_items])
            member.segment_ids_ = self.segment_ids_
            prefix = f"{place}."
            member._restore({n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)})

    def _files(self) -> dict[str, bytes]:
        return {
            f"{place}.{name}": content
            for place, member in enumerate(self.members_)
            for name, content in member._files().items()
        }

    def _restore_files(self, files: Mapping[str, bytes]) -> None:
        for place, member in enumerate(self.members_):
            prefix = f"{place}."
            own = {n.removeprefix(prefix): c for n, c in files.items() if n.startswith(prefix)}
            member._restore_files(own)


def _scale(scores: FloatArray) -> FloatArray:
    """Largest absolute score of each row, 1 where all are 0. Shape (B,)."""
    largest = np.abs(scores).max(axis=1, initial=0)
    return np.where(largest > 0, largest, 1).astype(np.float32)

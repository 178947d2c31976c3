"""A weighted blend of models: each member's scores on its own scale, added up."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveFloat

from nextbest.data.interactions import Histories, Interactions
from nextbest.models.base import FloatArray, Recommender, no_evidence
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

    def _unfitted(self) -> list[Recommender]:
        from nextbest.models import make_model

        return [make_model(m.kind, m.config) for m in self.config.members]

    def _score(self, histories: Histories) -> FloatArray:
        total = np.zeros((len(histories), self.n_items), np.float32)
        evidence = np.zeros(total.shape, np.bool_)
        for spec, member in zip(self.config.members, self.members_, strict=True):
            scores = member._score(histories)
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
            parts = member._contributions(histories, item_idx)
            readable = ~np.isnan(parts)
            if not readable.any():
                continue
            factor = spec.weight / self._scale_of(member, histories)
            parts *= np.repeat(factor, histories.lengths).astype(np.float32)[:, None]
            np.add(total, parts, out=total, where=readable)
            has_parts |= readable
        total[~has_parts] = np.nan
        return total

    def _scale_of(self, member: Recommender, histories: Histories) -> FloatArray:
        """`_scale` of a member's scores, by blocks of users. Shape (B,)."""
        scale, size = np.empty(len(histories), np.float32), block_size(self.n_items)
        for start in range(0, len(histories), size):
            rows = slice(start, start + size)
            scores = member._score(histories if size >= len(histories) else histories.take(rows))
            scores[scores == -np.inf] = 0
            scale[rows] = _scale(scores)
        return scale

    def _similarity(self, item_idx: NDArray[np.int32]) -> FloatArray:
        """The likeness of the first member that knows likeness of items."""
        for member in self.members_:
            likeness = member._similarity(item_idx)
            if (likeness > -np.inf).any():
                return likeness
        return no_evidence(len(item_idx), self.n_items)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            f"{place}.{name}": array
            for place, member in enumerate(self.members_)
            for name, array in member._arrays().items()
        }

    def _restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.members_ = self._unfitted()
        for place, member in enumerate(self.members_):
            member.item_ids_, member.segment_ids_ = self.item_ids_, self.segment_ids_
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

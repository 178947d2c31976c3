"""What every recommender promises: scores are a pure function of a history.

Because of that one rule an unseen user, a history posted in a request and an event posted a
second ago need no special road: they are all histories. Knows nothing of metrics, splits,
files other than its own model folder, or the web.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel

from nextbest.data.ids import IdIndex
from nextbest.data.interactions import Histories, Interactions

FloatArray = NDArray[np.float32]
Rng = int | np.random.Generator


@dataclass(frozen=True)
class TopK:
    """The best k items of B users, best first; short rows end in item_idx -1 and score -inf."""

    item_idx: NDArray[np.int32]
    """Shape (B, k)."""
    score: FloatArray
    """Shape (B, k); no unit; comparable inside one row only."""


class Recommender(ABC):
    """One model. `fit` learns item-side parameters; `score` turns histories into scores."""

    kind: ClassVar[str]
    """Stable name used in recipes, manifests and the `source` of a recommendation."""
    Config: ClassVar[type[BaseModel]]

    def __init__(self, config: BaseModel | None = None) -> None:
        self.config: Any = config if config is not None else self.Config()

    # --- what each model writes -------------------------------------------------------------
    @abstractmethod
    def _fit(self, interactions: Interactions, *, rng: np.random.Generator) -> None: ...

    @abstractmethod
    def score(self, histories: Histories) -> FloatArray:
        """Scores of all items for each history, shape (B, n_items); -inf = no evidence, never NaN."""

    @abstractmethod
    def _arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that `_restore` needs, as named arrays."""

    @abstractmethod
    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None: ...

    @abstractmethod
    def similar_items(self, item_idx: NDArray[np.int32], *, k: int) -> TopK: ...

    def contributions(self, history: Histories, item_idx: int) -> FloatArray | None:
        """How much each event of one history adds to the score of an item, shape (n_events,).

        None when the model has no such additive reading. Used for reasons, not for ranking.
        """
        return None

    # --- what every model gets --------------------------------------------------------------
    def fit(self, interactions: Interactions, *, rng: Rng = 0) -> Self: ...

    def top_k(
        self,
        histories: Histories,
        *,
        k: int,
        exclude_seen: bool = True,
        allowed: NDArray[np.bool_] | None = None,
    ) -> TopK: ...

    def recommend(
        self,
        interactions: Interactions,
        *,
        user_ids: pl.Series | None = None,
        k: int = 10,
        exclude_seen: bool = True,
        item_ids_allowed: pl.Series | None = None,
        item_ids_denied: pl.Series | None = None,
    ) -> pl.DataFrame: ...

    def save(self, folder: Path) -> None: ...
    @classmethod
    def load(cls, folder: Path) -> "Recommender": ...

    item_ids_: IdIndex

"""Chronos-Bolt and Chronos-2 by `chronos-forecasting` (Apache-2.0, weights too).

Bolt answers each series alone: nine quantiles, 64 steps. Chronos-2 answers 21 quantiles and can let the assets of
one origin see each other; never two origins, whose later one holds the earlier one's future. The first Chronos
(tokens sampled from a language model) is refused: slower and worse than Bolt by its authors' own tables.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError
from nextbest.market.foundation.context import Contexts, contexts
from nextbest.market.foundation.pretrained import Card, PretrainedConfig, PretrainedOnCloses, package

if TYPE_CHECKING:
    import torch

_BOLT = Card(
    licence="Apache-2.0",
    seen_until=None,
    released=date(2024, 11, 26),
    source="card of amazon/chronos-bolt-*: 28 public data sets (FX rates and bitcoin among them), undated",
)
_CHRONOS_2 = Card(
    licence="Apache-2.0",
    seen_until=None,
    released=date(2025, 10, 20),
    source="card of amazon/chronos-2 and arXiv 2510.15821, 4: Chronos data sets, GIFT-Eval pretrain, synthetic; undated",
)


class ChronosConfig(PretrainedConfig, frozen=True):
    """What Chronos is told."""

    weights: str = "amazon/chronos-bolt-small"
    cross_assets: bool = False
    """Chronos-2 only: the assets of one origin are variates of one question (its group attention)."""


class Chronos(PretrainedOnCloses):
    """Chronos-Bolt or Chronos-2, as the checkpoint says, by `chronos.BaseChronosPipeline`."""

    kind = "chronos"
    Settings = ChronosConfig
    distributions = ("chronos-forecasting",)
    cards: ClassVar = {
        **{f"amazon/chronos-bolt-{size}": _BOLT for size in ("tiny", "mini", "small", "base")},
        "amazon/chronos-2": _CHRONOS_2,
    }
    settings: ChronosConfig

    @property
    def own_levels(self) -> Sequence[float]:
        """Bolt: .1 to .9. Chronos-2: .01, .05 to .95, .99."""
        return list(self.model.quantiles)

    @property
    def longest_horizon(self) -> int:
        """What it was trained to answer at once; beyond it the package itself warns."""
        return int(self.model.model_prediction_length)

    def _name(self) -> str:
        return super()._name() + "+cross" * self.settings.cross_assets

    def _load(self, weights: str, device: "torch.device") -> Any:
        chronos = package("chronos", install="nextbest[foundation]", why=self.kind)
        import torch

        pipeline = chronos.BaseChronosPipeline.from_pretrained(
            weights, device_map=str(device), dtype=torch.float32
        )
        if not isinstance(pipeline, chronos.ChronosBoltPipeline | chronos.Chronos2Pipeline):
            raise InputError(
                "weights",
                "only Chronos-Bolt and Chronos-2 are supported",
                value=type(pipeline).__name__,
                remedy="use amazon/chronos-bolt-small, or amazon/chronos-2",
            )
        if self.settings.cross_assets and not isinstance(pipeline, chronos.Chronos2Pipeline):
            raise InputError("cross_assets", "only Chronos-2 lets series see each other")
        return pipeline

    def _contexts(self, histories: Sequence[PricePanel]) -> Iterator[Contexts]:
        settings = self.settings
        return contexts(
            histories,
            length=min(settings.context_length, int(self.model.model_context_length)),
            min_bars=self.min_bars,
            batch_size=settings.batch_size,
            scale=settings.scale,
            gaps=self.gaps,
            by_origin=settings.cross_assets,
        )

    def _quantiles(self, batch: Contexts, n_steps: int) -> NDArray[np.floating]:
        import torch

        value_BL = torch.from_numpy(batch.value_BL)
        if not hasattr(self.model, "max_output_patches"):
            out_BKH = self.model.predict(value_BL, prediction_length=n_steps)
        elif self.settings.cross_assets:
            (out_BKH,) = self.model.predict(
                value_BL[None], prediction_length=n_steps, batch_size=len(value_BL)
            )
        else:
            answers = self.model.predict(
                value_BL[:, None], prediction_length=n_steps, batch_size=len(value_BL)
            )
            out_BKH = torch.cat(answers)
        out: NDArray[np.floating] = out_BKH.float().numpy().swapaxes(1, 2)
        return out

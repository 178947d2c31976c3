"""Moirai 2.0 by `uni2ts`: nine quantiles, each series alone. Code Apache-2.0, weights CC BY-NC 4.0: research only.

`uni2ts` pins NumPy below 2 and torch below 2.5, so it is in no extra: it wants an environment of its own, or
`pip install --no-deps` beside gluonts, lightning and jaxtyping, with which its 2.0.0 runs on today's torch.
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nextbest.market.foundation.context import Contexts
from nextbest.market.foundation.pretrained import Card, PretrainedConfig, PretrainedOnCloses, package

if TYPE_CHECKING:
    import torch

_CARD = Card(
    licence="CC BY-NC 4.0",
    seen_until=date(2025, 1, 31),
    released=date(2025, 11, 12),
    source="arXiv 2511.11698, 4: their own telemetry, about a year from 2024-01; GIFT-Eval pretrain, Chronos undated",
)


class MoiraiConfig(PretrainedConfig, frozen=True):
    """What Moirai is told."""

    weights: str = "Salesforce/moirai-2.0-R-small"


class Moirai(PretrainedOnCloses):
    """Moirai 2.0 by `uni2ts.model.moirai2`."""

    kind = "moirai"
    Settings = MoiraiConfig
    distributions = ("uni2ts",)
    cards: ClassVar = {"Salesforce/moirai-2.0-R-small": _CARD}
    settings: MoiraiConfig

    @property
    def own_levels(self) -> Sequence[float]:
        """.1 to .9."""
        return list(self.model.quantile_levels)

    def _load(self, weights: str, device: "torch.device") -> Any:
        moirai = package(
            "uni2ts.model.moirai2",
            install="uni2ts 2.0 in an environment of its own (it pins numpy<2 and torch<2.5)",
            why=self.kind,
        )
        return moirai.Moirai2Module.from_pretrained(weights).to(device).eval()

    def _quantiles(self, batch: Contexts, n_steps: int) -> NDArray[np.floating]:
        import torch

        moirai2 = package("uni2ts.model.moirai2", install="uni2ts 2.0", why=self.kind)

        model = moirai2.Moirai2Forecast(
            module=self.model,
            prediction_length=n_steps,
            # of one length whatever the batch holds: how it pads changes what it answers
            context_length=self.context_length,
            target_dim=1,
            feat_dynamic_real_dim=0,
            past_feat_dynamic_real_dim=0,
        ).to(next(self.model.parameters()).device)
        with torch.inference_mode():
            out_BKH = model.predict([value_L[:, None] for value_L in batch.series()])
        out: NDArray[np.floating] = np.asarray(out_BKH).swapaxes(1, 2)
        return out

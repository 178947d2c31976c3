"""Toto 2.0 by `toto-models`, Datadog's: 4 million to 2.5 billion parameters, nine quantiles. Code and weights Apache-2.0.

The package wants Python 3.12, so it is in no extra. Assets of one origin could be its variates; each series is asked
alone here, by an id of its own.
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
    licence="Apache-2.0",
    seen_until=None,
    released=date(2026, 6, 4),
    source="technical report of Toto 2.0: Datadog's telemetry and public series, undated",
)


class TotoConfig(PretrainedConfig, frozen=True):
    """What Toto is told."""

    weights: str = "Datadog/Toto-2.0-22m"


class Toto(PretrainedOnCloses):
    """Toto 2.0 by `toto2.Toto2Model`."""

    kind = "toto"
    Settings = TotoConfig
    distributions = ("toto-2",)
    cards: ClassVar = {f"Datadog/Toto-2.0-{size}": _CARD for size in ("4m", "22m", "313m", "1B", "2.5B")}
    settings: TotoConfig

    @property
    def own_levels(self) -> Sequence[float]:
        """.1 to .9."""
        return list(self.model.output_head.knots)

    def _load(self, weights: str, device: "torch.device") -> Any:
        toto = package("toto2", install="toto-models (Python 3.12 or newer)", why=self.kind)
        return toto.Toto2Model.from_pretrained(weights).to(device).eval()

    def _quantiles(self, batch: Contexts, n_steps: int) -> NDArray[np.floating]:
        import torch

        device = next(self.model.parameters()).device
        # it reads whole patches: what is missing of the first is masked
        missing = -batch.value_BL.shape[1] % self.model.config.patch_size
        value_BL = np.pad(batch.value_BL, ((0, 0), (missing, 0)), constant_values=np.nan)
        value_BVL = torch.from_numpy(value_BL).to(device)[:, None]
        known_BVL = ~value_BVL.isnan()
        with torch.inference_mode():
            out_KBVH = self.model.forecast(
                {
                    "target": value_BVL.nan_to_num(0.0),
                    "target_mask": known_BVL,
                    "series_ids": torch.zeros(len(value_BVL), 1, dtype=torch.long, device=device),
                },
                horizon=n_steps,
                has_missing_values=not bool(known_BVL.all()),
            )
        out: NDArray[np.floating] = out_KBVH[:, :, 0].float().cpu().numpy().transpose(1, 2, 0)
        return out

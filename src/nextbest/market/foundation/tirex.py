"""TiRex: 35 million parameters of xLSTM by `tirex-ts`; nine quantiles, each series alone.

The weights are under the NXAI community licence: free below 100 million euro of revenue a year, "Built with
technology from NXAI" to be shown. Their file is torch's own with tensors only (`weights_only`), never a pickle.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import ArtifactError
from nextbest.market.foundation.context import Contexts
from nextbest.market.foundation.pretrained import Card, PretrainedConfig, PretrainedOnCloses, package

if TYPE_CHECKING:
    import torch

_FILE = "model.ckpt"
_CARD = Card(
    licence="NXAI Community License",
    seen_until=None,
    released=date(2025, 5, 30),
    source="arXiv 2505.23719, C: Chronos data sets, GIFT-Eval pretrain and synthetic series; undated",
)


class TiRexConfig(PretrainedConfig, frozen=True):
    """What TiRex is told."""

    weights: str = "NX-AI/TiRex"
    """A folder with `model.ckpt`, that file itself, or an id on the hub."""


class TiRex(PretrainedOnCloses):
    """TiRex by `tirex.TiRexZero`."""

    kind = "tirex"
    Settings = TiRexConfig
    distributions = ("tirex-ts",)
    cards: ClassVar = {"NX-AI/TiRex": _CARD}
    settings: TiRexConfig

    @property
    def own_levels(self) -> Sequence[float]:
        """.1 to .9."""
        return list(self.model.config.quantiles)

    def _load(self, weights: str, device: "torch.device") -> Any:
        tirex = package("tirex", install="nextbest[foundation]", why=self.kind)
        path = Path(weights)
        if path.is_dir():
            path /= _FILE
            if not path.exists():
                raise ArtifactError(weights, f"holds no {_FILE}", remedy="fetch the weights again")
        # the class and not `load_model`, which takes every path for an id on the hub (NX-AI/tirex issue 31)
        model = tirex.TiRexZero.from_pretrained(
            str(path) if path.exists() else weights, backend="torch", device=str(device)
        )
        return model.eval()

    def _quantiles(self, batch: Contexts, n_steps: int) -> NDArray[np.floating]:
        quantiles, _ = self.model.forecast(
            batch.value_BL, output_type="numpy", batch_size=len(batch.value_BL), prediction_length=n_steps
        )
        out: NDArray[np.floating] = quantiles
        return out

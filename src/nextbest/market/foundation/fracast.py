"""Fracast-0: 85,001 parameters whose weights lie in the package itself, so that a pretrained model runs anywhere.

A shared dilated convolution over 2,048 bars, nine quantiles of 48 steps at once; each series alone. The `fracast`
package, Apache-2.0, weights too. It rolls longer horizons by appending its own medians, whose spread stops growing:
more than 48 steps are refused here.
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from nextbest.market.foundation.context import Contexts
from nextbest.market.foundation.pretrained import Card, PretrainedConfig, PretrainedOnCloses, package

if TYPE_CHECKING:
    import torch

BUNDLED = "bundled"
"""`weights` for those in the wheel."""
_MIN_FINITE = 8
_CARD = Card(
    licence="Apache-2.0",
    seen_until=None,
    released=date(2026, 9, 30),
    source="fracast 0.1.0: GiftEvalPretrain, LOTSA, Chronos, BOOM, FEV and synthetic series, not one of them dated",
)


class FracastConfig(PretrainedConfig, frozen=True):
    """What Fracast is told."""

    weights: str = BUNDLED
    """`bundled`, a folder as the package publishes it, or an id on the hub."""
    precision: Literal["fp32", "w8"] = "fp32"
    """Full weights, or the published 8-bit ones."""


class Fracast(PretrainedOnCloses):
    """Fracast-0 by `fracast.FracastModel`."""

    kind = "fracast"
    Settings = FracastConfig
    distributions = ("fracast",)
    cards: ClassVar = {BUNDLED: _CARD, "ztxtech/fracast-0": _CARD}
    min_bars = _MIN_FINITE
    settings: FracastConfig

    @property
    def own_levels(self) -> Sequence[float]:
        """As its `config.json` says: .1 to .9."""
        levels: list[float] = self.model.quantiles
        return levels

    @property
    def longest_horizon(self) -> int:
        """One block of its head."""
        return int(self.model.horizon)

    def _name(self) -> str:
        return self.kind if self.settings.weights == BUNDLED else super()._name()

    def _load(self, weights: str, device: "torch.device") -> Any:
        fracast = package("fracast", install="nextbest[foundation]", why=self.kind)
        source = None if weights == BUNDLED else weights
        return fracast.FracastModel.from_pretrained(
            source, weights=self.settings.precision, device=str(device)
        )

    def _quantiles(self, batch: Contexts, n_steps: int) -> NDArray[np.floating]:
        out: NDArray[np.floating] = self.model.forecast_batch(batch.value_BL, horizon=n_steps)
        return out

"""TimesFM 2.5: 231 million parameters, by Google's own `timesfm` or by `transformers`; nine quantiles of 128 steps.

Code and 2.5's weights are Apache-2.0. The weights of 3.0 are not for commercial use, and not loaded here. Which of
the two packages a checkpoint is for stands in its `config.json` (`model_type`), or is said by `loader`.
"""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from nextbest.market.foundation.context import Contexts
from nextbest.market.foundation.pretrained import Card, PretrainedConfig, PretrainedOnCloses, package

if TYPE_CHECKING:
    import torch

_PATCH = 32
_CARD = Card(
    licence="Apache-2.0",
    seen_until=date(2023, 11, 30),
    released=date(2025, 9, 15),
    source="card of google/timesfm-2.5-200m-pytorch: Wikimedia page views to 2023-11, Google Trends to 2022, "
    "GiftEvalPretrain (undated) and synthetic series",
)


class TimesFMConfig(PretrainedConfig, frozen=True):
    """What TimesFM is told."""

    weights: str = "google/timesfm-2.5-200m-pytorch"
    loader: Literal["auto", "timesfm", "transformers"] = "auto"
    """Whose code loads them; `auto` reads a folder's `config.json` and takes `timesfm` for an id on the hub, unless
    it ends in `-transformers`."""
    flip_invariance: bool = True
    """Answer the series upside down too, and halve the difference: the package's default, twice the cost."""


class TimesFM(PretrainedOnCloses):
    """TimesFM 2.5."""

    kind = "timesfm"
    Settings = TimesFMConfig
    distributions = ("timesfm", "transformers")
    cards: ClassVar = {
        "google/timesfm-2.5-200m-pytorch": _CARD,
        "google/timesfm-2.5-200m-transformers": _CARD,
    }
    # its own code would draw a straight line through a gap
    gaps = "carry"
    min_bars = _PATCH
    settings: TimesFMConfig

    @property
    def own_levels(self) -> Sequence[float]:
        """.1 to .9."""
        return list(self._inner.config.quantiles)

    @property
    def longest_horizon(self) -> int:
        """One patch of its output: longer horizons would feed medians back."""
        inner = self._inner
        return int(inner.o if hasattr(inner, "o") else inner.config.horizon_length)

    @property
    def _inner(self) -> Any:
        model = self.model
        return model if self._by_transformers else model.model

    @property
    def _by_transformers(self) -> bool:
        settings = self.settings
        if settings.loader != "auto":
            return settings.loader == "transformers"
        config = Path(settings.weights) / "config.json"
        if config.exists():
            return str(json.loads(config.read_text()).get("model_type", "")).startswith("timesfm")
        return settings.weights.endswith("-transformers")

    def _load(self, weights: str, device: "torch.device") -> Any:
        if self._by_transformers:
            transformers = package("transformers", install="nextbest[llm]", why=self.kind)
            model = transformers.TimesFm2_5ModelForPrediction.from_pretrained(weights, dtype="float32")
            return model.to(device).eval()
        timesfm = package("timesfm", install="nextbest[foundation]", why=self.kind)
        model = timesfm.TimesFM_2p5_200M_torch.from_pretrained(weights, torch_compile=False)
        # it takes the first GPU it finds, whatever it is told
        model.model.device = device
        model.model.to(device)
        return model

    def _quantiles(self, batch: Contexts, n_steps: int) -> NDArray[np.floating]:
        if self._by_transformers:
            return self._by_length(batch, n_steps)
        timesfm = package("timesfm", install="nextbest[foundation]", why=self.kind)

        n_bars = -(-batch.value_BL.shape[1] // _PATCH) * _PATCH
        self.model.compile(
            timesfm.ForecastConfig(
                max_context=n_bars,
                max_horizon=n_steps,
                normalize_inputs=True,
                per_core_batch_size=len(batch.value_BL),
                use_continuous_quantile_head=True,
                force_flip_invariance=self.settings.flip_invariance,
                # a context of logs may be all positive by chance, and its future may not
                infer_is_positive=False,
            )
        )
        self.model.global_batch_size = len(batch.value_BL)
        _, out_BHK = self.model.forecast(n_steps, batch.series())
        out: NDArray[np.floating] = out_BHK[..., 1:]
        return out

    def _by_length(self, batch: Contexts, n_steps: int) -> NDArray[np.floating]:
        """Series of one length together, whole patches of each: the padding's zeros would move the mean it scales by."""
        import torch

        series = batch.series()
        length_B = np.array([len(value_L) // _PATCH * _PATCH for value_L in series])
        out_BHK = np.empty((len(series), n_steps, len(self.own_levels)), np.float32)
        for length in np.unique(length_B):
            rows = np.flatnonzero(length_B == length)
            with torch.inference_mode():
                told = self.model(
                    past_values=[
                        torch.from_numpy(series[row][-length:]).to(self.model.device) for row in rows
                    ],
                    forecast_context_len=int(length),
                    truncate_negative=False,
                    force_flip_invariance=self.settings.flip_invariance,
                )
            out_BHK[rows] = told.full_predictions[:, :n_steps, 1:].float().cpu().numpy()
        return out_BHK

"""Forecasts of a workspace's candles that are kept: a model is fitted once for each new bar, its answer stands until then.

One thread at a time may ask. Another process may add candles between two answers.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np

from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.steps import parse_step, step_name
from nextbest.data.prices.store import PriceStore
from nextbest.errors import ArtifactError, InputError
from nextbest.market.base import make_forecaster
from nextbest.market.forecast_document import Document, forecast_document
from nextbest.market.forecast_table import BARS_A_STEP, Forecasts, forecast_table
from nextbest.market.standing import read_leaderboard

KEPT = 64
"""Answers of a model about all assets that are kept, the least asked forgotten first."""
HORIZONS = (1, 6, 24)
"""Bars ahead where a question names none: those of them that the history allows."""
State = tuple[tuple[str, int, int], ...]
Key = tuple[str, str, int, tuple[int, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Asked:
    """What a question wants to know, whatever the asset. None: the desk chooses."""

    model: str | None = None
    step: str | None = None
    horizons: tuple[int, ...] | None = None
    levels: tuple[float, ...] = ()


@dataclass(frozen=True)
class KeptCandles:
    """The kept bars of a step, as the files were at one time."""

    state: State
    panel: PricePanel


class ForecastDesk:
    """Forecasts of a workspace.

    Parameters
    ----------
    folder
        The workspace: `prices/` and, of a bench, `market/`. Either may be missing.
    forecasters
        Those that may be asked, the first where a question names none.
    n_bars
        Newest bars that a forecaster is fitted on.
    max_horizon
        Farthest horizon, bars.
    """

    def __init__(
        self, folder: str | Path, *, forecasters: Sequence[str], n_bars: int = 5_000, max_horizon: int = 500
    ) -> None:
        self.folder = Path(folder)
        self.store = PriceStore.open(folder)
        self._forecasters, self._n_bars, self._max_horizon = tuple(forecasters), n_bars, max_horizon
        self.candles: dict[timedelta, KeptCandles] = {}
        """What is kept of each step."""
        self._answers: OrderedDict[Key, Forecasts] = OrderedDict()
        self.n_fits = 0
        """Models fitted since the start."""

    def documents(self, asset_ids: Sequence[str], asked: Asked) -> list[Document]:
        """A document for each asset, in that order.

        Raises
        ------
        InputError
            An asset, the model, the step or a horizon isn't there, or the bars are too few.
        ArtifactError
            There are no candles.
        DataError
            The model failed, or a file is broken.
        """
        name = self.model(asked)
        step = self.step(asked)
        kept = self.read(step)
        unknown = [asset for asset in asset_ids if asset not in kept.panel.asset_ids]
        if unknown:
            raise InputError(
                "asset_id",
                f"{len(unknown)} unknown among the candles of {step_name(step)}",
                value=unknown[0] if len(unknown) == 1 else unknown[:5],
                remedy=f"known are {list(kept.panel.asset_ids[:20])}",
            )
        board = read_leaderboard(self.folder, step)
        stops = self._stops(kept.panel, asset_ids)
        found = {stop: self._kept_answer(kept.panel, stop, name, asked) for stop in set(stops.values())}
        return [forecast_document(found[stops[asset]], asset, board=board) for asset in asset_ids]

    def model(self, asked: Asked) -> str:
        """The forecaster that a question means; `InputError` for one that may not be asked."""
        names = self._forecasters
        name = names[0] if asked.model is None else asked.model
        if name not in names:
            raise InputError("model", f"must be one of {list(names)}", value=name)
        return name

    def step(self, asked: Asked) -> timedelta:
        """Length of the bars that a question means; `InputError` where it must name one, `ArtifactError` without any."""
        steps = self.store.steps()
        if not steps:
            raise ArtifactError(
                "prices", "the workspace has no candles", remedy="add some with `nextbest market ingest`"
            )
        known = [step_name(step) for step in steps]
        if asked.step is None and len(steps) > 1:
            raise InputError("step", f"must be one of {known}")
        step = steps[0] if asked.step is None else parse_step(asked.step)
        if step not in steps:
            raise InputError("step", f"must be one of {known}", value=asked.step)
        return step

    def read(self, step: timedelta) -> KeptCandles:
        """The newest bars of a step, read anew when a file of it changed; then all answers about it are forgotten."""
        state = self.store.state(step)
        kept = self.candles.get(step)
        if kept is None or kept.state != state:
            panel = self.store.panel(step)
            kept = KeptCandles(state, panel.until(panel.n_bars, length=self._n_bars))
            self.candles[step] = kept
            name = step_name(step)
            for key in [key for key in self._answers if key[0] == name]:
                del self._answers[key]
        return kept

    def _stops(self, panel: PricePanel, asset_ids: Sequence[str]) -> dict[str, int]:
        """Asset -> the bar after its last."""
        stops = {}
        for asset in asset_ids:
            there = np.flatnonzero(~np.isnan(panel.close_AT[panel.asset_ids.index(asset)]))
            if not len(there):
                raise InputError(
                    "asset_id",
                    f"has no candle among the newest {panel.n_bars:,} bars; the last of others is of {panel.time_T[-1]}",
                    value=asset,
                )
            stops[asset] = int(there[-1]) + 1
        return stops

    def _kept_answer(self, panel: PricePanel, stop: int, name: str, asked: Asked) -> Forecasts:
        """About the bars before `stop`, from memory where it was asked before."""
        key = (step_name(panel.step), name, stop, asked.horizons or (), asked.levels)
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = self.forecast(panel.until(stop), name, asked)
            while len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        return found

    def forecast(self, panel: PricePanel, name: str, asked: Asked) -> Forecasts:
        """What a model says at the end of a panel; nothing is kept. Raises as `forecast_table`."""
        limit = self._max_horizon
        if asked.horizons and asked.horizons[-1] > limit:
            raise InputError("horizons", f"must be at most {limit} bars here", value=asked.horizons[-1])
        fitting = tuple(h for h in HORIZONS if h * BARS_A_STEP <= panel.n_bars) or HORIZONS[:1]
        model = make_forecaster(name)
        self.n_fits += 1
        return forecast_table(panel, model, horizons=asked.horizons or fitting, levels=asked.levels)

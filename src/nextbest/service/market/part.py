"""The part of the service that forecasts prices: one thread, a model fitted once for each new bar, its answer kept until then."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nextbest.data.prices.candles import SCHEMA
from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.reading import check_candles
from nextbest.data.prices.steps import parse_step, step_name
from nextbest.data.prices.store import PriceStore
from nextbest.errors import ArtifactError, DataError, InputError, NextbestError
from nextbest.market.base import make_forecaster
from nextbest.market.forecast_document import Document, forecast_document
from nextbest.market.forecast_table import BARS_A_STEP, Forecasts, forecast_table
from nextbest.market.standing import read_leaderboard
from nextbest.service.config import ServiceConfig
from nextbest.service.errors import OverloadedError
from nextbest.service.market.schemas import Candle
from nextbest.service.metrics import gauge
from nextbest.service.parts import probe
from nextbest.service.portfolio.part import without_folder

if TYPE_CHECKING:
    from prometheus_client.core import Metric

KEPT = 64
"""Answers of a model about all assets that are kept, the least asked forgotten first."""
HORIZONS = (1, 6, 24)
"""Bars ahead where a request names none: those of them that the history allows."""
State = tuple[tuple[str, int, int], ...]
Key = tuple[str, str, int, tuple[int, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Asked:
    """What a request wants to know, whatever the asset. None: the service chooses."""

    model: str | None = None
    step: str | None = None
    horizons: tuple[int, ...] | None = None
    levels: tuple[float, ...] = ()


@dataclass(frozen=True)
class _Candles:
    """The kept bars of a step, as the files were at one time."""

    state: State
    panel: PricePanel


class MarketPart:
    """Candles of a workspace behind the routes. Another process may add to them between two answers.

    Parameters
    ----------
    folder
        The workspace: `prices/` and, of a bench, `market/`. Either may be missing.
    config
        Limits, and which forecasters may be asked.
    """

    def __init__(self, folder: Path, *, config: ServiceConfig) -> None:
        self.folder, self._config = folder, config
        self._store = PriceStore.open(folder)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nextbest-market")
        self._pending = 0
        self._candles: dict[timedelta, _Candles] = {}
        self._answers: OrderedDict[Key, Forecasts] = OrderedDict()
        self.n_fits = 0
        """Models fitted since the start."""

    async def forecasts(self, asset_ids: Sequence[str], asked: Asked) -> list[Document]:
        """A document for each asset of the workspace, in that order."""
        return await self._ask(lambda: self._of_workspace(asset_ids, asked))

    async def forecast_candles(
        self, asset_id: str, candles: Sequence[Candle], asked: Asked
    ) -> list[Document]:
        """The document of a series that the caller brought; nothing of it is kept."""
        return await self._ask(lambda: self._of_candles(asset_id, candles, asked))

    async def check(self) -> tuple[dict[str, str], float]:
        """Whether the candles can be read, and how long that took, milliseconds.

        Beside the thread of the forecasts: a model that is being fitted is no fault.
        """
        word, took_ms = await probe(asyncio.to_thread(self._look), timeout_s=self._config.health_timeout_s)
        return {"market": word}, took_ms

    async def stop(self) -> None:
        """Answer what waits."""
        await asyncio.to_thread(self._thread.shutdown)

    def live_metrics(self) -> Iterator["Metric"]:
        """What a scrape asks for."""
        yield gauge("nextbest_market_pending", "Questions about prices that wait.", float(self._pending))
        yield gauge("nextbest_market_fits", "Models fitted since the start.", float(self.n_fits))
        newest = [
            kept.panel.time_T[-1].astype(np.int64) / 1e6
            for kept in self._candles.values()
            if kept.panel.n_bars
        ]
        if newest:
            yield gauge(
                "nextbest_market_newest_bar_timestamp_seconds",
                "Open of the newest bar answered from.",
                max(newest),
            )

    async def _ask(self, question: Callable[[], list[Document]]) -> list[Document]:
        """Ask on the one thread: a fit is CPU work, and two at once would only slow each other.

        Raises
        ------
        OverloadedError
            As many as `max_forecasts_pending` wait already.
        """
        if self._pending >= self._config.max_forecasts_pending:
            raise OverloadedError(
                f"{self._pending} questions about prices wait", retry_after_s=self._config.retry_after_s
            )
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, question)
        finally:
            self._pending -= 1

    def _answer(self, question: Callable[[], list[Document]]) -> list[Document]:
        try:
            return question()
        except NextbestError as error:
            without_folder(error, self.folder)
            raise

    def _look(self) -> None:
        try:
            self._store.assets()
        except NextbestError as error:
            without_folder(error, self.folder)
            raise

    # --- on the thread ------------------------------------------------------------------------
    def _of_workspace(self, asset_ids: Sequence[str], asked: Asked) -> list[Document]:
        name = self._model(asked)
        step = self._step(asked)
        kept = self._read(step)
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

    def _of_candles(self, asset_id: str, candles: Sequence[Candle], asked: Asked) -> list[Document]:
        name = self._model(asked)
        assert asked.step is not None
        step = parse_step(asked.step)
        board = read_leaderboard(self.folder, step)
        with _callers_data():
            panel = _panel_of(asset_id, candles, step)
            found = self._forecast(panel, name, asked)
        return [forecast_document(found, asset_id, board=board, own=True)]

    def _model(self, asked: Asked) -> str:
        names = self._config.forecasters
        name = names[0] if asked.model is None else asked.model
        if name not in names:
            raise InputError("model", f"must be one of {list(names)}", value=name)
        return name

    def _step(self, asked: Asked) -> timedelta:
        steps = self._store.steps()
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

    def _read(self, step: timedelta) -> _Candles:
        """The newest bars of a step, read anew when a file of it changed; then all answers about it are forgotten."""
        state = self._store.state(step)
        kept = self._candles.get(step)
        if kept is None or kept.state != state:
            panel = self._store.panel(step)
            kept = _Candles(state, panel.until(panel.n_bars, length=self._config.forecast_bars))
            self._candles[step] = kept
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
            found = self._answers[key] = self._forecast(panel.until(stop), name, asked)
            while len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        return found

    def _forecast(self, panel: PricePanel, name: str, asked: Asked) -> Forecasts:
        limit = self._config.max_horizon
        if asked.horizons and asked.horizons[-1] > limit:
            raise InputError("horizons", f"must be at most {limit} bars here", value=asked.horizons[-1])
        fitting = tuple(h for h in HORIZONS if h * BARS_A_STEP <= panel.n_bars) or HORIZONS[:1]
        model = make_forecaster(name)
        self.n_fits += 1
        return forecast_table(panel, model, horizons=asked.horizons or fitting, levels=asked.levels)


@contextmanager
def _callers_data() -> Iterator[None]:
    """What is wrong with a series that the caller brought is the caller's to mend."""
    try:
        yield
    except DataError as error:
        raise InputError("candles", str(error)) from error


def _panel_of(asset_id: str, candles: Sequence[Candle], step: timedelta) -> PricePanel:
    """The caller's bars on their clock.

    Raises
    ------
    InputError
        A candle breaks a rule, or a time is there twice: all of them are told, nothing is left out silently.
    """
    rows = [{"asset_id": asset_id, **candle.model_dump()} for candle in candles]
    table = check_candles(pl.DataFrame(rows, schema=SCHEMA), step=step, name="candles")
    bad = table.quarantine
    if len(bad):
        first = [f"{row['reason']} in candle {row['row']}" for row in bad.head(5).to_dicts()]
        raise InputError(
            "candles",
            f"{len(bad)} of {len(rows)} break a rule: {', '.join(first)}",
            remedy="counted from 1; a time may be there once, at a multiple of the step, and low <= open, close <= high",
        )
    return PricePanel.of(table.prices, step=step)

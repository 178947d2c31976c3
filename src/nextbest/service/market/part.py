"""The part of the service that forecasts prices: one thread, a model fitted once for each new bar, its answer kept until then."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nextbest.data.prices.candles import SCHEMA
from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.reading import check_candles
from nextbest.data.prices.steps import parse_step
from nextbest.errors import DataError, InputError, NextbestError
from nextbest.market.forecast_desk import Asked, ForecastDesk
from nextbest.market.forecast_document import Document, forecast_document
from nextbest.market.standing import read_leaderboard
from nextbest.service.config import ServiceConfig
from nextbest.service.errors import OverloadedError
from nextbest.service.market.schemas import Candle
from nextbest.service.metrics import gauge
from nextbest.service.parts import probe
from nextbest.service.portfolio.part import without_folder

if TYPE_CHECKING:
    from prometheus_client.core import Metric


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
        self._desk = ForecastDesk(
            folder,
            forecasters=config.forecasters,
            n_bars=config.forecast_bars,
            max_horizon=config.max_horizon,
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nextbest-market")
        self._pending = 0

    @property
    def n_fits(self) -> int:
        """Models fitted since the start."""
        return self._desk.n_fits

    async def forecasts(self, asset_ids: Sequence[str], asked: Asked) -> list[Document]:
        """A document for each asset of the workspace, in that order."""
        return await self._ask(lambda: self._desk.documents(asset_ids, asked))

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
            for kept in self._desk.candles.values()
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
            self._desk.store.assets()
        except NextbestError as error:
            without_folder(error, self.folder)
            raise

    # --- on the thread ------------------------------------------------------------------------
    def _of_candles(self, asset_id: str, candles: Sequence[Candle], asked: Asked) -> list[Document]:
        name = self._desk.model(asked)
        assert asked.step is not None
        step = parse_step(asked.step)
        board = read_leaderboard(self.folder, step)
        with _callers_data():
            panel = _panel_of(asset_id, candles, step)
            found = self._desk.forecast(panel, name, asked)
        return [forecast_document(found, asset_id, board=board, own=True)]


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

"""The tool over candles: where a price may be, and how little a model knows of it."""

import math
import re
import time
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Annotated, Any

from pydantic import Field

from nextbest.assistant.base import Figure, ItemFact, Note, ToolResult
from nextbest.assistant.tools.tool import LOOK_S, About, Arguments, Days, Nothing, Tool, disclaimer, figure
from nextbest.assistant.tools.words import note
from nextbest.data.ids import OutsideId
from nextbest.data.prices.steps import step_name
from nextbest.market.forecast_desk import Asked, ForecastDesk
from nextbest.market.forecast_table import BARS_A_STEP

_QUOTE = re.compile(r"[/-]([A-Z]{3,5})$")
_QUOTED = re.compile(r"[/-]")
_COVERAGE = 0.8
"""Between q10 and q90, if the model is right."""
DAY = timedelta(days=1)
DEFAULT_DAYS = 7
"""Ahead, where a question names no time."""


class MarketForecast(Arguments, frozen=True, extra="forbid"):
    """Arguments of `market_forecast`."""

    asset: Annotated[str, Field(min_length=1, max_length=100, description="id of the asset")]
    horizon_days: Days | None = None


class Market:
    """Candles of a workspace behind their tool; one question at a time, each bar's forecast made once."""

    def __init__(self, desk: ForecastDesk) -> None:
        self._desk, self._lock = desk, Lock()
        self._names: tuple[object, Mapping[str, tuple[str, ...]]] | None = None
        self._looked_s = -LOOK_S

    def forecast(self, asked: MarketForecast, about: About) -> ToolResult:
        """Quantiles of a price ahead, with how the model stood."""
        del about
        with self._lock:
            asset, step = self._asset(asked.asset)
            n_bars = self._desk.read(step).panel.n_bars
            horizon = _bars(asked.horizon_days or DEFAULT_DAYS, step, n_bars)
            question = Asked(step=step_name(step), horizons=(horizon,))
            document = self._desk.documents([asset], question)[0]
        row = document["forecasts"][-1]
        unit = found.group(1) if (found := _QUOTE.search(asset)) else "ratio"
        cutoff, target = _day(document["cutoff"]), _day(row["time"])
        notes = []
        if asked.horizon_days is not None and abs((target - cutoff).days - asked.horizon_days) > 1:
            notes.append(note("horizon_changed"))
        notes += [_standing(document), *(Note("calendar", dict(each)) for each in document["notes"])]
        return ToolResult(
            "market_forecast",
            "ok",
            "market",
            items=(ItemFact(asset, {"en": asset, "ru": asset}, kind="asset", rank=1),),
            figures=_figures(asset, document, row, unit=unit, period=(cutoff, target)),
            notes=(*notes, disclaimer(document["disclaimer"])),
            source=document["model"],
            as_of=cutoff,
            document=document,
        )

    def explain(self, item_id: OutsideId, about: About) -> ToolResult | None:
        """The forecast of an asset; None where there are no candles of it."""
        if str(item_id) not in self.assets():
            return None
        return self.forecast(MarketForecast(asset=str(item_id)), about)

    def assets(self) -> tuple[str, ...]:
        """Assets that have candles."""
        return tuple(self.names())

    def names(self) -> Mapping[str, tuple[str, ...]]:
        """Asset -> other names that a text may use: its ticker without the quote currency. Read anew when a file
        changed, which is looked for once in `LOOK_S`: names are asked for several times a question."""
        if self._names is not None and time.monotonic() - self._looked_s < LOOK_S:
            return self._names[1]
        self._looked_s = time.monotonic()
        store = self._desk.store
        state = tuple(store.state(step) for step in store.steps())
        if self._names is None or self._names[0] != state:
            assets = store.assets()["asset_id"].unique().sort().to_list()
            self._names = state, {asset: tuple({_QUOTED.split(asset)[0]} - {asset}) for asset in assets}
        return self._names[1]

    def _asset(self, wanted: str) -> tuple[str, timedelta]:
        """The asset as the store writes it, with the bars nearest to a day."""
        rows = self._desk.store.assets()
        if not len(rows):
            raise Nothing("not_ready")
        exact = rows.filter(rows["asset_id"] == wanted)
        if not len(exact):
            exact = rows.filter(rows["asset_id"].str.to_lowercase() == wanted.strip().casefold())
        if not len(exact):
            raise Nothing("unknown_asset")
        steps: list[timedelta] = exact["step"].to_list()
        return exact["asset_id"][0], min(steps, key=lambda step: abs(math.log(step / DAY)))


def _bars(days: int, step: timedelta, n_bars: int) -> int:
    """Bars ahead; a market that closes has fewer of them, which the forecast's own time tells."""
    bars = max(1, round(days * DAY / step))
    if bars * BARS_A_STEP > n_bars:
        raise Nothing("horizon_too_far")
    return bars


def _figures(
    asset: str, document: Mapping[str, Any], row: Mapping[str, Any], *, unit: str, period: tuple[date, date]
) -> tuple[Figure, ...]:
    return (
        figure("close", document["close"], unit, of=asset, period=(period[0], period[0])),
        figure("low", row["q10"], unit, of=asset, period=period),
        figure("middle", row["q50"], unit, of=asset, period=period),
        figure("high", row["q90"], unit, of=asset, period=period),
        figure("coverage", _COVERAGE, "fraction", of=asset),
        figure("target_day", period[1], "date", of=asset),
    )


def _standing(document: Mapping[str, Any]) -> Note:
    """How the model stood, its first sentence: "not better than a random walk", "never tested here"."""
    texts = document["standing"]["texts"]
    return Note("standing", {"en": texts["en"][0], "ru": texts["ru"][0]})


def _day(moment: str) -> date:
    return datetime.fromisoformat(moment).date()


TOOLS = (
    Tool(
        "market_forecast",
        "market",
        {
            "en": "range in which the price of an asset may be after some days, and how the model stood against chance",
            "ru": "диапазон, в котором может оказаться цена инструмента через сколько-то дней, и проверка модели",
        },
        MarketForecast,
        Market.forecast,
    ),
)

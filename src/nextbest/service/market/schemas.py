"""What requests for forecasts must look like, and what a forecast looks like, as the OpenAPI document tells it."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from nextbest.service.schemas import TextId

Price = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Horizons = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1, max_length=100)]
Levels = Annotated[
    list[Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]], Field(min_length=1, max_length=99)
]
Step = Annotated[str, Field(pattern=r"^[1-9]\d{0,5}[smhdw]$")]
ModelName = Annotated[str, Field(min_length=1, max_length=100)]
MAX_ASSETS = 100

FORECAST_EXAMPLES: dict[str, Any] = {
    "assets of the workspace": {"asset_ids": ["BTC/USDT", "ETH/USDT"], "horizons": [1, 6], "levels": [0.05, 0.95]},
    "a series of one's own": {
        "asset_id": "my series",
        "step": "1d",
        "model": "rw_gauss",
        "horizons": [1],
        "candles": [
            {"time": f"2026-03-{day:02d}T00:00:00Z", "close": close}
            for day, close in enumerate((10.0, 10.2, 10.1, 10.4, 10.3, 10.6, 10.5, 10.9), start=1)
        ],
    },
}  # fmt: skip


def _in_utc(time: datetime) -> datetime:
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time of the years 1 to 9999 in UTC") from None


class Candle(BaseModel, frozen=True, extra="forbid"):
    """One bar of a series that the request brings along."""

    time: Annotated[datetime, AfterValidator(_in_utc)] = Field(
        description="Open of the bar; UTC where it has no zone."
    )
    close: Price
    open: Price | None = None
    high: Price | None = None
    low: Price | None = None
    volume: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class ForecastRequest(BaseModel, frozen=True, extra="forbid"):
    """Body of POST /forecasts: assets of the workspace, or one series with its candles."""

    asset_ids: list[TextId] | None = Field(default=None, min_length=1, max_length=MAX_ASSETS)
    asset_id: TextId | None = None
    candles: list[Candle] | None = Field(
        default=None, min_length=1, description="A series of the caller's own; nothing of it is kept."
    )
    step: Step | None = Field(
        default=None, description="Length of a bar; needed where candles are given or kept of several steps."
    )
    model: ModelName | None = Field(default=None, description="A forecaster; the service's first by default.")
    horizons: Horizons | None = Field(
        default=None, description="Bars ahead; those of 1, 6, 24 that the history allows by default."
    )
    levels: Levels | None = Field(default=None, description="Quantile levels beside .1, .5 and .9.")

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if (self.asset_ids is None) == (self.asset_id is None):
            raise ValueError("must have either asset_ids or asset_id")
        if self.candles is not None and (self.asset_id is None or self.step is None):
            raise ValueError("candles are of one asset_id and need their step")
        return self


class ForecastParams(BaseModel, frozen=True, extra="forbid"):
    """Query parameters of GET /assets/{asset_id}/forecast."""

    model: ModelName | None = Field(default=None, description="A forecaster; the service's first by default.")
    step: Step | None = Field(
        default=None, description="Length of a bar; needed where several are kept.", examples=["1d"]
    )
    horizons: str | None = Field(
        default=None,
        pattern=r"^\d{1,9}(,\d{1,9}){0,99}$",
        description="Bars ahead, by commas.",
        examples=["1,6,24"],
    )
    levels: str | None = Field(
        default=None,
        pattern=r"^[0-9.]{1,12}(,[0-9.]{1,12}){0,98}$",
        description="Quantile levels beside .1, .5 and .9, by commas.",
        examples=["0.05,0.95"],
    )


class HorizonForecast(BaseModel):
    """The distribution of one bar's close."""

    horizon: int
    time: str
    q10: float
    q50: float
    q90: float
    mean: float | None = None
    quantiles: dict[str, float]


class ForecastDocument(BaseModel):
    """One asset's forecast: quantiles by horizon, how the model stood in the last leaderboard; never advice."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "forecast",
                    "asset_id": "BTC/USDT",
                    "model": "rw_hist_sim",
                    "step": "1d",
                    "cutoff": "2026-11-21T00:00:00+00:00",
                    "close": 100.0,
                    "n_bars": 1000,
                    "levels": [0.1, 0.5, 0.9],
                    "forecasts": [
                        {
                            "horizon": 1,
                            "time": "2026-11-22T00:00:00+00:00",
                            "q10": 97.4,
                            "q50": 100.1,
                            "q90": 102.7,
                            "mean": None,
                            "quantiles": {"0.1": 97.4, "0.5": 100.1, "0.9": 102.7},
                        }
                    ],
                    "standing": {
                        "verdict": "not_better",
                        "headline": {
                            "en": "not better than a random walk",
                            "ru": "не лучше случайного блуждания",
                        },
                        "benchmark": "rw_gauss",
                        "horizons": [{"horizon": 1, "verdict": "not_better", "n_origins": 212, "dm_p": 0.31, "spa_p": 0.4}],
                        "tested": {"first": "2026-04-23", "last": "2026-11-20", "assets": ["BTC/USDT"]},
                        "asset_tested": True,
                    },
                    "texts": {"en": ["..."], "ru": ["..."]},
                    "notes": [],
                    "disclaimer": {
                        "en": "This is not an individual investment recommendation.",
                        "ru": "Не является индивидуальной инвестиционной рекомендацией.",
                    },
                    "version": "0.6.0",
                }
            ]
        }
    )  # fmt: skip

    kind: str
    asset_id: str
    model: str
    step: str
    cutoff: str
    close: float
    n_bars: int
    levels: list[float]
    forecasts: list[HorizonForecast]
    standing: dict[str, Any]
    texts: dict[str, list[str]]
    notes: list[Any]
    disclaimer: dict[str, str]
    version: str


class ForecastAnswer(BaseModel):
    """Answer of POST /forecasts, in the order of the request."""

    forecasts: list[ForecastDocument]

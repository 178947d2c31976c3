"""What requests about portfolios must look like, and what documents look like, as the OpenAPI document tells it."""

from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from nextbest.portfolio.wording import Mode
from nextbest.service.schemas import TextId

EXAMPLE_FIGURE: dict[str, Any] = {
    "value": 0.0724,
    "unit": "fraction a year",
    "method": "linked daily returns, calendar days / 365.25",
    "n": 701,
    "alpha": None,
    "horizon": None,
    "title": {"en": "Annual growth (CAGR)", "ru": "Среднегодовая доходность"},
    "formula": "(1 + TWR)^(1 / years) - 1",
}
PLAN_EXAMPLES: dict[str, Any] = {
    "first goal": {"client_id": "c000001"},
    "one goal": {"client_id": "c000001", "goal_id": "g1"},
}


class ComparedParams(BaseModel, frozen=True, extra="forbid"):
    """Query parameters of metrics and report."""

    benchmark: str | None = Field(
        default=None, max_length=200, description="Index of the book to compare with."
    )
    currency: str | None = Field(
        default=None, pattern="^[A-Z]{3}$", description="ISO 4217; the client's own by default."
    )


class NoParams(BaseModel, frozen=True, extra="forbid"):
    """No query parameters."""


class PlanRequestBody(BaseModel, frozen=True, extra="forbid"):
    """Body of POST /plans."""

    client_id: TextId
    goal_id: TextId | None = Field(
        default=None, description="Which goal; the first whose time isn't over by default."
    )
    answers: dict[str, str] | None = Field(
        default=None, description="The questionnaire; without it the grades in the book."
    )
    answered_on: date | None = Field(default=None, description="Day of the answers; today by default.")
    mode: Mode = Field(
        default="information",
        description="`advice` names instruments of the house's list and is kept in the journal; it is refused where it "
        "isn't switched on, and without answers that are at most a year old.",
    )


class PortfolioDocument(BaseModel):
    """One analysis: figures with their method, tables, texts in two languages, ECharts options."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "metrics",
                    "client_id": "c000001",
                    "as_of": "2021-10-29",
                    "currency": "RUB",
                    "period": {"start": "2019-01-14", "end": "2021-10-29"},
                    "figures": {"cagr": EXAMPLE_FIGURE},
                    "tables": {},
                    "texts": {"en": ["702 observed days."], "ru": ["Наблюдаемых дней: 702."]},
                    "charts": {},
                    "notes": [],
                    "disclaimer": {
                        "en": "This is not an individual investment recommendation.",
                        "ru": "Не является индивидуальной инвестиционной рекомендацией.",
                    },
                    "version": "0.5.0",
                }
            ]
        }
    )

    kind: str
    client_id: str
    as_of: str | None
    currency: str
    period: dict[str, str] | None
    figures: dict[str, Any]
    tables: dict[str, Any]
    texts: dict[str, list[str]]
    charts: dict[str, Any]
    notes: list[Any]
    disclaimer: dict[str, str]
    version: str

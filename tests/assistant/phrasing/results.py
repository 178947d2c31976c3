"""Tool results as tools make them, small enough to check by eye, one for each tool; also what goes around them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from nextbest.assistant.base import (
    Figure,
    Intent,
    ItemFact,
    Language,
    Link,
    Note,
    Slots,
    ToolResult,
    Understood,
)
from nextbest.charts_page.disclaimer import DISCLAIMER

TODAY = date(2026, 11, 20)
YEAR = (date(2025, 11, 21), TODAY)
SIGNED = Note("disclaimer", {lang: f"{text}." for lang, text in DISCLAIMER.items()}, is_disclaimer=True)
REASONS: tuple[tuple[str, str], ...] = (
    ("Потому что вы выбирали «Hades»", "Because you took “Hades”"),
    ("Часто берут после «Portal 2»", "Often taken after “Portal 2”"),
    ("Популярно в последнее время", "Popular lately"),
    ("Подобрано по вашей истории", "Chosen by your history"),
)
GAMES = ("Hades II", "Dead Cells", "Slay the Spire", "Risk of Rain", "Cult of the Lamb")
INTENT_OF: dict[str, Intent] = {
    "recommend_items": "recommend",
    "similar_items": "similar",
    "next_purchases": "next_purchase",
    "bank_products": "bank_product",
    "explain_item": "explain",
    "search_documents": "bank_product",
    "portfolio_metrics": "portfolio",
    "portfolio_peers": "peers",
    "portfolio_plan": "plan",
    "portfolio_tracking": "plan",
    "market_forecast": "forecast",
}


def asked(
    intent: Intent = "recommend",
    language: Language = "ru",
    *,
    slots: Slots | None = None,
    text: str = "?",
    is_sure: bool = True,
    alternatives: Sequence[tuple[Intent, float]] = (),
) -> Understood:
    return Understood(text, language, intent, 0.9, tuple(alternatives), is_sure, slots or Slots())


def games(n: int, *, reason: int | None = None, with_reason: bool = True) -> tuple[ItemFact, ...]:
    """So many games with reasons in turn, or all with one."""
    made = []
    for place in range(n):
        ru, en = REASONS[(place if reason is None else reason) % len(REASONS)]
        name = GAMES[place % len(GAMES)] + (" X" if place >= len(GAMES) else "")
        told = {"ru": ru, "en": en} if with_reason else None
        made.append(ItemFact(f"g{place}", {"ru": name, "en": name}, reason=told, rank=place + 1))
    return tuple(made)


def figure(
    key: str,
    value: float | date,
    unit: str,
    ru: str,
    en: str,
    *,
    period: tuple[date, date] | None = None,
    of: str | None = None,
) -> Figure:
    return Figure(key, value, unit, {"ru": ru, "en": en}, period, of)


def recommended(n: int = 2, *, tool: str = "recommend_items", **changes: object) -> ToolResult:
    room = "products" if tool == "bank_products" else "shop"
    result = ToolResult(tool, "ok", room, items=games(n), source="ease 3", as_of=TODAY)  # type: ignore[arg-type]
    return replace(result, **changes)  # type: ignore[arg-type]


def similar(n: int = 2) -> tuple[Understood, ToolResult]:
    link = Link("g9", "Hades", 1.0, (0, 5))
    result = replace(recommended(n, tool="similar_items"), arguments={"item_id": "g9"})
    return asked("similar", slots=Slots(items=(link,))), result


def bank(n: int = 2) -> ToolResult:
    titles = (
        ("Вклад «Зимний»", "Winter deposit"),
        ("Кредитная карта", "Credit card"),
        ("Страхование", "Insurance"),
        ("ИИС", "Savings plan"),
    )
    said = (
        (
            "Среди клиентов вашей группы популярнее, чем у остальных",
            "More popular among clients like you than with others",
        ),
        ("Популярно у наших клиентов", "Popular with our clients"),
    )
    items = tuple(
        ItemFact(f"p{i}", {"ru": titles[i][0], "en": titles[i][1]}, "product", {"ru": said[i % 2][0], "en": said[i % 2][1]}, i + 1)
        for i in range(n)
    )  # fmt: skip
    chances = tuple(
        figure(
            "probability",
            0.34 - i / 10,
            "fraction",
            "Вероятность оформления",
            "Probability of taking it",
            of=f"p{i}",
        )
        for i in range(n)
    )
    return ToolResult(
        "bank_products", "ok", "products", items=items, figures=chances, source="next-product 2"
    )


def metrics(*, twr: float = 0.1234, n_more: int = 3, period: tuple[date, date] = YEAR) -> ToolResult:
    more = (
        figure("volatility_ann", 0.151, "fraction", "Волатильность", "Volatility", period=period),
        figure("max_drawdown", -0.082, "fraction", "Максимальная просадка", "Maximum drawdown", period=period),
        figure("sharpe", 0.853, "ratio", "Коэффициент Шарпа", "Sharpe ratio", period=period),
        figure("hit_rate", 0.54, "fraction", "Доля прибыльных периодов", "Share of winning periods", period=period),
        figure("longest_drawdown_days", 41, "days", "Самая долгая просадка, дней", "Longest time under water, days", period=period),
        figure("gain", -15300.5, "RUB", "Прибыль", "Gain", period=period),
        figure("n_holdings", 7, "count", "Число позиций", "Number of holdings"),
        figure("beta", 0.91, "ratio", "Бета", "Beta", period=period),
    )  # fmt: skip
    figures = (
        figure("nav", 1234567.8, "RUB", "Стоимость", "Value"),
        figure("twr", twr, "fraction", "Доходность", "Return", period=period),
        *more[:n_more],
    )
    return ToolResult("portfolio_metrics", "ok", "portfolio", figures=figures, notes=(SIGNED,), source="book.duckdb", as_of=TODAY)  # fmt: skip


def peers() -> ToolResult:
    return ToolResult(
        "portfolio_peers", "ok", "portfolio",
        figures=(
            figure("n_peers", 50, "count", "Похожих клиентов", "Similar clients"),
            figure("peers_twr", 0.098, "fraction", "Доходность похожих клиентов, медиана", "Return of similar clients, median", period=YEAR),
            figure("own_twr", 0.1234, "fraction", "Ваша доходность", "Your return", period=YEAR),
        ),
        items=(ItemFact("equity", {"ru": "Акции", "en": "Shares"}, "allocation"), ItemFact("bond", {"ru": "Облигации", "en": "Bonds"}, "allocation")),
        notes=(SIGNED,), source="book.duckdb", as_of=TODAY,
    )  # fmt: skip


def plan(*, now: bool = True) -> ToolResult:
    figures = [
        figure("goal_probability", 0.71, "fraction", "Вероятность достичь цели", "Probability of the goal"),
        figure("goal_probability_now", 0.55, "fraction", "Вероятность достичь цели при нынешнем распределении", "Probability of the goal as invested now"),
        figure("required_contribution", 25000, "RUB", "Необходимый ежемесячный взнос", "Required monthly contribution"),
        figure("required_months", 130, "months", "Необходимый срок", "Required time"),
        figure("weight", 0.4, "fraction", "Акции", "Shares", of="a1"),
        figure("weight", 0.6, "fraction", "Облигации", "Bonds", of="a1"),
    ]  # fmt: skip
    items = (ItemFact("a1", {"ru": "Умеренное", "en": "Moderate"}, "allocation"),)
    kept = tuple(f for f in figures if now or f.key != "goal_probability_now")
    return ToolResult("portfolio_plan", "ok", "portfolio", {"goal": "house"}, items=items, figures=kept, notes=(SIGNED,), source="book.duckdb")  # fmt: skip


def tracking() -> ToolResult:
    figures = (
        figure("nav", 910000, "RUB", "Стоимость", "Value"),
        figure("probability", 0.66, "fraction", "Вероятность достичь цели", "Probability of the goal"),
    )
    items = (
        ItemFact(
            "drift", {"ru": "Доли ушли от плана", "en": "Shares have drifted from the plan"}, "allocation"
        ),
    )
    return ToolResult("portfolio_tracking", "ok", "portfolio", items=items, figures=figures, notes=(SIGNED,), source="book.duckdb", as_of=TODAY)  # fmt: skip


def forecast(*, n: int = 1, standing: bool = True, middle: bool = True, bounds: bool = True) -> ToolResult:
    figures = [figure("close", 285.34, "RUB", "Последняя цена", "Last price", of="SBER")]
    for place in range(n):
        period = (TODAY, date(2026, 12, 20 + place))
        keys = [("q10", 262.1), ("q50", 286.4), ("q90", 311.0)]
        for key, value in keys:
            if (middle or key != "q50") and (bounds or key == "q50"):
                figures.append(figure(key, value + place, "RUB", key, key, period=period, of="SBER"))
    document = {}
    if standing:
        document = {"standing": {"headline": {"ru": "не лучше случайного блуждания", "en": "not better than a random walk"}}}  # fmt: skip
    return ToolResult(
        "market_forecast", "ok", "market", {"asset": "SBER", "horizon_days": 30},
        items=(ItemFact("SBER", {"ru": "SBER", "en": "SBER"}, "asset"),),
        figures=tuple(figures), notes=(SIGNED,), source="blend 1", as_of=TODAY, document=document,
    )  # fmt: skip


def explained(*, reason: int | None = 0, text: str | None = None) -> ToolResult:
    item = games(1, reason=reason or 0, with_reason=reason is not None)[0]
    item = replace(item, attributes={} if text is None else {"text": text})
    return ToolResult("explain_item", "ok", "shop", {"item_id": "g0"}, items=(item,))


def passages(n: int = 1) -> ToolResult:
    items = tuple(
        ItemFact(f"d{i}", {"ru": f"Тарифы, часть {'абвгд'[i]}", "en": f"Tariffs, part {'abcde'[i]}"}, "passage",
                 attributes={"text": "Обслуживание карты бесплатно при остатке на счёте."})
        for i in range(n)
    )  # fmt: skip
    return ToolResult("search_documents", "ok", "documents", {"query": "?"}, items=items, source="tariffs.md")


def every_result() -> dict[str, ToolResult]:
    """One good result by tool."""
    return {
        "recommend_items": recommended(3),
        "similar_items": recommended(2, tool="similar_items"),
        "next_purchases": recommended(2, tool="next_purchases", arguments={"horizon_days": 30}),
        "bank_products": bank(2),
        "explain_item": explained(),
        "search_documents": passages(2),
        "portfolio_metrics": metrics(),
        "portfolio_peers": peers(),
        "portfolio_plan": plan(),
        "portfolio_tracking": tracking(),
        "market_forecast": forecast(),
    }

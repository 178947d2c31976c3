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
        figure("worth", 1234567.8, "RUB", "стоимость портфеля", "worth of the portfolio"),
        figure("twr", twr, "fraction", "Доходность", "Return", period=period),
        *more[:n_more],
    )
    return ToolResult("portfolio_metrics", "ok", "portfolio", figures=figures, notes=(SIGNED,), source="book.duckdb", as_of=TODAY)  # fmt: skip


CLASSES = (
    ("equity", "акции", "shares"),
    ("bond", "облигации", "bonds"),
    ("cash", "деньги", "cash"),
    ("gold", "золото", "gold"),
)


def classes(n: int) -> tuple[ItemFact, ...]:
    return tuple(
        ItemFact(name, {"ru": ru, "en": en}, "allocation", rank=rank)
        for rank, (name, ru, en) in enumerate(CLASSES[:n], start=1)
    )


def composition(n: int = 2) -> ToolResult:
    """A portfolio with its classes and two assets."""
    result = metrics(n_more=1)
    figures = list(result.figures)
    for place, item in enumerate(classes(n)):
        share = 0.55 - 0.15 * place
        figures.append(
            figure(
                "share", share, "fraction", "доля в портфеле", "share of the portfolio", of=str(item.item_id)
            )
        )
        figures.append(figure("class_worth", 1e6 * share, "RUB", "стоимость", "worth", of=str(item.item_id)))
    assets = tuple(
        ItemFact(a, {"ru": a, "en": a}, "asset", rank=r) for r, a in enumerate(("SBER", "GAZP"), start=1)
    )
    figures.append(figure("asset_gain", 15000, "RUB", "прибыль", "gain", of="SBER"))
    figures.append(figure("asset_gain", -2400.5, "RUB", "прибыль", "gain", of="GAZP"))
    return replace(result, items=(*classes(n), *assets), figures=tuple(figures))


def peers(n: int = 2) -> ToolResult:
    figures = [
        figure("n_peers", 50, "count", "похожих клиентов, не меньше", "similar clients, at least"),
        figure("peers_twr", 0.098, "fraction", "медиана доходности похожих клиентов", "median return of similar clients"),
        figure("peers_max_drawdown", -0.12, "fraction", "медиана самой глубокой просадки похожих клиентов", "median deepest fall of similar clients"),
    ]  # fmt: skip
    for item in classes(n):
        for key, value in (("yours", 0.6), ("peers_q25", 0.31), ("peers_median", 0.42), ("peers_q75", 0.55)):
            if (item.item_id, key) != ("bond", "peers_q25"):
                figures.append(figure(key, value, "fraction", key, key, of=str(item.item_id)))
    return ToolResult("portfolio_peers", "ok", "portfolio", items=classes(n), figures=tuple(figures), notes=(SIGNED,), source="book", as_of=TODAY)  # fmt: skip


def plan(*, now: bool = True, n: int = 2, instruments: bool = False) -> ToolResult:
    figures = [
        figure("goal_probability", 0.71, "fraction", "Вероятность достичь цели", "Probability of the goal"),
        figure("goal_probability_now", 0.55, "fraction", "Вероятность достичь цели при нынешнем распределении", "Probability of the goal as invested now"),
        figure("required_contribution", 25000, "RUB", "Необходимый ежемесячный взнос", "Required monthly contribution"),
        figure("shortfall_mean", 312000, "RUB", "Средняя нехватка", "Mean shortfall"),
        figure("target_amount", 3e6, "RUB", "цель, в сегодняшних ценах", "target, in today's prices"),
        figure("horizon", 60, "months", "срок до цели", "time to the goal"),
        figure("wealth", 910000, "RUB", "накоплено сейчас", "saved by now"),
        figure("monthly_contribution", 20000, "RUB", "ежемесячный взнос сейчас", "monthly contribution now"),
        figure("wanted_probability", 0.8, "fraction", "желаемая вероятность цели", "wanted probability of the goal"),
        figure("contribution_more", 5000, "RUB", "в месяц больше", "more a month"),
        figure("contribution_more_odds", 0.79, "fraction", "вероятность цели с таким взносом", "probability with it"),
        figure("horizon_more", 12, "months", "дополнительный срок", "more time"),
        figure("horizon_more_odds", 0.83, "fraction", "вероятность цели с таким сроком", "probability with it"),
    ]  # fmt: skip
    for place, item in enumerate(classes(n)):
        figures.append(
            figure("proposal_share", 0.4 - 0.1 * place, "fraction", "доля", "share", of=str(item.item_id))
        )
        if place:
            figures.append(
                figure(
                    "share_now",
                    0.45 - 0.1 * place,
                    "fraction",
                    "доля сейчас",
                    "share now",
                    of=str(item.item_id),
                )
            )
    items = classes(n)
    if instruments:
        items += (ItemFact("SBGB", {"ru": "SBGB", "en": "SBGB"}, "asset", attributes={"weight": 0.4}),)
    kept = tuple(f for f in figures if now or f.key != "goal_probability_now")
    return ToolResult("portfolio_plan", "ok", "portfolio", {"goal": "house"}, items=items, figures=kept, notes=(SIGNED,), source="book", as_of=TODAY)  # fmt: skip


def tracking(n: int = 2, *, path: bool = True) -> ToolResult:
    period = (date(2025, 3, 3), TODAY)
    figures = [
        figure("worth", 910000, "RUB", "стоимость портфеля", "worth of the portfolio"),
        figure("twr", 0.042, "fraction", "Доходность", "Return", period=period),
        figure(
            "max_drawdown", -0.031, "fraction", "Максимальная просадка", "Maximum drawdown", period=period
        ),
    ]
    if path:
        figures += [
            figure("probability_now", 0.66, "fraction", "вероятность цели сейчас", "probability of the goal now"),
            figure("probability_then", 0.71, "fraction", "вероятность тогда", "probability then"),
            figure("expected", 934000, "RUB", "ожидаемая по плану стоимость, медиана", "worth expected by the plan, median"),
        ]  # fmt: skip
    for place, item in enumerate(classes(n)):
        for key, value in (("share_now", 0.52), ("planned_share", 0.4), ("drift", 0.12)):
            figures.append(figure(key, value - 0.1 * place, "fraction", key, key, of=str(item.item_id)))
    alert = Note(
        "alert", {"ru": "Доли заметно ушли от плана.", "en": "Shares have drifted far from the plan."}
    )
    return ToolResult("portfolio_tracking", "ok", "portfolio", items=classes(n), figures=tuple(figures), notes=(alert, SIGNED), source="book", as_of=TODAY)  # fmt: skip


def forecast(
    *, standing: bool = True, middle: bool = True, bounds: bool = True, unit: str = "RUB", noted: bool = False
) -> ToolResult:
    period = (TODAY, date(2026, 12, 20))
    made = [
        figure(
            "close", 285.34, unit, "последняя цена закрытия", "last close", period=(TODAY, TODAY), of="SBER"
        ),
        figure("low", 262.1, unit, "нижняя граница прогноза", "lower bound", period=period, of="SBER"),
        figure(
            "middle", 286.4, unit, "середина прогноза", "middle of the forecast", period=period, of="SBER"
        ),
        figure("high", 311.0, unit, "верхняя граница прогноза", "upper bound", period=period, of="SBER"),
        figure("coverage", 0.8, "fraction", "вероятность", "chance", of="SBER"),
        figure("target_day", period[1], "date", "день прогноза", "day of the forecast", of="SBER"),
    ]
    dropped = (() if middle else ("middle",)) + (() if bounds else ("low", "high"))
    headline = {"ru": "не лучше случайного блуждания", "en": "not better than a random walk"}
    told = Note("standing", {language: f"Blend: {text}." for language, text in headline.items()})
    return ToolResult(
        "market_forecast", "ok", "market", {"asset": "SBER", "horizon_days": 30},
        items=(ItemFact("SBER", {"ru": "SBER", "en": "SBER"}, "asset", rank=1),),
        figures=tuple(f for f in made if f.key not in dropped), notes=(told, SIGNED) if noted else (SIGNED,),
        source="blend", as_of=TODAY, document={"standing": {"headline": headline}} if standing else {},
    )  # fmt: skip


def ranges(n: int) -> ToolResult:
    """A forecast of several days at once."""
    result = forecast()
    figures = [
        figure(key, value + place, "RUB", key, key, period=(TODAY, date(2026, 12, 20 + place)), of="SBER")
        for place in range(n)
        for key, value in (("q10", 262.1), ("q50", 286.4), ("q90", 311.0))
    ]
    return replace(result, figures=tuple(figures))


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

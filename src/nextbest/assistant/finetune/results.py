"""Made-up tool results, of the shapes that tools give: what a model is taught to word. No client is in them.

Titles, reasons and values are never read by the model (they are placeholders to it), so they are plain; how many there are, which
reasons come again, what figures are called and over what periods is what it learns from.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta

import numpy as np

from nextbest.assistant.base import Figure, Intent, ItemFact, Room, ToolResult, Words
from nextbest.assistant.tools.words import LABELS
from nextbest.portfolio.layouts import class_words

MOST_ITEMS = 10
_CLASSES = ("equity", "bond", "deposit", "gold", "currency", "cash", "fund", "real_estate")
_MEASURES: tuple[tuple[str, str, str, str], ...] = (
    ("twr", "fraction", "Time-weighted return (TWR)", "Взвешенная по времени доходность (TWR)"),
    ("cagr", "fraction", "Annual growth (CAGR)", "Среднегодовой рост (CAGR)"),
    ("xirr", "fraction", "Money-weighted return (XIRR)", "Доходность с учётом взносов (XIRR)"),
    ("volatility_ann", "fraction", "Volatility", "Волатильность"),
    ("sharpe", "ratio", "Sharpe ratio", "Коэффициент Шарпа"),
    ("sortino", "ratio", "Sortino ratio", "Коэффициент Сортино"),
    ("max_drawdown", "fraction", "Maximum drawdown", "Максимальная просадка"),
    ("current_drawdown", "fraction", "Current drawdown", "Текущая просадка"),
    ("var_historical", "fraction", "Value at risk, historical", "VaR, исторический"),
    ("cvar_historical", "fraction", "Conditional value at risk, historical", "CVaR, исторический"),
    ("beta", "ratio", "Beta", "Бета"),
    ("hit_rate", "fraction", "Share of winning periods", "Доля прибыльных периодов"),
    ("gain", "RUB", "Gain", "Прибыль"),
    ("n_holdings", "count", "Number of holdings", "Число позиций"),
)
_ODDS: tuple[tuple[str, str, str, str], ...] = (
    ("goal_probability", "fraction", "Probability of the goal", "Вероятность достичь цели"),
    ("goal_probability_now", "fraction", "Probability of the goal as invested now", "Вероятность достичь цели при нынешнем распределении"),
    ("required_contribution", "RUB", "Required monthly contribution", "Необходимый ежемесячный взнос"),
    ("shortfall_mean", "RUB", "Mean shortfall", "Средняя нехватка"),
    ("shortfall_worst", "RUB", "Shortfall, worst 5%", "Нехватка в худших 5 % случаев"),
    ("required_months", "months", "Required time", "Необходимый срок"),
)  # fmt: skip
_PLANNED = (("target_amount", "RUB"), ("horizon", "months"), ("wealth", "RUB"), ("monthly_contribution", "RUB"), ("wanted_probability", "fraction"), ("contribution_more", "RUB"))  # fmt: skip
_REASONS: tuple[tuple[str, str], ...] = (
    ("Because you took “{}”", "Потому что вы выбирали «{}»"),
    ("Often taken after “{}”", "Часто берут после «{}»"),
    ("Clients like you choose it", "Это выбирают похожие на вас клиенты"),
    ("Popular lately", "Популярно в последнее время"),
    ("You have taken it before", "Вы это уже выбирали"),
    ("Similar to “{}”", "Похоже на «{}»"),
)


def made_up(intent: Intent, rng: np.random.Generator) -> ToolResult:
    """A result that a tool of an intent may give: one to ten things, none to a dozen figures."""
    return _MAKERS[intent](rng)


MADE_OF: frozenset[Intent] = frozenset(
    {"recommend", "similar", "next_purchase", "bank_product", "explain", "portfolio", "peers", "plan", "forecast"}
)  # fmt: skip
"""Intents that have results to word."""


def _goods(
    tool: str, room: Room, figure: str, unit: str, most: int
) -> Callable[[np.random.Generator], ToolResult]:
    def make(rng: np.random.Generator) -> ToolResult:
        n = int(rng.integers(1, most + 1))
        with_figures = rng.random() < 0.7
        reason = _reasons(n, rng)
        items = tuple(
            ItemFact(f"g{i}", _same(f"N{i}"), "product" if room == "products" else "item", reason[i], i + 1)
            for i in range(n)
        )
        # now and then the catalogue lacks a price
        priced = [i for i in range(n) if with_figures and rng.random() < 0.97]
        figures = tuple(_labelled(figure, unit, rng, of=f"g{i}") for i in priced)
        return ToolResult(tool, "ok", room, items=items, figures=figures)

    return make


def _reasons(n: int, rng: np.random.Generator) -> list[Words | None]:
    """None of them, one for all, or each its own; some of these alike."""
    way = rng.random()
    if way < 0.15:
        return [None] * n
    if way < 0.5:
        return [_reason(0, rng)] * n
    return [_reason(int(rng.integers(max(2, n))), rng) if rng.random() < 0.9 else None for _ in range(n)]


def _reason(number: int, rng: np.random.Generator) -> Words:
    en, ru = _REASONS[int(rng.integers(len(_REASONS)))]
    return {"en": en.format(f"M{number}"), "ru": ru.format(f"M{number}")}


def _portfolio(rng: np.random.Generator) -> ToolResult:
    if rng.random() < 0.4:  # as it stands
        n_classes, n_assets = int(rng.integers(1, 7)), int(rng.integers(0, 6))
        items = (*_classes(n_classes, rng), *_assets(n_assets))
        figures = [_labelled("worth", "RUB", rng)]
        figures += [_labelled("share", "fraction", rng, of=str(item.item_id)) for item in items]
        return ToolResult("portfolio_metrics", "ok", "portfolio", items=items, figures=tuple(figures))
    period = _period(rng)
    figures = [_labelled("worth", "RUB", rng)]
    if rng.random() < 0.7:
        figures.append(_labelled("worth_before", "RUB", rng))
    figures += _some(_MEASURES, int(rng.integers(0, 11)), rng, period)
    return ToolResult("portfolio_metrics", "ok", "portfolio", figures=tuple(figures))


def _peers(rng: np.random.Generator) -> ToolResult:
    items = _classes(int(rng.integers(1, 7)), rng)
    figures = [_labelled("n_peers", "count", rng)] if rng.random() < 0.9 else []
    for item in items:
        figures.append(_labelled("yours", "fraction", rng, of=str(item.item_id)))
        if rng.random() < 0.9:
            figures.append(_labelled("peers_median", "fraction", rng, of=str(item.item_id)))
    return ToolResult("portfolio_peers", "ok", "portfolio", items=items, figures=tuple(figures))


def _plan(rng: np.random.Generator) -> ToolResult:
    items = _classes(int(rng.integers(1, 6)), rng)
    if rng.random() < 0.4:  # how it goes
        figures = [
            _labelled("worth", "RUB", rng),
            *_some(_MEASURES, int(rng.integers(1, 9)), rng, _period(rng)),
        ]
        figures += [_labelled(key, "fraction", rng) for key in ("probability_now", "probability_then")]
        return ToolResult("portfolio_tracking", "ok", "portfolio", items=items, figures=tuple(figures))
    figures = [_measured(about, rng, None) for about in _ODDS if about is _ODDS[0] or rng.random() < 0.8]
    figures += [_labelled(key, unit, rng) for key, unit in _PLANNED if rng.random() < 0.9]
    return ToolResult("portfolio_plan", "ok", "portfolio", items=items, figures=tuple(figures))


def _forecast(rng: np.random.Generator) -> ToolResult:
    asset, start = "A1", _day(rng)
    end = start + timedelta(days=int(rng.integers(1, 400)))
    unit = str(rng.choice(["RUB", "USD"]))
    figures = [_labelled("close", unit, rng, of=asset, period=(start, start))]
    figures += [_labelled(key, unit, rng, of=asset, period=(start, end)) for key in ("low", "middle", "high")]
    if rng.random() < 0.8:
        figures.append(_labelled("coverage", "fraction", rng, of=asset))
    if rng.random() < 0.8:
        figures.append(Figure("target_day", end, "date", LABELS["target_day"], of=asset))
    items = (ItemFact(asset, _same(asset), "asset", rank=1),)
    return ToolResult("market_forecast", "ok", "market", items=items, figures=tuple(figures))


_MAKERS: Mapping[Intent, Callable[[np.random.Generator], ToolResult]] = {
    "recommend": _goods("recommend_items", "shop", "price", "RUB", MOST_ITEMS),
    "similar": _goods("similar_items", "shop", "price", "RUB", MOST_ITEMS),
    "next_purchase": _goods("next_purchases", "shop", "price", "RUB", MOST_ITEMS),
    "bank_product": _goods("bank_products", "products", "probability", "fraction", 5),
    "explain": _goods("explain_item", "shop", "price", "RUB", 3),
    "portfolio": _portfolio,
    "peers": _peers,
    "plan": _plan,
    "forecast": _forecast,
}


def _classes(n: int, rng: np.random.Generator) -> tuple[ItemFact, ...]:
    picked = rng.permutation(len(_CLASSES))[:n]
    return tuple(
        ItemFact(_CLASSES[i], dict(class_words(_CLASSES[i])), "allocation", rank=rank)  # type: ignore[arg-type]
        for rank, i in enumerate(picked, start=1)
    )


def _assets(n: int) -> tuple[ItemFact, ...]:
    return tuple(ItemFact(f"A{i}", _same(f"A{i}"), "asset", rank=i + 1) for i in range(n))


def _some(
    among: tuple[tuple[str, str, str, str], ...],
    n: int,
    rng: np.random.Generator,
    period: tuple[date, date] | None,
) -> list[Figure]:
    """So many of some measures, in their order."""
    return [_measured(among[i], rng, period) for i in sorted(rng.permutation(len(among))[:n])]


def _measured(
    about: tuple[str, str, str, str], rng: np.random.Generator, period: tuple[date, date] | None
) -> Figure:
    key, unit, en, ru = about
    return Figure(key, _value(unit, rng), unit, {"en": en, "ru": ru}, period)


def _labelled(
    key: str,
    unit: str,
    rng: np.random.Generator,
    *,
    of: str | None = None,
    period: tuple[date, date] | None = None,
) -> Figure:
    return Figure(key, _value(unit, rng), unit, LABELS[key], period, of)


def _value(unit: str, rng: np.random.Generator) -> float:
    if unit == "fraction":
        return round(float(rng.uniform(0.01, 0.4)), 3)
    if unit == "ratio":
        return round(float(rng.uniform(0.1, 2.5)), 2)
    if unit in ("count", "months"):
        return int(rng.integers(2, 60))
    return float(rng.integers(10_000, 5_000_000))


def _period(rng: np.random.Generator) -> tuple[date, date]:
    end = _day(rng)
    return end - timedelta(days=int(rng.integers(7, 1500))), end


def _day(rng: np.random.Generator) -> date:
    return date(2025, 1, 1) + timedelta(days=int(rng.integers(700)))


def _same(text: str) -> Words:
    return {"en": text, "ru": text}

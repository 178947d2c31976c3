"""How a page shows each kind of document: its title, which figures come first, the columns of its tables, in both languages."""

from typing import Any

from nextbest.charts_page.drawing import Words
from nextbest.portfolio.plan.suitability import load_limits

TITLES: dict[str, Words] = {
    "metrics": {"en": "How the portfolio is doing", "ru": "Как дела у портфеля"},
    "peers": {"en": "How similar clients invest", "ru": "Как вкладывают похожие клиенты"},
    "plan": {"en": "Plan for the goal", "ru": "План к цели"},
    "tracking": {"en": "Plan against actual", "ru": "План и факт"},
    "outlook": {"en": "What the assets may be worth", "ru": "Сколько могут стоить активы"},
    "report": {"en": "Portfolio report", "ru": "Отчёт о портфеле"},
}
HEADLINES: dict[str, tuple[str, ...]] = {
    "metrics": (
        "twr", "cagr", "xirr", "volatility_ann", "sharpe", "sortino", "max_drawdown", "var_historical",
        "cvar_historical", "beta", "tracking_error_ann", "effective_n",
    ),
    "plan": (
        "goal_probability", "goal_probability_now", "required_contribution", "shortfall_mean", "shortfall_worst",
        "required_months",
    ),
    "outlook": ("value", "covered"),
}  # fmt: skip
_WORDS: dict[str, Words] = {
    "asset_class": {"en": "Class", "ru": "Класс"},
    "asset_id": {"en": "Asset", "ru": "Инструмент"},
    "value": {"en": "Value", "ru": "Стоимость"},
    "weight": {"en": "Share", "ru": "Доля"},
    "gain": {"en": "Gain", "ru": "Результат"},
    "start": {"en": "Last day before", "ru": "Последний день до"},
    "end": {"en": "First day after", "ru": "Первый день после"},
    "calendar_days": {"en": "Calendar days", "ru": "Календарных дней"},
    "yours": {"en": "Yours", "ru": "У вас"},
    "q25": {"en": "Lower quartile", "ru": "Нижний квартиль"},
    "median": {"en": "Median", "ru": "Медиана"},
    "q75": {"en": "Upper quartile", "ru": "Верхний квартиль"},
    "result": {"en": "Result", "ru": "Результат"},
    "title": {"en": "Allocation", "ru": "Распределение"},
    "probability": {"en": "Goal reached", "ru": "Цель достигнута"},
    "shortfall_mean": {"en": "Mean shortfall", "ru": "Средняя нехватка"},
    "shortfall_worst": {"en": "Shortfall, worst 5%", "ru": "Нехватка, худшие 5\xa0%"},
    "change": {"en": "Change", "ru": "Изменение"},
    "amount": {"en": "By", "ru": "На"},
    "before": {"en": "Goal reached before", "ru": "Цель достигнута до"},
    "after": {"en": "Goal reached after", "ru": "Цель достигнута после"},
    "dimension": {"en": "Profile", "ru": "Профиль"},
    "grade": {"en": "Grade, 1-5", "ru": "Оценка, 1-5"},
    "now": {"en": "Now", "ru": "Сейчас"},
    "proposal": {"en": "Proposal", "ru": "Предложение"},
    "drift": {"en": "Drift", "ru": "Отклонение"},
    "actual": {"en": "Now", "ru": "Сейчас"},
    "target": {"en": "Plan", "ru": "План"},
    "kind": {"en": "Alert", "ru": "Предупреждение"},
    "opened": {"en": "Since", "ru": "С"},
    "closed": {"en": "Until", "ru": "По"},
    "when": {"en": "Time", "ru": "Срок"},
    "price_q10": {"en": "Price q10", "ru": "Цена q10"},
    "price_q50": {"en": "Price q50", "ru": "Цена q50"},
    "price_q90": {"en": "Price q90", "ru": "Цена q90"},
    "q10": {"en": "Worth q10", "ru": "Стоимость q10"},
    "q50": {"en": "Worth q50", "ru": "Стоимость q50"},
    "q90": {"en": "Worth q90", "ru": "Стоимость q90"},
    "why": {"en": "Why", "ru": "Почему"},
    "worst_value": {"en": "Worst", "ru": "Худшее"},
}
_VALUES: dict[str, Words] = {
    "twr": {"en": "Return, time-weighted", "ru": "Доходность, взвешенная по времени"},
    "max_drawdown": {"en": "Deepest fall", "ru": "Самая глубокая просадка"},
    "capacity": {"en": "Capacity for loss", "ru": "Способность нести потери"},
    "tolerance": {"en": "Tolerance of risk", "ru": "Готовность к риску"},
    "knowledge": {"en": "Knowledge", "ru": "Знания и опыт"},
    "horizon": {"en": "Horizon", "ru": "Горизонт"},
    "risk_class": {"en": "Risk class (the lowest)", "ru": "Класс риска (наименьшее)"},
    "monthly_contribution": {"en": "Monthly contribution", "ru": "Ежемесячный взнос"},
    "drawdown": {"en": "Drawdown", "ru": "Просадка"},
    "drift": {"en": "Drift from the plan", "ru": "Отклонение от плана"},
    "probability": {"en": "Probability of the goal", "ru": "Вероятность цели"},
}
_CLASSES: dict[str, Words] = {
    "currency": {"en": "Currency", "ru": "Валюта"},
    "deposit": {"en": "Deposits", "ru": "Депозиты"},
    "bonds": {"en": "Bonds", "ru": "Облигации"},
}
_TABLES: dict[str, dict[str, tuple[Words, dict[str, str]]]] = {
    "metrics": {
        "classes": (
            {"en": "By class", "ru": "По классам"},
            {"asset_class": "text", "value": "money", "weight": "fraction", "gain": "money"},
        ),
        "assets": (
            {"en": "By asset", "ru": "По инструментам"},
            {"asset_id": "text", "asset_class": "text", "value": "money", "weight": "fraction", "gain": "money"},
        ),
        "gaps": (
            {"en": "Days the exchange was closed", "ru": "Дни, когда биржа была закрыта"},
            {"start": "date", "end": "date", "calendar_days": "count"},
        ),
    },
    "peers": {
        "classes": (
            {"en": "Allocation", "ru": "Распределение"},
            {"asset_class": "text", "yours": "fraction", "q25": "fraction", "median": "fraction", "q75": "fraction"},
        ),
        "results": (
            {"en": "Results over a year", "ru": "Результаты за год"},
            {"result": "text", "q25": "fraction", "median": "fraction", "q75": "fraction"},
        ),
    },
    "plan": {
        "options": (
            {"en": "Allocations that suit", "ru": "Подходящие распределения"},
            {"title": "text", "probability": "fraction", "shortfall_mean": "money", "shortfall_worst": "money"},
        ),
        "drift": (
            {"en": "From now to the proposal", "ru": "От нынешнего к предложению"},
            {"asset_class": "text", "now": "fraction", "proposal": "fraction", "drift": "fraction"},
        ),
        "instruments": (
            {"en": "Recommended instruments", "ru": "Рекомендуемые инструменты"},
            {"asset_id": "text", "weight": "fraction"},
        ),
        "profile": (
            {"en": "Profile", "ru": "Профиль"},
            {"dimension": "text", "grade": "count"},
        ),
    },
    "tracking": {
        "plan": (
            {"en": "Against the plan", "ru": "Относительно плана"},
            {"asset_class": "text", "actual": "fraction", "target": "fraction", "drift": "fraction"},
        ),
        "alerts": (
            {"en": "Alerts", "ru": "Предупреждения"},
            {"kind": "text", "opened": "date", "closed": "date", "worst_value": "fraction"},
        ),
    },
    "outlook": {
        "ranges": (
            {"en": "Where prices and worth may be", "ru": "Где могут быть цены и стоимость"},
            {
                "asset_id": "text", "when": "text", "now": "money", "q10": "money", "q50": "money", "q90": "money",
                "price_q10": "ratio", "price_q50": "ratio", "price_q90": "ratio",
            },
        ),
        "assets": (
            {"en": "Covered, as they are today", "ru": "Охвачено, на сегодня"},
            {"asset_id": "text", "value": "money", "weight": "fraction"},
        ),
        "together": (
            {"en": "If all moved at once (no quantile of the portfolio)", "ru": "Если всё двинется разом (не квантиль портфеля)"},
            {"when": "text", "q10": "money", "q50": "money", "q90": "money"},
        ),
        "not_covered": (
            {"en": "Not covered", "ru": "Не охвачено"},
            {"asset_id": "text", "value": "money", "weight": "fraction", "why": "text"},
        ),
    },
    "report": {},
}  # fmt: skip


def layout(kind: str) -> dict[str, Any]:
    """How a page shows a document of this kind; see `charts_page.page`."""
    shown: dict[str, Any] = {"title": dict(TITLES[kind])}
    if kind in HEADLINES:
        shown["headline"] = list(HEADLINES[kind])
    shown["tables"] = {
        name: {"title": dict(title), "columns": [_column(key, unit) for key, unit in columns.items()]}
        for name, (title, columns) in _TABLES[kind].items()
    }
    return shown


def class_words(asset_class: str) -> Words:
    """A class's name for clients; its id where nothing better is known."""
    if (known := load_limits().asset_class.get(asset_class)) is not None:
        return {"en": known.en, "ru": known.ru}
    return dict(_CLASSES.get(asset_class, {"en": asset_class, "ru": asset_class}))


def _column(key: str, unit: str) -> dict[str, Any]:
    column: dict[str, Any] = {"key": key, "title": dict(_WORDS[key]), "unit": unit}
    if unit == "text" and key == "asset_class":
        classes = {*load_limits().asset_class, *_CLASSES}
        column["words"] = {name: class_words(name) for name in sorted(classes)}
    elif unit == "text" and key != "asset_id":
        column["words"] = {name: dict(words) for name, words in _VALUES.items()}
    return column

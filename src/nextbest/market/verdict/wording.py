"""The verdict in plain sentences, English and Russian, made from its numbers by code. Promises nothing and advises nothing."""

from collections.abc import Sequence
from typing import Literal

from nextbest.charts_page.drawing import Words, plain
from nextbest.charts_page.numbers import LANGUAGES, Language, written
from nextbest.market.trading.audit import Audit
from nextbest.market.verdict.gate import GateLine, LineName
from nextbest.market.verdict.judge import Verdict
from nextbest.market.verdict.sharpe import sharpe_ann

NO_EVIDENCE: Words = {
    "en": "No evidence of profit after costs.",
    "ru": "Свидетельств прибыли после издержек нет.",
}
EVIDENCE: Words = {
    "en": "There is evidence of profit after costs in the period tested.",
    "ru": "За проверенный период есть свидетельства прибыли после издержек.",
}
NOT_THE_FUTURE: Words = {
    "en": "It is about these prices and these days; whether it will hold on, no test of the past can tell.",
    "ru": "Это сказано об этих ценах и этих днях; сохранится ли так дальше, проверка прошлого сказать не может.",
}
LINES: dict[LineName, Words] = {
    "days": {"en": "Days with returns", "ru": "Дней с результатом"},
    "next_bar": {"en": "Bars between decision and fill", "ru": "Баров между решением и сделкой"},
    "funding": {"en": "Funding is charged or stated", "ru": "Фондирование учтено или названо"},
    "audit": {"en": "Findings of the audit for look-ahead", "ru": "Находки проверки на заглядывание вперёд"},
    "deflated_sharpe": {
        "en": "Deflated Sharpe ratio (how sure, all trials counted)",
        "ru": "Дефлированный коэффициент Шарпа (уверенность с учётом всех попыток)",
    },
    "overfitting": {
        "en": "Probability of back-test overfitting",
        "ru": "Вероятность переобучения на истории",
    },
    "spa": {
        "en": "p-value that the best of them earns nothing (SPA)",
        "ru": "p-значение того, что лучшая из них не зарабатывает (SPA)",
    },
    "random_entry": {
        "en": "p-value against the same positions at random times",
        "ru": "p-значение против тех же позиций в случайное время",
    },
    "break_even": {
        "en": "Cost a side that eats the profit, basis points",
        "ru": "Издержки за сделку, съедающие прибыль, базисных пунктов",
    },
}
RULES: dict[Literal["at least", "above", "below", "is"], Words] = {
    "at least": {"en": "at least", "ru": "не меньше"},
    "above": {"en": "above", "ru": "больше"},
    "below": {"en": "below", "ru": "меньше"},
    "is": {"en": "exactly", "ru": "ровно"},
}
KINDS: dict[str, Words] = {
    "bull": {"en": "Rising", "ru": "Рост"},
    "sideways": {"en": "Sideways", "ru": "Боковое движение"},
    "bear": {"en": "Falling", "ru": "Падение"},
    "low_volatility": {"en": "Calm", "ru": "Спокойный"},
    "high_volatility": {"en": "Rough", "ru": "Бурный"},
}
_LEAKS: dict[str, Words] = {
    "future_changed": {"en": "answers change with bars after them", "ru": "ответы меняются от баров после них"},
    "earned_by_chance": {"en": "profit where none can be", "ru": "прибыль там, где её быть не может"},
    "same_bar_fill": {"en": "fills in the bar of the decision", "ru": "сделки в том же баре, что и решение"},
    "label_overlap": {"en": "training labels share bars with the test", "ru": "обучение видит бары проверки"},
    "trained_later": {"en": "trained on bars after the test", "ru": "обучение на барах после проверки"},
}  # fmt: skip


def texts(verdict: Verdict) -> dict[Language, list[str]]:
    """What is to be said of a verdict, sentence by sentence, the answer first; as many in each language."""
    paragraphs = [
        EVIDENCE if verdict.evidence_of_profit else NO_EVIDENCE,
        *([_why(verdict)] if not verdict.evidence_of_profit else []),
        _best(verdict),
        _counted(verdict),
        _against_holding(verdict),
        *([_audited(verdict.audit)] if verdict.audit is not None else []),
        NOT_THE_FUTURE,
    ]
    return {language: [words[language] for words in paragraphs] for language in LANGUAGES}


def line_text(line: GateLine) -> Words:
    """A line of the gate as a phrase: what, its number, its limit."""
    value, limit = number_text(line, line.value), limit_text(line)
    must: Words = {"en": "must be", "ru": "нужно"}
    return {
        language: f"{LINES[line.name][language]}: {value[language]} ({must[language]} {RULES[line.rule][language]} {limit[language]})"
        for language in LANGUAGES
    }


def limit_text(line: GateLine) -> Words:
    """A limit as it was set, without zeros at its end."""
    if line.name in ("funding", "days"):
        return number_text(line, line.limit)
    plainly = f"{line.limit:g}"
    return {"en": plainly, "ru": plainly.replace(".", ",")}


def number_text(line: GateLine, value: float | None) -> Words:
    """A number of a line as a person reads it; funding is a yes or a no."""
    if value is None:
        return {"en": "none", "ru": "нет"}
    if line.name == "funding":
        return {language: written(bool(value), unit="ratio", language=language) for language in LANGUAGES}
    whole = line.name in ("days", "next_bar", "audit")
    return {
        language: written(value, unit="count" if whole else "ratio", language=language)
        for language in LANGUAGES
    }


def _why(verdict: Verdict) -> Words:
    """The lines that don't hold."""
    failed = [line_text(line) for line in verdict.gate if not line.passed]
    of = f"{len(failed)} of {len(verdict.gate)}", f"{len(failed)} из {len(verdict.gate)}"
    return {
        "en": f"Conditions that don't hold, {of[0]}: " + "; ".join(line["en"] for line in failed) + ".",
        "ru": f"Не выполнены условия, {of[1]}: " + "; ".join(line["ru"] for line in failed) + ".",
    }


def _best(verdict: Verdict) -> Words:
    place = verdict.worst.result.names.index(verdict.candidate)
    said: Words = {}
    for language in LANGUAGES:
        parts = []
        for level in verdict.levels:
            sharpe = sharpe_ann(level.moments_S[place].sharpe, periods_per_year=verdict.periods_per_year)
            number = written(plain(sharpe), unit="ratio", language=language)
            bps = written(level.cost_bps, unit="count", language=language)
            parts.append({"en": f"{number} at {bps} bp", "ru": f"{number} при {bps} б.п."}[language])
        bar = written(plain(verdict.worst.expected_max_sharpe_ann), unit="ratio", language=language)
        n = written(verdict.trials.n, unit="count", language=language)
        said[language] = {
            "en": f"The best rule, {verdict.candidate}: annual Sharpe ratio {', '.join(parts)} a side; "
            f"the best of {n} worthless ones is expected to show {bar}.",
            "ru": f"Лучшее правило, {verdict.candidate}: годовой коэффициент Шарпа {', '.join(parts)} за сделку; "
            f"от лучшего из {n} бесполезных ожидается {bar}.",
        }[language]
    return said


def _counted(verdict: Verdict) -> Words:
    shown, tried = len(verdict.worst.result.names), verdict.trials.n
    days = verdict.n_days
    return {
        "en": f"{days} days with returns; {tried} strategies tried in all, {shown} of them compared here.",
        "ru": f"Дней с результатом: {days}; всего опробовано стратегий: {tried}, здесь сравниваются: {shown}.",
    }


def _against_holding(verdict: Verdict) -> Words:
    level, place = verdict.worst, verdict.worst.result.names.index(verdict.candidate)
    own, held = level.net_SD[place].mean(), level.baseline_SD[0].mean()
    yearly = verdict.periods_per_year
    numbers: dict[Language, tuple[str, str]] = {
        language: (
            written(float(own * yearly), unit="fraction", language=language),
            written(float(held * yearly), unit="fraction", language=language),
        )
        for language in LANGUAGES
    }
    return {
        "en": f"Mean return a year after the highest cost {numbers['en'][0]}, of buying and holding all assets {numbers['en'][1]}.",
        "ru": f"Средняя доходность в год при наибольших издержках {numbers['ru'][0]}, покупки и удержания всех активов {numbers['ru'][1]}.",
    }


def _audited(audit: Audit) -> Words:
    if audit.passed:
        return {
            "en": "The audit for look-ahead found nothing.",
            "ru": "Проверка на заглядывание вперёд ничего не нашла.",
        }
    kinds: Sequence[str] = list(dict.fromkeys(finding.leak for finding in audit.findings))
    return {
        "en": f"The audit found look-ahead: {'; '.join(_LEAKS[kind]['en'] for kind in kinds)}. The figures are worth nothing.",
        "ru": f"Проверка нашла заглядывание вперёд: {'; '.join(_LEAKS[kind]['ru'] for kind in kinds)}. Цифры ничего не стоят.",
    }

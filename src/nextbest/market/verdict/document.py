"""A verdict as one JSON document, with all its numbers, its sentences in two languages, and the way a page shows it.

`charts_page.page.write_page(document, file)` makes the page. Beside what every page needs the document holds
`evidence_of_profit`, `text`, `strategies`, `trials`, `dsr`, `pbo`, `spa_p` and `gate`.
"""

from typing import Any

import numpy as np

from nextbest.charts_page.disclaimer import DISCLAIMER, PAST_PERFORMANCE, check_promises
from nextbest.charts_page.drawing import Words, plain
from nextbest.charts_page.numbers import LANGUAGES
from nextbest.market.trading.backtest import Result
from nextbest.market.verdict.charts import charts
from nextbest.market.verdict.gate import GateLine
from nextbest.market.verdict.judge import Level, Verdict
from nextbest.market.verdict.sharpe import Moments, moments, psr, sharpe_ann
from nextbest.market.verdict.wording import KINDS, LINES, RULES, limit_text, number_text, texts
from nextbest.version import __version__

Document = dict[str, Any]
TITLE: Words = {"en": "Could money have been made?", "ru": "Можно ли было заработать?"}
BUY_AND_HOLD: Words = {"en": "Buy and hold", "ru": "Купить и держать"}
EQUAL_WEIGHT: Words = {"en": "Equal weight, kept", "ru": "Поровну, с возвратом к долям"}


def verdict_document(verdict: Verdict) -> Document:
    """The document of a verdict.

    Returns
    -------
    dict
        JSON-safe: a number that there is not is null. `strategies` are in order of their Sharpe ratio after the
        highest cost, the baselines last (`is_baseline`); numbers that differ with the cost are lists in the order
        of `cost_bps`.
    """
    said = texts(verdict)
    check_promises(said)
    level = verdict.worst
    words = {language: f"{DISCLAIMER[language]}. {PAST_PERFORMANCE[language]}." for language in LANGUAGES}
    day_D = level.day_D
    figures = _figures(verdict)
    return {
        "kind": "verdict",
        "evidence_of_profit": verdict.evidence_of_profit,
        "text": said["en"][0],
        "candidate": verdict.candidate,
        "cost_bps": [lv.cost_bps for lv in verdict.levels],
        "strategies": _strategies(verdict),
        "trials": verdict.trials.n,
        "dsr": figures["dsr"]["value"],
        "pbo": figures["pbo"]["value"],
        "spa_p": figures["spa_p"]["value"],
        "gate": [_line(line) for line in verdict.gate],
        "client_id": None,
        "as_of": str(day_D[-1]),
        "currency": None,
        "period": {"start": str(day_D[0]), "end": str(day_D[-1])},
        "figures": figures,
        "tables": {
            "gate": [_gate_row(line) for line in verdict.gate],
            "strategies": [_strategy_row(row) for row in _strategies(verdict)],
            "regimes": [
                {"kind": KINDS[name], **{key: _clean(value) for key, value in row.items()}}
                for name, row in verdict.regime_sharpe.items()
            ],
        },
        "texts": said,
        "charts": charts(verdict),
        "notes": _notes(verdict),
        "mode": "information",
        "disclaimer": words,
        "version": __version__,
        "layout": _layout(verdict),
    }


def _strategies(verdict: Verdict) -> list[dict[str, Any]]:
    level = verdict.worst
    own = [
        _strategy(verdict, name, [(lv, lv.result, lv.net_SD[s], lv.moments_S[s], s) for lv in verdict.levels])
        for s, name in enumerate(level.result.names)
    ]
    own.sort(
        key=lambda row: -np.inf if row["sharpe_ann"][-1] is None else row["sharpe_ann"][-1], reverse=True
    )
    held = [
        _strategy(
            verdict,
            name,
            [(lv, lv.baselines, lv.baseline_SD[s], moments(lv.baseline_SD[s]), s) for lv in verdict.levels],
        )
        | {"is_baseline": True}
        for s, name in enumerate(level.baselines.names)
    ]
    return own + held


def _strategy(
    verdict: Verdict, name: str, at: list[tuple[Level, Result, Any, Moments, int]]
) -> dict[str, Any]:
    _, result, _, _, place = at[-1]
    yearly = verdict.periods_per_year
    counted = result.period
    per_day = len(result.time_T[counted]) / max(1, verdict.n_days)
    return {
        "name": name,
        "is_baseline": False,
        "sharpe_ann": [plain(sharpe_ann(m.sharpe, periods_per_year=yearly), 4) for _, _, _, m, _ in at],
        "return_ann": [plain(float(net.mean()) * yearly) for _, _, net, _, _ in at],
        "psr": [plain(psr(m)) for _, _, _, m, _ in at],
        "deepest_fall": [plain(_deepest_fall(net)) for _, _, net, _, _ in at],
        "turnover_per_day": plain(float(result.turnover_ST[place, counted].mean()) * per_day),
        "break_even_bps": plain(float(result.break_even_bps_S[place]), 3),
        "funding_ann": plain(float(result.funding_ST[place, counted].mean()) * per_day * yearly),
        "capacity": plain(float(result.capacity_S[place]), 0),
        "trades_missed": int(result.n_missing_S[place]),
        "trades_cut": int(result.n_clipped_S[place]),
        "ruined": bool(result.ruined_S[place]),
    }


def _deepest_fall(net_D: Any) -> float:
    """The largest loss from a high, a fraction (0 or less)."""
    worth = np.concatenate([[1.0], np.cumprod(1 + net_D)])
    return float((worth / np.maximum.accumulate(worth) - 1).min())


def _figures(verdict: Verdict) -> dict[str, Any]:
    level, n = verdict.worst, verdict.n_days
    lines = {line.name: line for line in verdict.gate}
    place = level.result.names.index(verdict.candidate)
    found = level.moments_S[place]
    spa_method = (
        f"Hansen 2005, consistent, stationary bootstrap over days; {len(level.result.names)} strategies"
    )
    by_spread = "the same with the spread of the trials' own Sharpe ratios; told, not part of the gate: costs and skill widen that spread"
    return {
        "sharpe_ann": _figure({"en": "Sharpe ratio of the best", "ru": "Шарп лучшего правила"}, plain(sharpe_ann(found.sharpe, periods_per_year=verdict.periods_per_year), 4), n, f"mean over deviation of daily returns after {level.cost_bps:g} bp a side, x sqrt({verdict.periods_per_year:.1f})"),
        "expected_max_sharpe_ann": _figure({"en": "Expected of the best by chance", "ru": "Ожидание случайно лучшего"}, plain(level.expected_max_sharpe_ann, 4), n, f"best of {verdict.trials.n} strategies without skill (Bailey & Lopez de Prado 2014)"),
        "dsr": _figure({"en": "Deflated Sharpe", "ru": "Дефлированный Шарп"}, _clean(lines["deflated_sharpe"].value), n, "probability that the true Sharpe ratio is above zero, all trials counted; the worst over the costs"),
        "dsr_by_spread": _figure({"en": "Deflated Sharpe, by spread of trials", "ru": "Дефлированный Шарп, по разбросу попыток"}, _clean(level.dsr_by_spread), n, by_spread),
        "pbo": _figure({"en": "Overfitting (PBO)", "ru": "Переобучение (PBO)"}, _clean(lines["overfitting"].value), n, "combinatorially symmetric cross-validation (Bailey et al. 2017); the worst over the costs"),
        "spa_p": _figure({"en": "SPA p-value", "ru": "SPA, p-значение"}, _clean(lines["spa"].value), n, spa_method),
        "random_entry_p": _figure({"en": "Random entry p-value", "ru": "Случайный вход, p-значение"}, _clean(lines["random_entry"].value), None if verdict.entries is None else len(verdict.entries.sharpe_N), "same positions moved in a circle by a random number of bars"),
        "break_even_bps": _figure({"en": "Break-even cost, bp", "ru": "Безубыточные издержки, б.п."}, _clean(lines["break_even"].value), n, "mean gross return less funding over mean turnover, a side"),
    }  # fmt: skip


def _figure(title: Words, value: float | None, n: int | None, method: str) -> dict[str, Any]:
    figure = {"title": title, "value": value, "unit": "ratio", "method": method, "n": n}
    if value is None:
        figure["reason_text"] = {"en": "too little to tell", "ru": "слишком мало данных"}
    return figure


def _line(line: GateLine) -> dict[str, Any]:
    return {
        "name": line.name,
        "title": LINES[line.name],
        "value": _clean(line.value),
        "rule": line.rule,
        "limit": line.limit,
        "passed": line.passed,
    }


def _gate_row(line: GateLine) -> dict[str, Any]:
    return {
        "name": line.name,
        "title": LINES[line.name],
        "value": number_text(line, line.value),
        "rule": RULES[line.rule],
        "limit": limit_text(line),
        "passed": line.passed,
    }


def _strategy_row(row: dict[str, Any]) -> dict[str, Any]:
    """With a column for each cost, as a table needs it."""
    names = {"buy_and_hold": BUY_AND_HOLD, "equal_weight": EQUAL_WEIGHT} if row["is_baseline"] else {}
    flat = {key: value for key, value in row.items() if not isinstance(value, list)}
    flat |= {
        f"{key}_{n}": one
        for key, values in row.items()
        if isinstance(values, list)
        for n, one in enumerate(values)
    }
    return flat | {"name": names.get(row["name"], row["name"])}


def _notes(verdict: Verdict) -> list[Words]:
    level = verdict.worst
    notes: list[Words] = []
    if level.result.missing_by_asset:
        some = ", ".join(f"{a} ({n})" for a, n in list(level.result.missing_by_asset.items())[:5])
        notes.append(
            {
                "en": f"Bars that were missing, so that nothing could be traded: {some}.",
                "ru": f"Не было баров, и торговать было нельзя: {some}.",
            }
        )
    if level.result.costs.funding is None:
        notes.append(
            {
                "en": "Nobody stated the funding: nothing was charged, which flatters.",
                "ru": "Ставка фондирования не названа: она не вычтена, и результат приукрашен.",
            }
        )
    if verdict.trials.n > len(level.result.names):
        notes.append(
            {
                "en": "PBO and SPA see the strategies shown here only; the deflated Sharpe ratio counts all trials.",
                "ru": "PBO и SPA видят только показанные стратегии; дефлированный Шарп учитывает все попытки.",
            }
        )
    if verdict.audit is not None:
        notes += [
            {"en": f"Audit: {one.text}", "ru": f"Проверка: {one.text}"} for one in verdict.audit.findings
        ]
    notes.append(
        {
            "en": "Assets that are no longer listed may be missing from the data; what survived looks better than it was.",
            "ru": "Активов, снятых с торгов, в данных может не быть; уцелевшее выглядит лучше, чем было.",
        }
    )
    return notes


def _layout(verdict: Verdict) -> dict[str, Any]:
    costs = [f"{lv.cost_bps:g}" for lv in verdict.levels]

    def each(key: str, en: str, ru: str, unit: str) -> list[dict[str, Any]]:
        return [
            _column(f"{key}_{n}", {"en": f"{en}, {bps} bp", "ru": f"{ru}, {bps} б.п."}, unit)
            for n, bps in enumerate(costs)
        ]

    return {
        "title": TITLE,
        "headline": ["sharpe_ann", "expected_max_sharpe_ann", "dsr", "pbo", "spa_p", "random_entry_p", "break_even_bps"],
        "tables": {
            "gate": {
                "title": {"en": "The gate: all of it must hold", "ru": "Условия: нужны все"},
                "columns": [
                    _column("title", {"en": "Condition", "ru": "Условие"}, "text"),
                    _column("value", {"en": "Found", "ru": "Получено"}, "text"),
                    _column("rule", {"en": "Must be", "ru": "Должно быть"}, "text"),
                    _column("limit", {"en": "Limit", "ru": "Граница"}, "text"),
                    _column("passed", {"en": "Holds", "ru": "Выполнено"}, "ratio"),
                ],
            },
            "strategies": {
                "title": {"en": "All rules, after costs a side", "ru": "Все правила, после издержек за сделку"},
                "columns": [
                    _column("name", {"en": "Rule", "ru": "Правило"}, "text"),
                    *each("sharpe_ann", "Sharpe", "Шарп", "ratio"),
                    *each("return_ann", "Return a year", "Доходность в год", "fraction"),
                    *each("psr", "PSR", "PSR", "ratio"),
                    _column(f"deepest_fall_{len(costs) - 1}", {"en": "Deepest fall", "ru": "Просадка"}, "fraction"),
                    _column("turnover_per_day", {"en": "Turnover a day", "ru": "Оборот в день"}, "ratio"),
                    _column("break_even_bps", {"en": "Break-even, bp", "ru": "Безубыточность, б.п."}, "ratio"),
                    _column("capacity", {"en": "Capacity", "ru": "Ёмкость"}, "count"),
                ],
            },
            "regimes": {
                "title": {"en": "By kind of market", "ru": "По состоянию рынка"},
                "caption": {
                    "en": "Annual Sharpe ratio after the highest cost; the kind is told from what was known before the bar",
                    "ru": "Годовой Шарп при наибольших издержках; состояние определено по известному до бара",
                },
                "columns": [
                    _column("kind", {"en": "Market", "ru": "Рынок"}, "text"),
                    _column("share", {"en": "Share of days", "ru": "Доля дней"}, "fraction"),
                    _column("candidate", {"en": "Best rule", "ru": "Лучшее правило"}, "ratio"),
                    _column("buy_and_hold", BUY_AND_HOLD, "ratio"),
                ],
            },
        },
    }  # fmt: skip


def _column(key: str, title: Words, unit: str) -> dict[str, Any]:
    return {"key": key, "title": title, "unit": unit}


def _clean(value: float | None) -> float | None:
    return None if value is None else plain(value)

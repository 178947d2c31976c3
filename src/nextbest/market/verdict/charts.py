"""The pictures of a verdict as ECharts options, of the same parts as the other rooms'. Takes a verdict, computes only shapes."""

import numpy as np
from numpy.typing import NDArray

from nextbest.charts_page.drawing import (
    BLUE,
    GREY,
    ORANGE,
    PURPLE,
    Option,
    Words,
    frame,
    line,
    plain,
    thinned,
    time_axis,
    timed,
    value_axis,
)
from nextbest.market.verdict.judge import Verdict
from nextbest.market.verdict.sharpe import sharpe_ann

FloatArray = NDArray[np.float64]
HELD: Words = {"en": "Buy and hold", "ru": "Купить и держать"}
CHANCE: Words = {"en": "Share of splits", "ru": "Доля разбиений"}


def charts(verdict: Verdict) -> dict[str, Option]:
    """Growth of the best rule beside holding, all rules against what chance gives, and the rank of each half's best."""
    made = {"growth": _growth(verdict), "sharpes": _sharpes(verdict)}
    if verdict.worst.overfitting is not None:
        made["overfitting"] = _overfitting(verdict)
    return made


def _growth(verdict: Verdict) -> Option:
    level = verdict.worst
    place = level.result.names.index(verdict.candidate)
    curves = [100 * np.cumprod(1 + lv.net_SD[place]) for lv in verdict.levels]
    names: list[Words] = [
        {"en": f"{verdict.candidate}, {lv.cost_bps:g} bp", "ru": f"{verdict.candidate}, {lv.cost_bps:g} б.п."}
        for lv in verdict.levels
    ]
    curves.append(100 * np.cumprod(1 + level.baseline_SD[0]))
    names.append(HELD)
    kept = thinned(np.array(curves))
    colours = [BLUE, PURPLE, GREY]
    series = [
        line(
            name,
            timed(level.day_D[kept], curve[kept], places=3),
            colour=ORANGE if name is HELD else colours[min(n, 2)],
            dashed=n > 0,
        )
        for n, (name, curve) in enumerate(zip(names, curves, strict=True))
    ]
    return frame(
        {"en": "Growth of 100 after costs", "ru": "Рост 100 после издержек"},
        unit="index",
        series=series,
        x=time_axis(),
        y=value_axis(),
        caption={
            "en": "The best rule at each cost a side, and all assets bought once and held",
            "ru": "Лучшее правило при каждых издержках за сделку; все активы, купленные один раз",
        },
        words=names,
        height=320,
    )


def _sharpes(verdict: Verdict) -> Option:
    level = verdict.worst
    sharpe_S = np.array([sharpe_ann(m.sharpe, periods_per_year=verdict.periods_per_year) for m in level.moments_S])  # fmt: skip
    order = np.argsort(np.nan_to_num(sharpe_S, nan=-np.inf))[::-1][:60]
    bar = plain(level.expected_max_sharpe_ann, 4)
    series: Option = {
        "type": "bar",
        "data": [plain(sharpe_S[s], 4) for s in order],
        "itemStyle": {"color": BLUE},
        "name": "Sharpe",
    }
    if bar is not None:
        series["markLine"] = {
            "silent": True,
            "symbol": "none",
            "lineStyle": {"color": ORANGE, "type": "dashed"},
            "label": {"show": False},
            "data": [{"xAxis": bar}],
        }
    # ECharts fits an axis to its bars only, and the line that they don't reach is what there is to see
    top = np.nanmax(np.append(sharpe_S, 0.0))
    high: Option = {} if bar is None or bar <= top else {"max": round(1.1 * bar, 1)}
    bps, n = f"{level.cost_bps:g}", verdict.trials.n
    return frame(
        {"en": "Annual Sharpe ratio of each rule", "ru": "Годовой коэффициент Шарпа каждого правила"},
        unit="ratio",
        series=[series],
        x=value_axis(from_zero=True, **high),
        # a row a rule, the best on top: names are long, and many
        y={
            "type": "category",
            "data": [level.result.names[s] for s in order],
            "inverse": True,
            "axisLabel": {"interval": 0},
        },
        caption={
            "en": f"After {bps} bp a side. Dashed: what the best of {n} worthless rules is expected to show",
            "ru": f"После {bps} б.п. за сделку. Пунктир: ожидание для лучшего из {n} бесполезных правил",
        },
        legend=False,
        height=80 + 18 * len(order),
    )


def _overfitting(verdict: Verdict) -> Option:
    found = verdict.worst.overfitting
    assert found is not None  # the caller asks only then
    share_C = 1 / (1 + np.exp(-found.logit_C))
    counts, edges = np.histogram(share_C, bins=10, range=(0.0, 1.0))
    bars = [
        {"value": plain(100 * count / len(share_C), 3), "itemStyle": {"color": ORANGE if edges[i + 1] <= 0.5 + 1e-9 else BLUE}}
        for i, count in enumerate(counts)
    ]  # fmt: skip
    return frame(
        {
            "en": "Where the best of one half stands in the other",
            "ru": "Место лучшего одной половины в другой",
        },
        unit="percent",
        series=[{"type": "bar", "name": CHANCE["en"], "data": bars, "barCategoryGap": "8%"}],
        x={"type": "category", "data": [f"{round(100 * e)}\u2013{round(100 * e) + 10}" for e in edges[:-1]]},
        y=value_axis(from_zero=True),
        caption={
            "en": "Percentile of the rule that was best in the other half of the days; orange: below the middle",
            "ru": "Процентиль правила, лучшего в другой половине дней; оранжевым: ниже середины",
        },
        words=[CHANCE],
        legend=False,
    )

"""Sections of a panel's page: who holds what, additions and drops, seasons, turnover, products together."""

import numpy as np
from numpy.typing import NDArray

from nextbest.experiments.explore.figures import Axis, bars, heat, lines
from nextbest.experiments.explore.page import Chart, Section, Table
from nextbest.experiments.explore.panel_facts import PanelFacts
from nextbest.experiments.explore.panel_movers import FEW, mover_sections, product_names, ranked
from nextbest.experiments.explore.writing import Writer

FloatArray = NDArray[np.float64]
_RARE = 0.002
"""Prevalence below which a product has few positives to learn from."""
_MOSTLY = 0.5
"""Share of all products held from which an average over products is mostly about one."""
_MOVING = 1.2
"""Ratio of the liveliest month to the quietest from which counts must be shifted."""
_RESTLESS = 0.05
"""Monthly share of holders that add, and that drop, from which a product is switched on and off."""
_PAIRED = 0.2
"""Share of a product's additions that come with another from which the pair is told."""
_N_MONTHS_TOLD = 6
"""Months told of in a sentence about seasons."""


def product_sections(facts: PanelFacts, w: Writer) -> list[Section]:
    """Everything about products; moves only where the panel has two months in a row."""
    if not facts.profile.months:
        return []
    made = [_prevalence(facts, w)]
    if facts.profile.added_MP.any():
        made += [
            _moves(facts, w),
            _seasons(facts, w),
            _turnover(facts, w),
            *mover_sections(facts, w),
        ]
    return [*made, _together(facts, w)]


def _prevalence(facts: PanelFacts, w: Writer) -> Section:
    p, names = facts.profile, product_names(facts, w)
    last_P = p.prevalence_MP[-1]
    order = np.argsort(-last_P, kind="stable").tolist()
    of_all = p.holders_MP[-1] / max(int(p.holders_MP[-1].sum()), 1)
    rare = int((last_P < _RARE).sum())
    top = order[0]
    share = float(of_all[top])
    relative_PM = _over_first(p.prevalence_MP.T[order])
    return Section(
        "prevalence",
        w.say("Who holds what", "Кто чем владеет"),
        w.say(
            f"“{names[top]}” alone is {w.share(share)} of all products held"
            + (", so an average weighted by holders is mostly about it" if share >= _MOSTLY else "")
            + f"; {rare} of {len(names)} products are held by fewer than {w.share(_RARE)} of clients"
            + (" and need shared models or priors." if rare else "."),
            f"«{names[top]}» - это {w.share(share)} всех имеющихся продуктов"
            + (", и среднее с весами по владельцам говорит в основном о нём" if share >= _MOSTLY else "")
            + f"; {rare} из {len(names)} продуктов есть менее чем у {w.share(_RARE)} клиентов"
            + (", им нужны общие модели или априорные доли." if rare else "."),
        ),
        charts=(
            Chart(
                w.say(
                    f"Share of clients, {w.month(p.months[-1])}.", f"Доля клиентов, {w.month(p.months[-1])}."
                ),
                lambda: bars(
                    "prevalence",
                    [names[i] for i in order],
                    last_P[order],
                    axis=Axis(percent=True),
                    texts=[w.share(float(last_P[i]), 2) for i in order],
                ),
            ),
            Chart(
                w.say(
                    "Share of clients over that of the first month: 1 is no change, orange grows, blue shrinks.",
                    "Доля клиентов к доле первого месяца: 1 - без перемен, оранжевое растёт, синее убывает.",
                ),
                lambda: heat(
                    "trend",
                    [names[i] for i in order],
                    w.months(p.months),
                    relative_PM,
                    write=lambda v: f"{v:.2f}",
                    centre=1.0,
                ),
            ),
        ),
    )


def _over_first(share_PM: FloatArray) -> FloatArray:
    first_P = share_PM[:, :1]
    relative: FloatArray = np.where(first_P > 0, share_PM / np.maximum(first_P, 1e-12), np.nan)
    return relative


def _moves(facts: PanelFacts, w: Writer) -> Section:
    p = facts.profile
    added_M = np.where(p.follows_M, p.added_MP.sum(axis=1) / np.maximum(p.stayed_M, 1), np.nan)
    dropped_M = np.where(p.follows_M, p.dropped_MP.sum(axis=1) / np.maximum(p.stayed_M, 1), np.nan)
    low, high = float(np.nanmin(added_M)), float(np.nanmax(added_M))
    best = p.months[int(np.nanargmax(added_M))]
    return Section(
        "moves",
        w.say("Additions and drops", "Добавления и отказы"),
        w.say(
            f"Additions per client move between {w.number(low, 3)} and {w.number(high, 3)} a month (highest {w.month(best)})"
            + (
                ": probabilities fitted on one month must be shifted to the expected count of another."
                if high >= _MOVING * low
                else ": a month's count foretells the next one's."
            ),
            f"Добавлений на клиента от {w.number(low, 3)} до {w.number(high, 3)} в месяц (больше всего {w.month(best)})"
            + (
                ": вероятности, выученные на одном месяце, надо сдвигать к ожидаемому числу другого."
                if high >= _MOVING * low
                else ": число одного месяца годится и для следующего."
            ),
        ),
        charts=(
            Chart(
                w.say(
                    "Products per client present in the month and the one before.",
                    "Продуктов на клиента, который есть в этом и прошлом месяце.",
                ),
                lambda: lines(
                    "moves",
                    w.months(p.months),
                    {w.say("added", "добавлено"): added_M, w.say("dropped", "отказы"): dropped_M},
                    axis=Axis(),
                ),
            ),
        ),
    )


def _seasons(facts: PanelFacts, w: Writer) -> Section:
    p, names = facts.profile, product_names(facts, w)
    common = [i for i in range(len(names)) if np.isfinite(facts.season_MP[:, i]).any()]
    common.sort(key=lambda i: -int(p.added_MP[:, i].sum()))
    season_PM = facts.season_MP[:, common].T
    doubled = [
        (float(season_PM[row, m]), f"{names[i]} {w.month(p.months[m])} x{w.times(float(season_PM[row, m]))}")
        for row, i in enumerate(common)
        for m in range(len(p.months))
        if is_double(float(season_PM[row, m]), w)
    ]
    doubled.sort(key=lambda found: (-found[0], found[1]))
    told = ", ".join(text for _, text in doubled[:_N_MONTHS_TOLD])
    if (more := len(doubled) - _N_MONTHS_TOLD) > 0:
        told += w.say(f" and {more} more", f" и ещё {more}")
    dead = [names[i] for row, i in enumerate(common) if np.nan_to_num(season_PM[row, -2:]).max() < 0.2]
    meaning = w.say(
        "No product has a month with twice its mean additions and more.",
        "Ни у одного продукта нет месяца с двукратными и большими добавлениями.",
    )
    if doubled:
        meaning = w.say(
            f"Months with twice a product's mean additions and more: {told}. Train with the same month of last year, not only "
            "with the newest, or correct by priors.",
            f"Месяцы, где добавлений вдвое больше среднего для продукта и ещё больше: {told}. Берите в обучение тот же месяц "
            "прошлого года, а не только последние, или поправляйте априорными долями.",
        )
    if dead:
        meaning += " " + w.say(
            f"Dried up in the last two months: {', '.join(dead)}; ask whether they are still sold before offering them.",
            f"Иссякли за последние два месяца: {', '.join(dead)}; узнайте, продаются ли они, прежде чем предлагать.",
        )
    return Section(
        "seasons",
        w.say("Seasons", "Сезоны"),
        meaning,
        charts=(
            Chart(
                w.say(
                    "Additions per client over the product's mean month; products with 20 additions a month and more.",
                    "Добавления на клиента к среднему месяцу продукта; продукты от 20 добавлений в месяц.",
                ),
                lambda: heat(
                    "seasons",
                    [names[i] for i in common],
                    w.months(p.months),
                    season_PM,
                    write=w.times,
                    centre=1.0,
                ),
            ),
        )
        if common
        else (),
    )


def is_double(over_mean: float, w: Writer) -> bool:
    """Whether a month's additions over the mean month's read as 2 or more in the heat map; not for NaN."""
    return bool(np.isfinite(over_mean)) and float(w.times(over_mean)) >= 2


def _turnover(facts: PanelFacts, w: Writer) -> Section:
    p, names = facts.profile, product_names(facts, w)
    n_months = max(int(p.follows_M.sum()), 1)
    added_P = p.added_MP.sum(axis=0) / n_months
    order = np.argsort(-added_P, kind="stable").tolist()
    share = np.cumsum(np.sort(added_P)[::-1]) / max(float(added_P.sum()), 1e-12)
    enough = int(np.searchsorted(share, 0.95) + 1)
    rows = tuple(
        (
            names[i],
            facts.schema.product_columns[i],
            w.whole(float(p.holders_MP[p.follows_M][:, i].mean())),
            w.whole(float(added_P[i])),
            w.whole(float(p.dropped_MP[:, i].sum() / n_months)),
            w.share(float(facts.hazard_P[i]), 2),
            w.share(float(facts.turnover_P[i])),
            w.share(float(facts.drop_P[i])),
        )
        for i in order
    )
    header = (
        w.say("product", "продукт"),
        w.say("column", "столбец"),
        w.say("holders a month", "владельцев в месяц"),
        w.say("added a month", "добавлений в месяц"),
        w.say("dropped a month", "отказов в месяц"),
        w.say("hazard of who hasn't it", "риск у не имеющих"),
        w.say("turnover", "оборот"),
        w.say("drop rate", "доля отказов"),
    )
    both_P = np.fmin(np.nan_to_num(facts.turnover_P), np.nan_to_num(facts.drop_P))
    restless = [i for i in order if both_P[i] >= _RESTLESS and p.added_MP[:, i].sum() >= FEW]
    meaning = w.say(
        f"{enough} of {len(names)} products make 95% of additions: spend training there.",
        f"{enough} из {len(names)} продуктов дают 95 % добавлений: на них и тратьте обучение.",
    )
    if restless:
        told = ", ".join(names[i] for i in restless)
        meaning += " " + w.say(
            f"Switched on and off, added and dropped by {w.share(_RESTLESS, 0)} of their holders and more a month: {told}.",
            f"Включают и выключают (берут и бросают за месяц от {w.share(_RESTLESS, 0)} владельцев): {told}.",
        )
    meaning += _returns_of_others(facts, w, [i for i in order if i not in restless])
    return Section(
        "turnover",
        w.say("Turnover and hazard", "Оборот и риск добавления"),
        meaning,
        tables=(Table(header, rows, n_text=2),),
    )


def _returns_of_others(facts: PanelFacts, w: Writer, others: list[int]) -> str:
    """What share of the calmer products' additions are returns all the same, and of which most."""
    r, names = facts.returns, product_names(facts, w)
    added = int(r.added_P[others].sum())
    if added < FEW:
        return ""
    share = w.share(float(r.returned_P[others].sum() / added), 0)
    told = ranked([i for i in others if r.added_P[i] >= FEW], r.share_P, names, w)
    return " " + w.say(
        f"Of what is added of the other products {share} are returns after a drop (most: {told}).",
        f"Из добавлений остальных продуктов {share} - возвраты после отказа (больше всего: {told}).",
    )


def _together(facts: PanelFacts, w: Writer) -> Section:
    t, names = facts.together, product_names(facts, w)
    held = [i for i in range(len(names)) if facts.profile.holders_MP[-1, i] >= FEW]
    added = [i for i in range(len(names)) if facts.profile.added_MP[:, i].sum() >= FEW]
    pairs = sorted(
        ((float(t.added_PP[i, j]), i, j) for i in added for j in added if i != j),
        key=lambda x: (-x[0], x[1:]),
    )
    told = ", ".join(f"{names[i]} → {names[j]} {w.share(s, 0)}" for s, i, j in pairs[:3] if s >= _PAIRED)
    meaning = w.say(
        f"Added together: {told}. Independent models per product miss it: order pairs by rule or re-rank by expected average "
        "precision.",
        f"Добавляют вместе: {told}. Независимые модели продуктов этого не видят: упорядочивайте пары правилом или "
        "переранжируйте по ожидаемой точности.",
    )
    if not told:
        meaning = w.say(
            f"No product comes with another in {w.share(_PAIRED, 0)} of its additions: they may be foretold one by one.",
            f"Ни один продукт не добавляют с другим в {w.share(_PAIRED, 0)} случаев: их можно предсказывать поодиночке.",
        )
    if not added:
        meaning = w.say(
            "Too few additions to say which come together; what is held together hints at bundles.",
            "Добавлений слишком мало, чтобы судить, что берут вместе; о наборах говорит совместное владение.",
        )
    charts = [
        Chart(
            w.say(
                "Of clients who hold the row's product, the share that holds the column's, %; newest month.",
                "Из владельцев продукта строки доля имеющих продукт столбца, %; последний месяц.",
            ),
            lambda: _square("held", t.held_PP, held, names),
        )
    ]
    tables: tuple[Table, ...] = ()
    if added:
        charts.append(
            Chart(
                w.say(
                    "Of clients who add the row's product, the share that adds the column's in the same month, %.",
                    "Из добавивших продукт строки доля добавивших в том же месяце продукт столбца, %.",
                ),
                lambda: _square("added", t.added_PP, added, names),
            )
        )
        total = max(int(t.n_added_K.sum()), 1)
        rows = tuple((_set_in_words(mask, names), w.whole(n), w.share(n / total)) for mask, n in t.sets)
        head = (
            w.say("added at once", "добавлено разом"),
            w.say("client-months", "клиенто-месяцев"),
            w.say("of adders", "добавляющих"),
        )
        tables = (Table(head, rows),)
    title = w.say("Products together", "Продукты вместе")
    return Section("together", title, meaning, charts=tuple(charts), tables=tables)


def _square(name: str, given_PP: FloatArray, rows: list[int], names: list[str]) -> str:
    shown = given_PP[np.ix_(rows, rows)].copy()
    np.fill_diagonal(shown, np.nan)
    labels = [names[i] for i in rows]
    return heat(
        name,
        labels,
        labels,
        shown,
        write=lambda v: f"{v * 100:.0f}" if v >= 0.005 else "",
        top=1.0,
        square=True,
    )


def _set_in_words(mask: int, names: list[str]) -> str:
    return " + ".join(name for i, name in enumerate(names) if mask >> i & 1)

"""Sections of a panel's page: who holds what, additions and drops, seasons, turnover, returns, products together."""

import numpy as np
from numpy.typing import NDArray

from nextbest.experiments.explore.figures import Axis, bars, columns, heat, lines
from nextbest.experiments.explore.page import Chart, Section, Table
from nextbest.experiments.explore.panel_facts import PanelFacts
from nextbest.experiments.explore.writing import Writer

FloatArray = NDArray[np.float64]
_RARE = 0.002
"""Prevalence below which a product has few positives to learn from."""
_FEW = 50
"""Holders, or additions, below which a product's shares are chance and not shown."""


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
            _returns(facts, w),
            _adders(facts, w),
        ]
    return [*made, _together(facts, w)]


def _names(facts: PanelFacts, w: Writer) -> list[str]:
    return [product.name(w.lang) for product in facts.schema.products]


def _prevalence(facts: PanelFacts, w: Writer) -> Section:
    p, names = facts.profile, _names(facts, w)
    last_P = p.prevalence_MP[-1]
    order = np.argsort(-last_P, kind="stable").tolist()
    of_all = p.holders_MP[-1] / max(int(p.holders_MP[-1].sum()), 1)
    rare = int((last_P < _RARE).sum())
    top = order[0]
    relative_PM = _over_first(p.prevalence_MP.T[order])
    return Section(
        "prevalence",
        w.say("Who holds what", "Кто чем владеет"),
        w.say(
            f"“{names[top]}” alone is {w.share(float(of_all[top]))} of all products held, so any average over products is mostly "
            f"about it; {rare} of {len(names)} products are held by fewer than {w.share(_RARE)} of clients and need shared "
            "models or priors.",
            f"«{names[top]}» - это {w.share(float(of_all[top]))} всех имеющихся продуктов, и любое среднее по продуктам говорит "
            f"в основном о нём; {rare} из {len(names)} продуктов есть менее чем у {w.share(_RARE)} клиентов, им нужны общие "
            "модели или априорные доли.",
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
            f"Additions per client move between {w.number(low, 3)} and {w.number(high, 3)} a month (highest {w.month(best)}): "
            "probabilities fitted on one month must be shifted to the expected count of another.",
            f"Добавлений на клиента от {w.number(low, 3)} до {w.number(high, 3)} в месяц (больше всего {w.month(best)}): "
            "вероятности, выученные на одном месяце, надо сдвигать к ожидаемому числу другого.",
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
    p, names = facts.profile, _names(facts, w)
    common = [i for i in range(len(names)) if np.isfinite(facts.season_MP[:, i]).any()]
    common.sort(key=lambda i: -int(p.added_MP[:, i].sum()))
    season_PM = facts.season_MP[:, common].T
    peaks = []
    for row, i in enumerate(common):
        if np.nanmax(season_PM[row]) >= 2:
            m = int(np.nanargmax(season_PM[row]))
            peaks.append(
                (float(season_PM[row, m]), f"{names[i]} {w.month(p.months[m])} x{season_PM[row, m]:.1f}")
            )
    told = ", ".join(text for _, text in sorted(peaks, reverse=True)[:4])
    dead = [names[i] for row, i in enumerate(common) if np.nan_to_num(season_PM[row, -2:]).max() < 0.2]
    meaning = w.say(
        f"Months at twice a product's usual additions: {told or 'none'}. Train with the same month of last year, not only "
        "with the newest, or correct by priors.",
        f"Месяцы с удвоенными добавлениями: {told or 'нет'}. Берите в обучение тот же месяц прошлого года, а не только "
        "последние, или поправляйте априорными долями.",
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


def _turnover(facts: PanelFacts, w: Writer) -> Section:
    p, names = facts.profile, _names(facts, w)
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
    restless = [names[i] for i in order if both_P[i] >= 0.05][:6]
    return Section(
        "turnover",
        w.say("Turnover and hazard", "Оборот и риск добавления"),
        w.say(
            f"{enough} of {len(names)} products make 95% of additions: spend training there. Products added and dropped by 5% of "
            f"their holders and more a month ({', '.join(restless) or 'none'}) are switched on and off, the others are bought once.",
            f"{enough} из {len(names)} продуктов дают 95 % добавлений: на них и тратьте обучение. Продукты, которые за месяц "
            f"берут и бросают от 5 % владельцев ({', '.join(restless) or 'нет'}), включают и выключают, остальные берут однажды.",
        ),
        tables=(Table(header, rows, n_text=2),),
    )


def _returns(facts: PanelFacts, w: Writer) -> Section:
    r, names = facts.returns, _names(facts, w)
    shown = [i for i in np.argsort(-np.nan_to_num(r.share_P), kind="stable").tolist() if r.added_P[i] >= _FEW]
    total = float(r.returned_P.sum() / max(int(r.added_P.sum()), 1))
    within = float(r.gap_L[:3].sum() / max(int(r.gap_L.sum()), 1))
    charts: tuple[Chart, ...] = ()
    if shown:
        charts = (
            Chart(
                w.say(
                    "Share of additions by clients who held the product in an earlier month of the panel.",
                    "Доля добавлений клиентами, у которых продукт уже был в более раннем месяце.",
                ),
                lambda: bars(
                    "returns",
                    [names[i] for i in shown],
                    r.share_P[shown],
                    axis=Axis(percent=True),
                    texts=[w.share(float(r.share_P[i]), 0) for i in shown],
                ),
            ),
            Chart(
                w.say("Returns by months without the product.", "Возвраты по числу месяцев без продукта."),
                lambda: columns(
                    "gaps",
                    [str(lag + 1) for lag in range(len(r.gap_L))],
                    r.gap_L.astype(float),
                    axis=Axis(),
                    height=2.1,
                ),
            ),
        )
    return Section(
        "returns",
        w.say("Returns: products that flicker", "Возвраты: мерцающие продукты"),
        w.say(
            f"{w.share(total, 0)} of additions bring back a product held before, {w.share(within, 0)} of these within three months. "
            "Months since the last drop and counts of switches are the features that see it; a model without lags can't.",
            f"{w.share(total, 0)} добавлений возвращают бывший продукт, из них {w.share(within, 0)} - за три месяца. Это видят "
            "признаки «месяцев с отказа» и «сколько раз переключался»; модель без лагов не видит.",
        ),
        charts=charts,
    )


def _adders(facts: PanelFacts, w: Writer) -> Section:
    n_K = facts.together.n_added_K
    share_K = n_K / max(int(n_K.sum()), 1)
    again, usual = facts.again
    p = facts.profile
    share_M = np.where(p.follows_M, p.adders_M / np.maximum(p.stayed_M, 1), np.nan)
    meaning = w.say(
        f"{w.share(facts.adder_share)} of clients add in a month, {w.share(float(share_K[0]) if len(share_K) else 0, 0)} of them one "
        "product: MAP over all clients is bounded by that share, so print it on adders too.",
        f"За месяц добавляют {w.share(facts.adder_share)} клиентов, из них {w.share(float(share_K[0]) if len(share_K) else 0, 0)} - "
        "один продукт: MAP по всем клиентам не выше этой доли, печатайте и MAP на добавляющих.",
    )
    if np.isfinite(again) and usual > 0:
        meaning += " " + w.say(
            f"Who added last month adds again with {w.share(again)} against {w.share(usual)}: adders are the same people, so split "
            "by time and show unseen clients apart.",
            f"Кто добавил в прошлом месяце, добавит снова с вероятностью {w.share(again)} против {w.share(usual)}: добавляют одни "
            "и те же, делите по времени и показывайте новых клиентов отдельно.",
        )
    return Section(
        "adders",
        w.say("Who adds and how much", "Сколько добавляют"),
        meaning,
        charts=(
            Chart(
                w.say("Share of clients who add something.", "Доля клиентов, которые что-то добавили."),
                lambda: columns("adders", w.months(p.months), share_M, axis=Axis(percent=True), height=2.2),
            ),
            Chart(
                w.say("Adders by number of products added.", "Добавляющие по числу добавленных продуктов."),
                lambda: bars(
                    "adds_each",
                    [str(k + 1) for k in range(len(share_K))],
                    share_K,
                    axis=Axis(percent=True),
                    texts=[w.share(float(s)) for s in share_K],
                ),
            ),
        ),
    )


def _together(facts: PanelFacts, w: Writer) -> Section:
    t, names = facts.together, _names(facts, w)
    held = [i for i in range(len(names)) if facts.profile.holders_MP[-1, i] >= _FEW]
    added = [i for i in range(len(names)) if facts.profile.added_MP[:, i].sum() >= _FEW]
    pairs = sorted(
        ((float(t.added_PP[i, j]), i, j) for i in added for j in added if i != j),
        key=lambda x: (-x[0], x[1:]),
    )
    told = ", ".join(f"{names[i]} → {names[j]} {w.share(s, 0)}" for s, i, j in pairs[:3] if s >= 0.2)
    meaning = w.say(
        f"Added together: {told or 'hardly any'}. Independent models per product miss it: order pairs by rule or re-rank by "
        "expected average precision.",
        f"Добавляют вместе: {told or 'почти ничего'}. Независимые модели продуктов этого не видят: упорядочивайте пары "
        "правилом или переранжируйте по ожидаемой точности.",
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

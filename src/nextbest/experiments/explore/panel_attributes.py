"""Sections of a panel's page: age, seniority, income, entry channels, and additions by group of clients."""

import numpy as np

from nextbest.experiments.explore.figures import Axis, bars, columns, ranges
from nextbest.experiments.explore.groups import AdderGroup, Histogram, Spread
from nextbest.experiments.explore.page import Chart, Section
from nextbest.experiments.explore.panel_facts import PanelFacts
from nextbest.experiments.explore.writing import Writer

_SENIORITY_BIN = 6
APART = 1.5
"""Ratio of two groups' rates from which they differ enough to say so."""
_MIN_REGION = 30
"""Clients with an income that a region needs to be drawn."""
_WORDS = {"active": "активные", "inactive": "неактивные", "other": "прочие"}


def attribute_sections(facts: PanelFacts, w: Writer) -> list[Section]:
    """A section for each attribute that the schema gives a role."""
    g = facts.groups
    made: list[Section] = []
    if g.age is not None and len(g.age.count_V):
        made.append(_age(g.age, w))
    if g.seniority is not None and len(g.seniority.count_V):
        made.append(_seniority(g.seniority, w))
    if g.income_by_segment or g.income_by_region:
        made.append(_income(facts, w))
    if g.channels:
        made.append(_channels(facts, w))
    by_group = [role for role in ("age", "segment", "activity") if g.adders.get(role)]
    if by_group:
        made.append(_adders(facts, by_group, w))
    return made


def _age(age: Histogram, w: Writer) -> Section:
    humps = ", ".join(map(str, age.peaks))
    many = len(age.peaks) > 1
    return Section(
        "age",
        w.say("Age", "Возраст"),
        w.say(
            f"Median {age.quantile(0.5):.0f}, "
            + (f"humps at {humps}: bands or trees, not one slope." if many else "one hump.")
            + f" Ages are missing for {w.whole(age.missing)} clients.",
            f"Медиана {age.quantile(0.5):.0f}, "
            + (f"горбы на {humps}: группы или деревья, а не один наклон." if many else "один горб.")
            + f" Возраст неизвестен у {w.whole(age.missing)} клиентов.",
        ),
        charts=(
            Chart(
                w.say("Clients by age, newest month.", "Клиенты по возрасту, последний месяц."),
                lambda: columns(
                    "age",
                    [str(age.start + i) for i in range(len(age.count_V))],
                    age.count_V.astype(float),
                    axis=Axis(),
                    marked=[peak - age.start for peak in age.peaks],
                ),
            ),
        ),
    )


def _seniority(seniority: Histogram, w: Writer) -> Section:
    n_bins = (len(seniority.count_V) + seniority.start) // _SENIORITY_BIN + 1
    places = (np.arange(len(seniority.count_V)) + seniority.start) // _SENIORITY_BIN
    binned = np.bincount(places, weights=seniority.count_V, minlength=n_bins)
    young = float(
        seniority.count_V[: max(12 - seniority.start, 0)].sum() / max(int(seniority.count_V.sum()), 1)
    )
    return Section(
        "seniority",
        w.say("Months with the bank", "Стаж клиента"),
        w.say(
            f"Half of the clients are with the bank for {seniority.quantile(0.5):.0f} months and more; {w.share(young, 0)} joined within "
            "a year and have short lags: tell the model how many months it has seen.",
            f"Половина клиентов в банке {seniority.quantile(0.5):.0f} месяцев и дольше; {w.share(young, 0)} пришли за год, их история "
            "коротка: дайте модели число увиденных месяцев.",
        ),
        charts=(
            Chart(
                w.say("Clients by half-years of seniority.", "Клиенты по полугодиям стажа."),
                lambda: columns(
                    "seniority",
                    [f"{i * _SENIORITY_BIN}" for i in range(len(binned))],
                    binned.astype(float),
                    axis=Axis(),
                    height=2.2,
                ),
            ),
        ),
    )


def _income(facts: PanelFacts, w: Writer) -> Section:
    g = facts.groups
    regions = [spread for spread in g.income_by_region if spread.n >= _MIN_REGION]
    missing = g.income_missing or 0.0
    meaning = w.say(
        f"Missing for {w.share(missing, 0)} of clients",
        f"Неизвестен у {w.share(missing, 0)} клиентов",
    )
    if len(regions) > 1:
        low, high = regions[-1], regions[0]
        meaning += w.say(
            f"; the middle income goes from {w.whole(low.quantiles[2])} ({low.name}) to {w.whole(high.quantiles[2])} ({high.name}): "
            "fill with the region's median learned on training months, use the logarithm, keep an imputed flag.",
            f"; медиана от {w.whole(low.quantiles[2])} ({low.name}) до {w.whole(high.quantiles[2])} ({high.name}): заполняйте медианой "
            "региона из месяцев обучения, берите логарифм, храните признак заполнения.",
        )
    else:
        meaning += w.say(
            ": use the logarithm and an imputed flag.", ": берите логарифм и признак заполнения."
        )
    charts = []
    for key, spreads, caption in (
        ("income_segment", list(g.income_by_segment), w.say("segment", "сегменту")),
        ("income_region", regions, w.say("region", "региону")),
    ):
        if spreads:
            charts.append(_income_chart(key, spreads, caption, w))
    return Section("income", w.say("Income", "Доход"), meaning, charts=tuple(charts))


def _income_chart(key: str, spreads: list[Spread], by: str, w: Writer) -> Chart:
    caption = w.say(
        f"Income by {by}: 10 to 90% of clients, middle half thick, median marked; log scale.",
        f"Доход по {by}: от 10 до 90 % клиентов, средняя половина толсто, медиана чертой; логарифмическая шкала.",
    )
    quantiles = np.array([spread.quantiles for spread in spreads])
    return Chart(
        caption, lambda: ranges(key, [spread.name for spread in spreads], quantiles, axis=Axis(log=True))
    )


def _channels(facts: PanelFacts, w: Writer) -> Section:
    g = facts.groups
    total = max(sum(n for _, n in g.channels), 1)
    top3 = sum(n for _, n in g.channels[:3]) / total
    rates = {group.name: group.rate for group in g.adders.get("channel", ())}
    known = {name: rate for name, rate in rates.items() if name in dict(g.channels[:5])}
    meaning = w.say(
        f"Three channels bring {w.share(top3, 0)} of clients: keep the frequent codes and pool the rest.",
        f"Три канала дают {w.share(top3, 0)} клиентов: частые коды оставьте, остальные слейте.",
    )
    if len(known) > 1:
        low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
        times = known[high] / max(known[low], 1e-12)
        meaning += " " + w.say(
            f"Of the largest, {high} clients add {times:.1f} times as often as {low} ones"
            + (": a strong and static feature." if times >= APART else ", hardly a difference."),
            f"Из крупных клиенты {high} добавляют в {times:.1f} раза чаще, чем {low}"
            + (": сильный и неизменный признак." if times >= APART else ", разница невелика."),
        )
    names = [_WORDS.get(name, name) if w.lang == "ru" else name for name, _ in g.channels]
    return Section(
        "channels",
        w.say("Entry channels", "Каналы прихода"),
        meaning,
        charts=(
            Chart(
                w.say(
                    "Clients by entry channel, newest month; beside it the share who add in a month.",
                    "Клиенты по каналу, последний месяц; рядом доля добавляющих за месяц.",
                ),
                lambda: bars(
                    "channels",
                    names,
                    np.array([n / total for _, n in g.channels]),
                    axis=Axis(percent=True),
                    texts=[
                        w.share(n / total)
                        + (f"; {w.share(rates[name])} {w.say('add', 'добавляют')}" if name in rates else "")
                        for name, n in g.channels
                    ],
                ),
            ),
        ),
    )


def _adders(facts: PanelFacts, roles: list[str], w: Writer) -> Section:
    groups: list[AdderGroup] = [
        group for role in roles for group in facts.groups.adders[role] if group.client_months
    ]
    low, high = _widest(facts, roles)
    times = high.rate / max(low.rate, 1e-12)
    names = [_WORDS.get(group.name, group.name) if w.lang == "ru" else group.name for group in groups]
    products = [product.name(w.lang) for product in facts.schema.products]
    return Section(
        "groups",
        w.say("Additions by group", "Добавления по группам"),
        w.say(
            f"“{high.name}” clients add {times:.1f} times as often as “{low.name}” ones"
            + (": such a column ranks clients." if times >= APART else ": groups add alike.")
            + " Check calibration in each.",
            f"«{_WORDS.get(high.name, high.name)}» добавляют в {times:.1f} раза чаще, чем "
            f"«{_WORDS.get(low.name, low.name)}»"
            + (
                ": такой столбец упорядочивает клиентов."
                if times >= APART
                else ": группы добавляют одинаково."
            )
            + " Проверяйте калибровку в каждой.",
        ),
        charts=(
            Chart(
                w.say(
                    "Share of clients who add in a month, by age, segment and activity a month earlier; their most added.",
                    "Доля добавляющих за месяц по возрасту, сегменту и активности месяцем раньше; что добавляют чаще.",
                ),
                lambda: bars(
                    "groups",
                    names,
                    np.array([group.rate for group in groups]),
                    axis=Axis(percent=True),
                    texts=[f"{w.share(group.rate)}  {_favourites(group, products)}" for group in groups],
                    marked=[groups.index(high)],
                ),
            ),
        ),
    )


def _widest(facts: PanelFacts, roles: list[str]) -> tuple[AdderGroup, AdderGroup]:
    """The two groups of one column that differ most, the lower first; groups of a hundredth of all are left out."""
    pairs = []
    for role in roles:
        groups = facts.groups.adders[role]
        total = sum(group.client_months for group in groups)
        large = sorted((g for g in groups if g.client_months >= total / 100), key=lambda g: g.rate)
        pairs.append((large[-1].rate / max(large[0].rate, 1e-12), large[0], large[-1]))
    _, low, high = max(pairs, key=lambda pair: pair[0])
    return low, high


def _favourites(group: AdderGroup, products: list[str]) -> str:
    first = np.argsort(-group.added_P, kind="stable")[:2].tolist()
    return ", ".join(products[i].lower() for i in first if group.added_P[i])

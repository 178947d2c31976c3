"""A journal's facts as a page."""

import itertools
from typing import Any

import numpy as np

from nextbest.experiments.explore.figures import Axis, bars, columns, lines, ranges
from nextbest.experiments.explore.journal_facts import GAP_EDGES, QUANTILES, Activity, JournalFacts, bins
from nextbest.experiments.explore.page import Chart, Lang, Page, Section, Table
from nextbest.experiments.explore.writing import Writer


def journal_page(facts: JournalFacts, *, lang: Lang = "en") -> Page:
    """The page of a journal; charts are drawn when it is written out."""
    w = Writer(lang)
    sections = [_time(facts, w)] if len(facts.periods) else []
    if facts.n_events:
        sections += [_activity(facts, w), _popularity(facts, w)]
    if facts.gap_B.any():
        sections.append(_gaps(facts, w))
    if facts.money:
        sections.append(_money(facts, w))
    if facts.refused:
        sections.append(_refused(facts, w))
    kinds = {
        "real": w.say("with real moments", "с настоящим временем"),
        "order": w.say("in order, without moments", "по порядку, без времени"),
        "none": w.say("without times", "без времени"),
    }
    return Page(
        title=w.say("Journal: what is in it", "Журнал: что в нём есть"),
        lang=lang,
        about=w.say(f"Events {kinds[facts.time_kind]}.", f"События {kinds[facts.time_kind]}."),
        cards=(
            (w.whole(facts.n_events), w.say("events", "событий")),
            (w.whole(facts.users.n), w.say("users", "пользователей")),
            (w.whole(facts.items.n), w.say("items", "товаров")),
            (w.share(facts.repeat), w.say("events repeat a pair", "событий повторяют пару")),
            (w.share(facts.density, 2), w.say("of all pairs occur", "всех пар встречаются")),
        ),
        sections=tuple(sections),
        words={
            "meaning": w.say("For a model:", "Для модели:"),
            "footer": w.say("Made by nextbest explore.", "Сделано командой nextbest explore."),
        },
    )


def _time(facts: JournalFacts, w: Writer) -> Section:
    events, new = facts.events_T, facts.new_users_T
    n_last = max(len(events) // 5, 1)
    share_new = float(new[-n_last:].sum() / max(int(facts.users_T[-n_last:].sum()), 1))
    labels = w.months(facts.periods) if facts.step == "month" else [f"{day:%d.%m}" for day in facts.periods]
    partial = len(events) > 3 and events[-1] < 0.5 * np.median(events[:-1])
    meaning = w.say(
        f"In the newest fifth of the {facts.step}s {w.share(share_new, 0)} of active users are new: that share of requests is cold, give it "
        "a fallback and its own line in the evaluation.",
        f"В последней пятой части журнала новых среди активных {w.share(share_new, 0)}: это доля холодных запросов, нужен запасной "
        "ответ и своя строка в оценке.",
    )
    if partial:
        meaning += " " + w.say(
            "The last period is less than half of a usual one: is it complete?",
            "Последний период меньше половины обычного: полон ли он?",
        )
    charts = [
        Chart(
            w.say("Events.", "События."),
            lambda: columns("events", labels, events.astype(float), axis=Axis(), height=2.3),
        ),
        Chart(
            w.say(
                "Active users, and those whose first event it is.",
                "Активные пользователи и впервые пришедшие.",
            ),
            lambda: lines(
                "users",
                labels,
                {
                    w.say("active", "активные"): facts.users_T.astype(float),
                    w.say("new", "новые"): new.astype(float),
                },
                axis=Axis(),
                height=2.3,
            ),
        ),
    ]
    days = w.say("Mon Tue Wed Thu Fri Sat Sun", "пн вт ср чт пт сб вс").split()
    charts.append(
        Chart(
            w.say("Events by weekday.", "События по дням недели."),
            lambda: columns("weekdays", days, facts.weekday_D.astype(float), axis=Axis(), height=1.8),
        )
    )
    if len(facts.hour_H):
        hours = [str(h) for h in range(24)]
        charts.append(
            Chart(
                w.say("Events by hour, UTC.", "События по часам, UTC."),
                lambda: columns("hours", hours, facts.hour_H.astype(float), axis=Axis(), height=1.8),
            )
        )
    return Section("time", w.say("Over time", "По времени"), meaning, charts=tuple(charts))


def _activity(facts: JournalFacts, w: Writer) -> Section:
    users, items = facts.users, facts.items
    cold = w.say(
        f"{w.share(users.once, 0)} of users and {w.share(items.once, 0)} of items have a single event: nothing can be learned from them about "
        f"pairs, and the median user's {users.quantiles[2]:.0f} events set how long a history a model can use.",
        f"У {w.share(users.once, 0)} пользователей и {w.share(items.once, 0)} товаров одно событие: по ним пары не выучить, а медиана в "
        f"{users.quantiles[2]:.0f} событий на пользователя задаёт длину полезной истории.",
    )
    header = (
        "",
        w.say("how many", "сколько"),
        *(f"{q:.0%}" for q in QUANTILES),
        w.say("with one event", "с одним событием"),
    )

    def line(name: str, a: Activity) -> tuple[str, ...]:
        return (name, w.whole(a.n), *(w.whole(q) for q in a.quantiles), w.share(a.once))

    rows = (
        line(w.say("events of a user", "событий у пользователя"), users),
        line(w.say("events of an item", "событий у товара"), items),
    )
    return Section(
        "activity",
        w.say("Users and items", "Пользователи и товары"),
        cold,
        charts=(
            Chart(
                w.say("Users by number of events.", "Пользователи по числу событий."),
                lambda: columns(
                    "per_user",
                    bins(len(users.events_B)),
                    users.events_B.astype(float),
                    axis=Axis(),
                    height=2.1,
                ),
            ),
            Chart(
                w.say("Items by number of events.", "Товары по числу событий."),
                lambda: columns(
                    "per_item",
                    bins(len(items.events_B)),
                    items.events_B.astype(float),
                    axis=Axis(),
                    height=2.1,
                ),
            ),
        ),
        tables=(Table(header, rows),),
    )


def _popularity(facts: JournalFacts, w: Writer) -> Section:
    curve = facts.concentration
    meaning = w.say(
        f"The most popular 1% of items have {w.share(float(curve[1]), 0)} of events, 20% have {w.share(float(curve[20]), 0)} (Gini "
        f"{facts.gini:.2f}): popularity is a strong baseline, so report coverage and novelty beside accuracy. ",
        f"На 1 % самых популярных товаров приходится {w.share(float(curve[1]), 0)} событий, на 20 % - {w.share(float(curve[20]), 0)} "
        f"(Джини {facts.gini:.2f}): популярность сильна, рядом с точностью печатайте охват и новизну. ",
    )
    if facts.repeat >= 0.3:
        meaning += w.say(
            f"{w.share(facts.repeat, 0)} of events repeat a pair: don't exclude what was seen, and put the user's own frequency and recency "
            "in the table of baselines.",
            f"{w.share(facts.repeat, 0)} событий повторяют пару: не исключайте виденное и поставьте рядом личную частоту и давность.",
        )
    else:
        meaning += w.say(
            f"Only {w.share(facts.repeat, 0)} of events repeat a pair: recommend what is new to the user.",
            f"Лишь {w.share(facts.repeat, 0)} событий повторяют пару: советуйте новое для пользователя.",
        )
    points = [0, 1, 5, 10, 20, 50]
    return Section(
        "popularity",
        w.say("Popularity and repeats", "Популярность и повторы"),
        meaning,
        charts=(
            Chart(
                w.say(
                    "Share of events that the most popular items have.",
                    "Доля событий у самых популярных товаров.",
                ),
                lambda: bars(
                    "popularity",
                    [w.say(f"top {p}%", f"первые {p} %") for p in points[1:]],
                    np.array([curve[p] for p in points[1:]]),
                    axis=Axis(percent=True),
                    texts=[w.share(float(curve[p]), 0) for p in points[1:]],
                ),
            ),
        ),
    )


def _gaps(facts: JournalFacts, w: Writer) -> Section:
    names = [
        f"{low}" if high == low + 1 else f"{low}-{high - 1}" for low, high in itertools.pairwise(GAP_EDGES)
    ]
    names.append(f"{GAP_EDGES[-1]}+")
    within = float(facts.gap_B[:5].sum() / facts.gap_B.sum())
    meaning = w.say(
        f"Half of the pauses between active days are {facts.gap_median:.0f} days and shorter, {w.share(within, 0)} end within a month: a test "
        "window much shorter than that counts users as silent who only wait.",
        f"Половина пауз между активными днями не длиннее {facts.gap_median:.0f} дн., за месяц кончаются {w.share(within, 0)}: в более коротком "
        "окне проверки ждущие пользователи сойдут за ушедших.",
    )
    if np.isfinite(facts.silent):
        meaning += " " + w.say(
            f"{w.share(facts.silent, 0)} of users had no event in the last 30 days.",
            f"{w.share(facts.silent, 0)} пользователей молчат последние 30 дней.",
        )
    return Section(
        "gaps",
        w.say("Pauses", "Паузы"),
        meaning,
        charts=(
            Chart(
                w.say(
                    "Pauses between a user's active days, by days.",
                    "Паузы между активными днями пользователя, дни.",
                ),
                lambda: columns("pauses", names, facts.gap_B.astype(float), axis=Axis(), height=2.1),
            ),
        ),
    )


def _money(facts: JournalFacts, w: Writer) -> Section:
    m = facts.money
    spread = max((x.quantiles[4] / x.quantiles[0] for x in m if x.quantiles[0] > 0), default=float("nan"))
    meaning = w.say(
        f"{len(m)} currenc{'y' if len(m) == 1 else 'ies'}; amounts must not be added across currencies. ",
        f"Валют: {len(m)}; суммы разных валют не складывать. ",
    )
    if np.isfinite(spread):
        meaning += w.say(
            f"The 95% amount is {spread:,.0f} times the 5% one: use the logarithm, and bounds learned on training data only.",
            f"Сумма на 95 % больше суммы на 5 % в {spread:,.0f} раз: берите логарифм, а границы учите только на обучении.",
        )
    header = (
        w.say("currency", "валюта"),
        w.say("events", "событий"),
        *(f"{q:.0%}" for q in QUANTILES),
        w.say("below zero", "меньше нуля"),
        w.say("sum", "сумма"),
    )
    rows = tuple(
        (
            x.currency or "-",
            w.whole(x.n),
            *(w.number(q) for q in x.quantiles),
            w.share(x.negative),
            w.whole(x.total),
        )
        for x in m
    )
    drawn = [x for x in m if x.quantiles[0] > 0][:12]
    charts: tuple[Chart, ...] = ()
    if drawn:
        quantiles = np.array([x.quantiles for x in drawn])
        names = [x.currency or "-" for x in drawn]
        charts = (
            Chart(
                w.say("Amounts, 5 to 95%; log scale.", "Суммы, от 5 до 95 %; логарифмическая шкала."),
                lambda: ranges("amounts", names, quantiles, axis=Axis(log=True)),
            ),
        )
    return Section(
        "amounts", w.say("Amounts", "Суммы"), meaning, charts=charts, tables=(Table(header, rows),)
    )


def _refused(facts: JournalFacts, w: Writer) -> Section:
    total = sum(facts.refused.values())
    share = total / max(total + facts.n_events, 1)
    return Section(
        "refused",
        w.say("Quarantine", "Карантин"),
        w.say(
            f"{w.whole(total)} rows ({w.share(share)} of all read) aren't in the journal; a reason that grows from one export to the next is "
            "a broken export, not noise.",
            f"{w.whole(total)} строк ({w.share(share)} прочитанных) не вошли в журнал; причина, растущая от выгрузки к выгрузке, - "
            "сломанная выгрузка, а не шум.",
        ),
        tables=(
            Table(
                (w.say("reason", "причина"), w.say("rows", "строк")),
                tuple((reason, w.whole(n)) for reason, n in facts.refused.items()),
            ),
        ),
    )


def journal_document(facts: JournalFacts) -> dict[str, Any]:
    """The facts as one JSON document; shares are fractions."""

    def activity(a: Activity) -> dict[str, Any]:
        quantiles = {f"{q:g}": _plain(v) for q, v in zip(QUANTILES, a.quantiles, strict=True)}
        return {"n": a.n, "events_quantiles": quantiles, "share_with_one_event": _plain(a.once)}

    return {
        "kind": "journal",
        "time_kind": facts.time_kind,
        "events": facts.n_events,
        "users": activity(facts.users),
        "items": activity(facts.items),
        "density": _plain(facts.density),
        "repeat_share": _plain(facts.repeat),
        "popularity": {
            "gini": _plain(facts.gini),
            **{f"top_{p}_pct": _plain(float(facts.concentration[p])) for p in (1, 10, 20)},
        },
        "periods": [
            {"from": period.isoformat(), "events": int(e), "users": int(u), "new_users": int(n)}
            for period, e, u, n in zip(
                facts.periods, facts.events_T, facts.users_T, facts.new_users_T, strict=True
            )
        ],
        "gap_median_days": _plain(facts.gap_median),
        "silent_30_days": _plain(facts.silent),
        "amounts": [
            {
                "currency": x.currency,
                "n": x.n,
                "quantiles": dict(zip([f"{q:g}" for q in QUANTILES], x.quantiles, strict=True)),
                "negative_share": _plain(x.negative),
                "sum": x.total,
            }
            for x in facts.money
        ],
        "quarantine": facts.refused,
    }


def _plain(value: float) -> float | None:
    return round(value, 6) if np.isfinite(value) else None

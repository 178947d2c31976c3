"""Sections of a panel's page: rows by month and their breaks, missing values and repairs, baselines."""

from typing import Any

import numpy as np

from nextbest.data.panel.break_words import breaks_in_words
from nextbest.data.panel.breaks import MIN_MONTHS
from nextbest.experiments.explore.figures import Axis, bars, columns, heat, lines
from nextbest.experiments.explore.page import Chart, Section, Table
from nextbest.experiments.explore.panel_facts import PanelFacts
from nextbest.experiments.explore.writing import Writer

_STEADY = 0.9
"""Weighted F1 of persistence from which ownership says little of a model."""


def quality_sections(facts: PanelFacts, w: Writer) -> list[Section]:
    """What the panel is made of and what trivial predictors score on it."""
    made = [_rows(facts, w), _missing(facts, w)]
    if facts.baselines is not None:
        made.insert(0, _baselines(facts, w))
    return made


def _rows(facts: PanelFacts, w: Writer) -> Section:
    p = facts.profile
    broken = {b.month for b in facts.breaks if b.what == "rows"}
    empty = float(p.empty_M[-1] / p.rows_M[-1]) if len(p.months) else float("nan")
    labels = w.months(p.months)
    if facts.breaks:
        found = ", ".join(sorted({w.month(b.month) for b in facts.breaks}))
        meaning = w.say(
            f"Levels break in {found}: compare, train and monitor on one side of a break, or tell the model about it.",
            f"Уровни ломаются в {found}: сравнивайте, учите и следите за дрейфом по одну сторону разрыва или сообщите о "
            "нём модели.",
        )
    elif len(p.months) < MIN_MONTHS:
        meaning = w.say(
            f"Breaks are looked for from {MIN_MONTHS} months on; here there are {len(p.months)}.",
            f"Разрывы ищутся начиная с {MIN_MONTHS} месяцев; здесь их {len(p.months)}.",
        )
    else:
        meaning = w.say(
            "No month breaks the level of rows, prevalences or missing rates: months are comparable.",
            "Ни один месяц не ломает уровень строк, долей или пропусков: месяцы сравнимы.",
        )
    meaning += " " + w.say(
        f"{w.share(empty, 0)} of the newest month's clients hold nothing.",
        f"В последнем месяце у {w.share(empty, 0)} клиентов нет ни одного продукта.",
    )

    charts = [
        Chart(
            w.say("Clients with a row; orange: a break.", "Клиенты со строкой; оранжевым - разрыв."),
            lambda: columns(
                "rows",
                labels,
                p.rows_M.astype(float),
                axis=Axis(),
                marked=[m for m, month in enumerate(p.months) if month in broken],
            ),
        )
    ]
    if p.follows_M.any():
        charts.append(_coming_and_going(facts, w))
    return Section(
        "rows",
        w.say("Clients by month", "Клиенты по месяцам"),
        meaning,
        charts=tuple(charts) if p.months else (),
        notes=tuple(breaks_in_words(facts.breaks, w.lang)),
    )


def _coming_and_going(facts: PanelFacts, w: Writer) -> Chart:
    """On a scale of their own: beside all clients both are flat."""
    p = facts.profile
    per_mille_M = np.where(p.follows_M, 1000 / np.maximum(p.rows_M, 1), np.nan)
    caption = w.say(
        "Of 1,000 clients present: those in no earlier month; beside them those gone since the month before. Log scale.",
        "На 1000 клиентов месяца: впервые встреченные; рядом ушедшие с прошлого месяца. Логарифмическая шкала.",
    )
    # a break may bring a fifth of all clients at once: on a plain scale it would flatten all other months;
    # a logarithm has no zero
    series = {
        w.say("first seen", "впервые"): np.where(p.first_seen_M > 0, p.first_seen_M * per_mille_M, np.nan),
        w.say("left", "ушли"): np.where(p.left_M > 0, p.left_M * per_mille_M, np.nan),
    }
    is_drawn = any(np.isfinite(values).any() for values in series.values())
    return Chart(
        caption,
        lambda: lines("moving", w.months(p.months), series, axis=Axis(log=is_drawn), height=2.2),
    )


def _missing(facts: PanelFacts, w: Writer) -> Section:
    p = facts.profile
    share_A = p.missing_MA.sum(axis=0) / max(facts.n_rows, 1)
    order = [int(a) for a in np.argsort(-share_A, kind="stable") if share_A[a] > 0]
    names = facts.schema.attribute_names
    leaking = [a.name for a in facts.schema.attributes if a.leaks_departure]
    worst = [f"{names[a]} {w.share(float(share_A[a]))}" for a in order[:3]]
    meaning = w.say(
        f"Most often missing: {', '.join(worst) or 'nothing'}. Medians and vocabularies for filling must be learned on "
        "training months only, with a flag beside them.",
        f"Чаще всего пусты: {', '.join(worst) or 'ни один'}. Медианы и словари для заполнения учатся только на месяцах "
        "обучения, рядом - признак заполнения.",
    )
    if leaking:
        meaning += " " + w.say(
            f"{', '.join(leaking)} tell of a departure: never features.",
            f"{', '.join(leaking)} выдают уход клиента: не признаки.",
        )
    charts: tuple[Chart, ...] = ()
    if order:
        share_MA = p.missing_MA / np.maximum(p.rows_M, 1)[:, None]

        def draw() -> str:
            return heat(
                "missing",
                [names[a] for a in order],
                w.months(p.months),
                share_MA[:, order].T,
                write=lambda v: w.share(v).rstrip("% ") if v else "",
                log=True,
            )

        charts = (Chart(w.say("Rows without a value, %.", "Строки без значения, %."), draw),)
    return Section(
        "missing",
        w.say("Missing values and repairs", "Пропуски и исправления"),
        meaning,
        charts=charts,
        tables=_repairs(facts.report, w),
        notes=_gaps(facts.report, w),
    )


def _gaps(report: dict[str, Any], w: Writer) -> tuple[str, ...]:
    """Columns that miss together, as sentences."""
    return tuple(
        w.say(
            f"{w.whole(gap['rows'])} rows miss {len(gap['columns'])} columns together: {', '.join(gap['columns'])}. One cause, "
            "one flag.",
            f"В {w.whole(gap['rows'])} строках разом пусты столбцы ({len(gap['columns'])}): {', '.join(gap['columns'])}. Одна "
            "причина - один признак.",
        )
        for gap in report.get("joint_gaps", ())
        if gap["rows"] > 1
    )


def _repairs(report: dict[str, Any], w: Writer) -> tuple[Table, ...]:
    """Repairs of the last ingest by column: only the kinds that occur, padding left out."""
    shown = [c for c in report.get("columns", ()) if set(c["repairs"]) - {"padded"}]
    kinds = [k for k in _KINDS if any(k in c["repairs"] for c in shown)]
    if not shown:
        return ()
    head = (w.say("column", "столбец"), w.say("rule", "правило"), *(w.say(*_KINDS[k]) for k in kinds))
    rows = tuple(
        (c["column"], c["rule"], *(w.whole(c["repairs"][k]) if k in c["repairs"] else "" for k in kinds))
        for c in shown
    )
    return (Table(head, rows, n_text=2),)


_KINDS: dict[str, tuple[str, str]] = {
    "missing": ("missing", "пусто"),
    "variant": ("another spelling", "иное написание"),
    "sentinel": ("stand-in", "заглушка"),
    "out_of_domain": ("not in domain", "вне списка"),
    "out_of_range": ("out of range", "вне границ"),
    "unreadable": ("unreadable", "не читается"),
    "missing_as_zero": ("missing = 0", "пусто = 0"),
    "filled": ("filled", "дополнено"),
    "contradicts": ("contradicts", "противоречит"),
}


def _baselines(facts: PanelFacts, w: Writer) -> Section:
    b = facts.baselines
    assert b is not None
    product = facts.schema.products[facts.schema.bit(b.constant)].name(w.lang)
    same, constant = b.ownership["persistence"], b.ownership["constant"]
    names = {
        "persistence": w.say("same as last month", "как в прошлом месяце"),
        "constant": w.say(f"“{product}” for everybody", f"«{product}» всем"),
    }
    meaning = w.say(
        f"Who holds what: “same as last month” scores weighted F1 {same['f1']:.3f}, “{product}” to everybody "
        f"{constant['f1']:.3f}.",
        f"Кто чем владеет: «как в прошлом месяце» получает взвешенную F1 {same['f1']:.3f}, «{product}» всем - "
        f"{constant['f1']:.3f}.",
    )
    if same["f1"] >= _STEADY:
        meaning += " " + w.say(
            "Little is left for a model there: judge it by additions.",
            "Модели там почти нечего улучшать: судите её по добавлениям.",
        )
    header = (
        w.say(f"ownership in {w.month(b.month)}", f"владение в {w.month(b.month)}"),
        w.say("weighted precision", "взв. точность"),
        w.say("weighted recall", "взв. полнота"),
        w.say("weighted F1", "взв. F1"),
        "micro F1",
        w.say("exact match", "совпало всё"),
    )
    keys = ("precision", "recall", "f1", "micro_f1", "exact_match")
    rows = tuple((names[n], *(w.number(scores[k], 3) for k in keys)) for n, scores in b.ownership.items())
    tables = [Table(header, rows)]
    charts: tuple[Chart, ...] = ()
    if b.map7:
        lists = (
            ("popularity", w.say("what most add", "что чаще добавляют")),
            ("popularity_not_held", w.say("the same without what is held", "то же без имеющегося")),
        )
        plain, free = b.map7["popularity"], b.map7["popularity_not_held"]
        meaning += " " + w.say(
            f"Popularity alone scores {plain:.3f} MAP@7 on adders, leaving out what a client holds {free:.3f}, before anything is "
            "learned.",
            f"Одна популярность даёт {plain:.3f} MAP@7 на добавляющих, без имеющегося у клиента {free:.3f}, и всё это без "
            "обучения.",
        )
        months = f"{w.month(b.map7_months[0])} - {w.month(b.map7_months[-1])}"
        on_adders, on_all = (
            w.say("MAP@7 on adders", "MAP@7 на добавляющих"),
            w.say("MAP@7 on all", "MAP@7 на всех"),
        )
        tables.append(
            Table(
                (w.say(f"additions, {months}", f"добавления, {months}"), on_adders, on_all),
                tuple((label, w.number(b.map7[n], 3), w.number(b.map7[f"{n}_all"], 4)) for n, label in lists),
            )
        )
        charts = (
            Chart(
                w.say(
                    "Popularity counted on the months before each tested one.",
                    "Популярность посчитана по месяцам до проверяемого.",
                ),
                lambda: bars(
                    "baselines",
                    [label for _, label in lists],
                    np.array([b.map7[n] for n, _ in lists]),
                    axis=Axis(on_adders),
                    texts=[w.number(b.map7[n], 3) for n, _ in lists],
                ),
            ),
        )
    title = w.say("What costs nothing", "Что даётся даром")
    return Section("baselines", title, meaning, charts=charts, tables=tuple(tables))

"""A panel's facts as a page: which sections, in which order, and the figures to know first."""

from collections.abc import Callable
from typing import Any

import numpy as np

from nextbest.data.panel.breaks import MIN_MONTHS
from nextbest.experiments.explore.page import Lang, Page, Section
from nextbest.experiments.explore.panel_attributes import attribute_sections
from nextbest.experiments.explore.panel_facts import PanelFacts
from nextbest.experiments.explore.panel_products import product_sections
from nextbest.experiments.explore.panel_quality import quality_sections
from nextbest.experiments.explore.writing import Writer

_PARTS: tuple[Callable[[PanelFacts, Writer], list[Section]], ...] = (
    quality_sections,
    product_sections,
    attribute_sections,
)


def panel_page(facts: PanelFacts, *, lang: Lang = "en") -> Page:
    """The page of a panel; charts are drawn when it is written out."""
    w = Writer(lang)
    months = facts.profile.months
    span = f"{w.month(months[0])} - {w.month(months[-1])}" if months else "-"
    return Page(
        title=w.say(
            f"Panel {facts.schema.name}: what is in it", f"Панель {facts.schema.name}: что в ней есть"
        ),
        lang=lang,
        about=w.say(
            f"{len(facts.schema.products)} products, {span}. An addition is a product held in a month and not in the "
            "month before, by a client present in both.",
            f"Продуктов: {len(facts.schema.products)}, {span}. Добавление - продукт, который есть в этом месяце и которого "
            "не было в прошлом, у клиента, присутствующего в обоих.",
        ),
        cards=_cards(facts, w),
        key_facts=_key_facts(facts, w, span),
        sections=tuple(section for part in _PARTS for section in part(facts, w) if section.has_something),
        words={
            "meaning": w.say("For a model:", "Для модели:"),
            "footer": w.say("Made by nextbest explore.", "Сделано командой nextbest explore."),
        },
    )


def _cards(facts: PanelFacts, w: Writer) -> tuple[tuple[str, str], ...]:
    made = [
        (w.whole(facts.n_rows), w.say("rows (client and month)", "строк (клиент и месяц)")),
        (w.whole(facts.n_customers), w.say("clients", "клиентов")),
        (w.whole(len(facts.profile.months)), w.say("months", "месяцев")),
    ]
    if facts.baselines is not None:
        scores = facts.baselines
        made += [
            (
                w.share(facts.adder_share),
                w.say("of clients add something in a month", "клиентов что-то добавляют за месяц"),
            ),
            (
                w.number(facts.additions_per_adder),
                w.say("products per client who adds", "продукта на добавляющего клиента"),
            ),
            (
                w.share(facts.ever_added / max(facts.n_customers, 1)),
                w.say("of clients ever add anything", "клиентов хоть раз что-то добавили"),
            ),
            (
                w.number(scores.ownership["persistence"]["f1"], 3),
                w.say("F1 of ownership by “same as last month”", "F1 владения у «как в прошлом месяце»"),
            ),
        ]
        if scores.map7:
            made.append(
                (
                    w.number(scores.map7["popularity_not_held"], 3),
                    w.say(
                        "MAP@7 on adders by popularity of what isn't held",
                        "MAP@7 на добавляющих у популярности того, чего нет",
                    ),
                )
            )
    return tuple(made)


def _key_facts(facts: PanelFacts, w: Writer, span: str) -> tuple[str, ...]:
    """The five sentences to know before anything else; fewer where the panel can't tell."""
    rows, clients = w.whole(facts.n_rows), w.whole(facts.n_customers)
    made = [w.say(f"{rows} rows of {clients} clients, {span}", f"строк {rows}, клиентов {clients}, {span}")]
    if facts.breaks:
        months = ", ".join(sorted({w.month(b.month) for b in facts.breaks}))
        made.append(w.say(f"levels break in {months}", f"уровни ломаются в {months}"))
    elif len(facts.profile.months) >= MIN_MONTHS:
        made.append(w.say("no month breaks the level", "ни один месяц не ломает уровень"))
    b = facts.baselines
    if b is None:
        return tuple(made)
    share, ever = w.share(facts.adder_share), w.share(facts.ever_added / max(facts.n_customers, 1))
    each = w.number(facts.additions_per_adder)
    made.append(
        w.say(
            f"{share} of clients add something in a month ({each} products each), {ever} ever do",
            f"{share} клиентов что-то добавляют за месяц (по {each} продукта), {ever} - хоть раз",
        )
    )
    same, product = b.ownership["persistence"]["f1"], facts.schema.products[facts.schema.bit(b.constant)]
    constant = b.ownership["constant"]["f1"]
    made.append(
        w.say(
            f"who holds what: weighted F1 {same:.3f} by “same as last month”, {constant:.3f} by “{product.name('en')}” for all",
            f"кто чем владеет: взвешенная F1 {same:.3f} у «как в прошлом месяце», {constant:.3f} у «{product.name('ru')}» всем",
        )
    )
    if b.map7:
        plain, free = b.map7["popularity"], b.map7["popularity_not_held"]
        made.append(
            w.say(
                f"who adds what: MAP@7 on adders {plain:.3f} by popularity, {free:.3f} leaving out what is held",
                f"кто что добавит: MAP@7 на добавляющих {plain:.3f} у популярности, {free:.3f} без имеющегося",
            )
        )
    return tuple(made)


def panel_document(facts: PanelFacts) -> dict[str, Any]:
    """The facts as one JSON document; shares are fractions, products and attributes go by their columns."""
    products, p = facts.schema.product_columns, facts.profile
    by_product: dict[str, Any] = {
        "holders": p.holders_MP[-1] if len(p.months) else np.zeros(len(products)),
        "prevalence": p.prevalence_MP[-1] if len(p.months) else np.zeros(len(products)),
        "additions": p.added_MP.sum(axis=0),
        "drops": p.dropped_MP.sum(axis=0),
        "hazard": facts.hazard_P,
        "turnover": facts.turnover_P,
        "drop_rate": facts.drop_P,
        "returned_share": facts.returns.share_P,
    }
    return {
        "kind": "panel",
        "schema": facts.schema.name,
        "rows": facts.n_rows,
        "customers": facts.n_customers,
        "months": [
            {
                "month": month.isoformat(),
                "rows": int(p.rows_M[m]),
                "first_seen": int(p.first_seen_M[m]),
                "left": int(p.left_M[m]),
                "without_products": int(p.empty_M[m]),
                "adders": int(p.adders_M[m]),
                "additions": int(p.added_MP[m].sum()),
                "drops": int(p.dropped_MP[m].sum()),
            }
            for m, month in enumerate(p.months)
        ],
        "breaks": [b.model_dump(mode="json") | {"words": b.words()} for b in facts.breaks],
        "missing": {
            name: _plain(p.missing_MA[:, a].sum() / max(facts.n_rows, 1))
            for a, name in enumerate(facts.schema.attribute_names)
        },
        "products": {
            column: {name: _plain(values[i]) for name, values in by_product.items()}
            for i, column in enumerate(products)
        },
        "adder_share": _plain(facts.adder_share),
        "additions_per_adder": _plain(facts.additions_per_adder),
        "ever_added": facts.ever_added,
        "adds_again": dict(
            zip(("adders_last_month", "all", "not_last_month"), map(_plain, facts.again), strict=True)
        ),
        "added_together": {
            row: {
                column: _plain(facts.together.added_PP[i, j]) for j, column in enumerate(products) if i != j
            }
            for i, row in enumerate(products)
            if np.isfinite(facts.together.added_PP[i]).any()
        },
        "addition_sets": [
            {"products": [c for p_, c in enumerate(products) if mask >> p_ & 1], "client_months": n}
            for mask, n in facts.together.sets
        ],
        "adders_by": {
            role: {g.name: {"client_months": g.client_months, "adder_share": _plain(g.rate)} for g in groups}
            for role, groups in facts.groups.adders.items()
        },
        "baselines": _baselines(facts),
    }


def _baselines(facts: PanelFacts) -> dict[str, Any] | None:
    b = facts.baselines
    if b is None:
        return None
    return {
        "month": b.month.isoformat(),
        "ownership": {
            name: {k: _plain(v) for k, v in scores.items()} for name, scores in b.ownership.items()
        },
        "constant": b.constant,
        "map7": {name: _plain(value) for name, value in b.map7.items()},
        "map7_months": [month.isoformat() for month in b.map7_months],
    }


def _plain(value: Any) -> int | float | None:
    """A number for JSON: None for NaN."""
    if isinstance(value, int | np.integer):
        return int(value)
    return None if np.isnan(value) else round(float(value), 6)

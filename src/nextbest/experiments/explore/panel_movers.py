"""Sections of a panel's page: what comes back after a drop, and who adds how much."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nextbest.experiments.explore.figures import Axis, bars, columns
from nextbest.experiments.explore.page import Chart, Section
from nextbest.experiments.explore.panel_facts import PanelFacts
from nextbest.experiments.explore.writing import Writer

FloatArray = NDArray[np.float64]
FEW = 50
"""Holders, or additions, below which a product's shares are chance and not shown."""
_MANY_RETURN = 0.1
"""Share of additions from which returns are worth features of their own."""
_OFTENER = 1.5
"""How much oftener last month's adders must add than the rest for it to be told as a feature."""
_N_RANKED = 3


def mover_sections(facts: PanelFacts, w: Writer) -> list[Section]:
    """Returns and adders, for a panel that has additions."""
    return [_returns(facts, w), _adders(facts, w)]


def product_names(facts: PanelFacts, w: Writer) -> list[str]:
    """Names of the products in the page's language, in the schema's order."""
    return [product.name(w.lang) for product in facts.schema.products]


def ranked(products: Sequence[int], share_P: FloatArray, names: list[str], w: Writer) -> str:
    """The products with the largest shares in words: `Payroll account 52%, Current account 44%`."""
    first = sorted(products, key=lambda i: (-float(np.nan_to_num(share_P[i])), i))[:_N_RANKED]
    return ", ".join(f"{names[i]} {w.share(float(share_P[i]), 0)}" for i in first)


def _returns(facts: PanelFacts, w: Writer) -> Section:
    r, names = facts.returns, product_names(facts, w)
    shown = [i for i in np.argsort(-np.nan_to_num(r.share_P), kind="stable").tolist() if r.added_P[i] >= FEW]
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
    meaning = w.say(
        f"{w.share(total, 0)} of additions bring back a product held before",
        f"{w.share(total, 0)} добавлений возвращают бывший продукт",
    )
    if r.returned_P.any():
        meaning += w.say(
            f", {w.share(within, 0)} of these within three months",
            f", из них {w.share(within, 0)} - за три месяца",
        )
    if shown:
        most, least = ranked(shown, r.share_P, names, w), ranked(shown[-1:], r.share_P, names, w)
        meaning += w.say(f"; most: {most}", f"; больше всего: {most}")
        if len(shown) > _N_RANKED:
            meaning += w.say(f"; least: {least}", f"; меньше всего: {least}")
    meaning += "."
    if total >= _MANY_RETURN:
        meaning += " " + w.say(
            "Months since the last drop and counts of switches are the features that see it; a model without lags can't.",
            "Это видят признаки «месяцев с отказа» и «сколько раз переключался»; модель без лагов не видит.",
        )
    return Section(
        "returns",
        w.say("Returns: products that flicker", "Возвраты: мерцающие продукты"),
        meaning,
        charts=charts,
    )


def _adders(facts: PanelFacts, w: Writer) -> Section:
    n_K = facts.together.n_added_K
    share_K = n_K / max(int(n_K.sum()), 1)
    p = facts.profile
    share_M = np.where(p.follows_M, p.adders_M / np.maximum(p.stayed_M, 1), np.nan)
    meaning = w.say(
        f"{w.share(facts.adder_share)} of clients add in a month, {w.share(float(share_K[0]) if len(share_K) else 0, 0)} of them one "
        "product: MAP over all clients is bounded by that share, so print it on adders too.",
        f"За месяц добавляют {w.share(facts.adder_share)} клиентов, из них {w.share(float(share_K[0]) if len(share_K) else 0, 0)} - "
        "один продукт: MAP по всем клиентам не выше этой доли, печатайте и MAP на добавляющих.",
    )
    if told := _again(facts, w):
        meaning += " " + told
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


def _again(facts: PanelFacts, w: Writer) -> str:
    """How much oftener last month's adders add than the rest; empty where it can't be told."""
    again, _, rest = facts.again
    if not np.isfinite(again) or not rest > 0:
        return ""
    times = again / rest
    told = w.say(
        f"{w.share(again)} of last month's adders add again, {w.times(times)} times the rest's {w.share(rest)}",
        f"Из добавивших в прошлом месяце снова добавят {w.share(again)}, в {w.times(times)} раза чаще остальных ({w.share(rest)})",
    )
    if times >= _OFTENER:
        return told + w.say(
            ": a recent addition is a feature; split by time, not by client, and show unseen clients apart.",
            ": недавнее добавление - признак; делите по времени, а не по клиентам, и показывайте новых клиентов отдельно.",
        )
    return told + w.say(
        ": having added lately says little about adding again.",
        ": недавнее добавление мало говорит о следующем.",
    )

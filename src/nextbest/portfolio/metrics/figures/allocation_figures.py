"""How the portfolio is spread on its last valued day, and what each part contributed. Needs a valuation."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from nextbest.portfolio.metrics.allocation import by_group, effective_number, herfindahl, shares, turnover
from nextbest.portfolio.metrics.figures.figure import Figure
from nextbest.portfolio.metrics.measured import Answer, Spec
from nextbest.portfolio.metrics.sample import Sample

CASH = "cash"
"""Name of the cash balance among holdings and classes."""


def holdings(sample: Sample) -> dict[str, float]:
    """Value of each holding on the last valued day, and of cash; without zeros; empty without a valued day."""
    valuation = sample.valuation
    if valuation is None:
        return {}
    valued = np.flatnonzero(np.isfinite(valuation.nav_T))
    if not len(valued):
        return {}
    last = int(valued[-1])
    found = dict(zip(valuation.asset_ids, np.nan_to_num(valuation.value_TA[last]).tolist(), strict=True))
    found[CASH] = float(np.nan_to_num(valuation.cash_T[last]))
    return {name: value for name, value in found.items() if value}


def contributions(sample: Sample) -> dict[str, float]:
    """What each asset contributed, as the valuation has it; without zeros."""
    valuation = sample.valuation
    if valuation is None:
        return {}
    found = zip(valuation.asset_ids, np.nan_to_num(valuation.contribution_A).tolist(), strict=True)
    return {name: value for name, value in found if value}


def _grouped(amounts: Mapping[str, float], sample: Sample, by: str) -> dict[str, float]:
    """Amounts by asset, or by a grouping; cash is a class of its own and the portfolio's currency."""
    if by == "asset":
        return by_group(amounts, {name: name for name in amounts})
    currency = sample.valuation.currency if sample.valuation is not None else CASH
    own = {CASH: CASH if by == "class" else currency}
    return by_group(amounts, {**sample.groups.get(by, {}), **own})


def _largest_share(by: str) -> Callable[[Sample], Answer]:
    """Shares as details, the largest as the value."""

    def answer(sample: Sample) -> Answer:
        held = holdings(sample)
        if not held or (by != "asset" and by not in sample.groups):
            return Answer(reason="no_data", n=len(held))
        split = shares(_grouped(held, sample, by))
        if not split:
            return Answer(reason="not_positive", n=len(held))
        return Answer(value=max(split.values()), n=len(split), details={"shares": split})

    return answer


def _largest_contribution(by: str) -> Callable[[Sample], Answer]:
    """Contributions as details, the largest in size as the value."""

    def answer(sample: Sample) -> Answer:
        found = contributions(sample)
        if not found or (by != "asset" and by not in sample.groups):
            return Answer(reason="no_data", n=len(found))
        split = _grouped(found, sample, by)
        return Answer(
            value=max(split.values(), key=abs),
            n=len(split),
            details={"contributions": split, "sum": math.fsum(split.values())},
        )

    return answer


def _of_weights(compute: Callable[[list[float]], float]) -> Callable[[Sample], Answer]:
    """A figure of the holdings' values; a debt is no holding."""

    def answer(sample: Sample) -> Answer:
        held = [value for value in holdings(sample).values() if value > 0]
        if not held:
            return Answer(reason="no_data")
        return Answer(value=compute(held), n=len(held))

    return answer


def _cash_share(sample: Sample) -> Answer:
    """Cash over the value of all; below zero for a debt."""
    held = holdings(sample)
    split = shares(held)
    if not held:
        return Answer(reason="no_data")
    if not split:
        return Answer(reason="not_positive", n=len(held))
    return Answer(value=split.get(CASH, 0.0), n=len(held))


def _turnover(sample: Sample) -> Answer:
    """The smaller of all bought and all sold over the average value."""
    valuation = sample.valuation
    if valuation is None or not np.isfinite(valuation.nav_T).any():
        return Answer(reason="no_data")
    bought, sold = float(np.nansum(valuation.bought_T)), float(np.nansum(valuation.sold_T))
    average = float(np.nanmean(valuation.nav_T))
    value = turnover(bought=bought, sold=sold, average_value=average)
    n = int(np.count_nonzero((valuation.bought_T > 0) | (valuation.sold_T > 0)))
    if not math.isfinite(value):
        return Answer(reason="not_positive", n=n)
    return Answer(value=value, n=n, details={"bought": bought, "sold": sold, "average_value": average})


_LAST = "on the last valued day; cash is a holding"
_BY = {
    "asset": ("asset", "по активам"),
    "class": ("class", "по классам"),
    "currency": ("currency", "по валютам"),
}

ALLOCATION_FIGURES = (
    Figure(
        Spec(
            "hhi",
            "Concentration (HHI)",
            "Концентрация (индекс Херфиндаля)",
            "ratio",
            "sum(weight^2)",
            _LAST + "; a debt isn't; 1 = one holding",
            "Herfindahl 1950",
        ),
        _of_weights(herfindahl),
        needs_valuation=True,
    ),
    Figure(
        Spec(
            "effective_n",
            "Effective number of holdings",
            "Эффективное число позиций",
            "count",
            "1 / HHI",
            _LAST + "; a debt isn't",
            "Herfindahl 1950",
        ),
        _of_weights(effective_number),
        needs_valuation=True,
    ),
    Figure(
        Spec(
            "n_holdings",
            "Number of holdings",
            "Число позиций",
            "count",
            "holdings with a value above zero",
            _LAST,
            "GIPS 2020",
        ),
        _of_weights(lambda held: float(len(held))),
        needs_valuation=True,
    ),
    Figure(
        Spec(
            "cash_share",
            "Share of cash",
            "Доля денежных средств",
            "fraction",
            "cash / value",
            "on the last valued day; below zero for a debt",
            "GIPS 2020",
        ),
        _cash_share,
        needs_valuation=True,
    ),
    Figure(
        Spec(
            "turnover",
            "Turnover",
            "Оборачиваемость",
            "fraction",
            "min(bought, sold) / mean value",
            "of the whole period, not annualised; at trade prices",
            "SEC form N-1A",
        ),
        _turnover,
        needs_valuation=True,
    ),
    *(
        Figure(
            Spec(
                f"allocation_by_{by}",
                f"Largest share by {en}",
                f"Наибольшая доля {ru}",
                "fraction",
                "max(value / sum of values)",
                _LAST + "; all shares in details",
                "GIPS 2020",
            ),
            _largest_share(by),
            needs_valuation=True,
        )
        for by, (en, ru) in _BY.items()
    ),
    *(
        Figure(
            Spec(
                f"contribution_by_{by}",
                f"Largest contribution by {en}",
                f"Наибольший вклад {ru}",
                "fraction",
                "the contribution largest in size",
                "as the valuation has it, of the whole period; all contributions in details",
                "Bacon 2008",
            ),
            _largest_contribution(by),
            needs_valuation=True,
        )
        for by, (en, ru) in _BY.items()
    ),
)

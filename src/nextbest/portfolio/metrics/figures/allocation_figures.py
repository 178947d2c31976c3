"""How the portfolio is spread on its last valued day, and what each part contributed. Needs a valuation."""

import math
from collections.abc import Callable

import numpy as np

from nextbest.portfolio.metrics.allocation import by_group, effective_number, herfindahl, shares, turnover
from nextbest.portfolio.metrics.figures.figure import Figure
from nextbest.portfolio.metrics.measured import Answer, Spec
from nextbest.portfolio.metrics.sample import Sample

CASH = "cash"
"""Name of the cash balance among holdings and classes."""


def holdings(sample: Sample) -> dict[str, float]:
    """Worth of each holding on the last valued day, and of cash; without zeros; empty without a valued day."""
    valuation = sample.valuation
    if valuation is None or not len(valuation.days_T):
        return {}
    found = dict(zip(valuation.asset_ids, valuation.value_TA[-1].tolist(), strict=True))
    found[CASH] = float(valuation.cash_T[-1])
    return {name: worth for name, worth in found.items() if worth}


def contributions(sample: Sample) -> dict[str, float]:
    """Gain of each asset and of cash, money; without zeros; together the portfolio's gain."""
    valuation = sample.valuation
    if valuation is None or not len(valuation.days_T):
        return {}
    found = dict(zip(valuation.asset_ids, valuation.contribution_A.tolist(), strict=True))
    found[CASH] = valuation.contribution_cash
    return {name: gain for name, gain in found.items() if gain}


def _groups(sample: Sample, by: str) -> dict[str, str] | None:
    """Group of each asset and of cash; None where the valuation doesn't know it."""
    valuation = sample.valuation
    if valuation is None:
        return None
    if by == "asset":
        return {name: name for name in (*valuation.asset_ids, CASH)}
    known = valuation.asset_class if by == "class" else valuation.asset_currency
    if len(known) != len(valuation.asset_ids):
        return None
    own = CASH if by == "class" else valuation.currency
    return {**dict(zip(valuation.asset_ids, known, strict=True)), CASH: own}


def _largest_share(by: str) -> Callable[[Sample], Answer]:
    """Shares as details, the largest as the value."""

    def answer(sample: Sample) -> Answer:
        held, groups = holdings(sample), _groups(sample, by)
        if not held or groups is None:
            return Answer(reason="no_data", n=len(held))
        split = shares(by_group(held, groups))
        if not split:
            return Answer(reason="not_positive", n=len(held))
        return Answer(value=max(split.values()), n=len(split), details={"shares": split})

    return answer


def _largest_contribution(by: str) -> Callable[[Sample], Answer]:
    """Contributions as details, the largest in size as the value."""

    def answer(sample: Sample) -> Answer:
        found, groups = contributions(sample), _groups(sample, by)
        if not found or groups is None:
            return Answer(reason="no_data", n=len(found))
        split = by_group(found, groups)
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
    if valuation is None or not len(valuation.days_T):
        return Answer(reason="no_data")
    bought, sold = float(valuation.bought_T.sum()), float(valuation.sold_T.sum())
    average = float(valuation.nav_T.mean())
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
            "by definition",
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
            "by definition",
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
                "by definition",
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
                "money",
                "worth at the end - paid + received + dividends",
                "the one largest in size, of the whole period, fees off; all in details, cash among them: their sum is the gain",
                "by definition",
            ),
            _largest_contribution(by),
            needs_valuation=True,
        )
        for by, (en, ru) in _BY.items()
    ),
)

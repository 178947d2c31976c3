"""Small valuations written by hand."""

from collections.abc import Sequence

import numpy as np

from nextbest.portfolio.valuation import Valuation


def made(
    returns: Sequence[float],
    *,
    start: str = "2020-01-01",
    step_days: int | Sequence[int] = 1,
    first: float = 100.0,
    flows: Sequence[float] | None = None,
    weights: dict[str, float] | None = None,
    asset_class: tuple[str, ...] = (),
    cash: float = 0.0,
    income: float = 0.0,
    timing: str = "start",
) -> Valuation:
    """A valuation whose daily returns after the first day are those given, with flows at the start (or end) of days."""
    n = len(returns) + 1
    steps = np.full(n - 1, step_days) if isinstance(step_days, int) else np.array(step_days)
    span = np.concatenate([[0], steps]).astype(np.int64)
    days = np.datetime64(start, "D") + np.cumsum(span).astype("timedelta64[D]")
    flow = np.zeros(n) if flows is None else np.array([0.0, *flows])
    flow[0] += first
    nav = [first]
    for r, f in zip(returns, flow[1:], strict=True):
        nav.append((nav[-1] + f) * (1 + r) if timing == "start" else nav[-1] * (1 + r) + f)
    nav_T = np.array(nav)
    held = weights or {"A": 1.0}
    value_TA = (nav_T - cash)[:, None] * np.array(list(held.values()))
    return Valuation(
        client_id="c",
        currency="RUB",
        days_T=days,
        nav_T=nav_T,
        flow_T=flow,
        income_T=np.full(n, income),
        return_T=np.array([np.nan, *returns]),
        span_T=span,
        regular_T=span <= 9,
        asset_ids=tuple(held),
        value_TA=value_TA,
        cash_T=np.full(n, cash),
        contribution_A=(nav_T[-1] - flow.sum()) * np.array(list(held.values())),
        bought_T=np.maximum(flow, 0.0),
        sold_T=np.maximum(-flow, 0.0),
        flow_timing=timing,  # type: ignore[arg-type]
        asset_class=asset_class,
        asset_currency=("USD",) * len(asset_class),
    )

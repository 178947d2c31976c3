"""Worked examples of money that comes and goes: answered from their inputs alone."""

import csv
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from nextbest.experiments.portfolio.case import Answered, Case
from nextbest.portfolio.metrics import returns, time_value
from nextbest.portfolio.metrics.allocation import average_investment, return_on_average_investment
from nextbest.portfolio.metrics.money_weighted import DayCount, irr, xirr


def answer_money_weighted(case: Case) -> Answered:
    """Flows a period apart: rate a period, and over all."""
    rate = irr(case.inputs["cash_flows"])
    return Answered((rate.rate, rate.over_period), "money_weighted.irr")


def answer_rate_per_period(case: Case) -> Answered:
    """A spreadsheet's IRR, with numpy-financial's choice among several roots."""
    rate = irr(case.inputs["cash_flows"], prefer="nearest")
    return Answered((rate.rate,), "money_weighted.irr(prefer='nearest')")


def answer_xirr(case: Case) -> Answered:
    """Dated flows, written out or in a file."""
    day_counts: dict[str, DayCount] = {
        "ACT/365F": "ACT/365F",
        "ACT/360": "ACT/360",
        "30/360 ISDA": "30/360 ISDA",
        "ACT/ACT ISDA": "ACT/ACT ISDA",
    }
    if "csv" in case.inputs:
        with (case.folder / case.inputs["csv"]).open(newline="") as lines:
            flows = [(date.fromisoformat(row[0]), float(row[1])) for row in csv.reader(lines) if row]
    else:
        days = [date.fromisoformat(day) for day in case.inputs["dates"]]
        flows = list(zip(days, case.inputs["amounts"], strict=True))
    basis = day_counts[case.inputs.get("basis", "ACT/365F")]
    rate = xirr([day for day, _ in flows], [amount for _, amount in flows], day_count=basis)
    return Answered((rate.rate,), "money_weighted.xirr")


def answer_time_weighted(case: Case) -> Answered:
    """Periods, a valuation at the flow, days with flows, or events."""
    inputs = case.inputs
    if "periods" in inputs:
        total = returns.link([returns.period_return(begin, end) for begin, end in inputs["periods"]])
        value = returns.annual_growth(total, years=len(inputs["periods"]))
        return Answered((value,), "returns.link, annual_growth")
    if "value_before_flow" in inputs:
        before, flow = inputs["value_before_flow"], inputs["flow"]
        parts = [
            returns.period_return(inputs["begin"], before),
            returns.period_return(before, inputs["end"], inflow=flow),
        ]
        return Answered((returns.link(parts),), "returns.period_return, link")
    started = next((key for key in inputs if key.startswith("start_")), None)
    if started is not None:
        return _daily(case, float(inputs[started]))
    return _events(inputs)


def _daily(case: Case, value: float) -> Answered:
    """Days of [inflow, outflow, gain]: each, so far, or by week."""
    key = next(key for key in case.inputs if key.startswith("days_"))
    daily = []
    for inflow, outflow, gain in case.inputs[key]:
        end = value + inflow - outflow + gain
        daily.append(returns.period_return(value, end, inflow=inflow, outflow=outflow))
        value = end
    if "weeks" in case.inputs:
        first = date.fromisoformat(key.removeprefix("days_")[:10])
        weeks: dict[tuple[int, int], list[float]] = {}
        for t, one in enumerate(daily):
            year, week, _ = (first + timedelta(days=t)).isocalendar()
            weeks.setdefault((year, week), []).append(one)
        return Answered(tuple(returns.link(week) for week in weeks.values()), "returns.period_return, link")
    if case.refers:
        return Answered(tuple(returns.linked_so_far(daily).tolist()), "returns.period_return, linked_so_far")
    return Answered(tuple(daily), "returns.period_return")


def _events(inputs: Mapping[str, Any]) -> Answered:
    """Deposits and gains by day."""
    value, parts = 0.0, []
    for event, amount in sorted(inputs.items(), key=lambda item: item[0].split()[1]):
        inflow = amount if event.startswith("deposit") else 0.0
        parts.append(returns.period_return(value, value + amount, inflow=inflow))
        value += amount
    return Answered((returns.link(parts),), "returns.period_return, link")


def answer_modified_dietz(case: Case) -> Answered:
    """Flows with days (end of day), one in the middle, or none."""
    inputs = case.inputs
    flows, weights = [], []
    if "flows_day_amount" in inputs:
        flows = [amount for _, amount in inputs["flows_day_amount"]]
        weights = [(inputs["days"] - day) / inputs["days"] for day, _ in inputs["flows_day_amount"]]
    elif "flow" in inputs:
        flows, weights = [inputs["flow"]], [{"middle": 0.5}[inputs["at"].split()[0]]]
    value = returns.modified_dietz(inputs["begin"], inputs["end"], flows=flows, weights=weights)
    return Answered((value,), "returns.modified_dietz")


def _number(text: str | float) -> float:
    """A number, or a quotient as `0.05/12`."""
    above, _, below = str(text).partition("/")
    return float(above) / float(below or 1)


def answer_future_value(case: Case) -> Answered:
    i = case.inputs
    value = time_value.future_value(
        _number(i["rate"]), n_periods=i["nper"], payment=i["pmt"], present_value=i["pv"]
    )
    return Answered((value,), "time_value.future_value")


def answer_payment(case: Case) -> Answered:
    i = case.inputs
    value = time_value.level_payment(_number(i["rate"]), n_periods=i["nper"], present_value=i["pv"])
    return Answered((value,), "time_value.level_payment")


def answer_n_payments(case: Case) -> Answered:
    i = case.inputs
    value = time_value.n_payments(_number(i["rate"]), payment=i["pmt"], present_value=i["pv"])
    return Answered((value,), "time_value.n_payments")


def answer_dated_future_value(case: Case) -> Answered:
    i = case.inputs
    value = time_value.dated_future_value(
        start=date.fromisoformat(i["start"]),
        flow_day=date.fromisoformat(i["cash_flow_date"]),
        end=date.fromisoformat(i["end"]),
        start_rate=i["start_rate"],
        end_rate=i["end_rate"],
        amount=i["amount"],
    )
    return Answered((value,), "time_value.dated_future_value")


def answer_average_investment(case: Case) -> Answered:
    """A purchase and a sale, [quantity, price] each."""
    (buy, bought), (sell, sold) = sorted(case.inputs.items(), key=lambda item: item[0].split()[1])
    days = [date.fromisoformat(event.split()[1]).toordinal() for event in (buy, sell)]
    paid, received = bought[0] * bought[1], sold[0] * sold[1]
    value = return_on_average_investment(received - paid, average_investment(days, [paid]))
    return Answered((value,), "allocation.return_on_average_investment")

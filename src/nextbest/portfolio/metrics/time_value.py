"""Time value of money: what a payment plan grows to, costs, and lasts. Signs as in a spreadsheet: paid out is negative.

Rates are fractions of one period. Thin over `pyxirr`, which agrees with numpy-financial and spreadsheets; what this adds
are the checks and one convention of arguments.
"""

import math
from datetime import date

import pyxirr

from nextbest.errors import InputError


def future_value(rate: float, *, n_periods: float, payment: float = 0.0, present_value: float = 0.0) -> float:
    """Value after `n_periods` of a sum now and equal payments at each period's end.

    >>> round(future_value(0.05 / 12, n_periods=120, payment=-100, present_value=-100), 2)
    15692.93
    """
    _check(rate)
    return _known(pyxirr.fv(rate, n_periods, payment, present_value))


def level_payment(rate: float, *, n_periods: float, present_value: float, future_value: float = 0.0) -> float:
    """Payment at each period's end that turns `present_value` into `future_value`; the opposite sign of what is owed.

    >>> round(level_payment(0.075 / 12, n_periods=180, present_value=200_000), 2)
    -1854.02
    """
    _check(rate)
    if not n_periods > 0:
        raise InputError("n_periods", "must be above 0", value=n_periods)
    return _known(pyxirr.pmt(rate, n_periods, present_value, future_value))


def n_payments(rate: float, *, payment: float, present_value: float, future_value: float = 0.0) -> float:
    """Periods until equal payments settle `present_value`; NaN when they never do.

    >>> round(n_payments(0.07 / 12, payment=-150, present_value=8000), 3)
    64.073
    """
    _check(rate)
    return _known(pyxirr.nper(rate, payment, present_value, future_value))


def dated_future_value(
    *, start: date, flow_day: date, end: date, start_rate: float, end_rate: float, amount: float
) -> float:
    """Value at `end` of one flow on `flow_day`, by the forward rate between two annual rates known at `start`.

    amount (1 + end_rate)^(start..end) / (1 + start_rate)^(start..flow_day), years ACT/365F.

    Parameters
    ----------
    start_rate, end_rate
        Annual rates from `start` until the flow's day, and until `end`; fractions.

    Examples
    --------
    >>> round(dated_future_value(start=date(2011, 2, 1), flow_day=date(2011, 3, 1), end=date(2012, 2, 1),
    ...                          start_rate=0.00142, end_rate=0.00246, amount=100_000), 4)
    100235.0884
    """
    _check(start_rate)
    _check(end_rate)
    if not start <= flow_day <= end:
        raise InputError("flow_day", f"must lie between {start} and {end}", value=str(flow_day))
    return _known(pyxirr.xfv(start, flow_day, end, start_rate, end_rate, amount))


def _check(rate: float) -> None:
    """Refuse a rate at which money is worth nothing."""
    if not math.isfinite(rate) or rate <= -1:
        raise InputError("rate", "must be finite and above -1", value=rate)


def _known(value: float | None) -> float:
    """The value, NaN where there is none."""
    return value if value is not None and math.isfinite(value) else math.nan

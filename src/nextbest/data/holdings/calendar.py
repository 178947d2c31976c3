"""When the exchange was open, told by the prices themselves, and the stretches when it was closed for longer."""

from datetime import date

import numpy as np

from nextbest.data.holdings.market import DayArray, FloatArray, Gap

USUAL_SPAN_DAYS = 8
"""Calendar days from one day with prices to the next that need no word: a weekend (3) and five days of holidays."""
OPEN_SHARE = 0.1
"""Part of the assets listed at the time that must have a price for the exchange to count as open: central banks and
funds publish prices on days when nothing trades."""


def find_gaps(
    days_T: DayArray, close_TA: FloatArray, *, usual_span_days: int = USUAL_SPAN_DAYS
) -> tuple[Gap, ...]:
    """Stretches longer than `usual_span_days` on which the exchange was closed.

    Parameters
    ----------
    days_T
        datetime64[D], ascending.
    close_TA
        Closes, NaN = no trade. Shape (T, A).
    usual_span_days
        Calendar days between neighbouring open days that are no gap.

    Returns
    -------
    tuple of Gap
        In order of time; none where there is no price.
    """
    priced = ~np.isnan(close_TA)
    if not priced.any():
        return ()
    seen = np.logical_or.accumulate(priced, axis=0)
    to_come = np.logical_or.accumulate(priced[::-1], axis=0)[::-1]
    n_listed = (seen & to_come).sum(axis=1)
    n_priced = priced.sum(axis=1)
    days = days_T[(n_priced > 0) & (n_priced >= OPEN_SHARE * n_listed)]
    spans = np.diff(days).astype(np.int64)
    return tuple(
        Gap(_date(days[i]), _date(days[i + 1]), int(spans[i]))
        for i in np.flatnonzero(spans > usual_span_days)
    )


def _date(day: np.datetime64) -> date:
    found = day.astype("datetime64[D]").item()
    assert isinstance(found, date)
    return found

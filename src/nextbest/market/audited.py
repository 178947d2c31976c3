"""A forecaster by name before the audit: does anything it says change when only the future was changed?"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError
from nextbest.market.base import Forecaster
from nextbest.market.trading.audit import Audit, audit_answers, audit_forecaster

N_CUTOFFS = 3
"""Cutoffs at which the model is fitted anew, before and after the change."""
N_TOGETHER = 24
"""Histories of one call, where one could read another's bars."""


def audit_model(
    make: Callable[[PricePanel], Forecaster],
    panel: PricePanel,
    *,
    horizons: Sequence[int] = (1,),
    rng: int = 0,
) -> Audit:
    """Two questions: at a cutoff, and beside later cutoffs in one call.

    Parameters
    ----------
    make
        Makes the model, given all of the data that its owner has (`audit_forecaster`); most ignore it.
    panel
        Bars; three times what the model needs, and 20 at least.

    Returns
    -------
    Audit
        `checks`: `forecast_at_cutoff`, `forecast_beside_later`; a finding names the first place that knew too much, of the
        first check among the cutoffs, of the second a bar.

    Raises
    ------
    InputError
        Too few bars, or the model answers differently on the same data.
    """
    least = max(20, 3 * make(panel.until(0)).min_bars)
    if panel.n_bars < least:
        raise InputError("candles", f"an audit of this model needs {least} bars or more", value=panel.n_bars)
    first = panel.n_bars // 3
    stops = [int(stop) for stop in np.linspace(first, panel.n_bars - 2, N_CUTOFFS).round()]
    alone = audit_forecaster(make, panel, stops=stops, horizons=horizons, rng=rng)

    def beside(data: PricePanel) -> NDArray[np.float64]:
        model = make(data)
        model.fit(data.until(first), horizons=horizons, rng=np.random.default_rng(0))
        last_bars = np.unique(np.linspace(first - 1, data.n_bars - 2, N_TOGETHER).round().astype(int))
        length = model.context_length or None
        histories = [data.until(int(bar) + 1, length=length) for bar in last_bars]
        said = np.asarray(model.forecast(histories, horizons=horizons), np.float64)
        answer_T = np.full((data.n_bars, *said.shape[1:]), np.nan)
        answer_T[last_bars] = said
        return answer_T

    together = audit_answers(beside, panel, rng=rng)
    return Audit(alone.findings + together.findings, ("forecast_at_cutoff", "forecast_beside_later"))

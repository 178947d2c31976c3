"""Forecasts beside outcomes: shapes checked, cells that hold no answer told from those that do."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError

Floats = NDArray[np.float64]


def paired_cells(forecast_OA: ArrayLike, outcome_OA: ArrayLike) -> tuple[Floats, Floats]:
    """Both as float64 of one shape (origin, asset); a cell where either is NaN is NaN in both.

    Raises
    ------
    InputError
        Axes differ, aren't two, or a value is infinite.
    """
    forecast, outcome = np.asarray(forecast_OA, np.float64), np.asarray(outcome_OA, np.float64)
    if outcome.ndim != 2 or forecast.shape != outcome.shape:
        raise InputError(
            "forecast",
            f"must have the axes origin and asset of outcome, {outcome.shape}",
            value=forecast.shape,
        )
    for name, values in (("forecast", forecast), ("outcome", outcome)):
        if (n := int(np.isinf(values).sum())) > 0:
            raise InputError(name, f"must be finite or NaN; {n} cell(s) are infinite")
    gone = np.isnan(forecast) | np.isnan(outcome)
    return np.where(gone, np.nan, forecast), np.where(gone, np.nan, outcome)


def mean_of_cells(values: Floats, *, name: str) -> float:
    """Mean over cells that aren't NaN.

    Raises
    ------
    DataError
        There is none.
    """
    kept = values[~np.isnan(values)]
    if not len(kept):
        raise DataError(name, "no cell holds both a forecast and an outcome", n_bad=values.size)
    return float(kept.mean())

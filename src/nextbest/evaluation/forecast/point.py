"""Point forecasts of log-returns against what came: MASE, RMSE, R2 against a benchmark."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError
from nextbest.evaluation.forecast.cells import mean_of_cells, paired_cells

Floats = NDArray[np.float64]


def one_step_scale(log_return_AT: ArrayLike) -> Floats:
    """Mean absolute one-step log-return of each asset: what an error of MASE 1 is as large as. Shape (A,).

    Parameters
    ----------
    log_return_AT
        Of the bars before the first origin only; later ones would let the test period set its own yardstick.
        Shape (A, T); NaN is left out.

    Returns
    -------
    ndarray of shape (A,)
        Log-return; NaN for an asset without any return.
    """
    returns = np.abs(np.asarray(log_return_AT, np.float64))
    if returns.ndim != 2:
        raise InputError("log_return_AT", "must have the axes asset and bar", value=returns.shape)
    counted = ~np.isnan(returns)
    n = counted.sum(axis=1)
    return np.where(n > 0, np.where(counted, returns, 0.0).sum(axis=1) / np.maximum(n, 1), np.nan)


def mase(forecast_OA: ArrayLike, outcome_OA: ArrayLike, *, scale_A: ArrayLike) -> float:
    """Mean absolute scaled error: mean over cells of |forecast - outcome| / scale of the asset; no unit.

    Parameters
    ----------
    forecast_OA, outcome_OA
        Log-returns from the origin to the horizon. Shape (O, A); a cell with a NaN in either is left out.
    scale_A
        `one_step_scale`. Shape (A,); > 0; an asset with NaN is left out.

    Returns
    -------
    float
        About sqrt(horizon) for a random walk, since the scale is of one step at any horizon: compare models, not horizons.

    Raises
    ------
    InputError
        Shapes don't fit.
    DataError
        A scale is 0, negative or infinite, or no cell is left.

    Notes
    -----
    Hyndman & Koehler 2006, with the in-sample one-step naive error of each asset at every horizon. Variant: mean over
    cells, so an asset with more answers weighs more.

    Examples
    --------
    >>> mase([[0.0, 0.0]], [[0.02, -0.04]], scale_A=[0.01, 0.02])
    2.0
    """
    forecast, outcome = paired_cells(forecast_OA, outcome_OA)
    scale = np.asarray(scale_A, np.float64)
    if scale.shape != forecast.shape[1:]:
        raise InputError(
            "scale_A", f"must have one number for each of {forecast.shape[1]} assets", value=scale.shape
        )
    if (bad := (scale <= 0) | np.isinf(scale)).any():
        places = np.flatnonzero(bad)
        raise DataError(
            "scale_A",
            "must be above 0 and finite",
            n_bad=len(places),
            examples=places[:5].tolist(),
            remedy="an asset whose price never moved can't be scored: leave it out",
        )
    return mean_of_cells(np.abs(forecast - outcome) / scale, name="mase")


def rmse(forecast_OA: ArrayLike, outcome_OA: ArrayLike) -> float:
    """Root of the mean squared error over cells, in log-return (the tables print it x100, about per cent).

    Shapes and NaN as in `mase`. Large moves and noisy assets dominate it.

    Raises
    ------
    InputError, DataError
        Shapes don't fit; no cell is left.
    """
    forecast, outcome = paired_cells(forecast_OA, outcome_OA)
    return float(np.sqrt(mean_of_cells((forecast - outcome) ** 2, name="rmse")))


def r2_against(forecast_OA: ArrayLike, outcome_OA: ArrayLike, benchmark_OA: ArrayLike) -> float:
    """1 - squared error of the forecast / squared error of the benchmark; no unit; > 0 is better than the benchmark.

    Over cells that both answered. Campbell & Thompson 2008 with any benchmark; of log-returns, never of price levels
    (of levels every model has 0.99). Shapes and NaN as in `mase`.

    Raises
    ------
    InputError
        Shapes don't fit.
    DataError
        No cell is left, or the benchmark made no error at all.
    """
    forecast, outcome = paired_cells(forecast_OA, outcome_OA)
    benchmark, outcome = paired_cells(benchmark_OA, outcome)
    theirs = np.where(np.isnan(forecast), np.nan, (benchmark - outcome) ** 2)
    ours = np.where(np.isnan(benchmark), np.nan, (forecast - outcome) ** 2)
    base = mean_of_cells(theirs, name="r2_against")
    if base == 0:
        raise DataError("benchmark", "made no error, so nothing can be measured against it")
    return 1 - mean_of_cells(ours, name="r2_against") / base

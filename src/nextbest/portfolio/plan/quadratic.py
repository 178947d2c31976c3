"""Convex quadratic programmes of a few hundred variables, by a primal-dual interior-point method.

Arrays in, arrays out; knows no asset. Written because SciPy has no quadratic solver and a dependency for one dense
problem of 64 variables costs more than it gives; tests hold it against skfolio's conic solver.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import DataError

Floats = NDArray[np.float64]
_MAX_STEPS = 100
_GOAL = 1e-11
"""Residuals and mean complementarity at which the answer stands; the problem is scaled to about 1 first."""


def solve_quadratic(
    p_NN: Floats, q_N: Floats, *, equal: tuple[Floats, Floats], at_most: tuple[Floats, Floats]
) -> Floats:
    """x that minimises x'Px/2 + q'x with `equal` rows met and `at_most` rows not passed. Shape (N,).

    Parameters
    ----------
    p_NN
        Symmetric, positive semidefinite.
    equal
        Rows (E, N) and values (E,).
    at_most
        Rows (R, N) and values (R,); the feasible set must be bounded and not empty.

    Raises
    ------
    DataError
        No answer within 100 steps: the numbers are of very different size.

    Notes
    -----
    Mehrotra 1992 (predictor and corrector), as for quadratic programmes in Nocedal & Wright, Numerical Optimization,
    2006, algorithm 16.4.
    """
    from scipy.linalg.lapack import dgetrf

    scale = float(np.abs(p_NN).max()) or float(np.abs(q_N).max()) or 1.0
    p_NN, q_N = p_NN / scale, q_N / scale
    (e_EN, f_E), (g_RN, h_R) = equal, at_most
    n, n_equal, n_rows = len(q_N), len(f_E), len(h_R)
    x_N: Floats = np.zeros(n)
    if n_equal:
        x_N += np.linalg.lstsq(e_EN, f_E, rcond=None)[0]
    y_E = np.zeros(n_equal)
    s_R = np.maximum(h_R - g_RN @ x_N, 0.1)
    z_R = np.ones(n_rows)
    system = np.zeros((n + n_equal, n + n_equal))
    system[n:, :n], system[:n, n:] = e_EN, e_EN.T
    system[n:, n:] = -1e-14 * np.eye(n_equal)  # rows that say the same don't make the system singular
    best = np.inf
    best_x: Floats = x_N
    since_best = 0
    for _ in range(_MAX_STEPS):
        dual_N = p_NN @ x_N + q_N + e_EN.T @ y_E + g_RN.T @ z_R
        equal_E, rows_R = e_EN @ x_N - f_E, g_RN @ x_N + s_R - h_R
        mu = float(s_R @ z_R) / n_rows
        gap = max(
            float(np.abs(dual_N).max()),
            float(np.abs(rows_R).max()),
            float(np.abs(equal_E).max(initial=0.0)),
            mu,
        )
        since_best = 0 if gap < best else since_best + 1
        if gap < best:
            best, best_x = gap, x_N
        if gap < _GOAL:
            return x_N
        if since_best > 8:
            break
        ratio_R = z_R / s_R
        system[:n, :n] = p_NN + (g_RN.T * ratio_R) @ g_RN
        system[:n, :n].flat[:: n + 1] += 1e-14
        *factor, info = dgetrf(system)
        if info:  # singular to the last bit: what was best so far is as near as these numbers allow
            break
        residual = (dual_N, equal_E, rows_R)
        dx, dy, ds, dz = _direction(factor, g_RN, residual, s_R, z_R, s_R * z_R)
        reach = _reach(s_R, ds, z_R, dz)
        ahead = float((s_R + reach * ds) @ (z_R + reach * dz)) / n_rows
        sigma = (ahead / mu) ** 3
        dx, dy, ds, dz = _direction(factor, g_RN, residual, s_R, z_R, s_R * z_R + ds * dz - sigma * mu)
        reach = min(1.0, 0.99 * _reach(s_R, ds, z_R, dz, most=np.inf))
        x_N, y_E, s_R, z_R = x_N + reach * dx, y_E + reach * dy, s_R + reach * ds, z_R + reach * dz
        if not (np.isfinite(x_N).all() and np.isfinite(z_R).all()):
            break
    if best < 1e-7:  # the last digits of a problem without an inner point (a fixed weight) come slowly
        return best_x
    raise DataError(
        "covariance",
        f"no weights found: the solver stopped {best:.1e} from the answer",
        remedy="look at the returns for extreme values",
    )


def _direction(
    factor: Sequence[Floats],
    g_RN: Floats,
    residual: tuple[Floats, Floats, Floats],
    s_R: Floats,
    z_R: Floats,
    complement_R: Floats,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Newton step of x, y, s and z that takes residuals and complementarity to 0."""
    from scipy.linalg.lapack import dgetrs

    dual_N, equal_E, rows_R = residual
    n = len(dual_N)
    right = np.concatenate([-dual_N + g_RN.T @ ((complement_R - z_R * rows_R) / s_R), -equal_E])
    step = dgetrs(*factor, right)[0]
    ds = -rows_R - g_RN @ step[:n]
    return step[:n], step[n:], ds, -(complement_R + z_R * ds) / s_R


def _reach(s_R: Floats, ds: Floats, z_R: Floats, dz: Floats, *, most: float = 1.0) -> float:
    """Longest step that keeps both vectors from going below 0, at most `most`."""
    reach = most
    for at, move in ((s_R, ds), (z_R, dz)):
        down = move < 0
        if down.any():
            reach = min(reach, float((at[down] / -move[down]).min()))
    return reach

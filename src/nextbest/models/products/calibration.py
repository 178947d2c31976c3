"""Probabilities that mean what they say: one monotone curve a product, learned on a month held out.

Isotonic where a product has many additions, Platt where it has some, none where it has few. A curve never
reorders clients of one product. Axes: N rows, P products, K knots.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveInt

from nextbest.errors import InputError
from nextbest.models.products.base import FloatArray, Frozen, logit, sigmoid

Floats = NDArray[np.float64]


class CalibrationConfig(Frozen):
    """Which curve for how many additions."""

    method: Literal["auto", "isotonic", "platt", "none"] = "auto"
    """`auto`: by the numbers below; the others hold for every product with `min_platt` additions."""
    min_isotonic: PositiveInt = 1500
    """Additions that isotonic regression needs."""
    min_platt: PositiveInt = 60
    """Additions that Platt's two numbers need."""
    additions_per_knot: PositiveInt = 60
    """Additions behind each knot of an isotonic curve at least."""
    max_knots: PositiveInt = 25
    strength: NonNegativeFloat = 30.0
    """Additions that Platt's slope of 1 and offset of 0 count for (ridge towards no change)."""
    level: Literal["kept", "month"] = "kept"
    """How many additions the curves lead to. `kept`: as many as before calibration, so that one month's accident
    (a payroll that came late) doesn't become a rule; the level is the members' and the priors' business.
    `month`: as many as the month that the curves are learned on."""


class Calibrator:
    """One curve for each product, piecewise linear between log-odds, so that no two clients become equal.

    Left and right of its knots a curve goes on with slope 1.
    """

    def __init__(self, config: CalibrationConfig | None = None) -> None:
        self.config = config or CalibrationConfig()
        self.knots_: list[tuple[Floats, Floats]] = []
        """Log-odds before and after, both ascending, one pair for each product; empty: unchanged."""

    def fit(
        self,
        p_NP: NDArray[Any],
        happened_NP: NDArray[np.bool_],
        *,
        can_NP: NDArray[np.bool_],
        weight_N: NDArray[Any],
    ) -> Self:
        """Learn from clients with known outcome and return itself.

        Parameters
        ----------
        p_NP
            Probabilities before calibration. Shape (N, P).
        happened_NP
            What came. Shape (N, P).
        can_NP
            Where it could come; the rest isn't looked at.
        weight_N
            Clients that each row stands for. Shape (N,).

        Raises
        ------
        InputError
            Shapes differ, or a probability isn't in 0-1.
        """
        if happened_NP.shape != p_NP.shape or can_NP.shape != p_NP.shape or len(weight_N) != len(p_NP):
            raise InputError("p_NP", "must have the shape of happened_NP and can_NP", value=p_NP.shape)
        if not ((p_NP >= 0) & (p_NP <= 1)).all():
            raise InputError("p_NP", "must lie in 0-1")
        self.knots_ = []
        for p in range(p_NP.shape[1]):
            rows = can_NP[:, p]
            y, w = happened_NP[rows, p], np.asarray(weight_N[rows], np.float64)
            self.knots_.append(self._curve(logit(p_NP[rows, p]), y, w))
        return self

    def _curve(self, z: Floats, y: NDArray[np.bool_], w: Floats) -> tuple[Floats, Floats]:
        config, n = self.config, int(y.sum())
        if config.method == "none" or n < config.min_platt or z.max(initial=-99) <= z.min(initial=99):
            return _UNCHANGED
        isotonic = config.method == "isotonic" or (config.method == "auto" and n >= config.min_isotonic)
        total = float(w @ y)
        # the curve is learned on log-odds that are right on the whole, so that it tells shape from level
        level = shift_for_total(z, w, total)
        z = z + level
        before, after = self._isotonic(z, y, w) if isotonic else self._platt(z, y, w)
        # a curve between knots isn't the step function that was fitted: meet the total again
        after = after + shift_for_total(_applied(z, before, after), w, total)
        return before - level, after - (level if config.level == "kept" else 0)

    def _isotonic(self, z: Floats, y: NDArray[np.bool_], w: Floats) -> tuple[Floats, Floats]:
        """Knots: groups of clients with equally many additions, made monotone by pooling."""
        from scipy.optimize import isotonic_regression

        config, n = self.config, int(y.sum())
        order = np.argsort(z, kind="stable")
        z, y, w = z[order], y[order], w[order]
        n_groups = max(1, min(config.max_knots, n // config.additions_per_knot))
        group = np.minimum((np.cumsum(y) - y) * n_groups // n, n_groups - 1)
        weight, hits = np.bincount(group, w, n_groups), np.bincount(group, w * y, n_groups)
        centre = np.bincount(group, w * z, n_groups) / weight
        pooled = isotonic_regression(hits / weight, weights=weight)
        block = np.repeat(np.arange(len(pooled.weights)), np.diff(pooled.blocks))
        mass = np.bincount(block, weight)
        before = np.bincount(block, weight * centre) / mass
        after = logit(np.bincount(block, hits) / mass)
        keep = np.r_[True, np.diff(before) > 1e-9]  # groups of one tied value have one centre
        return before[keep], after[keep]

    def _platt(self, z: Floats, y: NDArray[np.bool_], w: Floats) -> tuple[Floats, Floats]:
        """Slope and offset by Newton steps on the weighted log-loss, drawn towards 1 and 0."""
        centre = float(np.average(z, weights=w))
        x = np.column_stack([z - centre, np.ones_like(z)])
        start = np.array([1.0, centre])
        beta = start.copy()
        ridge = self.config.strength * np.array([float(np.average((z - centre) ** 2, weights=w)), 1.0])
        # a client with the addition has weight 1; information is counted in such clients
        for _ in range(50):
            p = sigmoid(x @ beta)
            slope = x.T @ (w * (p - y)) + ridge * (beta - start)
            curve = (x * (w * p * (1 - p))[:, None]).T @ x + np.diag(ridge)
            step = np.linalg.solve(curve, slope)
            beta -= np.clip(step, -2, 2)
            if np.abs(step).max() < 1e-8:
                break
        gain = max(float(beta[0]), 0.05)  # never flat, never upside down
        before = np.array([z.min(), z.max()])
        return before, gain * (before - centre) + beta[1]

    def __call__(self, p_NP: NDArray[Any]) -> FloatArray:
        """Calibrated probabilities, a new array of the same shape, float32; 0 stays 0."""
        out_NP = np.array(p_NP, np.float32)
        for p, (before, after) in enumerate(self.knots_):
            if len(before):
                some = out_NP[:, p] > 0
                out_NP[some, p] = sigmoid(_applied(logit(out_NP[some, p]), before, after))
        return out_NP

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The curves as flat arrays: knots of all products one after the other, and how many each has."""
        return {
            "n_knots": np.array([len(before) for before, _ in self.knots_], np.int64),
            "before": np.concatenate([before for before, _ in self.knots_] or [np.zeros(0)]),
            "after": np.concatenate([after for _, after in self.knots_] or [np.zeros(0)]),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], config: CalibrationConfig | None = None
    ) -> "Calibrator":
        """The curves that `arrays` described.

        Raises
        ------
        KeyError, ValueError
            An array is missing, or lengths don't fit.
        """
        calibrator = cls(config)
        ends = np.cumsum(arrays["n_knots"])
        if len(arrays["before"]) != len(arrays["after"]) or (ends[-1:] != len(arrays["before"])).any():
            raise ValueError("knots of calibration don't fit their numbers")
        before, after = (np.split(arrays[name], ends[:-1]) for name in ("before", "after"))
        calibrator.knots_ = list(zip(before, after, strict=True))[: len(ends)]
        return calibrator


_UNCHANGED: tuple[Floats, Floats] = (np.zeros(0), np.zeros(0))


def _applied(z: Floats, before: Floats, after: Floats) -> Floats:
    """Log-odds through one curve."""
    inside = np.interp(z, before, after)
    return np.asarray(inside + np.minimum(z - before[0], 0) + np.maximum(z - before[-1], 0))


def shift_for_total(z: Floats, w: Floats, total: float, *, most: float = 8.0) -> float:
    """What to add to all log-odds so that the weighted sum of probabilities is `total`; within +-`most`.

    By bisection; 0 for no rows. A total that no shift within the bounds reaches gives the bound.
    """
    if not len(z):
        return 0.0
    low, high = -most, most
    for _ in range(40):
        middle = (low + high) / 2
        if float(w @ sigmoid(z + middle)) < total:
            low = middle
        else:
            high = middle
    return (low + high) / 2

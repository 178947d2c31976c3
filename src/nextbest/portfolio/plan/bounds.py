"""Limits on weights: of each asset, of classes of assets; whether they can hold together, and which ones can't.

Names and numbers in, arrays out; knows no optimiser and no client.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import DataError, InputError

Floats = NDArray[np.float64]
TOLERANCE = 1e-8
"""How far a sum or a limit may be missed by rounding; a fraction of the portfolio."""


class Infeasible(InputError):  # noqa: N818  (the plan's contract calls it so)
    """No weights fulfil all limits at once. `conflict` names the few that can't hold together.

    >>> raise Infeasible(["bond <= 0.3", "equity <= 0.5"])
    Traceback (most recent call last):
    ...
    nextbest.portfolio.plan.bounds.Infeasible: bounds: can't hold together while weights sum to 1: bond <= 0.3, equity <= 0.5; loosen one of them
    """

    def __init__(self, conflict: Sequence[str]) -> None:
        self.conflict = list(conflict)
        rule = "can't hold together while weights sum to 1: " + ", ".join(self.conflict[:8])
        if len(self.conflict) > 8:
            rule += f" and {len(self.conflict) - 8} more"
        super().__init__("bounds", rule, remedy="loosen one of them")


@dataclass(frozen=True)
class Bounds:
    """What weights may be. Long-only by default: shorts exist only where a lower bound below 0 is given."""

    lower: float | Mapping[str, float] = 0.0
    """Least weight, of every asset or by name (0 where not named); a fraction."""
    upper: float | Mapping[str, float] = 1.0
    """Greatest weight, of every asset or by name (1 where not named); a fraction."""
    classes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Least and greatest sum of weights of a class; fractions."""
    class_of: Mapping[str, str] = field(default_factory=dict)
    """Asset's name to its class; an asset that isn't named has no class limit."""


@dataclass(frozen=True)
class Limits:
    """Bounds of named assets as arrays, checked to hold together."""

    names: tuple[str, ...]
    lower_A: Floats
    upper_A: Floats
    class_names: tuple[str, ...]
    member_GA: Floats
    """1 where the asset belongs to the class, else 0."""
    class_lower_G: Floats
    class_upper_G: Floats

    def rows(self) -> tuple[Floats, Floats]:
        """Class limits as `row @ weights <= most`, only those that can bite. Shapes (R, A) and (R,)."""
        total_lower, total_upper = self.member_GA @ self.lower_A, self.member_GA @ self.upper_A
        above = self.class_upper_G < np.minimum(total_upper, 1.0)
        below = self.class_lower_G > np.maximum(total_lower, 0.0)
        rows = np.concatenate([self.member_GA[above], -self.member_GA[below]])
        return rows, np.concatenate([self.class_upper_G[above], -self.class_lower_G[below]])


def resolve(bounds: Bounds | None, names: Sequence[str]) -> Limits:
    """`bounds` as arrays over `names`, after a check that some weights fulfil them.

    Raises
    ------
    InputError
        A bound is not a number, names an unknown asset or class, or its lower end is above its upper end.
    Infeasible
        No weights with sum 1 lie within: the smallest set of limits found that conflict is named.
    """
    bounds = bounds or Bounds()
    names = tuple(names)
    if len(set(names)) != len(names):
        raise InputError(
            "names", "must differ from each other", value=sorted({n for n in names if names.count(n) > 1})[:5]
        )
    lower_A, upper_A = (
        _by_name(bounds.lower, names, "lower", 0.0),
        _by_name(bounds.upper, names, "upper", 1.0),
    )
    if (crossed := np.flatnonzero(lower_A > upper_A)).size:
        i = crossed[0]
        raise Infeasible([f"{names[i]} >= {lower_A[i]:g}", f"{names[i]} <= {upper_A[i]:g}"])
    strangers = sorted(set(bounds.class_of) - set(names))
    if strangers:
        raise InputError("class_of", "names assets that aren't there", value=strangers[:5])
    without = sorted(set(bounds.classes) - set(bounds.class_of.values()))
    if without:
        raise InputError("classes", "limits classes that no asset belongs to", value=without[:5])
    classes = tuple(bounds.classes)
    member_GA = np.array([[float(bounds.class_of.get(n) == c) for n in names] for c in classes]).reshape(
        len(classes), len(names)
    )
    ends = np.array([bounds.classes[c] for c in classes], np.float64).reshape(len(classes), 2)
    if not np.isfinite(ends).all():
        raise InputError("classes", "limits must be finite numbers", value=dict(bounds.classes))
    limits = Limits(names, lower_A, upper_A, classes, member_GA, ends[:, 0], ends[:, 1])
    _check_feasible(limits)
    return limits


def settle(weights_A: Floats, limits: Limits) -> Floats:
    """A solver's weights put exactly on bounds they touch, with sum 1; checked against every limit.

    Raises
    ------
    DataError
        The weights miss a limit or the sum by more than `TOLERANCE`: the solver failed on these numbers.
    """
    if not np.isfinite(weights_A).all():
        raise DataError(
            "weights", "the solver found no finite weights", remedy="look at the returns for extreme values"
        )
    at_low, at_high = weights_A - limits.lower_A < TOLERANCE / 10, limits.upper_A - weights_A < TOLERANCE / 10
    w = np.where(at_low, limits.lower_A, np.where(at_high, limits.upper_A, weights_A))
    missing = 1.0 - float(w.sum())
    room_A = np.where(at_low | at_high, 0.0, (limits.upper_A - w) if missing > 0 else (w - limits.lower_A))
    if missing and not room_A.sum() > abs(missing):  # every weight is at a bound: any of them gives way
        room_A = (limits.upper_A - w) if missing > 0 else (w - limits.lower_A)
    if missing and room_A.sum() > 0:
        w = w + missing * room_A / room_A.sum()
    verify(w, limits)
    return w


def verify(weights_A: Floats, limits: Limits) -> None:
    """Nothing, if the weights sum to 1 and lie within every limit up to `TOLERANCE`; else DataError."""
    broken = []
    if abs(weights_A.sum() - 1.0) > TOLERANCE:
        broken.append(f"sum {weights_A.sum():.10f}")
    outside_A = (weights_A < limits.lower_A - TOLERANCE) | (weights_A > limits.upper_A + TOLERANCE)
    broken += [
        f"{limits.names[i]} {weights_A[i]:.6f} outside {limits.lower_A[i]:g}..{limits.upper_A[i]:g}"
        for i in np.flatnonzero(outside_A)
    ]
    sums_G = limits.member_GA @ weights_A
    for g in np.flatnonzero(
        (sums_G < limits.class_lower_G - TOLERANCE) | (sums_G > limits.class_upper_G + TOLERANCE)
    ):
        ends = f"{limits.class_lower_G[g]:g}..{limits.class_upper_G[g]:g}"
        broken.append(f"{limits.class_names[g]} {sums_G[g]:.6f} outside {ends}")
    if broken:
        raise DataError("weights", "the solver missed its limits", n_bad=len(broken), examples=broken)


def _by_name(value: float | Mapping[str, float], names: tuple[str, ...], what: str, default: float) -> Floats:
    """One bound for each name."""
    if isinstance(value, Mapping):
        if strangers := sorted(set(value) - set(names)):
            raise InputError(what, "bounds assets that aren't there", value=strangers[:5])
        found = np.array([value.get(n, default) for n in names], np.float64)
    else:
        found = np.full(len(names), value, np.float64)
    if not np.isfinite(found).all():
        raise InputError(
            what,
            "must be finite numbers",
            value=[n for n, f in zip(names, found, strict=True) if not np.isfinite(f)][:5],
        )
    return found


def _check_feasible(limits: Limits) -> None:
    """Infeasible with a smallest set of conflicting limits, by dropping one limit after another."""
    lower_A, upper_A = limits.lower_A, limits.upper_A
    if not len(limits.class_names):
        if lower_A.sum() > 1 + TOLERANCE:
            raise Infeasible(_enough(limits, lower_A, ">="))
        if upper_A.sum() < 1 - TOLERANCE:
            raise Infeasible([f"{n} <= {u:g}" for n, u in zip(limits.names, upper_A, strict=True)])
        return
    # an asset has one class at most, so sums of classes can be looked at one by one; which limits conflict can't
    free_A = limits.member_GA.sum(axis=0) == 0
    low_G = np.maximum(limits.member_GA @ lower_A, limits.class_lower_G)
    high_G = np.minimum(limits.member_GA @ upper_A, limits.class_upper_G)
    least, most = lower_A[free_A].sum() + low_G.sum(), upper_A[free_A].sum() + high_G.sum()
    if (low_G <= high_G).all() and least <= 1 <= most:
        return
    n = len(limits.names)
    rows_LA = np.concatenate([-np.eye(n), np.eye(n), -limits.member_GA, limits.member_GA])
    most_L = np.concatenate([-lower_A, upper_A, -limits.class_lower_G, limits.class_upper_G])
    kept = np.ones(len(most_L), bool)
    if _feasible(rows_LA, most_L, kept):
        return
    for i in range(
        len(most_L)
    ):  # deletion filter (Chinneck & Dravnieks 1991): what isn't needed for the conflict goes
        kept[i] = False
        if _feasible(rows_LA, most_L, kept):
            kept[i] = True
    said = [f"{name} >= {low:g}" for name, low in zip(limits.names, lower_A, strict=True)]
    said += [f"{name} <= {high:g}" for name, high in zip(limits.names, upper_A, strict=True)]
    said += [
        f"class {name} >= {low:g}" for name, low in zip(limits.class_names, limits.class_lower_G, strict=True)
    ]
    said += [
        f"class {name} <= {high:g}"
        for name, high in zip(limits.class_names, limits.class_upper_G, strict=True)
    ]
    raise Infeasible([said[i] for i in np.flatnonzero(kept)])


def _enough(limits: Limits, lower_A: Floats, sign: str) -> list[str]:
    """The largest lower bounds that together are already more than 1."""
    order = np.argsort(-lower_A, kind="stable")
    floor = float(np.minimum(lower_A, 0).sum())
    n = int(np.searchsorted(np.cumsum(np.maximum(lower_A[order], 0)) + floor, 1 + TOLERANCE)) + 1
    return [f"{limits.names[i]} {sign} {lower_A[i]:g}" for i in order[:n]]


def _feasible(rows_LA: Floats, most_L: Floats, kept: NDArray[np.bool_]) -> bool:
    """Whether any weights with sum 1 fulfil the kept rows."""
    from scipy.optimize import linprog

    n = rows_LA.shape[1]
    found = linprog(
        np.zeros(n),
        A_ub=rows_LA[kept],
        b_ub=most_L[kept],
        A_eq=np.ones((1, n)),
        b_eq=[1.0],
        bounds=(None, None),
        method="highs",
    )
    return bool(found.status == 0)

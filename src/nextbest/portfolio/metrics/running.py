"""Figures kept up to date day by day: one new return of each portfolio changes sums, not the whole history.

Equal to `fast_metrics` over the same days, for all it holds; VaR and CVaR of the historical kind need the whole
distribution and are left to `fast_metrics`. Knows no clients and no dates.

Legend: `P` portfolios.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nextbest.errors import ArtifactError, DataError, InputError
from nextbest.portfolio.metrics.fast import METRICS, TAILS
from nextbest.portfolio.metrics.sums import figures_of

FloatArray = npt.NDArray[np.float64]

_STATE = {
    "n": 0.0,  # observations
    "mean": 0.0,
    "m2": 0.0,  # sums of powers of the distance from the mean
    "m3": 0.0,
    "m4": 0.0,
    "log_mean": 0.0,
    "log_m2": 0.0,
    "losses": 0.0,  # sum of max(rf - r, 0)
    "downside": 0.0,  # sum of its square
    "n_up": 0.0,
    "best": -math.inf,
    "worst": math.inf,
    "wealth": 1.0,
    "peak": 1.0,
    "max_drawdown": 0.0,
    "below": 0.0,  # observations since the last peak
    "longest_below": 0.0,
}
"""Arrays of shape (P,) that are the whole state, with what they are before the first day."""
RUNNING_METRICS = (*(name for name in METRICS if name not in TAILS), "drawdown")
"""What `Running.metrics` gives: as `fast_metrics` defines it, but what needs all returns at hand; and `drawdown`, the present
one."""


class Running:
    """Running moments, peaks and falls of many portfolios.

    Parameters
    ----------
    n_portfolios
        P, 0 or more.
    periods_per_year, rf, alpha
        As in `fast_metrics`; `rf` can't change later, because sums of losses are kept against it.

    Examples
    --------
    >>> running = Running(2, periods_per_year=252)
    >>> running.update(np.array([0.1, 0.0]))
    >>> running.update(np.array([-0.5, np.nan]))  # NaN: no observation that day
    >>> running.metrics()["n"].tolist(), running.metrics()["max_drawdown"].tolist()
    ([2.0, 1.0], [-0.5, 0.0])
    """

    def __init__(
        self, n_portfolios: int, *, periods_per_year: float, rf: float = 0.0, alpha: float = 0.05
    ) -> None:
        if n_portfolios < 0:
            raise InputError("n_portfolios", "must be 0 or more", value=n_portfolios)
        if not periods_per_year > 0 or not math.isfinite(periods_per_year):
            raise InputError("periods_per_year", "must be a finite number above 0", value=periods_per_year)
        if not math.isfinite(rf):
            raise InputError("rf", "must be a finite number", value=rf)
        if not 0 < alpha < 0.5:
            raise InputError("alpha", "must lie between 0 and 0.5", value=alpha)
        self.periods_per_year, self.rf, self.alpha = float(periods_per_year), float(rf), float(alpha)
        self._state = {name: np.full(n_portfolios, start) for name, start in _STATE.items()}

    def __len__(self) -> int:
        """P."""
        return len(self._state["n"])

    def update(self, return_P: FloatArray) -> None:
        """Take one more day.

        Parameters
        ----------
        return_P
            The day's simple return of each portfolio, fraction. Shape (P,); NaN = no observation, that
            portfolio stays as it is.

        Raises
        ------
        InputError
            Another shape.
        DataError
            An infinite return; nothing was taken then.

        Notes
        -----
        Moments by Pébay 2008 (one observation added), which stays accurate where sums of powers cancel.
        """
        return_P = np.asarray(return_P, np.float64)
        if return_P.shape != (len(self),):
            raise InputError("return_P", f"must have shape {(len(self),)}", value=return_P.shape)
        if math.isfinite(return_P.sum()):
            _step(self._state, return_P, rf=self.rf)
            return
        infinite = np.flatnonzero(np.isinf(return_P))
        if len(infinite):
            raise DataError(
                "return_P", "returns must be finite or NaN", n_bad=len(infinite), examples=infinite.tolist()
            )
        seen = np.flatnonzero(~np.isnan(return_P))
        part = {name: values[seen] for name, values in self._state.items()}
        _step(part, return_P[seen], rf=self.rf)
        for name, values in part.items():
            self._state[name][seen] = values

    def grow(self, n_more: int) -> None:
        """Add portfolios that start after today; they take the last places."""
        if n_more < 0:
            raise InputError("n_more", "must be 0 or more", value=n_more)
        self._state = {
            name: np.concatenate([values, np.full(n_more, _STATE[name])])
            for name, values in self._state.items()
        }

    def metrics(self) -> dict[str, FloatArray]:
        """Figures after the last day: one vector of shape (P,) for each name of `RUNNING_METRICS`.

        NaN where a figure isn't defined, by the rules of `fast_metrics`.
        """
        state = self._state
        found = figures_of(state, periods_per_year=self.periods_per_year, rf=self.rf, alpha=self.alpha)
        with np.errstate(all="ignore"):
            now = np.clip(state["wealth"] / state["peak"] - 1.0, -1.0, 0.0)
        found["drawdown"] = np.where(state["n"] > 0, now, np.nan)
        return {name: found[name] for name in RUNNING_METRICS}

    def state(self) -> dict[str, FloatArray]:
        """Copies of the arrays that are the whole state, and `settings`: periods_per_year, rf, alpha."""
        kept = {name: values.copy() for name, values in self._state.items()}
        return kept | {"settings": np.array([self.periods_per_year, self.rf, self.alpha])}

    @classmethod
    def from_state(cls, state: Mapping[str, npt.ArrayLike]) -> "Running":
        """One that goes on where `state()` was taken.

        Raises
        ------
        DataError
            An array is missing, or their lengths disagree.
        """
        names = {*_STATE, "settings"}
        if set(state) != names:
            raise DataError(
                "running state",
                "its arrays aren't those of this version",
                examples=sorted(names ^ set(state)),
                remedy="build it again from the history of returns",
            )
        arrays = {name: np.array(values, np.float64) for name, values in state.items()}
        settings = arrays.pop("settings")
        shapes = {values.shape for values in arrays.values()}
        if settings.shape != (3,) or len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise DataError("running state", "its arrays must have one length", examples=sorted(shapes))
        periods_per_year, rf, alpha = settings.tolist()
        running = cls(len(arrays["n"]), periods_per_year=periods_per_year, rf=rf, alpha=alpha)
        running._state = arrays
        return running

    def save(self, file: Path) -> None:
        """Write the state as an npz of plain arrays."""
        with file.open("wb") as out:
            np.savez(out, allow_pickle=False, **self.state())

    @classmethod
    def load(cls, file: Path) -> "Running":
        """Read what `save` wrote; pickled content is refused.

        Raises
        ------
        ArtifactError
            No such file, or not one of ours.
        """
        try:
            with np.load(file, allow_pickle=False) as arrays:
                return cls.from_state(dict(arrays))
        except (OSError, ValueError, EOFError, DataError) as error:
            raise ArtifactError(
                file, f"not a running state ({error})", remedy="build it again from the history of returns"
            ) from error


def _step(s: dict[str, FloatArray], r: FloatArray, *, rf: float) -> None:
    """Add one finite observation to each portfolio, in place."""
    s["n"] += 1.0
    n = s["n"]
    delta = r - s["mean"]
    step = delta / n
    step2 = step * step
    term = delta * step * (n - 1.0)
    s["m4"] += term * step2 * (n * n - 3.0 * n + 3.0) + 6.0 * step2 * s["m2"] - 4.0 * step * s["m3"]
    s["m3"] += term * step * (n - 2.0) - 3.0 * step * s["m2"]
    s["m2"] += term
    s["mean"] += step
    growth = 1.0 + r
    with np.errstate(all="ignore"):  # a return of -1 or less: the figure is NaN by `worst`
        log_r = np.log(growth)
        delta = log_r - s["log_mean"]
        s["log_mean"] += delta / n
        s["log_m2"] += delta * (log_r - s["log_mean"])
    np.maximum(s["best"], r, out=s["best"])
    np.minimum(s["worst"], r, out=s["worst"])
    s["n_up"] += r > 0
    loss = np.minimum(r - rf, 0.0)
    s["losses"] -= loss
    s["downside"] += loss * loss
    s["wealth"] *= growth
    np.maximum(s["peak"], s["wealth"], out=s["peak"])
    s["below"] += 1.0
    s["below"] *= s["wealth"] < s["peak"]
    np.maximum(s["longest_below"], s["below"], out=s["longest_below"])
    np.minimum(s["max_drawdown"], s["wealth"] / s["peak"] - 1.0, out=s["max_drawdown"])

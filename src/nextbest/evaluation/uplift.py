"""What offers change: Qini curve, AUUC and uplift at the top, from offers with a random control group.

A propensity model finds who adds; an uplift score must find who adds *because* of the offer. Only a
control group that was drawn at random can tell them apart, so a log without one is refused. Value of
another policy from logged propensities is `off_policy`.
"""

from dataclasses import dataclass, fields

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from nextbest.errors import DataError, InputError
from nextbest.evaluation.clustered import ClusteredInterval
from nextbest.evaluation.significance import Rng

Floats = NDArray[np.float64]
TOP = 0.3
"""Share of clients that an offer reaches, where the curve is cut."""


@dataclass(frozen=True)
class UpliftScores:
    """How much an uplift score finds, each with its interval over clients. Unit: outcomes per client."""

    average_effect: ClusteredInterval
    """Outcome with the offer less without, over all."""
    qini: ClusteredInterval
    """Qini coefficient: area between the curve and the straight line of random choice. Not normalised."""
    auuc: ClusteredInterval
    """Area under the Qini curve from nobody up to the top share."""
    auuc_random: ClusteredInterval
    """The same for random choice: average effect x top^2 / 2."""
    uplift_top: ClusteredInterval
    """Outcome with the offer less without, among the top share by score; NaN without both sides in it."""
    top: float
    """That share, 0-1."""


def qini_curve(
    score: ArrayLike, *, treated: ArrayLike, outcome: ArrayLike, propensity: ArrayLike | None = None
) -> pl.DataFrame:
    """The Qini curve: outcomes gained per client when the best-scored share gets the offer.

    Parameters
    ----------
    score
        Higher = offered earlier. Shape (n,); finite. Equal scores are one step (straight between its ends).
    treated
        Whether the row got the offer, drawn at random. Shape (n,); bool or 0/1.
    outcome
        What followed: 0/1 addition, or its value. Shape (n,); finite.
    propensity
        Probability with which the row was drawn to get the offer, above 0 and below 1. None: one for all.
        Shape (n,).

    Returns
    -------
    DataFrame
        `share` of rows offered (0 first, 1 last), `gain`, and `random`: the line to the whole's gain.

    Raises
    ------
    InputError
        Lengths or types don't fit.
    DataError
        No control or no treated row, a score or outcome that isn't finite, a propensity that is NaN or not
        between 0 and 1.

    Notes
    -----
    Radcliffe 2007: treated outcomes less control outcomes scaled to the treated in the same top share, per
    treated client: (Y_t - Y_c N_t / N_c) / N_t(all). With propensities rows count 1 / P(of what was drawn).
    Equals scikit-uplift's `qini_curve` over the number treated; an empty control at the very top counts as 0.

    Examples
    --------
    >>> qini_curve([3, 3, 1, 1], treated=[1, 0, 1, 0], outcome=[1, 0, 0, 0])["gain"].to_list()
    [0.0, 0.5, 0.5]
    """
    ordered = _Ordered.of(score, treated, outcome, propensity)
    share, gain = ordered.curve(np.ones(len(ordered.weight)))
    return pl.DataFrame({"share": share, "gain": gain, "random": share * gain[-1]})


def evaluate_uplift(
    score: ArrayLike,
    *,
    treated: ArrayLike,
    outcome: ArrayLike,
    propensity: ArrayLike | None = None,
    clients: ArrayLike | None = None,
    top: float = TOP,
    n_resamples: int = 500,
    rng: Rng,
    confidence: float = 0.95,
) -> UpliftScores:
    """Qini coefficient, AUUC and uplift of the top share, with a percentile bootstrap over clients.

    Parameters
    ----------
    score, treated, outcome, propensity
        As in `qini_curve`; so are the errors.
    clients
        Who each row is, integers; None: each row another. Shape (n,).
    top
        Share where AUUC and `uplift_top` are cut, above 0 to 1.
    n_resamples, rng, confidence
        Of the bootstrap; a draw without a treated or a control row is left out.

    Notes
    -----
    Figures called AUUC differ between libraries: here it is the area under the curve of `qini_curve` over shares
    0..top, in outcomes per client, and means something only beside `auuc_random`.
    """
    if not 0 < top <= 1:
        raise InputError("top", "must lie in 0-1, 0 excluded", value=top)
    if n_resamples < 1 or not 0 < confidence < 1:
        raise InputError("n_resamples", "must be 1 or more, confidence between 0 and 1", value=n_resamples)
    ordered = _Ordered.of(score, treated, outcome, propensity)
    n = len(ordered.weight)
    who = np.arange(n) if clients is None else np.asarray(clients)
    if who.shape != (n,) or not np.issubdtype(who.dtype, np.integer):
        raise InputError("clients", f"must be {n} integers", value=(str(who.dtype), who.shape))
    different, index = np.unique(who[ordered.order], return_inverse=True)
    gen = np.random.default_rng(rng)
    found = [ordered.figures(np.ones(n), top)]
    for _ in range(n_resamples):
        times = np.bincount(gen.integers(0, len(different), len(different)), minlength=len(different))
        found.append(ordered.figures(times[index].astype(np.float64), top))
    drawn = np.array(found[1:])
    tail = (1 - confidence) / 2
    ends = [_quantiles(column, [tail, 1 - tail]) for column in drawn.T]
    names = [f.name for f in fields(UpliftScores) if f.name != "top"]
    intervals = {
        name: ClusteredInterval(float(found[0][i]), *ends[i], confidence, n, 0, len(different))
        for i, name in enumerate(names)
    }
    return UpliftScores(**intervals, top=top)


@dataclass(frozen=True, eq=False)
class _Ordered:
    """Rows from the best score down, and where each step of equal scores ends."""

    order: NDArray[np.int64]
    is_treated: NDArray[np.bool_]
    outcome: Floats
    weight: Floats
    """1 / probability of what was drawn."""
    end: NDArray[np.int64]
    """Last row of each step."""

    @classmethod
    def of(
        cls, score: ArrayLike, treated: ArrayLike, outcome: ArrayLike, propensity: ArrayLike | None
    ) -> "_Ordered":
        s, y = np.asarray(score, np.float64), np.asarray(outcome, np.float64)
        if s.ndim != 1:
            raise InputError("score", "must have one axis", value=s.shape)
        t = np.asarray(treated)
        for name, values in (("treated", t), ("outcome", y)):
            if values.shape != s.shape:
                raise InputError(name, f"must have the shape of score, {s.shape}", value=values.shape)
        for name, values in (("score", s), ("outcome", y)):
            _refuse(name, "must be finite", ~np.isfinite(values))
        if t.dtype != np.bool_:
            _refuse("treated", "must be 0 or 1", ~np.isin(t, (0, 1)))
            t = t.astype(np.bool_)
        if not t.any() or t.all():
            raise DataError(
                "treated",
                "has no control row" if len(t) and t.all() else "has no treated row",
                n_bad=len(t),
                remedy="uplift needs a control group drawn at random and left without the offer",
            )
        weight = np.ones(len(s))
        if propensity is not None:
            p = np.asarray(propensity, np.float64)
            if p.shape != s.shape:
                raise InputError("propensity", f"must have the shape of score, {s.shape}", value=p.shape)
            _refuse(
                "propensity",
                "must lie between 0 and 1, both excluded, not NaN (each row must have had both chances)",
                ~((p > 0) & (p < 1)),
            )
            weight = np.where(t, 1 / p, 1 / (1 - p))
        order = np.argsort(-s, kind="stable")
        end = np.append(np.flatnonzero(np.diff(s[order])), len(s) - 1)
        return cls(order, t[order], y[order], weight[order], end)

    def curve(self, times: Floats) -> tuple[Floats, Floats]:
        """Shares and gains at the ends of steps, from (0, 0); each row counted `times` (in this order)."""
        weight = self.weight * times
        sums = []
        for side in (self.is_treated, ~self.is_treated):
            sums += [np.cumsum(weight * side)[self.end], np.cumsum(weight * side * self.outcome)[self.end]]
        n_treated, y_treated, n_control, y_control = sums
        scaled = np.divide(y_control * n_treated, n_control, out=np.zeros(len(self.end)), where=n_control > 0)
        share = np.cumsum(times)[self.end] / times.sum()
        gain = (y_treated - scaled) / n_treated[-1]
        return np.append(0.0, share), np.append(0.0, gain)

    def figures(self, times: Floats, top: float) -> Floats:
        """The figures of `UpliftScores` in its order; NaN when a side is empty."""
        drawn = times > 0
        if not self.is_treated[drawn].any() or self.is_treated[drawn].all():
            return np.full(5, np.nan)
        share, gain = self.curve(times)
        effect = gain[-1]
        inside = share < top
        cut_share = np.append(share[inside], top)
        cut_gain = np.append(gain[inside], np.interp(top, share, gain))
        qini = _area(gain, share) - effect / 2
        auuc = _area(cut_gain, cut_share)
        return np.array([effect, qini, auuc, effect * top**2 / 2, self._top_effect(times, share, top)])

    def _top_effect(self, times: Floats, share: Floats, top: float) -> float:
        """Difference of means among the top share; the step at the border counts in part."""
        step = np.zeros(len(times), np.int64)
        step[self.end[:-1] + 1] = 1
        step = np.cumsum(step)
        width = np.diff(share)
        part = np.clip(np.divide(top - share[:-1], width, out=np.ones(len(width)), where=width > 0), 0, 1)
        weight = self.weight * times * part[step]
        means = []
        for side in (self.is_treated, ~self.is_treated):
            total = float(weight @ side)
            means.append(float(weight @ (side * self.outcome)) / total if total else float("nan"))
        return means[0] - means[1]


def _quantiles(values: Floats, levels: list[float]) -> tuple[float, float]:
    """Quantiles of the draws that have a value; NaN when none has."""
    drawn = values[~np.isnan(values)]
    low, high = np.quantile(drawn, levels) if len(drawn) else (np.nan, np.nan)
    return float(low), float(high)


def _area(height: Floats, at: Floats) -> float:
    """Area under a broken line (numpy's own name for it differs between its versions)."""
    return float(np.diff(at) @ (height[1:] + height[:-1])) / 2


def _refuse(name: str, rule: str, wrong: NDArray[np.bool_]) -> None:
    if wrong.any():
        rows = np.flatnonzero(wrong)
        raise DataError(name, rule, n_bad=len(rows), examples=rows[:5].tolist())

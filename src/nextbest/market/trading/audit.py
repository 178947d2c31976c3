"""What cheats: reruns a rule on changed data and looks at whether it could have known. Knows no verdict.

A look-ahead shows in three ways, and each detector looks at one: an answer changes when only its future was changed;
a profit stays when the series can hold none (time shuffled, signs drawn by chance); a test sample's label reaches into
the training data. What is audited is a function, so a strategy, a feature and a whole home-made back-test are the same to it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError
from nextbest.market.trading.altered import shuffled_in_time, signs_by_chance, with_other_future

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Rng = int | np.random.Generator
Answers = Callable[[PricePanel], FloatArray]
"""Of a panel, one answer a bar along the first axis: positions or features (T, A), forecasts (T, ...). Row t is what is
said at the close of bar t; NaN = nothing is said."""
Earnings = Callable[[PricePanel], FloatArray]
"""Of a panel, the returns that somebody says he would have earned, (T,): row t is earned by the close of bar t."""
Leak = Literal["future_changed", "earned_by_chance", "same_bar_fill", "label_overlap", "trained_later"]
_LIMIT_T = 4.0
"""Of the joint t-statistic on series without any profit: an honest rule passes it 3 times in 100,000."""


@dataclass(frozen=True)
class Finding:
    """One way in which the subject cheats."""

    leak: Leak
    n: int
    """How many answers, returns or samples show it."""
    first: int
    """The first bar or sample that does."""
    text: str
    """What was changed, and what changed with it."""


@dataclass(frozen=True)
class Audit:
    """What was found; nothing found is no proof of honesty, only of having passed these checks."""

    findings: tuple[Finding, ...]
    checks: tuple[str, ...]
    """What was run."""

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def __add__(self, other: "Audit") -> "Audit":
        return Audit(self.findings + other.findings, self.checks + other.checks)


class Forecasting(Protocol):
    """The part of `market.base.Forecaster` that an audit calls."""

    def fit(self, history: PricePanel, *, horizons: Sequence[int], rng: Any) -> None: ...

    def forecast(self, histories: Sequence[PricePanel], *, horizons: Sequence[int]) -> FloatArray: ...


def audit_answers(answers: Answers, panel: PricePanel, *, rng: Rng, n_changes: int = 3, atol: float = 1e-9) -> Audit:  # fmt: skip
    """Whether an answer changes when only what comes after it was changed.

    Parameters
    ----------
    answers
        A strategy, a feature, or forecasts bar by bar. Called `n_changes` + 2 times; must depend on the panel alone.
    panel
        Real or simulated prices, 20 bars or more.
    rng
        Of the changed futures.
    n_changes
        Moments from which on all bars are exchanged for others, spread over the panel.
    atol
        Differences up to this count as rounding.

    Returns
    -------
    Audit
        `future_changed` with the first bar that knew more than it could. One bar too many is caught as well as the
        whole future: the changed bars begin right after the answer that must not change.

    Raises
    ------
    InputError
        The panel is too short, the answers don't have a row a bar, or they differ between two calls on the same
        panel (give the function its own seed).
    """
    _long_enough(panel)
    gen = np.random.default_rng(rng)
    before = _answered(answers, panel)
    again = _answered(answers, panel)
    if _differs(before, again, atol).any():
        raise InputError("answers", "gives another answer for the same panel", remedy="fix its seed inside")
    findings = []
    for stop in _stops(panel, n_changes):
        after = _answered(answers, with_other_future(panel, stop, rng=gen))
        changed = np.flatnonzero(_differs(before[:stop], after[:stop], atol))
        if len(changed):
            text = f"bars from {stop} on were changed, and {len(changed)} answer(s) before them changed too"
            findings.append(Finding("future_changed", len(changed), int(changed[0]), text))
    return Audit(tuple(findings), ("future_changed",))


def audit_forecaster(
    make: Callable[[PricePanel], Forecasting],
    panel: PricePanel,
    *,
    stops: Sequence[int],
    horizons: Sequence[int] = (1,),
    rng: Rng,
) -> Audit:
    """Whether forecasts at a cutoff change with the bars after it.

    Parameters
    ----------
    make
        Builds the forecaster the way its owner does, given all of the data he has: a model that keeps some of it
        for later is what this looks for. One that is built without data ignores the argument.
    panel
        The data.
    stops
        Cutoffs: the first bar that must not be known, 1 to `n_bars` - 1.
    horizons
        Steps ahead.
    rng
        Of the changed futures.

    Returns
    -------
    Audit
        `future_changed`, `first` being the first such cutoff's place in `stops`.

    Raises
    ------
    InputError
        A stop is out of range, or the forecasts differ between two runs on the same data.
    """
    gen = np.random.default_rng(rng)
    if not stops or not all(1 <= stop < panel.n_bars for stop in stops):
        raise InputError("stops", f"must be 1 to {panel.n_bars - 1}, one or more", value=list(stops)[:5])

    def asked(data: PricePanel, stop: int) -> FloatArray:
        model = make(data)
        model.fit(data.until(stop), horizons=horizons, rng=np.random.default_rng(0))
        return np.asarray(model.forecast([data.until(stop)], horizons=horizons), np.float64)

    changed = []
    for place, stop in enumerate(stops):
        before = asked(panel, stop)
        if _differs(before, asked(panel, stop), 1e-9).any():
            raise InputError("make", "its model forecasts differently on the same data", remedy="use the rng of fit")  # fmt: skip
        if _differs(before, asked(with_other_future(panel, stop, rng=gen), stop), 1e-9).any():
            changed.append(place)
    text = f"the bars after the cutoff were changed, and {len(changed)} of {len(stops)} forecasts changed too"
    findings = (Finding("future_changed", len(changed), changed[0], text),) if changed else ()
    return Audit(findings, ("future_changed",))


def audit_earnings(earnings: Earnings, panel: PricePanel, *, rng: Rng, n_series: int = 8) -> Audit:
    """Whether returns depend on later bars, or are earned where nothing can be.

    Parameters
    ----------
    earnings
        A whole back-test before costs: the bars of a panel in, returns out. Called 2 `n_series` + 5 times.
    panel
        Prices, 100 bars or more.
    rng
        Of the changed futures, shuffles and signs.
    n_series
        Series of each kind: bars in random order, and signs by chance. On both no rule that decides before it
        earns can have a mean above zero; a same-bar fill keeps all of its profit.

    Returns
    -------
    Audit
        `future_changed` and `earned_by_chance`; of the second `n` is how many series showed a profit.

    Raises
    ------
    InputError
        As `audit_answers`.
    """
    _long_enough(panel, 100)
    gen = np.random.default_rng(rng)
    found = audit_answers(earnings, panel, rng=gen)
    findings = list(found.findings)
    for kind, made in (("bars in random order", shuffled_in_time), ("signs by chance", signs_by_chance)):
        t_N = np.array([_t_statistic(_answered(earnings, made(panel, rng=gen))) for _ in range(n_series)])
        joint = float(t_N.sum() / np.sqrt(n_series))
        if joint > _LIMIT_T:
            text = f"{kind}: nothing can be earned there, yet the mean return has t = {joint:.1f}"
            findings.append(Finding("earned_by_chance", int((t_N > 2).sum()), int(np.argmax(t_N > 2)), text))
    return Audit(tuple(findings), (*found.checks, "shuffled_in_time", "signs_by_chance"))


def audit_fills(
    earn: Callable[[FloatArray, PricePanel], FloatArray],
    position_TA: FloatArray,
    panel: PricePanel,
    *,
    rng: Rng,
    n_changes: int = 3,
) -> Audit:
    """Whether a back-test lets a decision earn the bar at whose close it was made.

    Parameters
    ----------
    earn
        A back-test: positions and panel in, returns (T,) out.
    position_TA
        Any positions that trade; NaN = no decision.
    panel
        Its prices.
    rng
        Of the changed decisions.
    n_changes
        Moments from which on decisions are changed.

    Returns
    -------
    Audit
        `same_bar_fill` where the return of bar t changed with the decision of bar t or of a later one.
    """
    _long_enough(panel)
    gen = np.random.default_rng(rng)
    before = np.asarray(earn(position_TA, panel), np.float64)
    findings = []
    for stop in _stops(panel, n_changes):
        other = position_TA.copy()
        other[stop:] = -other[stop:] + gen.normal(scale=0.1, size=other[stop:].shape)
        after = np.asarray(earn(other, panel), np.float64)
        changed = np.flatnonzero(_differs(before[: stop + 1], after[: stop + 1], 1e-12))
        if len(changed):
            text = f"decisions from the close of bar {stop} on were changed, and bar {changed[0]} earned something else"
            findings.append(Finding("same_bar_fill", len(changed), int(changed[0]), text))
    return Audit(tuple(findings), ("same_bar_fill",))


def audit_split(
    label_start_N: IntArray,
    label_end_N: IntArray,
    train: IntArray,
    test: IntArray,
    *,
    future_is_allowed: bool = False,
) -> Audit:
    """Whether training samples hold what the test asks.

    Parameters
    ----------
    label_start_N, label_end_N
        First and last bar that each sample's label is made of. Shape (N,).
    train, test
        Numbers of the samples on each side.
    future_is_allowed
        True for cross-validation, where training data may lie after the test; False for a walk forward, where it
        is the mark of samples that were shuffled in time.

    Returns
    -------
    Audit
        `label_overlap`: training labels that share a bar with a test label; `trained_later`: training samples
        whose label ends when the first test label has begun. `first` is the first such training sample.
    """
    findings = []
    overlap = overlapping(label_start_N, label_end_N, train, test)
    if len(overlap):
        text = f"{len(overlap)} of {len(train)} training labels share bars with labels of the test"
        findings.append(Finding("label_overlap", len(overlap), int(overlap[0]), text))
    if not future_is_allowed and len(test):
        later = train[label_end_N[train] >= label_start_N[test].min()]
        if len(later):
            text = (
                f"{len(later)} of {len(train)} training samples lie after the test begins: shuffled in time?"
            )
            findings.append(Finding("trained_later", len(later), int(later[0]), text))
    return Audit(tuple(findings), ("label_overlap",) if future_is_allowed else ("label_overlap", "trained_later"))  # fmt: skip


def overlapping(label_start_N: IntArray, label_end_N: IntArray, train: IntArray, test: IntArray) -> IntArray:
    """Training samples whose label shares a bar with the label of some test sample, ascending as given."""
    if not len(test) or not len(train):
        return train[:0]
    n_bars = int(max(label_end_N.max(), 0)) + 2
    edges = np.zeros(n_bars, np.int64)
    np.add.at(edges, label_start_N[test], 1)
    np.add.at(edges, label_end_N[test] + 1, -1)
    tested_before = np.concatenate([[0], np.cumsum(np.cumsum(edges) > 0)])
    hit = tested_before[label_end_N[train] + 1] > tested_before[label_start_N[train]]
    return train[hit]


def _answered(answers: Answers, panel: PricePanel) -> FloatArray:
    answer = np.asarray(answers(panel), np.float64)
    if answer.ndim < 1 or len(answer) != panel.n_bars:
        raise InputError("answers", f"must give a row for each of the {panel.n_bars} bars", value=answer.shape)  # fmt: skip
    return answer


def _differs(a: FloatArray, b: FloatArray, atol: float) -> NDArray[np.bool_]:
    """Rows of which some number differs; NaN is equal to NaN only."""
    same = np.isclose(a, b, rtol=1e-9, atol=atol, equal_nan=True)
    differs: NDArray[np.bool_] = np.array([not row.all() for row in np.atleast_1d(same)], bool)
    return differs


def _stops(panel: PricePanel, n: int) -> list[int]:
    """Moments spread over the panel's later two thirds, where a rule has had time to warm up."""
    return [int(stop) for stop in np.linspace(panel.n_bars // 3, panel.n_bars - 2, n).round()]


def _t_statistic(return_T: FloatArray) -> float:
    """Of the mean of the returns that are there; 0 where they are too few or all alike."""
    known = return_T[~np.isnan(return_T)]
    if len(known) < 3 or known.std() == 0:
        return 0.0
    return float(known.mean() / known.std(ddof=1) * np.sqrt(len(known)))


def _long_enough(panel: PricePanel, least: int = 20) -> None:
    if panel.n_bars < least:
        raise InputError("panel", f"must have {least} bars or more for an audit", value=panel.n_bars)

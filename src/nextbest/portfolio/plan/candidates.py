"""Allocations that might be proposed: models, peers', optimised, market; each made to fit the client, then filtered.

Class returns and a profile in, allocations by asset class out; knows no instrument.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextbest.errors import DataError
from nextbest.portfolio.plan.advice import CASH_CLASSES
from nextbest.portfolio.plan.black_litterman import View, black_litterman
from nextbest.portfolio.plan.bounds import Infeasible
from nextbest.portfolio.plan.class_returns import ClassReturns
from nextbest.portfolio.plan.estimates import moments
from nextbest.portfolio.plan.hierarchical import hrp
from nextbest.portfolio.plan.min_cvar import min_cvar
from nextbest.portfolio.plan.questionnaire import RiskProfile
from nextbest.portfolio.plan.risk_parity import risk_parity
from nextbest.portfolio.plan.suitability import (
    Allocation,
    SuitabilityLimits,
    Violation,
    load_limits,
    suitable,
    suitable_bounds,
)

Floats = NDArray[np.float64]
Source = Literal[
    "model", "peers", "min_cvar", "risk_parity", "hrp", "black_litterman", "market", "safe", "current"
]
SOURCE_WORDS: Mapping[Source, Mapping[str, str]] = {
    "model": {"en": "model portfolio for the risk class", "ru": "модельный портфель для риск-профиля"},
    "peers": {"en": "allocation of similar clients", "ru": "распределение похожих клиентов"},
    "min_cvar": {"en": "least expected loss in bad months", "ru": "наименьшие потери в плохие месяцы"},
    "risk_parity": {"en": "equal shares of risk", "ru": "равные доли риска"},
    "hrp": {
        "en": "risk shared by groups of like classes",
        "ru": "риск поделён между группами похожих классов",
    },
    "black_litterman": {
        "en": "similar clients' allocation moved towards past returns",
        "ru": "распределение похожих клиентов с поправкой на прошлую доходность",
    },
    "market": {"en": "the whole market", "ru": "рынок в целом"},
    "safe": {"en": "the steadiest class alone", "ru": "только самый спокойный класс"},
    "current": {"en": "what is held now", "ru": "нынешнее распределение"},
}
MIN_MONTHS = 24
"""Fewer months of returns are no ground for optimised allocations, nor for futures drawn from them."""
DISTINCT = 0.005
"""Two allocations are the same where no weight differs by more; the one made first stays, models before others."""
STEADY = 0.01
"""Standard deviation of a month's return up to which a class counts as steady, a fraction."""
Filter = Callable[[Allocation, RiskProfile, SuitabilityLimits], list[Violation]]


@dataclass(frozen=True)
class Candidate:
    """One allocation by asset class, in the order of the class returns."""

    name: str
    source: Source
    weights_C: Floats
    """Fractions with sum 1. Shape (C,)."""
    scaled: float = 1.0
    """Share of the original allocation; the rest was put into the steadiest class so that it suits."""


@dataclass(frozen=True)
class Candidates:
    """What may be proposed, and what may not and why."""

    suitable: tuple[Candidate, ...]
    refused: tuple[tuple[Candidate, tuple[Violation, ...]], ...]
    """Allocations that break a rule, with the rules."""
    skipped: Mapping[str, str]
    """Names of those that could not be made, with the reason."""


def model_portfolio(
    risk_class: int, returns: ClassReturns, profile: RiskProfile, limits: SuitabilityLimits
) -> Floats:
    """Weights of the model portfolio of a risk class over the classes that there are. Shape (C,).

    A group's share is split evenly over its classes that the client's knowledge allows; the share of a group without any
    goes to the defensive group.

    Raises
    ------
    DataError
        There is no defensive class that the client may hold.
    """
    shares = load_models()[risk_class]
    members: dict[str, list[int]] = {"defensive": [], "equity": [], "alternative": []}
    for i, name in enumerate(returns.classes):
        kind = limits.of_class(name)
        if kind.complexity <= profile.knowledge:
            members[kind.group].append(i)
    idle = [i for i in members["defensive"] if returns.classes[i] in CASH_CLASSES]
    if len(idle) < len(
        members["defensive"]
    ):  # money that lies idle is no part of a model where something else is
        members["defensive"] = [i for i in members["defensive"] if i not in idle]
    if not members["defensive"]:
        raise DataError(
            "class returns", "hold no defensive class for the model portfolio", examples=list(returns.classes)
        )
    weights_C = np.zeros(len(returns.classes))
    for group, share in shares.items():
        into = members[group] or members["defensive"]
        weights_C[into] += share / len(into)
    return weights_C


class CandidateMaker:
    """Makes candidates for many clients from the same class returns.

    Parameters
    ----------
    returns
        Monthly returns of the classes that may be held.
    limits
        A house's own, or those of the package.
    alpha
        Tail of CVaR, of months.
    view_confidence
        Trust in past mean returns as views on the peers' allocation, 0-1 exclusive.

    Notes
    -----
    Optimised allocations are made of the classes that vary, from monthly returns; they depend on the client only through
    which classes the client's knowledge allows, and are made once for each such set.
    """

    def __init__(
        self,
        returns: ClassReturns,
        *,
        limits: SuitabilityLimits | None = None,
        alpha: float = 0.05,
        view_confidence: float = 0.25,
    ) -> None:
        self.returns, self.limits = returns, limits or load_limits()
        self.alpha, self.view_confidence = alpha, view_confidence
        self._mean_C, self._cov_CC = moments(returns.returns_MC, names=returns.classes)
        self._varies = np.diag(self._cov_CC) > 1e-10
        self._optimised: dict[tuple[int, ...], tuple[list[Candidate], dict[str, str]]] = {}

    def build(
        self,
        profile: RiskProfile,
        *,
        peers: Mapping[str, float] | None = None,
        market: Mapping[str, float] | None = None,
        current: Mapping[str, float] | None = None,
        check: Filter = suitable,
    ) -> Candidates:
        """All allocations that can be made for a client, those that suit apart from those that don't.

        Parameters
        ----------
        profile
            The client's.
        peers
            Allocation of similar clients by class, sum 1; it has passed the privacy gate already. None: they said nothing.
        market
            Allocation of the whole market by class, sum 1.
        current
            The client's own by class, sum 1: a candidate as it is, so that nothing worse is proposed where it suits.
        check
            The filter; another one only in tests.

        Notes
        -----
        What breaks a limit is mixed with the steadiest class, as little as needed, but not what is held now; the filter
        has the last word on all.
        """
        returns, limits = self.returns, self.limits
        safe = self._safe_class(profile)
        alone_C = self.safe_alone(profile)
        skipped: dict[str, str] = {}
        made: list[Candidate] = []
        for risk_class in range(1, profile.risk_class + 1):
            name = f"model_{risk_class}"
            try:
                made.append(Candidate(name, "model", model_portfolio(risk_class, returns, profile, limits)))
            except DataError as error:
                skipped[name] = str(error)
        for source, given in (("peers", peers), ("market", market)):
            if given is None:
                skipped[source] = "not given"
            elif strangers := sorted({k for k, w in given.items() if w > 0} - set(returns.classes)):
                skipped[source] = f"classes without returns: {strangers}"
            else:
                weights_C = np.array([given.get(c, 0.0) for c in returns.classes])
                made.append(Candidate(source, "peers" if source == "peers" else "market", weights_C))
        optimised, failed = self._optimise(profile)
        made += optimised
        skipped.update(failed)
        made += self._from_peers(profile, peers, skipped)
        if alone_C is not None:
            made.append(Candidate("safe", "safe", alone_C))
        good: list[Candidate] = []
        refused: list[tuple[Candidate, tuple[Violation, ...]]] = []
        fitted = [fit_to_limits(c, returns, profile, limits, safe) for c in made]
        held = {k: w for k, w in (current or {}).items() if w > 0}
        if not held or set(held) - set(returns.classes):
            skipped["current"] = (
                f"classes without returns: {sorted(set(held) - set(returns.classes))}"
                if held
                else "not given"
            )
        else:
            fitted.append(
                Candidate("current", "current", np.array([held.get(c, 0.0) for c in returns.classes]))
            )
        for candidate in fitted:
            broken = check(allocation_of(candidate, returns), profile, limits)
            if broken:
                refused.append((candidate, tuple(broken)))
            elif not any(np.abs(candidate.weights_C - c.weights_C).max() < DISTINCT for c in good):
                good.append(candidate)
        return Candidates(tuple(good), tuple(refused), skipped)

    def safe_alone(self, profile: RiskProfile) -> Floats | None:
        """All in the steady class: weights (C,), None where the client may hold none."""
        safe = self._safe_class(profile)
        return None if safe is None else np.eye(len(self.returns.classes))[safe]

    def _safe_class(self, profile: RiskProfile) -> int | None:
        """Where what breaks a limit goes: of the defensive classes that hardly vary the one with the best mean return.

        Of those that all vary more than `STEADY` the least varying; None where the client may hold none.
        """
        size = np.sqrt(np.diag(self._cov_CC))
        allowed = [
            i
            for i, name in enumerate(self.returns.classes)
            if (kind := self.limits.of_class(name)).group == "defensive"
            and kind.complexity <= profile.knowledge
            and kind.liquid
        ]
        steady = [i for i in allowed if size[i] <= STEADY]
        if steady:
            return max(steady, key=lambda i: float(self._mean_C[i]))
        return min(allowed, key=lambda i: float(size[i])) if allowed else None

    def _optimise(self, profile: RiskProfile) -> tuple[list[Candidate], dict[str, str]]:
        """Allocations over the classes that vary and that the client's knowledge allows; made once for each such set."""
        names = self.returns.classes
        risky = tuple(
            i
            for i, n in enumerate(names)
            if self._varies[i] and self.limits.of_class(n).complexity <= profile.knowledge
        )
        if risky in self._optimised:
            return self._optimised[risky]
        found: list[Candidate] = []
        failed: dict[str, str] = {}
        if len(risky) < 2 or len(self.returns.returns_MC) < MIN_MONTHS:
            failed["optimised"] = f"needs two classes that vary and {MIN_MONTHS} months"
        else:
            sample, cov = self.returns.returns_MC[:, risky], self._cov_CC[np.ix_(risky, risky)]
            solvers: Sequence[tuple[Source, Callable[[], Floats]]] = (
                ("min_cvar", lambda: min_cvar(sample, alpha=self.alpha)),
                ("risk_parity", lambda: risk_parity(cov)),
                ("hrp", lambda: hrp(cov)),
            )
            for source, solve in solvers:
                try:
                    weights_C = np.zeros(len(names))
                    weights_C[list(risky)] = solve()
                except (DataError, Infeasible) as error:
                    failed[source] = str(error)
                else:
                    found.append(Candidate(source, source, weights_C))
        self._optimised[risky] = (found, failed)
        return found, failed

    def _from_peers(
        self, profile: RiskProfile, peers: Mapping[str, float] | None, skipped: dict[str, str]
    ) -> list[Candidate]:
        """Black-Litterman with the peers' allocation as prior and past mean returns as weak views."""
        names = self.returns.classes
        if peers is None or {k for k, w in peers.items() if w > 0} - set(names) or not self._varies.any():
            skipped["black_litterman"] = "needs the peers' allocation as its prior, and a class that varies"
            return []
        steady = self._mean_C[self.returns.safest()]  # implied returns are over the steadiest class
        views = [
            View({n: 1.0}, float(self._mean_C[i] - steady), self.view_confidence)
            for i, n in enumerate(names)
            if self._varies[i]
        ]
        prior_A = np.array([peers.get(n, 0.0) for n in names])
        bounds = suitable_bounds(profile, names, self.limits)
        try:
            weights_C = black_litterman(
                self._cov_CC, prior_A=prior_A, views=views, bounds=bounds, names=names
            )
        except (DataError, Infeasible) as error:
            skipped["black_litterman"] = str(error)
            return []
        return [Candidate("black_litterman", "black_litterman", weights_C)]


def allocation_of(candidate: Candidate, returns: ClassReturns) -> Allocation:
    """The candidate as suitability reads it."""
    return Allocation({c: float(w) for c, w in zip(returns.classes, candidate.weights_C, strict=True)})


@cache
def load_models() -> Mapping[int, Mapping[str, float]]:
    """Shares of defensive, equity and alternative classes by risk class, from the package's file."""
    raw = tomllib.loads(
        (files("nextbest.portfolio.plan") / "forms" / "models.toml").read_text(encoding="utf-8")
    )
    found = {int(k): {g: float(s) for g, s in v.items()} for k, v in raw["risk_class"].items()}
    assert all(abs(sum(v.values()) - 1) < 1e-9 for v in found.values()), (
        "shares of a model portfolio sum to 1"
    )
    return found


def fit_to_limits(
    candidate: Candidate,
    returns: ClassReturns,
    profile: RiskProfile,
    limits: SuitabilityLimits,
    safe: int | None,
) -> Candidate:
    """The candidate mixed with the safe class, as little as the limits ask; classes beyond the knowledge go to it whole."""
    if safe is None:
        return candidate
    allowed = limits.risk_class[profile.risk_class]
    weights = candidate.weights_C.copy()
    kinds = [limits.of_class(n) for n in returns.classes]
    beyond = np.array([k.complexity > profile.knowledge for k in kinds])
    weights[safe] += weights[beyond].sum()
    weights[beyond] = 0.0
    rows = {
        "equity": (np.array([k.group == "equity" for k in kinds], np.float64), allowed.max_equity),
        "alternative": (
            np.array([k.group == "alternative" for k in kinds], np.float64),
            allowed.max_alternative,
        ),
        "foreign": (np.array([k.foreign for k in kinds]), allowed.max_foreign),
        "illiquid": (np.array([0.0 if k.liquid else 1.0 for k in kinds]), 1.0 - profile.liquidity_need),
    }
    for row, most in rows.values():
        row[safe] = 0.0
        has = float(row @ weights)
        if has > most:  # only what the limit is about gives way
            cut = np.where(row > 0, weights * (1 - most / has), 0.0)
            weights = weights - cut
            weights[safe] += cut.sum()
    kept = 1.0 - float(np.maximum(candidate.weights_C - weights, 0).sum())
    if kept > 1 - 1e-9:
        return candidate
    return Candidate(candidate.name, candidate.source, weights, scaled=kept)

"""The plan itself: candidates that suit, the odds of the goal for each, the choice, and the document of it all.

Everything comes in as values (profile, goal, class returns, peers' answer); `planner` gathers them from a book.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveInt

from nextbest.errors import DataError, InputError
from nextbest.portfolio.peers.answers import PeerSummary, Refusal
from nextbest.portfolio.plan.advice import AdviceConfig
from nextbest.portfolio.plan.candidates import MIN_MONTHS, Candidate, CandidateMaker, Candidates
from nextbest.portfolio.plan.class_returns import ClassReturns
from nextbest.portfolio.plan.explain import Counterfactual, counterfactuals
from nextbest.portfolio.plan.glide import GlidePath, Weights
from nextbest.portfolio.plan.goals import Goal, GoalOdds, GoalSimulator
from nextbest.portfolio.plan.questionnaire import RiskProfile
from nextbest.portfolio.plan.suitability import SuitabilityLimits, load_limits
from nextbest.portfolio.wording import Mode

Floats = NDArray[np.float64]
_SAME_ODDS = 0.01
"""Odds nearer than this are the same: shortfall decides. About two standard errors of 10,000 paths."""


class PlanConfig(BaseModel, frozen=True, extra="forbid"):
    """How a plan is made."""

    n_paths: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000
    block: PositiveInt = 12
    """Months of history drawn together."""
    inflation_ann: Annotated[float, Field(gt=-0.5, lt=1)] = 0.04
    """Growth of prices a year, an assumption; moves target and contributions."""
    fee_ann: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of wealth taken a year."""
    cash_return_ann: Annotated[float, Field(gt=-0.5, lt=1)] | None = 0.0
    """Steady return of idle cash a year, an assumption, where prices have no class `cash`; None: no cash."""
    wanted: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Probability that the required contribution and time are worked out for."""
    glide_months: PositiveInt | None = 36
    """Months before the goal at which the move into the steadiest class begins; None: weights never change."""
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Tail of CVaR, of months."""
    view_confidence: Annotated[float, Field(gt=0, lt=1)] = 0.25
    """Trust in past mean returns when peers' allocation is moved."""
    seed: int = 0
    """Of the simulated futures; the same for all candidates and counterfactuals."""
    advice: AdviceConfig | None = None
    """None: individual recommendations are switched off."""


@dataclass(frozen=True)
class PlanRequest:
    """What a plan is asked for."""

    client_id: str
    currency: str
    wealth: float
    """Money now, in `currency`."""
    goal: Goal
    goal_id: str
    goal_type: str
    profile: RiskProfile
    """With the goal's own horizon in it."""
    now: datetime
    """Moment of the plan, with a time zone."""
    current: Mapping[str, float] | None = None
    """Allocation now by asset class, sum 1; None where nothing is held."""
    required: bool = True
    """Whether required contribution and time are wanted too."""


@dataclass(frozen=True)
class Option:
    """One suitable candidate with its odds."""

    candidate: Candidate
    weights: Weights
    """What was simulated: a glide path that starts from the candidate, or its weights."""
    odds: GoalOdds


@dataclass(frozen=True)
class Plan:
    """A proposal with its reasons, or a refusal."""

    request: PlanRequest
    config: PlanConfig
    limits: SuitabilityLimits
    mode: Mode
    returns: ClassReturns | None = None
    options: tuple[Option, ...] = ()
    """Best first."""
    candidates: Candidates | None = None
    current_odds: GoalOdds | None = None
    """Of going on as now, whatever the profile says of it."""
    counterfactuals: tuple[Counterfactual, ...] = ()
    required_months: int | None = None
    """Months at which the wanted odds are reached; None: not within 50 years, or not asked."""
    peers: PeerSummary | Refusal | None = None
    refused: str | None = None
    """Code of `wording.REFUSALS` where there is no proposal."""
    instruments: Mapping[str, float] = field(default_factory=dict)
    """Advice mode only: asset id to weight."""
    notes: tuple[str, ...] = ()

    @property
    def chosen(self) -> Option | None:
        """The proposal."""
        return self.options[0] if self.options and self.refused is None else None

    def document(self) -> dict[str, object]:
        """The plan as one JSON document, signed by `wording`; in information mode it names no instrument."""
        from nextbest.portfolio.plan.plan_document import plan_document

        return plan_document(self)


def propose(
    request: PlanRequest,
    returns: ClassReturns,
    *,
    config: PlanConfig | None = None,
    limits: SuitabilityLimits | None = None,
    peers: PeerSummary | Refusal | None = None,
    market: Mapping[str, float] | None = None,
    mode: Mode = "information",
) -> Plan:
    """The suitable allocation with the best odds of the goal.

    Parameters
    ----------
    request
        Client, goal, money and profile.
    returns
        Monthly returns of classes in the request's currency.
    config, limits
        Defaults where not given.
    peers
        What the privacy gate answered; None: nobody was asked.
    market
        Allocation of the market by class.

    Returns
    -------
    Plan
        Options by probability; those within a percentage point of the best are ordered by mean shortfall, then by the
        share of the steadiest class. Refused with `nothing_suitable` where no candidate passes the filter.

    Raises
    ------
    InputError
        Returns are in another currency, or `now` has no time zone.
    DataError
        The class returns are unusable, or of fewer than 24 months.
    """
    config, limits = config or PlanConfig(), limits or load_limits()
    if request.now.tzinfo is None:
        raise InputError("now", "must have a time zone", value=request.now)
    if returns.currency and returns.currency != request.currency:
        raise InputError(
            "returns", f"must be in the goal's currency, {request.currency}", value=returns.currency
        )
    if len(returns.returns_MC) < MIN_MONTHS:
        raise DataError(
            "class returns",
            f"hold {len(returns.returns_MC)} month(s); futures are not drawn from fewer than {MIN_MONTHS}",
            remedy="import older prices, or leave classes without history out",
        )
    shape = None
    if isinstance(peers, PeerSummary) and peers.allocation is not None:
        shape = dict(zip(peers.allocation.asset_classes, peers.allocation.weights_C, strict=True))
    maker = CandidateMaker(returns, limits=limits, alpha=config.alpha, view_confidence=config.view_confidence)
    found = maker.build(request.profile, peers=shape, market=market, current=request.current)
    plan = Plan(
        request, config, limits, mode, returns, candidates=found, peers=peers, notes=_notes(config, returns)
    )
    if not found.suitable:
        return replace(plan, refused="nothing_suitable")
    block = min(config.block, len(returns.returns_MC))
    simulator = GoalSimulator(returns.returns_MC, n_paths=config.n_paths, block=block, rng=config.seed)
    near_C = _nearest_weights(found, maker, request.profile)
    options = []
    for candidate in found.suitable:
        weights: Weights = candidate.weights_C
        if config.glide_months is not None:
            weights = GlidePath(candidate.weights_C, near_C, config.glide_months)
        wanted = config.wanted if request.required else None
        odds = simulator.odds(request.goal, wealth=request.wealth, weights=weights, wanted=wanted)
        options.append(Option(candidate, weights, odds))
    options = _ordered(options, near_C)
    best = options[0]
    return replace(
        plan,
        options=tuple(options),
        current_odds=_current_odds(simulator, request, returns),
        counterfactuals=tuple(
            counterfactuals(
                simulator,
                request.goal,
                wealth=request.wealth,
                weights=best.weights,
                before=best.odds.probability,
                needed=best.odds.required_contribution,
            )
        ),
        required_months=simulator.required_months(
            request.goal, wealth=request.wealth, weights=best.weights, wanted=config.wanted
        )
        if request.required
        else None,
    )


def _ordered(options: list[Option], near_C: Floats) -> list[Option]:
    """Best first: those as good as the best by shortfall, then the others by probability."""
    best = max(o.odds.probability for o in options)

    def place(option: Option) -> tuple[float, float, float]:
        same = option.odds.probability >= best - _SAME_ODDS
        steady = -float(option.candidate.weights_C @ near_C)
        return (0.0 if same else 1.0 - option.odds.probability, option.odds.shortfall_mean, steady)

    return sorted(options, key=place)


def _nearest_weights(found: Candidates, maker: CandidateMaker, profile: RiskProfile) -> Floats:
    """Where a glide path ends: the steady class alone, or the suitable candidate of least variance where there is none."""
    if (alone := maker.safe_alone(profile)) is not None:
        return alone
    cov = np.cov(maker.returns.returns_MC.T).reshape(len(maker.returns.classes), -1)
    return min((c.weights_C for c in found.suitable), key=lambda w: float(w @ cov @ w))


def _current_odds(simulator: GoalSimulator, request: PlanRequest, returns: ClassReturns) -> GoalOdds | None:
    """Odds with the allocation as it is; None where it isn't known or a class of it has no returns."""
    held = {c: w for c, w in (request.current or {}).items() if w > 0}
    if not held or set(held) - set(returns.classes):
        return None
    weights_C = np.array([held.get(c, 0.0) for c in returns.classes])
    return simulator.odds(request.goal, wealth=request.wealth, weights=weights_C)


def _notes(config: PlanConfig, returns: ClassReturns) -> tuple[str, ...]:
    """How the figures came about."""
    glide = (
        []
        if config.glide_months is None
        else [
            f"Every option moves into the steadiest class over {config.glide_months} months; going on as now doesn't"
        ]
    )
    span = f"{returns.months_M[0]} to {returns.months_M[-1]}"
    return (
        (
            f"{config.n_paths:,} simulated futures from {len(returns.returns_MC)} months of history ({span}), "
            f"drawn in blocks of {min(config.block, len(returns.returns_MC))} months, all classes together"
        ),
        f"Prices grow by {config.inflation_ann:.1%} a year (assumption); contributions and the target grow with them",
        f"Fees {config.fee_ann:.2%} a year; rebalanced every month without cost or tax",
        *glide,
        *returns.notes,
    )

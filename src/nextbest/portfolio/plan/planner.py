"""From a client in the book to a plan: profile, goal, wealth and class returns gathered, peers asked, advice if switched on.

The only module of the plan that reads a book. What may be said of peers is the privacy gate's; what an instrument's name
may appear in is `advice`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from nextbest.data.holdings.book import Book
from nextbest.errors import InputError
from nextbest.portfolio.peers.answers import PeerSummary, Refusal
from nextbest.portfolio.peers.from_book import allocation_of, current_goal, profile_of, years_left
from nextbest.portfolio.peers.privacy import Peers, PrivacyGate
from nextbest.portfolio.plan.advice import choose_instruments
from nextbest.portfolio.plan.class_returns import ClassReturns, class_returns
from nextbest.portfolio.plan.explain import why_class
from nextbest.portfolio.plan.goals import Goal
from nextbest.portfolio.plan.journal import Journal
from nextbest.portfolio.plan.proposal import Plan, PlanConfig, PlanRequest, propose
from nextbest.portfolio.plan.questionnaire import RiskProfile, risk_class, with_horizon
from nextbest.portfolio.plan.suitability import SuitabilityLimits, load_limits
from nextbest.portfolio.wording import Mode
from nextbest.portfolio.worth import worth_of
from nextbest.version import __version__


@dataclass(frozen=True)
class WhatIf:
    """A goal as the client names it now, in place of the book's; None = as in the book."""

    goal_type: str | None = None
    """Which of the client's goals, or what kind of new one."""
    target_amount: float | None = None
    """In the goal's currency, today's prices; > 0. A new goal is in the client's."""
    years: float | None = None
    """From now; > 0."""
    monthly_contribution: float | None = None
    """Put aside each month; >= 0, in the goal's currency, today's prices."""

    @property
    def is_whole(self) -> bool:
        """Whether it says enough for a goal that the book doesn't have."""
        return self.target_amount is not None and self.years is not None


NEW_GOAL = "asked"
"""Id of a goal that the book doesn't have."""


def plan(
    client: str,
    book: Book,
    peers: Peers | None = None,
    *,
    now: datetime,
    gate: PrivacyGate | None = None,
    asker: str | None = None,
    config: PlanConfig | None = None,
    limits: SuitabilityLimits | None = None,
    mode: Mode = "information",
    answers: Mapping[str, str] | None = None,
    answered_on: date | None = None,
    asked_at: datetime | None = None,
    goal_id: str | None = None,
    what_if: WhatIf | None = None,
    returns: ClassReturns | None = None,
    journal: Journal | None = None,
) -> Plan:
    """A plan for one client's goal.

    Parameters
    ----------
    client
        Id in the book.
    book
        Investors, goals, trades and prices. Prices after `now` are not looked at.
    peers, gate
        Index of clients and the gate that answers for it; None: nobody is asked.
    now
        Moment of the plan, with a time zone.
    asker
        Who asks, as authenticated by the caller; the client where not given.
    config, limits
        Defaults where not given.
    mode
        `advice` names instruments: only with `config.advice`, a journal, and a valid questionnaire no older than
        `limits.max_age_days`.
    answers, answered_on
        The questionnaire and its day (today where not given); without, the grades stored in the book, which are no ground
        for advice.
    asked_at
        What the clock says, by which the gate counts questions and remembers answers; `now` where not given. Not the
        day that a caller asks about.
    goal_id
        Which of the client's goals; where not given the first by id whose time isn't over. A horizon counts from the
        profile's day in the book.
    what_if
        Asked instead of what the book says of the goal. Peers are those of the book's goal all the same: a question about
        them for every "what if" would tell them apart.
    returns
        Monthly class returns made before, so that many plans share them; from the book's prices where not given.
    journal
        Written before anything is returned in advice mode, refusals too.

    Returns
    -------
    Plan
        With `refused` set where there is no answer.

    Raises
    ------
    InputError
        The client, the goal or the grades aren't known, the goal's time is over, answers are wrong, advice is asked for without a journal.
    DataError
        Prices don't make class returns, or the account can't be valued.
    ExternalError
        The journal or the peers' log can't be written: nothing is answered then.
    """
    config, limits = config or PlanConfig(), limits or load_limits()
    if now.tzinfo is None:
        raise InputError("now", "must have a time zone", value=now)
    investor = _investor(book, client)
    goal_row, stored, years_left = _goal(book, investor, goal_id, what_if or WhatIf(), now.date())
    months = max(1, round(years_left * 12))
    profile = _profile(investor, answers, answered_on or now.date())
    profile = with_horizon(profile, years=years_left)
    currency = goal_row["currency"]
    if returns is None:
        market = book.market(end=now.date(), currency=currency)
        returns = class_returns(market, cash_return_ann=config.cash_return_ann)
    wealth, current = _holdings(book, client, currency, now.date())
    paid = what_if.monthly_contribution if what_if is not None else None
    if paid is None:
        paid = goal_row.get("monthly_contribution")
    if paid is None:
        paid = investor.get("monthly_contribution") or 0.0
    request = PlanRequest(
        client_id=client,
        currency=currency,
        wealth=wealth,
        goal=Goal(goal_row["target_amount"], months, float(paid), config.inflation_ann, config.fee_ann),
        goal_id=goal_row["goal_id"],
        goal_type=goal_row["goal_type"],
        profile=profile,
        now=now,
        current=current,
    )
    told = None
    if peers is not None and gate is not None:
        own = investor["currency"]  # in which all profiles tell wealth, whatever the goal's is
        worth = wealth if currency == own else _holdings(book, client, own, now.date())[0]
        question = profile_of(investor, stored, wealth=worth, as_of=now.date())
        told = gate.ask(peers, question, asker=asker or client, now=asked_at or now, own_ids=(client,))
        if isinstance(told, PeerSummary) and told.as_of > now.date().isoformat():
            told = None  # the gate repeats its answers: one given on a later day is no part of a plan of this one
    market_shape = _market_shape(book, returns)
    if mode == "information":
        return propose(request, returns, config=config, limits=limits, peers=told, market=market_shape)
    return advise(
        request, returns, config=config, limits=limits, peers=told, market=market_shape, journal=journal
    )


def advise(
    request: PlanRequest,
    returns: ClassReturns,
    *,
    journal: Journal | None,
    config: PlanConfig,
    limits: SuitabilityLimits,
    peers: PeerSummary | Refusal | None = None,
    market: Mapping[str, float] | None = None,
) -> Plan:
    """A plan with instruments, written into the journal before it is returned; or a refusal, written too.

    Raises
    ------
    InputError
        There is no journal.
    ExternalError
        The journal can't be written.
    """
    if config.advice is None:  # switched off: there is nothing to journal
        return Plan(request, config, limits, "advice", refused="advice_off")
    if journal is None:
        raise InputError("journal", "is required in advice mode")
    against = request.profile.why_no_advice(request.now.date(), max_age_days=limits.max_age_days)
    with journal.turn() as turn:
        if against:
            made = Plan(request, config, limits, "advice", refused=against[0])
        else:
            made = propose(
                request, returns, config=config, limits=limits, peers=peers, market=market, mode="advice"
            )
        if made.chosen is not None:
            chosen = made.chosen
            weights = dict(zip(returns.classes, chosen.candidate.weights_C.tolist(), strict=True))
            found = choose_instruments(
                weights,
                request.profile,
                config=config.advice,
                limits=limits,
                recommended=turn.recommended(),
                home_currency=request.currency,
            )
            made = (
                replace(made, refused="no_instruments") if found is None else replace(made, instruments=found)
            )
        reason = why_class(request.profile)
        result: dict[str, Any] = {"refused": made.refused}
        if made.chosen is not None:
            result = {
                "name": made.chosen.candidate.name,
                "classes": dict(zip(returns.classes, made.chosen.candidate.weights_C.tolist(), strict=True)),
                "instruments": dict(made.instruments),
                "probability": made.chosen.odds.probability,
            }
        turn.append(
            at=request.now,
            client_id=request.client_id,
            inputs=_inputs(request, returns, config, limits),
            version=__version__,
            reason=reason,
            result=result,
        )
    return made


def _investor(book: Book, client: str) -> dict[str, Any]:
    """The client's row."""
    return book.investors(client).row(0, named=True)


def _goal(
    book: Book, investor: Mapping[str, Any], goal_id: str | None, what_if: WhatIf, today: date
) -> tuple[dict[str, Any], Mapping[str, Any] | None, float]:
    """The goal asked for, or the first whose time isn't over; as the book has it, if it does; and the years that are left."""
    own = book.goals(investor["client_id"]).to_dicts()
    rows = [g for g in own if goal_id in (None, g["goal_id"]) and what_if.goal_type in (None, g["goal_type"])]
    if not rows and goal_id is None and what_if.is_whole:
        made = {
            "goal_id": NEW_GOAL,
            "goal_type": what_if.goal_type or "wealth",
            "target_amount": what_if.target_amount,
            "currency": investor["currency"],
        }
        return made, current_goal(investor, own, as_of=today), float(what_if.years or 0)
    if not rows:
        raise InputError(
            "goal_id", "the client has no such goal", value=goal_id, remedy="add it to the book's goals"
        )
    stored = current_goal(investor, rows, as_of=today) or {}
    chosen = dict(stored)
    if what_if.target_amount is not None:
        chosen["target_amount"] = what_if.target_amount
    left = years_left(investor, chosen, as_of=today) if what_if.years is None else what_if.years
    if left > 0:
        return chosen, stored, left
    raise InputError(
        "goal_id",
        "the time of the goal is over",
        value=[g["goal_id"] for g in rows],
        remedy="renew the profile and its goals in the book",
    )


def _profile(investor: Mapping[str, Any], answers: Mapping[str, str] | None, on: date) -> RiskProfile:
    """From the questionnaire, or from the grades in the book."""
    if answers is not None:
        return risk_class(answers, on=on)
    missing = [
        c for c in ("risk_capacity", "risk_tolerance", "knowledge", "profiled_at") if investor.get(c) is None
    ]
    if missing:
        raise InputError(
            "client", f"has no {', '.join(missing)} in the book", remedy="give the questionnaire's answers"
        )
    return RiskProfile(
        capacity=int(investor["risk_capacity"]),
        tolerance=int(investor["risk_tolerance"]),
        knowledge=int(investor["knowledge"]),
        horizon=5,  # the goal's own takes its place
        profiled_on=investor["profiled_at"],
        liquidity_need=float(investor.get("liquidity_need") or 0.0),
    )


def _holdings(book: Book, client: str, currency: str, today: date) -> tuple[float, dict[str, float] | None]:
    """Wealth in the goal's currency and its split by class; nothing held, or a debt, is (0, None)."""
    worth, _ = worth_of(book, client, currency=currency, until=today)
    shares = None if worth is None else allocation_of(worth)
    return (float(worth.nav_T[-1]), shares) if worth is not None and shares else (0.0, None)


def _market_shape(book: Book, returns: ClassReturns) -> dict[str, float] | None:
    """All assets of the book with equal weights, by class: the market that prices alone can tell of."""
    counts = book.assets()["asset_class"].value_counts()
    found = {c: int(n) for c, n in counts.iter_rows() if c in returns.classes}
    total = sum(found.values())
    return {c: n / total for c, n in found.items()} if total else None


def _inputs(
    request: PlanRequest, returns: ClassReturns, config: PlanConfig, limits: SuitabilityLimits
) -> dict[str, Any]:
    """What the recommendation rests on, as JSON."""
    profile, goal = request.profile, request.goal
    return {
        "profile": {
            "capacity": profile.capacity,
            "tolerance": profile.tolerance,
            "knowledge": profile.knowledge,
            "horizon": profile.horizon,
            "liquidity_need": profile.liquidity_need,
            "profiled_on": profile.profiled_on.isoformat(),
            "form": profile.form,
            "contradictions": [c.id for c in profile.contradictions],
        },
        "goal": {
            "goal_id": request.goal_id,
            "target": goal.target,
            "n_months": goal.n_months,
            "monthly_contribution": goal.monthly_contribution,
            "inflation_ann": goal.inflation_ann,
            "fee_ann": goal.fee_ann,
        },
        "currency": request.currency,
        "wealth": request.wealth,
        "current": None if request.current is None else dict(request.current),
        "returns": {
            "classes": list(returns.classes),
            "first": str(returns.months_M[0]),
            "last": str(returns.months_M[-1]),
            "n_months": len(returns.months_M),
        },
        "config": config.model_dump(mode="json", exclude={"advice"}),
        "limits": limits.name,
    }

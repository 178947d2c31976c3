"""A plan as a JSON document: figures with their method, tables, texts in both languages, pictures.

Only reads a `Plan`. In information mode no instrument is anywhere in it: it is made from classes alone.
"""

from typing import Any

import numpy as np

from nextbest.errors import InputError
from nextbest.portfolio.metrics.measured import Measured, Reason, Spec
from nextbest.portfolio.peers.answers import PeerSummary, Refusal
from nextbest.portfolio.plan.candidates import SOURCE_WORDS
from nextbest.portfolio.plan.explain import Text, drift, money, percent, why_class, why_near
from nextbest.portfolio.plan.proposal import Option, Plan
from nextbest.portfolio.plan_charts import allocation_chart, frontier_chart, goal_chart
from nextbest.portfolio.russian import note_words
from nextbest.portfolio.wording import REFUSALS, refusal, signed
from nextbest.version import __version__

_SOURCE = "own definition; block bootstrap after Politis & Romano 1992"
SPECS = {
    spec.name: spec
    for spec in (
        Spec(
            "goal_probability", "Probability of the goal", "Вероятность достичь цели", "fraction",
            "share of simulated futures whose last wealth is at least the target",
            "target and contributions grow with prices; contributions at the start of a month", _SOURCE,
        ),
        Spec(
            "goal_probability_now", "Probability of the goal as invested now", "Вероятность достичь цели при нынешнем распределении",
            "fraction", "as goal_probability, with the weights held now", "weights held, rebalanced every month", _SOURCE,
        ),
        Spec(
            "shortfall_mean", "Mean shortfall", "Средняя нехватка", "money",
            "mean over all futures of max(0, target - last wealth)", "money of the goal's month; 0 where it is reached", _SOURCE,
        ),
        Spec(
            "shortfall_worst", "Shortfall, worst 5%", "Нехватка в худших 5 % случаев", "money",
            "95 % quantile of max(0, target - last wealth)", "money of the goal's month", _SOURCE,
        ),
        Spec(
            "required_contribution", "Required monthly contribution", "Необходимый ежемесячный взнос", "money",
            "least contribution with which the wanted share of futures reaches the target",
            "today's money; rounded up to a whole unit; on the same random numbers", _SOURCE,
        ),
        Spec(
            "required_months", "Required time", "Необходимый срок", "months",
            "fewest months after which the wanted share of futures reaches the target", "up to 600 months", _SOURCE,
        ),
    )
}  # fmt: skip


def plan_document(plan: Plan) -> dict[str, Any]:
    """The document of a plan, signed."""
    request = plan.request
    chosen = plan.chosen
    document: dict[str, Any] = {
        "kind": "plan",
        "client_id": request.client_id,
        "as_of": request.now.date().isoformat(),
        "currency": request.currency,
        "period": _period(plan),
        "figures": {} if chosen is None else {m.name: m.json() for m in _figures(plan, chosen)},
        "tables": _tables(plan, chosen),
        "texts": _texts(plan, chosen),
        "charts": {} if chosen is None else _charts(plan, chosen),
        "notes": [note_words(note) for note in plan.notes],
        "version": __version__,
    }
    if plan.refused is not None:
        document["refusal"] = refusal(plan.refused)
    return signed(document, mode=plan.mode if chosen is not None else "information")


def _period(plan: Plan) -> dict[str, str] | None:
    """Months of history behind the simulation."""
    if plan.returns is None:
        return None
    months = plan.returns.months_M
    return {"start": str(months[0]), "end": str(months[-1])}


def _figures(plan: Plan, chosen: Option) -> list[Measured]:
    """What is measured of the proposal."""
    odds, goal = chosen.odds, plan.request.goal
    method = (
        f"{odds.n_paths:,} futures, {goal.n_months} months, inflation {goal.inflation_ann:.2%}, fee {goal.fee_ann:.2%}, "
        f"seed {plan.config.seed}"
    )
    horizon = f"{goal.n_months} months"

    def measured(
        name: str,
        value: float | None,
        *,
        reason: Reason | None = None,
        details: dict[str, object] | None = None,
    ) -> Measured:
        spec = SPECS[name]
        return Measured(
            spec, value, spec.unit, method, odds.n_paths, reason, horizon=horizon, details=details or {}
        )

    wanted: dict[str, object] = {"wanted": plan.config.wanted}
    found = [
        measured("goal_probability", odds.probability, details={"standard_error": odds.standard_error}),
        measured("shortfall_mean", odds.shortfall_mean),
        measured("shortfall_worst", odds.shortfall_worst),
    ]
    if plan.current_odds is not None:
        found.append(measured("goal_probability_now", plan.current_odds.probability))
    if odds.wanted is not None:
        needed = odds.required_contribution
        finite = needed is not None and bool(np.isfinite(needed))
        found.append(
            measured(
                "required_contribution",
                None if needed is None or not finite else _whole(needed),
                reason=None if finite else "no_root",
                details=wanted,
            )
        )
        months = plan.required_months
        found.append(
            measured(
                "required_months", months, reason=None if months is not None else "no_root", details=wanted
            )
        )
    return found


def _tables(plan: Plan, chosen: Option | None) -> dict[str, Any]:
    """Rows: profile, options, drift, counterfactuals, what was refused."""
    profile, request = plan.request.profile, plan.request
    tables: dict[str, Any] = {
        "profile": [
            {"dimension": d, "grade": getattr(profile, d)} for d in ("capacity", "tolerance", "knowledge", "horizon")
        ]
        + [{"dimension": "risk_class", "grade": profile.risk_class}],
        "goal": [
            {
                "goal_id": request.goal_id, "goal_type": request.goal_type, "target": request.goal.target,
                "n_months": request.goal.n_months, "monthly_contribution": request.goal.monthly_contribution,
                "wealth": request.wealth,
            }
        ],
    }  # fmt: skip
    if plan.returns is not None and plan.options:
        tables["options"] = [
            {
                "name": o.candidate.name,
                "source": o.candidate.source,
                "title": dict(SOURCE_WORDS[o.candidate.source]),
                "scaled": o.candidate.scaled,
                "weights": _by_class(plan, o),
                "probability": o.odds.probability,
                "shortfall_mean": o.odds.shortfall_mean,
                "shortfall_worst": o.odds.shortfall_worst,
            }
            for o in plan.options
        ]
    if plan.candidates is not None:
        tables["refused_options"] = [
            {
                "name": c.name,
                "rules": [
                    {"rule": v.rule, "what": v.what, "value": v.value, "limit": v.limit} for v in broken
                ],
            }
            for c, broken in plan.candidates.refused
        ]
        tables["skipped_options"] = [{"name": n, "reason": r} for n, r in plan.candidates.skipped.items()]
    if chosen is not None:
        tables["drift"] = drift(request.current, _by_class(plan, chosen))
        tables["counterfactuals"] = [
            {"change": c.change, "amount": c.amount, "before": c.before, "after": c.after}
            for c in plan.counterfactuals
        ]
        tables["fan"] = [
            {"month": m, **{f"q{q:02d}": float(v) for q, v in zip((5, 25, 50, 75, 95), row, strict=True)}}
            for m, row in enumerate(chosen.odds.quantiles_MQ)
        ]
        if plan.mode == "advice":
            tables["instruments"] = [{"asset_id": a, "weight": w} for a, w in plan.instruments.items()]
    if isinstance(plan.peers, PeerSummary):
        tables["peers"] = [
            {"asset_class": name, "q25": q.q25, "median": q.median, "q75": q.q75}
            for name, q in plan.peers.classes.items()
        ]
    return tables


def _texts(plan: Plan, chosen: Option | None) -> dict[str, list[str]]:
    """Sentences in both languages, the most important first."""
    texts: list[Text] = []
    request = plan.request
    if chosen is None:
        texts.append(dict(REFUSALS[plan.refused or "nothing_suitable"]))
    else:
        odds = chosen.odds.probability
        title, n = SOURCE_WORDS[chosen.candidate.source], len(plan.options)
        shares_en = ", ".join(
            f"{_class_words(plan, c)['en'].lower()} {w:.0%}"
            for c, w in _by_class(plan, chosen).items()
            if w >= 0.005
        )
        shares_ru = ", ".join(
            f"{_class_words(plan, c)['ru'].lower()} {w * 100:.0f} %"
            for c, w in _by_class(plan, chosen).items()
            if w >= 0.005
        )
        texts.append(
            {
                "en": f"Of {n} allocation(s) that suit the profile this one ({title['en']}) is best by odds and shortfall: the goal is reached in {percent(odds, 'en')} of simulated futures. {shares_en[:1].upper()}{shares_en[1:]}.",
                "ru": f"Из подходящих профилю распределений ({n}) это ({title['ru']}) лучшее по вероятности и нехватке; доля смоделированных случаев, в которых цель достигнута: {percent(odds, 'ru')}. {shares_ru[:1].upper()}{shares_ru[1:]}.",
            }
        )
        if plan.current_odds is not None:
            now = plan.current_odds.probability
            texts.append(
                {
                    "en": f"As invested now the goal is reached in {percent(now, 'en')} of the same futures.",
                    "ru": f"При нынешнем распределении доля таких случаев: {percent(now, 'ru')}.",
                }
            )
        needed = chosen.odds.required_contribution
        if needed is not None and np.isfinite(needed):
            wanted = round(plan.config.wanted * 100)
            texts.append(
                {
                    "en": f"For {wanted}% a monthly contribution of {money(_whole(needed), 'en')} {request.currency} in today's money would be needed; it is {money(request.goal.monthly_contribution, 'en')} {request.currency} now.",
                    "ru": f"Для {wanted}\xa0% нужен ежемесячный взнос {money(_whole(needed), 'ru')} {request.currency} в сегодняшних деньгах; сейчас он {money(request.goal.monthly_contribution, 'ru')} {request.currency}.",
                }
            )
        texts += [c.text(request.currency) for c in plan.counterfactuals]
    texts.append(why_class(request.profile))
    texts += [{"en": c.en, "ru": c.ru} for c in request.profile.contradictions]
    if isinstance(plan.peers, PeerSummary):
        texts += why_near(plan.peers.nearness)
    elif isinstance(plan.peers, Refusal):
        texts.append({"en": plan.peers.text_en, "ru": plan.peers.text_ru})
    return {language: [t[language] for t in texts] for language in ("en", "ru")}


def _charts(plan: Plan, chosen: Option) -> dict[str, Any]:
    """Allocation with drift, goal fan, risk and return."""
    request = plan.request
    rows = drift(request.current, _by_class(plan, chosen))
    names = [_class_words(plan, str(r["asset_class"])) for r in rows]
    proposal = np.array([r["proposal"] for r in rows], np.float64)
    now = None if request.current is None else np.array([r["now"] for r in rows], np.float64)
    charts: dict[str, Any] = {
        "allocation": allocation_chart(names, proposal)
        if now is None
        else allocation_chart(names, now, proposal),
        "goal": goal_chart(
            chosen.odds.quantiles_MQ, target=chosen.odds.target_nominal, currency=request.currency
        ),
    }
    if (risk := _risk_chart(plan, chosen)) is not None:
        charts["frontier"] = risk
    return charts


def _risk_chart(plan: Plan, chosen: Option) -> dict[str, Any] | None:
    """Frontier of the classes with the client, the peers and the proposal; None where classes can't make one."""
    from nextbest.errors import DataError
    from nextbest.portfolio.plan.estimates import moments
    from nextbest.portfolio.plan.optimise import mean_variance_frontier
    from nextbest.portfolio.plan.suitability import suitable_bounds

    returns = plan.returns
    assert returns is not None  # a proposal was made from them
    if len(returns.returns_MC) < 24 or len(returns.classes) < 2:
        return None
    mean, cov = moments(returns.returns_MC)
    try:
        bounds = suitable_bounds(plan.request.profile, returns.classes, plan.limits)
        curve = mean_variance_frontier(mean, cov, bounds=bounds, names=returns.classes, n_points=12)
    except (DataError, InputError):
        return None

    def point(weights: dict[str, float] | None) -> tuple[float, float] | None:
        if not weights or set(weights) - set(returns.classes):
            return None
        w = np.array([weights.get(c, 0.0) for c in returns.classes])
        return float(np.sqrt(w @ cov @ w * 12)), float((1 + mean @ w) ** 12 - 1)

    peers = None
    if isinstance(plan.peers, PeerSummary) and plan.peers.allocation is not None:
        shape = plan.peers.allocation
        peers = {c: w for c, w in zip(shape.asset_classes, shape.weights_C, strict=True) if w > 0}
    held = {c: w for c, w in (plan.request.current or {}).items() if w > 0}
    line = [
        (float(v * np.sqrt(12)), float((1 + m) ** 12 - 1))
        for m, v in zip(curve.mean_F, curve.volatility_F, strict=True)
    ]
    return frontier_chart(line, you=point(held), peers=point(peers), proposal=point(_by_class(plan, chosen)))


def _by_class(plan: Plan, option: Option) -> dict[str, float]:
    """Weights of an option by class."""
    assert plan.returns is not None  # options were made from them
    return {c: float(w) for c, w in zip(plan.returns.classes, option.candidate.weights_C, strict=True)}


def _class_words(plan: Plan, asset_class: str) -> dict[str, str]:
    """A class's name for clients; the bare name where the limits don't know it."""
    known = plan.limits.asset_class.get(asset_class)
    return {"en": asset_class, "ru": asset_class} if known is None else {"en": known.en, "ru": known.ru}


def _whole(amount: float) -> float:
    """Rounded up, so that the figure and the sentence about it are one number, and it is enough."""
    return float(np.ceil(amount))

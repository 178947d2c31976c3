"""Why this proposal: drift from what is held, what would change the odds, what made the peers near; in both languages.

Figures in, sentences out; every number in a sentence is one that was handed in.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from nextbest.portfolio.peers.answers import Nearness
from nextbest.portfolio.plan.glide import Weights
from nextbest.portfolio.plan.goals import MAX_MONTHS, Goal, GoalSimulator
from nextbest.portfolio.plan.questionnaire import Dimension, RiskProfile

Text = dict[str, str]
Language = Literal["en", "ru"]
LANGUAGES: tuple[Language, Language] = ("en", "ru")
DIMENSION_WORDS: Mapping[Dimension, Text] = {
    "capacity": {"en": "capacity for loss", "ru": "способность нести убытки"},
    "tolerance": {"en": "willingness to take risk", "ru": "готовность к риску"},
    "knowledge": {"en": "knowledge and experience", "ru": "знания и опыт"},
    "horizon": {"en": "the time there is", "ru": "срок вложений"},
}


@dataclass(frozen=True)
class Counterfactual:
    """One thing done otherwise, and the odds then, on the same random numbers."""

    change: Literal["contribution", "horizon", "target"]
    amount: float
    """Money a month, months, or money of the target; what is added (the target: what it is lower by)."""
    before: float
    after: float
    """Probability of reaching the goal, 0-1."""

    def text(self, currency: str) -> Text:
        """As a sentence."""
        odds = {la: f"{percent(self.before, la)} \u2192 {percent(self.after, la)}" for la in LANGUAGES}
        if self.change == "contribution":
            return {
                "en": f"{money(self.amount, 'en')} {currency} more a month: odds of the goal {odds['en']}",
                "ru": f"На {money(self.amount, 'ru')} {currency} в месяц больше: вероятность достичь цели {odds['ru']}",
            }
        if self.change == "horizon":
            years = self.amount / 12
            return {
                "en": f"{years:g} years longer: odds of the goal {odds['en']}",
                "ru": f"На {years:g} года дольше: вероятность достичь цели {odds['ru']}",
            }
        return {
            "en": f"A target lower by {money(self.amount, 'en')} {currency}: odds of the goal {odds['en']}",
            "ru": f"Цель меньше на {money(self.amount, 'ru')} {currency}: вероятность достичь цели {odds['ru']}",
        }


def counterfactuals(
    simulator: GoalSimulator,
    goal: Goal,
    *,
    wealth: float,
    weights: Weights,
    before: float,
    needed: float | None = None,
) -> list[Counterfactual]:
    """What more money a month, two more years and a tenth less of a target would do to the odds.

    Parameters
    ----------
    simulator
        The one that gave `before`: same random numbers, so only the change makes a difference.
    weights
        Of the proposal; a glide path moves with the horizon.
    before
        Probability of the goal as it is.
    needed
        Contribution for the wanted odds, where it is known: half the way there is tried if that is more than a fifth of
        what is paid now.
    """
    base = goal.monthly_contribution or goal.target / goal.n_months
    more = 0.2 * base
    if needed is not None and math.isfinite(needed):
        more = max(more, 0.5 * (needed - goal.monthly_contribution))
    more = nice(more)
    less = nice(0.1 * goal.target)
    changed: list[tuple[Literal["contribution", "horizon", "target"], float, Goal]] = [
        ("contribution", more, replace(goal, monthly_contribution=goal.monthly_contribution + more)),
    ]
    if goal.n_months + 24 <= MAX_MONTHS:
        changed.append(("horizon", 24.0, replace(goal, n_months=goal.n_months + 24)))
    changed.append(("target", less, replace(goal, target=goal.target - less)))
    return [
        Counterfactual(change, amount, before, simulator.probability(other, wealth=wealth, weights=weights))
        for change, amount, other in changed
    ]


def drift(
    now: Mapping[str, float] | None, proposal: Mapping[str, float]
) -> list[dict[str, float | str | None]]:
    """A row for each class: share now (None where nothing is held), proposed, and now less proposed; fractions."""
    classes = list(proposal) + [c for c in (now or {}) if c not in proposal]
    rows: list[dict[str, float | str | None]] = []
    for name in classes:
        wanted = proposal.get(name, 0.0)
        held = None if now is None else now.get(name, 0.0)
        rows.append(
            {
                "asset_class": name,
                "now": held,
                "proposal": wanted,
                "drift": None if held is None else held - wanted,
            }
        )
    return rows


def why_class(profile: RiskProfile) -> Text:
    """What the risk class is and what keeps it there."""
    limiting = [DIMENSION_WORDS[d] for d in profile.limited_by]
    return {
        "en": f"Risk class {profile.risk_class} of 5, set by: " + ", ".join(w["en"] for w in limiting),
        "ru": f"Риск-профиль {profile.risk_class} из 5, его определяют: "
        + ", ".join(w["ru"] for w in limiting),
    }


def why_near(nearness: Sequence[Nearness]) -> list[Text]:
    """What made the peers near, most first."""
    return [
        {
            "en": f"Similar in {n.title_en}: {round(n.share * 100)}% of the likeness",
            "ru": f"Похожи ({n.title_ru}): {round(n.share * 100)} % сходства",
        }
        for n in nearness
    ]


def nice(amount: float) -> float:
    """The largest of 1, 2, 5, 10, 20, ... that isn't above `amount`.

    >>> nice(14_000.0), nice(0.7), nice(99.0)
    (10000.0, 0.5, 50.0)
    """
    power = 1.0
    while power > amount:
        power /= 10
    while power * 10 <= amount:
        power *= 10
    return max(step * power for step in (1, 2, 5) if step * power <= amount)


def percent(probability: float, language: Language) -> str:
    """A probability in whole percent; never 0 or 100, which no simulation can know.

    >>> percent(0.584, "en"), percent(0.0, "en"), percent(0.999, "ru")
    ('58%', 'under 1%', 'больше 99 %')
    """
    if probability < 0.005:
        return {"en": "under 1%", "ru": "меньше 1 %"}[language]
    if probability >= 0.995:
        return {"en": "over 99%", "ru": "больше 99 %"}[language]
    return {"en": f"{probability:.0%}", "ru": f"{probability * 100:.0f} %"}[language]


def money(amount: float, language: Language) -> str:
    """An amount with its thousands apart.

    >>> money(10_000.0, "en"), money(10_000.0, "ru")
    ('10,000', '10\\xa0000')
    """
    text = f"{amount:,.0f}" if amount >= 100 else f"{amount:,.2f}".rstrip("0").rstrip(".")
    return text if language == "en" else text.replace(",", "\xa0").replace(".", ",")

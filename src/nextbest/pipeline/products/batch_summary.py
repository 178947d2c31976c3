"""What a batch did in numbers and in words: offers, draws, contacts, and what to be careful about.

Counts decisions that are made; makes none and writes nothing.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.pipeline.decisions.contacts import ContactLimits, contact_limits, read_contacts
from nextbest.pipeline.decisions.decisions import Decisions
from nextbest.pipeline.decisions.eligibility import FILTERS
from nextbest.pipeline.decisions.exploration import SOURCES
from nextbest.pipeline.decisions.policy import DecisionPolicy, load_policy, shipped_policies
from nextbest.pipeline.decisions.rules import Rules

_CONTACT_NUMBERS = tuple(f.number for f in FILTERS if f.stage == "contact")
_EXPLORED = SOURCES.index("exploration")


@dataclass
class ContactTally:
    """What the contact history did to the offers of a batch."""

    limits: ContactLimits
    """Of all N clients, in the batch's order."""
    n_read: int
    """Rows given."""
    n_within_windows: int
    """Of these, of the batch's clients, before the decision, shown, and young enough for a rule of the policy."""
    n_stopped: int = 0
    """Possible offers (a client and a product that passed all filters before) that a contact filter took out."""
    n_clients_stopped: int = 0
    n_lists_shortened: int = 0
    """Clients for whom a cap left fewer places than the policy's lists have and products passed."""

    @classmethod
    def of(
        cls, contacts: pl.DataFrame, client_ids: pl.Series, rules: Rules, *, at: datetime, channel: str
    ) -> Self:
        """Read a history for all clients of a batch; errors as `read_contacts`."""
        found = read_contacts(contacts, client_ids, rules, at=at, channel=channel)
        return cls(contact_limits(found, rules, channel=channel), contacts.height, len(found.row_M))

    def add(self, decisions: Decisions, rows: slice) -> None:
        """Count the decisions about the batch's clients in `rows`."""
        stopped_NP = np.isin(decisions.fired_NP, _CONTACT_NUMBERS)
        self.n_stopped += int(stopped_NP.sum())
        self.n_clients_stopped += int(stopped_NP.any(axis=1).sum())
        wanted_N = np.minimum(np.bitwise_count(decisions.possible_N), decisions.rules.policy.max_offers)
        places_N = self.limits.places_N[rows]
        self.n_lists_shortened += int(((places_N < wanted_N) & ~decisions.is_control_N).sum())

    def to_dict(self) -> dict[str, int]:
        """JSON-ready."""
        return {
            "n_read": self.n_read,
            "n_within_windows": self.n_within_windows,
            "n_stopped": self.n_stopped,
            "n_clients_stopped": self.n_clients_stopped,
            "n_lists_shortened": self.n_lists_shortened,
        }


@dataclass
class BatchTally:
    """Counts over the chunks of a batch."""

    policy: DecisionPolicy
    by_product: NDArray[np.int64]
    """Offers by product. Shape (P,)."""
    n_offers: int = 0
    n_clients_with_offer: int = 0
    n_control: int = 0
    n_explored: int = 0
    first_N: list[NDArray[np.float32]] = field(default_factory=list)
    """Probabilities of first offers, by chunk."""

    def add(self, decisions: Decisions) -> None:
        """Count a chunk."""
        n_offers_N = decisions.n_offers_N
        self.n_offers += int(n_offers_N.sum())
        self.n_clients_with_offer += int((n_offers_N > 0).sum())
        self.n_control += int(decisions.is_control_N.sum())
        is_offer_NK = decisions.product_NK >= 0
        self.n_explored += int((is_offer_NK & (decisions.source_NK == _EXPLORED)).sum())
        self.by_product += np.bincount(decisions.product_NK[is_offer_NK], minlength=len(self.by_product))
        self.first_N.append(decisions.propensity_NK[is_offer_NK[:, 0], 0])

    def to_dict(self, columns: tuple[str, ...]) -> dict[str, Any]:
        """JSON-ready."""
        exploration = self.policy.exploration
        first_N = np.concatenate([*self.first_N, np.zeros(0, np.float32)])
        return {
            "n_offers": self.n_offers,
            "n_clients_with_offer": self.n_clients_with_offer,
            "n_control": self.n_control,
            "offers_by_product": dict(zip(columns, self.by_product.tolist(), strict=True)),
            "exploration": {
                "kind": exploration.kind,
                "epsilon": exploration.epsilon if exploration.kind == "epsilon_greedy" else None,
                "temperature": exploration.temperature if exploration.kind == "softmax" else None,
                "n_offers": self.n_explored,
            },
            "median_first_probability": round(float(np.median(first_N)), 6) if len(first_N) else None,
            "values_are_placeholders": has_shipped_values(self.policy),
        }


def has_shipped_values(policy: DecisionPolicy) -> bool:
    """Whether every product is worth what a shipped policy says: round figures to begin with, no bank's margins."""
    values = {name: rule.value for name, rule in policy.products.items()}
    return any(
        values == {name: rule.value for name, rule in load_policy(shipped).products.items()}
        for shipped in shipped_policies()
    )


def summary_in_words(summary: dict[str, Any], folder: object) -> str:
    """A batch's summary for people: what was offered, what was drawn, what contacts did, what to be careful about."""
    s = summary
    lines = [
        (
            f"{s['n_offers']:,} offers for {s['n_clients_with_offer']:,} of {s['n_clients']:,} clients ({s['n_control']:,} in the "
            f"control group) in {folder}"
        )
    ]
    explores = s["exploration"]
    if explores["kind"] == "epsilon_greedy":
        lines.append(
            f"of these {explores['n_offers']:,} drawn at random: exploration epsilon {explores['epsilon']:g}"
        )
    elif explores["kind"] == "softmax":
        lines.append(
            f"of these {explores['n_offers']:,} drawn: exploration softmax, temperature {explores['temperature']:g}"
        )
    lines.append(
        f"products to {s['as_of']}, additions of {s['target']}, model {s['model']}, policy {s['policy']}, "
        f"{s['seconds']:.1f} s"
    )
    contacts = s["contact_history"]
    if contacts is None:
        lines.append("no contact history (--contacts): caps and rests of the policy had nothing to count")
    else:
        lines.append(
            f"contacts: {contacts['n_read']:,} read, {contacts['n_within_windows']:,} of these clients within the policy's "
            f"windows; they stopped {contacts['n_stopped']:,} possible offers of {contacts['n_clients_stopped']:,} clients "
            f"and shortened {contacts['n_lists_shortened']:,} lists"
        )
    if s["median_first_probability"] is not None:
        lines.append(
            f"half of the first offers have a probability of {s['median_first_probability']:.2g} or less: the order is by "
            "probability x value"
        )
    if s["values_are_placeholders"]:
        lines.append(
            "warning: the values of this policy are the shipped round placeholders, no bank's margins; put your own in "
            "before anybody is addressed (docs/how-to/offers.md)"
        )
    return "\n".join(lines)

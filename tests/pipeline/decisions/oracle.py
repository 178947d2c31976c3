"""The same decisions, one client and one product at a time, in plain Python: slow and easy to check."""

from datetime import datetime, timedelta
from typing import Any

from nextbest.data.panel.schema import PanelSchema
from nextbest.pipeline.decisions.policy import DecisionPolicy, Selectors


def fired(
    client: dict[str, Any],
    held: set[str],
    p: dict[str, float],
    policy: DecisionPolicy,
    schema: PanelSchema,
    *,
    channel: str,
    contacts: list[dict[str, Any]],
    at: datetime,
) -> dict[str, str]:
    """Product -> first filter that fires; contacts are this client's own."""
    contacts = [
        c for c in contacts if c["time"] < at and c["outcome"] not in policy.contacts.not_shown_outcomes
    ]
    found = {}
    for product in schema.products:
        code = _first(client, product.column, product.family, held, p, policy, schema, channel, contacts, at)
        if code is not None:
            found[product.column] = code
    changed = True
    while changed:
        changed = False
        for first, second in policy.before:
            if second not in found and first not in held and first in found:
                found[second], changed = "order", True
    return found


def _first(
    client: dict[str, Any],
    column: str,
    family: str,
    held: set[str],
    p: dict[str, float],
    policy: DecisionPolicy,
    schema: PanelSchema,
    channel: str,
    contacts: list[dict[str, Any]],
    at: datetime,
) -> str | None:
    def value(name: str) -> Any:
        return client[schema.roles.get(name, name)]

    def is_any(selectors: Selectors) -> bool:
        return any(value(name) in values for name, values in selectors.items())

    rule = policy.products.get(column)
    clients = policy.clients
    if is_any(clients.deceased):
        return "deceased"
    if is_any(clients.former):
        return "former_client"
    if is_any(clients.employee):
        return "employee"
    if rule is not None:
        age, residence = value("age"), value("residence")
        if age is not None and rule.min_age is not None and age < rule.min_age:
            return "under_age"
        if age is not None and rule.max_age is not None and age > rule.max_age:
            return "over_age"
        is_limited = rule.min_age is not None or rule.max_age is not None
        if age is None and is_limited and clients.unknown_age == "forbid":
            return "age_unknown"
        if rule.residence and residence is not None and residence not in rule.residence:
            return "residence"
        if rule.residence and residence is None and clients.unknown_residence == "forbid":
            return "residence_unknown"
    if column in held:
        return "held"
    if rule is None or not rule.is_open:
        return "closed"
    if rule.channels and channel not in rule.channels:
        return "not_in_channel"
    for test in policy.suitability:
        if (test.products or test.families) and column not in test.products and family not in test.families:
            continue
        v = value(test.attribute)
        if v is None:
            fails = test.when_unknown == "forbid"
        elif test.allowed:
            fails = v not in test.allowed
        elif test.forbidden:
            fails = v in test.forbidden
        else:
            fails = (test.min is not None and v < test.min) or (test.max is not None and v > test.max)
        if fails:
            return test.code
    code = _contact(column, policy, channel, contacts, at)
    if code is not None:
        return code
    if p[column] <= 0 or p[column] < rule.min_propensity:
        return "low_propensity"
    return None if score(client, column, p[column], policy, schema, channel) > 0 else "no_value"


def score(
    client: dict[str, Any],
    column: str,
    p: float,
    policy: DecisionPolicy,
    schema: PanelSchema,
    channel: str,
) -> float:
    """Propensity x value x lever x weights."""
    rule = policy.products[column]
    found = p * rule.value * rule.lever
    family = schema.products[schema.bit(column)].family
    for w in policy.context:
        is_meant = (not w.products and not w.families) or column in w.products or family in w.families
        is_here = w.channel is None or w.channel == channel
        is_client = w.attribute is None or client[schema.roles.get(w.attribute, w.attribute)] in w.values
        if is_meant and is_here and is_client:
            found *= w.weight
    return found


def _moments(contacts: list[dict[str, Any]], unit: str) -> int:
    return len(contacts) if unit == "offers" else len({(c["time"], c["channel"]) for c in contacts})


def places(policy: DecisionPolicy, channel: str, contacts: list[dict[str, Any]], at: datetime) -> int:
    """Offers that caps of scope client and channel leave."""
    contacts = [
        c for c in contacts if c["time"] < at and c["outcome"] not in policy.contacts.not_shown_outcomes
    ]
    left = policy.max_offers
    for cap in policy.contacts.caps:
        if cap.scope == "product" or cap.unit == "contacts" or (cap.channels and channel not in cap.channels):
            continue
        own = [c for c in contacts if cap.scope == "client" or c["channel"] == channel]
        own = [c for c in own if at - c["time"] < timedelta(days=cap.days)]
        left = min(left, max(0, cap.at_most - len(own)))
    return left


def _contact(
    column: str, policy: DecisionPolicy, channel: str, contacts: list[dict[str, Any]], at: datetime
) -> str | None:
    codes = set()
    for cap in policy.contacts.caps:
        if cap.channels and channel not in cap.channels:
            continue
        recent = [c for c in contacts if at - c["time"] < timedelta(days=cap.days)]
        if cap.scope == "client" and _moments(recent, cap.unit) >= cap.at_most:
            codes.add("cap_client")
        here = [c for c in recent if c["channel"] == channel]
        if cap.scope == "channel" and _moments(here, cap.unit) >= cap.at_most:
            codes.add("cap_channel")
        own = [c for c in recent if c["product"] == column]
        is_meant = not cap.products or column in cap.products
        if cap.scope == "product" and is_meant and len(own) >= cap.at_most:
            codes.add("cap_product")
    times = sorted(c["time"] for c in contacts if c["product"] == column)
    for rest in policy.contacts.suppressions:
        if rest.products and column not in rest.products:
            continue
        for n, last in enumerate(times):
            within = [t for t in times[: n + 1] if last - t < timedelta(days=rest.within_days)]
            if len(within) >= rest.after_exposures and at - last < timedelta(days=rest.for_days):
                codes.add("suppressed_exposures")
    days = timedelta(days=policy.contacts.refusal_days)
    for c in contacts:
        is_refusal = c["outcome"] in policy.contacts.refusal_outcomes and at - c["time"] < days
        if is_refusal and c["product"] in (column, None):
            codes.add("suppressed_refusal")
    order = ("cap_client", "cap_channel", "cap_product", "suppressed_exposures", "suppressed_refusal")
    return next((code for code in order if code in codes), None)


def best_first(
    client: dict[str, Any],
    held: set[str],
    p: dict[str, float],
    policy: DecisionPolicy,
    schema: PanelSchema,
    *,
    channel: str,
    blocked: dict[str, str],
    n_places: int,
) -> list[str]:
    """The list without exploration and mandatory products: the best possible at each place."""
    chosen: list[str] = []
    while len(chosen) < n_places:
        possible = [
            column
            for column in schema.product_columns
            if column not in blocked
            and column not in chosen
            and all(a in held or a in chosen for a, b in policy.before if b == column)
        ]
        if not possible:
            break
        chosen.append(max(possible, key=lambda c: score(client, c, p[c], policy, schema, channel)))
    return chosen

"""A policy in the bits of one panel: every name checked once, every list of products a mask.

Knows the policy and the schema, no client.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nextbest.data.panel.schema import PanelSchema
from nextbest.errors import InputError
from nextbest.pipeline.decisions.policy import (
    Cap,
    DecisionPolicy,
    Selectors,
    SuitabilityRule,
    Suppression,
)

FIRST_SUITABILITY = 32
"""Filter number of a policy's first suitability rule; below it are the built-in filters."""


FLAG_VALUES = ("0", "1")
"""How a policy names the two values of a flag, as a raw table does."""


@dataclass(frozen=True)
class Suitability:
    """A rule with its column and products as bits."""

    number: int
    """Of its filter, see `eligibility.FILTERS`."""
    rule: SuitabilityRule
    column: str
    mask: int


@dataclass(frozen=True)
class Context:
    """A weight that depends on the client."""

    column: str
    values: tuple[str, ...]
    factor_P: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rules:
    """What `eligibility`, `contacts` and `arbitration` work with. Axes: P products of the schema."""

    policy: DecisionPolicy
    schema: PanelSchema
    digest: str
    """Of the policy."""
    all_mask: int
    closed_mask: int
    """Not for sale, or not named by the policy."""
    min_ages: tuple[tuple[int, int], ...]
    """(years, products) by distinct age."""
    max_ages: tuple[tuple[int, int], ...]
    residences: tuple[tuple[tuple[str, ...], int], ...]
    """(values allowed, products) by distinct list."""
    channel_masks: Mapping[str, int]
    """Products not offered in a channel."""
    clients: tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]
    """(deceased | former_client | employee, ((column, values), ...))."""
    suitability: tuple[Suitability, ...]
    caps: tuple[tuple[Cap, int], ...]
    """With products as bits."""
    suppressions: tuple[tuple[Suppression, int], ...]
    floor_P: NDArray[np.float32]
    """Probability below which a product is not worth a place."""
    factors: Mapping[str, NDArray[np.float64]]
    """Channel -> value x lever x weights that hold for every client. Shape (P,) each."""
    contexts: Mapping[str, tuple[Context, ...]]
    """Channel -> weights that depend on the client."""
    before: tuple[tuple[int, int], ...]
    """(first, second) as bits, in an order in which what comes first is judged first."""
    mandatory: tuple[int, ...]
    """Bits, first place first."""
    columns: tuple[str, ...]
    """Attributes that some rule reads."""

    @property
    def mandatory_mask(self) -> int:
        """The mandatory products together."""
        return sum(1 << bit for bit in self.mandatory)


def compile_policy(policy: DecisionPolicy, schema: PanelSchema) -> Rules:
    """The policy against a schema. Worth keeping where many single clients are decided.

    Raises
    ------
    InputError
        A product, role, attribute or value isn't the schema's, so that the rule could never fire; or age or a
        protected attribute weighs or decides outside of eligibility: the message names the key.
    """
    if policy.panel != schema.name:
        raise InputError(
            "policy.panel", f"must be the panel decided for, {schema.name!r}", value=policy.panel
        )
    named = policy.products
    for name in named:
        _bit(schema, name, f"policy.products.{name}")
    rules_P = [named.get(column) for column in schema.product_columns]
    by_min: dict[int, int] = {}
    by_max: dict[int, int] = {}
    by_residence: dict[tuple[str, ...], int] = {}
    open_mask = 0
    for bit, rule in enumerate(rules_P):
        if rule is None:
            continue
        open_mask |= rule.is_open << bit
        if rule.min_age is not None:
            by_min[rule.min_age] = by_min.get(rule.min_age, 0) | 1 << bit
        if rule.max_age is not None:
            by_max[rule.max_age] = by_max.get(rule.max_age, 0) | 1 << bit
        if rule.residence:
            key = f"policy.products.{schema.product_columns[bit]}.residence"
            _check_values(schema, _role(schema, "residence", "residence"), rule.residence, key)
            by_residence[rule.residence] = by_residence.get(rule.residence, 0) | 1 << bit
    all_mask = (1 << len(rules_P)) - 1
    columns: dict[str, None] = {}
    if by_min or by_max:
        columns[_role(schema, "age", "min_age and max_age")] = None
    if by_residence:
        columns[_role(schema, "residence", "residence")] = None
    clients = tuple(
        (code, tuple(_selectors(schema, selectors, f"policy.clients.{key}")))
        for code, key, selectors in (
            ("deceased", "deceased", policy.clients.deceased),
            ("former_client", "former", policy.clients.former),
            ("employee", "employee", policy.clients.employee),
        )
        if selectors
    )
    suitability = tuple(
        Suitability(
            FIRST_SUITABILITY + n,
            rule,
            _tested(schema, rule, f"policy.suitability.{n}"),
            _products(schema, rule.products, rule.families, f"policy.suitability.{n}"),
        )
        for n, rule in enumerate(policy.suitability)
    )
    factors, contexts = {}, {}
    for channel in policy.channels:
        factors[channel], contexts[channel] = _weights(policy, schema, channel)
    rules = Rules(
        policy=policy,
        schema=schema,
        digest=policy.digest,
        all_mask=all_mask,
        closed_mask=all_mask & ~open_mask,
        min_ages=tuple(sorted(by_min.items())),
        max_ages=tuple(sorted(by_max.items())),
        residences=tuple(by_residence.items()),
        channel_masks={
            channel: _mask(
                bit
                for bit, rule in enumerate(rules_P)
                if rule is not None and rule.channels and channel not in rule.channels
            )
            for channel in policy.channels
        },
        clients=clients,
        suitability=suitability,
        caps=tuple(
            (cap, _products(schema, cap.products, (), f"policy.contacts.caps.{n}"))
            for n, cap in enumerate(policy.contacts.caps)
        ),
        suppressions=tuple(
            (rest, _products(schema, rest.products, (), f"policy.contacts.suppressions.{n}"))
            for n, rest in enumerate(policy.contacts.suppressions)
        ),
        floor_P=np.array([0 if r is None else r.min_propensity for r in rules_P], np.float32),
        factors=factors,
        contexts=contexts,
        before=_in_order(
            [
                (
                    _bit(schema, first, f"policy.before.{n}"),
                    _bit(schema, second, f"policy.before.{n}"),
                )
                for n, (first, second) in enumerate(policy.before)
            ]
        ),
        mandatory=tuple(_bit(schema, name, "policy.mandatory") for name in policy.mandatory),
        columns=(),
    )
    for code_columns in clients:
        columns |= dict.fromkeys(column for column, _ in code_columns[1])
    columns |= dict.fromkeys(s.column for s in suitability)
    columns |= dict.fromkeys(c.column for cs in contexts.values() for c in cs)
    return replace(rules, columns=tuple(columns))


def _weights(
    policy: DecisionPolicy, schema: PanelSchema, channel: str
) -> tuple[NDArray[np.float64], tuple[Context, ...]]:
    """What holds for every client of a channel as one factor, the rest one by one."""
    factor_P = np.zeros(len(schema.products))
    for name, rule in policy.products.items():
        factor_P[schema.bit(name)] = rule.value * rule.lever
    contexts = []
    for n, weight in enumerate(policy.context):
        key = f"policy.context.{n}"
        mask = _products(schema, weight.products, weight.families, key)
        own_P = np.where([mask >> bit & 1 for bit in range(len(factor_P))], weight.weight, 1.0)
        column = None
        if weight.attribute is not None:
            column = _column(schema, weight.attribute, f"{key}.attribute")
            _check_values(schema, column, weight.values, f"{key}.values")
        if weight.channel is not None and weight.channel != channel:
            continue
        if column is None:
            factor_P *= own_P
        else:
            contexts.append(Context(column, weight.values, own_P))
    return factor_P, tuple(contexts)


def _bit(schema: PanelSchema, name: str, key: str) -> int:
    if name not in schema.product_columns:
        raise InputError(key, f"must name a product of the panel {schema.name!r}", value=name)
    return schema.bit(name)


def _mask(bits: Iterable[int]) -> int:
    return sum(1 << bit for bit in bits)


def _products(schema: PanelSchema, products: Sequence[str], families: Sequence[str], key: str) -> int:
    """Products named one by one or by family; all where none is named.

    A family that the panel lacks is told, as are values (see `_check_values`).
    """
    if not products and not families:
        return (1 << len(schema.products)) - 1
    mask = 0
    for name in products:
        mask |= 1 << _bit(schema, name, f"{key}.products")
    for family in families:
        own = _mask(bit for bit, product in enumerate(schema.products) if product.family == family)
        if not own:
            raise InputError(f"{key}.families", f"no product of {schema.name!r} is of it", value=family)
        mask |= own
    return mask


def _role(schema: PanelSchema, role: str, rule: str) -> str:
    if role not in schema.roles:
        raise InputError(
            "policy.products", f"{rule} need the role {role!r}, which the panel {schema.name!r} lacks"
        )
    return schema.roles[role]


def _column(schema: PanelSchema, name: str, key: str) -> str:
    column = schema.roles.get(name, name)
    if column not in schema.attribute_names:
        raise InputError(key, f"must be a role or an attribute of the panel {schema.name!r}", value=name)
    if schema.attribute(column).is_protected:
        raise InputError(key, "a protected attribute must neither weigh nor decide", value=name)
    if column == schema.roles.get("age"):
        raise InputError(
            key,
            "age decides in eligibility only",
            value=name,
            remedy="set min_age and max_age of the products",
        )
    return column


def _tested(schema: PanelSchema, rule: SuitabilityRule, key: str) -> str:
    """The column that a suitability rule tests, where its test can be made of it."""
    column = _column(schema, rule.attribute, f"{key}.attribute")
    if values := rule.allowed or rule.forbidden:
        _check_values(schema, column, values, f"{key}.{'allowed' if rule.allowed else 'forbidden'}")
    elif (kind := schema.attribute(column).kind) not in ("integer", "number", "flag"):
        raise InputError(f"{key}.attribute", f"min and max need a number, this is a {kind}", value=column)
    return column


def _check_values(schema: PanelSchema, column: str, values: Sequence[str], key: str) -> None:
    """Values that the column can't have are told: a rule on nobody is a rule somebody believes in."""
    attribute = schema.attribute(column)
    if attribute.kind not in ("category", "flag"):
        raise InputError(key, f"{column} is a {attribute.kind} and has no values to name", value=list(values))
    domain = FLAG_VALUES if attribute.kind == "flag" else attribute.domain
    if domain and (unknown := [value for value in values if value not in domain]):
        raise InputError(key, f"must be among {list(domain)}", value=unknown)


def _selectors(schema: PanelSchema, selectors: Selectors, key: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, values in selectors.items():
        column = _column(schema, name, f"{key}.{name}")
        _check_values(schema, column, values, f"{key}.{name}")
        yield column, values


def _in_order(pairs: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Pairs sorted so that each product's own waiting is judged before others wait for it; no cycles here."""
    depth: dict[int, int] = {}
    for _ in pairs:
        for first, second in pairs:
            depth[second] = max(depth.get(second, 0), depth.get(first, 0) + 1)
    return tuple(sorted(pairs, key=lambda pair: (depth[pair[1]], pair)))

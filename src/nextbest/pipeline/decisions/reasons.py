"""Why each offer: the groups of features that spoke most for it, as codes and facts in small arrays.

Words are made on demand (`reason_codes`). Only contributions above 0 count; what a client's reason states
is checked against what is known of the client. Axes: N clients, P products, K places, R reasons,
F features, G groups that may be named.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.panel.masks import count_products
from nextbest.data.panel.schema import PanelSchema
from nextbest.errors import DataError, InputError
from nextbest.models.products.features.tables import FeatureInput, FeatureTable
from nextbest.models.products.features.words import HistoryWords, months_since
from nextbest.pipeline.decisions.reason_codes import BY_CODE, FAMILIES, REASONS, reason_words
from nextbest.pipeline.query import Lang

Floats = NDArray[np.float32]
Contributions = Callable[[int, NDArray[np.int64]], Floats]
"""(product, rows of the batch) -> log-odds, shape (len(rows), F)."""
N_REASONS = 3
MIN_SHARE = 0.05
"""Part of all that speaks for an offer that a group must have to be named."""
_BLOCK_CLIENTS = 1 << 16
_BLOCK_CELLS = 1 << 22
_N = {code: reason.number for code, reason in BY_CODE.items()}
_ROLE_OF = {
    "activity": "activity",
    "income": "income",
    "seniority": "seniority",
    "channel": "channel",
    "segment": "segment",
    "relation": "relation",
    "region": "region",
}
"""Group -> role whose value must be known before the group may be named."""
_ALWAYS_SILENT = ("age", "protected", "sex", "foreigner", "residence", "country", "deceased", "employee")


class Explains(Protocol):
    """A model with an additive reading, such as `AdditionModel`."""

    def contributions(self, table: FeatureTable, product: int) -> Floats:
        """Log-odds by feature, shape (N, F)."""


@dataclass(frozen=True, eq=False)
class ReasonSource:
    """What reasons are made from, for the N clients of a decision."""

    names: tuple[str, ...]
    """Of the F features."""
    groups: tuple[str, ...]
    """Reason group of each feature."""
    contributions: Contributions
    inputs: FeatureInput
    """The same clients as the features saw them: facts are read here."""

    @classmethod
    def from_model(cls, model: Explains, table: FeatureTable, inputs: FeatureInput) -> Self:
        """Contributions of a model for the clients of a feature table, asked for only where offers are."""
        return cls(
            table.names,
            table.groups,
            lambda product, rows: model.contributions(table.take(rows), product),
            inputs,
        )


@dataclass(frozen=True, eq=False)
class Reasons:
    """Reasons of N x K offers, the weightiest first."""

    code_NKR: NDArray[np.uint8]
    """Number of the `ReasonCode`, 0 = none."""
    about_NKR: NDArray[np.int8]
    """Product or family it names, -1 = none."""
    fact_NKR: NDArray[np.int16]
    """Months or number of products, -1 = none."""
    schema: PanelSchema

    @classmethod
    def none(cls, n_clients: int, n_places: int, schema: PanelSchema) -> Self:
        """No reason for anything."""
        shape = (n_clients, n_places, N_REASONS)
        return cls(
            np.zeros(shape, np.uint8), np.full(shape, -1, np.int8), np.full(shape, -1, np.int16), schema
        )

    def take(self, clients: NDArray[np.int64]) -> Self:
        """Those of some clients, in this order."""
        numbers = (self.code_NKR[clients], self.about_NKR[clients], self.fact_NKR[clients])
        return type(self)(*numbers, self.schema)

    def codes(self, client: int, place: int) -> list[str]:
        """Codes of one offer, weightiest first."""
        return [_CODES[n] for n in self.code_NKR[client, place].tolist() if n]

    def words(self, client: int, place: int, *, lang: Lang) -> list[str]:
        """Sentences of one offer, weightiest first."""
        parts = zip(
            self.code_NKR[client, place].tolist(),
            self.about_NKR[client, place].tolist(),
            self.fact_NKR[client, place].tolist(),
            strict=True,
        )
        return [
            reason_words(number, about=about, fact=fact, schema=self.schema, lang=lang)
            for number, about, fact in parts
            if number
        ]

    def first_words(self, clients: NDArray[np.int64], places: NDArray[np.int64], *, lang: Lang) -> pl.Series:
        """The weightiest reason of many offers as sentences, null where there is none; one text for equal ones."""
        code = self.code_NKR[clients, places, 0].astype(np.int64)
        about = self.about_NKR[clients, places, 0].astype(np.int64)
        fact = self.fact_NKR[clients, places, 0].astype(np.int64)
        keys, which = np.unique((code << 32) | ((about + 1) << 16) | (fact + 1), return_inverse=True)
        sentences = [
            reason_words(
                key >> 32,
                about=(key >> 16 & 0xFFFF) - 1,
                fact=(key & 0xFFFF) - 1,
                schema=self.schema,
                lang=lang,
            )
            or None
            for key in keys.tolist()
        ]
        return pl.Series(sentences, dtype=pl.String).gather(which)


_CODES = ("", *(reason.code for reason in REASONS))


def find_reasons(
    product_NK: NDArray[np.int8], source: ReasonSource, schema: PanelSchema, *, min_share: float = MIN_SHARE
) -> Reasons:
    """The up to three groups of features that speak most for each offer.

    Parameters
    ----------
    product_NK
        Offers, -1 = none. Shape (N, K).
    source
        Contributions and facts of the same N clients.
    schema
        Of the panel; its protected attributes are never named, nor is age.
    min_share
        Part of the positive contributions of an offer that a group must have to be named.

    Raises
    ------
    InputError
        The source holds another number of clients.
    DataError
        A contribution isn't finite, or has another shape than (rows, F).
    """
    n_clients, n_places = product_NK.shape
    if len(source.inputs) != n_clients:
        raise InputError("inputs", f"must hold the {n_clients} clients decided for", value=len(source.inputs))
    found = Reasons.none(n_clients, n_places, schema)
    plan = _Plan(source.names, source.groups, schema)
    at_once = max(1, _BLOCK_CELLS // max(1, len(source.names)))
    for start in range(0, n_clients, _BLOCK_CLIENTS):
        stop = min(start + _BLOCK_CLIENTS, n_clients)
        own_NK = product_NK[start:stop]
        if (own_NK < 0).all():
            continue
        facts = _Facts(source.inputs.take(slice(start, stop)), plan)
        for product in np.unique(own_NK[own_NK >= 0]).tolist():
            clients, places = np.nonzero(own_NK == product)
            for first in range(0, len(clients), at_once):
                part = clients[first : first + at_once]
                parts_nF = source.contributions(product, part + start)
                code, about, fact = _name(parts_nF, product, part, plan, facts, min_share)
                where = (part + start, places[first : first + at_once])
                found.code_NKR[where], found.about_NKR[where], found.fact_NKR[where] = code, about, fact
    return found


class _Plan:
    """Which features add up to which group that may be named."""

    def __init__(self, names: Sequence[str], groups: Sequence[str], schema: PanelSchema) -> None:
        self.schema, self.n_features = schema, len(names)
        silent = _protected_words(schema)
        keys = [
            None if _is_protected(name, silent) else _key(group, schema)
            for name, group in zip(names, groups, strict=True)
        ]
        self.keys = sorted({key for key in keys if key is not None})
        place = {key: n for n, key in enumerate(self.keys)}
        self.to_groups = np.zeros((len(names), len(self.keys) + 1), np.float32)
        """Shape (F, G + 1); the last column takes what may not be named."""
        for f, key in enumerate(keys):
            self.to_groups[f, len(self.keys) if key is None else place[key]] = 1
        self.code_G = np.array([_base_code(key) for key in self.keys], np.uint8)
        columns = schema.product_columns
        self.product_G = np.array([_bit(key, columns) for key in self.keys], np.int64)
        """Product of a history, -1 for other groups."""
        self.family_G = np.array([_family(key) for key in self.keys], np.int64)
        """Place in FAMILIES of a holding, -1 for other groups."""
        self.family_masks = np.array(
            [sum(1 << b for b, p in enumerate(schema.products) if p.family == f) for f in FAMILIES],
            np.uint32,
        )


def _key(group: str, schema: PanelSchema) -> str | None:
    """The group's name among those that may be named, None = silent."""
    head, _, tail = group.partition(":")
    if head == "history":
        return group if tail in schema.product_columns else None
    if head == "holding":
        return group if tail in FAMILIES else None
    if head == "presence":
        head = "seniority"
    if head in _ALWAYS_SILENT or not any(head in reason.groups for reason in REASONS):
        return None
    role = _ROLE_OF.get(head)
    if role is not None and (role not in schema.roles or schema.attribute(schema.roles[role]).is_protected):
        return None
    return head


def _base_code(key: str) -> int:
    """The code of a group before the client's facts are looked at."""
    if key.startswith("history:"):
        return _N["product_history"]
    if key.startswith("holding:"):
        return _N[f"holds_{key.removeprefix('holding:')}"]
    return next(reason.number for reason in REASONS if key in reason.groups)


def _bit(key: str, columns: tuple[str, ...]) -> int:
    return columns.index(key.removeprefix("history:")) if key.startswith("history:") else -1


def _family(key: str) -> int:
    return [*map(str, FAMILIES)].index(key.removeprefix("holding:")) if key.startswith("holding:") else -1


def _words_of(name: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[^0-9a-z]+", name.lower()) if word)


def _protected_words(schema: PanelSchema) -> list[tuple[str, ...]]:
    """Names of protected attributes and of age, by column and by role, cut into words."""
    names = {a.name for a in schema.attributes if a.is_protected} | {"age", schema.roles.get("age", "age")}
    names |= {role for role, column in schema.roles.items() if column in names}
    return [_words_of(name) for name in sorted(names)]


def _is_protected(feature: str, silent: list[tuple[str, ...]]) -> bool:
    """Does a feature's name hold one of these names as whole words."""
    own = _words_of(feature)
    return any(
        own[start : start + len(words)] == words
        for words in silent
        for start in range(len(own) - len(words) + 1)
    )


class _Facts:
    """What is known of the clients of a block, looked up only for reasons that need it."""

    def __init__(self, inputs: FeatureInput, plan: _Plan) -> None:
        self.held_N, self.known_N = inputs.held_N, inputs.known_N
        self._words = HistoryWords.from_masks(
            inputs.held_NL, inputs.present_NL, n_products=len(plan.schema.products)
        )
        attributes, roles = inputs.attributes, plan.schema.roles
        self.may_NG = np.ones((len(inputs), len(plan.keys)), np.bool_)
        """Is enough known of the client to name the group."""
        self.is_active_N = np.zeros(len(inputs), np.bool_)
        for g, key in enumerate(plan.keys):
            role = _ROLE_OF.get(key)
            if role is not None:
                column = roles[role]
                self.may_NG[:, g] = column in attributes.columns and (
                    attributes[column].cast(pl.String).is_not_null().to_numpy()
                )
                if key == "activity" and column in attributes.columns:
                    flag = attributes[column].cast(pl.Float64).fill_null(0)
                    self.is_active_N = (flag > 0).to_numpy()
            elif key == "household":
                self.may_NG[:, g] = inputs.household is not None and (
                    inputs.household["size"].is_not_null().to_numpy()
                )
            elif key != "season":
                self.may_NG[:, g] = self.known_N

    def since_drop(self, clients: NDArray[np.int64], products: NDArray[np.int64]) -> Floats:
        """Months since these products were dropped by these clients; NaN if that is not known."""
        return months_since(self._words.dropped_PN[products, clients])

    def since_add(self, clients: NDArray[np.int64], products: NDArray[np.int64]) -> Floats:
        """Months since these products were added by these clients; NaN if that is not known."""
        return months_since(self._words.added_PN[products, clients])


def _name(
    parts_nF: Floats,
    product: int,
    clients: NDArray[np.int64],
    plan: _Plan,
    facts: _Facts,
    min_share: float,
) -> tuple[NDArray[np.uint8], NDArray[np.int8], NDArray[np.int16]]:
    """Codes, what they are about and their facts for n offers of one product. Shape (n, R) each."""
    parts_nF = np.asarray(parts_nF, np.float32)
    if parts_nF.shape != (len(clients), plan.n_features):
        raise DataError(
            "contributions", f"must have shape {(len(clients), plan.n_features)}, have {parts_nF.shape}"
        )
    if not np.isfinite(parts_nF).all():
        bad = np.flatnonzero(~np.isfinite(parts_nF).all(axis=1))
        raise DataError("contributions", "must be finite", n_bad=len(bad), examples=bad[:5].tolist())
    sums = parts_nF @ plan.to_groups
    total_n = np.maximum(sums, 0).sum(axis=1)
    sums = np.where(facts.may_NG[clients], sums[:, :-1], -np.inf)
    shape = (len(clients), N_REASONS)
    code, about, fact = np.zeros(shape, np.uint8), np.full(shape, -1, np.int8), np.full(shape, -1, np.int16)
    each = np.arange(len(clients))
    if plan.keys:
        for r in range(N_REASONS):
            group = sums.argmax(axis=1)
            counts = (sums[each, group] > 0) & (sums[each, group] >= min_share * total_n)
            rows = np.flatnonzero(counts)
            if not len(rows):
                break
            code[rows, r], about[rows, r], fact[rows, r] = _with_facts(
                group[rows], product, clients[rows], plan, facts
            )
            sums[each, group] = -np.inf
    code[(code[:, 0] == 0) & (total_n > 0), 0] = _N["similar_profile"]
    return code, about, fact


def _with_facts(
    group: NDArray[np.int64], product: int, clients: NDArray[np.int64], plan: _Plan, facts: _Facts
) -> tuple[NDArray[np.uint8], NDArray[np.int8], NDArray[np.int16]]:
    """The code that is true of each client, for one group each."""
    code = plan.code_G[group].copy()
    about = np.full(len(group), -1, np.int8)
    fact = np.full(len(group), -1, np.int16)

    of, held_n = plan.product_G[group], facts.held_N[clients]
    rows = np.flatnonzero(of >= 0)
    if len(rows):
        bits = of[rows]
        is_own = bits == product
        is_held = (held_n[rows] >> bits.astype(np.uint32)) & np.uint32(1) == 1
        months = np.where(
            is_held, facts.since_add(clients[rows], bits), facts.since_drop(clients[rows], bits)
        )
        is_told = np.isfinite(months)
        code[rows] = np.select(
            [is_own & is_told, is_own, is_told & is_held, is_told],
            [_N["had_before"], _N["own_history"], _N["took_product"], _N["dropped_product"]],
            _N["product_history"],
        )
        about[rows] = np.where(is_own, -1, bits)
        fact[rows] = np.where(is_told, np.nan_to_num(months), -1)

    family = plan.family_G[group]
    rows = np.flatnonzero(family >= 0)
    if len(rows):
        lacks = (held_n[rows] & plan.family_masks[family[rows]]) == 0
        code[rows] = np.where(lacks, _N["lacks_family"], code[rows])
        about[rows] = np.where(lacks, family[rows], -1)

    code[(code == _N["active"]) & ~facts.is_active_N[clients]] = _N["not_active"]
    rows = np.flatnonzero(code == _N["breadth"])
    fact[rows] = count_products(held_n[rows])
    return code, about, fact

"""Which products may be offered to which client at all, and which filter says no.

Filters stand in a fixed order and each has a stable code; of several that fire for a product the first
is reported. Knows nothing of scores.
"""

# ruff: noqa: N802  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.panel.masks import UInt32Array, unpack_masks
from nextbest.errors import DataError
from nextbest.pipeline.decisions.rules import Rules

BoolArray = NDArray[np.bool_]
Stage = Literal["eligibility", "applicability", "suitability", "contact", "arbitration"]
Blocked = tuple[int, UInt32Array]
"""A filter's number and the products it forbids each client, as bits. Shape (N,)."""


@dataclass(frozen=True)
class Filter:
    """One filter."""

    number: int
    """In the log's `fired`; 0 = passed. Numbers and codes are never given anew."""
    code: str
    stage: Stage
    en: str
    ru: str


FILTERS: tuple[Filter, ...] = (
    Filter(1, "deceased", "eligibility", "the client has died", "клиент умер"),
    Filter(2, "former_client", "eligibility", "no longer a client", "клиент ушёл из банка"),
    Filter(3, "employee", "eligibility", "an employee of the bank", "сотрудник банка"),
    Filter(4, "under_age", "eligibility", "younger than the product allows", "моложе допустимого возраста"),
    Filter(5, "over_age", "eligibility", "older than the product allows", "старше допустимого возраста"),
    Filter(6, "age_unknown", "eligibility", "age is not known", "возраст неизвестен"),
    Filter(7, "residence", "eligibility", "not for this residence", "не для этого места жительства"),
    Filter(8, "residence_unknown", "eligibility", "residence is not known", "место жительства неизвестно"),
    Filter(9, "held", "applicability", "has it already", "продукт уже есть"),
    Filter(10, "closed", "applicability", "not for sale", "не продаётся"),
    Filter(11, "not_in_channel", "applicability", "not offered in this channel", "не для этого канала"),
    Filter(12, "cap_client", "contact", "enough contacts with the client", "достаточно контактов с клиентом"),
    Filter(13, "cap_channel", "contact", "enough contacts in the channel", "достаточно контактов в канале"),
    Filter(14, "cap_product", "contact", "shown often enough", "показан достаточно раз"),
    Filter(15, "suppressed_exposures", "contact", "rests after being shown", "пауза после показов"),
    Filter(16, "suppressed_refusal", "contact", "rests after a refusal", "пауза после отказа"),
    Filter(17, "low_propensity", "arbitration", "too unlikely to be taken", "слишком мала вероятность"),
    Filter(18, "no_value", "arbitration", "value, lever or weight is 0", "ценность, рычаг или вес равны 0"),
    Filter(19, "order", "arbitration", "another product must come first", "сначала нужен другой продукт"),
)
"""The built-in filters; a policy's suitability rules follow from `rules.FIRST_SUITABILITY` on."""
FEW = 64
"""Up to so many values plain Python is faster than an expression."""
_NUMBER = {f.code: f.number for f in FILTERS}


def filter_number(code: str) -> int:
    """Number of a built-in filter."""
    return _NUMBER[code]


def filter_codes(rules: Rules) -> dict[int, str]:
    """Number -> code of all filters that a policy can fire, its suitability rules included."""
    return {f.number: f.code for f in FILTERS} | {s.number: s.rule.code for s in rules.suitability}


class Attributes:
    """Columns of N clients as the filters read them, each converted once."""

    def __init__(self, attributes: pl.DataFrame, rules: Rules) -> None:
        """Take one row for each client, in their order.

        Raises
        ------
        DataError
            A column that the policy reads is missing.
        """
        if missing := [c for c in rules.columns if c not in attributes.columns]:
            raise DataError("attributes", f"column(s) {missing} missing, which the policy reads")
        self._table = attributes
        self._texts: dict[str, pl.Series] = {}

    def __len__(self) -> int:
        return self._table.height

    def _text(self, column: str) -> pl.Series:
        if column not in self._texts:
            values = self._table[column]
            if values.dtype == pl.Boolean:
                values = values.cast(pl.Int8)  # `rules.FLAG_VALUES`
            self._texts[column] = values.cast(pl.String)
        return self._texts[column]

    def is_one_of(self, column: str, values: tuple[str, ...], *, unknown: bool) -> BoolArray:
        """Is the value among these; `unknown` where it is missing. Shape (N,)."""
        return is_among(self._text(column), values, unknown=unknown)

    def number(self, column: str) -> NDArray[np.float64]:
        """The values as numbers, NaN where missing. Shape (N,).

        Raises
        ------
        DataError
            The column holds something else.
        """
        series = self._table[column]
        if series.dtype == pl.Null:
            return np.full(len(series), np.nan)
        if not (series.dtype.is_numeric() or series.dtype == pl.Boolean):
            raise DataError("attributes", f"column {column!r} must be a number, is {series.dtype}")
        return series.cast(pl.Float64).to_numpy()

    def is_missing(self, column: str) -> BoolArray:
        """Null. Shape (N,)."""
        if not self._table[column].null_count():
            return np.zeros(len(self), np.bool_)
        return self._table[column].is_null().to_numpy()


def is_among(texts: pl.Series, values: tuple[str, ...], *, unknown: bool) -> BoolArray:
    """Is each text one of these values; `unknown` where it is null. Shape (N,)."""
    if len(texts) <= FEW:  # an expression costs more than a few comparisons
        found = [unknown if text is None else text in values for text in texts.to_list()]
        return np.array(found, np.bool_)
    return texts.is_in(list(values)).fill_null(unknown).to_numpy()


def eligible(attributes: Attributes, rules: Rules) -> Iterator[Blocked]:
    """Hard rules about who the client is: not living, not a client, staff, age, residence."""
    for code, tests in rules.clients:
        hit_N = np.zeros(len(attributes), np.bool_)
        for column, values in tests:
            hit_N |= attributes.is_one_of(column, values, unknown=False)
        yield _NUMBER[code], _mask(hit_N, rules.all_mask)
    clients = rules.policy.clients
    if rules.min_ages or rules.max_ages:
        age_N = attributes.number(rules.schema.roles["age"])
        limited = 0
        for name, limits in (("under_age", rules.min_ages), ("over_age", rules.max_ages)):
            mask_N = np.zeros(len(age_N), np.uint32)
            for years, products in limits:
                limited |= products
                mask_N |= _mask(age_N < years if name == "under_age" else age_N > years, products)
            yield _NUMBER[name], mask_N
        if clients.unknown_age == "forbid":
            yield _NUMBER["age_unknown"], _mask(np.isnan(age_N), limited)
    if rules.residences:
        column = rules.schema.roles["residence"]
        mask_N = np.zeros(len(attributes), np.uint32)
        limited = 0
        for values, products in rules.residences:
            limited |= products
            mask_N |= _mask(~attributes.is_one_of(column, values, unknown=True), products)
        yield _NUMBER["residence"], mask_N
        if clients.unknown_residence == "forbid":
            yield _NUMBER["residence_unknown"], _mask(attributes.is_missing(column), limited)


def applicable(held_N: UInt32Array, rules: Rules, *, channel: str) -> Iterator[Blocked]:
    """What the client has already, what isn't for sale, and what isn't sold in this channel."""
    yield _NUMBER["held"], held_N
    everybody = np.ones(len(held_N), np.bool_)
    yield _NUMBER["closed"], _mask(everybody, rules.closed_mask)
    if products := rules.channel_masks[channel]:
        yield _NUMBER["not_in_channel"], _mask(everybody, products)


def suitable(attributes: Attributes, rules: Rules) -> Iterator[Blocked]:
    """The policy's own rules, in its order."""
    for s in rules.suitability:
        rule, forbid_unknown = s.rule, s.rule.when_unknown == "forbid"
        if rule.allowed:
            hit_N = ~attributes.is_one_of(s.column, rule.allowed, unknown=not forbid_unknown)
        elif rule.forbidden:
            hit_N = attributes.is_one_of(s.column, rule.forbidden, unknown=forbid_unknown)
        else:
            value_N = attributes.number(s.column)
            hit_N = np.isnan(value_N) & forbid_unknown
            if rule.min is not None:
                hit_N |= value_N < rule.min
            if rule.max is not None:
                hit_N |= value_N > rule.max
        yield s.number, _mask(hit_N, s.mask)


def waiting(passed_N: UInt32Array, held_N: UInt32Array, rules: Rules) -> Blocked:
    """Products that wait for another one which is neither held nor can be offered."""
    left_N = passed_N.copy()
    for first, second in rules.before:
        can_N = ((left_N | held_N) >> np.uint32(first)) & np.uint32(1)
        left_N &= ~_mask(can_N == 0, 1 << second)
    return _NUMBER["order"], passed_N & ~left_N


class Fired:
    """Collects what each filter forbids; the first that forbids a product is kept. Axes: N clients, P products."""

    def __init__(self, fired_NP: NDArray[np.uint8]) -> None:
        """Take zeros to write into: the number of the first filter that fired, 0 = passed."""
        n_clients, n_products = fired_NP.shape
        self._fired_NP = fired_NP
        self._blocked_N = np.zeros(n_clients, np.uint32)
        self._all = np.uint32((1 << n_products) - 1)

    @property
    def passed_N(self) -> UInt32Array:
        """Products that no filter forbade, as bits. Shape (N,)."""
        return ~self._blocked_N & self._all

    def add(self, blocked: Blocked, *, spare_N: UInt32Array | None = None) -> None:
        """Take a filter's mask; products of `spare_N` are left as they are."""
        number, mask_N = blocked
        new_N = mask_N & ~self._blocked_N & self._all
        if spare_N is not None:
            new_N &= ~spare_N
        rows = np.flatnonzero(new_N)
        if not len(rows):
            return
        self._blocked_N |= new_N
        bits = unpack_masks(new_N[rows], n_products=self._fired_NP.shape[1]).view(np.uint8)
        bits = bits * np.uint8(number)
        if len(rows) == len(new_N):
            self._fired_NP += bits
        else:
            self._fired_NP[rows] += bits


def _mask(where_N: BoolArray, products: int) -> UInt32Array:
    """`products` where the client is meant, 0 elsewhere."""
    return np.where(where_N, np.uint32(products), np.uint32(0))

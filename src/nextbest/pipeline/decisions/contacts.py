"""Contacts before the decision: how many more are allowed, and which products rest.

Only rows strictly before the moment of the decision are read, so a decision can be made again later,
or for the past, with the same result. Knows nothing of scores.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.event_log import to_time_us
from nextbest.data.panel.masks import UInt32Array
from nextbest.data.panel.schema import CUSTOMER_ID
from nextbest.errors import DataError
from nextbest.pipeline.decisions.eligibility import FEW, Blocked, filter_number, is_among
from nextbest.pipeline.decisions.policy import Cap, Suppression
from nextbest.pipeline.decisions.rules import Rules
from nextbest.tables import TIME, TIME_DTYPE, TableSpec

CONTACTS = TableSpec(
    "contacts",
    required={CUSTOMER_ID: None, "channel": pl.String(), TIME: TIME_DTYPE},
    optional={
        "product": pl.String(),  # column of the panel; null or unknown: a contact about something else
        "outcome": pl.String(),  # in the bank's words; the policy says which of them are refusals
    },
    order=(CUSTOMER_ID, TIME),
)
"""What the contact history looks like: one row for each product shown to a client."""
DAY_US = 86_400_000_000
_UNLIMITED = np.iinfo(np.int16).max


@dataclass(frozen=True, eq=False)
class Contacts:
    """Contacts that count, as arrays of M rows, and when they are looked at."""

    row_M: NDArray[np.int64]
    """Client's place in the batch."""
    product_M: NDArray[np.int64]
    """Bit, or -1 for a contact about something else."""
    time_M: NDArray[np.int64]
    """Microseconds since 1970, all before `at`."""
    channel_M: NDArray[np.int64]
    """A number for each channel."""
    in_channel_M: NDArray[np.bool_]
    """Made in the decision's channel."""
    refused_M: NDArray[np.bool_]
    is_about_all_M: NDArray[np.bool_]
    """Names no product."""
    at: int
    """Moment of the decision in microseconds since 1970."""
    n_clients: int

    def since(self, days: float) -> NDArray[np.bool_]:
        """Contacts less than `days` old. Shape (M,)."""
        return self.time_M > self.at - int(days * DAY_US)


@dataclass(frozen=True, eq=False)
class ContactLimits:
    """What the contact policy leaves."""

    places_N: NDArray[np.int16]
    """Offers that no cap of the client or the channel forbids. Shape (N,)."""
    blocked: tuple[Blocked, ...]

    def rows(self, rows: slice) -> "ContactLimits":
        """Those of some clients."""
        return ContactLimits(
            self.places_N[rows], tuple((number, mask_N[rows]) for number, mask_N in self.blocked)
        )


def read_contacts(
    table: pl.DataFrame, client_ids: pl.Series, rules: Rules, *, at: datetime, channel: str
) -> Contacts:
    """The contacts of these clients before `at` that reached them and that the policy may count.

    Parameters
    ----------
    table
        As `CONTACTS`; rows of other clients and rows at or after `at` are passed over.
    client_ids
        The N clients of the decision, unique.
    at
        Moment of the decision, with a time zone.
    channel
        For which it is made.

    Raises
    ------
    DataError
        The table breaks `CONTACTS`, or its ids are of another type than the clients'.
    """
    _refuse_naive_times(table)
    CONTACTS.check(table)
    id_dtype = table.schema[CUSTOMER_ID]
    if id_dtype.is_integer() != client_ids.dtype.is_integer():
        raise DataError(
            "contacts", f"{CUSTOMER_ID} must be {client_ids.dtype} as the clients' ids, is {id_dtype}"
        )
    at_us = to_time_us("decided_at", at)
    policy = rules.policy.contacts
    time_M = table[TIME].to_physical().to_numpy()
    counts = (time_M < at_us) & (time_M > at_us - int(_longest_days(rules) * DAY_US))
    counts &= ~is_among(_texts(table, "outcome"), policy.not_shown_outcomes, unknown=False)
    table = table[np.flatnonzero(counts)]
    rows = _rows_of(table[CUSTOMER_ID], client_ids)
    if (rows < 0).any():
        table, rows = table[np.flatnonzero(rows >= 0)], rows[rows >= 0]
    outcome, product, made_in = _texts(table, "outcome"), _texts(table, "product"), table["channel"]
    return Contacts(
        row_M=rows,
        product_M=_bits_of(product, rules.schema.product_columns),
        time_M=table[TIME].to_physical().to_numpy(),
        channel_M=made_in.cast(pl.Categorical).to_physical().to_numpy().astype(np.int64),
        in_channel_M=is_among(made_in, (channel,), unknown=False),
        refused_M=is_among(outcome, policy.refusal_outcomes, unknown=False),
        is_about_all_M=is_among(product, (), unknown=True),
        at=at_us,
        n_clients=len(client_ids),
    )


def no_contacts(n_clients: int) -> Contacts:
    """A history without any contact: what a cap of 0 needs all the same."""
    none, false = np.empty(0, np.int64), np.empty(0, np.bool_)
    return Contacts(none, none, none, none, false, false, false, at=0, n_clients=n_clients)


def contact_limits(contacts: Contacts, rules: Rules, *, channel: str) -> ContactLimits:
    """Places left by caps, and products that caps, exposures and refusals put to rest."""
    n_clients = contacts.n_clients
    places_N = np.full(n_clients, _UNLIMITED, np.int16)
    masks = {
        code: np.zeros(n_clients, np.uint32)
        for code in ("cap_client", "cap_channel", "cap_product", "suppressed_exposures", "suppressed_refusal")
    }
    for cap, products in rules.caps:
        if cap.channels and channel not in cap.channels:
            continue
        if cap.scope == "product":
            masks["cap_product"] |= _full_products(contacts, cap, products)
            continue
        left_N = cap.at_most - _count(contacts, cap)
        masks[f"cap_{cap.scope}"] |= np.where(left_N <= 0, np.uint32(rules.all_mask), np.uint32(0))
        if cap.unit == "offers":
            places_N = np.minimum(places_N, np.clip(left_N, 0, _UNLIMITED)).astype(np.int16)
    for rest, products in rules.suppressions:
        masks["suppressed_exposures"] |= _resting(contacts, rest, products)
    if rules.policy.contacts.refusal_days:
        masks["suppressed_refusal"] = _refused(contacts, rules)
    return ContactLimits(places_N, tuple((filter_number(code), mask_N) for code, mask_N in masks.items()))


def _refuse_naive_times(table: pl.DataFrame) -> None:
    """Text, days and moments without a zone: which moments they are, only the sender knows."""
    found = table.schema.get(TIME)
    if isinstance(found, pl.Date | pl.String) or (isinstance(found, pl.Datetime) and found.time_zone is None):
        raise DataError(
            "contacts",
            f"column {TIME!r} must be {TIME_DTYPE}, is {found}",
            examples=table[TIME].head(5).cast(pl.String).to_list(),
            remedy="write times with an offset, for example 2016-05-01T00:00:00Z",
        )


def _texts(table: pl.DataFrame, column: str) -> pl.Series:
    """A column that may be left out: then it is null everywhere."""
    return (
        table[column]
        if column in table.columns
        else pl.Series([None], dtype=pl.String).new_from_index(0, len(table))
    )


def _bits_of(products: pl.Series, columns: tuple[str, ...]) -> NDArray[np.int64]:
    """Bit of each product, -1 for others and null. Shape (M,)."""
    bits = {name: n for n, name in enumerate(columns)}
    if len(products) <= FEW:
        return np.array([bits.get(name, -1) for name in products.to_list()], np.int64)
    return products.replace_strict(bits, default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()


def _longest_days(rules: Rules) -> float:
    """How far back any rule looks."""
    policy = rules.policy.contacts
    return max(
        [
            policy.refusal_days,
            *(cap.days for cap in policy.caps),
            *(rest.within_days + rest.for_days for rest in policy.suppressions),
        ]
    )


def _rows_of(ids: pl.Series, client_ids: pl.Series) -> NDArray[np.int64]:
    """Place of each contact's client in the batch, -1 for clients of other batches."""
    if len(client_ids) == 1:
        return np.array([0 if i == client_ids[0] else -1 for i in ids.to_list()], np.int64)
    if ids.dtype.is_integer():
        ids, client_ids = ids.cast(pl.Int64), client_ids.cast(pl.Int64)
    table = pl.DataFrame({"id": client_ids, "row": np.arange(len(client_ids))})
    joined = ids.alias("id").to_frame().join(table, on="id", how="left", maintain_order="left")
    return joined["row"].fill_null(-1).to_numpy()


def _count(contacts: Contacts, cap: Cap) -> NDArray[np.int64]:
    """Contacts of each client that a cap of scope client or channel counts. Shape (N,)."""
    counted = contacts.since(cap.days)
    if cap.scope == "channel":
        counted &= contacts.in_channel_M
    rows = contacts.row_M[counted]
    if cap.unit == "contacts":
        # what was shown at one moment in one channel is one contact
        parts = np.stack([rows, contacts.time_M[counted], contacts.channel_M[counted]])
        parts = parts[:, np.lexsort(parts)]
        is_first = np.ones(len(rows), np.bool_)
        is_first[1:] = (parts[:, 1:] != parts[:, :-1]).any(axis=0)
        rows = parts[0, is_first]
    return np.bincount(rows, minlength=contacts.n_clients)


def _full_products(contacts: Contacts, cap: Cap, products: int) -> UInt32Array:
    """Products shown as often as their cap allows, as bits. Shape (N,)."""
    if not cap.at_most:
        return np.full(contacts.n_clients, products, np.uint32)
    counted = contacts.since(cap.days) & (contacts.product_M >= 0)
    keys, counts = np.unique(contacts.row_M[counted] * 32 + contacts.product_M[counted], return_counts=True)
    return _bits(keys[counts >= cap.at_most], contacts.n_clients) & np.uint32(products)


def _resting(contacts: Contacts, rest: Suppression, products: int) -> UInt32Array:
    """Products whose last `after_exposures` showings came within `within_days`, not long enough ago."""
    known = contacts.product_M >= 0
    keys = contacts.row_M[known] * 32 + contacts.product_M[known]
    times = contacts.time_M[known]
    order = np.lexsort((times, keys))
    keys, times = keys[order], times[order]
    back = rest.after_exposures - 1
    n_runs = max(0, len(keys) - back)
    is_run = (keys[back:] == keys[:n_runs]) & (times[back:] - times[:n_runs] < int(rest.within_days * DAY_US))
    is_run &= times[back:] > contacts.at - int(rest.for_days * DAY_US)
    return _bits(keys[back:][is_run], contacts.n_clients) & np.uint32(products)


def _refused(contacts: Contacts, rules: Rules) -> UInt32Array:
    """Products refused lately; everything where the client refused without naming one."""
    refused = contacts.refused_M & contacts.since(rules.policy.contacts.refusal_days)
    named = refused & (contacts.product_M >= 0)
    mask_N = _bits(contacts.row_M[named] * 32 + contacts.product_M[named], contacts.n_clients)
    mask_N[contacts.row_M[refused & contacts.is_about_all_M]] = rules.all_mask
    return mask_N


def _bits(keys: NDArray[np.int64], n_clients: int) -> UInt32Array:
    """Keys of (client x 32 + product) as bits of each client. Shape (N,)."""
    mask_N = np.zeros(n_clients, np.uint32)
    np.bitwise_or.at(mask_N, keys // 32, np.uint32(1) << (keys % 32).astype(np.uint32))
    return mask_N

"""What was decided for a batch of clients, and its readings: a table of offers, a log, one client's answer.

Holds arrays; decides nothing.
"""

# ruff: noqa: N802, N815  (fields suffixed by their axes are the house style for arrays)

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.panel.masks import UInt32Array
from nextbest.data.panel.schema import CUSTOMER_ID, MONTH
from nextbest.pipeline.decisions.eligibility import filter_codes
from nextbest.pipeline.decisions.exploration import SOURCES
from nextbest.pipeline.decisions.reason_codes import REASONS
from nextbest.pipeline.decisions.reasons import N_REASONS, Reasons
from nextbest.pipeline.decisions.rules import Rules
from nextbest.pipeline.query import Lang
from nextbest.tables import ITEM_ID, TIME_DTYPE, USER_ID, TableSpec

DECISION_LOG = TableSpec(
    "decision log",
    required={
        CUSTOMER_ID: None,
        MONTH: pl.Date(),  # target month
        "channel": pl.String(),
        "model_version": pl.String(),
        "policy_version": pl.String(),
        "policy_digest": pl.String(),
        "rng": pl.Int64(),
        "is_control": pl.Boolean(),
        "rank": pl.Int32(),  # 1 = first place; 0 = the client got no offer
        "n_offers": pl.Int32(),
        "possible": pl.UInt32(),  # products that passed all filters, as bits of the panel
    },
    optional={
        "decided_at": TIME_DTYPE,  # null where no moment was given
        ITEM_ID: pl.String(),  # null at rank 0
        "propensity": pl.Float32(),  # probability of an addition
        "score": pl.Float32(),  # in the policy's currency
        "policy_probability": pl.Float64(),  # of this product at this place, given the places before it
        "list_probability": pl.Float64(),  # of the list down to this place: product of the former
        "source": pl.String(),
        "reasons": pl.List(pl.String()),  # codes, weightiest first
        "fired": pl.List(
            pl.UInt8()
        ),  # filter that fired for each product, 0 = passed; on the first row of a client
    },
    order=(CUSTOMER_ID, "rank"),
)
"""One row an offer and one for each client without; what off-policy estimates and audits read."""
LOG_COLUMNS = (
    *(CUSTOMER_ID, MONTH, "decided_at", "channel", "model_version", "policy_version", "policy_digest", "rng"),
    *("is_control", "rank", "n_offers", "possible", ITEM_ID, "propensity", "score", "policy_probability"),
    *("list_probability", "source", "reasons", "fired"),
)
"""All of them, in the order they are written."""


@dataclass(frozen=True, eq=False)
class Decisions:
    """Offers of N clients with all that led to them. Axes: N clients, P products, K places, R reasons."""

    client_ids: pl.Series
    month: date
    """Target month: the one whose additions the propensities are of."""
    decided_at: datetime | None
    """Moment up to which contacts were read."""
    channel: str
    rules: Rules
    model_version: str
    rng: int
    product_NK: NDArray[np.int8]
    """Bit of each offer, best first, -1 = none."""
    propensity_NK: NDArray[np.float32]
    """Probability of an addition, 0 where there is no offer."""
    score_NK: NDArray[np.float32]
    """Propensity x value x lever x weights in the policy's currency, 0 where there is no offer."""
    probability_NK: NDArray[np.float64]
    """P(this product at this place | the places before it) under the policy, 0 where there is no offer."""
    source_NK: NDArray[np.uint8]
    """Number in `exploration.SOURCES`."""
    fired_NP: NDArray[np.uint8]
    """First filter that fired, 0 = passed; `filter_codes(rules)` has the codes."""
    possible_N: UInt32Array
    """Products that passed all filters, as bits."""
    is_control_N: NDArray[np.bool_]
    reasons: Reasons

    def __repr__(self) -> str:
        """Without ids: a repr ends in logs."""
        return (
            f"Decisions({len(self)} clients, {int(self.n_offers_N.sum())} offers, month={self.month}, "
            f"channel={self.channel!r}, policy={self.rules.policy.version!r}, model={self.model_version!r})"
        )

    def __len__(self) -> int:
        return len(self.product_NK)

    @property
    def n_offers_N(self) -> NDArray[np.int64]:
        """Offers of each client. Shape (N,)."""
        return np.asarray((self.product_NK >= 0).sum(axis=1))

    def shown(self, clients: NDArray[np.int64], *, n_places_N: NDArray[np.int64]) -> "Decisions":
        """The decisions of some clients, in this order, each with only its first places: those that were shown."""
        is_shown_NK = np.arange(self.product_NK.shape[1]) < n_places_N[:, None]
        return replace(
            self,
            client_ids=self.client_ids.gather(clients),
            product_NK=np.where(is_shown_NK, self.product_NK[clients], -1).astype(np.int8),
            propensity_NK=self.propensity_NK[clients] * is_shown_NK,
            score_NK=self.score_NK[clients] * is_shown_NK,
            probability_NK=self.probability_NK[clients] * is_shown_NK,
            source_NK=self.source_NK[clients] * is_shown_NK,
            fired_NP=self.fired_NP[clients],
            possible_N=self.possible_N[clients],
            is_control_N=self.is_control_N[clients],
            reasons=self.reasons.take(clients),
        )

    def to_frame(self, *, lang: Lang | None = None) -> pl.DataFrame:
        """Offers as the recommendations table, one row an offer; clients without one have no row.

        Parameters
        ----------
        lang
            Language of `reason`; None: its code.

        Returns
        -------
        polars.DataFrame
            `user_id, item_id, rank, score, source, reason`, and `propensity` (probability), `policy_probability`,
            `reasons` (up to three codes, weightiest first), `is_control`. `reason` is null where nothing spoke
            for the offer (as it may be for one drawn at random) or where none was asked for.
        """
        clients, places = np.nonzero(self.product_NK >= 0)
        return pl.DataFrame(
            {
                USER_ID: self.client_ids.gather(clients),
                ITEM_ID: self._columns_of(self.product_NK[clients, places]),
                "rank": (places + 1).astype(np.int32),
                "score": self.score_NK[clients, places],
                "source": _names(SOURCES, self.source_NK[clients, places]),
                "reason": (
                    _names(_REASON_CODES, self.reasons.code_NKR[clients, places, 0])
                    if lang is None
                    else self.reasons.first_words(clients, places, lang=lang)
                ),
                "propensity": self.propensity_NK[clients, places],
                "policy_probability": self.probability_NK[clients, places],
                "reasons": self._reason_lists(clients, places),
                "is_control": self.is_control_N[clients],
            }
        )

    def to_log(self) -> pl.DataFrame:
        """Every decision as the `DECISION_LOG` table, clients without an offer included."""
        clients, places = np.nonzero((self.product_NK >= 0) | _first_of_empty(self.product_NK))
        product = self.product_NK[clients, places]
        is_offer = pl.Series(product >= 0)
        is_first = places == 0

        def where_offered(values: NDArray[Any], dtype: pl.DataType) -> pl.Series:
            return pl.select(pl.when(is_offer).then(pl.Series(values, dtype=dtype))).to_series()

        fired = pl.Series(self.fired_NP, dtype=pl.Array(pl.UInt8, self.fired_NP.shape[1])).arr.to_list()
        rows = pl.Series(np.where(is_first, clients, len(self)))
        policy = self.rules.policy
        n = len(clients)
        return pl.DataFrame(
            {
                CUSTOMER_ID: self.client_ids.gather(clients),
                MONTH: pl.Series([self.month], dtype=pl.Date).new_from_index(0, n),
                "decided_at": pl.Series([self.decided_at], dtype=TIME_DTYPE).new_from_index(0, n),
                "channel": _constant(self.channel, n),
                "model_version": _constant(self.model_version, n),
                "policy_version": _constant(policy.version, n),
                "policy_digest": _constant(self.rules.digest, n),
                "rng": np.full(n, self.rng, np.int64),
                "is_control": self.is_control_N[clients],
                "rank": np.where(product >= 0, places + 1, 0).astype(np.int32),
                "n_offers": self.n_offers_N[clients].astype(np.int32),
                "possible": self.possible_N[clients],
                ITEM_ID: self._columns_of(product),
                "propensity": where_offered(self.propensity_NK[clients, places], pl.Float32()),
                "score": where_offered(self.score_NK[clients, places], pl.Float32()),
                "policy_probability": where_offered(self.probability_NK[clients, places], pl.Float64()),
                "list_probability": where_offered(
                    np.cumprod(self.probability_NK, axis=1)[clients, places], pl.Float64()
                ),
                "source": _names(SOURCES, self.source_NK[clients, places]),
                "reasons": self._reason_lists(clients, places),
                "fired": fired.gather(rows, null_on_oob=True),
            }
        ).select(LOG_COLUMNS)

    def counts(self) -> pl.DataFrame:
        """How often each filter fired: `code` and a column for each product, built-in filters by number first.

        `passed` counts what no filter forbade; a row sums to the clients it concerns.
        """
        codes = {0: "passed"} | filter_codes(self.rules)
        columns = self.rules.schema.product_columns
        counts_P = [np.bincount(self.fired_NP[:, p], minlength=256) for p in range(len(columns))]
        return pl.DataFrame(
            {
                "code": list(codes.values()),
                **{
                    column: [int(counts[number]) for number in codes]
                    for column, counts in zip(columns, counts_P, strict=True)
                },
            }
        )

    def fired(self, client: int) -> dict[str, str]:
        """Product -> code of the filter that fired, for the client at this place of the batch."""
        codes = filter_codes(self.rules)
        return {
            column: codes[number]
            for column, number in zip(
                self.rules.schema.product_columns, self.fired_NP[client].tolist(), strict=True
            )
            if number
        }

    def for_client(self, client: int, *, lang: Lang = "en") -> dict[str, Any]:
        """One client's answer in JSON's own types: offers with reasons in words, filters, control, versions."""
        schema = self.rules.schema
        offers = []
        for place in range(int(self.n_offers_N[client])):
            product = schema.products[int(self.product_NK[client, place])]
            words = self.reasons.words(client, place, lang=lang)
            offers.append(
                {
                    "item_id": product.column,
                    "title": product.name(lang),
                    "rank": place + 1,
                    "score": float(self.score_NK[client, place]),
                    "propensity": float(self.propensity_NK[client, place]),
                    "policy_probability": float(self.probability_NK[client, place]),
                    "source": SOURCES[self.source_NK[client, place]],
                    "reasons": [
                        {"code": code, "text": text}
                        for code, text in zip(self.reasons.codes(client, place), words, strict=True)
                    ],
                }
            )
        return {
            CUSTOMER_ID: self.client_ids[client],
            MONTH: self.month.isoformat(),
            "channel": self.channel,
            "offers": offers,
            "fired": self.fired(client),
            "is_control": bool(self.is_control_N[client]),
            "currency": self.rules.policy.currency,
            "policy_version": self.rules.policy.version,
            "policy_digest": self.rules.digest,
            "model_version": self.model_version,
        }

    def _columns_of(self, product: NDArray[np.int8]) -> pl.Series:
        """Ids of products, null for -1."""
        columns = pl.Series(self.rules.schema.product_columns, dtype=pl.String)
        return columns.gather(np.where(product < 0, len(columns), product), null_on_oob=True)

    def _reason_lists(self, clients: NDArray[np.int64], places: NDArray[np.int64]) -> pl.Series:
        codes = self.reasons.code_NKR[clients, places]
        flat = _names(_REASON_CODES, codes.ravel())
        return flat.reshape((len(codes), N_REASONS)).arr.to_list().list.drop_nulls()


_REASON_CODES = ("", *(reason.code for reason in REASONS))


def _first_of_empty(product_NK: NDArray[np.int8]) -> NDArray[np.bool_]:
    """The first place of clients without any offer. Shape (N, K)."""
    is_row = np.zeros(product_NK.shape, np.bool_)
    is_row[:, 0] = product_NK[:, 0] < 0
    return is_row


def _names(names: tuple[str, ...], numbers: NDArray[np.integer[Any]]) -> pl.Series:
    """Names by number, null for 0."""
    return pl.Series([None, *names[1:]], dtype=pl.String).gather(numbers.astype(np.int64))


def _constant(text: str, n: int) -> pl.Series:
    return pl.Series([text], dtype=pl.String).new_from_index(0, n)

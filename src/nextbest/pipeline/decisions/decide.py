"""The whole way from probabilities to offers, for a million clients or one.

Filters in their order (eligibility, applicability, suitability, contact policy), then arbitration, hard
ordering, control group and exploration, at last reasons. Everything is a function of one client's row, the
policy and the seed: batches of any cut give the same offers.
"""

from dataclasses import replace
from datetime import date, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.event_log import to_time_us
from nextbest.data.panel.masks import UInt32Array
from nextbest.data.panel.schema import SANTANDER, PanelSchema
from nextbest.errors import DataError, InputError
from nextbest.pipeline.decisions.arbitration import context_factors, scores, too_low
from nextbest.pipeline.decisions.contacts import (
    ContactLimits,
    contact_limits,
    no_contacts,
    read_contacts,
)
from nextbest.pipeline.decisions.control import in_control
from nextbest.pipeline.decisions.decisions import Decisions
from nextbest.pipeline.decisions.eligibility import (
    Attributes,
    Fired,
    applicable,
    eligible,
    suitable,
    waiting,
)
from nextbest.pipeline.decisions.exploration import Choice, fill_places
from nextbest.pipeline.decisions.hashing import U64, id_hash
from nextbest.pipeline.decisions.policy import DecisionPolicy
from nextbest.pipeline.decisions.reasons import Reasons, ReasonSource, find_reasons
from nextbest.pipeline.decisions.rules import Rules, compile_policy

_BLOCK = 1 << 16


def decide(
    p_NP: NDArray[np.float32],
    held_N: UInt32Array,
    *,
    attributes: pl.DataFrame,
    client_ids: pl.Series,
    month: date,
    policy: DecisionPolicy | Rules,
    schema: PanelSchema = SANTANDER,
    channel: str | None = None,
    contacts: pl.DataFrame | None = None,
    decided_at: datetime | None = None,
    mandatory_N: UInt32Array | None = None,
    reasons: ReasonSource | None = None,
    model_version: str = "",
    rng: int = 0,
    clients_repeat: bool = False,
) -> Decisions:
    """Which products to offer to each client, in which order, and why.

    Parameters
    ----------
    p_NP
        Calibrated probability that the client adds the product in `month`; 0 to 1, no NaN. Shape (N, P).
    held_N
        Packed products held, bit p = product p. Shape (N,), uint32.
    attributes
        The N clients' attributes by the schema's names, in the same order; null = missing. Only the columns that
        the policy reads must be there (`Rules.columns`).
    client_ids
        Integers or strings, in the same order; unique unless `clients_repeat`.
    month
        Target month; with `rng` and the id it fixes every draw.
    policy
        What people decide. `compile_policy(policy, schema)` saves its checks where many calls are made.
    schema
        Of the panel; of no account where `policy` is compiled.
    channel
        For which the offers are made; None: the policy's default.
    contacts
        Contact history as `contacts.CONTACTS`, of these clients and perhaps others; None: no contact so far.
    decided_at
        Moment of the decision, with a time zone: contacts at or after it are not read. Needed with `contacts`.
    mandatory_N
        Products that must come first for single clients, as bits, beside those of the policy. Shape (N,).
    reasons
        What reasons are made from; None: offers carry none.
    model_version
        Logged with every decision.
    rng
        Seed of the exploration.
    clients_repeat
        A client may come several times, as several profiles of them may be asked about; not with `contacts`.

    Returns
    -------
    Decisions
        Of the N clients, in their order.

    Raises
    ------
    InputError
        Shapes don't fit together, the channel is not the policy's, `contacts` come without `decided_at` or with
        `clients_repeat`, or the policy names what the panel hasn't.
    DataError
        A probability is NaN or outside 0 to 1, ids are null or repeated unasked, a column that the policy reads is missing
        or of another type, or the contacts break their contract.
    """
    rules = policy if isinstance(policy, Rules) else compile_policy(policy, schema)
    schema, n_clients = rules.schema, len(client_ids)
    if clients_repeat and contacts is not None:
        raise InputError(
            "clients_repeat", "can't be with contacts: they count against each list of the client"
        )
    _check(p_NP, held_N, attributes, client_ids, mandatory_N, rules, clients_repeat=clients_repeat)
    if channel is None:
        channel = rules.policy.default_channel
    elif channel not in rules.policy.channels:
        raise InputError("channel", f"must be one of {list(rules.policy.channels)}", value=channel)
    if decided_at is not None:
        to_time_us("decided_at", decided_at)
    limits = _limits(contacts, client_ids, rules, decided_at=decided_at, channel=channel)
    hash_N = id_hash(client_ids)
    n_places, n_products = rules.policy.max_offers, len(schema.products)
    decisions = Decisions(
        client_ids=client_ids,
        month=month,
        decided_at=decided_at,
        channel=channel,
        rules=rules,
        model_version=model_version,
        rng=rng,
        product_NK=np.full((n_clients, n_places), -1, np.int8),
        propensity_NK=np.zeros((n_clients, n_places), np.float32),
        score_NK=np.zeros((n_clients, n_places), np.float32),
        probability_NK=np.zeros((n_clients, n_places)),
        source_NK=np.zeros((n_clients, n_places), np.uint8),
        fired_NP=np.zeros((n_clients, n_products), np.uint8),
        possible_N=np.zeros(n_clients, np.uint32),
        is_control_N=in_control(client_ids, rules.policy.control, hashes=hash_N),
        reasons=Reasons.none(0, n_places, schema),
    )
    for start in range(0, n_clients, _BLOCK):
        rows = slice(start, min(start + _BLOCK, n_clients))
        own_N = np.full(rows.stop - start, rules.mandatory_mask, np.uint32)
        _decide_block(
            decisions,
            rows,
            p_NP[rows],
            held_N[rows],
            attributes[rows],
            limits.rows(rows),
            own_N if mandatory_N is None else own_N | mandatory_N[rows],
            hash_N[rows],
        )
    found = (
        Reasons.none(n_clients, n_places, schema)
        if reasons is None
        else find_reasons(decisions.product_NK, reasons, schema)
    )
    return replace(decisions, reasons=found)


def _decide_block(
    into: Decisions,
    rows: slice,
    p_NP: NDArray[np.float32],
    held_N: UInt32Array,
    attributes: pl.DataFrame,
    limits: ContactLimits,
    mandatory_N: UInt32Array,
    hash_N: U64,
) -> None:
    """Decide for some rows and write them into their places."""
    rules, policy, channel = into.rules, into.rules.policy, into.channel
    columns = Attributes(attributes, rules)
    fired = Fired(into.fired_NP[rows])
    for blocked in (
        *eligible(columns, rules),
        *applicable(held_N, rules, channel=channel),
        *suitable(columns, rules),
    ):
        fired.add(blocked)
    for blocked in limits.blocked:
        fired.add(blocked, spare_N=mandatory_N)
    contexts = context_factors(columns, rules, channel=channel)
    score_NP = scores(p_NP, rules.factors[channel], contexts)
    for blocked in too_low(p_NP, score_NP, rules):
        fired.add(blocked, spare_N=mandatory_N)
    fired.add(waiting(fired.passed_N, held_N, rules))

    is_control_N = into.is_control_N[rows]
    most_control = 0 if policy.control.offers == "none" else 1
    choice = Choice(
        score_NP=score_NP,
        possible_N=fired.passed_N,
        held_N=held_N,
        limit_N=np.where(is_control_N, np.minimum(limits.places_N, most_control), limits.places_N),
        is_control_N=is_control_N,
        before=rules.before,
        mandatory_N=mandatory_N,
        mandatory_first=rules.mandatory,
    )
    places = fill_places(
        choice,
        policy.exploration,
        n_places=policy.max_offers,
        hash_N=hash_N,
        rng=into.rng,
        month=into.month,
    )
    is_offer = places.product_NK >= 0
    taken = (np.arange(len(held_N))[:, None], np.maximum(places.product_NK, 0))
    into.product_NK[rows] = places.product_NK
    into.probability_NK[rows] = places.probability_NK
    into.source_NK[rows] = places.source_NK
    into.propensity_NK[rows] = np.where(is_offer, p_NP[taken], 0)
    into.score_NK[rows] = np.where(is_offer, score_NP[taken], 0)
    into.possible_N[rows] = fired.passed_N


def _limits(
    contacts: pl.DataFrame | None,
    client_ids: pl.Series,
    rules: Rules,
    *,
    decided_at: datetime | None,
    channel: str,
) -> ContactLimits:
    if contacts is None:
        return contact_limits(no_contacts(len(client_ids)), rules, channel=channel)
    if decided_at is None:
        raise InputError("decided_at", "must be given with contacts: later ones must not be read")
    found = read_contacts(contacts, client_ids, rules, at=decided_at, channel=channel)
    return contact_limits(found, rules, channel=channel)


def _check(
    p_NP: NDArray[np.float32],
    held_N: UInt32Array,
    attributes: pl.DataFrame,
    client_ids: pl.Series,
    mandatory_N: UInt32Array | None,
    rules: Rules,
    *,
    clients_repeat: bool,
) -> None:
    shape = (len(client_ids), len(rules.schema.products))
    if np.shape(p_NP) != shape:
        raise InputError("p_NP", f"must have shape {shape}: clients x products", value=np.shape(p_NP))
    for name, mask_N in (("held_N", held_N), ("mandatory_N", mandatory_N)):
        if mask_N is not None and (np.shape(mask_N) != shape[:1] or mask_N.dtype != np.uint32):
            raise InputError(
                name, f"must be uint32 of shape ({shape[0]},)", value=f"{mask_N.dtype} {np.shape(mask_N)}"
            )
    if attributes.height != shape[0]:
        raise InputError("attributes", f"must have {shape[0]} rows", value=attributes.height)
    if shape[0] > 1 and not clients_repeat and (n_twice := shape[0] - client_ids.n_unique()):
        twice = client_ids.filter(client_ids.is_duplicated()).unique().head(5).to_list()
        raise DataError("client_ids", "must be unique", n_bad=n_twice, examples=twice)
    # one pass: a comparison with NaN is False
    if not (p_NP.size == 0 or (p_NP.min() >= 0 and p_NP.max() <= 1)):
        is_bad_N = ~((p_NP >= 0) & (p_NP <= 1)).all(axis=1)
        raise DataError(
            "p_NP",
            "must be probabilities: 0 to 1, not NaN",
            n_bad=int(is_bad_N.sum()),
            examples=client_ids.filter(pl.Series(is_bad_N)).head(5).to_list(),
        )

"""From scores to places: the best first, or a logged draw whose probabilities are known exactly.

A list is filled place by place; at each the products still possible are known, so the probability of the
one chosen is exact, whatever rules bind the places together. Axes: N clients, P products, K places.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from nextbest.data.panel.masks import UInt32Array, unpack_masks
from nextbest.pipeline.decisions.hashing import U64, text_key, uniforms
from nextbest.pipeline.decisions.policy import Exploration

BoolArray = NDArray[np.bool_]
Floats = NDArray[np.float64]
SOURCES = ("none", "arbitration", "exploration", "mandatory", "control")
"""Where an offer comes from; its place in this tuple is its number in `Places.source_NK`."""
_ARBITRATION, _EXPLORATION, _MANDATORY, _CONTROL = 1, 2, 3, 4


@dataclass(frozen=True, eq=False)
class Places:
    """Filled places of N clients."""

    product_NK: NDArray[np.int8]
    """Bit of the product, -1 = no more offer."""
    probability_NK: Floats
    """P(this product at this place | the places before it), 0 where there is none."""
    source_NK: NDArray[np.uint8]
    """Number in `SOURCES`."""


@dataclass(frozen=True, eq=False)
class Choice:
    """What the places of N clients may be filled with."""

    score_NP: Floats
    """> 0 wherever a product is possible."""
    possible_N: UInt32Array
    """Products that passed all filters, as bits."""
    held_N: UInt32Array
    limit_N: NDArray[np.int16]
    """Offers that the contact policy leaves, the mandatory ones aside."""
    is_control_N: BoolArray
    before: Sequence[tuple[int, int]] = ()
    """(first, second): the second only where the first is held or stands at an earlier place."""
    mandatory_N: UInt32Array | None = None
    """Products that come first where they are possible, as bits."""
    mandatory_first: Sequence[int] = ()
    """Of the mandatory products these lead, in this order; the others follow in the order of the schema."""


def place_probabilities(score_NP: Floats, possible_NP: BoolArray, exploration: Exploration) -> Floats:
    """P(product at the next place), shape (N, P): rows sum to 1, or are 0 where nothing is possible.

    Parameters
    ----------
    score_NP
        > 0 wherever a product is possible.
    possible_NP
        Products that may take the place.
    exploration
        `none`: all on the best score, of equals on the product that comes first in the schema;
        `epsilon_greedy`: a share `epsilon` evenly over the possible, the rest on the best;
        `softmax`: in proportion to score ** (1 / temperature).

    Notes
    -----
    Repeated place by place without what was taken, `softmax` is the Plackett-Luce law (Plackett 1975).
    """
    if exploration.kind == "softmax":
        with np.errstate(divide="ignore"):
            log_NP = np.where(possible_NP, np.log(score_NP) / exploration.temperature, -np.inf)
        top_N1 = log_NP.max(axis=1, keepdims=True)
        weight_NP = np.exp(log_NP - np.where(np.isneginf(top_N1), 0, top_N1))
        total_N1 = weight_NP.sum(axis=1, keepdims=True)
        return np.asarray(weight_NP / np.where(total_N1 == 0, 1, total_N1))
    best_N = _best(score_NP, possible_NP)
    rows = np.arange(len(best_N))
    p_NP = np.zeros(score_NP.shape)
    is_any_N = possible_NP[rows, best_N]
    p_NP[rows, best_N] = is_any_N
    if exploration.kind == "epsilon_greedy":
        p_NP *= 1 - exploration.epsilon
        p_NP += even_probabilities(possible_NP) * exploration.epsilon
    return p_NP


def even_probabilities(possible_NP: BoolArray) -> Floats:
    """Each possible product as likely, shape (N, P); rows are 0 where nothing is possible."""
    n_N1 = possible_NP.sum(axis=1, keepdims=True)
    return np.asarray(possible_NP / np.maximum(n_N1, 1))


def draw(p_NP: Floats, u_N: Floats) -> NDArray[np.int64]:
    """The product that each row's number in [0, 1) falls on, by the order of the schema. Shape (N,).

    Rows must hold some probability; a product of probability 0 is never drawn.
    """
    sums_NP = np.cumsum(p_NP, axis=1)
    return np.asarray((sums_NP > u_N[:, None] * sums_NP[:, -1:]).argmax(axis=1))


def fill_places(
    choice: Choice, exploration: Exploration, *, n_places: int, hash_N: U64, rng: int, month: date
) -> Places:
    """Fill up to `n_places` places of each client.

    The draws are a function of (`rng`, client, `month`, place): they don't depend on who else is decided for.
    Clients of the control group get mandatory products and, where `limit_N` leaves a place, products drawn
    evenly.
    """
    n_clients, n_products = choice.score_NP.shape
    places = Places(
        np.full((n_clients, n_places), -1, np.int8),
        np.zeros((n_clients, n_places)),
        np.zeros((n_clients, n_places), np.uint8),
    )
    key = text_key(f"exploration:{rng}")
    moment = month.year * 12 + month.month
    chosen_N = np.zeros(n_clients, np.uint32)
    left_N = choice.limit_N.copy()
    for place in range(n_places):
        open_N = choice.possible_N & ~chosen_N
        for first, second in choice.before:
            has_first_N = ((choice.held_N | chosen_N) >> np.uint32(first)) & np.uint32(1)
            open_N &= ~np.where(has_first_N, np.uint32(0), np.uint32(1 << second))
        due_N = None if choice.mandatory_N is None else open_N & choice.mandatory_N
        open_N = np.where(left_N > 0, open_N, np.uint32(0) if due_N is None else due_N)
        rows = np.flatnonzero(open_N)
        if not len(rows):
            break
        possible = unpack_masks(open_N[rows], n_products=n_products)
        product, probability, source = _fill(
            choice, exploration, rows, possible, uniforms(hash_N[rows], key, moment, place)
        )
        if due_N is not None and (is_due := due_N[rows] != 0).any():
            product[is_due] = _first_due(due_N[rows[is_due]], choice.mandatory_first, n_products)
            probability[is_due], source[is_due] = 1, _MANDATORY
        places.product_NK[rows, place] = product
        places.probability_NK[rows, place] = probability
        places.source_NK[rows, place] = source
        chosen_N[rows] |= np.uint32(1) << product.astype(np.uint32)
        left_N[rows] -= source != _MANDATORY
    return places


def _fill(
    choice: Choice, exploration: Exploration, rows: NDArray[np.int64], possible: BoolArray, u: Floats
) -> tuple[NDArray[np.int64], Floats, NDArray[np.uint8]]:
    """One place of some rows: product, its probability, source."""
    score = choice.score_NP if len(rows) == len(choice.score_NP) else choice.score_NP[rows]
    best = _best(score, possible)
    each = np.arange(len(rows))
    if exploration.kind == "none":
        product, probability = best, np.ones(len(rows))
    else:
        p = place_probabilities(score, possible, exploration)
        product = draw(p, u)
        probability = p[each, product]
    source = np.where(product == best, _ARBITRATION, _EXPLORATION).astype(np.uint8)
    is_control = choice.is_control_N[rows]
    if is_control.any():
        even = even_probabilities(possible[is_control])
        product[is_control] = draw(even, u[is_control])
        probability[is_control] = even.max(axis=1)
        source[is_control] = _CONTROL
    return product, probability, source


def _first_due(due_N: UInt32Array, first: Sequence[int], n_products: int) -> NDArray[np.int64]:
    """The mandatory product whose turn it is. Shape (n,), every row has one."""
    order = np.array([*first, *(bit for bit in range(n_products) if bit not in first)])
    return np.asarray(order[unpack_masks(due_N, n_products=n_products)[:, order].argmax(axis=1)])


def _best(score_NP: Floats, possible_NP: BoolArray) -> NDArray[np.int64]:
    """The possible product with the highest score, of equals the first of the schema. Shape (N,)."""
    return np.asarray(np.where(possible_NP, score_NP, -1.0).argmax(axis=1))

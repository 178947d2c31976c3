"""Order of products against what was added: top-k lists and MAP@k over all clients and over adders.

An addition is a product owned at month t and not at t-1; an adder is a client with at least one. Only
the adders' lists decide the metric, and they are few (3 % of a bank), so nothing else is ranked.
Arrays in, one number per client out; means with intervals are `significance`'s and `clustered`'s.
"""

import numpy as np
from numpy.typing import NDArray

from nextbest.data.panel.masks import count_products
from nextbest.errors import DataError, InputError
from nextbest.evaluation.masks import Floats, Masks, check_not_held, checked_masks
from nextbest.evaluation.ranking import Hits, map_capped_at_k

Scores = NDArray[np.floating]
Lists = NDArray[np.integer]
NO_PRODUCT = -1
"""What a list holds past its end, where a client has fewer than k products left."""
_CHUNK = 131_072


def top_products(score_NP: Scores, *, held_N: Masks | None = None, k: int = 7) -> NDArray[np.int8]:
    """The `k` best products of each client, best first, those held left out.

    Parameters
    ----------
    score_NP
        Probabilities, or any score that is higher for a better product. Shape (n_clients, n_products);
        -inf is allowed and last, NaN is not. Equal scores keep the products' order in the schema.
    held_N
        Masks of what each client holds, bit p = product p; without it nothing is left out.
    k
        Places, 1 or more; past `n_products` a list only ends earlier.

    Returns
    -------
    ndarray of shape (n_clients, k), int8
        Product numbers; `NO_PRODUCT` (-1) past the end of a list.

    Raises
    ------
    InputError
        Shapes or types don't fit, or `k` < 1.
    DataError
        A score is NaN, or a mask has a bit past the products.

    Examples
    --------
    >>> top_products(np.array([[0.2, 0.5, 0.5]], np.float32), held_N=np.array([0b010], np.uint32), k=3).tolist()
    [[2, 0, -1]]
    """
    n_clients, n_products = _checked_scores(score_NP)
    _checked_k(k)
    held = np.zeros(n_clients, np.uint32) if held_N is None else held_N
    checked_masks("held_N", held, n_products=n_products, n_clients=n_clients)
    top_NK = np.full((n_clients, k), NO_PRODUCT, np.int8)
    places = min(k, n_products)
    for start in range(0, n_clients, _CHUNK):
        rows = slice(start, start + _CHUNK)
        order = np.argsort(-score_NP[rows], axis=1, kind="stable")
        if held_N is not None:  # free products first, each part in its own order
            is_held = (held[rows, None] >> order.astype(np.uint32)) & np.uint32(1) != 0
            sorted_last = np.argsort(is_held, axis=1, kind="stable")[:, :places]
            order = np.take_along_axis(order, sorted_last, axis=1)
            is_held = np.take_along_axis(is_held, sorted_last, axis=1)
            top_NK[rows, :places] = np.where(is_held, NO_PRODUCT, order)
        else:
            top_NK[rows, :places] = order[:, :places]
    return top_NK


def addition_precision(
    score_NP: Scores, added_N: Masks, *, held_N: Masks | None = None, k: int = 7
) -> Floats:
    """Average precision at `k` of each client's additions under the scores: Kaggle's AP@k.

    Parameters
    ----------
    score_NP, held_N, k
        As in `top_products`; ties by the products' order in the schema.
    added_N
        Masks of what each client added in the month asked for.

    Returns
    -------
    ndarray of shape (n_clients,)
        0-1; NaN for a client without additions. The mean without NaN is MAP@k *on adders*;
        `zero_without_additions` first gives the mean over *all* clients, the competition's score.

    Raises
    ------
    InputError
        Shapes or types don't fit, or `k` < 1.
    DataError
        A score is NaN, a mask has a bit past the products, or (with `held_N`) a held product is added.

    Notes
    -----
    AP = sum over hits in the first k places of (hits so far / place), over min(additions, k).

    Examples
    --------
    >>> score = np.array([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1]])
    >>> addition_precision(score, np.array([0b010, 0], np.uint32), k=2).tolist()
    [0.5, nan]
    """
    n_clients, n_products = _checked_scores(score_NP)
    checked_masks("added_N", added_N, n_products=n_products, n_clients=n_clients)
    if held_N is not None:
        checked_masks("held_N", held_N, n_products=n_products, n_clients=n_clients)
        check_not_held(added_N, held_N)
    adders = np.flatnonzero(added_N)
    held = None if held_N is None else held_N[adders]
    lists = top_products(score_NP[adders], held_N=held, k=k)
    return _spread(_precision_of_lists(lists, added_N[adders], k=k), adders, n_clients)


def list_precision(list_NK: Lists, added_N: Masks, *, n_products: int, k: int = 7) -> Floats:
    """Average precision at `k` of each client's additions under ready lists; else as `addition_precision`.

    Parameters
    ----------
    list_NK
        Product numbers, best first; `NO_PRODUCT` (-1) only past the end. Shape (n_clients, places);
        places past `k` don't count, fewer than `k` are a shorter list.

    Raises
    ------
    InputError
        Shapes or types don't fit.
    DataError
        A number isn't a product, a list holds a product twice, or goes on after its end.
    """
    _checked_k(k)
    if list_NK.ndim != 2 or not np.issubdtype(list_NK.dtype, np.integer):
        raise InputError("list_NK", "must be integers with two axes", value=(list_NK.dtype, list_NK.shape))
    checked_masks("added_N", added_N, n_products=n_products, n_clients=len(list_NK))
    _check_lists(list_NK, n_products)
    adders = np.flatnonzero(added_N)
    return _spread(_precision_of_lists(list_NK[adders], added_N[adders], k=k), adders, len(list_NK))


def zero_without_additions(precision_N: Floats) -> Floats:
    """NaN read as 0: the form whose mean is MAP@k over *all* clients. Shape (n_clients,).

    At most the share of adders, which is why it is never printed without MAP@k on adders.
    """
    return np.nan_to_num(precision_N, nan=0.0)


def popularity_order(count_P: NDArray[np.number], n_clients: int) -> NDArray[np.float32]:
    """The same scores for every client: each product's count. Shape (n_clients, n_products), a view.

    The baseline "what most add"; with `held_N` where it is ranked, "what most add, of what this client
    hasn't". Count only months before the one asked for.
    """
    if count_P.ndim != 1 or not (np.isfinite(count_P) & (count_P >= 0)).all():
        raise InputError("count_P", "must be counts with one axis, finite and >= 0", value=count_P.tolist())
    row = count_P.astype(np.float32)
    return np.broadcast_to(row, (n_clients, len(row)))


def _precision_of_lists(list_AK: Lists, added_A: Masks, *, k: int) -> Floats:
    """AP@k of adders only."""
    first = list_AK[:, :k]
    bit = np.where(first < 0, 0, first).astype(np.uint32)
    relevant = ((added_A[:, None] >> bit) & np.uint32(1) != 0) & (first >= 0)
    return map_capped_at_k(Hits.from_matrix(relevant, count_products(added_A)), k=k)


def _spread(values: Floats, rows: NDArray[np.int64], n_clients: int) -> Floats:
    whole = np.full(n_clients, np.nan)
    whole[rows] = values
    return whole


def _check_lists(list_NK: Lists, n_products: int) -> None:
    seen = np.zeros(len(list_NK), np.uint32)
    ended = np.zeros(len(list_NK), np.bool_)
    for place in range(list_NK.shape[1]):
        product = list_NK[:, place]
        here = product != NO_PRODUCT
        _refuse(
            "must hold products 0.." + str(n_products - 1), here & ((product < 0) | (product >= n_products))
        )
        _refuse("must not go on after its end (-1)", here & ended)
        bit = np.where(here, np.uint32(1) << np.where(here, product, 0).astype(np.uint32), np.uint32(0))
        _refuse("must not hold a product twice", (seen & bit) != 0)
        seen |= bit
        ended |= ~here


def _refuse(rule: str, wrong: NDArray[np.bool_]) -> None:
    if wrong.any():
        rows = np.flatnonzero(wrong)
        raise DataError("list_NK", "each list " + rule, n_bad=len(rows), examples=rows[:5].tolist())


def _checked_scores(score_NP: Scores) -> tuple[int, int]:
    if score_NP.ndim != 2 or not np.issubdtype(score_NP.dtype, np.floating):
        raise InputError(
            "score_NP", "must be floats with two axes", value=(str(score_NP.dtype), score_NP.shape)
        )
    if (bad := np.isnan(score_NP)).any():
        rows = np.flatnonzero(bad.any(axis=1))
        raise DataError("score_NP", "must not be NaN", n_bad=len(rows), examples=rows[:5].tolist())
    return score_NP.shape[0], score_NP.shape[1]


def _checked_k(k: int) -> None:
    if k < 1:
        raise InputError("k", "must be 1 or more", value=k)

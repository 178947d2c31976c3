"""Lists ordered by expected average precision, which minds that some products come together.

A product that always comes with another has to share the client's precision with it: of two products at 0.4
that always come together, and an independent one at 0.3, the single one goes first.
Axes: N rows, P products, C groups of linked products, G nodes of quadrature, K places of the list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveInt

from nextbest.data.panel.masks import count_products, unpack_masks
from nextbest.errors import InputError
from nextbest.models.products.base import Frozen

Floats = NDArray[np.float64]
_TINY = 1e-12
_MOST_LOG_ODDS_RATIO = 16.0
_BLOCK_ROWS = 4_000
_NODES = 6
"""Gauss-Legendre nodes: sums over numbers of additions are exact to 12."""


class RerankConfig(Frozen):
    """How many links, how exact an order."""

    min_together: PositiveInt = 30
    """Joint additions that a link between two products needs."""
    max_group: PositiveInt = 4
    """Products that links may join into one group; its joint states are enumerated."""
    n_exact: PositiveInt = 6
    """Best products whose order is searched exactly; the rest follow by their own expected share."""


@dataclass(frozen=True)
class CoAdditions:
    """Which products come together beyond what their probabilities say: a forest of odds ratios.

    For a linked pair the chance of both is Plackett's: the one with the pair's odds ratio and the client's
    own two probabilities. Products without a link are independent given the client. Joint probabilities
    of a group multiply along the tree (Chow & Liu 1968).
    """

    n_products: int
    links: tuple[tuple[int, int, float], ...] = ()
    """(product, product, log odds ratio > 0); no cycles."""

    def __post_init__(self) -> None:
        for a, b, _ in self.links:
            if not 0 <= a < self.n_products or not 0 <= b < self.n_products or a == b:
                raise InputError("links", f"must join two of {self.n_products} products", value=(a, b))
        if len(self.links) != self.n_products - len(self.groups):
            raise InputError("links", "must have no cycle", value=self.links)

    @cached_property
    def groups(self) -> list[tuple[int, ...]]:
        """Products joined by links, each product in exactly one group."""
        group = list(range(self.n_products))
        for a, b, _ in self.links:
            old, new = group[b], group[a]
            group = [new if g == old else g for g in group]
        return [tuple(p for p in range(self.n_products) if group[p] == g) for g in sorted(set(group))]

    @classmethod
    def fit(
        cls,
        p_NP: NDArray[Any],
        added_N: NDArray[np.uint32],
        *,
        weight_N: NDArray[Any],
        config: RerankConfig | None = None,
    ) -> "CoAdditions":
        """Links whose expected number of joint additions is the observed one.

        Parameters
        ----------
        p_NP
            Calibrated P(add) of clients with known outcome, 0 where held. Shape (N, P).
        added_N
            Packed additions that came. Shape (N,).
        weight_N
            Clients that each row stands for.
        """
        config = config or RerankConfig()
        n_products, weight = p_NP.shape[1], np.asarray(weight_N, np.float64)
        added_NP = unpack_masks(added_N, n_products=n_products)
        several = count_products(added_N) > 1
        together_PP = (added_NP[several] * weight[several, None]).T @ added_NP[several].astype(np.float64)
        gains = []
        for a, b in combinations(range(n_products), 2):
            if together_PP[a, b] >= config.min_together:
                expected = float(weight @ (p_NP[:, a].astype(np.float64) * p_NP[:, b]))
                gain = together_PP[a, b] * np.log(together_PP[a, b] / max(expected, _TINY))
                if together_PP[a, b] > expected + 3 * np.sqrt(expected):  # more than chance
                    gains.append((gain, a, b))
        links: list[tuple[int, int, float]] = []
        for _, a, b in sorted(gains, reverse=True):
            group_of = {p: g for g in cls(n_products, tuple(links)).groups for p in g}
            if group_of[a] == group_of[b] or len(group_of[a]) + len(group_of[b]) > config.max_group:
                continue
            rows = (p_NP[:, a] > 0) & (p_NP[:, b] > 0)
            p_a, p_b = p_NP[rows, a].astype(np.float64), p_NP[rows, b].astype(np.float64)
            links.append((a, b, _odds_ratio(p_a, p_b, weight[rows], float(together_PP[a, b]))))
        return cls(n_products, tuple(links))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The links as arrays."""
        return {
            "links": np.array([(a, b) for a, b, _ in self.links], np.int64).reshape(-1, 2),
            "log_odds_ratio": np.array([r for _, _, r in self.links], np.float64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, n_products: int) -> "CoAdditions":
        """The links that `arrays` described."""
        links = zip(arrays["links"].tolist(), arrays["log_odds_ratio"].tolist(), strict=True)
        return cls(n_products, tuple((int(a), int(b), float(r)) for (a, b), r in links))


def rank_products(
    p_NP: NDArray[Any],
    *,
    k: int = 7,
    together: CoAdditions | None = None,
    config: RerankConfig | None = None,
) -> NDArray[np.int8]:
    """The products with the highest expected average precision, best first. Shape (N, k); -1 = none left.

    Parameters
    ----------
    p_NP
        P(add), 0 = never listed (held). Shape (N, P).
    k
        Length of the list.
    together
        Links between products; None: all independent.

    Raises
    ------
    InputError
        `k` < 1, or `together` is about another number of products.

    Notes
    -----
    E[AP] = sum over places i of 1/i x sum over j <= i of E[1{product i} 1{product j} / m], m the number of
    additions (m <= k always in practice, so min(m, k) = m). Among the `n_exact` best the order is the exact
    optimum (Held & Karp's search over subsets); without links it is the order of E[1{product} / m] already.
    """
    config = config or RerankConfig()
    n_rows, n_products = p_NP.shape
    together = together or CoAdditions(n_products)
    if k < 1:
        raise InputError("k", "must be 1 or more", value=k)
    if together.n_products != n_products:
        raise InputError("together", f"must be about {n_products} products", value=together.n_products)
    listed = np.full((n_rows, k), -1, np.int8)
    for start in range(0, n_rows, _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        listed[rows] = _rank_block(np.asarray(p_NP[rows], np.float64), k, together, config)
    return listed


def expected_average_precision(
    p_NP: NDArray[Any], order_NK: NDArray[Any], *, together: CoAdditions | None = None
) -> Floats:
    """E[AP] of lists under the same joint model, shape (N,); -1 in a list counts as nothing."""
    p_NP = np.asarray(p_NP, np.float64)
    together = together or CoAdditions(p_NP.shape[1])
    order_NK = np.asarray(order_NK, np.int64)
    weights_NKK = _Joint(p_NP, together).shares(np.maximum(order_NK, 0))
    there_NK = order_NK >= 0
    weights_NKK *= there_NK[:, :, None] & there_NK[:, None, :]
    total_N = np.zeros(len(p_NP))
    for place in range(order_NK.shape[1]):
        total_N += weights_NKK[:, : place + 1, place].sum(axis=1) / (place + 1)
    return total_N


def _rank_block(p_NP: Floats, k: int, together: CoAdditions, config: RerankConfig) -> NDArray[np.int8]:
    n_rows, n_products = p_NP.shape
    joint = _Joint(p_NP, together)
    share_NP = np.where(p_NP > 0, joint.share_NP, -1.0)
    order_NP = np.argsort(-share_NP, axis=1, kind="stable")
    listed = np.full((n_rows, k), -1, np.int8)
    width = min(k, n_products)
    n = min(config.n_exact, width)
    linked = [p for group in together.groups if len(group) > 1 for p in group]
    if linked and n > 1:
        # only where two linked products are among the best can the plain order be wrong
        matters = np.isin(order_NP[:, :n], linked).sum(axis=1) > 1
        best = order_NP[matters, :n]
        places = _best_order(joint.take(matters).shares(best))
        order_NP[matters, :n] = np.take_along_axis(best, places, axis=1)
    listed[:, :width] = order_NP[:, :width]
    is_none = np.take_along_axis(p_NP, order_NP[:, :width], axis=1) <= 0
    listed[:, :width][is_none] = -1
    if is_none.any():  # products that can't come stay behind those that can
        listed = np.take_along_axis(listed, np.argsort(listed < 0, axis=1, kind="stable"), axis=1)
    return listed


class _Joint:
    """Joint distribution of each client's additions, asked for E[1{a} 1{b} / m]."""

    def __init__(self, p_NP: Floats, together: CoAdditions) -> None:
        self.together = together
        p_NP = np.clip(p_NP, _TINY, 1 - _TINY)
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        self.u_G, w_G = (nodes + 1) / 2, weights / 2  # 1/m = integral of u^(m-1) over 0-1
        on_NPG = p_NP[:, :, None] * self.u_G
        sum_NPG = 1 - p_NP[:, :, None] + on_NPG
        self.tilted_NPG = on_NPG / sum_NPG
        self.pairs: dict[tuple[int, int], Floats] = {}
        linked = [group for group in together.groups if len(group) > 1]
        sum_NPG[:, [p for group in linked for p in group]] = 1  # their sums are those of their groups
        total_NG = sum_NPG.prod(axis=1)
        for group in linked:
            total_NG *= self._add_group(group, p_NP)
        self.base_NG = total_NG * (w_G / self.u_G)
        self.share_NP = np.einsum("npg,ng->np", self.tilted_NPG, self.base_NG)

    def _add_group(self, group: tuple[int, ...], p_NP: Floats) -> Floats:
        """Enumerate the joint states of linked products; the sum over states of P x u^m. Shape (N, G)."""
        links = [(a, b, r) for a, b, r in self.together.links if a in group]
        both = {(a, b): plackett(p_NP[:, a], p_NP[:, b], r) for a, b, r in links}
        n_links = {p: sum(p in (a, b) for a, b, _ in links) for p in group}
        sum_NG = np.zeros((len(p_NP), _NODES))
        on: dict[int, Floats] = {p: np.zeros_like(sum_NG) for p in group}
        pairs = {pair: np.zeros_like(sum_NG) for pair in combinations(group, 2)}
        for state in range(1 << len(group)):
            is_on = {p: bool(state >> at & 1) for at, p in enumerate(group)}
            prob_N = np.ones(len(p_NP))
            for (a, b), both_N in both.items():
                p_a, p_b = p_NP[:, a], p_NP[:, b]
                prob_N *= (
                    (both_N if is_on[b] else p_a - both_N)
                    if is_on[a]
                    else (p_b - both_N if is_on[b] else 1 - p_a - p_b + both_N)
                )
            for p in group:
                prob_N /= (p_NP[:, p] if is_on[p] else 1 - p_NP[:, p]) ** (n_links[p] - 1)
            term_NG = prob_N[:, None] * self.u_G ** state.bit_count()
            sum_NG += term_NG
            for p in group:
                if is_on[p]:
                    on[p] += term_NG
            for a, b in pairs:
                if is_on[a] and is_on[b]:
                    pairs[a, b] += term_NG
        for p in group:
            self.tilted_NPG[:, p] = on[p] / sum_NG
        self.pairs |= {pair: pair_NG / sum_NG for pair, pair_NG in pairs.items()}
        return sum_NG

    def take(self, rows: NDArray[np.bool_]) -> "_Joint":
        """The joint distribution of some clients."""
        part = object.__new__(_Joint)
        part.together, part.u_G = self.together, self.u_G
        part.tilted_NPG, part.base_NG = self.tilted_NPG[rows], self.base_NG[rows]
        part.share_NP = self.share_NP[rows]
        part.pairs = {pair: array[rows] for pair, array in self.pairs.items()}
        return part

    def shares(self, products_NK: NDArray[np.int64]) -> Floats:
        """E[1{a} 1{b} / m] for all pairs of each client's products; the diagonal is E[1{a} / m]."""
        at_N = np.arange(len(products_NK))
        tilted_NKG = np.take_along_axis(self.tilted_NPG, products_NK[:, :, None], axis=1)
        shares_NKK: Floats = np.einsum("nag,nbg,ng->nab", tilted_NKG, tilted_NKG, self.base_NG, optimize=True)
        for (a, b), pair_NG in self.pairs.items():
            is_a, is_b = products_NK == a, products_NK == b
            has = is_a.any(axis=1) & is_b.any(axis=1)
            rows, x, y = at_N[has], is_a.argmax(axis=1)[has], is_b.argmax(axis=1)[has]
            value_N = (pair_NG[has] * self.base_NG[has]).sum(axis=1)
            shares_NKK[rows, x, y] = shares_NKK[rows, y, x] = value_N
        n = products_NK.shape[1]
        shares_NKK[:, range(n), range(n)] = np.take_along_axis(self.share_NP, products_NK, axis=1)
        return shares_NKK


@cache
def _subsets(n: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Of each size 1..n: all subsets (as bits), and for each the subsets one smaller with the item missing."""
    levels = []
    for size in range(1, n + 1):
        larger = np.array([sum(1 << i for i in items) for items in combinations(range(n), size)])
        new = np.array(list(combinations(range(n), size)))
        levels.append((larger, larger[:, None] ^ (1 << new), new))
    return levels


def _best_order(shares_NKK: Floats) -> NDArray[np.int64]:
    """The order of the K products with the highest E[AP], exact: the best way to fill places by subset."""
    n_rows, n, _ = shares_NKK.shape
    shares_KKN = np.ascontiguousarray(shares_NKK.transpose(1, 2, 0), np.float32)
    members_SK = (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(np.float32)
    # what a product brings behind a set: its own share and those with each product of the set
    behind_SKN = np.tensordot(members_SK, shares_KKN, axes=1) + shares_KKN[range(n), range(n)]
    value_SN = np.zeros((1 << n, n_rows), np.float32)
    last_SN = np.zeros((1 << n, n_rows), np.int64)
    for size, (larger, smaller, new) in enumerate(_subsets(n), 1):
        gain = value_SN[smaller] + behind_SKN[smaller, new] / np.float32(size)
        best = size - 1 - gain[:, ::-1].argmax(axis=1)  # among equals the last product goes last
        value_SN[larger] = np.take_along_axis(gain, best[:, None], axis=1)[:, 0]
        last_SN[larger] = np.take_along_axis(new, best, axis=1)
    order = np.empty((n_rows, n), np.int64)
    left, at_N = np.full(n_rows, (1 << n) - 1), np.arange(n_rows)
    for place in range(n - 1, -1, -1):
        order[:, place] = last_SN[left, at_N]
        left ^= 1 << order[:, place]
    return order


def plackett(p_a: Floats, p_b: Floats, log_odds_ratio: float) -> Floats:
    """P(both) of two events with these probabilities and this odds ratio (Plackett 1965). Shape (N,)."""
    theta = float(np.exp(log_odds_ratio))
    if abs(theta - 1) < 1e-9:
        return p_a * p_b
    s = 1 + (theta - 1) * (p_a + p_b)
    root = np.sqrt(np.maximum(s * s - 4 * theta * (theta - 1) * p_a * p_b, 0))
    # the other root form of the quadratic: no difference of nearly equal numbers
    both = 2 * theta * p_a * p_b / (s + root)
    return np.clip(both, np.maximum(p_a + p_b - 1, 0), np.minimum(p_a, p_b))


def _odds_ratio(p_a: Floats, p_b: Floats, weight_N: Floats, together: float) -> float:
    """Log odds ratio at which the expected number of joint additions is `together`."""
    low, high = 0.0, _MOST_LOG_ODDS_RATIO
    for _ in range(30):
        middle = (low + high) / 2
        if float(weight_N @ plackett(p_a, p_b, middle)) < together:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def average_precision_at_k(order_NK: NDArray[Any], added_N: NDArray[np.uint32], *, n_products: int) -> Floats:
    """AP@K of each client's list with the denominator min(m, K), shape (N,); NaN for one who adds nothing.

    `order_NK` holds products, best first, -1 = none. The variant of the Kaggle panel (MAP@7 over adders is the
    mean of the numbers that aren't NaN).
    """
    k = order_NK.shape[1]
    added_NP = unpack_masks(added_N, n_products=n_products)
    hit_NK = np.take_along_axis(added_NP, np.maximum(order_NK, 0).astype(np.int64), axis=1) & (order_NK >= 0)
    precision_NK = np.cumsum(hit_NK, axis=1) / np.arange(1, k + 1)
    m_N = np.minimum(added_NP.sum(axis=1), k)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(m_N > 0, (precision_NK * hit_NK).sum(axis=1) / m_N, np.nan))

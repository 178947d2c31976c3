"""What a panel's masks say: moves by month, re-additions, products that go together, baselines. Draws nothing."""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.data.panel.breaks import Break, find_breaks
from nextbest.data.panel.masks import count_holders, count_products, unpack_masks
from nextbest.data.panel.panel import Panel, additions
from nextbest.data.panel.profile import MonthProfile, profile
from nextbest.data.panel.schema import PanelSchema
from nextbest.evaluation.additions import addition_precision, popularity_order
from nextbest.evaluation.masks import constant_masks
from nextbest.evaluation.multilabel import LabelCounts
from nextbest.experiments.explore.groups import GroupFacts, group_facts

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
N_SETS = 10
"""Most frequent sets of products added at once that are kept."""
N_TESTED = 4
"""Last months on which the baselines' lists are scored."""


@dataclass(frozen=True)
class Returns:
    """Additions of a product that the client had held before: products that flicker."""

    added_P: IntArray
    """Additions in months that have a month two before them, where a return can show."""
    returned_P: IntArray
    """Of these, by clients seen holding the product in an earlier month."""
    gap_L: IntArray
    """Returns by months without the product, 1 first; those of all products."""

    @property
    def share_P(self) -> FloatArray:  # noqa: N802 - an array, named by its axes
        """Share of additions that are returns; NaN without additions."""
        return _ratio(self.returned_P, self.added_P)


@dataclass(frozen=True)
class Together:
    """Products that are held, or added, at once."""

    held_PP: FloatArray
    """P(column held | row held) in the newest month; NaN where nobody holds the row."""
    added_PP: FloatArray
    """P(column added | row added) by the same client in the same month, over all months."""
    sets: tuple[tuple[int, int], ...]
    """Most frequent masks of additions, with client-months."""
    n_added_K: IntArray
    """Client-months by number of products added, 1 first."""


@dataclass(frozen=True)
class Baselines:
    """What trivial predictors score, so that a model's figure can be read."""

    month: date
    ownership: dict[str, dict[str, float]]
    """Predictor -> weighted precision, recall, F1, micro F1 and exact match on who holds what in `month`."""
    constant: str
    """The product of the constant predictor: what most clients hold."""
    map7: dict[str, float]
    """MAP@7 on adders of popularity lists, mean of the last months, and on all clients (`..._all`)."""
    map7_months: tuple[date, ...]


@dataclass(frozen=True)
class PanelFacts:
    """Everything the pages of a panel show."""

    schema: PanelSchema
    n_customers: int
    profile: MonthProfile
    breaks: tuple[Break, ...]
    report: dict[str, Any]
    """The data contract of the last ingest; empty where the panel wasn't ingested."""
    hazard_P: FloatArray
    """Additions per month and client who doesn't hold the product."""
    turnover_P: FloatArray
    """Additions per month and holder."""
    drop_P: FloatArray
    """Drops per month and holder."""
    season_MP: FloatArray
    """Additions per client present, over the product's mean month; NaN for months without moves or rare products."""
    returns: Returns
    together: Together
    again: tuple[float, float, float]
    """P(adds this month | added last month), P(adds this month), P(adds this month | didn't add last month)."""
    ever_added: int
    """Clients who ever added."""
    groups: GroupFacts
    baselines: Baselines | None
    """None for a panel without two months in a row."""

    @property
    def n_rows(self) -> int:
        """Rows of the panel."""
        return int(self.profile.rows_M.sum())

    @property
    def adder_share(self) -> float:
        """Share of clients who add something in a month, over all months with moves."""
        return float(_ratio(self.profile.adders_M.sum(), self.profile.stayed_M.sum()))

    @property
    def additions_per_adder(self) -> float:
        """Products added by a client who adds."""
        return float(_ratio(self.profile.added_MP.sum(), self.profile.adders_M.sum()))


def panel_facts(panel: Panel) -> PanelFacts:
    """Look at a whole panel: a pass over its masks, and a few columns of each month."""
    months = profile(panel)
    follows = months.follows_M
    held_before_MP = np.zeros_like(months.holders_MP)
    held_before_MP[1:] = months.holders_MP[:-1]
    held_before_MP = np.where(follows[:, None], held_before_MP - months.left_holders_MP, 0)
    free_MP = np.where(follows[:, None], months.stayed_M[:, None] - held_before_MP, 0)
    added_P = months.added_MP.sum(axis=0)
    return PanelFacts(
        schema=panel.schema,
        n_customers=panel.n_customers,
        profile=months,
        breaks=find_breaks(panel, months),
        report=panel.report,
        hazard_P=_ratio(added_P, free_MP.sum(axis=0)),
        turnover_P=_ratio(added_P, held_before_MP.sum(axis=0)),
        drop_P=_ratio(months.dropped_MP.sum(axis=0), held_before_MP.sum(axis=0)),
        season_MP=_seasons(months),
        returns=_returns(panel, months),
        together=_together(panel),
        again=_again(panel),
        ever_added=_ever_added(panel),
        groups=group_facts(panel),
        baselines=_baselines(panel, months),
    )


def months_with_moves(panel: Panel) -> Iterator[date]:
    """Months whose calendar predecessor is in the panel too."""
    for month in panel.months:
        if panel.schema.month_before(month) in panel.months:
            yield month


def _ratio(above: Any, below: Any) -> FloatArray:
    below = np.asarray(below, dtype=float)
    ratio: FloatArray = np.where(
        below > 0, np.asarray(above, dtype=float) / np.maximum(below, 1e-300), np.nan
    )
    return ratio


def _seasons(months: MonthProfile) -> FloatArray:
    """Additions per client over the product's mean month; only products with 20 and more a month."""
    rate_MP = _ratio(months.added_MP, np.broadcast_to(months.stayed_M[:, None], months.added_MP.shape))
    if not months.follows_M.any():
        return rate_MP
    mean_P = np.nanmean(rate_MP[months.follows_M], axis=0)
    common_P = months.added_MP[months.follows_M].mean(axis=0) >= 20
    return np.where(common_P[None, :], _ratio(rate_MP, np.broadcast_to(mean_P, rate_MP.shape)), np.nan)


def _returns(panel: Panel, months: MonthProfile) -> Returns:
    n_months, n_products = len(panel.months), panel.n_products
    added_P, returned_P = np.zeros(n_products, dtype=np.int64), np.zeros(n_products, dtype=np.int64)
    gap_L = np.zeros(max(n_months - 1, 1), dtype=np.int64)
    for m in np.flatnonzero(months.follows_M).tolist():
        if m < 2:
            continue
        row_N, _, added_N = additions(panel, panel.months[m])
        row_N, added_N = row_N[added_N > 0], added_N[added_N > 0]
        added_P += count_holders(added_N, n_products=n_products)
        waiting_N = added_N.copy()
        for lag in range(2, m + 1):
            found_N = waiting_N & panel.held_MC[m - lag][row_N]
            found_P = count_holders(found_N, n_products=n_products)
            returned_P += found_P
            gap_L[lag - 2] += found_P.sum()
            waiting_N &= ~found_N
    return Returns(added_P, returned_P, gap_L)


def _together(panel: Panel) -> Together:
    n_products = panel.n_products
    held = panel.held_MC[-1] if len(panel.months) else np.zeros(0, dtype=np.uint32)
    parts = [additions(panel, month).added_N for month in months_with_moves(panel)]
    added_N = np.concatenate([part[part > 0] for part in parts]) if parts else np.zeros(0, dtype=np.uint32)
    masks, counts = np.unique(added_N, return_counts=True)
    first = np.argsort(-counts, kind="stable")[:N_SETS]
    n_added_K = np.bincount(count_products(added_N), minlength=2)[1:]
    return Together(
        _given(held, n_products),
        _given(added_N, n_products),
        tuple((int(masks[i]), int(counts[i])) for i in first),
        n_added_K.astype(np.int64),
    )


def _given(mask_N: NDArray[np.uint32], n_products: int) -> FloatArray:
    """P(column | row) over the masks; NaN where nobody has the row."""
    masks, counts = np.unique(mask_N, return_counts=True)
    has_UP = unpack_masks(masks, n_products=n_products).astype(float)
    both_PP = has_UP.T @ (has_UP * counts[:, None])
    return _ratio(both_PP, np.broadcast_to(np.diag(both_PP)[:, None], both_PP.shape))


def _again(panel: Panel) -> tuple[float, float, float]:
    """Share of adders among last month's adders, all, and the rest, in months where both can be told."""
    both = again = adders = clients = 0
    last: NDArray[np.bool_] | None = None
    last_month: date | None = None
    for month in months_with_moves(panel):
        row_N, _, added_N = additions(panel, month)
        now = np.zeros(panel.n_customers, dtype=bool)
        now[row_N[added_N > 0]] = True
        if last is not None and last_month == panel.schema.month_before(month):
            here = np.zeros(panel.n_customers, dtype=bool)
            here[row_N] = True
            both += int((last & here).sum())
            again += int((last & now).sum())
            adders += int(now.sum())
            clients += len(row_N)
        last, last_month = now, month
    rest = _ratio(adders - again, clients - both)
    return float(_ratio(again, both)), float(_ratio(adders, clients)), float(rest)


def _ever_added(panel: Panel) -> int:
    ever = np.zeros(panel.n_customers, dtype=bool)
    for month in months_with_moves(panel):
        row_N, _, added_N = additions(panel, month)
        ever[row_N[added_N > 0]] = True
    return int(ever.sum())


def _baselines(panel: Panel, months: MonthProfile) -> Baselines | None:
    with_moves = list(months_with_moves(panel))
    if not with_moves:
        return None
    month, n_products = with_moves[-1], panel.n_products
    rows = panel.rows(month)
    true_N = panel.held(month)[rows]
    before = panel.schema.month_before(month)
    common = int(np.argmax(months.holders_MP[panel.index(before)]))
    predictors = {
        "persistence": panel.held(before)[rows],
        "constant": constant_masks(len(rows), products=[common]),
    }
    ownership = {}
    for name, predicted_N in predictors.items():
        counts = LabelCounts.of(true_N, predicted_N, n_products=n_products)
        ownership[name] = {
            "precision": counts.averaged("precision", "weighted"),
            "recall": counts.averaged("recall", "weighted"),
            "f1": counts.averaged("f1", "weighted"),
            "micro_f1": counts.averaged("f1", "micro"),
            "exact_match": counts.exact_match,
        }
    tested = [m for m in with_moves[-N_TESTED:] if months.added_MP[: panel.index(m)].any()]
    map7 = _map7(panel, months, tested) if tested else {}
    return Baselines(month, ownership, panel.schema.product_columns[common], map7, tuple(tested))


def _map7(panel: Panel, months: MonthProfile, tested: list[date]) -> dict[str, float]:
    """MAP@7 of "what most add" counted before each month, with and without what the client holds."""
    scores: dict[str, list[float]] = {}
    for month in tested:
        _, held_N, added_N = additions(panel, month)
        adders = added_N > 0
        share = float(adders.mean())
        counts_P = months.added_MP[: panel.index(month)].sum(axis=0)
        order = popularity_order(counts_P, int(adders.sum()))
        for name, held in (("popularity", None), ("popularity_not_held", held_N[adders])):
            on_adders = float(np.mean(addition_precision(order, added_N[adders], held_N=held)))
            scores.setdefault(name, []).append(on_adders)
            scores.setdefault(f"{name}_all", []).append(on_adders * share)
    return {name: float(np.nanmean(values)) for name, values in scores.items()}

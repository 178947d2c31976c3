"""F1, precision, recall and exact match of product masks: additions or ownership, the same counts.

Each product of each client is one yes-no question; truth and prediction are uint32 masks. All is
computed from bit counts, never from a matrix. On ownership these figures say nothing alone:
"the same as last month" has a weighted F1 of about 0.97, so print `persistence` beside a model.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from nextbest.data.panel.masks import count_holders
from nextbest.errors import DataError, InputError
from nextbest.evaluation.clustered import ClusteredInterval, linearised_interval
from nextbest.evaluation.masks import Counts, Floats, Masks, checked_masks, mask_sums

Average = Literal["micro", "macro", "weighted"]
Score = Literal["f1", "precision", "recall"]


@dataclass(frozen=True, eq=False)
class LabelCounts:
    """Hits, predictions and truths of each product: enough for every score here, and they add up."""

    n_hit: Counts
    """Predicted and true (true positives). Shape (n_products,)."""
    n_predicted: Counts
    """Predicted: true and false positives. Shape (n_products,)."""
    n_true: Counts
    """True: the support. Shape (n_products,)."""
    n_rows: int
    """Clients, or client-months."""
    n_exact: int
    """Of them with the whole mask right."""

    @classmethod
    def of(cls, true_N: Masks, predicted_N: Masks, *, n_products: int) -> Self:
        """Counts of one month (or any rows).

        Raises
        ------
        InputError, DataError
            As `checked_masks`.
        """
        checked_masks("true_N", true_N, n_products=n_products)
        checked_masks("predicted_N", predicted_N, n_products=n_products, n_clients=len(true_N))
        return cls(
            count_holders(true_N & predicted_N, n_products=n_products),
            count_holders(predicted_N, n_products=n_products),
            count_holders(true_N, n_products=n_products),
            len(true_N),
            int((true_N == predicted_N).sum()),
        )

    def __add__(self, other: Self) -> Self:
        """Counts of both sets of rows together."""
        if len(self.n_true) != len(other.n_true):
            raise InputError("other", f"must count {len(self.n_true)} products", value=len(other.n_true))
        return type(self)(
            self.n_hit + other.n_hit,
            self.n_predicted + other.n_predicted,
            self.n_true + other.n_true,
            self.n_rows + other.n_rows,
            self.n_exact + other.n_exact,
        )

    @property
    def exact_match(self) -> float:
        """Share of rows whose whole mask is right (multi-label accuracy, the seed's); NaN without rows."""
        return self.n_exact / self.n_rows if self.n_rows else float("nan")

    def per_product(self, score: Score) -> Floats:
        """The score of each product. Shape (n_products,); 0 where its denominator is 0."""
        return _per_product(_checked_score(score), *self._counts())

    def averaged(self, score: Score, average: Average) -> float:
        """The score over products, 0-1; scikit-learn's `average` with `zero_division=0`.

        `micro`: of the summed counts. `macro`: plain mean over all products, those without truth or
        prediction as 0. `weighted`: mean weighted by support (the seed's variant); a product without
        support doesn't count. NaN when there is no truth at all, where scikit-learn says 0.
        """
        if average not in ("micro", "macro", "weighted"):
            raise InputError("average", "must be 'micro', 'macro' or 'weighted'", value=average)
        if not self.n_true.any():
            return float("nan")
        return _averaged(_checked_score(score), average, *self._counts())

    def _counts(self) -> tuple[Floats, Floats, Floats]:
        return (
            self.n_hit.astype(np.float64),
            self.n_predicted.astype(np.float64),
            self.n_true.astype(np.float64),
        )


def label_interval(
    true_N: Masks,
    predicted_N: Masks,
    *,
    n_products: int,
    customer_N: NDArray[np.integer] | None = None,
    score: Score = "f1",
    average: Average = "weighted",
    confidence: float = 0.95,
) -> ClusteredInterval:
    """An averaged score with its interval over customers.

    Parameters
    ----------
    true_N, predicted_N
        Masks. Shape (n_rows,).
    n_products
        Bits that count.
    customer_N
        Who each row is, where a customer has several months: customers are sampled, not rows.
        None: each row another customer. Shape (n_rows,).
    score, average
        As in `LabelCounts.averaged`.
    confidence
        0-1 exclusive.

    Returns
    -------
    ClusteredInterval
        Symmetric, cut at 0 and 1. The score is a smooth function of summed counts; its interval is that of
        the linearised score (infinitesimal jackknife), because a bootstrap of millions of masks takes
        minutes to say the same. Don't read it for fewer than about 50 customers with truth.

    Raises
    ------
    DataError
        No truth at all, so no score.
    InputError
        Shapes or options don't fit.
    """
    counts = LabelCounts.of(true_N, predicted_N, n_products=n_products)
    value = counts.averaged(score, average)
    if np.isnan(value):
        raise DataError("true_N", "holds no product, so there is nothing to score", n_bad=len(true_N))
    slopes = _slopes(lambda h, p, t: _averaged(score, average, h, p, t), counts._counts())
    masks = (true_N & predicted_N, predicted_N, true_N)
    pull_N = sum((mask_sums(m, s) for m, s in zip(masks, slopes, strict=True)), np.zeros(len(true_N)))
    return linearised_interval(
        value, pull_N, clusters=customer_N, confidence=confidence, low=0.0, high=1.0, n=len(true_N)
    )


def _per_product(score: Score, hit: Floats, predicted: Floats, true: Floats) -> Floats:
    top, bottom = {
        "f1": (2 * hit, predicted + true),
        "precision": (hit, predicted),
        "recall": (hit, true),
    }[score]
    values: Floats = np.divide(top, bottom, out=np.zeros(len(hit)), where=bottom > 0)
    return values


def _averaged(score: Score, average: Average, hit: Floats, predicted: Floats, true: Floats) -> float:
    if average == "micro":
        summed = [np.array([counts.sum()]) for counts in (hit, predicted, true)]
        return float(_per_product(score, *summed)[0])
    values = _per_product(score, hit, predicted, true)
    return float(values.mean() if average == "macro" else values @ true / true.sum())


def _slopes(
    score: Callable[[Floats, Floats, Floats], float], counts: tuple[Floats, Floats, Floats]
) -> list[Floats]:
    """Derivatives of the score by each count, by central differences (exact enough: it is a ratio of sums)."""
    found = []
    for which in range(3):
        slope = np.zeros(len(counts[which]))
        for p in np.flatnonzero(counts[which] > 0):  # a count of zero belongs to no client's mask
            step = 1e-4 * counts[which][p]
            ends = []
            for sign in (1, -1):
                moved = [c.copy() for c in counts]
                moved[which][p] += sign * step
                ends.append(score(*moved))
            slope[p] = (ends[0] - ends[1]) / (2 * step)
        found.append(slope)
    return found


def _checked_score(score: Score) -> Score:
    if score not in ("f1", "precision", "recall"):
        raise InputError("score", "must be 'f1', 'precision' or 'recall'", value=score)
    return score

"""Metrics written as plainly as possible: one user, one list, loops. Slow on purpose."""

from collections.abc import Callable, Sequence
from math import log2

Metric = Callable[[Sequence[object], set[object], int], float]


def hr(listed: Sequence[object], wanted: set[object], k: int) -> float:
    return float(any(item in wanted for item in listed[:k]))


def recall(listed: Sequence[object], wanted: set[object], k: int) -> float:
    return len(wanted & set(listed[:k])) / len(wanted)


def recall_capped(listed: Sequence[object], wanted: set[object], k: int) -> float:
    return len(wanted & set(listed[:k])) / min(k, len(wanted))


def precision(listed: Sequence[object], wanted: set[object], k: int) -> float:
    return len(wanted & set(listed[:k])) / k


def mrr(listed: Sequence[object], wanted: set[object], k: int) -> float:
    for place, item in enumerate(listed[:k], start=1):
        if item in wanted:
            return 1 / place
    return 0.0


def _precisions(listed: Sequence[object], wanted: set[object], k: int) -> float:
    total, found = 0.0, 0
    for place, item in enumerate(listed[:k], start=1):
        if item in wanted:
            found += 1
            total += found / place
    return total


def average_precision(listed: Sequence[object], wanted: set[object], k: int) -> float:
    return _precisions(listed, wanted, k) / len(wanted)


def average_precision_capped(listed: Sequence[object], wanted: set[object], k: int) -> float:
    return _precisions(listed, wanted, k) / min(k, len(wanted))


def ndcg(listed: Sequence[object], wanted: set[object], k: int) -> float:
    gained = sum(1 / log2(place + 1) for place, item in enumerate(listed[:k], start=1) if item in wanted)
    return gained / sum(1 / log2(place + 1) for place in range(1, min(k, len(wanted)) + 1))


ORACLES: dict[str, Metric] = {
    "hr": hr,
    "recall": recall,
    "recall_capped": recall_capped,
    "precision": precision,
    "mrr": mrr,
    "map": average_precision,
    "map_capped": average_precision_capped,
    "ndcg": ndcg,
}

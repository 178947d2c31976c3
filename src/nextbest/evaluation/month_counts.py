"""One month of a product model, counted: what is kept of it once its matrix of probabilities is dropped.

All checks of a month's arrays stand here. `ProductScores` puts months together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.errors import DataError, InputError
from nextbest.evaluation.additions import addition_precision, list_precision
from nextbest.evaluation.expected_counts import CalibrationCounts
from nextbest.evaluation.masks import Floats, Masks, check_not_held, checked_masks
from nextbest.evaluation.per_product import product_metrics


@dataclass(frozen=True, eq=False)
class MonthCounts:
    """What is kept of a month: about 25 MB for 930,000 clients."""

    month: date
    customer: NDArray[np.int64]
    """Who each row is. Shape (n_clients,)."""
    kind: NDArray[np.int8]
    """Number of the client's kind. Shape (n_clients,)."""
    precision: Floats | None
    """AP@k of each client, NaN without additions. Shape (n_clients,); None without a ranking."""
    added: Masks
    predicted: Masks | None
    """Additions predicted at thresholds."""
    owned: Masks | None
    owned_predicted: Masks | None
    calibration: Mapping[int, CalibrationCounts]
    """By kind; empty without probabilities."""
    products: pl.DataFrame | None
    """`product_metrics` of all kinds together; None without probabilities."""

    @classmethod
    def of(
        cls,
        month: date,
        *,
        customer_N: NDArray[np.integer],
        held_N: Masks,
        added_N: Masks,
        probability_NP: NDArray[np.floating] | None,
        list_NK: NDArray[np.integer] | None,
        predicted_N: Masks | None,
        owned_N: Masks | None,
        owned_predicted_N: Masks | None,
        kind_N: NDArray[np.integer] | None,
        products: Sequence[str],
        n_kinds: int,
        k: int,
    ) -> Self:
        """Count a month; arguments and errors as `ProductScores.add_month`."""
        if (owned_N is None) != (owned_predicted_N is None):
            raise InputError("owned_N", "must come with owned_predicted_N, and the other way round")
        n_clients = len(customer_N)
        masks = {
            "held_N": held_N,
            "added_N": added_N,
            "predicted_N": predicted_N,
            "owned_N": owned_N,
            "owned_predicted_N": owned_predicted_N,
        }
        for name, mask in masks.items():
            if mask is not None:
                checked_masks(name, mask, n_products=len(products), n_clients=n_clients)
        check_not_held(added_N, held_N)
        if predicted_N is not None:
            check_not_held(predicted_N, held_N, name="predicted_N")
        customer, kind = _customers(customer_N), _kinds(kind_N, n_clients, n_kinds)
        counted: dict[int, CalibrationCounts] = {}
        metrics = precision = None
        if probability_NP is not None:
            metrics = product_metrics(probability_NP, added_N, held_N=held_N, products=products)
            for code in np.unique(kind).tolist():
                rows = slice(None) if (kind == code).all() else np.flatnonzero(kind == code)
                counted[code] = CalibrationCounts.of(probability_NP[rows], added_N[rows], held_N=held_N[rows])
            precision = addition_precision(probability_NP, added_N, held_N=held_N, k=k)
        if list_NK is not None:
            if len(list_NK) != n_clients:
                raise InputError("list_NK", f"must have {n_clients} rows", value=len(list_NK))
            precision = list_precision(list_NK, added_N, n_products=len(products), k=k)
        return cls(
            month,
            customer,
            kind,
            precision,
            added_N.copy(),
            _copied(predicted_N),
            _copied(owned_N),
            _copied(owned_predicted_N),
            counted,
            metrics,
        )


def _customers(customer_N: NDArray[np.integer]) -> NDArray[np.int64]:
    if customer_N.ndim != 1 or not np.issubdtype(customer_N.dtype, np.integer):
        raise InputError(
            "customer_N", "must be integers with one axis", value=(str(customer_N.dtype), customer_N.shape)
        )
    customer = customer_N.astype(np.int64)
    _, first = np.unique(customer, return_index=True)
    if len(first) < len(customer):
        again = np.setdiff1d(np.arange(len(customer)), first)
        raise DataError(
            "customer_N",
            "each customer must stand once in a month",
            n_bad=len(again),
            examples=customer[again[:5]].tolist(),
        )
    return customer


def _kinds(kind_N: NDArray[np.integer] | None, n_clients: int, n_kinds: int) -> NDArray[np.int8]:
    if kind_N is None:
        return np.zeros(n_clients, np.int8)
    if kind_N.shape != (n_clients,) or not np.issubdtype(kind_N.dtype, np.integer):
        raise InputError("kind_N", f"must be {n_clients} integers", value=(str(kind_N.dtype), kind_N.shape))
    if (bad := (kind_N < 0) | (kind_N >= n_kinds)).any():
        rows = np.flatnonzero(bad)
        raise DataError(
            "kind_N", f"must be 0..{n_kinds - 1}", n_bad=len(rows), examples=kind_N[rows[:5]].tolist()
        )
    return kind_N.astype(np.int8)


def _copied(mask_N: Masks | None) -> Masks | None:
    return None if mask_N is None else mask_N.copy()

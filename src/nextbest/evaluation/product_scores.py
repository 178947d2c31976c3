"""Rolling months of a product model, counted one by one, and the rows of its table.

`ProductScores.add_month` takes a month's probabilities and masks and keeps only what the table needs
(`MonthCounts`), so the matrix can be dropped. Rows come for all months
together, for each month, and for each kind of client.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.panel.masks import count_holders
from nextbest.errors import DataError, InputError
from nextbest.evaluation.additions import zero_without_additions
from nextbest.evaluation.calibration import Binning
from nextbest.evaluation.clustered import clustered_paired_test
from nextbest.evaluation.masks import Masks
from nextbest.evaluation.month_counts import MonthCounts
from nextbest.evaluation.per_product import PRODUCT
from nextbest.evaluation.score_rows import (
    Row,
    calibration_numbers,
    label_cells,
    lift_numbers,
    ranking_cells,
    summed,
)
from nextbest.evaluation.significance import PairedTest, Rng

ALL = "all"
MONTH = "month"


class ProductScores:
    """Months of one model, and what they say.

    Parameters
    ----------
    model
        Name in the table.
    products
        Names, in bit order.
    kinds
        Kinds of clients that get rows of their own; `kind_N` of `add_month` are numbers into it.
    k
        Places of the lists.

    Examples
    --------
    >>> scores = ProductScores("popularity", products=["a", "b"])
    >>> scores.add_month(
    ...     date(2016, 5, 28),
    ...     customer_N=np.array([7, 8]),
    ...     held_N=np.array([0, 1], np.uint32),
    ...     added_N=np.array([2, 0], np.uint32),
    ...     probability_NP=np.array([[0.5, 0.1], [0.0, 0.1]], np.float32),
    ... )
    >>> scores.row(rng=0)["map@7_adders"]["value"], scores.row(rng=0)["map@7"]["value"]
    (0.5, 0.25)
    """

    def __init__(
        self, model: str, *, products: Sequence[str], kinds: Sequence[str] = ("seen", "unseen"), k: int = 7
    ) -> None:
        if not kinds or len(set(kinds)) != len(kinds) or ALL in kinds:
            raise InputError("kinds", f"must be different names, none of them {ALL!r}", value=list(kinds))
        if k < 1:
            raise InputError("k", "must be 1 or more", value=k)
        self.model, self.products, self.kinds, self.k = model, tuple(products), tuple(kinds), k
        self._months: list[MonthCounts] = []

    @property
    def months(self) -> tuple[date, ...]:
        """Months counted so far, in time's order."""
        return tuple(m.month for m in self._months)

    def add_month(
        self,
        month: date,
        *,
        customer_N: NDArray[np.integer],
        held_N: Masks,
        added_N: Masks,
        probability_NP: NDArray[np.floating] | None = None,
        list_NK: NDArray[np.integer] | None = None,
        predicted_N: Masks | None = None,
        owned_N: Masks | None = None,
        owned_predicted_N: Masks | None = None,
        kind_N: NDArray[np.integer] | None = None,
    ) -> None:
        """Count a month; the arrays may be dropped afterwards.

        Parameters
        ----------
        month
            The month of the additions.
        customer_N
            Who each row is (id or row of the panel), each once. Shape (n_clients,).
        held_N, added_N
            Masks at the month before, and added in this one. Shape (n_clients,).
        probability_NP
            P(add), 0-1; what is held is left out. None: no calibration, and no ranking without lists.
        list_NK
            Ready lists, when the order isn't that of the probabilities (re-ranked for expected precision).
        predicted_N
            Masks of predicted additions, at thresholds tuned on earlier months.
        owned_N, owned_predicted_N
            Masks of ownership at the month, true and predicted; give both or none.
        kind_N
            Number of each client's kind in `kinds`; None: all are the first.

        Raises
        ------
        InputError
            Shapes or types don't fit, a month is given twice, one ownership mask without the other.
        DataError
            A customer twice, a kind that has no name, a held product added or predicted, a bad probability
            or list.
        """
        if month in self.months:
            raise InputError("month", "is counted already", value=month.isoformat())
        counted = MonthCounts.of(
            month,
            customer_N=customer_N,
            held_N=held_N,
            added_N=added_N,
            probability_NP=probability_NP,
            list_NK=list_NK,
            predicted_N=predicted_N,
            owned_N=owned_N,
            owned_predicted_N=owned_predicted_N,
            kind_N=kind_N,
            products=self.products,
            n_kinds=len(self.kinds),
            k=self.k,
        )
        self._months = sorted([*self._months, counted], key=lambda m: m.month)

    def row(
        self,
        *,
        month: date | None = None,
        kind: str | None = None,
        rng: Rng,
        n_resamples: int = 2000,
        binning: Binning = "mass",
    ) -> Row:
        """One row of the table, JSON-ready.

        Parameters
        ----------
        month, kind
            Only this month, only this kind; None: all.
        rng, n_resamples
            Of the bootstrap over customers.
        binning
            As in `calibration_error`.

        Returns
        -------
        dict
            `model, month, kind, n_clients` (client-months), `n_adders, n_additions`; then, as
            `{value, ci_low, ci_high}`: `map@k_adders, map@k` and, of additions at thresholds, `f1_weighted,
            f1_micro, f1_macro, precision_weighted, recall_weighted`; of ownership `ownership_f1_weighted,
            ownership_f1_micro, ownership_precision_weighted, ownership_recall_weighted`, and `exact_match`. Then
            numbers over all (client, product not held): `ece` (each product's own, mean over rows, so products
            can't cancel each other), `ece_pooled, ece_relative` (pooled, per addition), `brier, log_loss,
            calibration_slope, calibration_shift`; `within_10%, within_10%_weighted, within_10%_chance` over
            product-months with at least 100 expected; `lift@1%` (mean) and `lift@1%_min` over the ten
            most-added products, of all kinds together. None where the months have no such input, or nothing
            was added.

        Raises
        ------
        InputError
            No such month or kind.
        DataError
            No month counted yet, or no such client in it.
        """
        months = self._chosen(month)
        code = None if kind is None else self._code(kind)
        rows = [np.ones(len(m.kind), np.bool_) if code is None else m.kind == code for m in months]
        n_clients = int(sum(r.sum() for r in rows))
        if not n_clients:
            raise DataError("kind", f"no client of kind {kind!r} in the months asked for")
        added = np.concatenate([m.added[r] for m, r in zip(months, rows, strict=True)])
        found: Row = {
            "model": self.model,
            MONTH: ALL if month is None else month.isoformat(),
            "kind": ALL if kind is None else kind,
            "n_clients": n_clients,
            "n_adders": int((added != 0).sum()),
            "n_additions": int(count_holders(added, n_products=len(self.products)).sum()),
        }
        gen = np.random.default_rng(rng)
        found |= ranking_cells(months, rows, k=self.k, n_resamples=n_resamples, rng=gen)
        found |= label_cells(months, rows, n_products=len(self.products), rng=gen)
        found |= calibration_numbers(months, code, binning=binning)
        found |= lift_numbers(months if code is None else [])
        return found

    def rows(self, *, rng: Rng, n_resamples: int = 2000) -> list[Row]:
        """The row of all, one of each month, and one of each kind (of all months) that has clients."""
        gen = np.random.default_rng(rng)
        found = [self.row(rng=gen, n_resamples=n_resamples)]
        if len(self.months) > 1:
            found += [self.row(month=m, rng=gen, n_resamples=n_resamples) for m in self.months]
        used = sorted({int(code) for m in self._months for code in np.unique(m.kind)})
        if len(used) > 1:
            found += [self.row(kind=self.kinds[c], rng=gen, n_resamples=n_resamples) for c in used]
        return found

    def per_product(self, month: date | None = None) -> pl.DataFrame:
        """`month` and the columns of `product_metrics` and of `CalibrationCounts.table`, a row per product-month.

        Raises
        ------
        DataError
            No month has probabilities.
        """
        tables = []
        for m in self._chosen(month):
            if m.products is None:
                continue
            counts = summed(list(m.calibration.values())).table(self.products).drop("n")
            tables.append(
                m.products.join(counts, on=PRODUCT, how="left", maintain_order="left").select(
                    pl.lit(m.month).alias(MONTH), pl.all()
                )
            )
        if not tables:
            raise DataError("probability_NP", f"no month of {self.model!r} has probabilities")
        return pl.concat(tables)

    def precision(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Customer and AP@k of every client-month, months in order; NaN without additions.

        What `bootstrap_clustered_mean` and `clustered_paired_test` take.

        Raises
        ------
        DataError
            A month has neither probabilities nor lists.
        """
        parts = [m.precision for m in self._chosen(None)]
        ranked = [p for p in parts if p is not None]
        if len(ranked) < len(parts):
            raise DataError("probability_NP", f"a month of {self.model!r} has no ranking")
        return np.concatenate([m.customer for m in self._months]), np.concatenate(ranked)

    def _chosen(self, month: date | None) -> list[MonthCounts]:
        if not self._months:
            raise DataError("months", f"no month of {self.model!r} is counted yet", remedy="call add_month")
        if month is None:
            return self._months
        chosen = [m for m in self._months if m.month == month]
        if not chosen:
            raise InputError(
                "month", f"must be among {[m.isoformat() for m in self.months]}", value=str(month)
            )
        return chosen

    def _code(self, kind: str) -> int:
        if kind not in self.kinds:
            raise InputError("kind", f"must be among {list(self.kinds)}", value=kind)
        return self.kinds.index(kind)


def paired_precision_test(
    a: ProductScores, b: ProductScores, *, over: str = "adders", n_resamples: int = 10_000, rng: Rng
) -> PairedTest:
    """Whether two models differ in MAP@k over the same client-months, customers together.

    Parameters
    ----------
    a, b
        Of the same months and clients in the same order.
    over
        `adders` or `all` clients (those without additions as 0).

    Raises
    ------
    InputError
        Another set of clients, another `k`, or an unknown `over`.
    DataError
        A month without ranking.
    """
    if over not in ("adders", ALL):
        raise InputError("over", f"must be 'adders' or {ALL!r}", value=over)
    (who, left), (others, right) = a.precision(), b.precision()
    if a.k != b.k or a.months != b.months or not np.array_equal(who, others):
        raise InputError("b", "must have the same months, clients and k as a", value=b.model)
    if over == ALL:
        left, right = zero_without_additions(left), zero_without_additions(right)
    return clustered_paired_test(left, right, clusters=who, n_resamples=n_resamples, rng=rng)

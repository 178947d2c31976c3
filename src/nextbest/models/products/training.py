"""One training set for all estimators: rows of several months, their labels, and the odds of being drawn.

Knows nothing of estimators. Axes: N rows (a client in a month), F features.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.data.panel.panel import Panel, additions
from nextbest.errors import DataError, InputError
from nextbest.models.products.features.steps import FeatureSteps
from nextbest.models.products.features.tables import FeatureTable

Rng = int | np.random.Generator

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Clients in target months with features, what they held, added and dropped, and a weight.

    Only clients present in the target month and in the month before have a row: nobody else can add or drop.
    Product p is bit p of the masks and `products[p]`.

    Notes
    -----
    One stratum for both tasks. Rows where anything changed (a product added or dropped) are all kept, weight
    1; of the unchanged rows a simple random share `r` is kept, weight 1 / r. Each row is thus weighted by
    1 / P(it is kept), so weighted sums over `held` clear (additions) and over `held` set (drops) are both
    unbiased for the whole month (Horvitz & Thompson 1952), for every product.

    Raises
    ------
    InputError
        Arrays are not equally long or have another type.
    """

    names: tuple[str, ...]
    """Of the features. Length F."""
    groups: tuple[str, ...]
    """Reason group of each feature. Length F."""
    x_NF: NDArray[np.float32]
    """Features; NaN = missing. Shape (N, F)."""
    products: tuple[str, ...]
    """Column of each product, in bit order."""
    held_N: NDArray[np.uint32]
    """Packed products held in the month before the target, the true ones also where history was hidden."""
    added_N: NDArray[np.uint32]
    """Packed additions in the target month; never a product of `held_N`."""
    dropped_N: NDArray[np.uint32]
    """Packed products held before and not in the target month; always products of `held_N`."""
    month_N: NDArray[np.int16]
    """Target month as its place in `months`."""
    months: tuple[date, ...]
    """The target months, oldest first."""
    row_N: NDArray[np.int32]
    """Row of the client in the panel: the same client has the same number in every month."""
    weight_N: NDArray[np.float32]
    """Clients of the panel that the row stands for: 1 / probability of being drawn; 1 or more."""

    def __post_init__(self) -> None:
        n_rows = len(self.x_NF)
        FeatureTable(self.names, self.x_NF, self.groups)
        wanted = {
            "held_N": np.uint32,
            "added_N": np.uint32,
            "dropped_N": np.uint32,
            "month_N": np.int16,
            "row_N": np.int32,
            "weight_N": np.float32,
        }
        for name, dtype in wanted.items():
            array = getattr(self, name)
            if array.shape != (n_rows,) or array.dtype != dtype:
                raise InputError(
                    name,
                    f"must be {np.dtype(dtype)} of shape ({n_rows},)",
                    value=f"{array.dtype} {array.shape}",
                )

    def __len__(self) -> int:
        return len(self.x_NF)

    @property
    def table(self) -> FeatureTable:
        """The features alone, without a copy."""
        return FeatureTable(self.names, self.x_NF, self.groups)

    def take(self, rows: NDArray[Any]) -> "TrainingSet":
        """The set of these rows (row numbers or a mask); months keep their numbers."""
        return TrainingSet(
            self.names,
            self.groups,
            self.x_NF[rows],
            self.products,
            self.held_N[rows],
            self.added_N[rows],
            self.dropped_N[rows],
            self.month_N[rows],
            self.months,
            self.row_N[rows],
            self.weight_N[rows],
        )


def training_set(
    panel: Panel,
    steps: FeatureSteps,
    months: Sequence[date],
    *,
    keep_unchanged: float = 0.1,
    rng: Rng = 0,
    keep_droppers: bool = True,
    history_dropout: float = 0.0,
) -> TrainingSet:
    """Rows of several target months with features as of each month: all who changed, a sample of the rest.

    Parameters
    ----------
    panel
        Read as of each month for the features, and at each target month for the labels.
    steps
        Fitted; their config says which attributes are known and what happens to outliers.
    months
        Target months; each needs the month before it in the panel.
    keep_unchanged
        How many rows without a change are kept: up to 1.0 a share of them, from 2 on a number of rows a month.
    rng
        Seed or Generator of the sample.
    keep_droppers
        Keep all who dropped something, whom the ownership model needs. Without it those who only dropped are
        drawn like the unchanged: fewer rows, still unbiased for both tasks, noisier for drops.
    history_dropout
        Share of rows whose history is hidden from the features (not from the masks), so that a model learns
        to answer for clients without stored history too.

    Returns
    -------
    TrainingSet
        Month by month, clients by row. The features take 4 bytes a value and are written once; beside them
        one month of attributes is in memory.

    Raises
    ------
    InputError
        No month, a month that the panel lacks, or a share or number out of range.
    DataError
        Nobody is in the bank both in a target month and in the month before.
    """
    targets = tuple(sorted({panel.schema.month_of(month) for month in months}))
    if not targets:
        raise InputError("months", "must name at least one target month")
    if not 0 < keep_unchanged <= 1 and (keep_unchanged < 2 or keep_unchanged != int(keep_unchanged)):
        rule = "must be a share in (0, 1] or a whole number of rows a month, 2 or more"
        raise InputError("keep_unchanged", rule, value=keep_unchanged)
    if not 0 <= history_dropout <= 1:
        raise InputError("history_dropout", "must lie in 0..1", value=history_dropout)
    gen = np.random.default_rng(rng)
    drawn = [_draw(panel, m, keep_unchanged, gen, keep_droppers=keep_droppers) for m in targets]
    n_rows = sum(len(rows) for rows in drawn)
    if not n_rows:
        raise DataError(
            "panel",
            "nobody is in the bank in a target month and the month before",
            examples=[str(month) for month in targets],
        )
    x_NF = np.empty((n_rows, steps.n_features), np.float32)
    kept: list[_Rows] = []
    end = 0
    for target, rows in zip(targets, drawn, strict=True):
        inputs = steps.inputs(panel, target, rows.row_N)
        if steps.config.outliers == "drop":
            inside = np.flatnonzero(~steps.is_outlier(inputs))
            if len(inside) < len(rows):
                inputs, rows = inputs.take(inside), rows.take(inside)  # noqa: PLW2901  (the rows of the loop, fewer)
        if history_dropout:
            inputs = inputs.without_history(gen.random(len(inputs)) < history_dropout)
        steps.transform_into(inputs, x_NF[end : end + len(inputs)])
        kept.append(rows)
        end += len(inputs)
    log.info(
        "training set: %d rows of %d months, %d outliers left out, %d features, %.0f MB",
        end,
        len(targets),
        n_rows - end,
        steps.n_features,
        x_NF.nbytes / 1e6,
    )
    return TrainingSet(
        steps.names_,
        steps.groups_,
        x_NF[:end],
        panel.schema.product_columns,
        np.concatenate([rows.held_N for rows in kept]),
        np.concatenate([rows.added_N for rows in kept]),
        np.concatenate([rows.dropped_N for rows in kept]),
        np.repeat(np.arange(len(kept), dtype=np.int16), [len(rows) for rows in kept]),
        targets,
        np.concatenate([rows.row_N for rows in kept]),
        np.concatenate([rows.weight_N for rows in kept]),
    )


@dataclass(frozen=True, eq=False)
class _Rows:
    """Clients drawn of one month."""

    row_N: NDArray[np.int32]
    held_N: NDArray[np.uint32]
    added_N: NDArray[np.uint32]
    dropped_N: NDArray[np.uint32]
    weight_N: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.row_N)

    def take(self, rows: NDArray[np.intp]) -> "_Rows":
        return _Rows(*(array[rows] for array in vars(self).values()))


def _draw(panel: Panel, month: date, keep: float, gen: np.random.Generator, *, keep_droppers: bool) -> _Rows:
    """All rows that changed, weight 1; of the others a simple random sample without replacement."""
    row_N, held_N, added_N = additions(panel, month)
    dropped_N = held_N & ~np.asarray(panel.held(month))[row_N]
    changed_N = (added_N | dropped_N if keep_droppers else added_N) != 0
    others = np.flatnonzero(~changed_N)
    n_kept = int(np.ceil(len(others) * keep)) if keep <= 1 else min(int(keep), len(others))
    weight_N = changed_N.astype(np.float32)
    if n_kept:
        weight_N[gen.choice(others, n_kept, replace=False, shuffle=False)] = len(others) / n_kept
    return _Rows(row_N, held_N, added_N, dropped_N, weight_N).take(np.flatnonzero(weight_N))

"""What goes into the features and what comes out: plain arrays and frames, checked once.

Knows nothing of panels, files or fitted steps. Axes: N rows, L months back, F features.
"""

# ruff: noqa: N802, N815  (fields suffixed by their axes are the house style for arrays)

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.errors import InputError


@dataclass(frozen=True, eq=False)
class FeatureInput:
    """Clients as they are known before a target month: a million stored ones or one posted profile.

    Raises
    ------
    InputError
        Arrays and frames don't have the same number of rows, or an array has another type or shape.
    """

    target: date
    """Month whose additions are asked for."""
    held_NL: NDArray[np.uint32]
    """Packed products held, bit p = product p. Column 0 is the month before `target`, column 1 the month
    before that, and so on; 0 where the client is absent. Shape (N, L), L >= 0."""
    present_NL: NDArray[np.bool_]
    """Was the client in the bank in that month; False = absent or unknown, which isn't "holds nothing".
    Shape (N, L). All False in a row is a client without history."""
    attributes: pl.DataFrame
    """Attributes of the N clients, by the schema's names, in the latest month that the mode allows
    (`month_end`: the month before `target`; `scoring_time`: `target` itself); null = missing."""
    before: pl.DataFrame | None = None
    """The same one month earlier, at least those in `clients.CHANGING_ROLES`; a row of nulls where unknown.
    None = unknown for all."""
    active_NL: NDArray[np.bool_] | None = None
    """Did the client use the bank in that month (the flag in the role `activity`), columns as in `held_NL`; False
    where absent, unknown or missing. Shape (N, L). None = unknown for all."""
    household: pl.DataFrame | None = None
    """Clients of equal income in the same region, in the month before `target`: `size` (Int32, with the
    client, null = no household known), `others_held` (UInt32, products held by any other member),
    `others_breadth` (Float32, mean number of products of the others). None = unknown for all."""

    def __post_init__(self) -> None:
        n_rows = self.attributes.height
        if self.held_NL.ndim != 2 or self.held_NL.dtype != np.uint32 or len(self.held_NL) != n_rows:
            raise InputError(
                "held_NL",
                f"must be uint32 of shape ({n_rows}, L), one row for each row of attributes",
                value=f"{self.held_NL.dtype} {self.held_NL.shape}",
            )
        if self.present_NL.dtype != np.bool_ or self.present_NL.shape != self.held_NL.shape:
            raise InputError(
                "present_NL",
                f"must be bool of shape {self.held_NL.shape}",
                value=f"{self.present_NL.dtype} {self.present_NL.shape}",
            )
        active_NL = self.active_NL
        if active_NL is not None and (active_NL.dtype != np.bool_ or active_NL.shape != self.held_NL.shape):
            raise InputError(
                "active_NL",
                f"must be bool of shape {self.held_NL.shape}",
                value=f"{active_NL.dtype} {active_NL.shape}",
            )
        for name, frame in (("before", self.before), ("household", self.household)):
            if frame is not None and frame.height != n_rows:
                raise InputError(name, f"must have {n_rows} rows, one for each client", value=frame.height)

    def __len__(self) -> int:
        return self.attributes.height

    @property
    def known_N(self) -> NDArray[np.bool_]:
        """Has the client stored history (present in some month before the target). Shape (N,)."""
        return np.asarray(self.present_NL.any(axis=1))

    @property
    def held_N(self) -> NDArray[np.uint32]:
        """Products held in the month before the target, 0 where absent or unknown. Shape (N,)."""
        if not self.held_NL.shape[1]:
            return np.zeros(len(self), np.uint32)
        return self.held_NL[:, 0]

    def take(self, rows: NDArray[np.integer[Any]] | slice) -> "FeatureInput":
        """The clients of these rows (row numbers or a slice; a slice copies nothing)."""
        return FeatureInput(
            self.target,
            self.held_NL[rows],
            self.present_NL[rows],
            self.attributes[rows],
            None if self.before is None else self.before[rows],
            None if self.active_NL is None else self.active_NL[rows],
            None if self.household is None else self.household[rows],
        )

    def without_history(self, hidden_N: NDArray[np.bool_]) -> "FeatureInput":
        """The same clients, some of them as if nothing was stored: no months back, nothing known before.

        Households stay: they are found by the profile alone.
        """
        seen_N1 = ~hidden_N[:, None]
        before = self.before
        if before is not None:
            before = before.select(pl.when(pl.Series(~hidden_N)).then(pl.all()))
        return FeatureInput(
            self.target,
            np.where(seen_N1, self.held_NL, np.uint32(0)),
            self.present_NL & seen_N1,
            self.attributes,
            before,
            None if self.active_NL is None else self.active_NL & seen_N1,
            self.household,
        )


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of N clients, each with its name and its reason group.

    Raises
    ------
    InputError
        Names, groups and columns are not equally many, a name comes twice, or values aren't float32.
    """

    names: tuple[str, ...]
    """One for each column, unique; no spaces, brackets, commas, colons or quotes, which estimators refuse."""
    x_NF: NDArray[np.float32]
    """Values, C-ordered; NaN = missing or unknown, which differs from 0; never infinite. Shape (N, F)."""
    groups: tuple[str, ...]
    """Reason group of each column, for example `history:ind_recibo_ult1`, `holding:payroll`, `income`."""

    def __post_init__(self) -> None:
        if self.x_NF.ndim != 2 or self.x_NF.dtype != np.float32 or self.x_NF.shape[1] != len(self.names):
            raise InputError(
                "x_NF",
                f"must be float32 of shape (N, {len(self.names)}), one column for each name",
                value=f"{self.x_NF.dtype} {self.x_NF.shape}",
            )
        if len(self.groups) != len(self.names):
            raise InputError(
                "groups", f"must be {len(self.names)}, one for each name", value=len(self.groups)
            )
        if len(set(self.names)) != len(self.names):
            twice = sorted({name for name in self.names if self.names.count(name) > 1})
            raise InputError("names", "must be unique", value=twice[:5])

    def __len__(self) -> int:
        return len(self.x_NF)

    @property
    def n_features(self) -> int:
        """Number of columns F."""
        return len(self.names)

    def take(self, rows: NDArray[Any] | slice) -> "FeatureTable":
        """The table of these rows (row numbers, a mask or a slice)."""
        return FeatureTable(self.names, self.x_NF[rows], self.groups)

    def column(self, name: str) -> NDArray[np.float32]:
        """Values of one feature, shape (N,).

        Raises
        ------
        InputError
            No such feature.
        """
        if name not in self.names:
            raise InputError("feature", f"must be one of the {len(self.names)} of the table", value=name)
        return self.x_NF[:, self.names.index(name)]

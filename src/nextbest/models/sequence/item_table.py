"""Row number -> vector: what encoders read and what states are multiplied with is one table.

Axes: I items, D dims, F features, M new items.
"""

# ruff: noqa: N815

import torch
from torch import Tensor, nn
from torch.nn import functional

from nextbest.errors import InputError

_WIDEST = 10.0
"""Deviations from the mean beyond which a feature is cut: one mistyped price must not drown the others."""


class ItemTable(nn.Module):
    """Vectors of items: an own one for each, plus a linear map of the item's features.

    Rows 0 to I - 1 are items, `pad` = I is always zero, `mask` = I + 1 is learned and never a candidate. The same
    vectors are read by encoders and scored with ("constrained" in GRU4Rec, tied elsewhere), so an item that came
    after training has a vector as soon as it has features (`with_items`).

    Parameters
    ----------
    n_items
        I, 0 or more.
    dim
        D, 1 or more.
    features_IF
        One row an item, fixed while training; NaN = unknown. Columns of 0 and 1 are read as they are, others in
        deviations from their mean; both are learned here and kept for new items. None: no features.
    bias
        Whether an item has a number of its own that is added to its score.
    id_dropout
        Share of items that go without their own vector in a training step, drawn anew each time, so that the map of
        features alone learns to speak for an item (Volkovs et al. 2017, DropoutNet). Only with features; nothing is
        scaled up for it, since the sum is what is read later.

    Raises
    ------
    InputError
        A size out of range, features of another shape or with an infinite value, or `id_dropout` without features.
    """

    def __init__(
        self,
        n_items: int,
        dim: int,
        *,
        features_IF: Tensor | None = None,
        bias: bool = False,
        id_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if n_items < 0:
            raise InputError("n_items", "must be 0 or more", value=n_items)
        if dim < 1:
            raise InputError("dim", "must be 1 or more", value=dim)
        if not 0 <= id_dropout < 1:
            raise InputError("id_dropout", "must be 0 or more and below 1", value=id_dropout)
        if id_dropout and features_IF is None:
            raise InputError(
                "id_dropout", "needs features: an item without both has no vector", value=id_dropout
            )
        self.n_items, self.dim, self.id_dropout = n_items, dim, id_dropout
        self.own = nn.Embedding(n_items + 2, dim, padding_idx=self.pad)
        self.bias_I1 = nn.Embedding(n_items, 1) if bias else None
        self.features: Features | None = None
        self.projection: nn.Linear | None = None
        if features_IF is not None:
            self.features = Features(_checked(features_IF, n_rows=n_items))
            self.projection = nn.Linear(self.features.n_inputs, dim, bias=False)
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """Own vectors start about 1 long whatever D is: a product with a state then is about the size of one of the
        state's numbers, so that no item leads by chance, and gates and attention still see different items."""
        share = 1.0 if self.projection is None else 0.5
        nn.init.normal_(self.own.weight, std=(share / self.dim) ** 0.5)
        self.own.weight[self.pad] = 0
        if (
            self.projection is not None
        ):  # the other half of the length, for a row of features that are all known
            nn.init.normal_(
                self.projection.weight, std=(share / self.dim / max(1, self.projection.in_features)) ** 0.5
            )
        if self.bias_I1 is not None:
            nn.init.zeros_(self.bias_I1.weight)

    @property
    def pad(self) -> int:
        """Row of places without an event."""
        return self.n_items

    @property
    def mask(self) -> int:
        """Row of hidden events."""
        return self.n_items + 1

    @property
    def device(self) -> torch.device:
        """Where the vectors are."""
        return self.own.weight.device

    @torch.no_grad()
    def forget_own(self, items: Tensor) -> None:
        """Leave of these items what their features say, in place: own vector 0, the mean bias of the others.

        For items that no event taught: their own numbers are the draw they started from, and what the loss pushed
        them down as items that never came.
        """
        self.own.weight[items] = 0
        if self.bias_I1 is not None:
            others = torch.ones(self.n_items, dtype=torch.bool, device=self.device)
            others[items] = False
            if others.any():
                self.bias_I1.weight[items] = self.bias_I1.weight[others].mean()

    def vectors(self, items: Tensor) -> Tensor:
        """Vectors of these rows, `pad` and `mask` among them; shape (..., D) for `items` of shape (...)."""
        own = self.own(items)
        if self.features is None or self.projection is None:
            return own  # type: ignore[no-any-return]
        if self.training and self.id_dropout:
            keep = torch.rand(items.shape, device=items.device) >= self.id_dropout
            own = own * (keep | (items >= self.n_items))[..., None]
        return own + self.projection(self.features(items))  # type: ignore[no-any-return]

    def all_vectors(self) -> Tensor:
        """Vectors of all items, shape (I, D)."""
        if self.features is None:
            return self.own.weight[: self.n_items]
        return self.vectors(torch.arange(self.n_items, device=self.own.weight.device))

    def bias(self, items: Tensor) -> Tensor | None:
        """Biases of items (no `pad`, no `mask`), shape of `items`; None where there are none."""
        return None if self.bias_I1 is None else self.bias_I1(items)[..., 0]

    def all_bias(self) -> Tensor | None:
        """Biases of all items, shape (I,); None where there are none."""
        return None if self.bias_I1 is None else self.bias_I1.weight[:, 0]

    def with_items(self, features_MF: Tensor) -> "ItemTable":
        """A new table with M items after the old ones, known by their features only; `pad` and `mask` move up.

        Old items keep their vectors; a new item's bias is the mean one, and its own vector is 0 until
        it is trained.

        Raises
        ------
        InputError
            This table has no features, or the new ones have other columns or an infinite value.
        """
        if self.features is None:
            raise InputError(
                "features_MF", "this model was trained without features", remedy="train it again with them"
            )
        return self._longer(len(features_MF), features_MF)

    def with_rows(self, n_new: int) -> "ItemTable":
        """As `with_items` for M = `n_new` items of which nothing is known: own vectors 0, all features unknown."""
        unknown = None
        if self.features is not None:
            unknown = torch.full((n_new, self.features.n_columns), torch.nan)
        return self._longer(n_new, unknown)

    @torch.no_grad()
    def _longer(self, n_new: int, features_MF: Tensor | None) -> "ItemTable":
        # a table of the right sizes whose numbers are all replaced below
        table = ItemTable(self.n_items + n_new, self.dim, bias=self.bias_I1 is not None)
        table.id_dropout = self.id_dropout
        old = self.own.weight
        table.own.weight.copy_(
            torch.cat([old[: self.n_items], old.new_zeros(n_new, self.dim), old[self.n_items :]])
        )
        if self.bias_I1 is not None and table.bias_I1 is not None:
            bias = self.bias_I1.weight
            middle = bias.mean() if self.n_items else bias.new_zeros(())
            table.bias_I1.weight.copy_(torch.cat([bias, middle.expand(n_new, 1)]))
        if self.features is not None and self.projection is not None and features_MF is not None:
            checked_MF = _checked(features_MF, n_columns=self.features.n_columns).to(old)
            table.features = self.features.with_rows(checked_MF)
            table.projection = nn.Linear(self.features.n_inputs, self.dim, bias=False)
            table.projection.load_state_dict(self.projection.state_dict())
        return table.to(old.device).train(self.training)


class Features(nn.Module):
    """Fixed features of items as a linear map reads them: in deviations, 0 where unknown, with a flag that says so."""

    values_RF: Tensor
    """R = I + 2 rows, the last two zero; standardised. Shape (R, F)."""
    unknown_RU: Tensor
    """1 where the value is unknown, for columns that had unknown values in training. Shape (R, U)."""
    mean_F: Tensor
    scale_F: Tensor
    has_unknown_F: Tensor

    def __init__(self, features_IF: Tensor) -> None:
        super().__init__()
        known_IF = ~features_IF.isnan()
        n_F = known_IF.sum(0).clamp(min=1)
        filled_IF = features_IF.nan_to_num(nan=0.0).double()
        mean_F = filled_IF.sum(0) / n_F
        std_F = ((filled_IF - mean_F).square() * known_IF).sum(0).div(n_F).sqrt()
        # rare flags keep their size: in deviations one item of ten thousand would shout a hundred
        as_is_F = ((filled_IF == 0) | (filled_IF == 1)).all(0)
        constant_F = std_F <= 1e-6 * mean_F.abs()
        self.register_buffer("mean_F", mean_F.masked_fill(as_is_F, 0).float())
        self.register_buffer("scale_F", std_F.masked_fill(as_is_F | constant_F, 1).float())
        self.register_buffer("has_unknown_F", (~known_IF).any(0))
        values_IF, unknown_IU = self._read(features_IF)
        self.register_buffer("values_RF", functional.pad(values_IF, (0, 0, 0, 2)))
        self.register_buffer("unknown_RU", functional.pad(unknown_IU, (0, 0, 0, 2)))

    @property
    def n_columns(self) -> int:
        """F."""
        return len(self.mean_F)

    @property
    def n_inputs(self) -> int:
        """Numbers that a map of features takes: F and one flag for each column that had unknown values."""
        return self.n_columns + self.unknown_RU.shape[1]

    def _read(self, features_IF: Tensor) -> tuple[Tensor, Tensor]:
        values_IF = ((features_IF - self.mean_F) / self.scale_F).clamp(-_WIDEST, _WIDEST).nan_to_num(nan=0.0)
        return values_IF, features_IF.isnan()[:, self.has_unknown_F].to(values_IF.dtype)

    def forward(self, items: Tensor) -> Tensor:
        """Features of these rows as inputs of a linear map; 0 for `pad` and `mask`."""
        return torch.cat([self.values_RF[items], self.unknown_RU[items]], dim=-1)

    def with_rows(self, features_MF: Tensor) -> "Features":
        """A copy with M rows more before the last two, read with the old means."""
        longer = Features(features_MF.new_zeros(0, self.n_columns))
        for name in ("mean_F", "scale_F", "has_unknown_F"):
            setattr(longer, name, getattr(self, name).clone())
        values_MF, unknown_MU = self._read(features_MF)
        for name, new in (("values_RF", values_MF), ("unknown_RU", unknown_MU)):
            old = getattr(self, name)
            setattr(longer, name, torch.cat([old[:-2], new, old[-2:]]))
        return longer


def _checked(features: Tensor, *, n_rows: int | None = None, n_columns: int | None = None) -> Tensor:
    """As float32, or InputError."""
    wanted = f"({'M' if n_rows is None else n_rows}, {'F' if n_columns is None else n_columns})"
    if (
        features.ndim != 2
        or n_rows not in (None, features.shape[0])
        or n_columns not in (None, features.shape[1])
    ):
        raise InputError("features", f"must have shape {wanted}", value=tuple(features.shape))
    features = features.float()
    bad = features.isinf().any(1).nonzero().ravel()
    if len(bad):
        raise InputError(
            "features", f"must be finite or NaN; {len(bad)} row(s) break it", value=bad[:5].tolist()
        )
    return features

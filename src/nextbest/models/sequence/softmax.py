"""Cross-entropy over many candidates in bounded memory: rows in chunks, gradients worked out on the way.

The matrix of scores would be the largest array of training by far (8,192 places x 100,000 items are 3 GB) and
is needed for nothing but its gradient, so each chunk's gradient is taken while the chunk is in the cache.

Axes: N places, D dims, C candidates, M places of a chunk.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CELLS_AT_ONCE = {"cpu": 2**19, "cuda": 2**26}
"""Scores held at once: 2 MB, which is near a core's cache, and 256 MB."""
SHAPES_OF = 128
"""Candidates of a narrow product on a CPU are filled up to a multiple of this: oneDNN makes and keeps a kernel for each
shape it meets, and draws of negatives without repeats meet a new one in each batch (gigabytes in an hour)."""
ROWS_AT_LEAST = 64
"""Rows of a chunk even where that is more: each chunk passes over all vectors and their gradient, which would
cost more than the products themselves. 100,000 candidates: 26 MB."""


def softmax_over(
    states_ND: Tensor,
    vectors_CD: Tensor,
    *,
    offset_C: Tensor | None,
    target_N: Tensor | None,
    found: tuple[Tensor, Tensor],
) -> Tensor:
    """Mean over N of -log(exp(target) / (sum of exp over all competing candidates + exp(target))).

    Parameters
    ----------
    states_ND, vectors_CD
        A candidate's score is the product of their rows.
    offset_C
        Added to the scores of each candidate; None = 0.
    target_N
        Scores of the targets, which compete with the candidates. None: each target is a candidate itself.
    found
        Rows and columns where a candidate is the row's own target: with `target_N` it doesn't compete a second
        time; without, this says where the target is, once for each row in order.

    Returns
    -------
    Tensor
        One float32 number (float64 for float64 states), with gradients to all but `found`; second derivatives
        aren't there. Products are made in autocast's type where it is on, the rest in float32.
    """
    arguments = (states_ND, vectors_CD, offset_C, target_N, *found)
    value: Tensor = _SoftmaxOver.apply(*arguments)  # type: ignore[no-untyped-call]  # torch leaves it without types
    return value


class _SoftmaxOver(torch.autograd.Function):
    """The loss and, where asked for, its gradients, chunk by chunk."""

    @staticmethod
    def forward(
        ctx: Any,
        states_ND: Tensor,
        vectors_CD: Tensor,
        offset_C: Tensor | None,
        target_N: Tensor | None,
        row_F: Tensor,
        column_F: Tensor,
    ) -> Tensor:
        device = states_ND.device.type
        narrow = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else states_ND.dtype
        wide = torch.promote_types(states_ND.dtype, torch.float32)
        given = states_ND.dtype, vectors_CD.dtype, len(vectors_CD)
        with torch.autocast(device, enabled=False):
            if device == "cpu" and narrow != wide and offset_C is not None:
                vectors_CD, offset_C = _filled_up(vectors_CD, offset_C)
            n, cells = len(states_ND), CELLS_AT_ONCE.get(device, CELLS_AT_ONCE["cpu"])
            n_rows = max(ROWS_AT_LEAST, cells // len(vectors_CD))
            sums = _Sums(
                states_ND.to(wide),
                vectors_CD.to(wide),
                None if offset_C is None else offset_C.to(wide),
                None if target_N is None else target_N.to(wide),
                narrow=narrow,
                narrow_rows=n_rows if device == "cpu" else 1,
                wanted=any(ctx.needs_input_grad),
            )
            starts = list(range(0, n, n_rows))
            edges = torch.searchsorted(row_F, torch.tensor([*starts, n], device=row_F.device)).tolist()
            for start, first, last in zip(starts, edges, edges[1:], strict=False):
                sums.add(
                    slice(start, min(start + n_rows, n)), row_F[first:last] - start, column_F[first:last]
                )
        ctx.save_for_backward(*sums.gradients)
        ctx.given = given
        return sums.total / n

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if not ctx.saved_tensors:
            return (None,) * 6
        states_ND, vectors_CD, offset_C, target_N = ctx.saved_tensors
        states_dtype, vectors_dtype, n_candidates = ctx.given
        return (
            (states_ND * grad).to(states_dtype),
            (vectors_CD[:n_candidates] * grad).to(vectors_dtype),
            None if not ctx.needs_input_grad[2] else offset_C[:n_candidates] * grad,
            None if not ctx.needs_input_grad[3] else target_N * grad,
            None,
            None,
        )


class _Sums:
    """The sum of losses so far, and the gradients of their mean."""

    def __init__(
        self,
        states_ND: Tensor,
        vectors_CD: Tensor,
        offset_C: Tensor | None,
        target_N: Tensor | None,
        *,
        narrow: torch.dtype,
        narrow_rows: int,
        wanted: bool,
    ) -> None:
        self._states_ND, self._vectors_CD = states_ND, vectors_CD
        self._narrow_CD, self._narrow_rows = vectors_CD.to(narrow), narrow_rows
        self._offset_C, self._target_N = offset_C, target_N
        self.total = states_ND.new_zeros(())
        self.gradients: tuple[Tensor, ...] = ()
        if wanted:
            n = len(states_ND)
            self.gradients = (
                torch.empty_like(states_ND),
                torch.zeros_like(vectors_CD),
                states_ND.new_zeros(len(vectors_CD) if offset_C is not None else 0),
                states_ND.new_empty(n if target_N is not None else 0),
            )

    def add(self, rows: slice, row_F: Tensor, column_F: Tensor) -> None:
        """Take the rows of a chunk; `row_F` and `column_F` say where their own targets are candidates."""
        states_MD = wide_MD = self._states_ND[rows]
        vectors = self._vectors_CD
        if len(wide_MD) >= self._narrow_rows:  # a last, shorter chunk would be one more shape: see SHAPES_OF
            vectors = self._narrow_CD
            states_MD = wide_MD.to(vectors.dtype)
        score_MC = (states_MD @ vectors.T).to(wide_MD.dtype)
        if self._offset_C is not None:
            score_MC += self._offset_C
        highest_M = score_MC.amax(dim=1)
        if self._target_N is None:
            target_M = score_MC[row_F, column_F]
            weight_MC = score_MC.sub_(highest_M[:, None]).exp_()
            sum_M = weight_MC.sum(dim=1)
        else:
            target_M = self._target_N[rows]
            highest_M = torch.maximum(highest_M, target_M)
            weight_MC = score_MC.sub_(highest_M[:, None]).exp_()
            weight_MC[row_F, column_F] = 0
            target_weight_M = (target_M - highest_M).exp()
            sum_M = weight_MC.sum(dim=1) + target_weight_M
        self.total += (sum_M.log() + highest_M - target_M).sum()
        if not self.gradients:
            return
        states_ND, vectors_CD, offset_C, target_N = self.gradients
        share_M = 1 / (sum_M * len(self._states_ND))
        if self._target_N is None:
            weight_MC[row_F, column_F] -= sum_M
        else:
            target_N[rows] = target_weight_M * share_M - 1 / len(self._states_ND)
        if self._offset_C is not None:
            offset_C += share_M @ weight_MC
        narrow_MC = weight_MC.to(states_MD.dtype)
        states_ND[rows] = (narrow_MC @ vectors) * share_M[:, None]
        scaled_MD = (wide_MD * share_M[:, None]).to(states_MD.dtype)
        if states_MD.dtype == wide_MD.dtype:
            vectors_CD.addmm_(narrow_MC.T, scaled_MD)
        else:
            vectors_CD += narrow_MC.T @ scaled_MD  # summed over chunks in the wider type


def _filled_up(vectors_CD: Tensor, offset_C: Tensor) -> tuple[Tensor, Tensor]:
    """With candidates that never win, up to a multiple of `SHAPES_OF`."""
    missing = -len(vectors_CD) % SHAPES_OF
    return (
        torch.nn.functional.pad(vectors_CD, (0, 0, 0, missing)),
        torch.nn.functional.pad(offset_C, (0, missing), value=-torch.inf),
    )

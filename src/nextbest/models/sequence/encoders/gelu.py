"""GELU whose training on a CPU leaves nothing behind in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

_LOCK = Lock()


def gelu(x: Tensor) -> Tensor:
    """x times the normal distribution function of x (Hendrycks & Gimpel 2016), exact; torch's numbers and gradients.

    Torch gives a CPU's GELU to oneDNN, which makes a kernel for each shape it meets and keeps a thousand of them. In
    training nearly every batch has its own shape, and these small leavings lie between the large blocks of a step,
    so that the heap can't join what is freed around them: it grew by 100 to 200 MB with each tenfold of the log.
    Torch's own kernel costs the same and keeps nothing. Without gradients (questions come in few shapes) it is torch's
    choice.
    """
    if x.device.type != "cpu" or not (torch.is_grad_enabled() and x.requires_grad):
        return functional.gelu(x)
    value: Tensor = _GELU.apply(x)  # type: ignore[no-untyped-call]  # torch leaves it without types
    return value


class _GELU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        with _without_onednn():
            return functional.gelu(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        with _without_onednn():
            changed: Tensor = torch.ops.aten.gelu_backward(grad, x)
            return changed


@contextmanager
def _without_onednn() -> Iterator[None]:
    """The switch is the process', so that one thread at a time turns it, and puts it back as it was.

    Not by `torch.backends.mkldnn.flags`, which sets other switches too.
    """
    with _LOCK:
        before = torch.backends.mkldnn.enabled
        torch.backends.mkldnn.enabled = False  # type: ignore[assignment]  # typed as its descriptor
        try:
            yield
        finally:
            torch.backends.mkldnn.enabled = before

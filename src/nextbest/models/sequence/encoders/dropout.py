"""Dropout whose mask costs a fraction of torch's own on a CPU."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from nextbest.errors import InputError

_LEVELS = 1 << 16


class Dropout(nn.Module):
    """Zero each number with chance `p` in training and scale the others up, as `torch.nn.Dropout` does.

    On a CPU torch draws a 64-bit random number for each place, one at a time; that cost as much as an eighth of
    a training step. Here one such number makes four masks: `p` is rounded to a multiple of 2^-16, and the scale
    is that of the rounded chance, so that the mean stays exact.

    Raises
    ------
    InputError
        `p` isn't in [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise InputError("dropout", "must be 0 or more and below 1", value=p)
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        dropped = min(round(self.p * _LEVELS), _LEVELS - 1)
        if not self.training or not dropped:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.p)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(1 << 63), None)
        keep = (words.view(torch.int16)[: x.numel()] >= dropped - _LEVELS // 2).view(x.shape)
        return x * keep.to(x.dtype).mul_(_LEVELS / (_LEVELS - dropped))

    def extra_repr(self) -> str:
        return f"p={self.p}"

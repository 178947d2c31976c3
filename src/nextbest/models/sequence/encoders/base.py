"""What every encoder promises, and how the state that answers is taken. Axes: B windows, L places, D dims."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Encoder(nn.Module, ABC):
    """Vectors of a window's events, oldest first, -> one state a place, to be multiplied with item vectors.

    Conventions of every encoder

    - Windows are padded on the right. No padded place changes a state of a place that isn't padded; states of
      padded places are finite and mean nothing.
    - In a causal encoder the state of a place depends on that place and older ones only.
    - Dropout is on in `train()` only and draws from torch's global generator.
    """

    is_causal: bool
    """Whether the state of a place may be asked for the next event; if not, only hidden events may be."""
    dim: int
    """D, of vectors and of states."""

    @abstractmethod
    def forward(self, x_BLD: Tensor, length_B: Tensor) -> Tensor:
        """States of all places, shape (B, L, D).

        Parameters
        ----------
        x_BLD
            Item vectors, anything finite at padded places.
        length_B
            Events of each window, int64, 0 to L, on the same device.

        Raises
        ------
        InputError
            More places than the encoder has positions for.
        """

    @abstractmethod
    def last(self, x_BLD: Tensor, length_B: Tensor) -> Tensor:
        """`forward` at each window's newest event, shape (B, D), without the work that only other places need.

        Zeros for a window of length 0. Errors as in `forward`.
        """

    @abstractmethod
    def onnx(self) -> bytes:
        """`last` in evaluation as an ONNX graph: x_BLD float32, length_B int64 -> h_BD float32, any B and L >= 1.

        Raises
        ------
        InputError
            The onnx package isn't installed.
        """


def newest(h_BLD: Tensor, length_B: Tensor) -> Tensor:
    """The place of each window's newest event, shape (B, D); the first place where there is none."""
    rows_B = torch.arange(len(h_BLD), device=h_BLD.device)
    return h_BLD[rows_B, (length_B - 1).clamp(min=0)]


def zero_where_empty(h_BD: Tensor, length_B: Tensor) -> Tensor:
    """Zeros for windows without events."""
    return h_BD * (length_B > 0).to(h_BD.dtype)[:, None]

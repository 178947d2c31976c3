"""One GRU layer over whole windows for the CPU: `nn.GRU`'s numbers and gradients, in less time.

`nn.GRU` on a CPU leaves a chain of small autograd nodes for each place and adds up the weights' gradients place
by place. Here a place costs one product forward and one backward; all that doesn't depend on the place before it
(input projections, the gradients of weights and inputs) is one product over many places. Weights are laid out as
in `nn.GRU`, gates r, z, n, so that cuDNN takes over on a GPU with the same weights.

Axes: L places, B windows, D input dims, H hidden. Inside, gates stand as n, r, z and the state's part of n: the
first three are what inputs feed, the last three what the old state feeds, so both are slices.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_tanh_backward = torch.ops.aten.tanh_backward.grad_input
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_ROWS_AT_ONCE = 2048
"""Places times windows."""


def gru_layer(x_LBD: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
    """States of a GRU that starts from zero, shape (L, B, H).

    Parameters
    ----------
    x_LBD
        Inputs, oldest place first.
    w_ih, w_hh, b_ih, b_hh
        As `nn.GRU` names and shapes them: (3H, D), (3H, H), (3H,), (3H,), gates r, z, n.

    Notes
    -----
    Cho et al. 2014 in the form of cuDNN: the reset gate acts after the product with the old state.
    """
    states: Tensor = _GRULayer.apply(x_LBD, w_ih, w_hh, b_ih, b_hh)  # type: ignore[no-untyped-call]
    return states


def _slices(gates_LBG: Tensor, hidden: int) -> list[tuple[Tensor, ...]]:
    """For each place: n, r, z, the state's part of n, r and z together, all that the old state feeds."""
    ends = [(0, 1), (1, 2), (2, 3), (3, 4), (1, 3), (1, 4)]
    parts = [gates_LBG[:, :, a * hidden : b * hidden].unbind(0) for a, b in ends]
    return list(zip(*parts, strict=True))


class _GRULayer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_LBD: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
        (n_places, n_windows, _), hidden = x_LBD.shape, w_hh.shape[1]
        bias = b_ih.clone()
        bias[: 2 * hidden] += b_hh[: 2 * hidden]
        bias, w_ih_t, w_hh_t = bias.roll(hidden), w_ih.roll(hidden, 0).t(), w_hh.t()
        gates_LBG = x_LBD.new_empty(n_places, n_windows, 4 * hidden)
        gates_LBG[:, :, 3 * hidden :] = b_hh[2 * hidden :]
        states = x_LBD.new_zeros(n_places + 1, n_windows, hidden)
        places, gates = states.unbind(0), _slices(gates_LBG, hidden)
        for some in _stretches(n_places, n_windows):
            x_ND = x_LBD[some].flatten(0, 1)
            torch.addmm(bias, x_ND, w_ih_t, out=gates_LBG[some].view(-1, 4 * hidden)[:, : 3 * hidden])
            for place in range(some.start, some.stop):
                old, (n, r, z, n_state, r_z, fed_by_state) = places[place], gates[place]
                fed_by_state.addmm_(old, w_hh_t)
                r_z.sigmoid_()
                # tanh x = 2 sigmoid 2x - 1: torch's sigmoid is vectorised, its tanh takes nine times as long
                n.addcmul_(r, n_state).mul_(2).sigmoid_().mul_(2).sub_(1)
                torch.lerp(n, old, z, out=places[place + 1])
        ctx.save_for_backward(x_LBD, w_ih, w_hh, gates_LBG, states)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_LBH: Tensor) -> tuple[Tensor, ...]:
        x_LBD, w_ih, w_hh, gates_LBG, states = ctx.saved_tensors
        n_places, n_windows, hidden = grad_LBH.shape
        d_state = grad_LBH.new_zeros(n_windows, hidden)
        kept, rest = torch.empty_like(d_state), torch.empty_like(d_state)
        olds, grads, gates = states.unbind(0), grad_LBH.unbind(0), _slices(gates_LBG, hidden)
        stretches = _stretches(n_places, n_windows)
        d_gates_LBG = torch.empty_like(gates_LBG[stretches[0]]) if stretches else gates_LBG
        d_gates = _slices(d_gates_LBG, hidden)
        d_x_LBD = torch.empty_like(x_LBD, memory_format=torch.contiguous_format)
        turned_w_ih = w_ih.roll(hidden, 0)
        d_w_ih, d_w_hh = torch.zeros_like(w_ih), torch.zeros_like(w_hh)
        d_bias = w_hh.new_zeros(4 * hidden)
        for some in reversed(stretches):
            for place in range(some.stop - 1, some.start - 1, -1):
                old, (n, r, z, n_state, r_z, _) = olds[place], gates[place]
                d_n, d_r, d_z, d_n_state, d_r_z, d_fed = d_gates[place - some.start]
                d_state = d_state + grads[place]
                torch.mul(d_state, z, out=kept)
                torch.sub(d_state, kept, out=rest)
                _tanh_backward(rest, n, grad_input=d_n)
                torch.mul(d_n, r, out=d_n_state)
                torch.mul(d_n, n_state, out=d_r)
                torch.sub(old, n, out=d_z)
                d_z.mul_(d_state)
                _sigmoid_backward(d_r_z, r_z, grad_input=d_r_z)
                d_state = torch.addmm(kept, d_fed, w_hh)
            d_NG = d_gates_LBG[: some.stop - some.start].view(-1, 4 * hidden)
            d_bias += d_NG.sum(0)
            d_w_ih.addmm_(d_NG[:, : 3 * hidden].t(), x_LBD[some].flatten(0, 1))
            d_w_hh.addmm_(d_NG[:, hidden:].t(), states[some].flatten(0, 1))
            torch.mm(d_NG[:, : 3 * hidden], turned_w_ih, out=d_x_LBD[some].flatten(0, 1))
        return d_x_LBD, d_w_ih.roll(-hidden, 0), d_w_hh, d_bias[: 3 * hidden].roll(-hidden), d_bias[hidden:]


def _stretches(n_places: int, n_windows: int) -> list[slice]:
    """Places that are multiplied at once: enough for the product to run at full speed, few enough for the cache."""
    size = max(1, _ROWS_AT_ONCE // max(1, n_windows))
    return [slice(start, min(start + size, n_places)) for start in range(0, n_places, size)]

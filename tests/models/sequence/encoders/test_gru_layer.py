"""The CPU's GRU layer against torch's own."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from models.sequence.encoder_cases import DIM, encoder, windows
from nextbest.models.sequence.encoders.gru_layer import gru_layer


def random_gru(dim, hidden, dtype):
    torch.manual_seed(0)
    return nn.GRU(dim, hidden).to(dtype)


@pytest.mark.parametrize(
    ("n_places", "n_windows", "dim", "hidden"), [(1, 1, 3, 2), (6, 4, 3, 5), (5, 1, 4, 4)]
)
def test_states_and_gradients_are_those_of_torch(n_places, n_windows, dim, hidden):
    theirs = random_gru(dim, hidden, torch.float64)
    x, weight = (
        torch.randn(n_places, n_windows, dim).double(),
        torch.randn(n_places, n_windows, hidden).double(),
    )
    results = []
    for run in (lambda x: theirs(x)[0], lambda x: gru_layer(x, *theirs.all_weights[0])):
        theirs.zero_grad()
        inputs = x.clone().requires_grad_()
        states = run(inputs)
        (states * weight).sum().backward()
        results.append([states.detach(), inputs.grad, *(p.grad.clone() for p in theirs.parameters())])
    for expected, got in zip(*results, strict=True):
        assert_close(got, expected, atol=1e-12, rtol=1e-12)


def test_gradients_are_those_of_finite_differences():
    theirs = random_gru(2, 3, torch.float64)
    x = torch.randn(3, 2, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(gru_layer, (x, *theirs.all_weights[0]))


def test_large_inputs_saturate_without_nan():
    theirs = random_gru(2, 3, torch.float32)
    x = torch.full((3, 1, 2), 1e20).requires_grad_()
    states = gru_layer(x, *theirs.all_weights[0])
    states.sum().backward()
    assert states.isfinite().all()
    assert x.grad.isfinite().all()


def test_inputs_of_another_layout_give_the_same():
    theirs = random_gru(3, 4, torch.float32)
    x = torch.randn(2, 5, 3)
    assert torch.equal(
        gru_layer(x.transpose(0, 1), *theirs.all_weights[0]),
        gru_layer(x.transpose(0, 1).contiguous(), *theirs.all_weights[0]),
    )


@pytest.mark.parametrize("name", ["gru", "gru, two layers, other size"])
def test_the_encoder_equals_torchs_gru_with_its_weights(name):
    made = encoder(name)
    x_BLD, length_B = windows(7, 7)
    states = made.recurrence(x_BLD.transpose(0, 1) * DIM**0.5)[0].transpose(0, 1)
    assert_close(made(x_BLD, length_B), made.to_dim(states), atol=1e-6, rtol=1e-6)
    assert made(x_BLD, length_B).shape == (2, 7, DIM)


@pytest.mark.parametrize(("n_places", "n_windows"), [(0, 3), (3, 0)])
def test_nothing_in_gives_nothing_out_and_gradients_of_zero(n_places, n_windows):
    theirs = random_gru(3, 4, torch.float32)
    x = torch.zeros(n_places, n_windows, 3).requires_grad_()
    states = gru_layer(x, *theirs.all_weights[0])
    states.sum().backward()
    assert states.shape == (n_places, n_windows, 4)
    assert x.grad.shape == x.shape
    assert not theirs.weight_ih_l0.grad.any()


def test_a_second_pass_backward_gives_the_same():
    theirs = random_gru(3, 4, torch.float32)
    x = torch.randn(5, 2, 3).requires_grad_()
    states = gru_layer(x, *theirs.all_weights[0])
    first, second = (torch.autograd.grad(states.sum(), x, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)

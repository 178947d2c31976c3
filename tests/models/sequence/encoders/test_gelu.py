"""GELU of a training on a CPU: torch's numbers, none of oneDNN's kernels."""

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from models.sequence.encoder_cases import encoder, windows
from nextbest.models.sequence.encoders.gelu import gelu

KERNEL = "onednn_verbose"


def kernels(capfd, calculate):
    """What oneDNN says that it ran."""
    capfd.readouterr()
    with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
        calculate()
    return [line for line in capfd.readouterr().out.splitlines() if KERNEL in line and "exec" in line]


def test_numbers_and_gradients_are_those_of_torch():
    torch.manual_seed(0)
    x, weight = 3 * torch.randn(40, 7), torch.randn(40, 7)
    results = []
    for activation in (functional.gelu, gelu):
        inputs = x.clone().requires_grad_()
        values = activation(inputs)
        (values * weight).sum().backward()
        results.append((values.detach(), inputs.grad))
    assert_close(*results, atol=1e-5, rtol=1e-5)
    assert_close(gelu(x), functional.gelu(x), atol=0, rtol=0)


def test_gradients_are_those_of_finite_differences():
    assert torch.autograd.gradcheck(gelu, torch.linspace(-3, 3, 7, dtype=torch.float64).requires_grad_())


def test_training_a_transformer_runs_no_kernel_that_is_kept_for_its_shape(capfd):
    x = torch.randn(640, 64, requires_grad=True)
    if not kernels(capfd, lambda: functional.gelu(x).sum().backward()):
        pytest.skip("this torch doesn't calculate GELU by oneDNN")
    made = encoder("sasrec").train()
    x_BLD, length_B = windows(7, 7)
    assert kernels(capfd, lambda: made(x_BLD.requires_grad_(), length_B).sum().backward()) == []


def test_the_switch_is_as_it_was_after():
    was = torch.backends.mkldnn.enabled
    gelu(torch.ones(2, requires_grad=True)).sum().backward()
    assert torch.backends.mkldnn.enabled == was

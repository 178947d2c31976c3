"""Which weights decay, how the rate moves, how long a gradient is."""

import pytest
import torch
from torch import nn

from models.sequence.training_cases import settings
from nextbest.models.sequence.optimizers import (
    Optimizer,
    decay_groups,
    gradient_norm,
    learning_rate,
    scale_gradients,
)


class Parts(nn.Module):
    """One weight of each sort."""

    no_weight_decay = frozenset({"position_LD"})

    def __init__(self):
        super().__init__()
        self.items = nn.Embedding(3, 2)
        self.matrix = nn.Linear(2, 2)
        self.norm = nn.LayerNorm(2)
        self.gru = nn.GRU(2, 2)
        self.position_LD = nn.Parameter(torch.zeros(4, 2))
        self.frozen = nn.Linear(2, 2).requires_grad_(requires_grad=False)
        self.tied = self.matrix


def names(network, weights):
    return {name for name, weight in network.named_parameters() if any(weight is w for w in weights)}


def test_only_matrices_of_products_decay():
    network = Parts()
    decayed, kept = decay_groups(network)
    assert names(network, decayed) == {"matrix.weight", "gru.weight_ih_l0", "gru.weight_hh_l0"}
    assert names(network, kept) == {
        "items.weight",
        "matrix.bias",
        "norm.weight",
        "norm.bias",
        "gru.bias_ih_l0",
        "gru.bias_hh_l0",
        "position_LD",
    }


def plain_steps(kind, start, gradients, *, rate, decay):
    """The papers' formulas, number by number."""
    weight, first, second = start, 0.0, 0.0
    for step, slope in enumerate(gradients, start=1):
        gradient = slope + (0 if kind == "adamw" else decay * weight)
        weight -= rate * decay * weight if kind == "adamw" else 0
        if kind == "adagrad":
            second += gradient**2
            weight -= rate * gradient / (second**0.5 + 1e-10)
            continue
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        unbiased = second / (1 - 0.999**step)
        weight -= rate * first / (1 - 0.9**step) / (unbiased**0.5 + 1e-8)
    return weight


@pytest.mark.parametrize("decay", [0.0, 0.5])
@pytest.mark.parametrize("kind", ["adam", "adamw", "adagrad"])
def test_steps_are_those_of_the_paper(kind, decay):
    network = nn.Linear(1, 1).double()
    starts = [w.item() for w in network.parameters()]
    optimizer = Optimizer(network, settings(optimizer=kind, weight_decay=decay))
    gradients = [0.5, -0.25, 3.0, 0.125]
    for gradient in gradients:
        for weight in network.parameters():
            weight.grad = torch.full_like(weight, gradient)
        optimizer.step(0.1)
    # the matrix decays, the bias doesn't
    for weight, start, own in zip(network.parameters(), starts, (decay, 0), strict=True):
        wanted = plain_steps(kind, start, gradients, rate=0.1, decay=own)
        assert weight.item() == pytest.approx(wanted, rel=1e-6)


def test_a_weight_without_gradient_and_an_embedding_do_not_decay():
    network = Parts()
    optimizer = Optimizer(network, settings(weight_decay=0.5))
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    for weight in (network.matrix.weight, network.items.weight):
        weight.grad = torch.zeros_like(weight)
    optimizer.step(0.1)
    moved = {n for n, w in network.named_parameters() if not torch.equal(w, before[n])}
    assert moved == {"matrix.weight"}
    assert torch.allclose(network.matrix.weight, 0.95 * before["matrix.weight"])


def test_the_rate_warms_up_in_equal_steps_and_stays():
    config = settings(learning_rate=1.0, warmup_steps=4)
    rates = [learning_rate(config, step=step, progress=0.9) for step in range(6)]
    assert rates == [0.25, 0.5, 0.75, 1, 1, 1]


def test_the_cosine_falls_from_the_rate_to_a_hundredth_of_it():
    config = settings(learning_rate=2.0, schedule="cosine")
    rates = [learning_rate(config, step=9, progress=share) for share in (0, 0.5, 1, 1.5)]
    assert rates == pytest.approx([2, 1.01, 0.02, 0.02])


def test_the_length_of_gradients_is_that_of_all_numbers_as_one_vector():
    weights = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1, 1)), nn.Parameter(torch.zeros(5))]
    assert float(gradient_norm(weights)) == 0
    weights[0].grad, weights[1].grad = torch.tensor([2.0, 4.0]), torch.tensor([[4.0]])
    assert float(gradient_norm(weights)) == 6
    scale_gradients(weights, 0.5)
    assert weights[0].grad.tolist() == [1, 2]
    assert weights[2].grad is None

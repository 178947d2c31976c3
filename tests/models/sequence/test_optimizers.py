"""Which weights decay, how the rate moves, how long a gradient is."""

import pytest
import torch
from torch import nn

from models.sequence.training_cases import settings
from nextbest.models.sequence.optimizers import (
    decay_groups,
    gradient_norm,
    learning_rate,
    make_optimizer,
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


@pytest.mark.parametrize("kind", ["adam", "adamw", "adagrad"])
def test_each_learning_weight_is_in_one_group_with_its_decay(kind):
    network = Parts()
    optimizer = make_optimizer(network, settings(optimizer=kind, weight_decay=0.1))
    found = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(found) == len({id(p) for p in found}) == 10
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]


def test_decay_shrinks_a_matrix_and_leaves_an_embedding():
    network = Parts()
    optimizer = make_optimizer(network, settings(weight_decay=0.5, learning_rate=0.1))
    matrix, items = network.matrix.weight.detach().clone(), network.items.weight.detach().clone()
    for weight in network.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    torch.testing.assert_close(network.matrix.weight.detach(), 0.95 * matrix)
    assert torch.equal(network.items.weight, items)


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

"""Dropout: as torch's own in law, and exact in its mean."""

import pytest
import torch

from nextbest.errors import InputError
from nextbest.models.sequence.encoders.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_the_share_dropped_is_p_and_the_mean_stays(p):
    torch.manual_seed(0)
    x = torch.ones(200_001)
    dropped = Dropout(p)(x)
    # five standard deviations of a share of 200,001 draws
    assert abs((dropped == 0).double().mean() - p) < 5 * (p * (1 - p) / len(x)) ** 0.5
    assert dropped[dropped != 0].unique().tolist() == pytest.approx([1 / (1 - p)], rel=2e-4)


def test_neighbours_are_dropped_independently():
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(100_000)) != 0).double() - 0.5
    for lag in (1, 2, 3, 4, 8):
        assert abs((kept[lag:] * kept[:-lag]).mean()) < 5 * 0.25 / len(kept) ** 0.5


def test_gradients_pass_where_numbers_passed():
    torch.manual_seed(0)
    x = torch.ones(5, 7).requires_grad_()
    dropped = Dropout(0.5)(x)
    dropped.sum().backward()
    assert torch.equal(x.grad, dropped.detach())


def test_nothing_happens_in_evaluation_or_without_a_share():
    x = torch.randn(3)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_shapes_without_places_and_other_types_are_taken():
    assert Dropout(0.5)(torch.ones(0, 3)).shape == (0, 3)
    assert Dropout(0.5)(torch.ones(3, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("p", [-0.1, 1.0, 2.0])
def test_a_share_out_of_range_is_told(p):
    with pytest.raises(InputError, match="dropout: must be 0 or more and below 1"):
        Dropout(p)

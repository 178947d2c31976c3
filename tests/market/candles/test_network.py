"""What the network may look at, shown by gradients, and what its heads promise."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from market.candles.candle_cases import tiny
from nextbest.market.candles.network import CandleNetwork, Window


def network_and_window(
    n_windows: int = 2, n_assets: int = 3, **changes: object
) -> tuple[CandleNetwork, Window]:
    config = tiny(**changes)
    torch.manual_seed(0)
    network = CandleNetwork(config, n_bar=3, n_state=5, n_calendar=6, n_horizons=2).eval()
    for weight in network.parameters():  # the heads begin at zero: every path must be open to be seen
        torch.nn.init.normal_(weight, std=0.5)
    window = Window(
        torch.randn(n_windows, n_assets, config.n_patches, 3 * config.patch, requires_grad=True),
        torch.randn(n_windows, n_assets, config.n_patches, 5, requires_grad=True),
        torch.randn(n_windows, config.n_patches, 6, requires_grad=True),
        torch.ones(n_windows, n_assets, config.n_patches, dtype=torch.bool),
    )
    return network, window


@pytest.mark.parametrize("cross_asset", [False, True])
def test_a_place_has_no_gradient_to_later_places(cross_asset: bool) -> None:
    network, window = network_and_window(cross_asset=cross_asset, location="learned")
    answer = network(window, n_last=4)
    (answer.shape[:, :, 1].sum() + answer.log_variance[:, :, 1].sum()).backward()
    for tensor in (window.bars_BALX, window.state_BALF):
        assert tensor.grad is not None
        assert tensor.grad[:, :, :2].abs().sum(-1).min() > 0
        assert not tensor.grad[:, :, 2:].any()
    assert window.calendar_BLK.grad is not None
    assert not window.calendar_BLK.grad[:, 2:].any()


@pytest.mark.parametrize("cross_asset", [False, True])
def test_another_asset_is_seen_by_cross_attention_alone(cross_asset: bool) -> None:
    network, window = network_and_window(cross_asset=cross_asset)
    network(window).log_variance[:, 0].sum().backward()
    assert window.state_BALF.grad is not None
    assert bool(window.state_BALF.grad[:, 1:].any()) is cross_asset


def test_the_newest_place_alone_is_answered_as_among_all() -> None:
    network, window = network_and_window(cross_asset=True)
    among, alone = network(window, n_last=4), network(window)
    torch.testing.assert_close(alone.shape[:, :, 0], among.shape[:, :, -1], rtol=1e-4, atol=1e-5)


@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 30))
def test_quantiles_never_cross_whatever_the_weights(seed: int, scale: float) -> None:
    network, window = network_and_window(location="learned")
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            torch.nn.init.normal_(weight, std=scale)
        assert (network(window).shape.diff(dim=-1) >= 0).all()


def test_student_loss_is_minus_torchs_log_density() -> None:
    network, window = network_and_window(head="student", location="learned")
    answer = network(window)
    z = torch.randn(answer.log_variance.shape)
    location, log_scale, degrees = answer.shape.unbind(-1)
    theirs = torch.distributions.StudentT(2 + degrees.exp(), location, log_scale.exp())
    ours, _ = network.losses(answer, z, z)
    torch.testing.assert_close(ours, -theirs.log_prob(z))  # type: ignore[no-untyped-call]  # torch's


def test_an_unknown_asset_changes_no_other_ones_answer() -> None:
    network, window = network_and_window(cross_asset=True)
    known = window.known_BAL.clone()
    known[:, 2] = False
    first = network(Window(window.bars_BALX, window.state_BALF, window.calendar_BLK, known))
    other = torch.cat([window.state_BALF[:, :2], window.state_BALF[:, 2:] + 5], 1)
    second = network(Window(window.bars_BALX, other, window.calendar_BLK, known))
    torch.testing.assert_close(first.shape[:, :2], second.shape[:, :2])

"""PatchTST and N-HiTS as forecasters; markets from the candle tests."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from market.candles.candle_cases import HORIZONS, changed, market
from nextbest.data.prices.panel import PricePanel
from nextbest.errors import ArtifactError, DataError, InputError, NotFittedError
from nextbest.market.base import Forecaster
from nextbest.market.neural.config import NeuralConfig
from nextbest.market.neural.forecaster import Neural, make_nhits, make_patchtst, windows_of
from nextbest.market.neural.networks import make_network
from nextbest.models.sequence.config import TrainConfig

KINDS = ("patchtst", "nhits")


def tiny(kind: str, *, n_epochs: int = 2) -> NeuralConfig:
    training = TrainConfig(n_epochs=n_epochs, learning_rate=3e-3, device="cpu", n_threads=1)
    return NeuralConfig.model_validate(
        {
            "kind": kind,
            "window": 24,
            "patch": 8,
            "stride": 4,
            "rates": (6, 2, 1),
            "dim": 16,
            "n_blocks": 1,
            "n_heads": 2,
            "windows_per_epoch": 1024,
            "training": training,
        }
    )


@pytest.fixture(scope="module")
def panel() -> PricePanel:
    torch.set_num_threads(1)
    return market()


@pytest.fixture(scope="module", params=KINDS)
def fitted(request: pytest.FixtureRequest, panel: PricePanel) -> Neural:
    model = Neural(tiny(request.param))
    model.fit(panel.until(600), horizons=HORIZONS, rng=0)
    return model


def test_they_are_forecasters_and_their_quantiles_rise(fitted: Neural, panel: PricePanel) -> None:
    assert isinstance(fitted, Forecaster)
    quantiles = fitted.forecast([panel, panel.until(650)], horizons=HORIZONS)
    assert quantiles.shape == (2, 3, 2, 9)
    assert (np.diff(quantiles, axis=-1) > 0).all()


def test_prices_times_ten_have_the_same_quantiles(fitted: Neural, panel: PricePanel) -> None:
    names = ("open_AT", "high_AT", "low_AT", "close_AT")
    dear = changed(panel, **{name: 10 * getattr(panel, name) for name in names})
    np.testing.assert_allclose(
        fitted.forecast([dear], horizons=HORIZONS), fitted.forecast([panel], horizons=HORIZONS), rtol=1e-4
    )


def test_a_planted_regime_is_wider_than_the_calm_one(fitted: Neural) -> None:
    test = market(700, seed=9)
    wide, calm = (fitted.forecast([test.until(stop)], horizons=(1,))[0, :, 0] for stop in (100, 160))
    assert ((wide[:, -1] - wide[:, 0]) > 2 * (calm[:, -1] - calm[:, 0])).all()


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 1000))
def test_quantiles_never_cross_whatever_the_weights(kind: str, seed: int) -> None:
    torch.manual_seed(seed)
    network = make_network(tiny(kind), n_horizons=2).eval()
    with torch.no_grad():
        for weight in network.parameters():
            torch.nn.init.normal_(weight, std=3)
        assert (network(torch.randn(4, 24)).diff(dim=-1) >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_every_close_of_the_window_is_read(kind: str) -> None:
    torch.manual_seed(0)
    path_NC = torch.randn(64, 24, requires_grad=True)
    make_network(tiny(kind), n_horizons=2).eval()(path_NC).square().sum().backward()
    assert path_NC.grad is not None
    assert (path_NC.grad.abs().sum(0) > 0).all()


def test_a_path_is_counted_from_the_newest_close_in_units_of_its_deviation(panel: PricePanel) -> None:
    path_NC, scale_N, row_N, end_N = windows_of(panel.until(24), tiny("nhits"))
    log_close_AC = np.log(panel.close_AT[:, :24])
    expected = (log_close_AC - log_close_AC[:, -1:]) / (scale_N[:, None] * np.sqrt(24))
    np.testing.assert_allclose(path_NC, expected, atol=1e-5)
    np.testing.assert_allclose(scale_N, np.sqrt((np.diff(log_close_AC, axis=1) ** 2).mean(1)))
    assert (row_N.tolist(), end_N.tolist()) == ([0, 1, 2], [23, 23, 23])


def test_a_saved_model_answers_as_before(fitted: Neural, panel: PricePanel, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    again = Neural.load(tmp_path / "model")
    assert again.config == fitted.config
    np.testing.assert_array_equal(
        again.forecast([panel], horizons=HORIZONS), fitted.forecast([panel], horizons=HORIZONS)
    )
    weights = tmp_path / "model" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(ArtifactError):
        Neural.load(tmp_path / "model")


def test_a_resumed_training_is_the_uninterrupted_one(panel: PricePanel, tmp_path: Path) -> None:
    whole, first, rest = (
        Neural(tiny("nhits", n_epochs=n), checkpoints=folder)
        for n, folder in ((2, None), (1, tmp_path), (2, tmp_path))
    )
    for model in (whole, first, rest):
        model.fit(panel, horizons=HORIZONS, rng=3)
    assert rest.trained_["resumed_after"] == 1
    np.testing.assert_array_equal(
        whole.forecast([panel], horizons=HORIZONS), rest.forecast([panel], horizons=HORIZONS)
    )


def test_gaps_are_borne_and_a_missing_newest_close_has_no_answer(fitted: Neural, panel: PricePanel) -> None:
    close_AT = panel.close_AT.copy()
    close_AT[0, -8] = close_AT[1, -1] = np.nan
    close_AT[2, -20:-8] = np.nan
    answers = fitted.forecast([changed(panel, close_AT=close_AT)], horizons=HORIZONS)[0]
    assert np.isfinite(answers[0]).all()
    assert np.isnan(answers[1:]).all()


def test_wrong_calls_are_refused(fitted: Neural, panel: PricePanel) -> None:
    with pytest.raises(DataError, match="10 bars hold no window"):
        Neural(tiny("nhits")).fit(panel.until(10), horizons=HORIZONS)
    with pytest.raises(NotFittedError):
        make_nhits().forecast([panel], horizons=(1,))
    with pytest.raises(InputError, match="were learned"):
        fitted.forecast([panel], horizons=(3,))
    with pytest.raises(InputError, match="patch must not be longer"):
        make_patchtst(patch=200)

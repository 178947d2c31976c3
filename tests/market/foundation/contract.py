"""What every adapter keeps to, whatever its model says; a test class for each inherits it and gives `model`."""

import json
from datetime import date

import numpy as np
import pytest

from market.foundation.checkpoints import NAN, candles, changed
from nextbest.errors import InputError
from nextbest.market.base import LEVELS, Forecaster

HORIZONS = (1, 6, 24)


class ForecasterContract:
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls) -> Forecaster:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def panel(cls):
        return candles(2, 130)

    @pytest.fixture(scope="class")
    @classmethod
    def answer_OAHQ(cls, model, panel):
        return model.forecast([panel.until(100), panel.until(130)], horizons=HORIZONS)

    def test_it_is_a_forecaster_with_a_config_for_the_ledger(self, model):
        assert isinstance(model, Forecaster)
        assert isinstance(model.seen_until, date)
        assert json.loads(json.dumps(model.config)) == model.config
        assert model.fit(candles(1, 50), horizons=HORIZONS, rng=np.random.default_rng(0)) is None

    def test_every_origin_asset_and_horizon_has_rising_quantiles(self, answer_OAHQ):
        assert answer_OAHQ.shape == (2, 2, 3, 9)
        assert answer_OAHQ.dtype == np.float64
        assert np.isfinite(answer_OAHQ).all()
        assert (np.diff(answer_OAHQ, axis=-1) >= 0).all()

    def test_an_answer_does_not_depend_on_later_origins_in_the_call(self, model, panel, answer_OAHQ):
        alone_OAHQ = model.forecast([panel.until(100)], horizons=HORIZONS)
        np.testing.assert_allclose(alone_OAHQ[0], answer_OAHQ[0], atol=2e-6, rtol=1e-4)

    def test_asked_horizons_are_those_of_the_path(self, model, panel, answer_OAHQ):
        one_OAHQ = model.forecast([panel.until(130)], horizons=[24], levels=[0.5])
        np.testing.assert_allclose(one_OAHQ[0, :, 0, 0], answer_OAHQ[1, :, 2, 4], atol=2e-6, rtol=1e-4)

    def test_the_unit_of_the_price_does_not_matter(self, model, panel, answer_OAHQ):
        fields = {
            f"{name}_AT": 1e-6 * getattr(panel, f"{name}_AT") for name in ("open", "high", "low", "close")
        }
        cheap = changed(panel, **fields)
        same_OAHQ = model.forecast([cheap.until(100)], horizons=HORIZONS)
        np.testing.assert_allclose(same_OAHQ[0], answer_OAHQ[0], atol=2e-6, rtol=1e-4)

    def test_without_a_close_at_the_cutoff_or_enough_bars_there_is_no_answer(self, model):
        close_AT = candles(3, 100).close_AT.copy()
        close_AT[1, -1] = NAN
        close_AT[2, : 100 - model.min_bars + 1] = NAN
        before = model.tally.n_no_context
        answer_OAHQ = model.forecast([candles(close_AT=close_AT)], horizons=[1])
        assert np.isfinite(answer_OAHQ[0, 0]).all()
        assert np.isnan(answer_OAHQ[0, 1:]).all()
        assert model.tally.n_no_context == before + 2

    def test_a_gap_inside_the_context_is_survived(self, model):
        close_AT = candles(1, 100).close_AT.copy()
        close_AT[0, 50:55] = NAN
        assert np.isfinite(model.forecast([candles(close_AT=close_AT)], horizons=[1, 2])).all()

    def test_no_history_at_all_is_an_empty_answer(self, model):
        assert model.forecast([], horizons=[1]).shape == (0, 0, 1, len(LEVELS))

    def test_levels_beyond_the_models_own_are_refused(self, model, panel):
        with pytest.raises(InputError, match="nothing is extrapolated"):
            model.forecast([panel], horizons=[1], levels=[0.0001, 0.5])

    @pytest.mark.parametrize("horizons", [[0], [], [2, 1]])
    def test_horizons_must_be_bars_ahead_in_order(self, model, panel, horizons):
        with pytest.raises(InputError, match="horizons"):
            model.forecast([panel], horizons=horizons)

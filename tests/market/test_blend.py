"""A blend of walks whose quantiles are known."""

import numpy as np
import pytest

from market.candles.candle_cases import market
from nextbest.errors import InputError
from nextbest.market.base import Forecaster, make_forecaster
from nextbest.market.blend import Blend


def test_a_blend_is_the_weighted_mean_of_its_parts_quantiles() -> None:
    panel = market(200)
    parts = [make_forecaster("rw_gauss"), make_forecaster("rw_hist_sim", window=100)]
    blend = Blend(parts, weights=(3, 1))
    assert isinstance(blend, Forecaster)
    blend.fit(panel, horizons=(1,), rng=np.random.default_rng(0))
    said = [part.forecast([panel, panel.until(150)], horizons=(1, 6)) for part in (blend, *parts)]
    np.testing.assert_allclose(said[0], 0.75 * said[1] + 0.25 * said[2])
    assert blend.context_length == 0
    assert blend.min_bars == 21
    assert blend.config["weights"] == [0.75, 0.25]


def test_weights_that_are_not_one_each_and_above_zero_are_refused() -> None:
    parts = [make_forecaster("rw_gauss"), make_forecaster("rw_hist_sim")]
    for weights in ((1,), (1, 0), (1, -1)):
        with pytest.raises(InputError, match="weights"):
            Blend(parts, weights=weights)

"""Our own networks are made by name, from settings that are checked."""

import numpy as np
import pytest

from market.candles.candle_cases import HORIZONS, market, tiny
from nextbest.errors import InputError
from nextbest.market.base import FORECASTERS, PRETRAINED, TRAINED, Forecaster, make_forecaster
from nextbest.market.bench.harness import bench
from nextbest.market.bench.origins import origins_of


@pytest.mark.parametrize("name", sorted(TRAINED))
def test_a_name_makes_a_forecaster(name: str) -> None:
    assert isinstance(make_forecaster(name, dropout=0.3), Forecaster)
    assert name not in {*FORECASTERS, *PRETRAINED}


def test_a_setting_that_is_unknown_or_wrong_is_named() -> None:
    with pytest.raises(InputError, match="layers"):
        make_forecaster("candles", layers=3)
    with pytest.raises(InputError, match="dropout"):
        make_forecaster("nhits", dropout=2)


def test_the_harness_fits_and_asks_the_transformer_without_complaint() -> None:
    panel = market(500)
    model = make_forecaster("candles", **tiny().model_dump(exclude={"training"}), training=tiny().training)
    origins = origins_of(panel, horizons=HORIZONS, every=7, refit_every=10)
    found = bench(panel, [model], origins, n_resamples=20)
    assert found.failures == ()
    assert np.isfinite(found.forecasts["candles"]).all()

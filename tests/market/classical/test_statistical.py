"""Statistical models: what the library says at the fit, carried forward after it."""

import numpy as np
import pytest

from market.price_cases import panel_of, random_closes
from nextbest.errors import InputError, NotFittedError
from nextbest.market.base import LEVELS, make_forecaster

CLOSES = random_closes(120, seed=4)
PANEL = panel_of(CLOSES)


def test_the_quantiles_are_the_ends_of_the_librarys_own_intervals():
    from statsforecast.models import AutoETS

    model = make_forecaster("auto_ets", window=100)
    with pytest.raises(NotFittedError):
        model.forecast((PANEL,), horizons=(1, 3))
    model.fit(PANEL.until(110), horizons=(1, 3), rng=np.random.default_rng(0))
    x = np.log(CLOSES[1])
    theirs = AutoETS(season_length=1).fit(x[10:110]).forward(x[20:120], h=3, level=[80])
    found = model.forecast((PANEL,), horizons=(1, 3), levels=(0.1, 0.5, 0.9))[0, 1]
    expected = np.stack([theirs[name][[0, 2]] for name in ("lo-80", "mean", "hi-80")], axis=-1) - x[-1]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    usual = model.forecast((PANEL,), horizons=(1, 3))[0]
    assert usual.shape == (2, 2, len(LEVELS))
    assert (np.diff(usual, axis=-1) > 0).all()


def test_what_is_too_short_or_stands_still_or_is_gone_has_no_answer():
    close_AT = np.concatenate([CLOSES, CLOSES[:1] * 0 + 7, CLOSES[:1]])
    close_AT[0, 115:] = np.nan
    close_AT[3, 110] = np.nan
    panel = panel_of(close_AT)
    model = make_forecaster("auto_theta", window=100)
    model.fit(panel, horizons=(1,), rng=np.random.default_rng(0))
    found = model.forecast((panel,), horizons=(1,))[0]
    assert np.isfinite(found).all((1, 2)).tolist() == [False, True, False, False]


def test_settings_out_of_range_are_refused():
    for config in ({"kind": "prophet"}, {"season": 0}, {"min_points": 5}, {"window": 20}):
        with pytest.raises(InputError):
            make_forecaster("auto_arima", **config)

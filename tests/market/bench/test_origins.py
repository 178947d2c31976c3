"""Origins lie where their outcomes are known, the newest first in mind."""

from datetime import date

import numpy as np
import pytest

from market.price_cases import panel_of, random_closes
from nextbest.errors import InputError
from nextbest.market.bench.origins import Origins, origins_of, outcomes_of

PANEL = panel_of(random_closes(100))


def test_the_test_is_the_newest_fifth_and_ends_where_the_longest_outcome_is_known():
    origins = origins_of(PANEL, horizons=(1, 6), every=5)
    assert origins.stops.tolist() == [84, 89, 94]
    assert origins.every == 5


def test_a_start_is_the_day_of_the_first_known_bar():
    assert origins_of(PANEL, horizons=(1,), start=date(2024, 4, 5)).stops.tolist() == [96, 97, 98, 99]


def test_outcomes_are_log_returns_from_the_last_known_close_and_nan_beyond_the_panel():
    found = outcomes_of(PANEL, Origins(np.array([50, 99]), (1, 2)))
    close = PANEL.close_AT
    assert found[0, 1, 1] == pytest.approx(np.log(close[1, 51] / close[1, 49]))
    assert np.isnan(found[1, :, 1]).all()
    assert not np.isnan(found[1, :, 0]).any()


@pytest.mark.parametrize(
    "asked",
    [{"horizons": (24,)}, {"every": 0}, {"horizons": (0, 1)}, {"horizons": (6, 1)}, {"refit_every": 0}],
)
def test_what_cannot_be_asked_is_refused(asked):
    with pytest.raises(InputError):
        origins_of(panel_of(random_closes(40)), **{"horizons": (1,), **asked})

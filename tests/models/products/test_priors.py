"""Monthly additions counted as defined, forecast by hand, met by shifts."""

from datetime import date

import numpy as np
import pytest

from models.products.banks import random_bank
from nextbest.errors import InputError
from nextbest.models.products.priors import (
    MonthlyAdditions,
    PriorConfig,
    forecast_additions,
    shifted,
    shifts_for,
)

PLAIN = PriorConfig(season_trust=0.0)


def months(n, start=(2015, 1)):
    first = start[0] * 12 + start[1] - 1
    return tuple(date((first + at) // 12, (first + at) % 12 + 1, 28) for at in range(n))


def past(counts, start=(2015, 1)):
    return MonthlyAdditions(months(len(counts), start), np.array(counts, np.int64))


def test_additions_are_counted_month_by_month_up_to_the_target(tmp_path):
    panel = random_bank(tmp_path)
    target = panel.months[9]
    found = MonthlyAdditions.of(panel, before=target)
    assert found.months == panel.months[1:9]
    held, here = np.asarray(panel.held_MC), np.asarray(panel.present_MC)
    for at in range(1, 9):
        both = here[at] & here[at - 1]
        for p in range(panel.n_products):
            new = (held[at] >> p & 1).astype(bool) & ~(held[at - 1] >> p & 1).astype(bool) & both
            assert found.added_MP[at - 1, p] == new.sum()


def test_a_target_without_two_months_before_it_is_refused(tmp_path):
    panel = random_bank(tmp_path)
    with pytest.raises(InputError, match="two months of the panel before it"):
        MonthlyAdditions.of(panel, before=panel.months[1])


def test_the_same_number_every_month_is_forecast_again():
    assert forecast_additions(past([[40, 0]] * 8), date(2015, 9, 28)) == pytest.approx([40, 0], abs=1e-9)


def test_the_level_is_the_weighted_mean_of_log_counts():
    config = PriorConfig(window=2, decay=0.5, season_trust=0)
    expected = np.exp((np.log(200.5) + 0.5 * np.log(100.5)) / 1.5) - 0.5
    found = forecast_additions(past([[999], [100], [200]]), date(2015, 4, 28), config)
    assert found == pytest.approx([expected])


def test_a_dying_product_is_forecast_near_its_end_not_its_mean():
    counts = [[1300], [1400], [900], [1200], [450], [680], [240], [100]]
    found = forecast_additions(past(counts), date(2015, 9, 28), PLAIN)[0]
    assert 100 < found < 450


def test_a_season_of_last_year_comes_back_as_far_as_it_is_trusted():
    counts = np.full((13, 1), 1000)
    counts[5] = 4000  # June 2015
    now = date(2016, 6, 28)
    sixteen = np.vstack([counts, [[1000]] * 4])  # to May 2016
    full = PriorConfig(season_trust=1.0, season_counts=0)
    half = PriorConfig(season_trust=0.5, season_counts=0)
    level, trusted, doubted = (forecast_additions(past(sixteen), now, c)[0] for c in (PLAIN, full, half))
    assert level == pytest.approx(1000, rel=0.01)
    assert trusted == pytest.approx(4000 ** (6 / 7) * 1000 ** (1 / 7), rel=0.3)
    assert level < doubted < trusted


def test_the_level_is_freed_of_the_season_of_its_own_months():
    counts = np.full((17, 1), 1000)
    counts[[1, 13]] = 3000  # February of both years
    full = PriorConfig(season_trust=1.0, season_counts=0, window=3)
    march = forecast_additions(past(counts[:14]), date(2016, 3, 28), full)[0]
    raw = forecast_additions(past(counts[:14]), date(2016, 3, 28), PLAIN)[0]
    assert raw > 1350
    assert march < 1200


def test_few_additions_make_no_season():
    counts = np.full((13, 1), 2)
    counts[1] = 9
    config = PriorConfig(season_trust=1.0, season_counts=200)
    assert forecast_additions(past(counts[:13]), date(2016, 2, 28), config)[0] < 2.5


def test_a_gap_before_the_target_falls_back_on_the_newest_month():
    assert forecast_additions(past([[50]] * 3), date(2017, 1, 28), PLAIN) == pytest.approx([50])


def test_shifts_meet_the_expected_numbers_and_leave_held_products_at_0():
    gen = np.random.default_rng(0)
    p = gen.beta(1, 30, (2000, 3))
    p[gen.random(p.shape) < 0.3] = 0
    weight = gen.uniform(1, 5, 2000)
    expected = np.array([50.0, 400.0, 0.0])
    shift = shifts_for(p, expected, weight_N=weight)
    out = shifted(p, shift)
    assert weight @ out[:, :2] == pytest.approx(expected[:2], rel=1e-4)
    assert shift[2] == pytest.approx(-PriorConfig().max_shift)
    assert not out[p == 0].any()
    assert out.dtype == np.float32


def test_a_product_that_nobody_can_add_is_left_alone():
    assert shifts_for(np.zeros((5, 1)), np.array([3.0]), weight_N=np.ones(5)).tolist() == [0.0]

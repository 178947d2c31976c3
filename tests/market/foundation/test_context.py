"""Contexts hold what was known and nothing else; quantiles come out sorted, between levels and never beyond."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.foundation.checkpoints import NAN, NINE, candles
from nextbest.errors import InputError
from nextbest.market.foundation.context import (
    Tally,
    carried,
    check_levels,
    contexts,
    n_samples_for,
    return_quantiles,
    sample_quantiles,
)


def all_contexts(panels, **told):
    return list(contexts(panels, **{"length": 4, "min_bars": 2, "batch_size": 64, **told}))


def test_a_context_is_the_log_of_closes_relative_to_the_last():
    (batch,) = all_contexts([candles(close_AT=[[50.0, 100.0, 200.0]])])
    np.testing.assert_allclose(batch.value_BL, [np.log([0.25, 0.5, 1.0])], rtol=1e-6)
    (batch,) = all_contexts([candles(close_AT=[[50.0, 100.0, 200.0]])], scale="price")
    np.testing.assert_allclose(batch.value_BL, [[0.25, 0.5, 1.0]])


def test_only_the_last_bars_are_read_and_what_precedes_the_first_is_padding():
    close_AT = [[9.0, 1.0, 1.0, 1.0, 1.0], [NAN, NAN, NAN, 1.0, 1.0]]
    (batch,) = all_contexts([candles(close_AT=close_AT)])
    np.testing.assert_array_equal(batch.value_BL, [[0, 0, 0, 0], [NAN, NAN, 0, 0]])
    assert [len(row) for row in batch.series()] == [4, 2]


def test_a_gap_is_kept_or_the_close_before_it_is_carried():
    panel = candles(close_AT=[[NAN, 1.0, NAN, 1.0]])
    assert np.isnan(all_contexts([panel])[0].value_BL).tolist() == [[False, True, False]]
    (batch,) = all_contexts([panel], gaps="carry")
    np.testing.assert_array_equal(batch.value_BL, [[0, 0, 0]])
    np.testing.assert_array_equal(carried(np.array([NAN, 1, NAN, NAN, 2, NAN])), [NAN, 1, 1, 1, 2, 2])


def test_series_without_a_close_at_the_cutoff_or_too_short_are_left_out():
    close_AT = [[1.0, 1.0, NAN], [NAN, NAN, 1.0], [NAN, 1.0, 1.0]]
    (batch,) = all_contexts([candles(close_AT=close_AT)])
    assert batch.asset_B.tolist() == [2]


@pytest.mark.parametrize(("batch_size", "sizes"), [(64, [6]), (4, [4, 2]), (1, [1] * 6)])
def test_no_batch_is_larger_than_told(batch_size, sizes):
    panel = candles(3, 5)
    batches = all_contexts([panel.until(4), panel], batch_size=batch_size)
    assert [len(batch.value_BL) for batch in batches] == sizes
    assert np.concatenate([batch.origin_B for batch in batches]).tolist() == [0, 0, 0, 1, 1, 1]
    assert np.concatenate([batch.asset_B for batch in batches]).tolist() == [0, 1, 2, 0, 1, 2]


def test_by_origin_no_batch_holds_two_origins():
    panel = candles(3, 5)
    batches = all_contexts([panel.until(4), panel], batch_size=4, by_origin=True)
    assert [batch.origin_B.tolist() for batch in batches] == [[0, 0, 0], [1, 1, 1]]


def test_batches_are_made_one_at_a_time():
    asked = []

    class Histories(list):
        def __iter__(self):
            for panel in list.__iter__(self):
                asked.append(panel)
                yield panel

    stream = contexts(Histories([candles(2, 5)] * 9), length=4, min_bars=2, batch_size=2)
    next(stream)
    assert len(asked) == 1


def quantiles(value, own, levels, *, scale="log", tally=None):
    return return_quantiles(np.array([[value]], float), own, levels, scale=scale, tally=tally or Tally())[
        0, 0
    ]


def test_between_two_levels_of_its_own_there_is_a_straight_line():
    out_Q = quantiles([0.0, 1.0, 3.0], [0.1, 0.5, 0.9], [0.1, 0.2, 0.5, 0.7, 0.9])
    np.testing.assert_allclose(out_Q, [0.0, 0.25, 1.0, 2.0, 3.0])


def test_own_levels_may_come_in_any_order_and_in_float32():
    out_Q = quantiles([3.0, 0.0, 1.0], np.float32([0.9, 0.1, 0.5]), [0.1, 0.5, 0.9])
    assert out_Q.tolist() == [0.0, 1.0, 3.0]


@pytest.mark.parametrize("levels", [[0.05, 0.5], [0.5, 0.95]])
def test_levels_outside_its_own_are_refused(levels):
    with pytest.raises(InputError, match=r"end at 0\.1 and 0\.9; got \[0\.\d5\]"):
        check_levels(levels, NINE)


def test_crossing_quantiles_are_sorted_and_counted_once_a_horizon():
    tally = Tally()
    assert quantiles([2.0, 1.0, 0.0], [0.1, 0.5, 0.9], [0.1, 0.5, 0.9], tally=tally).tolist() == [0, 1, 2]
    assert tally.n_crossed == 1


@pytest.mark.parametrize(
    ("value", "scale"),
    [([0.0, NAN, 1.0], "log"), ([0, 1, np.inf], "log"), ([0.0, 1, 2], "price"), ([-1, 1, 2], "price")],
)
def test_what_is_no_price_is_no_answer_and_counted(value, scale):
    tally = Tally()
    assert np.isnan(quantiles(value, [0.1, 0.5, 0.9], [0.1, 0.5, 0.9], scale=scale, tally=tally)).all()
    assert tally.n_refused == 1


def test_ratios_become_logs():
    np.testing.assert_allclose(
        quantiles([0.5, 1.0, 2.0], [0.1, 0.5, 0.9], [0.1, 0.5, 0.9], scale="price"), np.log([0.5, 1, 2])
    )


@given(
    st.lists(st.floats(-5, 5), min_size=9, max_size=9),
    st.lists(st.floats(0.1, 0.9), min_size=1, max_size=5, unique=True),
)
def test_quantiles_never_cross_and_agree_with_numpys_interpolation(values, levels):
    levels = sorted(levels)
    out_Q = quantiles(values, NINE, levels)
    assert (np.diff(out_Q) >= 0).all()
    np.testing.assert_allclose(out_Q, np.interp(levels, NINE, np.sort(values)), atol=2e-4)


def test_the_kth_of_n_samples_stands_at_k_of_n_plus_one():
    sample_SH = np.arange(1.0, 10.0)[::-1, None]
    np.testing.assert_allclose(sample_quantiles(sample_SH, NINE)[0], np.arange(1.0, 10.0))


@pytest.mark.parametrize(("levels", "n"), [(NINE, 9), ([0.05, 0.5], 19), ([0.5], 1), ([0.5, 0.99], 99)])
def test_so_many_samples_a_level_needs(levels, n):
    assert n_samples_for(levels) == n
    whole_SH = np.random.default_rng(0).normal(size=(n, 2))
    assert np.isfinite(sample_quantiles(whole_SH, levels)).all()
    assert np.isnan(sample_quantiles(whole_SH[1:], levels)).all()


def test_a_path_with_a_nan_is_left_out_whole():
    sample_SH = np.column_stack([np.arange(10.0), np.arange(10.0)])
    sample_SH[9, 0] = NAN
    np.testing.assert_allclose(sample_quantiles(sample_SH, NINE)[1], np.arange(9.0))


def test_sample_quantiles_cover_new_draws_as_often_as_they_say():
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(2000):
        low, high = sample_quantiles(rng.normal(size=(9, 1)), [0.1, 0.9])[0]
        inside.append(low <= rng.normal() <= high)
    assert np.mean(inside) == pytest.approx(0.8, abs=0.03)

"""Blocks joined equal one day after another, at every length around the borders of blocks."""

import numpy as np
import pytest

from nextbest.portfolio.metrics.underwater import Underwater, longest_stretch


def plain(row_T: list[float]) -> tuple[float, float, int]:
    """Wealth, deepest fall and longest stretch below a peak, a day at a time."""
    wealth, peak, deepest, below, longest = 1.0, 1.0, 0.0, 0, 0
    for r in row_T:
        wealth *= 1 + r
        peak = max(peak, wealth)
        deepest = min(deepest, wealth / peak - 1)
        below = 0 if wealth >= peak else below + 1
        longest = max(longest, below)
    return wealth, deepest, longest


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9, 10, 63, 64, 65, 80, 81, 82, 99, 100, 101, 400])
def test_as_one_day_after_another(n: int) -> None:
    r_CT = np.random.default_rng(n).normal(size=(5, n)) * 0.02
    buffers = Underwater(7, n)
    buffers.growth_of(r_CT)
    wealth_C, depth_C, below_C = buffers.falls(5)
    for i, row_T in enumerate(r_CT):
        wealth, deepest, longest = plain(row_T.tolist())
        assert (wealth_C[i], depth_C[i]) == pytest.approx((wealth, deepest), rel=1e-12, abs=1e-14)
        assert below_C[i] == longest


def test_buffers_keep_nothing_of_the_chunk_before() -> None:
    r_CT = np.random.default_rng(0).normal(size=(4, 50)) * 0.02
    used, fresh = Underwater(4, 50), Underwater(4, 50)
    used.growth_of(-r_CT)
    used.falls(4)
    for buffers in (used, fresh):
        buffers.growth_of(r_CT[:3])
    for a, b in zip(used.falls(3), fresh.falls(3), strict=True):
        np.testing.assert_array_equal(a, b)


def test_days_without_a_return_stay_at_the_peak_across_the_borders_of_blocks() -> None:
    r_CT = np.abs(np.random.default_rng(0).normal(size=(4, 400))) * 0.01
    r_CT[:, 150:260] = 0.0
    buffers = Underwater(4, 400)
    buffers.growth_of(r_CT)
    _, depth_C, below_C = buffers.falls(4)
    assert depth_C.tolist() == [0.0] * 4
    assert below_C.tolist() == [0.0] * 4


def test_longest_stretches_at_the_ends_in_the_middle_everywhere_and_nowhere() -> None:
    rows = ["xx..x", "x..xx", ".xxx.", "xxxxx", ".....", "x.x.x"]
    below = np.array([[letter == "x" for letter in row] for row in rows])
    assert longest_stretch(below).tolist() == [2, 2, 3, 5, 0, 1]

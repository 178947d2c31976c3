"""Block by block equals one by one, at every length around the borders of blocks."""

import numpy as np
import pytest

from nextbest.portfolio.metrics.scans import running_maximum, running_product


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 80, 81, 82, 99, 100, 101, 255, 256, 1260])
def test_product_and_maximum_as_accumulate_has_them(n: int) -> None:
    rows = 1 + np.random.default_rng(n).normal(size=(3, n)) * 0.02
    np.testing.assert_allclose(running_product(rows), np.multiply.accumulate(rows, axis=1), rtol=1e-12)
    np.testing.assert_array_equal(running_maximum(rows), np.maximum.accumulate(rows, axis=1))


def test_days_without_a_return_stay_at_the_peak_to_the_last_bit() -> None:
    rows = 1 + np.random.default_rng(0).normal(size=(4, 400)) * 0.02
    rows[:, 150:260] = 1.0
    wealth = running_product(rows)
    assert (wealth[:, 150:260] == wealth[:, 149:150]).all()


def test_the_input_is_left_as_it_is() -> None:
    rows = np.full((2, 100), 1.5)
    running_product(rows)
    running_maximum(rows)
    assert (rows == 1.5).all()

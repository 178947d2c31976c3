"""The cost of a block is its own, not that of what came before it."""

import sys

import numpy as np
import pytest

from nextbest.experiments.cost import measured


def test_cpu_seconds_are_counted_and_wall_is_at_least_there() -> None:
    with measured() as cost:
        sum(i * i for i in range(300_000))
    assert 0 < cost.cpu_s < 30
    assert cost.wall_s > 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can reset the high-water mark")
def test_the_peak_is_the_blocks_own_high_water_mark() -> None:
    with measured() as large:
        block = np.ones(25_000_000)  # 200 MB
        del block
    with measured() as small:
        pass
    assert large.peak_mb - small.peak_mb > 150


def test_the_cost_is_filled_in_even_when_the_block_fails() -> None:
    with pytest.raises(ValueError, match="no"), measured() as cost:
        raise ValueError("no")
    assert cost.peak_mb > 1

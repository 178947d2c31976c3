"""Threads over blocks: errors come through, and BLAS gets its setting back."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from nextbest.models import threads
from nextbest.models.threads import for_each, n_cores, single_threaded_blas


def blas_threads():
    return sorted(i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas")


@pytest.mark.parametrize("n_threads", [0, 1, 2, 9])
def test_every_part_is_worked_on_once(n_threads):
    done = []
    for_each(done.append, range(5), n_threads=n_threads)
    assert sorted(done) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_error_in_a_part_is_raised(n_threads):
    def work(part):
        raise ValueError(f"part {part}")

    with pytest.raises(ValueError, match="part 0"):
        for_each(work, range(3), n_threads=n_threads)


def test_one_part_stays_on_the_calling_thread():
    names = []
    for_each(lambda _: names.append(threading.current_thread()), [1], n_threads=4)
    assert names == [threading.current_thread()]


def test_blas_is_limited_inside_and_restored_after_overlapping_blocks():
    np.ones((2, 2)) @ np.ones((2, 2))
    before = blas_threads()
    with single_threaded_blas():
        with single_threaded_blas():
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_blocks_that_overlap_without_end_pile_nothing_up():
    np.ones((2, 2)) @ np.ones((2, 2))
    before = blas_threads()
    with single_threaded_blas():
        n_limits = len(threads._limits)
        for _ in range(20):
            with single_threaded_blas():
                assert len(threads._limits) == n_limits
    assert blas_threads() == before
    assert not threads._limits


def test_a_setting_changed_inside_is_put_down_again():
    with single_threaded_blas(), threadpool_limits(2, user_api="blas"), single_threaded_blas():
        assert set(blas_threads()) == {1}


def test_cores_are_counted_where_affinity_is_unknown(monkeypatch):
    assert n_cores() >= 1
    monkeypatch.delattr(threads.os, "sched_getaffinity", raising=False)
    assert n_cores() >= 1

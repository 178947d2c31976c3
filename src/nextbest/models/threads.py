"""Work in several threads of this process, with the BLAS library kept from adding its own on top."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")

WORTH_THREADS = 4
"""Parts of work below which starting threads and holding BLAS to one costs more than it brings."""

_lock = Lock()
_limits: list[Any] = []
_n_inside = 0


def n_cores() -> int:
    """Cores that this process may run on, 1 or more."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """BLAS stays on the calling thread inside the block; the old setting is back when the last one leaves.

    The setting belongs to the whole process, so other threads' products slow down meanwhile; blocks may
    overlap between threads.
    """
    global _n_inside  # noqa: PLW0603  (the BLAS setting is one per process, so is its count)
    from threadpoolctl import threadpool_info, threadpool_limits

    with _lock:
        # each time: libraries may have come since; kept only where there is one, or overlapping blocks of a busy
        # service, which are never all left, would pile them up
        if not _limits or any(
            told["num_threads"] != 1 for told in threadpool_info() if told["user_api"] == "blas"
        ):
            _limits.append(threadpool_limits(1, user_api="blas"))
        _n_inside += 1
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            while _n_inside == 0 and _limits:
                _limits.pop().restore_original_limits()  # newest first: the oldest knows the true setting


def for_each(work: Callable[[T], None], parts: Iterable[T], *, n_threads: int) -> None:
    """Call `work` on each part, in `n_threads` threads at once (0 = all cores); the first error is raised."""
    parts = list(parts)
    n_threads = min(n_threads or n_cores(), len(parts))
    if n_threads <= 1:
        for part in parts:
            work(part)
        return
    with single_threaded_blas(), ThreadPoolExecutor(n_threads) as pool:
        for done in [pool.submit(work, part) for part in parts]:
            done.result()

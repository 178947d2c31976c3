"""What a piece of work costs: CPU-seconds of this process and the memory it added at its peak."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass
class Cost:
    """Filled in when the measured block ends."""

    cpu_s: float = 0.0
    """User and system time of all threads."""
    wall_s: float = 0.0
    peak_mb: float = 0.0
    """Highest resident memory of the process during the block, megabytes (1e6 bytes)."""


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the block; on Linux the peak is the block's own, elsewhere that of the process so far."""
    with suppress(OSError):
        _CLEAR.write_text("5")  # resets the kernel's high-water mark of this process
    cost = Cost()
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        yield cost
    finally:
        cost.cpu_s = time.process_time() - cpu
        cost.wall_s = time.perf_counter() - wall
        cost.peak_mb = _peak_bytes() / 1e6


def _peak_bytes() -> int:
    with suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

"""What features cost: fit, one month of a whole panel, a training set, a single client; and the leak audit.

    python benchmarks/products_features.py PANEL [--months 10]
    python benchmarks/products_features.py --scale 1     # simulates a panel first, in a temporary folder

CPU-seconds are those of this process, all threads; set POLARS_MAX_THREADS=1 for figures of one core.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nextbest.data.panel.panel import Panel
from nextbest.models.products.audit import audit_leaks
from nextbest.models.products.features import FeatureSteps, StoredClients
from nextbest.models.products.training import training_set

T = TypeVar("T")


def timed(what: str, work: Callable[[], T]) -> T:
    """The result, after a line of CPU and wall seconds and the process's peak memory so far."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{what:44s} {cpu:8.2f} CPU-s {wall:8.2f} s   peak {peak:.2f} GB", flush=True)
    return result


def main() -> None:
    """Measure one panel."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("panel", nargs="?", type=Path)
    parser.add_argument("--scale", type=float)
    parser.add_argument("--months", type=int, default=10)
    parser.add_argument("--keep", type=float, default=0.1)
    options = parser.parse_args()
    if (options.panel is None) == (options.scale is None):
        parser.error("give either a panel's folder or --scale")
    with tempfile.TemporaryDirectory() as folder:
        if options.panel is None:
            from nextbest.simulate.panel import simulate_panel

            panel = simulate_panel(scale=options.scale, rng=1).to_panel(folder)
        else:
            panel = Panel.open(options.panel)
        measure(panel, n_months=options.months, keep=options.keep)


def measure(panel: Panel, *, n_months: int, keep: float) -> None:
    """Print the figures; the last month of the panel is the target, the months before it train."""
    print(panel)
    target, training = panel.months[-1], panel.months[-1 - n_months : -1]
    steps = timed(f"fit on {n_months} months", lambda: FeatureSteps().fit(panel, training))
    clients = timed("clients of one month, ready for questions", lambda: steps.clients(panel, target))
    rows = clients.present()
    batch(steps, clients, rows)
    train = timed(
        f"training set of {n_months} months, {keep:.0%} of the unchanged",
        lambda: training_set(panel, steps, training, keep_unchanged=keep),
    )
    print(f"{len(train)} rows, {train.x_NF.nbytes / 1e6:.0f} MB of features")
    del train
    timed("leak audit with a second fit", lambda: audit_leaks(steps, panel, target))
    one = rows[np.linspace(0, len(rows) - 1, 2000).astype(np.int64)]
    spent_us = np.empty(len(one))
    for place in range(len(one)):
        start = time.perf_counter()
        steps.transform(clients.inputs(one[place : place + 1]))
        spent_us[place] = (time.perf_counter() - start) * 1e6
    print(f"one client: {np.median(spent_us):.0f} us median, {np.percentile(spent_us, 99):.0f} us p99")


def batch(steps: FeatureSteps, clients: StoredClients, rows: NDArray[np.int32]) -> None:
    """All clients of a month at once; what they take is freed afterwards."""
    inputs = timed(f"inputs of all {len(rows)} clients", lambda: clients.inputs(rows))
    table = timed(f"{steps.n_features} features of all", lambda: steps.transform(inputs))
    print(f"{table.x_NF.nbytes / 1e6:.0f} MB of features")


if __name__ == "__main__":
    main()

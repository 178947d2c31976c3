"""Boosters on subsets of rows don't bring the process down; in a process of its own, because they did."""

import subprocess
import sys

FIT = """
import sys
import numpy as np
from nextbest.models.products.config import ProductConfig
from nextbest.models.products.features.steps import FeatureSteps
from nextbest.models.products.per_product import PerProduct
from nextbest.models.products.training import training_set
from nextbest.simulate.panel import simulate_panel

panel = simulate_panel(scale=0.004, rng=1).to_panel(sys.argv[1])
config, months = ProductConfig(), panel.months[2:]
steps = FeatureSteps(config.features).fit(panel, months)
rows = training_set(panel, steps, months, keep_unchanged=config.unchanged_rows, rng=np.random.default_rng(0))
PerProduct(config.ownership, transition="drop").fit(rows, rng=np.random.default_rng(0))
"""


def test_drops_of_a_small_panel_are_learned(tmp_path) -> None:
    words = [sys.executable, "-c", FIT, str(tmp_path / "panel")]
    assert subprocess.run(words, check=False, timeout=300).returncode == 0

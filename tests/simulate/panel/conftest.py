"""One small panel for all tests of the room."""

import pytest

from nextbest.simulate.panel import SimulatedPanel, simulate_panel


@pytest.fixture(scope="session")
def panel() -> SimulatedPanel:
    """Two blocks of customers, all 17 months."""
    return simulate_panel(scale=0.02, rng=3)

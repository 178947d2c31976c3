"""A simulated bank panel with known truth: who holds and takes which product, month by month."""

from nextbest.simulate.panel.panel import PanelMonth, SimulatedPanel, simulate_panel

__all__ = ["PanelMonth", "SimulatedPanel", "simulate_panel"]

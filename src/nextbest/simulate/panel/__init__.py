"""A simulated bank panel with known truth: who holds and takes which product, month by month, and who was offered what."""

from nextbest.simulate.panel.offers import OfferConfig, Offers, simulate_offers
from nextbest.simulate.panel.panel import PanelMonth, SimulatedPanel, simulate_panel

__all__ = ["OfferConfig", "Offers", "PanelMonth", "SimulatedPanel", "simulate_offers", "simulate_panel"]

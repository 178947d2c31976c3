"""Simulated investors with known laws: synthetic ones, or holdings for real customers over real prices."""

from nextbest.simulate.portfolios.books import read_market_folder, simulate_book
from nextbest.simulate.portfolios.config import PortfolioLaws
from nextbest.simulate.portfolios.customers import draw_customers
from nextbest.simulate.portfolios.exchange import simulate_market
from nextbest.simulate.portfolios.holdings import Holdings, holdings_for, simulate_investors

__all__ = [
    "Holdings",
    "PortfolioLaws",
    "draw_customers",
    "holdings_for",
    "read_market_folder",
    "simulate_book",
    "simulate_investors",
    "simulate_market",
]

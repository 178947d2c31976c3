"""Investors, trades, cash flows and prices: read, checked, kept in one database."""

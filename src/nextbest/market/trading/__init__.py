"""Forecasts -> signals -> positions -> returns after costs, and an audit for what cheats."""

"""Random walks and the statistical models every other forecaster is held against. No torch."""

"""The test bench: rolling origins, the one place that calls a forecaster, the leaderboard. No torch."""

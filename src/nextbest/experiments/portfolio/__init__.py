"""Portfolio: published worked examples answered by our own functions, back-tests of strategies."""

"""Our own transformer of candles: what width and shape the next return will have. Torch from `network` on only."""

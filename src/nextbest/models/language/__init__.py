"""Causal language models: checkpoints opened, adapters trained, answers scored. Knows no price and no chat."""

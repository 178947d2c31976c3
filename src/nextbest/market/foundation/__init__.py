"""Pretrained models by their own packages' loading code, an adapter file each; imported when asked for."""

"""Two small networks of the literature, one asset at a time: PatchTST and N-HiTS. Torch from `networks` on only."""

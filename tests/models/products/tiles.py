"""A training set whose answer is visible to the eye: who has a tile's colour adds that tile's product.

Six products, four colours. Product p < 4 is added with probability 0.5 by clients of colour p, 0.01 by others;
product 4 always comes together with product 0; product 5 is added five times in all.
"""

from datetime import date

import numpy as np

from nextbest.models.products.features.tables import FeatureTable
from nextbest.models.products.training import TrainingSet

PRODUCTS = ("red", "green", "blue", "grey", "redder", "rare")
NAMES = ("colour.red", "colour.green", "colour.blue", "colour.grey", "noise", "segment")
GROUPS = ("history:red", "history:green", "history:blue", "history:grey", "noise", "segment")
MONTHS = (date(2016, 1, 28), date(2016, 2, 28))


def tiles(n: int = 4000, *, rng: int = 0, keep: float = 1.0) -> TrainingSet:
    """`n` clients in two months; of those who change nothing only a share `keep` stays, weighted."""
    gen = np.random.default_rng(rng)
    colour = gen.integers(0, 4, n)
    x = np.zeros((n, 6), np.float32)
    x[np.arange(n), colour] = 1
    x[:, 4] = gen.random(n)
    x[gen.random(n) < 0.1, 4] = np.nan
    x[:, 5] = gen.integers(0, 3, n)
    held = gen.random((n, 6)) < 0.2
    wants = gen.random((n, 6)) < 0.01
    wants[np.arange(n), colour] = gen.random(n) < 0.5
    wants[:, 4], wants[:, 5] = wants[:, 0], False
    wants[:5, 5], held[:5, 5] = True, False
    added = wants & ~held
    dropped = held & (gen.random((n, 6)) < np.where(x[:, [0]] == 1, 0.4, 0.05))
    changed = (added | dropped).any(axis=1)
    drawn = changed | (gen.random(n) < keep)
    weight = np.where(changed, 1, 1 / keep)[drawn]
    month = np.sort(gen.integers(0, 2, n))[drawn]
    bits = 1 << np.arange(6)

    def packed(mask):
        return (mask @ bits).astype(np.uint32)[drawn]

    return TrainingSet(
        NAMES,
        GROUPS,
        x[drawn],
        PRODUCTS,
        packed(held),
        packed(added),
        packed(dropped),
        month.astype(np.int16),
        MONTHS,
        np.flatnonzero(drawn).astype(np.int32),
        weight.astype(np.float32),
    )


def everyone(rows: TrainingSet) -> tuple[FeatureTable, np.ndarray]:
    """What a model is asked with."""
    return rows.table, rows.held_N

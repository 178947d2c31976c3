"""Contributions by reason group: a client's are the same alone and among many."""

import numpy as np
import pytest

from nextbest.models.products.base import FloatArray
from nextbest.models.products.baselines import Persistence
from nextbest.models.products.explaining import grouped_contributions
from nextbest.models.products.features.tables import FeatureTable

N_FEATURES, N_ROWS = 400, 300
GROUPS = ("history", "income", "season")


class _Drawn(Persistence):
    """Contributions are what the table holds: of both signs, and large against their sums."""

    def contributions(self, table: FeatureTable, product: int) -> FloatArray:
        """The table itself."""
        return table.x_NF


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    x_NF = np.random.default_rng(0).normal(size=(N_ROWS, N_FEATURES)).astype(np.float32)
    names = tuple(f"f{n}" for n in range(N_FEATURES))
    return FeatureTable(names, x_NF, tuple(GROUPS[n % 3] for n in range(N_FEATURES)))


def test_a_clients_parts_are_the_same_alone_and_among_many(table: FeatureTable) -> None:
    model, asked = _Drawn(), np.zeros((N_ROWS, 1), np.int8)
    together = grouped_contributions(model, table, asked, groups=GROUPS)
    alone = [
        grouped_contributions(model, table.take(np.array([n])), asked[:1], groups=GROUPS)[0]
        for n in range(N_ROWS)
    ]
    np.testing.assert_array_equal(np.stack(alone), together)


def test_parts_are_sums_by_group_and_what_nobody_asked_about_is_nan(table: FeatureTable) -> None:
    few = table.take(np.arange(3))
    asked = np.array([[0, -1], [-1, 0], [-1, -1]], np.int8)
    found = grouped_contributions(_Drawn(), few, asked, groups=("season", *GROUPS[:2], "region"))
    wanted = [few.x_NF[:, at::3].astype(np.float64).sum(axis=1) for at in (2, 0, 1)]
    np.testing.assert_allclose(found[0, 0], [*(w[0] for w in wanted), 0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found[1, 1], [*(w[1] for w in wanted), 0], rtol=1e-5, atol=1e-5)
    assert np.isnan(found[[0, 1, 2, 2], [1, 0, 0, 1]]).all()

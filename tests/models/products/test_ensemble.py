"""Members of one kind stand side by side: each with its own figures, the weightiest explained."""

from pathlib import Path

import numpy as np
import pytest

from models.products.tiles import everyone, tiles
from nextbest.models.products.config import ProductConfig
from nextbest.models.products.ensemble import Ensemble, member_names
from nextbest.models.products.training import TrainingSet


def _member(n_trees: int) -> dict[str, object]:
    return {"kind": "per_product", "config": {"gbm": {"n_trees": n_trees, "min_leaf_rows": 10}}}


CONFIG = ProductConfig.of({"members": [_member(1), {"kind": "segment_rates"}, _member(12)], "rerank": None})


@pytest.fixture(scope="module")
def valid() -> TrainingSet:
    return tiles(1500, rng=1)


@pytest.fixture(scope="module")
def ensemble(valid: TrainingSet) -> Ensemble:
    ensemble = Ensemble(CONFIG)
    ensemble.fit(tiles(1500), valid, rng=np.random.default_rng(0))
    return ensemble


def test_a_second_member_of_a_kind_has_figures_of_its_own(ensemble: Ensemble) -> None:
    members = ensemble.metrics_["members"]
    assert list(members) == ["per_product", "segment_rates", "per_product#2"]
    assert members["per_product"]["map_at_7"] != members["per_product#2"]["map_at_7"]


def test_names_of_single_members_are_their_kinds() -> None:
    assert member_names(["two_stage", "per_product"]) == ("two_stage", "per_product")
    assert member_names(["a", "b", "a", "a"]) == ("a", "b", "a#2", "a#3")


@pytest.mark.parametrize(
    ("weights", "explained"),
    [([0.6, 0, 0.4], 0), ([0.4, 0, 0.6], 2), ([0.5, 0, 0.5], 0), ([0.1, 0.9, 0], 0), ([0, 1, 0], 1)],
)
def test_of_two_of_a_kind_the_weightiest_is_explained(
    ensemble: Ensemble, monkeypatch: pytest.MonkeyPatch, weights: list[float], explained: int
) -> None:
    monkeypatch.setattr(ensemble, "weights_", np.array(weights))
    assert ensemble.explained is ensemble.members_[explained]


def test_two_of_a_kind_survive_their_folder(ensemble: Ensemble, valid: TrainingSet) -> None:
    again = Ensemble.restored(
        ensemble.described(), ensemble.state(), config=CONFIG, folder=Path("m"), n_products=6
    )
    table, held_N = everyone(valid)
    np.testing.assert_array_equal(again.probabilities(table, held_N), ensemble.probabilities(table, held_N))
    assert again.metrics_ == ensemble.metrics_

"""A blend is the weighted sum of its members, each on its own scale."""

from typing import ClassVar

import numpy as np
import pytest
from pydantic import ConfigDict, create_model

from contracts.recommender import RecommenderContract, random_log
from nextbest.errors import ArtifactError, InputError
from nextbest.experiments.recipe import Recipe
from nextbest.experiments.selection import check_settings
from nextbest.models import load_model, make_model

KNN_AND_EASE: dict[str, object] = {
    "members": [
        {"kind": "item_knn", "weight": 2.0},
        {"kind": "ease", "weight": 0.5, "config": {"regularization": 5.0}},
    ]
}


class TestBlend(RecommenderContract):
    kind = "blend"
    config: ClassVar = KNN_AND_EASE


class TestBlendOfOwnFrequencyAndFactors(RecommenderContract):
    kind = "blend"
    config: ClassVar = {
        "members": [
            {"kind": "personal", "config": {"fill_popular": False}},
            {"kind": "als", "config": {"embedding_dim": 4, "n_iterations": 3}},
        ]
    }


class TestBlendOfTransitionsAndAnEncoder(RecommenderContract):
    """A sequence model among the members: its files go into the blend's folder."""

    kind = "blend"
    config: ClassVar = {
        "members": [
            {"kind": "transitions"},
            {
                "kind": "gru4rec",
                "weight": 2.0,
                "config": {"embedding_dim": 4, "max_len": 5, "training": {"n_epochs": 2, "n_threads": 1}},
            },
        ]
    }


def test_scores_are_the_weighted_sum_of_scaled_member_scores() -> None:
    log = random_log()
    blend = make_model("blend", KNN_AND_EASE).fit(log)
    knn = make_model("item_knn").fit(log).score(log.histories)
    ease = make_model("ease", {"regularization": 5.0}).fit(log).score(log.histories)
    for user, row in enumerate(blend.score(log.histories)):
        for item, value in enumerate(row):
            parts = []
            for scores, weight in ((knn[user], 2.0), (ease[user], 0.5)):
                finite = scores[np.isfinite(scores)]
                if np.isfinite(scores[item]):
                    parts.append(weight * scores[item] / np.abs(finite).max())
            assert value == pytest.approx(sum(parts), abs=1e-5) if parts else value == -np.inf


def test_a_blend_of_one_model_ranks_as_that_model_does() -> None:
    log = random_log()
    alone = make_model("item_knn").fit(log).top_k(log.histories, k=5)
    blend = make_model("blend", {"members": [{"kind": "item_knn", "weight": 3.0}]}).fit(log)
    np.testing.assert_array_equal(blend.top_k(log.histories, k=5).item_idx, alone.item_idx)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"members": []}, "members"),
        ({"members": [{"kind": "blend"}]}, "kind"),
        ({"members": [{"kind": "als", "weight": 0}]}, "weight"),
    ],
)
def test_a_wrong_config_is_told(config, words) -> None:
    with pytest.raises(InputError, match=words):
        make_model("blend", config)


def test_a_blend_with_a_member_setting_of_another_version_is_not_loaded(tmp_path, monkeypatch) -> None:
    make_model("blend", KNN_AND_EASE).fit(random_log(0)).save(tmp_path / "model")
    other = create_model("OtherConfig", __config__=ConfigDict(extra="forbid"))
    monkeypatch.setattr("nextbest.models.ease.EASE.Config", other)
    with pytest.raises(ArtifactError, match="has a config that this version doesn't know"):
        load_model(tmp_path / "model")


def test_a_blend_that_lost_a_members_arrays_is_not_loaded(tmp_path) -> None:
    blend = make_model("blend", KNN_AND_EASE).fit(random_log())
    arrays = blend._arrays()
    blend._arrays = lambda: {n: a for n, a in arrays.items() if not n.startswith("1.")}
    blend.save(tmp_path / "m")
    with pytest.raises(ArtifactError, match="lacks a part"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize("kind", ["als", "gru4rec"])
def test_a_setting_that_a_member_does_not_have_is_told_before_any_fit(kind):
    members = [{"kind": "popularity"}, {"kind": kind, "config": {"bogus": 1}}]
    with pytest.raises(InputError, match=f"config of {kind}: bogus"):
        make_model("blend", {"members": members})
    recipe = Recipe.model_validate(
        {"name": "x", "models": [{"kind": "als"}, {"kind": "blend", "config": {"members": members}}]}
    )
    with pytest.raises(InputError, match="bogus"):
        check_settings(recipe)

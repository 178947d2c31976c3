"""Neighbours are those that a plain loop finds, with features missing on either side."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.errors import CombinedInputError, DataError, InputError
from nextbest.portfolio.peers.features import (
    FEATURES,
    Feature,
    PeerConfig,
    canonical,
    encode_clients,
    encode_question,
)
from nextbest.portfolio.peers.nearest import Nearest

GOAL = Feature(name="goal", title_en="goal", title_ru="цель", kind="category", weight=2.0)
AGE = Feature(name="age", title_en="age", title_ru="возраст", levels=(20, 70), weight=1.0)
WEALTH = Feature(name="wealth", title_en="wealth", title_ru="капитал", levels=(1e4, 1e5, 1e6), log=True)
THREE = (GOAL, AGE, WEALTH)
GOALS = {"goal": ("home", "other")}


def plain_distances(values_FN: np.ndarray, asked_F: np.ndarray, config: PeerConfig) -> list[float]:
    """Slow and plain: one client and one feature at a time."""
    found = []
    for n in range(values_FN.shape[1]):
        total = known = 0.0
        for f, feature in enumerate(config.features):
            x, q, w = values_FN[f, n], asked_F[f], config.weights[f]
            if np.isnan(x) or np.isnan(q):
                continue
            if feature.kind == "category":
                part = float(x != q) * (1 if config.distance == "gower" else 4)
            else:
                low, high = feature.on_scale(np.array([feature.levels[0], feature.levels[-1]]))
                column = np.clip(values_FN[f][~np.isnan(values_FN[f])], low, high)
                gap = abs(np.clip(x, low, high) - q)
                part = gap / (high - low) if config.distance == "gower" else (gap / column.std()) ** 2
            total, known = total + w * part, known + w
        if known < config.min_known - 1e-9:
            found.append(np.inf)
        else:
            found.append(total / known if config.distance == "gower" else np.sqrt(total / known))
    return found


@pytest.mark.parametrize("distance", ["gower", "standardised"])
@pytest.mark.parametrize("seed", range(3))
def test_distances_are_those_of_a_plain_loop_also_where_features_are_missing(distance, seed: int) -> None:
    rng = np.random.default_rng(seed)
    config = PeerConfig(features=THREE, distance=distance)
    values = np.stack([rng.integers(0, 2, 80), rng.uniform(10, 90, 80), rng.uniform(8, 15, 80)]).astype(float)
    values[rng.random(values.shape) < 0.3] = np.nan
    nearest = Nearest(values, config=config)
    for asked in ([0.0, 40.0, np.log(2e5)], [1.0, np.nan, np.log(1e4)], [np.nan, 70.0, np.nan]):
        asked_F = np.array(asked)
        np.testing.assert_allclose(
            nearest.distances(asked_F), plain_distances(values, asked_F, config), rtol=2e-5, atol=2e-6
        )


def test_neighbours_come_nearest_first_equal_ones_by_row_and_never_beyond_the_limit() -> None:
    config = PeerConfig(features=(AGE,), max_distance=0.1, n_neighbours=20)
    ages = np.array([[45.0, 70.0, 42.0, 40.0, 44.0, 42.0, np.nan]])
    found = Nearest(ages, config=config).query(np.array([42.0]))
    assert found.rows_K.tolist() == [2, 5, 3, 4, 0]
    assert np.allclose(found.distance_K, [0, 0, 0.04, 0.04, 0.06])


def test_no_more_than_asked_for_and_the_first_of_equal_ones() -> None:
    config = PeerConfig(features=(AGE,), n_neighbours=20)
    found = Nearest(np.full((1, 100), 30.0), config=config).query(np.array([30.0]))
    assert found.rows_K.tolist() == list(range(20))


def test_nobody_is_near_in_an_empty_index() -> None:
    assert len(Nearest(np.empty((1, 0)), config=PeerConfig(features=(AGE,))).query(np.array([30.0]))) == 0


def test_a_question_of_another_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"question_F: must have shape \(1,\)"):
        Nearest(np.zeros((1, 3)), config=PeerConfig(features=(AGE,))).query(np.zeros(2))


def test_mean_differences_by_feature_are_of_those_who_know_it() -> None:
    config = PeerConfig(features=THREE)
    values = np.array([[0.0, 1.0, np.nan], [20.0, 70.0, 45.0], [np.nan] * 3])
    parts = Nearest(values, config=config).parts(np.array([0.0, 20.0, np.log(1e5)]), np.arange(3))
    assert np.allclose(parts, [0.5, 0.5, np.nan], equal_nan=True)
    near = Nearest(values, config=config).parts(np.array([0.0, np.nan, 9.0]), np.array([0]))
    assert np.allclose(near, [0.0, np.nan, np.nan], equal_nan=True)


@given(st.floats(1e-3, 1e12))
def test_rounding_to_a_level_is_idempotent_and_lands_on_a_level(value: float) -> None:
    level = WEALTH.level(value)
    assert level in WEALTH.levels
    assert WEALTH.level(level) == level


def test_questions_are_rounded_on_the_scale_of_the_feature() -> None:
    config = PeerConfig(features=THREE)
    asked = canonical(
        {"goal": "yacht", "age": 46, "wealth": 3e4, "shoes": 43}, config=config, categories=GOALS
    )
    assert asked == {"goal": "other", "age": 70, "wealth": 1e4}
    assert canonical({"wealth": -5.0}, config=config, categories={}) == {
        "goal": None,
        "age": None,
        "wealth": 1e4,
    }
    assert canonical({"goal": "yacht"}, config=config, categories={"goal": ("home",)})["goal"] is None


def test_every_wrong_feature_is_named_at_once() -> None:
    with pytest.raises(
        CombinedInputError, match=r"age: must be a finite number; got 'old'; also wrong: wealth"
    ):
        canonical({"age": "old", "wealth": np.inf}, config=PeerConfig(features=THREE), categories={})


def test_clients_are_encoded_on_the_scale_and_what_is_not_known_is_nan() -> None:
    config = PeerConfig(features=THREE)
    table = pl.DataFrame({"goal": ["home", "yacht", None], "wealth": [1e4, 0.0, None]})
    values = encode_clients(table, config=config, categories={"goal": ("home",)})
    assert np.allclose(values[0], [0, np.nan, np.nan], equal_nan=True)
    assert np.isnan(values[1]).all()
    assert np.allclose(values[2], [np.log(1e4), np.nan, np.nan], equal_nan=True)
    other = encode_clients(table, config=config, categories=GOALS)
    assert np.allclose(other[0], [0, 1, np.nan], equal_nan=True)


def test_a_question_and_a_client_alike_have_the_same_numbers() -> None:
    config = PeerConfig(features=THREE)
    row = {"goal": "home", "age": 20.0, "wealth": 1e5}
    client = encode_clients(pl.DataFrame([row]), config=config, categories=GOALS)
    assert np.allclose(client[:, 0], encode_question(row, config=config, categories=GOALS))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pl.DataFrame({"age": ["old"]}), "column 'age' must be a number, is String"),
        (
            pl.DataFrame({"age": [1.0, float("inf")]}),
            r"age must be finite; 1 row\(s\) break it, first: \[1\]",
        ),
    ],
)
def test_a_column_that_is_no_finite_number_is_refused(table: pl.DataFrame, words: str) -> None:
    with pytest.raises(DataError, match=words):
        encode_clients(table, config=PeerConfig(features=THREE), categories=GOALS)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "a", "title_en": "", "title_ru": "", "levels": (1,)}, "two or more, ascending"),
        ({"name": "a", "title_en": "", "title_ru": "", "levels": (2, 1)}, "two or more, ascending"),
        ({"name": "a", "title_en": "", "title_ru": "", "levels": (0, 1), "log": True}, "must be positive"),
        (
            {"name": "a", "title_en": "", "title_ru": "", "levels": (1, 2), "kind": "category"},
            "neither levels nor",
        ),
    ],
)
def test_a_feature_that_makes_no_sense_is_refused(wrong, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Feature(**wrong)


def test_a_config_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="of different names"):
        PeerConfig(features=(AGE, AGE))
    with pytest.raises(ValueError, match="1/21 or more"):
        PeerConfig(max_share=0.01)
    assert len(FEATURES) == 12

"""Ranges: what a recipe may declare, which values they hold, and how a value is put in its place."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from experiments.nested_model import with_nested
from nextbest.errors import InputError
from nextbest.experiments.recipe import ModelRecipe
from nextbest.experiments.search_range import SearchRange
from nextbest.experiments.search_space import SearchSpace
from nextbest.models import make_model


@pytest.fixture
def nested(monkeypatch: pytest.MonkeyPatch) -> None:
    with_nested(monkeypatch, lambda _: None)


def space(**model: Any) -> SearchSpace:
    return SearchSpace(ModelRecipe.model_validate({"kind": "transitions", **model}))


@pytest.mark.parametrize(
    ("declared", "values"),
    [
        ({"low": 1, "high": 4}, [1, 2, 3, 4]),
        ({"low": 16, "high": 64, "step": 24}, [16, 40, 64]),
        ({"low": 16, "high": 60, "step": 24}, [16, 40]),
        ({"low": 0.0, "high": 0.3, "step": 0.1}, [0.0, 0.1, 0.2, 0.3]),
        ({"low": 1, "high": 3, "log": True}, [1, 2, 3]),
        ({"choices": ["b", "a"]}, ["b", "a"]),
        ({"choices": [[{"kind": "als"}], []]}, [[{"kind": "als"}], []]),
    ],
)
def test_a_range_lists_its_values_and_holds_each(declared: dict[str, Any], values: list[Any]) -> None:
    found = SearchRange.model_validate(declared)
    assert found.values() == values
    assert [type(v) for v in found.values()] == [type(v) for v in values]
    assert found.n_values == len(values)
    assert all(found.holds(v) for v in values)


@pytest.mark.parametrize(
    ("declared", "others"),
    [
        ({"low": 1, "high": 4}, [0, 5, 2.5, True, None, "2"]),
        ({"low": 0.0, "high": 0.3, "step": 0.1}, [0.05, 0.4, -0.1]),
        ({"low": 0.0, "high": 1.0}, [-0.01, 1.01, None, "x"]),
        ({"choices": ["b", "a"]}, ["c", None]),
    ],
)
def test_a_range_does_not_hold_what_lies_beside_it(declared: dict[str, Any], others: list[Any]) -> None:
    found = SearchRange.model_validate(declared)
    assert not any(found.holds(v) for v in others)


@given(low=st.integers(-50, 50), length=st.integers(1, 60), step=st.integers(1, 60))
def test_stepped_values_begin_at_low_stay_under_high_and_the_next_would_not(
    low: int, length: int, step: int
) -> None:
    if step > length:
        return
    found = SearchRange(low=low / 10, high=(low + length) / 10, step=step / 10)
    values = found.values()
    assert values == [round((low + i * step) / 10, 1) for i in range(len(values))]
    assert values[-1] <= (low + length) / 10 < values[-1] + step / 10 + 1e-9


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({}, "give low and high, or choices"),
        ({"low": 1}, "give low and high"),
        ({"low": 2, "high": 2}, "must be below high"),
        ({"low": 0.0, "high": 1.0, "log": True}, "above 0 where log"),
        ({"low": 1.0, "high": 9.0, "log": True, "step": 1.0}, "don't go together"),
        ({"low": 1, "high": 9, "step": 0}, "step 0 must be above 0"),
        ({"low": 1, "high": 9, "step": 10}, "at most high - low"),
        ({"low": 1, "high": 9, "step": 0.5}, "must be whole between whole ends"),
        ({"low": True, "high": 9}, "finite number"),
        ({"low": "1", "high": 9}, "finite number"),
        ({"low": 1.0, "high": math.inf}, "finite number"),
        ({"choices": []}, "hold no value"),
        ({"choices": [1, 2, 1]}, r"\[1\] appear twice"),
        ({"choices": [None, 1]}, "must not hold None"),
        ({"choices": [1], "low": 0}, "choices stand alone"),
        ({"low": 1, "hihg": 2}, "Extra inputs"),
    ],
)
def test_a_range_that_cannot_be_is_told(declared: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SearchRange.model_validate(declared)


def test_a_setting_has_one_range() -> None:
    one = {"choices": [1, 2]}
    with pytest.raises(ValidationError, match=r"\['window'\] must stand in grid or in search"):
        space(grid={"window": [1]}, search={"window": one})
    with pytest.raises(ValidationError, match=r"'training' holds that of 'training\.n_epochs'"):
        space(search={"training.n_epochs": one, "training": {"choices": [{}]}})


def test_a_grid_counts_as_choices_and_its_first_values_are_the_default() -> None:
    found = space(config={"decay": 0.5}, grid={"window": [5, 9, 5]}, search={"backward": {"choices": [0.0]}})
    assert found.default_config == {"decay": 0.5, "window": 5}
    assert found.default_settings == {"window": 5, "backward": 0.0}
    assert found.n_settings == 2
    assert found.holds_default
    assert list(found.every_setting()) == [{"window": 5, "backward": 0.0}, {"window": 9, "backward": 0.0}]


def test_a_default_out_of_its_range_is_known_to_be() -> None:
    assert not space(search={"window": {"low": 1, "high": 5}}).holds_default
    assert not space(kind="popularity", search={"window_days": {"low": 1, "high": 90}}).holds_default


@pytest.mark.usefixtures("nested")
def test_a_nested_setting_changes_nothing_beside_it() -> None:
    found = space(kind="nested", search={"training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}})
    assert found.default_settings == {"training.learning_rate": 1e-3}
    config = make_model("nested", found.config_of({"training.learning_rate": 0.005})).config
    default = make_model("nested").config
    assert config.training == default.training.model_copy(update={"learning_rate": 0.005})
    assert (config.training.n_epochs, config.training.optimizer) == (7, "adagrad")
    assert config.model_copy(update={"training": default.training}) == default


@pytest.mark.usefixtures("nested")
def test_a_nested_setting_of_the_recipe_stays_beside_the_searched_one_and_neither_call_changes_the_other() -> (
    None
):
    found = space(
        kind="nested",
        config={"training": {"n_epochs": 3}},
        search={"training.patience": {"low": 1, "high": 9}},
    )
    assert found.config_of({"training.patience": 2}) == {"training": {"n_epochs": 3, "patience": 2}}
    assert found.config_of({"training.patience": 8}) == {"training": {"n_epochs": 3, "patience": 8}}
    assert found.default_config == {"training": {"n_epochs": 3}}


@pytest.mark.usefixtures("nested")
@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"kind": "nope"}, "must be one of"),
        ({"config": {"decay": 7}}, "decay"),
        ({"search": {"windw": {"low": 1, "high": 2}}}, r"'windw'; here are \['backward'"),
        ({"kind": "nested", "search": {"training.rate": {"low": 1, "high": 2}}}, r"here are \['accumulate'"),
        ({"search": {"decay.x": {"low": 1, "high": 2}}}, "'decay' holds no settings of its own"),
        ({"search": {"decay": {"low": 0.5, "high": 1.5}}}, "decay may not be 1.5.*narrow its range"),
        ({"search": {"decay": {"low": 0.0, "high": 0.5}}}, "decay may not be 0.0"),
        ({"search": {"window": {"low": 1.0, "high": 5.0}}}, "window may not be 2.27.*integer"),
        ({"search": {"values": {"choices": ["binary", "both"]}}}, "values may not be 'both'"),
        ({"kind": "nested", "search": {"training.patience": {"low": 0, "high": 5}}}, "patience may not be 0"),
    ],
)
def test_a_name_or_value_that_the_model_does_not_have_is_told(model: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        space(**model)


@pytest.mark.usefixtures("nested")
def test_a_rule_over_several_settings_is_left_to_the_trials() -> None:
    found = space(kind="nested", search={"n_heads": {"low": 1, "high": 3}, "width": {"choices": [4, 6]}})
    assert found.n_settings == 6


def test_settings_and_configs_are_what_json_gives_back() -> None:
    members = [({"kind": "als"}, {"kind": "personal"}), ({"kind": "als"},)]
    found = space(kind="blend", grid={"members": members})
    assert found.default_settings == json.loads(json.dumps(found.default_settings))
    assert found.holds_default
    assert found.n_settings == 2

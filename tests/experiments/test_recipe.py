"""Recipes: what a file may say, and what is told when it says something else."""

from pathlib import Path

import pytest

from nextbest.errors import InputError
from nextbest.experiments.recipe import ModelRecipe, load_recipe, shipped_recipes
from nextbest.experiments.selection import check_settings

SEQUENCE = ("gru4rec", "sasrec", "bert4rec", "lstm")


@pytest.mark.parametrize("name", ["baselines", "pipeline", *SEQUENCE])
def test_every_shipped_recipe_loads_and_names_only_models_and_settings_that_exist(name: str) -> None:
    assert name in shipped_recipes()
    recipe = load_recipe(name)
    check_settings(recipe)
    assert recipe.name == name


def test_baselines_has_a_row_for_every_model_kind_but_the_blend_and_what_takes_epochs() -> None:
    from nextbest.models import MODEL_KINDS

    assert {m.kind for m in load_recipe("baselines").models} == set(MODEL_KINDS) - {"blend", *SEQUENCE}


def test_candidates_are_every_combination_of_the_grid_over_the_fixed_settings() -> None:
    model = ModelRecipe(kind="x", config={"a": 1}, grid={"b": [1, 2], "c": [3, 4]})
    assert list(model.candidates()) == [
        {"a": 1, "b": 1, "c": 3},
        {"a": 1, "b": 1, "c": 4},
        {"a": 1, "b": 2, "c": 3},
        {"a": 1, "b": 2, "c": 4},
    ]


def test_a_model_without_a_grid_has_one_candidate() -> None:
    assert list(ModelRecipe(kind="x", config={"a": 1}).candidates()) == [{"a": 1}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "not valid TOML"),
        ('name = "x"\nmodels = []', "models"),
        (
            'name = "x"\n[[models]]\nkind = "ease"\n[[models]]\nkind = "ease"',
            "appear twice; give each a label",
        ),
        ('name = "x"\n[[models]]\nkind = "ease"\ngrid = {regularization = []}', "holds no value"),
        ('name = "x"\nmodel = 1\n[[models]]\nkind = "ease"', "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_file_is_told_where_and_what(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "r.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=words):
        load_recipe(file)


def test_an_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(InputError, match=r"'baselines'.*got 'bestlines'"):
        load_recipe("bestlines")


def test_a_missing_file_is_told() -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_recipe("nowhere.toml")


def test_an_unknown_setting_is_told_before_anything_is_fitted(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text('name = "x"\n[[models]]\nkind = "ease"\nconfig = {lambda = 5}')
    with pytest.raises(InputError, match=r"config of ease: lambda.*regularization"):
        check_settings(load_recipe(file))

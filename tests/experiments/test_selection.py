"""Choosing on validation: what can't be fitted is passed over, ties go to the first, segments reach the model."""

import polars as pl
import pytest

from experiments.worlds import chains, noise
from nextbest.errors import DataError, InputError
from nextbest.evaluation.splits import split_leave_last
from nextbest.experiments.compare import compare
from nextbest.experiments.lists import excludes_seen, keeps_seen, segments_of
from nextbest.experiments.recipe import ModelRecipe, Recipe
from nextbest.experiments.selection import Choice, best_of, choose

EASE_TOO_LARGE = {"max_memory_mb": 1}


def recipe(*models: ModelRecipe) -> Recipe:
    return Recipe(name="r", models=models, exclude_seen=False)


def test_a_setting_that_cannot_be_fitted_is_passed_over_and_noted() -> None:
    journal = noise(n_items=600, n_events=30)
    model = ModelRecipe(kind="ease", grid={"max_memory_mb": [1, 100]})
    (choice,) = choose(recipe(model), split_leave_last(journal, part="validation"), k=5, rng=0)
    assert choice.config == {"max_memory_mb": 100}
    assert choice.failed is None
    assert "max_memory_mb" in choice.tried[0]["failed"]


def test_a_model_without_one_setting_that_fits_says_why_and_is_never_the_best() -> None:
    journal = noise(n_items=600, n_events=30)
    too_large = ModelRecipe(kind="ease", config=EASE_TOO_LARGE)
    choices = choose(
        recipe(too_large, ModelRecipe(kind="popularity")),
        split_leave_last(journal, part="validation"),
        k=5,
        rng=0,
    )
    assert "1 " in str(choices[0].failed)
    assert best_of(choices).model.kind == "popularity"
    with pytest.raises(InputError, match="ease: could not be fitted"):
        best_of(choices[:1])


def test_of_two_settings_that_do_as_well_the_first_is_taken() -> None:
    model = ModelRecipe(
        kind="popularity", grid={"shrinkage": [7.0, 9.0]}
    )  # without segments it changes nothing
    (choice,) = choose(recipe(model), split_leave_last(chains(), part="validation"), k=5, rng=0)
    assert choice.config == {"shrinkage": 7.0}
    assert [t["validation"] for t in choice.tried] == [choice.validation] * 2


def test_what_was_not_validated_is_the_best_only_where_nothing_was() -> None:
    first, second = (ModelRecipe(kind=k) for k in ("als", "ease"))
    assert best_of([Choice(first, {}, None), Choice(second, {}, None)]).model is first
    assert best_of([Choice(first, {}, None), Choice(second, {}, 0.0)]).model is second


def test_auto_keeps_what_was_seen_where_more_than_a_twentieth_are_repeats() -> None:
    once = chains(n_steps=12, n_items=12)
    auto = Recipe(name="r", models=(ModelRecipe(kind="popularity"),))
    assert not keeps_seen(once)
    assert excludes_seen(auto, once)
    again = pl.concat([once, once.head(60)])
    assert keeps_seen(again)
    assert not excludes_seen(auto, again)
    assert not keeps_seen(once.clear())


def test_popularity_by_segment_learns_what_each_group_takes() -> None:
    journal = noise(n_users=80, n_items=2, n_events=12).with_columns(item_id=pl.col("user_id") % 2)
    clients = pl.DataFrame({"user_id": range(80), "region": ["even", "odd"] * 40})
    by_region = Recipe(
        name="r",
        segment="region",
        exclude_seen=False,
        models=(ModelRecipe(kind="popularity", config={"by_segment": True, "shrinkage": 0.0}),),
    )
    report = compare(journal, [by_region], clients=clients, k=1, n_resamples=50)
    assert report.rows[0].metrics["hr@1"].value == 1
    overall = compare(
        journal, [by_region], k=1, n_resamples=50
    )  # without the clients there is one list for all
    assert overall.rows[0].metrics["hr@1"].value < 0.8


def test_a_segment_column_that_the_clients_lack_is_told() -> None:
    with pytest.raises(DataError, match=r"'region' missing.*'user_id', 'age'"):
        segments_of(pl.DataFrame({"user_id": [1], "age": [30]}), "region")

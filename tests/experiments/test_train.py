"""`train` chooses on validation, fits on everything up to the cutoff, and writes a folder that answers."""

from datetime import datetime, timedelta

import pytest

from experiments.worlds import START, chains, noise
from nextbest.errors import DataError, InputError
from nextbest.experiments.recipe import ModelRecipe, Recipe
from nextbest.experiments.train import train
from nextbest.models.popularity import Popularity
from nextbest.pipeline.pipeline import Pipeline
from nextbest.pipeline.query import Query

RECIPE = Recipe(
    name="r",
    report="best",
    exclude_seen=False,
    models=(ModelRecipe(kind="popularity"), ModelRecipe(kind="transitions")),
)


def test_the_folder_holds_the_model_that_won_on_validation_and_it_answers(tmp_path) -> None:
    result = train(chains(), RECIPE, tmp_path / "m", k=3)
    assert result.chosen["kind"] == "transitions"
    assert [c["label"] for c in result.candidates] == ["popularity", "transitions"]
    answer = Pipeline.load(tmp_path / "m").recommend([Query(user_id="u000", k=3)])[0]
    assert answer.items[0].item_id == 0  # the ring has 12 items, u000 stands at 11
    assert len(answer.items) == 3


def test_nothing_at_or_after_the_cutoff_is_used(tmp_path) -> None:
    journal = chains()
    result = train(journal, RECIPE, tmp_path / "m", cutoff=START + timedelta(days=6))
    assert result.n_events == 60 * 6
    assert result.cutoff < (START + timedelta(days=6)).isoformat()
    answer = Pipeline.load(tmp_path / "m").recommend([Query(user_id="u000", k=1)])[0]
    assert answer.items[0].item_id == 6


def test_a_log_without_real_times_is_validated_by_last_items_and_states_no_cutoff(tmp_path) -> None:
    result = train(chains(), RECIPE, tmp_path / "m", time_kind="order")
    assert result.cutoff is None
    assert Pipeline.load(tmp_path / "m").manifest["cutoff"] is None
    assert result.chosen["kind"] == "transitions"


def test_an_empty_log_says_what_to_do(tmp_path) -> None:
    with pytest.raises(DataError, match="nextbest ingest"):
        train(noise().head(0), RECIPE, tmp_path / "m")
    with pytest.raises(DataError, match="before 2023"):
        train(noise(), RECIPE, tmp_path / "m", cutoff=START - timedelta(days=1))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"out": "taken"}, "no pipeline"),
        ({"recipe": RECIPE.model_copy(update={"fallbacks": (ModelRecipe(kind="nope"),)})}, "nope"),
        ({"cutoff": datetime(2024, 1, 5)}, "time zone"),  # noqa: DTZ001 - the error under test
        ({"cutoff": START, "time_kind": "order"}, "real moments"),
    ],
)
def test_a_wrong_call_is_told_before_anything_is_fitted(tmp_path, monkeypatch, call, words) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine")
    monkeypatch.setattr(Popularity, "_fit", lambda *_, **__: pytest.fail("fitted"))
    call = {"recipe": RECIPE, "out": "m", "cutoff": None, "time_kind": "real"} | call
    with pytest.raises(InputError, match=words):
        train(
            chains(),
            call["recipe"],
            tmp_path / call["out"],
            cutoff=call["cutoff"],
            time_kind=call["time_kind"],
        )


def test_one_event_is_enough_for_a_folder_that_answers(tmp_path, caplog) -> None:
    result = train(noise().head(1), RECIPE, tmp_path / "m")
    assert "no validation part" in caplog.text
    assert (result.n_users, result.n_items, result.chosen["kind"]) == (1, 1, "popularity")
    assert len(Pipeline.load(tmp_path / "m").recommend([Query(user_id="somebody", k=5)])[0].items) == 1


def test_the_text_for_people_names_the_winner_and_the_folder(tmp_path) -> None:
    text = train(chains(), RECIPE, tmp_path / "m").to_text()
    assert "transitions fitted on 720 events of 60 users and 12 items" in text
    assert str(tmp_path / "m") in text

"""What is tried next: in range, never twice, nearer and nearer, and away from what fails."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import optuna
import pytest

from nextbest.experiments import study as study_module
from nextbest.experiments.recipe import ModelRecipe
from nextbest.experiments.search_space import SearchSpace, Settings, key_of
from nextbest.experiments.study import ModelStudy, TrialRecord


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def searched(
    ranges: dict[str, Any], value: Callable[[Settings], float | None], *, n: int, rng: int = 0
) -> list[TrialRecord]:
    """Trials of a search of transitions' settings, each worth what `value` says; None: it fails."""
    space = SearchSpace(ModelRecipe.model_validate({"kind": "transitions", "search": ranges}))
    study = ModelStudy(optuna.create_study(direction="maximize"), space, rng=rng)
    while len(study.records) < n and (settings := study.next()) is not None:
        worth = value(settings)
        failed = "no" if worth is None else None
        study.add(TrialRecord(settings, space.config_of(settings), worth, failed, 0.0, 0.0, 0.0))
    return study.records


RANGES = {
    "window": {"low": 1, "high": 40, "log": True},
    "n_neighbours": {"low": 10, "high": 90, "step": 20},
    "decay": {"low": 0.1, "high": 0.9, "step": 0.1},
    "backward": {"low": 0.0, "high": 1.0},
    "shrinkage": {"low": 1e-3, "high": 1e3, "log": True},
    "values": {"choices": ["binary", "weight"]},
}


def test_what_is_drawn_lies_in_its_range_written_as_a_recipe_would() -> None:
    records = searched(RANGES, lambda s: s["backward"] - s["decay"], n=25)
    space = SearchSpace(ModelRecipe.model_validate({"kind": "transitions", "search": RANGES}))
    for record in records[1:]:
        assert all(space.ranges[name].holds(value) for name, value in record.settings.items())
        assert [type(record.settings[n]) for n in RANGES] == [int, int, float, float, float, str]
    assert len({key_of(r.settings) for r in records}) == 25


def test_lists_and_tables_are_drawn_as_they_were_declared() -> None:
    members = [[{"kind": "als"}], [{"kind": "personal"}, {"kind": "als"}]]
    model = ModelRecipe.model_validate({"kind": "blend", "search": {"members": {"choices": members}}})
    study = ModelStudy(optuna.create_study(direction="maximize"), SearchSpace(model), rng=0)
    drawn = []
    while (settings := study.next()) is not None:
        study.add(TrialRecord(settings, {}, 0.5, None, 0.0, 0.0, 0.0))
        drawn.append(settings["members"])
    assert sorted(map(str, drawn[1:])) == sorted(map(str, members))


@pytest.mark.parametrize("asks", [0, study_module.ASKS_BEFORE_ANY_UNTRIED])
def test_a_finite_space_is_tried_to_its_end_without_repeats(asks, monkeypatch) -> None:
    monkeypatch.setattr(study_module, "ASKS_BEFORE_ANY_UNTRIED", asks)
    ranges = {"window": {"choices": [5, 10, 20]}, "backward": {"choices": [0.0, 0.5]}}
    records = searched(ranges, lambda s: s["window"], n=100)
    assert len(records) == 6 == len({key_of(r.settings) for r in records})


def test_a_space_too_large_to_be_listed_is_drawn_from_at_random_where_the_sampler_repeats_itself(
    monkeypatch,
) -> None:
    monkeypatch.setattr(study_module, "ASKS_BEFORE_ANY_UNTRIED", 0)
    records = searched({"backward": {"low": 0.0, "high": 1.0}}, lambda _: 0.5, n=5)
    assert len({r.settings["backward"] for r in records}) == 5


def test_the_search_comes_nearer_to_the_best_than_chance_does() -> None:
    ranges = {name: {"low": 0.0, "high": 1.0} for name in ("backward", "source_power", "target_power")}
    best = {"backward": 0.3, "source_power": 0.8, "target_power": 0.1}

    def distance(settings: Settings) -> float:
        return sum((settings[name] - value) ** 2 for name, value in best.items()) ** 0.5

    records = searched(ranges, lambda s: -distance(s), n=60)
    found = [distance(r.settings) for r in records]
    assert min(found) < 0.1  # the ball of that radius is 0.4 % of the space
    assert np.mean(found[30:]) < 0.6 * np.mean(found[1:11])  # the first ten are drawn at random


def test_what_fails_is_avoided() -> None:
    records = searched(
        {"backward": {"low": 0.0, "high": 1.0}}, lambda s: None if s["backward"] > 0.5 else 1.0, n=60
    )
    assert any(r.failed for r in records[:11])
    assert sum(r.failed is not None for r in records[11:]) < 0.25 * len(records[11:])

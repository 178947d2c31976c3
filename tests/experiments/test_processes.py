"""What several processes are told before they begin; that they learn together is tested from the command line."""

from types import SimpleNamespace

import pytest

from experiments.worlds import chains
from nextbest.data.interactions import Interactions
from nextbest.errors import InputError
from nextbest.experiments.processes import Crew, _n_shards, check_alone, several
from nextbest.experiments.recipe import ModelRecipe, Recipe
from nextbest.experiments.train import train

SEQUENCE = ModelRecipe(kind="sasrec")
BLENDED = ModelRecipe(kind="blend", config={"members": [{"kind": "popularity"}, {"kind": "lstm"}]})


def crew(folder, *, size=2):
    """The first of so many processes; to speak to the others is a fault."""
    world = SimpleNamespace(is_first=True, size=size, rank=0, from_first=lambda _: pytest.fail("spoke"))
    return Crew(world, folder)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Recipe(name="r", models=(SEQUENCE, ModelRecipe(kind="ease"))), r"\['ease'\] learn in one process"),
        (Recipe(name="r", models=(BLENDED,)), r"\['blend'\] learn in one process"),
        (Recipe(name="r", models=(SEQUENCE,), fallbacks=(BLENDED,)), r"fallback\(s\) \['blend'\] blend"),
    ],
)
def test_models_that_learn_in_one_process_are_refused(tmp_path, recipe, words) -> None:
    with pytest.raises(InputError, match=words):
        train(chains(), recipe, tmp_path / "m", crew=crew(tmp_path / "shards"))
    assert not list(tmp_path.iterdir())


def test_sequence_models_with_plain_fallbacks_are_taken(tmp_path) -> None:
    crew(tmp_path).check(Recipe(name="r", models=(SEQUENCE,)))


def test_a_fallback_is_fitted_by_the_first_process_alone(tmp_path) -> None:
    log = Interactions.from_journal(chains())
    assert crew(tmp_path).fit("popularity", {}, log, rng=0).n_items == log.n_items


def test_fewer_users_than_processes_are_told_and_nothing_is_left(tmp_path) -> None:
    log = Interactions.from_journal(chains(n_users=1))
    one = crew(tmp_path / "shards")
    with pytest.raises(InputError, match=r"must be at most 1 for a log of 1 user\(s\); got 2; start fewer"):
        one.fit("sasrec", {}, log, rng=0)
    one.clean()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("n_events", "n_processes", "n_shards"),
    [(100, 2, 2), (100, 4, 4), (100, 3, 32), (20_000_000, 2, 128), (10**12, 2, 512)],
)
def test_shards_are_a_power_of_two_and_as_many_as_make_fair_shares(n_events, n_processes, n_shards) -> None:
    assert _n_shards(n_events, n_processes=n_processes) == n_shards


def test_more_processes_than_shards_can_be_are_told() -> None:
    with pytest.raises(InputError, match="processes: must be at most 512; got 600"):
        _n_shards(10, n_processes=600)


def test_one_process_needs_nobody(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "1")
    with several(tmp_path / "m") as found:
        assert found is None
    check_alone("compare")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE: must be a whole number; got 'two'"),
        ({"WORLD_SIZE": "2", "RANK": "2"}, r"RANK: must lie in 0\.\.1; got 2"),
        ({"WORLD_SIZE": "2", "RANK": "0", "MASTER_PORT": ""}, "MASTER_ADDR: and MASTER_PORT must be set"),
    ],
)
def test_an_environment_that_torchrun_did_not_make_is_told(tmp_path, monkeypatch, variables, words) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=words), several(tmp_path / "m"):
        pass

"""`nextbest renew`: a model folder learns the days since it was made, through the real command line."""

import json

import pytest
import torch
from numpy.testing import assert_array_equal

from cli.train_shop import config_of, train_words, write_recipe, write_shop
from nextbest.cli import main
from nextbest.pipeline.pipeline import Pipeline
from nextbest.pipeline.query import Query

NEW_DAYS = ["client,product,moment"]
NEW_DAYS += [f"{100 + u},{u % 3 + 50},2024-02-0{s + 1} 10:00:{u:02d}" for u in range(12) for s in range(3)]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A workspace, a GRU4Rec and a popularity model of its first month, and then three more days."""
    folder = tmp_path_factory.mktemp("shop")
    store = write_shop(folder)
    recipe = write_recipe(folder / "one.toml", config_of())
    recipe.write_text(recipe.read_text() + '[[fallbacks]]\nkind = "popularity"\n')
    assert main(train_words(store, recipe, folder / "old")) == 0
    assert main(train_words(store, "baselines", folder / "counted")) == 0
    (folder / "new.csv").write_text("\n".join(NEW_DAYS) + "\n")
    words = "user_id=client,item_id=product,time=moment"
    new = str(folder / "new.csv")
    assert main(["renew", *renew_words(folder, "old", "too-early")]) == 3  # nothing new yet
    assert main(["ingest", new, "--map", words, "--store", str(store), "--quiet"]) == 0
    return folder


def renew_words(folder, model, out, *words):
    paths = ["--model", str(folder / model), "--out", str(folder / out), "--store", str(folder / "store")]
    return [*paths, "--quiet", *words]


def test_new_days_clients_and_items_are_learned_and_the_old_folder_stays(shop, capsys):
    before = Pipeline.load(shop / "old")
    assert main(["renew", *renew_words(shop, "old", "next", "--json")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["n_new_events"], told["n_new_users"], told["n_new_items"]) == (
        "gru4rec",
        36,
        12,
        3,
    )
    assert told["since"] > before.manifest["cutoff"]
    after = Pipeline.load(shop / "next")
    assert after.manifest["cutoff"] == told["cutoff"] > before.manifest["cutoff"]
    assert after.manifest["recipe"] == before.manifest["recipe"]
    assert not before.is_known(100)
    assert after.is_known(100)
    (answer,) = after.recommend([Query(user_id=100, k=15, exclude_seen=False)])
    assert set(range(50, 53)) & {item.item_id for item in answer.items}
    assert Pipeline.load(shop / "old").manifest == before.manifest


def test_the_same_renewal_gives_the_same_answers(shop):
    lists = []
    for name in ("a", "b"):
        assert main(["renew", *renew_words(shop, "old", name)]) == 0
        (answer,) = Pipeline.load(shop / name).recommend([Query(user_id=3, k=9)])
        lists.append([(item.item_id, item.score) for item in answer.items])
    assert_array_equal(lists[0], lists[1])


def test_a_renewed_folder_has_nothing_new_until_the_next_days(shop, capsys):
    assert main(["renew", *renew_words(shop, "old", "twice")]) == 0
    assert main(["renew", *renew_words(shop, "twice", "twice")]) == 3
    assert "no event since" in capsys.readouterr().err


def test_models_that_count_are_told_to_train_again(shop, capsys):
    assert main(["renew", *renew_words(shop, "counted", "never")]) == 2
    assert "nextbest train" in capsys.readouterr().err
    assert not (shop / "never").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--since", "soon"], 2, "--since"),
        (["--since", "2031-01-01"], 3, "no event since"),
        (["--model", "nowhere"], 4, "nowhere"),
    ],
)
def test_wrong_calls_are_told(shop, capsys, words, code, told):
    assert main(["renew", *renew_words(shop, "old", "never"), *words]) == code
    assert told in capsys.readouterr().err
    assert not (shop / "never").exists()


def test_nothing_is_written_over_something_else(shop, capsys):
    (shop / "notes").mkdir(exist_ok=True)
    (shop / "notes/todo.txt").write_text("milk")
    assert main(["renew", *renew_words(shop, "old", "notes")]) == 2
    assert "no pipeline" in capsys.readouterr().err
    assert (shop / "notes/todo.txt").read_text() == "milk"

"""Items by meaning: a file becomes a workspace, neighbours are those of the same kind, cold items are found by text."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextbest.assistant.neighbours.embedding import embed_file
from nextbest.assistant.neighbours.evaluation import evaluate_neighbours
from nextbest.assistant.neighbours.likeness import FOLDER
from nextbest.assistant.neighbours.reading import read_texts
from nextbest.assistant.neighbours.recommending import recommend_by_vectors
from nextbest.assistant.neighbours.vectors import ItemVectors, embed_items
from nextbest.cli import assistant_neighbours, main
from nextbest.data.ids import IdIndex
from nextbest.data.store import Workspace
from nextbest.errors import ArtifactError, DataError, InputError
from nextbest.text.ngrams import NgramEncoder

KINDS = {
    "war": "tanks shooter war battle",
    "farm": "farming harvest cows crops",
    "race": "racing cars speed track",
}


def shop(n_users: int = 60, per_kind: int = 12, each: int = 6, seed: int = 0) -> pl.DataFrame:
    """Users who take one kind of game each; an item's text is its kind's."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        kind = list(KINDS)[user % 3]
        taken = rng.choice(per_kind, each, replace=False)
        rows += [(f"u{user:03}", f"{kind}{item:02}", f"Game {item} of {kind}", KINDS[kind]) for item in taken]
    return pl.DataFrame(rows, schema=["who", "what", "name", "about"], orient="row")


MAP = {"user_id": "who", "item_id": "what", "title": "name", "text": "about"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "games.parquet"
    shop().write_parquet(path)
    return path


def vectors_of(rows: list[list[float]], ids: list[str]) -> ItemVectors:
    matrix = np.array(rows, dtype=np.float32)
    return ItemVectors(
        IdIndex(pl.Series(ids)), matrix / np.linalg.norm(matrix, axis=1, keepdims=True), "test"
    )


def test_a_file_becomes_a_workspace_with_vectors_and_neighbours_of_the_same_kind(
    file: Path, tmp_path: Path
) -> None:
    result = embed_file(
        [file], workspace=tmp_path / "store", mapping=MAP, encoder=NgramEncoder(), k=5, n_users=30
    )
    store = Workspace(tmp_path / "store")
    assert (result.n_items, result.n_users, store.time_kind) == (36, 60, "none")
    catalog = store.catalog()
    assert catalog is not None
    assert set(catalog.columns) >= {"item_id", "title", "text"}
    near = pl.read_parquet(tmp_path / "store" / FOLDER / "neighbours.parquet")
    assert near.group_by("item_id").len()["len"].to_list() == [30] * 36
    counts = Workspace(tmp_path / "store").journal(["item_id"]).collect().group_by("item_id").len()
    assert (
        near.unique("item_id").select("item_id", "n_events").sort("item_id").rows()
        == counts.sort("item_id").rows()
    )
    near = near.filter(pl.col("rank") <= 5)
    same = near.select(
        pl.col("item_id").str.slice(0, 3) == pl.col("neighbour_id").str.slice(0, 3)
    ).to_series()
    assert same.all()
    assert near.group_by("item_id").len()["len"].to_list() == [5] * 36
    assert "| warm | embedding |" in result.to_markdown()


def test_cold_items_of_a_users_kind_are_found_by_text_and_not_by_counts(file: Path) -> None:
    texts = read_texts([file], mapping=MAP)
    items = embed_items(texts.catalog, encoder=NgramEncoder())
    measured = evaluate_neighbours(
        texts.journal, items, time_kind="none", k=3, n_users=60, cold_share=0.4, known=(0,)
    )
    cold = {one.model: one for one in measured if one.setting == "cold, 0 known"}
    assert cold["embedding"].ndcg > 2 * max(cold["popularity"].ndcg, cold["item_knn"].ndcg)
    assert cold["item_knn"].hr == 0
    assert cold["popularity, all events"].hr > 0
    assert {one.setting for one in measured} == {"warm", "cold, 0 known"}


def test_times_of_a_file_make_the_last_item_the_target(tmp_path: Path) -> None:
    start = pl.lit(datetime(2024, 1, 1, tzinfo=UTC)).cast(pl.Datetime("us", "UTC"))
    table = shop().with_columns(d=start + pl.int_range(pl.len()).cast(pl.Duration("us")))
    path = tmp_path / "timed.parquet"
    table.rename({"d": "time"}).write_parquet(path)
    result = embed_file(
        [path], workspace=tmp_path / "store", mapping=MAP, encoder=NgramEncoder(), k=3, n_users=20
    )
    assert result.time_kind == "real"
    assert "each user's last item" in result.to_markdown()


def test_lists_hold_the_nearest_items_that_were_not_taken() -> None:
    items = vectors_of([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]], ["a", "b", "c", "d"])
    history = pl.DataFrame({"user_id": [1, 2], "item_id": ["a", "c"]})
    lists = recommend_by_vectors(history, items, k=2)
    assert lists.filter(pl.col("user_id") == 1)["item_id"].to_list() == ["b", "d"]
    assert lists.filter(pl.col("user_id") == 2)["item_id"].to_list() == ["d", "b"]
    only = recommend_by_vectors(history, items, k=2, allowed=pl.Series(["c"]))
    assert only.select("user_id", "item_id").rows() == [(1, "c")]


def test_an_unknown_items_user_has_no_row() -> None:
    items = vectors_of([[1, 0], [0, 1]], ["a", "b"])
    assert recommend_by_vectors(pl.DataFrame({"user_id": [1], "item_id": ["x"]}), items, k=2).is_empty()


@given(st.integers(2, 12), st.integers(1, 15), st.integers(0, 99))
@settings(max_examples=30)
def test_neighbours_are_those_of_a_plain_search(n: int, k: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(n, 4))
    items = vectors_of(rows.tolist(), [f"i{i:02}" for i in range(n)])
    near = items.neighbours(k=k)
    cosines = items.vectors @ items.vectors.T
    for i in range(n):
        wanted = sorted((cosines[i, j] for j in range(n) if j != i), reverse=True)[:k]
        assert near.filter(pl.col("item_id") == f"i{i:02}")["cosine"].to_list() == pytest.approx(
            wanted, abs=1e-5
        )


def test_vectors_are_read_as_they_were_written(tmp_path: Path) -> None:
    items = vectors_of([[1, 0], [0, 1]], ["a", "b"])
    items.save(tmp_path)
    again = ItemVectors.load(tmp_path)
    assert again.item_ids == items.item_ids
    assert np.array_equal(again.vectors, items.vectors)
    np.save(tmp_path / "vectors.npy", items.vectors[:1])
    with pytest.raises(ArtifactError, match="1 vectors of 2 items"):
        ItemVectors.load(tmp_path)
    with pytest.raises(ArtifactError, match="nextbest assistant embed"):
        ItemVectors.load(tmp_path / "nowhere")


def test_an_item_without_a_title_goes_by_its_id_and_the_first_text_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("user_id,item_id,text\n1,x,\n2,x,first\n3,x,second\n3,y,\n")
    catalog = read_texts([path]).catalog
    assert catalog.rows(named=True) == [
        {"item_id": "x", "title": "x", "text": "first"},
        {"item_id": "y", "title": "y", "text": None},
    ]


def test_what_is_wrong_with_a_file_or_a_mapping_is_said(tmp_path: Path, file: Path) -> None:
    with pytest.raises(InputError, match="our columns"):
        read_texts([file], mapping={"gamer": "who"})
    with pytest.raises(InputError, match="the file hasn't"):
        read_texts([file], mapping={"user_id": "nobody"})
    with pytest.raises(DataError, match="missing"):
        read_texts([file])
    empty = tmp_path / "empty.csv"
    empty.write_text("user_id,item_id\n")
    with pytest.raises(DataError):
        read_texts([empty])
    with pytest.raises(InputError, match="k: must be 1"):
        vectors_of([[1, 0]], ["a"]).neighbours(k=0)
    with pytest.raises(InputError, match="cold_share"):
        evaluate_neighbours(pl.DataFrame(), vectors_of([[1, 0]], ["a"]), time_kind="none", cold_share=1.0)


def test_the_parser_reads_its_flags() -> None:
    top = argparse.ArgumentParser()
    assistant_neighbours.add_parser(top.add_subparsers())
    args = top.parse_args(["embed", "a.csv", "--map", "user_id=u", "--k", "3", "--encoder", "ngrams"])
    assert (args.files, args.map, args.k, args.encoder) == (["a.csv"], ["user_id=u"], 3, "ngrams")


def test_the_command_writes_its_report(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    top = argparse.ArgumentParser()
    assistant_neighbours.add_parser(top.add_subparsers())
    flags = [f"{ours}={theirs}" for ours, theirs in MAP.items()]
    args = top.parse_args(
        [
            "embed",
            str(file),
            "--store",
            str(tmp_path / "s"),
            "--map",
            ",".join(flags),
            "--encoder",
            "ngrams",
            "--users",
            "20",
            "--report",
            str(tmp_path / "r.md"),
        ]
    )
    args.run(args)
    out, err = capsys.readouterr()
    assert "Neighbours of meaning" in out
    assert f"nextbest chat --store {tmp_path / 's'}" in err
    assert "| cold, 3 known | embedding |" in (tmp_path / "r.md").read_text()


def test_ids_of_digits_have_one_type_in_journal_catalogue_and_vectors(tmp_path: Path) -> None:
    table = shop().with_columns(pl.col("what").rank("dense").cast(pl.String))
    path = tmp_path / "digits.parquet"
    table.write_parquet(path)
    result = embed_file([path], workspace=tmp_path / "s", mapping=MAP, encoder=NgramEncoder(), n_users=20)
    journal = Workspace(tmp_path / "s").journal().collect()
    assert ItemVectors.load(tmp_path / "s" / FOLDER).item_ids.ids.dtype == journal["item_id"].dtype
    assert max(one.hr for one in result.measured) > 0
    assert result.n_items == 36


def test_embed_then_ask_answers_about_the_file(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "s")
    flags = [
        "--map",
        ",".join(f"{ours}={theirs}" for ours, theirs in MAP.items()),
        "--store",
        store,
        "--json",
    ]
    embed = [
        "assistant",
        "embed",
        str(file),
        *flags,
        "--encoder",
        "ngrams",
        "--users",
        "20",
        "--no-evaluation",
    ]
    recipe = tmp_path / "knn.toml"
    recipe.write_text('name = "knn"\n[[models]]\nkind = "item_knn"\n')
    assert main([*embed, "--recipe", str(recipe)]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == str(tmp_path / "s" / "model")

    def ask(text: str) -> list[str]:
        assert main(["ask", text, "--store", store, "--user", "u001", "--json"]) == 0
        return [item["item_id"] for item in json.loads(capsys.readouterr().out)["items"]]

    for text in ("Something like Game 3 of race", "Что-нибудь похожее на Game 3 of race"):
        alike = ask(text)
        assert len(alike) == 5
        assert all(item.startswith("race") for item in alike)
    assert ask("Recommend me a game")
    made = (tmp_path / "s" / "model" / "manifest.json").stat().st_mtime_ns
    assert main(embed) == 0  # a model that is there isn't replaced unasked
    assert json.loads(capsys.readouterr().out)["model"] is None
    assert (tmp_path / "s" / "model" / "manifest.json").stat().st_mtime_ns == made
    assert main([*embed, "--no-model", "--recipe", "baselines"]) == 2
    assert main([*embed, "--recipe", "nobody"]) == 2


def test_lists_of_words_are_a_text_and_the_first_a_category(tmp_path: Path) -> None:
    words = [["Action", "RPG"], ["Action", "RPG"], [], None]
    rows = pl.DataFrame(
        {"user_id": list("abcd"), "item_id": ["x", "x", "y", "z"], "category": words, "text": words}
    )
    rows.write_parquet(tmp_path / "l.parquet")
    catalog = read_texts([tmp_path / "l.parquet"]).catalog
    assert catalog.select("item_id", "category", "text").rows() == [
        ("x", "Action", "Action, RPG"),
        ("y", None, None),
        ("z", None, None),
    ]

"""Neighbours of meaning of a workspace in the tool `similar_items`: alone for items that few took, a help for the others."""

import logging
import os
from pathlib import Path

import polars as pl
import pytest

from nextbest.assistant.base import Caller, ToolCall
from nextbest.assistant.neighbours import likeness
from nextbest.assistant.neighbours.likeness import EQUAL_AT, Neighbours, WatchedNeighbours
from nextbest.assistant.tools.toolbox import Toolbox
from nextbest.errors import ArtifactError
from service.shops import save_shop


def table(near: dict[str, list[str]], events: dict[str, int] | None = None) -> pl.DataFrame:
    rows = [
        (item, other, rank) for item, others in near.items() for rank, other in enumerate(others, start=1)
    ]
    found = pl.DataFrame(rows, schema=["item_id", "neighbour_id", "rank"], orient="row")
    if events is None:
        return found
    return found.with_columns(pl.col("item_id").replace_strict(events).alias("n_events"))


def write(store: Path, near: dict[str, list[str]], events: dict[str, int] | None = None) -> Path:
    folder = store / likeness.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / likeness.NEIGHBOURS
    table(near, events).write_parquet(path)
    return path


def test_neighbours_come_nearest_first_and_events_are_trusted_the_more_the_more_there_are() -> None:
    near = Neighbours(
        table({"b": ["a", "c"], "a": ["c"], "c": ["a"]}, {"a": 0, "b": EQUAL_AT, "c": 9 * EQUAL_AT})
    )
    assert near.of("b") == (("a", "c"), 0.5)
    assert near.of("a") == (("c",), 0.0)
    assert near.of("c") == (("a",), 0.9)
    assert near.of("nobody") == ((), 1.0)


def test_ids_that_are_numbers_are_found_by_either() -> None:
    near = Neighbours(pl.DataFrame({"item_id": [7, 7], "neighbour_id": [9, 8], "rank": [2, 1]}))
    assert near.of(7) == near.of("7") == (("8", "9"), 0.5)  # without counts, half and half


def test_what_is_no_such_table_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no neighbours"):
        Neighbours.load(tmp_path)
    pl.DataFrame({"item_id": ["a"]}).write_parquet(tmp_path / likeness.NEIGHBOURS)
    with pytest.raises(ArtifactError, match=r"holds no neighbours.*neighbour_id|rank"):
        Neighbours.load(tmp_path)


def test_a_file_that_changes_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(likeness, "LOOK_S", 0.0)
    watched = WatchedNeighbours(tmp_path)
    assert watched() is None
    path = write(tmp_path, {"a": ["b"]})
    first = watched()
    assert first is not None
    assert watched() is first
    write(tmp_path, {"a": ["c", "b"]})
    os.utime(path, ns=(1, 1))
    second = watched()
    assert second is not None
    assert second.of("a")[0] == ("c", "b")
    path.write_bytes(b"no parquet")
    with caplog.at_level(logging.WARNING):
        assert watched() is None
        assert watched() is None
    assert caplog.text.count("can't be read") == 1
    path.unlink()
    assert watched() is None


@pytest.fixture
def store(tmp_path: Path) -> Path:
    save_shop(tmp_path / "model")
    return tmp_path


def similar(store: Path, item: str, **more: object) -> list[object]:
    toolbox = Toolbox.open(workspace=store)
    try:
        result = toolbox.run(Caller(user_id="ann"), ToolCall("similar_items", {"item_id": item, **more}))
        return [item.item_id for item in result.items] or [result.code]
    finally:
        toolbox.close()


def test_without_neighbours_the_model_says_what_is_alike(store: Path) -> None:
    assert similar(store, "tea") == ["honey", "lemon"]


def test_an_item_that_few_took_is_like_what_its_text_is_like(store: Path) -> None:
    write(store, {"tea": ["sugar", "honey", "lemon"]}, {"tea": 0})
    assert similar(store, "tea") == ["sugar", "honey", "lemon"]
    assert similar(store, "tea", deny=["sugar"], k=1) == ["honey"]
    assert similar(store, "tea", max_price=2.0) == ["sugar", "lemon"]


def test_an_item_that_many_took_is_like_what_goes_with_it(store: Path) -> None:
    write(store, {"tea": ["sugar", "lemon"]}, {"tea": 100_000})
    assert similar(store, "tea", k=2) == ["honey", "lemon"]
    assert similar(store, "tea", k=3) == ["honey", "lemon", "sugar"]  # meaning only fills the list up


def test_neighbours_that_the_shop_no_longer_has_are_passed_over(store: Path) -> None:
    write(store, {"tea": ["gone", "honey"]}, {"tea": 0})
    assert similar(store, "tea") == ["honey", "lemon"]


def test_a_damaged_file_leaves_the_models_answer(store: Path) -> None:
    write(store, {"tea": ["sugar"]}).write_bytes(b"")
    assert similar(store, "tea") == ["honey", "lemon"]

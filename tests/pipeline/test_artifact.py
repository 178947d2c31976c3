"""A pipeline's folder: the same answers after loading, whole or not at all, and damage is told."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dummies import DUMMIES, Opaque
from nextbest.errors import ArtifactError, ExternalError, InputError
from nextbest.models import make_model
from nextbest.pipeline import artifact
from nextbest.pipeline.config import Cap, PipelineConfig, Rule, Unavailable
from nextbest.pipeline.pipeline import Pipeline
from nextbest.pipeline.query import Query
from pipeline.shop import CATALOG, bought, day, log, shop

CONFIG = PipelineConfig(
    rules=(Rule(rule="adult_only", item={"category": "alcohol"}, user={"age": {"max": 17}}),),
    caps=(Cap(column="category", at_most=2),),
    unavailable=(Unavailable(item_id="pen", available_from=day(5)),),
    segment="city",
    lang="ru",
)
QUESTIONS = [Query(u, k=k) for u in ("ann", "bob", "eve", "nobody") for k in (1, 7)]


def full_shop() -> Pipeline:
    return shop(
        CONFIG,
        model=make_model("item_knn"),
        fallbacks={"mine": make_model("popularity", {"by_segment": True}), "all": make_model("popularity")},
        interactions=log({"ann": "north", "bob": "south"}),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    full_shop().save(tmp_path / "m")
    return tmp_path / "m"


def test_a_loaded_pipeline_gives_the_same_answers(folder: Path) -> None:
    made, loaded = full_shop(), Pipeline.load(folder)
    assert loaded.recommend(QUESTIONS) == made.recommend(QUESTIONS)
    assert loaded.similar_items("tea", k=3) == made.similar_items("tea", k=3)
    assert loaded.config == CONFIG


def test_the_folder_holds_what_the_record_of_decisions_says(folder: Path) -> None:
    assert {p.name for p in folder.iterdir()} == {
        "manifest.json",
        "user_ids.parquet",
        "item_ids.parquet",
        "segment_ids.parquet",
        "histories.npz",
        "catalog.parquet",
        "clients.parquet",
        "model",
        "fallback_0",
        "fallback_1",
    }
    assert [p.name for p in folder.parent.iterdir()] == ["m"]


def test_tables_that_were_not_given_are_not_in_the_folder(tmp_path: Path) -> None:
    made = shop(catalog=None, clients=None, model=make_model("item_knn"))
    made.save(tmp_path / "m")
    assert not (tmp_path / "m" / "catalog.parquet").exists()
    assert Pipeline.load(tmp_path / "m").recommend(QUESTIONS) == made.recommend(QUESTIONS)


def test_the_manifest_names_origin_versions_and_digests(tmp_path: Path) -> None:
    manifest = full_shop().save(tmp_path / "m", recipe="pipeline", metrics={"ndcg@10": 0.2}, created=day(3))
    assert (
        manifest
        == json.loads((tmp_path / "m" / "manifest.json").read_text())
        == Pipeline.load(tmp_path / "m").manifest
    )
    assert (manifest["recipe"], manifest["metrics"], manifest["created"]) == (
        "pipeline",
        {"ndcg@10": 0.2},
        day(3).isoformat(),
    )
    assert manifest["cutoff"] == day(9).isoformat()
    assert set(manifest["versions"]) == {"nextbest", "numpy", "polars", "python"}
    assert "histories.npz" in manifest["digests"]
    assert "model/arrays.npz" in manifest["digests"]


def test_models_of_the_callers_own_are_loaded_by_their_class(tmp_path: Path) -> None:
    made = shop(model=Opaque())
    made.save(tmp_path / "m")
    assert Pipeline.load(tmp_path / "m", models=DUMMIES).recommend(QUESTIONS) == made.recommend(QUESTIONS)
    with pytest.raises(ArtifactError, match="doesn't know"):
        Pipeline.load(tmp_path / "m")


def test_saving_again_replaces_the_folder(folder: Path) -> None:
    shop(model=make_model("ease")).save(folder)
    assert Pipeline.load(folder).manifest["model"] == "ease"
    assert [p.name for p in folder.parent.iterdir()] == ["m"]


def test_an_empty_folder_may_be_taken(tmp_path: Path) -> None:
    full_shop().save(tmp_path)
    assert Pipeline.load(tmp_path).manifest["model"] == "item_knn"


@pytest.mark.parametrize("content", [None, "{}", "[]", "nonsense"])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match="is no pipeline"):
        full_shop().save(tmp_path)
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_a_file_is_not_replaced_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("mine")
    with pytest.raises(InputError, match="is no pipeline"):
        full_shop().save(tmp_path / "m")


def test_a_full_disk_leaves_the_old_folder_and_no_rest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifact.np, "savez", full)
    with pytest.raises(ExternalError, match="No space left on device; nothing was changed") as e:
        shop(model=make_model("ease")).save(folder)
    assert e.value.retryable
    assert Pipeline.load(folder).manifest["model"] == "item_knn"
    assert [p.name for p in folder.parent.iterdir()] == ["m"]


DIES = """
import os, sys
from pathlib import Path
from nextbest.data import whole_folder
from nextbest.pipeline.pipeline import Pipeline
whole_folder._take_name = lambda *_: os._exit(9)
Pipeline.load(sys.argv[1]).save(sys.argv[1], recipe="never seen")
"""


def test_a_process_killed_while_saving_leaves_the_old_folder(folder: Path) -> None:
    assert subprocess.run([sys.executable, "-c", DIES, str(folder)], check=False).returncode == 9
    assert Pipeline.load(folder).manifest["recipe"] is None


@pytest.mark.parametrize(
    "name",
    [
        "user_ids.parquet",
        "item_ids.parquet",
        "histories.npz",
        "catalog.parquet",
        "model/arrays.npz",
        "fallback_1/manifest.json",
    ],
)
@pytest.mark.parametrize("damage", ["gone", "cut", "flipped"])
def test_damage_is_told_with_the_files_name(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 255
        path.write_bytes(content)
    with pytest.raises(ArtifactError, match=name):
        Pipeline.load(folder)


@pytest.mark.parametrize("name", ["user_ids.parquet", "histories.npz", "model/arrays.npz"])
def test_damage_that_nobody_checked_still_is_an_artifact_error(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"nonsense")
    with pytest.raises(ArtifactError):
        Pipeline.load(folder, verify=False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 99}, "has format 99, this version reads 1"),
        ({"kind": "model"}, "isn't a pipeline folder"),
        ({"digests": {}}, "without digests"),
        ({"config": {"unheard_of": 1}}, "unheard_of"),
    ],
)
def test_a_manifest_of_another_kind_or_version_is_told(folder: Path, change: Any, words: str) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ArtifactError, match=words):
        Pipeline.load(folder)


@pytest.mark.parametrize(
    ("content", "words"), [("{", "can't be read"), ("[1]", "isn't a pipeline"), (None, "no manifest")]
)
def test_a_folder_without_a_readable_manifest_is_told(
    tmp_path: Path, content: str | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ArtifactError, match=words):
        Pipeline.load(tmp_path)


def test_a_folder_that_is_exchanged_while_it_is_read_is_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, calls = artifact._verify, []

    def exchanged_once(at: Path, digests: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            shop(model=make_model("ease")).save(at)
        read(at, digests)

    monkeypatch.setattr(artifact, "_verify", exchanged_once)
    assert Pipeline.load(folder).manifest["model"] == "ease"
    assert len(calls) == 2


def test_posted_events_are_not_part_of_the_folder(tmp_path: Path) -> None:
    made = full_shop()
    made.add_events([bought("zoe", "tea", 10)])
    made.save(tmp_path / "m")
    assert not Pipeline.load(tmp_path / "m").is_known("zoe")


def test_no_file_is_a_pickle(folder: Path) -> None:
    kinds = {p.suffix for p in folder.rglob("*") if p.is_file()}
    assert kinds == {".json", ".parquet", ".npz"}


def test_a_catalogue_of_odd_types_survives(tmp_path: Path) -> None:
    catalog = CATALOG.with_columns(pl.col("category").cast(pl.Categorical).alias("shelf"))
    made = shop(model=make_model("ease"), catalog=catalog)
    made.save(tmp_path / "m")
    food = [Query("nobody", where={"shelf": "food"})]
    assert Pipeline.load(tmp_path / "m").recommend(food) == made.recommend(food)


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = "import sys, nextbest.pipeline; print('polars' in sys.modules, 'scipy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]

"""Model folders: what is missing, foreign or damaged is said, and nothing is lost on the way."""

import json
import pickle
import sys
from subprocess import run

import numpy as np
import pytest

from contracts.recommender import checkerboard, random_log
from nextbest.errors import ArtifactError, ExternalError, InputError
from nextbest.models import MODEL_KINDS, load_model, make_model, model_class, store
from nextbest.models.ease import EASE
from nextbest.models.popularity import Popularity


@pytest.fixture
def folder(tmp_path):
    make_model("popularity").fit(checkerboard()).save(tmp_path / "m")
    return tmp_path / "m"


def edit(folder, **changes):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}))


def test_a_missing_folder_is_an_artifact_error(tmp_path):
    with pytest.raises(ArtifactError, match=r"manifest\.json is missing; train again"):
        load_model(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"format": 99}'])
def test_a_foreign_manifest_is_an_artifact_error(folder, text):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"not readable JSON|has layout"):
        load_model(folder)


def test_a_manifest_that_is_not_text_is_an_artifact_error(folder):
    (folder / "manifest.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArtifactError, match="not readable JSON"):
        load_model(folder)


@pytest.mark.parametrize("field", ["kind", "config", "ids", "files"])
def test_a_manifest_with_a_malformed_field_names_it(folder, field):
    edit(folder, **{field: 7})
    with pytest.raises(ArtifactError, match=rf"\['{field}'\] missing or malformed"):
        load_model(folder)


def test_an_unknown_kind_is_an_artifact_error(folder):
    edit(folder, kind="oracle")
    with pytest.raises(ArtifactError, match="'oracle' model, which this version doesn't know"):
        load_model(folder)


def test_loading_with_the_class_of_another_kind_is_an_artifact_error(folder):
    with pytest.raises(ArtifactError, match="holds a 'popularity' model, not 'ease'"):
        EASE.load(folder)


def test_an_unknown_config_field_is_an_artifact_error(folder):
    edit(folder, config={"magic": 1})
    with pytest.raises(ArtifactError, match="config that this version doesn't know"):
        Popularity.load(folder)


@pytest.mark.parametrize("name", ["arrays.npz", "item_ids.parquet"])
def test_a_missing_file_is_an_artifact_error(folder, name):
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match="is missing"):
        load_model(folder)


@pytest.mark.parametrize("name", ["arrays.npz", "item_ids.parquet"])
def test_a_cut_off_file_is_an_artifact_error(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:-7])
    with pytest.raises(ArtifactError, match="changed or cut off"):
        load_model(folder)


@pytest.mark.parametrize("name", ["arrays.npz", "item_ids.parquet"])
def test_a_file_of_another_format_with_a_fitting_checksum_is_an_artifact_error(folder, name):
    (folder / name).write_bytes(b"not what it says")
    edit(folder, files={n: store._sha256(folder / n) for n in ("arrays.npz", "item_ids.parquet")})
    with pytest.raises(ArtifactError, match="is not a readable"):
        load_model(folder)


def test_pickled_arrays_are_refused(folder):
    arrays = np.array([{"run": "me"}], dtype=object)
    np.savez(folder / "arrays.npz", share=arrays)
    assert pickle.dumps(arrays)  # it could have been stored
    edit(folder, files={n: store._sha256(folder / n) for n in ("arrays.npz", "item_ids.parquet")})
    with pytest.raises(ArtifactError, match="not a readable array file"):
        load_model(folder)


def test_ids_of_another_model_are_an_artifact_error(folder, tmp_path):
    other = random_log().item_ids
    other.save(folder / "item_ids.parquet")
    edit(folder, files={n: store._sha256(folder / n) for n in ("arrays.npz", "item_ids.parquet")})
    with pytest.raises(ArtifactError, match="other ids than the manifest says"):
        load_model(folder)


def test_saving_over_something_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("meow")
    with pytest.raises(InputError, match="holds no model"):
        make_model("popularity").fit(checkerboard()).save(tmp_path / "photos")
    assert (tmp_path / "photos" / "cat.jpg").read_text() == "meow"


def test_saving_into_an_empty_folder_works(tmp_path):
    (tmp_path / "m").mkdir()
    make_model("popularity").fit(checkerboard()).save(tmp_path / "m")
    assert load_model(tmp_path / "m").kind == "popularity"


def test_a_full_disk_leaves_the_old_model_and_no_rubbish(folder, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(ExternalError, match="No space left"):
        make_model("popularity").fit(random_log()).save(folder)
    monkeypatch.undo()
    assert load_model(folder).n_items == 12
    assert [p.name for p in folder.parent.iterdir()] == ["m"]


def test_an_unknown_kind_lists_the_known_ones():
    with pytest.raises(InputError, match=r"kind: must be one of \['als'"):
        model_class("oracle")


def test_a_wrong_config_names_the_field_and_the_allowed_ones():
    with pytest.raises(InputError, match=r"config of ease: lambda: Extra inputs.*fields of EASEConfig"):
        make_model("ease", {"lambda": 3})
    with pytest.raises(InputError, match="regularization: Input should be greater than 0"):
        make_model("ease", {"regularization": 0})


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_every_kind_is_the_kind_of_its_class(kind):
    assert model_class(kind).kind == kind


def test_importing_the_room_loads_no_heavy_library():
    code = "import sys, nextbest.models; print(sorted({'implicit', 'scipy', 'threadpoolctl', 'polars'} & set(sys.modules)))"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("manifest", ['{"kind": "panel", "format": 1, "months": []}', "[]", "not JSON"])
def test_a_folder_with_the_manifest_of_something_else_is_left_alone(tmp_path, manifest):
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(InputError, match="holds no model"):
        store.write_folder(tmp_path, kind="x", config={}, arrays={}, ids={})
    assert (tmp_path / "manifest.json").read_text() == manifest

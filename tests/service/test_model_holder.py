"""The model folder: which one is live, what happens to a broken one, and when it is tried again."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nextbest.errors import ArtifactError
from nextbest.pipeline.model_holder import ModelHolder

NOW = datetime(2026, 6, 1, tzinfo=UTC)


class FakePipeline:
    """What a folder's manifest says; one that says "broken" can't be loaded."""

    def __init__(self, folder: Path) -> None:
        self.manifest = json.loads((folder / "manifest.json").read_text())
        if self.manifest.get("broken"):
            raise ArtifactError(folder, "is broken")


def write(folder: Path, name: str, *, day: int = 1, **more) -> Path:
    """A folder as a save leaves it: a new manifest renamed into place."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"name": name, "created": (NOW + timedelta(days=day)).isoformat(), **more})
    fresh = folder / "manifest.new"
    fresh.write_text(text)
    fresh.rename(folder / "manifest.json")
    return folder


def holder(folder: Path, *, prepare=lambda model: None, broken_retry_s: float = 3600) -> ModelHolder:
    return ModelHolder(
        folder, load=FakePipeline, prepare=prepare, now=lambda: NOW, broken_retry_s=broken_retry_s
    )


def name_of(held: ModelHolder) -> str:
    return held.live.manifest["name"]


def test_a_folder_is_live_after_the_first_look_and_stays_while_nothing_changes(tmp_path) -> None:
    held = holder(write(tmp_path / "model", "a"))
    assert not held.is_loaded
    assert [held.refresh(), held.refresh()] == ["swapped", "unchanged"]
    assert name_of(held) == "a"
    assert held.live.loaded_at == NOW
    assert len(held.live.version) == 12


def test_a_newer_save_into_the_same_folder_is_taken(tmp_path) -> None:
    held = holder(write(tmp_path / "model", "a"))
    held.refresh()
    old_version = held.live.version
    write(tmp_path / "model", "b", day=2)
    assert held.refresh() == "swapped"
    assert name_of(held) == "b"
    assert held.live.version != old_version


def test_a_link_that_points_to_another_folder_is_followed(tmp_path) -> None:
    link = tmp_path / "current"
    link.symlink_to(write(tmp_path / "v1", "a"))
    held = holder(link)
    held.refresh()
    link.unlink()
    link.symlink_to(write(tmp_path / "v2", "b"))
    assert held.refresh() == "swapped"
    assert name_of(held) == "b"


def test_of_several_versions_the_one_created_last_is_live_whatever_its_name(tmp_path) -> None:
    write(tmp_path / "z", "old", day=1)
    write(tmp_path / "a", "new", day=2)
    write(tmp_path / ".tmp-b", "half written", day=3)
    (tmp_path / "notes").mkdir()
    held = holder(tmp_path)
    held.refresh()
    assert name_of(held) == "new"
    write(tmp_path / "m", "newest", day=4)
    assert held.refresh() == "swapped"
    assert name_of(held) == "newest"


@pytest.mark.parametrize("prepare_fails", [False, True])
def test_a_broken_newer_model_leaves_the_old_one_and_says_why(tmp_path, prepare_fails) -> None:
    def prepare(model) -> None:
        if model.manifest.get("answers") is False:
            raise RuntimeError("no answer")

    held = holder(write(tmp_path / "model", "a"), prepare=prepare)
    held.refresh()
    broken = {"answers": False} if prepare_fails else {"broken": True}
    write(tmp_path / "model", "b", day=2, **broken)
    assert held.refresh() == "failed"
    assert name_of(held) == "a"
    assert ("RuntimeError: no answer" if prepare_fails else "is broken") in str(held.error)
    write(tmp_path / "model", "c", day=3)
    assert held.refresh() == "swapped"
    assert name_of(held) == "c"
    assert held.error is None


def test_a_manifest_that_is_no_json_counts_as_the_newest_and_as_broken(tmp_path) -> None:
    write(tmp_path / "v1", "a", day=-400)
    held = holder(tmp_path)
    held.refresh()
    (tmp_path / "v2").mkdir()
    (tmp_path / "v2" / "manifest.json").write_text("{")
    assert held.refresh() == "failed"
    assert name_of(held) == "a"


def test_a_broken_folder_is_tried_again_after_a_pause_or_by_force_not_at_every_look(tmp_path) -> None:
    folder = write(tmp_path / "model", "a", broken=True)
    held = holder(folder)
    assert [held.refresh(), held.refresh(), held.refresh(force=True)] == ["failed", "unchanged", "failed"]
    impatient = holder(folder, broken_retry_s=0)
    assert [impatient.refresh(), impatient.refresh()] == ["failed", "failed"]


def test_what_is_wrong_with_a_folder_is_logged_once_and_unforeseen_errors_with_their_place(
    tmp_path, caplog
) -> None:
    def prepare(model) -> None:
        if model.manifest.get("answers") is False:
            raise RuntimeError("no answer")

    folder = write(tmp_path / "model", "a")
    held = holder(folder, prepare=prepare, broken_retry_s=0)
    held.refresh()
    write(folder, "b", day=2, broken=True)
    caplog.clear()
    assert {held.refresh(force=True) for _ in range(3)} == {"failed"}
    (line,) = caplog.records
    assert (line.levelname, line.getMessage(), line.exc_info) == ("WARNING", "model refused", None)
    assert "is broken" in line.why
    write(folder, "c", day=3)
    assert held.refresh() == "swapped"
    write(folder, "d", day=4, broken=True)
    caplog.clear()
    held.refresh()
    assert len(caplog.records) == 1  # news again, after it was right
    write(folder, "e", day=5, answers=False)
    caplog.clear()
    assert [held.refresh(), held.refresh()] == ["failed", "failed"]
    (line,) = caplog.records
    assert line.exc_info is not None
    shutil.rmtree(folder)
    caplog.clear()
    assert [held.refresh(), held.refresh()] == ["unchanged", "unchanged"]
    assert len(caplog.records) == 1


def test_without_a_model_the_remedy_is_said_once(tmp_path) -> None:
    held = holder(write(tmp_path / "model", "a", broken=True))
    held.refresh()
    with pytest.raises(ArtifactError) as caught:
        held.live  # noqa: B018  (the property raises)
    folder = tmp_path / "model"
    words = f"model: no model is loaded: {folder}: is broken; train again with `nextbest train`"
    assert str(caught.value) == words


def test_at_the_start_an_older_version_answers_when_the_newest_is_broken(tmp_path) -> None:
    write(tmp_path / "v1", "old", day=1)
    write(tmp_path / "v2", "broken", day=2, broken=True)
    held = holder(tmp_path)
    assert held.refresh() == "swapped"
    assert name_of(held) == "old"
    assert "is broken" in str(held.error)
    assert held.refresh() == "unchanged"


def test_without_any_folder_there_is_no_model_and_the_error_says_so(tmp_path) -> None:
    held = holder(tmp_path / "nowhere")
    with pytest.raises(ArtifactError, match="not looked for yet"):
        held.live  # noqa: B018  (the property raises)
    assert held.refresh() == "failed"
    with pytest.raises(ArtifactError, match="no model is loaded"):
        held.live  # noqa: B018
    write(tmp_path / "nowhere", "a")
    assert held.refresh() == "swapped"


def test_a_folder_that_disappears_takes_no_model_away(tmp_path) -> None:
    held = holder(write(tmp_path / "model", "a"))
    held.refresh()
    shutil.rmtree(tmp_path / "model")
    assert held.refresh() == "unchanged"
    assert name_of(held) == "a"
    assert held.error is not None


def test_a_folder_that_can_not_be_listed_is_told(tmp_path, monkeypatch) -> None:
    held = holder(tmp_path)

    def refuse(_self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ModelHolder, "find", refuse)
    assert held.refresh() == "failed"
    assert "can't be read: Permission denied" in str(held.error)


def test_many_broken_folders_are_not_all_remembered(tmp_path) -> None:
    held = holder(tmp_path)
    for n in range(105):
        write(tmp_path / f"v{n}", "x", day=n, broken=True)
        held.refresh()
    assert len(held._broken) <= 101

"""A folder is written whole or not at all."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nextbest.data import whole_folder as module
from nextbest.data.whole_folder import whole_folder
from nextbest.errors import ExternalError


def written(folder: Path, text: str) -> None:
    with whole_folder(folder) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "f").write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    written(tmp_path / "m", "old")
    return tmp_path / "m"


def is_old_alone(folder: Path) -> bool:
    names = [path.name for path in folder.parent.iterdir()]
    return (folder / "inner" / "f").read_text() == "old" and names == ["m"]


def test_the_new_takes_the_place_of_the_old(folder: Path) -> None:
    assert is_old_alone(folder)
    written(folder, "new")
    assert (folder / "inner" / "f").read_text() == "new"
    assert [path.name for path in folder.parent.iterdir()] == ["m"]


def test_parents_are_made(tmp_path: Path) -> None:
    written(tmp_path / "a" / "b" / "m", "x")
    assert (tmp_path / "a" / "b" / "m" / "inner" / "f").read_text() == "x"


def test_a_failure_inside_leaves_the_old(folder: Path) -> None:
    def half(temporary: Path) -> None:
        (temporary / "f").write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), whole_folder(folder) as temporary:
        half(temporary)
    assert is_old_alone(folder)


def test_without_an_exchange_of_names_the_old_folder_steps_aside(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.sys, "platform", "other")
    written(folder, "new")
    assert (folder / "inner" / "f").read_text() == "new"
    assert [path.name for path in folder.parent.iterdir()] == ["m"]


def test_a_failed_rename_puts_the_old_folder_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def fail(self: Path, target: Any) -> Any:
        if Path(target) == folder and "-old" not in self.name:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(module, "_exchange", lambda a, b: False)
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(ExternalError, match=r"could not write .*Input/output error"):
        written(folder, "new")
    assert is_old_alone(folder)


def test_a_system_library_without_the_exchange_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacks(*_: Any, **__: Any) -> Any:
        raise OSError("no such library")

    monkeypatch.setattr(module.ctypes, "CDLL", lacks)
    assert not module._exchange(tmp_path, tmp_path)


@pytest.mark.parametrize(("code", "again"), [(28, True), (30, False)])
def test_a_disk_that_refuses_is_told_and_changes_nothing(folder: Path, code: int, again: bool) -> None:
    with pytest.raises(ExternalError, match="nothing was changed") as e, whole_folder(folder):
        raise OSError(code, os.strerror(code))
    assert e.value.retryable is again
    assert is_old_alone(folder)


DIES = """
import os, sys
from pathlib import Path
from nextbest.data import whole_folder
whole_folder._take_name = lambda *_: os._exit(9)
with whole_folder.whole_folder(Path(sys.argv[1])) as temporary:
    (temporary / "f").write_text("new")
"""


def test_a_process_killed_before_the_rename_leaves_the_old_folder(folder: Path) -> None:
    assert subprocess.run([sys.executable, "-c", DIES, str(folder)], check=False).returncode == 9
    assert (folder / "inner" / "f").read_text() == "old"


def test_files_that_refuse_fsync_are_an_error_folders_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(module.os, "fsync", refuse)
    with whole_folder(tmp_path / "empty"):
        pass
    assert (tmp_path / "empty").is_dir()
    with pytest.raises(ExternalError, match="Invalid argument"):
        written(tmp_path / "m", "x")
    assert not (tmp_path / "m").exists()

"""The one writer's lock: what a failed run leaves, and that a lock taken away is never held by two."""

import os
import threading
from pathlib import Path

import pytest

from nextbest.data.locking import new_folder, writer_lock
from nextbest.errors import ExternalError


def test_a_failed_run_in_an_empty_folder_leaves_no_lock(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad"), writer_lock(tmp_path):
        raise ValueError("bad")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_run_beside_other_files_and_a_run_that_ends_well_leave_the_lock(tmp_path: Path) -> None:
    with writer_lock(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    (tmp_path / "result").touch()
    with pytest.raises(ValueError, match="bad"), writer_lock(tmp_path):
        raise ValueError("bad")
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "result"}


def test_who_is_refused_takes_nothing_away(tmp_path: Path) -> None:
    with writer_lock(tmp_path):
        for _ in range(2):
            with pytest.raises(ExternalError, match=f"pid {os.getpid()}"), writer_lock(tmp_path):
                pass
        assert (tmp_path / "lock").exists()


def test_a_lock_opened_before_it_was_taken_away_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the opening and the locking of a second writer the first fails and removes the file."""
    opened = os.open
    taken_away = []

    def slow_open(path, *flags):
        handle = opened(path, *flags)
        if not taken_away:
            taken_away.append(path)
            Path(path).unlink()
        return handle

    monkeypatch.setattr("nextbest.data.locking.os.open", slow_open)
    with writer_lock(tmp_path):
        assert taken_away
        assert (tmp_path / "lock").read_text() == str(os.getpid())
        with pytest.raises(ExternalError, match="another process"), writer_lock(tmp_path):
            pass


def test_writers_that_all_fail_are_never_in_at_the_same_time(tmp_path: Path) -> None:
    inside, most, n_in = 0, 0, 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most, n_in
        for _ in range(200):
            try:
                with writer_lock(tmp_path):
                    with guard:
                        inside, n_in = inside + 1, n_in + 1
                        most = max(most, inside)
                    with guard:
                        inside -= 1
                    raise ValueError  # so that the file is taken away each time
            except (ValueError, ExternalError):
                pass

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert n_in > 0
    assert list(tmp_path.iterdir()) == []


def fails_beside_a_file(path: Path) -> None:
    path.touch()
    raise NotADirectoryError(path)


def test_folders_made_for_nothing_go_again_and_others_stay(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad"), new_folder(tmp_path / "a" / "b"):
        raise ValueError("bad")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotADirectoryError), new_folder(tmp_path / "a" / "b"):
        fails_beside_a_file(tmp_path / "a" / "kept")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["kept"]
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError, match="bad"), new_folder(tmp_path / "mine"):
        raise ValueError("bad")
    assert (tmp_path / "mine").is_dir()

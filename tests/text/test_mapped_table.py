"""A mapped table is the same table, from a file named by its content and checked before it is used."""

import numpy as np
import pytest

from nextbest.text.mapped_table import mapped


@pytest.fixture
def table():
    return np.random.default_rng(0).integers(0, 255, (300, 512)).astype(np.uint8)


def test_the_same_numbers_read_from_one_file(table, tmp_path) -> None:
    first, second = mapped(table, tmp_path / "new"), mapped(table.copy(), tmp_path / "new")
    for found in (first, second):
        assert isinstance(found, np.memmap)
        assert (found == table).all()
        with pytest.raises(ValueError, match="read-only"):
            found[0, 0] = 1
    assert first.filename == second.filename
    assert len(list((tmp_path / "new").iterdir())) == 1
    assert mapped(table + 1, tmp_path / "new").filename != first.filename


@pytest.mark.parametrize("damage", ["cut", "changed", "nonsense", "other shape"])
def test_a_damaged_file_is_written_again(table, tmp_path, damage) -> None:
    file = mapped(table, tmp_path).filename
    content = bytearray(file.read_bytes())
    if damage == "cut":
        content = content[:-1000]
    elif damage == "changed":
        content[-1] ^= 1
    elif damage == "nonsense":
        content = bytearray(b"nonsense")
    file.unlink()  # a mapped file isn't written into
    if damage == "other shape":
        np.save(file, table[:5])
    else:
        file.write_bytes(content)
    assert (mapped(table, tmp_path) == table).all()
    assert len(list(tmp_path.iterdir())) == 1


def test_where_the_disk_keeps_nothing_the_table_stays(table, tmp_path, caplog) -> None:
    (tmp_path / "file").write_text("no folder")
    assert mapped(table, tmp_path / "file") is table
    assert "stays in memory" in caplog.text

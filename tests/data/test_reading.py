"""Files, folders and globs as sources."""

import gzip
import zipfile
from pathlib import Path

import polars as pl
import pytest

from nextbest.data.sources import plan
from nextbest.data.sources.base import Source
from nextbest.data.sources.delimited import DelimitedFile, find_separator
from nextbest.data.sources.opening import open_sources
from nextbest.errors import DataError, InputError

CSV = "user_id,item_id,time\n1,чай,2024-01-01\n2,кофе,2024-01-02\n"


def whole(source: Source) -> pl.DataFrame:
    return pl.concat([chunk.table for chunk in source.chunks()])


def only(path: Path | str) -> Source:
    (source,) = open_sources(path)
    return source


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
def test_the_encoding_of_a_russian_csv_is_found(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(CSV, encoding=encoding)
    assert only(path).columns() == ["user_id", "item_id", "time"]
    assert whole(only(path))["item_id"].to_list() == ["чай", "кофе"]


def test_lone_accents_are_windows_1252(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes("id,title\n1,Café Noir £5\n".encode("cp1252"))
    assert whole(only(path))["title"].to_list() == ["Café Noir £5"]


def test_a_letter_past_the_first_megabytes_still_decides_the_encoding(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"id,title\n" + b"1,plain\n" * 2_200_000 + "2,чай\n".encode("cp1251"))
    assert whole(only(path))["title"][-1] == "чай"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        f"a{separator}b\n1,5{separator}x\n2,5{separator}y\n" if separator != "," else "a,b\n1,x\n2,y\n"
    )
    assert only(path).columns() == ["a", "b"]
    assert whole(only(path))["b"].to_list() == ["x", "y"]


def test_a_file_of_one_column_has_no_separator_to_find() -> None:
    assert find_separator("a\n1\n2\n") == ","


def test_gz_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(CSV.encode()))
    assert whole(only(path)).height == 2
    assert only(path).size_hint() is not None


def test_a_zip_of_one_text_file_is_read_and_of_two_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inside.csv", CSV)
    assert whole(only(path)).height == 2
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("second.csv", CSV)
    with pytest.raises(DataError, match="one delimited text file"):
        only(path)


def test_quoted_fields_hold_separators_and_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('a,b\n1,"x, ""y""\nz"\n')
    assert whole(only(path)).to_dicts() == [{"a": "1", "b": 'x, "y"\nz'}]


def test_null_words_are_null_unless_quoted(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('a,b\nNA,\nNULL,"NA"\n')
    assert whole(only(path)).to_dicts() == [{"a": None, "b": None}, {"a": None, "b": "NA"}]


def test_ragged_rows_are_handed_over_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("a,b\n1,x\n2\n3,y\n4,z,extra\n5,w\n")
    (chunk,) = only(path).chunks()
    assert chunk.rows.to_list() == [1, 3, 5]
    assert chunk.rejected.select("row", "reason").rows() == [(2, "ragged_row"), (4, "ragged_row")]
    assert '"line":"4,z,extra"' in chunk.rejected["raw"][1]


def test_a_file_of_ragged_rows_only_is_all_rejected(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("a,b\n1\n2,3,4\n")
    chunks = list(DelimitedFile(path, separator=",").chunks())
    assert sum(len(c.rows) for c in chunks) == 0
    assert [r for c in chunks for r in c.rejected["row"]] == [1, 2]


def test_row_numbers_run_through_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nextbest.data.sources import delimited

    monkeypatch.setattr(delimited, "CHUNK_ROWS", 3)
    monkeypatch.setattr(delimited, "_BLOCK", 64)
    path = tmp_path / "log.csv"
    lines = [f"{i},x" if i % 7 else f"{i}" for i in range(1, 101)]
    path.write_text("a,b\n" + "\n".join(lines) + "\n")
    chunks = list(only(path).chunks())
    assert len(chunks) > 5
    kept = {int(r): int(a) for c in chunks for r, a in zip(c.rows, c.table["a"], strict=True)}
    assert kept == {i: i for i in range(1, 101) if i % 7}
    assert sorted(r for c in chunks for r in c.rejected["row"]) == list(range(7, 101, 7))


def test_a_repeated_header_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id,user_id\n1,2,3\n")
    with pytest.raises(DataError, match=r"\['user_id'\] stand more than once"):
        only(path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is empty"):
        only(path)


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file.*looked from"):
        only(tmp_path / "nowhere.csv")


def test_a_gz_that_breaks_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 10_000)[:-40])
    with pytest.raises(DataError, match=r"log\.csv\.gz"):
        only(path)


def test_a_wrong_encoding_that_is_told_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(CSV, encoding="cp1251")
    (source,) = open_sources(path, encoding="utf-8")
    with pytest.raises(DataError, match="encoding utf-8"):
        whole(source)


def test_parquet_arrow_and_tables_hold_the_same_rows(tmp_path: Path) -> None:
    table = pl.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"]})
    table.write_parquet(tmp_path / "t.parquet")
    table.write_ipc(tmp_path / "t.feather", compression="uncompressed")
    table.write_ipc_stream(tmp_path / "t.arrow")
    for name in ("t.parquet", "t.feather", "t.arrow"):
        assert whole(only(tmp_path / name)).equals(table)
        assert only(tmp_path / name).columns() == table.columns
        assert [c.rows.to_list() for c in only(tmp_path / name).chunks()] == [[1, 2]]
    (source,) = open_sources(table)
    assert whole(source).equals(table)


def test_a_format_is_told_by_its_first_bytes_where_the_name_says_nothing(tmp_path: Path) -> None:
    table = pl.DataFrame({"a": [1]})
    table.write_parquet(tmp_path / "one")
    table.write_ipc(tmp_path / "two")
    (tmp_path / "three").write_text("a\n1\n")
    for name in ("one", "two", "three"):
        assert whole(only(tmp_path / name)).height == 1


def test_a_kind_that_nobody_reads_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.xlsx"
    path.write_bytes(b"\x00\x01nothing")
    with pytest.raises(InputError, match="Parquet, Arrow"):
        only(path)


def test_a_folder_and_a_glob_give_their_files_in_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        pl.DataFrame({"v": [name]}).write_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / "notes.xyz").write_bytes(b"\x00")
    for named in (tmp_path, str(tmp_path / "*.parquet")):
        assert [whole(s)["v"][0] for s in open_sources(named)] == ["a", "b"]


def test_a_folder_without_a_readable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no Parquet"):
        only(tmp_path)


def test_nothing_to_read_is_refused() -> None:
    with pytest.raises(InputError, match="at least one"):
        open_sources([])


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_a_cut_off_file_is_named_in_the_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"log.{kind}"
    table = pl.DataFrame({"a": list(range(10_000))})
    table.write_parquet(path) if kind == "parquet" else table.write_ipc(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=rf"log\.{kind}: can't be read"):
        whole(only(path))


def test_a_parquet_file_with_a_broken_page_is_named_in_the_error(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pl.DataFrame({"a": list(range(10_000))}).write_parquet(path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[8:200] = b"\xff" * 192
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"log\.parquet: can't be read"):
        whole(only(path))


def test_a_column_that_is_not_there_is_answered_with_what_is(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("CustomerID,StockCode,InvoiceDate\n1,2,2024-01-01\n")
    from nextbest.data.ingest import read_journal

    with pytest.raises(InputError, match=r"CustomerId.*no such column.*near: \['CustomerID'\]"):
        read_journal(path, mapping={"user_id": "CustomerId"})
    with pytest.raises(
        DataError, match=r"--map user_id=CustomerID,item_id=StockCode,time=InvoiceDate; it has \['CustomerID'"
    ):
        read_journal(path)


def test_a_format_that_is_not_known_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="amazon_sequences"):
        plan(tmp_path, source="lastfm")
    with pytest.raises(InputError, match="knows its columns"):
        plan(tmp_path, source="hm", mapping={"user_id": "x"})
    with pytest.raises(InputError, match="files or folders"):
        plan("duckdb:///x?table=t", source="hm")
    with pytest.raises(InputError, match="at least one"):
        plan([], source="hm")


def test_lines_that_end_with_a_bare_return_are_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(CSV.replace("\n", "\r").encode())
    assert only(path).columns() == ["user_id", "item_id", "time"]
    assert whole(only(path))["item_id"].to_list() == ["чай", "кофе"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_spreadsheets_separator_line_is_no_row_and_rows_keep_their_numbers(
    tmp_path: Path, end: str
) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(end.join(["sep=;", "user;item", "1;a,b", "2", "3;c", ""]).encode("utf-8-sig"))
    (chunk, *rest) = list(only(path).chunks())
    assert chunk.table.rows() == [("1", "a,b"), ("3", "c")]
    assert chunk.rows.to_list() == [1, 3]
    assert [row for part in (chunk, *rest) for row in part.rejected["row"].to_list()] == [2]


def test_a_header_that_cannot_be_read_is_a_data_error(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("a" * 200_000 + ",b\n1,2\n")
    with pytest.raises(DataError, match="header can't be read"):
        only(path)


def test_a_very_long_field_below_the_header_is_a_field(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("a;b\n1;2\n3;" + "x" * 200_000 + "\n")
    assert only(path).columns() == ["a", "b"]
    assert [len(b) for b in whole(only(path))["b"]] == [1, 200_000]


def test_a_workbook_is_told_from_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "log.xlsx"
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("[Content_Types].xml", "<Types/>")
    with pytest.raises(DataError, match="save the sheet as CSV"):
        only(path)

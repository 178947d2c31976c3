"""Files, wide tables, databases and odd spellings become the same rows."""

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from data.holdings.conftest import fill, trades
from nextbest.data.holdings.book import Book
from nextbest.errors import DataError, InputError

LONG = pl.DataFrame(
    {
        "asset_id": ["ROUBLE", "ROUBLE", "SILENT"],
        "day": [date(2024, 2, 5), date(2024, 2, 6), date(2024, 2, 6)],
        "close": [101.0, 102.5, 7.0],
    }
)


def _new_closes(book: Book) -> list[tuple[str, date, float]]:
    found = book.connection().sql(
        "SELECT asset_id, day, close FROM asset_prices JOIN assets USING (asset_idx) WHERE day > '2024-02-02' ORDER BY ALL"
    )
    return found.fetchall()


def test_a_long_file_a_wide_one_a_parquet_and_a_database_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text(
        "Ticker;Date;Close\nROUBLE;05.02.2024;101,0\nROUBLE;06.02.2024;102,5\nSILENT;06.02.2024;7,0\n"
    )
    (tmp_path / "wide.csv").write_text("date,ROUBLE,SILENT\n2024-02-05,101.0,\n2024-02-06,102.5,7.0\n")
    LONG.write_parquet(tmp_path / "long.parquet")
    with duckdb.connect(str(tmp_path / "bank.duckdb")) as bank:
        bank.register("long", LONG.to_arrow())
        bank.execute("CREATE TABLE prices AS SELECT * FROM long")
    inputs = [
        LONG,
        *(tmp_path / n for n in ("long.csv", "wide.csv", "long.parquet")),
        f"duckdb:///{tmp_path}/bank.duckdb?table=prices",
    ]
    for i, source in enumerate(inputs):
        with fill(Book.create(tmp_path / f"book{i}", base_currency="RUB")) as book:
            report = book.add("asset_prices", source)
            assert (report.kept, report.quarantined) == (3, {})
            assert _new_closes(book) == LONG.rows()


def test_a_file_without_an_asset_is_the_asset_of_its_name(book: Book, tmp_path: Path) -> None:
    for name, close in (("ROUBLE", 101.0), ("SILENT", 7.0)):
        (tmp_path / f"{name}.csv").write_text(f"timestamp,close\n2024-02-05 18:45:00,{close}\n")
    report = book.add("asset_prices", [tmp_path / "ROUBLE.csv", tmp_path / "SILENT.csv"])
    assert report.added == 2
    assert _new_closes(book) == [("ROUBLE", date(2024, 2, 5), 101.0), ("SILENT", date(2024, 2, 5), 7.0)]
    assert "asset_id taken from the file's name" in report.notes[0]


def test_a_wide_cell_that_cant_be_read_is_refused_alone(book: Book, tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_text("date,ROUBLE,SILENT\n2024-02-05,x,6\n2024-02-06,102.5,7.0\n")
    report = book.add("asset_prices", tmp_path / "wide.csv")
    assert (report.read, report.kept, report.quarantined) == (4, 3, {"bad_close": 1})
    assert book.quarantine()["raw"].to_list() == ['{"date":"2024-02-05","asset_id":"ROUBLE","close":"x"}']


def test_a_moment_is_the_day_it_was_at_the_exchange(book: Book) -> None:
    late = datetime(2024, 1, 9, 22, 30, tzinfo=UTC)  # half past one in Moscow
    rows = trades(("t1", "ann", "ROUBLE", date(2024, 1, 9), 1.0, 100.0)).with_columns(day=pl.lit(late))
    book.add("trades", rows)
    assert book.account("ann").trades["day"].to_list() == [date(2024, 1, 10)]


def test_trades_without_ids_get_some_that_stay(book: Book) -> None:
    rows = trades(*[("", "ann", "ROUBLE", date(2024, 1, 9), 1.0, 100.0)] * 2).drop("trade_id")
    assert book.add("trades", rows).repaired == {"asset_currency": 2, "made_trade_id": 2}
    assert book.add("trades", rows).added == 0
    assert book.account("ann").trades.height == 2


def test_dates_that_can_be_read_two_ways_ask_which(book: Book, tmp_path: Path) -> None:
    (tmp_path / "fx.csv").write_text("currency,day,rate\nEUR,01/02/2024,100\n")
    with pytest.raises(DataError, match="day first or month first"):
        book.add("fx", tmp_path / "fx.csv")
    assert book.add("fx", tmp_path / "fx.csv", day_first=True).added == 1


def test_a_missing_column_is_named_with_what_there_is(book: Book) -> None:
    with pytest.raises(DataError, match=r"column\(s\) \['quantity'\] of trades missing.*has.*'sold'.*units"):
        book.add(
            "trades", trades(("t", "ann", "ROUBLE", date(2024, 1, 9), 1.0, 1.0)).rename({"quantity": "sold"})
        )


def test_an_unknown_kind_names_those_there_are(book: Book) -> None:
    with pytest.raises(InputError, match=r"kind: must be one of .*'cash_flows'"):
        book.add("orders", LONG)  # type: ignore[arg-type]

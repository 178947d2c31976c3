"""Candles in any of their usual clothes come out as one table; what can't be one says why."""

import json
import zipfile
from datetime import UTC, datetime, timedelta
from math import inf

import duckdb
import polars as pl
import pytest

from data.prices.files import DAY, HOUR, START, bars, changed
from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.reading import check_candles, read_prices
from nextbest.errors import DataError, InputError
from nextbest.tables import PRICES, QUARANTINE


def reasons(table):
    return dict(table.quarantine.select("row", "reason").rows())


def write_csv(path, text):
    path.write_text(text, encoding="utf-8")
    return path


# --- clothes ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "spell",
    [
        lambda t: t.with_columns(pl.col("time").dt.epoch("s").alias("timestamp")).drop("time"),
        lambda t: t.with_columns(pl.col("time").dt.epoch("ms").alias("open_time")).drop("time"),
        lambda t: t.with_columns(pl.col("time").dt.epoch("us").alias("unix")).drop("time"),
        lambda t: t.with_columns(pl.col("time").dt.cast_time_unit("ns").alias("Date")).drop("time"),
        lambda t: t.with_columns(pl.col("time").dt.strftime("%Y-%m-%d %H:%M:%S UTC").alias("DateTime")).drop(
            "time"
        ),
        lambda t: t.rename({c: c.upper() for c in t.columns}),
        lambda t: t.rename({c: f"<{c}>" for c in t.columns}),
        lambda t: t.with_columns(
            pl.col("time").dt.strftime("%H:%M").alias("Time"),
            pl.col("time").dt.strftime("%d.%m.%Y").alias("Date"),
        ).drop("time"),
    ],
)
@pytest.mark.parametrize("form", ["csv", "parquet", "feather"])
def test_times_and_names_are_read_however_they_are_spelt(tmp_path, spell, form):
    path = tmp_path / f"BTC_USDT-1h.{form}"
    table = spell(bars(20))
    {"csv": table.write_csv, "parquet": table.write_parquet, "feather": table.write_ipc}[form](path)
    read = read_prices(path)
    assert read.prices.drop("asset_id").equals(bars(20))
    assert read.prices["asset_id"].unique().to_list() == ["BTC_USDT"]
    assert read.step == HOUR
    assert PRICES.check(read.prices) is read.prices
    assert read.report.read == read.report.stored == 20


def test_the_asset_comes_from_the_call_then_a_column_then_the_name_of_the_file(tmp_path):
    path = tmp_path / "ETHUSD_60.csv"
    bars(3).write_csv(path)
    assert read_prices(path).prices["asset_id"][0] == "ETHUSD"
    bars(3).with_columns(Symbol=pl.lit("ETH")).write_csv(path)
    assert read_prices(path).prices["asset_id"][0] == "ETH"
    assert read_prices(path, asset_id="X").prices["asset_id"][0] == "X"
    with pytest.raises(DataError, match=r"no column says the asset.*asset_id="):
        read_prices(bars(3))


def test_archives_without_a_header_are_read_by_their_layout(tmp_path):
    kraken = write_csv(
        tmp_path / "XBTUSD_60.csv", "1704067200,3.0,3.0,3.0,3.0,1.5,2\n1704070800,3.0,5,3,4,2,9\n"
    )
    read = read_prices(kraken, source="kraken")
    assert read.prices["close"].to_list() == [3.0, 4.0]
    with pytest.raises(DataError, match=r"has no header.*'binance', 'kraken'"):
        read_prices(kraken)
    with pytest.raises(DataError, match="has 7 columns, the layout 12"):
        read_prices(kraken, source="binance")
    with pytest.raises(InputError, match="source: must be one of"):
        read_prices(kraken, source="bloomberg")


@pytest.mark.parametrize("unit", [1_000, 1_000_000])
def test_binance_klines_are_read_in_milli_and_in_microseconds_with_and_without_header(tmp_path, unit):
    row = "{},1,3,1,2,7,{},14,5,3,6,0\n"
    rows = [row.format((1704067200 + 3600 * i) * unit, 0) for i in range(3)]
    bare = write_csv(tmp_path / "BTCUSDT-1h-2024-01.csv", "".join(rows))
    header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,tb,tq,ignore\n"
    named = write_csv(tmp_path / "ETHUSDT-1h-2024-01.csv", header + "".join(rows))
    read = read_prices([bare, named], source="binance")
    assert read.prices["asset_id"].unique().sort().to_list() == ["BTCUSDT", "ETHUSDT"]
    assert read.prices["time"].min() == START
    assert read.prices["volume"].unique().to_list() == [7.0]


def test_a_line_above_the_header_is_passed_over(tmp_path):
    text = "Created on 10-22-2020,https://www.example.org\nUnix Timestamp,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USD\n"
    text += "1603324800.0,2020-10-22,BTCUSD,12,13,11,12.5,4,50\n1603238400.0,2020-10-21,BTCUSD,11,12,10,11.5,3,40\n"
    read = read_prices(write_csv(tmp_path / "Coinbase_BTCUSD_d.csv", text))
    assert read.prices.select("close", "volume").rows() == [(11.5, 3.0), (12.5, 4.0)]
    assert read.report.quarantined == 0
    assert read.step == DAY


def test_the_zip_of_euro_rates_is_a_table_of_days_by_currencies(tmp_path):
    path = tmp_path / "eurofxref-hist.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("eurofxref-hist.csv", "Date,USD,CYP,\n2026-10-30,1.1172,N/A,\n2026-10-29,1.2,0.5,\n")
    read = read_prices(path, source="ecb")
    assert read.prices.select("asset_id", "close").rows() == [
        ("EURCYP", 0.5),
        ("EURUSD", 1.2),
        ("EURUSD", 1.1172),
    ]
    assert read.prices["open"].null_count() == 3


def test_a_price_at_midnight_is_the_close_of_the_day_before(tmp_path):
    text = "snapped_at,price,market_cap,total_volume\n2024-01-02 00:00:00 UTC,50,9,100\n2024-01-03 00:00:00 UTC,40,9,80\n"
    text += "2024-01-04 00:00:00 UTC,40,9,80\n2024-01-04 10:30:00 UTC,41,9,80\n"
    read = read_prices(write_csv(tmp_path / "btc-usd-max.csv", text), step=DAY)
    assert read.prices["time"].to_list()[0] == START
    assert read.prices["volume"].to_list() == [2.0, 2.0, 2.0]  # turnover over price
    assert reasons(read) == {4: "off_step"}
    assert any("one step before" in note for note in read.report.notes)


def test_a_database_is_read_by_its_url(tmp_path):
    with duckdb.connect(str(tmp_path / "p.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE candles AS SELECT 'A' AS ticker, TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR AS time, 5.0 + i AS price FROM range(4) t(i)"
        )
    read = read_prices(f"duckdb:///{tmp_path}/p.duckdb?table=candles")
    assert read.prices["close"].to_list() == [5.0, 6.0, 7.0, 8.0]


# --- what can't be a candle ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"close": 0.0}, "nonpositive_price"),
        ({"low": -3.0}, "nonpositive_price"),
        ({"close": inf}, "non_finite_price"),
        ({"close": None}, "no_close"),
        ({"volume": -1.0}, "negative_volume"),
        ({"volume": inf}, "non_finite_volume"),
        ({"high": 100.0}, "ohlc_inconsistent"),
        ({"low": 105.5}, "ohlc_inconsistent"),
        ({"time": None}, "no_time"),
        ({"time": START + 5 * HOUR + timedelta(minutes=7)}, "off_step"),
    ],
)
def test_a_row_that_is_no_candle_goes_to_quarantine_with_its_reason(change, reason):
    read = read_prices(changed(bars(20), 5, **change), asset_id="A")
    assert reasons(read) == {6: reason}
    assert read.report.reasons == {reason: 1}
    assert read.report.read == read.report.stored + read.report.quarantined == 20
    assert QUARANTINE.check(read.quarantine)["raw"].str.json_path_match("$.open")[0] == "104.5"


def test_text_that_is_no_number_or_time_and_a_row_too_short_are_told_by_row(tmp_path):
    text = "time,open,high,low,close,volume\n2024-01-01,1,1,1,1,1\nyesterday,1,1,1,1,1\n2024-01-03,1,1,1,x,1\n2024-01-04,1\n"
    text += "2024-01-05,1,1,1,1,1\n2024-01-06,1,1,1,1,lots\n2024-01-07,1,1,1,inf,1\n2024-01-08,1,1,1,1,1\n2024-01-09,1,1,1,1,1\n2024-01-10,1,1,1,1,1\n"
    read = read_prices(write_csv(tmp_path / "A.csv", text))
    assert reasons(read) == {
        2: "unreadable_time",
        3: "unreadable_price",
        4: "ragged_row",
        6: "unreadable_volume",
        7: "non_finite_price",
    }
    assert json.loads(read.quarantine["raw"][0])["time"] == "yesterday"
    assert read.report.stored == 5


def test_of_equal_candles_at_one_time_one_stays_and_of_different_ones_none():
    table = pl.concat([bars(10), bars(10)[3:4], changed(bars(10), 7, close=107.25)[7:8]])
    read = read_prices(table, asset_id="A")
    assert reasons(read) == {11: "duplicate_same", 8: "duplicate_conflict", 12: "duplicate_conflict"}
    assert len(read.prices) == 9


def test_a_close_off_its_high_by_rounding_only_is_a_candle():
    table = changed(bars(5), 2, high=102.0 * (1 - 1e-13), low=101.0)
    assert read_prices(table, asset_id="A").report.quarantined == 0


def test_a_source_with_no_candle_at_all_says_why():
    with pytest.raises(DataError, match=r"no row is a candle; found: \['nonpositive_price: 3'\]"):
        read_prices(bars(3).with_columns(close=pl.lit(0.0)), asset_id="A")


def test_a_source_without_a_time_or_a_close_names_its_columns():
    with pytest.raises(DataError, match=r"no column says the time.*it has"):
        read_prices(bars(3).rename({"time": "x"}), asset_id="A")
    with pytest.raises(DataError, match=r"no column says the close.*it has"):
        read_prices(bars(3).drop("close"), asset_id="A")


# --- steps, zones, clock changes ----------------------------------------------------------------
def test_sources_of_two_steps_are_refused_until_one_is_named(tmp_path):
    bars(48).write_csv(tmp_path / "A-1h.csv")
    bars(4, step=DAY).write_csv(tmp_path / "A-1d.csv")
    with pytest.raises(DataError, match=r"bars of 2 steps.*1h in.*A-1h.*1d in.*A-1d.*state step="):
        read_prices(tmp_path)
    read = read_prices(tmp_path, step=DAY)
    assert (read.report.stored, read.report.left_out) == (4, 48)


def test_times_without_a_zone_are_of_the_zone_named():
    naive = bars(5).with_columns(pl.col("time").dt.replace_time_zone(None))
    read = read_prices(naive, asset_id="A", zone="Europe/Moscow")
    assert read.prices["time"][0] == START - 3 * HOUR
    with pytest.raises(InputError, match="IANA"):
        read_prices(naive, asset_id="A", zone="Mars/Base")


@pytest.mark.parametrize("descending", [False, True])
def test_the_hour_that_a_clock_has_twice_is_two_bars(tmp_path, descending):
    """In Berlin 2024-10-27 02:00 comes twice, as 00:00 and 01:00 UTC."""
    first = datetime(2024, 10, 26, 20, tzinfo=UTC)
    table = bars(12, start=first).with_columns(
        pl.col("time").dt.convert_time_zone("Europe/Berlin").dt.strftime("%Y-%m-%d %H:%M")
    )
    path = tmp_path / "A.csv"
    table.sort(pl.int_range(pl.len()), descending=descending).write_csv(path)
    read = read_prices(path, zone="Europe/Berlin")
    assert read.prices.drop("asset_id").equals(bars(12, start=first))
    assert any("1 bar(s) in the hour that Europe/Berlin has twice" in note for note in read.report.notes)


def test_a_true_duplicate_in_that_hour_stays_one():
    first = datetime(2024, 10, 26, 20, tzinfo=UTC)
    table = bars(12, start=first)
    twice = pl.concat([table, table.filter(pl.col("time") == datetime(2024, 10, 27, 0, tzinfo=UTC))])
    read = read_prices(twice, asset_id="A", zone="Europe/Berlin")
    assert read.report.reasons == {"duplicate_same": 1}


def test_days_are_those_of_the_zone_whatever_the_hour_of_summer():
    """New York's midnight is 05:00 UTC in winter and 04:00 in summer."""
    days = [
        datetime(2024, 3, 8, 5, tzinfo=UTC),
        datetime(2024, 3, 9, 5, tzinfo=UTC),
        datetime(2024, 3, 10, 5, tzinfo=UTC),
        datetime(2024, 3, 11, 4, tzinfo=UTC),
    ]
    table = pl.DataFrame(
        {"time": pl.Series(days, dtype=pl.Datetime("us", "UTC")), "close": [1.0, 2.0, 3.0, 4.0]}
    )
    read = read_prices(table, asset_id="A", zone="America/New_York")
    assert read.prices["time"].to_list() == [datetime(2024, 3, day, tzinfo=UTC) for day in (8, 9, 10, 11)]


def test_midnight_of_the_east_is_not_taken_for_the_day_before():
    """A bar of 2 January in Moscow opens at 21:00 UTC on the 1st; on the 1st it wasn't known."""
    table = bars(5, start=datetime(2024, 1, 1, 21, tzinfo=UTC), step=DAY)
    with pytest.raises(DataError, match=r"afternoon of UTC.*5 row.*state zone="):
        read_prices(table, asset_id="A")
    read = read_prices(table, asset_id="A", zone="Europe/Moscow")
    assert read.prices["time"][0] == datetime(2024, 1, 2, tzinfo=UTC)


def test_a_table_of_time_and_value_is_a_series_of_closes():
    table = bars(3).select("time", value="close")
    assert read_prices(table, asset_id="A").prices["close"].to_list() == [100.0, 101.0, 102.0]


def test_candles_of_a_known_step_keep_their_times_however_few():
    table = bars(2, start=datetime(2024, 1, 1, 16, tzinfo=UTC), step=3 * DAY).with_columns(
        asset_id=pl.lit("A")
    )
    read = check_candles(table, step=DAY, name="x")
    assert read.prices["time"].to_list() == table["time"].to_list()
    assert check_candles(table.with_columns(close=pl.lit(0.0)), step=DAY, name="x").prices.is_empty()


def test_months_are_one_step_however_long_they_are():
    months = [datetime(2024, m, 1, tzinfo=UTC) for m in range(1, 13)]
    table = pl.DataFrame(
        {"time": pl.Series(months, dtype=pl.Datetime("us", "UTC")), "close": [float(m) for m in range(1, 13)]}
    )
    read = read_prices(table, asset_id="A")
    assert read.step == timedelta(days=28)
    assert PricePanel.of(read.prices, step=read.step).n_bars == 12


def test_one_bar_needs_its_step_told():
    with pytest.raises(DataError, match="state step="):
        read_prices(bars(1), asset_id="A")
    assert read_prices(bars(1), asset_id="A", step=HOUR).report.stored == 1
    with pytest.raises(DataError, match=r"no row is a candle; found: \['of another step: 4'\]"):
        read_prices(bars(4), asset_id="A", step=DAY)


def test_an_empty_cell_of_a_table_of_assets_is_no_row():
    table = bars(4).select("time", A="close", B=pl.Series([1.0, float("nan"), None, 4.0]))
    read = read_prices(table)
    assert read.prices.group_by("asset_id").len().sort("asset_id").rows() == [("A", 4), ("B", 2)]
    assert read.report.read == 6

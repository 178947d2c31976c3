"""A table of forecasts is taken whole or refused with what is wrong, where, and how often."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from nextbest.errors import DataError
from nextbest.portfolio.forecasts import check_forecasts, read_forecasts
from nextbest.tables import TIME_DTYPE

CUTOFF = datetime(2024, 1, 3, tzinfo=UTC)


def table(*assets, **columns):
    """A row for each asset, a day ahead: 90, 100, 120; `columns` replace."""
    made = pl.DataFrame({"asset_id": assets or ("AAA",)}).with_columns(
        cutoff=pl.lit(CUTOFF, TIME_DTYPE),
        time=pl.lit(CUTOFF + timedelta(days=1), TIME_DTYPE),
        q10=90.0,
        q50=100.0,
        q90=120.0,
    )
    return made.with_columns(**{k: v if isinstance(v, pl.Series) else pl.lit(v) for k, v in columns.items()})


@pytest.mark.parametrize("suffix", ["csv", "parquet", "feather"])
def test_what_market_forecast_writes_is_read_from_each_kind_of_file(tmp_path, suffix):
    written = table("BBB", "AAA", horizon=1, close=100.0, mean=pl.Series([None, None], dtype=pl.Float64))
    file = tmp_path / f"forecasts.{suffix}"
    write = {"csv": written.write_csv, "parquet": written.write_parquet, "feather": written.write_ipc}
    write[suffix](file)
    read = read_forecasts(file)
    assert read["horizon"].to_list() == [1, 1]
    assert read["asset_id"].to_list() == ["AAA", "BBB"]
    assert read.select("cutoff", "time", "q10", "q50", "q90").row(0) == (
        CUTOFF,
        CUTOFF + timedelta(days=1),
        90.0,
        100.0,
        120.0,
    )


def test_times_of_other_zones_and_precisions_are_the_same_moments(tmp_path):
    nano = table().with_columns(
        pl.col("time").cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone("Asia/Tokyo")
    )
    nano.write_parquet(tmp_path / "f.parquet")
    assert read_forecasts(tmp_path / "f.parquet").equals(table())
    (tmp_path / "f.csv").write_text(
        "asset_id,cutoff,time,q10,q50,q90\nAAA,2024-01-03T00:00:00Z,2024-01-04T03:00:00+03:00,90,100,120\n"
    )
    assert read_forecasts(tmp_path / "f.csv").equals(table())


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ("2024-01-03,2024-01-04T00:00:00Z,90,100,120", "cutoff must be times with a zone"),
        ("2024-01-03T00:00:00Z,soon,90,100,120", "time must be times with a zone.*'soon'"),
        ("2024-01-03T00:00:00Z,2024-01-04T00:00:00Z,ninety,100,120", "q10 must be numbers.*'ninety'"),
        ("2024-01-03T00:00:00Z,2024-01-04T00:00:00Z,,100,120", "q10 must not be null"),
        ("2024-01-03T00:00:00Z,2024-01-04T00:00:00Z,90", "rows must have the header's columns"),
    ],
)
def test_a_cell_that_cannot_be_meant_is_shown(tmp_path, cells, words):
    file = tmp_path / "f.csv"
    file.write_text(f"asset_id,cutoff,time,q10,q50,q90\nAAA,{cells}\n")
    with pytest.raises(DataError, match=words):
        read_forecasts(file)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (table().drop("q90"), r"column\(s\) \['q90'\] missing"),
        (table().clear(), "holds no row"),
        (table(q50=float("nan")), "must be numbers above zero.*'AAA 2024-01-04 00:00'"),
        (table(q10=0.0), "must be numbers above zero"),
        (table(q90=float("inf")), "must be numbers above zero"),
        (table(close=-1.0), "close must be numbers above zero"),
        (table(close="1"), r"column\(s\) \['close'\] must be numbers"),
        (table(q10=101.0), "must not cross"),
        (table(q90=99.0), "must not cross"),
        (table("AAA", "AAA"), "one row for each cutoff and time"),
        (table().with_columns(time="cutoff"), "time must lie after the cutoff"),
        (
            pl.concat([table(currency="RUB"), table(currency="USD").with_columns(pl.col("time").dt.offset_by("1d"))]),
            "one currency; 2 row",
        ),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_meant_is_refused_as_a_whole(broken, words):
    with pytest.raises(DataError, match=words):
        check_forecasts(broken)


def test_a_file_without_a_row_says_who_writes_one(tmp_path):
    (tmp_path / "f.csv").write_text("asset_id,cutoff,time,q10,q50,q90\n")
    with pytest.raises(DataError, match=r"holds no row; run `nextbest market forecast"):
        read_forecasts(tmp_path / "f.csv")

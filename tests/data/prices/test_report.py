"""The report says what a reader must know of each asset before trusting a figure made of it."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from data.prices.files import DAY, HOUR, START, bars, changed
from nextbest.data.prices.reading import read_prices
from nextbest.data.prices.report import suspected_splits
from nextbest.data.prices.splits import adjust_for_splits
from nextbest.errors import DataError


def report_of(*tables, **told):
    assets = [t.with_columns(asset_id=pl.lit(name)) for name, t in zip("ABC", tables, strict=False)]
    return read_prices(list(assets), **told).report


def without(table, *rows):
    return table.filter(~pl.int_range(pl.len()).is_in(list(rows)))


def test_gaps_are_counted_and_the_first_five_and_the_longest_are_named():
    report = report_of(without(bars(100), 3, 10, 11, 20, 30, 40, 50, 51, 52))
    asset = report.assets[0]
    assert (asset.n_gaps, asset.n_missing) == (6, 9)
    assert [gap.bars for gap in asset.first_gaps] == [1, 2, 1, 1, 1]
    longest = asset.longest_gap
    assert (longest.after, longest.before, longest.bars) == (START + 49 * HOUR, START + 53 * HOUR, 3)


def test_a_weekend_is_no_gap_but_a_month_without_a_session_and_a_missing_friday_are():
    days = bars(140, step=DAY)
    sessions = days.filter(pl.col("time").dt.weekday() <= 5)
    closed = pl.col("time").dt.month() == 3
    other = sessions.filter(~closed)
    friday = other.filter(pl.col("time").dt.date() != date(2024, 2, 2))
    report = report_of(other, friday)
    assert [(a.n_gaps, a.n_missing) for a in report.assets] == [(1, 0), (2, 1)]
    assert report.assets[0].longest_gap.bars == 0


def test_an_asset_that_ends_before_the_others_says_by_how_many_bars():
    report = report_of(bars(50), bars(30))
    assert [asset.ends_early for asset in report.assets] == [0, 20]
    assert any("ends 20 bars before the others" in line for line in report.lines())


def test_bars_without_a_trade_in_a_row_are_a_halt():
    table = bars(40)
    for row in (3, 10, 11, 12, 13, 20, 21):
        table = changed(table, row, volume=0.0)
    asset = report_of(table).assets[0]
    assert asset.n_halts == 1
    assert (asset.longest_halt.start, asset.longest_halt.bars) == (START + 10 * HOUR, 4)


def test_days_that_somebody_filled_show_as_closes_that_repeat():
    days = bars(70, step=DAY)
    weekday = pl.col("time").dt.weekday() <= 5
    filled = days.with_columns(close=pl.when(weekday).then("close").forward_fill()).select("time", "close")
    asset = report_of(filled).assets[0]
    assert asset.n_repeated == 20
    assert (
        "  29% of its closes repeat the one before: filled by the source, or hardly traded"
        in report_of(filled).lines()
    )
    assert report_of(days).assets[0].n_repeated == 0


def walk(jump_at=None, factor=1.0, n=200, spike=False):
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    if jump_at is not None:
        close[jump_at : jump_at + 1 if spike else n] *= factor
    times = [START + i * DAY for i in range(n)]
    return pl.DataFrame({"time": pl.Series(times, dtype=pl.Datetime("us", "UTC")), "close": close})


@pytest.mark.parametrize(
    ("factor", "ratio"), [(0.5, 2.0), (0.1, 10.0), (2 / 3, 1.5), (8.0, 0.125), (0.0095, 100.0)]
)
def test_a_jump_by_a_usual_ratio_is_suspected_and_left_as_it_is(factor, ratio):
    table = walk(100, factor)
    read = read_prices(table, asset_id="A")
    (split,) = read.report.assets[0].suspected_splits
    assert split.time == START + 100 * DAY
    assert split.ratio == pytest.approx(ratio)
    np.testing.assert_array_equal(read.prices["close"].to_numpy(), table["close"].to_numpy())
    assert any("nothing was adjusted" in line for line in read.report.lines())


@pytest.mark.parametrize("table", [walk(), walk(100, 0.8), walk(100, 0.5, spike=True), walk(n=2)])
def test_a_walk_a_usual_fall_and_a_spike_that_comes_back_are_no_splits(table):
    assert suspected_splits(table) == ()


def test_a_table_of_splits_adjusts_what_came_before_them():
    prices = read_prices(walk(100, 0.5).with_columns(volume=pl.lit(4.0)), asset_id="A").prices
    day = (START + 100 * DAY).date()
    splits = pl.DataFrame(
        {"asset_id": ["A", "A", "Z"], "day": [day, day + timedelta(days=300), day], "ratio": [2.0, 3.0, 9.0]}
    )
    adjusted = adjust_for_splits(prices, splits)
    assert suspected_splits(adjusted) == ()
    ratio = (prices["close"] / adjusted["close"]).to_numpy()
    np.testing.assert_allclose(ratio, [6.0] * 100 + [3.0] * 100)
    np.testing.assert_allclose((adjusted["volume"] / prices["volume"]).to_numpy(), ratio)
    assert adjusted.columns == prices.columns


def test_splits_that_can_not_be_are_refused():
    prices = read_prices(walk(), asset_id="A").prices
    day = START.date()
    with pytest.raises(DataError, match="ratio must be above zero"):
        adjust_for_splits(prices, pl.DataFrame({"asset_id": ["A"], "day": [day], "ratio": [0.0]}))
    with pytest.raises(DataError, match="two splits on a day"):
        adjust_for_splits(
            prices, pl.DataFrame({"asset_id": ["A"] * 2, "day": [day] * 2, "ratio": [2.0, 2.0]})
        )


def test_a_split_that_the_closes_show_on_another_day_is_refused_with_that_day():
    prices = read_prices(walk(100, 0.5), asset_id="A").prices
    day = (START + 98 * DAY).date()
    with pytest.raises(DataError, match=r"A 2024-04-08 2 : 1, 2024-04-10 does.*correct the day"):
        adjust_for_splits(prices, pl.DataFrame({"asset_id": ["A"], "day": [day], "ratio": [2.0]}))
    calm = read_prices(walk(), asset_id="A").prices
    with pytest.raises(DataError, match=r"A 2024-04-08 2 : 1'.*adjusted for already"):
        adjust_for_splits(calm, pl.DataFrame({"asset_id": ["A"], "day": [day], "ratio": [2.0]}))


def test_the_report_is_told_in_lines_and_kept_as_json():
    report = report_of(changed(without(bars(30), 5), 8, close=0.0))
    assert report.lines()[0] == "28 bars of 1h of 1 asset(s)"
    assert "quarantine: 1 (nonpositive_price 1)" in report.lines()
    assert type(report).model_validate_json(report.model_dump_json()) == report

"""A panel is frozen, owns its memory, and its parts hold no more than they say."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.data.prices.panel import FIELDS, PricePanel
from nextbest.data.prices.steps import find_step, parse_step, step_name
from nextbest.errors import DataError, InputError

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)


def closes(asset, values, *, start=START, step=HOUR):
    """Rows of one asset; a None is an absent bar."""
    times = [start + i * step for i in range(len(values))]
    rows = [(asset, t, float(v)) for t, v in zip(times, values, strict=True) if v is not None]
    schema = {"asset_id": pl.String, "time": pl.Datetime("us", "UTC"), "close": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def candles(n_bars=48, *, n_assets=2, start=START, step=HOUR, seed=0):
    rng = np.random.default_rng(seed)
    close_AT = np.exp(np.cumsum(rng.normal(0, 0.01, (n_assets, n_bars)), axis=1))
    open_AT = np.exp(rng.normal(0, 0.001, close_AT.shape)) * close_AT
    first = np.datetime64(start.replace(tzinfo=None), "us")
    return PricePanel(
        asset_ids=tuple(f"A{i}" for i in range(n_assets)),
        time_T=first + np.arange(n_bars) * np.timedelta64(step),
        step=step,
        open_AT=open_AT,
        high_AT=np.maximum(open_AT, close_AT) * 1.001,
        low_AT=np.minimum(open_AT, close_AT) * 0.999,
        close_AT=close_AT,
        volume_AT=rng.exponential(size=close_AT.shape),
    )


def test_a_bar_that_is_missing_is_nan_and_so_are_both_returns_beside_it():
    panel = PricePanel.of(closes("A", [1, 2, 4, 4, 4, None, 8, 8, 8]))
    np.testing.assert_array_equal(panel.close_AT[0], [1, 2, 4, 4, 4, np.nan, 8, 8, 8])
    np.testing.assert_allclose(panel.log_return_AT[0] / np.log(2), [np.nan, 1, 1, 0, 0, np.nan, np.nan, 0, 0])
    assert np.isnan(panel.open_AT).all()


def test_a_market_that_closes_at_weekends_has_no_weekend_bars():
    fortnight = [1, 2, 3, 4, 5, None, None, 6, 7, 8, 9, 10, None, None, 11]
    panel = PricePanel.of(closes("A", fortnight, step=DAY))  # 2024-01-01 is a Monday
    assert panel.n_bars == 11
    assert np.isnan(panel.log_return_AT).sum() == 1


def test_assets_are_in_the_order_asked_and_an_unknown_one_is_refused():
    table = pl.concat([closes("B", [1, 2, 3]), closes("A", [4, 5, 6])])
    assert PricePanel.of(table).asset_ids == ("A", "B")
    assert PricePanel.of(table, assets=["B", "A"]).close_AT[0, 0] == 1
    assert PricePanel.of(table, assets=["B"]).select(["B"]).n_assets == 1
    with pytest.raises(InputError, match="not all in the table; got \\['C'\\]"):
        PricePanel.of(table, assets=["A", "C"])
    with pytest.raises(InputError, match="not all in the panel"):
        PricePanel.of(table).select(["C"])


def test_arrays_are_read_only_and_belong_to_the_panel():
    panel = candles()
    for name in FIELDS:
        array = getattr(panel, f"{name}_AT")
        assert array.base is None
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        panel.log_return_AT[0, 0] = 1.0


def test_a_change_of_the_given_array_does_not_reach_the_panel():
    given_AT = np.full((1, 3), 5.0)
    time_T = np.datetime64("2024-01-01", "us") + np.arange(3) * np.timedelta64(HOUR)
    panel = PricePanel(("A",), time_T, HOUR, *[given_AT] * 5)
    given_AT[:] = 7.0
    assert (panel.close_AT == 5.0).all()


def test_until_hands_over_a_copy_without_a_way_to_the_future():
    panel = candles(48)
    known = panel.until(10, length=4)
    assert known.time_T.tolist() == panel.time_T[6:10].tolist()
    for name in (*(f"{field}_AT" for field in FIELDS), "time_T"):
        part = getattr(known, name)
        assert part.base is None
        assert not np.shares_memory(part, getattr(panel, name))
        np.testing.assert_array_equal(part, getattr(panel, name)[..., 6:10])
    assert panel.until(10).n_bars == 10
    assert panel.until(3, length=100).n_bars == 3


@pytest.mark.parametrize(("stop", "length"), [(-1, None), (49, None), (5, 0)])
def test_until_refuses_bars_that_there_are_not(stop, length):
    with pytest.raises(InputError):
        candles(48).until(stop, length=length)


def test_period_takes_its_start_and_leaves_its_end():
    panel = candles(48)
    part = panel.period(START + 2 * HOUR, (START + 5 * HOUR).replace(tzinfo=None))
    assert part.time_T.tolist() == panel.time_T[2:5].tolist()
    assert panel.period(start=(START + DAY).date()).n_bars == 24
    assert panel.period(end=START).n_bars == 0


def test_a_day_is_made_of_its_hours_and_half_a_day_is_left_out():
    panel = candles(24 * 3 + 13)
    days = panel.resample(DAY)
    assert days.n_bars == 3
    hours = slice(24, 48)
    np.testing.assert_array_equal(days.open_AT[:, 1], panel.open_AT[:, 24])
    np.testing.assert_array_equal(days.high_AT[:, 1], panel.high_AT[:, hours].max(1))
    np.testing.assert_array_equal(days.low_AT[:, 1], panel.low_AT[:, hours].min(1))
    np.testing.assert_array_equal(days.close_AT[:, 1], panel.close_AT[:, 47])
    np.testing.assert_allclose(days.volume_AT[:, 1], panel.volume_AT[:, hours].sum(1))


def test_a_day_keeps_the_last_close_that_was_there_and_an_empty_one_is_nan():
    values = [float(i + 1) for i in range(24 * 20)]
    values[23] = None
    values[48:72] = [None] * 24
    days = PricePanel.of(closes("A", values)).resample(DAY)
    assert days.close_AT[0, :2].tolist() == [23.0, 48.0]
    assert np.isnan(days.close_AT[0, 2])
    assert np.isnan(days.volume_AT).all()


def test_weeks_begin_on_monday_and_a_week_of_four_days_at_the_end_is_left_out():
    days = [1, 2, 3, 4, 5, None, None] * 3 + [9, 9, 9, 9]
    weeks = PricePanel.of(closes("A", days, step=DAY)).resample(timedelta(weeks=1))
    assert weeks.close_AT[0].tolist() == [5, 5, 5]
    assert weeks.time_T[0] == np.datetime64("2024-01-01")


def test_resampling_in_two_steps_is_resampling_in_one():
    panel = candles(24 * 5)
    assert panel.resample(4 * HOUR).resample(DAY).digest() != panel.digest()
    once, twice = panel.resample(DAY), panel.resample(4 * HOUR).resample(DAY)
    for name in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(once, f"{name}_AT"), getattr(twice, f"{name}_AT"))


@pytest.mark.parametrize("step", [timedelta(minutes=90), timedelta(minutes=30), timedelta(0)])
def test_resample_refuses_what_is_no_multiple(step):
    with pytest.raises(InputError, match="step"):
        candles().resample(step)


def test_the_digest_is_that_of_the_bars_and_of_nothing_else():
    panel = candles()
    assert panel.digest() == PricePanel.of(panel.table().sample(fraction=1, shuffle=True, seed=1)).digest()
    changed = panel.close_AT.copy()
    changed[1, 7] *= 1 + 1e-15
    other = PricePanel(**{**panel._fields(), "close_AT": changed})
    assert other.digest() != panel.digest()


@given(st.lists(st.one_of(st.none(), st.floats(0.01, 1e6)), min_size=2, max_size=30))
def test_a_panel_and_its_table_say_the_same(values):
    table = closes("A", [1.0, *values, 2.0])
    panel = PricePanel.of(table, step=HOUR)
    again = panel.table()
    assert again.select("asset_id", "time", "close").equals(table)
    assert PricePanel.of(again, step=HOUR).digest() == panel.digest()


def test_bars_of_two_steps_are_refused_with_their_times():
    table = pl.concat([closes("A", [1, 2, 3]), closes("B", [1, 2], start=START + timedelta(minutes=30))])
    with pytest.raises(DataError, match=r"nearer to each other than 1h.*00:30"):
        PricePanel.of(table)


def test_a_time_twice_is_refused_with_the_asset():
    with pytest.raises(DataError, match=r"time twice.*A 2024-01-01"):
        PricePanel.of(pl.concat([closes("A", [1, 2]), closes("A", [1])]))


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf])
def test_a_price_that_is_none_is_refused(bad):
    with pytest.raises(InputError, match="close_AT"):
        PricePanel.of(closes("A", [1, bad, 2]))


def test_shapes_names_and_times_are_checked():
    panel = candles(4)
    for change in (
        {"asset_ids": ("A", "A")},
        {"close_AT": panel.close_AT[:, :3]},
        {"time_T": panel.time_T[::-1]},
        {"time_T": np.array(["NaT"] * 4, "datetime64[us]")},
    ):
        with pytest.raises(InputError):
            PricePanel(**{**panel._fields(), **change})
    with pytest.raises(DataError, match="holds no bar"):
        PricePanel.of(closes("A", []))
    assert "2 assets x 4 bars of 1h" in repr(panel)


@pytest.mark.parametrize("name", ["15m", "1h", "4h", "1d", "1w", "45s"])
def test_a_step_is_read_as_it_is_written(name):
    assert step_name(parse_step(name)) == name


@pytest.mark.parametrize("name", ["", "h", "0h", "1.5h", "1y", "-1d"])
def test_what_is_no_step_is_refused(name):
    with pytest.raises(InputError, match=r"whole number and one of"):
        parse_step(name)


def test_the_step_is_the_commonest_distance():
    assert find_step(closes("A", [1, 2, 3, None, 4, 5])) == HOUR
    with pytest.raises(DataError, match="state step="):
        find_step(closes("A", [1]))

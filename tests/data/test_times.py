"""Moments from the outside."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.data.cleaning.times import TimeReader
from nextbest.errors import DataError, InputError

JAN_2 = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def read(values: list[object], **options: object) -> list[datetime | None]:
    return TimeReader(**options).read(pl.Series(values))[0].to_list()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-02 03:04:05",
        "2024-01-02T03:04:05",
        "2024-01-02T03:04:05Z",
        "2024-01-02T06:04:05+03:00",
        "2024-01-02 03:04:05.000",
        "2024/01/02 03:04:05",
        "02.01.2024 03:04:05",
        "02 Jan 2024 03:04:05",
        "Jan 2, 2024 03:04:05",
        "20240102 030405",
        "20240102T030405",
        "1704164645",
        "1704164645.0",
        "1704164645000",
        "  2024-01-02 03:04:05 ",
        "Tue, 02 Jan 2024 03:04:05 +0000",
        "20240102030405"[:8] + " 03:04:05",
    ],
)
def test_a_moment_is_read_in_any_usual_form(text: str) -> None:
    assert read([text]) == [JAN_2]


def test_several_forms_may_stand_in_one_column() -> None:
    assert read(["2024-01-02", "02.01.2024", "1704153600", None, ""]) == [
        datetime(2024, 1, 2, tzinfo=UTC)
    ] * 3 + [None, None]


def test_unix_numbers_are_told_apart_by_size() -> None:
    seconds = 1704164645
    for scale in (1, 10**3, 10**6, 10**9):
        assert read([seconds * scale]) == [JAN_2]
    assert read([float(seconds), float("nan")]) == [JAN_2, None]


def test_numbers_that_all_look_like_dates_are_dates() -> None:
    assert read([20240102, 20240103]) == [datetime(2024, 1, d, tzinfo=UTC) for d in (2, 3)]
    values, unreadable = TimeReader().read(pl.Series([20240102, 20241399]))
    assert values.to_list()[1] is None
    assert unreadable.to_list() == [False, True]


def test_a_value_that_can_only_be_a_day_decides_the_order_of_the_file() -> None:
    assert read(["01/02/2024", "13/02/2024"])[0] == datetime(2024, 2, 1, tzinfo=UTC)
    assert read(["01/02/2024", "02/13/2024"])[0] == datetime(2024, 1, 2, tzinfo=UTC)
    assert read(["1/2/2024 3:04:05 AM"], day_first=False) == [JAN_2]
    assert read(["2/1/2024 3:04:05 AM"], day_first=True) == [JAN_2]
    assert read(["02.01.2024 03:04:05", "01/13/2024"], day_first=False)[0] == JAN_2


@pytest.mark.parametrize("values", [["01/02/2024"], ["13/02/2024", "02/13/2024"]])
def test_dates_that_nothing_settles_are_refused_not_guessed(values: list[str]) -> None:
    with pytest.raises(DataError, match=r"day first or month first.*set day_first"):
        read(values)


def test_what_the_first_chunk_decides_holds_for_the_next() -> None:
    reader = TimeReader()
    reader.read(pl.Series(["13/02/2024"]))
    assert reader.read(pl.Series(["01/02/2024"]))[0].to_list() == [datetime(2024, 2, 1, tzinfo=UTC)]


def test_two_digit_years_are_of_this_century_and_never_of_the_first() -> None:
    assert read(["01.02.24"]) == [datetime(2024, 2, 1, tzinfo=UTC)]


def test_naive_times_are_of_the_zone_that_is_told() -> None:
    noon = datetime(2024, 7, 1, 12)  # noqa: DTZ001 - naive on purpose
    expected = [datetime(2024, 7, 1, 9, tzinfo=UTC)]
    assert read([noon], time_zone="Europe/Moscow") == expected
    assert read(["2024-07-01 12:00"], time_zone="Europe/Moscow") == expected
    assert read(["2024-07-01T12:00:00+03:00"], time_zone="Asia/Tokyo") == expected
    assert read([date(2024, 7, 1)], time_zone="Europe/Moscow") == [datetime(2024, 6, 30, 21, tzinfo=UTC)]


def test_a_time_that_the_clocks_skip_is_unreadable_and_one_they_repeat_is_the_earlier() -> None:
    reader = TimeReader(time_zone="Europe/Berlin")
    values, unreadable = reader.read(pl.Series(["2024-03-31 02:30", "2024-10-27 02:30"]))
    assert unreadable.to_list() == [True, False]
    assert values[1] == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)


def test_zoned_and_coarse_datetimes_become_utc_microseconds() -> None:
    moscow = pl.Series([datetime(2024, 1, 2, 3, 4, 5)]).dt.replace_time_zone("Europe/Moscow")  # noqa: DTZ001
    for series in (moscow, moscow.dt.cast_time_unit("ms"), moscow.dt.convert_time_zone("UTC")):
        out = TimeReader().read(series)[0]
        assert out.dtype == pl.Datetime("us", "UTC")
        assert out.to_list() == [datetime(2024, 1, 2, 0, 4, 5, tzinfo=UTC)]


def test_a_format_of_ones_own_is_the_only_one_tried() -> None:
    assert read(["2024|01|02"], time_format="%Y|%m|%d") == [datetime(2024, 1, 2, tzinfo=UTC)]
    assert read(["2024-01-02"], time_format="%Y|%m|%d") == [None]


def test_nonsense_is_unreadable() -> None:
    values, unreadable = TimeReader().read(pl.Series(["soon", "2024-02-30", None]))
    assert values.null_count() == 3
    assert unreadable.to_list() == [True, True, False]


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(InputError, match="IANA"):
        TimeReader(time_zone="Moskau")


@given(st.lists(st.datetimes(datetime(1000, 1, 1), datetime(2100, 1, 1)), min_size=1))  # noqa: DTZ001
def test_iso_text_of_any_moment_comes_back_exactly(moments: list[datetime]) -> None:
    expected = [m.replace(tzinfo=UTC) for m in moments]
    assert read([m.isoformat() for m in moments]) == expected
    shifted = [m.replace(tzinfo=UTC) + timedelta(0) for m in moments]
    assert read([m.isoformat() for m in shifted]) == expected


@pytest.mark.parametrize("as_text", [True, False])
def test_days_of_a_spreadsheet_are_dates_not_the_first_day_of_unix(as_text) -> None:
    days = [45293.0, 45293.12783564815, None]
    reader = TimeReader(time_zone="Europe/Moscow")
    moments, bad = reader.read(pl.Series([d and str(d) for d in days] if as_text else days))
    assert moments.to_list() == [
        datetime(2024, 1, 1, 21, tzinfo=UTC),
        datetime(2024, 1, 2, 0, 4, 5, tzinfo=UTC),
        None,
    ]
    assert not bad.any()
    assert reader.notes == ["times read as days of a spreadsheet (1 = 1900-01-01)"]


def test_places_in_a_sequence_stay_seconds() -> None:
    assert read([1, 45_293, 90_000])[0] == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_a_time_may_name_utc_in_letters() -> None:
    moments, bad = TimeReader(time_zone="Europe/Moscow").read(pl.Series(["2024-01-01 03:00:00 UTC"]))
    assert moments.to_list() == [datetime(2024, 1, 1, 3, tzinfo=UTC)]
    assert not bad.any()

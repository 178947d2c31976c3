"""An outlook is forecasts over what is held: every number by hand, every asset left out with its reason, no sum sold as a quantile."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charts_page.test_page import Page, at
from nextbest.charts_page.disclaimer import DISCLAIMER
from nextbest.charts_page.page import to_html
from nextbest.errors import DataError, InputError
from nextbest.portfolio.documents import report_document
from nextbest.portfolio.outlook import outlook_document
from nextbest.portfolio.outlook_words import REASONS
from nextbest.tables import TIME_DTYPE
from portfolio.tracking.toy_books import START, plain_book
from portfolio.tracking.toy_books import table as rows_of

NOW = datetime(2024, 1, 3, 18, tzinfo=UTC)
"""Evening of the last day with prices."""
TODAY = datetime(2024, 1, 3, tzinfo=UTC)
STANDING = {"en": "not better than a random walk", "ru": "не лучше случайного блуждания"}


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """Ann holds 10 AAA at 100 and 2 CCC at 5 dollars, 90 roubles each: 1,000 + 900 roubles. The others are for one test each."""
    closes = {"AAA": [100.0, 100.0, 100.0], "BBB": [50.0, 50.0, 50.0], "CCC": [5.0, 5.0, 5.0]}
    with plain_book(tmp_path_factory.mktemp("book") / "b", closes, "ann", "idle", "split", "cash") as made:
        made.add("splits", rows_of("asset_id day ratio", ("BBB", START + timedelta(days=2), 2.0)))
        made.add(
            "trades",
            rows_of(
                "trade_id client_id asset_id day quantity price",
                ("t1", "ann", "AAA", START, 10.0, 100.0),
                ("t2", "ann", "CCC", START, 2.0, 5.0),
                ("t3", "split", "BBB", START, 4.0, 100.0),
                ("t4", "cash", "AAA", START, 1.0, 100.0),
            ),
        )
        made.add("cash_flows", rows_of("client_id day amount currency", ("cash", START, 400.0, "RUB")))
        yield made


def forecast(asset, q10, q50, q90, *, days=1, cutoff=TODAY, **more):
    return {"asset_id": asset, "cutoff": cutoff, "time": cutoff + timedelta(days=days), "q10": q10, "q50": q50, "q90": q90, **more}  # fmt: skip


def frame(*rows):
    types = {"asset_id": pl.String(), "cutoff": TIME_DTYPE, "time": TIME_DTYPE}
    return pl.DataFrame(rows, schema_overrides=types)


def outlook(book, *rows, client="ann", now=NOW, **more):
    return outlook_document(book, client, frame(*rows), now=now, **more)


BOTH = (forecast("AAA", 90.0, 100.0, 120.0), forecast("CCC", 4.0, 5.0, 6.0))


def left_out(document):
    return {row["asset_id"]: row["code"] for row in document["tables"]["not_covered"]}


def test_price_and_worth_are_told_in_the_clients_currency_at_todays_rate(book):
    made = outlook(book, *BOTH)
    ranges = {row["asset_id"]: row for row in made["tables"]["ranges"]}
    levels = ("q10", "q50", "q90")
    assert [ranges["AAA"][level] for level in levels] == pytest.approx([900, 1000, 1200])
    assert [ranges["CCC"][level] for level in levels] == pytest.approx([2 * 4 * 90, 2 * 5 * 90, 2 * 6 * 90])
    assert [ranges["CCC"][f"price_{level}"] for level in levels] == pytest.approx([360, 450, 540])
    assert (made["currency"], made["as_of"]) == ("RUB", "2024-01-03")
    assert ranges["AAA"]["time"] == "2024-01-04T00:00:00+00:00"
    assert {row["asset_id"]: row["weight"] for row in made["tables"]["assets"]} == pytest.approx(
        {"AAA": 1000 / 1900, "CCC": 900 / 1900}
    )
    assert any("Assumed: 1 USD = 90.00 RUB" in text for text in made["texts"]["en"])
    assert any("Допущение: 1 USD = 90,00 RUB" in text for text in made["texts"]["ru"])


def test_another_currency_may_be_asked_for(book):
    made = outlook(book, *BOTH, currency="USD")
    ranges = {row["asset_id"]: row for row in made["tables"]["ranges"]}
    assert ranges["AAA"]["q10"] == pytest.approx(10.0)
    assert ranges["CCC"]["q90"] == pytest.approx(12.0)


def test_forecasts_in_a_currency_of_their_own_are_converted_from_it(book):
    row = forecast("AAA", 0.9, 100 / 90, 1.2, currency="USD")
    made = outlook(book, row)
    assert made["tables"]["ranges"][0]["q10"] == pytest.approx(10 * 0.9 * 90)


def test_the_sum_is_at_common_times_with_the_rest_as_today_and_said_to_be_no_quantile(book):
    made = outlook(book, *BOTH, forecast("AAA", 80.0, 100.0, 130.0, days=2))
    (row,) = made["tables"]["together"]
    assert [row[level] for level in ("q10", "q50", "q90")] == pytest.approx([1620, 1900, 2280])
    assert row["time"] == "2024-01-04T00:00:00+00:00"
    assert "not the portfolio's own quantile" in made["texts"]["en"][-1]
    assert "не квантиль портфеля" in made["texts"]["ru"][-1]


def test_without_a_time_in_common_there_is_no_sum_and_the_reason_is_told(book):
    made = outlook(book, BOTH[0], forecast("CCC", 4.0, 5.0, 6.0, days=2))
    assert made["tables"]["together"] == []
    assert "no time in common" in made["texts"]["en"][-1]


def test_one_asset_has_no_sum(book):
    made = outlook(book, BOTH[0])
    assert made["tables"]["together"] == []
    assert not [text for text in made["texts"]["en"] if "sum" in text]


def test_what_is_not_covered_is_told_with_its_share(book):
    made = outlook(book, BOTH[0])
    assert made["figures"]["covered"]["value"] == pytest.approx(1000 / 1900)
    (row,) = made["tables"]["not_covered"]
    assert (row["asset_id"], row["code"]) == ("CCC", "not_forecast")
    assert row["weight"] == pytest.approx(900 / 1900)
    assert any("Nothing is said of CCC" in text for text in made["texts"]["en"])


def test_cash_is_part_of_the_whole_and_has_no_range(book):
    made = outlook(book, BOTH[0], client="cash")
    assert made["figures"]["value"]["value"] == pytest.approx(400)
    assert made["figures"]["covered"]["value"] == pytest.approx(100 / 400)
    assert "Cash has no range" in made["texts"]["en"][2]


@pytest.mark.parametrize(
    ("row", "now", "code"),
    [
        (forecast("AAA", 90.0, 100.0, 120.0, cutoff=TODAY + timedelta(days=1)), NOW, "from_the_future"),
        (forecast("AAA", 90.0, 100.0, 120.0, cutoff=TODAY - timedelta(days=7), days=9), NOW, "stale"),
        (forecast("AAA", 90.0, 100.0, 120.0, cutoff=TODAY - timedelta(days=1)), NOW, "past"),
        (forecast("AAA", 90.0, 100.0, 120.0, cutoff=TODAY + timedelta(days=9)), NOW + timedelta(days=9), "old_price"),
        (forecast("AAA", 9.0, 10.0, 12.0), NOW, "other_price"),
        (forecast("AAA", 90.0, 100.0, 120.0, close=201.0), NOW, "other_price"),
        (forecast("AAA", 90.0, 100.0, 120.0, currency="CHF"), NOW, "no_rate"),
        (forecast("BBB", 90.0, 100.0, 120.0), NOW, "not_forecast"),
    ],
)  # fmt: skip
def test_an_asset_whose_forecast_is_of_no_use_is_left_out_with_the_reason(book, row, now, code):
    made = outlook(book, row, now=now)
    assert left_out(made)["AAA"] == code
    assert made["tables"]["ranges"] == []
    assert made["figures"]["covered"]["value"] == 0
    told = {row["asset_id"]: row["why"] for row in made["tables"]["not_covered"]}["AAA"]
    assert told["en"] != told["ru"]
    assert "{" not in told["en"] + told["ru"]


def test_of_several_cutoffs_the_newest_known_counts_and_times_that_came_are_left_out(book):
    yesterday, tomorrow = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
    made = outlook(
        book,
        forecast("AAA", 60.0, 100.0, 140.0, cutoff=yesterday, days=9),
        forecast("AAA", 90.0, 100.0, 120.0),
        {**forecast("AAA", 95.0, 100.0, 105.0), "time": TODAY + timedelta(hours=18)},
        forecast("AAA", 99.0, 100.0, 101.0, cutoff=tomorrow),
    )
    assert [row["price_q10"] for row in made["tables"]["ranges"]] == pytest.approx([90])


def test_a_split_since_the_forecast_leaves_it_out_and_pieces_are_those_of_today(book):
    before = forecast("BBB", 45.0, 50.0, 60.0, cutoff=TODAY - timedelta(days=1), days=3)
    assert left_out(outlook(book, before, client="split")) == {"BBB": "split"}
    made = outlook(book, forecast("BBB", 45.0, 50.0, 60.0), client="split")
    assert made["tables"]["ranges"][0]["q50"] == pytest.approx(8 * 50)
    assert made["tables"]["ranges"][0]["now"] == pytest.approx(8 * 50)


def test_age_is_the_callers_choice(book):
    row = forecast("AAA", 90.0, 100.0, 120.0, cutoff=TODAY - timedelta(days=20), days=30)
    assert left_out(outlook(book, row))["AAA"] == "stale"
    assert "AAA" not in left_out(outlook(book, row, max_age_days=21))
    with pytest.raises(InputError, match="max_age_days: must be 1 or more; got 0"):
        outlook(book, row, max_age_days=0)


def test_who_said_it_and_how_he_stood_is_told_and_so_is_that_nobody_said(book):
    named = outlook(book, *BOTH, model="rw_garch_t", standing=STANDING)
    assert named["texts"]["en"][0] == "The forecasts are those of rw_garch_t: not better than a random walk."
    assert named["texts"]["ru"][0] == "Прогнозы модели rw_garch_t: не лучше случайного блуждания."
    nobody = outlook(book, *BOTH)["texts"]["en"][0]
    assert "isn't named" in nobody
    assert "isn't told here" in nobody


def test_it_is_information_signed_json_and_a_page_in_both_languages(book):
    made = outlook(book, *BOTH, model="m", standing=STANDING)
    assert made["mode"] == "information"
    assert all(made["disclaimer"][language].startswith(DISCLAIMER[language]) for language in ("en", "ru"))
    assert len(made["texts"]["en"]) == len(made["texts"]["ru"])
    for language in ("en", "ru"):
        page = Page(to_html(made, language=language))
        assert page.document == json.loads(json.dumps(made, allow_nan=False))
        assert len(page.data) > 20
        for pointer, shown, _ in page.data:
            found = at(page.document, pointer)
            assert shown == ("" if found is None else str(found)), pointer


def test_a_standing_that_promises_is_refused(book):
    with pytest.raises(DataError, match="promises a return"):
        outlook(book, *BOTH, model="m", standing={"en": "guaranteed", "ru": "гарантия"})


def test_the_picture_goes_from_q10_to_q90_around_today(book):
    option = outlook(book, *BOTH)["charts"]["ranges"]
    base, bar, point = option["series"]
    assert base["data"] == [-10, -20]
    assert bar["data"] == [30, 40]
    assert point["data"] == [[0, 0], [0, 1]]
    assert option["about"]["words"]["ru"]["AAA, 2024-01-04"] == "AAA, 04.01.2024"


def test_a_report_holds_it_after_the_metrics(book):
    made = report_document(book, "ann", now=NOW, outlook=outlook(book, *BOTH))
    assert [part["kind"] for part in made["documents"]] == ["metrics", "outlook", "plan", "tracking"]
    assert "Сколько могут стоить активы" in to_html(made, language="ru")


def test_a_client_who_holds_nothing_gets_a_document_that_says_so(book):
    made = outlook(book, *BOTH, client="idle")
    assert "Nothing was ever held" in made["texts"]["en"][0]
    assert made["tables"] == {}


def test_wrong_calls_are_told(book):
    with pytest.raises(InputError, match="client: must be an investor"):
        outlook(book, *BOTH, client="nobody")
    with pytest.raises(InputError, match="now: must have a time zone"):
        outlook(book, *BOTH, now=NOW.replace(tzinfo=None))
    with pytest.raises(DataError, match="must not cross"):
        outlook(book, forecast("AAA", 101.0, 100.0, 120.0))


def test_every_reason_has_the_same_places_in_both_languages():
    places = [{lang: text.count("{") for lang, text in words.items()} for words in REASONS.values()]
    assert all(each["en"] == each["ru"] for each in places)


@settings(max_examples=15, deadline=None)
@given(down=st.floats(0.01, 0.49), up=st.floats(0.01, 0.9), middle=st.floats(0, 1))
def test_worth_is_as_far_from_today_as_the_price_is(book, down, up, middle):
    low, high = 100 * (1 - down), 100 * (1 + up)
    made = outlook(book, forecast("AAA", low, low + middle * (high - low), high))
    (row,) = made["tables"]["ranges"]
    assert row["q10"] <= row["q50"] <= row["q90"]
    for level, price in (("q10", low), ("q90", high)):
        assert row[level] / row["now"] == pytest.approx(price / 100, rel=1e-12)

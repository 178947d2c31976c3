"""Every row that doesn't add up is refused under its own code, and nothing else is."""

import json
from datetime import date
from typing import Any

import polars as pl
import pytest

from data.holdings.conftest import investors, trades
from nextbest.data.holdings.book import Book

DAY = date(2024, 1, 10)
GOOD = {"client_id": "ann", "asset_id": "ROUBLE", "day": "2024-01-10", "quantity": "1", "price": "100"}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"quantity": "0"}, "zero_quantity"),
        ({"price": "0"}, "not_positive_price"),
        ({"price": "-5"}, "not_positive_price"),
        ({"price": "NaN"}, "no_price"),
        ({"price": "ten"}, "bad_price"),
        ({"quantity": "some"}, "bad_quantity"),
        ({"quantity": ""}, "no_quantity"),
        ({"day": "yesterday"}, "bad_day"),
        ({"day": "2024-02-31"}, "bad_day"),
        ({"day": "2024-03-01"}, "future_day"),
        ({"client_id": "eve"}, "unknown_client"),
        ({"client_id": " "}, "no_client_id"),
        ({"asset_id": "GOLD"}, "unknown_asset"),
        ({"asset_id": "SILENT"}, "unpriced_asset"),
        ({"day": "2024-01-05"}, "before_first_price"),
        ({"currency": "roubles"}, "bad_currency"),
        ({"currency": "GBP"}, "unknown_currency"),
        ({"currency": "USD", "day": "2024-01-30"}, "missing_rate"),
        ({"asset_id": "DOLLAR", "day": "2024-01-30", "currency": "RUB"}, "missing_rate"),
        ({"fee": "-1"}, "negative_fee"),
        ({"quantity": "-1"}, "sold_not_held"),
    ],
)
def test_a_bad_trade_goes_to_quarantine_as_it_was_read(
    book: Book, changed: dict[str, str], reason: str
) -> None:
    rows = [
        {**GOOD, "fee": "0", "currency": "RUB"},
        {**GOOD, "client_id": "bob", "fee": "0", "currency": "RUB", **changed},
    ]
    report = book.add("trades", pl.DataFrame(rows), now=date(2024, 2, 2))
    assert report.quarantined == {reason: 1}
    assert (report.read, report.kept, report.added) == (2, 1, 1)
    (refused,) = book.quarantine("trades").to_dicts()
    assert (refused["kind"], refused["row"], refused["reason"]) == ("trades", 2, reason)
    assert json.loads(refused["raw"]) == rows[1]


@pytest.mark.parametrize(
    ("kind", "row", "reason"),
    [
        ("fx", {"currency": "EUR", "day": DAY, "rate": 0.0}, "not_positive_rate"),
        ("splits", {"asset_id": "ROUBLE", "day": DAY, "ratio": 0.0}, "not_positive_ratio"),
        ("splits", {"asset_id": "ROUBLE", "day": DAY, "ratio": -2.0}, "not_positive_ratio"),
        ("splits", {"asset_id": "GOLD", "day": DAY, "ratio": 2.0}, "unknown_asset"),
        ("dividends", {"asset_id": "GOLD", "day": DAY, "amount": 2.0, "currency": "RUB"}, "unknown_asset"),
        (
            "dividends",
            {"asset_id": "ROUBLE", "day": DAY, "amount": 0.0, "currency": "RUB"},
            "not_positive_amount",
        ),
        (
            "dividends",
            {"asset_id": "ROUBLE", "day": DAY, "amount": 1.0, "currency": "GBP"},
            "unknown_currency",
        ),
        ("asset_prices", {"asset_id": "ROUBLE", "day": DAY, "close": -1.0}, "not_positive_price"),
        ("asset_prices", {"asset_id": "GOLD", "day": DAY, "close": 1.0}, "unknown_asset"),
        ("asset_prices", {"asset_id": "ROUBLE", "day": DAY, "close": 101.0}, "conflicting_row"),
        ("benchmarks", {"benchmark_id": "X", "day": DAY, "close": float("nan")}, "no_close"),
        ("cash_flows", {"client_id": "ann", "day": DAY, "amount": 0.0, "currency": "RUB"}, "zero_amount"),
        ("cash_flows", {"client_id": "eve", "day": DAY, "amount": 1.0, "currency": "RUB"}, "unknown_client"),
        (
            "goals",
            {
                "client_id": "ann",
                "goal_id": "g",
                "goal_type": "home",
                "target_amount": 0.0,
                "currency": "RUB",
                "horizon_years": 1.0,
            },
            "not_positive_target",
        ),
    ],
)
def test_a_bad_row_of_another_kind_goes_to_quarantine(
    book: Book, kind: Any, row: dict[str, object], reason: str
) -> None:
    assert book.add(kind, pl.DataFrame([row])).quarantined == {reason: 1}


def test_a_profile_out_of_range_goes_to_quarantine(book: Book) -> None:
    report = book.add("investors", investors("cat").with_columns(risk_tolerance=6))
    assert report.quarantined == {"risk_out_of_range": 1}


def test_the_same_trade_twice_is_dropped_and_another_of_its_id_refused(book: Book) -> None:
    report = book.add(
        "trades",
        trades(
            ("t1", "ann", "ROUBLE", DAY, 1.0, 100.0),
            ("t1", "ann", "ROUBLE", DAY, 1.0, 100.0),
            ("t1", "ann", "ROUBLE", DAY, 2.0, 100.0),
        ),
    )
    assert (report.kept, report.dropped, report.quarantined) == (1, 1, {"conflicting_trade_id": 1})
    assert book.account("ann").trades["quantity"].to_list() == [1.0]


def test_rows_of_another_width_are_refused_and_counted(book: Book, tmp_path: Any) -> None:
    file = tmp_path / "fx.csv"
    file.write_text("currency,day,rate\nEUR,2024-01-08,100\nEUR,2024-01-09\nEUR,2024-01-10,101\n")
    report = book.add("fx", file)
    assert (report.read, report.kept, report.quarantined) == (3, 2, {"ragged_row": 1})


def test_what_was_put_right_leaves_quarantine_with_the_next_import(book: Book, tmp_path: Any) -> None:
    file = tmp_path / "trades.csv"
    file.write_text("trade_id,client_id,asset_id,day,quantity,price\nt1,cat,ROUBLE,2024-01-10,1,100\n")
    assert book.add("trades", file).quarantined == {"unknown_client": 1}
    book.add("investors", investors("cat"))
    assert book.add("trades", file).added == 1
    assert book.quarantine().is_empty()


def test_a_jump_is_a_warning_unless_a_split_explains_it(book: Book) -> None:
    rows = pl.DataFrame(
        {"asset_id": "ROUBLE", "day": [date(2024, 2, 5), date(2024, 2, 6)], "close": [100.0, 10.0]}
    )
    report = book.add("asset_prices", rows)
    assert (report.kept, report.warnings) == (2, {"price_jump": 1})
    book.add("splits", pl.DataFrame({"asset_id": "DOLLAR", "day": [date(2024, 2, 6)], "ratio": [10.0]}))
    split = rows.with_columns(asset_id=pl.lit("DOLLAR"), close=pl.col("close") / 10)
    assert book.add("asset_prices", split).warnings == {}


def test_a_currency_is_spelt_the_usual_way(book: Book) -> None:
    row = {"client_id": "ann", "day": DAY, "amount": 1.0, "currency": " rur"}
    assert book.add("cash_flows", pl.DataFrame([row])).repaired == {"currency_spelling": 1}
    assert book.account("ann").flows["currency"].to_list() == ["RUB"]


def test_a_split_that_uncovers_a_known_sale_is_a_warning(book: Book) -> None:
    day, later = DAY, date(2024, 1, 12)
    book.add(
        "trades",
        trades(("t1", "ann", "ROUBLE", day, 10.0, 100.0), ("t2", "ann", "ROUBLE", later, -10.0, 100.0)),
    )
    merged = pl.DataFrame({"asset_id": ["ROUBLE"], "day": [date(2024, 1, 11)], "ratio": [0.1]})
    report = book.add("splits", merged)
    assert (report.kept, report.warnings) == (1, {"sold_not_held": 1})
    assert book.account("ann").trades.height == 2


def test_a_replaced_purchase_that_uncovers_a_known_sale_is_a_warning(book: Book) -> None:
    bought = trades(("t1", "ann", "ROUBLE", DAY, 10.0, 100.0))
    book.add("trades", pl.concat([bought, trades(("t2", "ann", "ROUBLE", date(2024, 1, 12), -10.0, 100.0))]))
    report = book.add("trades", bought.with_columns(quantity=pl.lit(5.0)), replace=True)
    assert (report.replaced, report.warnings) == (1, {"sold_not_held": 1})


def test_assets_and_clients_of_a_currency_without_rates_are_a_warning(book: Book) -> None:
    report = book.add("investors", investors("cat").with_columns(currency=pl.lit("GBP")))
    assert (report.kept, report.warnings) == (1, {"currency_without_rates": 1})

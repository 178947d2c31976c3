"""Each cleaning step: what it rejects, what it changes, and that it can be switched off."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from nextbest.data.cleaning import STEPS, CleaningConfig, Rate
from nextbest.data.cleaning.money import AmountHistogram
from nextbest.data.cleaning.refunds import net
from nextbest.data.ingest import ingest
from nextbest.data.report import IngestReport
from nextbest.data.sources.mapping import load_ingest_settings
from nextbest.data.store import Workspace
from nextbest.errors import DataError, InputError

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def minutes(*after: float) -> list[datetime]:
    return [NOON + timedelta(minutes=m) for m in after]


def run(
    folder: Path, table: pl.DataFrame | Path, **options: Any
) -> tuple[IngestReport, pl.DataFrame, pl.DataFrame]:
    """Report, journal in user and time order, quarantine by row; the laws of every ingest checked on the way."""
    mapping = options.pop("mapping", None)
    config = CleaningConfig(**options)
    report = ingest(folder, table, mapping=mapping, config=config)
    workspace = Workspace(folder)
    journal = workspace.journal().collect().sort("user_id", "time", maintain_order=True)
    quarantine = workspace.quarantine().collect().sort("row")
    assert report.read == report.stored + report.quarantined
    assert report.quarantined == sum(report.reasons.values()) == len(quarantine)
    assert report.added == report.stored == len(journal)
    again = ingest(folder, table, mapping=mapping, config=config)
    assert (again.read, again.stored, again.quarantined, again.added) == (
        report.read,
        report.stored,
        report.quarantined,
        0,
    )
    assert again.reasons == report.reasons
    assert len(Workspace(folder).quarantine().collect()) == len(quarantine)
    return report, journal, quarantine


def events(n: int, **columns: list[Any]) -> pl.DataFrame:
    """`n` events of user 1, one a minute, of items 1, 2, ...; columns replaced as given."""
    base = {"user_id": [1] * n, "item_id": list(range(1, n + 1)), "time": minutes(*range(n))}
    return pl.DataFrame({**base, **columns}, strict=False)


def test_a_csv_full_of_traps_is_read_and_every_bad_row_kept_with_its_values(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        "Клиент;Товар;Дата;Сумма;Город\n"
        "1;чай;01.02.2024 10:00;1 234,50;Орёл\n"
        "1;кофе;01.02.2024 10:05;дорого;Орёл\n"
        ";чай;01.02.2024 10:06;5;Орёл\n"
        "2;чай;когда-то;5;Орёл\n"
        "2;чай\n"
        "2;сыр;2024-02-03;;\n",
        encoding="cp1251",
    )
    mapping = {"user_id": "Клиент", "item_id": "Товар", "time": "Дата", "amount": "Сумма"}
    report, journal, quarantine = run(tmp_path / "ws", path, mapping=mapping)
    assert journal.rows() == [
        (1, "чай", datetime(2024, 2, 1, 10, tzinfo=UTC), 1234.5, "Орёл"),
        (2, "сыр", datetime(2024, 2, 3, tzinfo=UTC), None, None),
    ]
    assert quarantine.select("row", "reason").rows() == [
        (2, "amount_unreadable"),
        (3, "missing_user_id"),
        (4, "time_unreadable"),
        (5, "ragged_row"),
    ]
    assert quarantine["raw"][0] == (
        '{"Клиент":"1","Товар":"кофе","Дата":"01.02.2024 10:05","Сумма":"дорого","Город":"Орёл"}'
    )
    assert quarantine["source"].unique().to_list() == [str(path)]
    assert "amount: decimal comma" in str(report)


def test_an_optional_value_that_cannot_be_read_may_be_left_out_instead(tmp_path: Path) -> None:
    table = events(2, amount=["5", "a lot"])
    _, journal, _ = run(tmp_path, table, unreadable="null")
    assert journal["amount"].to_list() == [5.0, None]


def test_mixed_ids_are_text_all_through(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id,time\n1,007,2024-01-01\nA2,5,2024-01-01\n3.0,5,2024-01-01\n")
    _, journal, _ = run(tmp_path / "ws", path)
    assert journal["user_id"].to_list() == ["1", "3.0", "A2"]
    assert journal["item_id"].to_list() == ["007", "5", "5"]


def test_text_ids_of_a_later_chunk_turn_the_earlier_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nextbest.data.sources import columnar

    monkeypatch.setattr(columnar, "CHUNK_ROWS", 2)
    table = pl.DataFrame({"user_id": ["1", "2", "x"], "item_id": [1, 2, 3], "time": [NOON] * 3})
    _, journal, _ = run(tmp_path, table)
    assert sorted(journal["user_id"]) == ["1", "2", "x"]


def test_integers_that_were_floats_once_are_integers_again(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user_id,item_id,time\n17850.0,5,2024-01-01\n12.0,6,2024-01-01\n")
    report, journal, _ = run(tmp_path / "ws", path)
    assert journal["user_id"].to_list() == [12, 17850]
    assert "former floats" in str(report)


def test_context_columns_of_text_files_narrow_only_where_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        "user_id,item_id,time,stars,weight,zip,nothing\n1,1,2024-01-01,5,0.50,06355,\n1,2,2024-01-02,4,1,10001,\n"
    )
    _, journal, _ = run(tmp_path / "ws", path)
    assert journal.row(0)[3:] == (5, 0.5, "06355")
    assert journal.schema["weight"] == pl.Float64


def test_odd_context_types_become_ones_that_the_store_keeps(tmp_path: Path) -> None:
    table = events(1).with_columns(
        tags=pl.Series([["a", "b"]]),
        blob=pl.Series([b"\x01\xff"]),
        big=pl.Series([2**63], dtype=pl.UInt64),
        small=pl.Series([3], dtype=pl.Int8),
        share=pl.Series([0.5], dtype=pl.Float32),
        day=pl.Series([NOON.date()]),
        naive=pl.Series([NOON.replace(tzinfo=None)]),
        yes=pl.Series([True]),
        span=pl.Series([timedelta(seconds=1)]),
        money=pl.Series(["1.25"]).cast(pl.Decimal(10, 2)),
        group=pl.Series(["x"], dtype=pl.Categorical),
        gone=pl.Series([None], dtype=pl.Null),
    )
    bad = table.with_columns(pl.lit(None, dtype=pl.Int64).alias("user_id"))
    _, journal, quarantine = run(tmp_path, pl.concat([table, bad]))
    row = journal.row(0, named=True)
    assert row["tags"] == '["a","b"]' or '"a"' in row["tags"]
    assert (row["blob"], row["big"], row["small"], row["share"], row["yes"]) == (
        "01ff",
        str(2**63),
        3,
        0.5,
        True,
    )
    assert row["span"] == 1_000_000
    assert (row["day"], row["naive"], row["money"], row["group"]) == (NOON.date(), NOON, "1.25", "x")
    assert '"blob":"01ff"' in quarantine["raw"][0]


def test_categories_and_merchant_codes_that_are_no_codes_are_unreadable(tmp_path: Path) -> None:
    table = events(3, mcc=["5411", "12x", "70000"])
    _, journal, quarantine = run(tmp_path, table)
    assert journal["mcc"].to_list() == [5411]
    assert journal.schema["mcc"] == pl.Int32
    assert quarantine["reason"].to_list() == ["mcc_unreadable"] * 2


def test_text_is_normalised_and_the_raw_form_kept(tmp_path: Path) -> None:
    table = events(2, merchant=[" ＴＥＡ  shop ", "x"], item_id=["b", "a"])
    bad = events(1, merchant=[" ＴＥＡ  shop "], item_id=["b"])
    report, journal, quarantine = run(tmp_path, pl.concat([table, bad]), text_case="upper")
    assert journal["merchant"].to_list() == ["TEA SHOP", "X"]
    assert next(s.changed for s in report.steps if s.step == "text") == 3
    assert '"merchant":" ＴＥＡ  shop "' in quarantine["raw"][0]


def test_text_can_be_left_as_it_is(tmp_path: Path) -> None:
    _, journal, _ = run(tmp_path, events(1, merchant=[" x "]), text=False)
    assert journal["merchant"].to_list() == [" x "]


def test_rows_without_what_is_needed_are_missing_and_say_what(tmp_path: Path) -> None:
    table = events(4, user_id=[1, None, 1, 1], item_id=[1, 1, None, 1], time=[*minutes(0, 1, 2), None])
    _, journal, quarantine = run(tmp_path, table)
    assert len(journal) == 1
    assert quarantine["reason"].to_list() == ["missing_user_id", "missing_item_id", "missing_time"]


def test_an_optional_column_can_be_made_needed(tmp_path: Path) -> None:
    _, journal, quarantine = run(tmp_path / "a", events(2, amount=[1.0, None]), require=("amount",))
    assert len(journal) == 1
    assert quarantine["reason"].to_list() == ["missing_amount"]
    with pytest.raises(DataError, match="'amount' is required but missing"):
        run(tmp_path / "b", events(2), require=("amount",))


def test_with_the_step_missing_off_a_hole_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"user_id must not be null.*1 row\(s\) break it, first: \[1\]"):
        run(tmp_path, events(2, user_id=[1, None]), missing=False)


def test_the_future_begins_at_the_moment_that_is_passed_in(tmp_path: Path) -> None:
    table = events(3, time=minutes(0, 1, 2))
    now = NOON + timedelta(minutes=1)
    _, journal, quarantine = run(tmp_path / "a", table, now=now)
    assert len(journal) == 2
    assert quarantine["reason"].to_list() == ["time_in_future"]
    assert len(run(tmp_path / "b", table, now=now, future_tolerance_s=60)[1]) == 3
    assert len(run(tmp_path / "c", table)[1]) == 3


def test_times_before_the_earliest_are_too_old(tmp_path: Path) -> None:
    _, _, quarantine = run(tmp_path, events(2, time=[datetime(1900, 1, 1, tzinfo=UTC), NOON]), earliest=NOON)
    assert quarantine["reason"].to_list() == ["time_too_old"]


def test_a_naive_moment_in_the_config_is_refused() -> None:
    with pytest.raises(ValidationError):
        CleaningConfig(now=datetime(2024, 1, 1))  # type: ignore[arg-type]  # noqa: DTZ001


RATES = (
    Rate(currency="EUR", time=NOON, rate=100.0),
    Rate(currency="EUR", time=NOON + timedelta(minutes=2), rate=110.0),
)


def test_amounts_become_base_currency_by_the_rate_in_force(tmp_path: Path) -> None:
    table = events(
        6,
        time=minutes(-1, 0, 1, 2, 3, 4),
        amount=[1.0, 1.0, 2.0, 1.0, 7.0, 9.0],
        currency=["EUR", "eur ", "EUR", "EUR", "RUB", None],
    )
    report, journal, quarantine = run(tmp_path, table, base_currency="RUB", rates=RATES)
    assert journal["amount"].to_list() == [100.0, 200.0, 110.0, 7.0]
    assert journal["currency"].to_list() == ["RUB"] * 4
    assert journal["amount_original"].to_list() == [1.0, 2.0, 1.0, None]
    assert quarantine.select("row", "reason").rows() == [(1, "rate_missing"), (6, "rate_missing")]
    assert next(s.changed for s in report.steps if s.step == "currency") == 3


def test_amounts_without_a_currency_column_are_base_already(tmp_path: Path) -> None:
    _, journal, _ = run(tmp_path, events(1, amount=[5.0]), base_currency="RUB")
    assert journal.select("amount", "currency").rows() == [(5.0, "RUB")]


def test_rows_that_agree_in_all_but_one_column_are_no_duplicates(tmp_path: Path) -> None:
    base = events(1, amount=[5.0], note=["x"])
    table = pl.concat(
        [
            base,
            base,
            base.with_columns(note=pl.lit("y")),
            base.with_columns(amount=pl.lit(None, dtype=pl.Float64)),
        ]
        * 2
    )
    report, journal, quarantine = run(tmp_path, table)
    assert len(journal) == 3
    assert report.reasons == {"duplicate": 5}
    assert quarantine["row"].to_list() == [2, 5, 6, 7, 8]
    assert (
        quarantine["raw"][0]
        == '{"user_id":1,"item_id":1,"time":"2024-01-01T12:00:00+00:00","amount":5.0,"note":"x"}'
    )


def test_near_duplicates_are_counted_from_the_last_kept_row(tmp_path: Path) -> None:
    seconds = [0, 4, 8, 12, 30]
    table = events(5, item_id=[1] * 5, amount=[5.0] * 5, time=[NOON + timedelta(seconds=s) for s in seconds])
    _, journal, quarantine = run(tmp_path / "a", table, near_duplicates_s=5)
    assert quarantine["row"].to_list() == [2, 4]
    assert [(t - NOON).seconds for t in journal["time"]] == [0, 8, 30]
    assert len(run(tmp_path / "b", table)[1]) == 5
    other = table.with_columns(amount=pl.Series([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert len(run(tmp_path / "c", other, near_duplicates_s=5)[1]) == 5


def purchases(*rows: tuple[int, float | None, float | None], **columns: list[Any]) -> pl.DataFrame:
    """Rows `(item, quantity, amount)`, a minute apart."""
    return events(
        len(rows),
        item_id=[r[0] for r in rows],
        quantity=pl.Series([r[1] for r in rows], dtype=pl.Float64),  # type: ignore[arg-type]
        amount=pl.Series([r[2] for r in rows], dtype=pl.Float64),  # type: ignore[arg-type]
        **columns,
    )


def test_a_return_and_its_purchase_both_leave(tmp_path: Path) -> None:
    report, journal, quarantine = run(tmp_path, purchases((1, 2, 10.0), (2, 1, 5.0), (1, -2, -10.0)))
    assert journal["item_id"].to_list() == [2]
    assert quarantine.select("row", "reason").rows() == [(1, "cancelled_purchase"), (3, "cancellation")]
    assert report.reasons == {"cancellation": 1, "cancelled_purchase": 1}


def test_a_return_takes_the_latest_earlier_purchase_that_is_large_enough(tmp_path: Path) -> None:
    table = purchases((1, 5, 50.0), (1, 3, 30.0), (1, 1, 10.0), (1, -3, -30.0), (1, 9, 90.0))
    _, journal, quarantine = run(tmp_path, table)
    assert quarantine["row"].to_list() == [2, 4]
    assert journal["quantity"].to_list() == [5, 1, 9]


def test_a_partial_return_leaves_the_purchase_smaller_and_takes_only_itself(tmp_path: Path) -> None:
    report, journal, quarantine = run(tmp_path, purchases((1, 10, 50.0), (1, -3, -15.0), (1, -2, -10.0)))
    assert journal.select("quantity", "amount").rows() == [(5.0, 25.0)]
    assert quarantine["reason"].to_list() == ["cancellation"] * 2
    assert next(s.changed for s in report.steps if s.step == "refunds") == 1


def test_partial_returns_that_use_a_purchase_up_take_it_along(tmp_path: Path) -> None:
    _, journal, quarantine = run(
        tmp_path, purchases((1, 3, 30.0), (1, -1, -10.0), (1, -2, -20.0), (2, 1, 1.0))
    )
    assert journal["item_id"].to_list() == [2]
    assert quarantine["reason"].to_list() == ["cancelled_purchase", "cancellation", "cancellation"]


def test_a_return_without_a_purchase_is_quarantined_as_such(tmp_path: Path) -> None:
    table = purchases((1, -1, -5.0), (1, 1, 5.0), (2, 2, 4.0), (2, -3, -6.0))
    _, journal, quarantine = run(tmp_path, table)
    assert len(journal) == 2
    assert quarantine.select("row", "reason").rows() == [
        (1, "cancellation_unmatched"),
        (4, "cancellation_unmatched"),
    ]


def test_returns_are_netted_in_money_where_pieces_are_not_known(tmp_path: Path) -> None:
    table = events(4, item_id=[1, 1, 2, 2], amount=[10.0, -10.0, 8.0, -3.0])
    _, journal, _ = run(tmp_path, table)
    assert journal["amount"].to_list() == [5.0]


def test_a_kind_can_say_that_a_row_is_a_return(tmp_path: Path) -> None:
    table = events(4, item_id=[1, 1, 2, 2], kind=["purchase", "Refund", "purchase", "view"])
    _, journal, quarantine = run(tmp_path, table)
    assert journal["item_id"].to_list() == [2, 2]
    assert quarantine["reason"].to_list() == ["cancelled_purchase", "cancellation"]


def test_returns_can_be_kept_as_rows(tmp_path: Path) -> None:
    assert len(run(tmp_path, purchases((1, 2, 10.0), (1, -2, -10.0)), refunds=False)[1]) == 2


def test_a_return_in_a_later_file_cancels_the_stored_purchase(tmp_path: Path) -> None:
    bought, returned = (
        purchases((1, 2, 10.0), (2, 1, 5.0)),
        purchases((1, -2, -10.0)).with_columns(time=minutes(9)[0]),
    )
    ingest(tmp_path, bought)
    report = ingest(tmp_path, returned)
    assert (report.read, report.quarantined, report.n_netted_before, report.n_rows_total) == (1, 1, 1, 1)
    quarantine = Workspace(tmp_path).quarantine().collect()
    assert sorted(quarantine["reason"]) == ["cancellation", "cancelled_purchase"]
    assert '"quantity":2.0' in quarantine.filter(reason="cancelled_purchase")["raw"][0]
    for again in (bought, returned):
        assert ingest(tmp_path, again).added == 0
        assert len(Workspace(tmp_path).quarantine().collect()) == 2


def test_a_purchase_that_arrives_after_its_return_is_still_netted(tmp_path: Path) -> None:
    bought, returned = (
        purchases((1, 2, 10.0)),
        purchases((1, -2, -10.0)).with_columns(time=pl.Series(minutes(9))),
    )
    first = ingest(tmp_path, pl.concat([returned, purchases((5, 1, 1.0))]))
    assert first.reasons == {"cancellation_unmatched": 1}
    report = ingest(tmp_path, bought)
    assert (report.stored, report.reasons) == (0, {"cancelled_purchase": 1})
    assert sorted(Workspace(tmp_path).quarantine().collect()["reason"]) == [
        "cancellation",
        "cancelled_purchase",
    ]


def test_amounts_far_from_the_median_of_their_currency_are_outliers(tmp_path: Path) -> None:
    usual = [10.0, 11.0, 9.0, 10.5, 9.5, 10.0, 12.0, 8.0, 10.2, 9.9]
    amounts = [*usual, 10_000.0, 0.001, *[a * 1000 for a in usual], 0.0, None]
    table = events(24, amount=amounts, currency=["EUR"] * 12 + ["JPY"] * 12)
    _, journal, quarantine = run(tmp_path / "a", table, outliers="quarantine")
    assert quarantine.select("row", "reason").rows() == [(11, "amount_outlier"), (12, "amount_outlier")]
    assert len(journal) == 22
    report, clipped, _ = run(tmp_path / "b", table, outliers="clip")
    changed = clipped.filter(pl.col("item_id").is_in([11, 12]))["amount"].to_list()
    assert changed[0] < 100
    assert changed[1] > 1
    assert next(s.changed for s in report.steps if s.step == "outliers") == 2
    assert len(run(tmp_path / "c", table)[1]) == 24


def test_the_bounds_of_the_first_ingest_hold_for_the_next(tmp_path: Path) -> None:
    config = CleaningConfig(outliers="quarantine")
    ingest(tmp_path, events(10, amount=[10.0 + i / 10 for i in range(10)]), config=config)
    bounds = Workspace(tmp_path).manifest.outlier_bounds
    report = ingest(tmp_path, events(5, amount=[1e6] * 5, user_id=[2] * 5), config=config)
    assert report.reasons == {"amount_outlier": 5}
    assert Workspace(tmp_path).manifest.outlier_bounds == bounds


def test_histogram_bounds_agree_with_median_and_mad_of_the_values() -> None:
    rng = np.random.default_rng(0)
    values = rng.lognormal(3, 1, 5001)
    histogram = AmountHistogram()
    for part in np.array_split(values, 7):
        histogram.see(pl.DataFrame({"amount": part}))
    histogram.see(pl.DataFrame({"other": [1]}))
    low, high = histogram.bounds(3.0)[""]
    logs = np.log10(values)
    centre = np.median(logs)
    reach = 3 * 1.4826 * np.median(np.abs(logs - centre))
    assert np.log10(low) == pytest.approx(centre - reach, abs=0.02)
    assert np.log10(high) == pytest.approx(centre + reach, abs=0.02)


def test_every_step_is_reported_in_order_with_its_switch(tmp_path: Path) -> None:
    report, _, _ = run(tmp_path, events(1), refunds=False, exact_duplicates=False, text=False)
    assert tuple(s.step for s in report.steps) == STEPS
    assert {s.step for s in report.steps if not s.enabled} == {
        "text",
        "time_range",
        "currency",
        "exact_duplicates",
        "near_duplicates",
        "refunds",
        "outliers",
    }


def test_settings_come_from_a_toml_file(tmp_path: Path) -> None:
    path = tmp_path / "nextbest.toml"
    path.write_text(
        '[ingest]\nsource = "hm"\n[ingest.map]\nuser_id = "CustomerID"\n'
        '[ingest.clean]\ntime_zone = "Europe/Moscow"\nnow = 2024-01-01T00:00:00Z\n'
        '[[ingest.clean.rates]]\ncurrency = "EUR"\ntime = 2024-01-01T00:00:00Z\nrate = 99.5\n'
    )
    settings = load_ingest_settings(path)
    assert settings.source == "hm"
    assert settings.map == {"user_id": "CustomerID"}
    assert settings.clean.time_zone == "Europe/Moscow"
    assert settings.clean.rates[0].rate == 99.5


@pytest.mark.parametrize("content", ["[ingest", '[ingest.clean]\ncolour = "red"\n', b"\xff\xfe"])
def test_a_broken_settings_file_is_an_input_error_that_names_it(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "nextbest.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=r"nextbest\.toml"):
        load_ingest_settings(path)


def test_reasons_are_sorted_by_frequency(tmp_path: Path) -> None:
    table = pl.concat([events(1)] * 3 + [events(1).with_columns(user_id=pl.lit(None, dtype=pl.Int64))])
    report, _, quarantine = run(tmp_path, table)
    assert list(report.reasons.items()) == Counter(quarantine["reason"]).most_common()


def test_clipping_a_purchase_that_a_return_made_smaller_keeps_one_original(tmp_path: Path) -> None:
    usual = [(n, 1.0, 10.0 + n / 10) for n in range(1, 20)]
    table = purchases(*usual, (50, 10.0, 5000.0), (50, -1.0, -500.0))
    _, journal, quarantine = run(tmp_path, table, outliers="clip")
    assert quarantine["reason"].to_list() == ["cancellation"]
    row = journal.filter(item_id=50).row(0, named=True)
    assert row["quantity"] == 9.0
    assert row["amount"] < 100


def test_a_fixed_decimal_sign_overrides_the_files(tmp_path: Path) -> None:
    table = events(1, amount=["1,234"])
    assert run(tmp_path / "a", table, decimal=",")[1]["amount"].to_list() == [1.234]
    assert run(tmp_path / "b", table, decimal=".")[1]["amount"].to_list() == [1234.0]


def test_a_near_copy_that_an_earlier_row_turns_up_for_moves_to_quarantine_and_back(tmp_path: Path) -> None:
    config = CleaningConfig(near_duplicates_s=5)

    def at(second: int) -> pl.DataFrame:
        return events(1, amount=[1.0], time=[NOON + timedelta(seconds=second)])

    ingest(tmp_path, at(4), config=config)
    assert ingest(tmp_path, at(8), config=config).reasons == {"near_duplicate": 1}
    # The row at 0 is kept, so 4 is its near copy, and 8 is now far from the last kept one.
    assert ingest(tmp_path, at(0), config=config).n_netted_before == 1
    workspace = Workspace(tmp_path)
    assert [t.second for t in workspace.journal().collect()["time"]] == [0, 8]
    assert "12:00:04" in workspace.quarantine().collect()["raw"][0]
    assert len(workspace.quarantine().collect()) == 1


def test_many_returns_that_no_purchase_covers_take_no_time_each() -> None:
    n = 20_000
    table = pl.DataFrame(
        {"user_id": 1, "item_id": 1, "time": range(2 * n), "quantity": [1.0] * n + [-2.0] * n}
    )
    started = time.process_time()
    found = net(table, table["quantity"] < 0)
    assert time.process_time() - started < 5  # searching all purchases for each takes a minute
    assert set(found.reasons.values()) == {"cancellation_unmatched"}
    assert len(found.reasons) == n


def test_a_purchase_without_a_figure_may_cover_any_return() -> None:
    quantity = [1.0, None, -5.0, -5.0, -1.0]
    table = pl.DataFrame({"user_id": 1, "item_id": 1, "time": range(5), "quantity": quantity})
    found = net(table, (table["quantity"] < 0).fill_null(value=False))
    assert found.reasons == {
        0: "cancelled_purchase",
        1: "cancelled_purchase",
        2: "cancellation",
        3: "cancellation_unmatched",
        4: "cancellation",
    }

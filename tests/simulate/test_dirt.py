"""Dirt in known numbers: every row says what was done to it, and the clean rows are all there."""

import polars as pl
import pytest

from nextbest.errors import DataError, InputError
from nextbest.simulate import DirtConfig, DirtyJournal, SimulatedShop, add_dirt, simulate_shop
from nextbest.simulate.dirt import FURTHER

ALL = DirtConfig(**dict.fromkeys([*FURTHER, "cancelled"], 0.02))
NONE = DirtConfig(**dict.fromkeys([*FURTHER, "cancelled"], 0.0))


@pytest.fixture(scope="module")
def shop() -> SimulatedShop:
    return simulate_shop(n_users=100, n_items=100, n_days=30, events_per_user=10)


@pytest.fixture(scope="module")
def dirty(shop: SimulatedShop) -> DirtyJournal:
    return add_dirt(shop.journal, config=ALL, rng=0)


def marked(dirty: DirtyJournal, kind: str) -> pl.DataFrame:
    return dirty.table.filter(dirty.marks == kind)


def test_each_kind_has_the_number_asked(shop: SimulatedShop, dirty: DirtyJournal) -> None:
    n = round(0.02 * len(shop.journal))
    assert {kind: dirty.counts[kind] for kind in [*FURTHER, "cancelled", "refund"]} == dict.fromkeys(
        [*FURTHER, "cancelled", "refund"], n
    )
    assert dirty.n_true == len(shop.journal) - n
    assert len(dirty.table) == len(shop.journal) + n * (len(FURTHER) + 1)


def test_without_dirt_the_rows_are_the_same_as_text(shop: SimulatedShop) -> None:
    clean = add_dirt(shop.journal, config=NONE)
    assert clean.counts["clean"] == len(clean.table) == len(shop.journal)
    back = clean.table.with_columns(
        pl.col("user_id").cast(pl.Int64),
        pl.col("time").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC"),
        pl.col("amount", "quantity").cast(pl.Float64),
        pl.col("mcc").cast(pl.Int32),
    )
    assert back.equals(shop.journal)


def test_every_clean_or_cancelled_row_is_untouched_and_in_order(
    shop: SimulatedShop, dirty: DirtyJournal
) -> None:
    kept = dirty.table.filter(dirty.marks.is_in(["clean", "cancelled"]))
    assert kept.equals(add_dirt(shop.journal, config=NONE).table)


def test_an_exact_duplicate_follows_its_original(dirty: DirtyJournal) -> None:
    numbered = dirty.table.with_row_index("row")
    copies = numbered.filter(dirty.marks == "exact_duplicate")
    before = numbered[(copies["row"] - 1).to_list()]
    assert copies.drop("row").equals(before.drop("row"))


def test_a_near_duplicate_comes_a_second_later_and_agrees_in_the_rest(dirty: DirtyJournal) -> None:
    copies = marked(dirty, "near_duplicate")
    moment = pl.col("time").str.to_datetime("%Y-%m-%d %H:%M:%S")
    earlier = copies.with_columns((moment - pl.duration(seconds=1)).dt.strftime("%Y-%m-%d %H:%M:%S"))
    clean = dirty.table.filter(dirty.marks == "clean")
    assert len(earlier.join(clean, on=dirty.table.columns, how="semi")) == len(copies)


def test_a_refund_undoes_the_clients_only_purchase_of_the_item(
    shop: SimulatedShop, dirty: DirtyJournal
) -> None:
    refunds, bought = marked(dirty, "refund"), marked(dirty, "cancelled")
    both = refunds.join(bought, on=["user_id", "item_id"], suffix="_bought", validate="1:1")
    assert len(both) == len(refunds)
    assert (both["amount"] == "-" + both["amount_bought"]).all()
    assert (both["quantity"] == "-" + both["quantity_bought"]).all()
    assert (both["time"] > both["time_bought"]).all()
    assert (refunds["kind"] == "refund").all()
    often = shop.journal.with_columns(pl.col("user_id").cast(pl.String))
    assert len(often.join(bought, on=["user_id", "item_id"], how="semi")) == len(bought)


@pytest.mark.parametrize(
    ("kind", "column"), [("missing_user", "user_id"), ("missing_item", "item_id"), ("missing_time", "time")]
)
def test_a_missing_value_is_missing_in_its_rows_alone(dirty: DirtyJournal, kind: str, column: str) -> None:
    assert dirty.table.filter(pl.col(column).is_null()).equals(marked(dirty, kind))


def test_future_and_unreadable_values_are_what_they_say(dirty: DirtyJournal) -> None:
    assert marked(dirty, "future_time")["time"].str.starts_with("2125-01").all()
    assert (marked(dirty, "unreadable_time")["time"] == "2025-02-31 12:00:00").all()
    assert (marked(dirty, "unreadable_amount")["amount"] == "по чеку").all()


def test_decimals_may_be_written_with_a_comma(shop: SimulatedShop) -> None:
    table = add_dirt(shop.journal, config=DirtConfig(comma_decimals=True, unreadable_amount=0)).table
    assert table["amount"].str.contains(r"^-?\d+,\d+$").all()


def test_the_same_rng_dirties_the_same_rows(shop: SimulatedShop) -> None:
    one, two, other = (add_dirt(shop.journal, config=ALL, rng=r) for r in (1, 1, 2))
    assert one.table.equals(two.table)
    assert not one.table.equals(other.table)


def test_the_journal_itself_is_not_changed(shop: SimulatedShop) -> None:
    before = shop.journal.clone()
    add_dirt(shop.journal, config=ALL)
    assert shop.journal.equals(before)


def test_a_journal_without_amounts_is_refused(shop: SimulatedShop) -> None:
    with pytest.raises(InputError, match="amount"):
        add_dirt(shop.journal.drop("amount"))
    with pytest.raises(DataError, match="item_id"):
        add_dirt(shop.journal.drop("item_id"))

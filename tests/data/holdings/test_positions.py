"""Sales of what isn't held: by hand, and against a plain loop over all histories."""

from datetime import date, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from nextbest.data.holdings.positions import find_oversold

START = date(2024, 1, 1)
NO_SPLITS = pl.DataFrame(schema={"asset_id": pl.String, "day": pl.Date, "ratio": pl.Float64})


def _trades(*rows: tuple[int, float], asset: str = "A", prefix: str = "t") -> pl.DataFrame:
    """Days after the start and quantities."""
    return pl.DataFrame(
        {
            "trade_id": [f"{prefix}{i}" for i in range(len(rows))],
            "client_id": ["c"] * len(rows),
            "asset_id": [asset] * len(rows),
            "day": [START + timedelta(days=d) for d, _ in rows],
            "quantity": [float(q) for _, q in rows],
        },
        schema={
            "trade_id": pl.String,
            "client_id": pl.String,
            "asset_id": pl.String,
            "day": pl.Date,
            "quantity": pl.Float64,
        },
    )


def _splits(*rows: tuple[int, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [("A", START + timedelta(days=d), r) for d, r in rows], schema=NO_SPLITS.schema, orient="row"
    )


def test_more_than_was_bought_is_refused_and_later_sales_still_stand() -> None:
    new = _trades((0, 10), (1, -11), (2, -10))
    assert find_oversold(new, new.clear(), NO_SPLITS).to_list() == [False, True, False]


def test_a_sale_before_the_purchase_of_the_same_day_is_fine() -> None:
    new = _trades((0, -5), (0, 5))
    assert not find_oversold(new, new.clear(), NO_SPLITS).any()


def test_after_a_split_the_new_pieces_can_be_sold() -> None:
    new = _trades((0, 10), (5, -100))
    assert not find_oversold(new, new.clear(), _splits((5, 10.0))).any()
    assert find_oversold(new, new.clear(), _splits((6, 10.0))).to_list() == [False, True]


def test_a_backdated_sale_may_not_take_what_a_known_sale_needs() -> None:
    held = _trades((0, 10), (9, -10), prefix="held")
    assert find_oversold(_trades((5, -1)), held, NO_SPLITS).to_list() == [True]
    assert find_oversold(_trades((5, -1), (6, 1)), held, NO_SPLITS).to_list() == [False, False]


def test_thirds_of_a_split_leave_no_rest() -> None:
    new = _trades((0, 1), (5, -1 / 3))
    assert not find_oversold(new, new.clear(), _splits((5, 1 / 3))).any()


rows = st.lists(st.tuples(st.integers(0, 12), st.integers(-6, 6).filter(bool)), min_size=1, max_size=14)


@settings(max_examples=120, deadline=None)
@given(new=rows, splits=st.dictionaries(st.integers(1, 12), st.sampled_from([2.0, 0.5, 4.0]), max_size=2))
def test_agrees_with_a_plain_loop_over_days(new: list[tuple[int, int]], splits: dict[int, float]) -> None:
    table = _trades(*[(d, float(q)) for d, q in new])
    refused = find_oversold(table, table.clear(), _splits(*splits.items()))
    kept = table.filter(~refused)
    assert _lowest(kept, splits) >= -1e-9
    # None was refused needlessly: with the purchases and the earlier kept sales, each refused one would go below zero.
    for row in table.filter(refused).iter_rows(named=True):
        earlier = kept.filter(
            (pl.col("quantity") > 0)
            | (pl.col("day") < row["day"])
            | ((pl.col("day") == row["day"]) & (pl.col("trade_id") < row["trade_id"]))
        )
        assert _lowest(pl.concat([earlier, pl.DataFrame([row], schema=table.schema)]), splits) < 0


def _lowest(trades: pl.DataFrame, splits: dict[int, float]) -> float:
    held, lowest = 0.0, 0.0
    for day in range(13):
        held *= splits.get(day, 1.0)
        held += trades.filter(pl.col("day") == START + timedelta(days=day))["quantity"].sum()
        lowest = min(lowest, held)
    return lowest

"""Splits on journals small enough to check by eye, and laws on random ones."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.errors import DataError, InputError
from nextbest.evaluation.splits import (
    RandomSplitWarning,
    Split,
    rolling_windows,
    split_by_time,
    split_leave_last,
    split_random,
)
from nextbest.tables import TIME_DTYPE

START = datetime(2026, 1, 1, tzinfo=UTC)


def journal(rows: list[tuple[str, str, float]]) -> pl.DataFrame:
    """Rows of user, item, day since the start."""
    users, items, days = zip(*rows, strict=True) if rows else ((), (), ())
    return pl.DataFrame(
        {"user_id": users, "item_id": items, "time": [START + timedelta(days=d) for d in days]},
        schema={"user_id": pl.String, "item_id": pl.String, "time": TIME_DTYPE},
    )


def pairs(table: pl.DataFrame) -> list[tuple[str, str]]:
    return table.select("user_id", "item_id").rows()


SMALL = journal(
    [
        ("ann", "milk", 0),
        ("bob", "milk", 1),
        ("ann", "bread", 2),
        ("ann", "milk", 5),
        ("cid", "milk", 6),
        ("ann", "caviar", 7),
        ("ann", "caviar", 8),
    ]
)

rows_of_journals = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz"), st.integers(0, 9)), min_size=2, max_size=30
)


class TestByTime:
    def test_everything_before_the_cutoff_is_learned_and_the_rest_is_asked(self) -> None:
        split = split_by_time(SMALL, cutoff=START + timedelta(days=5))
        assert pairs(split.train) == [("ann", "milk"), ("ann", "bread"), ("bob", "milk")]
        assert pairs(split.targets) == [("ann", "milk"), ("ann", "caviar"), ("cid", "milk")]
        assert split.history.equals(split.train)

    def test_the_protocol_counts_what_a_reader_must_know(self) -> None:
        protocol = split_by_time(SMALL, cutoff=START + timedelta(days=5)).protocol
        assert protocol["name"] == "time"
        assert protocol["cutoff"] == "2026-01-06T00:00:00+00:00"
        assert (protocol["n_target_events"], protocol["n_targets"], protocol["n_targets_merged"]) == (4, 3, 1)
        assert (protocol["n_target_users"], protocol["n_cold_users"]) == (2, 1)  # cid
        assert (protocol["n_cold_items"], protocol["n_targets_of_cold_items"]) == (1, 1)  # caviar
        assert protocol["repeat_share"] == pytest.approx(1 / 3)  # ann's milk
        assert protocol["n_targets_dropped"] == 0
        assert json.loads(json.dumps(protocol)) == protocol

    def test_an_event_at_the_cutoff_is_a_target(self) -> None:
        split = split_by_time(journal([("a", "x", 0), ("a", "y", 1)]), cutoff=START + timedelta(days=1))
        assert pairs(split.targets) == [("a", "y")]

    def test_a_cutoff_in_another_time_zone_means_the_same_moment(self) -> None:
        cutoff = datetime.fromisoformat("2026-01-06T03:00:00+03:00")
        assert pairs(split_by_time(SMALL, cutoff=cutoff).targets) == pairs(
            split_by_time(SMALL, cutoff=START + timedelta(days=5)).targets
        )

    def test_first_keeps_one_target_a_user(self) -> None:
        split = split_by_time(SMALL, cutoff=START + timedelta(days=5), targets="first")
        assert pairs(split.targets) == [("ann", "milk"), ("cid", "milk")]
        assert (split.protocol["n_targets"], split.protocol["n_window_events"]) == (2, 4)

    def test_days_are_counted_back_from_the_last_event(self) -> None:
        split = split_by_time(SMALL, test_days=2)
        assert pairs(split.targets) == [("ann", "caviar")]
        assert split.protocol["cutoff"] == "2026-01-07T00:00:00.000001+00:00"

    def test_the_default_asks_for_the_newest_tenth(self) -> None:
        split = split_by_time(journal([("a", "x", d) for d in range(100)]))
        assert (split.protocol["test_share"], len(split.train)) == (0.1, 90)

    def test_ties_at_the_quantile_stay_on_one_side(self) -> None:
        split = split_by_time(
            journal([("a", "x", 0), ("a", "x", 1), *[("b", "y", 2)] * 8]), test_fraction=0.1
        )
        assert (split.protocol["test_share"], len(split.train)) == (0.8, 2)

    def test_a_first_moment_that_holds_most_events_is_learned(self) -> None:
        split = split_by_time(journal([*[("a", "x", 0)] * 9, ("b", "y", 1)]), test_fraction=0.5)
        assert pairs(split.targets) == [("b", "y")]

    def test_ties_inside_a_user_keep_the_journals_order_and_are_counted(self) -> None:
        tied = journal([("a", "z", 1), ("a", "x", 1), ("a", "y", 2), ("b", "x", 0)])
        split = split_by_time(tied, cutoff=START + timedelta(days=2))
        assert pairs(split.train) == [("a", "z"), ("a", "x"), ("b", "x")]
        assert split.protocol["tied_share"] == 0.5

    def test_thousands_of_ties_keep_the_journals_order(self) -> None:
        rows = [("ab"[i % 2], str(i), 0) for i in range(20_000)]
        split = split_by_time(journal([*rows, ("a", "x", 1)]), test_days=0.5)
        of_a = split.train.filter(pl.col("user_id") == "a")["item_id"].cast(pl.Int64)
        assert of_a.to_list() == list(range(0, 20_000, 2))

    def test_the_time_of_a_target_is_that_of_its_first_event(self) -> None:
        targets = split_by_time(SMALL, cutoff=START + timedelta(days=5)).targets
        (time,) = targets.filter(pl.col("item_id") == "caviar")["time"]
        assert time == START + timedelta(days=7)

    def test_free_columns_travel_into_train(self) -> None:
        with_amount = SMALL.with_columns(amount=pl.lit(5.0))
        assert "amount" in split_by_time(with_amount).train.columns

    @pytest.mark.parametrize(("kind", "remedy"), [("order", "split_leave_last"), ("none", "split_random")])
    def test_a_journal_without_moments_is_refused(self, kind: str, remedy: str) -> None:
        with pytest.raises(DataError, match=remedy):
            split_by_time(SMALL, time_kind=kind)  # type: ignore[arg-type]
        with pytest.raises(DataError, match=remedy):
            rolling_windows(SMALL, n_windows=1, window_days=1, time_kind=kind)  # type: ignore[arg-type]

    def test_one_moment_for_all_events_is_refused(self) -> None:
        with pytest.raises(DataError, match="one moment"):
            split_by_time(journal([("a", "x", 1), ("b", "y", 1)]))

    def test_an_empty_journal_is_refused(self) -> None:
        with pytest.raises(DataError, match="at least one event"):
            split_by_time(journal([]))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"cutoff": START}, "both sides"),
            ({"cutoff": START + timedelta(days=9)}, "both sides"),
            ({"cutoff": datetime(2026, 1, 3)}, "time zone"),  # noqa: DTZ001  the error is the point
            ({"cutoff": START + timedelta(days=5), "test_days": 2}, "together"),
            ({"test_days": 0}, "above 0"),
            ({"test_days": 30}, "nothing to learn from"),
            ({"test_fraction": 0}, "between 0 and 1"),
            ({"test_fraction": 1.0}, "between 0 and 1"),
            ({"targets": "last"}, "'all' or 'first'"),
            ({"time_kind": "real time"}, "'order'"),
        ],
    )
    def test_a_wrong_call_names_its_rule(self, arguments: dict[str, object], message: str) -> None:
        with pytest.raises(InputError, match=message):
            split_by_time(SMALL, **arguments)  # type: ignore[arg-type]

    @given(rows=rows_of_journals, fraction=st.floats(0.05, 0.95))
    def test_nothing_learned_is_newer_than_anything_asked(
        self, rows: list[tuple[str, str, float]], fraction: float
    ) -> None:
        table = journal(rows)
        if table["time"].n_unique() == 1:
            return
        split = split_by_time(table, test_fraction=fraction)
        assert split.train["time"].max() < split.targets["time"].min()  # type: ignore[operator]
        assert len(split.train) + split.protocol["n_target_events"] == len(table)


class TestRolling:
    def test_windows_follow_each_other_and_end_with_the_journal(self) -> None:
        table = journal([("a", str(d), d) for d in range(10)])
        windows = rolling_windows(table, n_windows=3, window_days=2)
        assert [w.targets["item_id"].to_list() for w in windows] == [["4", "5"], ["6", "7"], ["8", "9"]]
        assert [len(w.train) for w in windows] == [4, 6, 8]
        assert [w.protocol["window"] for w in windows] == [1, 2, 3]

    def test_a_shorter_step_makes_windows_overlap(self) -> None:
        table = journal([("a", str(d), d) for d in range(10)])
        windows = rolling_windows(table, n_windows=2, window_days=2, step_days=1)
        assert [w.targets["item_id"].to_list() for w in windows] == [["7", "8"], ["8", "9"]]

    def test_one_window_is_the_split_by_days(self) -> None:
        (window,) = rolling_windows(SMALL, n_windows=1, window_days=2)
        assert window.targets.equals(split_by_time(SMALL, test_days=2).targets)

    def test_a_window_without_events_is_named(self) -> None:
        with pytest.raises(DataError, match="window 1 of 2"):
            rolling_windows(journal([("a", "x", 0), ("a", "y", 9)]), n_windows=2, window_days=2)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"n_windows": 0, "window_days": 1}, "1 or more"),
            ({"n_windows": 1, "window_days": -1}, "above 0"),
            ({"n_windows": 1, "window_days": 1, "step_days": 0}, "above 0"),
            ({"n_windows": 9, "window_days": 1}, "nothing to learn from before window 1 of 9"),
        ],
    )
    def test_a_wrong_call_names_its_rule(self, arguments: dict[str, object], message: str) -> None:
        with pytest.raises(InputError, match=message):
            rolling_windows(SMALL, **arguments)  # type: ignore[arg-type]


class TestLeaveLast:
    TABLE = journal(
        [("a", "1", 1), ("a", "2", 2), ("a", "3", 3), ("a", "4", 4), ("b", "8", 1), ("b", "9", 2)]
    )

    @staticmethod
    def of_a(split: Split) -> tuple[str, str, str]:
        return tuple(  # type: ignore[return-value]
            "".join(t.filter(pl.col("user_id") == "a")["item_id"].to_list())
            for t in (split.train, split.history, split.targets)
        )

    def test_refit_learns_from_all_but_the_last(self) -> None:
        assert self.of_a(split_leave_last(self.TABLE)) == ("123", "123", "4")

    def test_without_refit_the_validation_event_is_known_but_not_learned(self) -> None:
        assert self.of_a(split_leave_last(self.TABLE, refit=False)) == ("12", "123", "4")

    @pytest.mark.parametrize("refit", [True, False])
    def test_validation_asks_for_the_last_but_one_and_never_sees_the_last(self, refit: bool) -> None:
        split = split_leave_last(self.TABLE, part="validation", refit=refit)
        assert self.of_a(split) == ("12", "12", "3")
        assert split.protocol["refit"] is False

    def test_users_with_fewer_than_three_events_are_train_only(self) -> None:
        split = split_leave_last(self.TABLE)
        assert split.train.filter(pl.col("user_id") == "b")["item_id"].to_list() == ["8", "9"]
        assert split.targets["user_id"].to_list() == ["a"]
        assert split.protocol["n_users_train_only"] == 1

    def test_an_order_is_enough(self) -> None:
        split = split_leave_last(self.TABLE, time_kind="order")
        assert "targets_before_80pct_of_log" not in split.protocol

    def test_real_times_tell_how_many_targets_leak(self) -> None:
        rows = [("a", str(d), d) for d in range(3)] + [("b", str(d), d) for d in range(100, 117)]
        split = split_leave_last(journal(rows))
        assert split.protocol["targets_before_80pct_of_log"] == 0.5

    def test_shuffled_ties_change_the_target_and_follow_rng(self) -> None:
        tied = journal([("a", str(i), 1) for i in range(50)])
        targets = {split_leave_last(tied, ties="shuffle", rng=r).targets["item_id"].item() for r in range(5)}
        again = split_leave_last(tied, ties="shuffle", rng=3).targets
        assert len(targets) > 1
        assert again.equals(split_leave_last(tied, ties="shuffle", rng=3).targets)
        assert split_leave_last(tied).targets["item_id"].item() == "49"

    def test_shuffling_moves_nothing_across_times(self) -> None:
        assert self.of_a(split_leave_last(self.TABLE, ties="shuffle", rng=1)) == ("123", "123", "4")

    def test_a_journal_whose_time_means_nothing_has_no_last_event(self) -> None:
        with pytest.raises(DataError, match="split_random"):
            split_leave_last(self.TABLE, time_kind="none")

    def test_nobody_with_three_events_is_refused(self) -> None:
        with pytest.raises(DataError, match="three events"):
            split_leave_last(journal([("a", "x", 1), ("b", "y", 1)]))

    def test_a_wrong_call_names_its_rule(self) -> None:
        with pytest.raises(InputError, match="part"):
            split_leave_last(self.TABLE, part="train")  # type: ignore[arg-type]
        with pytest.raises(InputError, match="ties"):
            split_leave_last(self.TABLE, ties="random")  # type: ignore[arg-type]

    @given(rows=rows_of_journals)
    def test_every_event_is_learned_or_asked_once(self, rows: list[tuple[str, str, float]]) -> None:
        table = journal(rows)
        if table["user_id"].value_counts()["count"].max() < 3:  # type: ignore[operator]
            return
        split = split_leave_last(table)
        asked = split.targets.select(table.columns)
        together = pl.concat([split.train, asked]).sort(table.columns)
        assert together.equals(table.sort(table.columns))


class TestRandom:
    TABLE = journal([(u, i, 0) for u in "abcdefgh" for i in "vwxyz"] * 2)

    def split(self, table: pl.DataFrame, *, rng: int = 0, test_fraction: float = 0.3) -> Split:
        with pytest.warns(RandomSplitWarning, match="nothing about the future"):
            return split_random(table, rng=rng, test_fraction=test_fraction)

    def test_all_events_of_a_pair_stand_on_one_side(self) -> None:
        split = self.split(self.TABLE)
        assert not set(pairs(split.train)) & set(pairs(split.targets))
        assert split.protocol["repeat_share"] == 0
        assert len(split.train) + 2 * len(split.targets) == len(self.TABLE)

    def test_every_user_keeps_something_to_be_known_by(self) -> None:
        split = self.split(self.TABLE, test_fraction=0.99)
        assert split.train["user_id"].n_unique() == 8
        assert split.protocol["n_cold_users"] == 0

    def test_the_same_rng_gives_the_same_split(self) -> None:
        assert self.split(self.TABLE, rng=5).targets.equals(self.split(self.TABLE, rng=5).targets)
        assert not self.split(self.TABLE, rng=5).targets.equals(self.split(self.TABLE, rng=6).targets)

    def test_the_share_is_about_the_one_asked(self) -> None:
        big = journal([(str(u), str(i), 0) for u in range(100) for i in range(50)])
        assert len(self.split(big, test_fraction=0.2).targets) == pytest.approx(1000, rel=0.1)

    def test_users_of_one_item_give_no_target(self) -> None:
        with pytest.raises(DataError, match="two different items"):
            self.split(journal([("a", "x", 0), ("b", "y", 0)]), test_fraction=0.99)

    def test_a_wrong_share_names_its_rule(self) -> None:
        with pytest.raises(InputError, match="test_fraction"):
            split_random(self.TABLE, rng=0, test_fraction=1.5)

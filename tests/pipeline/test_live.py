"""Live histories: whole rows, in time order, within bounds."""

import logging
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.data.ids import IdIndex
from nextbest.pipeline.config import LiveConfig
from nextbest.pipeline.live import EMPTY_ROW, LiveHistories, history_row, pack
from pipeline.shop import bought, day, log


def live(**bounds: int) -> LiveHistories:
    return LiveHistories(log(), LiveConfig(**bounds))


def items_of(histories: LiveHistories, user_id: Any) -> list[str]:
    return histories._item_ids.decode(histories.row(user_id)[1].item_idx).to_list()


def test_events_stand_at_their_place_in_time_not_of_arrival() -> None:
    histories = live()
    assert (
        histories.add([bought("ann", "wine", 5), bought("ann", "pen", 0.5), bought("ann", "bread", -1)]) == 3
    )
    assert items_of(histories, "ann") == ["bread", "tea", "pen", "milk", "wine"]


def test_events_of_the_same_moment_keep_their_order_of_arrival() -> None:
    histories = live()
    histories.add([bought("zoe", "wine", 5), bought("zoe", "bread", 5)])
    histories.add([bought("zoe", "pen", 5)])
    assert items_of(histories, "zoe") == ["wine", "bread", "pen"]


def test_the_stored_history_stays_as_it_was() -> None:
    interactions = log()
    histories = LiveHistories(interactions, LiveConfig())
    before = interactions.histories.item_idx.copy()
    histories.add([bought("ann", "wine", 5)])
    assert (interactions.histories.item_idx == before).all()
    assert histories.stored_row(0).item_idx.tolist() == before[:2].tolist()


def test_a_row_that_was_read_does_not_change_under_the_reader() -> None:
    histories = live()
    row = histories.row("ann")[1]
    histories.add([bought("ann", "wine", 5)])
    assert len(row.item_idx) == 2


def test_the_same_event_id_is_ignored() -> None:
    histories = live()
    assert histories.add([bought("ann", "wine", 5, event_id="e"), bought("ann", "pen", 6, event_id="e")]) == 1
    assert histories.add([bought("bob", "pen", 6, event_id="e")]) == 0
    assert items_of(histories, "ann") == ["tea", "milk", "wine"]


def test_without_an_event_id_the_same_item_at_the_same_time_is_one_event() -> None:
    histories = live()
    assert histories.add([bought("ann", "wine", 5), bought("ann", "wine", 5)]) == 1
    assert histories.add([bought("ann", "wine", 5), bought("ann", "wine", 6)]) == 1
    assert histories.add([bought("ann", "wine", 5, event_id="another")]) == 1


def test_what_the_journal_holds_is_not_added_again() -> None:
    assert live().add([bought("ann", "tea", 0), bought("ann", "tea", 0, event_id="e")]) == 0


def test_unknown_items_stand_aside_once() -> None:
    histories = live()
    assert histories.add([bought("ann", "ink", 5), bought("ann", "ink", 5), bought("ann", "ink", 6)]) == 2
    row = histories.row("ann")[1]
    assert [e.item_id for e in row.aside] == ["ink", "ink"]
    assert items_of(histories, "ann") == ["tea", "milk"]


def test_an_unknown_integer_item_is_not_taken_for_a_row_number() -> None:
    histories = LiveHistories(log(), LiveConfig())
    assert histories.add([bought("ann", 0, 5), bought("ann", "bread", 5)]) == 2


def test_the_newest_time_grows_with_events() -> None:
    histories = live()
    histories.add([bought("ann", "wine", 3)])
    assert histories.last_time_us == bought("a", "b", 9).time_us
    histories.add([bought("ann", "wine", 20)])
    assert histories.last_time_us == bought("a", "b", 20).time_us


def test_an_empty_log_has_no_newest_time() -> None:
    histories = LiveHistories(log(rows=[]), LiveConfig())
    assert histories.last_time_us is None
    histories.add([bought("ann", "wine", 3)])
    assert histories.last_time_us == bought("a", "b", 3).time_us


def test_the_oldest_live_events_of_a_user_go_first_and_stored_ones_stay() -> None:
    histories = live(max_events_per_user=2)
    histories.add([bought("ann", i, n) for n, i in ((5, "wine"), (0.5, "pen"), (7, "bread"))])
    assert items_of(histories, "ann") == ["tea", "milk", "wine", "bread"]
    histories.add([bought("ann", "ink", n) for n in (1, 2, 3)])
    assert len(histories.row("ann")[1].aside) == 2
    assert histories.n_dropped == 2


def test_the_user_whose_last_event_came_longest_ago_goes_first(caplog: pytest.LogCaptureFixture) -> None:
    histories = live(max_users=2)
    with caplog.at_level(logging.WARNING):
        for user in ("xen", "ann", "zoe", "ann", "yan"):
            histories.add([bought(user, "wine", len(histories._rows) + 20), bought(user, "ink", 20)])
    assert histories.n_live_users == 2
    assert not histories.is_known("zoe")
    assert items_of(histories, "ann")[-1] == "wine"
    assert histories.n_dropped == 4
    assert caplog.text.count("live histories full") == 1


def test_the_oldest_event_ids_are_forgotten_first() -> None:
    histories = live(max_event_ids=1)
    histories.add([bought("zoe", "wine", 5, event_id="a"), bought("zoe", "wine", 6, event_id="b")])
    assert list(histories._event_ids) == ["b"]


def test_readers_see_whole_rows_while_others_write() -> None:
    histories, broken, stop = live(), [], threading.Event()

    def read() -> None:
        while not stop.is_set():
            row = histories.row("zoe")[1]
            if (
                not len(row.item_idx) == len(row.time_us) == len(row.weight)
                or (row.time_us[1:] < row.time_us[:-1]).any()
            ):
                broken.append(row)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for n in range(300):
        histories.add([bought("zoe", "wine", 300 - n)])
    stop.set()
    for reader in readers:
        reader.join()
    assert not broken
    assert len(histories.row("zoe")[1].item_idx) == 300


@given(
    st.lists(st.tuples(st.sampled_from(["tea", "wine", "ink"]), st.integers(0, 5)), max_size=12), st.data()
)
def test_batches_and_order_of_arrival_do_not_matter_to_what_is_kept(
    events: list[tuple[str, int]], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(events)))
    one, two = live(), live()
    one.add([bought("zoe", i, n) for i, n in events])
    shuffled = data.draw(st.permutations(events))
    two.add([bought("zoe", i, n) for i, n in shuffled[:cut]])
    two.add([bought("zoe", i, n) for i, n in shuffled[cut:]])
    for histories in (one, two):
        row = histories.row("zoe")[1]
        kept = sorted(zip(items_of(histories, "zoe"), row.time_us.tolist(), strict=True))
        assert kept == sorted({(i, bought("z", i, n).time_us) for i, n in events if i != "ink"})
        assert len(row.aside) == len({n for i, n in events if i == "ink"})


def test_adopting_brings_every_event_of_the_other() -> None:
    old, new = live(), live()
    old.add([bought("ann", "wine", 5, weight=2.0), bought("zoe", "ink", 6), bought("zoe", "tea", 7)])
    assert new.adopt(old) == 3
    assert sorted(map(repr, new.events())) == sorted(map(repr, old.events()))


def test_packing_nothing_gives_no_histories() -> None:
    assert len(pack([], None)) == 0
    assert pack([EMPTY_ROW, EMPTY_ROW], None).lengths.tolist() == [0, 0]


ABC = IdIndex.from_values(log().item_ids.ids)


@pytest.mark.parametrize(
    ("times", "order"),
    [
        ([None, None, None], ["tea", "milk", "wine"]),
        ([3, 1, 2], ["milk", "wine", "tea"]),
        ([3, 1, None], ["milk", "wine", "tea"]),
        ([None, 2, 1], ["wine", "tea", "milk"]),
    ],
)
def test_a_given_history_is_ordered_by_its_times_as_far_as_it_has_them(
    times: list[int | None], order: list[str]
) -> None:
    events = [(i, None if t is None else day(t)) for i, t in zip(("tea", "milk", "wine"), times, strict=True)]
    row, unknown = history_row(ABC, events)
    assert ABC.decode(row.item_idx).to_list() == order
    assert unknown == []


def test_unknown_items_of_a_given_history_are_handed_back() -> None:
    assert history_row(ABC, [("zzz", None)]) == (EMPTY_ROW, ["zzz"])

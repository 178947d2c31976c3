"""Order read a moment ago: a posted history or event is encoded for the very next answer."""

import pytest

from nextbest.data.event_log import Event
from nextbest.pipeline.pipeline import Pipeline
from nextbest.pipeline.query import Query
from pipeline.cycle_shop import after, cycle_shop, day


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("cycle") / "model"
    cycle_shop().save(folder, created=day(8))
    return folder


@pytest.fixture
def shop(saved):
    return Pipeline.load(saved)


def best(shop, query):
    item = shop.recommend([query])[0].items[0]
    return item.item_id, item.source


@pytest.mark.parametrize("history", ["s", "wxy", "xyzst", "xxxxxxxxyzs"])
def test_a_history_posted_for_nobody_we_know_is_answered_by_its_order(shop, history):
    posted = Query(history=[(letter, None) for letter in history], k=1, exclude_seen=False)
    assert best(shop, posted) == (after(history[-1]), "gru4rec")
    unknown = Query("nobody", history=[(letter, None) for letter in history], k=1, exclude_seen=False)
    assert best(shop, unknown) == (after(history[-1]), "gru4rec")


def test_the_same_items_in_another_order_get_another_answer(shop):
    for history in ("stuvwxyz", "tuvwxyzs", "xyzstuvw"):
        posted = Query(history=[(letter, None) for letter in history], k=1, exclude_seen=False)
        assert best(shop, posted)[0] == after(history[-1])


def test_each_event_changes_the_next_answer(shop):
    newest = shop.recommend([Query("u0", k=1, exclude_seen=False)])[0].items[0].item_id
    assert newest == "z"  # after s t u v w x y
    for number, letter in enumerate("zst"):
        assert shop.add_events([Event("u0", letter, day(10 + number))]) == 1
        assert best(shop, Query("u0", k=1, exclude_seen=False)) == (after(letter), "gru4rec")


def test_an_event_makes_an_unknown_user_known_and_their_history_is_read_in_order(shop):
    assert best(shop, Query("zoe", k=1, exclude_seen=False))[1] == "popularity"
    shop.add_events([Event("zoe", "w", day(10)), Event("zoe", "v", day(9))])  # the newest by time is w
    assert best(shop, Query("zoe", k=1, exclude_seen=False)) == ("x", "gru4rec")

"""What is held out: against plain loops, and nothing of it stays in training."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from nextbest.data.interactions import Histories
from nextbest.errors import InputError
from nextbest.models.sequence import validation
from nextbest.models.sequence.shards import InMemory
from nextbest.models.sequence.validation import held_out_of

logs = st.lists(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), max_size=8).map(sorted), max_size=30
)


def log_of(users):
    """Histories from one list of (time, item) a user."""
    return Histories.from_lists(
        [[i for _, i in u] for u in users], time_us=[[t for t, _ in u] for u in users]
    )


def lists(histories):
    return [
        list(zip(histories.time_us[r].tolist(), histories.item_idx[r].tolist(), strict=True))
        for r in map(histories.row, range(len(histories)))
    ]


def split(histories, how, *, users=100, fraction=0.2, rng=0):
    shards = InMemory(histories, 6)
    train, questions = held_out_of(shards, how=how, users=users, fraction=fraction, rng=rng)
    return (histories if train is shards else train.read(0)), questions


@given(logs.map(lambda users: users * 3), st.integers(1, 4), st.integers(0, 5))
def test_last_takes_the_newest_event_of_a_tenth_of_the_users_at_most(users, limit, seed):
    train, questions = split(log_of(users), "last", users=limit, rng=seed)
    n_able = sum(len(u) >= 2 for u in users)
    most = max(n_able // 10, sum(map(len, users)) // 100)
    assert len(questions) == len(questions.histories) == min(limit, n_able, most)
    left = lists(train)
    shortened = [b for b in range(len(users)) if left[b] != users[b]]
    assert len(shortened) == len(questions)
    for row, (b, history) in enumerate(zip(shortened, lists(questions.histories), strict=True)):
        assert left[b] == history == users[b][:-1]
        assert questions.target_idx[row] == users[b][-1][1]


def test_long_histories_ask_more_users_than_a_tenth():
    _, questions = split(Histories.from_lists([[0] * 50] * 40), "last")
    assert len(questions) == 20  # a hundredth of 2,000 events; a tenth of the users would be 4


@given(logs, st.integers(1, 40), st.floats(0.01, 0.99), st.integers(0, 5))
def test_time_leaves_nothing_after_the_moment_in_training(users, limit, fraction, seed):
    histories = log_of(users)
    train, questions = split(histories, "time", users=limit, fraction=fraction, rng=seed)
    if not len(questions):
        assert train is histories
        return
    moment = train.time_us.max()
    assert lists(train) == [[e for e in u if e[0] <= moment] for u in users]
    assert histories.n_events - train.n_events <= fraction * histories.n_events
    asked = [u for u in users if u and u[0][0] <= moment < u[-1][0]]
    assert len(questions) == min(limit, len(asked))
    possible = [([e for e in u if e[0] <= moment], next(i for t, i in u if t > moment)) for u in asked]
    for history, target in zip(lists(questions.histories), questions.target_idx.tolist(), strict=True):
        assert (history, target) in possible


def test_time_has_no_question_only_where_nobody_has_events_on_both_sides():
    users = [[(t, 0)] for t in range(10)]
    assert len(split(log_of(users), "time")[1]) == 0
    assert len(split(log_of([*users, [(0, 1), (9, 2)]]), "time")[1]) == 1


def test_users_are_drawn_by_rng():
    histories = log_of([[(0, b % 6), (1, b // 6 % 6)] for b in range(200)])
    first, again, other = (split(histories, "last", users=7, rng=rng) for rng in (1, 1, 2))
    assert_array_equal(first[0].indptr, again[0].indptr)
    assert not np.array_equal(first[0].indptr, other[0].indptr)


@pytest.mark.parametrize("how", ["last", "time"])
@pytest.mark.parametrize("users", [[], [[]], [[(3, 0)]], [[(3, 0), (3, 1)]] * 9])
def test_too_little_data_gives_no_question_and_says_so(how, users, caplog):
    histories = log_of(users)
    with caplog.at_level(logging.WARNING):
        train, questions = split(histories, how)
    assert train is histories
    assert len(questions) == len(questions.histories) == 0
    assert "without early stopping" in caplog.text


def test_none_holds_nothing_out_in_silence(caplog):
    histories = log_of([[(0, 1), (1, 2)]] * 50)
    train, questions = split(histories, None)
    assert train is histories
    assert len(questions) == 0
    assert not caplog.text


class ManyShards(InMemory):
    """A log in pieces of a few users."""

    def __init__(self, users, *, size=3):
        super().__init__(log_of(users), 6)
        self.pieces = [log_of(users[start : start + size]) for start in range(0, len(users), size)]

    n_shards = property(lambda self: len(self.pieces))

    def read(self, number):
        return self.pieces[number]


def in_order(shards):
    return [row for number in range(shards.n_shards) for row in lists(shards.read(number))]


@given(
    logs.map(lambda users: users * 2), st.sampled_from(["last", "time"]), st.integers(1, 9), st.integers(0, 3)
)
def test_shards_are_split_as_a_log_in_memory_is(users, how, limit, seed):
    arguments = {"how": how, "users": limit, "fraction": 0.3, "rng": seed}
    shards = ManyShards(users)
    train, questions = held_out_of(shards, **arguments)
    whole, wanted = held_out_of(InMemory(log_of(users), 6), **arguments)
    assert len(questions) == len(wanted)
    if not len(questions):
        assert train is shards
        return
    left = in_order(train)
    assert left == in_order(train)  # the same in every epoch
    if how == "time":  # whoever is asked
        assert left == in_order(whole)
    asked = [(h, t) for h, t in zip(lists(questions.histories), questions.target_idx.tolist(), strict=True)]
    for history, target in asked:
        assert any(
            u[: len(history)] == history and u[len(history)][1] == target
            for u in users
            if len(u) > len(history)
        )
    if how == "last":
        taken = [(u[:-1], u[-1][1]) for u, row in zip(users, left, strict=True) if row != u]
        assert taken == asked
    assert train.n_events == sum(map(len, left))
    assert train.item_counts.tolist() == [sum(i == item for row in left for _, i in row) for item in range(6)]
    blocks = [row for block in train.epoch(seed) for row in lists(block)]
    assert sorted(map(str, blocks)) == sorted(map(str, left))


def test_a_moment_found_by_coarse_counting_holds_out_less_and_is_still_a_moment(monkeypatch):
    monkeypatch.setattr(validation, "_MOMENT_BINS", 7)
    users = [[(t, t % 6) for t in range(b % 4, 100, 3)] for b in range(20)]
    train, questions = held_out_of(ManyShards(users), how="time", users=50, fraction=0.3, rng=0)
    left = in_order(train)
    moment = max(t for row in left for t, _ in row)
    assert left == [[e for e in u if e[0] <= moment] for u in users]
    assert 0.1 < 1 - train.n_events / sum(map(len, users)) <= 0.3
    assert len(questions) == 20


def test_nothing_is_held_out_of_shards_without_a_way():
    shards = ManyShards([[(0, 1), (1, 2)]] * 40)
    train, questions = held_out_of(shards, how=None, users=5, fraction=0.1, rng=0)
    assert train is shards
    assert len(questions) == 0


def test_users_of_all_shards_are_asked_alike():
    shards = ManyShards([[(0, 1), (1, b % 6)] for b in range(60)], size=10)
    asked = np.zeros(60)
    for seed in range(200):
        train, _ = held_out_of(shards, how="last", users=6, fraction=0.1, rng=seed)
        asked += [len(row) == 1 for row in in_order(train)]
    assert asked.sum() == 1200
    assert asked.min() > 5
    assert asked.max() < 40


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"how": "random"}, "how: must be 'last', 'time' or None; got 'random'"),
        ({"users": 0}, "users: must be 1 or more"),
        ({"fraction": 1.0}, "fraction: must lie between 0 and 1"),
    ],
)
def test_bad_arguments_are_told(wrong, words):
    arguments = {"how": "last", "users": 1, "fraction": 0.1, "rng": 0} | wrong
    with pytest.raises(InputError, match=words):
        held_out_of(InMemory(log_of([[(0, 1)]]), 6), **arguments)
    with pytest.raises(InputError, match=words):
        held_out_of(ManyShards([[(0, 1)]]), **arguments)

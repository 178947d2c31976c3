"""What is held out: against plain loops, and nothing of it stays in training."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from nextbest.data.interactions import Histories
from nextbest.errors import InputError
from nextbest.models.sequence.validation import held_out

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
    return held_out(histories, how=how, users=users, fraction=fraction, rng=rng)


@given(logs.map(lambda users: users * 3), st.integers(1, 4), st.integers(0, 5))
def test_last_takes_the_newest_event_of_a_tenth_of_the_users_at_most(users, limit, seed):
    train, questions = split(log_of(users), "last", users=limit, rng=seed)
    n_able = sum(len(u) >= 2 for u in users)
    assert len(questions) == len(questions.histories) == min(limit, n_able // 10)
    left = lists(train)
    shortened = [b for b in range(len(users)) if left[b] != users[b]]
    assert len(shortened) == len(questions)
    for row, (b, history) in enumerate(zip(shortened, lists(questions.histories), strict=True)):
        assert left[b] == history == users[b][:-1]
        assert questions.target_idx[row] == users[b][-1][1]


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
        held_out(log_of([[(0, 1)]]), **arguments)

"""Batches: what is asked of which history, against plain loops; padding and order change neither."""

from collections import Counter
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.data.interactions import Histories
from nextbest.errors import InputError
from nextbest.models.sequence import batches as batches_module
from nextbest.models.sequence.batches import cloze_batches, next_item_batches, question_batches

N_ITEMS = 7
PAD, MASK = N_ITEMS, N_ITEMS + 1

rows = st.lists(st.lists(st.integers(0, N_ITEMS - 1), max_size=12), max_size=12)
sizes = {"max_len": st.integers(1, 5), "batch_events": st.integers(1, 30), "seed": st.integers(0, 9)}


def windows_by_hand(events, max_len, *, n_first):
    """Stretches of targets (`n_first` = 1) or events (0) from the newest backwards, newest window first."""
    found, end = [], len(events)
    while end > n_first:
        start = max(n_first, end - max_len)
        found.append((start, end))
        end = start
    return found


def pairs_by_hand(histories, max_len, *, every_window=True):
    pairs = Counter()
    for events in histories:
        for start, end in windows_by_hand(events, max_len, n_first=1)[: None if every_window else 1]:
            pairs.update((tuple(events[start - 1 : at]), events[at]) for at in range(start, end))
    return pairs


def pairs_of(batches):
    pairs = Counter()
    for batch in batches:
        for row, targets, length in zip(batch.input_BL, batch.target_BL, batch.length_B, strict=True):
            pairs.update((tuple(row[: at + 1].tolist()), int(targets[at])) for at in range(length))
    return pairs


def check_shape(batch, batch_events):
    n_rows, width = batch.input_BL.shape
    assert batch.input_BL.dtype == batch.target_BL.dtype == batch.length_B.dtype == np.int64
    assert width == max(1, batch.length_B.max())
    assert n_rows * width <= batch_events or n_rows == 1
    padding = np.arange(width) >= batch.length_B[:, None]
    assert (batch.input_BL[padding] == PAD).all()
    assert (batch.input_BL[~padding] != PAD).all()
    assert (batch.target_BL[padding] == -1).all()


@given(histories=rows, every_window=st.booleans(), **sizes)
def test_next_item_batches_ask_what_a_plain_loop_asks(histories, every_window, max_len, batch_events, seed):
    batches = list(
        next_item_batches(
            Histories.from_lists(histories),
            n_items=N_ITEMS,
            max_len=max_len,
            batch_events=batch_events,
            rng=seed,
            every_window=every_window,
        )
    )
    for batch in batches:
        check_shape(batch, batch_events)
    assert pairs_of(batches) == pairs_by_hand(histories, max_len, every_window=every_window)


def test_every_event_but_the_first_of_a_history_is_a_target_once():
    events = np.arange(100) % 9
    batches = next_item_batches(
        Histories.from_lists([events.tolist()]), n_items=9, max_len=8, batch_events=64, rng=0
    )
    targets = np.concatenate([b.target_BL[b.target_BL >= 0] for b in batches])
    assert Counter(targets.tolist()) == Counter(events[1:].tolist())


def test_the_newest_window_ends_with_the_history():
    (batch,) = next_item_batches(
        Histories.from_lists([[0, 1, 2, 3, 4]]), n_items=5, max_len=3, batch_events=99, rng=0
    )
    windows = {
        tuple(row[:n]): tuple(target[:n])
        for row, target, n in zip(
            batch.input_BL.tolist(), batch.target_BL.tolist(), batch.length_B, strict=True
        )
    }
    assert windows == {(1, 2, 3): (2, 3, 4), (0,): (1,)}


def test_the_same_rng_gives_the_same_batches_and_another_gives_others():
    histories = Histories.from_lists([[i % 5, 1, 2, 3][: 2 + i % 3] for i in range(60)])

    def epoch(rng):
        batches = next_item_batches(histories, n_items=5, max_len=3, batch_events=12, rng=rng)
        return [batch.input_BL.tolist() for batch in batches]

    assert epoch(4) == epoch(np.random.default_rng(4))
    assert epoch(4) != epoch(5)


def test_like_lengths_meet_so_that_little_is_padding():
    gen = np.random.default_rng(0)
    histories = Histories.from_lists([[0] * n for n in gen.integers(2, 60, 2000)])
    batches = list(next_item_batches(histories, n_items=1, max_len=50, batch_events=2048, rng=0))
    places = sum(batch.input_BL.size for batch in batches)
    used = sum(int(batch.length_B.sum()) for batch in batches)
    assert used / places > 0.9
    assert used / (2048 * len(batches)) > 0.85  # batches are full, too


uncut = patch.object(batches_module, "CUT_QUESTIONS", 0.0)


@given(histories=rows, every_window=st.booleans(), share=st.floats(0.01, 1), **sizes)
@uncut
def test_cloze_windows_cover_the_events_and_ask_for_what_they_hide(
    histories, every_window, share, max_len, batch_events, seed
):
    found = Counter()
    for batch in cloze_batches(
        Histories.from_lists(histories),
        n_items=N_ITEMS,
        max_len=max_len,
        batch_events=batch_events,
        mask_share=share,
        rng=seed,
        every_window=every_window,
    ):
        check_shape(batch, batch_events)
        masked = batch.input_BL == MASK
        assert (masked == (batch.target_BL >= 0)).all()
        assert masked.any(axis=1).all()
        events = np.where(masked, batch.target_BL, batch.input_BL)
        found.update(tuple(e[:n].tolist()) for e, n in zip(events, batch.length_B, strict=True))
    expected = Counter(
        tuple(events[start:end])
        for events in histories
        for start, end in windows_by_hand(events, max_len, n_first=0)[: None if every_window else 1]
    )
    assert found == expected


def test_every_second_question_ends_at_a_random_event():
    histories = Histories.from_lists([list(range(40))] * 8000)
    lengths, n_windows = [], 0
    for batch in cloze_batches(histories, n_items=40, max_len=40, batch_events=20_000, mask_share=0.5, rng=0):
        hidden = batch.target_BL >= 0
        n_windows += len(hidden)
        last = hidden[np.arange(len(hidden)), batch.length_B - 1] & (hidden.sum(axis=1) == 1)
        lengths += batch.length_B[last & (batch.length_B < 40)].tolist()
        read = np.where(hidden, batch.target_BL, batch.input_BL)
        assert all(row[:n].tolist() == list(range(n)) for row, n in zip(read, batch.length_B, strict=True))
    assert n_windows == 8000
    assert len(lengths) / n_windows == pytest.approx(0.05, abs=0.01)
    assert np.mean(lengths) == pytest.approx(20, abs=2)


@uncut
def test_cloze_hides_the_share_asked_for_and_only_the_newest_event_in_one_window_of_ten():
    histories = Histories.from_lists([[0] * 50] * 4000)
    batches = list(
        cloze_batches(histories, n_items=1, max_len=50, batch_events=10_000, mask_share=0.2, rng=0)
    )
    masked = np.concatenate([batch.target_BL >= 0 for batch in batches])
    newest_only = masked[:, -1] & (masked.sum(axis=1) == 1)
    assert newest_only.mean() == pytest.approx(0.1, abs=0.02)
    assert masked[~newest_only].mean() == pytest.approx(0.2, abs=0.01)


@uncut
def test_where_chance_hides_nothing_one_event_is_hidden_anywhere_in_the_window():
    histories = Histories.from_lists([[0] * 4] * 4000)
    (batch,) = cloze_batches(histories, n_items=1, max_len=4, batch_events=16_000, mask_share=1e-9, rng=0)
    share = (batch.target_BL >= 0).mean(axis=0)
    assert share.sum() == pytest.approx(1)
    np.testing.assert_allclose(share, [0.225, 0.225, 0.225, 0.325], atol=0.03)


@given(histories=rows, append_mask=st.booleans(), **sizes)
def test_questions_are_each_history_once_with_its_newest_events(
    histories, append_mask, max_len, batch_events, seed
):
    max_len += append_mask
    answers = {}
    for numbers, batch in question_batches(
        Histories.from_lists(histories),
        n_items=N_ITEMS,
        max_len=max_len,
        batch_events=batch_events,
        append_mask=append_mask,
    ):
        check_shape(batch, batch_events)
        assert batch.n_targets == 0
        for number, row, n in zip(numbers.tolist(), batch.input_BL, batch.length_B, strict=True):
            assert number not in answers
            answers[number] = row[:n].tolist()
    mask = [MASK] if append_mask else []
    n_read = max_len - len(mask)
    assert answers == {b: events[-n_read:] + mask for b, events in enumerate(histories)}


def test_nothing_comes_of_histories_without_a_second_event():
    histories = Histories.from_lists([[], [3], []])
    assert list(next_item_batches(histories, n_items=4, max_len=5, batch_events=9, rng=0)) == []
    assert list(question_batches(histories.take([]), n_items=4, max_len=5, batch_events=9)) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"max_len": 0}, "max_len: must be 1 or more; got 0"),
        ({"batch_events": 0}, "batch_events: must be 1 or more"),
        ({"n_items": 0}, "n_items: must be 1 or more"),
        ({"n_items": 2}, r"histories: item row numbers must lie in 0..1; got \[2, 5\]"),
        ({"mask_share": 0.0}, "mask_share: must be above 0, at most 1"),
        ({"mask_share": 1.5}, "mask_share: must be above 0, at most 1"),
    ],
)
def test_bad_arguments_are_told_at_the_call(wrong, words):
    arguments = {"n_items": 6, "max_len": 3, "batch_events": 9, "mask_share": 0.2, "rng": 0} | wrong
    with pytest.raises(InputError, match=words):
        cloze_batches(Histories.from_lists([[0, 2, 5]]), **arguments)


def test_a_mask_needs_a_place_beside_the_history():
    with pytest.raises(InputError, match="max_len: must be 2 or more where a mask is appended"):
        question_batches(Histories.from_lists([[0]]), n_items=1, max_len=1, batch_events=9, append_mask=True)


# --- only some events are asked for -------------------------------------------------------------
@given(histories=rows, data=st.data(), **sizes)
def test_events_that_may_not_be_asked_for_are_read_only(histories, data, max_len, batch_events, seed):
    log = Histories.from_lists(histories)
    flags = data.draw(st.lists(st.booleans(), min_size=log.n_events, max_size=log.n_events))
    wanted, at = Counter(), 0
    for events in histories:
        asked, at = flags[at : at + len(events)], at + len(events)
        for start, end in windows_by_hand(events, max_len, n_first=1):
            places = [place for place in range(start, end) if asked[place]]
            wanted.update((tuple(events[start - 1 : place]), events[place]) for place in places)
    batches = list(
        next_item_batches(
            log,
            n_items=N_ITEMS,
            max_len=max_len,
            batch_events=batch_events,
            rng=seed,
            is_target=np.array(flags, bool),
        )
    )
    for batch in batches:
        check_shape(batch, batch_events)
        assert (batch.target_BL >= 0).any(axis=1).all()  # no window without a question
    found = Counter({pair: n for pair, n in pairs_of(batches).items() if pair[1] >= 0})
    assert found == wanted


@given(histories=rows, data=st.data(), share=st.floats(0.01, 1), **sizes)
def test_cloze_hides_only_what_may_be_asked_for(histories, data, share, max_len, batch_events, seed):
    """Items 0-3 may be asked for, 4-6 may not; so the hidden ones tell."""
    log = Histories.from_lists(histories)
    n_windows = sum(
        any(item < 4 for item in events[start:end])
        for events in histories
        for start, end in windows_by_hand(events, max_len, n_first=0)
    )
    batches = list(
        cloze_batches(
            log,
            n_items=N_ITEMS,
            max_len=max_len,
            batch_events=batch_events,
            mask_share=share,
            rng=seed,
            is_target=log.item_idx < 4,
        )
    )
    assert sum(len(batch.length_B) for batch in batches) == n_windows
    for batch in batches:
        check_shape(batch, batch_events)
        masked = batch.input_BL == MASK
        assert masked.any(axis=1).all()
        assert (masked == (batch.target_BL >= 0)).all()
        assert (batch.target_BL < 4).all()


def test_a_choice_of_targets_of_another_length_is_refused():
    log = Histories.from_lists([[0, 1, 2]])
    with pytest.raises(InputError, match=r"is_target: must be boolean of shape \(3,\)"):
        next_item_batches(log, n_items=5, max_len=3, batch_events=9, rng=0, is_target=np.ones(2, bool))

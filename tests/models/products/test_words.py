"""Histories as bit words against a plain month-by-month reading."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nextbest.models.products.features.words import (
    MAX_MONTHS,
    HistoryWords,
    as_fraction,
    count_events,
    months_since,
    months_since_second,
    months_unchanged,
)

N_PRODUCTS = 3


def plain_reading(held: list[bool], present: list[bool]) -> dict[str, float]:
    """What is said of one product of one client, newest month first, by looking at each month."""
    held, present = held[:MAX_MONTHS], present[:MAX_MONTHS]
    ups, downs, unchanged = [], [], 0
    for lag in range(len(held) - 1):
        if present[lag] and present[lag + 1] and held[lag] != held[lag + 1]:
            (ups if held[lag] else downs).append(lag + 1)
    for here, own in zip(present, held, strict=True):
        if not here or own != held[0]:
            break
        unchanged += 1
    nan = float("nan")
    is_here = bool(present) and present[0]
    return {
        "since_add": ups[0] if ups else nan,
        "since_add2": ups[1] if len(ups) > 1 else nan,
        "since_drop": downs[0] if downs else nan,
        "since_drop2": downs[1] if len(downs) > 1 else nan,
        "n_adds": len(ups),
        "n_drops": len(downs),
        "run": unchanged if is_here else nan,
        "pattern": sum(own / 2 ** (lag + 1) for lag, own in enumerate(held)),
    }


histories = st.integers(0, 20).flatmap(
    lambda n_months: st.tuples(
        arrays(np.bool_, (4, n_months, N_PRODUCTS)), arrays(np.bool_, (4, n_months), elements=st.booleans())
    )
)


@given(histories)
def test_words_say_what_a_month_by_month_reading_says(history):
    held_NLP, present_NL = history
    held_NLP = held_NLP & present_NL[:, :, None]
    held_NL = (held_NLP * (1 << np.arange(N_PRODUCTS))).sum(axis=2).astype(np.uint32)
    words = HistoryWords.from_masks(held_NL, present_NL, n_products=N_PRODUCTS)
    found = {
        "since_add": months_since(words.added_PN),
        "since_add2": months_since_second(words.added_PN),
        "since_drop": months_since(words.dropped_PN),
        "since_drop2": months_since_second(words.dropped_PN),
        "n_adds": count_events(words.added_PN),
        "n_drops": count_events(words.dropped_PN),
        "run": months_unchanged(words.held_PN, words.present_N),
        "pattern": as_fraction(words.held_PN),
    }
    for n in range(len(held_NL)):
        for p in range(N_PRODUCTS):
            expected = plain_reading(held_NLP[n, :, p].tolist(), present_NL[n].tolist())
            assert {name: float(values[p, n]) for name, values in found.items()} == pytest.approx(
                expected, nan_ok=True, abs=0
            )


@given(histories, st.integers(1, MAX_MONTHS))
def test_a_lag_is_the_month_itself_and_nan_where_the_client_is_absent_or_no_month_is_given(history, lag):
    held_NLP, present_NL = history
    held_NL = (held_NLP * (1 << np.arange(N_PRODUCTS))).sum(axis=2).astype(np.uint32)
    words = HistoryWords.from_masks(held_NL, present_NL, n_products=N_PRODUCTS)
    values_PN = words.lag_PN(lag)
    if lag > present_NL.shape[1]:
        assert np.isnan(values_PN).all()
        return
    expected_PN = np.where(present_NL[:, lag - 1], held_NLP[:, lag - 1].T, np.nan)
    assert np.array_equal(values_PN, expected_PN, equal_nan=True)


def test_what_is_held_in_a_month_of_absence_counts_for_nothing():
    held_NL, present_NL = np.array([[1, 1, 1]], np.uint32), np.array([[True, False, True]])
    words = HistoryWords.from_masks(held_NL, present_NL, n_products=1)
    assert words.held_PN.tolist() == [[0b101]]
    assert words.added_PN.tolist() == words.dropped_PN.tolist() == [[0]]


def test_a_state_older_than_the_word_lasts_as_long_as_the_word():
    full = np.ones((1, MAX_MONTHS + 3), np.bool_)
    words = HistoryWords.from_masks(full.astype(np.uint32), full, n_products=1)
    assert months_unchanged(words.held_PN, words.present_N).tolist() == [[MAX_MONTHS]]


def test_patterns_order_by_the_newest_month_that_differs():
    only_last, all_but_last, never = (
        np.array([0b1], np.uint16),
        np.array([0xFFFE], np.uint16),
        np.array([0], np.uint16),
    )
    assert as_fraction(only_last) > as_fraction(all_but_last) > as_fraction(never) == 0

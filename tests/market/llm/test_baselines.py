"""What needs no language model: counted again by hand, and worth something where something was planted."""

import numpy as np
import pytest

from market.llm.llm_cases import changed, noise, tiny, waves
from nextbest.market.llm.baselines import PSEUDO_ROWS, last_class, regression
from nextbest.market.llm.labels import Labels
from nextbest.market.llm.lesson import Rows, known_rows


def case(panel, stop: int = 450, n_classes: int = 3):
    config = tiny(n_classes=n_classes, horizon=3)
    labels = Labels.fit(panel.until(stop), config)
    learned = known_rows(panel.until(stop), labels.ahead_of(panel.until(stop)), config)
    rows = known_rows(panel, labels.ahead_of(panel), config)
    return labels, learned, rows.take(rows.bar_N >= stop), np.full(n_classes, 1 / n_classes)


def log_loss(p_NC: np.ndarray, rows: Rows) -> float:
    return float(-np.log(p_NC[np.arange(len(rows)), rows.class_N]).mean())


def test_the_last_class_answers_what_came_after_classes_like_it():
    panel = waves()
    labels, learned, asked, prior_C = case(panel)
    found = last_class(labels, panel, learned, asked, prior_C)
    now_AT = labels.at(panel)
    for n in (0, 100, 400):
        now = now_AT[asked.asset_N[n], asked.bar_N[n]]
        after = [
            c for a, t, c in zip(learned.asset_N, learned.bar_N, learned.class_N, strict=True) if now_AT[a, t] == now
        ]  # fmt: skip
        counts = np.bincount(after, minlength=3) + PSEUDO_ROWS * prior_C
        np.testing.assert_allclose(found[n], counts / counts.sum())


@pytest.mark.parametrize("baseline", [last_class, regression])
def test_both_find_what_was_planted_and_little_in_noise(baseline):
    for panel, low, high in ((waves(), 0.1, 1.0), (noise(), -0.05, 0.05)):
        labels, learned, asked, prior_C = case(panel)
        found = baseline(labels, panel, learned, asked, prior_C)
        np.testing.assert_allclose(found.sum(1), 1)
        gain = log_loss(np.tile(prior_C, (len(asked), 1)), asked) - log_loss(found, asked)
        assert low < gain < high


@pytest.mark.parametrize("baseline", [last_class, regression])
def test_an_answer_knows_no_bar_after_its_question(baseline):
    panel = waves()
    labels, learned, asked, prior_C = case(panel)
    early = asked.take(asked.bar_N < 500)
    wild = {n: getattr(panel, n).copy() for n in ("open_AT", "high_AT", "low_AT", "close_AT")}
    for values in wild.values():
        values[:, 500:] *= 3
    np.testing.assert_allclose(
        baseline(labels, panel, learned, early, prior_C),
        baseline(labels, changed(panel, **wild), learned, early, prior_C),
        rtol=1e-6,
    )


def test_without_bars_before_it_the_answer_is_the_prior():
    panel = waves()
    labels, learned, _, _ = case(panel)
    first = Rows(np.array([0]), np.array([1]), np.array([0]))
    prior_C = np.array([0.5, 0.3, 0.2])
    for baseline in (last_class, regression):
        np.testing.assert_allclose(baseline(labels, panel, learned, first, prior_C), [prior_C])

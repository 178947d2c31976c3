"""Classes of the bars to come: against a plain second reading, from the past alone, purged."""

import numpy as np
import pytest

from market.llm.llm_cases import changed, noise, scaled, tiny, waves, with_gap
from nextbest.errors import ArtifactError, DataError
from nextbest.market.classical.har import bar_variance
from nextbest.market.llm.labels import SCALE_BARS, Labels, ahead, known_volatility
from nextbest.market.llm.lesson import Lesson, known_rows, prompts_of
from nextbest.market.llm.windows import Reader

PANEL = waves(300)
TARGETS = ("volatility", "return", "direction")


def plain(panel, target: str, horizon: int) -> np.ndarray:
    """One cell after another."""
    variance = bar_variance(panel)
    found = np.full(panel.close_AT.shape, np.nan)
    for a in range(panel.n_assets):
        for t in range(panel.n_bars - horizon):
            if target == "volatility":
                found[a, t] = np.sqrt(np.mean(variance[a, t + 1 : t + 1 + horizon]))
            else:
                past = variance[a, max(0, t - SCALE_BARS + 1) : t + 1]
                past = past[~np.isnan(past)]
                if len(past) >= SCALE_BARS / 2:
                    move = np.log(panel.close_AT[a, t + horizon] / panel.close_AT[a, t])
                    found[a, t] = move / np.sqrt(past.mean()) / np.sqrt(horizon)
    return found


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("panel", [PANEL, with_gap(PANEL, 1, slice(50, 60))], ids=["whole", "holed"])
def test_labels_are_what_a_plain_loop_says(target, panel):
    np.testing.assert_allclose(ahead(panel, target, 3), plain(panel, target, 3), rtol=1e-9)


@pytest.mark.parametrize("target", TARGETS)
def test_classes_have_equal_shares_of_the_past_and_are_the_same_in_another_currency(target):
    labels = Labels.fit(noise(400), tiny(target=target, n_classes=2))
    class_AT = labels.ahead_of(noise(400))
    known = class_AT[class_AT >= 0]
    assert abs((known == 0).mean() - 0.5) < (0.05 if target == "direction" else 0.005)
    np.testing.assert_array_equal(class_AT, labels.ahead_of(scaled(noise(400), 10)))


@pytest.mark.parametrize("target", TARGETS)
def test_the_class_of_the_last_bars_is_not_known_yet(target):
    class_AT = Labels.fit(PANEL, tiny(target=target, horizon=5)).ahead_of(PANEL)
    assert (class_AT[:, -5:] == -1).all()
    assert (class_AT[:, -6] >= 0).all()


def test_the_class_at_a_bar_is_that_of_the_bars_just_seen():
    labels = Labels.fit(PANEL, tiny(horizon=4))
    np.testing.assert_array_equal(labels.at(PANEL)[:, 4:], labels.ahead_of(PANEL)[:, :-4])
    assert (labels.at(PANEL)[:, :4] == -1).all()


@pytest.mark.parametrize("target", TARGETS)
def test_known_volatility_and_the_last_class_know_no_later_bar(target):
    labels = Labels.fit(PANEL, tiny(target=target))
    np.testing.assert_array_equal(labels.at(PANEL)[:, :200], labels.at(PANEL.until(200)))
    np.testing.assert_allclose(known_volatility(PANEL)[:, :200], known_volatility(PANEL.until(200)))


def test_too_little_and_nothing_that_moves_is_told():
    with pytest.raises(DataError, match="50 needed"):
        Labels.fit(waves(12), tiny())
    still = changed(PANEL, **{n: np.ones_like(PANEL.close_AT) for n in ("open_AT", "high_AT", "low_AT", "close_AT")})  # fmt: skip
    with pytest.raises(DataError, match="equal moves"):
        Labels.fit(still, tiny())
    with pytest.raises(ArtifactError, match="labels"):
        Labels.of({"target": "volatility"})


def test_kept_labels_are_the_same():
    labels = Labels.fit(PANEL, tiny())
    again = Labels.of(labels.described())
    np.testing.assert_array_equal(again.ahead_of(PANEL), labels.ahead_of(PANEL))


def test_no_taught_label_reaches_into_the_part_that_calibrates():
    config = tiny(horizon=6)
    lesson = Lesson.of(PANEL, config, np.random.default_rng(0))
    first = PANEL.n_bars - int(PANEL.n_bars * config.calibration_share)
    assert lesson.taught.bar_N.max() + 6 < first <= lesson.calibration.bar_N.min()
    assert lesson.calibration.bar_N.max() + 6 < PANEL.n_bars
    assert lesson.taught.bar_N.min() >= config.n_bars
    assert lesson.prior_C.sum() == pytest.approx(1)


def test_edges_and_taught_rows_know_nothing_of_the_newest_part():
    """Its closes are changed: what is taught stays."""
    config = tiny()
    first = PANEL.n_bars - int(PANEL.n_bars * config.calibration_share)
    wild = {n: getattr(PANEL, n).copy() for n in ("open_AT", "high_AT", "low_AT", "close_AT")}
    for values in wild.values():
        values[:, first:] *= 3
    lessons = [Lesson.of(p, config, np.random.default_rng(0)) for p in (PANEL, changed(PANEL, **wild))]
    np.testing.assert_array_equal(*(lesson.labels.edge_C for lesson in lessons))
    for name in ("asset_N", "bar_N", "class_N"):
        np.testing.assert_array_equal(*(getattr(lesson.taught, name) for lesson in lessons))


def test_a_row_is_asked_what_its_own_cutoff_knows():
    config = tiny(window="text")
    reader = Reader.fit(PANEL, config)
    rows = known_rows(PANEL, Labels.fit(PANEL, config).ahead_of(PANEL), config).take(np.array([400, 7, 100]))
    prompts, has_N = prompts_of(PANEL, rows, reader, context=9)
    assert has_N.all()
    for prompt, asset, bar in zip(prompts, rows.asset_N, rows.bar_N, strict=True):
        assert prompt.before == reader.prompts(PANEL.until(int(bar) + 1))[asset].before


def test_a_past_too_short_to_divide_is_told():
    with pytest.raises(DataError, match="needed"):
        Lesson.of(waves(40), tiny(n_bars=36, horizon=2), np.random.default_rng(0))

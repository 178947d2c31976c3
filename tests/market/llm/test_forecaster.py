"""The language model as a forecaster: what every forecaster promises, and folders."""

import json

import numpy as np
import pytest

from market.llm.llm_cases import changed, scaled, tiny, waves, with_gap
from nextbest.errors import ArtifactError, DataError, InputError, NotFittedError
from nextbest.market.base import LEVELS, Forecaster, load_forecaster
from nextbest.market.bench.harness import bench
from nextbest.market.bench.origins import origins_of
from nextbest.market.kept import KeptForecaster
from nextbest.market.llm.calibration import Calibration
from nextbest.market.llm.forecaster import MarketLLM
from nextbest.market.llm.learning import answers_of, symbols_of
from nextbest.models.language.batches import completion_ids

PANEL = waves()


def test_it_is_a_forecaster(fitted):
    assert isinstance(fitted, Forecaster)


def test_quantiles_rise_and_a_loud_window_has_wider_ones(fitted):
    quantiles = fitted.forecast([PANEL.until(520)], horizons=(1, 4), levels=(0.001, *LEVELS, 0.999))
    assert quantiles.shape == (1, 3, 2, 11)
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    np.testing.assert_allclose(quantiles[..., 5], 0, atol=1e-3)  # volatility says nothing of direction
    widths, recent = [], []
    for stop in range(510, 590, 4):
        known = PANEL.until(stop)
        widths.append(np.ptp(fitted.forecast([known], horizons=(1,))[0, :, 0], axis=-1))
        recent.append(known.log_return_AT[:, -8:].std(1))
    assert np.corrcoef(np.ravel(widths), np.ravel(recent))[0, 1] > 0.6


def test_later_bars_and_other_histories_change_nothing(fitted):
    close = PANEL.close_AT.copy()
    close[:, 550:] *= 5
    other = changed(PANEL, close_AT=close, high_AT=np.maximum(PANEL.high_AT, close))
    alone = fitted.forecast([PANEL.until(550)], horizons=(1, 4))
    np.testing.assert_array_equal(alone, fitted.forecast([other.until(550)], horizons=(1, 4)))
    beside = fitted.forecast([PANEL.until(550), PANEL.until(560)], horizons=(1, 4))
    np.testing.assert_allclose(beside[:1], alone, rtol=1e-3)


def test_prices_times_ten_have_the_same_quantiles(fitted):
    known = PANEL.until(550)
    np.testing.assert_allclose(
        fitted.forecast([known], horizons=(1,)),
        fitted.forecast([scaled(known, 10)], horizons=(1,)),
        rtol=1e-3,
    )


def test_context_is_all_that_is_read(fitted):
    newest = PANEL.until(550, length=fitted.context_length)
    np.testing.assert_array_equal(
        fitted.forecast([PANEL.until(550)], horizons=(4,)), fitted.forecast([newest], horizons=(4,))
    )


def test_an_asset_without_a_bar_at_the_cutoff_has_no_answer(fitted):
    answer = fitted.forecast([with_gap(PANEL, 1, slice(-1, None))], horizons=(1,))
    assert np.isnan(answer).all((0, 2, 3)).tolist() == [False, True, False]


@pytest.mark.parametrize("target", ["return", "direction"])
def test_returns_are_told_in_the_known_volatility(bases, target):
    model = MarketLLM(bases["llama"], tiny(target=target, steps=0, window="tokens"))
    model.fit(PANEL.until(500), horizons=(1,), rng=0)
    quiet, loud = (
        model.forecast([changed(PANEL, **_stretched(factor))], horizons=(1,)) for factor in (0.5, 1.5)
    )
    assert (np.ptp(loud, axis=-1) > 1.5 * np.ptp(quiet, axis=-1)).all()


@pytest.mark.parametrize(
    ("family", "window"), [("llama", "tokens"), ("mistral", "tokens"), ("llama", "patches"), ("mistral", "patches")]
)  # fmt: skip
def test_a_kept_model_answers_the_same_and_says_until_when_it_knows(bases, folders, tmp_path, family, window):
    model = MarketLLM(bases[family], tiny(window=window, steps=3), source=str(folders[family]))
    model.fit(PANEL.until(500), horizons=(1, 4), rng=3)
    model.save(tmp_path / "kept")
    again = load_forecaster(tmp_path / "kept")
    known = PANEL.until(560)
    np.testing.assert_array_equal(
        again.forecast([known], horizons=(1, 4)), model.forecast([known], horizons=(1, 4))
    )
    assert (again.name, again.config) == (model.name, model.config)
    assert str(again.seen_until) == str(PANEL.time_T[499])[:10]
    assert str(model.seen_until) == "2024-12-31"


def test_a_text_model_goes_the_whole_way(bases, folders, tmp_path):
    model = MarketLLM(bases["llama"], tiny(window="text", n_bars=4, steps=2, horizon=1), source=str(folders["llama"]))  # fmt: skip
    model.fit(_coarse(), horizons=(1,), rng=0)
    model.save(tmp_path / "kept")
    again = load_forecaster(tmp_path / "kept")
    np.testing.assert_array_equal(*(m.forecast([_coarse()], horizons=(1,)) for m in (again, model)))


def test_two_fits_are_equal(bases):
    models = [MarketLLM(bases["llama"], tiny(steps=3)) for _ in range(2)]
    for model in models:
        model.fit(PANEL.until(400), horizons=(1, 4), rng=0)
    np.testing.assert_array_equal(*(model.forecast([PANEL], horizons=(1, 4)) for model in models))


def test_the_bench_asks_a_folder_without_teaching_it_and_flags_what_it_knew(fitted, tmp_path):
    fitted.save(tmp_path / "kept")
    kept = KeptForecaster(tmp_path / "kept")
    for start, flagged in ((480, True), (500, False)):
        origins = origins_of(PANEL, horizons=(1, 4), start=PANEL.time_T[start].item(), every=9)
        board = bench(PANEL, [kept], origins)
        assert not board.failures
        rows = [row for row in board.rows if row["model"] == "llm_tokens"]
        assert {row["maybe_seen"] for row in rows} == {flagged}
    row = next(r for r in rows if r["horizon"] == 1)
    assert row["crps_relative"] < 1  # waves are planted: it knows more of the width than a walk


def test_a_changed_or_foreign_folder_is_refused(fitted, bases, tmp_path):
    fitted.save(tmp_path / "kept")
    with pytest.raises(ArtifactError, match="other weights"):
        MarketLLM.load(tmp_path / "kept", checkpoint=bases["mistral"])
    weights = tmp_path / "kept" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtifactError, match="adapter_model"):
        load_forecaster(tmp_path / "kept")


def test_a_base_that_is_gone_is_told(fitted, tmp_path):
    fitted.save(tmp_path / "kept")
    manifest = tmp_path / "kept" / "manifest.json"
    told = json.loads(manifest.read_text())
    told["base"]["source"] = str(tmp_path / "gone")
    manifest.write_text(json.dumps(told))
    with pytest.raises(ArtifactError, match="needs its base"):
        load_forecaster(tmp_path / "kept")
    del told["labels"]
    told["base"]["source"] = fitted.source
    manifest.write_text(json.dumps(told))
    with pytest.raises(ArtifactError, match="labels"):
        load_forecaster(tmp_path / "kept")


def test_a_loaded_model_is_not_written_again(fitted, tmp_path):
    fitted.save(tmp_path / "kept")
    with pytest.raises(InputError, match="copy the folder"):
        load_forecaster(tmp_path / "kept").save(tmp_path / "again")


def test_bad_calls_are_told(bases, fitted, tmp_path):
    with pytest.raises(NotFittedError):
        MarketLLM(bases["llama"]).forecast([PANEL], horizons=(1,))
    with pytest.raises(NotFittedError):
        MarketLLM(bases["llama"]).save(tmp_path / "no")
    with pytest.raises(InputError, match="only"):
        fitted.forecast([PANEL], horizons=(3,))
    with pytest.raises(DataError, match="needed"):
        MarketLLM(bases["llama"], tiny()).fit(PANEL.until(20), horizons=(1,))
    with pytest.raises(InputError, match="longer than"):
        MarketLLM(bases["llama"], tiny(window="text", n_bars=64)).fit(PANEL, horizons=(1,))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/todo.txt").write_text("milk")
    with pytest.raises(InputError, match="holds no model"):
        fitted.save(tmp_path / "notes")


def test_symbols_are_one_token_each_in_any_order(bases):
    symbols, between = symbols_of(bases["llama"], 26)
    order = np.random.default_rng(0).choice(symbols, 200)
    assert len(completion_ids(bases["llama"], "".join(between + s for s in order))) == 200
    with pytest.raises(InputError, match="no 99 symbols"):
        symbols_of(bases["llama"], 99)


def test_class_words_that_begin_alike_are_refused(bases):
    with pytest.raises(InputError, match="same token"):
        answers_of(bases["llama"], ("QQ1", "QQ2"))


def test_calibration_of_worthless_scores_is_the_prior_and_of_good_ones_is_sharp():
    rng = np.random.default_rng(0)
    class_N = rng.integers(0, 3, 600)
    prior_C = np.full(3, 1 / 3)
    noise_NC = rng.normal(size=(600, 3))
    worthless = Calibration.fit(noise_NC, class_N, prior_C)
    np.testing.assert_allclose(worthless(noise_NC), 1 / 3, atol=0.06)
    good_NC = noise_NC + 3 * np.eye(3)[class_N] + np.array([5.0, 0, 0])
    good = Calibration.fit(good_NC, class_N, prior_C)
    assert (good(good_NC).argmax(1) == class_N).mean() > 0.85
    np.testing.assert_allclose(good(good_NC).sum(1), 1)
    again = Calibration.of(good.described())
    np.testing.assert_array_equal(again(good_NC), good(good_NC))
    with pytest.raises(ArtifactError, match="calibration"):
        Calibration.of({})


def _stretched(factor: float) -> dict[str, np.ndarray]:
    """The same moves, larger or smaller."""
    names = ("open_AT", "high_AT", "low_AT", "close_AT")
    return {name: 100 * (getattr(PANEL, name) / 100) ** factor for name in names}


def _coarse():
    """Moves below a percent, so that a text window fits into few tokens."""
    rng = np.random.default_rng(0)
    step_T = np.where(np.arange(400) // 40 % 2, 0.009, 0.003) * rng.choice([-1, 1], (1, 400))
    close = 100 * np.exp(np.cumsum(step_T, 1)) * np.exp(rng.normal(0, 2e-4, (1, 400)))
    panel = waves(400, n_assets=1)
    return changed(panel, open_AT=close, high_AT=close, low_AT=close, close_AT=close)

"""Kronos' own code on a random checkpoint: its paths, their quantiles, and what sampled bars look like."""

import datetime
import importlib.metadata
import sys

import numpy as np
import pytest

from market.foundation import checkpoints
from market.foundation.checkpoints import NAN, candles, changed
from market.foundation.contract import ForecasterContract
from nextbest.errors import InputError
from nextbest.market.foundation.context import sample_quantiles
from nextbest.market.foundation.kronos import Bars, Kronos, _stamps, kronos_code, next_times


def installed() -> bool:
    try:
        importlib.metadata.distribution("kronos-model-arch")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


needs_kronos = pytest.mark.skipif(
    not installed(),
    reason="kronos-model-arch pins an older huggingface_hub; run with `pip install --no-deps kronos-model-arch`",
)


@needs_kronos
class TestKronos(ForecasterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, tmp_path_factory):
        weights, tokenizer = checkpoints.kronos(tmp_path_factory.mktemp("kronos"))
        return Kronos(weights=weights, tokenizer=tokenizer, context_length=64, n_paths=19)

    def test_no_module_named_model_is_imported(self, model, answer_OAHQ):
        assert "model" not in sys.modules

    def test_quantiles_are_those_of_the_paths_and_not_of_their_mean(self, model, panel, answer_OAHQ):
        bars = Bars.of(panel.until(100), 0, length=64)
        path_SHF = model.paths(bars, next_times(panel.until(100), 24))
        return_SH = np.log(path_SHF[:, :, 3] / 100)
        assert path_SHF.shape == (19, 24, 6)
        np.testing.assert_allclose(
            answer_OAHQ[0, 0], sample_quantiles(return_SH[:, [0, 5, 23]], checkpoints.NINE), atol=1e-6
        )
        assert (return_SH.std(axis=0) > 0).all()

    @pytest.mark.filterwarnings("ignore:Series.dt.weekday is deprecated")  # in its own code
    def test_its_predictor_would_have_given_their_mean(self, model, panel):
        """What its `predict` scales and how: with one path of each row our bars are its bars."""
        import pandas as pd
        import torch

        bars = Bars.of(panel.until(100), 0, length=64)
        ahead = next_times(panel.until(100), 3)
        fields = ["open", "high", "low", "close", "volume", "amount"]
        table = pd.DataFrame(bars.value_LF, columns=fields)
        from nextbest.market.foundation.kronos import _seed

        with torch.random.fork_rng():
            torch.manual_seed(_seed(0, bars))
            own = model.model.predict(
                table,
                pd.Series(bars.time_L),
                pd.Series(ahead),
                3,
                T=1.0,
                top_p=1.0,
                sample_count=19,
                verbose=False,
            )
        np.testing.assert_allclose(own.to_numpy(), model.paths(bars, ahead).mean(axis=0), rtol=1e-3)

    def test_the_same_series_has_the_same_paths_and_another_seed_others(self, model, panel):
        bars = Bars.of(panel, 0, length=64)
        ahead = next_times(panel, 2)
        first_SHF, again_SHF = model.paths(bars, ahead), model.paths(bars, ahead)
        np.testing.assert_array_equal(first_SHF, again_SHF)
        settings = model.settings.model_dump(exclude={"seed"})
        other = Kronos(seed=1, **settings)
        assert np.abs(other.paths(bars, ahead) - first_SHF).max() > 0

    def test_bars_that_no_market_could_trade_are_counted(self, model, panel):
        fresh = Kronos(**model.settings.model_dump())
        fresh.forecast([panel], horizons=[4])
        assert fresh.tally.n_bars == 2 * 19 * 4
        assert 0 < fresh.tally.n_inconsistent_bars <= fresh.tally.n_bars

    def test_a_source_of_closes_only_has_no_answer(self, model, panel):
        closes = changed(
            panel, **{f"{name}_AT": np.full_like(panel.open_AT, NAN) for name in ("open", "high", "low")}
        )
        assert np.isnan(model.forecast([closes], horizons=[1])).all()

    @pytest.mark.filterwarnings("ignore:Series.dt.weekday is deprecated")  # in its own code
    def test_its_stamps_are_ours(self):
        import pandas as pd

        time_L = np.datetime64("2024-02-27T22:30", "us") + np.arange(60) * np.timedelta64(7 * 3600 + 60, "s")
        code = sys.modules[kronos_code(None).__name__ + ".kronos"]
        expected = code.calc_time_stamps(pd.Series(time_L)).to_numpy()
        np.testing.assert_array_equal(_stamps(time_L), expected)


def test_weights_of_your_own_need_their_tokenizer():
    with pytest.raises(InputError, match="tokenizer: must be given"):
        Kronos(weights="somebody/own")


def test_until_when_it_has_seen_the_world():
    model = Kronos()
    assert model.seen_until == datetime.date(2024, 2, 29)
    assert model.config["seen_until_documented"] is True
    assert model.config["tokenizer"] == "NeoQuasar/Kronos-Tokenizer-base"


def test_too_few_paths_for_a_level_are_refused():
    with pytest.raises(InputError, match="levels"):
        Kronos(n_paths=5).forecast([candles(1, 50)], horizons=[1])


def test_a_missing_package_or_a_wrong_folder_says_what_to_give(monkeypatch, tmp_path):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(InputError, match="pip install --no-deps kronos-model-arch, or give `code`"):
        kronos_code(None)
    with pytest.raises(InputError, match="the folder `model` of Kronos' repository"):
        kronos_code(str(tmp_path))


def test_its_code_is_loaded_from_a_folder_once_and_under_our_name(tmp_path):
    (tmp_path / "__init__.py").write_text("from .kronos import answer\n")
    (tmp_path / "kronos.py").write_text("answer = 42\n")
    code = kronos_code(str(tmp_path))
    assert code.answer == 42
    assert code is kronos_code(str(tmp_path))
    assert code.__name__.startswith("nextbest_kronos_model_")


def test_code_that_breaks_while_it_loads_leaves_nothing_behind(tmp_path):
    (tmp_path / "__init__.py").write_text("import no_such_module\n")
    (tmp_path / "kronos.py").touch()
    before = set(sys.modules)
    with pytest.raises(ImportError):
        kronos_code(str(tmp_path))
    assert not [name for name in set(sys.modules) - before if name.startswith("nextbest_kronos")]


def test_bars_are_in_percent_of_the_last_close_and_missing_ones_left_out():
    close_AT = np.array([[50.0, NAN, 200.0]])
    bars = Bars.of(candles(close_AT=close_AT), 0, length=3)
    np.testing.assert_allclose(bars.value_LF[:, 3], [25.0, 100.0])
    np.testing.assert_allclose(bars.value_LF[:, 5], bars.value_LF[:, 4] * bars.value_LF[:, :4].mean(1))
    assert np.diff(bars.time_L) == np.timedelta64(2, "D")


def test_a_bar_that_is_not_whole_at_the_cutoff_gives_none():
    assert Bars.of(candles(close_AT=[[1.0, NAN]]), 0, length=2) is None


def test_an_unknown_volume_is_zero_throughout():
    panel = candles(1, 3)
    volume_AT = panel.volume_AT.copy()
    volume_AT[0, 1] = NAN
    assert (Bars.of(changed(panel, volume_AT=volume_AT), 0, length=3).value_LF[:, 4:] == 0).all()


def test_coming_bars_skip_the_days_on_which_nobody_ever_traded():
    days = np.arange(np.datetime64("2024-01-01"), np.datetime64("2024-03-02"))
    weekdays = days[np.is_busday(days)].astype("datetime64[us]")
    assert weekdays[-1] == np.datetime64("2024-03-01")  # a Friday
    panel = candles(1, len(weekdays))
    panel = changed(panel, time_T=weekdays)
    ahead = next_times(panel, 6).astype("datetime64[D]")
    assert ahead.tolist() == [datetime.date(2024, 3, day) for day in (4, 5, 6, 7, 8, 11)]


@pytest.mark.parametrize(
    "step", [datetime.timedelta(hours=1), datetime.timedelta(days=1), datetime.timedelta(days=30)]
)
def test_a_market_that_never_closes_goes_on_step_by_step(step):
    panel = candles(1, 400, step=step)
    ahead = next_times(panel, 30)
    np.testing.assert_array_equal(np.diff(ahead, prepend=panel.time_T[-1:]), np.timedelta64(step))

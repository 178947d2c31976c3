"""Each package's real loading code on a tiny random checkpoint in its own format, offline; Fracast on its real weights."""

import importlib.util
import sys
from datetime import date

import numpy as np
import pytest

from market.foundation import checkpoints
from market.foundation.checkpoints import candles
from market.foundation.contract import HORIZONS, ForecasterContract
from nextbest.errors import ArtifactError, ExternalError, InputError
from nextbest.market.foundation.chronos import Chronos
from nextbest.market.foundation.fracast import Fracast
from nextbest.market.foundation.moirai import Moirai
from nextbest.market.foundation.timesfm import TimesFM
from nextbest.market.foundation.tirex import TiRex
from nextbest.market.foundation.toto import Toto

needs_uni2ts = pytest.mark.skipif(
    importlib.util.find_spec("uni2ts") is None,
    reason="uni2ts pins numpy<2 and torch<2.5; run with `pip install --no-deps uni2ts gluonts lightning jaxtyping`",
)
needs_toto = pytest.mark.skipif(
    importlib.util.find_spec("toto2") is None, reason="toto-models wants Python 3.12 or newer"
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@pytest.fixture(scope="module")
def bolt_weights(folder):
    return checkpoints.bolt(folder / "bolt")


@pytest.fixture(scope="module")
def chronos_2_weights(folder):
    return checkpoints.chronos_2(folder / "chronos-2")


class TestFracast(ForecasterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls):
        return Fracast()

    def test_the_bundled_weights_know_a_sine(self, model):
        log_T = 0.2 * np.sin(np.arange(400) * 2 * np.pi / 16)
        answer_OAHQ = model.forecast([candles(close_AT=np.exp(log_T)[None, :392])], horizons=range(1, 9))
        np.testing.assert_allclose(answer_OAHQ[0, 0, :, 4], log_T[392:] - log_T[391], atol=0.05)

    def test_ratios_say_what_logs_say_where_moves_are_small(self):
        panel = candles(close_AT=np.exp(0.002 * np.sin(np.arange(200) / 5))[None])
        log_OAHQ, price_OAHQ = (
            Fracast(scale=scale).forecast([panel], horizons=[1, 6]) for scale in ("log", "price")
        )
        np.testing.assert_allclose(price_OAHQ, log_OAHQ, atol=1e-4)

    def test_eight_bits_are_near_to_thirty_two(self, panel, answer_OAHQ):
        small_OAHQ = Fracast(precision="w8").forecast([panel.until(100)], horizons=HORIZONS)
        assert 0 < np.abs(small_OAHQ[0] - answer_OAHQ[0]).max() < 0.05

    def test_more_than_one_block_is_refused(self, model, panel):
        with pytest.raises(InputError, match="answers 48 bars at most; got 49"):
            model.forecast([panel], horizons=[49])

    def test_nobody_says_until_when_it_has_seen_the_world(self, model):
        assert model.name == "fracast"
        assert model.seen_until == model.card.released
        assert model.config["seen_until_documented"] is False


class TestChronosBolt(ForecasterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, bolt_weights):
        return Chronos(weights=bolt_weights, batch_size=3)

    def test_its_answer_is_the_packages_own(self, bolt_weights, panel, answer_OAHQ):
        import torch
        from chronos import BaseChronosPipeline

        close_L = panel.close_AT[0, :100]
        context_L = torch.tensor(np.log(close_L / close_L[-1]), dtype=torch.float32)
        own, _ = BaseChronosPipeline.from_pretrained(bolt_weights).predict_quantiles(
            context_L, prediction_length=24, quantile_levels=checkpoints.NINE
        )
        expected_HQ = np.sort(own[0].numpy(), axis=-1)[[0, 5, 23]]
        np.testing.assert_allclose(answer_OAHQ[0, 0], expected_HQ, atol=1e-5)

    def test_crossing_quantiles_of_random_weights_are_sorted_and_counted(self, bolt_weights, panel):
        model = Chronos(weights=bolt_weights)
        model.forecast([panel], horizons=HORIZONS)
        assert model.tally.as_dict() == {"n_series": 2, "n_no_context": 0, "n_refused": 0, "n_crossed": 6}

    def test_beyond_its_training_it_is_not_asked(self, model, panel):
        with pytest.raises(InputError, match="24 bars at most"):
            model.forecast([panel], horizons=[25])

    def test_only_chronos_2_lets_assets_see_each_other(self, bolt_weights, panel):
        with pytest.raises(InputError, match="cross_assets"):
            Chronos(weights=bolt_weights, cross_assets=True).forecast([panel], horizons=[1])


class TestChronos2(ForecasterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, chronos_2_weights):
        return Chronos(weights=chronos_2_weights)

    def test_it_answers_tails_of_its_own(self, model, panel):
        answer_OAHQ = model.forecast([panel], horizons=[1], levels=[0.01, 0.5, 0.99])
        assert (np.diff(answer_OAHQ, axis=-1) > 0).all()


class TestChronos2AcrossAssets(ForecasterContract):
    """The contract's test of later origins is the one that matters here: batches share attention."""

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, chronos_2_weights):
        return Chronos(weights=chronos_2_weights, cross_assets=True, batch_size=64)

    def test_an_asset_sees_the_others_of_its_origin(self, model, panel, answer_OAHQ):
        other = candles(2, 130, seed=9).close_AT
        mixed = candles(close_AT=np.stack([panel.close_AT[0], other[1]]))
        apart = np.abs(model.forecast([mixed.until(100)], horizons=HORIZONS)[0, 0] - answer_OAHQ[0, 0])
        assert apart.max() > 1e-4
        assert model.name.endswith("+cross")


class TestTiRex(ForecasterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, folder):
        return TiRex(weights=checkpoints.tirex(folder / "tirex"))

    def test_a_folder_without_its_file_says_so(self, tmp_path):
        with pytest.raises(ArtifactError, match=r"holds no model\.ckpt"):
            TiRex(weights=str(tmp_path)).forecast([candles(1, 50)], horizons=[1])


class TestTimesFM(ForecasterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, tmp_path_factory):
        from timesfm.timesfm_2p5.timesfm_2p5_torch import TimesFM_2p5_200M_torch_module

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TimesFM_2p5_200M_torch_module, "config", checkpoints.timesfm_definition())
            weights = checkpoints.timesfm(tmp_path_factory.mktemp("timesfm") / "weights")
            model = TimesFM(weights=weights)
            assert model.longest_horizon == 128  # loads it while its shape is the small one
            yield model


class TestTimesFMByTransformers(ForecasterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, folder):
        return TimesFM(weights=checkpoints.timesfm_transformers(folder / "timesfm-transformers"))

    def test_a_short_series_is_answered_as_if_alone(self, model):
        close_AT = candles(2, 96).close_AT.copy()
        close_AT[1, :50] = np.nan
        both_OAHQ = model.forecast([candles(close_AT=close_AT)], horizons=[1])
        alone_OAHQ = model.forecast([candles(close_AT=close_AT[1:, 64:])], horizons=[1])
        np.testing.assert_allclose(both_OAHQ[0, 1], alone_OAHQ[0, 0], atol=1e-6)


@needs_uni2ts
@pytest.mark.filterwarnings("ignore")  # of libraries that it pins to older versions
class TestMoirai(ForecasterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, folder):
        return Moirai(weights=checkpoints.moirai(folder / "moirai"))


@needs_toto
@pytest.mark.filterwarnings("ignore")  # gluonts'
class TestToto(ForecasterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, folder):
        return Toto(weights=checkpoints.toto(folder / "toto"))


@pytest.mark.parametrize(
    ("model", "said"),
    [(Moirai, "uni2ts 2.0 in an environment of its own"), (Toto, r"toto-models \(Python 3.12 or newer\)")],
)
def test_a_missing_package_is_named_with_what_to_install(model, said, monkeypatch):
    for name in ("uni2ts", "uni2ts.model.moirai2", "toto2"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=f"can't be imported.*install {said}"):
        model().forecast([candles(1, 50)], horizons=[1])


@pytest.mark.parametrize("model", [Chronos, TimesFM, Fracast])
def test_a_folder_that_holds_something_else_says_to_fetch_it_again(model, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(
        ArtifactError, match=r"isn't a checkpoint that can be loaded.*fetch the weights again"
    ):
        model(weights=str(tmp_path)).forecast([candles(1, 50)], horizons=[1])


@pytest.mark.parametrize("weights", ["/no/such/folder", "./none", "a/b/c"])
def test_a_folder_that_is_not_there_is_never_looked_up_on_the_hub(weights):
    with pytest.raises(InputError, match="no such folder"):
        Fracast(weights=weights).forecast([candles(1, 50)], horizons=[1])


def test_weights_that_are_not_at_hand_while_offline_say_where_to_get_them(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ExternalError, match=r"HF_HUB_OFFLINE is set.*give their folder") as caught:
        Fracast(weights="somebody/not-there").forecast([candles(1, 50)], horizons=[1])
    assert not caught.value.retryable


def test_a_wrong_setting_names_the_fields():
    with pytest.raises(
        InputError, match=r"context_length: Input should be greater than 0.*fields of FracastConfig"
    ):
        Fracast(context_length=0)
    with pytest.raises(InputError, match="fields of ChronosConfig"):
        Chronos(precision="w8")


def test_the_config_tells_two_checkpoints_apart_and_not_two_speeds(bolt_weights, tmp_path):
    from shutil import copytree

    copy = copytree(bolt_weights, tmp_path / "bolt")
    one, two = Chronos(weights=bolt_weights), Chronos(weights=bolt_weights, batch_size=1, n_threads=1)
    assert one.config == two.config == Chronos(weights=str(copy)).config
    assert one.config["packages"]["chronos-forecasting"][0].isdigit()
    with (copy / "config.json").open("a") as config:
        config.write(" ")
    assert Chronos(weights=str(copy)).config["weights_sha256"] != one.config["weights_sha256"]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (TimesFM(), date(2023, 11, 30)),  # documented
        (Chronos(), date(2024, 11, 26)),  # undocumented: released
        (Chronos(weights="somebody/own"), date.max),  # nobody knows
        (Chronos(weights="somebody/own", seen_until=date(2020, 1, 1)), date(2020, 1, 1)),
    ],
)
def test_seen_until_is_the_authors_word_or_a_bound_never_too_early(model, expected):
    assert model.seen_until == expected

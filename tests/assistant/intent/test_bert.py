"""A tiny encoder with random weights learns the corpus' intents, is saved, loaded and asked like the linear head."""

import logging
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from language_checkpoints import encoder_folder
from nextbest.assistant.base import INTENTS
from nextbest.assistant.intent.bert import KIND, BertIntents, TaughtBert, as_told, teach_bert
from nextbest.assistant.intent.corpus import Example, make_corpus
from nextbest.assistant.intent.features import Seen
from nextbest.assistant.intent.head import Head
from nextbest.assistant.intent.questions import load_questions
from nextbest.assistant.intent.understander import Understander, read_head
from nextbest.errors import ArtifactError, DataError, InputError
from nextbest.models.language.classifier_fit import ClassifierConfig

QUICK = ClassifierConfig(epochs=5, patience=2, learning_rate=3e-3, head_learning_rate=1e-2, max_length=32)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [as_told(Seen(e.text, e.flags)) for e in make_corpus(0, n_each=1, n_said=0)]
    return encoder_folder(tmp_path_factory.mktemp("encoder") / "tiny", texts, n_tokens=3000)


@pytest.fixture(scope="module")
def taught(source: Path) -> TaughtBert:
    return teach_bert(source, n_each=1, n_said=0, config=QUICK)


@pytest.fixture(scope="module")
def folder(taught: TaughtBert, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("intents") / "bert"
    taught.intents.save(place)
    return place


def test_templates_that_were_not_learned_are_understood(taught: TaughtBert) -> None:
    assert taught.accuracy > 0.5  # one intent of eleven by chance: .09
    assert taught.outside > taught.accuracy
    assert taught.asked_back <= 0.16
    assert taught.vocabulary["ru"]["unknown"] == 0.0


def test_a_workspace_folder_of_it_is_loaded_by_the_understander(folder: Path, taught: TaughtBert) -> None:
    understander = Understander.load(folder)
    assert isinstance(understander.head, BertIntents)
    for language in ("ru", "en"):
        questions = [q for q in load_questions("dev", language) if q.intent][::3]  # type: ignore[arg-type]
        got = [understander.understand(q.text) for q in questions]
        assert np.mean([u.intent == q.intent for u, q in zip(got, questions, strict=True)]) > 0.45
        assert all(u.is_sure == (u.probability >= taught.intents.band) for u in got)
    assert understander.understand("🙂").intent == "small_talk"


def test_probabilities_are_those_before_saving(folder: Path, taught: TaughtBert) -> None:
    seen = [Seen("посоветуй фильм"), Seen("how did my portfolio do", frozenset({"period"})), Seen("")]
    again = BertIntents.load(folder)
    p_NC = again.probabilities(seen)
    np.testing.assert_allclose(p_NC, taught.intents.probabilities(seen), atol=1e-6)
    np.testing.assert_allclose(p_NC.sum(axis=1), 1.0)
    assert p_NC.shape == (3, len(INTENTS))
    assert (again.temperature, again.band) == (taught.intents.temperature, taught.intents.band)
    assert again.about["languages"] == ["ru", "en"]


def test_slots_are_told_to_the_encoder_by_name() -> None:
    assert as_told(Seen("Like X?", frozenset({"k", "items"}))) == "items k: like x?"
    assert as_told(Seen("Привет")) == ": привет"


def test_a_folder_holds_no_pickle_and_says_what_it_is(folder: Path) -> None:
    assert isinstance(read_head(folder), BertIntents)
    assert {path.suffix for path in folder.iterdir()} <= {".safetensors", ".json", ".txt", ".npz"}
    with pytest.raises(ArtifactError, match=KIND):
        Head.load(folder)


def test_a_changed_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(folder, tmp_path / "changed")
    weights = tmp_path / "changed" / "model.safetensors"
    whole = bytearray(weights.read_bytes())
    whole[-1] ^= 1
    weights.write_bytes(bytes(whole))
    with pytest.raises(ArtifactError, match="was changed or cut off"):
        Understander.load(tmp_path / "changed")
    with pytest.raises(ArtifactError, match="holds no model"):
        Understander.load(tmp_path)


def test_nothing_else_is_overwritten(taught: TaughtBert, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no model"):
        taught.intents.save(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_english_vocabulary_is_warned_of_where_russian_is_to_be_learned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    english = [
        as_told(Seen(e.text, e.flags)) for e in make_corpus(0, n_each=1, n_said=0) if e.language == "en"
    ]
    source = encoder_folder(tmp_path / "en", [text for text in english if text.isascii()], n_tokens=2000)
    short = QUICK.model_copy(update={"epochs": 1})
    with caplog.at_level(logging.WARNING):
        both = teach_bert(source, n_each=1, config=short)
    assert both.vocabulary["ru"]["unknown"] > 0.5
    assert "isn't made for questions in 'ru'" in caplog.text
    assert "'en'" not in caplog.text
    caplog.clear()
    only = teach_bert(source, n_each=1, config=short, languages=("en",))
    assert caplog.text == ""
    assert list(only.vocabulary) == ["en"]
    assert only.n_examples < both.n_examples


def test_own_examples_are_learned_too(source: Path) -> None:
    own = [Example(f"зюзя {i}", "forecast", "ru", f"own/{i}") for i in range(60)]
    taught = teach_bert(source, n_each=1, more=own, config=QUICK.model_copy(update={"epochs": 3}))
    assert int(taught.intents.probabilities([Seen("зюзя 77")])[0].argmax()) == INTENTS.index("forecast")


def test_what_cannot_be_taught_is_told(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="some of ru, en"):
        teach_bert(source, languages=())
    few = make_corpus(0, n_each=1, n_said=0)[:5]
    monkeypatch.setattr("nextbest.assistant.intent.bert.make_corpus", lambda rng, n_each, n_said: few)
    with pytest.raises(DataError, match="without templates"):
        teach_bert(source, n_each=1)

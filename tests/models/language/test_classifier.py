"""A tiny encoder that really learns a rule; what can't be fine-tuned is refused in words."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from language_checkpoints import encoder_folder, language_folder  # noqa: E402
from nextbest.errors import ArtifactError, InputError  # noqa: E402
from nextbest.models.language.classifier import TextClassifier, open_encoder  # noqa: E402
from nextbest.models.language.classifier_fit import ClassifierConfig, Fitted, fit_classifier  # noqa: E402

WORDS = [
    "apple",
    "pear",
    "plum",
    "iron",
    "steel",
    "zinc",
    "wolf",
    "bear",
    "fox",
    "please",
    "show",
    "me",
    "the",
    "a",
    "now",
    "today",
    "and",
    "with",
]
RULES = ({"apple", "pear", "plum"}, {"iron", "steel", "zinc"}, {"wolf", "bear", "fox"})
"""Which word of a text decides its class."""
QUICK = ClassifierConfig(epochs=6, patience=3, learning_rate=3e-3, head_learning_rate=1e-2, max_length=16)


def texts_of_rule(n: int, seed: int) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    label_N = rng.integers(3, size=n)
    texts = []
    for label in label_N:
        said = [*rng.choice(WORDS[9:], rng.integers(1, 6)), rng.choice(sorted(RULES[label]))]
        texts.append(" ".join(rng.permutation(said)))
    return texts, label_N.astype(np.int64)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder_folder(tmp_path_factory.mktemp("encoder") / "bert", WORDS)


def fit(source: Path, config: ClassifierConfig = QUICK) -> Fitted:
    texts, label_N = texts_of_rule(256, 1)
    return fit_classifier(source, texts, label_N, n_classes=3, validation=texts_of_rule(64, 2), config=config)


@pytest.fixture(scope="module")
def fitted(source: Path) -> Fitted:
    return fit(source)


def test_a_rule_is_learned_that_new_texts_follow(fitted: Fitted) -> None:
    texts, label_N = texts_of_rule(200, 3)
    assert (fitted.classifier.logits(texts).argmax(1) == label_N).mean() >= 0.97
    assert fitted.curve[-1]["validation"] < fitted.curve[0]["validation"]


@pytest.mark.parametrize("kind", ["distilbert", "xlm-roberta"])
def test_other_encoders_learn_it_too(kind: str, tmp_path: Path) -> None:
    got = fit(encoder_folder(tmp_path / kind, WORDS, kind=kind))  # type: ignore[arg-type]
    texts, label_N = texts_of_rule(200, 3)
    assert (got.classifier.logits(texts).argmax(1) == label_N).mean() >= 0.9


def test_validation_logits_are_those_of_the_epoch_that_was_kept(fitted: Fitted) -> None:
    texts, label_N = texts_of_rule(64, 2)
    np.testing.assert_allclose(fitted.classifier.logits(texts), fitted.validation_NC, atol=1e-5)
    best = min(line["validation"] for line in fitted.curve)
    p_NC = np.exp(fitted.validation_NC) / np.exp(fitted.validation_NC).sum(1, keepdims=True)
    assert -np.log(p_NC[np.arange(64), label_N]).mean() == pytest.approx(best, rel=1e-4)


def test_a_text_has_the_same_logits_alone_in_a_batch_and_in_a_thread(fitted: Fitted) -> None:
    texts, _ = texts_of_rule(90, 4)
    texts.append("")
    together = fitted.classifier.logits(texts)
    alone = np.vstack([fitted.classifier.logits([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    with ThreadPoolExecutor(4) as pool:
        threaded = np.vstack(list(pool.map(lambda text: fitted.classifier.logits([text]), texts)))
    np.testing.assert_allclose(threaded, alone, atol=1e-5)
    assert fitted.classifier.logits([]).shape == (0, 3)


def test_the_same_seed_gives_the_same_classifier_and_leaves_torchs_seed_alone(source: Path) -> None:
    texts, _ = texts_of_rule(9, 5)
    short = QUICK.model_copy(update={"epochs": 1})
    torch.manual_seed(5)
    first = fit(source, short)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.rand(1) == drawn
    np.testing.assert_array_equal(first.classifier.logits(texts), fit(source, short).classifier.logits(texts))
    other = fit(source, short.model_copy(update={"seed": 1}))
    assert not np.array_equal(first.classifier.logits(texts), other.classifier.logits(texts))


def test_a_budget_ends_it_after_the_epoch_that_passes_it(source: Path) -> None:
    assert len(fit(source, QUICK.model_copy(update={"seconds": 1e-6})).curve) == 1


def test_what_is_written_is_read_and_holds_no_pickle(fitted: Fitted, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    written = fitted.classifier.write(tmp_path / "saved")
    assert {path.suffix for path in written} <= {".safetensors", ".json", ".txt"}
    weight_DC, bias_C = fitted.classifier.weight_DC, fitted.classifier.bias_C
    again = TextClassifier.read(tmp_path / "saved", weight_DC, bias_C, max_length=16)
    texts, _ = texts_of_rule(20, 6)
    np.testing.assert_allclose(again.logits(texts), fitted.classifier.logits(texts), atol=1e-6)
    with pytest.raises(ArtifactError, match="isn't this encoder's"):
        TextClassifier.read(tmp_path / "saved", weight_DC[:5], bias_C, max_length=16)


def test_a_vocabulary_without_a_languages_letters_is_seen(source: Path, fitted: Fitted) -> None:
    assert fitted.classifier.fit_of(["apple pear now"]).unknown == 0.0
    assert fitted.classifier.fit_of(["посоветуй фильм", "apple"]).unknown == pytest.approx(2 / 3)
    assert fitted.classifier.fit_of(["apple pear"]).per_word == 1.0
    assert fitted.classifier.fit_of([]).unknown == 0.0


def test_the_checkpoint_is_left_as_it_is(source: Path) -> None:
    before = (source / "model.safetensors").read_bytes()
    fit(source, QUICK.model_copy(update={"epochs": 1}))
    assert (source / "model.safetensors").read_bytes() == before


# --- what is refused ------------------------------------------------------------------------------
def test_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        open_encoder(tmp_path / "nothing")


def test_a_folder_without_a_configuration_is_told(source: Path, tmp_path: Path) -> None:
    shutil.copy(source / "model.safetensors", tmp_path)
    with pytest.raises(InputError, match=r"holds no config\.json"):
        open_encoder(tmp_path)


def test_a_model_that_continues_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no encoder.*LlamaForCausalLM.*use one that reads whole texts"):
        open_encoder(language_folder(tmp_path / "llama"))


def test_a_bert_that_was_made_a_decoder_is_told(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "decoder")
    config = json.loads((source / "config.json").read_text()) | {"is_decoder": True}
    (tmp_path / "decoder" / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="is no encoder"):
        open_encoder(tmp_path / "decoder")


def test_pickled_weights_are_told(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "old")
    (tmp_path / "old" / "model.safetensors").rename(tmp_path / "old" / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickled"):
        open_encoder(tmp_path / "old")


def test_a_missing_tokenizer_is_told(source: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        shutil.copy(source / name, tmp_path)
    with pytest.raises(InputError, match="holds no tokenizer"):
        open_encoder(tmp_path)


def test_damaged_weights_are_told(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "cut")
    whole = (source / "model.safetensors").read_bytes()
    (tmp_path / "cut" / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError, match="can't be opened"):
        open_encoder(tmp_path / "cut")


def test_weights_of_another_shape_are_told(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "deep")
    config = json.loads((source / "config.json").read_text()) | {"num_hidden_layers": 3}
    (tmp_path / "deep" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ArtifactError, match="lacks 16 weight"):
        open_encoder(tmp_path / "deep")


@pytest.mark.parametrize(
    ("change", "said"),
    [({"learning_rate": 1e30}, "isn't finite"), ({"max_length": 65}, "reads 64 tokens at most")],
)
def test_settings_that_cannot_work_are_told(source: Path, change: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        fit(source, QUICK.model_copy(update=change))


def test_labels_that_are_none_are_told(source: Path) -> None:
    for labels in ([0, 3], [-1, 0], [0]):
        with pytest.raises(InputError, match="one for each text"):
            fit_classifier(
                source, ["a", "b"], np.array(labels), n_classes=3, validation=(["a"], np.array([0]))
            )
    with pytest.raises(InputError, match="one or more"):
        fit_classifier(source, [], np.array([], int), n_classes=3, validation=(["a"], np.array([0])))

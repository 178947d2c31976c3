"""A classifier taught by an adapter: the encoder's weights grow by its product and by nothing else."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from nextbest.models.language.classifier import open_encoder
from nextbest.models.language.classifier_fit import ClassifierConfig, fit_classifier
from nextbest.models.language.e5.checkpoint import write_checkpoint
from nextbest.models.language.e5.packed import Packed
from packed_weights import packed_file

TEXTS = ["red apple", "green apple", "red car", "green car"] * 8
LABEL_N = np.array([0, 1, 0, 1] * 8)
QUICK = ClassifierConfig(epochs=6, adapter_rank=4, learning_rate=1e-2, head_learning_rate=1e-2, max_length=16)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    packed = Packed(
        packed_file(folder / "small.bin", ["▁red", "▁green", "▁apple", "▁car", "▁", "a", "e", "r"])
    )
    return write_checkpoint(folder / "whole", packed)


def test_weights_grow_by_the_product_and_by_nothing_else(source: Path) -> None:
    fitted = fit_classifier(source, TEXTS, LABEL_N, n_classes=2, validation=None, config=QUICK)
    assert fitted.classifier.logits(["red apple", "green car"]).argmax(1).tolist() == [0, 1]
    assert len(fitted.curve) == QUICK.epochs  # without a validation every epoch is run
    assert fitted.validation_NC.shape == (0, 2)
    assert all("validation" not in epoch for epoch in fitted.curve)
    assert fitted.curve[-1]["loss"] < fitted.curve[0]["loss"]
    before = dict(open_encoder(source)[0].named_parameters())
    after = dict(fitted.classifier.model.named_parameters())
    assert before.keys() == after.keys()
    n_grown = 0
    for name, weight in before.items():
        module = name.removesuffix(".weight")
        change = (after[name] - weight).detach().numpy()
        if f"{module}.a" in fitted.adapter and name.endswith(".weight"):
            added = fitted.adapter[f"{module}.b"] @ fitted.adapter[f"{module}.a"]
            np.testing.assert_allclose(change, added, atol=1e-5)
            n_grown += bool(np.abs(added).max() > 1e-3)
        else:
            assert not np.abs(change).max(), name
    assert n_grown == 2 * 6  # two layers of six matrices


def test_a_validation_keeps_its_best_epoch_of_an_adapter(source: Path) -> None:
    held = (["red apple", "green apple"], np.array([0, 1]))
    fitted = fit_classifier(
        source,
        TEXTS,
        LABEL_N,
        n_classes=2,
        validation=held,
        config=QUICK.model_copy(update={"patience": 6}),
    )
    np.testing.assert_allclose(fitted.classifier.logits(held[0]), fitted.validation_NC, atol=1e-4)
    best = min(epoch["validation"] for epoch in fitted.curve)
    p_NC = np.exp(fitted.validation_NC) / np.exp(fitted.validation_NC).sum(1, keepdims=True)
    assert -np.log(p_NC[[0, 1], held[1]]).mean() == pytest.approx(best, abs=1e-4)


def test_a_heavier_text_decides_a_quarrel(source: Path) -> None:
    """The same words with both labels: the weights say which is believed."""
    texts, label_N = ["red apple"] * 16 + ["green car"] * 16, np.array([0, 1] * 16)
    weight_N = np.where(label_N == 1, 9.0, 1.0)
    fitted = fit_classifier(
        source, texts, label_N, n_classes=2, validation=None, weight_N=weight_N, config=QUICK
    )
    assert fitted.classifier.logits(["red apple", "green car"]).argmax(1).tolist() == [1, 1]
    mirrored = fit_classifier(
        source, texts, label_N, n_classes=2, validation=None, weight_N=10 - weight_N, config=QUICK
    )
    assert mirrored.classifier.logits(["red apple", "green car"]).argmax(1).tolist() == [0, 0]


def test_the_epoch_that_passes_the_budget_is_the_last(source: Path) -> None:
    config = QUICK.model_copy(update={"seconds": 1e-6})
    fitted = fit_classifier(source, TEXTS, LABEL_N, n_classes=2, validation=None, config=config)
    assert len(fitted.curve) == 1

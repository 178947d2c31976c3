"""The linear head: what it learns, what it refuses, and that a file gives back what was written."""

import json
from pathlib import Path

import numpy as np
import pytest

from nextbest.assistant.base import INTENTS
from nextbest.assistant.intent.head import (
    Head,
    choose_band,
    fit_logistic,
    fit_temperature,
    ranked,
    softmax,
)
from nextbest.errors import ArtifactError, InputError

N = len(INTENTS)


def made(rng: np.random.Generator, n: int = 440) -> tuple[np.ndarray, np.ndarray]:
    label_N = np.arange(n) % N
    return np.eye(N)[label_N].astype(np.float32) + 0.1 * rng.standard_normal((n, N)).astype(
        np.float32
    ), label_N


@pytest.fixture(scope="module")
def head() -> Head:
    features_ND, label_N = made(np.random.default_rng(0))
    return Head(*fit_logistic(features_ND, label_N, l2=1e-4), 1.0, 0.6, "ngrams", {"rng": 0})


def test_it_learns_what_can_be_told_apart(head: Head) -> None:
    features_ND, label_N = made(np.random.default_rng(1))
    p_NC = head.probabilities(features_ND)
    np.testing.assert_allclose(p_NC.sum(1), 1.0)
    assert (p_NC.argmax(1) == label_N).mean() > 0.99


def test_the_fit_is_a_stationary_point() -> None:
    features_ND, label_N = made(np.random.default_rng(2), n=110)
    weight_DC, bias_C = fit_logistic(features_ND, label_N, l2=1e-2)
    gap_NC = softmax((features_ND @ weight_DC + bias_C).astype(float)) - np.eye(N)[label_N]
    np.testing.assert_allclose(features_ND.T @ gap_NC / len(label_N) + 1e-2 * weight_DC, 0.0, atol=2e-3)


def test_a_file_gives_back_the_head(head: Head, tmp_path: Path) -> None:
    head.save(tmp_path / "head")
    again = Head.load(tmp_path / "head")
    features_ND, _ = made(np.random.default_rng(3))
    np.testing.assert_allclose(again.probabilities(features_ND), head.probabilities(features_ND), atol=5e-3)
    assert (again.band, again.temperature, again.encoder, again.about) == (0.6, 1.0, "ngrams", {"rng": 0})


def test_columns_of_another_version_are_refused(head: Head) -> None:
    with pytest.raises(InputError, match=f"must have {N} columns"):
        head.probabilities(np.zeros((2, N + 1), np.float32))


def test_damaged_and_foreign_folders_are_refused(head: Head, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        Head.load(tmp_path / "nowhere")
    head.save(tmp_path / "head")
    manifest = tmp_path / "head" / "manifest.json"
    document = json.loads(manifest.read_text())
    document["config"]["intents"] = ["talk"]
    manifest.write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match="other intents"):
        Head.load(tmp_path / "head")
    head.save(tmp_path / "torn")
    (tmp_path / "torn" / "arrays.npz").write_bytes(b"torn")
    with pytest.raises(ArtifactError):
        Head.load(tmp_path / "torn")


def test_the_temperature_undoes_a_scaling() -> None:
    rng = np.random.default_rng(5)
    logits_NC = rng.standard_normal((4000, N))
    label_N = np.array([rng.choice(N, p=p) for p in softmax(logits_NC)])
    assert fit_temperature(3 * logits_NC, label_N) == pytest.approx(3.0, rel=0.12)


def test_the_band_is_the_lowest_that_is_right_often_enough() -> None:
    top_N = np.linspace(0.3, 0.99, 1000)
    p_NC = np.zeros((1000, N))
    p_NC[:, 0], p_NC[:, 1] = top_N, 1 - top_N
    p_NC[top_N < 0.5] = np.eye(N)[2] * 0.5 + 0.05 * (np.arange(N) != 2)
    label_N = np.where(top_N < 0.35, 3, p_NC.argmax(1))
    assert choose_band(p_NC, label_N, accuracy=0.9) == pytest.approx(0.2)
    never = choose_band(p_NC, np.full(1000, 5), most_asked=0.15)
    assert (p_NC.max(1) < never).mean() <= 0.15


def test_ranks() -> None:
    order = ranked(np.arange(N) / np.arange(N).sum())
    assert order[0][0] == INTENTS[-1]
    assert [p for _, p in order] == sorted((p for _, p in order), reverse=True)

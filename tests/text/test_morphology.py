"""A word is one word in all its forms, with the dictionary and, less surely, without."""

import pytest

from nextbest.text import morphology


@pytest.fixture(autouse=True)
def fresh():
    """Answers of one test aren't the next one's."""
    for each in (morphology.lemma, morphology.is_known):
        each.cache_clear()
    yield
    for each in (morphology.lemma, morphology.is_known):
        each.cache_clear()


def test_with_the_dictionary_irregular_forms_are_one_word_and_yo_is_ye():
    pytest.importorskip("pymorphy3")
    assert {morphology.lemma(word) for word in ("человек", "людей", "людям")} == {"человек"}
    assert morphology.lemma("елки") == "елка"
    assert morphology.is_known("куртками")
    assert not morphology.is_known("фывапролдж")


def test_without_the_dictionary_endings_are_cut_and_nothing_is_known(monkeypatch):
    monkeypatch.setattr(morphology, "dictionary", lambda: None)
    assert morphology.lemma("куртками") == morphology.lemma("куртку") == "куртк"
    assert not morphology.is_known("куртка")


@pytest.mark.parametrize(
    ("word", "form"),
    [("games", "game"), ("boxes", "box"), ("glass", "glass"), ("gas", "gas"), ("ps5", "ps5")],
)
def test_english_loses_its_plural_alone(word, form):
    assert morphology.lemma(word) == form


def test_a_stem_keeps_three_letters():
    assert (morphology.stem("мая"), morphology.stem("книгами")) == ("мая", "книг")

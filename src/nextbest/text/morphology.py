"""Russian words by their dictionary form: by `russian_dictionary` where it is there, by a table of endings else."""

import re
from functools import lru_cache

from nextbest.text.russian_dictionary import dictionary

_ENDINGS = re.compile(
    r"(?:иями|ями|ами|иях|ях|ах|ией|иям|ям|ам|ого|его|ому|ему|ыми|ими|ый|ий|ой|ая|яя|ое|ее|ые|ие|ую|юю|ых|их|ым|им|ом|ем|"
    r"ов|ев|ей|ию|ью|ия|ья|ье|ии|а|я|о|е|у|ю|ы|и|ь|й)$"
)
_ENGLISH = re.compile(r"(?:(?<=ch)es|(?<=sh)es|(?<=ss)es|(?<=x)es|(?<=[a-z][^s])s)$")


@lru_cache(maxsize=100_000)
def lemma(word: str) -> str:
    """Dictionary form of a word in lower case with е for ё; of an unknown one what is left without its ending.

    >>> lemma("куртку") == lemma("куртка"), lemma("games")
    (True, 'game')
    """
    if not re.fullmatch(r"[а-я]+", word):
        return _ENGLISH.sub("", word) if len(word) > 3 else word
    analyzer = dictionary()
    if analyzer is not None and analyzer.word_is_known(word):
        return str(analyzer.parse(word)[0].normal_form).replace("ё", "е")
    return stem(word)


@lru_cache(maxsize=100_000)
def is_known(word: str) -> bool:
    """Whether a dictionary of Russian holds the word; False for all without the extra."""
    analyzer = dictionary()
    return analyzer is not None and bool(analyzer.word_is_known(word))


def stem(word: str) -> str:
    """A Russian word without its ending, three letters at least."""
    short = _ENDINGS.sub("", word)
    return short if len(short) >= 3 else word

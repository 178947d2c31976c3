"""Passages found by words (BM25 over dictionary forms) and by meaning (cosine of sentence vectors), both ranks fused.

A question that shares no word with any passage and resembles none is answered with nothing: better no passage than a
wrong one. Made anew when a file of the folder changed. BM25: Robertson & Zaragoza 2009, k1 = 1.2, b = 0.75; fusion by
reciprocal rank: Cormack, Clarke & Büttcher 2009, 60.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nextbest.assistant.retrieval.passages import TextPassage, cut
from nextbest.assistant.retrieval.reading import Library, read_folder
from nextbest.errors import InputError
from nextbest.text.morphology import lemma

if TYPE_CHECKING:
    from nextbest.text.encoder import Encoder

K1, B = 1.2, 0.75
FUSION = 60
MIN_COSINE = 0.35
"""Below it a passage doesn't resemble a question (sentence encoder; n-grams share letters with everything, so they don't vote)."""
MIN_SHARE = 0.34
"""Of the weight of a question's words that a passage found by words alone must have."""
_WORD = re.compile(r"[^\W_]+")
_SMALL = """
и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по только ее мне было вот от меня еще нет о из ему
теперь когда даже ну ли если уже или ни быть был него до вас нибудь уж вам ведь там потом себя ничего ей может они тут где есть
надо ней для мы тебя их чем была сам без будто чего раз тоже себе под будет кто этот того потому этого какой какая какие мой моя
the a an and or of to in on for with is are was were be been do does did i you he she it we they my your our their this that these
those what which who how when where why can could will would should may at by from as if not no me us
"""
_STOP = frozenset(_SMALL.split())


class PassageIndex:
    """Searches passages; may be asked from several threads.

    Parameters
    ----------
    passages
        At least one.
    encoder
        Of meaning; None, or one that knows spelling only: words alone count.
    """

    def __init__(self, passages: Sequence[TextPassage], *, encoder: "Encoder | None" = None) -> None:
        self._passages = tuple(passages)
        terms = [Counter(_terms(f"{p.title}\n{p.text}")) for p in self._passages]
        self._vocabulary = {term: row for row, term in enumerate(sorted({t for c in terms for t in c}))}
        n, lengths_N = len(terms), np.array([sum(c.values()) for c in terms], np.float64)
        self._postings: list[list[tuple[int, float]]] = [[] for _ in self._vocabulary]
        norm_N = K1 * (1 - B + B * lengths_N / max(lengths_N.mean(), 1.0)) if n else lengths_N
        for passage, counts in enumerate(terms):
            for term, count in counts.items():
                weight = count * (K1 + 1) / (count + norm_N[passage])
                self._postings[self._vocabulary[term]].append((passage, weight))
        df_V = np.array([len(postings) for postings in self._postings], np.float64)
        self._idf_V = np.log1p((n - df_V + 0.5) / (df_V + 0.5))
        self._unknown_idf = float(np.log1p((n + 0.5) / 0.5))
        self._encoder = encoder if encoder is not None and encoder.name != "ngrams" else None
        self._vector_ND: NDArray[np.float32] | None = None
        if self._encoder is not None and n:
            self._vector_ND = self._encoder.encode([f"{p.title}. {p.text}" for p in self._passages])

    def __len__(self) -> int:
        return len(self._passages)

    def search(self, query: str, *, k: int) -> list[TextPassage]:
        """The `k` passages that fit best, best first, with the fused score; none where nothing fits.

        Raises
        ------
        InputError
            `k` is below 1.
        """
        if k < 1:
            raise InputError("k", "must be 1 or more", value=k)
        if not self._passages:
            return []
        word_N, share_N = self._by_words(query)
        cosine_N = self._by_meaning(query)
        fits_N = (share_N >= MIN_SHARE) & (word_N > 0)
        fused_N = np.where(fits_N, _reciprocal(word_N), 0.0)
        if cosine_N is not None:
            resembles_N = cosine_N >= MIN_COSINE
            fused_N = fused_N + np.where(resembles_N, _reciprocal(cosine_N), 0.0)
            fits_N = fits_N | resembles_N
        order_N = np.argsort(-fused_N, kind="stable")
        return [
            replace(self._passages[i], score=float(fused_N[i])) for i in order_N[:k].tolist() if fits_N[i]
        ]

    def _by_words(self, query: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """BM25, and the share of the question's weight that a passage has, by passage."""
        score_N, has_N = np.zeros(len(self._passages)), np.zeros(len(self._passages))
        whole = 0.0
        for term in dict.fromkeys(_terms(query)):
            row = self._vocabulary.get(term)
            if row is None:
                whole += self._unknown_idf
                continue
            idf = float(self._idf_V[row])
            whole += idf
            for passage, weight in self._postings[row]:
                score_N[passage] += idf * weight
                has_N[passage] += idf
        return score_N, has_N / whole if whole else has_N

    def _by_meaning(self, query: str) -> NDArray[np.float64] | None:
        if self._encoder is None or self._vector_ND is None or not query.strip():
            return None
        cosine_N: NDArray[np.float64] = (self._vector_ND @ self._encoder.encode([query])[0]).astype(
            np.float64
        )
        return cosine_N


class FolderIndex:
    """The documents of a folder, read at the first question and again when a file changed.

    Parameters
    ----------
    folder
        Of documents.
    encoder
        As of `PassageIndex`.
    """

    def __init__(self, folder: str | Path, *, encoder: "Encoder | None" = None) -> None:
        self._folder, self._encoder, self._lock = Path(folder), encoder, Lock()
        self._made: tuple[object, PassageIndex] | None = None
        self.skipped: tuple[tuple[str, str], ...] = ()
        """Name and reason of each file that wasn't read."""

    def search(self, query: str, *, k: int) -> list[TextPassage]:
        """As `PassageIndex.search`.

        Raises
        ------
        InputError
            The folder is gone.
        """
        with self._lock:
            state = self._state()
            if self._made is None or self._made[0] != state:
                library: Library = read_folder(self._folder)
                self.skipped = library.skipped
                self._made = state, PassageIndex(cut(library.sections), encoder=self._encoder)
            index = self._made[1]
        return index.search(query, k=k)

    def _state(self) -> object:
        stats = ((path, path.stat()) for path in sorted(self._folder.rglob("*")) if path.is_file())
        return tuple((str(path), stat.st_mtime_ns, stat.st_size) for path, stat in stats)


def _terms(text: str) -> list[str]:
    words = (word.lower().replace("ё", "е") for word in _WORD.findall(text))
    return [lemma(word) for word in words if word not in _STOP]


def _reciprocal(score_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (60 + rank), best first."""
    rank_N = np.empty(len(score_N), np.int64)
    rank_N[np.argsort(-score_N, kind="stable")] = np.arange(1, len(score_N) + 1)
    return 1.0 / (FUSION + rank_N)

"""How alike two sets of sounds are: edits over length, by rapidfuzz where it is installed and difflib else."""

from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray


def similarities(said: Sequence[str], titles: Sequence[str]) -> NDArray[np.float32]:
    """Share of letters that stay, 1 = equal; swapped neighbours are one edit. Shape (len(said), len(titles)).

    Anything under 0.6 is 0.
    """
    if not said or not titles:
        return np.zeros((len(said), len(titles)), dtype=np.float32)
    try:
        from rapidfuzz.distance import OSA
        from rapidfuzz.process import cdist
    except ImportError:
        return _slowly(said, titles)
    return cdist(
        said, titles, scorer=OSA.normalized_similarity, score_cutoff=0.6, dtype=np.float32, workers=1
    )


def _slowly(said: Sequence[str], titles: Sequence[str]) -> NDArray[np.float32]:
    """The same by the standard library's matcher, ten times slower and without swaps."""
    result = np.zeros((len(said), len(titles)), dtype=np.float32)
    for j, title in enumerate(titles):
        matcher = SequenceMatcher(None, b=title, autojunk=False)
        for i, word in enumerate(said):
            if abs(len(word) - len(title)) > 3:
                continue
            matcher.set_seq1(word)
            ratio = matcher.real_quick_ratio()
            if ratio >= 0.6 and (ratio := matcher.ratio()) >= 0.6:
                result[i, j] = ratio
    return result

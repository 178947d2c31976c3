"""Boosters of one output each asked in one call: a single client is then answered in tens of microseconds.

LightGBM's text format lists trees one after the other and deals them to outputs in turn; so the trees of K
boosters, interleaved and filled up with empty ones, are one booster of K outputs. CatBoost boosters are asked
one by one. Axes: N rows, K boosters.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nextbest.models.lightgbm_library import load_lightgbm
from nextbest.models.products.base import FloatArray
from nextbest.models.products.gbm import GBM

_EMPTY_TREE = (
    "num_leaves=1\nnum_cat=0\nsplit_feature=\nsplit_gain=\nthreshold=\ndecision_type=\nleft_child=\n"
    "right_child=\nleaf_value=0\nleaf_weight=\nleaf_count=0\ninternal_value=\ninternal_weight=\n"
    "internal_count=\nis_linear=0\nshrinkage=1\n"
)
_TREE, _END = "\nTree=", "\nend of trees"


class Stacked:
    """K boosters as one."""

    def __init__(self, boosters: Sequence[GBM]) -> None:
        """Take boosters of one output, fitted on the same features."""
        self.boosters = list(boosters)
        self._as_one = None
        if len(self.boosters) > 1 and all(b.library == "lightgbm" for b in self.boosters):
            self._as_one = _interleaved(self.boosters)

    def raw(self, x_NF: FloatArray) -> NDArray[np.float64]:
        """Log-odds of each booster, biases added. Shape (N, K)."""
        if self._as_one is not None:
            return self._as_one.raw(x_NF)
        return np.column_stack([b.raw(x_NF) for b in self.boosters] or [np.zeros((len(x_NF), 0))])


def _interleaved(boosters: Sequence[GBM]) -> GBM:
    """One LightGBM booster whose output k is that of booster k."""
    lightgbm = load_lightgbm()
    texts = [booster.booster.model_to_string(num_iteration=-1) for booster in boosters]
    heads, trees = zip(*(_parsed(text) for text in texts), strict=True)
    n_rounds, n_outputs = max(map(len, trees)), len(boosters)
    parts = [own[at] if at < len(own) else _EMPTY_TREE for at in range(n_rounds) for own in trees]
    # tree_sizes only speeds reading up, objective would turn log-odds into something else
    head = [line for line in heads[0] if not line.startswith(("tree_sizes=", "objective="))]
    replaced = {"num_class": n_outputs, "num_tree_per_iteration": n_outputs}
    for at, line in enumerate(head):
        name = line.split("=")[0]
        if name in replaced:
            head[at] = f"{name}={replaced[name]}"
    body = "".join(f"{_TREE}{at}\n{part}\n" for at, part in enumerate(parts))
    booster = lightgbm.Booster(model_str="\n".join(head) + "\n" + body + _END + "\n\n")
    bias_K = np.concatenate([one.bias_K for one in boosters])
    return GBM("lightgbm", n_outputs, booster, bias_K, boosters[0].n_threads)


def _parsed(text: str) -> tuple[list[str], list[str]]:
    """Lines of the head, and the text of each tree without its number."""
    head, *trees = text[: text.index(_END)].split(_TREE)
    return head.splitlines(), [tree.split("\n", 1)[1] for tree in trees]

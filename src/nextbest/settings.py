"""Process settings, read once from the environment; a library call never reads them by itself."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr, ValidationError

from nextbest.errors import InputError


class Settings(BaseModel, frozen=True, extra="forbid"):
    """What a process (CLI, service) may take from its environment, `NEXTBEST_*`."""

    store: Path = Path(".nextbest")
    """Workspace folder (`NEXTBEST_STORE`)."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    """`NEXTBEST_LOG_LEVEL`."""
    memory_limit_mb: int | None = Field(default=None, gt=0)
    """Memory that ingest may plan with, in megabytes (`NEXTBEST_MEMORY_LIMIT_MB`); None = measured."""

    mlflow: str | None = Field(default=None, min_length=1)
    """Folder or address where MLflow keeps the runs of commands that measure (`NEXTBEST_MLFLOW`); None = nowhere."""
    advice: Path | None = None
    """TOML with the house's list of instruments (`NEXTBEST_ADVICE`): set, individual recommendations are switched on."""
    clerk_token: SecretStr | None = Field(default=None, min_length=16)
    """Bearer token (`NEXTBEST_CLERK_TOKEN`, 16 characters or more) with which a clerk may ask `POST /chat` about other clients."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Settings from `NEXTBEST_*` variables; unset ones keep their defaults.

        Raises
        ------
        InputError
            A variable has a value that its setting doesn't allow.
        """
        source = os.environ if environ is None else environ
        found = {
            name: source[key] for name in cls.model_fields if (key := f"NEXTBEST_{name.upper()}") in source
        }
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            first = error.errors()[0]
            name = f"NEXTBEST_{first['loc'][0]}".upper()
            value = None if "TOKEN" in name else first["input"]  # a secret isn't printed, a wrong one neither
            raise InputError(name, first["msg"], value=value) from error

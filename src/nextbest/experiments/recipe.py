"""A recipe: which models to fit, with what settings or ranges, and how their lists are made.

Reads TOML and nothing else; knows no model and no data.
"""

import itertools
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from nextbest.errors import InputError
from nextbest.experiments.search_range import SearchRange


class ModelRecipe(BaseModel, frozen=True, extra="forbid"):
    """One model of a recipe: fixed settings, and ranges from which validation chooses."""

    kind: str
    """Name of the model, one of `nextbest.models.MODEL_KINDS`."""
    label: str = ""
    """Row name in reports; empty = `kind`."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Settings of the model's own config class."""
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    """Setting -> values to try; every combination is fitted on the train part of the validation split."""
    search: dict[str, SearchRange] = Field(default_factory=dict)
    """Setting -> range that `nextbest tune` searches; `training.learning_rate` reaches into a nested config. Nothing
    else reads it: `compare` and `train` take `config` and `grid`."""

    needs_time: bool = False
    """Left out, with that reason, where the times of the log mean nothing (windows of days, say)."""

    @field_validator("grid")
    @classmethod
    def _no_empty_range(cls, grid: dict[str, list[Any]]) -> dict[str, list[Any]]:
        if empty := [name for name, values in grid.items() if not values]:
            raise ValueError(f"grid of {empty} holds no value")
        return grid

    @model_validator(mode="after")
    def _one_range_each(self) -> "ModelRecipe":
        if both := sorted(self.grid.keys() & self.search.keys()):
            raise ValueError(f"{both} must stand in grid or in search, not in both")
        names = [*self.grid, *self.search]
        for outer, inner in itertools.permutations(names, 2):
            if inner.startswith(f"{outer}."):
                raise ValueError(f"the range of {outer!r} holds that of {inner!r}: leave one out")
        return self

    @property
    def name(self) -> str:
        """What reports call this model."""
        return self.label or self.kind

    def candidates(self) -> Iterator[dict[str, Any]]:
        """Every full config that validation may choose: `config` with each combination of `grid` over it."""
        for values in itertools.product(*self.grid.values()):
            yield {**self.config, **dict(zip(self.grid, values, strict=True))}


class Recipe(BaseModel, frozen=True, extra="forbid"):
    """A named experiment: run it again on the same data with the same `rng` and get the same numbers."""

    name: str
    description: str = ""
    report: Literal["each", "best"] = "each"
    """`each`: a row per model; `best`: one row, the model that validation chose, behind its fallbacks."""
    exclude_seen: bool | Literal["auto"] = "auto"
    """Leave out what the user already has. `auto`: keep repeats where they are over 5 % of the train events."""
    weight: str | None = None
    """Journal column that weighs an event; None = every event weighs 1."""
    item_features: tuple[str, ...] = ()
    """Columns of the catalogue that models which read item features (the sequence models) are given."""
    segment: str | None = None
    """Column of the clients table whose values are segments; None = no segments."""
    models: tuple[ModelRecipe, ...] = Field(min_length=1)
    fallbacks: tuple[ModelRecipe, ...] = (
        ModelRecipe(kind="popularity", label="popular_recently", config={"window_days": 30}),
        ModelRecipe(kind="popularity", label="popular"),
    )
    """Asked in this order for the places the model leaves empty."""

    @field_validator("models")
    @classmethod
    def _unique_names(cls, models: tuple[ModelRecipe, ...]) -> tuple[ModelRecipe, ...]:
        names = [m.name for m in models]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"models {twice} appear twice; give each a label")
        return models


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with the package, sorted."""
    folder = resources.files("nextbest.experiments") / "recipes"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def load_recipe(name_or_path: str | Path) -> Recipe:
    """A recipe by its shipped name (`baselines`) or from a TOML file.

    Raises
    ------
    InputError
        No such recipe or file, the file is no TOML, or a field breaks its rule.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        if not path.is_file():
            raise InputError("recipe", "file does not exist", value=str(path))
        text = path.read_text(encoding="utf-8")
    else:
        if str(name_or_path) not in shipped_recipes():
            raise InputError(
                "recipe",
                f"must be a .toml file or one of {shipped_recipes()}",
                value=str(name_or_path),
            )
        text = (resources.files("nextbest.experiments") / "recipes" / f"{name_or_path}.toml").read_text(
            "utf-8"
        )
    try:
        return Recipe.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError("recipe", f"{name_or_path} is not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            "recipe", f"{name_or_path}: {where}: {first['msg']}", value=first.get("input")
        ) from error

"""The ranges of one model of a recipe over its default settings: names checked, values put in place.

Knows models' config classes; fits nothing and chooses nothing.
"""

import copy
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from nextbest.errors import InputError
from nextbest.experiments.recipe import ModelRecipe
from nextbest.experiments.search_range import SearchRange
from nextbest.models import make_model

Settings = dict[str, Any]
"""Value of each searched setting by its dotted name."""


class SearchSpace:
    """What may be tried of one model, beginning with its default.

    Ranges are those of `search`; a list of `grid` counts as `choices`. The default is what `compare` would
    try first: `config`, with the first value of each list of `grid`.

    Raises
    ------
    InputError
        The kind, a setting of the default, the name of a range or a value in it isn't one the model has or
        allows; told before anything is fitted.
    """

    def __init__(self, model: ModelRecipe) -> None:
        self.model = model
        self.ranges = {
            name: SearchRange(choices=_distinct(to_jsonable_python(values)))
            for name, values in model.grid.items()
        }
        self.ranges |= model.search
        self.default_config: dict[str, Any] = to_jsonable_python(next(model.candidates()))
        self._default: BaseModel = make_model(model.kind, self.default_config).config
        for name, found in self.ranges.items():
            self._check(name, found)
        self.default_settings: Settings = {name: self._default_of(name) for name in self.ranges}

    @property
    def n_settings(self) -> float:
        """Different settings in the ranges; 1 where there is none, infinite where a range is of real numbers."""
        return math.prod(r.n_values for r in self.ranges.values())

    @property
    def holds_default(self) -> bool:
        """Whether every default lies in its range; one that doesn't is tried all the same."""
        return all(r.holds(self.default_settings[name]) for name, r in self.ranges.items())

    def config_of(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The default config with these settings in place, whole enough to stand in a recipe.

        A nested config keeps what the model's own default says of its other settings.
        """
        config = copy.deepcopy(self.default_config)
        for name, value in settings.items():
            *parents, leaf = name.split(".")
            inner: dict[str, Any] = config
            known: Any = self._default
            for parent in parents:
                known = getattr(known, parent)
                if not isinstance(inner.get(parent), dict):
                    inner[parent] = known.model_dump(mode="json", exclude_unset=True)
                inner = inner[parent]
            inner[leaf] = copy.deepcopy(value)
        return config

    def every_setting(self) -> Iterator[Settings]:
        """All settings, the last range fastest; only where `n_settings` is finite."""
        for values in itertools.product(*(r.values() for r in self.ranges.values())):
            yield dict(zip(self.ranges, values, strict=True))

    def _default_of(self, name: str) -> Any:
        """The default of a setting as a recipe writes it."""
        value: Any = self._default.model_dump(mode="json")
        written: Any = self.default_config
        for part in name.split("."):
            value = value[part]
            written = written.get(part) if isinstance(written, dict) else None
        return value if written is None else written

    def _check(self, name: str, found: SearchRange) -> None:
        where = f"search of {self.model.name}"
        config: Any = self._default
        *parents, leaf = name.split(".")
        for depth, part in enumerate([*parents, leaf]):
            fields = type(config).model_fields
            if part not in fields:
                raise InputError(
                    where, "must name a setting of the model", value=name, remedy=f"here are {sorted(fields)}"
                )
            if depth < len(parents):
                config = getattr(config, part)
                if not isinstance(config, BaseModel):
                    raise InputError(where, f"{part!r} holds no settings of its own", value=name)
        for value in _probes(found):
            try:
                type(self._default).model_validate(self.config_of({name: value}))
            except ValidationError as error:
                for wrong in error.errors():
                    # A rule over several settings may hold for other values of the rest: that's for the trials.
                    if ".".join(map(str, wrong["loc"])).startswith(name):
                        raise InputError(
                            where, f"{name} may not be {value!r}: {wrong['msg']}", remedy="narrow its range"
                        ) from error


def key_of(settings: Mapping[str, Any]) -> str:
    """Equal for equal settings."""
    return json.dumps(settings, sort_keys=True)


def _probes(found: SearchRange) -> list[Any]:
    """Values that tell whether a setting takes its range: all of a list, else the ends and one that isn't round."""
    if found.choices is not None:
        return found.choices
    assert found.low is not None
    assert found.high is not None
    if not math.isinf(found.n_values):
        return [found.low, found.value_at(1), found.top]
    return [found.low, found.low + (found.high - found.low) / math.pi, found.high]


def _distinct(values: list[Any]) -> list[Any]:
    return [v for i, v in enumerate(values) if v not in values[:i]]

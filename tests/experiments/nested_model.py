"""A model with a config inside its config, whose fit does what a test tells it to."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, model_validator

from nextbest.models import MODEL_KINDS
from nextbest.models.sequence.config import TrainConfig
from nextbest.models.transitions import Transitions, TransitionsConfig


class NestedConfig(TransitionsConfig):
    training: TrainConfig = TrainConfig(n_epochs=7, optimizer="adagrad")
    n_heads: int = 2
    width: int = 4

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "NestedConfig":
        if self.width % self.n_heads:
            raise ValueError("n_heads must divide width")
        return self


class Nested(Transitions):
    kind: ClassVar[str] = "nested"
    Config: ClassVar[type[BaseModel]] = NestedConfig
    before_fit: ClassVar[Callable[[NestedConfig], object]]

    def _fit(self, *args: Any, **kwargs: Any) -> None:
        type(self).before_fit(self.config)
        super()._fit(*args, **kwargs)


def with_nested(monkeypatch: pytest.MonkeyPatch, before_fit: Callable[[Any], object]) -> None:
    """Make the kind `nested` known, and `before_fit` what happens before each of its fits."""
    kinds = {**MODEL_KINDS, "nested": "experiments.nested_model:Nested"}
    monkeypatch.setattr("nextbest.models.MODEL_KINDS", kinds)
    monkeypatch.setattr(Nested, "before_fit", staticmethod(before_fit), raising=False)

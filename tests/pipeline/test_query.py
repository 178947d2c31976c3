"""A wrong question is told when it is made, by the name of its field."""

from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

import nextbest.pipeline as room
from nextbest.errors import InputError
from nextbest.pipeline.config import PipelineConfig, Rule
from nextbest.pipeline.query import Query
from pipeline.shop import day


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", ""),
        ("user_id", 1.5),
        ("user_id", True),
        ("k", 0),
        ("k", -1),
        ("k", True),
        ("k", 2.0),
        ("k", "10"),
        ("exclude_seen", "yes"),
        ("history", "tea"),
        ("history", ["tea"]),
        ("history", [("tea",)]),
        ("history", [("tea", "noon")]),
        ("history", [("tea", datetime(2026, 1, 1))]),  # noqa: DTZ001 - refused for lack of a zone
        ("history", [(None, None)]),
        ("history", 5),
        ("allow", "tea"),
        ("allow", [None]),
        ("allow", [1.5]),
        ("allow", {"tea"}),
        ("deny", [True]),
        ("deny", b"tea"),
        ("where", ["category"]),
        ("where", {1: "food"}),
        ("lang", "de"),
        ("at", "now"),
        ("at", datetime(2026, 1, 1)),  # noqa: DTZ001 - refused for lack of a zone
    ],
)
def test_a_wrong_field_is_told_by_its_name(field: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"^{field}: "):
        Query(**{field: value})


def test_a_full_question_is_fine() -> None:
    query = Query(
        user_id=5,
        history=[("tea", None), (7, day(0)), ["milk", day(1)]],  # type: ignore[list-item]
        k=3,
        exclude_seen="repeat",
        allow=[],
        deny=("tea", 7),
        where={},
        lang="ru",
        at=day(3),
    )
    assert query.k == 3


def test_repeat_as_a_default_must_be_explained() -> None:
    with pytest.raises(ValidationError, match="needs `repeat`"):
        PipelineConfig(exclude_seen="repeat")


def test_a_rule_without_items_is_no_rule() -> None:
    with pytest.raises(ValidationError):
        Rule(rule="empty", item={})


def test_the_room_opens_by_its_public_names_only() -> None:
    assert all(getattr(room, name) is not None for name in room.__all__)
    assert sorted(room._HOME) == room.__all__
    with pytest.raises(AttributeError, match="nothing"):
        _ = room.nothing

"""The catalogue that questions name, as an understander is given one."""

from collections.abc import Mapping
from functools import cache

from nextbest.assistant.intent.linking import Linker
from nextbest.assistant.intent.questions import load_catalogue


@cache
def catalogue_linker() -> Linker:
    """Finds items and products by their titles and other names."""
    things = [named for named in load_catalogue() if named.kind != "asset"]
    return Linker(
        {named.item_id: named.title for named in things},
        aliases={named.item_id: (named.title, *named.also) for named in things},
    )


@cache
def catalogue_assets() -> Mapping[str, tuple[str, ...]]:
    """Assets with their names."""
    return {named.item_id: (named.title, *named.also) for named in load_catalogue() if named.kind == "asset"}

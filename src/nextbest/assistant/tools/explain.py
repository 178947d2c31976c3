"""The tool that says why something was named: a shop's item, a bank's product, an asset; rooms are asked in this order."""

from typing import Protocol

from nextbest.assistant.base import Room, ToolResult
from nextbest.assistant.tools.tool import About, AboutClient, ItemId
from nextbest.data.ids import OutsideId

EXPLAIN = "explain_item"
ROOMS: tuple[Room, ...] = ("shop", "products", "portfolio", "market")
DESCRIPTION = {
    "en": "why an item, product or asset was named to the client, and what is known of it",
    "ru": "почему клиенту назван товар, продукт или инструмент, и что о нём известно",
}


class Explains(Protocol):
    """A room that may know why."""

    def explain(self, item_id: OutsideId, about: About) -> ToolResult | None:
        """The answer; None where the room doesn't know the thing."""


class ExplainItem(AboutClient, frozen=True, extra="forbid"):
    """Arguments of `explain_item`."""

    item_id: ItemId

"""Plain Starlette routes for the hottest paths, in front of the FastAPI routes that describe them."""

from starlette.routing import Match, Route
from starlette.types import Scope


class TellingRoute(Route):
    """A plain route that says in the scope which one it is, as FastAPI's do; metrics need its template."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        if match is not Match.NONE:
            child_scope["route"] = self
        return match, child_scope

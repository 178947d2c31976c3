"""What requests must look like, and what answers look like, as the OpenAPI document tells it.

Request models check and convert. Answer models only document: handlers write answers as JSON
bytes themselves, which costs a tenth of a checked response model.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

INT64_MAX = 2**63 - 1

IntId = Annotated[int, Field(strict=True, ge=-INT64_MAX, le=INT64_MAX)]
TextId = Annotated[str, Field(strict=True, min_length=1, max_length=512)]
OutsideId = IntId | TextId
"""An id as the outside knows it: a non-empty text or a 64-bit integer."""
Scalar = (
    StrictBool
    | IntId
    | Annotated[float, Field(strict=True, allow_inf_nan=False)]
    | Annotated[str, Field(strict=True, max_length=512)]
)
Lang = Literal["en", "ru"]
ExcludeSeen = bool | Literal["repeat"]


def _as_event(value: Any) -> Any:
    """A bare id is an event without a time."""
    return {"item_id": value} if isinstance(value, int | str) else value


class Range(BaseModel, frozen=True, extra="forbid"):
    """Values from `min` to `max`, both included; one of them may be missing."""

    min: Scalar | None = None
    max: Scalar | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("a range needs min or max")
        return self


Where = dict[Annotated[str, Field(max_length=200)], Range | list[Scalar] | Scalar]


class HistoryEvent(BaseModel, frozen=True, extra="forbid"):
    """One event of a history that the request brings along."""

    item_id: OutsideId
    time: AwareDatetime | None = Field(
        default=None, description="ISO 8601 with a time zone; without it the order counts."
    )


class RecommendationParams(BaseModel, frozen=True, extra="forbid"):
    """Query parameters of GET /users/{user_id}/recommendations; any other one filters by a catalogue column."""

    k: int | None = Field(default=None, description="Items wanted.", examples=[10])
    exclude_seen: ExcludeSeen | None = Field(
        default=None,
        description='Leave out what the user had: true, false or "repeat"; default: as the model was trained.',
    )
    lang: Lang | None = Field(default=None, description="Language of the reasons.")
    explain: bool = Field(default=True, description="false leaves `reason` empty and saves time.")


class SimilarParams(BaseModel, frozen=True, extra="forbid"):
    """Query parameters of GET /items/{item_id}/similar."""

    k: int | None = Field(default=None, description="Items wanted.", examples=[10])
    lang: Lang | None = Field(default=None, description="Language of the reasons.")


class RecommendationRequest(BaseModel):
    """Body of POST /recommendations: some users, or one history that isn't stored."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"user_ids": ["u1", "u2"], "k": 5, "exclude_seen": True},
                {"history": ["i3", {"item_id": "i7", "time": "2026-11-22T10:00:00Z"}], "deny": ["i9"]},
                {"user_ids": [17], "where": {"category": ["games", "books"], "price": {"max": 20}}},
            ]
        },
    )

    user_ids: list[OutsideId] | None = Field(default=None, min_length=1, description="Users to answer for.")
    history: (
        list[
            Annotated[
                HistoryEvent, BeforeValidator(_as_event, json_schema_input_type=HistoryEvent | OutsideId)
            ]
        ]
        | None
    ) = Field(default=None, description="Events, oldest first, of somebody who isn't stored; may be empty.")
    k: int | None = Field(default=None, description="Items wanted for each.")
    exclude_seen: ExcludeSeen | None = None
    allow: list[OutsideId] | None = Field(default=None, description="Only these items.")
    deny: list[OutsideId] | None = Field(default=None, description="None of these items.")
    where: Where | None = Field(
        default=None, description="Catalogue column -> a value, a list of values, or a range; all must hold."
    )
    lang: Lang | None = None
    explain: bool = True

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if (self.user_ids is None) == (self.history is None):
            raise ValueError("give user_ids or history, one of them")
        return self


class PostedEvent(BaseModel):
    """One event: a user took an item."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"user_id": "u1", "item_id": "i3", "time": "2026-11-22T10:00:00Z", "event_id": "a-17"}
            ]
        },
    )

    user_id: OutsideId
    item_id: OutsideId
    time: AwareDatetime | None = Field(
        default=None, description="ISO 8601 with a time zone; default: the moment the service reads it."
    )
    weight: float = Field(
        default=1.0, gt=0, le=1e9, allow_inf_nan=False, description="Pieces, hours, ...; no unit."
    )
    event_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=512,
        description="The sender's own name of the event: sent again, it counts once. Makes a retry safe.",
    )


class RecommendedItemAnswer(BaseModel):
    """One place of an answer."""

    item_id: OutsideId
    rank: int = Field(description="1 = best.")
    score: float = Field(description="No unit; comparable inside one answer and one source only.")
    source: str = Field(description="Model or fallback that proposed the item.")
    reason: str = Field(description="In words; empty with explain=false.")
    reason_code: str = Field(description="Stable name of the reason.")
    reason_item_id: OutsideId | None = None
    title: str | None = Field(default=None, description="From the catalogue, in the language asked for.")


class RecommendationAnswer(BaseModel):
    """The answer for one user."""

    user_id: OutsideId | None
    known: bool = Field(description="false: nobody knows this user, the items come from fallbacks.")
    items: list[RecommendedItemAnswer]
    model: str = Field(description="Version of the model that answered.")


class RecommendationsAnswer(BaseModel):
    """Answers in the order of `user_ids`; one for a history."""

    answers: list[RecommendationAnswer]


class SimilarAnswer(BaseModel):
    """Items like one item."""

    item_id: OutsideId
    items: list[RecommendedItemAnswer]
    model: str


class EventsAnswer(BaseModel):
    """The events are on disk, and the next answer knows them."""

    accepted: int = Field(
        description="Events on disk now; one whose event_id was accepted before is there once and counts here."
    )


class ModelHealth(BaseModel):
    """The shop's model that answers now; of a service of bank products alone, that one."""

    version: str
    name: str | None = None
    cutoff: datetime | None = Field(default=None, description="Last moment the model has seen.")
    created: datetime | None = None
    age_s: float | None = Field(default=None, description="Seconds since it was trained.")
    loaded_at: datetime
    n_users: int | None = None
    n_items: int | None = None


class ProductModelHealth(BaseModel):
    """The product model that answers now, and the panel it asks."""

    version: str
    name: str | None = None
    created: datetime | None = None
    age_s: float | None = Field(default=None, description="Seconds since it was trained.")
    loaded_at: datetime
    as_of: str | None = Field(description="Newest month of the panel, YYYY-MM; null without a panel.")
    n_clients: int | None = Field(description="Clients of the panel.")
    n_products: int


class Health(BaseModel):
    """Ready only when what is really used answers."""

    status: Literal["ready", "ok", "not ready"] = Field(
        description='"ready" of a shop; "ok" where bank products are served, as their first service said.'
    )
    model: ModelHealth | None = Field(
        default=None, description="Of a shop, and only where one is served; null while none is loaded."
    )
    products: ProductModelHealth | None = Field(
        default=None,
        description="Of bank products, and only where they are served; null while none is loaded.",
    )
    newer_model_error: str | None = Field(
        description="Why the newest model folder isn't live; null while it is."
    )
    checks: dict[str, str] = Field(description='Each check: "ok" or what is wrong.')
    probe_ms: float | None = Field(description="Time a real answer took, milliseconds.")


class ReloadAnswer(BaseModel):
    """What a look at the model folder found, in the worker that was asked."""

    result: Literal["unchanged", "swapped", "failed"]
    model: str | None
    error: str | None


class ProblemDocument(BaseModel):
    """RFC 9457; further members depend on `type`."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:nextbest:problem:input",
                    "title": "Unprocessable Entity",
                    "status": 422,
                    "detail": "k: must be an integer, 1 or more; got 0",
                    "name": "k",
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str

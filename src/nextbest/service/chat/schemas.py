"""What a question must look like, and what its answer looks like, as the OpenAPI document tells it."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nextbest.assistant.base import Intent, Language
from nextbest.service.schemas import IntId, OutsideId, TextId

MAX_TEXT = 100_000
"""Characters that a body may hold; the assistant reads the first 2,000."""
CHAT_EXAMPLES: dict[str, Any] = {
    "what next": {"user_id": "u0000042", "text": "Что мне взять дальше?"},
    "a portfolio": {
        "client_id": "c000003",
        "text": "How did my portfolio do over the last year?",
        "session": "phone",
    },
}


class ChatRequest(BaseModel, frozen=True, extra="forbid"):
    """Body of POST /chat: who asks, in the words of the caller's own system, and the text."""

    user_id: OutsideId | None = Field(default=None, description="Id in the shop's log.")
    customer_id: IntId | None = Field(default=None, description="Id in the bank's panel.")
    client_id: TextId | None = Field(default=None, description="Id in the book of portfolios.")
    text: str = Field(max_length=MAX_TEXT, description="The question, Russian or English.")
    session: str = Field(
        default="default", min_length=1, max_length=100, description="One of the client's conversations."
    )
    language: Language | None = Field(default=None, description="Of the answer; that of the text by default.")

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if self.user_id is None and self.customer_id is None and self.client_id is None:
            raise ValueError("one of user_id, customer_id and client_id is needed")
        return self


class AskRequest(BaseModel, frozen=True, extra="forbid"):
    """Body of POST /{catalogue}/ask: the two fields of the first game service."""

    user_id: OutsideId
    text: str = Field(max_length=MAX_TEXT)


class ChatCall(BaseModel):
    """A tool that was called."""

    tool: str
    arguments: dict[str, Any]


class ChatAnswer(BaseModel):
    """Body of an answer of POST /chat, and the last event of its stream."""

    model_config = ConfigDict(extra="allow")

    answer: str
    intent: Intent
    language: Language
    tool_calls: list[ChatCall]
    items: list[dict[str, Any]]
    figures: list[dict[str, Any]]
    provider: str
    asked_back: bool


class Forgotten(BaseModel):
    """Body of an answer of POST /chat/forget."""

    forgotten: int
    """Conversations erased."""


class ForgetRequest(BaseModel, frozen=True, extra="forbid"):
    """Body of POST /chat/forget."""

    user_id: OutsideId | None = None
    customer_id: IntId | None = None
    client_id: TextId | None = None

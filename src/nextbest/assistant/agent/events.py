"""What an answer is streamed as, and the JSON documents of a reply that every door prints."""

from dataclasses import dataclass
from typing import Any, Literal

from nextbest.assistant.base import Figure, ItemFact, Language, Reply, ToolResult


@dataclass(frozen=True, slots=True)
class Event:
    """One step of an answer on its way.

    `status` names what is being done; `text` is a piece of the answer, to be put after the pieces before;
    `replace` takes all pieces back and is the answer from here on; `reply` comes last, whole.
    """

    kind: Literal["status", "text", "replace", "reply"]
    text: str = ""
    reply: Reply | None = None


def reply_document(reply: Reply) -> dict[str, Any]:
    """A reply as JSON values: the contract of `nextbest ask --json` and `POST /chat`."""
    from nextbest.assistant.phrasing.rendering import render

    language = reply.language
    return {
        "answer": reply.answer,
        "intent": reply.intent,
        "language": language,
        "tool_calls": [{"tool": call.tool, "arguments": dict(call.arguments)} for call in reply.tool_calls],
        "items": [_item(item, language) for item in reply.items],
        "figures": [_figure(figure, render(figure, language), language) for figure in reply.figures],
        "provider": reply.provider,
        "asked_back": reply.asked_back,
        # without their words: what was kept from the client isn't sent beside the answer
        "findings": [{"kind": f.kind, "action": f.action} for f in reply.findings],
        "results": [_result(result) for result in reply.results],
    }


def _item(item: ItemFact, language: Language) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "title": item.title[language],
        "kind": item.kind,
        "rank": item.rank,
        "reason": None if item.reason is None else item.reason[language],
    }


def _figure(figure: Figure, written: str, language: Language) -> dict[str, Any]:
    value, period = figure.value, figure.period
    return {
        "key": figure.key,
        "label": figure.label[language],
        "value": value if isinstance(value, int | float) else value.isoformat(),
        "unit": figure.unit,
        "text": written,
        "period": None if period is None else [day.isoformat() for day in period],
        "of": figure.of,
    }


def _result(result: ToolResult) -> dict[str, Any]:
    return {
        "tool": result.tool,
        "status": result.status,
        "code": result.code,
        "source": result.source,
        "as_of": None if result.as_of is None else result.as_of.isoformat(),
        "document": dict(result.document),
    }

"""The two short prompts that a model taught here reads: a question -> a call, results -> words around placeholders.

A base model needs no instructions once it was taught; its prompts are a tenth as long as those of `prompts/`, which is what a
processor's answer time is made of. The client's text stands on one line, as `prompts.fences` escapes it.
"""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from nextbest.assistant.base import INTENTS, Intent, Language, ToolCall
from nextbest.assistant.prompts.fences import escaped
from nextbest.assistant.prompts.placeholders import Masked
from nextbest.assistant.tools.toolbox import TOOLS

VERSION = 1
"""Of the forms; an adapter answers to the one it was taught with."""
CODE_WRITES = frozenset({"query"})
"""Arguments that code fills with the question itself."""


def call_prompt(question: str, *, today: date) -> str:
    """What a call is asked with."""
    return f"{today.isoformat()} {today:%a}\nQuestion: {escaped(question)}\nCall:\n"


def call_completion(intent: Intent, call: ToolCall | None) -> str:
    """How a call is answered: one line of JSON; without a call the intent alone."""
    said: dict[str, Any] = {"intent": intent}
    if call is not None:
        said["tool"] = call.tool
        said["arguments"] = {k: v for k, v in call.arguments.items() if k not in CODE_WRITES}
    return json.dumps(said, ensure_ascii=False)


def read_call(text: str) -> tuple[Intent, ToolCall | None] | None:
    """An answer as intent and call; None where it is no JSON of that kind or names a tool that doesn't exist.

    Arguments aren't checked: `Toolbox.run` does.

    >>> read_call('{"intent": "peers", "tool": "portfolio_peers", "arguments": {}}')
    ('peers', ToolCall(tool='portfolio_peers', arguments={}))
    >>> read_call('{"intent": "peers", "tool": "rm"}') is None
    True
    """
    try:
        said = json.loads(text.strip())
    except ValueError:
        return None
    if not isinstance(said, dict) or said.get("intent") not in INTENTS:
        return None
    tool, arguments = said.get("tool"), said.get("arguments", {})
    if tool is None:
        return said["intent"], None
    if tool not in TOOLS or not isinstance(arguments, Mapping):
        return None
    return said["intent"], ToolCall(tool, dict(arguments))


def phrase_prompt(question: str, results: Masked, language: Language) -> str:
    """What an answer is worded from: rows of `placeholders.masked`, no title and no figure among them."""
    rows = "\n".join(results.rows)
    return f"Question: {escaped(question)}\nResults:\n{rows}\nAnswer ({language}):\n"

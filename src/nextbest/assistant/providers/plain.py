"""A conversation as plain text, for base models that were never taught a chat form; training data is written the same way."""

from collections.abc import Sequence

from nextbest.assistant.providers.protocol import Message

_NAMES = {"user": "User", "assistant": "Assistant"}
STOPS = ("\nUser:", "\nAssistant:", "\n\n\n", "</data>")
"""Where a base model goes on by itself. No quoted data can hold the first two: its lines begin with a bar."""


def plain_prompt(messages: Sequence[Message]) -> str:
    """Instruction, examples and question, up to where the answer begins (with a blank before its first letter).

    >>> print(plain_prompt([Message("system", "Be brief."), Message("user", "Hi")]))
    Be brief.
    <BLANKLINE>
    User: Hi
    Assistant:
    """
    told = [m.content.strip() + "\n" for m in messages if m.role == "system"]
    said = [f"{_NAMES[m.role]}: {m.content.strip()}" for m in messages if m.role != "system"]
    return "\n".join([*told, *said, "Assistant:"])

"""A conversation as plain text, for base models that were never taught a chat form; training data is written the same way."""

from collections.abc import Sequence
from typing import Any

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


def prompt_text(messages: Sequence[Message], tokenizer: Any) -> str:
    """A conversation as a `transformers` model reads it: by the tokenizer's chat template, else as `plain_prompt`."""
    if not getattr(tokenizer, "chat_template", None):
        return plain_prompt(messages)
    told = [{"role": m.role, "content": m.content} for m in messages]
    text = str(tokenizer.apply_chat_template(told, tokenize=False, add_generation_prompt=True))
    # the tokenizer begins every text with its mark itself
    mark = tokenizer.bos_token
    return text.removeprefix(str(mark)) if mark else text

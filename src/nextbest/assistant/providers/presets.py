"""Endpoints that speak OpenAI's protocol, each with its address, its keys' names and its habits. Every address can be changed.

Addresses and habits as their makers documented them in 2025 and 2026; two of them moved within a year.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from nextbest.errors import InputError

SchemaMode = Literal["json_schema", "json_object", "words"]
"""How an answer of a schema is asked for: by response_format with it, with "JSON" only, or in words alone. What comes is
checked in every case."""
ToolMode = Literal["native", "schema"]
"""Calls by the protocol's tools, falling back to a schema where the server ignores them; or by a schema at once."""
GrammarField = Literal["grammar", "structured_outputs"]


@dataclass(frozen=True, slots=True)
class Preset:
    """One kind of endpoint."""

    base_url: str
    key_variables: tuple[str, ...] = ()
    """Environment variables that may hold the key, in order."""
    needs_key: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    schema_mode: SchemaMode = "json_schema"
    tool_mode: ToolMode = "native"
    grammar_field: GrammarField | None = None
    """Where the server takes a GBNF; None: it takes none."""
    has_seed: bool = True
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    auth_url: str | None = None
    """Where a token is got for the key, by OAuth's client credentials; None: the key itself is sent."""


PRESETS: Mapping[str, Preset] = {
    "openai": Preset(
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        needs_key=True,
        limit_field="max_completion_tokens",
    ),
    "vllm": Preset("http://localhost:8000/v1", ("VLLM_API_KEY",), grammar_field="structured_outputs"),
    "ollama": Preset("http://localhost:11434/v1", ("OLLAMA_API_KEY",)),
    "lmstudio": Preset("http://localhost:1234/v1", ("LMSTUDIO_API_KEY",)),
    # its server takes `tools` and answers in plain text for templates that know none
    "llamacpp": Preset(
        "http://localhost:8080/v1", ("LLAMA_API_KEY",), tool_mode="schema", grammar_field="grammar"
    ),
    "g4f": Preset(
        "http://localhost:1337/v1", ("G4F_API_KEY",), schema_mode="words", tool_mode="schema", has_seed=False
    ),
    # functions of its own rather than tools, no forced choice: calls are asked for as JSON
    "gigachat": Preset(
        "https://gigachat.devices.sberbank.ru/api/v1",
        ("GIGACHAT_CREDENTIALS",),
        needs_key=True,
        schema_mode="words",
        tool_mode="schema",
        has_seed=False,
        auth_url="https://ngw.devices.sberbank.ru:9443/api/v2/oauth",
    ),
    # prompts are kept by the operator unless this header says no
    "yandex": Preset(
        "https://ai.api.cloud.yandex.net/v1",
        ("YANDEX_API_KEY",),
        needs_key=True,
        headers={"x-data-logging-enabled": "false"},
        has_seed=False,
    ),
}


def preset(name: str) -> Preset:
    """An endpoint by name.

    Raises
    ------
    InputError
        There is no such name.
    """
    if name not in PRESETS:
        raise InputError("provider", f"must be one of {', '.join(PRESETS)}", value=name)
    return PRESETS[name]

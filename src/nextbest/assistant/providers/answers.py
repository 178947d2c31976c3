"""What a model wrote, checked before anyone uses it: JSON of a schema, calls of tools that exist, whole sentences.

Schemas are those that our tools have, pydantic's: types, enums, ranges, lengths, objects, lists, alternatives, `$defs`.
Knows no provider.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from nextbest.assistant.base import ToolCall
from nextbest.assistant.providers.protocol import ProviderError

Schema = Mapping[str, Any]
_BLOCK = re.compile(r"```(?:json)?\s*\n?(.*?)```", re.DOTALL)
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
MAX_STRING, MAX_LIST = 200, 50
"""What a schema that says nothing allows: small models write an unbounded string until their last token."""


def parsed(text: str, schema: Schema, *, system: str) -> Any:
    """The JSON document of an answer, which fits the schema.

    A fence of Markdown around it is taken off; words around it are not guessed at.

    Raises
    ------
    ProviderError
        Kind "broken_json": it isn't JSON, or not of the schema; the first reason is told.
    """
    block = _BLOCK.fullmatch(text.strip())
    document = (block[1] if block else text).strip()
    try:
        value = json.loads(document, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ProviderError(system, f"answered no JSON ({error})", kind="broken_json", partial=text) from None
    if why := misfit(value, schema):
        raise ProviderError(system, f"answered JSON of another form: {why}", kind="broken_json", partial=text)
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def misfit(value: Any, schema: Schema, *, at: str = "", defs: Schema | None = None) -> str | None:
    """Why a value doesn't fit a schema, in words; None: it does.

    >>> misfit({"k": 0}, {"type": "object", "properties": {"k": {"type": "integer", "minimum": 1}}})
    'k: below 1'
    """
    defs = schema.get("$defs", {}) if defs is None else defs
    here = at or "the document"
    if "$ref" in schema:
        return misfit(value, defs[schema["$ref"].rsplit("/", 1)[-1]], at=at, defs=defs)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            reasons = [misfit(value, one, at=at, defs=defs) for one in schema[word]]
            if all(reasons):
                return f"{here}: fits none of {len(reasons)} forms ({reasons[0]})"
    if "const" in schema and value != schema["const"]:
        return f"{here}: isn't {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{here}: {str(value)[:50]!r} is none of {list(schema['enum'])[:12]}"
    wanted = schema.get("type")
    if wanted is not None:
        kinds = [wanted] if isinstance(wanted, str) else wanted
        if not any(_is(value, kind) for kind in kinds):
            return f"{here}: isn't of type {'/'.join(kinds)}"
    if isinstance(value, dict):
        return _object_misfit(value, schema, at=at, defs=defs)
    if isinstance(value, list):
        return _list_misfit(value, schema, at=at, defs=defs)
    return _scalar_misfit(value, schema, here)


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return False
    return isinstance(value, _TYPES[kind])


def _object_misfit(value: Mapping[str, Any], schema: Schema, *, at: str, defs: Schema) -> str | None:
    known = schema.get("properties", {})
    if missing := [name for name in schema.get("required", ()) if name not in value]:
        return f"{at or 'the document'}: lacks {missing}"
    if schema.get("additionalProperties") is False and (more := sorted(set(value) - set(known))):
        return f"{at or 'the document'}: has {more[:5]}, which it may not"
    for name, inner in known.items():
        if name in value and (
            why := misfit(value[name], inner, at=f"{at}.{name}" if at else name, defs=defs)
        ):
            return why
    return None


def _list_misfit(value: Sequence[Any], schema: Schema, *, at: str, defs: Schema) -> str | None:
    if len(value) > schema.get("maxItems", len(value)):
        return f"{at}: has more than {schema['maxItems']} entries"
    if len(value) < schema.get("minItems", 0):
        return f"{at}: has fewer than {schema['minItems']} entries"
    inner = schema.get("items", {})
    return next(
        (why for n, one in enumerate(value) if (why := misfit(one, inner, at=f"{at}[{n}]", defs=defs))), None
    )


def _scalar_misfit(value: Any, schema: Schema, here: str) -> str | None:
    if isinstance(value, str):
        if len(value) > schema.get("maxLength", len(value)):
            return f"{here}: longer than {schema['maxLength']} characters"
        if len(value) < schema.get("minLength", 0):
            return f"{here}: shorter than {schema['minLength']} characters"
        if "pattern" in schema and not re.search(schema["pattern"], value):
            return f"{here}: isn't of the form {schema['pattern']}"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            return f"{here}: below {schema['minimum']}"
        if value > schema.get("maximum", value):
            return f"{here}: above {schema['maximum']}"
    return None


def checked_call(name: object, arguments: object, tools: Sequence[Schema], *, system: str) -> ToolCall:
    """A call of one of the tools, arguments parsed and of its schema.

    Raises
    ------
    ProviderError
        Kind "unknown_tool", "broken_json" (arguments aren't JSON) or "bad_arguments".
    """
    known = {tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in tools}
    if name not in known:
        raise ProviderError(
            system, f"called {str(name)[:60]!r}; there are {', '.join(known)}", kind="unknown_tool"
        )
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}", parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ProviderError(
                system,
                f"called {name} with no JSON ({error})",
                kind="broken_json",
                partial=str(arguments)[:200],
            ) from None
    parameters = known[str(name)]
    if isinstance(arguments, dict):
        # models say null for what they leave out
        required = parameters.get("required", ())
        arguments = {key: value for key, value in arguments.items() if value is not None or key in required}
    if why := misfit(arguments, {"type": "object", **parameters}):
        raise ProviderError(system, f"called {name} with wrong arguments: {why}", kind="bad_arguments")
    assert isinstance(arguments, dict)  # the schema says object
    return ToolCall(str(name), arguments)


def call_schema(tools: Sequence[Schema], *, tied: bool) -> dict[str, Any]:
    """The schema of one call as a JSON document, for models that don't call tools: {"tool": NAME, "arguments": {...}}.

    Parameters
    ----------
    tied
        True: arguments are those of the named tool, by alternatives at the root, which llama.cpp's grammar keeps. False:
        an object at the root with an enum of names, the form that endpoints take; arguments are checked afterwards.
    """
    functions = [tool["function"] for tool in tools]
    forms = [bounded(_inlined(f.get("parameters", {"type": "object", "properties": {}}))) for f in functions]
    if tied:
        alternatives = [
            _call_object({"const": f["name"]}, form) for f, form in zip(functions, forms, strict=True)
        ]
        return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}
    arguments = forms[0] if len(forms) == 1 else {"anyOf": forms}
    return _call_object({"type": "string", "enum": [f["name"] for f in functions]}, arguments)


def _call_object(tool: Schema, arguments: Schema) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"tool": tool, "arguments": arguments},
        "required": ["tool", "arguments"],
        "additionalProperties": False,
    }


def call_from_text(text: str, tools: Sequence[Schema], *, system: str) -> ToolCall:
    """The call of an answer that was asked for by `call_schema`."""
    outer = {
        "type": "object",
        "properties": {"tool": {"type": "string"}, "arguments": {"type": "object"}},
        "required": ["tool", "arguments"],
    }
    document = parsed(text, outer, system=system)
    return checked_call(document["tool"], document["arguments"], tools, system=system)


def bounded(schema: Schema) -> dict[str, Any]:
    """The schema with a length for each string and list that has none, and closed objects."""
    found = {
        key: [bounded(one) if isinstance(one, Mapping) else one for one in value]
        if isinstance(value, list | tuple)
        else {name: bounded(one) for name, one in value.items()}
        if key in ("properties", "$defs")
        else bounded(value)
        if isinstance(value, Mapping)
        else value
        for key, value in schema.items()
    }
    if found.get("type") == "string" and "enum" not in found and "const" not in found:
        found.setdefault("maxLength", MAX_STRING)
    elif found.get("type") == "array":
        found.setdefault("maxItems", MAX_LIST)
    elif found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found


def _inlined(schema: Schema, defs: Schema | None = None) -> dict[str, Any]:
    """The schema with its `$ref`s replaced, for use inside another one."""
    defs = schema.get("$defs", {}) if defs is None else defs

    def walk(value: Any) -> Any:
        if isinstance(value, Mapping):
            if "$ref" in value:
                return _inlined(defs[value["$ref"].rsplit("/", 1)[-1]], defs)
            return {key: walk(one) for key, one in value.items() if key != "$defs"}
        return [walk(one) for one in value] if isinstance(value, list | tuple) else value

    walked: dict[str, Any] = walk(schema)
    return walked


def whole_sentences(text: str) -> str:
    """What was written up to its last full sentence: for answers that ended as long as they might be, or were cut.

    >>> whole_sentences("Hades II suits you. It costs 12.5 dol")
    'Hades II suits you.'
    >>> whole_sentences("Hades II suits")
    ''
    """
    ends = [found.end() for found in re.finditer(r"[.!?…]+[»”\")]*(?=\s|$)", text)]
    return text[: ends[-1]].rstrip() if ends else ""

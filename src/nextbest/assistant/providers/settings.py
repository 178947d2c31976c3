"""Which model words the answers: from a short text, a TOML file or the environment, to a provider. Keys only from the environment.

===========================================  ==========================================================
`openai:MODEL`, `openai:MODEL@URL`            any endpoint of OpenAI's protocol; `vllm`, `ollama`, `lmstudio`, `llamacpp`, `g4f`,
                                              `gigachat`, `yandex` have addresses and habits of their own
`gguf:FILE`, `gguf:FILE+ADAPTER`              llama.cpp in this process; `gguf:gemma3-270m` for the packaged one
`folder:DIR`, `folder:DIR+ADAPTER`            transformers in this process; `package:NAME` and `hub:OWNER/NAME` after it too
`scripted:TEXT`, `truthful`, `liar`           says TEXT; the shortest true answer; never the truth
`none`, `phrasebook`, empty                   no model
`A; B; C`                                     the first that answers
===========================================  ==========================================================
"""

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field, ValidationError

from nextbest.assistant.providers.presets import PRESETS, GrammarField, SchemaMode, ToolMode, preset
from nextbest.assistant.providers.protocol import ChatProvider
from nextbest.errors import InputError

Kind = Literal[
    "openai",
    "vllm",
    "ollama",
    "lmstudio",
    "llamacpp",
    "g4f",
    "gigachat",
    "yandex",
    "gguf",
    "folder",
    "scripted",
    "truthful",
    "liar",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
NO_MODEL = frozenset({"", "none", "phrasebook"})
GEMMA_NAME = "gemma3-270m"
VARIABLE = "NEXTBEST_PROVIDER"
_HUB = ("package:", "hub:")


class ProviderSettings(BaseModel, frozen=True, extra="forbid"):
    """One provider."""

    kind: Kind
    model: str = ""
    """Name at the endpoint, file, folder, or a script's text."""
    base_url: str | None = None
    """None: the kind's own address."""
    key_variable: str | None = None
    """Environment variable that holds the key. None: the kind's own."""
    project: str | None = None
    """OpenAI's project or a Yandex folder; None: of OPENAI_PROJECT or YANDEX_FOLDER_ID."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Added to the kind's own. No secrets: they stand in a file."""
    ca_file: Path | None = None
    """PEM certificates beside this machine's; None: of NEXTBEST_CA_FILE."""
    auth_url: str | None = None
    scope: str | None = None
    """GigaChat's; None: of GIGACHAT_SCOPE, or GIGACHAT_API_PERS."""
    schema_mode: SchemaMode | None = None
    tool_mode: ToolMode | None = None
    grammar_field: GrammarField | None = None
    adapter: Path | None = None
    """LoRA: a GGUF file for gguf, a folder for folder."""
    n_ctx: int = Field(default=2048, ge=128)
    """Tokens of prompt and answer; gguf only."""
    n_threads: int = Field(default=1, ge=1)
    """gguf only."""


Given = ProviderSettings | str | Path | Sequence[ProviderSettings] | None


def make_provider(settings: Given, *, environ: Mapping[str, str] | None = None) -> ChatProvider | None:
    """The provider that settings describe; None where they say that there is none. Nothing is opened or asked yet.

    Parameters
    ----------
    settings
        Settings, several for a fallback order, a text as in this module's table, or a `.toml` file of `[[provider]]`.
    environ
        Where keys are; None: this process's environment.

    Raises
    ------
    InputError
        A setting breaks its rule, a file isn't there, a key is missing, or a package isn't installed.
    ArtifactError
        A model's file isn't one.
    """
    env = os.environ if environ is None else environ
    chosen = read_settings(settings)
    made = [_made(one, env) for one in chosen]
    if len(made) < 2:
        return made[0] if made else None
    from nextbest.assistant.providers.fallback import FallbackProvider

    return FallbackProvider(made)


def provider_from_env(environ: Mapping[str, str] | None = None) -> ChatProvider | None:
    """The provider of `NEXTBEST_PROVIDER`; None where it isn't set. Errors as `make_provider`."""
    env = os.environ if environ is None else environ
    return make_provider(env.get(VARIABLE), environ=env)


def read_settings(settings: Given) -> tuple[ProviderSettings, ...]:
    """Settings of each provider, in order. Errors as `make_provider`."""
    if settings is None:
        return ()
    if isinstance(settings, ProviderSettings):
        return (settings,)
    if isinstance(settings, Path) or (isinstance(settings, str) and settings.strip().endswith(".toml")):
        return _of_file(Path(str(settings).strip()))
    if isinstance(settings, str):
        texts = [text.strip() for text in settings.split(";")]
        return tuple(parse_provider(text) for text in texts if text not in NO_MODEL)
    return tuple(settings)


def parse_provider(text: str) -> ProviderSettings:
    """One provider of a short text.

    Raises
    ------
    InputError
        It has another form.

    >>> parse_provider("ollama:t-tech/t-lite-it-2.1@http://box:11434/v1").base_url
    'http://box:11434/v1'
    >>> parse_provider("gguf:models/g.gguf+models/shop.gguf").adapter
    PosixPath('models/shop.gguf')
    """
    kind, _, rest = text.partition(":")
    kind = kind.strip().lower()
    if kind not in KINDS:
        raise InputError(
            "provider",
            f"must begin with one of {', '.join(KINDS)}, or be none",
            value=text.partition("@")[0][:60],
        )
    found: dict[str, Any] = {"kind": kind}
    if kind in PRESETS:
        model, at, url = rest.rpartition("@http") if "@http" in rest else (rest, "", "")
        found |= {"model": model.strip(), "base_url": f"http{url}".strip() if at else None}
        if not found["model"]:
            raise InputError("provider", "must name a model", value=text, remedy=f"{kind}:MODEL")
        if at and "@" in url.partition("/v1")[0]:
            raise InputError(
                "provider",
                "an address must hold no user name or key",
                remedy="put the key into the environment",
            )
    elif kind in ("gguf", "folder"):
        model, _, adapter = rest.partition("+")
        if not model.strip():
            raise InputError("provider", "must name a file or folder", value=text, remedy=f"{kind}:PATH")
        found |= {"model": model.strip(), "adapter": adapter.strip() or None}
    else:
        found["model"] = rest
    return _checked(found)


def _of_file(path: Path) -> tuple[ProviderSettings, ...]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError("provider", f"can't read the file: {error.strerror}", value=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("provider", f"isn't TOML: {error}", value=str(path)) from error
    rows = document.pop("provider", None)
    if document or not isinstance(rows, list) or not rows:
        raise InputError(
            "provider", "must be one or more tables [[provider]]", value=sorted(document), remedy=str(path)
        )
    return tuple(_checked(row) for row in rows)


def _checked(found: Mapping[str, Any]) -> ProviderSettings:
    try:
        return ProviderSettings.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "provider"
        # a value may be a key that someone wrote where none belongs: it isn't repeated
        raise InputError(f"provider.{where}", first["msg"]) from error


def _made(settings: ProviderSettings, env: Mapping[str, str]) -> ChatProvider:
    if settings.kind in PRESETS:
        return _endpoint(settings, env)
    if settings.kind == "gguf":
        from nextbest.assistant.providers.gguf import GgufModel, GgufProvider, gemma_file
        from nextbest.assistant.providers.local import with_adapter

        is_gemma = settings.model == GEMMA_NAME
        path = gemma_file() if is_gemma else Path(settings.model)
        model = GgufModel(path, settings.adapter, n_ctx=settings.n_ctx, n_threads=settings.n_threads)
        return GgufProvider(
            model, name=f"gguf:{GEMMA_NAME}{with_adapter(settings.adapter)}" if is_gemma else None
        )
    if settings.kind == "folder":
        from nextbest.assistant.providers.folder import FolderProvider

        return FolderProvider(settings.model, adapter=settings.adapter)
    if settings.kind == "liar":
        from nextbest.assistant.providers.liar import LiarProvider

        return LiarProvider()
    from nextbest.assistant.providers.scripted import ScriptedProvider

    if settings.kind == "truthful":
        from nextbest.assistant.providers.liar import truthful_draft

        return ScriptedProvider(truthful_draft, name="truthful")
    return ScriptedProvider([settings.model or "..."])


def _endpoint(settings: ProviderSettings, env: Mapping[str, str]) -> ChatProvider:
    from nextbest.assistant.providers.openai_compatible import Endpoint, OpenAICompatible
    from nextbest.assistant.providers.tokens import OAuthToken

    known = preset(settings.kind)
    names = (settings.key_variable,) if settings.key_variable else known.key_variables
    key = next((env[name].strip() for name in names if env.get(name, "").strip()), None)
    base_url = (settings.base_url or known.base_url).rstrip("/")
    # a server of one's own behind OpenAI's protocol often asks for no key
    needs_key = settings.key_variable is not None or (known.needs_key and settings.base_url is None)
    if key is None and needs_key:
        raise InputError("provider", f"{settings.kind} needs a key", remedy=f"set {' or '.join(names)}")
    ca_file = settings.ca_file or (Path(env["NEXTBEST_CA_FILE"]) if env.get("NEXTBEST_CA_FILE") else None)
    auth_url = settings.auth_url or known.auth_url
    project = settings.project or env.get(
        "YANDEX_FOLDER_ID"
        if settings.kind == "yandex"
        else "OPENAI_PROJECT"
        if settings.kind == "openai"
        else ""
    )
    model = settings.model
    if settings.kind == "yandex" and not model.startswith("gpt://"):
        if not project:
            raise InputError(
                "provider.project", "a Yandex model needs its folder", remedy="set YANDEX_FOLDER_ID"
            )
        model = f"gpt://{project}/{model}" + ("" if "/" in model else "/latest")
    secret: Any = key
    if auth_url and key:
        scope = settings.scope or env.get("GIGACHAT_SCOPE") or "GIGACHAT_API_PERS"
        secret = OAuthToken(auth_url, key, scope=scope, ca_file=ca_file)
    return OpenAICompatible(
        Endpoint(
            name=f"{settings.kind}:{settings.model}",
            base_url=base_url,
            model=model,
            key=secret,
            headers={**known.headers, **settings.headers},
            project=project,
            ca_file=ca_file,
            schema_mode=settings.schema_mode or known.schema_mode,
            tool_mode=settings.tool_mode or known.tool_mode,
            grammar_field=settings.grammar_field or known.grammar_field,
            has_seed=known.has_seed,
            limit_field=known.limit_field,
        )
    )

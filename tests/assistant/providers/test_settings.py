"""From a text, a file or the environment to a provider."""

from pathlib import Path

import pytest

from nextbest.assistant.providers.fallback import FallbackProvider
from nextbest.assistant.providers.openai_compatible import Endpoint, OpenAICompatible
from nextbest.assistant.providers.presets import PRESETS
from nextbest.assistant.providers.settings import (
    ProviderSettings,
    make_provider,
    parse_provider,
    provider_from_env,
    read_settings,
)
from nextbest.assistant.providers.tokens import OAuthToken
from nextbest.errors import ArtifactError, InputError


def endpoint(text: str | ProviderSettings, **environ: str) -> Endpoint:
    made = make_provider(text, environ=environ)
    assert isinstance(made, OpenAICompatible)
    return made._endpoint


@pytest.mark.parametrize("text", [None, "", "none", "phrasebook", " ; none"])
def test_no_model_is_none(text: str | None) -> None:
    assert make_provider(text, environ={}) is None


def test_a_local_server_needs_no_key() -> None:
    got = endpoint("ollama:t-tech/t-lite-it-2.1")
    assert (got.base_url, got.model, got.key) == (
        "http://localhost:11434/v1",
        "t-tech/t-lite-it-2.1",
        None,
    )
    assert endpoint("openai:my-model@http://box:9000/v1/").base_url == "http://box:9000/v1"
    assert endpoint("openai:my-model@http://box:9000/v1").key is None


def test_a_key_comes_from_the_environment_and_is_never_shown() -> None:
    got = endpoint("openai:gpt-x", OPENAI_API_KEY=" sk-1 ")
    assert got.key == "sk-1"
    assert "sk-1" not in repr(got)
    own = ProviderSettings(kind="openai", model="m", key_variable="MY_KEY")
    assert endpoint(own, OPENAI_API_KEY="other", MY_KEY="mine").key == "mine"
    with pytest.raises(InputError, match="set OPENAI_API_KEY"):
        make_provider("openai:gpt-x", environ={})
    with pytest.raises(InputError, match="set MY_KEY"):
        make_provider(own, environ={"OPENAI_API_KEY": "other"})


def test_yandex_keeps_no_log_and_names_its_folder() -> None:
    got = endpoint("yandex:yandexgpt", YANDEX_API_KEY="k", YANDEX_FOLDER_ID="b1g")
    assert got.model == "gpt://b1g/yandexgpt/latest"
    assert got.project == "b1g"
    assert got.headers["x-data-logging-enabled"] == "false"
    with pytest.raises(InputError, match="YANDEX_FOLDER_ID"):
        make_provider("yandex:yandexgpt", environ={"YANDEX_API_KEY": "k"})


def test_gigachat_gets_tokens_for_its_key() -> None:
    got = endpoint("gigachat:GigaChat-2", GIGACHAT_CREDENTIALS="a2V5", GIGACHAT_SCOPE="GIGACHAT_API_CORP")
    assert isinstance(got.key, OAuthToken)
    assert "GIGACHAT_API_CORP" in repr(got.key)
    assert "a2V5" not in repr(got) + repr(got.key)
    assert got.tool_mode == "schema"


def test_several_are_an_order(tmp_path: Path) -> None:
    made = make_provider("ollama:a; scripted:Hello; none", environ={})
    assert isinstance(made, FallbackProvider)
    assert made.name == "ollama:a > scripted"
    file = tmp_path / "providers.toml"
    file.write_text(
        '[[provider]]\nkind = "vllm"\nmodel = "m"\nbase_url = "http://gpu:8000/v1"\n[[provider]]\nkind = "truthful"\n'
    )
    again = make_provider(file, environ={})
    assert again is not None
    assert again.name == "vllm:m > truthful"
    assert provider_from_env({"NEXTBEST_PROVIDER": str(file)}) is not None
    assert provider_from_env({}) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chatgpt:x", "must begin with one of"),
        ("openai", "must name a model"),
        ("openai:@http://x", "must name a model"),
        ("gguf:", "must name a file"),
        ("gguf:/no/such.gguf", "no such file"),
        ("folder:/no/such", "no such folder"),
        ("openai:m@http://user:sk-9@host/v1", "no user name or key"),
        ("no/such.toml", "can't read the file"),
    ],
)
def test_a_text_of_another_form_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        make_provider(text, environ={})
    assert "sk-9" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[provider]]\nkind = 'openai'\napi_key = 'sk-7'\n", "api_key"),
        ("[[provider]]\nkind = 'gguf'\nmodel = 'x'\nn_threads = 0\n", "n_threads"),
        ("provider = 3", "provider"),
        ("[provider", "isn't TOML"),
        ("other = 1", "provider"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "p.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_settings(file)
    assert "sk-7" not in str(caught.value), "a key in the wrong place isn't repeated"


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.gguf"
    file.write_bytes(b"hello")
    with pytest.raises(ArtifactError, match="isn't a GGUF file"):
        make_provider(f"gguf:{file}", environ={})


def test_every_preset_has_an_address_and_none_skips_verification() -> None:
    assert all(p.base_url.startswith("http") and not p.base_url.endswith("/") for p in PRESETS.values())
    assert {name for name, p in PRESETS.items() if p.base_url.startswith("https://")} == {
        "openai",
        "gigachat",
        "yandex",
    }
    assert parse_provider("g4f:x").kind == "g4f"

"""Open a causal language model from a folder, a GGUF file, an installed package of weights, or a hub that was asked for.

What can be refused is refused before anything heavy is read. No code that comes with weights is run, and nothing
pickled is opened. Knows no prompt, price or chat.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from nextbest.data.cache_folder import cache_folder
from nextbest.errors import ArtifactError, ExternalError, InputError
from nextbest.models.language import files
from nextbest.models.language.needs import need_four_bits, need_language_models
from nextbest.models.language.origin import Origin, file_digest, read_origin, write_weights
from nextbest.models.language.packages import PACKAGES

log = logging.getLogger(__name__)
Quantize = Literal["4bit"]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A causal language model in memory, with its tokenizer and what is known of it."""

    model: Any
    """`transformers`' model, or `peft`'s around it where there is an adapter; in eval mode, nothing learns."""
    tokenizer: Any
    family: str
    """`model_type` of its configuration: gemma3_text, llama, mistral, qwen3, ..."""
    context_length: int
    """Tokens that a prompt and its answer may have together."""
    n_parameters: int
    """Of the base, tied ones once."""
    source: str
    digest: str
    """SHA-256 of the base's weights; an adapter is for one digest."""
    seen_until: date | None
    """Last day that training data may hold, adapter's counted; `date.max` = nobody said; None = never trained."""
    notice: str | None
    """What must be passed on with the weights and whatever is made of them."""
    adapter: str | None = None
    """Digest of the adapter's weights."""
    quantize: Quantize | None = None

    def __repr__(self) -> str:
        size = f"{self.n_parameters / 1e6:,.1f}M"
        return f"Checkpoint({self.source!r}, {self.family}, {size} parameters, {self.digest[:8]})"


def open_checkpoint(
    source: str | Path,
    *,
    max_tokens: int | None = None,
    quantize: Quantize | None = None,
    adapter: str | Path | None = None,
    seen_until: date | None = None,
    cache: Path | None = None,
) -> Checkpoint:
    """A model and its tokenizer, on the GPU where torch sees one; weights as float32 unless `quantize`.

    Parameters
    ----------
    source
        A folder in transformers' format with safetensors weights; a `.gguf` file; `package:NAME`, weights that an
        installed package ships (`packages.PACKAGES`); `hub:OWNER/NAME`, fetched unless `HF_HUB_OFFLINE` is set.
    max_tokens
        Tokens of prompt and answer together. None: as many as the model was made for.
    quantize
        "4bit": NF4 with nested quantisation (Dettmers et al. 2023), to train an adapter where memory is short.
    adapter
        Folder of `lora.save_adapter`, or of `peft`'s own making with safetensors weights.
    seen_until
        Last day of the training data, where the caller knows it better than the source says.
    cache
        Where a GGUF file's weights are kept as a folder, because making its tokenizer takes minutes. None:
        `cache_folder("language")`.

    Raises
    ------
    InputError
        The extra `llm` isn't installed; the source isn't there, has no configuration, no tokenizer, pickled weights,
        or isn't a causal model; the context asked for is longer than the model's; four bits without a GPU; the
        adapter is another base's.
    ArtifactError
        Weights are damaged, incomplete, or not those that their record vouches for.
    ExternalError
        The hub or the disk refused.
    """
    text = str(source)
    is_gguf = text.endswith(".gguf") or text.startswith("package:")
    need_language_models("source", gguf=is_gguf)
    if max_tokens is not None and max_tokens < 1:
        raise InputError("max_tokens", "must be 1 or more", value=max_tokens)
    if quantize is not None:
        need_four_bits()
    folder = _folder_of(text, cache, seen_until)
    config = files.checked_config(folder)
    longest = files.context_length(config, folder)
    if max_tokens is not None and max_tokens > longest:
        raise InputError(
            "max_tokens",
            f"the model was made for {longest} tokens at most",
            value=max_tokens,
            remedy="shorten prompts",
        )
    origin = read_origin(folder)
    if text.startswith("hub:"):
        origin = replace(origin, source=text)
    if adapter is not None:
        from nextbest.models.language.adapters import check_adapter

        check_adapter(Path(adapter), origin.digest)
    opened = _load(folder, origin, max_tokens or longest, quantize)
    if seen_until is not None:
        opened = replace(opened, seen_until=seen_until)
    if adapter is None:
        return opened
    from nextbest.models.language.adapters import load_adapter

    return load_adapter(opened, Path(adapter))


def _folder_of(source: str, cache: Path | None, seen_until: date | None) -> Path:
    """A folder in transformers' format for any source."""
    if source.startswith("package:"):
        name = source.removeprefix("package:")
        if name not in PACKAGES:
            raise InputError("source", f"no such package of weights; known: {sorted(PACKAGES)}", value=source)
        package = PACKAGES[name]
        package.need()
        cache = _cache(cache)
        folder = cache / f"gguf-{package.sha256[:16]}"
        if not folder.is_dir():
            with package.assembled(cache) as file:
                origin = Origin(package.sha256, source, package.seen_until, package.notice())
                _keep_gguf(file, folder, origin)
        return folder
    if source.startswith("hub:"):
        return fetched(source.removeprefix("hub:"))
    path = Path(source)
    if path.suffix == ".gguf" and path.is_file():
        digest = file_digest(path)
        folder = _cache(cache) / f"gguf-{digest[:16]}"
        if not folder.is_dir():
            _keep_gguf(path, folder, Origin(digest, source, seen_until or date.max))
        return folder
    if not path.is_dir():
        raise InputError(
            "source",
            "is neither a folder nor a .gguf file",
            value=source,
            remedy=f"or name package:{next(iter(PACKAGES))}, or hub:OWNER/NAME to fetch it",
        )
    return path


def _cache(cache: Path | None) -> Path:
    return cache_folder("language") if cache is None else Path(cache)


def _keep_gguf(file: Path, folder: Path, origin: Origin) -> None:
    """Write a GGUF file's weights and tokenizer as a folder: dequantised, as bfloat16 on disk."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    log.info("making a folder of %s: once, it takes a minute or more", file.name)
    place: dict[str, Any] = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    with quiet():
        try:
            tokenizer = AutoTokenizer.from_pretrained(**place)
            model = AutoModelForCausalLM.from_pretrained(
                **place, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
            )
        except (ValueError, KeyError, OSError, NotImplementedError, RuntimeError, IndexError) as error:
            raise InputError(
                "source",
                f"transformers can't read this GGUF file: {_short(error)}",
                value=str(file),
                remedy="give the same model as a folder",
            ) from error
        # in bfloat16 a number is off by 0.4 % at most, far less than what four bits had lost before
        model = model.bfloat16()

        def save(into: Path) -> None:
            model.save_pretrained(into, safe_serialization=True)
            tokenizer.save_pretrained(into)

        write_weights(folder, save, origin)


def fetched(name: str) -> Path:
    """The folder of a hub's model: from its local cache, or fetched.

    Raises
    ------
    InputError
        The name isn't OWNER/NAME, or the model isn't in the cache and `HF_HUB_OFFLINE` forbids to fetch it.
    ExternalError
        The hub refused or can't be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import HF_HUB_OFFLINE
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["*.safetensors", "*.json", "*.model", "merges.txt", "vocab.txt"]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted, local_files_only=HF_HUB_OFFLINE))
    except HFValidationError as error:
        raise InputError("source", "a hub's model is OWNER/NAME", value=f"hub:{name}") from error
    except LocalEntryNotFoundError as error:
        if HF_HUB_OFFLINE:
            raise InputError(
                "source",
                "isn't in the local hub cache, and HF_HUB_OFFLINE forbids to fetch it",
                value=f"hub:{name}",
                remedy="give a folder, or unset HF_HUB_OFFLINE",
            ) from error
        raise ExternalError("hub", f"could not be reached for {name}", retryable=True) from error
    except (HfHubHTTPError, OSError) as error:
        raise ExternalError("hub", f"didn't give {name}: {_short(error)}", retryable=True) from error


def _load(folder: Path, origin: Origin, context: int, quantize: Quantize | None) -> Checkpoint:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    options: dict[str, Any] = {"dtype": torch.float32}
    if quantize == "4bit":
        four = BitsAndBytesConfig(  # type: ignore[no-untyped-call]  # transformers'
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        options = {"dtype": torch.bfloat16, "quantization_config": four, "device_map": {"": 0}}
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            opened: Any = AutoModelForCausalLM.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True, **options
            )
            model, info = opened
    except (ValueError, KeyError, OSError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(
            folder, f"can't be opened: {_short(error)}", remedy="get the folder anew"
        ) from error
    tied = set(getattr(model, "_tied_weights_keys", None) or ())
    if missing := sorted(set(info["missing_keys"]) - tied):
        raise ArtifactError(
            folder, f"lacks {len(missing)} weight(s), first: {missing[:5]}", remedy="get the folder anew"
        )
    n_rows = model.get_input_embeddings().num_embeddings
    # a special mark beyond the rows is harmless until a text holds it, and `batches` looks
    plain = [i for i in tokenizer.get_vocab().values() if i >= n_rows and not _is_special(tokenizer, i)]
    if plain:
        raise ArtifactError(
            folder,
            f"its tokenizer has {len(plain)} token(s) more than its weights, {n_rows}",
            remedy="get model and tokenizer from one place",
        )
    if quantize is None and torch.cuda.is_available():
        model = model.to("cuda")
    model.requires_grad_(requires_grad=False).eval()
    return Checkpoint(
        model=model,
        tokenizer=tokenizer,
        family=str(model.config.model_type),
        context_length=context,
        n_parameters=sum(p.numel() for p in model.parameters()),
        source=origin.source,
        digest=origin.digest,
        seen_until=origin.seen_until,
        notice=origin.notice,
        quantize=quantize,
    )


@contextmanager
def quiet() -> Iterator[None]:
    """No bars of transformers' inside."""
    from transformers.utils import logging as theirs

    shown = theirs.is_progress_bar_enabled()
    theirs.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers'
    try:
        yield
    finally:
        if shown:
            theirs.enable_progress_bar()  # type: ignore[no-untyped-call]  # transformers'


def _is_special(tokenizer: Any, token: int) -> bool:
    added = tokenizer.added_tokens_decoder.get(token)
    return added is not None and bool(added.special)


def _short(error: Exception) -> str:
    """First line of a library's error."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]

"""What language models need beside the base installation, said before it is missed. Knows no model."""

from importlib.util import find_spec

from nextbest.errors import InputError


def need_language_models(what: str, *, gguf: bool = False, adapters: bool = True) -> None:
    """Nothing, if torch and transformers are installed, `peft` for adapters, and `gguf` where such a file is to be read.

    Parameters
    ----------
    what
        Who wants a language model: a command's or an argument's name.

    Raises
    ------
    InputError
        One of them isn't there.
    """
    more = [*(["peft"] if adapters else []), *(["gguf"] if gguf else [])]
    wanted = ("torch", "safetensors", "transformers", *more)
    if missing := [name for name in wanted if find_spec(name) is None]:
        raise InputError(
            what,
            f"language models need {', '.join(missing)}, which isn't installed",
            remedy='pip install "nextbest[llm]"',
        )


def need_four_bits() -> None:
    """Nothing, if weights can be held in four bits here.

    Raises
    ------
    InputError
        torch sees no GPU, or `bitsandbytes` isn't installed.
    """
    import torch

    if not torch.cuda.is_available():
        raise InputError(
            "quantize",
            "four-bit weights need a CUDA GPU, and torch sees none",
            value="4bit",
            remedy="leave quantize out: the weights are then held as float32",
        )
    if find_spec("bitsandbytes") is None:
        raise InputError(
            "quantize",
            "needs bitsandbytes, which isn't installed",
            value="4bit",
            remedy="pip install bitsandbytes",
        )

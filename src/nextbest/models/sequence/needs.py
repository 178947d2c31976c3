"""What learning needs beside the base installation, said before it is missed. Knows no model."""

from nextbest.errors import InputError


def need_torch(what: str) -> None:
    """Nothing, if torch and safetensors are installed.

    Parameters
    ----------
    what
        Who wants to learn: a model's kind.

    Raises
    ------
    InputError
        One of them isn't there.
    """
    try:
        import safetensors  # noqa: F401
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            what, f"learns with {error.name}, which isn't installed", remedy='pip install "nextbest[deep]"'
        ) from error

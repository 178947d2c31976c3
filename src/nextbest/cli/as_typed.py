"""Errors of the library in the words of the command line: the flag that was typed, and what was typed after it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from nextbest.errors import DataError, InputError


@contextmanager
def as_typed(
    flags: Mapping[str, str], *, typed: Mapping[str, object], contacts: str | None = None
) -> Iterator[None]:
    """Errors about an argument of the library become errors about its flag.

    Parameters
    ----------
    flags
        Argument of the library -> flag. Errors about other arguments stay as they are.
    typed
        Flag -> what was typed after it, told instead of the value that the library made of it; None: not typed.
    contacts
        File that stands behind the library's table of this name.
    """
    try:
        yield
    except InputError as error:
        flag = flags.get(error.name, error.name)
        value = error.value if typed.get(flag) is None else typed[flag]
        raise InputError(flag, error.rule, value=value, remedy=error.remedy) from error
    except DataError as error:
        if error.name != "contacts" or contacts is None:
            raise
        raise DataError(
            f"--contacts {contacts}",
            error.rule,
            n_bad=error.n_bad,
            examples=error.examples,
            remedy=error.remedy,
        ) from error

"""Which of several processes this is, as `torchrun` tells in the environment. Knows no torch."""

import os

from nextbest.errors import InputError


def rank_and_world() -> tuple[int, int]:
    """Number of this process and how many there are, (0, 1) alone.

    Raises
    ------
    InputError
        The environment says that there are several, but not which this is.
    """
    world = _number("WORLD_SIZE", os.environ.get("WORLD_SIZE", "1"))
    if world <= 1:
        return 0, 1
    if "RANK" not in os.environ:
        raise InputError("RANK", f"must be set when WORLD_SIZE is {world}", remedy="start with torchrun")
    rank = _number("RANK", os.environ["RANK"])
    if not 0 <= rank < world:
        raise InputError("RANK", f"must lie in 0..{world - 1}", value=rank, remedy="start with torchrun")
    return rank, world


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise InputError(name, "must be a whole number", value=text, remedy="start with torchrun") from error

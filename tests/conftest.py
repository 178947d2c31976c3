"""For every test: no deadline for a law, because machines are shared; what a law finds is what counts.

And none may leave torch as it didn't find it: a stream let go half-way once left its thread without gradients, and
tests that had nothing to do with it failed long after.
"""

import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("nextbest", deadline=None)
settings.load_profile("nextbest")


def torchs_modes() -> tuple[bool, bool]:
    """Are gradients on in this thread, and is inference mode?"""
    torch = sys.modules.get("torch")
    return (True, False) if torch is None else (torch.is_grad_enabled(), torch.is_inference_mode_enabled())


@pytest.fixture(autouse=True)
def torch_is_left_as_it_was() -> Iterator[None]:
    """Else the test that did it is the one that fails."""
    before = torchs_modes()
    yield
    assert torchs_modes() == before

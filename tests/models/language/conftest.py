"""Torch on one thread: tests are small, and sums stay in one order."""

import pytest
import torch

from language_checkpoints import language_folder
from nextbest.models.language.checkpoint import open_checkpoint


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory):
    """A tiny model's folder, not to be changed."""
    return language_folder(tmp_path_factory.mktemp("llama") / "tiny")


@pytest.fixture(scope="session")
def llama(llama_folder):
    """That model, opened."""
    return open_checkpoint(llama_folder)

"""Torch on one thread, and tiny models of two families."""

from datetime import date

import pytest
import torch

from language_checkpoints import language_folder
from market.llm.llm_cases import tiny, waves
from nextbest.market.llm.forecaster import MarketLLM
from nextbest.models.language.checkpoint import open_checkpoint

SEEN_UNTIL = date(2024, 12, 31)
"""A day before the cases' first bar."""


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Folder by family, not to be changed."""
    base = tmp_path_factory.mktemp("bases")
    return {
        family: language_folder(base / family, family=family, seed=seed)
        for seed, family in enumerate(("llama", "mistral"))
    }


@pytest.fixture(scope="session")
def bases(folders):
    """Checkpoint by family."""
    return {family: open_checkpoint(folder, seen_until=SEEN_UNTIL) for family, folder in folders.items()}


@pytest.fixture(scope="session")
def fitted(bases, folders):
    """A model that has learned the waves."""
    model = MarketLLM(bases["llama"], tiny(), source=str(folders["llama"]))
    model.fit(waves().until(500), horizons=(1, 4), rng=0)
    return model

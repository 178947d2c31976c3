"""Without the extra: who wants to learn says what is missing, before anything else goes wrong."""

import sys

import numpy as np
import pytest

from contracts.recommender import journal
from nextbest.data.interactions import Interactions
from nextbest.data.prices.panel import PricePanel
from nextbest.errors import InputError
from nextbest.market.base import make_forecaster
from nextbest.models import make_model
from nextbest.models.sequence.needs import need_torch
from nextbest.simulate.market import random_walks


@pytest.mark.parametrize("missing", ["torch", "safetensors"])
def test_what_is_missing_is_named_with_the_remedy(missing, monkeypatch):
    need_torch("gru4rec")
    monkeypatch.setitem(sys.modules, missing, None)  # as if it weren't installed
    with pytest.raises(InputError, match=f"gru4rec.*{missing}.*nextbest\\[deep\\]"):
        need_torch("gru4rec")


@pytest.mark.parametrize("kind", ["gru4rec", "lstm", "sasrec", "bert4rec"])
def test_sequence_models_say_it_when_they_are_to_learn(kind, monkeypatch):
    log = Interactions.from_journal(journal([(u, (u + t) % 9) for u in range(9) for t in range(4)]))
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=f"{kind}.*torch"):
        make_model(kind, {}).fit(log)


@pytest.mark.parametrize("name", ["candles", "patchtst"])
def test_networks_of_prices_say_it_too(name, monkeypatch):
    panel: PricePanel = random_walks(n_assets=1, n_bars=2000).panel
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=f"{name}.*torch"):
        make_forecaster(name).fit(panel, horizons=(1,), rng=np.random.default_rng(0))

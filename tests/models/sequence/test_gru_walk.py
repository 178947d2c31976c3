"""Many histories at once through a GRU: the numbers of torch's own layer and of the graph, whatever the batch."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from contracts.recommender import random_log
from nextbest.data.interactions import Histories
from nextbest.data.item_features import ItemFeatures
from nextbest.models import load_model, make_model
from nextbest.models.sequence import gru4rec, gru_walk
from nextbest.models.sequence.gru_walk import GRUWalk, tensors_of

SETTINGS: dict[str, Any] = {
    "embedding_dim": 8,
    "max_len": 6,
    "training": {"n_epochs": 1, "batch_events": 256, "n_threads": 1},
}


def histories_of(gen: np.random.Generator, n: int, *, n_items: int) -> Histories:
    return Histories.from_lists([gen.integers(0, n_items, size).tolist() for size in gen.integers(0, 12, n)])


@pytest.mark.parametrize("max_len", [1, 5, 50])
def test_states_are_those_of_torch(max_len, monkeypatch):
    monkeypatch.setattr(gru_walk, "_AT_ONCE", 7)
    torch.manual_seed(0)
    layer = torch.nn.GRU(5, 4)
    gen = np.random.default_rng(0)
    vectors_ID = gen.normal(size=(9, 5)).astype(np.float32)
    histories = histories_of(gen, 30, n_items=9)
    weights = [weight.detach().numpy() for weight in layer.all_weights[0]]
    found_BH = GRUWalk(vectors_ID, *weights)(histories, max_len=max_len)
    for b in range(len(histories)):
        events = histories.item_idx[histories.row(b)][-max_len:]
        expected = np.zeros(4)
        if len(events):
            expected = layer(torch.from_numpy(vectors_ID[events])[:, None])[1][0, 0].detach().numpy()
        assert_allclose(found_BH[b], expected, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def model():
    return make_model("gru4rec", SETTINGS).fit(random_log(3, n_users=60, n_items=30), rng=0)


def test_many_histories_are_answered_as_each_alone(model, tmp_path):
    histories = histories_of(np.random.default_rng(1), gru_walk.WORTH_A_WALK + 5, n_items=30)
    together = model.score(histories)
    assert model._walk() is not None
    alone = np.concatenate([model.score(histories.take([b])) for b in range(len(histories))])
    assert_allclose(together, alone, rtol=1e-5, atol=1e-5)
    model.save(tmp_path / "model")
    assert_array_equal(load_model(tmp_path / "model").score(histories), together)


def test_new_items_and_new_days_are_walked_by_their_own_gates():
    """What is kept for a model isn't asked for the one that `with_items` makes of it, nor after `fit_more`."""
    log = random_log(3, n_users=60, n_items=30)
    catalog = pl.DataFrame({"item_id": log.item_ids.ids, "price": np.arange(30.0)})
    features = ItemFeatures.of(catalog, ["price"], log.item_ids)
    model = make_model("gru4rec", SETTINGS).fit(replace(log, item_features=features), rng=0)
    model.score(histories_of(np.random.default_rng(1), gru_walk.WORTH_A_WALK, n_items=30))
    more = model.with_items(["new"], pl.DataFrame({"item_id": ["new"], "price": [3.5]}))
    histories = histories_of(np.random.default_rng(2), gru_walk.WORTH_A_WALK, n_items=31)
    for _ in range(2):
        alone = np.concatenate([more.score(histories.take([b])) for b in range(len(histories))])
        assert_allclose(more.score(histories), alone, rtol=1e-5, atol=1e-5)
        assert more._walk() is not None
        more.fit_more(log, since=datetime(1970, 1, 1, tzinfo=UTC), rng=0)


def test_what_is_learned_later_is_walked_with_its_own_weights():
    log = random_log(3, n_users=60, n_items=30)
    histories = histories_of(np.random.default_rng(1), gru_walk.WORTH_A_WALK, n_items=30)
    model = make_model("gru4rec", SETTINGS).fit(log, rng=0)
    before = model.score(histories)
    again = model.fit(log, rng=1).score(histories)
    assert not np.allclose(again, before)
    alone = np.concatenate([model.score(histories.take([b])) for b in range(len(histories))])
    assert_allclose(again, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("other", [{"n_layers": 2}, {"hidden_size": 12}])
def test_other_networks_are_answered_by_their_graph(other):
    model = make_model("gru4rec", SETTINGS | other).fit(random_log(3, n_users=60, n_items=30), rng=0)
    assert model._walk() is None
    histories = histories_of(np.random.default_rng(1), gru_walk.WORTH_A_WALK, n_items=30)
    alone = np.concatenate([model.score(histories.take([b])) for b in range(len(histories))])
    assert_allclose(model.score(histories), alone, rtol=1e-5, atol=1e-5)


def test_a_graph_that_reads_otherwise_has_the_last_word(model, tmp_path):
    histories = histories_of(np.random.default_rng(1), gru_walk.WORTH_A_WALK, n_items=30)
    model.save(tmp_path / "model")
    kept = load_model(tmp_path / "model")
    graph = kept._encode
    kept._encode = lambda x_BLD, length_B: graph(2 * x_BLD, length_B)
    alone = np.concatenate([kept.score(histories.take([b])) for b in range(len(histories))])
    assert kept._walk() is None
    assert_allclose(kept.score(histories), alone, rtol=1e-5, atol=1e-5)
    assert not np.allclose(alone, model.score(histories))


def test_weights_that_are_named_otherwise_are_left_to_the_graph(model, tmp_path):
    histories = histories_of(np.random.default_rng(1), gru_walk.WORTH_A_WALK, n_items=30)
    model.save(tmp_path / "model")
    kept = load_model(tmp_path / "model")
    tensors = load_safetensors(kept.weights_)
    kept.weights_ = save_safetensors({name.replace("recurrence", "gru"): t for name, t in tensors.items()})
    assert_allclose(kept.score(histories), model.score(histories), rtol=1e-5, atol=1e-5)
    assert kept._walk() is None


def test_the_gates_of_a_catalogue_that_is_too_large_are_not_kept(model, monkeypatch):
    monkeypatch.setattr(gru4rec, "_TABLE_CELLS", 3 * 8 * 30 - 1)
    assert model._made_walk() is None


def test_weights_are_read_as_their_own_library_reads_them(model):
    expected, found = load_safetensors(model.weights_), tensors_of(model.weights_)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert_array_equal(found[name], tensor)


def test_weights_that_are_cut_off_are_refused(model):
    for n_bytes in (9, 40, len(model.weights_) - 1):
        with pytest.raises(ValueError, match="cut off"):
            tensors_of(model.weights_[:n_bytes])

"""A fit that ends badly can be taken up again, and one that lacks memory comes to the same."""

import logging

import numpy as np
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import load

from contracts.recommender import journal
from nextbest.data.ids import IdIndex
from nextbest.data.interactions import Histories, Interactions
from nextbest.errors import ArtifactError, InputError
from nextbest.models import make_model
from nextbest.models.sequence import learning
from nextbest.models.sequence.shards import InMemory

KINDS = ("gru4rec", "sasrec", "bert4rec", "lstm")
ROWS = [(u, (u + t) % 9) for u in range(30) for t in range(3 + u % 7)]
LOG = Interactions.from_journal(journal(ROWS))
TRAINING = {"n_epochs": 4, "learning_rate": 0.01, "batch_events": 64, "patience": 99, "n_threads": 1}
TINY = {
    "embedding_dim": 8,
    "max_len": 6,
    "dropout": 0.0,
    "loss": {"kind": "softmax"},
    "training": TRAINING,
}


def fitted(kind, *, log=LOG, rng=0, checkpoints=None, **changed):
    return make_model(kind, {**TINY, **changed}).fit(log, rng=rng, checkpoints=checkpoints)


def calls_of_loss(monkeypatch, change):
    """`change(number, value)` instead of what each call of the loss gives, numbers from 1."""
    plain, numbers = learning.loss, []

    def loss(*args, **options):
        numbers.append(1)
        return change(len(numbers), plain(*args, **options))

    monkeypatch.setattr(learning, "loss", loss)
    return numbers


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_bad_loss_the_last_good_checkpoint_is_there_and_leads_to_the_same_weights(
    kind, tmp_path, monkeypatch
):
    straight = fitted(kind)
    n_steps = sum(
        1
        for _ in learning.batches_of(
            LOG.histories, 9, straight.config, np.random.default_rng(0), mask_share=straight._mask_share
        )
    )
    with monkeypatch.context() as patch:
        calls_of_loss(patch, lambda n, value: value * (np.nan if n > 2 * n_steps + 1 else 1))
        words = rf"loss must be finite, is nan in epoch 3, batch \d+ \(.*2 epoch\(s\) are kept in {tmp_path}"
        with pytest.raises(InputError, match=words):
            fitted(kind, checkpoints=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-00001", "epoch-00002"]
    resumed = fitted(kind, checkpoints=tmp_path)
    assert resumed.trained_["resumed_after"] == 2
    for name, array in load(straight.weights_).items():
        assert_array_equal(load(resumed.weights_)[name], array)


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_gpu_halves_the_batch_says_so_and_learns_the_same(kind, monkeypatch, caplog):
    whole = fitted(kind, rng=1)
    plain = learning.Network.loss

    def loss(self, batch, generator):
        if len(batch.input_BL) > 4:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return plain(self, batch, generator)

    monkeypatch.setattr(learning.Network, "loss", loss)
    halved = fitted(kind, rng=1)
    assert "out of memory with" in caplog.text
    assert "would save the splitting" in caplog.text
    # scores, because attention's key biases change none and are moved by rounding alone
    assert_allclose(halved.score(LOG.histories), whole.score(LOG.histories), atol=1e-4, rtol=0)


OTHER_LOG = Interactions.from_journal(journal([*ROWS[:-1], (29, 0)]))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"log": OTHER_LOG}, "item_counts was"),
        ({"dropout": 0.5}, r"dropout was 0\.0, is 0\.5"),
        ({"max_len": 5}, "max_len was 6, is 5"),
        ({"loss": {"kind": "bce"}}, "kind was 'softmax', is 'bce'"),
        ({"rng": 1}, "of another training"),
    ],
)
def test_checkpoints_of_another_log_or_other_settings_are_refused(tmp_path, changed, words):
    fitted("gru4rec", checkpoints=tmp_path)
    with pytest.raises(ArtifactError, match=words):
        fitted("gru4rec", checkpoints=tmp_path, **changed)


def test_checkpoints_of_a_log_in_another_order_are_refused(tmp_path):
    """The same events by user, nobody's held-out event and question another, one history told otherwise."""
    lists = [[(user + step) % 7 for step in range(6)] for user in range(40)]
    training = {"n_epochs": 1, "validation_users": 1, "n_threads": 1}
    config = {"embedding_dim": 4, "max_len": 6, "training": training}

    def fit(lists):
        log = InMemory(Histories.from_lists(lists), 7)
        ids = IdIndex(pl.Series(range(7)))
        return make_model("gru4rec", config).fit_shards(log, item_ids=ids, rng=0, checkpoints=tmp_path / "c")

    fit(lists)
    assert fit(lists).trained_["resumed_after"] == 1
    for user in (0, 39):  # one of them isn't asked
        other = list(lists)
        other[user] = [*reversed(lists[user][:-1]), lists[user][-1]]
        with pytest.raises(ArtifactError, match=r"of another training: .*order was"):
            fit(other)


def test_members_of_a_blend_keep_their_checkpoints_apart(tmp_path, monkeypatch, caplog):
    """Two members that differ in nothing that a folder's name tells; the second one is interrupted."""
    config = {"members": [{"kind": "gru4rec", "config": TINY}, {"kind": "gru4rec", "config": TINY}]}
    whole = make_model("blend", config).fit(LOG, rng=0)
    batches, calls = learning._batches, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == TRAINING["n_epochs"] + 2:
            raise KeyboardInterrupt
        return batches(*args)

    with monkeypatch.context() as patch:
        patch.setattr(learning, "_batches", interrupted)
        with pytest.raises(KeyboardInterrupt):
            make_model("blend", config).fit(LOG, rng=0, checkpoints=tmp_path)
    with caplog.at_level(logging.INFO, logger="nextbest.models.sequence.trainer"):
        resumed = make_model("blend", config).fit(LOG, rng=0, checkpoints=tmp_path)
    went_on = [r.getMessage() for r in caplog.records if "goes on" in r.getMessage()]
    assert went_on == ["training goes on after epoch 4", "training goes on after epoch 1"]
    for one, other in zip(resumed.members_, whole.members_, strict=True):
        assert_array_equal(one.item_vectors_, other.item_vectors_)
    first, second = whole.members_
    assert not np.array_equal(first.item_vectors_, second.item_vectors_)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fitted_model_scores_by_its_graph_as_by_its_torch_network(kind):
    from nextbest.models.sequence.encoding import TorchEncoder
    from nextbest.models.sequence.renewing import restored

    model = fitted(kind)
    asked = Histories.from_lists([[1], [3, 1, 4, 1, 5, 2, 6, 5], [2, 7], [8, 8, 8, 8]])
    by_graph = model.score(asked)
    _, network = restored(model.weights_, n_items=9, encoder=model._encoder, config=model.config)
    model._encode = TorchEncoder(network)
    assert_allclose(model.score(asked), by_graph, atol=1e-5, rtol=0)

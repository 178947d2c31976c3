"""What a sequence model meets in real logs: hardly any events, strangers, one item, wild settings, many threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from contracts.recommender import journal
from nextbest.data.ids import IdIndex
from nextbest.data.interactions import Histories, Interactions
from nextbest.errors import InputError, NotFittedError
from nextbest.models import load_model, make_model

KINDS = ("gru4rec", "sasrec", "bert4rec", "lstm")
TRAINING = {"n_epochs": 2, "learning_rate": 0.01, "batch_events": 64, "n_threads": 1}
TINY = {"embedding_dim": 8, "max_len": 6, "training": TRAINING}
LOG = Interactions.from_journal(journal([(u, (u + t) % 9) for u in range(30) for t in range(3 + u % 7)]))


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return make_model(request.param, TINY).fit(LOG, rng=0)


def test_nothing_is_known_of_a_history_of_length_0(model):
    scores = model.score(Histories.from_lists([[], [3]]))
    assert np.isneginf(scores[0]).all()
    assert np.isfinite(scores[1]).all()
    best = model.top_k(Histories.from_lists([[], [3]]), k=2)
    assert best.item_idx[0].tolist() == [-1, -1]
    assert (best.item_idx[1] >= 0).all()


def test_empty_histories_do_not_change_the_answers_of_others(model):
    alone = model.score(Histories.from_lists([[1, 2, 3]]))
    among = model.score(Histories.from_lists([[], [1, 2, 3], []]))
    assert_allclose(among[1], alone[0], rtol=1e-5, atol=1e-6)  # another size of a product rounds differently


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_of_users_with_one_event_each_leaves_a_model_that_answers(kind, caplog):
    """There is nothing to tell an only event from, so that causal models learn nothing, and say so."""
    alone = Interactions.from_journal(journal([(u, u % 5) for u in range(20)]))
    model = make_model(kind, TINY).fit(alone, rng=0)
    assert np.isfinite(model.score(Histories.from_lists([[2], [0, 1]]))).all()
    if kind != "bert4rec":
        assert model.trained_["stopped_why"] == "no targets"
        assert "nothing can be learned" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
def test_users_without_any_event_change_nothing(kind):
    ids = IdIndex(pl.Series(range(40), dtype=pl.Int64))
    table = journal([(u, (u + t) % 9) for u in range(30) for t in range(3 + u % 7)])
    with_empty = Interactions.from_journal(table, user_ids=ids)
    assert_array_equal(
        make_model(kind, {**TINY, "training": {**TRAINING, "validation": None}})
        .fit(LOG, rng=0)
        .item_vectors_,
        make_model(kind, {**TINY, "training": {**TRAINING, "validation": None}})
        .fit(with_empty, rng=0)
        .item_vectors_,
    )


def test_items_that_the_model_does_not_know_are_left_out_of_a_history(model):
    other = Interactions.from_journal(journal([(0, 4), (0, 77), (0, 5), (1, 88)]))
    histories = model.histories_for(other)
    assert histories.item_idx.tolist() == [4, 5]
    known = model.score(Histories.from_lists([[4, 5]]))
    assert_allclose(model.score(histories)[0], known[0], rtol=1e-5, atol=1e-6)
    assert np.isneginf(model.score(histories)[1]).all()
    with pytest.raises(InputError, match="histories"):
        model.score(Histories.from_lists([[4, 77]]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_catalogue_of_one_item_is_learned_and_recommended(kind):
    one = Interactions.from_journal(journal([(u, 0) for u in range(30) for _ in range(2)]))
    model = make_model(kind, TINY).fit(one, rng=0)
    assert model.top_k(Histories.from_lists([[0]]), k=3, exclude_seen=False).item_idx.tolist() == [
        [0, -1, -1]
    ]
    assert model.top_k(Histories.from_lists([[0]]), k=1).item_idx.tolist() == [[-1]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", ["sampled_softmax", "gbce", "bpr_max", "top1_max", "bce"])
def test_more_negatives_than_items_are_drawn_without_harm(kind, loss):
    config = {**TINY, "loss": {"kind": loss, "n_negatives": 1000}}
    model = make_model(kind, config).fit(LOG, rng=0)
    assert np.isfinite(model.score(Histories.from_lists([[0, 1]]))).all()
    assert all(np.isfinite(line["loss"]) for line in model.trained_["curve"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_that_is_not_finite_names_its_batch_and_leaves_no_model(kind, tmp_path):
    # that large, because the states of a GRU and an LSTM are bounded: at 1e30 their loss is wild, but finite
    wild = {**TINY, "training": {**TRAINING, "n_epochs": 5, "learning_rate": 1e37}}
    model = make_model(kind, wild)
    words = (
        r"(loss|gradient) must be finite, is (nan|-?inf) in epoch \d, batch \d+ \(\d+ windows x \d+ places"
    )
    with pytest.raises(InputError, match=words):
        model.fit(LOG, rng=0)
    for ask in (
        lambda: model.score(Histories.from_lists([[0]])),
        lambda: model.save(tmp_path / "m"),
        lambda: model.with_items([50], pl.DataFrame({"item_id": [50]})),
    ):
        with pytest.raises(NotFittedError):
            ask()


# --- many users, many threads -------------------------------------------------------------------
MANY = Histories.from_lists([np.random.default_rng(u).integers(0, 9, u % 12).tolist() for u in range(400)])


def test_a_batch_answered_by_several_threads_is_the_one_of_one_thread(model, monkeypatch):
    monkeypatch.setattr(type(model), "_users_at_once", lambda self: 16)  # 25 blocks
    alone = model.top_k(MANY, k=3, n_threads=1)
    together = model.top_k(MANY, k=3, n_threads=6)
    assert_array_equal(together.item_idx, alone.item_idx)
    assert_array_equal(together.score, alone.score)


def test_calls_from_several_threads_do_not_disturb_each_other(model):
    parts = [MANY.take(slice(start, start + 40)) for start in range(0, 400, 40)]
    alone = [model.score(part) for part in parts]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(3):
            for found, wanted in zip(pool.map(model.score, parts), alone, strict=True):
                assert_array_equal(found, wanted)


@pytest.mark.parametrize("kind", ["sasrec", "bert4rec"])
def test_heads_that_do_not_divide_the_dims_are_told_before_any_fit(kind):
    with pytest.raises(
        InputError, match=f"config of {kind}: Value error, n_heads 3 must divide embedding_dim 8"
    ):
        make_model(kind, {"embedding_dim": 8, "n_heads": 3})


def test_a_recipe_says_none_by_a_word():
    """TOML has no null."""
    training = make_model(
        "gru4rec", {"training": {"validation": "none", "clip_norm": "none"}}
    ).config.training
    assert (training.validation, training.clip_norm) == (None, None)


def test_a_model_without_validation_by_that_word_runs_all_epochs_and_is_kept_so(tmp_path):
    config = {**TINY, "training": {**TRAINING, "validation": "none", "clip_norm": "none"}}
    model = make_model("lstm", config).fit(LOG, rng=0)
    assert model.trained_["stopped_why"] == "epochs"
    assert model.trained_["best_validation"] is None
    model.save(tmp_path / "model")
    assert load_model(tmp_path / "model").config == model.config


def test_another_word_or_a_null_where_there_is_none_is_told():
    with pytest.raises(InputError, match=r"training\.validation: Input should be 'last' or 'time'"):
        make_model("gru4rec", {"training": {"validation": "off"}})
    with pytest.raises(InputError, match=r"training\.learning_rate"):
        make_model("gru4rec", {"training": {"learning_rate": "none"}})

"""Every sequence model keeps the contract of recommenders, and learns what order alone can teach."""

from dataclasses import replace
from itertools import permutations
from typing import ClassVar

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from contracts.recommender import RecommenderContract, journal
from nextbest.data.interactions import Histories, Interactions
from nextbest.data.item_features import ItemFeatures
from nextbest.errors import ArtifactError, InputError
from nextbest.models import load_model, make_model
from nextbest.models.sequence import sequence_model
from nextbest.models.sequence.shards import InMemory, ParquetShards, write_shards
from nextbest.models.sequence.validation import Questions

TINY = {
    "embedding_dim": 8,
    "max_len": 6,
    "dropout": 0.1,
    "training": {"n_epochs": 2, "learning_rate": 0.01, "batch_events": 256, "n_threads": 1},
}
KINDS = ("gru4rec", "sasrec", "bert4rec", "lstm")


class TestGRU4Rec(RecommenderContract):
    kind = "gru4rec"
    config: ClassVar[dict[str, object]] = TINY


class TestSASRec(RecommenderContract):
    kind = "sasrec"
    config: ClassVar[dict[str, object]] = TINY


class TestBERT4Rec(RecommenderContract):
    kind = "bert4rec"
    config: ClassVar[dict[str, object]] = TINY


class TestLSTM(RecommenderContract):
    kind = "lstm"
    config: ClassVar[dict[str, object]] = {**TINY, "item_bias": True}


LONGER = {"learning_rate": 0.01, "batch_events": 1024, "validation": None, "n_threads": 1}


def taught(kind, rows, *, n_epochs, **config):
    log = Interactions.from_journal(journal(rows))
    settings = {"embedding_dim": 32, "max_len": 12, "dropout": 0.0, "loss": {"kind": "softmax"}, **config}
    return make_model(kind, {**settings, "training": {**LONGER, "n_epochs": n_epochs}}).fit(log, rng=0), log


def hits(model, log, histories, answers):
    best = model.top_k(Histories.from_lists(histories), k=1, exclude_seen=False)
    return (best.item_idx[:, 0] == np.array(answers)).mean()


@pytest.mark.parametrize("kind", KINDS)
def test_a_cycle_is_learned_whole(kind):
    """Item i is always followed by i + 1: the next item depends on the newest event."""
    n = 15
    rows = [(u, (u + t) % n) for u in range(60) for t in range(10)]
    model, log = taught(kind, rows, n_epochs=150 if kind == "bert4rec" else 30)
    asked = [[(s + t) % n for t in range(5)] for s in range(n)]
    assert hits(model, log, asked, [(s + 5) % n for s in range(n)]) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_copying_the_newest_item_is_learned_whole(kind):
    """Each item comes twice, all else is chance: after the first of a pair only copying is right, for histories that
    training never showed, too."""

    def doubled(n_users, *, rng):
        gen = np.random.default_rng(rng)
        return [np.repeat(gen.integers(0, 8, 3), 2).tolist() for _ in range(n_users)]

    log = Interactions.from_journal(journal([(u, i) for u, h in enumerate(doubled(400, rng=5)) for i in h]))
    # guesses of hidden events tell most of what comes from both sides, so that copying is learned late
    training = {**LONGER, "schedule": "cosine", "n_epochs": 260 if kind == "bert4rec" else 50}
    config = {"embedding_dim": 32, "max_len": 12, "dropout": 0.0, "loss": {"kind": "softmax"}}
    model = make_model(kind, {**config, "training": training}).fit(log, rng=0)
    asked = [history[:n] for history in doubled(200, rng=2) for n in (1, 3, 5)]
    assert hits(model, log, asked, [history[-1] for history in asked]) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_copying_the_item_of_two_events_ago_is_learned_whole(kind):
    """Two items take turns: what comes next stands two places back, not at the newest place."""
    pairs = list(permutations(range(12), 2))
    rows = [(u, pair[t % 2]) for u, pair in enumerate(3 * pairs) for t in range(8)]
    model, log = taught(kind, rows, n_epochs=120 if kind == "bert4rec" else 60)
    assert hits(model, log, [[a, b, a, b, a] for a, b in pairs], [b for _, b in pairs]) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_items_of_the_other_colour_of_a_checkerboard_are_never_recommended(kind):
    gen = np.random.default_rng(1)
    rows = [(u, int(2 * i + u % 2)) for u in range(300) for i in gen.permutation(8)[:6]]
    model, log = taught(kind, rows, n_epochs=60 if kind == "bert4rec" else 15)
    best = model.top_k(log.histories, k=2).item_idx
    assert (best % 2 == np.arange(300)[:, None] % 2).all()


@pytest.mark.parametrize("kind", KINDS)
def test_events_before_the_newest_max_len_are_not_read(kind):
    model, _ = taught(kind, [(u, (u * 7 + t) % 9) for u in range(30) for t in range(20)], n_epochs=2)
    short = [3, 1, 4, 1, 5, 2, 6, 5, 3, 5, 8, 7]
    read = model.score(Histories.from_lists([short, [0, 2, *short]]))
    if kind == "bert4rec":  # one place is the mask's
        assert not np.allclose(read[0], model.score(Histories.from_lists([short[2:]]))[0])
    assert_allclose(read[0], read[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_items_inside_a_history_are_skipped(kind):
    log = Interactions.from_journal(journal([(u, (u + t) % 5) for u in range(20) for t in range(6)]))
    everything = Interactions.from_journal(
        journal([(u, (u + t) % 5) for u in range(20) for t in range(6)]),
        item_ids=type(log.item_ids)(np_series(range(7))),
    )
    model = make_model(kind, TINY).fit(everything, rng=0)
    assert_array_equal(
        model.score(Histories.from_lists([[0, 6, 1, 5, 2]])), model.score(Histories.from_lists([[0, 1, 2]]))
    )


@pytest.mark.parametrize("kind", KINDS)
def test_how_many_histories_are_encoded_at_once_changes_no_score(kind, monkeypatch):
    model, _ = taught(kind, [(u, (u * 7 + t) % 9) for u in range(30) for t in range(20)], n_epochs=1)
    gen = np.random.default_rng(0)
    histories = Histories.from_lists([gen.integers(0, 9, n).tolist() for n in gen.integers(1, 15, 40)])
    together = model.score(histories)
    monkeypatch.setattr(sequence_model, "_QUESTION_EVENTS", 20)
    assert_allclose(model.score(histories), together, rtol=1e-5, atol=1e-5)
    alone = np.concatenate([model.score(histories.take([b])) for b in range(len(histories))])
    assert_allclose(alone, together, rtol=1e-5, atol=1e-5)


def np_series(values):
    return pl.Series(list(values), dtype=pl.Int64)


@pytest.mark.parametrize("kind", KINDS)
def test_a_history_of_one_event_and_a_catalogue_of_one_item_are_answered(kind):
    one = make_model(kind, TINY).fit(Interactions.from_journal(journal([(u, 0) for u in (0, 1, 1)])), rng=0)
    assert np.isfinite(one.score(Histories.from_lists([[0]]))).all()


def test_a_long_history_shares_what_its_oldest_events_gave():
    rows = [(u, (u + t) % 9) for u in range(20) for t in range(30)]
    model, log = taught("gru4rec", rows, n_epochs=2)
    history = log.histories.take([3])
    items = np.arange(9)[None]
    parts = model.contributions(history, items)
    assert_allclose(parts.sum(axis=0), model.score(history)[0], rtol=1e-3, atol=1e-4)
    assert (parts[:11] == parts[0]).all()
    assert not (parts[11] == parts[12]).all()


def test_a_saved_model_holds_what_other_programs_read(tmp_path):
    from safetensors.numpy import load_file

    model, _ = taught("sasrec", [(u, (u + t) % 9) for u in range(20) for t in range(8)], n_epochs=2)
    model.save(tmp_path / "m")
    weights = load_file(tmp_path / "m" / "weights.safetensors")
    assert_array_equal(weights["table.own.weight"][:9], model.item_vectors_)
    assert (tmp_path / "m" / "encoder.onnx").stat().st_size > 1000
    (tmp_path / "m" / "encoder.onnx").unlink()
    with pytest.raises(ArtifactError, match=r"encoder.onnx"):
        load_model(tmp_path / "m")


# --- more ways to learn -------------------------------------------------------------------------
CYCLE = [(u, (u + t) % 9) for u in range(40) for t in range(3 + u % 12)]


def test_shards_on_disk_teach_what_the_log_in_memory_does(tmp_path):
    log = Interactions.from_journal(journal(CYCLE))
    write_shards([log.histories], tmp_path, n_items=log.n_items)
    settings = {**TINY, "dropout": 0.0, "training": {**LONGER, "n_epochs": 25}}
    model = make_model("gru4rec", settings)
    model.fit_shards(ParquetShards.open(tmp_path), item_ids=log.item_ids, rng=0)
    asked = [[(s + t) % 9 for t in range(4)] for s in range(9)]
    assert hits(model, log, asked, [(s + 4) % 9 for s in range(9)]) == 1
    assert model.known_items_.all()


def test_shards_of_another_catalogue_are_refused(tmp_path):
    log = Interactions.from_journal(journal(CYCLE))
    write_shards([log.histories], tmp_path, n_items=log.n_items)
    few = type(log.item_ids)(np_series(range(3)))
    model = make_model("gru4rec", TINY)
    with pytest.raises(InputError, match="must hold the 9 items"):
        model.fit_shards(ParquetShards.open(tmp_path), item_ids=few)


def test_questions_of_ones_own_decide_when_training_ends():
    log = Interactions.from_journal(journal(CYCLE))
    right = Questions(Histories.from_lists([[0, 1, 2, 3]] * 5), np.full(5, 4))
    model = make_model(
        "gru4rec", {**TINY, "training": {**LONGER, "validation": "last", "n_epochs": 60, "patience": 6}}
    )
    model.fit_shards(InMemory(log.histories, log.n_items), item_ids=log.item_ids, questions=right, rng=0)
    assert model.trained_["best_validation"] == 1
    assert model.trained_["stopped_why"] == "patience"
    assert sum(e["events"] for e in model.trained_["curve"][:1]) == log.histories.n_events - log.n_users


def test_an_interrupted_fit_goes_on_from_its_checkpoints(tmp_path, monkeypatch):
    log = Interactions.from_journal(journal(CYCLE))
    settings = {**TINY, "training": {**LONGER, "n_epochs": 6}}
    whole = make_model("sasrec", settings).fit(log, rng=0)

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    from nextbest.models.sequence import learning

    batches = learning._batches
    calls = []

    def interrupted(*args):
        calls.append(args)
        return stop() if len(calls) > 3 else batches(*args)

    monkeypatch.setattr(learning, "_batches", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_model("sasrec", settings).fit(log, rng=0, checkpoints=tmp_path)
    monkeypatch.setattr(learning, "_batches", batches)
    resumed = make_model("sasrec", settings).fit(log, rng=0, checkpoints=tmp_path)
    assert resumed.trained_["resumed_after"] == 3
    assert_array_equal(resumed.item_vectors_, whole.item_vectors_)


def test_a_new_item_with_features_gets_a_score(tmp_path):
    """Items of two kinds; who takes one kind goes on with it. An item without events is known by its kind."""
    gen = np.random.default_rng(0)
    rows = [(u, int(2 * i + u % 2)) for u in range(200) for i in gen.permutation(10)[:7]]
    known = journal(rows)
    ids = type(Interactions.from_journal(known).item_ids)(np_series(range(22)))  # 20 and 21 nobody took
    catalog = pl.DataFrame({"item_id": range(22), "kind": [f"k{i % 2}" for i in range(22)]})
    log = Interactions.from_journal(known, item_ids=ids)
    features = ItemFeatures.of(catalog, ["kind"], ids)
    config = {
        "embedding_dim": 16,
        "max_len": 10,
        "dropout": 0.0,
        "id_dropout": 0.3,
        "loss": {"kind": "softmax"},
    }
    model = make_model("lstm", {**config, "training": {**LONGER, "n_epochs": 30}})
    model.fit(replace(log, item_features=features), rng=0)
    scores = model.score(Histories.from_lists([[0, 2, 4, 6], [1, 3, 5, 7]]))
    assert np.isfinite(scores).all()
    assert scores[0, 20] > scores[0, 21]
    assert scores[1, 21] > scores[1, 20]
    model.save(tmp_path / "m")
    assert_array_equal(load_model(tmp_path / "m").score(log.histories), model.score(log.histories))
    without = make_model("lstm", {**config, "training": {**LONGER, "n_epochs": 1}}).fit(log, rng=0)
    assert np.isneginf(without.score(log.histories)[:, 20:]).all()


def with_kinds(kinds, **config):
    """A fitted model of items 0..19 (taken) and 20.. (not), with the kind of each as its only feature."""
    gen = np.random.default_rng(0)
    rows = [(u, int(2 * i + u % 2)) for u in range(100) for i in gen.permutation(10)[:7]]
    ids = type(Interactions.from_journal(journal(rows)).item_ids)(np_series(range(len(kinds))))
    catalog = pl.DataFrame({"item_id": range(len(kinds)), "kind": kinds})
    log = replace(
        Interactions.from_journal(journal(rows), item_ids=ids),
        item_features=ItemFeatures.of(catalog, ["kind"], ids),
    )
    settings = {"embedding_dim": 16, "max_len": 10, "dropout": 0.0, "id_dropout": 0.3, **config}
    return make_model("gru4rec", {**settings, "training": {**LONGER, "n_epochs": 8}}).fit(log, rng=0), log


@pytest.mark.parametrize("loss", ["softmax", "sampled_softmax"])
def test_items_without_events_are_what_their_features_say_and_nothing_drawn_by_chance(loss):
    kinds = [f"k{i % 2}" for i in range(20)] + ["k0", "k0", "k1"]
    model, log = with_kinds(kinds, loss={"kind": loss, "n_negatives": 8, "popularity_power": 0.0})
    scores = model.score(log.histories)
    assert_array_equal(scores[:, 20], scores[:, 21])
    assert not np.allclose(scores[:, 20], scores[:, 22])
    more = model.with_items([99], pl.DataFrame({"item_id": [99], "kind": ["k0"]}))
    assert_allclose(more.score(log.histories)[:, 23], scores[:, 20], rtol=1e-5, atol=1e-6)


def test_an_item_without_events_of_which_the_catalogue_says_nothing_has_no_score():
    model, log = with_kinds([f"k{i % 2}" for i in range(20)] + ["k0", None])
    scores = model.score(log.histories)
    assert np.isfinite(scores[:, :21]).all()
    assert np.isneginf(scores[:, 21]).all()

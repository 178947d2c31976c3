"""A blend takes up new days and new items, each member in its own way."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from nextbest.data.interactions import Histories, Interactions
from nextbest.data.item_features import ItemFeatures
from nextbest.errors import InputError, NotFittedError
from nextbest.models import load_model, make_model
from nextbest.tables import TIME_DTYPE

START = datetime(2026, 1, 1, tzinfo=UTC)
WEEK_2 = START + timedelta(days=7)
LEARNER = {
    "kind": "gru4rec",
    "weight": 2.0,
    "config": {
        "embedding_dim": 8,
        "max_len": 6,
        "dropout": 0.0,
        "loss": {"kind": "softmax"},
        "training": {"n_epochs": 3, "learning_rate": 0.01, "validation": "none", "n_threads": 1},
        "renewal": {"n_epochs": 2, "held_out": 0},
    },
}
COUNTING = {"kind": "transitions"}
CONFIG = {"members": [COUNTING, LEARNER]}
CATALOG = pl.DataFrame({"item_id": [*range(8), 20, 21], "price": [float(1 + i % 2) for i in range(10)]})


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def cycle(n, users, *, start=START, first=0):
    """Item i is followed by i + 1, modulo n."""
    return [(u, first + (u + t) % n, start + timedelta(minutes=t)) for u in users for t in range(6)]


def log_of(rows, *, featured=False):
    schema = {"user_id": pl.Int64, "item_id": pl.Int64, "time": TIME_DTYPE}
    log = Interactions.from_journal(pl.DataFrame(rows, schema=schema, orient="row"))
    if not featured:
        return log
    features = ItemFeatures.of(CATALOG, ["price"], log.item_ids)
    return Interactions(log.user_ids, log.item_ids, log.histories, item_features=features)


OLD_ROWS = cycle(8, range(30))
# an id below all old ones: row numbers of the log and of the model differ
NEW_ROWS = [(u, -5 if i == 8 else i, t) for u, i, t in cycle(4, range(30, 50), start=WEEK_2, first=8)]
OLD, BOTH = log_of(OLD_ROWS), log_of(OLD_ROWS + NEW_ROWS)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Folder of a fitted blend."""
    folder = tmp_path_factory.mktemp("blend") / "model"
    make_model("blend", CONFIG).fit(OLD, rng=0).save(folder)
    return folder


@pytest.fixture(scope="module")
def featured():
    """A blend whose learner read the catalogue; a third member has no rows for new items either."""
    config = {"members": [COUNTING, LEARNER, {"kind": "personal", "config": {"fill_popular": False}}]}
    return make_model("blend", config).fit(log_of(OLD_ROWS, featured=True), rng=0)


# --- new days -----------------------------------------------------------------------------------
def test_each_member_is_renewed_in_its_own_way(fitted):
    blend, alone = load_model(fitted), load_model(fitted).members_[1]
    assert blend.fit_more(BOTH, since=WEEK_2, rng=0) is blend
    assert blend.item_ids_.ids.to_list() == [*range(8), -5, 9, 10, 11]
    counting, learner = blend.members_
    alone.fit_more(BOTH, since=WEEK_2, rng=np.random.default_rng(0).spawn(2)[1])
    assert_array_equal(learner.item_vectors_, alone.item_vectors_)
    anew = make_model("transitions").fit(BOTH)
    histories = Histories.from_lists([[0, 1], [9, 10], [11, 8]])
    theirs = anew.score(anew.histories_for(BOTH))
    ours = counting.score(counting.histories_for(BOTH))
    order = anew.item_ids_.encode(counting.item_ids_.ids)
    assert_allclose(ours, theirs[:, order], rtol=1e-6)
    assert np.isfinite(blend.score(histories)).any(axis=1).all()


def test_a_renewed_blend_is_kept_and_answers_alike(fitted, tmp_path):
    blend = load_model(fitted).fit_more(BOTH, since=WEEK_2, rng=0)
    blend.save(tmp_path / "again")
    histories = blend.histories_for(BOTH)
    assert_array_equal(load_model(tmp_path / "again").score(histories), blend.score(histories))


def test_the_same_rng_gives_the_same_blend(fitted):
    scores = [
        load_model(fitted).fit_more(BOTH, since=WEEK_2, rng=rng).score(Histories.from_lists([[1, 9]]))
        for rng in (3, 3, 4)
    ]
    assert_array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def test_a_blend_that_was_refused_is_as_it_was(fitted, monkeypatch):
    blend = load_model(fitted)
    before = blend.score(OLD.histories)

    def refuses(*_, **__):
        raise InputError("interactions", "too many")

    monkeypatch.setattr(type(blend.members_[0]), "_fit", refuses)  # after the learner has gone on
    with pytest.raises(InputError, match="too many"):
        blend.fit_more(BOTH, since=WEEK_2)
    assert blend.n_items == 8
    assert_array_equal(blend.score(OLD.histories), before)


def test_what_can_not_be_renewed_is_told(fitted):
    counted = make_model("blend", {"members": [COUNTING, {"kind": "personal"}]}).fit(OLD)
    with pytest.raises(
        InputError, match=r"no member goes on learning, they are \['transitions', 'personal'\]"
    ):
        counted.fit_more(BOTH, since=WEEK_2)
    with pytest.raises(InputError, match="catalog: no member was fitted with item features; leave it out"):
        load_model(fitted).fit_more(BOTH, since=WEEK_2, catalog=CATALOG)
    with pytest.raises(InputError, match="since: the log holds no event at or after it"):
        load_model(fitted).fit_more(OLD, since=WEEK_2)
    with pytest.raises(InputError, match="since"):
        load_model(fitted).fit_more(BOTH, since=datetime(2026, 1, 8))  # noqa: DTZ001  (that is the mistake)
    for method in ("fit_more", "with_items"):
        arguments = {"since": WEEK_2} if method == "fit_more" else {"catalog": CATALOG}
        with pytest.raises(NotFittedError):
            getattr(make_model("blend", CONFIG), method)(BOTH, **arguments)


# --- new items ----------------------------------------------------------------------------------
def test_new_items_get_the_learners_score_and_old_ones_keep_theirs(featured):
    histories = Histories.from_lists([[0, 2, 4], [1]])
    more = featured.with_items([20, 21], CATALOG)
    assert featured.n_items == 8
    assert more.item_ids_.ids.to_list() == [*range(8), 20, 21]
    learner = more.members_[1].score(histories)
    scores = more.score(histories)
    assert_allclose(scores[:, 8:], 2 * learner[:, 8:] / np.abs(learner).max(axis=1)[:, None], rtol=1e-5)
    # the scale is the largest score of the row, which a new item may have
    wider = np.abs(learner).max(axis=1) > np.abs(learner[:, :8]).max(axis=1)
    assert_allclose(scores[~wider, :8], featured.score(histories)[~wider], rtol=1e-4, atol=1e-6)


def test_an_event_of_a_new_item_is_one_to_those_who_know_it_only(featured):
    more = featured.with_items([20, 21], CATALOG)
    scores = more.score(Histories.from_lists([[0, 8], [8]]))
    learner = more.members_[1].score(Histories.from_lists([[0, 8], [8]]))
    counting = featured.members_[0].score(Histories.from_lists([[0], []]))
    alone = 2 * learner / np.abs(learner).max(axis=1)[:, None]
    assert_allclose(scores[1], alone[1], rtol=1e-5)
    personal = featured.members_[2].score(Histories.from_lists([[0], []]))
    for part in (counting, personal):
        part[part == -np.inf] = 0
        alone[0, :8] += part[0] / np.abs(part[0]).max()
    assert_allclose(scores[0], alone[0], rtol=1e-5, atol=1e-6)


def test_contributions_add_up_to_scores_with_new_items(featured):
    more = featured.with_items([20, 21], CATALOG)
    histories = Histories.from_lists([[0, 8, 1], [9]])
    item_idx = np.array([[1, 2, 8], [9, 0, 3]])
    parts = more.contributions(histories, item_idx)
    scores = np.take_along_axis(more.score(histories), item_idx, axis=1)
    assert_allclose(np.add.reduceat(parts, [0, 3]), scores, rtol=1e-4, atol=1e-5)


def test_likeness_of_new_items_is_that_of_who_knows_them(featured):
    more = featured.with_items([20, 21], CATALOG)
    near = more.similar_items(np.array([0, 8]), k=3)
    assert (near.item_idx[0] < 8).all()
    assert near.item_idx.shape == (2, 3)


def test_a_blend_with_new_items_is_kept_and_answers_alike(featured, tmp_path):
    more = featured.with_items([20, 21], CATALOG)
    more.save(tmp_path / "more")
    loaded = load_model(tmp_path / "more")
    histories = Histories.from_lists([[0, 8, 1], [9], []])
    assert [m.n_items for m in loaded.members_] == [8, 10, 8]
    assert_array_equal(loaded.score(histories), more.score(histories))


def test_new_items_are_learned_from_their_events_later(featured):
    rows = [(u, i, WEEK_2 + timedelta(minutes=m)) for u in range(60, 70) for m, i in enumerate((20, 21, 20))]
    more = featured.with_items([20, 21], CATALOG)
    more.fit_more(log_of(OLD_ROWS + rows), since=WEEK_2, catalog=CATALOG)
    assert [m.n_items for m in more.members_] == [10, 10, 10]
    assert more.members_[0].score(Histories.from_lists([[8]]))[0].argmax() == 9  # 20 is followed by 21


def test_who_knows_no_features_takes_no_items(fitted, featured):
    with pytest.raises(InputError, match=r"no member was fitted with item features, they are \['transitions"):
        load_model(fitted).with_items([20], CATALOG)
    with pytest.raises(InputError, match="have a row already"):
        featured.with_items([3], CATALOG)
    short = featured.with_items([20], CATALOG)
    plain = make_model("blend", CONFIG).fit(OLD, rng=0)
    short.members_[0] = plain.members_[1]  # a learner that read no features
    with pytest.raises(InputError, match=r"member\(s\) \['gru4rec'\] without item features have no rows"):
        short.fit_more(BOTH, since=WEEK_2)

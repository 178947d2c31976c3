"""New items and new days: a fitted model takes them up and keeps what it knew."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nextbest.data.ids import IdIndex
from nextbest.data.interactions import Histories, Interactions
from nextbest.data.item_features import ItemFeatures
from nextbest.errors import ArtifactError, DataError, InputError, NotFittedError
from nextbest.models import load_model, make_model
from nextbest.models.sequence.config import RenewalConfig
from nextbest.models.sequence.renewal import appended, neighbours, new_days
from nextbest.tables import TIME_DTYPE

START = datetime(2026, 1, 1, tzinfo=UTC)
WEEK_2 = START + timedelta(days=7)
KINDS = ("gru4rec", "sasrec", "bert4rec", "lstm")
TRAINING = {"learning_rate": 0.01, "batch_events": 1024, "validation": None, "n_threads": 1, "n_epochs": 25}
CONFIG = {
    "embedding_dim": 16,
    "max_len": 8,
    "dropout": 0.0,
    "loss": {"kind": "softmax"},
    "training": TRAINING,
}


def log_of(rows, **ids):
    """Interactions of (user, item, moment)."""
    schema = {"user_id": pl.Int64, "item_id": pl.Int64, "time": TIME_DTYPE}
    return Interactions.from_journal(pl.DataFrame(rows, schema=schema, orient="row"), **ids)


def cycle(n, users, *, steps, start=START, first=0):
    """Item i is followed by i + 1, modulo n."""
    return [(u, first + (u + t) % n, start + timedelta(minutes=t)) for u in users for t in range(steps)]


WEEK_1_ROWS = cycle(8, range(60), steps=7)
WEEK_1 = log_of(WEEK_1_ROWS)
NEW_CYCLE = cycle(4, range(60, 100), steps=7, start=WEEK_2, first=8)  # items 8-11, never seen before
BOTH = log_of(WEEK_1_ROWS + NEW_CYCLE)


@pytest.fixture(scope="module")
def plain():
    return make_model("gru4rec", CONFIG).fit(WEEK_1, rng=0)


def copied(model, tmp_path):
    model.save(tmp_path / "copy")
    return load_model(tmp_path / "copy")


def with_renewal(model, **renewal):
    """Settings of renewal are read when it is asked for, so a fitted model may get other ones."""
    settings = {"rate": 1.0, "n_epochs": 40, "held_out": 0, "batch_events": 128, "min_users": 5, **renewal}
    model.config = model.config.model_copy(update={"renewal": RenewalConfig(**settings)})
    return model


def answers(model, histories):
    rows = [model.item_ids_.encode(pl.Series(h)).tolist() for h in histories]
    best = model.top_k(Histories.from_lists(rows), k=1, exclude_seen=False).item_idx[:, 0]
    return model.item_ids_.decode(best).to_list()


OLD = [[(s + t) % 8 for t in range(6)] for s in range(8)], [(s + 6) % 8 for s in range(8)]
NEW = [[8 + (s + t) % 4 for t in range(6)] for s in range(4)], [8 + (s + 6) % 4 for s in range(4)]


# --- new days -----------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_new_days_are_learned_and_old_ones_are_not_forgotten(kind, tmp_path):
    n_epochs = 150 if kind == "bert4rec" else 25
    config = {**CONFIG, "training": {**TRAINING, "n_epochs": n_epochs}}
    model = make_model(kind, config).fit(WEEK_1, rng=0)
    assert answers(model, OLD[0]) == OLD[1]
    loaded = with_renewal(copied(model, tmp_path), n_epochs=80 if kind == "bert4rec" else 40)
    assert loaded.fit_more(BOTH, since=WEEK_2, rng=1) is loaded
    assert answers(loaded, NEW[0]) == NEW[1]
    assert answers(loaded, OLD[0]) == OLD[1]


def test_old_row_numbers_stay_and_new_items_stand_after_them(plain, tmp_path):
    first = [(200, -5, WEEK_2), (200, 3, WEEK_2 + timedelta(minutes=1))]  # the id sorts before all old ones
    model = with_renewal(copied(plain, tmp_path), n_epochs=1)
    model.fit_more(log_of(WEEK_1_ROWS + first), since=WEEK_2)
    assert model.item_ids_.ids.to_list() == [*range(8), -5]
    assert model.item_vectors_.shape == (9, 16)
    assert model.input_vectors_.shape == (11, 16)
    assert model.known_items_.all()
    again = copied(model, tmp_path / "again")
    assert_array_equal(again.score(WEEK_1.histories), model.score(WEEK_1.histories))


def test_the_same_rng_gives_the_same_renewed_model(plain, tmp_path):
    def renewed(rng):
        model = with_renewal(copied(plain, tmp_path / str(rng)), n_epochs=2)
        return model.fit_more(BOTH, since=WEEK_2, rng=rng).item_vectors_

    (tmp_path / "3").mkdir()
    (tmp_path / "4").mkdir()
    assert_array_equal(renewed(3), renewed(3))
    assert not np.array_equal(renewed(3), renewed(4))


def test_only_events_since_the_moment_are_learned_without_replay(plain, tmp_path):
    """Week 1 repeated backwards as old events: with no replay nothing of it may be learned."""
    backwards = [(u, (u - t) % 8, START + timedelta(minutes=t)) for u in range(200, 260) for t in range(7)]
    model = with_renewal(copied(plain, tmp_path), replay=0.0, n_epochs=5)
    model.fit_more(log_of(backwards + NEW_CYCLE), since=WEEK_2, rng=0)
    assert sum(line["events"] for line in model.trained_["curve"]) == 5 * 40 * 6
    repeated = with_renewal(copied(plain, tmp_path), replay=0.5, n_epochs=1)
    repeated.fit_more(log_of(backwards + NEW_CYCLE), since=WEEK_2, rng=0)
    assert repeated.trained_["curve"][0]["events"] == pytest.approx(2 * 40 * 6, abs=6)


def test_weights_stay_where_no_epoch_helps_held_out_users(plain, tmp_path):
    """The new days go on with the known cycle: a wild learning rate can only spoil it."""
    same = cycle(8, range(100, 160), steps=7, start=WEEK_2)
    model = with_renewal(copied(plain, tmp_path), held_out=0.5, n_epochs=2, batch_events=64)
    model.config = model.config.model_copy(
        update={"training": model.config.training.model_copy(update={"learning_rate": 3.0})}
    )
    model.fit_more(log_of(WEEK_1_ROWS + same), since=WEEK_2, rng=0)
    assert model.trained_["validation_before"] > 0.99
    assert model.trained_["best_epoch"] == 0
    assert_array_equal(model.item_vectors_, plain.item_vectors_)


def test_held_out_new_events_stop_a_renewal(plain, tmp_path):
    model = with_renewal(copied(plain, tmp_path), held_out=0.3, patience=2)
    model.fit_more(BOTH, since=WEEK_2, rng=0)
    assert model.trained_["stopped_why"] == "patience"
    assert model.trained_["best_validation"] > model.trained_["validation_before"]


def test_a_new_item_starts_between_its_neighbours(plain, tmp_path):
    rows = [(300, 2, WEEK_2), (300, 50, WEEK_2 + timedelta(1)), (300, 3, WEEK_2 + timedelta(2))]
    model = with_renewal(copied(plain, tmp_path), rate=1e-6, n_epochs=1, replay=0.0)
    model.fit_more(log_of(rows), since=WEEK_2)
    assert_allclose(model.item_vectors_[8], plain.item_vectors_[[2, 3]].mean(axis=0), atol=1e-4)
    alone = with_renewal(copied(plain, tmp_path), rate=1e-6, n_epochs=1, replay=0.0)
    alone.fit_more(log_of([(300, 50, WEEK_2), (300, 51, WEEK_2 + timedelta(1))]), since=WEEK_2)
    assert_allclose(alone.item_vectors_[8], plain.item_vectors_.mean(axis=0), atol=1e-4)


def test_a_moment_after_all_events_or_without_zone_is_refused(plain):
    with pytest.raises(InputError, match="since: the log holds no event at or after it"):
        plain.fit_more(WEEK_1, since=WEEK_2)
    with pytest.raises(InputError, match="since: must carry a time zone"):
        plain.fit_more(WEEK_1, since=datetime(2026, 1, 8))  # noqa: DTZ001  (the mistake under test)
    with pytest.raises(InputError, match="catalog: this model was fitted without item features"):
        plain.fit_more(BOTH, since=WEEK_2, catalog=pl.DataFrame({"item_id": [8]}))
    with pytest.raises(NotFittedError):
        make_model("gru4rec", CONFIG).fit_more(BOTH, since=WEEK_2)


def test_a_renewal_that_fails_leaves_the_model_as_it_was(plain, tmp_path):
    model = with_renewal(copied(plain, tmp_path), n_epochs=3)
    model.config = model.config.model_copy(
        update={"training": model.config.training.model_copy(update={"learning_rate": 1e37})}
    )
    with pytest.raises(InputError, match=r"(loss|gradient) must be finite.*epoch \d, batch"):
        model.fit_more(BOTH, since=WEEK_2)
    assert model.n_items == 8
    assert_array_equal(model.score(WEEK_1.histories), plain.score(WEEK_1.histories))


def test_damaged_weights_are_told(plain, tmp_path):
    model = copied(plain, tmp_path)
    model.weights_ = model.weights_[:-10]
    with pytest.raises(ArtifactError, match="weights: are not those of this model"):
        model.fit_more(BOTH, since=WEEK_2)


# --- the parts ----------------------------------------------------------------------------------
def test_neighbours_stand_at_most_five_events_away_in_the_same_history():
    log = Histories.from_lists([[0, 1, 9, 2], [3, 9, 4, 4, 4, 4, 5, 6], [7, 8]])
    is_new = np.arange(10) == 9
    new, known = neighbours(log, is_new_I=is_new, is_known_I=~is_new & (np.arange(10) != 0))
    assert (new == 9).all()
    assert sorted(known.tolist()) == [1, 2, 3, 4, 4, 4, 4, 5]


def days_of(rows, **settings):
    log = Histories.from_lists([r for r, _ in rows], time_us=[t for _, t in rows])
    config = RenewalConfig(**{"held_out": 0, "min_users": 1, **settings})
    return new_days(
        log,
        since_us=100,
        is_cloze=False,
        max_len=3,
        max_questions=99,
        config=config,
        rng=np.random.default_rng(0),
    )


def test_users_with_new_events_are_learned_and_all_older_events_may_be_repeated():
    days = days_of([([0, 1, 2], [1, 2, 100]), ([3, 4, 5, 6, 7], [1, 2, 3, 4, 5]), ([8], [200])])
    assert days.learned.item_idx.tolist() == [0, 1, 2, 8]
    assert days.is_target_N.tolist() == [False, False, True, False]  # nothing tells a first event
    older = [days.older.item_idx[days.older.row(b)].tolist() for b in range(len(days.older))]
    assert sorted(older) == [[0, 1], [3, 4], [4, 5, 6, 7]]


def test_older_windows_are_drawn_to_their_share():
    days = days_of([(list(range(9)), list(range(9)))] * 50 + [([1, 2, 3, 4], [1, 100, 100, 100])] * 10)
    for replay, low, high in ((0.0, 0, 0), (0.5, 30, 33), (0.75, 90, 93)):
        log, is_target = days.epoch(replay=replay, rng=np.random.default_rng(1))
        n_older = sum(log.lengths[10:] - 1)
        assert low <= n_older <= high
        assert len(is_target) == log.n_events
    first, second = (days.epoch(replay=0.5, rng=np.random.default_rng(seed))[0] for seed in (1, 2))
    assert first.item_idx.tolist() != second.item_idx.tolist()


def test_new_events_of_asked_users_are_questions_and_not_learned():
    days = days_of([([1, 2, 3], [1, 100, 101])] * 4 + [([7, 5, 6], [99, 100, 101])] * 4, held_out=0.5)
    assert len(days.learned) == 4
    assert len(days.questions) == 8
    asked = {
        (*days.questions.histories.item_idx[days.questions.histories.row(q)].tolist(), int(target))
        for q, target in enumerate(days.questions.target_idx)
    }
    assert asked <= {(1, 2), (1, 2, 3), (7, 5), (7, 5, 6)}
    few = days_of([([1, 2, 3], [1, 100, 101])] * 4, held_out=0.5, min_users=5)
    assert (len(few.learned), len(few.questions)) == (4, 0)


# --- new items ----------------------------------------------------------------------------------
CATALOG = pl.DataFrame(
    {"item_id": range(24), "kind": [f"k{i % 2}" for i in range(24)], "price": [1.0 + i for i in range(24)]}
)


@pytest.fixture(scope="module")
def featured():
    """Who takes one of two kinds goes on with it. Items 20-23 aren't there yet."""
    gen = np.random.default_rng(0)
    rows = [
        (u, int(2 * i + u % 2), START + timedelta(minutes=t))
        for u in range(200)
        for t, i in enumerate(gen.permutation(10)[:7])
    ]
    log = log_of(rows)
    log = Interactions(
        log.user_ids,
        log.item_ids,
        log.histories,
        item_features=ItemFeatures.of(CATALOG, ["kind"], log.item_ids),
    )
    return make_model("gru4rec", {**CONFIG, "id_dropout": 0.3, "item_bias": True}).fit(log, rng=0), rows


def test_new_items_are_known_by_their_features_at_once(featured, tmp_path):
    model, _ = featured
    more = copied(model, tmp_path).with_items([23, 20], CATALOG)
    assert more.kind == model.kind
    assert more.item_ids_.ids.to_list() == [*range(20), 23, 20]
    scores = more.score(Histories.from_lists([[0, 2, 4, 6], [1, 3, 5, 7], [20]]))
    assert np.isfinite(scores).all()
    assert scores[0, 21] > scores[0, 20]
    assert scores[1, 20] > scores[1, 21]
    again = copied(more, tmp_path / "again").with_items([21], CATALOG)
    assert again.n_items == 23
    assert_array_equal(again.item_vectors_[:22], more.item_vectors_)


def test_old_items_keep_vectors_and_scores_to_the_bit(featured):
    model, _ = featured
    more = model.with_items(pl.Series([20, 21]), CATALOG)
    asked = Histories.from_lists([[0, 2, 4, 6], [1, 3, 5, 7], [3], []])
    assert_array_equal(more.score(asked)[:, :20], model.score(asked))
    assert_array_equal(more.item_vectors_[:20], model.item_vectors_)
    assert model.n_items == 20


def test_a_model_with_more_items_can_learn_their_events(featured, tmp_path):
    model, rows = featured
    more = with_renewal(model.with_items([20, 21], CATALOG), n_epochs=2)
    new = [(u, 20 + u % 3, WEEK_2 + timedelta(minutes=u)) for u in range(200)]  # 22 is new to it
    more.fit_more(log_of(rows + new), since=WEEK_2, catalog=CATALOG)
    assert more.n_items == 23
    kept = copied(more, tmp_path)
    assert_array_equal(
        kept.score(Histories.from_lists([[22, 0]])), more.score(Histories.from_lists([[22, 0]]))
    )
    silent = with_renewal(model.with_items([20, 21], CATALOG), n_epochs=1)
    silent.fit_more(log_of(rows + new), since=WEEK_2)  # no catalogue: 22 is known by its neighbours
    assert np.isfinite(silent.item_vectors_).all()


def test_an_item_of_which_the_catalogue_says_nothing_gets_no_score(featured):
    model, _ = featured
    empty = pl.DataFrame({"item_id": [30], "kind": [None]}, schema={"item_id": pl.Int64, "kind": pl.String})
    scores = model.with_items([30], empty).score(Histories.from_lists([[0, 2]]))
    assert np.isneginf(scores[0, 20])


@pytest.mark.parametrize(
    ("ids", "catalog", "error", "words"),
    [
        ([20, 3, 4], CATALOG, InputError, r"2 of them have a row already; got \[3, 4\]"),
        ([20, 20], CATALOG, InputError, r"1 come twice; got \[20\]"),
        (["a"], CATALOG, InputError, "must all be whole numbers"),
        ([20], CATALOG.drop("kind"), DataError, r"column\(s\) \['kind'\] missing"),
        ([20], CATALOG.drop("item_id"), DataError, "column item_id missing"),
        ([20, 99], CATALOG, DataError, r"must hold the new items; 1 missing; found: \[99\]"),
        ([20], pl.concat([CATALOG, CATALOG]), DataError, "must hold each item once"),
    ],
)
def test_wrong_new_items_are_told(featured, ids, catalog, error, words):
    with pytest.raises(error, match=words):
        featured[0].with_items(ids, catalog)


def test_a_model_without_features_takes_no_items_by_them(plain):
    with pytest.raises(InputError, match=r"fitted without item features.*fit_more"):
        plain.with_items([20], CATALOG)


def test_ids_of_text_are_appended_in_their_order():
    index = IdIndex(pl.Series(["b", "a"]))
    assert appended(index, ["d", "c"]).ids.to_list() == ["b", "a", "d", "c"]
    with pytest.raises(InputError, match="must all be text"):
        appended(index, pl.Series([1]))


def test_a_damaged_coder_is_an_artifact_error(featured, tmp_path):
    model, _ = featured
    files = model._files()
    files["item_features.json"] = b'[{"name": "kind", "words": [], "mean": [], "scale": [], "wrong": 1}]'
    with pytest.raises(ValueError, match=r"item_features\.json"):
        model._restore_files(files)

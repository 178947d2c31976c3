"""What every recommender promises, as tests: a model's own test class inherits `RecommenderContract`."""

import json
from itertools import product
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nextbest.data.interactions import Histories, Interactions
from nextbest.errors import ArtifactError, InputError, NotFittedError
from nextbest.models import MODEL_KINDS, load_model, make_model
from nextbest.models.base import Recommender
from nextbest.tables import RECOMMENDATIONS, TIME_DTYPE


def journal(rows: list[tuple[object, object]], *, minutes: int = 1) -> pl.DataFrame:
    """A journal from (user, item) pairs, one event every `minutes`."""
    return pl.DataFrame(
        {
            "user_id": [u for u, _ in rows],
            "item_id": [i for _, i in rows],
            "time": pl.Series([60_000_000 * minutes * t for t in range(len(rows))]).cast(TIME_DTYPE),
        }
    )


def checkerboard(n: int = 12) -> Interactions:
    """n users x n items; user u took every item of its own parity but one, in order.

    Left out is item (u + 2) % n, so the one right answer for user u is that item.
    """
    rows = [(u, i) for u, i in product(range(n), range(n)) if u % 2 == i % 2 and i != (u + 2) % n]
    return Interactions.from_journal(journal(rows))


def random_log(seed: int = 0, *, n_users: int = 40, n_items: int = 25) -> Interactions:
    """A log with repeats, users of very different activity and items that nobody took."""
    rng = np.random.default_rng(seed)
    rows = [(f"u{u:02}", f"i{i:02}") for u in range(n_users) for i in rng.integers(0, n_items - 3, 1 + u % 9)]
    interactions = Interactions.from_journal(journal(rows))
    everything = pl.Series([f"i{i:02}" for i in range(n_items)])
    return Interactions.from_journal(
        journal(rows), item_ids=type(interactions.item_ids).from_values(everything)
    )


class RecommenderContract:
    """Inherit, set `kind` and `config`; say so where a model has no likeness of items or no personal taste."""

    kind: str
    config: ClassVar[dict[str, object]] = {}
    knows_likeness = True
    is_personal = True

    def model(self) -> Recommender:
        return make_model(self.kind, self.config)

    @pytest.fixture
    def log(self) -> Interactions:
        return random_log()

    @pytest.fixture
    def fitted(self, log: Interactions) -> Recommender:
        return self.model().fit(log)

    # --- scores -----------------------------------------------------------------------------
    def test_scores_have_a_row_a_history_and_a_column_an_item(self, fitted, log):
        scores = fitted.score(log.histories)
        assert scores.shape == (log.n_users, log.n_items)
        assert scores.dtype == np.float32

    def test_scores_are_never_nan_and_never_plus_infinity(self, fitted, log):
        scores = fitted.score(log.histories)
        assert not np.isnan(scores).any()
        assert scores.max() < np.inf
        assert np.isfinite(scores).any()

    def test_an_item_that_nobody_took_has_no_evidence(self, fitted, log):
        nobody = log.item_counts == 0
        assert nobody.any()
        assert (fitted.score(log.histories)[:, nobody] == -np.inf).all()

    def test_scores_of_a_batch_are_the_scores_one_by_one(self, fitted, log):
        batch = fitted.score(log.histories)
        alone = np.vstack([fitted.score(log.histories.take([b])) for b in range(log.n_users)])
        assert_array_equal(np.isfinite(batch), np.isfinite(alone))
        assert_allclose(batch, alone, rtol=1e-4, atol=1e-5)

    def test_scores_in_small_blocks_are_the_scores_in_one(self, fitted, log, monkeypatch):
        whole, best = fitted.score(log.histories), fitted.top_k(log.histories, k=4)
        monkeypatch.setattr("nextbest.models.topk.BLOCK_CELLS", 3 * log.n_items)
        assert_allclose(fitted.score(log.histories), whole, rtol=1e-4, atol=1e-5)
        again = fitted.top_k(log.histories, k=4)
        assert_allclose(again.score, best.score, rtol=1e-4, atol=1e-5)

    def test_an_unseen_user_with_a_known_history_scores_as_its_owner(self, fitted, log):
        seen = log.histories.take([7])
        copy = Histories.from_lists([seen.item_idx.tolist()], time_us=[seen.time_us.tolist()])
        assert_allclose(fitted.score(copy), fitted.score(seen), rtol=1e-4, atol=1e-5)

    def test_an_unseen_history_is_folded_in(self, fitted):
        scores = fitted.score(Histories.from_lists([[3, 1, 4, 1, 5]]))
        assert np.isfinite(scores).any()

    def test_an_empty_history_gets_an_answer_without_error(self, fitted):
        scores = fitted.score(Histories.from_lists([[], [2]]))
        assert (scores[0] == -np.inf).all() == self.is_personal

    def test_no_histories_give_no_rows(self, fitted, log):
        nobody = Histories.from_lists([])
        assert fitted.score(nobody).shape == (0, log.n_items)
        assert fitted.top_k(nobody, k=3).item_idx.shape == (0, 3)

    # --- top k ------------------------------------------------------------------------------
    @pytest.mark.parametrize("exclude_seen", [True, False])
    def test_top_k_is_the_sorted_scores(self, fitted, log, exclude_seen):
        best = fitted.top_k(log.histories, k=6, exclude_seen=exclude_seen)
        scores = fitted.score(log.histories)
        for b in range(log.n_users):
            seen = set(log.histories.item_idx[log.histories.row(b)].tolist()) if exclude_seen else set()
            choices = [i for i in range(log.n_items) if scores[b, i] > -np.inf and i not in seen]
            expected = sorted((scores[b, i] for i in choices), reverse=True)[:6]
            row = best.item_idx[b]
            assert set(row[row >= 0].tolist()) <= set(choices)
            assert_allclose(best.score[b][row >= 0], expected, rtol=1e-4, atol=1e-5)
            assert (best.score[b][row < 0] == -np.inf).all()

    def test_rows_are_sorted_with_ties_by_lower_row_number(self, fitted, log):
        best = fitted.top_k(log.histories, k=log.n_items)
        for items, scores in zip(best.item_idx, best.score, strict=True):
            pairs = [(-s, i) for s, i in zip(scores, items, strict=True) if i >= 0]
            assert pairs == sorted(pairs)

    def test_more_places_than_items_end_in_minus_one(self, fitted, log):
        best = fitted.top_k(log.histories, k=log.n_items + 5)
        assert (best.item_idx[:, -5:] == -1).all()

    def test_only_allowed_items_come_back(self, fitted, log):
        allowed = np.zeros(log.n_items, bool)
        allowed[[1, 2, 3]] = True
        best = fitted.top_k(log.histories, k=5, allowed=allowed)
        assert set(best.item_idx.ravel().tolist()) <= {-1, 1, 2, 3}

    def test_each_user_may_have_an_own_mask_and_an_own_choice_about_seen_items(self, fitted, log):
        two = log.histories.take([8, 8])
        allowed = np.ones((2, log.n_items), bool)
        allowed[0, :] = False
        best = fitted.top_k(two, k=4, allowed=allowed, exclude_seen=np.array([True, False]))
        assert (best.item_idx[0] == -1).all()
        assert_array_equal(best.item_idx[1], fitted.top_k(two, k=4, exclude_seen=False).item_idx[1])

    def test_threads_do_not_change_the_answer(self, fitted, log, monkeypatch):
        monkeypatch.setattr("nextbest.models.topk.BLOCK_CELLS", 3 * log.n_items)
        one = fitted.top_k(log.histories, k=5, n_threads=1)
        three = fitted.top_k(log.histories, k=5, n_threads=3)
        assert_allclose(one.score, three.score, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("k", [0, -1])
    def test_k_below_one_is_an_input_error(self, fitted, log, k):
        with pytest.raises(InputError, match="k: must be 1 or more"):
            fitted.top_k(log.histories, k=k)
        with pytest.raises(InputError, match="k: must be 1 or more"):
            fitted.similar_items(np.array([0]), k=k)

    def test_masks_of_another_shape_or_type_are_input_errors(self, fitted, log):
        with pytest.raises(InputError, match="allowed: must be bool of shape"):
            fitted.top_k(log.histories, k=1, allowed=np.ones(3, bool))
        with pytest.raises(InputError, match="allowed: must be bool"):
            fitted.top_k(log.histories, k=1, allowed=np.ones(log.n_items))
        with pytest.raises(InputError, match="exclude_seen: must be bool"):
            fitted.top_k(log.histories, k=1, exclude_seen=np.ones(2, bool))

    @pytest.mark.parametrize("bad", [-2, 25])
    def test_a_row_number_of_another_model_is_an_input_error(self, fitted, bad):
        with pytest.raises(InputError, match=r"histories: item row numbers must lie in 0\.\.24"):
            fitted.score(Histories.from_lists([[0, bad]]))
        with pytest.raises(InputError, match="item_idx"):
            fitted.similar_items(np.array([bad]), k=1)

    # --- tables with outside ids ------------------------------------------------------------
    def test_recommend_gives_the_recommendations_table(self, fitted, log):
        table = fitted.recommend(log, k=3)
        RECOMMENDATIONS.check(table)
        assert table["source"].unique().to_list() == [self.kind]
        ranks = table.group_by("user_id", maintain_order=True).agg("rank")["rank"].to_list()
        assert all(r == list(range(1, len(r) + 1)) for r in ranks)
        assert table["score"].is_finite().all()

    def test_recommend_never_names_an_item_of_the_history(self, fitted, log):
        table = fitted.recommend(log, k=25)
        for user, item in table.select("user_id", "item_id").rows():
            assert log.item_ids.find(item) not in log.histories_of([user]).item_idx

    def test_recommend_answers_the_asked_users_in_their_order(self, fitted, log):
        asked = pl.Series(["u08", "u03", "u08", "stranger"])
        users = fitted.recommend(log, user_ids=asked, k=2)["user_id"].unique(maintain_order=True).to_list()
        assert users == (["u08", "u03"] if self.is_personal else ["u08", "u03", "stranger"])

    def test_allow_and_deny_lists_hold_and_unknown_ids_in_them_are_ignored(self, fitted, log):
        allowed, denied = pl.Series(["i01", "i02", "i03", "nothing"]), pl.Series(["i02", "no"])
        table = fitted.recommend(log, k=5, item_ids_allowed=allowed, item_ids_denied=denied)
        assert set(table["item_id"]) == {"i01", "i03"}
        only_denied = fitted.recommend(log, k=25, item_ids_denied=pl.Series(["i02"]), exclude_seen=False)
        assert "i02" not in only_denied["item_id"]
        assert "i03" in only_denied["item_id"]

    def test_a_log_with_other_row_numbers_is_matched_by_id(self, fitted, log):
        rows = [("u08", "i99"), *(("u08", i) for i in log.item_ids.decode(log.histories.take([8]).item_idx))]
        other = Interactions.from_journal(journal(rows[::-1])[::-1])
        ours = fitted.recommend(log, user_ids=pl.Series(["u08"]), k=5)
        theirs = fitted.recommend(Interactions.from_journal(journal(rows)), k=5)
        assert other.n_items != log.n_items
        assert theirs["item_id"].to_list() == ours["item_id"].to_list()
        assert_allclose(theirs["score"], ours["score"], rtol=1e-4, atol=1e-5)

    def test_a_history_of_unknown_items_counts_as_empty(self, fitted):
        strange = Interactions.from_journal(journal([("new", "x"), ("new", "y")]))
        assert fitted.recommend(strange, k=3).is_empty() == self.is_personal

    # --- similar items and reasons ----------------------------------------------------------
    def test_similar_items_leave_out_the_item_itself(self, fitted, log):
        items = np.arange(log.n_items)
        similar = fitted.similar_items(items, k=5)
        assert similar.item_idx.shape == (log.n_items, 5)
        assert not (similar.item_idx == items[:, None]).any()
        assert (similar.item_idx >= 0).any() == self.knows_likeness
        assert not np.isnan(similar.score).any()

    def test_contributions_add_up_to_the_score(self, fitted, log):
        history = log.histories.take([8])
        scores = fitted.score(history)[0]
        items = np.flatnonzero(np.isfinite(scores))
        parts = fitted.contributions(history, items[None]).T
        assert parts.shape == (len(items), history.n_events)
        without = np.isnan(parts).all(axis=1)
        assert without.all() if not self.is_personal else not without.any()
        assert_allclose(parts[~without].sum(axis=1), scores[items[~without]], rtol=1e-3, atol=1e-5)

    def test_contributions_of_an_item_are_the_same_alone_and_among_others(self, fitted, log):
        history, items = log.histories.take([8]), np.array([3, 0, 3])
        together = fitted.contributions(history, items[None])
        alone = [fitted.contributions(history, items[None, n : n + 1]) for n in range(3)]
        assert_allclose(together, np.hstack(alone), rtol=1e-4, atol=1e-6)

    def test_contributions_of_a_batch_are_those_of_its_users_one_by_one(self, fitted, log):
        item_idx = np.random.default_rng(0).integers(-1, log.n_items, (len(log.histories), 4))
        item_idx[5] = -1
        together = fitted.contributions(log.histories, item_idx)
        assert together.shape == (log.histories.n_events, 4)
        for b in range(len(log.histories)):
            alone = fitted.contributions(log.histories.take([b]), item_idx[b : b + 1])
            assert_allclose(together[log.histories.row(b)], alone, rtol=1e-4, atol=1e-6)
            assert np.isnan(alone[:, item_idx[b] == -1]).all()

    def test_contributions_take_a_row_of_items_for_each_history(self, fitted, log):
        for item_idx in (np.array([0]), np.array([[0]])):
            with pytest.raises(InputError, match="a row of items for each"):
                fitted.contributions(log.histories, item_idx)
        with pytest.raises(InputError, match="item_idx"):
            fitted.contributions(log.histories.take([0]), np.array([[log.n_items]]))

    def test_contributions_without_events_or_items_are_empty(self, fitted, log):
        assert fitted.contributions(log.histories.take([-1]), np.array([[0, 1]])).shape == (0, 2)
        assert fitted.contributions(log.histories.take([8]), np.empty((1, 0), int)).shape[1] == 0

    # --- fit --------------------------------------------------------------------------------
    def test_the_same_log_and_rng_give_the_same_model(self, log):
        first, second = self.model().fit(log, rng=3), self.model().fit(log, rng=np.random.default_rng(3))
        assert_array_equal(first.score(log.histories), second.score(log.histories))

    def test_a_second_fit_forgets_the_first(self, fitted, log):
        other = checkerboard()
        again = fitted.fit(other)
        assert again is fitted
        assert_array_equal(again.score(other.histories), self.model().fit(other).score(other.histories))

    def test_the_input_is_never_changed(self, log):
        h = log.histories
        before = [a.copy() for a in (h.indptr, h.item_idx, h.weight, h.time_us)]
        for a in (h.indptr, h.item_idx, h.weight, h.time_us):
            a.flags.writeable = False
        model = self.model().fit(log)
        model.score(h)
        model.recommend(log, k=3)
        model.contributions(h.take([4]), np.array([[1]]))
        for a, b in zip((h.indptr, h.item_idx, h.weight, h.time_us), before, strict=True):
            assert_array_equal(a, b)

    def test_the_returned_scores_are_the_callers_own(self, fitted, log):
        kept = fitted.score(log.histories).copy()
        fitted.score(log.histories)[:] = 7
        assert_array_equal(fitted.score(log.histories), kept)

    def test_before_fit_every_question_is_a_not_fitted_error(self, log, tmp_path):
        model = self.model()
        for ask in (
            lambda: model.score(log.histories),
            lambda: model.top_k(log.histories, k=1),
            lambda: model.recommend(log),
            lambda: model.similar_items(np.array([0]), k=1),
            lambda: model.contributions(log.histories.take([0]), np.array([[0]])),
            lambda: model.save(tmp_path / "m"),
        ):
            with pytest.raises(NotFittedError, match=self.kind):
                ask()

    def test_the_config_of_another_model_is_an_input_error(self):
        other = next(k for k in MODEL_KINDS if k != self.kind)
        with pytest.raises(InputError, match="config: must be a"):
            type(self.model())(make_model(other).config)

    # --- tiny worlds ------------------------------------------------------------------------
    def test_one_user_with_one_item_works(self):
        log = Interactions.from_journal(journal([("only", "thing")]))
        model = self.model().fit(log)
        assert model.score(log.histories).shape == (1, 1)
        assert model.recommend(log, k=3).is_empty()
        assert model.similar_items(np.array([0]), k=2).item_idx.tolist() == [[-1, -1]]

    def test_one_item_taken_by_many_users_works(self):
        log = Interactions.from_journal(journal([(u, 0) for u in range(5)]))
        assert self.model().fit(log).recommend(log, k=1).is_empty()

    def test_a_log_without_events_works_and_recommends_nothing(self, tmp_path):
        full = random_log()
        log = Interactions(full.user_ids, full.item_ids, Histories.from_lists([[]] * full.n_users))
        model = self.model().fit(log)
        assert (model.score(full.histories) == -np.inf).all()
        assert model.recommend(full, k=2).is_empty()
        model.save(tmp_path / "m")
        assert load_model(tmp_path / "m").recommend(full, k=2).is_empty()

    def test_a_log_without_users_and_items_works(self):
        log = Interactions.from_journal(journal([("u", "i")])[:0])
        model = self.model().fit(log)
        assert model.score(Histories.from_lists([[], []])).shape == (2, 0)
        assert model.top_k(Histories.from_lists([[]]), k=2).item_idx.tolist() == [[-1, -1]]

    # --- save and load ----------------------------------------------------------------------
    def test_a_loaded_model_gives_equal_scores(self, fitted, log, tmp_path):
        fitted.save(tmp_path / "deep" / "m")
        loaded = load_model(tmp_path / "deep" / "m")
        assert type(loaded) is type(fitted)
        assert loaded.config == fitted.config
        assert loaded.item_ids_ == fitted.item_ids_
        assert_array_equal(loaded.score(log.histories), fitted.score(log.histories))
        assert_array_equal(
            loaded.similar_items(np.arange(5), k=3).score, fitted.similar_items(np.arange(5), k=3).score
        )

    def test_saving_again_replaces_the_model_and_leaves_nothing_beside_it(self, fitted, tmp_path):
        fitted.save(tmp_path / "m")
        other = self.model().fit(checkerboard())
        other.save(tmp_path / "m")
        assert load_model(tmp_path / "m").item_ids_ == other.item_ids_
        assert [p.name for p in tmp_path.iterdir()] == ["m"]

    def test_loading_shares_the_ids_that_the_caller_holds(self, fitted, log, tmp_path):
        fitted.save(tmp_path / "m")
        assert load_model(tmp_path / "m", item_ids=log.item_ids).item_ids_ is log.item_ids

    def test_a_folder_with_an_array_missing_or_of_a_wrong_shape_is_an_artifact_error(
        self, fitted, tmp_path, monkeypatch
    ):
        whole = fitted._arrays()
        for name in whole:
            missing = {n: a for n, a in whole.items() if n != name}
            for broken in (missing, {**missing, name: np.zeros((1, 1, 1), whole[name].dtype)}):
                monkeypatch.setattr(fitted, "_arrays", lambda arrays=broken: arrays)
                fitted.save(tmp_path / "m")
                with pytest.raises(ArtifactError, match="lacks a part"):
                    load_model(tmp_path / "m")

    def test_a_folder_with_the_arrays_of_another_catalogue_is_an_artifact_error(
        self, fitted, tmp_path, monkeypatch
    ):
        arrays = self.model().fit(checkerboard())._arrays()
        monkeypatch.setattr(fitted, "_arrays", lambda: arrays)
        fitted.save(tmp_path / "m")
        with pytest.raises(ArtifactError, match="lacks a part"):
            load_model(tmp_path / "m")

    def test_the_manifest_tells_kind_config_versions_and_ids(self, fitted, tmp_path):
        fitted.save(tmp_path / "m")
        manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
        assert manifest["kind"] == self.kind
        assert manifest["config"] == fitted.config.model_dump(mode="json")
        assert manifest["ids"]["item_ids"] == {"n": 25, "digest": fitted.item_ids_.digest}
        assert "nextbest" in manifest["versions"]

    def test_a_saved_model_holds_no_pickle(self, fitted, tmp_path):
        fitted.save(tmp_path / "m")
        with np.load(Path(tmp_path) / "m" / "arrays.npz", allow_pickle=False) as stored:
            assert set(stored.files) == set(fitted._arrays())
            assert all(stored[name].dtype != object for name in stored.files)

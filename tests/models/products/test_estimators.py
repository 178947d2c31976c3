"""What every estimator promises, on tiles; then what each one alone does."""

import json
from dataclasses import replace

import numpy as np
import pytest

from models.products.tiles import GROUPS, NAMES, PRODUCTS, everyone, tiles
from nextbest.data.panel.masks import unpack_masks
from nextbest.errors import ArtifactError, DataError, InputError, NotFittedError
from nextbest.models.products.config import ESTIMATORS, make_estimator, without_lags
from nextbest.models.products.features.tables import FeatureTable
from nextbest.models.products.gbm import GBMConfig
from nextbest.models.products.multiclass import Multiclass, MulticlassConfig
from nextbest.models.products.per_product import PerProduct, PerProductConfig
from nextbest.models.products.two_stage import TwoStage

SMALL = {"n_trees": 15, "min_leaf_rows": 5, "feature_fraction": 1.0, "l2": 0.1}
SETTINGS = {
    "per_product": {"gbm": SMALL},
    "multiclass": {"gbm": SMALL},
    "two_stage": {"any": SMALL, "choice": {"gbm": SMALL}},
    "catboost_multilogloss": {"gbm": {**SMALL, "library": "catboost", "max_depth": 3}},
}
LEARNERS = ("segment_rates", "per_product", "two_stage")
"""Those whose numbers are P(add | not held) before any calibration."""


def model_of(kind, **changes):
    return make_estimator(kind, {**SETTINGS.get(kind, {}), **changes})


@pytest.fixture(scope="module")
def rows():
    return tiles()


@pytest.fixture(scope="module")
def fitted(rows):
    return {kind: model_of(kind).fit(rows, rng=0) for kind in ESTIMATORS}


@pytest.fixture(params=ESTIMATORS)
def kind(request):
    return request.param


def test_probabilities_are_in_0_to_1_and_finite(fitted, rows, kind):
    p = fitted[kind].probabilities(*everyone(rows))
    assert p.shape == (len(rows), 6)
    assert p.dtype == np.float32
    assert ((p >= 0) & (p <= 1)).all()


def test_what_is_held_is_never_added(fitted, rows, kind):
    p = fitted[kind].probabilities(*everyone(rows))
    held = unpack_masks(rows.held_N, n_products=6)
    if kind == "popularity":  # a list of best sellers, that's the point of it
        assert (p[held] > 0).any()
    else:
        assert not p[held].any()


def test_a_saved_model_answers_the_same_and_holds_no_pickle(fitted, rows, kind, tmp_path):
    fitted[kind].save(tmp_path / "m")
    loaded = ESTIMATORS[kind].load(tmp_path / "m")
    assert (loaded.probabilities(*everyone(rows)) == fitted[kind].probabilities(*everyone(rows))).all()
    assert loaded.config == fitted[kind].config
    assert {path.suffix for path in (tmp_path / "m").iterdir()} <= {".npz", ".json", ".txt", ".cbm"}


def test_the_same_seed_gives_the_same_model_and_rows_are_answered_alone(fitted, rows, kind):
    again = model_of(kind).fit(rows, rng=0)
    some = np.arange(7, 300, 3)
    alone = again.probabilities(rows.table.take(some), rows.held_N[some])
    assert (alone == fitted[kind].probabilities(*everyone(rows))[some]).all()


def test_features_are_found_by_name(fitted, rows, kind):
    turned = FeatureTable(
        ("extra", *NAMES[::-1]),
        np.ascontiguousarray(np.column_stack([np.ones(len(rows), np.float32), rows.x_NF[:, ::-1]])),
        ("extra", *GROUPS[::-1]),
    )
    expected = fitted[kind].probabilities(*everyone(rows))
    assert (fitted[kind].probabilities(turned, rows.held_N) == expected).all()


def test_before_fit_every_question_says_so(rows, kind, tmp_path):
    model = model_of(kind)
    for ask in (lambda: model.probabilities(*everyone(rows)), lambda: model.save(tmp_path / "m")):
        with pytest.raises(NotFittedError, match=kind):
            ask()


def test_no_rows_and_another_validation_set_are_refused(rows, kind):
    with pytest.raises(InputError, match="at least one row"):
        model_of(kind).fit(rows.take(np.zeros(0, np.int64)))
    with pytest.raises(InputError, match="products and features of train"):
        model_of(kind).fit(rows, valid=replace(rows, products=PRODUCTS[::-1]))


def test_held_products_of_other_clients_are_refused(fitted, rows, kind):
    with pytest.raises(InputError, match=r"held_N: must have shape"):
        fitted[kind].probabilities(rows.table, rows.held_N[:5])


@pytest.mark.parametrize("kind", ["per_product", "multiclass", "two_stage", "catboost_multilogloss"])
def test_a_missing_feature_is_named(fitted, rows, kind):
    without = FeatureTable(NAMES[1:], np.ascontiguousarray(rows.x_NF[:, 1:]), GROUPS[1:])
    with pytest.raises(InputError, match=r"lacks 1 feature\(s\) of the model; got \['colour.red'\]"):
        fitted[kind].probabilities(without, rows.held_N)


@pytest.mark.parametrize("kind", LEARNERS)
def test_expected_additions_are_those_of_the_month_though_rows_were_sampled(kind):
    whole, drawn = tiles(6000), tiles(6000, keep=0.25)
    p = model_of(kind).fit(drawn, rng=1).probabilities(*everyone(whole))
    came = unpack_masks(whole.added_N, n_products=6).sum(axis=0)
    assert p.sum(axis=0)[:5] == pytest.approx(came[:5], rel=0.12)


@pytest.mark.parametrize("kind", ["per_product", "multiclass", "two_stage", "catboost_multilogloss"])
def test_each_colour_is_told_its_own_product(fitted, rows, kind):
    p = fitted[kind].probabilities(rows.table, np.zeros(len(rows), np.uint32))
    colour = rows.x_NF[:, :4].argmax(axis=1)
    best = p[:, :4].argmax(axis=1)
    assert (best == colour).all()


@pytest.mark.parametrize("kind", ["per_product", "multiclass", "two_stage", "catboost_multilogloss"])
def test_contributions_speak_for_the_client_with_the_colour_and_noise_says_little(fitted, rows, kind):
    parts = fitted[kind].contributions(rows.table, 1)
    assert parts.shape == rows.x_NF.shape
    green = rows.x_NF[:, 1] == 1
    assert parts[green, 1].min() > 0.5
    assert parts[~green, 1].max() < 0
    assert np.abs(parts[:, 4]).mean() < 0.2 * np.abs(parts[:, 1]).mean()


@pytest.mark.parametrize("kind", ["per_product", "catboost_multilogloss"])
def test_contributions_and_a_constant_are_the_log_odds(fitted, rows, kind):
    p = fitted[kind].probabilities(rows.table, np.zeros(len(rows), np.uint32))[:, 2].astype(np.float64)
    rest = np.log(p / (1 - p)) - fitted[kind].contributions(rows.table, 2).sum(axis=1)
    assert rest == pytest.approx(np.full(len(rest), rest[0]), abs=2e-3)


def test_contributions_stand_under_the_columns_of_the_table_asked_with(fitted, rows):
    turned = FeatureTable(NAMES[::-1], np.ascontiguousarray(rows.x_NF[:, ::-1]), GROUPS[::-1])
    expected = fitted["per_product"].contributions(rows.table, 0)
    assert (fitted["per_product"].contributions(turned, 0) == expected[:, ::-1]).all()


@pytest.mark.parametrize("kind", ["persistence", "popularity"])
def test_baselines_have_no_reasons(fitted, rows, kind):
    with pytest.raises(NotImplementedError, match=kind):
        fitted[kind].contributions(rows.table, 0)
    with pytest.raises(InputError, match="product: must be 0 to 5"):
        fitted[kind].contributions(rows.table, 6)


# --- baselines --------------------------------------------------------------------------------
def test_persistence_says_that_nothing_changes(fitted, rows):
    assert not fitted["persistence"].probabilities(*everyone(rows)).any()


def test_popularity_is_the_weighted_share_of_clients_who_added():
    rows = tiles(300, keep=0.5)
    p = model_of("popularity").fit(rows).probabilities(*everyone(rows))
    share = rows.weight_N @ unpack_masks(rows.added_N, n_products=6) / rows.weight_N.sum()
    assert p[0] == pytest.approx(share)
    masked = model_of("masked_popularity").fit(rows).probabilities(*everyone(rows))
    assert (masked == np.where(unpack_masks(rows.held_N, n_products=6), 0, p)).all()


def test_segment_rates_are_counts_by_segment_drawn_to_the_overall_rate(rows):
    model = model_of("segment_rates", strength=100.0).fit(rows)
    free = ~unpack_masks(rows.held_N, n_products=6)[:, 2]
    came = unpack_masks(rows.added_N, n_products=6)[:, 2]
    segment = rows.x_NF[:, 5] == 1
    overall = came.sum() / free.sum()
    expected = (came[segment].sum() + 100 * overall) / (free[segment].sum() + 100)
    p = model.probabilities(*everyone(rows))
    assert p[segment & free, 2] == pytest.approx(expected)


def test_a_segment_never_seen_and_a_missing_one_get_the_overall_rate(rows):
    model = model_of("segment_rates").fit(rows)
    x = rows.x_NF[:2].copy()
    x[:, 5] = [77, np.nan]
    p = model.probabilities(FeatureTable(NAMES, x, GROUPS), np.zeros(2, np.uint32))
    assert p[0] == pytest.approx(model.rate_SP[-1])
    assert (p[0] == p[1]).all()


def test_missing_is_a_segment_of_its_own_when_it_was_seen(rows):
    x = rows.x_NF.copy()
    x[:100, 5] = np.nan
    model = model_of("segment_rates").fit(replace(rows, x_NF=x))
    assert np.isnan(model.values_S[-1])
    assert len(model.rate_SP) == 5


def test_rates_without_segments_are_one_rate(rows):
    model = model_of("segment_rates", by=None).fit(rows)
    p = model.probabilities(rows.table, np.zeros(len(rows), np.uint32))
    assert (p == p[0]).all()


# --- per product ------------------------------------------------------------------------------
def test_a_rare_product_gets_rates_instead_of_a_booster(fitted):
    model = fitted["per_product"]
    assert sorted(model.boosters_) == [0, 1, 2, 3, 4]
    assert not model.contributions(tiles(50).table, 5)[:, :5].any()


def test_fewer_negatives_leave_the_probabilities_where_they_were(rows):
    free = np.zeros(len(rows), np.uint32)
    all_of_them = model_of("per_product", negatives=1000).fit(rows).probabilities(rows.table, free)
    model = model_of("per_product", negatives=2, min_negatives=50, max_positives=300).fit(rows)
    assert max(model.fitted_rows_.values()) <= 900
    few = model.probabilities(rows.table, free)
    assert few[:, :5].mean(axis=0) == pytest.approx(all_of_them[:, :5].mean(axis=0), rel=0.25)


def test_drops_are_learned_from_holders_and_are_0_for_the_others(rows):
    model = PerProduct(PerProductConfig(gbm=GBMConfig(**SMALL)), transition="drop").fit(rows)
    p = model.probabilities(*everyone(rows))
    held = unpack_masks(rows.held_N, n_products=6)
    assert not p[~held].any()
    red = rows.x_NF[:, 0] == 1
    assert p[red & held[:, 1], 1].mean() == pytest.approx(0.4, abs=0.1)
    assert p[~red & held[:, 1], 1].mean() == pytest.approx(0.05, abs=0.04)


def test_without_known_products_a_client_is_not_masked_and_holders_dilute_the_probability(rows):
    model = model_of("per_product", known_products=False).fit(rows)
    p = model.probabilities(*everyone(rows))
    assert (p > 0).all()
    came = unpack_masks(rows.added_N, n_products=6).sum(axis=0)
    assert p.sum(axis=0)[:5] == pytest.approx(came[:5], rel=0.1)


def test_groups_left_out_are_not_read(rows):
    model = without_lags()
    model.config = model.config.model_copy(update={"gbm": GBMConfig(**SMALL)})
    model.fit(rows)
    assert model.names_ == ("noise", "segment")


def test_threads_do_not_change_the_model(rows):
    one, two = (PerProduct(PerProductConfig(gbm=GBMConfig(**SMALL)), n_threads=n).fit(rows) for n in (1, 2))
    assert one._state().files == two._state().files


def test_catboost_can_stand_under_every_booster(rows):
    small = {**SMALL, "library": "catboost", "n_trees": 8}
    few = rows.take(np.arange(1500))
    for kind, settings in (
        ("per_product", {"gbm": small}),
        ("two_stage", {"any": small, "choice": {"gbm": small}}),
    ):
        model = make_estimator(kind, settings).fit(few)
        p = model.probabilities(few.table, np.zeros(len(few), np.uint32))
        colour = few.x_NF[:, :4].argmax(axis=1)
        assert (p[:, :4].argmax(axis=1) == colour).mean() > 0.95


# --- multiclass and two stages ----------------------------------------------------------------
def test_shares_sum_to_1_over_what_is_not_held(fitted, rows):
    p = fitted["multiclass"].probabilities(*everyone(rows))
    assert p.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_a_product_too_rare_for_the_booster_keeps_its_share(fitted, rows):
    adders = rows.added_N != 0
    p = fitted["multiclass"].probabilities(rows.table.take(adders), rows.held_N[adders])
    assert p[:, 5].sum() == pytest.approx(5, rel=0.5)


def test_one_product_alone_is_no_choice(rows):
    only = rows.take(np.isin(rows.added_N, [0, 2]))
    with pytest.raises(DataError, match="two products with 50 additions or more"):
        Multiclass(MulticlassConfig(gbm=GBMConfig(**SMALL))).fit(only)


def test_two_stages_never_say_a_product_is_likelier_than_any_addition(fitted, rows):
    model = fitted["two_stage"]
    assert isinstance(model, TwoStage)
    p = model.probabilities(*everyone(rows))
    assert (p.max(axis=1) <= model.any_addition(rows.x_NF) + 1e-6).all()


# --- folders and configs ----------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["per_product", "two_stage", "catboost_multilogloss"])
def test_a_folder_without_a_booster_is_an_artifact_error(fitted, kind, tmp_path):
    folder = tmp_path / "m"
    fitted[kind].save(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    lost = next(name for name in manifest["files"] if name.endswith((".txt", ".cbm")))
    del manifest["files"][lost]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="lacks a part"):
        ESTIMATORS[kind].load(folder)


@pytest.mark.parametrize("kind", ["per_product", "catboost_multilogloss"])
def test_a_booster_that_is_none_is_an_artifact_error(fitted, kind):
    state = fitted[kind]._state()
    state.files = dict.fromkeys(state.files, b"tree\nnonsense")
    with pytest.raises(ArtifactError, match="is no"):
        ESTIMATORS[kind].restored(fitted[kind].described(), state, folder="m")


def test_a_folder_of_another_kind_is_refused(fitted, tmp_path):
    fitted["popularity"].save(tmp_path / "m")
    with pytest.raises(ArtifactError, match="holds a 'popularity' model, not 'per_product'"):
        PerProduct.load(tmp_path / "m")


def test_wrong_settings_are_named():
    with pytest.raises(InputError, match=r"gbm.n_trees: .*greater than 0.*fields of PerProductConfig"):
        make_estimator("per_product", {"gbm": {"n_trees": 0}})
    with pytest.raises(InputError, match="kind: must be one of"):
        make_estimator("oracle")
    with pytest.raises(InputError, match="must be a PerProductConfig; got 'MulticlassConfig'"):
        PerProduct(MulticlassConfig())
    with pytest.raises(InputError, match="must be 'add' or 'drop'"):
        PerProduct(transition="keep")
    with pytest.raises(InputError, match="n_threads: must be 1 or more"):
        PerProduct(n_threads=0)
    with pytest.raises(InputError, match="must be 'catboost' for MultiLogloss"):
        make_estimator("catboost_multilogloss", {"gbm": {"library": "lightgbm"}}).fit(tiles(50))

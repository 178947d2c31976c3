"""The whole model on a simulated bank: what it promises of time, folders, unknown clients, reasons and lists."""

import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from nextbest.data.panel.masks import unpack_masks
from nextbest.data.panel.panel import Panel, additions
from nextbest.data.panel.store import PanelWriter
from nextbest.errors import ArtifactError, InputError, NotFittedError
from nextbest.models.products import fitting
from nextbest.models.products.config import ProductConfig, month_weights, months_learned
from nextbest.models.products.explaining import grouped_contributions
from nextbest.models.products.product_model import ProductModel
from nextbest.models.products.rerank import average_precision_at_k, rank_products
from nextbest.simulate.panel import simulate_panel

TREES = {"n_trees": 8, "min_leaf_rows": 10}
CONFIG = ProductConfig.of(
    {
        "months": 6,
        "unchanged_rows": 1500,
        "valid_rows": 3000,
        "members": [
            {"kind": "per_product", "config": {"gbm": TREES}},
            {"kind": "two_stage", "config": {"any": TREES, "choice": {"gbm": TREES}}},
        ],
        "ownership": {"gbm": TREES},
        "profile": {"gbm": TREES, "known_products": False},
        "profile_months": 2,
        "population_rows": 2000,
    }
)


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    return simulate_panel(scale=0.004, rng=3, months=12).to_panel(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def target(panel):
    return panel.months[-1]


@pytest.fixture(scope="module")
def model(panel, target):
    return ProductModel(CONFIG).fit(panel, target=target, rng=0)


@pytest.fixture(scope="module")
def came(panel, target):
    return additions(panel, target)


@pytest.fixture(scope="module")
def inputs(model, panel, target, came):
    return model.fitted_.steps.inputs(panel, target, came.row_N)


def map_at_7(order, came):
    return float(np.nanmean(average_precision_at_k(order, came.added_N, n_products=24)))


# --- it works ---------------------------------------------------------------------------------
def test_it_orders_additions_far_better_than_the_most_added_products_do(model, inputs, came):
    order = model.rank(model.predict(inputs))
    share = unpack_masks(came.added_N, n_products=24).mean(axis=0)
    popular = np.where(unpack_masks(came.held_N, n_products=24), 0, share)  # with this month's own shares
    assert map_at_7(order, came) > map_at_7(rank_products(popular), came) + 0.08


def test_expected_additions_are_the_forecast_ones(model, panel, target):
    rows = model.fitted_.steps.clients(panel, target).present()
    p = model.predict(model.fitted_.steps.inputs(panel, target, rows)).p_NP.sum(axis=0)
    expected = model.fitted_.expected_P
    many = expected > 5
    assert many.sum() >= 5
    assert p[many] == pytest.approx(expected[many], rel=0.1)


def test_nothing_held_is_ever_predicted_or_listed(model, inputs, came):
    predictions = model.predict(inputs)
    held = unpack_masks(came.held_N, n_products=24)
    assert not predictions.p_NP[held].any()
    order = model.rank(predictions, k=24)
    listed = order >= 0
    rows = np.nonzero(listed)[0]
    assert not held[rows, order[listed]].any()


def test_ownership_is_keeping_for_holders_and_adding_for_others(model, inputs, came):
    predictions = model.predict(inputs)
    own = model.own(inputs, predictions=predictions)
    held = unpack_masks(came.held_N, n_products=24)
    assert (own[~held] == predictions.p_NP[~held]).all()
    assert own[held].mean() > 0.8
    now = held & True
    assert own[now].mean() > own[~now].mean()


# --- time -------------------------------------------------------------------------------------
def rebuilt(panel, folder, *, months, scramble=False):
    """The panel's first months, the last of them possibly noise, written anew."""
    gen = np.random.default_rng(9)
    with PanelWriter(folder) as writer:
        for month in panel.months[:months]:
            rows, held = panel.rows(month), np.asarray(panel.held(month))
            if scramble and month == panel.months[months - 1]:
                held = gen.integers(0, 2**24, len(held)).astype(np.uint32)
            ids = panel.ids.ids.gather(rows)
            writer.append_month(month, ids.to_numpy(), held[rows], panel.attributes(month).drop("row"))
        return writer.commit()


def test_a_model_is_the_same_whatever_happens_in_its_target_month(model, panel, target, tmp_path):
    noise = rebuilt(panel, tmp_path, months=12, scramble=True)
    assert ProductModel(CONFIG).fit(noise, target=target, rng=0).version == model.version


def test_the_target_month_need_not_be_there(panel, tmp_path):
    short = rebuilt(panel, tmp_path, months=6)
    config = CONFIG.model_copy(update={"refit": False})
    ahead = ProductModel(config).fit(short, target=panel.months[6], rng=0)
    assert ahead.target == panel.months[6]
    assert len(ahead.metrics["train_months"]) == 4
    assert ahead.metrics["valid_month"] == str(panel.months[5])


@pytest.fixture(scope="module")
def early(panel):
    """Fitted for the month before the target's, so that it can be asked about a later one."""
    return ProductModel(CONFIG).fit(panel, target=panel.months[-2], rng=0)


def test_moved_to_another_month_it_expects_that_months_numbers(early, panel, target):
    moved = early.for_month(panel, target=target)
    assert (early.target, moved.target) == (panel.months[-2], target)
    rows = moved.fitted_.steps.clients(panel, target).present()
    inputs = moved.fitted_.steps.inputs(panel, target, rows)
    expected = moved.fitted_.expected_P
    many = expected > 5
    assert moved.predict(inputs).p_NP.sum(axis=0)[many] == pytest.approx(expected[many], rel=0.1)
    stale = early.predict(inputs).p_NP.sum(axis=0)[many]
    assert np.abs(stale / expected[many] - 1).max() > 0.1
    assert moved.version != early.version
    assert moved.fitted_.ensemble is early.fitted_.ensemble


def test_moved_to_its_own_month_it_is_itself(model, panel, target):
    assert model.for_month(panel, target=target) is model


def test_moving_reads_nothing_of_the_month_it_moves_to(early, panel, target, tmp_path):
    noise = rebuilt(panel, tmp_path, months=12, scramble=True)
    assert early.for_month(noise, target=target).version == early.for_month(panel, target=target).version


def test_a_moved_model_survives_its_folder(early, panel, target, tmp_path):
    moved = early.for_month(panel, target=target)
    moved.save(tmp_path / "moved")
    loaded = ProductModel.load(tmp_path / "moved")
    assert (loaded.version, loaded.target) == (moved.version, target)


def test_a_month_whose_month_before_is_unknown_can_not_be_moved_to(model, panel):
    with pytest.raises(InputError, match="month"):
        model.for_month(panel, target=panel.schema.month_before(panel.months[-1], n=-3))


def test_too_few_months_are_refused(panel):
    with pytest.raises(InputError, match="two months with known additions"):
        ProductModel(CONFIG).fit(panel, target=panel.months[2])


@pytest.mark.parametrize(
    ("attributes", "n_ahead", "words"),
    [
        ("scoring_time", 1, "attributes of the target itself are known.*2015-12 at the latest"),
        ("month_end", 2, "month: must be one of"),
    ],
)
def test_a_target_that_can_not_be_asked_about_is_refused_before_anything_is_fitted(
    panel, monkeypatch, attributes, n_ahead, words
):
    def never(*_, **__):
        raise AssertionError("rows were made of a target that can't be asked about")

    monkeypatch.setattr(fitting, "training_set", never)
    config = ProductConfig.of({"features": {"attributes": attributes}})
    target = panel.schema.month_before(panel.months[-1], n=-n_ahead)
    with pytest.raises(InputError, match=words):
        ProductModel(config).fit(panel, target=target)


# --- folders ----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "m"
    model.save(folder, created=datetime(2016, 1, 1, tzinfo=UTC))
    return folder


def test_a_saved_model_answers_the_same(model, folder, inputs):
    loaded = ProductModel.load(folder)
    assert (loaded.predict(inputs).p_NP == model.predict(inputs).p_NP).all()
    assert (loaded.own(inputs) == model.own(inputs)).all()
    few = inputs.take(slice(0, 5))
    asked = np.full((5, 1), 18)
    assert (loaded.explain(few, asked).parts_NKG == model.explain(few, asked).parts_NKG).all()
    assert loaded.version == model.version
    assert loaded.config == model.config


def test_the_manifest_says_what_when_and_how_good(folder, model, target):
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["kind"] == "products"
    assert manifest["created"] == "2016-01-01T00:00:00+00:00"
    assert manifest["model_version"] == model.version
    assert manifest["cutoff"] == "2015-11-28"
    assert manifest["target"] == str(target)
    assert 0 < manifest["metrics"]["map_at_7"] < 1
    assert ProductModel.load(folder).manifest == manifest


def test_the_folder_holds_no_client_and_no_pickle(folder, panel):
    assert {path.suffix for path in folder.iterdir()} == {".npz", ".json", ".txt"}
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        assert max(arrays[name].size for name in arrays.files) < panel.n_customers / 4


@pytest.mark.parametrize("lost", ["ensemble", "features", "settings", "profile"])
def test_a_folder_without_a_part_is_an_artifact_error(model, folder, tmp_path, lost):
    model.save(tmp_path / "m")
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    del manifest["config"][lost]
    (tmp_path / "m" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="lacks a part"):
        ProductModel.load(tmp_path / "m")


def test_a_folder_of_another_kind_is_refused(tmp_path, panel):
    from models.products.tiles import tiles
    from nextbest.models.products.baselines import Persistence

    Persistence().fit(tiles(50)).save(tmp_path / "m")
    with pytest.raises(ArtifactError, match="holds a 'persistence' model, not 'products'"):
        ProductModel.load(tmp_path / "m")


def test_before_fit_every_question_says_so(inputs, tmp_path):
    model = ProductModel()
    for ask in (lambda: model.predict(inputs), lambda: model.save(tmp_path), lambda: model.version):
        with pytest.raises(NotFittedError, match="ProductModel"):
            ask()


# --- unknown clients --------------------------------------------------------------------------
def test_a_client_without_history_is_answered_from_attributes_and_the_others_as_before(model, inputs, came):
    some = inputs.take(slice(0, 60))
    hidden = np.zeros(60, bool)
    hidden[::3] = True
    mixed = model.predict(some.without_history(hidden))
    assert (mixed.known_N == ~hidden).all()
    whole = model.predict(some)
    assert (mixed.p_NP[~hidden] == whole.p_NP[~hidden]).all()
    possible = mixed.p_NP[hidden] > 0
    assert (possible == possible[0]).all()  # what they hold isn't known, so nothing is masked
    assert possible[0].sum() > 12
    all_hidden = model.predict(some.without_history(np.ones(60, bool)))
    assert (all_hidden.p_NP[hidden] == mixed.p_NP[hidden]).all()


def test_profiles_add_up_to_the_additions_that_come(model, inputs, came):
    p = model.predict(inputs.without_history(np.ones(len(inputs), bool))).p_NP.sum(axis=0)
    recent = unpack_masks(came.added_N, n_products=24).sum(axis=0)
    assert p.sum() == pytest.approx(recent.sum(), rel=0.4)


def test_without_profile_boosters_the_ensemble_answers_for_all(model, panel, target, inputs):
    config = CONFIG.model_copy(update={"profile": None, "ownership": None, "refit": False, "priors": None})
    plain = ProductModel(config).fit(panel, target=target, rng=1)
    assert plain.version != model.version
    hidden = inputs.take(slice(0, 9)).without_history(np.ones(9, bool))
    assert plain.predict(hidden).known_N.all()
    assert np.isnan(plain.fitted_.expected_P).all()
    with pytest.raises(InputError, match="ownership: isn't in this model"):
        plain.own(inputs)


# --- rows alone, tables made once -------------------------------------------------------------
def test_a_client_is_answered_alone_as_among_all(model, inputs):
    whole = model.predict(inputs)
    order = model.rank(whole)
    for at in (0, 17, 333):
        alone = model.predict(inputs.take(slice(at, at + 1)))
        assert (alone.p_NP[0] == whole.p_NP[at]).all()
        assert (model.rank(alone)[0] == order[at]).all()


def test_features_made_once_give_the_same(model, inputs):
    table = model.features(inputs)
    assert (model.predict(inputs, table=table).p_NP == model.predict(inputs).p_NP).all()
    with pytest.raises(InputError, match="table: must have"):
        model.predict(inputs.take(slice(0, 3)), table=table)


# --- reasons ----------------------------------------------------------------------------------
def test_reasons_add_up_to_the_log_odds_of_the_explained_booster(model, inputs):
    few = inputs.take(slice(0, 40))
    table = model.features(few)
    # the member explained is the one with weight; only per-product boosters speak in log-odds of one product
    member = next(m for m in model.fitted_.ensemble.members_ if m.kind == "per_product")
    groups = model.fitted_.steps.groups_
    p = member.probabilities(table, np.zeros(40, np.uint32)).astype(np.float64)
    boosted = sorted(member.boosters_)  # which products are common enough is the simulated bank's affair
    first, last = boosted[0], boosted[-1]
    assert first != last
    asked = np.tile([last, first, -1], (40, 1))
    parts_NKG = grouped_contributions(member, table, asked, groups=tuple(dict.fromkeys(groups)))
    assert model.explain(few, asked, table=table).parts_NKG.shape[:2] == (40, 3)
    for place, product in ((0, last), (1, first)):
        rest = np.log(p[:, product] / (1 - p[:, product])) - parts_NKG[:, place].sum(axis=1)
        assert rest == pytest.approx(np.full(40, rest[0]), abs=5e-3)
    assert np.isnan(parts_NKG[:, 2]).all()


def test_reasons_of_a_client_without_history_name_no_history(model, inputs):
    hidden = inputs.take(slice(0, 4)).without_history(np.array([True, False, True, False]))
    found = model.explain(hidden, np.full((4, 1), 23))
    history = [at for at, group in enumerate(found.groups) if group.startswith(("history", "holding"))]
    assert history
    assert not found.parts_NKG[[0, 2]][:, :, history].any()
    assert found.parts_NKG[[1, 3]][:, :, history].any()
    assert np.abs(found.parts_NKG[[0, 2]]).sum() > 0


def test_products_that_are_not_there_are_refused(model, inputs):
    with pytest.raises(InputError, match=r"product_NK: must lie in -1\.\.23"):
        model.explain(inputs.take(slice(0, 1)), np.array([[24]]))
    with pytest.raises(InputError, match=r"product_NK: must have shape \(1, K\)"):
        model.explain(inputs.take(slice(0, 1)), np.array([3]))


def test_columns_are_all_that_predict_reads(model, panel, target, inputs):
    lean = inputs.take(slice(0, 20))
    object.__setattr__(lean, "attributes", lean.attributes.select(pl.col(list(model.columns))))
    assert (model.predict(lean).p_NP == model.predict(inputs.take(slice(0, 20))).p_NP).all()


# --- config -----------------------------------------------------------------------------------
def test_a_config_survives_json():
    assert ProductConfig.of(json.loads(CONFIG.model_dump_json())) == CONFIG


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"months": 0}, "months: Input should be greater than 0"),
        ({"moths": 3}, r"moths: is unknown; fields of ProductConfig: \['blend'"),
        ({"features": {"bogus": 1}}, r"features.bogus: is unknown; fields of FeatureConfig: \['attributes'"),
        ({"members": []}, "members: .*at least 1"),
        ({"members": [{"kind": "oracle"}]}, r"members\.0\.kind"),
        ({"members": [{"kind": "two_stage", "config": {"negativs": 1}}]}, "negativs"),
        ({"profile": {}}, "known_products=False"),
        ({"ownership": {"known_products": False}}, "known_products=True"),
        ({"half_life_months": -1}, "half_life_months"),
    ],
)
def test_wrong_settings_are_named(fields, message):
    with pytest.raises(InputError, match=message):
        ProductConfig.of(fields)


def test_threads_must_be_some():
    with pytest.raises(InputError, match="n_threads"):
        ProductModel(n_threads=0)


def test_months_count_by_age_and_last_year_comes_back():
    from models.products.test_priors import months

    config = ProductConfig(half_life_months=3.0, last_year_weight=5.0)
    target = months(13)[-1]
    weights = month_weights(months(12), target, config)
    assert weights[-1] == 1
    assert weights[-4] == pytest.approx(0.5)
    assert weights[0] == pytest.approx(5 * 0.5 ** (11 / 3))
    even = ProductConfig(half_life_months=None, last_year_weight=1.0)
    assert (month_weights(months(12), target, even) == 1).all()


def test_months_learned_are_the_newest_and_last_years_same_one():
    from models.products.test_priors import months

    all_months = months(16)
    learned, valid = months_learned(all_months[:-1], all_months[-1], ProductConfig(months=3))
    assert valid == all_months[-2]
    assert learned == (all_months[3], *all_months[-5:-2])


def test_panel_is_only_read(panel, model):
    assert isinstance(panel, Panel)
    assert not panel.held_MC.flags.writeable

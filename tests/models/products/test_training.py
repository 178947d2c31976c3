"""The training set: who is in it, what is said of them, and that its weights give the whole month back."""

import numpy as np
import pytest

from models.products.banks import APR, FEB, JAN, MAR, MONTHS, random_bank, toy_bank
from nextbest.data.panel.masks import count_products
from nextbest.data.panel.panel import additions
from nextbest.errors import DataError, InputError
from nextbest.models.products.features import FeatureConfig, FeatureSteps
from nextbest.models.products.training import TrainingSet, training_set

TARGETS = MONTHS[-4:-1]
N_PRODUCTS = 24


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    # few products flicker, so that most clients change nothing in a month
    return random_bank(tmp_path_factory.mktemp("bank"), n_customers=300, rng=1, flips=0.02)


@pytest.fixture(scope="module")
def steps(bank):
    return FeatureSteps(FeatureConfig(min_count=5, outliers="keep")).fit(bank, TARGETS)


def whole(bank, month):
    """Rows, masks before, additions and drops of everybody in a month."""
    row_N, held_N, added_N = additions(bank, month)
    return row_N, held_N, added_N, held_N & ~bank.held(month)[row_N]


def by_product(mask_N, weight_N):
    return [float(weight_N[(mask_N >> p) & 1 == 1].sum()) for p in range(N_PRODUCTS)]


def test_with_all_rows_kept_the_set_is_the_panel(bank, steps):
    found = training_set(bank, steps, TARGETS, keep_unchanged=1.0)
    parts = [whole(bank, month) for month in TARGETS]
    for place, name in enumerate(("row_N", "held_N", "added_N", "dropped_N")):
        assert np.array_equal(getattr(found, name), np.concatenate([part[place] for part in parts]))
    assert found.month_N.tolist() == [m for m, part in enumerate(parts) for _ in part[0]]
    assert (found.weight_N == 1).all()
    assert found.months == TARGETS
    assert found.products == bank.schema.product_columns


def test_features_are_those_of_the_steps(bank, steps):
    found = training_set(bank, steps, TARGETS, keep_unchanged=0.3, rng=5)
    for place, month in enumerate(TARGETS):
        of_month = found.take(found.month_N == place)
        expected = steps.transform(steps.inputs(bank, month, of_month.row_N)).x_NF
        assert np.array_equal(of_month.x_NF.view(np.uint32), expected.view(np.uint32))


def test_all_who_changed_are_kept_and_the_rest_stands_for_all_unchanged(bank, steps):
    found = training_set(bank, steps, TARGETS, keep_unchanged=0.2)
    changed_N = (found.added_N | found.dropped_N) != 0
    assert (found.weight_N[changed_N] == 1).all()
    for place, month in enumerate(TARGETS):
        of_month = found.take(found.month_N == place)
        row_N, _, added_N, dropped_N = whole(bank, month)
        is_changed = (added_N | dropped_N) != 0
        assert set(row_N[is_changed]) <= set(of_month.row_N), "nobody who changed is missing"
        assert of_month.weight_N.sum() == pytest.approx(len(row_N), rel=1e-5)
        n_kept = int((of_month.weight_N > 1).sum())
        assert n_kept == np.ceil(0.2 * (~is_changed).sum())
        # additions and drops of every product are those of the month, not about so
        assert by_product(of_month.added_N, of_month.weight_N) == by_product(added_N, np.ones(len(row_N)))
        assert by_product(of_month.dropped_N, of_month.weight_N) == by_product(dropped_N, np.ones(len(row_N)))


def test_weights_give_back_the_clients_at_risk_of_both_tasks_on_average(bank, steps):
    month = TARGETS[-1]
    row_N, held_N, _, _ = whole(bank, month)
    slim = FeatureSteps(FeatureConfig(blocks=("season",), outliers="keep")).fit(bank, [month])
    owners = []
    for seed in range(200):
        found = training_set(bank, slim, [month], keep_unchanged=0.3, rng=seed)
        owners.append(by_product(found.held_N, found.weight_N))
    mean, error = np.mean(owners, axis=0), np.std(owners, axis=0) / np.sqrt(200)
    truth = np.array(by_product(held_N, np.ones(len(row_N))))
    assert (np.abs(mean - truth) <= 4 * error + 1e-6).all(), "owners: at risk to drop"
    at_risk = len(row_N) - mean
    assert (np.abs(at_risk - (len(row_N) - truth)) <= 4 * error + 1e-6).all(), "the others: at risk to add"


def test_without_droppers_those_who_only_dropped_are_drawn_like_the_unchanged(bank, steps):
    found = training_set(bank, steps, TARGETS, keep_unchanged=0.2, keep_droppers=False)
    only_dropped = (found.added_N == 0) & (found.dropped_N != 0)
    assert (found.weight_N[only_dropped] > 1).all()
    everybody = sum(len(additions(bank, month).row_N) for month in TARGETS)
    assert found.weight_N.sum() == pytest.approx(everybody, rel=1e-5)
    assert len(found) < len(training_set(bank, steps, TARGETS, keep_unchanged=0.2))


def test_a_number_keeps_so_many_unchanged_rows_a_month(bank, steps):
    found = training_set(bank, steps, TARGETS, keep_unchanged=7)
    assert [int((found.weight_N[found.month_N == m] > 1).sum()) for m in range(3)] == [7, 7, 7]
    many = training_set(bank, steps, TARGETS, keep_unchanged=10_000)
    assert (many.weight_N == 1).all()


def test_the_same_seed_draws_the_same_rows(bank, steps):
    one, two, other = (training_set(bank, steps, TARGETS, keep_unchanged=0.3, rng=seed) for seed in (3, 3, 4))
    assert one.row_N.tolist() == two.row_N.tolist() != other.row_N.tolist()


def test_outliers_are_left_out_of_training_and_nowhere_else(tmp_path):
    clients = [(n, 0, {"income": 900.0 + 10 * n}) for n in range(20)] + [(30, 0, {"income": 1e9})]
    bank = toy_bank(tmp_path, {JAN: clients, FEB: [(n, 1, own) for n, _, own in clients]})
    for policy, n_rows in (("drop", 20), ("keep", 21)):
        steps = FeatureSteps(FeatureConfig(min_count=1, outliers=policy)).fit(bank, [FEB])
        found = training_set(bank, steps, [FEB])
        assert len(found) == len(found.held_N) == n_rows
        assert (20 in found.row_N) == (policy == "keep")
        assert len(steps.inputs(bank, FEB)) == 21, "who is scored is never touched"


def test_hidden_history_hides_features_and_keeps_the_masks(bank, steps):
    found = training_set(bank, steps, TARGETS, keep_unchanged=1.0, history_dropout=0.5, rng=2)
    plain = training_set(bank, steps, TARGETS, keep_unchanged=1.0, rng=2)
    assert np.array_equal(found.held_N, plain.held_N)
    is_hidden = np.isnan(found.table.column("n_held.lag1"))
    assert 0.4 < is_hidden.mean() < 0.6
    assert np.array_equal(found.x_NF[~is_hidden].view(np.uint32), plain.x_NF[~is_hidden].view(np.uint32))
    assert np.array_equal(found.table.column("age"), plain.table.column("age"), equal_nan=True)


def test_nobody_adds_in_the_month_of_arrival(tmp_path):
    bank = toy_bank(tmp_path, {JAN: [(1, 0, {})], FEB: [(1, 1, {}), (2, 7, {})]})
    steps = FeatureSteps(FeatureConfig(min_count=1)).fit(bank, [FEB])
    found = training_set(bank, steps, [FEB])
    assert (found.row_N.tolist(), found.added_N.tolist(), found.weight_N.tolist()) == ([0], [1], [1])


@pytest.mark.parametrize(
    "changes",
    [
        {"months": []},
        {"months": [MONTHS[0]]},
        {"keep_unchanged": 0},
        {"keep_unchanged": -0.1},
        {"keep_unchanged": 1.5},
        {"history_dropout": 1.1},
    ],
)
def test_a_wrong_call_is_named(bank, steps, changes):
    named = {"months": "month"}.get(next(iter(changes)), next(iter(changes)))
    with pytest.raises(InputError, match=named):
        training_set(bank, steps, **({"months": TARGETS} | changes))


def test_a_panel_where_nobody_stays_has_no_training_set(tmp_path):
    bank = toy_bank(tmp_path, {JAN: [(1, 0, {})], FEB: [(1, 0, {})], MAR: [(2, 0, {})], APR: [(1, 0, {})]})
    steps = FeatureSteps(FeatureConfig(min_count=1)).fit(bank, [FEB])
    with pytest.raises(DataError, match="nobody"):
        training_set(bank, steps, [MAR, APR])


def test_a_set_names_the_array_that_does_not_fit(bank, steps):
    found = training_set(bank, steps, TARGETS[:1])
    parts = {name: getattr(found, name) for name in TrainingSet.__dataclass_fields__}
    for wrong in ({"held_N": found.held_N[1:]}, {"weight_N": found.weight_N.astype(np.float64)}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            TrainingSet(**(parts | wrong))


def test_additions_are_never_of_what_is_held_and_drops_always(bank, steps):
    found = training_set(bank, steps, TARGETS)
    assert not (found.added_N & found.held_N).any()
    assert not (found.dropped_N & ~found.held_N).any()
    assert count_products(found.added_N).max() > 0
    assert count_products(found.dropped_N).max() > 0

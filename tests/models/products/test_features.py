"""What the features say of clients in a bank that is small enough to be checked by eye."""

import json
from datetime import date
from typing import get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.products.banks import APR, FEB, JAN, MAR, MAY, MONTHS, random_bank, toy_bank
from nextbest.data.panel.schema import Attribute, PanelSchema, Product
from nextbest.data.panel.store import PanelWriter
from nextbest.errors import ArtifactError, InputError, NotFittedError
from nextbest.models.products.features import FeatureConfig, FeatureInput, FeatureSteps
from nextbest.models.products.features import steps as steps_module
from nextbest.models.products.features.config import Statistic
from nextbest.models.products.features.encoding import category_codes, month_numbers
from nextbest.models.products.features.profile import read_attributes

NAN = float("nan")
OPEN = FeatureConfig(min_count=1, lags=(2, 3, 4), statistics=get_args(Statistic))
ACCOUNT, WAGE, PENSION = 1, 2, 4


def one_client(tmp_path, *held, target=MAY, config=OPEN, **attributes):
    """Features before `target` of a client with these masks in the months up to the one before, None = absent."""
    first = [(1, 0, {}), (2, 0, {"income": 3000.0})]
    months = {JAN: list(first), FEB: list(first), MAR: list(first), APR: list(first)}
    for month, mask in zip(list(months)[-len(held) :], held, strict=True):
        if mask is not None:
            months[month].append((9, mask, attributes))
    panel = toy_bank(tmp_path, months)
    steps = FeatureSteps(config).fit(panel, [FEB])
    table = steps.transform(steps.inputs(panel, target, np.array([2])))
    return {name: float(value) for name, value in zip(table.names, table.x_NF[0], strict=True)}


def of(features, *names):
    return pytest.approx([features[name] for name in names], nan_ok=True)


def test_a_product_dropped_two_months_ago(tmp_path):
    found = one_client(tmp_path, WAGE, WAGE, 0, 0)
    names = [
        "wage.lag1",
        "wage.lag2",
        "wage.lag3",
        "wage.lag4",
        "wage.since_drop",
        "wage.since_add",
        "wage.n_drops",
    ]
    assert of(found, *names) == [0, 0, 1, 1, 2, NAN, 1]
    assert of(found, "wage.share", "wage.run", "wage.pattern") == [0.5, 2, 0.125 + 0.0625]


def test_absent_is_not_the_same_as_holding_nothing(tmp_path):
    found = one_client(tmp_path, None, None, 0, WAGE)
    assert of(found, "wage.lag1", "wage.lag2", "wage.lag3") == [1, 0, NAN]
    assert of(found, "wage.since_add", "n_added.lag1", "n_added.lag2") == [1, 1, NAN]
    assert of(found, "n_held.lag1", "n_held.lag2", "n_held.lag3") == [1, 0, NAN]
    assert of(found, "months_known", "months_absent") == [2, 0]


def test_a_month_away_hides_the_flanks_around_it(tmp_path):
    found = one_client(tmp_path, WAGE, None, 0, 0)
    assert of(found, "wage.since_drop", "wage.n_drops", "months_known", "months_absent") == [NAN, 0, 3, 1]


def test_families_and_the_joint_state_of_payroll_products(tmp_path):
    found = one_client(tmp_path, 0, 0, ACCOUNT | WAGE, WAGE | PENSION)
    assert of(found, "n_held.payroll", "payroll.state1", "payroll.state2") == [2, 0b11, 0b01]
    assert "n_held.account" not in found, "a family of one says what its product says"


def test_turnover_of_any_product(tmp_path):
    found = one_client(tmp_path, ACCOUNT, WAGE, WAGE | PENSION, 0)
    assert of(found, "n_added.lag1", "n_added.lag2", "n_added.lag3") == [0, 1, 1]
    assert of(found, "n_dropped.lag1", "n_dropped.lag2", "n_dropped.lag3") == [2, 0, 1]
    assert of(found, "since_add.any", "since_drop.any", "n_adds.all", "n_drops.all") == [2, 1, 2, 3]


def test_a_missing_income_is_its_towns_median_with_a_flag(tmp_path):
    found = one_client(tmp_path, 0, 0, 0, 0, income=None)
    assert of(found, "income.log", "income.to_region", "income.is_imputed") == [np.log(2000), 0, 1]


def test_an_income_is_compared_with_its_town(tmp_path):
    found = one_client(tmp_path, None, None, None, 0, income=4000.0)
    assert of(found, "income.log", "income.to_region", "income.is_imputed") == [np.log(4000), np.log(2), 0]


def test_medians_are_of_training_months_only(tmp_path):
    found = one_client(tmp_path, None, None, None, 0, income=9_000_000.0, town="Burgos")
    assert found["income.to_region"] == pytest.approx(np.log(9_000_000 / 2000)), (
        "Burgos had nobody in training"
    )
    assert np.isnan(found["region.income_log"])


def test_a_value_not_seen_in_training_has_the_code_of_all_others_and_a_missing_one_none(tmp_path):
    found = one_client(tmp_path, None, None, 0, 0, channel="branch", town=None)
    assert of(found, "channel", "channel.seniority", "region") == [1, NAN, NAN]


def test_rare_values_share_one_code(tmp_path):
    bank = toy_bank(
        tmp_path,
        {JAN: [(n, 0, {"channel": "web" if n < 5 else f"rare{n}"}) for n in range(8)], FEB: [(0, 0, {})]},
    )
    steps = FeatureSteps(FeatureConfig(min_count=2)).fit(bank, [FEB])
    assert steps.transform(steps.inputs(bank, FEB)).column("channel").tolist() == [0] * 5 + [1] * 3


def test_a_missing_seniority_is_counted_from_the_joining_date(tmp_path):
    found = one_client(tmp_path, 0, 0, 0, 0, months=None, joined=date(2015, 10, 17))
    assert of(found, "seniority", "joined.month") == [6, 10]


def test_what_changed_against_the_month_before(tmp_path):
    bank = toy_bank(
        tmp_path,
        {
            JAN: [(1, 0, {"active": True})],
            FEB: [(1, 0, {"active": False, "relation": "I"})],
            MAR: [(1, 0, {"active": False, "relation": "A"}), (2, 0, {})],
        },
    )
    steps = FeatureSteps(OPEN).fit(bank, [FEB])
    table = steps.transform(steps.inputs(bank, APR))
    assert table.column("activity.share").tolist() == pytest.approx([1 / 3, 1])
    assert table.column("activity.run").tolist() == [2, 1]
    assert table.column("relation.move").tolist() == pytest.approx([3, NAN], nan_ok=True), (
        "from I (1) to A (0)"
    )


def test_a_household_is_who_shares_income_and_town(tmp_path):
    bank = toy_bank(
        tmp_path,
        {
            JAN: [(1, 0, {})],
            FEB: [
                (1, ACCOUNT, {"income": 5.0}),
                (2, WAGE | PENSION, {"income": 5.0}),
                (3, WAGE, {"income": 5.0}),
                (4, WAGE, {"income": 5.0, "town": "Burgos"}),
                (5, WAGE, {"income": None}),
            ],
        },
    )
    steps = FeatureSteps(OPEN).fit(bank, [FEB])
    table = steps.transform(steps.inputs(bank, MAR))
    assert table.column("household.size").tolist() == pytest.approx([3, 3, 3, 1, NAN], nan_ok=True)
    breadth = table.column("household.others_breadth").tolist()
    assert breadth == pytest.approx([1.5, 1, 1.5, NAN, NAN], nan_ok=True)
    assert table.column("household.n_others_only").tolist() == pytest.approx([2, 1, 2, NAN, NAN], nan_ok=True)


def test_an_income_of_more_than_six_is_no_household(tmp_path):
    clients = [(n, 0, {"income": 5.0}) for n in range(7)]
    bank = toy_bank(tmp_path, {JAN: clients, FEB: clients[:6]})
    steps = FeatureSteps(OPEN).fit(bank, [FEB])
    assert np.isnan(steps.transform(steps.inputs(bank, FEB)).column("household.size")).all()
    assert steps.transform(steps.inputs(bank, MAR)).column("household.size").tolist() == [6] * 6


def test_attributes_of_the_target_month_are_known_at_scoring_time_only(tmp_path):
    bank = toy_bank(
        tmp_path,
        {JAN: [(1, 0, {"age": 30})], FEB: [(1, 0, {"age": 31})], MAR: [(1, 0, {"age": 32}), (2, 0, {})]},
    )
    for mode, age in (("month_end", 31), ("scoring_time", 32)):
        steps = FeatureSteps(FeatureConfig(min_count=1, attributes=mode)).fit(bank, [FEB])
        table = steps.transform(steps.inputs(bank, MAR))
        assert table.column("age").tolist() == [age], "who appears in the target month isn't asked about"


def test_a_month_that_the_panel_skips_is_absence(tmp_path):
    bank = toy_bank(tmp_path, {JAN: [(1, WAGE, {})], MAR: [(1, 0, {})]})
    steps = FeatureSteps(OPEN).fit(
        toy_bank(tmp_path / "other", {JAN: [(1, 0, {})], FEB: [(1, 0, {})]}), [FEB]
    )
    table = steps.transform(steps.inputs(bank, APR))
    assert [table.column(f"wage.lag{n}")[0] for n in (1, 2, 3)] == pytest.approx([0, NAN, 1], nan_ok=True)


def test_the_season_is_off_by_default_and_comes_in_two_shapes(tmp_path):
    assert not any(name.startswith("season") for name in one_client(tmp_path / "a", 0))
    by_month = one_client(tmp_path / "b", 0, config=FeatureConfig(min_count=1, blocks=("season",)))
    assert by_month == {"season.month": 5}
    cycle = FeatureConfig(min_count=1, blocks=("season",), season="cycle")
    found = one_client(tmp_path / "c", 0, config=cycle)
    assert of(found, "season.sin", "season.cos") == [np.sin(np.pi * 2 / 3), np.cos(np.pi * 2 / 3)]


def test_what_leaks_is_never_read_and_what_is_protected_only_by_the_switch(tmp_path):
    bank = toy_bank(tmp_path, {JAN: [(1, 0, {})], FEB: [(1, 0, {})]})
    for use_protected in (False, True):
        config = FeatureConfig(min_count=1, use_protected=use_protected)
        steps = FeatureSteps(config).fit(bank, [FEB])
        assert ("sex" in steps.names_) == ("protected" in steps.groups_) == use_protected
        assert not any("left" in name for name in steps.names_)
        assert "left" not in steps.columns
        assert ("sex" in steps.columns) == use_protected


def test_attributes_without_a_role_are_features_unless_they_say_nothing_or_hold_any_text(tmp_path):
    bank = toy_bank(tmp_path, {JAN: [(1, 0, {"rank": "high"})], FEB: [(1, 0, {})]})
    steps = FeatureSteps(OPEN).fit(bank, [FEB])
    table = steps.transform(steps.inputs(bank, FEB))
    assert table.column("attribute.rank").tolist() == [1]
    assert table.column("attribute.visit").tolist() == [1], "months from the date to the target"
    assert not {"note", "constant"} & {a.name for a in read_attributes(bank.schema, OPEN)}


def test_a_bank_of_another_kind_needs_no_roles(tmp_path):
    schema = PanelSchema(
        name="other",
        id_column="id",
        month_column="month",
        products=(Product("loan", "Loan", "Кредит"), Product("card", "Card", "Карта")),
        attributes=(
            Attribute("score", "number"),
            Attribute("tie", "integer"),
            Attribute("tier", "category", ("a", "b")),
        ),
        roles={"relation": "tie"},
    )
    with PanelWriter(tmp_path, schema=schema) as writer:
        for month, tie in ((JAN, 1), (FEB, 3)):
            frame = pl.DataFrame({"score": [0.5, None], "tie": [tie, None], "tier": ["b", None]})
            writer.append_month(month, [1, 2], np.array([1, 0], np.uint32), frame)
        bank = writer.commit()
    steps = FeatureSteps(FeatureConfig(min_count=1)).fit(bank, [FEB])
    table = steps.transform(steps.inputs(bank, MAR))
    assert table.column("attribute.score").tolist() == pytest.approx([0.5, NAN], nan_ok=True)
    assert table.column("attribute.tier").tolist() == pytest.approx([1, NAN], nan_ok=True)
    assert table.column("relation.move").tolist() == pytest.approx([2, NAN], nan_ok=True), (
        "a number's difference"
    )
    assert np.isnan(table.column("household.size")).all(), "nothing says who lives together"
    assert not any(name.startswith(("income", "activity", "payroll")) for name in table.names)
    assert FeatureSteps.from_state(json.loads(json.dumps(steps.state()))).names_ == table.names


@given(
    st.lists(st.sampled_from(["web", "branch", "new", None]), min_size=65, max_size=90),
    st.sampled_from([pl.String(), pl.Categorical(), pl.Enum(["new", "branch", "web", "x"])]),
    st.sampled_from([{}, {"web": 0.0, "branch": 1.0}]),
)
def test_a_column_of_many_and_its_rows_one_by_one_have_the_same_codes(values, dtype, codes):
    column = pl.Series("c", values, dtype=dtype)
    singly = np.concatenate([category_codes(column[n : n + 1], codes, other=7.0) for n in range(len(column))])
    assert np.array_equal(category_codes(column, codes, other=7.0), singly, equal_nan=True)
    expected = [NAN if value is None else codes.get(value, 7.0) for value in values]
    assert np.array_equal(singly, np.array(expected, np.float32), equal_nan=True)


@given(st.lists(st.none() | st.dates(), min_size=65, max_size=80))
def test_dates_of_many_and_one_by_one_have_the_same_months(days):
    column = pl.Series("c", days, dtype=pl.Date)
    singly = np.concatenate([month_numbers(column[n : n + 1]) for n in range(len(column))])
    assert np.array_equal(month_numbers(column), singly, equal_nan=True)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return random_bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def steps(bank):
    return FeatureSteps(FeatureConfig(min_count=5)).fit(bank, MONTHS[-4:-1])


def test_groups_are_a_few_dozen_and_names_are_fit_for_estimators(steps):
    assert len(set(steps.groups_)) <= 48
    assert len(steps.names_) == len(steps.groups_) == steps.n_features
    assert not [name for name in steps.names_ if set(name) & set(' ,:[]{}"')]


def test_detailed_products_are_those_added_most_in_training(bank, steps):
    # the random bank's products flip the more often the higher their bit
    assert len(steps.detailed_) == steps.config.n_detailed
    assert np.mean(steps.detailed_) > np.mean(range(24))


def test_fitted_steps_come_back_from_json_bit_for_bit(bank, steps):
    again = FeatureSteps.from_state(json.loads(json.dumps(steps.state(), allow_nan=False)))
    before, after = (s.transform(s.inputs(bank, MONTHS[-1])) for s in (steps, again))
    assert after.names == before.names
    assert after.groups == before.groups
    assert np.array_equal(after.x_NF.view(np.uint32), before.x_NF.view(np.uint32))


def test_a_row_depends_on_no_other_row(bank, steps, monkeypatch):
    inputs = steps.inputs(bank, MONTHS[-1])
    whole = steps.transform(inputs).x_NF
    monkeypatch.setattr(steps_module, "CHUNK", 7)
    assert np.array_equal(whole.view(np.uint32), steps.transform(inputs).x_NF.view(np.uint32))
    alone = steps.transform(inputs.take(np.array([11]))).x_NF
    assert np.array_equal(whole[11:12].view(np.uint32), alone.view(np.uint32))


def test_nothing_infinite_leaves_the_transform(bank, steps):
    assert not np.isinf(steps.transform(steps.inputs(bank, MONTHS[-1])).x_NF).any()


def test_a_client_without_history_has_a_profile_and_no_zeros_for_products(bank, steps):
    inputs = steps.inputs(bank, MONTHS[-1])
    hidden = steps.transform(inputs.without_history(np.ones(len(inputs), np.bool_)))
    known = steps.transform(inputs)
    of_history = [
        g.startswith(("history:", "holding:")) or g in ("breadth", "turnover") for g in hidden.groups
    ]
    assert np.isnan(hidden.x_NF[:, of_history]).all()
    of_profile = [g in ("age", "income", "segment", "channel", "region") for g in hidden.groups]
    shared = [n for n, use in enumerate(of_profile) if use and not hidden.names[n].endswith("is_new")]
    assert np.array_equal(hidden.x_NF[:, shared], known.x_NF[:, shared], equal_nan=True)


def test_fences_are_of_training_months_and_missing_values_are_inside(tmp_path):
    clients = [(n, 0, {"income": 900.0 + 10 * n, "age": 30 + n}) for n in range(20)]
    odd = [
        (30, 0, {"income": 1e9}),
        (31, 0, {"age": 119}),
        (32, 0, {"income": None, "age": None, "months": None}),
    ]
    bank = toy_bank(tmp_path, {JAN: clients, FEB: clients + odd})
    steps = FeatureSteps(FeatureConfig(min_count=1, fence=2.0)).fit(bank, [FEB])
    inputs = steps.inputs(bank, MAR, np.arange(23))
    assert np.flatnonzero(steps.is_outlier(inputs)).tolist() == [20, 21]


def test_unfitted_steps_say_so(bank):
    with pytest.raises(NotFittedError):
        FeatureSteps().inputs(bank, MONTHS[-1])
    with pytest.raises(NotFittedError):
        FeatureSteps().state()


def test_fitting_needs_a_month(bank):
    with pytest.raises(InputError, match="months"):
        FeatureSteps().fit(bank, [])
    with pytest.raises(InputError, match="month"):
        FeatureSteps().fit(bank, [MONTHS[0]])


def test_a_missing_attribute_is_named(bank, steps):
    inputs = steps.inputs(bank, MONTHS[-1])
    without = FeatureInput(inputs.target, inputs.held_NL, inputs.present_NL, inputs.attributes.drop("age"))
    with pytest.raises(InputError, match="age"):
        steps.transform(without)


def test_an_output_of_another_shape_is_refused(bank, steps):
    inputs = steps.inputs(bank, MONTHS[-1])
    with pytest.raises(InputError, match="out_NF"):
        steps.transform_into(inputs, np.empty((len(inputs), 3), np.float32))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 0},
        {"config": {"lags": [1]}},
        {"profile": {}},
        {"detailed": [99]},
        {"detailed": []},
        {"schema": {"name": "x"}},
        {"names": ["age"]},
        {"months": ["soon"]},
    ],
)
def test_a_broken_state_is_an_artifact_error(steps, change):
    with pytest.raises(ArtifactError, match="features"):
        FeatureSteps.from_state(steps.state() | change)


def test_a_state_without_a_part_is_an_artifact_error(steps):
    state = steps.state()
    del state["profile"]
    with pytest.raises(ArtifactError, match="profile"):
        FeatureSteps.from_state(state)


@pytest.mark.parametrize(
    "fields",
    [
        {"lags": (1,)},
        {"lags": (2, 2)},
        {"lags": (17,)},
        {"breadth_lags": (0,)},
        {"blocks": ()},
        {"blocks": ("weather",)},
        {"n_detailed": 0},
        {"max_months": 17},
        {"fence": 0},
    ],
)
def test_a_config_refuses_what_makes_no_features(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        FeatureConfig(**fields)

"""From a panel to inputs: histories, attributes as far as they are known, households."""

import numpy as np
import polars as pl
import pytest

from models.products.banks import APR, FEB, JAN, MAR, MONTHS, USUAL, random_bank, toy_bank, toy_types
from nextbest.data.panel.as_of import LeakError
from nextbest.data.panel.schema import SANTANDER
from nextbest.errors import InputError
from nextbest.models.products.features import (
    FeatureConfig,
    FeatureInput,
    FeatureSteps,
    StoredClients,
    inputs_from_panel,
)

TARGET = MONTHS[-1]
MODES = ("month_end", "scoring_time")


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return random_bank(tmp_path_factory.mktemp("bank"), n_customers=120, rng=3)


@pytest.fixture(scope="module", params=MODES)
def steps(bank, request):
    return FeatureSteps(FeatureConfig(min_count=5, attributes=request.param)).fit(bank, MONTHS[-4:-1])


@pytest.fixture(scope="module")
def clients(bank, steps):
    return steps.clients(bank, TARGET)


def test_months_back_are_read_newest_first(bank):
    rows = np.array([0, 5, 7])
    inputs = inputs_from_panel(bank.as_of(TARGET), rows)
    newest = bank.index(TARGET) - 1
    assert inputs.held_NL.shape == (3, 14)
    assert np.array_equal(inputs.held_NL[:, 0], bank.held_MC[newest][rows])
    assert np.array_equal(inputs.present_NL[:, 13], bank.present_MC[0][rows])


def test_inputs_of_a_panel_have_all_attributes_of_the_newest_known_month(bank):
    rows = bank.rows(MONTHS[-2])
    inputs = inputs_from_panel(bank.as_of(TARGET), rows)
    assert inputs.attributes.equals(bank.attributes(MONTHS[-2]).drop("row"))


def test_a_month_after_the_last_can_be_the_target(bank, steps):
    after = SANTANDER.month_before(TARGET, n=-1)
    if steps.config.attributes == "scoring_time":
        with pytest.raises(InputError, match="month"):
            steps.inputs(bank, after)
        return
    inputs = steps.inputs(bank, after)
    assert np.array_equal(inputs.held_NL[:, 0], bank.held(TARGET)[bank.present(TARGET)])


def test_the_past_of_a_client_who_was_not_there_is_unknown(tmp_path):
    bank = toy_bank(
        tmp_path, {JAN: [(1, 1, {})], FEB: [(2, 1, {"relation": "I"})], MAR: [(1, 1, {}), (2, 1, {})]}
    )
    inputs = StoredClients(bank.as_of(APR)).inputs(np.array([0, 1, -1]))
    assert inputs.before["relation"].to_list() == [None, "I", None]
    assert inputs.attributes["age"].to_list() == [40, 40, None]
    assert inputs.present_NL.tolist() == [[True, False, True], [True, True, False], [False] * 3]
    assert inputs.active_NL.tolist() == inputs.present_NL.tolist()
    assert inputs.held_N.tolist() == [1, 1, 0]


@pytest.mark.parametrize("row", [-2, 120])
def test_a_row_that_the_panel_lacks_is_refused(clients, row):
    with pytest.raises(InputError, match="rows"):
        clients.inputs(np.array([0, row]))


def test_an_attribute_of_the_target_month_is_refused_before_scoring_time(bank):
    with pytest.raises(LeakError):
        bank.as_of(TARGET).attributes(TARGET)


def test_a_chunk_of_clients_gets_what_all_get(bank, steps, clients):
    rows = clients.present()
    whole = steps.transform(clients.inputs(rows)).x_NF
    mixed = np.array([rows[9], rows[2], rows[9]])
    found = steps.transform(clients.inputs(mixed)).x_NF
    assert np.array_equal(found.view(np.uint32), whole[[9, 2, 9]].view(np.uint32))


def test_a_stranger_with_the_income_of_a_stored_client_joins_the_household(tmp_path):
    bank = toy_bank(tmp_path, {JAN: [(1, 0, {})], FEB: [(1, 3, {"income": 7.0}), (2, 0, {})]})
    clients = StoredClients(bank.as_of(MAR))
    posted = pl.DataFrame([USUAL | {"income": 7.0}], schema=toy_types(), strict=False)
    stranger = clients.inputs(np.array([-1]), attributes=posted)
    assert stranger.household.row(0) == (2, 3, 2.0)
    assert not stranger.known_N.any()
    own = clients.inputs(np.array([0]), attributes=posted)
    assert own.household.row(0) == (1, None, None), "nobody else has it"


def test_a_profile_needs_no_panel_at_all(tmp_path):
    bank = toy_bank(tmp_path, {JAN: [(1, 0, {})], FEB: [(1, 0, {})]})
    steps = FeatureSteps(FeatureConfig(min_count=1)).fit(bank, [FEB])
    posted = pl.DataFrame([USUAL | {"age": 35, "rank": "high"}], schema=toy_types(), strict=False)
    found = steps.transform(
        FeatureInput(MAR, np.zeros((1, 0), np.uint32), np.zeros((1, 0), np.bool_), posted)
    )
    assert (found.column("age")[0], found.column("attribute.rank")[0]) == (35, 1)
    of_holdings = [group.startswith(("holding", "history")) for group in found.groups]
    assert np.isnan(found.x_NF[:, of_holdings]).all()


def test_a_stranger_is_no_seventh_of_a_household(tmp_path):
    six = [(n, 1, {"income": 7.0}) for n in range(6)]
    clients = StoredClients(toy_bank(tmp_path, {JAN: [(1, 0, {})], FEB: six}).as_of(MAR))
    posted = pl.DataFrame([USUAL | {"income": 7.0}] * 2, schema=toy_types(), strict=False)
    found = clients.inputs(np.array([0, -1]), attributes=posted)
    assert found.household["size"].to_list() == [6, None]

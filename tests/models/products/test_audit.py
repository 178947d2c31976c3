"""The leak audit passes honest features and names those that look ahead."""

import numpy as np
import pytest

from models.products.banks import APR, FEB, JAN, MAR, MONTHS, random_bank, toy_bank
from nextbest.data.panel.as_of import LeakError
from nextbest.errors import InputError
from nextbest.models.products.audit import audit_leaks
from nextbest.models.products.features import FeatureConfig, FeatureInput, FeatureSteps

TARGET = MONTHS[-2]
TRAINING = MONTHS[-5:-2]


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return random_bank(tmp_path_factory.mktemp("bank"), rng=4)


def fitted(bank, kind=FeatureSteps, mode="month_end"):
    return kind(FeatureConfig(min_count=5, attributes=mode, lags=(2,))).fit(bank, TRAINING)


@pytest.mark.parametrize("mode", ["month_end", "scoring_time"])
def test_honest_features_pass(bank, mode):
    audit = audit_leaks(fitted(bank, mode=mode), bank, TARGET)
    assert (
        audit.n_clients == (bank.present(MONTHS[-3]) & (bank.present(TARGET) | (mode == "month_end"))).sum()
    )
    assert audit.scrambled == MONTHS[-2:]
    assert audit.is_refitted
    assert audit.latest["held"] == MONTHS[-3]
    assert audit.latest["attributes"] == (TARGET if mode == "scoring_time" else MONTHS[-3])


class PeeksAtProducts(FeatureSteps):
    """Holds the target month's products for those of the month before: the competition's classical leak."""

    def inputs(self, panel, target, rows=None):
        honest = super().inputs(panel, target, rows)
        clients = self.clients(panel, target).present() if rows is None else rows
        held_NL = np.array(honest.held_NL)
        held_NL[:, 0] = panel.held(target)[clients]
        return FeatureInput(target, held_NL, honest.present_NL, honest.attributes)


def test_a_feature_of_the_target_months_products_is_caught_and_named(bank):
    with pytest.raises(LeakError, match=r"ind_recibo_ult1|feature\(s\)") as caught:
        audit_leaks(fitted(bank, PeeksAtProducts), bank, TARGET)
    named = " ".join(map(str, caught.value.examples))
    assert "lag1" in named
    assert "lag2" not in named, "months that are known stay clean"


class PeeksAtAttributes(FeatureSteps):
    """Takes the target month's attributes though the mode says that they aren't known."""

    def inputs(self, panel, target, rows=None):
        honest = super().inputs(panel, target, rows)
        later = self.clients(panel, panel.schema.month_before(target, n=-1))
        return FeatureInput(
            target, honest.held_NL, honest.present_NL, later.inputs(rows).attributes, honest.before
        )


def test_an_attribute_that_is_not_known_yet_is_caught_and_named(bank):
    with pytest.raises(LeakError, match="age"):
        audit_leaks(fitted(bank, PeeksAtAttributes), bank, TARGET)


class FitsOnTheFuture(FeatureSteps):
    """Learns medians of all months of the panel, as a fit on the whole file does."""

    def fit(self, panel, months):
        super().fit(panel, panel.months[2:])
        self.months_ = tuple(months)
        return self


def test_a_fit_on_later_months_is_caught_and_named(bank):
    with pytest.raises(LeakError, match="fit of the features") as caught:
        audit_leaks(fitted(bank, FitsOnTheFuture), bank, TARGET)
    assert any(str(name).startswith("profile.") for name in caught.value.examples)


def test_a_fit_that_reaches_past_the_target_is_not_repeated(bank):
    steps = FeatureSteps(FeatureConfig(min_count=5)).fit(bank, MONTHS[-3:])
    assert not audit_leaks(steps, bank, TARGET).is_refitted
    assert not audit_leaks(fitted(bank), bank, TARGET, refit=False).is_refitted


def test_few_clients_are_enough_and_the_panel_is_left_alone(bank):
    before = np.array(bank.held_MC)
    assert audit_leaks(fitted(bank), bank, TARGET, max_clients=10).n_clients == 10
    assert np.array_equal(bank.held_MC, before)


def test_a_month_without_a_future_in_the_panel_cannot_be_audited(bank):
    after = bank.schema.month_before(MONTHS[-1], n=-1)
    with pytest.raises(InputError, match="month"):
        audit_leaks(fitted(bank), bank, after)


def test_a_month_before_which_nobody_is_there_cannot_be_audited(tmp_path):
    bank = toy_bank(tmp_path, {JAN: [(1, 0, {})], FEB: [(1, 0, {})], MAR: [], APR: [(1, 0, {})]})
    steps = FeatureSteps(FeatureConfig(min_count=1)).fit(bank, [FEB])
    with pytest.raises(InputError, match="clients"):
        audit_leaks(steps, bank, APR)

"""The comparison: finds what was planted, claims nothing in noise, and tells apart what may have been seen."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from market.llm.llm_cases import noise, tiny, waves
from nextbest.errors import InputError
from nextbest.market.llm.before_and_after import Variant, compare, variants_of
from nextbest.market.llm.judging import AFTER, BASELINES, PERSISTENCE, PRIOR, SEEN
from nextbest.market.llm.wording import table

START = date(2026, 3, 1)
"""Day 424 of the cases' 600."""


def of(found, name, period=AFTER):
    return next(row for row in found.rows if (row.name, row.period) == (name, period))


@pytest.fixture(scope="module")
def planted(bases):
    return compare(waves(), bases["llama"], tiny(), start=START, every=2)


def test_every_variant_has_a_row_beside_the_baselines(planted):
    names = {row.name for row in planted.rows}
    asked = {variant.name for variant in variants_of("tokens")}
    assert names | set(planted.failures) == asked | set(BASELINES)
    assert set(planted.failures) == {"LoRA, text"}  # 128 tokens don't hold it
    assert "tokens" in planted.failures["LoRA, text"]


@pytest.mark.parametrize("name", ["LoRA, tokens", "LoRA, patches"])
def test_what_was_planted_is_found(planted, name):
    row = of(planted, name)
    assert row.against_prior.t < 0
    assert row.against_prior.p < 0.01
    assert row.interval[1] < 0
    assert row.log_loss < of(planted, PRIOR).log_loss - 0.1
    assert row.accuracy > 0.7


def test_the_untaught_model_knows_less_than_the_taught_one(planted):
    assert of(planted, "zero-shot, tokens").log_loss > of(planted, "LoRA, tokens").log_loss + 0.05


def test_losses_by_date_give_the_rows(planted):
    for row in planted.rows:
        assert np.mean(planted.loss[row.name]) == pytest.approx(row.log_loss)
    assert len(planted.dates) == of(planted, PRIOR).n_dates


def test_its_words_say_better_and_name_what_is_free(planted):
    said = planted.document()["texts"]
    assert "DM p 0.00" in said["en"]
    assert "better" in said["en"].split(".  ")[0]
    assert said["ru"].startswith("LoRA, tokens")
    assert "лучше" in said["ru"]
    assert any(line.startswith("LoRA, patches") for line in table(planted))


@pytest.mark.parametrize("seed", [1, 2])
def test_in_noise_nothing_is_claimed(bases, seed):
    panel = noise(seed=seed)
    found = compare(
        panel, bases["mistral"], tiny(), start=START, every=2, rng=seed, variants=[Variant("tokens")]
    )
    row = of(found, "LoRA, tokens")
    assert not (row.against_prior.t < 0 and row.against_prior.p < 0.01)
    assert abs(row.log_loss - of(found, PRIOR).log_loss) < 0.03
    assert "did not help" in found.document()["texts"]["en"]
    assert "не дала ничего" in found.document()["texts"]["ru"]


def test_origins_that_may_have_been_seen_are_reported_apart(bases):
    cut = date(2026, 5, 1)
    base = replace(bases["llama"], seen_until=cut)
    found = compare(
        waves(), base, tiny(steps=0), start=START, variants=[Variant("tokens"), Variant("tokens", is_taught=False)]
    )  # fmt: skip
    seen, after = (of(found, PERSISTENCE, period) for period in (SEEN, AFTER))
    assert seen.n_dates == sum(day <= str(cut) for day in found.dates)
    assert seen.n_dates + after.n_dates == len(found.dates)
    assert list(found.is_seen) == [day <= str(cut) for day in found.dates]


def test_where_nobody_says_until_when_it_read_nothing_is_said_of_help(bases):
    base = replace(bases["llama"], seen_until=date.max)
    found = compare(waves(), base, tiny(steps=0), start=START, variants=[Variant("tokens")])
    assert {row.period for row in found.rows} == {SEEN}
    assert "nothing can be said" in found.document()["texts"]["en"]


def test_only_the_assets_asked_about_are_judged(bases):
    found = compare(
        waves(), bases["llama"], tiny(steps=0), start=START, variants=[Variant("tokens")], assets=["NAMED1"]
    )
    assert of(found, PRIOR).n_questions == of(found, PRIOR).n_dates


def test_the_past_of_the_test_does_not_depend_on_it(bases):
    """The prior, and the last class's table, are of bars before the start."""
    short, long = waves().until(520), waves()
    config = tiny(steps=0)
    found = [
        compare(p, bases["llama"], config, start=START, every=1, variants=[Variant("tokens")])
        for p in (short, long)
    ]
    shared = [day for day in found[0].dates if day in found[1].dates]
    assert len(shared) > 50
    for name in found[0].loss:
        by_day = [dict(zip(one.dates, one.loss[name], strict=True)) for one in found]
        np.testing.assert_allclose(*([days[day] for day in shared] for days in by_day), rtol=1e-4)


def test_bad_calls_are_told(bases):
    ask = {"start": START, "variants": [Variant("tokens")]}
    with pytest.raises(InputError, match="taught"):
        compare(waves(), bases["llama"], tiny(), start=START, variants=[Variant("tokens", is_taught=False)])
    with pytest.raises(InputError, match="start"):
        compare(waves(), bases["llama"], tiny(steps=0), start=date(2026, 8, 23), variants=ask["variants"])
    with pytest.raises(InputError, match="every"):
        compare(waves(), bases["llama"], tiny(steps=0), every=0, **ask)
    with pytest.raises(InputError, match="assets"):
        compare(waves(), bases["llama"], tiny(steps=0), assets=["XRP"], **ask)

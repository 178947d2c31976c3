"""One offer on a flat table: known answers, folders, time order; the line proved against a plain optimiser."""

import json

import numpy as np
import polars as pl
import pytest

from nextbest.errors import ArtifactError, DataError, InputError, NotFittedError
from nextbest.models.products.base import sigmoid
from nextbest.models.products.flat_table import FlatTable
from nextbest.models.products.logistic import Logistic
from nextbest.models.products.offer_model import OfferConfig, OfferModel

QUICK = OfferConfig(n_trials=2, n_folds=3, n_bags=1, blend_rounds=4)


def clients(n=900, *, rng=0, drift=0.0):
    """Students with money say yes; everybody says yes more often in later rows when there is drift."""
    gen = np.random.default_rng(rng)
    job = gen.choice(["student", "clerk", "retired"], n)
    balance = gen.normal(0, 1, n)
    raw = -2.5 + 2.0 * (job == "student") + 1.2 * balance + drift * np.arange(n) / n
    table = pl.DataFrame(
        {
            "job": pl.Series(job).set(pl.Series(gen.random(n) < 0.05), None),
            "balance": pl.Series(balance).set(pl.Series(gen.random(n) < 0.05), None),
            "is_new": pl.Series(gen.random(n) < 0.5),
        }
    )
    return table, gen.random(n) < sigmoid(raw), sigmoid(raw)


@pytest.fixture(scope="module")
def fitted():
    table, yes, _ = clients()
    return OfferModel(QUICK).fit(table, yes, rng=0)


def test_probabilities_come_near_the_true_ones(fitted):
    table, _, true = clients(rng=1)
    p = fitted.probabilities(table)
    assert p.shape == (900,)
    assert p.dtype == np.float32
    assert np.corrcoef(p, true)[0, 1] > 0.9
    assert p.mean() == pytest.approx(true.mean(), abs=0.03)


def test_the_same_seed_gives_the_same_model():
    table, yes, _ = clients(300)
    one, two = (OfferModel(QUICK).fit(table, yes, rng=5).probabilities(table) for _ in range(2))
    assert (one == two).all()


def test_a_saved_model_answers_the_same(fitted, tmp_path):
    table, _, _ = clients(50, rng=2)
    fitted.save(tmp_path / "m")
    loaded = OfferModel.load(tmp_path / "m")
    assert (loaded.probabilities(table) == fitted.probabilities(table)).all()
    assert (loaded.contributions(table) == fitted.contributions(table)).all()
    assert loaded.config == QUICK


def test_a_folder_without_a_part_and_of_another_kind_are_artifact_errors(fitted, tmp_path):
    fitted.save(tmp_path / "m")
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    (tmp_path / "m" / "manifest.json").write_text(json.dumps({**manifest, "kind": "ease"}))
    with pytest.raises(ArtifactError, match="holds a 'ease' model, not 'offer'"):
        OfferModel.load(tmp_path / "m")
    del manifest["config"]["table"]
    (tmp_path / "m" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="lacks a part of an offer model"):
        OfferModel.load(tmp_path / "m")


def test_contributions_name_the_columns_that_matter(fitted):
    table, _, _ = clients(300, rng=3)
    parts = np.abs(fitted.contributions(table)).mean(axis=0)
    assert parts.shape == (3,)
    assert parts[2] < 0.3 * min(parts[0], parts[1])


def test_columns_may_come_in_any_order_and_a_value_never_seen_is_missing(fitted):
    table, _, _ = clients(40, rng=4)
    turned = table.select("is_new", "balance", "job")
    assert (fitted.probabilities(turned) == fitted.probabilities(table)).all()
    strange = table.with_columns(job=pl.lit("astronaut"))
    missing = table.with_columns(job=pl.lit(None, pl.String))
    assert (fitted.probabilities(strange) == fitted.probabilities(missing)).all()


def test_with_time_order_the_level_is_that_of_the_newest_rows():
    table, yes, true = clients(3000, drift=3.0)
    plain = OfferModel(QUICK.model_copy(update={"learners": ("logistic",)}))
    timed = OfferModel(QUICK.model_copy(update={"learners": ("logistic",), "order": "time"}))
    newest = table.tail(600)
    level = true[-600:].mean()
    wrong, right = (m.fit(table, yes).probabilities(newest).mean() for m in (plain, timed))
    assert abs(right - level) < 0.04 < abs(wrong - level)
    assert plain.shift_ == 0.0 < timed.shift_


def test_a_spent_budget_still_tries_every_learner_once():
    table, yes, _ = clients(300)
    config = QUICK.model_copy(update={"n_trials": 50, "max_cpu_s": 1e-6})
    assert OfferModel(config).fit(table, yes).metrics_["n_tried"] == 2


def test_wrong_calls_are_refused(fitted, tmp_path):
    table, yes, _ = clients(300)
    with pytest.raises(InputError, match=r"said_yes: must have shape \(300,\)"):
        OfferModel(QUICK).fit(table, yes[:5])
    with pytest.raises(DataError, match="20 rows of either answer"):
        OfferModel(QUICK).fit(table, np.zeros(300, bool))
    with pytest.raises(InputError, match=r"lacks 1 column\(s\) of the model; got \['job'\]"):
        fitted.probabilities(table.drop("job"))
    with pytest.raises(NotFittedError, match="OfferModel"):
        OfferModel().probabilities(table)
    with pytest.raises(DataError, match="column 'when' must be a number"):
        OfferModel(QUICK).fit(table.with_columns(when=pl.lit(None, pl.Date)), yes)
    with pytest.raises(InputError, match="at least one column"):
        FlatTable().fit(pl.DataFrame())


def test_rare_values_share_the_missing_code():
    table = pl.DataFrame({"c": ["a"] * 20 + ["b"] * 12 + ["rare"] * 3})
    flat = FlatTable(min_count=10).fit(table)
    assert flat.vocabularies_ == {"c": ["a", "b"]}
    codes = flat.codes(table)[:, 0]
    assert codes[[0, 20]].tolist() == [0, 1]
    assert np.isnan(codes[-1])
    spread, source = flat.spread(flat.codes(table))
    assert spread[[0, 20, 34]].tolist() == [[1, 0], [0, 1], [0, 0]]
    assert source.tolist() == [0, 0]


def test_the_line_is_ridge_logistic_regression():
    from scipy.optimize import minimize

    gen = np.random.default_rng(0)
    x = gen.normal(3, 2, (400, 3))
    y = gen.random(400) < sigmoid(x[:, 0] - 3)
    weight = gen.uniform(0.5, 2, 400)
    line = Logistic.fit(x, y, weight, l2=5.0)
    mean = np.average(x, axis=0, weights=weight)
    z = (x - mean) / np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight))

    def loss(b):
        raw = z @ b[:3] + b[3]
        return weight @ (np.logaddexp(0, raw) - y * raw) + 2.5 * b[:3] @ b[:3]

    best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-6}).x
    assert np.append(line.slope_F, line.offset) == pytest.approx(best, abs=1e-3)
    assert line.parts(x).sum(axis=1) + line.offset == pytest.approx(line.raw(x))


def test_a_line_takes_a_missing_value_for_the_mean_and_a_constant_for_nothing():
    gen = np.random.default_rng(0)
    x = np.column_stack([gen.normal(size=200), np.full(200, 7.0)])
    line = Logistic.fit(x, x[:, 0] > 0, np.ones(200), l2=1.0)
    assert line.raw([[np.nan, 7.0]]) == pytest.approx(line.raw([[line.mean_F[0], 7.0]]))
    assert line.parts(x)[:, 1] == pytest.approx(0)


def test_in_time_order_answers_that_all_come_late_are_told_in_words():
    table, _, _ = clients(400)
    yes = np.arange(400) >= 360
    with pytest.raises(DataError, match="said_yes: needs 10 rows that said yes"):
        OfferModel(QUICK.model_copy(update={"order": "time"})).fit(table, yes)


def test_a_number_that_became_a_text_is_told_in_words(fitted):
    table, _, _ = clients(5)
    with pytest.raises(DataError, match="column 'balance' must be a number or a flag, is String"):
        fitted.probabilities(table.with_columns(balance=pl.lit("much")))
    nothing = table.with_columns(balance=pl.Series([None] * 5))
    assert fitted.probabilities(nothing).shape == (5,)

"""Rolling months: what is counted equals a count by hand, nothing reads ahead, every row says where it comes from."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nextbest.data.panel.panel import Panel, additions
from nextbest.errors import InputError
from nextbest.evaluation.additions import addition_precision
from nextbest.experiments.products.contenders import ALL_ROWS, BASELINES, WHOLE, Plan
from nextbest.experiments.products.evaluate import evaluate_products
from nextbest.experiments.products.report import ProductReport
from nextbest.models.products.config import ProductConfig
from nextbest.simulate.panel import simulate_panel

CONFIG = ProductConfig.of(
    {
        "months": 3,
        "members": [
            {"kind": "per_product", "config": {"gbm": {"n_trees": 8}}},
            {"kind": "two_stage", "config": {"any": {"n_trees": 8}, "choice": {"gbm": {"n_trees": 8}}}},
        ],
        "ownership": {"gbm": {"n_trees": 8}},
        "profile": None,
        "refit": False,
    }
)
ROWS = (*BASELINES, "per_product", *WHOLE)


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    return simulate_panel(scale=0.004, rng=3, months=9).to_panel(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def report(panel: Panel) -> ProductReport:
    return evaluate_products(panel, months=2, models=ROWS, config=CONFIG, n_resamples=50)


def _figures(report: ProductReport, model: str) -> dict[str, Any]:
    return next(row.figures for row in report.rows if row.model == model)


def test_every_row_that_was_asked_for_is_there_in_order(report: ProductReport) -> None:
    assert [row.model for row in report.rows] == list(ROWS)
    assert report.months == ["2015-08", "2015-09"]


def test_masked_popularity_is_the_mean_precision_of_counts_by_hand(
    panel: Panel, report: ProductReport
) -> None:
    months, scores = panel.months, []
    for target in months[-2:]:
        at = months.index(target)
        weight = 0.5 ** (np.arange(at - 1, 0, -1) / CONFIG.half_life_months)[-CONFIG.months - 1 :]
        counts = np.zeros(24)
        for share, month in zip(weight, months[at - len(weight) : at], strict=True):
            added = additions(panel, month).added_N
            counts += share * ((added[:, None] >> np.arange(24, dtype=np.uint32)) & 1).sum(axis=0)
        _, held, added = additions(panel, target)
        whole = np.broadcast_to(counts.astype(np.float64), (len(held), 24))
        scores.append(addition_precision(np.ascontiguousarray(whole), added, held_N=held))
    wanted = float(np.nanmean(np.concatenate(scores)))
    found = _figures(report, "masked_popularity")["map@7_adders"]["value"]
    assert found == pytest.approx(wanted, abs=0.02)  # the sample of clients moves near ties, not the level


def test_persistence_adds_nothing_and_owns_what_was_held(panel: Panel, report: ProductReport) -> None:
    figures = _figures(report, "persistence")
    same = total = 0
    for target in panel.months[-2:]:
        rows, held, _ = additions(panel, target)
        owned = np.asarray(panel.held(target))[rows]
        same, total = same + int((owned == held).sum()), total + len(rows)
    assert figures["exact_match"]["value"] == pytest.approx(same / total)
    assert figures["f1_micro"]["value"] == 0
    assert figures["ownership_f1_weighted"]["value"] > 0.9


def test_the_first_systems_constant_owns_current_accounts_only(report: ProductReport) -> None:
    figures = _figures(report, "constant_current_account")
    assert figures["ownership_f1_weighted"]["value"] < 0.6
    assert figures["ece"] is None


def test_lags_beat_popularity_and_the_test_says_so(report: ProductReport) -> None:
    row = next(r for r in report.rows if r.model == "per_product")
    assert row.difference is not None
    assert row.difference["to"] in BASELINES
    assert row.difference["value"] > 0
    assert row.difference["p_holm"] < 0.05


def test_priors_change_probabilities_and_reranking_only_order(report: ProductReport) -> None:
    blend, priors, whole = (_figures(report, name) for name in WHOLE)
    assert blend["brier"] != priors["brier"]
    assert priors["brier"] == whole["brier"]
    assert whole["ownership_f1_weighted"] == priors["ownership_f1_weighted"]


def test_json_has_the_contract_keys(report: ProductReport) -> None:
    document = report.to_dict()
    assert set(document) >= {"months", "rows"}
    for row in document["rows"]:
        assert set(row) >= {"model", "map@7_adders", "map@7", "f1_weighted", "ece"}


def test_markdown_shows_each_model_and_month(report: ProductReport) -> None:
    text = report.to_markdown()
    assert all(f"| {name} |" in text for name in ROWS)
    assert "| model | 2015-08 | 2015-09 |" in text


def test_the_served_row_is_reported_by_sex_age_and_province(panel: Panel, report: ProductReport) -> None:
    fairness = report.to_dict()["fairness"]
    assert fairness["model"] == "product_model"
    whole, *groups = fairness["groups"]
    assert {row["attribute"] for row in groups} == {"sex", "age_band", "province"}
    found = [additions(panel, month) for month in panel.months[-2:]]
    assert whole["n_clients"] == sum(len(month.row_N) for month in found)
    assert whole["observed"] == sum(int(np.bitwise_count(month.added_N).sum()) for month in found)
    assert whole["observed_to_expected"] == pytest.approx(whole["observed"] / whole["expected"])
    foretells = _figures(report, "product_model")["precision_weighted"]["value"] > 0
    assert whole["offered_share"] > 0 or not foretells
    for attribute in ("sex", "age_band", "province"):
        assert sum(r["n_clients"] for r in groups if r["attribute"] == attribute) == whole["n_clients"]
    text = report.to_markdown()
    assert f"| all | all | {whole['n_clients']:,} |" in text
    n_provinces = sum(row["attribute"] == "province" for row in groups)
    assert n_provinces > 10
    assert text.count("| province |") == 10
    assert f"{n_provinces - 10} of province" in text


def test_without_the_served_row_there_is_no_report_by_group(panel: Panel) -> None:
    report = evaluate_products(panel, months=1, models=("segment_rates",), config=CONFIG, n_resamples=20)
    assert report.to_dict()["fairness"] is None
    assert "by group of clients" not in report.to_markdown()


def test_what_comes_later_changes_no_figure(panel: Panel, tmp_path: Path) -> None:
    """The same months, asked of a panel that ends there, give the same figures: nothing reads ahead."""
    shorter = simulate_panel(scale=0.004, rng=3, months=8).to_panel(tmp_path)
    month = panel.months[7]
    run: Callable[[Panel], ProductReport] = lambda p: evaluate_products(  # noqa: E731
        p, months=[month], models=("segment_rates", "product_model"), config=CONFIG, n_resamples=20
    )
    assert [r.figures for r in run(shorter).rows] == [r.figures for r in run(panel).rows]


def test_fitting_once_is_one_fit(panel: Panel) -> None:
    report = evaluate_products(
        panel,
        months=2,
        models=("masked_popularity", "per_product"),
        config=CONFIG,
        refit="once",
        n_resamples=20,
    )
    assert len(report.protocol["learned_from"]) == 1


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"months": 0}, "1 or more"),
        ({"months": 9}, "must be at most [1-9]; got 9; each needs 4 months of the panel before it"),
        ({"months": [date(2015, 2, 28)]}, "must lie in 2015-05 to 20.*got '2015-02'"),
        ({"models": ("popularity", "popularity")}, "different names"),
        ({"models": ("oracle",)}, "oracle"),
        ({"models": ()}, "different names"),
    ],
)
def test_wrong_calls(panel: Panel, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        evaluate_products(panel, config=CONFIG, **asked)


def test_every_known_row_has_a_contender(panel: Panel) -> None:
    contenders = Plan(ALL_ROWS).contenders(panel, CONFIG, n_threads=1)
    assert {name for c in contenders for name in c.rows} == set(ALL_ROWS)

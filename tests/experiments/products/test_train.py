"""From a panel to a model's folder: what is kept is what was fitted, and nothing that looked ahead is kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nextbest.data.panel.as_of import LeakError
from nextbest.data.panel.panel import Panel
from nextbest.experiments.products.train import ProductTraining, train_products
from nextbest.models.products.config import ProductConfig
from nextbest.models.products.features import FeatureInput, FeatureSteps
from nextbest.models.products.product_model import ProductModel
from nextbest.simulate.panel import simulate_panel

CONFIG = ProductConfig.of(
    {
        "months": 3,
        "members": [{"kind": "per_product", "config": {"gbm": {"n_trees": 4}}}],
        "ownership": None,
        "profile": None,
        "refit": False,
    }
)


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    return simulate_panel(scale=0.002, rng=1, months=8).to_panel(tmp_path_factory.mktemp("bank"))


def test_the_folder_is_the_model_and_the_record_holds_the_leak_audit(panel: Panel, tmp_path: Path) -> None:
    made = train_products(panel, tmp_path / "model", config=CONFIG)
    assert ProductModel.load(tmp_path / "model").version == made.model_version
    audit = made.leak_audit
    assert (audit["month"], audit["is_refitted"]) == ("2015-08", True)
    assert audit["n_features"] > 100
    assert audit["latest"] == {"held": "2015-07", "present": "2015-07", "attributes": "2015-07"}
    assert "leak audit of 2015-08" in made.to_text()


def training(**metrics: Any) -> ProductTraining:
    months = [f"2015-{m:02d}-28" for m in range(5, 13)]
    return ProductTraining(
        model="m",
        model_version="v",
        target="2016-02",
        attributes="month_end",
        n_clients=1,
        metrics={"train_months": months, "valid_month": "2016-01-28", "rows": {}, "cpu_s": {}} | metrics,
        leak_audit={"month": "2016-01", "n_features": 3, "n_clients": 1},
        fit_cpu_s=1.0,
        peak_mb=1.0,
    )


def test_the_record_is_told_in_words_and_says_what_the_validation_month_is_not() -> None:
    text = training(map_at_7=0.88502, map_at_7_reranked=0.88361, weights=[0.25, 0.75]).to_text()
    assert "trained on 2015-05..2015-12 (8 months)" in text
    assert "validation month 2016-01, not out of time" in text
    assert "0.8850 by probability, 0.8836 re-ranked (kept: re-ranking was chosen on several months" in text
    assert "weights of the members: 0.25, 0.75" in text
    assert "[" not in text
    better = training(map_at_7=0.8, map_at_7_reranked=0.9, weights=[1.0]).to_text()
    assert "0.9000 re-ranked" in better
    assert "kept" not in better
    assert "weights of the members" not in better
    plain = training(map_at_7=0.8, map_at_7_reranked=0.8).to_text()
    assert "re-ranked" not in plain


def test_a_model_that_looks_ahead_is_not_written(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = FeatureSteps.inputs

    def peeking(self, panel, target, rows=None) -> FeatureInput:
        """The month before the target shows the target's own products."""
        found = honest(self, panel, target, rows)
        if target in panel.months and rows is not None:
            found.held_NL[:, 0] = np.asarray(panel.held(target))[rows]
        return found

    monkeypatch.setattr(FeatureSteps, "inputs", peeking)
    with pytest.raises(LeakError, match="depend on what isn't known before 2015-08"):
        train_products(panel, tmp_path / "model", config=CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_months_trained_on_are_told_in_runs_over_the_turn_of_a_year() -> None:
    apart = ["2015-02-28", "2015-11-28", "2015-12-28", "2016-01-28"]
    assert "trained on 2015-02, 2015-11..2016-01 (4 months)" in training(train_months=apart).to_text()

"""From a panel to a model's folder: what is kept is what was fitted, and nothing that looked ahead is kept."""

from pathlib import Path

import numpy as np
import pytest

from nextbest.data.panel.as_of import LeakError
from nextbest.data.panel.panel import Panel
from nextbest.experiments.products.train import train_products
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

"""A bank of two thousand simulated clients with a model of a few small trees: everything real, in half a second."""

from pathlib import Path

from nextbest.data.panel.panel import Panel
from nextbest.models.products.config import ProductConfig
from nextbest.models.products.product_model import ProductModel
from nextbest.simulate.panel import simulate_panel

CONFIG = ProductConfig.of(
    {
        "months": 3,
        "members": [{"kind": "per_product", "config": {"gbm": {"n_trees": 12}}}],
        "ownership": None,
        "refit": False,
        "profile": {"known_products": False, "gbm": {"n_trees": 8}},
        "profile_months": 2,
    }
)


def tiny_panel(folder: Path, *, months: int = 8, scale: float = 0.002) -> Panel:
    """The panel in `folder/panel`."""
    return simulate_panel(scale=scale, rng=1, months=months).to_panel(folder / "panel")


def tiny_model(panel: Panel, *, rng: int = 0) -> ProductModel:
    """A model of the month after the panel's last."""
    target = panel.schema.month_before(panel.months[-1], n=-1)
    return ProductModel(CONFIG).fit(panel, target=target, rng=rng)

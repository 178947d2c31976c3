"""One tiny bank for all tests of this folder."""

from pathlib import Path
from typing import NamedTuple

import pytest

from nextbest.data.panel.panel import Panel
from nextbest.models.products.product_model import ProductModel
from nextbest.pipeline.decisions.policy import DecisionPolicy, load_policy
from nextbest.pipeline.products.advisor import ProductAdvisor
from pipeline.products.tiny_bank import tiny_model, tiny_panel


class Bank(NamedTuple):
    """What the tests look at."""

    panel: Panel
    model: ProductModel
    policy: DecisionPolicy
    advisor: ProductAdvisor
    folder: Path

    @property
    def ids(self) -> list[int]:
        """Clients of the newest month."""
        return self.panel.ids.decode(self.panel.rows(self.panel.months[-1])).to_list()


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    folder = tmp_path_factory.mktemp("bank")
    panel = tiny_panel(folder)
    model = tiny_model(panel)
    policy = load_policy("santander")
    return Bank(panel, model, policy, ProductAdvisor(model, panel=panel, policy=policy), folder)

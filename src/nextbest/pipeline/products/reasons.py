"""What a product model's reasons are made from, for clients with and without stored history alike.

Axes: N clients, G reason groups.
"""

import numpy as np
from numpy.typing import NDArray

from nextbest.models.products.features.tables import FeatureInput, FeatureTable
from nextbest.models.products.product_model import ProductModel
from nextbest.pipeline.decisions.reasons import ReasonSource


def reason_source(model: ProductModel, inputs: FeatureInput, table: FeatureTable) -> ReasonSource:
    """Contributions by reason group, asked for only where offers are.

    Parameters
    ----------
    model
        Fitted.
    inputs, table
        Of the same N clients; `table` is `model.features(inputs)`.
    """
    groups = model.explain(
        inputs.take(slice(0, 0)), np.empty((0, 1), np.int64), table=table.take(slice(0, 0))
    ).groups

    def contributions(product: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        asked = np.full((len(rows), 1), product, np.int64)
        found = model.explain(inputs.take(rows), asked, table=table.take(rows))
        return found.parts_NKG[:, 0]

    return ReasonSource(groups, groups, contributions, inputs)

"""Features of clients as of a cutoff: one code path for training, batch and a single posted profile."""

from nextbest.models.products.features.clients import StoredClients, inputs_from_panel
from nextbest.models.products.features.config import PROFILE_BLOCKS, FeatureConfig
from nextbest.models.products.features.steps import FeatureSteps
from nextbest.models.products.features.tables import FeatureInput, FeatureTable

__all__ = [
    "PROFILE_BLOCKS",
    "FeatureConfig",
    "FeatureInput",
    "FeatureSteps",
    "FeatureTable",
    "StoredClients",
    "inputs_from_panel",
]

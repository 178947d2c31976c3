"""Features of clients as of a cutoff: one code path for training, batch and a single posted profile."""

from nextbest.models.products.features.tables import FeatureInput, FeatureTable

__all__ = ["FeatureInput", "FeatureTable"]

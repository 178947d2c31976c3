"""Folders of known layouts as tables of ours: Moscow exchange prices, Russian asset classes, FAR-Trans customers."""

from nextbest.data.holdings.layouts.asset_classes import read_asset_classes
from nextbest.data.holdings.layouts.far_trans import read_far_trans_customers
from nextbest.data.holdings.layouts.moex import read_moex

__all__ = ["read_asset_classes", "read_far_trans_customers", "read_moex"]

"""Who adds which product next month: features, training sets, estimators, calibration, ranking.

The contract between the modules is in `docs/decisions/0003-bank-products.md`. Importing this
package loads neither LightGBM nor CatBoost.
"""

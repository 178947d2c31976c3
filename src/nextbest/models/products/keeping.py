"""A fitted product model as what a folder keeps, and back: plain JSON, arrays, boosters as text. No pickle, no client."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from nextbest.models.products.base import State
from nextbest.models.products.calibration import Calibrator
from nextbest.models.products.config import ProductConfig
from nextbest.models.products.ensemble import Ensemble
from nextbest.models.products.features.steps import FeatureSteps
from nextbest.models.products.fitting import Fitted
from nextbest.models.products.per_product import PerProduct


def described(fitted: Fitted, config: ProductConfig) -> dict[str, Any]:
    """Everything fitted that is plain JSON."""
    return {
        "settings": config.model_dump(mode="json"),
        "target": fitted.target.isoformat(),
        "products": list(fitted.products),
        "features": fitted.steps.state(),
        "ensemble": fitted.ensemble.described(),
        "drops": fitted.drops and fitted.drops.described(),
        "profile": fitted.profile and fitted.profile.described(),
        "profile_features": fitted.profile_steps and fitted.profile_steps.state(),
        "metrics": fitted.metrics,
    }


def state_of(fitted: Fitted) -> State:
    """Everything fitted that is arrays and boosters."""
    state = State(
        {
            "shift": fitted.shift_P,
            "expected": fitted.expected_P,
            "threshold": np.array([fitted.threshold]),
        }
    )
    state.update(fitted.ensemble.state().under("ensemble"))
    state.update(State(fitted.drop_calibrator.arrays()).under("drop_calibration"))
    for name, model in (("drops", fitted.drops), ("profile", fitted.profile)):
        if model is not None:
            state.update(model._state().under(name))
    return state


def restored(
    described: dict[str, Any], state: State, config: ProductConfig, folder: Path, n_threads: int
) -> Fitted:
    """What `described` and `state_of` gave. KeyError, TypeError or ValueError when a part is missing."""

    def boosters(name: str) -> PerProduct | None:
        one = described[name]
        if one is None:
            return None
        return PerProduct.restored(one, state.of(name), folder=folder, n_threads=n_threads)

    products = tuple(described["products"])
    profile_features = described["profile_features"]
    fitted = Fitted(
        target=date.fromisoformat(described["target"]),
        products=products,
        steps=FeatureSteps.from_state(described["features"]),
        ensemble=Ensemble.restored(
            described["ensemble"],
            state.of("ensemble"),
            config=config,
            folder=folder,
            n_products=len(products),
            n_threads=n_threads,
        ),
        shift_P=state.arrays["shift"],
        expected_P=state.arrays["expected"],
        threshold=float(state.arrays["threshold"][0]),
        drops=boosters("drops"),
        drop_calibrator=Calibrator.from_arrays(state.of("drop_calibration").arrays, config.calibration),
        profile_steps=None if profile_features is None else FeatureSteps.from_state(profile_features),
        profile=boosters("profile"),
        metrics=described["metrics"],
    )
    if len(fitted.shift_P) != len(products) or fitted.steps.schema.product_columns != products:
        raise ValueError("products of the parts differ")
    return fitted


def timeless(value: Any) -> Any:
    """The same JSON without metrics, which hold seconds."""
    if isinstance(value, dict):
        return {name: timeless(one) for name, one in value.items() if name != "metrics"}
    if isinstance(value, list):
        return [timeless(one) for one in value]
    return value

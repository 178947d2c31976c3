"""Several estimators as one: each calibrated, blended with few weights, their co-additions learned.

Learned in two steps: everything on training months with a later month to judge by, then the estimators
alone once more on all months. Knows nothing of panels. Axes: N rows, P products, E members, F features.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextbest.data.panel.masks import unpack_masks
from nextbest.errors import ArtifactError
from nextbest.models.products.base import AdditionModel, FloatArray, State
from nextbest.models.products.blend import blended, fit_weights
from nextbest.models.products.calibration import Calibrator
from nextbest.models.products.config import ESTIMATORS, ProductConfig, make_estimator
from nextbest.models.products.features.tables import FeatureTable
from nextbest.models.products.priors import shifted, shifts_for
from nextbest.models.products.rerank import CoAdditions, average_precision_at_k, rank_products
from nextbest.models.products.training import TrainingSet

log = logging.getLogger(__name__)
_EXPLAINED = ("per_product", "catboost_multilogloss", "two_stage", "segment_rates")
"""Whose contributions are shown, first choice first: log-odds of one product are the easiest to read."""


class Ensemble:
    """Calibrated members, their weights, and which products come together."""

    def __init__(self, config: ProductConfig, *, n_threads: int = 1) -> None:
        self.config, self.n_threads = config, n_threads
        self.members_: list[AdditionModel] = []
        self.calibrators_: list[Calibrator] = []
        self.weights_: NDArray[np.float64] = np.zeros(0)
        self.together_ = CoAdditions(0)
        self.metrics_: dict[str, Any] = {}
        """What the validation month said: `map_at_7` of each member by its name and of the blend, seconds of fitting."""

    def fit(
        self, train: TrainingSet, valid: TrainingSet, *, rng: np.random.Generator, progress: bool = False
    ) -> None:
        """Fit the members on `train`; calibrate, weigh and link on the later `valid`."""
        n_products = len(train.products)
        added_NP = unpack_masks(valid.added_N, n_products=n_products)
        can_NP = ~unpack_masks(valid.held_N, n_products=n_products)
        self.metrics_ = {"members": {}}
        self.members_, self.calibrators_ = [], []
        parts: list[FloatArray] = []
        specs = self.config.members
        names = member_names(spec.kind for spec in specs)
        for name, spec, stream in zip(names, specs, rng.spawn(len(specs)), strict=True):
            start = time.process_time()
            member = make_estimator(spec.kind, spec.config, n_threads=self.n_threads)
            member.fit(train, valid=valid, rng=stream, progress=progress)
            raw_NP = member.probabilities(valid.table, valid.held_N)
            calibrator = Calibrator(self.config.calibration).fit(
                raw_NP, added_NP, can_NP=can_NP, weight_N=valid.weight_N
            )
            parts.append(calibrator(raw_NP))
            self.members_.append(member)
            self.calibrators_.append(calibrator)
            self.metrics_["members"][name] = {
                "map_at_7": _map_at_7(parts[-1], valid),
                "cpu_s": round(time.process_time() - start, 2),
            }
        self.weights_ = fit_weights(parts, valid.added_N, config=self.config.blend)
        p_NP = blended(parts, self.weights_)
        self.together_ = CoAdditions(n_products)
        if self.config.rerank is not None:
            # links are about products, not about how many came in one month
            seen_P = valid.weight_N.astype(np.float64) @ added_NP
            leveled_NP = shifted(p_NP, shifts_for(p_NP, seen_P, weight_N=valid.weight_N))
            self.together_ = CoAdditions.fit(
                leveled_NP, valid.added_N, weight_N=valid.weight_N, config=self.config.rerank
            )
        self.metrics_ |= {
            "map_at_7": _map_at_7(p_NP, valid),
            "map_at_7_reranked": _map_at_7(p_NP, valid, self.together_),
            "weights": self.weights_.tolist(),
        }
        log.info("ensemble on %d rows, judged on %d: %s", len(train), len(valid), self.metrics_)

    def refit(self, train: TrainingSet, *, rng: np.random.Generator, progress: bool = False) -> None:
        """Fit the members that have weight once more, on these rows; calibration, weights and links stay."""
        streams = rng.spawn(len(self.members_))
        for weight, member, stream in zip(self.weights_, self.members_, streams, strict=True):
            if weight:
                member.fit(train, rng=stream, progress=progress)

    def probabilities(self, table: FeatureTable, held_N: NDArray[np.uint32]) -> FloatArray:
        """P(add), calibrated and blended, shape (N, P); 0 where held."""
        asked = [at for at, weight in enumerate(self.weights_) if weight]
        parts = [self.calibrators_[at](self.members_[at].probabilities(table, held_N)) for at in asked]
        return blended(parts, self.weights_[asked])

    @property
    def explained(self) -> AdditionModel:
        """The member whose contributions are shown: the most readable kind with weight, of one kind the weightiest."""
        asked = (at for at, weight in enumerate(self.weights_) if weight)
        at = min(asked, key=lambda at: (_EXPLAINED.index(self.members_[at].kind), -self.weights_[at]))
        return self.members_[at]

    def described(self) -> dict[str, Any]:
        """Members in JSON's own types, what `restored` reads beside the state."""
        return {
            "members": [{"kind": member.kind, **member.described()} for member in self.members_],
            "metrics": self.metrics_,
        }

    def state(self) -> State:
        """Everything fitted."""
        state = State({"weights": self.weights_, **self.together_.arrays()})
        for at, (member, calibrator) in enumerate(zip(self.members_, self.calibrators_, strict=True)):
            state.update(member._state().under(f"member{at}"))
            state.update(State(calibrator.arrays()).under(f"calibration{at}"))
        return state

    @classmethod
    def restored(
        cls,
        described: Mapping[str, Any],
        state: State,
        *,
        config: ProductConfig,
        folder: Path,
        n_products: int,
        n_threads: int = 1,
    ) -> "Ensemble":
        """The ensemble of what `described` and `state` gave.

        Raises
        ------
        ArtifactError
            A part is missing or malformed.
        """
        ensemble = cls(config, n_threads=n_threads)
        try:
            for at, one in enumerate(described["members"]):
                ensemble.members_.append(
                    ESTIMATORS[one["kind"]].restored(
                        one, state.of(f"member{at}"), folder=folder, n_threads=n_threads
                    )
                )
                ensemble.calibrators_.append(
                    Calibrator.from_arrays(state.of(f"calibration{at}").arrays, config.calibration)
                )
            ensemble.weights_ = state.arrays["weights"]
            ensemble.together_ = CoAdditions.from_arrays(state.arrays, n_products=n_products)
            ensemble.metrics_ = dict(described["metrics"])
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(folder, f"lacks a part of its ensemble ({error!r})") from error
        if len(ensemble.weights_) != len(ensemble.members_):
            raise ArtifactError(folder, "has weights that don't fit its members")
        return ensemble


def member_names(kinds: Iterable[str]) -> tuple[str, ...]:
    """What members are called: their kind, a second one of a kind with its number.

    >>> member_names(["per_product", "two_stage", "per_product"])
    ('per_product', 'two_stage', 'per_product#2')
    """
    seen: Counter[str] = Counter()
    names = []
    for kind in kinds:
        seen[kind] += 1
        names.append(kind if seen[kind] == 1 else f"{kind}#{seen[kind]}")
    return tuple(names)


def _map_at_7(p_NP: FloatArray, known: TrainingSet, together: CoAdditions | None = None) -> float | None:
    """MAP@7 over the adders of a month, None where there is none."""
    adders = known.added_N != 0
    if not adders.any():
        return None
    order = rank_products(p_NP[adders], together=together)
    scores = average_precision_at_k(order, known.added_N[adders], n_products=p_NP.shape[1])
    return round(float(scores.mean()), 5)

"""One fitted thing from clients to offers' probabilities: features, members, calibration, priors, order, reasons.

One folder, no pickle, no client in it. How it is learned is `fitting.learn`. Axes: N rows, P products,
K products asked about, G reason groups.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from nextbest.data.panel.panel import Panel
from nextbest.data.panel.schema import PanelSchema
from nextbest.errors import ArtifactError, InputError, NotFittedError
from nextbest.models.products.base import AdditionModel, FloatArray, Rng, State
from nextbest.models.products.config import ProductConfig
from nextbest.models.products.explaining import Explanation, grouped_contributions
from nextbest.models.products.features.tables import FeatureInput, FeatureTable
from nextbest.models.products.fitting import Fitted, learn, moved_to
from nextbest.models.products.keeping import described, restored, state_of, timeless
from nextbest.models.products.ownership import own_next_month
from nextbest.models.products.priors import shifted
from nextbest.models.products.rerank import rank_products
from nextbest.models.store import read_arrays, read_files, read_manifest, write_folder

KIND = "products"
RETRAIN = "train it with `nextbest products train`"


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the model says of N clients."""

    p_NP: FloatArray
    """P(add in the target month), calibrated; 0 where held. Shape (N, P), bit order."""
    known_N: NDArray[np.bool_]
    """Answered from stored history; the others from attributes alone. Shape (N,)."""

    def __len__(self) -> int:
        return len(self.p_NP)


class ProductModel:
    """Who adds which product in one target month, how sure, and why.

    Known clients (with stored history) are answered by the ensemble, moved to the month's expected counts;
    unknown ones by boosters on attributes alone. Questions change nothing, so several threads may ask.
    """

    fitted_: Fitted
    manifest: dict[str, Any]
    """What `save` wrote or `load` read of the folder's manifest; empty before."""

    def __init__(self, config: ProductConfig | None = None, *, n_threads: int = 1) -> None:
        """Take a config, or None for the defaults.

        Raises
        ------
        InputError
            `n_threads` < 1.
        """
        if n_threads < 1:
            raise InputError("n_threads", "must be 1 or more", value=n_threads)
        self.config, self.n_threads = config or ProductConfig(), n_threads
        self.manifest = {}

    def fit(self, panel: Panel, *, target: date, rng: Rng = 0, progress: bool = False) -> Self:
        """Learn for one target month and return the model itself.

        Parameters
        ----------
        panel
            Read up to the month before `target`; the target itself need not be in it.
        target
            Month whose additions will be asked for.
        rng
            Seed or Generator; the same panel, config and `rng` give the same model.
        progress
            Show bars.

        Raises
        ------
        InputError
            The panel has too few months before the target.
        DataError
            Nothing to learn from in these months.
        """
        self.fitted_ = learn(
            panel,
            target=target,
            config=self.config,
            rng=np.random.default_rng(rng),
            n_threads=self.n_threads,
            progress=progress,
        )
        self.manifest = {}
        return self

    def for_month(self, panel: Panel, *, target: date, rng: Rng = 0) -> Self:
        """This model for another month, the model itself for its own; boosters and curves stay as they are.

        How many additions to expect belongs to a month; asked about a later one with the old numbers, a model
        expects February of March. Takes a forecast and one question about `population_rows` clients.

        Parameters
        ----------
        panel
            Read up to the month before `target`.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            The panel lacks the month before the target.
        """
        fitted = self._fitted()
        if panel.schema.month_of(target) == fitted.target:
            return self
        other = type(self)(self.config, n_threads=self.n_threads)
        other.fitted_ = moved_to(fitted, panel, target=target, rng=np.random.default_rng(rng))
        return other

    # --- ask ------------------------------------------------------------------------------------
    def features(self, inputs: FeatureInput) -> FeatureTable:
        """Features of all clients; hand them to `predict` and `explain` to make them once."""
        return self._fitted().steps.transform(inputs)

    def predict(self, inputs: FeatureInput, *, table: FeatureTable | None = None) -> Predictions:
        """P(add in the target month) of every product, for a million stored clients or one posted profile.

        Parameters
        ----------
        inputs
            Clients as of the target; a row depends on no other row. One without history is answered from
            its attributes alone.
        table
            Their `features`, if the caller has them.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            An attribute that the features need is missing, or the table is of other clients.
        """
        fitted, known_N = self._fitted(), self._known(inputs)
        p_NP = np.empty((len(inputs), len(fitted.products)), np.float32)
        rows = np.flatnonzero(known_N)
        if len(rows):
            known, held_N = _some(self._table(inputs, table), rows), inputs.held_N[rows]
            p_NP[rows] = shifted(fitted.ensemble.probabilities(known, held_N), fitted.shift_P)
        rows = np.flatnonzero(~known_N)
        if len(rows):
            unknown, model = self._unknown(inputs, rows)
            p_NP[rows] = model.probabilities(unknown, np.zeros(len(rows), np.uint32))
        return Predictions(p_NP, known_N)

    def rank(self, predictions: Predictions, *, k: int = 7) -> NDArray[np.int8]:
        """Products in the order of highest expected average precision, shape (N, k); -1 = none left.

        Raises
        ------
        InputError
            `k` < 1.
        """
        together = self._fitted().ensemble.together_
        return rank_products(predictions.p_NP, k=k, together=together, config=self.config.rerank)

    def own(
        self,
        inputs: FeatureInput,
        *,
        predictions: Predictions | None = None,
        table: FeatureTable | None = None,
    ) -> FloatArray:
        """P(own in the target month), shape (N, P): holders keep or drop, the others may add.

        Raises
        ------
        InputError
            The model was made with `ownership=None`.
        """
        fitted = self._fitted()
        if fitted.drops is None:
            raise InputError("ownership", "isn't in this model", remedy="train it with `ownership` set")
        table = self._table(inputs, table)
        predictions = predictions or self.predict(inputs, table=table)
        p_drop_NP = fitted.drop_calibrator(fitted.drops.probabilities(table, inputs.held_N))
        return own_next_month(predictions.p_NP, p_drop_NP, inputs.held_N)

    def explain(
        self, inputs: FeatureInput, product_NK: NDArray[Any], *, table: FeatureTable | None = None
    ) -> Explanation:
        """What speaks for each of some products, by reason group (exact TreeSHAP of that product's booster).

        Parameters
        ----------
        inputs, table
            As in `predict`.
        product_NK
            Products asked about, -1 = none. Shape (N, K).

        Raises
        ------
        InputError
            `product_NK` has no row for each client, or a product that isn't there.
        """
        fitted, known_N = self._fitted(), self._known(inputs)
        product_NK, n_products = np.asarray(product_NK), len(fitted.products)
        if product_NK.ndim != 2 or len(product_NK) != len(inputs):
            raise InputError("product_NK", f"must have shape ({len(inputs)}, K)", value=product_NK.shape)
        if product_NK.size and not -1 <= product_NK.min() <= product_NK.max() < n_products:
            raise InputError("product_NK", f"must lie in -1..{n_products - 1}")
        profile = () if fitted.profile_steps is None else fitted.profile_steps.groups_
        groups = tuple(dict.fromkeys(fitted.steps.groups_ + profile))
        parts_NKG = np.full((*product_NK.shape, len(groups)), np.nan, np.float32)
        rows = np.flatnonzero(known_N)
        if len(rows):
            known = _some(self._table(inputs, table), rows)
            parts_NKG[rows] = grouped_contributions(
                fitted.ensemble.explained, known, product_NK[rows], groups=groups
            )
        rows = np.flatnonzero(~known_N)
        if len(rows):
            unknown, model = self._unknown(inputs, rows)
            parts_NKG[rows] = grouped_contributions(model, unknown, product_NK[rows], groups=groups)
        return Explanation(groups, parts_NKG)

    # --- what it is -----------------------------------------------------------------------------
    @property
    def schema(self) -> PanelSchema:
        """Schema of the panel the model was fitted on."""
        return self._fitted().steps.schema

    @property
    def target(self) -> date:
        """Month whose additions the model was fitted for."""
        return self._fitted().target

    @property
    def columns(self) -> tuple[str, ...]:
        """Attributes that `predict` reads of a client, of the newest month known."""
        fitted = self._fitted()
        profile = () if fitted.profile_steps is None else fitted.profile_steps.columns
        return tuple(dict.fromkeys(fitted.steps.columns + profile))

    @property
    def threshold(self) -> float:
        """P(add) from which an addition is foretold: the best expected micro-F1 of the target month."""
        return self._fitted().threshold

    @property
    def metrics(self) -> dict[str, Any]:
        """Months and rows learned from, MAP@7 on the validation month, CPU-seconds by step."""
        return self._fitted().metrics

    @property
    def version(self) -> str:
        """Target month and a digest of everything fitted: equal models have equal versions."""
        state = state_of(self._fitted())
        settled = timeless(described(self._fitted(), self.config))
        digest = hashlib.sha256(json.dumps(settled, sort_keys=True).encode())
        for name, array in sorted(state.arrays.items()):
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        for name, content in sorted(state.files.items()):
            digest.update(name.encode() + content)
        return f"{self.target:%Y-%m}-{digest.hexdigest()[:10]}"

    # --- keep -----------------------------------------------------------------------------------
    def save(self, folder: Path, *, created: datetime | None = None) -> None:
        """Write the model as one folder: arrays, boosters as text or cbm, a manifest; no pickle, no client.

        The manifest has `created` (as given), `model_version`, `cutoff` (newest month whose products were
        read), `target`, `products` and `metrics`.

        Raises
        ------
        NotFittedError
            Before `fit` or `load`.
        InputError
            `folder` is there and holds something else than a model.
        ExternalError
            The disk refused; what stood there before still does.
        """
        fitted = self._fitted()
        state = state_of(fitted)
        about = {
            "created": None if created is None else created.isoformat(),
            "model_version": self.version,
            "target": fitted.target.isoformat(),
            "cutoff": self.schema.month_before(fitted.target).isoformat(),
            "products": list(fitted.products),
            "metrics": fitted.metrics,
        }
        write_folder(
            Path(folder),
            kind=KIND,
            config=described(fitted, self.config),
            arrays=state.arrays,
            ids={},
            files=state.files,
            about=about,
        )
        self.manifest = read_manifest(folder)

    @classmethod
    def load(cls, folder: Path, *, n_threads: int = 1) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ArtifactError
            The folder is missing, incomplete, changed, or holds another kind of model.
        """
        try:
            return cls._read(Path(folder), n_threads)
        except ArtifactError as error:
            raise ArtifactError(error.path, error.rule, remedy=RETRAIN) from error

    @classmethod
    def _read(cls, folder: Path, n_threads: int) -> Self:
        manifest = read_manifest(folder)
        if manifest["kind"] != KIND:
            raise ArtifactError(folder, f"holds a {manifest['kind']!r} model, not {KIND!r}")
        state = State(read_arrays(folder, manifest), read_files(folder, manifest))
        try:
            model = cls(ProductConfig.model_validate(manifest["config"]["settings"]), n_threads=n_threads)
            model.fitted_ = restored(manifest["config"], state, model.config, folder, n_threads)
        except (ValidationError, KeyError, TypeError, ValueError, InputError) as error:
            raise ArtifactError(folder, f"lacks a part of a product model ({error})") from error
        model.manifest = manifest
        return model

    # --- shared steps ---------------------------------------------------------------------------
    def _fitted(self) -> Fitted:
        if not hasattr(self, "fitted_"):
            raise NotFittedError("ProductModel")
        return self.fitted_

    def _known(self, inputs: FeatureInput) -> NDArray[np.bool_]:
        """Whom the ensemble answers for: all, when there are no boosters for the others."""
        if self._fitted().profile is None:
            return np.ones(len(inputs), np.bool_)
        return inputs.known_N

    def _table(self, inputs: FeatureInput, table: FeatureTable | None) -> FeatureTable:
        if table is None:
            return self.features(inputs)
        if len(table) != len(inputs):
            raise InputError("table", f"must have {len(inputs)} rows, one for each client", value=len(table))
        return table

    def _unknown(self, inputs: FeatureInput, rows: NDArray[np.int64]) -> tuple[FeatureTable, AdditionModel]:
        """Features and model of clients without history."""
        fitted = self._fitted()
        assert fitted.profile is not None, "without it everybody is known"
        assert fitted.profile_steps is not None, "fitted together"
        some = inputs if len(rows) == len(inputs) else inputs.take(rows)
        return fitted.profile_steps.transform(some), fitted.profile


def _some(table: FeatureTable, rows: NDArray[np.int64]) -> FeatureTable:
    """These rows of a table; the table itself when they are all."""
    return table if len(rows) == len(table) else table.take(rows)

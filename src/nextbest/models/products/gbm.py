"""Gradient boosting behind one small door: LightGBM or CatBoost, log-odds and TreeSHAP out, no pickle.

Three tasks: one yes or no (`fit_binary`), which one of several (`fit_choice`), several yes or no at once
(`fit_multilabel`). Knows nothing of products or months. Both libraries load inside functions only.
Axes: N rows, F features, K outputs.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from nextbest.errors import InputError
from nextbest.models.lightgbm_library import load_lightgbm
from nextbest.models.products.base import FloatArray, Frozen, State

Library = Literal["lightgbm", "catboost"]
_END_OF_TREES = "\nend of trees"
_SUFFIX = {"lightgbm": "txt", "catboost": "cbm"}


class GBMConfig(Frozen):
    """Trees: few and shallow, because a bank scores a million clients and explains each offer."""

    library: Library = "lightgbm"
    n_trees: PositiveInt = 60
    """Trees for each output."""
    learning_rate: PositiveFloat = 0.1
    max_leaves: int = Field(default=16, ge=2, le=256)
    """Of one tree. CatBoost grows symmetric trees of `max_depth` instead."""
    max_depth: int = Field(default=5, ge=1, le=16)
    """Tests between root and leaf; the cost of a TreeSHAP reason grows with its square."""
    min_leaf_rows: PositiveInt = 40
    min_leaf_hessian: NonNegativeFloat = 1.0
    feature_fraction: float = Field(default=0.6, gt=0, le=1)
    """Share of features that a tree may use."""
    row_fraction: float = Field(default=1.0, gt=0, le=1)
    """Share of rows that a tree is grown on."""
    l2: NonNegativeFloat = 5.0
    """Penalty on squared leaf values."""
    max_bins: int = Field(default=63, ge=2, le=255)
    """Distinct values of a feature that trees can tell apart."""
    early_stopping: PositiveInt | None = None
    """Stop when that many trees brought nothing on the validation rows; None: all trees."""

    def lightgbm_params(self, *, seed: int, n_threads: int) -> dict[str, Any]:
        """The same in LightGBM's words; single-order sums, so that threads don't change the model."""
        return {
            "num_leaves": self.max_leaves,
            "max_depth": self.max_depth,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.min_leaf_rows,
            "min_sum_hessian_in_leaf": self.min_leaf_hessian,
            "feature_fraction": self.feature_fraction,
            "bagging_fraction": self.row_fraction,
            "bagging_freq": 1 if self.row_fraction < 1 else 0,
            "lambda_l2": self.l2,
            "max_bin": self.max_bins,
            "seed": seed,
            "num_threads": n_threads,
            "deterministic": True,
            "force_col_wise": True,
            # LightGBM 4.7 writes past its arrays when it splits a subset of rows on bundled features: some
            # panels ended in a segmentation fault. Bundles save no time on these features.
            "enable_bundle": False,
            "verbose": -1,
            "feature_pre_filter": False,
        }

    def catboost_params(self, *, seed: int, n_threads: int) -> dict[str, Any]:
        """The same in CatBoost's words."""
        return {
            "iterations": self.n_trees,
            "learning_rate": self.learning_rate,
            "depth": self.max_depth,
            "l2_leaf_reg": self.l2,
            "border_count": self.max_bins,
            "rsm": self.feature_fraction,
            "random_seed": seed,
            "thread_count": n_threads,
            "allow_writing_files": False,
            "verbose": False,
        }


@dataclass
class GBM:
    """A fitted booster: raw outputs (log-odds) and their parts."""

    library: Library
    n_outputs: int
    booster: Any
    bias_K: NDArray[np.float64]
    """Added to the raw outputs: what the trees were grown on top of."""
    n_threads: int = 1
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def raw(self, x_NF: FloatArray) -> NDArray[np.float64]:
        """Log-odds (or log-scores) of each output. Shape (N, K)."""
        if self.library == "lightgbm":
            out = self.booster.predict(x_NF, raw_score=True, num_threads=self.n_threads)
        else:
            out = self.booster.predict(x_NF, prediction_type="RawFormulaVal", thread_count=self.n_threads)
        return np.asarray(out, np.float64).reshape(len(x_NF), self.n_outputs) + self.bias_K

    def contributions(self, x_NF: FloatArray, output: int = 0) -> FloatArray:
        """TreeSHAP parts of one output, path-dependent, exact. Shape (N, F); the mean output is left out."""
        n_features = x_NF.shape[1]
        if self.library == "lightgbm":
            parts = np.asarray(self.booster.predict(x_NF, pred_contrib=True, num_threads=self.n_threads))
            parts = parts.reshape(len(x_NF), self.n_outputs, n_features + 1)
        else:
            from catboost import Pool

            with self._lock:  # it keeps leaf weights in the model while it works
                parts = np.asarray(
                    self.booster.get_feature_importance(
                        Pool(x_NF), type="ShapValues", thread_count=self.n_threads
                    )
                ).reshape(len(x_NF), self.n_outputs, n_features + 1)
        return np.ascontiguousarray(parts[:, output, :-1], dtype=np.float32)

    def state(self) -> State:
        """Booster as text (LightGBM) or cbm (CatBoost), and the bias."""
        if self.library == "lightgbm":
            # without what follows the trees: settings, which name threads
            trees = self.booster.model_to_string(num_iteration=-1).split(_END_OF_TREES)[0]
            content = (trees + _END_OF_TREES + "\n").encode()
        else:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.cbm"
                self.booster.save_model(str(path), format="cbm")
                content = path.read_bytes()
        return State({"bias": self.bias_K}, {f"booster.{_SUFFIX[self.library]}": content})

    @classmethod
    def from_state(cls, state: State, *, library: Library, n_threads: int = 1) -> "GBM":
        """The booster that `state` described.

        Raises
        ------
        KeyError, ValueError
            A part is missing or isn't a booster.
        """
        content, bias_K = state.files[f"booster.{_SUFFIX[library]}"], state.arrays["bias"]
        if library == "lightgbm":
            lightgbm = _lightgbm()
            try:
                booster = lightgbm.Booster(model_str=content.decode())
            except lightgbm.basic.LightGBMError as error:
                raise ValueError(f"is no LightGBM model: {error}") from error
        else:
            catboost = _catboost()
            try:
                booster = catboost.CatBoost().load_model(blob=content)
            except catboost.CatBoostError as error:
                raise ValueError(f"is no CatBoost model: {error}") from error
        return cls(library, len(bias_K), booster, bias_K, n_threads)


class BinnedRows:
    """Feature rows whose values were sorted into bins once, for many fits on subsets of them."""

    def __init__(self, x_NF: FloatArray, *, config: GBMConfig, n_threads: int = 1) -> None:
        self.x_NF, self.config, self.n_threads = x_NF, config, n_threads
        self._dataset: Any = None

    def __len__(self) -> int:
        return len(self.x_NF)

    def subset(self, rows: NDArray[np.int64]) -> Any:
        """A LightGBM dataset of these rows (ascending), with the bins of all rows."""
        if self._dataset is None:
            params = self.config.lightgbm_params(seed=0, n_threads=self.n_threads)
            self._dataset = _lightgbm().Dataset(self.x_NF, params=params, free_raw_data=False).construct()
        return self._dataset.subset(rows.astype(np.int32).tolist()).construct()


def fit_binary(
    binned: BinnedRows,
    y_N: NDArray[Any],
    weight_N: NDArray[Any],
    *,
    rng: np.random.Generator,
    rows: NDArray[np.int64] | None = None,
    valid: tuple[FloatArray, NDArray[Any], NDArray[Any]] | None = None,
) -> GBM:
    """One yes-or-no booster of the `rows` (ascending; None = all) of the binned ones.

    `y_N` and `weight_N` belong to these rows; `valid` is (features, y, weight) for early stopping.
    """
    config, n_threads, seed = binned.config, binned.n_threads, _seed(rng)
    rows = np.arange(len(binned)) if rows is None else rows
    if config.library == "lightgbm":
        lightgbm = _lightgbm()
        params = {"objective": "binary", **config.lightgbm_params(seed=seed, n_threads=n_threads)}
        train = binned.subset(rows)
        train.set_label(y_N.astype(np.float32))
        train.set_weight(weight_N.astype(np.float32))
        stop, checked = [], None
        if valid is not None and config.early_stopping is not None:
            checked = [lightgbm.Dataset(valid[0], valid[1], weight=valid[2], reference=train, params=params)]
            stop = [lightgbm.early_stopping(config.early_stopping, verbose=False)]
        booster = lightgbm.train(params, train, config.n_trees, valid_sets=checked, callbacks=stop)
        return GBM("lightgbm", 1, _light(booster), np.zeros(1), n_threads)
    params = {"loss_function": "Logloss", **config.catboost_params(seed=seed, n_threads=n_threads)}
    return _fit_catboost(params, config, binned.x_NF[rows], y_N, weight_N, n_outputs=1, valid=valid)


def fit_count(
    binned: BinnedRows,
    y_N: NDArray[Any],
    weight_N: NDArray[Any],
    *,
    rng: np.random.Generator,
) -> GBM:
    """A booster of counts (Poisson): its raw output is the log of the expected count."""
    config, n_threads, seed = binned.config, binned.n_threads, _seed(rng)
    if config.library == "lightgbm":
        params = {"objective": "poisson", **config.lightgbm_params(seed=seed, n_threads=n_threads)}
        train = binned.subset(np.arange(len(binned)))
        train.set_label(y_N.astype(np.float32))
        train.set_weight(weight_N.astype(np.float32))
        booster = _lightgbm().train(params, train, config.n_trees)
        return GBM("lightgbm", 1, _light(booster), np.zeros(1), n_threads)
    params = {"loss_function": "Poisson", **config.catboost_params(seed=seed, n_threads=n_threads)}
    return _fit_catboost(params, config, binned.x_NF, y_N, weight_N, n_outputs=1)


def fit_choice(
    binned: BinnedRows,
    target_NK: NDArray[np.float64],
    can_NK: NDArray[np.bool_],
    weight_N: NDArray[Any],
    *,
    rng: np.random.Generator,
    progress: bool = False,
) -> GBM:
    """Log-scores whose softmax over the possible outputs is the share of each in the row's choice.

    Parameters
    ----------
    binned
        One row for each choice.
    target_NK
        Share of each output in the row's choice, rows sum to 1; 0 where not possible. Shape (N, K).
    can_NK
        Which outputs were possible. LightGBM leaves the others out of the softmax, so trees of an output
        are grown on rows where it was possible; CatBoost, which has no such loss, learns from all.

    Notes
    -----
    Loss: - sum_k target_k log softmax_k over possible k (the conditional logit of McFadden 1974, with trees).
    """
    config, n_threads, seed = binned.config, binned.n_threads, _seed(rng)
    n_outputs = target_NK.shape[1]
    if config.library == "catboost":
        row_M, output_M = np.nonzero(target_NK)  # CatBoost takes one row for each chosen output
        params = {"loss_function": "MultiClass", "classes_count": n_outputs}
        params |= config.catboost_params(seed=seed, n_threads=n_threads)
        weight_M = weight_N[row_M] * target_NK[row_M, output_M]
        return _fit_catboost(params, config, binned.x_NF[row_M], output_M, weight_M, n_outputs=n_outputs)
    bias_K = choice_bias(target_NK, can_NK, weight_N)
    shut_NK = np.where(can_NK, 0.0, -np.inf) + bias_K
    weight_N1 = np.asarray(weight_N, np.float64)[:, None] / float(np.mean(weight_N))

    def loss(raw_NK: NDArray[np.float64], _: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        p_NK = softmax(raw_NK + shut_NK)
        return (p_NK - target_NK) * weight_N1, p_NK * (1 - p_NK) * weight_N1

    params = {"objective": loss, "num_class": n_outputs}
    params |= config.lightgbm_params(seed=seed, n_threads=n_threads)
    train = binned.subset(np.arange(len(binned)))
    train.set_label(np.zeros(len(binned), np.float32))  # the loss holds the real ones
    from tqdm import tqdm

    with tqdm(total=config.n_trees, desc="choice", unit="round", disable=not progress) as bar:
        booster = _lightgbm().train(params, train, config.n_trees, callbacks=[lambda _: bar.update()])
    return GBM("lightgbm", n_outputs, _light(booster), bias_K, n_threads)


def fit_multilabel(
    x_NF: FloatArray,
    y_NK: NDArray[Any],
    weight_N: NDArray[Any],
    *,
    config: GBMConfig,
    rng: np.random.Generator,
    n_threads: int = 1,
) -> GBM:
    """One set of trees with a leaf value for each output (CatBoost MultiLogloss).

    It starts at probabilities of 0.5, whatever the data (no start at the average, and CatBoost refuses a
    baseline for this loss), so rare outputs stay too high until calibrated.

    Raises
    ------
    InputError
        `config.library` isn't `catboost`: LightGBM has no such trees.
    """
    if config.library != "catboost":
        raise InputError("library", "must be 'catboost' for MultiLogloss", value=config.library)
    params = {"loss_function": "MultiLogloss"} | config.catboost_params(seed=_seed(rng), n_threads=n_threads)
    return _fit_catboost(params, config, x_NF, y_NK, weight_N, n_outputs=y_NK.shape[1])


def choice_bias(
    target_NK: NDArray[np.float64], can_NK: NDArray[np.bool_], weight_N: NDArray[Any], *, n_rounds: int = 20
) -> NDArray[np.float64]:
    """Constant log-scores whose softmax over the possible outputs has the observed shares. Shape (K,)."""
    weight = np.asarray(weight_N, np.float64)
    share_K = np.maximum(weight @ target_NK, 1e-6 * weight.sum())
    bias_K: NDArray[np.float64] = np.log(share_K / share_K.sum())
    # rows with the same possible outputs have the same softmax: a few thousand patterns, not N rows
    patterns, of_N = np.unique(np.packbits(can_NK, axis=1), axis=0, return_inverse=True)
    can_QK = np.unpackbits(patterns, axis=1, count=can_NK.shape[1]).astype(np.bool_)
    weight_Q = np.bincount(of_N.ravel(), weights=weight, minlength=len(patterns))
    for _ in range(n_rounds):
        expected_K = weight_Q @ softmax(np.where(can_QK, bias_K, -np.inf))
        bias_K = bias_K + np.log(share_K / np.maximum(expected_K, 1e-12))
    return np.asarray(bias_K - bias_K.max())


def softmax(score_NK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares that sum to 1 over the finite scores of each row; all 0 where none is finite."""
    top_N1 = score_NK.max(axis=1, keepdims=True)
    e_NK = np.exp(score_NK - np.where(np.isfinite(top_N1), top_N1, 0.0))
    return np.asarray(e_NK / np.maximum(e_NK.sum(axis=1, keepdims=True), 1e-300))


def _fit_catboost(
    params: dict[str, Any],
    config: GBMConfig,
    x_NF: FloatArray,
    y: NDArray[Any],
    weight_N: NDArray[Any],
    *,
    n_outputs: int,
    valid: tuple[FloatArray, NDArray[Any], NDArray[Any]] | None = None,
) -> GBM:
    catboost = _catboost()
    if config.row_fraction < 1:
        params = {**params, "bootstrap_type": "Bernoulli", "subsample": config.row_fraction}
    booster = catboost.CatBoost(params)
    stop: dict[str, Any] = {}
    if valid is not None and config.early_stopping is not None:
        stop = {
            "eval_set": catboost.Pool(valid[0], valid[1], weight=valid[2]),
            "early_stopping_rounds": config.early_stopping,
        }
    booster.fit(catboost.Pool(x_NF, y.astype(np.int32), weight=weight_N.astype(np.float32)), **stop)
    return GBM("catboost", n_outputs, booster, np.zeros(n_outputs), params["thread_count"])


def _light(booster: Any) -> Any:
    """The booster without its training data, cut at its best tree."""
    best = booster.best_iteration if booster.best_iteration > 0 else -1
    return _lightgbm().Booster(model_str=booster.model_to_string(num_iteration=best))


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31 - 1))


def _lightgbm() -> Any:
    try:
        return load_lightgbm()
    except ImportError as error:
        raise InputError(
            "library",
            "lightgbm is not installed",
            remedy="install nextbest[products], or choose library='catboost'",
        ) from error


def _catboost() -> Any:
    try:
        import catboost
    except ImportError as error:
        raise InputError(
            "library",
            "catboost is not installed",
            remedy="install nextbest[catboost], or choose library='lightgbm'",
        ) from error
    return catboost

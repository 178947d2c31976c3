"""One offer, one flat table of real clients: ours against three boosting libraries, each with the same CPU-seconds.

    python benchmarks/products_uci.py DATA_FOLDER [--budget-s 90] [--out FILE]

DATA_FOLDER holds `deposit.csv` (UCI bank marketing, 45,211 clients in time order, no `duration`: learned from
the first 80 %, judged on the last 20 %) and `caravan_coil2000.csv` (CoIL 2000, 9,822 clients: learned from
`ORIGIN = train`, judged on `test`).

Every contender has one thread and `--budget-s` CPU-seconds a data set, everything counted: a random search
over its own settings, judged by log-loss on the same four parts of the training rows (deposit: each part
after all rows before it), then a fit of what it chose on all of them. CatBoost, LightGBM and
HistGradientBoosting get their native treatment of categories. The test rows are looked at once.
"""

import argparse
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from nextbest.evaluation.calibration import calibration_error
from nextbest.models.products.offer_model import OfferConfig, OfferModel

N_FOLDS = 4
N_RESAMPLES = 1000
Fit = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]


def data_sets(folder: Path) -> dict[str, tuple[pl.DataFrame, np.ndarray, np.ndarray, str]]:
    """Name -> (columns, said yes, is a training row, order of the rows)."""
    deposit = pl.read_csv(folder / "deposit.csv")
    coil = pl.read_csv(folder / "caravan_coil2000.csv")
    return {
        "deposit": (
            deposit.drop("deposit"),
            (deposit["deposit"] == "yes").to_numpy(),
            np.arange(deposit.height) < 0.8 * deposit.height,
            "time",
        ),
        "coil2000": (
            coil.drop("ORIGIN", "CARAVAN"),
            coil["CARAVAN"].to_numpy() == 1,
            (coil["ORIGIN"] == "train").to_numpy(),
            "none",
        ),
    }


def folds(y: np.ndarray, order: str, gen: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """The same parts for every contender that searches here; ours cuts its own the same way."""
    n = len(y)
    if order == "time":
        edges = np.linspace(0, n, N_FOLDS + 2).astype(int)
        return [(np.arange(a), np.arange(a, b)) for a, b in pairwise(edges[1:])]
    part = np.empty(n, int)
    for answer in (False, True):
        rows = gen.permutation(np.flatnonzero(y == answer))
        part[rows] = np.arange(len(rows)) % N_FOLDS
    return [(np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(N_FOLDS)]


def lightgbm_setting(gen: np.random.Generator, categories: list[int]) -> Fit:
    import lightgbm

    rounds = int(gen.choice([60, 120, 250, 500]))
    params = {
        "objective": "binary",
        "learning_rate": float(6 / rounds * gen.choice([0.5, 1, 1.5])),
        "num_leaves": int(gen.choice([6, 12, 24, 48])),
        "min_data_in_leaf": int(gen.choice([10, 40, 120])),
        "feature_fraction": float(gen.choice([0.2, 0.4, 0.8])),
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": float(10 ** gen.uniform(-0.5, 1.5)),
        "num_threads": 1,
        "verbose": -1,
        "seed": int(gen.integers(2**31)),
    }

    def fit(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        booster = lightgbm.train(params, lightgbm.Dataset(x, y, categorical_feature=categories), rounds)
        return booster.predict

    return fit


def catboost_setting(gen: np.random.Generator, categories: list[int]) -> Fit:
    import catboost

    rounds = int(gen.choice([100, 200, 400]))
    params = {
        "iterations": rounds,
        "learning_rate": float(8 / rounds * gen.choice([0.5, 1, 1.5])),
        "depth": int(gen.integers(3, 8)),
        "l2_leaf_reg": float(10 ** gen.uniform(0, 1.5)),
        "rsm": float(gen.choice([0.3, 0.6, 1.0])),
        "thread_count": 1,
        "verbose": False,
        "allow_writing_files": False,
        "random_seed": int(gen.integers(2**31)),
    }

    def frame(x: np.ndarray) -> list[list[object]]:
        return [[int(v) if at in chosen else v for at, v in enumerate(row)] for row in x.tolist()]

    chosen = set(categories)

    def fit(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        data = frame(x) if categories else x
        model = catboost.CatBoostClassifier(cat_features=categories or None, **params).fit(data, y)
        return lambda z: model.predict_proba(frame(z) if categories else z)[:, 1]

    return fit


def sklearn_setting(gen: np.random.Generator, categories: list[int]) -> Fit:
    from sklearn.ensemble import HistGradientBoostingClassifier

    rounds = int(gen.choice([60, 120, 250, 500]))
    model_of = {
        "max_iter": rounds,
        "learning_rate": float(6 / rounds * gen.choice([0.5, 1, 1.5])),
        "max_leaf_nodes": int(gen.choice([6, 12, 24, 48])),
        "min_samples_leaf": int(gen.choice([10, 40, 120])),
        "max_features": float(gen.choice([0.2, 0.4, 0.8])),
        "l2_regularization": float(10 ** gen.uniform(-0.5, 1.5)),
        "categorical_features": categories or None,
        "early_stopping": False,
        "random_state": int(gen.integers(2**31)),
    }

    def fit(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        model = HistGradientBoostingClassifier(**model_of).fit(x, y)
        return lambda z: model.predict_proba(z)[:, 1]

    return fit


SEARCHED = {
    "CatBoost": catboost_setting,
    "LightGBM": lightgbm_setting,
    "HistGradientBoosting": sklearn_setting,
}


def searched(
    setting: Callable[[np.random.Generator, list[int]], Fit],
    table: pl.DataFrame,
    y: np.ndarray,
    is_train: np.ndarray,
    order: str,
    *,
    budget_s: float,
    seed: int,
) -> tuple[np.ndarray, int]:
    """Probabilities of the test rows by the best setting found within the budget, and how many were tried."""
    start, gen = time.process_time(), np.random.default_rng(seed)
    words = [at for at, dtype in enumerate(table.dtypes) if dtype == pl.String]
    coded = table.with_columns(pl.col(pl.String).cast(pl.Categorical).to_physical())
    x = coded.to_numpy().astype(np.float64)
    x_train, y_train = x[is_train], y[is_train]
    parts = folds(y_train, order, gen)
    best, best_loss, n_tried, longest = None, np.inf, 0, 0.0
    while best is None or time.process_time() - start + 1.5 * longest < budget_s:
        began = time.process_time()
        fit, loss, n = setting(gen, words), 0.0, 0
        for learned, judged in parts:
            p = np.clip(fit(x_train[learned], y_train[learned])(x_train[judged]), 1e-7, 1 - 1e-7)
            loss -= np.log(np.where(y_train[judged], p, 1 - p)).sum()
            n += len(judged)
        n_tried += 1
        longest = max(longest, time.process_time() - began)
        if loss / n < best_loss:
            best, best_loss = fit, loss / n
    return best(x_train, y_train)(x[~is_train]), n_tried


def ours(
    table: pl.DataFrame, y: np.ndarray, is_train: np.ndarray, order: str, *, budget_s: float, seed: int
) -> tuple[np.ndarray, int]:
    """The offer model with all three learners; two thirds of the budget for trying, the rest for the final fit."""
    config = OfferConfig(
        learners=("lightgbm", "catboost", "logistic"),
        n_trials=10_000,
        max_cpu_s=budget_s * 2 / 3,
        order=order,
        n_folds=N_FOLDS,
    )
    model = OfferModel(config).fit(table.filter(pl.Series(is_train)), y[is_train], rng=seed)
    print(f"    ours: {model.metrics_}", flush=True)
    return model.probabilities(table.filter(pl.Series(~is_train))).astype(float), model.metrics_["n_tried"]


def roc_auc(y: np.ndarray, p: np.ndarray, weight: np.ndarray) -> float:
    """Chance that a yes has a higher probability than a no, ties half."""
    values, at = np.unique(p, return_inverse=True)
    yes, no = (np.bincount(at, weight * mask, len(values)) for mask in (y, ~y))
    return float((yes * (np.cumsum(no) - no / 2)).sum() / (yes.sum() * no.sum()))


def average_precision(y: np.ndarray, p: np.ndarray, weight: np.ndarray) -> float:
    """Mean precision at each yes, equal probabilities counted together."""
    values, at = np.unique(-p, return_inverse=True)
    yes, n = (np.bincount(at, weight * mask, len(values)) for mask in (y, np.ones(len(y))))
    with np.errstate(invalid="ignore"):
        precision = np.nan_to_num(np.cumsum(yes) / np.cumsum(n))
    return float((yes * precision).sum() / yes.sum())


def log_loss(y: np.ndarray, p: np.ndarray, weight: np.ndarray) -> float:
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return float(-(weight * np.log(np.where(y, p, 1 - p))).sum() / weight.sum())


def ece(y: np.ndarray, p: np.ndarray, weight: np.ndarray) -> float:
    return float(calibration_error(p, y.astype(float), weight=weight).ece)


def lift_at_10(y: np.ndarray, p: np.ndarray, weight: np.ndarray) -> float:
    """Share of yes among the tenth of clients with the highest probability over the share among all."""
    order = np.argsort(-p, kind="stable")
    taken = np.clip(0.1 * weight.sum() - (np.cumsum(weight[order]) - weight[order]), 0, weight[order])
    return float((taken * y[order]).sum() / taken.sum() / (weight @ y / weight.sum()))


METRICS = {
    "ROC-AUC": roc_auc,
    "average precision": average_precision,
    "log-loss": log_loss,
    "ECE": ece,
    "lift@10%": lift_at_10,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--budget-s", type=float, default=90.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    lines: list[str] = []
    for name, (table, y, is_train, order) in data_sets(args.data).items():
        said: dict[str, np.ndarray] = {}
        cost: dict[str, str] = {}
        for who in ("ours", *SEARCHED):
            start = time.process_time()
            options = {"budget_s": args.budget_s, "seed": args.seed}
            if who == "ours":
                said[who], n_tried = ours(table, y, is_train, order, **options)
            else:
                said[who], n_tried = searched(SEARCHED[who], table, y, is_train, order, **options)
            cost[who] = f"{n_tried} settings, {time.process_time() - start:.0f} CPU-s"
            print(f"  {name} {who}: {cost[who]}", flush=True)
        lines += report(name, y[~is_train], is_train.sum(), said, cost, seed=args.seed)
    text = "\n".join(lines) + "\n"
    print("\n" + text)
    if args.out:
        args.out.write_text(text)


def report(
    name: str, y: np.ndarray, n_train: int, said: dict[str, np.ndarray], cost: dict[str, str], *, seed: int
) -> list[str]:
    """A table with 95 % bootstrap intervals over test clients, the same resamples for all contenders."""
    gen, n = np.random.default_rng(seed), len(y)
    weights = [np.ones(n), *(gen.multinomial(n, np.full(n, 1 / n)).astype(float) for _ in range(N_RESAMPLES))]
    lines = [f"## {name}: {n_train} rows to learn from, {n} to judge on ({y.mean():.1%} yes)", ""]
    lines += ["| model | " + " | ".join(METRICS) + " | cost |", "|---" * (len(METRICS) + 2) + "|"]
    draws = {
        who: {m: np.array([metric(y, p, w) for w in weights]) for m, metric in METRICS.items()}
        for who, p in said.items()
    }
    for who, by_metric in draws.items():
        cells = []
        for values in by_metric.values():
            low, high = np.quantile(values[1:], [0.025, 0.975])
            cells.append(f"{values[0]:.4f} ({low:.4f} to {high:.4f})")
        lines.append(f"| {who} | " + " | ".join(cells) + f" | {cost[who]} |")
    lines += ["", "Ours minus each, same resamples:", ""]
    lines += ["| against | " + " | ".join(METRICS) + " |", "|---" * (len(METRICS) + 1) + "|"]
    for who in list(said)[1:]:
        cells = []
        for metric in METRICS:
            difference = draws["ours"][metric] - draws[who][metric]
            low, high = np.quantile(difference[1:], [0.025, 0.975])
            cells.append(f"{difference[0]:+.4f} ({low:+.4f} to {high:+.4f})")
        lines.append(f"| {who} | " + " | ".join(cells) + " |")
    return [*lines, ""]


if __name__ == "__main__":
    main()

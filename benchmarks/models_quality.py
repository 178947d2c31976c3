"""Quality of every counting and linear model on public sets, leave-last, all items ranked, history masked.

    python benchmarks/models_quality.py --data DIR                 # with the choices in models_chosen.json
    python benchmarks/models_quality.py --data DIR --search        # choose again, on the validation item only
    python benchmarks/models_quality.py --data DIR --sets ml-1m --models ease,als --json out.json

DIR holds a folder a set (ml-1m, ml-100k, amazon_video_games, amazon_beauty, amazon_sports). Hyper-parameters
are chosen one after another, twice round, by NDCG@10 of the validation item (last but one) of a model that
saw only what lies before it; the test item is looked at once, with the choice. Two rows a model: trained
without the validation item (`items[:-2]`, it only enters the history), and refitted with it (`items[:-1]`).
"""

import argparse
import gzip
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from tqdm import tqdm

from nextbest.data.ids import IdIndex
from nextbest.data.interactions import Interactions
from nextbest.errors import InputError
from nextbest.evaluation.ranking import evaluate_ranking
from nextbest.evaluation.significance import bootstrap_mean
from nextbest.evaluation.splits import Split, split_leave_last
from nextbest.models import make_model
from nextbest.tables import TIME_DTYPE

CHOSEN = Path(__file__).with_name("models_chosen.json")


# --- data: journals in the file's own order -----------------------------------------------------
def _ordered(users: list[int], items: list[int]) -> pl.DataFrame:
    """A journal whose time is the row number: only the order inside a user means something."""
    table = pl.DataFrame({"user_id": users, "item_id": items})
    return table.with_columns(pl.int_range(pl.len()).cast(TIME_DTYPE).alias("time"))


def _sequences(text: str) -> pl.DataFrame:
    """`user item item ...` a line."""
    rows = [[int(word) for word in line.split()] for line in text.splitlines() if line.strip()]
    return _ordered([r[0] for r in rows for _ in r[1:]], [i for r in rows for i in r[1:]])


def _pairs(text: str) -> pl.DataFrame:
    """`user item` a line."""
    rows = [line.split() for line in text.splitlines() if line.strip()]
    return _ordered([int(r[0]) for r in rows], [int(r[1]) for r in rows])


def _movielens_100k(folder: Path) -> pl.DataFrame:
    """Real times; events of one second keep the file's order (a stable sort)."""
    raw = pl.read_csv(folder / "ml-100k.inter", separator="\t")
    return raw.select(
        pl.col("user_id:token").alias("user_id"),
        pl.col("item_id:token").alias("item_id"),
        (pl.col("timestamp:float").cast(pl.Int64) * 1_000_000).cast(TIME_DTYPE).alias("time"),
    )


SETS: dict[str, Callable[[Path], pl.DataFrame]] = {
    "ml-1m": lambda d: _sequences(
        gzip.decompress((d / "ml-1m" / "ml-1m_sequences.txt.gz").read_bytes()).decode()
    ),
    "ml-100k": lambda d: _movielens_100k(d / "ml-100k"),
    "amazon_video_games": lambda d: _pairs((d / "amazon_video_games" / "Video.txt").read_text()),
    "amazon_beauty": lambda d: _sequences((d / "amazon_beauty" / "Beauty.txt").read_text()),
    "amazon_sports": lambda d: _sequences((d / "amazon_sports" / "Sports_and_Outdoors.txt").read_text()),
}

# --- what may be chosen, in the order of trying -------------------------------------------------
GRIDS: dict[str, dict[str, list[Any]]] = {
    "popularity": {},
    "item_knn": {
        "weighting": ["cosine", "tfidf", "bm25"],
        "n_neighbours": [20, 50, 100, 200, 500],
        "shrinkage": [0.0, 5.0, 20.0, 100.0],
    },
    "transitions": {
        "source_power": [0.0, 0.25, 0.5, 0.75, 1.0],
        "target_power": [0.0, 0.1, 0.25, 0.5],
        "window": [1, 3, 10, 50],
        "decay": [0.5, 0.7, 0.85, 0.95],
        "history_decay": [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95],
        "shrinkage": [0.0, 1.0, 5.0, 20.0],
        "backward": [0.0, 0.1, 0.3, 0.6, 1.0],
    },
    "ease": {"regularization": [50.0, 100.0, 200.0, 500.0, 1000.0]},
    "als": {
        "regularization": [0.01, 0.1, 1.0, 5.0, 20.0],
        "alpha": [0.5, 1.0, 5.0, 20.0, 60.0],
        "embedding_dim": [16, 32, 64, 128, 256],
    },
    "svd": {"embedding_dim": [8, 16, 32, 64, 128, 256], "item_power": [0.0, 0.25, 0.5, 0.75]},
}
START = {"als": {"n_iterations": 15, "keep_user_vectors": False}}


class Answers:
    """Fits models on one split and counts their hits."""

    def __init__(self, split: Split, items: IdIndex) -> None:
        self.targets = split.targets
        self.train = Interactions.from_journal(split.train, item_ids=items)
        self.history = Interactions.from_journal(split.history, item_ids=items)
        self.users = split.targets["user_id"]

    def measure(self, kind: str, config: dict[str, Any], *, full: bool = False) -> dict[str, Any]:
        """NDCG@10 and HR@10, and with `full` their intervals and the seconds they took."""
        start, cpu = time.perf_counter(), time.process_time()
        model = make_model(kind, config).fit(self.train, rng=0)
        fitted, fitted_cpu = time.perf_counter(), time.process_time()
        table = model.recommend(self.history, user_ids=self.users, k=10)
        done, done_cpu = time.perf_counter(), time.process_time()
        values = evaluate_ranking(table, self.targets, k=10, metrics=["hr", "ndcg"])
        result: dict[str, Any] = {name: float(values[name].mean()) for name in ("hr@10", "ndcg@10")}
        if full:
            for name in ("hr@10", "ndcg@10"):
                interval = bootstrap_mean(values[name].to_numpy(), rng=0)
                result[f"{name}_ci"] = [round(interval.ci_low, 5), round(interval.ci_high, 5)]
            result |= {
                "fit_cpu_s": round(fitted_cpu - cpu, 2),
                "fit_s": round(fitted - start, 2),
                "users_per_cpu_s": round(len(self.users) / max(1e-9, done_cpu - fitted_cpu)),
                "users_per_s": round(len(self.users) / (done - fitted)),
            }
        return result


def choose(kind: str, answers: Answers, *, rounds: int = 2) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The best config by validation NDCG@10, one field after another, and every trial."""
    grid = GRIDS[kind]
    best = dict(START.get(kind, {}))
    trials: dict[str, dict[str, Any]] = {}

    def ndcg(config: dict[str, Any]) -> float:
        key = json.dumps(config, sort_keys=True)
        if key not in trials:
            trials[key] = {"config": config, **answers.measure(kind, config)}
        return float(trials[key]["ndcg@10"])

    defaults = make_model(kind, best).config.model_dump()
    best |= {name: defaults[name] for name in grid}
    with tqdm(desc=kind, file=sys.stderr, leave=False) as bar:
        for _ in range(rounds):
            before = dict(best)
            for name, values in grid.items():
                scored = [(ndcg({**best, name: value}), value) for value in values]
                bar.update(len(values))
                if (top := max(scored, key=lambda s: s[0]))[0] > ndcg(best):
                    best[name] = top[1]
            if best == before:
                break
    ndcg(best)
    return best, list(trials.values())


def main() -> None:
    """Print the table, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--models", default=",".join(GRIDS))
    parser.add_argument("--search", action="store_true")
    parser.add_argument(
        "--chosen", type=Path, default=CHOSEN, help="where choices are read from and written to"
    )
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    chosen = json.loads(args.chosen.read_text()) if args.chosen.exists() else {}
    report: list[dict[str, Any]] = []
    print("| set | model | refit | HR@10 | NDCG@10 | 95 % of NDCG@10 | fit CPU-s | users / CPU-s |")
    print("|---|---|---|---|---|---|---|---|")
    for name in args.sets.split(","):
        journal = SETS[name](args.data)
        items = IdIndex.from_values(journal["item_id"])
        validation = Answers(split_leave_last(journal, part="validation"), items)
        for kind in args.models.split(","):
            try:
                trials: list[dict[str, Any]] = []
                if args.search:
                    config, trials = choose(kind, validation)
                    # saved after each search: a later run may be stopped
                    chosen.setdefault(name, {})[kind] = config
                    args.chosen.write_text(json.dumps(chosen, indent=1, sort_keys=True) + "\n")
                config = chosen.get(name, {}).get(kind, {})
                for refit in (False, True):
                    answers = Answers(split_leave_last(journal, refit=refit), items)
                    row = {"set": name, "model": kind, "refit": refit, "config": config}
                    row |= answers.measure(kind, config, full=True)
                    report.append(row | ({"trials": trials} if refit else {}))
                    print(
                        f"| {name} | {kind} | {'yes' if refit else 'no'} | {row['hr@10']:.4f} | {row['ndcg@10']:.4f} "
                        f"| {row['ndcg@10_ci'][0]:.4f}-{row['ndcg@10_ci'][1]:.4f} | {row['fit_cpu_s']} | {row['users_per_cpu_s']:,} |",
                        flush=True,
                    )
            except InputError as error:
                print(f"| {name} | {kind} | - | {error} | | | | |", flush=True)
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()

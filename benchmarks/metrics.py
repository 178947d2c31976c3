"""Ranking metrics of 100,000 users x 100 places: ours beside `ranx`, in one process.

    python benchmarks/metrics.py [--users 100000] [--places 100] [--targets 10] [--repeat 5] [--out FILE]

Both sides compute the same metrics and must agree before anything is timed. Three roads, each named:

- *table*: from recommendations and targets as tables of ids (ours Polars with all its checks, theirs
  `Qrels.from_df` + `Run.from_df` of pandas) to numbers per user; both sides start in their own frame.
- *objects*: from each side's prepared form: ours `Hits`, theirs `Qrels` and `Run`.
- *arrays*: ours from a dense matrix of relevant places, a form that ranx doesn't have.

ranx is warmed up with the very calls that are timed, so no compilation is in the figures; median of
`--repeat` calls, CPU seconds of all threads and wall seconds.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from nextbest.evaluation.ranking import METRICS, Hits, evaluate_ranking, hits_of

NAMED = {
    ("ndcg", 10): "ndcg@10",
    ("ndcg", 100): "ndcg@100",
    ("recall", 10): "recall@10",
    ("recall", 100): "recall@100",
    ("mrr", 100): "mrr@100",
    ("map", 100): "map@100",
    ("precision", 10): "precision@10",
    ("hr", 10): "hit_rate@10",
}
"""Our (metric, k) -> ranx's name."""


def simulated(
    n_users: int, n_places: int, n_targets: int, *, text: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lists without repeats over 20,000 items, and 1..2 * n_targets targets a user, half of them listed."""
    rng = np.random.default_rng(0)
    n_items = 20_000
    step = rng.integers(1, n_items // n_places, size=(n_users, n_places)).cumsum(axis=1)
    items = (step + rng.integers(0, n_items, size=(n_users, 1))) % n_items
    items = rng.permuted(items, axis=1)
    recs = pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(n_users), n_places),
            "item_id": items.ravel(),
            "rank": np.tile(np.arange(1, n_places + 1, dtype=np.int32), n_users),
            "score": np.tile(np.linspace(1, 0.01, n_places, dtype=np.float32), n_users),
        }
    )
    counts = rng.integers(1, 2 * n_targets, size=n_users)
    user = np.repeat(np.arange(n_users), counts)
    listed = items[user, rng.integers(0, n_places, size=len(user))]
    other = rng.integers(0, n_items, size=len(user))
    target = np.where(rng.random(len(user)) < 0.5, listed, other)
    targets = pl.DataFrame({"user_id": user, "item_id": target}).unique(maintain_order=True)
    if not text:
        return recs, targets
    words = [
        pl.format("client-{}", "user_id").alias("user_id"),
        pl.format("sku-{}", "item_id").alias("item_id"),
    ]
    return recs.with_columns(words), targets.with_columns(words)


def timed(call: Callable[[], object], *, repeat: int) -> dict[str, float]:
    """Median CPU and wall seconds of `repeat` calls, after one that isn't counted."""
    call()
    cpu, wall = [], []
    for _ in range(repeat):
        c, w = time.process_time(), time.perf_counter()
        call()
        cpu.append(time.process_time() - c)
        wall.append(time.perf_counter() - w)
    return {"cpu_s": statistics.median(cpu), "wall_s": statistics.median(wall)}


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--places", type=int, default=100)
    parser.add_argument("--targets", type=int, default=10, help="mean targets a user")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--repeat-slow", type=int, default=1, help="for ranx from tables (minutes each)")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--ours-only", action="store_true")
    args = parser.parse_args()
    metrics = list(dict.fromkeys(m for m, _ in NAMED))

    def ours_from_tables(recs: pl.DataFrame, targets: pl.DataFrame) -> pl.DataFrame:
        ks = sorted({k for _, k in NAMED})
        return evaluate_ranking(recs, targets, k=ks, metrics=metrics)

    def ours_from_hits(hits: Hits) -> dict[str, float]:
        return {theirs: float(METRICS[m](hits, k=k).mean()) for (m, k), theirs in NAMED.items()}

    out: dict[str, object] = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join([Path(sys.executable).name, *sys.argv]),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "size": {"users": args.users, "places": args.places, "mean_targets": args.targets},
        "metrics": list(NAMED.values()),
    }
    figures: dict[str, dict[str, float]] = {}
    recs, targets = simulated(args.users, args.places, args.targets, text=True)
    figures["ours, table of text ids"] = timed(lambda: ours_from_tables(recs, targets), repeat=args.repeat)
    recs, targets = simulated(args.users, args.places, args.targets, text=False)
    figures["ours, table of integer ids"] = timed(lambda: ours_from_tables(recs, targets), repeat=args.repeat)
    _, hits = hits_of(recs, targets)
    figures["ours, objects (Hits)"] = timed(
        lambda: ours_from_hits(Hits(hits.user, hits.rank, hits.n_relevant)), repeat=args.repeat
    )
    mask = np.zeros((args.users, args.places), np.bool_)
    mask[hits.user, hits.rank - 1] = True
    figures["ours, arrays (matrix of places)"] = timed(
        lambda: ours_from_hits(Hits.from_matrix(mask, hits.n_relevant)), repeat=args.repeat
    )
    if not args.ours_only:
        figures.update(of_ranx(recs, targets, ours_from_hits(hits), args.repeat, args.repeat_slow))
    out["figures"] = {name: {k: round(v, 4) for k, v in row.items()} for name, row in figures.items()}
    document = json.dumps(out, indent=2)
    print(document)
    if args.out:
        args.out.write_text(document + "\n", encoding="utf-8")


def of_ranx(
    recs: pl.DataFrame, targets: pl.DataFrame, ours: dict[str, float], repeat: int, repeat_slow: int
) -> dict[str, dict[str, float]]:
    """Figures of ranx, after its results were found equal to ours.

    Its frames must hold Python objects: pandas' own text type is refused by ranx 0.3.21.
    """
    import pandas as pd
    from ranx import Qrels, Run, evaluate

    names = list(NAMED.values())
    run_df = pd.DataFrame(
        {
            "q_id": pd.Series(recs["user_id"].cast(pl.String).to_list(), dtype=object),
            "doc_id": pd.Series(recs["item_id"].cast(pl.String).to_list(), dtype=object),
            "score": recs["score"].cast(pl.Float64).to_numpy(),
        }
    )
    qrels_df = pd.DataFrame(
        {
            "q_id": pd.Series(targets["user_id"].cast(pl.String).to_list(), dtype=object),
            "doc_id": pd.Series(targets["item_id"].cast(pl.String).to_list(), dtype=object),
            "score": np.ones(len(targets), np.int64),
        }
    )
    small_users = [str(u) for u in range(50)]
    small = evaluate(
        Qrels.from_df(qrels_df[qrels_df.q_id.isin(small_users)]),
        Run.from_df(run_df[run_df.q_id.isin(small_users)]),
        names,
    )
    assert small  # compiled
    building, table = [], []
    for _ in range(repeat_slow):
        c, w = time.process_time(), time.perf_counter()
        qrels, run = Qrels.from_df(qrels_df), Run.from_df(run_df)
        building.append((time.process_time() - c, time.perf_counter() - w))
        theirs = evaluate(qrels, run, names)
        table.append((time.process_time() - c, time.perf_counter() - w))
    for name, value in ours.items():
        assert abs(value - theirs[name]) < 1e-9, (name, value, theirs[name])
    return {
        "ranx, table": _median(table),
        "ranx, of it building Qrels and Run": _median(building),
        "ranx, objects (evaluate, mean only)": timed(lambda: evaluate(qrels, run, names), repeat=repeat),
    }


def _median(rows: list[tuple[float, float]]) -> dict[str, float]:
    return {
        "cpu_s": statistics.median(c for c, _ in rows),
        "wall_s": statistics.median(w for _, w in rows),
    }


if __name__ == "__main__":
    main()

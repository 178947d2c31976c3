"""Speed of batch recommendation and of fitting, ours and `implicit`'s, side by side in one process.

    python benchmarks/models_speed.py --data DIR [--sets ml-1m,amazon_video_games,synthetic] [--k 10] [--json out.json]

Both sides answer the same users from the same factors (ALS: implicit's own fitted user and item factors are
given to ours) with the same k, seen items left out, the same number of threads, BLAS held to one thread each;
turns alternate, the first round warms up and is dropped, and the median round is shown. The lists must agree.
Fitting: item kNN (cosine, same neighbours) and ALS against implicit, EASE alone (implicit has none).
"""

import argparse
import gc
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models_quality import SETS
from nextbest.data.ids import IdIndex
from nextbest.data.interactions import Histories, Interactions
from nextbest.models import make_model
from nextbest.models.als import ALS


def synthetic(n_users: int, n_items: int, rng: np.random.Generator) -> Interactions:
    """Users with about 20 events each, items with a long tail."""
    lengths = 1 + rng.poisson(19, n_users)
    items = (n_items * rng.random(lengths.sum()) ** 3).astype(np.int32)
    n = len(items)
    histories = Histories(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        items,
        np.ones(n, np.float32),
        np.arange(n, dtype=np.int64),
    )
    ids = [IdIndex(pl.int_range(m, dtype=pl.Int64, eager=True)) for m in (n_users, n_items)]
    return Interactions(ids[0], ids[1], histories)


def load(name: str, data: Path | None) -> Interactions:
    """One of the sets of `models_quality`, or 100,000 synthetic users x 20,000 items."""
    if name == "synthetic":
        return synthetic(100_000, 20_000, np.random.default_rng(0))
    if data is None:
        raise SystemExit(f"{name} needs --data DIR")
    return Interactions.from_journal(SETS[name](data))


def rounds(
    sides: dict[str, Callable[[], Any]], *, n: int
) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Median seconds of each side over `n` alternating rounds after one that is dropped, and its last answer."""
    taken: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    answers: dict[str, Any] = {}
    for turn in range(n + 1):
        for side, work in sides.items():
            answers[side] = None
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            answers[side] = work()
            if turn:
                taken[side].append((time.perf_counter() - wall, time.process_time() - cpu))
    seconds = {
        side: {"s": median(w for w, _ in each), "cpu_s": median(c for _, c in each)}
        for side, each in taken.items()
    }
    return seconds, answers


def recommending(log: Interactions, *, dim: int, k: int, n_threads: int, n: int) -> dict[str, Any]:
    """ALS: all users of the log, from the same factors."""
    matrix = csr_matrix(log.histories.to_csr(log.n_items))
    peer = AlternatingLeastSquares(factors=dim, iterations=5, num_threads=n_threads, random_state=0)
    peer.fit(matrix, show_progress=False)
    ours = make_model("als", {"embedding_dim": dim, "n_iterations": 1, "alpha": 1.0}).fit(log, rng=0)
    assert isinstance(ours, ALS)
    with_factors(ours, log, peer)
    folded, users = without_known(ours), np.arange(log.n_users)
    seconds, answers = rounds(
        {
            "implicit": lambda: peer.recommend(users, matrix, N=k, filter_already_liked_items=True)[0],
            "ours": lambda: ours.top_k(log.histories, k=k, n_threads=n_threads).item_idx,
            "implicit, all folded in": lambda: peer.recommend(
                users, matrix, N=k, filter_already_liked_items=True, recalculate_user=True
            )[0],
            "ours, all folded in": lambda: folded.top_k(log.histories, k=k, n_threads=n_threads).item_idx,
        },
        n=n,
    )
    same = float((answers["implicit"] == answers["ours"]).mean())
    assert same > 0.99, f"the two sides disagree: {same:.4f} of the places are equal"
    return {"users": log.n_users, "items": log.n_items, "same_places": same, **seconds}


def with_factors(model: ALS, log: Interactions, peer: Any) -> None:
    """Put implicit's factors into our model, so that only the answering differs."""
    from nextbest.models.als import fingerprint
    from nextbest.models.folding import precision_matrix

    model.item_vectors_ = np.ascontiguousarray(peer.item_factors)
    model.precision_ = precision_matrix(model.item_vectors_, model.config.regularization)
    model.covariance_ = np.linalg.inv(model.precision_).astype(np.float32)
    model.fingerprints_, first = np.unique(fingerprint(log.histories), return_index=True)
    model.fitted_vectors_ = np.ascontiguousarray(peer.user_factors[first])


def without_known(model: ALS) -> ALS:
    """The same model, but every history is new to it."""
    other = ALS(model.config)
    other.__dict__.update(model.__dict__)
    other.fingerprints_ = model.fingerprints_[:0]
    return other


def fitting(log: Interactions, *, dim: int, n_threads: int, n: int) -> dict[str, Any]:
    """Seconds to fit, both sides from the log to the finished model."""

    def peer_knn() -> Any:
        model = CosineRecommender(K=101, num_threads=n_threads)  # it counts the item itself
        model.fit(csr_matrix(log.histories.to_csr(log.n_items, binary=True)), show_progress=False)
        return model

    def peer_als() -> Any:
        model = AlternatingLeastSquares(factors=dim, iterations=15, num_threads=n_threads, random_state=0)
        confidence = csr_matrix(log.histories.to_csr(log.n_items))
        confidence.data += 1
        model.fit(confidence, show_progress=False)
        return model

    knn, _ = rounds(
        {
            "implicit": peer_knn,
            "ours": lambda: make_model("item_knn", {"n_neighbours": 100, "shrinkage": 0}).fit(log),
        },
        n=n,
    )
    config = {"embedding_dim": dim, "n_threads": n_threads, "alpha": 1.0}
    als, _ = rounds({"implicit": peer_als, "ours": lambda: make_model("als", config).fit(log)}, n=n)
    found = {"item_knn": knn, "als": als}
    found["transitions"], _ = rounds({"ours": lambda: make_model("transitions").fit(log)}, n=n)
    if log.n_items <= 5_000:
        found["ease"], _ = rounds({"ours": lambda: make_model("ease").fit(log)}, n=n)
    return found


def main() -> None:
    """Print both tables, write the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sets", default="ml-1m,amazon_video_games,synthetic")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    report: dict[str, Any] = {}
    with threadpool_limits(1, user_api="blas"):
        for name in args.sets.split(","):
            log = load(name, args.data)
            found = recommending(log, dim=args.dim, k=args.k, n_threads=args.threads, n=args.rounds)
            report[name] = {"recommend": found}
            print(
                f"\n{name}: {found['users']:,} users x {found['items']:,} items, {found['same_places']:.2%} equal places"
            )
            print(
                "| recommend, ALS | users / CPU-s | users / s | times implicit, CPU | wall |\n|---|---|---|---|---|"
            )
            for side in ("implicit", "ours", "implicit, all folded in", "ours, all folded in"):
                took, base = found[side], found["implicit"]
                print(
                    f"| {side} | {found['users'] / took['cpu_s']:,.0f} | {found['users'] / took['s']:,.0f} "
                    f"| {base['cpu_s'] / took['cpu_s']:.2f} | {base['s'] / took['s']:.2f} |",
                    flush=True,
                )
            report[name]["fit"] = fitting(
                log, dim=args.dim, n_threads=args.threads, n=max(1, args.rounds // 2)
            )
            print("| fit | side | CPU-s | s |\n|---|---|---|---|")
            for kind, sides in report[name]["fit"].items():
                for side, took in sides.items():
                    print(f"| {kind} | {side} | {took['cpu_s']:.2f} | {took['s']:.2f} |", flush=True)
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()

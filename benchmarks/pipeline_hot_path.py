"""What the pipeline adds to the bare dot product: CPU-microseconds a query, both sides in one run.

    python benchmarks/pipeline_hot_path.py [--n-items 20000] [--n-users 100000] [--embedding-dim 64]

A made-up catalogue and log; ALS-shaped scores (one float32 product). Filters on: seen items, a catalogue
condition, a rule by client, times of sale. Threads of the linear algebra are held to one.
"""

import argparse
import gc
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel
from threadpoolctl import threadpool_limits

from nextbest.data.ids import IdIndex
from nextbest.data.interactions import Histories, Interactions
from nextbest.models.base import FloatArray, Recommender
from nextbest.pipeline.config import PipelineConfig, Rule
from nextbest.pipeline.fallback import default_fallbacks
from nextbest.pipeline.pipeline import Pipeline
from nextbest.pipeline.query import Event, Query


class DotConfig(BaseModel, frozen=True):
    embedding_dim: int = 64


class Dot(Recommender):
    """Mean of the history's item vectors, times all item vectors."""

    kind: ClassVar[str] = "dot"
    Config: ClassVar[type[BaseModel]] = DotConfig

    def _fit(self, interactions: Interactions, *, rng: np.random.Generator) -> None:
        shape = (interactions.n_items, self.config.embedding_dim)
        self.vectors_ = rng.standard_normal(shape).astype(np.float32)

    def _score(self, histories: Histories) -> FloatArray:
        users = np.zeros((len(histories), self.vectors_.shape[1]), np.float32)
        for b in range(len(histories)):
            row = histories.row(b)
            if row.stop > row.start:
                users[b] = self.vectors_[histories.item_idx[row]].mean(axis=0)
        return np.asarray(users @ self.vectors_.T)

    def _similarity(self, item_idx: NDArray[np.int32]) -> FloatArray:
        return np.asarray(self.vectors_[item_idx] @ self.vectors_.T)

    def _contributions(self, histories: Histories, item_idx: NDArray[np.int32]) -> FloatArray:
        parts = np.empty((histories.n_events, item_idx.shape[1]), np.float32)
        for b, items in enumerate(item_idx):
            row = histories.row(b)
            own = self.vectors_[histories.item_idx[row]]
            parts[row] = own @ self.vectors_[items].T / max(1, len(own))
        return parts

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {"vectors": self.vectors_}

    def _restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        self.vectors_ = arrays["vectors"]


def made_up(
    args: argparse.Namespace, rng: np.random.Generator
) -> tuple[Interactions, pl.DataFrame, pl.DataFrame]:
    """A log of 20 events a user, its catalogue and its clients."""
    n = args.n_users * 20
    items = (rng.random(n) ** 3 * args.n_items).astype(np.int32)
    histories = Histories(
        np.arange(args.n_users + 1, dtype=np.int64) * 20,
        items,
        np.ones(n, np.float32),
        np.tile(np.arange(20, dtype=np.int64) * 86_400_000_000, args.n_users),
    )
    users = IdIndex(pl.Series(np.arange(args.n_users)))
    item_ids = IdIndex(pl.Series([f"item-{i:06d}" for i in range(args.n_items)]))
    catalog = pl.DataFrame(
        {
            "item_id": item_ids.ids,
            "title": item_ids.ids,
            "category": pl.Series(rng.integers(0, 20, args.n_items)).cast(pl.String),
            "available": rng.random(args.n_items) > 0.05,
        }
    )
    clients = pl.DataFrame({"user_id": users.ids, "age": rng.integers(10, 80, args.n_users)})
    return Interactions(users, item_ids, histories), catalog, clients


def cpu_us(call: Any, *, n_calls: int, n_rounds: int = 5) -> float:
    """CPU-microseconds a call, the best of some rounds."""
    best = float("inf")
    for _ in range(n_rounds):
        gc.collect()
        start = time.process_time()
        for n in range(n_calls):
            call(n)
        best = min(best, (time.process_time() - start) / n_calls * 1e6)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n-items", type=int, default=20_000)
    parser.add_argument("--n-users", type=int, default=100_000)
    parser.add_argument("--embedding-dim", type=int, default=64)
    parser.add_argument("--model", default="dot", help="dot, or a kind of nextbest (als, svd, ...)")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    interactions, catalog, clients = made_up(args, rng)
    config = PipelineConfig(
        rules=(Rule(rule="adult_only", item={"category": ["3"]}, user={"age": {"max": 17}}),)
    )
    if args.model == "dot":
        model: Recommender = Dot(DotConfig(embedding_dim=args.embedding_dim))
    else:
        from nextbest.models import make_model, model_class

        sized = "embedding_dim" in model_class(args.model).Config.model_fields
        model = make_model(args.model, {"embedding_dim": args.embedding_dim} if sized else {})
    pipeline = Pipeline.fit(
        model,
        default_fallbacks(segments=False, recent_days=7),
        interactions,
        catalog=catalog,
        clients=clients,
        config=config,
    )
    where = {"category": [str(n) for n in range(15)]}
    users = rng.integers(0, args.n_users, 4096).tolist()
    histories = interactions.histories

    def rows(b: int, n: int) -> list[int]:
        return [users[(n * b + j) % len(users)] for j in range(b)]

    print(f"{model.kind}: {args.n_items} items x {args.embedding_dim}, {args.n_users} users; CPU-us a query")
    print(
        f"{'batch':>6}{'bare product':>14}{'model.score':>13}{'filters':>9}{'+ reasons':>11}{'cold':>7}{'added':>8}"
    )
    vectors = rng.standard_normal((args.n_items, args.embedding_dim)).astype(np.float32)
    for b in (1, 4, 16, 64):
        n_calls = max(20, 1000 // b)
        asked = rng.standard_normal((b, args.embedding_dim)).astype(np.float32)
        bare = cpu_us(lambda _, a=asked: a @ vectors.T, n_calls=n_calls) / b
        score = cpu_us(lambda n, b=b: model.score(histories.take(rows(b, n))), n_calls=n_calls) / b
        timed = {}
        for name, explain, who in (("filters", False, 0), ("reasons", True, 0), ("cold", True, -(10**9))):

            def ask(n: int, b: int = b, explain: bool = explain, who: int = who) -> None:
                queries = [Query(user_id=u + who, k=10, where=where, explain=explain) for u in rows(b, n)]
                pipeline.recommend(queries)

            timed[name] = cpu_us(ask, n_calls=n_calls) / b
        added = timed["reasons"] - score
        print(
            f"{b:>6}{bare:>14.0f}{score:>13.0f}{timed['filters']:>9.0f}{timed['reasons']:>11.0f}"
            f"{timed['cold']:>7.0f}{added:>8.0f}"
        )

    newest = pl.Series([interactions.last_time_us]).cast(pl.Datetime("us", "UTC"))[0]
    post = cpu_us(
        lambda n: pipeline.add_events([Event(users[n % 4096], f"item-{n % args.n_items:06d}", newest)]),
        n_calls=2000,
    )
    print(f"add_events, one event: {post:.0f} CPU-us")
    start = time.process_time()
    table = pipeline.recommend_table(pl.Series(np.arange(5_000)), k=10)
    print(
        f"recommend_table: {5_000 / (time.process_time() - start):.0f} users a CPU-second ({len(table)} rows)"
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        pipeline.save(Path(folder) / "m")
        saved = time.process_time() - start
        start = time.process_time()
        Pipeline.load(Path(folder) / "m", models={"dot": Dot})
        print(f"save {saved:.2f} CPU-s, load with digests {time.process_time() - start:.2f} CPU-s")


if __name__ == "__main__":
    with threadpool_limits(limits=1):
        main()

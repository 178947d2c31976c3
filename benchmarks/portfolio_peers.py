"""Peers: what one question costs over 100,000 clients, and what 10,000 attackers get out of the gate.

    POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1 python benchmarks/portfolio_peers.py knn
    python benchmarks/portfolio_peers.py attacks --sequences 10000 [--part 3/4] [--folder WORK]

CPU time of one thread. `knn` compares every timed answer with a float64 pass of its own. `attacks` counts what must
never be told, and shows that the count can rise: the same attackers against a gate that lacks one rule.
"""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import polars as pl

from nextbest.portfolio.peers.audit import attack, make_world
from nextbest.portfolio.peers.features import FEATURES, PeerConfig, canonical, encode_clients, encode_question
from nextbest.portfolio.peers.index import PeerIndex
from nextbest.portfolio.peers.nearest import Nearest
from nextbest.portfolio.peers.privacy import PrivacyConfig, PrivacyGate
from nextbest.portfolio.peers.query_log import QueryLog, Turn

GOALS = ("home", "pension", "school", "reserve")
CATEGORIES = {"goal_type": GOALS, "currency": ("EUR", "RUB", "USD")}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=("knn", "attacks"))
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--sequences", type=int, default=10_000)
    parser.add_argument(
        "--part", default="1/1", help="which part of the sequences, for several processes: 2/4"
    )
    parser.add_argument("--folder", type=Path, help="keep the logs on disk, so that restarts read them back")
    args = parser.parse_args()
    if args.step == "knn":
        knn(args.clients, args.questions)
    else:
        attacks(args.sequences, args.part, args.folder)


def knn(n_clients: int, n_questions: int) -> None:
    """Exact neighbours, then the whole way through the gate."""
    rng = np.random.default_rng(0)
    profiles = clients(n_clients, rng)
    asked = clients(n_questions, rng, missing=0.1).drop("client_id").to_dicts()
    print(
        f"{n_clients:,} clients, {len(FEATURES)} features, 5 % of the values missing, {n_questions} questions"
    )
    for distance in ("gower", "standardised"):
        config = PeerConfig(distance=distance, max_distance=9.0)
        values = encode_clients(profiles, config=config, categories=CATEGORIES)
        nearest = Nearest(values, config=config)
        questions = [
            encode_question(
                canonical(row, config=config, categories=CATEGORIES), config=config, categories=CATEGORIES
            )
            for row in asked
        ]
        for question in questions[:5]:
            check(nearest, values, question, config)
        print(f"  {distance:13} {told([partial(nearest.query, q) for q in questions])} a question")
    rng = np.random.default_rng(1)
    weights = rng.dirichlet([1.0, 1, 1, 0.3], n_clients)
    index = PeerIndex.fit(
        profiles,
        pl.DataFrame(
            {
                "client_id": np.repeat(profiles["client_id"].to_numpy(), 4),
                "asset_class": ["bonds", "cash", "equity", "gold"] * n_clients,
                "weight": weights.ravel(),
            }
        ),
        as_of=date(2024, 4, 30),
    )
    gate = PrivacyGate(QueryLog(), config=PrivacyConfig(questions_a_day=10_000))
    now = datetime(2024, 5, 1, tzinfo=UTC)
    ways = [lambda p=p: index.summary(p, asker="somebody", gate=gate, now=now) for p in asked]
    print(f"  new questions through the gate: {told(ways)}")
    print(f"  the same again:                 {told(ways)}")


def clients(n: int, rng: np.random.Generator, *, missing: float = 0.05) -> pl.DataFrame:
    """Random profiles of all twelve features."""
    columns: dict[str, object] = {"client_id": [f"c{i}" for i in range(n)]}
    for feature in FEATURES:
        if feature.kind == "category":
            values = rng.choice(CATEGORIES[feature.name], n).tolist()
            gone = rng.random(n) < missing
            columns[feature.name] = [None if g else v for v, g in zip(values, gone, strict=True)]
        else:
            low, high = feature.levels[0], feature.levels[-1]
            drawn = rng.uniform(low, high, n)
            if feature.log:
                drawn = np.exp(rng.uniform(np.log(low), np.log(high), n))
            columns[feature.name] = np.where(rng.random(n) < missing, np.nan, drawn)
    return pl.DataFrame(columns).with_columns(pl.selectors.float().fill_nan(None))


def check(nearest: Nearest, values_FN: np.ndarray, asked_F: np.ndarray, config: PeerConfig) -> None:
    """The neighbours' distances against those of a float64 pass over all clients and a full sort."""
    total, known = np.zeros(values_FN.shape[1]), np.zeros(values_FN.shape[1])
    for f, feature in enumerate(config.features):
        both = ~np.isnan(values_FN[f]) & ~np.isnan(asked_F[f])
        if feature.kind == "category":
            part = (values_FN[f] != asked_F[f]) * (1.0 if config.distance == "gower" else 4.0)
        elif config.distance == "gower":
            part = np.abs(values_FN[f] - asked_F[f]) / feature.span
        else:
            part = ((values_FN[f] - asked_F[f]) / np.nanstd(values_FN[f])) ** 2
        total[both] += config.weights[f] * part[both]
        known[both] += config.weights[f]
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = total / known
    exact[known < config.min_known - 1e-9] = np.inf
    if config.distance == "standardised":
        exact = np.sqrt(exact)
    found = nearest.query(asked_F)
    np.testing.assert_allclose(found.distance_K, np.sort(exact)[: len(found)], atol=2e-6)


def told(ways: list[Callable[[], object]]) -> str:
    """Median and 95 % quantile of CPU milliseconds."""
    ways[0]()
    taken = []
    for way in ways:
        start = time.process_time()
        way()
        taken.append((time.process_time() - start) * 1000)
    return f"{np.median(taken):.2f} CPU-ms (95 %: {np.quantile(taken, 0.95):.2f})"


def attacks(n_sequences: int, part: str, folder: Path | None) -> None:
    """Random sequences against the gate as it is, then fewer against one that compares no sets."""
    number, n_parts = (int(x) for x in part.split("/"))
    share = n_sequences * number // n_parts - n_sequences * (number - 1) // n_parts
    rng = np.random.default_rng([20241122, number])
    sizes = ((120, 22), (160, 24), (250, 30), (400, 24), (600, 50), (600, 22), (300, 40), (200, 21))
    worlds = [make_world(rng, n_clients=n, n_neighbours=k) for n, k in sizes for _ in range(3)]
    start = time.process_time()
    report = attack(worlds, n_sequences=share, rng=rng, folder=folder)
    print(
        f"{report.n_sequences:,} sequences, {report.n_questions:,} questions, {report.n_answers:,} different answers,"
        f" {report.n_repeated:,} repeated, {time.process_time() - start:.0f} CPU-s"
    )
    print(f"  refused: {dict(report.refused.most_common())}")
    print(f"  breaches: {sum(report.breaches.values())} {dict(report.breaches)}")
    with patch.object(Turn, "nearest_released", lambda *_, **__: None):
        weak = attack(worlds, n_sequences=min(share, 200), rng=rng)
    print(f"  without comparing sets, {weak.n_sequences} sequences: {dict(weak.breaches)}")


if __name__ == "__main__":
    main()

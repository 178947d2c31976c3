"""Sequence models on public sets: quality, cost to a given quality, answers, and growth with the log.

    python benchmarks/sequence.py quality --data DIR [--sets ml-100k,...] [--models gru4rec,...] [--out FILE]
    python benchmarks/sequence.py cost --data DIR --sets ml-100k --models gru4rec --goal 0.0935
    python benchmarks/sequence.py answers --data DIR
    python benchmarks/sequence.py growth [--events 100000,1000000,20000000] --work FOLDER

DIR holds a folder a set (ml-1m, ml-100k, amazon_video_games). Leave-last: the last event of each user is the
test, the one before it validation; all items are ranked, the history is masked. Settings stand in
`sequence_chosen.json`; they were chosen by validation only. A model is trained on items[:-2] and stops by
validation (of 2,000 users at most in sets with more); the test is looked at once. `time`: the same by global time,
where a set has times; having stopped, the model is fitted anew on everything before the test for as many epochs as
were best, because a bank would. CPU-seconds are the process's, of all fits.
"""

import argparse
import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models_quality import SETS
from nextbest.data.ids import IdIndex
from nextbest.data.interactions import Histories, Interactions
from nextbest.evaluation.ranking import evaluate_ranking
from nextbest.evaluation.significance import bootstrap_mean
from nextbest.evaluation.splits import Split, split_by_time, split_leave_last
from nextbest.models import make_model

CHOSEN = Path(__file__).with_name("sequence_chosen.json")
MODELS = ("gru4rec", "sasrec", "bert4rec", "lstm")
TIMED = ("ml-100k",)
"""Sets with moments; the files of the others hold an order only."""
CHOSEN_COUNTING = Path(__file__).with_name("models_chosen.json")
BLEND_WEIGHT = 2.0
"""Of the sequence model beside 1 for transitions; chosen among .3, .6, 1, 2 by validation (ml-1m, Video Games)."""
VALIDATION_USERS = 2_000


def chosen(name: str, kind: str) -> dict[str, Any]:
    """Settings of a model on a set: what holds everywhere, then what was chosen for the set."""
    table = json.loads(CHOSEN.read_text(encoding="utf-8"))
    merged: dict[str, Any] = {}
    for part in (table.get("every", {}).get(kind, {}), table.get(name, {}).get(kind, {})):
        for key, value in part.items():
            merged[key] = {**merged.get(key, {}), **value} if isinstance(value, dict) else value
    return merged


def questions_of(split: Split, items: IdIndex, rng: int = 0) -> Any:
    """What a split asks, as the model's own questions; unknown targets left out."""
    from nextbest.models.sequence.validation import Questions

    targets = split.targets.select("user_id", "item_id").sort("user_id")
    item_idx = items.encode(targets["item_id"])
    rows = np.flatnonzero(item_idx >= 0)
    if len(rows) > VALIDATION_USERS:
        rows = np.sort(np.random.default_rng(rng).choice(rows, VALIDATION_USERS, replace=False))
    history = Interactions.from_journal(split.history, item_ids=items)
    histories = history.histories_of(targets["user_id"].gather(rows))
    kept = histories.lengths > 0
    return Questions(histories.take(np.flatnonzero(kept)), item_idx[rows][kept].astype(np.int64))


def fitted(
    kind: str, config: dict[str, Any], train: Interactions, questions: Any, rng: int
) -> tuple[Any, float]:
    """A model that stopped by these questions, and the CPU-seconds it took."""
    from nextbest.models.sequence.shards import InMemory

    model = make_model(kind, config)
    start = time.process_time()
    model.fit_shards(
        InMemory(train.histories, train.n_items),
        item_ids=train.item_ids,
        questions=questions,
        rng=rng,
        progress=True,
    )
    return model, time.process_time() - start


def refitted(model: Any, split: Split, items: IdIndex, rng: int) -> tuple[Any, float]:
    """The same model on all that a test may know, for the epochs that were best; and its CPU-seconds."""
    config = model.config.model_dump()
    config["training"] |= {"n_epochs": max(1, model.trained_["best_epoch"]), "validation": None}
    log = Interactions.from_journal(split.train, item_ids=items)
    start = time.process_time()
    again = make_model(model.kind, config).fit(log, rng=rng, progress=True)
    return again, time.process_time() - start


def with_transitions(model: Any, name: str, train: Interactions) -> Any:
    """The fitted model blended with counted transitions (their settings: models_chosen.json), nothing learned anew."""
    settings = json.loads(CHOSEN_COUNTING.read_text(encoding="utf-8")).get(name, {}).get("transitions", {})
    counting = make_model("transitions", settings).fit(train, rng=0)
    members = [
        {"kind": "transitions", "config": settings},
        {"kind": model.kind, "weight": BLEND_WEIGHT, "config": model.config.model_dump()},
    ]
    blend: Any = make_model("blend", {"members": members})
    blend.item_ids_, blend.segment_ids_ = train.item_ids, train.segment_ids
    blend.members_ = [counting, model]
    return blend


def judged(model: Any, split: Split, items: IdIndex) -> dict[str, Any]:
    """HR@10 and NDCG@10 of the test, with intervals, and users answered in a CPU-second."""
    asked = Interactions.from_journal(split.history, item_ids=items)
    users = split.targets["user_id"].unique(maintain_order=True)
    start = time.process_time()
    lists = model.recommend(asked, user_ids=users, k=10)
    cpu = time.process_time() - start
    values = evaluate_ranking(lists, split.targets, k=10, metrics=["hr", "ndcg"])
    out: dict[str, Any] = {"users_per_cpu_s": round(len(users) / cpu)}
    for name in ("hr@10", "ndcg@10"):
        found = bootstrap_mean(values[name].to_numpy(), rng=0)
        out[name] = [round(x, 4) for x in (found.value, found.ci_low, found.ci_high)]
    return out


def splits(name: str, journal: pl.DataFrame, protocol: str) -> tuple[Split, Split]:
    """Validation and test; by leave-last both train on what validation may know, so that a model is fitted once."""
    if protocol == "time":
        test = split_by_time(journal, test_fraction=0.1)
        return split_by_time(test.train, test_fraction=0.1), test
    return split_leave_last(journal, part="validation"), split_leave_last(journal, part="test", refit=False)


def quality(args: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for name in args.sets:
        journal = SETS[name](args.data)
        items = IdIndex.from_values(journal["item_id"])
        for protocol in args.protocols:
            if protocol == "time" and name not in TIMED:
                continue
            validation, test = splits(name, journal, protocol)
            train = Interactions.from_journal(validation.train, item_ids=items)
            questions = questions_of(validation, items)
            for kind in args.models:
                for rng in range(args.seeds):
                    config = chosen(name, kind)
                    model, cpu_s = fitted(kind, config, train, questions, rng)
                    curve, best = model.trained_["curve"], model.trained_["best_validation"]
                    stopped = model.trained_["stopped_why"]
                    if protocol == "time":
                        model, more_s = refitted(model, test, items, rng)
                        cpu_s += more_s
                    row = {
                        "set": name,
                        "protocol": protocol,
                        "model": kind,
                        "rng": rng,
                        "validation ndcg@10": best,
                        **judged(model, test, items),
                        "fit_cpu_s": round(cpu_s, 1),
                        "epochs": len(curve),
                        "cpu_s_per_epoch": round(cpu_s / max(1, len(curve)), 2),
                        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                        "device": model.trained_["device"],
                        "stopped": stopped,
                    }
                    rows.append(row)
                    print(json.dumps(row), flush=True)
                    if protocol == "leave-last" and args.blend:
                        blend = with_transitions(model, name, train)
                        row = {
                            "set": name,
                            "protocol": protocol,
                            "model": f"transitions + {kind}",
                            "rng": rng,
                        }
                        row |= {"validation ndcg@10 of all": judged(blend, validation, items)["ndcg@10"][0]}
                        rows.append(row | judged(blend, test, items))
                        print(json.dumps(rows[-1]), flush=True)
    return rows


def cost(args: argparse.Namespace) -> list[dict[str, Any]]:
    """CPU-seconds, validation counted, until the validation NDCG@10 of all users reaches the goal."""
    rows = []
    for name in args.sets:
        journal = SETS[name](args.data)
        items = IdIndex.from_values(journal["item_id"])
        validation, _ = splits(name, journal, "leave-last")
        train = Interactions.from_journal(validation.train, item_ids=items)
        questions = questions_of(validation, items)
        for kind in args.models:
            for rng in range(args.seeds):
                model, cpu_s = fitted(kind, chosen(name, kind), train, questions, rng)
                reached = [e for e in model.trained_["curve"] if (e["validation"] or 0) >= args.goal]
                row = {
                    "set": name,
                    "model": kind,
                    "rng": rng,
                    "goal": args.goal,
                    "reached_after_cpu_s": round(reached[0]["cpu_s"], 1) if reached else None,
                    "epochs": reached[0]["epoch"] if reached else None,
                    "best": model.trained_["best_validation"],
                    "all_cpu_s": round(cpu_s, 1),
                }
                rows.append(row)
                print(json.dumps(row), flush=True)
    return rows


def answers(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Users answered in a CPU-second: exact top 10 of all items, one thread; weights needn't be learned for it."""
    rows = []
    for name in args.sets:
        journal = SETS[name](args.data)
        items = IdIndex.from_values(journal["item_id"])
        test = split_leave_last(journal, part="test")
        train = Interactions.from_journal(test.train, item_ids=items)
        for kind in args.models:
            config = chosen(name, kind)
            config["training"] = {**config.get("training", {}), "n_epochs": 1, "validation": None}
            model = make_model(kind, config).fit(train, rng=0)
            asked = Interactions.from_journal(test.history, item_ids=items)
            histories = model.histories_for(asked)
            best = np.inf
            for _ in range(3):
                start = time.process_time()
                model.top_k(histories, k=10, n_threads=1)
                best = min(best, time.process_time() - start)
            row = {"set": name, "model": kind, "users_per_cpu_s": round(len(histories) / best)}
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def synthetic(n_events: int, *, n_items: int, rng: np.random.Generator) -> Iterator[Histories]:
    """Blocks of histories: popular items more often, and an item often followed by its neighbour."""
    left = n_events
    while left > 0:
        lengths = np.minimum(2 + rng.geometric(1 / 40, 10_000), 400)
        lengths = lengths[np.cumsum(lengths) <= left + lengths[0]]
        if not len(lengths):
            return
        n = int(lengths.sum())
        item_N: NDArray[np.int64] = (n_items * rng.random(n) ** 3).astype(np.int64)
        follows = rng.random(n) < 0.5
        item_N[1:] = np.where(follows[1:], (item_N[:-1] + 1) % n_items, item_N[1:])
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        yield Histories(indptr, item_N.astype(np.int32), np.ones(n, np.float32), np.arange(n, dtype=np.int64))
        left -= n


def growth(args: argparse.Namespace) -> list[dict[str, Any]]:
    """One epoch from shards on disk, each size in a process of its own, so that its peak is its own."""
    from multiprocessing import get_context

    rows = []
    for n_events in args.events:
        for kind in args.models:
            with get_context("spawn").Pool(1) as pool:
                row = pool.apply(_epoch_of, (kind, n_events, args.work))
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def _epoch_of(kind: str, n_events: int, work: Path) -> dict[str, Any]:
    from nextbest.models.sequence.shards import ParquetShards, write_shards

    n_items, folder = 20_000, work / f"shards_{n_events}"
    if not folder.exists():
        blocks = synthetic(n_events, n_items=n_items, rng=np.random.default_rng(0))
        write_shards(blocks, folder, n_items=n_items)
    shards = ParquetShards.open(folder)
    config = {
        "embedding_dim": 64,
        "max_len": 50,
        "loss": {"kind": "sampled_softmax", "n_negatives": 256},
        "training": {"n_epochs": 1, "validation": None},
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.process_time()
    model = make_model(kind, config)
    model.fit_shards(shards, item_ids=IdIndex(pl.Series(range(n_items), dtype=pl.Int64)), rng=0)
    cpu_s = time.process_time() - start
    return {
        "model": kind,
        "events": shards.n_events,
        "cpu_s_per_epoch": round(cpu_s, 1),
        "cpu_us_per_event": round(1e6 * cpu_s / shards.n_events, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "mb_before": round(before),
        "device": model.trained_["device"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("quality", "cost", "answers", "growth"))
    parser.add_argument("--data", type=Path)
    parser.add_argument(
        "--sets", type=lambda s: s.split(","), default=["ml-100k", "ml-1m", "amazon_video_games"]
    )
    parser.add_argument("--models", type=lambda s: s.split(","), default=list(MODELS))
    parser.add_argument("--protocols", type=lambda s: s.split(","), default=["leave-last", "time"])
    parser.add_argument("--blend", action="store_true", help="`quality`: also each blended with transitions")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--goal", type=float, default=0.0935, help="validation NDCG@10 of `cost`")
    parser.add_argument(
        "--events", type=lambda s: [int(n) for n in s.split(",")], default=[100_000, 1_000_000, 20_000_000]
    )
    parser.add_argument("--work", type=Path, default=Path("sequence_shards"), help="folder of `growth`")
    parser.add_argument("--out", type=Path, help="also write the rows as JSON")
    args = parser.parse_args()
    rows = {"quality": quality, "cost": cost, "answers": answers, "growth": growth}[args.what](args)
    if args.out:
        args.out.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

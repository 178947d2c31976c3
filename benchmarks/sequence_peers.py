"""Peers' sequence models beside ours: one split, one script, the same cores, one thread, a process for each model.

    python benchmarks/sequence_peers.py --data DIR --peer-python PATH --gru4rec-folder DIR [--pmixer-folder DIR]
        [--sets ml-100k,amazon_video_games] [--models NAME,...] [--override JSON] [--out FILE]

PATH is an interpreter of an environment of its own with `rectools[torch]==0.19.0`, `numpy==1.26.4` and
`torch==2.13.0`; all peers run on it, for the author's GRU4Rec doesn't run on NumPy 2. The folders hold the authors'
code: `gru4rec_pytorch.py` (GRU4Rec_PyTorch_Official), and `model.py` and `utils.py` (SASRec.pytorch); both have
licences of their own, and nothing of them is kept here. Models whose interpreter or folder isn't given are left out.

Split, questions and settings of our models are those of `sequence.py`: the model learns items[:-2], epochs are
judged by the validation item, all items ranked, history masked, ties counted as losses; the test is looked at once,
with the weights of the best epoch. Places are counted here, from the scores that each model gives, by one function.

CPU-seconds: of peers those of training only (their validation, which is ours, is left out); of ours all that `fit`
does, validation and export of the graph too. Imports count for nobody. "Own" answers are a library's documented way
to recommendations for many users; "bare" is the cheapest way that its network allows in batches: arrays of
histories in, exact top 10 out, no table and no ids. Ours: `recommend` and `top_k`.
"""

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

OURS = ("gru4rec", "sasrec", "bert4rec", "lstm")
PEERS: dict[str, dict[str, Any]] = {
    # the author's file for RSC15 with cross-entropy and 100 numbers, but for what stands here
    "gru4rec_author": {
        "layers": [100],
        "batch_size": 32,
        "dropout_p_hidden": 0.4,
        "learning_rate": 0.2,
        "momentum": 0.2,
        "n_sample": 1024,
        "sample_alpha": 0.5,
        "logq": 1.0,
        "n_epochs": 12,
    },
    # defaults of the library, but for the size of vectors and the number of epochs
    "sasrec_rectools": {"n_factors": 64, "loss": "softmax", "n_epochs": 20, "patience": 10},
    "bert4rec_rectools": {"n_factors": 64, "loss": "softmax", "n_epochs": 20, "patience": 10},
    # defaults of main.py, but for the length, which is that of the others
    "sasrec_pmixer": {
        "hidden_units": 50,
        "maxlen": 100,
        "dropout_rate": 0.2,
        "num_blocks": 2,
        "num_heads": 1,
        "norm_first": False,
        "lr": 0.001,
        "batch_size": 128,
        "n_epochs": 40,
        "patience": 20,
    },
}
BY_SET: dict[str, dict[str, dict[str, Any]]] = {
    # of (32, .2) and (128, .07) the better after one epoch; .2 learns little from items of few events
    "amazon_video_games": {"gru4rec_author": {"batch_size": 128, "learning_rate": 0.07, "n_epochs": 8}}
}
K = 10
BLOCK = 512


# --- what parent and children share: packed histories, places, clocks ---------------------------
@dataclass
class Packed:
    """Histories of some users, oldest first, packed; with questions, the item that came next."""

    indptr: Any
    item_idx: Any
    time: Any
    target: Any

    @property
    def lengths(self) -> Any:
        return np.diff(self.indptr)

    def rows(self, start: int, stop: int) -> tuple[Any, Any]:
        """User number inside the block, and item, of every event of a block of users."""
        lengths = self.lengths[start:stop]
        part = slice(self.indptr[start], self.indptr[stop])
        return np.repeat(np.arange(len(lengths)), lengths), self.item_idx[part]

    def left_padded(self, start: int, stop: int, width: int, *, pad: int, shift: int) -> Any:
        """The newest `width` items of a block of users, shape (B, width), newest on the right."""
        ends = self.indptr[start + 1 : stop + 1, None]
        at = ends - width + np.arange(width)
        there = at >= self.indptr[start:stop, None]
        return np.where(there, self.item_idx[np.maximum(at, 0)] + shift, pad)


def packed_from(arrays: Any, name: str) -> Packed:
    return Packed(*(arrays[f"{name}_{part}"] for part in ("indptr", "item_idx", "time", "target")))


def places(asked: Packed, scores: Callable[[int, int], Any]) -> Any:
    """Place of every target among the items that its user hasn't had; ties count as losses."""
    found = np.empty(len(asked.target), np.int64)
    for start in range(0, len(found), BLOCK):
        stop = min(start + BLOCK, len(found))
        block = np.array(scores(start, stop), np.float32)
        target = asked.target[start:stop]
        line = np.arange(stop - start)
        own = block[line, target]
        block[asked.rows(start, stop)] = -np.inf
        block[line, target] = -np.inf
        found[start:stop] = 1 + (block >= own[:, None]).sum(axis=1)
    return found


def hr_ndcg(place: Any) -> tuple[float, float]:
    hit = place <= K
    return float(hit.mean()), float(np.where(hit, 1 / np.log2(place + 1), 0).mean())


@dataclass
class Course:
    """CPU-seconds of training, stopped while validating; the best epoch's weights; when to give up."""

    validate: Callable[[], float]
    keep: Callable[[], Any]
    patience: int
    curve: list[dict[str, float]] = field(default_factory=list)
    best: Any = None
    spent: float = 0.0
    since: float = 0.0
    enough: bool = False

    def begin(self) -> None:
        self.since = time.process_time()

    def epoch_done(self) -> bool:
        """Count, validate, keep; True: time to stop."""
        self.spent += time.process_time() - self.since
        value = self.validate()
        if value > max((line["ndcg"] for line in self.curve), default=-1.0):
            self.best = self.keep()
        self.curve.append({"epoch": len(self.curve) + 1, "cpu_s": round(self.spent, 2), "ndcg": value})
        print(json.dumps(self.curve[-1]), file=sys.stderr, flush=True)
        best_epoch = max(self.curve, key=lambda line: line["ndcg"])["epoch"]
        self.enough = len(self.curve) - best_epoch >= self.patience
        self.since = time.process_time()
        return self.enough


def users_per_cpu_s(answer: Callable[[], Any], n_users: int, *, repeats: int = 3) -> int:
    """Of the fastest of some runs."""
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        answer()
        best = min(best, time.process_time() - start)
    return round(n_users / best)


def peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def torch_top_k(scores: Any, seen: tuple[Any, Any]) -> Any:
    """The cheapest exact answer from scores of a block (a tensor): history out, best ten, unsorted ids."""
    import torch

    scores[torch.from_numpy(seen[0]), torch.from_numpy(np.asarray(seen[1], np.int64))] = -torch.inf
    return torch.topk(scores, K, dim=1)


@dataclass
class Task:
    """What a child has to do."""

    name: str
    settings: dict[str, Any]
    n_items: int
    train: Packed
    validation: Packed
    test: Packed
    folders: dict[str, str]


# --- ours ---------------------------------------------------------------------------------------
def run_ours(task: Task) -> dict[str, Any]:
    import polars as pl
    import torch

    from nextbest.data.ids import IdIndex
    from nextbest.data.interactions import Histories, Interactions
    from nextbest.models import make_model
    from nextbest.models.sequence import learning
    from nextbest.models.sequence.shards import InMemory
    from nextbest.models.sequence.validation import Questions

    torch.set_num_threads(1)
    assert learning.learn  # loaded before the clock starts, as torch is

    def histories(packed: Packed) -> Histories:
        ones = np.ones(len(packed.item_idx), np.float32)
        return Histories(packed.indptr, packed.item_idx.astype(np.int32), ones, packed.time)

    items = IdIndex(pl.Series(range(task.n_items), dtype=pl.Int64))
    questions = Questions(histories(task.validation), task.validation.target)
    model = make_model(task.name, task.settings)
    before = peak_mb()
    start = time.process_time()
    model.fit_shards(
        InMemory(histories(task.train), task.n_items), item_ids=items, questions=questions, progress=False
    )
    cpu_s = time.process_time() - start
    fit_mb = peak_mb()
    curve = [
        {"epoch": line["epoch"], "cpu_s": round(line["cpu_s"], 2), "ndcg": line["validation"]}
        for line in model.trained_["curve"]
        if line["validation"] is not None
    ]
    n_epochs = len(model.trained_["curve"])
    rest = cpu_s - model.trained_["curve"][-1]["cpu_s"]
    for line in curve:  # start and export count from the first epoch on
        line["cpu_s"] = round(line["cpu_s"] + rest, 2)
    asked = histories(task.test)
    place = places(task.test, lambda start, stop: model.score(asked.take(slice(start, stop))))
    users = IdIndex(pl.Series(range(len(asked)), dtype=pl.Int64))
    log = Interactions(users, items, asked)
    model.top_k(asked.take([0]), k=K)  # what is made once is made before
    return {
        "curve": curve,
        "cpu_s_per_epoch": round(cpu_s / n_epochs, 2),
        "place": place,
        "own": users_per_cpu_s(lambda: model.recommend(log, k=K), len(asked)),
        "bare": users_per_cpu_s(lambda: model.top_k(asked, k=K, n_threads=1), len(asked)),
        "peak_mb": fit_mb,
        "mb_before": before,
    }


# --- the author's GRU4Rec -----------------------------------------------------------------------
def run_gru4rec_author(task: Task) -> dict[str, Any]:
    import pandas as pd
    import torch

    sys.path.insert(0, task.folders["gru4rec"])
    import gru4rec_pytorch as peer

    torch.set_num_threads(1)
    torch.manual_seed(0)
    settings = dict(task.settings)
    patience = settings.pop("patience", 10_000)
    model = peer.GRU4Rec(loss="cross-entropy", device=torch.device("cpu"), **settings)
    log = pd.DataFrame(
        {
            "SessionId": np.repeat(np.arange(len(task.train.lengths)), task.train.lengths),
            "ItemId": task.train.item_idx,
            "Time": task.train.time,
        }
    )

    def states(asked: Packed, start: int, stop: int) -> Any:
        """State after the whole history, event by event through the author's cells; rows in `order`."""
        network, number = model.model, row_of
        order = np.argsort(-asked.lengths[start:stop], kind="stable")
        lengths = asked.lengths[start:stop][order]
        begins = asked.indptr[start:stop][order]
        hidden = [torch.zeros(stop - start, size) for size in model.layers]
        for at in range(int(lengths[0])):
            n = int(np.searchsorted(-lengths, -at))  # those whose history is longer than `at`
            item = torch.from_numpy(number[asked.item_idx[begins[:n] + at]])
            some = [h[:n] for h in hidden]
            network.hidden_step(network.embed_constrained(item)[0], some)
            for h, new in zip(hidden, some, strict=True):
                h[:n] = new
        return hidden[-1], order

    def scores(asked: Packed, start: int, stop: int) -> Any:
        """Shape (B, items that training showed), in the author's numbers; rows in the order of the block."""
        network = model.model
        last, order = states(asked, start, stop)
        out = torch.empty(stop - start, len(item_of))
        out[torch.from_numpy(order)] = network.score_items(last, network.Wy.weight, network.By.weight)
        return out

    @torch.no_grad()
    def all_scores(asked: Packed, start: int, stop: int) -> Any:
        full = np.full((stop - start, task.n_items), -np.inf, np.float32)
        full[:, item_of] = scores(asked, start, stop).numpy()
        return full

    @torch.no_grad()
    def answer() -> None:
        for start in range(0, len(known.target), BLOCK):
            stop = min(start + BLOCK, len(known.target))
            user, item = known.rows(start, stop)
            torch_top_k(scores(known, start, stop), (user, row_of[item]))

    # the author numbers items as they come; items that training never shows can't be read
    item_of = pd.unique(log["ItemId"])
    row_of = np.full(task.n_items, -1, np.int64)
    row_of[item_of] = np.arange(len(item_of))
    validation, known = (_only(asked, row_of >= 0) for asked in (task.validation, task.test))
    course = Course(
        validate=lambda: hr_ndcg(places(validation, lambda a, b: all_scores(validation, a, b)))[1],
        keep=lambda: {name: value.clone() for name, value in model.model.state_dict().items()},
        patience=patience,
    )
    one_epoch = peer.SessionDataIterator.__call__

    def epoch_then_look(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        if course.enough:
            raise _Enough
        yield from one_epoch(self, *args, **kwargs)
        course.epoch_done()

    peer.SessionDataIterator.__call__ = epoch_then_look
    before = peak_mb()
    course.begin()
    with contextlib.suppress(_Enough):
        model.fit(log)
    fit_mb = peak_mb()
    assert list(model.data_iterator.itemidmap.index) == item_of.tolist()
    model.model.load_state_dict(course.best)
    return {
        "curve": course.curve,
        "cpu_s_per_epoch": round(course.curve[-1]["cpu_s"] / len(course.curve), 2),
        "place": places(known, lambda a, b: all_scores(known, a, b)),
        "own": None,  # the author's code evaluates, it has no way to recommend
        "bare": users_per_cpu_s(answer, len(known.target)),
        "peak_mb": fit_mb,
        "mb_before": before,
    }


class _Enough(Exception):  # noqa: N818  (an end, not an error)
    pass


def _only(asked: Packed, readable: Any) -> Packed:
    """The same users without events of items that can't be read."""
    kept = readable[asked.item_idx]
    before = np.concatenate([[0], np.cumsum(kept)])
    return Packed(before[asked.indptr], asked.item_idx[kept], asked.time[kept], asked.target)


# --- RecTools -----------------------------------------------------------------------------------
def run_rectools(task: Task) -> dict[str, Any]:
    import warnings

    import pandas as pd
    import torch
    from pytorch_lightning import Callback, Trainer, seed_everything
    from rectools.dataset import Dataset
    from rectools.models import BERT4RecModel, SASRecModel

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    seed_everything(0)

    def dataset(packed: Packed) -> Any:
        order = pd.to_datetime(np.arange(len(packed.item_idx)), unit="s")  # the order, where times tie
        user = np.repeat(np.arange(len(packed.lengths)), packed.lengths)
        table = {"user_id": user, "item_id": packed.item_idx, "weight": 1.0, "datetime": order}
        return Dataset.construct(pd.DataFrame(table))

    settings = dict(task.settings)
    n_epochs, patience = settings.pop("n_epochs"), settings.pop("patience")
    kind = SASRecModel if task.name.startswith("sasrec") else BERT4RecModel
    model = kind(recommend_torch_device="cpu", **settings)

    def prepared(asked: Any) -> tuple[Any, Any]:
        """The library's own batches of all users of a dataset, and their numbers in the batches' order."""
        users = asked.user_id_map.external_ids
        readable = model.data_preparator.transform_dataset_u2i(asked, users)
        loader = model.data_preparator.get_dataloader_recommend(readable, model.recommend_batch_size)
        return loader, np.asarray(readable.user_id_map.external_ids, np.int64)

    def vectors(loader: Any) -> tuple[Any, Any]:
        """Of users and items, as the library's own `recommend` makes them."""
        of_users, of_items = model.lightning_model._get_user_item_embeddings(loader, "cpu")
        return of_users, of_items[model.data_preparator.n_item_extra_tokens :]

    def all_scores(packed: Packed, asked: Any) -> Any:
        loader, rows = prepared(asked)
        of_users, of_items = vectors(loader)
        known = model.data_preparator.get_known_item_ids().astype(np.int64)
        full = np.full((len(packed.target), task.n_items), -np.inf, np.float32)
        full[rows[:, None], known] = (of_users @ of_items.T).numpy()
        return full

    def place_of(packed: Packed, asked: Any) -> Any:
        full = all_scores(packed, asked)
        return places(packed, lambda start, stop: full[start:stop])

    train, validation, test = (dataset(p) for p in (task.train, task.validation, task.test))
    course = Course(
        validate=lambda: hr_ndcg(place_of(task.validation, validation))[1],
        keep=lambda: {k: v.clone() for k, v in model.lightning_model.state_dict().items()},
        patience=patience,
    )

    class Look(Callback):  # type: ignore[misc]
        def __deepcopy__(self, memo: Any) -> "Look":
            return self  # the library copies its trainer; the course is one

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            trainer.should_stop = course.epoch_done()
            pl_module.train()

    model._trainer = Trainer(
        max_epochs=n_epochs,
        min_epochs=1,
        accelerator="cpu",
        devices=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        logger=False,
        callbacks=[Look()],
    )
    before = peak_mb()
    course.begin()
    model.fit(train)
    fit_mb = peak_mb()
    model.lightning_model.load_state_dict(course.best)
    users = np.arange(len(task.test.target))

    loader, rows = prepared(test)
    assert (rows == users).all()

    @torch.no_grad()
    def bare() -> None:
        of_users, of_items = vectors(loader)
        for start in range(0, len(users), BLOCK):
            stop = min(start + BLOCK, len(users))
            user, item = task.test.rows(start, stop)
            column = column_of[item]
            seen = user[column >= 0], column[column >= 0]
            torch_top_k(of_users[start:stop] @ of_items.T, seen)

    known = model.data_preparator.get_known_item_ids().astype(np.int64)
    column_of = np.full(task.n_items, -1, np.int64)
    column_of[known] = np.arange(len(known))
    return {
        "curve": course.curve,
        "cpu_s_per_epoch": round(course.curve[-1]["cpu_s"] / len(course.curve), 2),
        "place": place_of(task.test, test),
        "own": users_per_cpu_s(lambda: model.recommend(users, test, K, filter_viewed=True), len(users)),
        "bare": users_per_cpu_s(bare, len(users)),
        "peak_mb": fit_mb,
        "mb_before": before,
    }


# --- pmixer's SASRec ----------------------------------------------------------------------------
def run_sasrec_pmixer(task: Task) -> dict[str, Any]:
    import torch

    sys.path.insert(0, task.folders["pmixer"])
    import model as peer
    import utils as sampling

    torch.set_num_threads(1)
    torch.manual_seed(0)
    settings = SimpleNamespace(device="cpu", **task.settings)
    n_users, width = len(task.train.lengths), settings.maxlen
    sequences = np.split(task.train.item_idx + 1, task.train.indptr[1:-1])
    of_user = {user + 1: sequence.tolist() for user, sequence in enumerate(sequences)}
    network = peer.SASRec(n_users, task.n_items, settings)
    for value in network.parameters():
        if value.dim() > 1:
            torch.nn.init.xavier_normal_(value.data)
    with torch.no_grad():
        network.pos_emb.weight[0] = 0
        network.item_emb.weight[0] = 0
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr, betas=(0.9, 0.98))
    loss_of = torch.nn.BCEWithLogitsLoss()

    def scores(asked: Packed, start: int, stop: int) -> Any:
        sequence = asked.left_padded(start, stop, width, pad=0, shift=1)
        return network.log2feats(sequence)[:, -1] @ network.item_emb.weight[1:].T

    @torch.no_grad()
    def place_of(asked: Packed) -> Any:
        network.eval()
        found = places(asked, lambda start, stop: scores(asked, start, stop).numpy())
        network.train()
        return found

    course = Course(
        validate=lambda: hr_ndcg(place_of(task.validation))[1],
        keep=lambda: {name: value.clone() for name, value in network.state_dict().items()},
        patience=settings.patience,
    )
    steps_per_epoch = (n_users - 1) // settings.batch_size + 1

    class Learner:
        """Stands where the sampler's queue stood: what is put is learned at once, in this process."""

        n_steps = 0

        def put(self, batch: Any) -> None:
            user, sequence, positive, negative = (np.array(part) for part in batch)
            logits = network(user, sequence, positive, negative)
            asked = np.where(positive != 0)
            optimizer.zero_grad()
            loss = loss_of(logits[0][asked], torch.ones(len(asked[0])))
            loss = loss + loss_of(logits[1][asked], torch.zeros(len(asked[0])))
            loss.backward()
            optimizer.step()
            self.n_steps += 1
            if self.n_steps % steps_per_epoch == 0 and (
                course.epoch_done() or len(course.curve) >= settings.n_epochs
            ):
                raise _Enough

    before = peak_mb()
    course.begin()
    with contextlib.suppress(_Enough):
        sampling.sample_function(of_user, n_users, task.n_items, settings.batch_size, width, Learner(), 0)
    fit_mb = peak_mb()
    network.load_state_dict(course.best)
    place = place_of(task.test)
    network.eval()
    n_asked = len(task.test.target)

    @torch.no_grad()
    def own() -> None:
        """`predict`, a user a call, which is how the author's evaluation asks; all items."""
        every = np.arange(1, task.n_items + 1)
        for user in range(n_asked):
            sequence = task.test.left_padded(user, user + 1, width, pad=0, shift=1)
            torch_top_k(
                network.predict(np.array([user]), sequence, every)[None, 0], task.test.rows(user, user + 1)
            )

    @torch.no_grad()
    def bare() -> None:
        for start in range(0, n_asked, settings.batch_size):
            stop = min(start + settings.batch_size, n_asked)
            torch_top_k(scores(task.test, start, stop), task.test.rows(start, stop))

    return {
        "curve": course.curve,
        "cpu_s_per_epoch": round(course.curve[-1]["cpu_s"] / len(course.curve), 2),
        "place": place,
        "own": users_per_cpu_s(own, n_asked, repeats=1),
        "bare": users_per_cpu_s(bare, n_asked),
        "peak_mb": fit_mb,
        "mb_before": before,
    }


# --- a child, and the parent --------------------------------------------------------------------
RUN: dict[str, Callable[[Task], dict[str, Any]]] = {
    **dict.fromkeys(OURS, run_ours),
    "gru4rec_author": run_gru4rec_author,
    "sasrec_rectools": run_rectools,
    "bert4rec_rectools": run_rectools,
    "sasrec_pmixer": run_sasrec_pmixer,
}


def child(folder: Path) -> None:
    """One model, as `task.json` and `data.npz` in the folder say; leaves `row.json`."""
    told = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    with np.load(folder / "data.npz") as arrays:
        data = {name: packed_from(arrays, name) for name in ("train", "validation", "test")}
    task = Task(**told, **data)
    row = RUN[task.name](task)
    place = row.pop("place")
    hit = place <= K
    gain = np.where(hit, 1 / np.log2(place + 1), 0)
    rng = np.random.default_rng(0)
    drawn = gain[rng.integers(len(gain), size=(1000, len(gain)))].mean(axis=1)
    best = max(row["curve"], key=lambda line: line["ndcg"])
    row |= {
        "validation": best["ndcg"],
        "best_epoch": best["epoch"],
        "best_cpu_s": best["cpu_s"],
        "n_epochs": row["curve"][-1]["epoch"],
        "all_cpu_s": row["curve"][-1]["cpu_s"],
        "hr": float(hit.mean()),
        "ndcg": float(gain.mean()),
        "ndcg_ci": np.quantile(drawn, [0.025, 0.975]).tolist(),
    }
    (folder / "row.json").write_text(json.dumps(row), encoding="utf-8")


def written(name: str, data: Path, folder: Path) -> int:
    """Split of a set as `data.npz`; the number of items."""
    from models_quality import SETS
    from nextbest.data.ids import IdIndex
    from nextbest.data.interactions import Interactions
    from sequence import questions_of, splits

    journal = SETS[name](data)
    items = IdIndex.from_values(journal["item_id"])
    validation, test = splits(name, journal, "leave-last")
    train = Interactions.from_journal(validation.train, item_ids=items).histories
    targets = test.targets.select("user_id", "item_id").sort("user_id")
    histories = Interactions.from_journal(test.history, item_ids=items).histories_of(targets["user_id"])
    questions = questions_of(validation, items)
    parts = {
        "train": (train, np.empty(0, np.int64)),
        "validation": (questions.histories, questions.target_idx),
        "test": (histories, items.encode(targets["item_id"]).astype(np.int64)),
    }
    np.savez(
        folder / "data.npz",
        **{
            f"{part}_{key}": value
            for part, (h, target) in parts.items()
            for key, value in (
                ("indptr", h.indptr),
                ("item_idx", h.item_idx.astype(np.int64)),
                ("time", h.time_us),
                ("target", target),
            )
        },
    )
    return len(items)


def settings_of(name: str, kind: str, override: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if kind in OURS:
        from sequence import chosen

        parts = [chosen(name, kind)]
    else:
        parts = [PEERS[kind], BY_SET.get(name, {}).get(kind, {})]
    merged: dict[str, Any] = {}
    for part in [*parts, override.get(kind, {})]:
        for key, value in part.items():
            merged[key] = {**merged.get(key, {}), **value} if isinstance(value, dict) else value
    return merged


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown, a block of lines a set."""
    head = (
        "| set | model | HR@10 | NDCG@10 (95 %) | validation NDCG@10 | CPU-s to it (epoch) | all CPU-s (epochs) "
        "| CPU-s an epoch | peak MB (before) | users a CPU-s: own / bare |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    )
    lines = [head]
    for row in rows:
        if "failed" in row:
            lines.append(f"| {row['set']} | {row['model']} | failed: {row['failed']} | | | | | | | |")
            continue
        low, high = row["ndcg_ci"]
        own = "-" if row["own"] is None else f"{row['own']:,}"
        lines.append(
            f"| {row['set']} | {row['model']} | {row['hr']:.3f} | {row['ndcg']:.4f} ({low:.4f}-{high:.4f}) "
            f"| {row['validation']:.4f} | {row['best_cpu_s']:.1f} ({row['best_epoch']}) "
            f"| {row['all_cpu_s']:.0f} ({row['n_epochs']}) | {row['cpu_s_per_epoch']:.2f} "
            f"| {row['peak_mb']} ({row['mb_before']}) | {own} / {row['bare']:,} |"
        )
    return "\n".join(lines)


def goals(rows: list[dict[str, Any]]) -> str:
    """What ours needs for each peer's best validation NDCG@10, beside what the peer needed, set by set."""
    lines = [
        "| set | peer | its best | peer's CPU-s | ours | our CPU-s | ratio |",
        "|---|---|---:|---:|---|---:|---:|",
    ]
    done = [row for row in rows if "failed" not in row]
    for peer in (row for row in done if row["model"] not in OURS):
        kind = peer["model"].split("_")[0]
        for own in (row for row in done if row["model"] == kind and row["set"] == peer["set"]):
            goal = peer["validation"]
            reached = next((line["cpu_s"] for line in own["curve"] if line["ndcg"] >= goal), None)
            shown = (
                "not reached | -"
                if reached is None
                else f"{reached:.1f} | {peer['best_cpu_s'] / reached:.1f}"
            )
            lines.append(
                f"| {peer['set']} | {peer['model']} | {goal:.4f} | {peer['best_cpu_s']:.1f} | {kind} | {shown} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--peer-python", type=Path, help="interpreter that has RecTools")
    parser.add_argument("--gru4rec-folder", type=Path)
    parser.add_argument("--pmixer-folder", type=Path)
    parser.add_argument("--sets", type=lambda s: s.split(","), default=["ml-100k"])
    parser.add_argument("--models", type=lambda s: s.split(","), default=list(RUN))
    parser.add_argument(
        "--override", type=json.loads, default={}, help='such as {"sasrec": {"dropout": 0.5}}'
    )
    parser.add_argument("--out", type=Path, help="also write the rows, curves in them, as JSON")
    args = parser.parse_args()
    folders = {"gru4rec": args.gru4rec_folder, "pmixer": args.pmixer_folder}
    needs = {"gru4rec_author": args.gru4rec_folder, "sasrec_pmixer": args.pmixer_folder}
    threads = ("OMP", "MKL", "OPENBLAS", "POLARS_MAX", "NUMEXPR")
    environment = os.environ | {f"{name}_{'' if 'MAX' in name else 'NUM_'}THREADS": "1" for name in threads}
    rows: list[dict[str, Any]] = []
    for name in args.sets:
        with tempfile.TemporaryDirectory() as kept:
            folder = Path(kept)
            n_items = written(name, args.data, folder)
            for kind in args.models:
                if kind not in OURS and (args.peer_python is None or needs.get(kind, Path()) is None):
                    continue
                settings = settings_of(name, kind, args.override)
                told = {
                    "name": kind,
                    "settings": settings,
                    "n_items": n_items,
                    "folders": {key: str(value.resolve()) for key, value in folders.items() if value},
                }
                (folder / "task.json").write_text(json.dumps(told), encoding="utf-8")
                (folder / "row.json").unlink(missing_ok=True)
                python = sys.executable if kind in OURS else str(args.peer_python)
                print(f"# {name} {kind} {json.dumps(settings)}", file=sys.stderr, flush=True)
                ended = subprocess.run(
                    [python, __file__, "child", str(folder)], env=environment, stdout=sys.stderr, check=False
                )
                row = {"set": name, "model": kind, "settings": settings}
                if ended.returncode or not (folder / "row.json").exists():
                    row["failed"] = f"exit {ended.returncode}"
                else:
                    row |= json.loads((folder / "row.json").read_text(encoding="utf-8"))
                rows.append(row)
                shown = {key: value for key, value in row.items() if key not in ("curve", "settings")}
                print(json.dumps(shown), flush=True)
                if args.out:
                    args.out.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print(table(rows))
    print()
    print(goals(rows))


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "child":
        child(Path(sys.argv[2]))
    else:
        main()

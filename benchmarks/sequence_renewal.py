"""What renewal by new days brings, costs, and forgets: `SequenceModel.fit_more` on ml-100k by global time.

    python benchmarks/sequence_renewal.py --data DIR [--period validation] [--renewal '{"rate": 0.1}'] [--out FILE]

DIR/ml-100k/ml-100k.inter. A GRU4Rec is fitted on the first 80 % of the log (`validation`: on the first 60 %, weeks up
to the 80 %; settings were chosen there), then the rest comes week by week: each week is first asked for, then learned.

- next week: events of the week before it was learned, each with the user's whole history up to it (live), 20 drawn a
  user and week at most; an item that the model doesn't know counts 0. Mean of NDCG@10 over users, all items ranked, the
  history masked.
- old: the last event of 400 users of the fitted part, held out from everything; asked before the first and after the
  last week.

Intervals: bootstrap over users, 95 %; differences are paired. One seed a row; CPU-s: of one process, for all weeks
together (of the refits all of them). Settings are small so that a whole run stays below four CPU-minutes.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from nextbest.data.interactions import Histories, Interactions
from nextbest.evaluation.significance import bootstrap_mean
from nextbest.models import load_model, make_model
from nextbest.models.sequence.sequence_model import SequenceModel
from nextbest.tables import TIME_DTYPE

PERIODS = {"validation": (0.6, 0.8), "test": (0.8, 1.0)}
WEEK = timedelta(days=7)
N_OLD, MIN_OLD, PER_USER = 400, 5, 20
CONFIG = {
    "embedding_dim": 64,
    "max_len": 50,
    "dropout": 0.3,
    "loss": {"kind": "softmax"},
    "training": {"learning_rate": 0.003, "batch_events": 2048, "n_epochs": 15, "n_threads": 1},
}


def read(data: Path) -> pl.DataFrame:
    """The log, sorted by time."""
    table = pl.read_csv(
        data / "ml-100k" / "ml-100k.inter",
        separator="\t",
        new_columns=["user_id", "item_id", "rating", "time"],
    )
    moment = pl.from_epoch(pl.col("time").cast(pl.Int64), time_unit="s").dt.replace_time_zone("UTC")
    return table.with_columns(moment.cast(TIME_DTYPE)).sort("time", "user_id", "item_id")


class Asked:
    """Questions of a moment: users, the items that came, and the histories before them."""

    def __init__(self, user_ids: list[int], item_ids: list[int], histories: Interactions) -> None:
        self.user_ids, self.item_ids, self.histories = user_ids, item_ids, histories

    @classmethod
    def of(cls, log: pl.DataFrame, asked: pl.DataFrame) -> "Asked":
        """Each row of `asked` with what the log holds of its user before it (`place`)."""
        rows = asked.with_columns(question=pl.int_range(pl.len()))
        past = rows.select("question", "user_id", upto="place").join(log, on="user_id")
        past = past.filter(pl.col("place") < pl.col("upto")).select("item_id", "time", user_id="question")
        index = Interactions.from_journal(past)
        return cls(asked["user_id"].to_list(), asked["item_id"].to_list(), index)

    def by_user(self, model: SequenceModel) -> dict[int, float]:
        """Mean NDCG@10 of each user's questions."""
        n = len(self.user_ids)
        histories: Histories = model.histories_for(
            self.histories, user_ids=pl.Series(range(n), dtype=pl.Int64)
        )
        best = model.top_k(histories, k=10, n_threads=1).item_idx
        target = model.item_ids_.encode(pl.Series(self.item_ids))
        hit = (best == target[:, None]) & (target >= 0)[:, None]
        gain = np.where(hit.any(axis=1), 1 / np.log2(hit.argmax(axis=1) + 2), 0.0)
        table = pl.DataFrame({"u": self.user_ids, "gain": gain}).group_by("u").agg(pl.col("gain").mean())
        return dict(table.sort("u").iter_rows())


def week_questions(log: pl.DataFrame, start: datetime, end: datetime) -> Asked:
    """Events of a week that have one before them, 20 drawn of each user at most."""
    week = log.filter((pl.col("time") >= start) & (pl.col("time") < end) & (pl.col("place") > 0))
    drawn = week.filter(pl.int_range(pl.len()).shuffle(seed=0).over("user_id") < PER_USER)
    return Asked.of(log, drawn)


def cpu_s() -> float:
    """CPU-seconds of this process so far."""
    return time.process_time()


def run(
    renew: Callable[[SequenceModel, pl.DataFrame, datetime], SequenceModel],
    model: SequenceModel,
    log: pl.DataFrame,
    weeks: list[tuple[datetime, datetime, Asked]],
    old: Asked,
) -> dict[str, object]:
    """One way through the weeks."""
    spent = 0.0
    gains: dict[int, list[float]] = {}
    by_week = []
    for number, (start, end, asked) in enumerate(weeks):
        of_week = asked.by_user(model)
        by_week.append(float(np.mean(list(of_week.values()))))
        for user, gain in of_week.items():
            gains.setdefault(user, []).append(gain)
        began = cpu_s()
        model = renew(model, log.filter(pl.col("time") < end), start)
        spent += cpu_s() - began
        best = model.trained_.get("best_epoch")
        print(f"    week {number + 1}: NDCG@10 {by_week[-1]:.4f}, best epoch {best}", flush=True)
    return {
        "new": {user: float(np.mean(values)) for user, values in gains.items()},
        "by_week": by_week,
        "old": old.by_user(model),
        "cpu_s": spent,
    }


def differences(found: dict[int, float], other: dict[int, float]) -> str:
    """Mean difference over the same users, with its interval."""
    values = np.array(list(found.values())) - np.array(list(other.values()))
    mean = bootstrap_mean(values, rng=0)
    return f"{mean.value:+.4f} ({mean.ci_low:+.4f} to {mean.ci_high:+.4f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--period", choices=PERIODS, default="test")
    parser.add_argument("--renewal", type=json.loads, default={}, help="settings, JSON")
    parser.add_argument("--without", nargs="*", default=[], help="rows to leave out")
    parser.add_argument("--out", type=Path, help="Markdown file to write the table to")
    args = parser.parse_args()
    print(f"load {os.getloadavg()}")
    log = read(args.data)
    low, high = (log["time"][int(len(log) * share)] if share < 1 else None for share in PERIODS[args.period])
    log = log if high is None else log.filter(pl.col("time") < high)
    last = pl.col("time").cum_count().over("user_id") == pl.len().over("user_id")
    fitted = log.filter(pl.col("time") < low).filter(last & (pl.len().over("user_id") >= MIN_OLD))
    held = fitted.sample(N_OLD, seed=0).sort("user_id").select("user_id", "item_id", held=True)
    log = log.join(held, on=["user_id", "item_id"], how="left", maintain_order="left")
    asked_old = log.filter("held")
    log = log.filter(pl.col("held").is_null()).with_columns(place=pl.int_range(pl.len()).over("user_id"))
    n_before = log.filter(pl.col("time") < low).group_by("user_id").agg(place=pl.len())
    old = Asked.of(log, asked_old.join(n_before, on="user_id", maintain_order="left"))
    weeks, start = [], low
    while start <= log["time"].max():
        weeks.append((start, start + WEEK, week_questions(log, start, start + WEEK)))
        start += WEEK
    first = log.filter(pl.col("time") < low)
    later = log.filter(pl.col("time") >= low)
    n_strange = later.filter(~pl.col("item_id").is_in(first["item_id"].unique().implode())).height
    print(
        f"{len(first)} events fitted, {len(later)} in {len(weeks)} weeks ({later['user_id'].n_unique()} users, "
        f"{later.join(first, on='user_id', how='semi').height} events of users known before, "
        f"{n_strange} of items unknown before); {sum(len(w[2].user_ids) for w in weeks)} questions"
    )
    make_model("gru4rec", {**CONFIG, "training": {**CONFIG["training"], "n_epochs": 1}}).fit(
        Interactions.from_journal(first.head(500)), rng=0
    )  # what is imported once isn't counted

    def fit(table: pl.DataFrame) -> SequenceModel:
        return make_model("gru4rec", {**CONFIG, "renewal": args.renewal}).fit(
            Interactions.from_journal(table), rng=0
        )

    def renewed(**settings: float):
        def renew(model: SequenceModel, table: pl.DataFrame, since: datetime) -> SequenceModel:
            changed = model.config.renewal.model_copy(update=settings)
            model.config = model.config.model_copy(update={"renewal": changed})
            return model.fit_more(Interactions.from_journal(table), since=since, rng=0)

        return renew

    ways = {
        "no renewal": lambda model, table, since: model,
        "renewal (`fit_more`)": renewed(),
        "renewal without replay": renewed(replay=0.0),
        "ten epochs at the full rate": renewed(rate=1.0, n_epochs=10),
        "the same without replay": renewed(rate=1.0, n_epochs=10, replay=0.0),
        "full refit": lambda model, table, since: fit(table),
    }
    began = cpu_s()
    start_model = fit(first)
    fit_s = cpu_s() - began
    before = bootstrap_mean(list(old.by_user(start_model).values()), rng=0)
    print(f"first fit {fit_s:.1f} CPU-s, {start_model.trained_['stopped_why']}; old {before.value:.4f}")
    start_old = old.by_user(start_model)
    lines = [
        "| way | NDCG@10 of the next week | less no renewal | old events at the end | less before | CPU-s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    base: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        start_model.save(Path(folder) / "start")
        for name, renew in ways.items():
            if name in args.without:
                continue
            print(f"  {name}", flush=True)
            found = run(renew, load_model(Path(folder) / "start"), log, weeks, old)
            base = base or found["new"]
            more, less = differences(found["new"], base), differences(found["old"], start_old)
            new, kept = (np.mean(list(found[what].values())) for what in ("new", "old"))
            lines.append(f"| {name} | {new:.4f} | {more} | {kept:.4f} | {less} | {found['cpu_s']:.1f} |")
            print(lines[-1], flush=True)
    print("\n".join(lines))
    print(
        f"{len(base)} users asked, {len(start_old)} old; whole run {cpu_s():.0f} CPU-s, "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB"
    )
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

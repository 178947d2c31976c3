"""MAP@7 on real adders: popularity, popularity without what is held, and the second place, by our metric.

    python benchmarks/products_adders.py DATA_FOLDER [--out FILE]

DATA_FOLDER holds `adders_<month>.parquet` (every client of the Santander panel who added a product in that
month: `ncodpers, product, prediction, posFlank`, the prediction being the second place's out-of-fold one)
and `monthlyTransitionCounts.csv` (additions of every product in 16 months). Neither is in the package.

What was held the month before isn't in the files as a column. It is where the prediction is exactly 0: the
second place scored only products that were not held, all others at least 2.3e-5. The script checks this
on the data before using it: no addition may have a 0, and what a client added in one month must have a 0
in the next month's file.

Popularity is counted in three ways: the month itself (as published, but it looks into the answer), all
months before, and a seasonal guess from months before.
"""

import argparse
import itertools
import json
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from nextbest.data.panel.masks import pack_masks
from nextbest.data.panel.schema import SANTANDER
from nextbest.evaluation.additions import addition_precision, popularity_order, zero_without_additions
from nextbest.evaluation.clustered import bootstrap_clustered_mean, clustered_paired_test

PRODUCTS = SANTANDER.product_columns
MONTHS = (date(2016, 1, 28), date(2016, 3, 28), date(2016, 4, 28), date(2016, 5, 28))
N_CLIENTS = dict(zip(MONTHS, (916_269, 925_076, 928_274, 931_453), strict=True))
"""Rows of each month in the panel: the 'all' of MAP@7 over all clients."""
PUBLISHED = {
    "popularity of the month, nothing masked": (0.553, 0.541, 0.532, 0.548),
    "popularity of the month, held masked": (0.646, 0.639, 0.637, 0.657),
    "second place, out of fold": (0.871, 0.902, 0.895, 0.908),
}


class Month:
    """Adders of one month as arrays, rows sorted by customer."""

    def __init__(self, folder: Path, month: date) -> None:
        table = pl.read_parquet(folder / f"adders_{month}.parquet")
        wide = table.pivot("product", index="ncodpers", values=["prediction", "posFlank"]).sort("ncodpers")
        self.month = month
        self.customer = wide["ncodpers"].to_numpy().astype(np.int64)
        self.prediction = wide.select(f"prediction_{p}" for p in PRODUCTS).to_numpy().astype(np.float32)
        self.added = pack_masks(wide.select(f"posFlank_{p}" for p in PRODUCTS).to_numpy() == 1)
        self.held = pack_masks(self.prediction == 0)
        self.counts = np.array([int(((self.added >> b) & 1).sum()) for b in range(len(PRODUCTS))])


def checked_held(months: list[Month]) -> list[str]:
    """Evidence that a prediction of exactly 0 means "held the month before"."""
    lines = []
    for m in months:
        n_wrong = int((m.added & m.held != 0).sum())
        lowest = m.prediction[m.prediction > 0].min()
        lines.append(
            f"{m.month}: {len(m.customer):,} adders, {(m.prediction == 0).mean():.1%} of predictions are 0, "
            f"the least other is {lowest:.1e}; additions with a 0: {n_wrong}"
        )
    for before, after in itertools.pairwise(months):
        if (after.month.year, after.month.month) != (before.month.year, before.month.month + 1):
            continue
        _, i, j = np.intersect1d(before.customer, after.customer, return_indices=True)
        added, held = before.added[i], after.held[j]
        n_added = int(sum(((added >> b) & 1).sum() for b in range(len(PRODUCTS))))
        n_held = int(sum(((added & held) >> b & 1).sum() for b in range(len(PRODUCTS))))
        kept = before.held[i] & after.held[j]
        n_before = int(sum(((before.held[i] >> b) & 1).sum() for b in range(len(PRODUCTS))))
        n_kept = int(sum(((kept >> b) & 1).sum() for b in range(len(PRODUCTS))))
        lines.append(
            f"{len(i):,} clients add in {before.month:%b} and {after.month:%b}: of {n_added:,} products added in "
            f"{before.month:%b}, {n_held:,} have a 0 in {after.month:%b}; of {n_before:,} held before, {n_kept:,}"
        )
    return lines


def transitions(folder: Path) -> tuple[list[date], np.ndarray]:
    """Months and additions (months, products) of the whole panel."""
    table = pl.read_csv(folder / "monthlyTransitionCounts.csv")
    months = [date.fromisoformat(text) for text in table[table.columns[0]]]
    return months, table.select(PRODUCTS).to_numpy().astype(np.float64)


def seasonal(months: list[date], counts: np.ndarray, month: date) -> np.ndarray | None:
    """Mean of the last three months times last year's season: that month over the months up to two away from it.

    50 additions are put under and over the ratio, so that rare products keep their level. None without last year.
    """
    at = months.index(month)
    last_year = date(month.year - 1, month.month, month.day)
    if last_year not in months:
        return None
    then = months.index(last_year)
    around = counts[max(0, then - 2) : then + 3].mean(axis=0)
    return counts[at - 3 : at].mean(axis=0) * (counts[then] + 50) / (around + 50)


def popularities(folder: Path, m: Month) -> dict[str, np.ndarray | None]:
    """Counts by which products are ordered, each with what it may know."""
    months, counts = transitions(folder)
    at = months.index(m.month)
    last_year = date(m.month.year - 1, m.month.month, m.month.day)
    return {
        "popularity of the month": m.counts,
        "popularity of all months before": counts[:at].sum(axis=0),
        "popularity of the last month": counts[at - 1],
        "popularity of the last three months": counts[at - 3 : at].sum(axis=0),
        "popularity of the same month last year": counts[months.index(last_year)]
        if last_year in months
        else None,
        "seasonal popularity": seasonal(months, counts, m.month),
    }


def main() -> None:
    """Compute and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DATA_FOLDER")
    parser.add_argument("--out", type=Path, help="also write all figures as JSON")
    args = parser.parse_args()
    months = [Month(args.folder, month) for month in MONTHS]
    print("What 'held' is read from:\n")
    for line in checked_held(months):
        print(f"- {line}")
    precision: dict[str, dict[date, np.ndarray]] = {}
    for m in months:
        for name, counts in popularities(args.folder, m).items():
            if counts is None:
                continue
            order = popularity_order(counts, len(m.customer))
            for suffix, held in ((", nothing masked", None), (", held masked", m.held)):
                found = addition_precision(order, m.added, held_N=held, k=7)
                precision.setdefault(name + suffix, {})[m.month] = found
        precision.setdefault("second place, out of fold", {})[m.month] = addition_precision(
            m.prediction, m.added, held_N=m.held, k=7
        )
    figures = []
    for name, by_month in precision.items():
        cells = []
        for i, m in enumerate(months):
            if m.month not in by_month:
                cells.append("-")
                continue
            found = bootstrap_clustered_mean(by_month[m.month], clusters=m.customer, rng=0)
            published = PUBLISHED[name][i] if name in PUBLISHED else None
            over_all = zero_without_additions(by_month[m.month]).sum() / N_CLIENTS[m.month]
            figures.append(
                {
                    "model": name,
                    "month": m.month.isoformat(),
                    "map@7_adders": found.value,
                    "ci_low": found.ci_low,
                    "ci_high": found.ci_high,
                    "map@7": over_all,
                    "published": published,
                }
            )
            cells.append(f"{found.value:.4f}" + (f" ({published:.3f})" if published else ""))
        whole = bootstrap_clustered_mean(
            np.concatenate([by_month[m.month] for m in months if m.month in by_month]),
            clusters=np.concatenate([m.customer for m in months if m.month in by_month]),
            rng=0,
        )
        figures.append(
            {
                "model": name,
                "month": "all",
                "map@7_adders": whole.value,
                "ci_low": whole.ci_low,
                "ci_high": whole.ci_high,
                "n_clusters": whole.n_clusters,
            }
        )
        n_months = "" if len(by_month) == len(months) else f", {len(by_month)} months"
        cells.append(f"{whole.value:.4f} [{whole.ci_low:.4f}, {whole.ci_high:.4f}]{n_months}")
        if name == next(iter(precision)):
            print(
                "\n| MAP@7 on adders (published) | "
                + " | ".join(f"{m.month:%Y-%m}" for m in months)
                + " | all [95 %] |"
            )
            print("|---|" + "---:|" * (len(months) + 1))
        print(f"| {name} | " + " | ".join(cells) + " |")
    report_differences(figures, precision, months)
    top = months[-1].prediction.argmax(axis=1)
    hit = ((months[-1].added >> top.astype(np.uint32)) & 1).mean()
    print(
        f"\nSecond place, 2016-05: the first product is an addition for {hit:.3f} of adders (published .856)."
    )
    if args.out:
        args.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def report_differences(
    figures: list[dict[str, object]], precision: dict[str, dict[date, np.ndarray]], months: list[Month]
) -> None:
    """Distance to the published figures, the order of the models, and what masking is worth."""
    gaps = [abs(round(f["map@7_adders"], 3) - f["published"]) for f in figures if f.get("published")]
    print(
        f"\n{len(gaps)} published figures: largest difference after rounding to three digits {max(gaps):.4f}."
    )
    ours = sorted(PUBLISHED, key=lambda name: -next(f["map@7_adders"] for f in figures if f["model"] == name))
    theirs = sorted(PUBLISHED, key=lambda name: -PUBLISHED[name][0])
    print(
        f"Order of the three by ours: {' > '.join(ours)}; {'the' if ours == theirs else 'NOT the'} published one."
    )
    customer = np.concatenate([m.customer for m in months])
    for name in ("popularity of the month", "popularity of all months before"):
        masked, plain = (
            np.concatenate([precision[name + suffix][m.month] for m in months])
            for suffix in (", held masked", ", nothing masked")
        )
        test = clustered_paired_test(masked, plain, clusters=customer, rng=0)
        print(
            f"Masking what is held, {name}: +{test.difference:.4f} [{test.ci_low:.4f}, {test.ci_high:.4f}], "
            f"p = {test.p_value:.1g} ({test.n:,} clients)."
        )
    shares = {m.month: len(m.customer) / N_CLIENTS[m.month] for m in months}
    print(
        "MAP@7 over all clients = MAP@7 on adders x share of adders: "
        + ", ".join(f"{month:%Y-%m} {share:.4f}" for month, share in shares.items())
        + "."
    )


if __name__ == "__main__":
    main()

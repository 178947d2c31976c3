"""How many will add each product next month: forecasts from months before against naive ones, on real counts.

    python benchmarks/products_priors.py DATA_FOLDER [--out FILE]

DATA_FOLDER holds `monthlyTransitionCounts.csv`: additions of 24 products in 16 months (2015-02 to 2016-05)
of the whole Santander panel. Each month is forecast from months before it only. The question is how many
product-months a forecast meets within 10 % of what came, which is what a model's expected additions are
asked for; beside it stands what chance alone would leave to one who knows the true means (Poisson).

Product-months are chosen by what was known: a mean of 100 or more additions in the three months before.
Only from 2016-02 on is there a same month last year, so the last four months are the test, all of one
season each; the six months before them are shown for what level alone can do.
"""

import argparse
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from nextbest.data.panel.schema import SANTANDER
from nextbest.evaluation.expected_counts import chance_within, share_within
from nextbest.models.products.priors import MonthlyAdditions, PriorConfig, forecast_additions

PRODUCTS = SANTANDER.product_columns
N_TEST = 4
LEVEL_MONTHS = 6
ENOUGH = 100
Forecast = Callable[[list[date], np.ndarray, date], np.ndarray]


def last_month(months: list[date], counts: np.ndarray, target: date) -> np.ndarray:
    """What was added the month before."""
    return counts[-1]


def mean_of_three(months: list[date], counts: np.ndarray, target: date) -> np.ndarray:
    """Mean of the three months before."""
    return counts[-3:].mean(axis=0)


def last_year_times_growth(months: list[date], counts: np.ndarray, target: date) -> np.ndarray:
    """The same month last year times the ratio of the last three months to the same three last year."""
    then = _last_year(months, target)
    if then is None or then < 1:
        return mean_of_three(months, counts, target)
    before = counts[max(0, then - 3) : then]
    recent = counts[-len(before) :]
    return counts[then] * (recent.sum(axis=0) + 1) / (before.sum(axis=0) + 1)


def last_month_times_season(months: list[date], counts: np.ndarray, target: date) -> np.ndarray:
    """The month before times last year's step from that month to this one."""
    then = _last_year(months, target)
    if then is None or then < 1:
        return last_month(months, counts, target)
    return counts[-1] * (counts[then] + 1) / (counts[then - 1] + 1)


def priors(config: PriorConfig) -> Forecast:
    """The forecast that the product models are shifted to."""

    def forecast(months: list[date], counts: np.ndarray, target: date) -> np.ndarray:
        return forecast_additions(MonthlyAdditions(tuple(months), counts.astype(np.int64)), target, config)

    return forecast


FORECASTS: dict[str, Forecast] = {
    "last month": last_month,
    "mean of three months": mean_of_three,
    "last month x last year's step": last_month_times_season,
    "last year x growth": last_year_times_growth,
    "priors (the default)": priors(PriorConfig()),
    "priors, no season": priors(PriorConfig(season_trust=0)),
    "priors, full season": priors(PriorConfig(season_trust=1, season_counts=0)),
    "priors, level of 3 months": priors(PriorConfig(window=3)),
    "priors, last month's level": priors(PriorConfig(window=1)),
}


def _last_year(months: list[date], target: date) -> int | None:
    then = date(target.year - 1, target.month, target.day)
    return months.index(then) if then in months else None


def judged(name: str, months: list[date], counts: np.ndarray, targets: list[int]) -> dict[str, object]:
    """Every product-month of these targets under one forecast."""
    expected, observed = [], []
    for at in targets:
        known = counts[at - 3 : at].mean(axis=0) >= ENOUGH
        expected.append(FORECASTS[name](months[:at], counts[:at], months[at])[known])
        observed.append(counts[at][known])
    e, o = np.concatenate(expected), np.concatenate(observed)
    found = share_within(e, o, min_expected=0)
    twenty = share_within(e, o, min_expected=0, tolerance=0.2)
    total = [abs(a.sum() / b.sum() - 1) for a, b in zip(expected, observed, strict=True)]
    return {
        "forecast": name,
        "n": found.n,
        "within_10": found.share,
        "within_10_by_volume": found.weighted_share,
        "within_20": twenty.share,
        "error_by_volume": found.weighted_error,
        "error_of_month_totals": float(np.mean(total)),
        "chance": float(chance_within(o).mean()),
    }


def printed(rows: list[dict[str, object]]) -> None:
    """A table of the rows."""
    print("| forecast | within 10 % | by volume | within 20 % | error by volume | month's total, error |")
    print("|---|---:|---:|---:|---:|---:|")
    for r in rows:
        cells = [
            f"{r[c]:.1%}"
            for c in (
                "within_10",
                "within_10_by_volume",
                "within_20",
                "error_by_volume",
                "error_of_month_totals",
            )
        ]
        print(f"| {r['forecast']} | " + " | ".join(cells) + " |")


def main() -> None:
    """Forecast, judge, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DATA_FOLDER")
    parser.add_argument("--out", type=Path, help="also write all figures as JSON")
    args = parser.parse_args()
    table = pl.read_csv(args.folder / "monthlyTransitionCounts.csv")
    months = [date.fromisoformat(text) for text in table[table.columns[0]]]
    counts = table.select(PRODUCTS).to_numpy().astype(np.float64)

    sizes = [10, 30, 100, 300, 1000, 3000, 10_000]
    print("Poisson noise alone: chance that a count lies within 10 % of its known mean\n")
    print("| mean | " + " | ".join(f"{n:,}" for n in sizes) + " |")
    print("|---|" + "---:|" * len(sizes))
    print("| chance | " + " | ".join(f"{c:.0%}" for c in chance_within(sizes)) + " |")

    document = {}
    test = list(range(len(months) - N_TEST, len(months)))
    before = list(range(len(months) - N_TEST - LEVEL_MONTHS, len(months) - N_TEST))
    for title, targets in (
        ("The last four months", test),
        ("The six months before them (no last year yet)", before),
    ):
        rows = [judged(name, months, counts, targets) for name in FORECASTS]
        if targets is before:
            rows = [
                r
                for r in rows
                if r["forecast"] in ("last month", "mean of three months", "priors (the default)")
            ]
        span = f"{months[targets[0]]:%Y-%m} to {months[targets[-1]]:%Y-%m}"
        print(
            f"\n{title}, {span}: {rows[0]['n']} product-months with 100 or more a month before; known means would"
        )
        print(f"reach {rows[0]['chance']:.1%} within 10 %.\n")
        printed(rows)
        document[title] = rows
    document["months"] = [
        judged(n, months, counts, [at]) | {"month": str(months[at])} for n in FORECASTS for at in test
    ]
    print("\nBy month, within 10 %: " + ", ".join(f"{months[at]:%Y-%m}" for at in test))
    for name in FORECASTS:
        shares = [r["within_10"] for r in document["months"] if r["forecast"] == name]
        print(f"- {name}: " + ", ".join(f"{s:.0%}" for s in shares))

    print("\nWhere the default misses most (expected -> observed), additions off by more than 500:")
    for at in test:
        e = forecast_additions(MonthlyAdditions(tuple(months[:at]), counts[:at].astype(np.int64)), months[at])
        misses = [p for p in np.argsort(-np.abs(e - counts[at])) if abs(e[p] - counts[at][p]) > 500]
        print(
            f"- {months[at]:%Y-%m}: "
            + "; ".join(f"{PRODUCTS[p]} {e[p]:,.0f} -> {counts[at][p]:,.0f}" for p in misses)
        )

    steps = np.abs(np.log(counts[1:] + 0.5) - np.log(counts[:-1] + 0.5))
    big = (counts[1:] >= ENOUGH) & (counts[:-1] >= ENOUGH)
    noise = np.sqrt(1 / counts[1:][big] + 1 / counts[:-1][big]) * 0.6745
    print(
        f"\nFrom month to month a product with 100 or more additions moves by {np.expm1(np.median(steps[big])):.1%} "
        f"(median); Poisson noise alone would move it by {np.expm1(np.median(noise)):.1%}."
    )
    if args.out:
        args.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Is the simulated panel like the real one? Every published figure beside the simulated, with its tolerance.

    python benchmarks/panel_simulator.py --facts DIR [--scale 0.1 1] [--rng 1] [--markdown FILE] [--write DIR]

DIR holds `santander_marginals/` and `santander_adders/` (sums, counts, and the real additions of four
months). Difficulty is MAP@7 on the customers who added something: oracle = the generator's own
probabilities, popularity = what is added most in that month, masked = without what is held already.
`--write` also writes files of the same panel there and measures it.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from nextbest.data.panel.schema import SANTANDER
from nextbest.simulate.panel import SimulatedPanel, facts, simulate_panel
from nextbest.simulate.panel.files import write_panel_files

NAMES = list(facts.PRODUCT)
SURVEYED = {12: "2016-01", 14: "2016-03", 15: "2016-04", 16: "2016-05"}
"""Months whose real additions are known customer by customer."""
LAST_FOUR = (13, 14, 15, 16)


@dataclass(frozen=True)
class Check:
    """One line of the table."""

    group: str
    what: str
    real: str
    simulated: str
    rule: str
    ok: bool | None
    """None: shown, not judged."""


def bits(masks):
    return ((masks[..., None] >> np.arange(24, dtype=np.uint32)) & 1).astype(bool)


def map_at_7(scores, added):
    """AP at 7 of every row: mean over min(m, 7) of the precision at each place that holds an addition."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :7]
    hit = np.take_along_axis(added, order, axis=1)
    precision = np.cumsum(hit, axis=1) / np.arange(1, 8)
    return (precision * hit).sum(axis=1) / np.minimum(added.sum(axis=1), 7)


class Additions:
    """Who added what, month by month."""

    def __init__(self, panel: SimulatedPanel) -> None:
        self.panel = panel
        self.there = np.array([panel.present(month) for month in panel.months_])

    def __getitem__(self, m: int):
        both = self.there[m] & self.there[m - 1]
        return bits(np.where(both, self.panel.held_MC[m] & ~self.panel.held_MC[m - 1], 0).astype(np.uint32))

    def anyone(self, m: int):
        both = self.there[m] & self.there[m - 1]
        return both & ((self.panel.held_MC[m] & ~self.panel.held_MC[m - 1]) != 0)


def volumes(panel: SimulatedPanel, adds: Additions, scale: float, folder: Path) -> Iterator[Check]:
    rows = pl.read_csv(folder / "santander_marginals/monthly_rows.csv")["rows"].to_numpy()
    found = adds.there.sum(axis=1)
    worst = np.abs(found / (rows * scale) - 1).max()
    yield Check("rows", "worst month", "", f"{worst:.2%} off", "0.5 %", worst < 0.005)
    step = (found[6] - found[5]) / scale
    yield Check(
        "rows",
        "July 2015 step",
        f"{rows[6] - rows[5]:,}",
        f"{step:,.0f}",
        "1 %",
        abs(step / (rows[6] - rows[5]) - 1) < 0.01,
    )
    cco = [panel.held_MC[m, adds.there[m]] >> np.uint32(facts.PRODUCT["cco"]) & 1 for m in (5, 6)]
    yield Check(
        "rows",
        "P(current account) June, July 2015",
        "0.79, 0.62",
        f"{cco[0].mean():.2f}, {cco[1].mean():.2f}",
        "0.03",
        abs(cco[0].mean() - 0.79) < 0.03 and abs(cco[1].mean() - 0.62) < 0.03,
    )
    owned = pl.read_csv(folder / "santander_marginals/product_totals.csv")
    owned = dict(owned.select("column", "mean").iter_rows())
    total = adds.there.sum()
    for p, column in enumerate(SANTANDER.product_columns):
        share = ((panel.held_MC >> np.uint32(p)) & 1).sum() / total
        off = abs(share - owned[column])
        yield Check(
            "prevalence",
            NAMES[p],
            f"{owned[column]:.5f}",
            f"{share:.5f}",
            "10 % or 0.001",
            off < 0.1 * owned[column] or off < 0.001,
        )


def months(adds: Additions, scale: float, folder: Path) -> Iterator[Check]:
    table = pl.read_csv(folder / "santander_marginals/monthlyTransitionCounts.csv")
    real = table.select(SANTANDER.product_columns).to_numpy() * scale
    found = np.array([adds[m].sum(axis=0) for m in range(1, 17)])
    z = (found - real) / np.sqrt(np.maximum(real, 1))
    judged = real >= 1
    beyond = (np.abs(z) > 3)[judged].mean()
    yield Check(
        "additions",
        f"product-months beyond 3 sigma of Poisson ({judged.sum()})",
        "0.3 %",
        f"{beyond:.1%}, worst {np.abs(z[judged]).max():.1f}",
        "5 %",
        beyond < 0.05,
    )
    yield Check(
        "additions",
        "all, a month",
        f"{real.sum() / 16 / scale:,.0f}",
        f"{found.sum() / 16 / scale:,.0f}",
        "2 %",
        abs(found.sum() / real.sum() - 1) < 0.02,
    )
    for name, m in (("June 2015", 4), ("December 2015", 10), ("February 2016", 12)):
        others = np.arange(16) != m
        for p in range(24):
            if real[m, p] >= 400 * scale:
                times = [x[m, p] / x[others, p].mean() for x in (real, found)]
                band = 0.15 * times[0] + 3 / np.sqrt(real[m, p]) * times[0]
                yield Check(
                    "seasons",
                    f"{name} over other months, {NAMES[p]}",
                    f"{times[0]:.2f}",
                    f"{times[1]:.2f}",
                    "15 % (+3 sigma)",
                    abs(times[1] - times[0]) < band,
                )


def people(adds: Additions, scale: float, folder: Path) -> Iterator[Check]:
    added, adder = adds[16], adds.anyone(16)
    share = adder.sum() / (adds.there[16] & adds.there[15]).sum()
    yield Check(
        "adders", "share, May 2016", "3.0 %", f"{share:.2%}", "0.2 points", abs(share - 0.030) < 0.002
    )
    for m, name in SURVEYED.items():
        real, found = _real(folder, name).sum(axis=1), adds[m].sum(axis=1)
        found = found[found > 0]
        for n in (1, 2, 3):
            both = [(x == n).mean() for x in (real, found)]
            noise = 3 * np.sqrt(both[0] * (1 - both[0]) / len(found))
            yield Check(
                "adders",
                f"{n} additions, {name}",
                f"{both[0]:.1%}",
                f"{both[1]:.1%}",
                "2 points (+3 sigma)",
                abs(both[0] - both[1]) < 0.02 + noise,
            )
    ever = np.any([adds.anyone(m) for m in range(1, 17)], axis=0).sum() / scale
    yield Check(
        "adders", "ever in 16 months", "201,796", f"{ever:,.0f}", "10 %", abs(ever / 201_796 - 1) < 0.1
    )
    real, given = _real(folder, "2016-05"), added[adder]
    for a, b in (
        ("nom_pens", "nomina"),
        ("nomina", "nom_pens"),
        ("cno", "nom_pens"),
        ("cno", "nomina"),
        ("nom_pens", "cno"),
        ("ctma", "cco"),
        ("ctop", "cco"),
        ("recibo", "cco"),
        ("recibo", "nom_pens"),
        ("cno", "recibo"),
        ("tjcr", "recibo"),
        ("nom_pens", "recibo"),
    ):
        i, j = facts.PRODUCT[a], facts.PRODUCT[b]
        both = [x[x[:, i] > 0, j].mean() for x in (real, given)]
        noise = 3 * np.sqrt(max(both[0] * (1 - both[0]), 0.01) / max(given[:, i].sum(), 1))
        yield Check(
            "added together",
            f"P({b} | {a}), May 2016",
            f"{both[0]:.3f}",
            f"{both[1]:.3f}",
            "5 points (+3 sigma)",
            abs(both[0] - both[1]) < 0.05 + noise,
        )
    sets = [
        dict(zip(*np.unique(x @ (1 << np.arange(24)), return_counts=True), strict=True))
        for x in (real, given)
    ]
    for key in sorted(sets[0], key=lambda k: -sets[0][k])[:8]:
        label = " + ".join(NAMES[p] for p in range(24) if int(key) >> p & 1)
        both = [sets[0][key] / len(real), sets[1].get(key, 0) / len(given)]
        yield Check("sets", f"{{{label}}}, May 2016", f"{both[0]:.1%}", f"{both[1]:.1%}", "", None)


def returns(adds: Additions, folder: Path) -> Iterator[Check]:
    for before, after in ((14, 15), (15, 16), (14, 16), (12, 14), (12, 15), (12, 16)):
        ids = [_real_ids(folder, SURVEYED[m]) for m in (before, after)]
        both, i, j = np.intersect1d(ids[0], ids[1], return_indices=True)
        known = len(both) / len(ids[1])
        found = (adds.anyone(before) & adds.anyone(after)).sum() / adds.anyone(after).sum()
        label = f"adders of {SURVEYED[after]} who added in {SURVEYED[before]}"
        yield Check("again", label, f"{known:.1%}", f"{found:.1%}", "5 points", abs(found - known) < 0.05)
        real = [_real(folder, SURVEYED[m]) for m in (before, after)]
        ours = [adds[m] for m in (before, after)]
        for name in ("recibo", "tjcr", "nom_pens", "cno", "cco", "ecue"):
            if after - before < 2:
                continue
            p = facts.PRODUCT[name]
            share = (real[0][i, p] & real[1][j, p]).sum() / real[1][:, p].sum()
            mine = (ours[0][:, p] & ours[1][:, p]).sum() / max(ours[1][:, p].sum(), 1)
            noise = 3 * np.sqrt(max(share, 0.01) / max(ours[1][:, p].sum(), 1))
            yield Check(
                "again",
                f"{name}, {SURVEYED[before]} and {SURVEYED[after]}",
                f"{share:.1%}",
                f"{mine:.1%}",
                "5 points (+3 sigma)",
                abs(share - mine) < 0.05 + noise,
            )


def difficulty(panel: SimulatedPanel, adds: Additions, folder: Path) -> Iterator[Check]:
    scores = {"oracle": {}, "popularity": {}, "masked": {}}
    for m in sorted({*LAST_FOUR, *SURVEYED}):
        ids, truth = panel.truth(panel.months_[m])
        places = np.searchsorted(panel.customer_ids, ids)
        added, held = adds[m][places], bits(panel.held_MC[m - 1][places])
        some = added.any(axis=1)
        added, held, truth = added[some].astype(float), held[some], truth[some]
        popular = np.repeat(added.sum(axis=0)[None], len(added), axis=0)
        scores["oracle"][m] = map_at_7(truth, added)
        scores["popularity"][m] = map_at_7(popular, added)
        scores["masked"][m] = map_at_7(np.where(held, -1, popular), added)
    bands = {"oracle": (0.90, 0.92), "popularity": (0.53, 0.56), "masked": (0.63, 0.66)}
    published = {"popularity": (0.553, 0.541, 0.532, 0.548), "masked": (0.646, 0.639, 0.637, 0.657)}
    for kind, (low, high) in bands.items():
        for label, chosen in (("last four months", LAST_FOUR), ("months published", tuple(SURVEYED))):
            mean = np.concatenate([scores[kind][m] for m in chosen]).mean()
            by_month = " ".join(f"{scores[kind][m].mean():.3f}" for m in chosen)
            real = " ".join(f"{x:.3f}" for x in published.get(kind, ())) if chosen == tuple(SURVEYED) else ""
            yield Check(
                "MAP@7 on adders",
                f"{kind}, {label}",
                real or f"{low}-{high}",
                f"{mean:.3f} ({by_month})",
                f"{low}-{high}",
                low <= mean <= high,
            )


def attributes(panel: SimulatedPanel) -> Iterator[Check]:
    total = facts.ROWS.sum()
    incomes = panel.people.income[panel.people.income_known]
    share = min(1.0, 4e5 / panel.n_customers / 17)
    table = pl.concat([month.attributes.sample(fraction=share, seed=0) for month in panel.months()])
    n = len(table)
    for name, low, mid, high in (
        ("age", 24, 39, 50),
        ("antiguedad", 23, 50, 135),
        ("renta", 68_711, 101_850, 155_956),
    ):
        found = [table[name].quantile(q, "linear") for q in (0.25, 0.5, 0.75)]
        off = max(abs(f / r - 1) for f, r in zip(found, (low, mid, high), strict=True))
        yield Check(
            "attributes",
            f"quartiles of {name}",
            f"{low:,} {mid:,} {high:,}",
            " ".join(f"{x:,.0f}" for x in found),
            "7 %",
            off < 0.07,
        )
    for name, real in (
        ("ind_empleado", 27_734),
        ("indrel_1mes", 149_781),
        ("canal_entrada", 186_126),
        ("cod_prov", 93_591),
        ("renta", 2_794_375),
        ("segmento", 189_368),
    ):
        found, share = table[name].null_count() / n, real / total
        noise = 3 * np.sqrt(share / n * 17)  # most gaps are of customers, not of rows
        yield Check(
            "missing",
            name,
            f"{share:.3%}",
            f"{found:.3%}",
            "10 % (+3 sigma)",
            abs(found - share) < 0.1 * share + noise,
        )
    shares = (
        ("segmento", "01 - TOP", 562_142),
        ("segmento", "02 - PARTICULARES", 7_960_220),
        ("segmento", "03 - UNIVERSITARIO", 4_935_579),
        ("canal_entrada", "KHE", 4_055_270),
        ("canal_entrada", "KAT", 3_268_209),
        ("canal_entrada", "KFC", 3_098_360),
        ("sexo", "V", 7_424_252),
        ("tiprel_1mes", "A", 6_187_123),
        ("indext", "S", 644_736),
        ("nomprov", "MADRID", 4_409_600),
        ("indrel", "99", 0.0018 * total),
    )
    for name, value, real in shares:
        found, share = (table[name] == value).sum() / n, real / total
        yield Check(
            "attributes",
            f"{name} = {value}",
            f"{share:.2%}",
            f"{found:.2%}",
            "15 %",
            abs(found / share - 1) < 0.15,
        )
    _, sizes = np.unique(incomes, return_counts=True)
    tied = sizes[sizes > 1].sum() / panel.n_customers
    yield Check(
        "attributes",
        "customers who share an income",
        f"{216_682 / 956_645:.1%}",
        f"{tied:.1%}",
        "1.5 points",
        abs(tied - 216_682 / 956_645) < 0.015,
    )


def writing(scale: float, rng: int, folder: Path) -> Iterator[Check]:
    start = time.process_time()
    written = write_panel_files(folder / f"scale-{scale:g}", scale=scale, rng=rng)
    seconds = time.process_time() - start
    size = sum(path.stat().st_size for path in written.panel)
    found = f"{written.rows:,} rows, {size / 1e9:.2f} GB, {seconds:.0f} CPU-s"
    yield Check("cost", "simulate, CSV, offers and truth", "", found, "", None)


def _real_table(folder: Path, month: str) -> pl.DataFrame:
    table = pl.read_parquet(folder / f"santander_adders/adders_{month}-28.parquet")
    return table.pivot(on="product", index="ncodpers", values="posFlank").sort("ncodpers")


def _real(folder: Path, month: str):
    return _real_table(folder, month).select(SANTANDER.product_columns).to_numpy()


def _real_ids(folder: Path, month: str):
    return _real_table(folder, month)["ncodpers"].to_numpy()


def report(scale: float, rng: int, folder: Path, write: Path | None) -> str:
    start = time.process_time()
    panel = simulate_panel(scale=scale, rng=rng)
    seconds = time.process_time() - start
    adds = Additions(panel)
    checks = [
        Check("cost", "simulate", "", f"{panel.n_customers:,} customers, {seconds:.0f} CPU-s", "", None)
    ]
    for part in (
        volumes(panel, adds, scale, folder),
        months(adds, scale, folder),
        people(adds, scale, folder),
        returns(adds, folder),
        difficulty(panel, adds, folder),
        attributes(panel),
    ):
        checks.extend(part)
    if write is not None:
        checks.extend(writing(scale, rng, write))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    checks.append(Check("cost", "peak memory of this script", "", f"{peak:,.0f} MB", "", None))
    judged = [c for c in checks if c.ok is not None]
    lines = [
        f"## scale {scale:g}, rng {rng}: {sum(c.ok for c in judged)} of {len(judged)} within tolerance",
        "",
    ]
    lines += ["| group | figure | real | simulated | tolerance | ok |", "|---|---|---:|---:|---|---|"]
    for c in checks:
        mark = "" if c.ok is None else "yes" if c.ok else "**no**"
        lines.append(f"| {c.group} | {c.what} | {c.real} | {c.simulated} | {c.rule} | {mark} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--facts", type=Path, required=True, metavar="DIR")
    parser.add_argument("--scale", type=float, nargs="+", default=[0.1, 1.0])
    parser.add_argument("--rng", type=int, default=1)
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="DIR")
    args = parser.parse_args()
    text = "\n\n".join(report(s, args.rng, args.facts, args.write) for s in args.scale)
    print(text)
    if args.markdown:
        args.markdown.write_text(text + "\n", encoding="utf-8")

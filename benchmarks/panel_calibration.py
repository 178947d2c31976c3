"""Constants that bring the published counts out of the panel simulator: solved month by month on a simulated panel.

    python benchmarks/panel_calibration.py --scale 1 --seed 20151

writes `src/nextbest/simulate/panel/calibration.json`. All blocks are stepped together: before each
month is drawn, one shift per process is solved so that the expected additions and drops are those
published (additions) or those that keep the published mean ownership (drops).
"""

import argparse
import json
from itertools import product
from pathlib import Path

import numpy as np

from nextbest.simulate.panel import facts
from nextbest.simulate.panel.dynamics import (
    CTJU,
    N_PROCESSES,
    NOM_PENS,
    NOMINA,
    PENSION,
    SAME_MONTH,
    SUREST,
    WITH_WAGE,
    Calibration,
    Run,
    on_share,
    shift,
)
from nextbest.simulate.panel.laws import HELD_WITH, LAWS, N_PRODUCTS, law_arrays
from nextbest.simulate.panel.people import (
    BASE,
    DORMANT,
    ENTRANT,
    ENTRIES,
    EXITS,
    N_MONTHS,
    draw_people,
    n_blocks,
    n_customers,
)

TARGET = Path(__file__).parents[1] / "src/nextbest/simulate/panel/calibration.json"
PLACES = 4
"""Decimals kept."""
WITH_PENSION = 0.973
"""Share of payroll additions that bring the pension payroll with them (published, May 2016)."""
FEWEST_PENSIONS = 15
"""A month's additions of pension payroll by pensioners, at least."""
ALL_ADOPT = 0.95
"""Share of adopters from which on a product counts as having no other kind of addition."""


def additions_by_process():
    """Published additions, (months - 1, processes): workers' pension payroll comes with their payroll."""
    adds = np.zeros((N_MONTHS - 1, N_PROCESSES))
    adds[:, :N_PRODUCTS] = facts.ADDITIONS
    with_payroll = np.minimum(WITH_PENSION * adds[:, NOMINA], adds[:, NOM_PENS])
    adds[:, PENSION] = np.maximum(adds[:, NOM_PENS] - with_payroll, FEWEST_PENSIONS)
    adds[:, NOM_PENS] -= adds[:, PENSION]
    return adds


def owners_by_process(entry, dormant):
    """Owners, (months, processes), that follow from the additions and one drop rate for all months.

    The rate is the one at which the mean over all months is the published one.
    """
    adds = additions_by_process()
    owned = np.zeros(N_PROCESSES)
    owned[:N_PRODUCTS] = facts.OWNED
    owned[PENSION] = owned[NOM_PENS] - owned[NOMINA] / WITH_WAGE
    owned[NOM_PENS] = owned[NOMINA] / WITH_WAGE
    start = np.array([law.start for law in LAWS.values()] + [1.0]) * owned / N_MONTHS
    stay = 1 - EXITS / (N_MONTHS - 1) / facts.ROWS[:-1]
    out = np.zeros((N_MONTHS, N_PROCESSES))
    for q in range(N_PROCESSES):
        come = adds[:, q] + ENTRIES * entry[q]
        come[facts.BREAK - 1] += facts.BREAK_ROWS * dormant[q]
        low, high = 0.0, 0.95
        for _ in range(60):
            middle = (low + high) / 2
            more = owners_path(start[q], stay, come, middle).sum() > owned[q]
            low, high = (middle, high) if more else (low, middle)
        out[:, q] = owners_path(start[q], stay, come, low)
    return out


def owners_path(start, stay, come, drop):
    """Owners of a product in every month."""
    out = [start]
    for m in range(N_MONTHS - 1):
        out.append(out[-1] * stay[m] * (1 - drop) + come[m])
    return np.array(out)


def cohort_shares():
    """P(hold at first sight) of dormant customers and of newcomers, by process."""
    prevalence = np.append(facts.PREVALENCE, facts.PREVALENCE[NOM_PENS] - facts.PREVALENCE[NOMINA])
    prevalence[NOM_PENS] = facts.PREVALENCE[NOMINA]
    dormant = np.minimum(0.08 * prevalence, 0.02)
    dormant[facts.PRODUCT["cco"]] = 0.08
    entry = np.append([law.entry for law in LAWS.values()], 0.0)
    entry[facts.PRODUCT["ctju"]] = 0.002
    return dormant, entry


def solve(log_odds_of, target, *, low=-12.0, high=12.0):
    """The shift at which an increasing function meets `target`."""
    for _ in range(50):
        mid = (low + high) / 2
        low, high = (low, mid) if log_odds_of(mid) > target else (mid, high)
    return (low + high) / 2


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def main(scale, seed, passes, warm, verbose):
    laws = law_arrays()
    total = n_customers(scale)
    blocks = n_blocks(total)
    people = [draw_people(b, total=total, seed=seed) for b in range(blocks)]
    dormant, entry = cohort_shares()
    owners = owners_by_process(entry, dormant) * scale
    adds = additions_by_process() * scale
    adopt = np.log(np.maximum(adds.mean(0) / scale, 0.3) / 400_000)
    if warm:
        adopt = np.array(json.loads(TARGET.read_text("utf-8"))["adopt_Q"])
    calibration = Calibration(
        np.full((3, N_PROCESSES), -30.0),
        adopt,
        np.zeros((N_MONTHS - 1, N_PROCESSES)),
        np.zeros((N_MONTHS - 1, N_PROCESSES)),
    )
    solve_starts(calibration, people, laws, seed, owners[0], dormant, entry)
    wanted = np.append([law.adopt for law in LAWS.values()], 0.3)
    for turn in range(passes):
        runs = [Run(p, laws, calibration, np.random.default_rng([seed, 2, b])) for b, p in enumerate(people)]
        steps = [np.random.default_rng([seed, 3, b]) for b in range(blocks)]
        level = np.zeros((N_MONTHS - 1, N_PROCESSES))
        for month in range(1, N_MONTHS):
            solve_month(month, runs, calibration, adds[month - 1], owners[month], level, scale)
            for run, rng in zip(runs, steps, strict=True):
                run.step(month, run.chances(month), rng)
        # adopting takes what taking again, goals and conversions leave to it
        ratio = wanted * adds.mean(0) / np.maximum(level.mean(0), 1e-9)
        if turn < passes - 1:
            step = 1.5 * np.clip(np.log(np.maximum(ratio, 1e-3)), -3, 3)
            # where all are adopters, the level alone decides: shifts around zero
            calibration.adopt_Q[:] += np.where(
                wanted < ALL_ADOPT, step, np.median(calibration.add_MQ, axis=0)
            )
        if verbose:
            names = [*facts.PRODUCT, "pension"]
            print(f"pass {turn}: adopted share, mean shift of additions and drops")
            for q in range(N_PROCESSES):
                print(
                    f"  {names[q]:9s} {level[:, q].mean() / adds[:, q].mean():8.2f} (wanted {wanted[q]:.2f})"
                    f" {calibration.add_MQ[:, q].mean():7.2f} sd {calibration.add_MQ[:, q].std():5.2f}"
                    f" {calibration.drop_MQ[:, q].mean():7.2f} sd {calibration.drop_MQ[:, q].std():5.2f}"
                )
    save(calibration)
    return calibration


def save(calibration):
    fields = {
        name: np.round(getattr(calibration, name), PLACES).tolist()
        for name in ("start_CQ", "adopt_Q", "add_MQ", "drop_MQ")
    }
    lines = ",\n".join(
        f' "{k}": '
        + (
            json.dumps(v)
            if not isinstance(v[0], list)
            else "[\n  " + ",\n  ".join(json.dumps(r) for r in v) + "\n ]"
        )
        for k, v in fields.items()
    )
    TARGET.write_text("{\n" + lines + "\n}\n", encoding="utf-8")


def solve_starts(calibration, people, laws, seed, owners, dormant, entry):
    """Log-odds of use at first sight; products that others depend on first."""
    late = {facts.PRODUCT[target] for _, target in HELD_WITH}
    late |= {PENSION} if NOM_PENS in late else set()
    processes = [q for q in range(N_PROCESSES) if q != NOMINA]
    for turn in (0, 1):
        runs = [Run(p, laws, calibration, np.random.default_rng([seed, 2, b])) for b, p in enumerate(people)]
        held = np.concatenate([run.state.held for run in runs])
        now = np.concatenate([run.start_logit(run.state.active) for run in runs])
        stays = on_share(laws)
        stay = np.concatenate([stays[np.arange(N_PRODUCTS), run.kind] for run in runs])
        cohort = np.concatenate([p.cohort for p in people])
        old = np.concatenate([run.pensioner for run in runs])
        adult = np.concatenate([p.age for p in people]) >= 18
        for c, q in product((BASE, DORMANT, ENTRANT), processes):
            col = NOM_PENS if q == PENSION else q
            if (q in late) != bool(turn):
                continue
            mine = cohort == c
            n = mine.sum()
            mine &= old if q == PENSION else ~old if q == NOM_PENS else ~adult if q == CTJU else True
            target = owners[q] if c == BASE else n * (dormant if c == DORMANT else entry)[q]
            if target <= 0 or not mine.any():
                continue
            x, on = now[mine, col] - calibration.start_CQ[c, q], stay[mine, col]
            for (source, other), weight in HELD_WITH.items():
                if facts.PRODUCT[other] == col:
                    x = x + weight * held[mine, facts.PRODUCT[source]]
            calibration.start_CQ[c, q] = solve(
                lambda s, x=x, on=on: (sigmoid(x + s) * on).sum(), target, low=-25, high=15
            )


def solve_month(month, runs, calibration, adds, owners, level, scale):
    """Shifts of one month, products that others depend on first."""
    add, drop, adopt, old, held, grown, entering = [], [], [], [], [], [], 0.0
    for run in runs:
        raw = run.raw_chances(month)
        here = (run.people.first < month) & (run.people.last >= month)
        own = np.where(run.state.held, 0, run.adopting(month))
        entering += run.state.held[run.people.first == month].sum(0)
        for out, values in ((add, raw.add_NP), (drop, raw.drop_NP), (adopt, own), (old, run.pensioner)):
            out.append(values[here])
        held.append(run.state.held[here])
        grown.append(run.grown(month)[here])
    add, drop, adopt, old, held, grown = map(np.concatenate, (add, drop, adopt, old, held, grown))
    targets = [facts.PRODUCT[link.target] for link in SAME_MONTH]
    order = [q for q in range(N_PROCESSES) if q not in (*targets, NOMINA)] + sorted(set(targets))
    done_add, done_drop = np.zeros(add.shape), np.zeros(add.shape)
    for q in order:
        col = NOM_PENS if q == PENSION else q
        mine = old if q == PENSION else ~old if q == NOM_PENS else np.ones(len(old), bool)
        p, d = add[mine, col], drop[mine, col]
        more, less = np.zeros(len(p)), np.zeros(len(p))
        for link in SAME_MONTH:
            if facts.PRODUCT[link.target] == col:
                cause = (done_add if link.event == "add" else done_drop)[mine, facts.PRODUCT[link.source]]
                has = held[mine, col]
                if link.effect == "add":
                    more = 1 - (1 - more) * (1 - link.hazard * cause * ~has)
                else:
                    less = 1 - (1 - less) * (1 - link.hazard * cause * has)

        if q == CTJU:
            less = SUREST * (grown & held[:, CTJU])

        def total(s, p=p, extra=more):
            return (1 - (1 - shift(p, s)) * (1 - extra)).sum()

        up = solve(total, max(adds[q], 0.02 * scale))
        calibration.add_MQ[month - 1, q] = up
        level[month - 1, q] = (adopt[mine, col] * np.exp(up)).sum()
        done_add[mine, col] = shift(p, up)
        here = held[mine, col].sum()
        new = entering[col] if q != PENSION else 0.0
        wanted = max(here + adds[q] + new - owners[q], 0.0005 * here)

        def gone(s, d=d, extra=less):
            return (1 - (1 - shift(d, s)) * (1 - extra)).sum()

        down = solve(gone, wanted, low=-6, high=6)
        calibration.drop_MQ[month - 1, q] = down
        done_drop[mine, col] = shift(d, down)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=20151)
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--warm", action="store_true", help="start from the stored hazards of adopting")
    args = parser.parse_args()
    main(args.scale, args.seed, args.passes, args.warm, verbose=True)

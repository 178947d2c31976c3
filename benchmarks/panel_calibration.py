"""Constants that bring the published counts out of the panel simulator: solved month by month on a simulated panel.

    python benchmarks/panel_calibration.py --scale 1 --seed 20151

writes `src/nextbest/simulate/panel/calibration.json`. All blocks are stepped together: before each
month is drawn, one shift per process is solved so that the expected additions and drops are those
published (additions) or those that keep the published mean ownership (drops).
"""

import argparse
import json
from pathlib import Path

import numpy as np

from nextbest.simulate.panel import facts
from nextbest.simulate.panel.dynamics import (
    CNO,
    CTJU,
    N_PROCESSES,
    NOM_PENS,
    NOMINA,
    PENSION,
    WITH_WAGE,
    Calibration,
    Run,
    on_share,
)
from nextbest.simulate.panel.laws import LAWS, N_PRODUCTS, TOGETHER, law_arrays
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


def additions_MQ():
    """Published additions by process: the workers' pension payroll is the payroll's."""
    adds = np.zeros((N_MONTHS - 1, N_PROCESSES))
    adds[:, :N_PRODUCTS] = facts.ADDITIONS
    both = np.minimum(adds[:, NOMINA] / 1.0 * 0.973, adds[:, NOM_PENS])
    adds[:, PENSION] = np.maximum(adds[:, NOM_PENS] - both, 15)
    adds[:, NOM_PENS] = adds[:, NOM_PENS] - adds[:, PENSION]
    return adds


def owners_MQ(entry_Q, dormant_Q):
    """Owners of each process by month: a constant drop rate that meets the published mean prevalence."""
    adds = additions_MQ()
    owned = np.zeros(N_PROCESSES)
    owned[:N_PRODUCTS] = facts.OWNED
    owned[PENSION] = owned[NOM_PENS] - owned[NOMINA] / WITH_WAGE
    owned[NOM_PENS] = owned[NOMINA] / WITH_WAGE
    start = np.array([law.start for law in LAWS.values()] + [1.0])
    stay = 1 - EXITS / (N_MONTHS - 1) / facts.ROWS[:-1]
    out = np.zeros((N_MONTHS, N_PROCESSES))
    for q in range(N_PROCESSES):

        def path(drop):
            n = [start[q] * owned[q] / N_MONTHS]
            for m in range(N_MONTHS - 1):
                new = ENTRIES[m] * entry_Q[q] + (m + 1 == facts.BREAK) * facts.BREAK_ROWS * dormant_Q[q]
                n.append(n[-1] * stay[m] * (1 - drop) + adds[m, q] + new)
            return np.array(n)

        low, high = 0.0, 0.95
        for _ in range(60):
            mid = (low + high) / 2
            low, high = (mid, high) if path(mid).sum() > owned[q] else (low, mid)
        out[:, q] = path(low)
    return out


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


def shifted(p, s):
    f = np.exp(s)
    return p * f / (1 - p + p * f)


def main(scale, seed, passes, verbose):
    laws = law_arrays()
    total = n_customers(scale)
    blocks = n_blocks(total)
    people = [draw_people(b, total=total, seed=seed) for b in range(blocks)]
    dormant, entry = cohort_shares()
    owners = owners_MQ(entry, dormant) * scale
    adds = additions_MQ() * scale
    adopt = np.log(np.maximum(adds.mean(0) / scale, 0.3) / 400_000)
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
            for run, rng in zip(runs, steps, strict=True):
                run.wake(rng)
            solve_month(month, runs, calibration, adds[month - 1], owners[month], level, scale)
            for run, rng in zip(runs, steps, strict=True):
                run.step(month, run.chances(month), rng)
        # adopting takes what taking again, goals and conversions leave to it
        ratio = wanted * adds.mean(0) / np.maximum(level.mean(0), 1e-9)
        if turn < passes - 1:
            calibration.adopt_Q[:] += np.clip(np.log(np.maximum(ratio, 1e-3)), -3, 3)
        if verbose:
            names = [*facts.PRODUCT, "pension"]
            print(f"pass {turn}: adopted share, mean shift of additions and drops")
            for q in range(N_PROCESSES):
                print(
                    f"  {names[q]:9s} {level[:, q].mean() / adds[:, q].mean():8.2f} (wanted {wanted[q]:.2f})"
                    f" {calibration.add_MQ[:, q].mean():7.2f} sd {calibration.add_MQ[:, q].std():5.2f}"
                    f" {calibration.drop_MQ[:, q].mean():7.2f} sd {calibration.drop_MQ[:, q].std():5.2f}"
                )
    if TARGET is not None:
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
    share = on_share(laws)
    logits, stays, cohorts, pension = [], [], [], []
    for b, p in enumerate(people):
        run = Run(p, laws, calibration, np.random.default_rng([seed, 2, b]))
        keep = np.ones(len(p), bool)
        logit = run.start_logit(run.state.active) + 30
        logits.append(logit[keep])
        stays.append(share[np.arange(N_PRODUCTS), run.kind])
        cohorts.append(p.cohort)
        pension.append(run.pensioner)
    logit, stay, cohort, old = map(np.concatenate, (logits, stays, cohorts, pension))
    for c in (BASE, DORMANT, ENTRANT):
        for q in range(N_PROCESSES):
            col = min(q, N_PRODUCTS - 1) if q != PENSION else NOM_PENS
            mine = cohort == c
            if q == PENSION:
                mine &= old
            if q == NOM_PENS:
                mine &= ~old
            x, on = logit[mine, col], stay[mine, col]
            if q == CTJU:
                x = np.where(x < -10, -60, 0.0)
            n = (cohort == c).sum()
            target = owners[q] if c == BASE else n * (dormant if c == DORMANT else entry)[q]
            if target <= 0 or q == NOMINA:
                continue
            calibration.start_CQ[c, q] = solve(
                lambda s, x=x, on=on: (sigmoid(x + s) * on).sum(), target, low=-25, high=15
            )


def solve_month(month, runs, calibration, adds, owners, level, scale):
    add, drop, adopt, there, entering, old, held = [], [], [], [], [], [], []
    for run in runs:
        raw = run.raw_chances(month)
        here = (run.people.first < month) & (run.people.last >= month)
        traits = run.traits(month, run.state.active, run.state.awake)
        log = traits @ run.laws.likes_FP.astype(np.float32) + run._by_client(calibration.adopt_Q)
        own = np.exp(np.minimum(log + 0.6 * run.people.pull[:, None], -0.3))
        own[run.state.held] = 0
        add.append(raw.add_NP[here])
        drop.append(raw.drop_NP[here])
        adopt.append(own[here])
        old.append(run.pensioner[here])
        held.append(run.state.held[here].astype(np.float32))
        entering.append(run.state.held[run.people.first == month].astype(np.float32).sum(0))
        there.append(run.people.age[here])
    add, drop, adopt, old, held = map(np.concatenate, (add, drop, adopt, old, held))
    entering = np.sum(entering, axis=0)
    sources = {facts.PRODUCT[t]: (facts.PRODUCT[s], p) for (s, t), p in TOGETHER.items()}
    order = [q for q in range(N_PROCESSES) if q not in sources] + list(sources)
    done = {}
    for q in order:
        if q == NOMINA:
            continue
        col = NOM_PENS if q == PENSION else q
        mine = old if q == PENSION else ~old if q == NOM_PENS else slice(None)
        p, d, own = add[mine, col], drop[mine, col], adopt[mine, col]
        extra = 0.0
        if q in sources:
            s, prob = sources[q]
            extra = prob * done[s][mine] * (held[mine, col] == 0)

        def total(s, p=p, extra=extra):
            return (1 - (1 - shifted(p, s)) * (1 - extra)).sum()

        shift = solve(total, max(adds[q], 0.02 * scale))
        calibration.add_MQ[month - 1, q] = shift
        level[month - 1, q] = (own * np.exp(shift)).sum()
        full = np.zeros(len(add))
        full[mine] = shifted(p, shift)
        done[q] = full
        here = held[mine, col].sum()
        new = entering[col] if q != PENSION else 0.0
        wanted = here + adds[q] + new - owners[q]
        calibration.drop_MQ[month - 1, q] = solve(
            lambda s, d=d: shifted(d, s).sum(), max(wanted, 0.0005 * here), low=-6, high=6
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=20151)
    parser.add_argument("--passes", type=int, default=4)
    args = parser.parse_args()
    main(args.scale, args.seed, args.passes, verbose=True)

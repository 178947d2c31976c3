"""Rolling months: fit before each, ask about all its clients, count, and forget.

Thresholds of a month are tuned on the month before, by a model that had not seen that one either; the
first month asked for therefore costs one more fit, of the month before it, whose figures aren't shown.
"""

# ruff: noqa: N815  (fields suffixed by their axes are the house style for arrays)

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from nextbest.data.panel.panel import Panel, additions
from nextbest.errors import InputError
from nextbest.evaluation.masks import owned_after
from nextbest.evaluation.product_scores import ProductScores, paired_precision_test
from nextbest.evaluation.significance import holm
from nextbest.evaluation.thresholds import NEVER, predicted_masks, tune_thresholds
from nextbest.experiments.cost import Cost, measured
from nextbest.experiments.products.contenders import (
    BASELINES,
    DEFAULT_ROWS,
    Contender,
    Month,
    Plan,
    Said,
)
from nextbest.experiments.products.fairness import SERVED, FairnessTally
from nextbest.experiments.products.report import ProductReport, ProductRow
from nextbest.models.products.config import ProductConfig
from nextbest.models.products.features.tables import FeatureInput

log = logging.getLogger(__name__)
Refit = Literal["every", "once"]
_CHUNK = 65_536
"""Clients asked about at once."""
_MIN_POSITIVES = 20
"""Additions of a product in the month before, below which it is never foretold."""


@dataclass
class _Tally:
    """What becomes of one row of the table over the months."""

    scores: ProductScores
    add_threshold_P: NDArray[np.float64] | None = None
    own_threshold_P: NDArray[np.float64] | None = None
    ask_cpu_s: float = 0.0
    has_probabilities: bool = False
    fairness: FairnessTally | None = None


@dataclass
class _Fits:
    """Cost of the fits behind a row."""

    cpu_s: float = 0.0
    n: int = 0
    peak_mb: float = 0.0

    def add(self, cost: Cost) -> None:
        self.cpu_s += cost.cpu_s
        self.peak_mb = max(self.peak_mb, cost.peak_mb)
        self.n += 1


@dataclass
class _Said:
    """All blocks of a row's answers for one month."""

    p: list[NDArray[np.float32]] = field(default_factory=list)
    lists: list[NDArray[np.int8]] = field(default_factory=list)
    own: list[NDArray[np.float32]] = field(default_factory=list)
    own_masks: list[NDArray[np.uint32]] = field(default_factory=list)

    def add(self, said: Said) -> None:
        for block, to in (
            (said.p_NP, self.p),
            (said.list_NK, self.lists),
            (said.own_NP, self.own),
            (said.own_N, self.own_masks),
        ):
            if block is not None:
                to.append(block)  # type: ignore[arg-type]


def evaluate_products(
    panel: Panel,
    *,
    months: int | Sequence[date] = 4,
    models: Sequence[str] = DEFAULT_ROWS,
    config: ProductConfig | None = None,
    refit: Refit = "every",
    rng: int = 0,
    n_resamples: int = 1000,
    n_threads: int = 1,
    progress: bool = False,
) -> ProductReport:
    """Baselines and models on months they have not seen.

    Parameters
    ----------
    panel
        Each month is asked about with products to the month before and nothing later.
    months
        How many of the newest months, or the months themselves.
    models
        Rows of the table, names of `contenders.ALL_ROWS`.
    config
        Settings of the product model; single estimators take their own part of it and the same training months.
    refit
        `every`: fit anew for each month. `once`: one fit, for the month before the first, asked about all; the
        product model expects each month's own numbers (`ProductModel.for_month`).
    rng
        Seed of rows drawn, of models and of the bootstrap.
    n_resamples
        Resamples of customers for the intervals.

    Returns
    -------
    ProductReport
        Rows in the order of `models`; figures over all months, by month, and for clients who were in no
        training month apart; each row tested against the best baseline, paired by customer, Holm-corrected;
        with `product_model` among them, what it foretells by sex, age band and province.

    Raises
    ------
    InputError
        An unknown model, or months that the panel doesn't have or that have too little before them.
    """
    plan, config = Plan(tuple(models)), config or ProductConfig()
    targets = _targets(panel, months)
    warm_up = panel.schema.month_before(targets[0])
    tallies = {
        name: _Tally(ProductScores(name, products=panel.schema.product_columns)) for name in plan.names
    }
    if SERVED in tallies:
        tallies[SERVED].fairness = FairnessTally(panel)
    fits = {name: _Fits() for name in plan.names}
    contenders = plan.contenders(panel, config, n_threads=n_threads)
    learned_from: list[str] = []
    with tqdm(total=(len(targets) + 1) * len(contenders), disable=not progress, unit="model-month") as bar:
        month: Month | None = None
        for n_done, target in enumerate((warm_up, *targets)):
            started = time.process_time()
            if month is None or refit == "every":
                month = Month(panel, target, config, rng=rng)
                learned_from.append(f"{month.months[0]:%Y-%m}..{month.months[-1]:%Y-%m}")
                for contender in contenders:
                    bar.set_description(f"{target:%Y-%m} fit {contender.rows[-1]}")
                    with measured() as cost:
                        contender.fit(month, rng=rng, progress=False)
                    for name in contender.rows:
                        if name in fits:
                            fits[name].add(cost)
                month.forget()
            _ask_month(month, target, contenders, tallies, bar, is_warm_up=target == warm_up)
            log.info(
                "evaluated %s (%d of %d%s): %d models, %.0f CPU-s",
                f"{target:%Y-%m}",
                n_done + 1,
                len(targets) + 1,
                ", thresholds only" if target == warm_up else "",
                len(contenders),
                time.process_time() - started,
            )
    return _report(panel, targets, tallies, fits, learned_from, refit, config, rng, n_resamples)


def _ask_month(
    month: Month,
    target: date,
    contenders: Sequence[Contender],
    tallies: dict[str, _Tally],
    bar: "tqdm[object]",
    *,
    is_warm_up: bool,
) -> None:
    """Ask every contender about every client of a month, count, and tune thresholds for the next."""
    panel, steps = month.panel, month.steps
    row_N, held_N, added_N = additions(panel, target)
    owned_N = np.asarray(panel.held(target))[row_N]
    trained = np.zeros(panel.n_customers, np.bool_)
    for known in month.months:
        trained |= np.asarray(panel.present(known))
    is_unseen_N = (~trained[row_N]).astype(np.int8)
    clients = steps.clients(panel, target)
    for contender in contenders:
        bar.set_description(f"{target:%Y-%m} ask {contender.rows[-1]}")
        contender.move(month, target)
        answers = {name: _Said() for name in contender.rows if name in tallies}
        with measured() as cost:
            for start in range(0, len(row_N), _CHUNK):
                inputs: FeatureInput = clients.inputs(row_N[start : start + _CHUNK])
                for name, said in contender.ask(inputs, steps.transform(inputs)).items():
                    if name in answers:
                        answers[name].add(said)
        for name in list(answers):
            answer, tally = answers.pop(name), tallies[name]
            tally.ask_cpu_s += cost.cpu_s
            _count(tally, target, answer, row_N, held_N, added_N, owned_N, is_unseen_N, is_warm_up=is_warm_up)
        bar.update()


def _count(
    tally: _Tally,
    target: date,
    answer: _Said,
    row_N: NDArray[np.int32],
    held_N: NDArray[np.uint32],
    added_N: NDArray[np.uint32],
    owned_N: NDArray[np.uint32],
    is_unseen_N: NDArray[np.int8],
    *,
    is_warm_up: bool,
) -> None:
    """Count a month of one row with last month's thresholds, then tune the next month's."""
    p_NP = np.concatenate(answer.p) if answer.p else None
    own_NP = np.concatenate(answer.own) if answer.own else None
    if not is_warm_up:
        predicted_N = None
        if p_NP is not None and tally.add_threshold_P is not None:
            predicted_N = predicted_masks(p_NP, tally.add_threshold_P, held_N=held_N)
        if answer.own_masks:
            owned_said_N = np.concatenate(answer.own_masks)
        elif own_NP is not None and tally.own_threshold_P is not None:
            owned_said_N = predicted_masks(own_NP, tally.own_threshold_P)
        else:
            owned_said_N = owned_after(held_N, added_N=predicted_N)
        tally.scores.add_month(
            target,
            customer_N=row_N,
            held_N=held_N,
            added_N=added_N,
            probability_NP=p_NP,
            list_NK=np.concatenate(answer.lists) if answer.lists else None,
            predicted_N=predicted_N,
            owned_N=owned_N,
            owned_predicted_N=owned_said_N,
            kind_N=is_unseen_N,
        )
        if tally.fairness is not None and p_NP is not None and predicted_N is not None:
            tally.fairness.add(
                target, row_N=row_N, offered_N=predicted_N, added_N=added_N, probability_NP=p_NP
            )
    tally.has_probabilities = p_NP is not None
    if p_NP is not None:
        tuned_P = tune_thresholds(added_N, p_NP, held_N=held_N, min_positives=_MIN_POSITIVES)
        tally.add_threshold_P = np.where(tuned_P > 0, tuned_P, NEVER)  # who says 0 doesn't foretell it
    if own_NP is not None:
        tally.own_threshold_P = tune_thresholds(owned_N, own_NP, min_positives=_MIN_POSITIVES)


def _targets(panel: Panel, months: int | Sequence[date]) -> tuple[date, ...]:
    """The months asked about, oldest first, with three months of products before the warm-up."""
    if isinstance(months, int):
        if months < 1:
            raise InputError("months", "must be 1 or more", value=months)
        targets = panel.months[-months:]
    else:
        targets = tuple(sorted({panel.schema.month_of(m) for m in months}))
    if not targets:
        raise InputError("months", "must name at least one month")
    needed, n_there = 4, len(panel.months)
    if n_there < len(targets) + needed or panel.index(targets[0]) < needed:
        needs = f"each needs {needed} months of the panel before it"
        if n_there <= needed:
            raise InputError("months", needs, value=months, remedy=f"the panel has {n_there} months in all")
        most, span = n_there - needed, f"{panel.months[needed]:%Y-%m} to {panel.months[-1]:%Y-%m}"
        rule = f"must be at most {most}" if isinstance(months, int) else f"must lie in {span}"
        value = months if isinstance(months, int) else f"{targets[0]:%Y-%m}"
        raise InputError("months", rule, value=value, remedy=f"{needs}: {span} can be asked about")
    for target in targets:
        panel.index(panel.schema.month_before(target))
    return targets


def _report(
    panel: Panel,
    targets: tuple[date, ...],
    tallies: dict[str, _Tally],
    fits: dict[str, _Fits],
    learned_from: list[str],
    refit: Refit,
    config: ProductConfig,
    rng: int,
    n_resamples: int,
) -> ProductReport:
    rows: list[ProductRow] = []
    for name, tally in tallies.items():
        found = tally.scores.rows(rng=rng, n_resamples=n_resamples)
        per_product = tally.scores.per_product().to_dicts() if tally.has_probabilities else []
        whole, *parts = found
        rows.append(
            ProductRow(
                model=name,
                figures={key: value for key, value in whole.items() if key not in ("model", "month", "kind")},
                by_month=[part for part in parts if part["month"] != "all"],
                by_kind=[part for part in parts if part["kind"] != "all"],
                per_product=per_product,
                fit_cpu_s=fits[name].cpu_s / max(fits[name].n, 1),
                ask_cpu_s=tally.ask_cpu_s / (len(targets) + 1),
                peak_mb=fits[name].peak_mb,
            )
        )
    _compare(rows, tallies, rng)
    served = tallies[SERVED].fairness if SERVED in tallies else None
    return ProductReport(
        months=[f"{m:%Y-%m}" for m in targets],
        protocol={
            "panel": panel.schema.name,
            "clients": panel.n_customers,
            "attributes": config.features.attributes,
            "refit": refit,
            "learned_from": learned_from,
            "thresholds": "tuned on the month before, by a model that had not seen it",
            "rng": rng,
        },
        breaks=list(panel.report.get("breaks", [])),
        rows=rows,
        fairness=None if served is None else served.report(),
    )


def _compare(rows: list[ProductRow], tallies: dict[str, _Tally], rng: int) -> None:
    """Each ranked row against the best baseline among them, paired by customer."""
    ranked = [r for r in rows if r.figures.get("map@7_adders") is not None]
    baselines = [r for r in ranked if r.model in BASELINES]
    if not baselines or len(ranked) < 2:
        return
    best = max(baselines, key=lambda r: float(r.figures["map@7_adders"]["value"]))
    others = [r for r in ranked if r is not best]
    tests = [
        paired_precision_test(tallies[r.model].scores, tallies[best.model].scores, rng=rng, n_resamples=2000)
        for r in others
    ]
    for row, test, p_holm in zip(others, tests, holm([t.p_value for t in tests]), strict=True):
        row.difference = {
            "to": best.model,
            "value": test.difference,
            "ci_low": test.ci_low,
            "ci_high": test.ci_high,
            "p_value": test.p_value,
            "p_holm": float(p_holm),
        }

"""Several models and recipes on one split: fit, list, count, and say which differences are real."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from tqdm import tqdm

from nextbest.errors import InputError
from nextbest.evaluation.beyond import evaluate_lists
from nextbest.evaluation.protocol import describe
from nextbest.evaluation.ranking import Metric, evaluate_ranking
from nextbest.evaluation.significance import bootstrap_mean, holm, paired_test
from nextbest.evaluation.slices import user_slices
from nextbest.evaluation.splits import Split
from nextbest.experiments.cost import measured
from nextbest.experiments.lists import Encoded, encode, excludes_seen_in, fit
from nextbest.experiments.pipelines import build_pipeline
from nextbest.experiments.recipe import Recipe
from nextbest.experiments.report import CompareReport, Row
from nextbest.experiments.selection import (
    Choice,
    best_of,
    check_settings,
    choose,
    for_these_times,
    needs_validation,
)
from nextbest.experiments.splitting import SplitPlan
from nextbest.tables import ITEM_ID, USER_ID

METRICS: tuple[Metric, ...] = ("ndcg", "hr", "recall", "precision", "mrr", "map")


def compare(
    journal: pl.DataFrame,
    recipes: Sequence[Recipe],
    *,
    plan: SplitPlan | None = None,
    k: int = 10,
    rng: int = 0,
    clients: pl.DataFrame | None = None,
    catalog: pl.DataFrame | None = None,
    max_users: int | None = None,
    n_resamples: int = 1000,
    progress: bool = False,
) -> CompareReport:
    """Every model of every recipe on one split, with intervals, a paired test and the cost.

    Parameters
    ----------
    journal
        Columns `user_id, item_id, time` and what the recipes weigh by.
    plan
        How to cut; None = by global time, the last tenth of the events.
    k
        Length of the lists.
    max_users
        Evaluate a random sample of so many target users (stated in the report); None = all.
    n_resamples
        Bootstrap resamples of users for intervals; the paired test takes ten times as many.

    Raises
    ------
    InputError
        An argument or a recipe breaks its rule.
    DataError
        The journal can't be cut in the way asked for.

    Notes
    -----
    Settings are chosen by NDCG@k on a validation split inside the train part. Metrics count all
    items of the train part as candidates; a target that the train part doesn't know is a miss.
    """
    if not recipes:
        raise InputError("recipes", "must name at least one")
    if k < 1:
        raise InputError("k", "must be 1 or more", value=k)
    if rng < 0:
        raise InputError("rng", "must be 0 or more", value=rng)
    if max_users is not None and max_users < 1:
        raise InputError("max_users", "must be 1 or more", value=max_users)
    plan = plan or SplitPlan(rng=rng)
    test = plan.test(journal)
    validation = (
        plan.validation(journal, test) if any(map(needs_validation, recipes)) or not plan.refit else None
    )
    if not plan.refit and plan.protocol != "leave-last" and validation is not None:
        test = replace(
            test,
            train=validation.train,
            protocol=describe(
                train=validation.train,
                history=test.history,
                targets=test.targets,
                n_target_events=test.protocol["n_target_events"],
                choices=test.protocol,
            ),
        )
    test = _sampled(test, max_users=max_users, rng=rng)
    names = [
        name for r in recipes for name in ([r.name] if r.report == "best" else [m.name for m in r.models])
    ]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise InputError("recipes", f"rows {twice} appear twice; give one of them another label")

    for recipe in recipes:
        check_settings(recipe)
    recipes, skipped = for_these_times(recipes, plan.time_kind)
    done: list[_Listed] = []
    with tqdm(total=_n_fits(recipes), disable=not progress, unit="fit") as bar:

        def tick(what: str) -> None:
            bar.set_description(what)
            bar.update()

        for recipe in recipes:
            inner = validation if needs_validation(recipe) else None
            choices = choose(
                recipe, inner, k=k, rng=rng, clients=clients, catalog=catalog, progress=progress, tick=tick
            )
            encoded = encode(test, recipe, clients=clients, catalog=catalog)
            best = recipe.report == "best"
            for name, among in [(recipe.name, choices)] if best else [(c.model.name, [c]) for c in choices]:
                tick(f"test {name}")
                try:
                    choice = best_of(among)
                    if best:
                        listed = _pipeline_lists(
                            recipe,
                            choice,
                            test,
                            encoded,
                            k=k,
                            rng=rng,
                            clients=clients,
                            catalog=catalog,
                            progress=progress,
                        )
                    else:
                        listed = _model_lists(recipe, choice, test, encoded, k=k, rng=rng, progress=progress)
                except InputError as error:
                    skipped.append({"model": name, "why": str(error)})
                else:
                    done.append(listed)
    if not done:
        raise InputError("recipes", f"no model could be fitted: {skipped[0]['why']}")
    protocol = {
        **test.protocol,
        "refit": plan.refit,
        "k": k,
        "rng": rng,
        "choosing_metric": f"ndcg@{k}",
        "n_resamples": n_resamples,
    }
    report = _count(
        done, test, protocol, k=k, rng=rng, n_resamples=n_resamples, clients=clients, catalog=catalog
    )
    return replace(report, skipped=skipped)


@dataclass(frozen=True, eq=False)
class _Listed:
    name: str
    lists: pl.DataFrame
    choice: Choice
    is_baseline: bool
    fit_cpu_s: float
    recommend_cpu_s: float
    peak_mb: float


def _n_fits(recipes: Sequence[Recipe]) -> int:
    validated = sum(len(list(m.candidates())) for r in recipes if needs_validation(r) for m in r.models)
    return validated + sum(1 if r.report == "best" else len(r.models) for r in recipes)


def _sampled(split: Split, *, max_users: int | None, rng: int) -> Split:
    users = split.targets[USER_ID].unique().sort()
    if max_users is None or len(users) <= max_users:
        return split
    kept = users.gather(np.sort(np.random.default_rng(rng).choice(len(users), max_users, replace=False)))
    return replace(
        split,
        targets=split.targets.join(kept.to_frame(USER_ID), on=USER_ID, how="semi", maintain_order="left"),
        protocol={**split.protocol, "n_users_sampled": max_users},
    )


def _model_lists(
    recipe: Recipe, choice: Choice, test: Split, encoded: Encoded, *, k: int, rng: int, progress: bool
) -> _Listed:
    model, cost = fit(choice.model.kind, choice.config, encoded.train, rng=rng, progress=progress)
    with measured() as asked:
        lists = model.recommend(encoded.asked, k=k, exclude_seen=excludes_seen_in(test, recipe))
    return _Listed(
        name=choice.model.name,
        lists=lists,
        choice=choice,
        is_baseline=True,
        fit_cpu_s=cost.cpu_s,
        recommend_cpu_s=asked.cpu_s,
        peak_mb=max(cost.peak_mb, asked.peak_mb),
    )


def _pipeline_lists(
    recipe: Recipe,
    choice: Choice,
    test: Split,
    encoded: Encoded,
    *,
    k: int,
    rng: int,
    clients: pl.DataFrame | None,
    catalog: pl.DataFrame | None,
    progress: bool,
) -> _Listed:
    if catalog is not None:
        # It bears no dates: an item that the train part doesn't know may come from the future.
        known = test.train[ITEM_ID].unique()
        catalog = catalog.filter(pl.col(ITEM_ID).cast(known.dtype, strict=False).is_in(known.implode()))
    with measured() as cost:
        pipeline = build_pipeline(
            recipe,
            choice,
            encoded.train,
            known=encoded.asked,
            exclude_seen=excludes_seen_in(test, recipe),
            rng=rng,
            clients=clients,
            catalog=catalog,
            progress=progress,
        )
    with measured() as asked:
        lists = pipeline.recommend_table(encoded.user_ids, k=k)
    return _Listed(
        name=recipe.name,
        lists=lists,
        choice=choice,
        is_baseline=False,
        fit_cpu_s=cost.cpu_s,
        recommend_cpu_s=asked.cpu_s,
        peak_mb=max(cost.peak_mb, asked.peak_mb),
    )


def _count(
    done: list[_Listed],
    test: Split,
    protocol: dict[str, Any],
    *,
    k: int,
    rng: int,
    n_resamples: int,
    clients: pl.DataFrame | None,
    catalog: pl.DataFrame | None,
) -> CompareReport:
    main = f"ndcg@{k}"
    per_user = [evaluate_ranking(d.lists, test.targets, k=(k,), metrics=METRICS).sort(USER_ID) for d in done]
    slices = user_slices(test, clients=clients)
    means = [float(p[main].mean()) for p in per_user]  # type: ignore[arg-type]  # a mean of floats
    baselines = [i for i, d in enumerate(done) if d.is_baseline] or list(range(len(done)))
    reference = max(baselines, key=lambda i: means[i])
    tests = [
        None
        if i == reference
        else paired_test(
            p[main].to_numpy(),
            per_user[reference][main].to_numpy(),
            n_resamples=10 * n_resamples,  # a p-value needs finer steps than an interval
            rng=rng,
        )
        for i, p in enumerate(per_user)
    ]
    adjusted = iter(holm([t.p_value for t in tests if t is not None]))
    rows = []
    for d, table, paired in zip(done, per_user, tests, strict=True):
        by_slice = (
            table.join(slices, on=USER_ID)
            .group_by("slice")
            .agg(pl.col(main).mean(), pl.len().alias("n_users"))
        )
        rows.append(
            Row(
                model=d.name,
                metrics={
                    name: bootstrap_mean(table[name].to_numpy(), n_resamples=n_resamples, rng=rng)
                    for name in table.columns
                    if name != USER_ID
                },
                lists=evaluate_lists(d.lists, test.train, k=k, catalog=catalog),
                slices={
                    s["slice"]: {main: s[main], "n_users": s["n_users"]}
                    for s in by_slice.sort("slice").to_dicts()
                },
                fit_cpu_s=d.fit_cpu_s,
                recommend_cpu_s=d.recommend_cpu_s,
                peak_mb=d.peak_mb,
                difference=None
                if paired is None
                else {
                    "value": paired.difference,
                    "ci_low": paired.ci_low,
                    "ci_high": paired.ci_high,
                    "p_value": paired.p_value,
                    "p_holm": next(adjusted),
                },
                chosen={
                    "kind": d.choice.model.kind,
                    "config": d.choice.config,
                    "validation": d.choice.validation,
                },
            )
        )
    return CompareReport(protocol, done[reference].name, main, rows)

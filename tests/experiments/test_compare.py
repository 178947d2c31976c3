"""`compare` on worlds whose answer is known: the right model wins, noise wins nothing, bad calls are told."""

import json
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest

from experiments.worlds import START, chains, noise
from nextbest.data.interactions import Interactions
from nextbest.errors import DataError, InputError
from nextbest.evaluation.splits import split_by_time
from nextbest.experiments.compare import compare
from nextbest.experiments.recipe import ModelRecipe, Recipe
from nextbest.experiments.splitting import SplitPlan
from nextbest.models.sequence.lstm import LSTM
from nextbest.tables import TIME_DTYPE

POPULARITY = ModelRecipe(kind="popularity")
TRANSITIONS = ModelRecipe(kind="transitions")


def recipe(*models: ModelRecipe, name: str = "r", **fields) -> Recipe:
    return Recipe(name=name, models=models or (POPULARITY, TRANSITIONS), exclude_seen=False, **fields)


def by_name(report):
    return {row.model: row for row in report.rows}


@pytest.mark.parametrize("protocol", ["time", "leave-last"])
def test_on_chains_transitions_know_what_follows_and_popularity_does_not(protocol) -> None:
    report = compare(chains(), [recipe()], plan=SplitPlan(protocol=protocol), k=3, n_resamples=200)
    rows = by_name(report)
    assert rows["transitions"].metrics["hr@3"].value == 1
    assert rows["popularity"].metrics["hr@3"].value < 0.6
    assert report.reference == "transitions"
    assert rows["transitions"].difference is None
    assert rows["popularity"].difference["p_holm"] < 0.01
    assert rows["popularity"].difference["value"] < 0


def test_on_noise_no_model_differs_from_the_best_baseline() -> None:
    report = compare(noise(), [recipe(POPULARITY, TRANSITIONS, ModelRecipe(kind="ease"))], n_resamples=300)
    assert [row.difference["p_holm"] > 0.01 for row in report.rows if row.difference] == [True, True]


def test_settings_are_chosen_on_validation_and_what_was_tried_is_reported() -> None:
    short = ModelRecipe(kind="popularity", grid={"window_days": [1.0, 300.0]})
    report = compare(noise(), [recipe(short)], n_resamples=100)
    chosen = report.rows[0].chosen
    assert chosen["config"]["window_days"] in {1.0, 300.0}
    assert 0 <= chosen["validation"] <= 1


def test_changing_the_test_part_changes_no_choice() -> None:
    journal = chains()
    cutoff = START + timedelta(days=10)
    grid = recipe(ModelRecipe(kind="popularity", grid={"window_days": [1.0, 5.0]}), TRANSITIONS)
    other = journal.with_columns(
        item_id=pl.when(pl.col("time") >= cutoff).then(pl.lit(3, pl.Int64)).otherwise(pl.col("item_id"))
    )
    plan = SplitPlan(cutoff=cutoff)
    first, second = (compare(j, [grid], plan=plan, n_resamples=50) for j in (journal, other))
    assert [r.chosen for r in first.rows] == [r.chosen for r in second.rows]
    assert by_name(first)["transitions"].metrics != by_name(second)["transitions"].metrics


def test_the_same_seed_gives_the_same_numbers() -> None:
    first, second = (compare(noise(), [recipe()], n_resamples=100, rng=3) for _ in range(2))
    strip = {"fit_cpu_s": 0.0, "recommend_cpu_s": 0.0, "peak_mb": 0.0}
    assert [replace(r, **strip) for r in first.rows] == [replace(r, **strip) for r in second.rows]


def test_without_refit_the_model_is_not_fitted_on_the_validation_part() -> None:
    journal = chains()
    plan = SplitPlan(protocol="leave-last")
    refit, kept = (
        compare(journal, [recipe()], plan=replace(plan, refit=r), n_resamples=50) for r in (True, False)
    )
    assert refit.protocol["n_train_events"] == 60 * 11
    assert kept.protocol["n_train_events"] == 60 * 10
    assert kept.protocol["n_history_events"] == 60 * 11
    by_time = compare(journal, [recipe()], plan=SplitPlan(refit=False), n_resamples=50)
    assert by_time.protocol["n_train_events"] < by_time.protocol["n_history_events"]


def test_one_pipeline_row_gives_every_user_k_items_and_says_what_it_chose() -> None:
    report = compare(chains(), [recipe(name="mine", report="best")], k=4, n_resamples=50)
    (row,) = report.rows
    assert row.model == "mine"
    assert row.chosen["kind"] == "transitions"
    assert row.lists["filled@4"] == 1.0


def test_a_model_that_cannot_be_fitted_is_left_out_with_its_reason() -> None:
    tiny = ModelRecipe(kind="ease", config={"max_memory_mb": 1})
    report = compare(noise(n_items=600, n_events=30), [recipe(POPULARITY, tiny)], n_resamples=50)
    assert [row.model for row in report.rows] == ["popularity"]
    assert report.skipped[0]["model"] == "ease"
    assert "Left out: ease" in report.to_markdown()


def test_a_pipeline_that_cannot_be_fitted_leaves_the_other_rows() -> None:
    tiny = ModelRecipe(kind="ease", config={"max_memory_mb": 1})
    recipes = [recipe(POPULARITY), recipe(tiny, name="mine", report="best")]
    report = compare(noise(n_items=600, n_events=30), recipes, n_resamples=50)
    assert [row.model for row in report.rows] == ["popularity"]
    assert report.skipped[0]["model"] == "mine"


def test_an_item_that_only_the_catalogue_knows_is_no_candidate() -> None:
    cutoff = START + timedelta(days=10)
    new_item = pl.when(pl.col("time") >= cutoff).then(pl.lit(99, pl.Int64)).otherwise(pl.col("item_id"))
    catalog = pl.DataFrame({"item_id": [99, *range(12)], "title": ["new", *"abcdefghijkl"]})
    report = compare(
        chains().with_columns(item_id=new_item),
        [recipe(name="mine", report="best")],
        plan=SplitPlan(cutoff=cutoff),
        k=20,
        catalog=catalog,
        n_resamples=50,
    )
    assert report.rows[0].metrics["hr@20"].value == 0


def test_without_refit_the_counts_are_those_of_what_was_learned_from() -> None:
    journal = noise(n_items=2000)
    report = compare(journal, [recipe(POPULARITY)], plan=SplitPlan(refit=False), n_resamples=50)
    fitted = split_by_time(split_by_time(journal).train).train
    targets = split_by_time(journal).targets
    unknown = targets.filter(~pl.col("item_id").is_in(fitted["item_id"].unique().implode()))
    assert report.protocol["n_train_items"] == fitted["item_id"].n_unique()
    assert report.protocol["n_targets_of_cold_items"] == len(unknown)


def test_the_report_is_json_and_its_markdown_has_a_line_per_row() -> None:
    report = compare(noise(), [recipe()], n_resamples=50)
    document = json.loads(json.dumps(report.to_dict()))
    assert set(document["rows"][0]["metrics"]["ndcg@10"]) >= {"value", "ci_low", "ci_high"}
    table = [line for line in report.to_markdown().splitlines() if line.startswith("| ")]
    assert len(table) == 2 + len(report.rows)


def test_a_sample_of_users_is_stated_and_only_they_are_counted() -> None:
    report = compare(noise(), [recipe()], plan=SplitPlan(protocol="leave-last"), max_users=7, n_resamples=50)
    assert report.protocol["n_users_sampled"] == 7
    assert report.rows[0].metrics["hr@10"].n == 7


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (SplitPlan(time_kind="order"), "--protocol leave-last"),
        (SplitPlan(time_kind="none"), "--protocol random"),
        (SplitPlan(protocol="leave-last", time_kind="none"), "--protocol random"),
    ],
)
def test_a_log_without_real_times_is_not_cut_by_time(plan, words) -> None:
    with pytest.raises(DataError, match=words):
        compare(chains(), [recipe()], plan=plan)


def test_a_log_without_time_is_cut_at_random() -> None:
    report = compare(
        noise(),
        [recipe(TRANSITIONS, POPULARITY)],
        plan=SplitPlan(protocol="random", time_kind="none"),
        n_resamples=50,
    )
    assert "random split" in report.to_markdown()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"k": 0}, "k: must be 1 or more"),
        ({"recipes": []}, "at least one"),
        ({"plan": SplitPlan(protocol="x")}, "one of"),
    ],
)
def test_a_wrong_call_is_told(change, words) -> None:
    call = {"recipes": [recipe()], "plan": None, "k": 10} | change
    with pytest.raises(InputError, match=words):
        compare(noise(), call["recipes"], plan=call["plan"], k=call["k"])


@pytest.mark.parametrize("change", [{"rng": -1}, {"max_users": 0}], ids=["rng", "max_users"])
def test_a_number_too_small_is_a_wrong_call(change) -> None:
    with pytest.raises(InputError, match=f"{next(iter(change))}: must be"):
        compare(noise(), [recipe()], **change)


def test_two_rows_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="appear twice"):
        compare(noise(), [recipe(), recipe()])


def test_a_window_of_days_is_left_out_where_times_are_mere_order() -> None:
    weekly = ModelRecipe(kind="popularity", label="weekly", needs_time=True, config={"window_days": 7})
    plan = SplitPlan(protocol="leave-last", time_kind="order")
    report = compare(noise(), [recipe(weekly, POPULARITY)], plan=plan, n_resamples=50)
    assert [row.model for row in report.rows] == ["popularity"]
    assert report.skipped == [
        {"model": "weekly", "why": "it needs real times, this log's are of kind 'order'"}
    ]


def test_a_random_split_leaves_out_what_was_taken_because_its_targets_never_were() -> None:
    report = compare(
        noise(n_items=12, n_events=12),
        [Recipe(name="r", models=(ModelRecipe(kind="personal"), POPULARITY), exclude_seen="auto")],
        plan=SplitPlan(protocol="random", time_kind="none"),
        n_resamples=50,
    )
    assert all(row.metrics["recall@10"].value == 1.0 for row in report.rows)


def test_the_test_fraction_is_that_of_a_random_split_too() -> None:
    half = SplitPlan(protocol="random", time_kind="none", test_fraction=0.5).test(noise())
    tenth = SplitPlan(protocol="random", time_kind="none").test(noise())
    assert len(half.targets) > 3 * len(tenth.targets)


@pytest.mark.parametrize("protocol", ["leave-last", "random"])
def test_a_length_in_days_belongs_to_the_cut_by_time(protocol) -> None:
    with pytest.raises(InputError, match="test_days: cuts by time"):
        SplitPlan(protocol=protocol, test_days=7).test(noise())


def all_cold():
    """Nobody of the last days was there before."""
    old, new = (
        chains(),
        chains().with_columns(pl.col("user_id") + "-new", pl.col("time") + timedelta(days=30)),
    )
    return pl.concat([old, new])


def test_where_all_users_are_cold_the_pipeline_still_answers_and_personal_models_score_nothing() -> None:
    plan = SplitPlan(cutoff=START + timedelta(days=20))
    report = compare(
        all_cold(),
        [recipe(), recipe(POPULARITY, name="mine", report="best")],
        plan=plan,
        k=12,
        n_resamples=50,
    )
    rows = by_name(report)
    assert report.protocol["n_cold_users"] == report.protocol["n_target_users"] == 60
    assert rows["transitions"].metrics["ndcg@12"].value == 0
    assert rows["mine"].metrics["hr@12"].value == 1
    assert list(rows["mine"].slices) == ["cold"]


@pytest.mark.parametrize("journal", [chains(n_users=1), chains(n_items=1)], ids=["one user", "one item"])
def test_a_log_of_one_user_or_one_item_is_compared(journal) -> None:
    report = compare(journal, [recipe()], k=5, n_resamples=50)
    assert {row.metrics["ndcg@5"].n for row in report.rows} == {report.protocol["n_target_users"]}


def test_a_recipe_gives_columns_of_the_catalogue_to_models_that_read_them(monkeypatch):
    journal = pl.DataFrame(
        {
            "user_id": [u for u in range(30) for _ in range(5)],
            "item_id": [(u + t) % 12 for u in range(30) for t in range(5)],
            "time": pl.Series([60_000_000 * (5 * u + t) for u in range(30) for t in range(5)]).cast(
                TIME_DTYPE
            ),
        }
    )
    catalog = pl.DataFrame({"item_id": range(15), "title": "x", "kind": [f"k{i % 2}" for i in range(15)]})
    seen: list[Interactions] = []
    fit = LSTM._fit

    def spied(self, interactions, *, rng):
        seen.append(interactions)
        fit(self, interactions, rng=rng)

    monkeypatch.setattr(LSTM, "_fit", spied)
    tiny = {"embedding_dim": 4, "max_len": 4, "training": {"n_epochs": 1}}
    recipe = Recipe(
        name="with_kinds", item_features=("kind",), models=(ModelRecipe(kind="lstm", config=tiny),)
    )
    report = compare(journal, [recipe], plan=SplitPlan(protocol="leave-last"), catalog=catalog, k=2)
    assert [row.model for row in report.rows] == ["lstm"]
    (train,) = seen
    assert train.item_features.coder.names == ("kind=k0", "kind=k1")
    assert train.item_features.x_IF.shape == (12, 2)
    with pytest.raises(DataError, match="reads its columns"):
        compare(journal, [recipe], plan=SplitPlan(protocol="leave-last"), k=2)

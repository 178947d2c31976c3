"""`tune`: what is tried, by what it is judged, what stays on disk, and how it goes on."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import polars as pl
import pytest

from experiments.nested_model import with_nested
from experiments.worlds import START, chains
from nextbest.data.locking import writer_lock
from nextbest.errors import ArtifactError, ExternalError, InputError
from nextbest.evaluation.splits import split_by_time
from nextbest.experiments import tune as tune_module
from nextbest.experiments.compare import compare
from nextbest.experiments.cost import Cost
from nextbest.experiments.recipe import Recipe, load_recipe
from nextbest.experiments.selection import choose
from nextbest.experiments.splitting import SplitPlan
from nextbest.experiments.tune import FAILURES_THAT_END, TuneReport, tune

POWERS = {"source_power": {"low": 0.0, "high": 2.0}, "target_power": {"low": 0.0, "high": 2.0}}


def walk(*, n_users: int = 200, n_steps: int = 12, n_items: int = 60) -> pl.DataFrame:
    """Everybody goes on to a neighbouring item or jumps, mostly to popular ones: settings matter here."""
    gen = np.random.default_rng(0)
    at = gen.integers(0, n_items, n_users)
    steps = []
    for _ in range(n_steps):
        jump = (n_items * gen.random(n_users) ** 3).astype(int)
        at = np.where(gen.random(n_users) < 0.6, (at + gen.integers(1, 4, n_users)) % n_items, jump)
        steps.append(at)
    table = pl.DataFrame(
        {
            "user_id": np.tile(np.arange(n_users), n_steps),
            "item_id": np.concatenate(steps),
            "second": np.repeat(np.arange(n_steps) * 86_400, n_users) + np.tile(np.arange(n_users), n_steps),
        }
    )
    time = pl.lit(START) + pl.duration(seconds=pl.col("second"))
    return table.select("user_id", "item_id", time.cast(pl.Datetime("us", "UTC")).alias("time"))


@pytest.fixture(scope="module")
def journal() -> pl.DataFrame:
    return walk()


def recipe(*models: dict[str, Any], **rest: Any) -> Recipe:
    return Recipe.model_validate({"name": "r", "exclude_seen": False, "models": models, **rest})


TRANSITIONS = {"kind": "transitions", "search": POWERS}


def trials(out: Path) -> pl.DataFrame:
    """What was tried and what came of it, without what it cost."""
    return pl.read_csv(out / "trials.csv").drop("cpu_s", "wall_s", "peak_mb")


def test_the_first_trial_is_the_default_and_the_best_is_no_worse(journal, tmp_path) -> None:
    report = tune(journal, recipe(TRANSITIONS), tmp_path / "t", trials=15)
    (found,) = report.models
    first = trials(tmp_path / "t").row(0, named=True)
    assert (first["search.source_power"], first["search.target_power"]) == (0.5, 0.25)
    assert first["validation"] == found.default
    assert found.validation > found.default
    assert (found.trials, found.failed) == (15, 0)


def test_a_trial_is_judged_as_choose_judges_a_grid(journal, tmp_path) -> None:
    grid = {"source_power": [0.0, 1.0], "target_power": [0.0, 1.0]}
    ours = recipe({"kind": "transitions", "grid": grid})
    report = tune(journal, ours, tmp_path / "t", trials=100)
    (chosen,) = choose(ours, SplitPlan().validation(journal, SplitPlan().test(journal)), k=10, rng=0)
    tried = trials(tmp_path / "t")
    keys = ["search.source_power", "search.target_power"]
    values = {(row[keys[0]], row[keys[1]]): row["validation"] for row in tried.to_dicts()}
    assert values == {tuple(t["config"].values()): t["validation"] for t in chosen.tried}
    assert len(tried) == 4
    assert report.models[0].config == chosen.config
    assert "every setting" in report.models[0].ended


def test_what_was_found_runs_in_compare_beside_the_default(journal, tmp_path) -> None:
    default = recipe(TRANSITIONS, {"kind": "popularity"})
    report = tune(journal, default, tmp_path / "t", trials=15)
    rows = compare(journal, [default, load_recipe(report.found)], n_resamples=20).rows
    assert [r.model for r in rows] == ["transitions", "popularity", "transitions_tuned", "popularity_tuned"]
    assert rows[2].chosen["config"] == report.models[0].config
    assert rows[0].chosen["config"] == {}


@pytest.mark.parametrize("protocol", ["time", "leave-last"])
def test_the_test_part_is_never_read(journal, tmp_path, protocol) -> None:
    plan = SplitPlan(protocol=protocol)
    if protocol == "time":
        is_test = pl.col("time") >= split_by_time(journal).targets["time"].min()
    else:
        is_test = pl.col("time") == pl.col("time").max().over("user_id")
    other = pl.col("item_id").reverse() + 1_000
    scrambled = journal.with_columns(pl.when(is_test).then(other).otherwise("item_id").alias("item_id"))
    assert not scrambled.equals(journal)
    reports = [
        tune(table, recipe(TRANSITIONS), tmp_path / name, plan=plan, trials=6)
        for name, table in (("true", journal), ("scrambled", scrambled))
    ]
    assert trials(tmp_path / "true").equals(trials(tmp_path / "scrambled"))
    assert reports[0].models[0].config == reports[1].models[0].config


def test_other_validation_targets_give_other_values(journal, tmp_path) -> None:
    """So that the test above could fail."""
    is_before = pl.col("time") < split_by_time(journal).targets["time"].min()
    other = journal.with_columns(
        pl.when(is_before).then(pl.col("item_id").reverse()).otherwise("item_id").alias("item_id")
    )
    for name, table in (("true", journal), ("other", other)):
        tune(table, recipe(TRANSITIONS), tmp_path / name, trials=2)
    assert not trials(tmp_path / "true").equals(trials(tmp_path / "other"))


def test_going_on_ends_where_one_run_would_have_ended(journal, tmp_path) -> None:
    models = recipe(TRANSITIONS, {"kind": "personal", "search": {"decay": {"low": 0.1, "high": 1.0}}})
    tune(journal, models, tmp_path / "parts", trials=4)
    tune(journal, models, tmp_path / "parts", trials=13)
    parts = tune(journal, models, tmp_path / "parts", trials=16)
    whole = tune(journal, models, tmp_path / "whole", trials=16)
    assert trials(tmp_path / "parts").equals(trials(tmp_path / "whole"))
    assert [m.best for m in parts.models] == [m.best for m in whole.models]
    assert [m.trials for m in parts.models] == [16, 16]


def test_the_same_call_again_tries_nothing_more(journal, tmp_path, monkeypatch) -> None:
    first = tune(journal, recipe(TRANSITIONS), tmp_path / "t", trials=3)
    monkeypatch.setattr(tune_module, "_try", lambda *_: pytest.fail("tried"))
    again = tune(journal, recipe(TRANSITIONS), tmp_path / "t", trials=3)
    assert again.to_dict() == first.to_dict()


def test_another_seed_tries_other_settings(journal, tmp_path) -> None:
    for rng in (0, 1):
        tune(journal, recipe(TRANSITIONS), tmp_path / str(rng), trials=3, rng=rng)
    column = "search.source_power"
    first, second = (trials(tmp_path / name)[column].to_list() for name in "01")
    assert first[0] == second[0]
    assert first[1:] != second[1:]


def nested(**search: Any) -> Recipe:
    return recipe({"kind": "nested", "search": search})


def test_ctrl_c_keeps_what_is_finished_and_going_on_tries_the_rest(journal, tmp_path, monkeypatch) -> None:
    ours = nested(source_power={"low": 0.0, "high": 2.0})
    with_nested(monkeypatch, lambda _: None)
    tune(journal, ours, tmp_path / "whole", trials=5)
    fits = iter(range(3))
    with_nested(monkeypatch, lambda _: next(fits, None) is None and (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        tune(journal, ours, tmp_path / "t", trials=5)
    assert len(trials(tmp_path / "t")) == 3
    assert load_recipe(tmp_path / "t" / "best.toml").models[0].name == "nested_tuned"
    with_nested(monkeypatch, lambda _: None)
    tune(journal, ours, tmp_path / "t", trials=5)
    assert trials(tmp_path / "t").equals(trials(tmp_path / "whole"))


def test_a_killed_run_left_half_a_line_and_a_lock_and_is_gone_on_with(journal, tmp_path) -> None:
    out = tmp_path / "t"
    tune(journal, recipe(TRANSITIONS), out, trials=4)
    whole = trials(out)
    lines = (out / "study.log").read_bytes().splitlines(keepends=True)
    (out / "study.log").write_bytes(b"".join(lines[:-1]) + lines[-1][:50])
    (out / "study.log.lock").symlink_to("study.log")
    tune(journal, recipe(TRANSITIONS), out, trials=4)
    assert trials(out).equals(whole)
    assert (out / "study.log").read_bytes().count(b"\n") == len(lines)


def fails(config: Any) -> None:
    if config.window > 20:
        raise InputError("window", "is too large for this log", value=config.window)
    if config.window == 19:
        raise MemoryError
    if config.window == 18:
        raise np.linalg.LinAlgError("singular matrix")


def test_a_trial_that_fails_is_kept_with_its_reason_and_the_search_goes_on(
    journal, tmp_path, monkeypatch
) -> None:
    with_nested(monkeypatch, fails)
    report = tune(journal, nested(window={"choices": [20, 19, 18, 30]}), tmp_path / "t", trials=10)
    (found,) = report.models
    assert (found.trials, found.failed, found.best) == (4, 3, {"window": 20})
    reasons = trials(tmp_path / "t").filter(pl.col("failed").is_not_null())
    assert dict(reasons.select("search.window", "failed").iter_rows()) == {
        19: "MemoryError",
        18: "singular matrix",
        30: "window: is too large for this log; got 30",
    }
    assert reasons["validation"].null_count() == 3


def test_a_default_that_fails_does_not_end_the_search(journal, tmp_path, monkeypatch) -> None:
    with_nested(monkeypatch, fails)
    ours = recipe({"kind": "nested", "config": {"window": 50}, "search": {"window": {"low": 1, "high": 10}}})
    (found,) = tune(journal, ours, tmp_path / "t", trials=4).models
    assert (found.default, found.failed, found.trials) == (None, 1, 4)
    assert found.validation is not None


def test_a_model_that_always_fails_is_given_up_and_the_next_is_searched(
    journal, tmp_path, monkeypatch
) -> None:
    with_nested(monkeypatch, fails)
    ours = recipe(
        {"kind": "nested", "config": {"window": 50}, "search": {"window": {"low": 21, "high": 900}}},
        TRANSITIONS,
    )
    report = tune(journal, ours, tmp_path / "t", trials=FAILURES_THAT_END + 5)
    lost, found = report.models
    assert (lost.best, lost.validation, lost.trials) == (None, None, FAILURES_THAT_END)
    assert "is too large for this log" in lost.ended
    assert found.trials == FAILURES_THAT_END + 5
    assert "every trial failed" in report.to_text()
    assert load_recipe(report.found).models[0].config == {"window": 50}


def test_where_nothing_worked_there_is_no_recipe(journal, tmp_path, monkeypatch) -> None:
    with_nested(monkeypatch, fails)
    ours = recipe({"kind": "nested", "config": {"window": 50}, "search": {"decay": {"choices": [0.5, 0.6]}}})
    report = tune(journal, ours, tmp_path / "t", trials=4)
    assert report.found is None
    assert not (tmp_path / "t" / "best.toml").exists()
    assert "compare" not in report.to_text()


def test_a_fault_of_ours_is_no_failed_trial_but_what_was_finished_stays(
    journal, tmp_path, monkeypatch
) -> None:
    def breaks(config: Any) -> None:
        if config.decay == 0.5:
            raise ValueError("our own")

    with_nested(monkeypatch, breaks)
    ours = nested(decay={"choices": [0.85, 0.5]})
    with pytest.raises(ValueError, match="our own"):
        tune(journal, ours, tmp_path / "t", trials=4)
    assert trials(tmp_path / "t")["search.decay"].to_list() == [0.85]


def test_a_default_out_of_its_range_is_tried_first_and_may_win(journal, tmp_path) -> None:
    ours = recipe({"kind": "transitions", "search": {"source_power": {"low": 8.0, "high": 9.0}}})
    report = tune(journal, ours, tmp_path / "t", trials=13)
    assert report.models[0].best == {"source_power": 0.5}
    assert report.models[0].config == {}
    assert trials(tmp_path / "t")["search.source_power"][1:].is_between(8, 9).all()


def costs(monkeypatch: pytest.MonkeyPatch, cpu_s: float) -> None:
    @contextmanager
    def fixed() -> Iterator[Cost]:
        yield Cost(cpu_s=cpu_s)

    monkeypatch.setattr(tune_module, "measured", fixed)


def test_seconds_are_shared_out_equally_among_models_with_ranges(journal, tmp_path, monkeypatch) -> None:
    costs(monkeypatch, 10.0)
    personal = {"kind": "personal", "search": {"decay": {"low": 0.1, "high": 1.0}}}
    ours = recipe(TRANSITIONS, {"kind": "popularity"}, personal)
    report = tune(journal, ours, tmp_path / "t", seconds=50)
    assert [(m.model, m.trials, m.cpu_s) for m in report.models] == [
        ("transitions", 3, 30.0),  # the trial that passes 25 is finished
        ("popularity", 1, 10.0),
        ("personal", 3, 30.0),
    ]
    assert report.models[0].ended == "its 25 CPU-seconds are spent"
    again = tune(journal, ours, tmp_path / "t", seconds=80)
    assert [m.trials for m in again.models] == [4, 1, 4]


def test_the_budget_that_ends_first_counts_and_the_default_is_always_tried(
    journal, tmp_path, monkeypatch
) -> None:
    costs(monkeypatch, 10.0)
    both = tune(journal, recipe(TRANSITIONS), tmp_path / "a", seconds=1000, trials=2)
    assert both.models[0].ended == "all 2 trials done"
    little = tune(journal, recipe(TRANSITIONS), tmp_path / "b", seconds=0.001)
    assert little.models[0].trials == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rng": 1}, "flags: .*rng was 0, is 1"),
        ({"k": 5}, "flags: k was 10, is 5"),
        ({"plan": SplitPlan(protocol="leave-last")}, 'flags: protocol was "time", is "leave-last"'),
        ({"plan": SplitPlan(test_fraction=0.2)}, "flags: test_fraction was 0.1, is 0.2"),
        (
            {"recipe": recipe({**TRANSITIONS, "search": {**POWERS, "decay": {"low": 0.1, "high": 0.2}}})},
            r"recipe: models.transitions.search.decay was null",
        ),
        ({"recipe": recipe(TRANSITIONS, exclude_seen=True)}, "recipe: exclude_seen was false, is true"),
        ({"journal": walk(n_users=201)}, "data: cutoff was"),
    ],
)
def test_a_folder_of_another_search_is_refused_in_words(journal, tmp_path, change, words) -> None:
    tune(journal, recipe(TRANSITIONS), tmp_path / "t", trials=1)
    before = (tmp_path / "t" / "study.log").read_bytes()
    call = {"journal": journal, "recipe": recipe(TRANSITIONS), "trials": 2} | change
    with pytest.raises(InputError, match=rf"holds another search; {words}.*new folder"):
        tune(call.pop("journal"), call.pop("recipe"), tmp_path / "t", **call)
    assert (tmp_path / "t" / "study.log").read_bytes() == before


def test_one_changed_event_is_other_data(journal, tmp_path) -> None:
    tune(journal, recipe(TRANSITIONS), tmp_path / "t", trials=1)
    changed = journal.with_columns(
        pl.when(pl.int_range(pl.len()) == 0)
        .then(59 - pl.col("item_id"))
        .otherwise("item_id")
        .alias("item_id")
    )
    with pytest.raises(InputError, match=r"data: .*digest was"):
        tune(changed, recipe(TRANSITIONS), tmp_path / "t", trials=2)


def test_words_for_people_and_the_order_of_rows_may_change(journal, tmp_path) -> None:
    tune(journal, recipe(TRANSITIONS), tmp_path / "t", trials=1)
    renamed = recipe(TRANSITIONS, description="other words", name="other", report="best")
    shuffled = journal.sample(fraction=1, shuffle=True, seed=1)
    report = tune(shuffled, renamed, tmp_path / "t", trials=2)
    assert report.models[0].trials == 2
    assert load_recipe(report.found).name == "other_tuned"


def test_a_folder_that_holds_something_else_is_left_alone(journal, tmp_path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds \['thesis.txt'\] and no search"):
        tune(journal, recipe(TRANSITIONS), tmp_path, trials=1)
    with pytest.raises(InputError, match="is a file"):
        tune(journal, recipe(TRANSITIONS), tmp_path / "thesis.txt", trials=1)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_the_disks_fault(journal, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExternalError, match="disk: "):
        tune(journal, recipe(TRANSITIONS), tmp_path / "file" / "t", trials=1)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tune.json", "{"),
        ("tune.json", '{"format": 0}'),
        ("study.log", "nonsense\n"),
        ("study.log", '{"op_code": 77}\n'),
    ],
)
def test_a_damaged_folder_is_told(journal, tmp_path, file, text) -> None:
    tune(journal, recipe(TRANSITIONS), tmp_path / "t", trials=1)
    (tmp_path / "t" / file).write_text(text)
    with pytest.raises(ArtifactError, match="another folder"):
        tune(journal, recipe(TRANSITIONS), tmp_path / "t", trials=2)


@pytest.mark.skipif(sys.platform == "win32", reason="no advisory locks there")
def test_two_searches_in_one_folder_are_one_too_many(journal, tmp_path) -> None:
    tune(journal, recipe(TRANSITIONS), tmp_path / "t", trials=1)
    with writer_lock(tmp_path / "t"), pytest.raises(ExternalError, match="another process"):
        tune(journal, recipe(TRANSITIONS), tmp_path / "t", trials=2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"trials": None}, "budget: must be given"),
        ({"trials": 0}, "trials: must be 1 or more"),
        ({"seconds": 0.0}, "seconds: must be above 0"),
        ({"seconds": float("nan")}, "seconds: must be above 0"),
        ({"k": 0}, "k: must be 1"),
        ({"rng": -1}, "rng: must be 0"),
        ({"recipe": recipe({"kind": "popularity"})}, r"no range to search.*\[models.search\]"),
        ({"recipe": recipe({"kind": "transitions", "search": {"x": {"low": 1, "high": 2}}})}, "'x'"),
    ],
)
def test_a_wrong_call_is_told_and_leaves_no_folder(journal, tmp_path, call, words) -> None:
    call = {"recipe": recipe(TRANSITIONS), "trials": 3} | call
    with pytest.raises(InputError, match=words):
        tune(journal, call.pop("recipe"), tmp_path / "t", **call)
    assert not (tmp_path / "t").exists()


def test_a_missing_optuna_is_told_before_the_work(journal, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"pip install nextbest\[tune\]"):
        tune(journal, recipe(TRANSITIONS), tmp_path / "t", trials=1)


def test_models_that_need_moments_are_left_out_where_there_are_none(journal, tmp_path) -> None:
    plan = SplitPlan(protocol="leave-last", time_kind="order")
    weekly = {"kind": "popularity", "needs_time": True, "config": {"window_days": 7}}
    report = tune(journal, recipe(weekly, TRANSITIONS), tmp_path / "t", plan=plan, trials=1)
    assert [m.model for m in report.models] == ["transitions"]
    assert [s["model"] for s in report.skipped] == ["popularity"]
    assert "Left out: popularity" in report.to_text()
    with pytest.raises(InputError, match="no model for this log"):
        tune(journal, recipe(weekly), tmp_path / "u", plan=plan, trials=1)


def test_a_config_that_toml_cannot_say_is_told_before_the_work(journal, tmp_path) -> None:
    ours = recipe({**TRANSITIONS, "config": {"history_length": None}})
    with pytest.raises(InputError, match="holds None"):
        tune(journal, ours, tmp_path / "t", trials=1)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> TuneReport:
    ours = recipe(TRANSITIONS, {"kind": "popularity"})
    return tune(chains(), ours, tmp_path_factory.mktemp("small") / "t", trials=2)


def test_the_report_is_json_with_the_promised_fields(small) -> None:
    document = json.loads(json.dumps(small.to_dict(), allow_nan=False))
    assert (document["recipe"], document["metric"]) == ("r", "ndcg@10")
    assert (document["protocol"]["name"], document["protocol"]["k"]) == ("time", 10)
    row = document["models"][0]
    assert row.keys() >= {"model", "best", "validation", "default", "trials", "failed", "cpu_s"}
    assert row["best"].keys() == POWERS.keys()
    assert document["models"][1]["best"] == {}


def test_the_text_names_each_model_and_the_next_command(small) -> None:
    text = small.to_text()
    assert "| transitions | 1.0000 | 1.0000 | 2 | 0 |" in text
    assert f"nextbest compare --recipe {small.found}" in text
    remarks = Path(small.found).read_text().splitlines()[:2]
    assert remarks[1].startswith("# transitions: ndcg@10 1.0000 on the validation part")


def test_optuna_is_quiet_and_its_level_is_given_back(journal, tmp_path, capsys) -> None:
    before = optuna.logging.get_verbosity()
    tune(journal, recipe(TRANSITIONS), tmp_path / "t", trials=2)
    assert capsys.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before


def test_the_bar_tells_the_best_so_far(journal, tmp_path, capsys) -> None:
    report = tune(journal, recipe(TRANSITIONS), tmp_path / "t", trials=2, progress=True)
    err = capsys.readouterr().err
    assert f"transitions: 2 trials, best {report.models[0].validation:.4f}" in err
    assert "100%" in err


def test_the_study_file_is_one_that_optuna_reads(journal, tmp_path) -> None:
    report = tune(journal, recipe(TRANSITIONS), tmp_path / "t", trials=3)
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "t" / "study.log"))
    study = optuna.load_study(study_name="transitions", storage=optuna.storages.JournalStorage(backend))
    assert study.best_value == report.models[0].validation
    assert study.best_params == report.models[0].best


def test_the_folder_may_be_moved(journal, tmp_path) -> None:
    tune(journal, recipe(TRANSITIONS), tmp_path / "t", trials=2)
    shutil.move(tmp_path / "t", tmp_path / "elsewhere")
    assert tune(journal, recipe(TRANSITIONS), tmp_path / "elsewhere", trials=3).models[0].trials == 3

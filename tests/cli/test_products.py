"""`nextbest products`: the README's seven lines on a bank of two thousand clients, their JSON, and wrong calls."""

import json
import shlex
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nextbest.cli import main, parser
from nextbest.pipeline.decisions.decision_log import DecisionLog
from nextbest.pipeline.decisions.policy import Cap, load_policy

SMALL = (
    "--set",
    "months=3",
    "--set",
    'members=[{"kind": "per_product", "config": {"gbm": {"n_trees": 6}}}]',
    "--set",
    "ownership.gbm.n_trees=6",
    "--set",
    "profile.gbm.n_trees=6",
    "--set",
    "refit=false",
)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a simulated bank and, in `store`, its panel."""
    folder = tmp_path_factory.mktemp("bank")
    assert main(["products", "simulate", "--scale", "0.002", "--out", str(folder / "raw"), "--json"]) == 0
    raw = str(folder / "raw" / "train_ver2.csv")
    assert main(["ingest", raw, "--source", "santander", "--store", str(folder / "store"), "--json"]) == 0
    return folder


def _run(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    capsys.readouterr()
    code = main([*argv, "--json"])
    out = capsys.readouterr().out
    assert code == 0, out
    document: dict[str, Any] = json.loads(out)
    return document


def test_train_batch_twice_and_the_offers_are_there(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, model, offers = str(bank / "store"), str(bank / "model"), str(bank / "offers")
    trained = _run(capsys, "products", "train", "--store", store, "--out", model, *SMALL)
    assert trained["target"] == "2016-06"
    assert json.loads((bank / "model" / "manifest.json").read_text())["kind"] == "products"
    kept = ("--decision-log", str(bank / "decisions"))
    first = _run(capsys, "products", "batch", "--store", store, "--model", model, "--out", offers, *kept)
    again = _run(capsys, "products", "batch", "--store", store, "--model", model, "--out", offers)
    assert first["status"] == "written"
    assert first["n_offers"] > 0
    assert again["status"] == "unchanged"
    assert first["decision_log"] == DecisionLog(bank / "decisions").verify()._asdict()
    assert {**again, "status": "written"} == first


def test_evaluate_gives_the_contract_rows(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = bank / "table.md"
    document = _run(
        capsys,
        *("products", "evaluate", "--store", str(bank / "store"), "--months", "1", "--resamples", "20"),
        *("--models", "persistence", "masked_popularity", "product_model", "--markdown", str(table), *SMALL),
    )
    assert document["months"] == ["2016-05"]
    assert [row["model"] for row in document["rows"]] == ["persistence", "masked_popularity", "product_model"]
    for row in document["rows"]:
        assert set(row) >= {"map@7_adders", "map@7", "f1_weighted", "ece"}
    text = table.read_text(encoding="utf-8")
    assert "| product_model |" in text
    assert document["fairness"]["model"] == "product_model"
    assert "| attribute | group |" in text


def test_a_redirected_evaluation_tells_each_month_and_a_quiet_one_nothing(
    bank: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    words = ["products", "evaluate", "--store", str(bank / "store"), "--months", "1", "--resamples", "20"]
    words += ["--models", "masked_popularity", "persistence"]
    assert main(words) == 0
    told = [r.getMessage() for r in caplog.records if r.name.endswith("products.evaluate")]
    assert [line.split(":")[0] for line in told] == [
        "evaluated 2016-04 (1 of 2, thresholds only)",
        "evaluated 2016-05 (2 of 2)",
    ]
    assert "CPU-s" in told[0]
    caplog.clear()
    assert main([*words, "--quiet"]) == 0
    assert not [r for r in caplog.records if r.name.endswith("products.evaluate")]


def test_a_raw_file_can_be_named_instead_of_a_store(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = _run(
        capsys,
        *("products", "evaluate", "--panel", str(bank / "raw" / "train_ver2.csv"), "--store", str(tmp_path)),
        *("--months", "1", "--models", "masked_popularity", "--resamples", "20"),
    )
    assert document["rows"][0]["n_adders"] > 0
    assert (tmp_path / "panel" / "manifest.json").is_file()


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["evaluate", "--models", "oracle"], 2, "oracle"),
        (["evaluate", "--months", "40"], 2, "--months: must be at most 13; got 40; each needs 4 months"),
        (["evaluate", "--set", "trees"], 2, "NAME=VALUE"),
        (["evaluate", "--set", "moths=3"], 2, "--set: moths: is unknown; fields of ProductConfig: ["),
        (
            ["evaluate", "--set", "features.moths=3"],
            2,
            "--set: features.moths: is unknown; fields of FeatureConfig",
        ),
        (["train", "--out", "new", "--target", "soon"], 2, "--target: must be YYYY-MM or a date; got 'soon'"),
        (
            ["train", "--out", "new", "--target", "2014-06"],
            2,
            "--target: must be 2015-04 to 2016-06; got '2014-06'",
        ),
        (
            ["train", "--out", "new", "--target", "2015-03"],
            2,
            "--target: must be 2015-04 to 2016-06; got '2015-03'",
        ),
        (
            ["train", "--out", "new", "--target", "2017-09"],
            2,
            "--target: must be 2015-04 to 2016-06; got '2017-09'",
        ),
        (
            ["train", "--out", "new", "--target", "2016-06", "--attributes", "scoring_time"],
            2,
            "--target: must be 2015-04 to 2016-05; got '2016-06'",
        ),
        (["train", "--out", "new", "--attributes", "scoring_time"], 2, "2016-05 at the latest"),
        (
            ["batch", "--model", "nowhere", "--out", "offers"],
            4,
            "manifest.json is missing; train it with `nextbest products train`",
        ),
        (["simulate", "--scale", "0", "--out", "new"], 2, "--scale: "),
        (["simulate", "--out", "new", "--dirt", "mud"], 2, "--dirt: must be among ['duplicate_rows'"),
    ],
)
def test_wrong_calls(
    bank: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["products", *argv, "--store", str(bank / "store")]) == code
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_help_names_every_kind_of_dirt() -> None:
    from nextbest.cli.products import DIRT
    from nextbest.simulate.panel.dirt import DIRT_KINDS

    assert tuple(DIRT.split(", ")) == DIRT_KINDS


def test_a_batch_of_other_rules_or_contacts_is_told_in_flags(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, model, out = str(bank / "store"), str(bank / "model"), str(tmp_path / "offers")
    if not (bank / "model").exists():
        _run(capsys, "products", "train", "--store", store, "--out", model, *SMALL)
    argv = ["products", "batch", "--store", store, "--model", model, "--out", out]
    (tmp_path / "contacts.csv").write_text("customer,channel\n1,app\n")
    assert main([*argv, "--contacts", str(tmp_path / "contacts.csv")]) == 3
    assert f"--contacts {tmp_path / 'contacts.csv'}: " in capsys.readouterr().err
    assert not (tmp_path / "offers").exists()
    assert main([*argv, "--month", "2019-01"]) == 2
    assert "--month: must be one of the 17 months" in (said := capsys.readouterr().err)
    assert "got '2019-01'" in said
    assert main([*argv, "--quiet"]) == 0
    (tmp_path / "policy.toml").write_text(load_policy().model_copy(update={"max_offers": 1}).to_toml())
    capsys.readouterr()
    assert main([*argv, "--policy", str(tmp_path / "policy.toml")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("nextbest: --out: ")
    assert said.endswith(
        "made with another policy; write into another folder or run with --replace (replace=True)\n"
    )
    (tmp_path / "policy.toml").write_text("[products.ind_hip_fin_ult1]\nminage = 3\n")
    assert main([*argv, "--policy", str(tmp_path / "policy.toml")]) == 2
    assert "policy.products.ind_hip_fin_ult1.minage: is no key of a policy" in capsys.readouterr().err


@pytest.mark.parametrize("known", ["month_end", "scoring_time"])
def test_attributes_known_are_those_of_all_boosters(known: str) -> None:
    from nextbest.cli.products import _config

    args = parser().parse_args(["products", "train", "--out", "new", "--attributes", known])
    config = _config(args)
    assert (config.features.attributes, config.profile_features.attributes) == (known, known)
    one = parser().parse_args(
        ["products", "train", "--out", "new", "--set", f"profile_features.attributes={known}"]
    )
    assert _config(one).profile_features.attributes == known


@pytest.mark.parametrize("seed", ["-1", "1.5", "x"])
def test_a_seed_that_is_none_is_a_wrong_call(seed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["products", "train", "--out", "new", "--rng", seed])
    assert left.value.code == 2
    assert "--rng: must be an integer of 0 or more" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "content"), [("c.csv", ""), ("c.csv", 'x;y\n"1'), ("c.parquet", "junk")])
def test_contacts_that_cannot_be_read_are_told_in_words(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    store, model = str(bank / "store"), str(bank / "model")
    if not (bank / "model").exists():
        _run(capsys, "products", "train", "--store", store, "--out", model, *SMALL)
    argv = ["products", "batch", "--store", store, "--model", model, "--out", str(tmp_path / "out")]
    assert main([*argv, "--contacts", str(tmp_path / name)]) == 3
    assert f"{name}: can't be read" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_of_contacts_and_a_tight_cap_hold_offers_back_and_the_screen_says_so(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    store, model = str(bank / "store"), str(bank / "model")
    if not (bank / "model").exists():
        _run(capsys, "products", "train", "--store", store, "--out", model, *SMALL)
    policy = load_policy("santander")
    cap = Cap(scope="client", unit="contacts", at_most=1, days=30.0)
    tight = policy.model_copy(update={"contacts": policy.contacts.model_copy(update={"caps": (cap,)})})
    (tmp_path / "tight.toml").write_text(tight.to_toml())
    batch = [
        "products",
        "batch",
        "--store",
        store,
        "--model",
        model,
        "--policy",
        str(tmp_path / "tight.toml"),
    ]
    free = _run(capsys, *batch, "--out", str(tmp_path / "free"))
    before = set(pl.read_parquet(f"{free['folder']}/offers/*.parquet")["user_id"])
    contacts = pl.DataFrame(
        {"customer_id": sorted(before)[:30], "channel": "app", "time": "2016-05-20T10:00:00Z"}
    )
    if suffix == "csv":
        contacts.write_csv(tmp_path / "contacts.csv")
    else:
        at = pl.col("time").str.to_datetime(time_zone="UTC", time_unit="us")
        contacts.with_columns(at).write_parquet(tmp_path / "contacts.parquet")
    capped = [*batch, "--out", str(tmp_path / "capped"), "--contacts", str(tmp_path / f"contacts.{suffix}")]
    assert main(capped) == 0
    screen = capsys.readouterr().out
    (offers,) = (tmp_path / "capped").glob("*/offers")
    after = set(pl.read_parquet(offers / "*.parquet")["user_id"])
    assert before - after == set(contacts["customer_id"])
    assert "contacts: 30 read, 30 of these clients within the policy's windows" in screen
    assert "possible offers of 30 clients" in screen
    assert "warning: the values of this policy are the shipped round placeholders" in screen


def test_the_examples_of_the_help_are_calls_that_exist() -> None:
    from nextbest.cli import products as commands
    from nextbest.experiments.products.contenders import ALL_ROWS

    texts = (commands.SIMULATE_EXAMPLES, commands.TRAIN_EXAMPLES, commands.EVALUATE_EXAMPLES)
    for line in "\n".join([*texts, commands.BATCH_EXAMPLES]).splitlines():
        args = parser().parse_args(shlex.split(line)[1:])
        assert set(getattr(args, "models", None) or ()) <= set(ALL_ROWS)


def test_without_a_panel_the_remedy_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["products", "train", "--store", str(tmp_path), "--out", str(tmp_path / "m")]) == 4
    assert "--source santander" in capsys.readouterr().err

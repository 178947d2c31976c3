"""`nextbest demo` does the whole main job, on a simulated shop or on the user's own file."""

import json
from pathlib import Path

from nextbest.cli import main, parser
from nextbest.cli.demo import _workspace_name
from nextbest.pipeline.pipeline import Pipeline


def demo(capsys, *words) -> tuple[dict, str]:
    code = main(["demo", "--no-serve", "--json", *map(str, words)])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out), err


def test_the_demo_ingests_compares_and_trains_and_the_pipeline_beats_popularity(tmp_path, capsys) -> None:
    document, err = demo(capsys, "--store", tmp_path, "--scale", 0.003)
    assert [step in err for step in ("[1/5]", "[2/5]", "[3/5]", "[4/5]")] == [True] * 4
    ingest = document["ingest"]
    assert ingest["read"] == ingest["stored"] + ingest["quarantined"]
    ledger = json.loads((tmp_path / "demo-0.003-0" / "simulated" / "ledger.json").read_text())
    assert ingest["stored"] == ledger["marks"]["clean"]
    rows = {r["model"]: r["metrics"]["ndcg@10"] for r in document["compare"]["rows"]}
    assert rows["pipeline"]["ci_low"] > rows["popularity"]["ci_high"]
    assert document["url"] is None
    assert Pipeline.load(document["model"]).manifest["n_users"] == 300


def test_the_demo_runs_on_the_users_own_file(tmp_path, capsys) -> None:
    file = tmp_path / "log.csv"
    rows = [f"u{u},i{(u + d) % 9},2024-01-{d + 1:02d}" for d in range(12) for u in range(30)]
    file.write_text("\n".join(["who,what,when", *rows]))
    document, err = demo(
        capsys, file, "--map", "user_id=who,item_id=what,time=when", "--store", tmp_path, "--quiet"
    )
    assert "[1/5]" not in err
    assert document["ingest"]["stored"] == 360


def test_own_files_and_simulated_shops_have_a_workspace_each() -> None:
    lines = [[], ["--rng", "1"], ["--scale", "0.01"], ["a.csv"], ["b.csv"], ["a.csv", "--map", "user_id=u"]]
    names = [_workspace_name(parser().parse_args(["demo", *words])) for words in lines]
    assert names[0] == "demo"
    assert len(set(names)) == len(lines)
    assert names[3] == _workspace_name(parser().parse_args(["demo", str(Path("a.csv").absolute())]))

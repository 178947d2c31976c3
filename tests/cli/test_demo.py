"""`nextbest demo` does the whole main job, on a simulated shop or on the user's own file."""

import json
from pathlib import Path

import pytest

from nextbest.assistant.base import Caller, ToolCall
from nextbest.assistant.tools.identities import FILE as IDENTITIES
from nextbest.assistant.tools.identities import complete
from nextbest.assistant.tools.toolbox import Toolbox
from nextbest.cli import demo_rooms, main, parser
from nextbest.cli.demo import _workspace_name
from nextbest.data.store import Workspace
from nextbest.pipeline.pipeline import Pipeline


def demo(capsys, *words) -> tuple[dict, str]:
    code = main(["demo", "--no-serve", "--json", *map(str, words)])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out), err


def test_the_demo_ingests_compares_and_trains_and_the_pipeline_beats_popularity(tmp_path, capsys) -> None:
    document, err = demo(capsys, "--only-shop", "--store", tmp_path, "--scale", 0.003)
    assert [step in err for step in ("[1/5]", "[2/5]", "[3/5]", "[4/5]")] == [True] * 4
    ingest = document["ingest"]
    assert ingest["read"] == ingest["stored"] + ingest["quarantined"]
    ledger = json.loads((tmp_path / "demo-0.003-0" / "simulated" / "ledger.json").read_text())
    assert ingest["stored"] == ledger["marks"]["clean"]
    rows = {r["model"]: r["metrics"]["ndcg@10"] for r in document["compare"]["rows"]}
    assert rows["pipeline"]["ci_low"] > rows["popularity"]["ci_high"]
    assert document["url"] is None
    assert Pipeline.load(document["model"]).manifest["n_users"] == 300
    assert "rooms" not in document
    assert not (tmp_path / "demo-0.003-0" / IDENTITIES).exists()


@pytest.fixture
def small_rooms(monkeypatch) -> None:
    """Rooms of the demo at a size for tests."""
    sizes = {"N_INVESTORS": 40, "N_PLANNED": 3, "BANK_SCALE": 0.001, "BANK_MONTHS": 7, "N_BARS": 200}
    for name, size in sizes.items():
        monkeypatch.setattr(demo_rooms, name, size)


def test_a_user_of_the_demo_is_answered_in_every_room(tmp_path, capsys, small_rooms) -> None:
    document, _ = demo(capsys, "--store", tmp_path, "--scale", 0.002)
    store = Path(document["model"]).parent
    rooms = document["rooms"]
    assert (rooms["n_investors"], rooms["assets"]) == (40, ["ALPHA/USD", "BETA/USD", "GAMMA/USD"])
    person = rooms["identities"]["first"]
    caller = complete(Caller(user_id=str(person["user_id"])), store)
    assert (caller.customer_id, caller.client_id) == (person["customer_id"], person["client_id"])
    toolbox = Toolbox.open(workspace=store)
    calls = {
        "recommend_items": {}, "next_purchases": {}, "bank_products": {}, "portfolio_metrics": {}, "portfolio_plan": {},
        "portfolio_tracking": {}, "market_forecast": {"asset": "ALPHA/USD", "horizon_days": 7},
    }  # fmt: skip
    if not rooms["n_customers"]:  # no gradient boosting here
        del calls["bank_products"]
    found = {tool: toolbox.run(caller, ToolCall(tool, arguments)) for tool, arguments in calls.items()}
    assert {tool: result.code for tool, result in found.items() if not result.is_ok} == {}
    assert found["market_forecast"].document["standing"]["verdict"] != "never_tested"
    assert found["recommend_items"].figures[0].unit == "RUB"
    toolbox.close()
    made = {
        path: path.stat().st_mtime_ns
        for name in ("products", "prices")
        for path in (store / name).rglob("*.*")
    }
    users = Workspace(store).journal().select("user_id").unique().collect()["user_id"]
    again = demo_rooms.make_rooms(parser().parse_args(["demo", "--quiet"]), store, users)
    assert again == rooms, "what is there is kept"
    assert {path: path.stat().st_mtime_ns for path in made} == made


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

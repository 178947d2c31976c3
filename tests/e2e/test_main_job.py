"""A user with only the README: their own CSV in, recommendations out, served; each step by its command."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

from nextbest.cli import main

HEADER = "client;product;moment;sum"


def write_log(file, *, n_users=40, n_steps=15, encoding="utf-8") -> None:
    """A semicolon CSV with comma decimals: every client walks a ring of 30 goods, a step a day."""
    rng = np.random.default_rng(0)
    lines = [HEADER]
    for step in range(n_steps):
        for user in range(n_users):
            amount = f"{rng.uniform(1, 99):.2f}".replace(".", ",")
            lines.append(
                f"Клиент {user};SKU{(user + step) % 30:02d};2024-01-{step + 1:02d} 10:{user % 60:02d};{amount}"
            )
    file.write_text("\n".join(lines) + "\n", encoding=encoding)


def run(capsys, *words) -> dict:
    """One command with --json: its one document."""
    code = main([str(w) for w in words] + ["--json", "--quiet"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out)


@pytest.fixture
def shop(tmp_path, capsys):
    """A workspace with the log in it, and the log."""
    file = tmp_path / "sales.csv"
    write_log(file)
    store = tmp_path / "store"
    report = run(
        capsys,
        "ingest",
        file,
        "--map",
        "user_id=client,item_id=product,time=moment,amount=sum",
        "--store",
        store,
    )
    return store, file, report


def test_ingest_counts_every_row_and_a_second_run_adds_nothing(shop, capsys) -> None:
    store, file, first = shop
    assert (first["read"], first["stored"], first["quarantined"], first["added"]) == (600, 600, 0, 600)
    mapping = "user_id=client,item_id=product,time=moment,amount=sum"
    second = run(capsys, "ingest", file, "--map", mapping, "--store", store)
    assert (second["read"], second["stored"], second["added"]) == (600, 600, 0)


def test_a_windows_1251_file_is_the_same_log(shop, tmp_path, capsys) -> None:
    store, _, _ = shop
    other = tmp_path / "cp1251.csv"
    write_log(other, encoding="cp1251")
    mapping = "user_id=client,item_id=product,time=moment,amount=sum"
    report = run(capsys, "ingest", other, "--map", mapping, "--store", store)
    assert (report["read"], report["added"]) == (600, 0)


def test_compare_train_and_recommend_find_what_follows(shop, tmp_path, capsys) -> None:
    store, _, _ = shop
    table = tmp_path / "table.md"
    report = run(
        capsys,
        "compare",
        "--recipe",
        "baselines",
        "--protocol",
        "leave-last",
        "--k",
        3,
        "--resamples",
        50,
        "--store",
        store,
        "--markdown",
        table,
    )
    values = {r["model"]: r["metrics"]["hr@3"]["value"] for r in report["rows"]}
    assert values["transitions"] == 1
    assert values["popularity"] < 0.6
    assert table.read_text().count("\n| ") >= len(report["rows"])

    model = tmp_path / "model"
    trained = run(capsys, "train", "--recipe", "pipeline", "--out", model, "--store", store)
    assert trained["model"] == str(model)
    answer = run(capsys, "recommend", "--model", model, "--user", "Клиент 3", "-k", 4, "--include-seen")
    assert answer["known"] is True
    assert [i["rank"] for i in answer["items"]] == [1, 2, 3, 4]
    assert answer["items"][0]["item_id"] == "SKU18"
    assert set(answer["items"][0]) >= {"item_id", "rank", "score", "source", "reason"}

    stranger = run(capsys, "recommend", "--model", model, "--user", "nobody", "-k", 4)
    assert stranger["known"] is False
    assert len(stranger["items"]) == 4


def test_a_workspace_without_a_log_says_what_to_do(tmp_path, capsys) -> None:
    code = main(
        ["train", "--recipe", "pipeline", "--out", str(tmp_path / "m"), "--store", str(tmp_path / "empty")]
    )
    assert code == 3
    assert "nextbest ingest" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["ingest", "{dir}/none.csv"], 3, "none.csv"),
        (["ingest", "{dir}/sales.csv", "--map", "user_id=klient,item_id=product,time=moment"], 2, "klient"),
        (["ingest", "{dir}/sales.csv", "--map", "user_id"], 2, "NAME=VALUE"),
        (["ingest", "{dir}/sales.csv", "--map", "user_id=client,user_id=product"], 2, "twice"),
        (["ingest", "{dir}/sales.csv", "--set", "outlyers=off"], 2, "outliers"),
        (["compare", "--recipe", "bestlines"], 2, "baselines"),
        (["compare", "--recipe", "baselines", "--k", "0"], 2, "1 or more"),
        (["train", "--recipe", "pipeline", "--out", "{dir}/m", "--cutoff", "yesterday"], 2, "ISO"),
        (["recommend", "--model", "{dir}/m", "--user", "1"], 4, "nextbest train"),
    ],
)
def test_each_wrong_call_has_its_exit_code_and_says_what_is_wrong(
    shop, tmp_path, capsys, words, code, told
) -> None:
    store, _, _ = shop
    assert main([w.format(dir=tmp_path) for w in words] + ["--store", str(store)]) == code
    assert told in capsys.readouterr().err


def get(url: str, body: dict | None = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@pytest.mark.server
def test_serve_answers_and_an_event_changes_the_next_answer(shop, tmp_path, capsys) -> None:
    store, _, _ = shop
    model = tmp_path / "model"
    run(capsys, "train", "--recipe", "pipeline", "--out", model, "--store", store)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    words = ["serve", "--model", str(model), "--store", str(store), "--port", str(port)]
    server = subprocess.Popen([sys.executable, "-m", "nextbest", *words], stderr=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                assert get(f"{url}/health")["status"] == "ready"
                break
            except (urllib.error.URLError, ConnectionError):
                assert server.poll() is None, server.stderr.read()
                time.sleep(0.1)
        before = get(f"{url}/users/new/recommendations?k=3&exclude_seen=false")
        assert before["known"] is False
        get(f"{url}/events", {"user_id": "new", "item_id": "SKU07"})
        after = get(f"{url}/users/new/recommendations?k=3&exclude_seen=false")
        assert after["known"] is True
        assert after["items"][0]["item_id"] == "SKU08"
        said = run(capsys, "recommend", "--model", model, "--user", "new", "--store", store, "--include-seen")
        assert (said["known"], said["items"][0]["item_id"]) == (True, "SKU08")
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=20)
    assert server.returncode in (0, -signal.SIGTERM, os.EX_OK)


def test_a_workspace_that_is_a_file_is_a_wrong_call(shop, tmp_path, capsys) -> None:
    _, file, _ = shop
    mapping = "user_id=client,item_id=product,time=moment"
    assert main(["ingest", str(file), "--map", mapping, "--store", str(file)]) == 2
    assert "must be a folder" in capsys.readouterr().err

"""`nextbest train`: goes on after a kill, and learns in several processes, through the real command line."""

import itertools
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import load_file

from cli.train_shop import TINY, TRAINING, config_of, train_words, write_recipe, write_shop
from nextbest.cli import main
from nextbest.data.interactions import Interactions
from nextbest.data.store import Workspace
from nextbest.models import make_model
from nextbest.models.histories import joined
from nextbest.models.sequence import learning
from nextbest.models.sequence.batches import Batch
from nextbest.models.sequence.shards import ParquetShards, write_shards
from nextbest.models.sequence.validation import Questions, held_out_of
from nextbest.pipeline.pipeline import Pipeline
from nextbest.pipeline.query import Query

TESTS = Path(__file__).parents[1]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent / "src")]),
    "OMP_NUM_THREADS": "1",
    **({"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}),
}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder)
    return folder


def weights(model: Path) -> dict[str, np.ndarray]:
    """What the model of a model folder learned."""
    return load_file(next(model.rglob("weights.safetensors")))


def free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


# --- killed and started again -------------------------------------------------------------------
def test_killed_in_the_middle_it_goes_on_to_the_same_weights_and_then_drops_its_checkpoints(
    shop, tmp_path, caplog
) -> None:
    recipe = write_recipe(tmp_path / "two.toml", config_of(n_epochs=60), max_len=[4, 8])
    checkpoints = tmp_path / "checkpoints"
    words = train_words(shop / "store", recipe, tmp_path / "killed", "--checkpoints", str(checkpoints))
    with subprocess.Popen([sys.executable, "-m", "nextbest", *words], env=ENVIRONMENT) as process:
        # in the second of the two fits that the setting is chosen by
        while process.poll() is None and not (checkpoints / "validation/0-gru4rec-1/epoch-00002").is_dir():
            time.sleep(0.002)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed").exists()
    (checkpoints / "mine.txt").write_text("not theirs")

    with caplog.at_level(logging.INFO, logger="nextbest.models.sequence.trainer"):
        assert main(words) == 0
    resumed = [int(r.getMessage().split()[-1]) for r in caplog.records if "goes on after" in r.getMessage()]
    assert resumed[0] == 60  # the first fit was done, the second was not, the last had not begun
    assert 2 <= resumed[1] < 60
    assert len(resumed) == 2
    assert [path.name for path in checkpoints.iterdir()] == ["mine.txt"]

    assert main(train_words(shop / "store", recipe, tmp_path / "straight")) == 0
    one, other = weights(tmp_path / "killed"), weights(tmp_path / "straight")
    assert one.keys() == other.keys()
    for name, array in one.items():
        assert_array_equal(array, other[name])


def test_checkpoints_of_another_log_are_refused(shop, tmp_path, capsys, monkeypatch) -> None:
    recipe = write_recipe(tmp_path / "one.toml", config_of(n_epochs=1))
    words = train_words(shop / "store", recipe, tmp_path / "m", "--checkpoints", str(tmp_path / "ck"))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # as if killed before the folder was dropped
        assert main(words) == 0
    assert (tmp_path / "ck" / "final" / "model" / "epoch-00001").is_dir()
    capsys.readouterr()
    assert main([*words, "--cutoff", "2024-01-09"]) == 4
    assert "is of another training: n_events was" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("where", "told"), [("m", "model folder"), ("m/ck", "model folder"), ("file", "is a file")]
)
def test_a_folder_that_cannot_hold_checkpoints_is_told_before_any_fit(shop, tmp_path, capsys, where, told):
    (tmp_path / "file").write_text("")
    words = train_words(shop / "store", "gru4rec", tmp_path / "m", "--checkpoints", str(tmp_path / where))
    assert main(words) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("where", ["ck/final", "ck/validation", "ck/final/model"])
def test_a_model_folder_among_the_checkpoints_is_refused_before_any_fit(shop, tmp_path, capsys, where):
    """They are removed at the end, and the model would go with them."""
    words = train_words(shop / "store", "gru4rec", tmp_path / where, "--checkpoints", str(tmp_path / "ck"))
    assert main(words) == 2
    assert "model folder must not lie in" in capsys.readouterr().err
    assert not (tmp_path / "ck").exists()


def test_only_checkpoints_are_removed_at_the_end(shop, tmp_path) -> None:
    """`--checkpoints .` in a folder where somebody keeps a validation set of their own."""
    recipe = write_recipe(tmp_path / "two.toml", config_of(n_epochs=1), max_len=[4, 8])
    theirs = [tmp_path / "validation" / "events.csv", tmp_path / "final" / "model" / "report.txt"]
    for file in theirs:
        file.parent.mkdir(parents=True)
        file.write_text("theirs")
    torn = tmp_path / "final" / "model" / ".epoch-00001.tmp"
    torn.mkdir()
    (torn / "state.safetensors").write_text("of a killed process")
    assert main(train_words(shop / "store", recipe, tmp_path / "m", "--checkpoints", str(tmp_path))) == 0
    assert [file.read_text() for file in theirs] == ["theirs", "theirs"]
    left = sorted(
        str(p.relative_to(tmp_path)) for n in ("validation", "final") for p in tmp_path.glob(f"{n}/**/*")
    )
    assert left == ["final/model", "final/model/report.txt", "validation/events.csv"]
    assert (tmp_path / "m").is_dir()


def test_ctrl_c_says_where_the_finished_epochs_are(shop, tmp_path, capsys, monkeypatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(learning, "_batches", stop)
    recipe = write_recipe(tmp_path / "one.toml", config_of())
    words = train_words(shop / "store", recipe, tmp_path / "m", "--checkpoints", str(tmp_path / "ck"))
    words.remove("--quiet")
    assert main(words) == 130
    assert f"finished epochs are in {tmp_path / 'ck'}" in capsys.readouterr().err


# --- several processes --------------------------------------------------------------------------
def test_two_processes_learn_what_one_does_from_the_batches_of_both(shop, tmp_path, monkeypatch) -> None:
    """One process takes a batch of each share as one step, with what both shares hold out as its questions."""
    recipe = write_recipe(tmp_path / "one.toml", config_of())
    torchrun = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", free_port()]
    words = train_words(shop / "store", recipe, tmp_path / "two", "--json")
    process = subprocess.run(
        [sys.executable, *torchrun, "-m", "nextbest", *words],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    result = json.loads(process.stdout)  # one document: the second process prints nothing
    assert result["n_processes"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.toml", "two"]  # shards are gone
    answer = Pipeline.load(tmp_path / "two").recommend([Query(user_id=3, k=4)])[0]
    assert [item.source for item in answer.items] == ["gru4rec"] * 4

    log = Interactions.from_journal(Workspace(shop / "store").journal().collect())
    assert result["n_events"] == log.histories.n_events
    write_shards(log, tmp_path / "shards", n_shards=2)
    held = {"how": "last", "users": 1_000, "fraction": 0.05}  # of 2,000 a half each
    shares = [
        held_out_of(
            ParquetShards.open(tmp_path / "shards", rank, 2), rng=np.random.default_rng(0).spawn(1)[0], **held
        )
        for rank in range(2)
    ]
    assert all(len(questions) for _, questions in shares)
    asked = Questions(
        joined([questions.histories for _, questions in shares]),
        np.concatenate([questions.target_idx for _, questions in shares]),
    )
    batches = learning._batches

    def of_both(_, mask_share, config, rng):
        state = rng.bit_generator.state
        each = []
        for share, _questions in shares:
            rng.bit_generator.state = state
            each.append(list(batches(share, mask_share, config, rng)))
        nothing = Batch(np.zeros((1, 1), np.int64), np.full((1, 1), -1), np.ones(1, np.int64))
        for pair in itertools.zip_longest(*each, fillvalue=nothing):
            yield from pair

    monkeypatch.setattr(learning, "_batches", of_both)
    alone = make_model("gru4rec", {**TINY, "training": {**TRAINING, "accumulate": 2}})
    whole = ParquetShards.open(tmp_path / "shards")
    alone.fit_shards(whole, item_ids=log.item_ids, questions=asked, rng=0)
    alone.save(tmp_path / "alone")
    one, other = weights(tmp_path / "two"), weights(tmp_path / "alone")
    for name, array in one.items():
        assert_allclose(array, other[name], atol=1e-5, rtol=0, err_msg=name)


@pytest.fixture(scope="module")
def ended(shop):
    """How four commands ended in each of two processes, and what each said; all meet at one store, as torchrun's."""
    command = [sys.executable, "-m", "cli.train_shop", str(shop)]
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    environment = {
        **ENVIRONMENT,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "WORLD_SIZE": "2",
    }
    processes = [
        subprocess.Popen(
            command,
            env={**environment, "RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=600) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], said
    finally:
        for process in processes:
            process.kill()
            process.wait()
    codes = [json.loads((shop / f"ended-{rank}.json").read_text()) for rank in range(2)]
    return {
        name: [
            (codes[rank][name], *(text.partition(f"<{name}>\n")[2].partition("<")[0] for text in said[rank]))
            for rank in range(2)
        ]
        for name in codes[0]
    }


def test_a_model_that_learns_in_one_process_is_refused_by_the_first_and_the_others_go(ended) -> None:
    (code, out, err), other = ended["not a sequence model"]
    assert code == 2
    assert json.loads(out)["error"] == "InputError"
    assert "learn in one process, and there are 2; start without torchrun" in err
    assert other == (0, "", "")


def test_a_setting_that_fails_everywhere_is_passed_over_by_all(ended, shop) -> None:
    (code, out, _), other = ended["one candidate diverges"]
    assert code == 0
    assert json.loads(out)["chosen"]["config"]["training"]["learning_rate"] == 0.01
    assert other == (0, "", "")
    assert Pipeline.load(shop / "one candidate diverges").recommend([Query(user_id=3, k=2)])[0].items


def test_a_loss_that_is_not_finite_ends_the_command_of_all(ended) -> None:
    (code, _, err), other = ended["all diverge"]
    assert code == 2
    assert "must be finite" in err
    assert other == (0, "", "")


def test_a_process_that_fails_alone_takes_the_first_one_with_it(ended, shop) -> None:
    (code, out, err), other = ended["a process is lost"]
    assert code == 5
    assert json.loads(out)["error"] == "ExternalError"
    assert "process 0 of 2 waited for one that is gone" in err
    assert other == (4, "", "nextbest: shard: is gone; train again with `nextbest train`\n")
    assert not (shop / "a process is lost").exists()
    assert not list(shop.glob(".*shards"))


@pytest.mark.parametrize("command", ["compare", "tune"])
def test_other_commands_say_that_they_run_in_one_process(command, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    out = ["--out", str(tmp_path / "t")] if command == "tune" else []
    assert main([command, "--recipe", "gru4rec", *out, "--json"]) == 2
    said, err = capsys.readouterr()
    assert said == ""  # the first process prints the document
    assert f"WORLD_SIZE: must be 1 for `{command}`" in err

"""Sequence models behind the service: what was posted a moment ago is read in its order, and torch isn't needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nextbest.service.app import create_app
from pipeline.cycle_shop import cycle_shop, day
from service.conftest import QUICK
from service.running import AppClient

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("cycle") / "model"
    cycle_shop().save(folder, created=day(8))
    return folder


@pytest.fixture
def client(model_folder, tmp_path):
    with AppClient(create_app(model_folder, event_log=tmp_path / "log.sqlite", config=QUICK)) as client:
        yield client


def first(client, user_id):
    answer = client.get(f"/users/{user_id}/recommendations?k=1&exclude_seen=false").json()
    return answer["items"][0]["item_id"], answer["items"][0]["source"]


def test_a_posted_history_is_answered_by_its_order(client):
    for history, wanted in (["s", "t", "u"], "v"), (["x", "y"], "z"):
        body = {"history": history, "k": 1, "exclude_seen": False}
        (answer,) = client.post("/recommendations", json=body).json()["answers"]
        assert [(i["item_id"], i["source"]) for i in answer["items"]] == [(wanted, "gru4rec")]


def test_a_posted_event_is_read_in_the_next_answer(client):
    assert first(client, "u0") == ("z", "gru4rec")
    for letter, wanted in (("z", "s"), ("s", "t")):
        event = {"user_id": "u0", "item_id": letter}
        assert client.post("/events", json=event).status_code == 202
        assert first(client, "u0") == (wanted, "gru4rec")
    client.post("/events", json={"user_id": "zoe", "item_id": "w"})
    assert first(client, "zoe") == ("x", "gru4rec")


WITHOUT_TORCH = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "onnx", "safetensors"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
from pathlib import Path
from nextbest.pipeline.pipeline import Pipeline
from nextbest.pipeline.query import Query
from nextbest.service.app import create_app
from service.conftest import QUICK
from service.running import AppClient

folder, store = Path(sys.argv[1]), Path(sys.argv[2])
asked = Query(history=[("s", None), ("t", None)], k=1, exclude_seen=False)
(answer,) = Pipeline.load(folder).recommend([asked])
print([(item.item_id, item.source) for item in answer.items])
with AppClient(create_app(folder, event_log=store, config=QUICK)) as client:
    body = {"history": ["x", "y"], "k": 1, "exclude_seen": False}
    (answer,) = client.post("/recommendations", json=body).json()["answers"]
    print([(item["item_id"], item["source"]) for item in answer["items"]])
print(sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "onnx", "safetensors"}))
"""


def python(code, *words):
    # what is on the path of this process is on that of the other
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, sys.path)])}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_saved_model_is_loaded_and_served_where_torch_cannot_be_imported(model_folder, tmp_path):
    lines = python(WITHOUT_TORCH, model_folder, tmp_path / "log.sqlite")
    assert lines == ["[('u', 'gru4rec')]", "[('z', 'gru4rec')]", "[]"]


def test_importing_the_models_loads_neither_torch_nor_onnx():
    code = """
import sys
import nextbest.models.sequence.sequence_model
from nextbest.models import make_model
for kind in ("gru4rec", "sasrec", "bert4rec", "lstm"):
    make_model(kind)
heavy = {"torch", "onnx", "onnxruntime", "safetensors"}
print(sorted({name.partition(".")[0] for name in sys.modules} & heavy))
"""
    assert python(code) == ["[]"]

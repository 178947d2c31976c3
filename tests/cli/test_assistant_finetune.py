"""`nextbest assistant finetune` on a tiny model: what it writes opens again, and says what it cost."""

import argparse
import json

import pytest
import torch

from language_checkpoints import language_folder
from nextbest.assistant.finetune import data as tuning
from nextbest.assistant.prompts.taught import call_messages
from nextbest.assistant.providers.adapters import is_taught
from nextbest.cli import assistant_finetune
from nextbest.errors import InputError
from nextbest.models.language.checkpoint import open_checkpoint


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    """One thread, and a handful of examples: how they are made is tested with them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    few = tuple(
        tuning.Trace("call", call_messages(f"ask {i}"), "peers", "en", "peers", "t", f"ask {i}")
        for i in range(12)
    )
    monkeypatch.setattr(tuning, "tuning_data", lambda *_, **__: tuning.TuningData(few[2:], few[:2]))
    yield
    torch.set_num_threads(before)


def parsed(*words):
    parser = argparse.ArgumentParser()
    assistant_finetune.add_parser(parser.add_subparsers())
    return parser.parse_args(["finetune", *map(str, words), "--json", "--quiet"])


def test_an_adapter_is_written_scored_and_merged(tmp_path, capsys):
    base = language_folder(tmp_path / "base", context=512)
    args = parsed(
        "--model", base, "--out", tmp_path / "tuned", "--steps", 4, "--score", 2,
        "--merge", tmp_path / "whole", "--gguf", tmp_path / "tuned.gguf",
    )  # fmt: skip
    args.run(args)
    told = json.loads(capsys.readouterr().out)
    assert told["trained"]["tokens"] > 0
    assert told["scores"]["n"] == 2
    adapted = open_checkpoint(base, adapter=tmp_path / "tuned")
    assert adapted.adapter is not None
    assert open_checkpoint(tmp_path / "whole").family == adapted.family
    assert (tmp_path / "tuned.gguf").read_bytes()[:4] == b"GGUF"
    assert is_taught(tmp_path / "tuned.gguf")
    assert is_taught(tmp_path / "tuned")


@pytest.mark.parametrize(("name", "value"), [("steps", 0), ("seconds", 0), ("threads", -1), ("rng", -1)])
def test_a_number_that_cannot_be_is_refused_before_the_model_is_opened(tmp_path, name, value):
    args = parsed("--model", tmp_path / "none", "--out", tmp_path / "tuned", f"--{name}", value)
    with pytest.raises(InputError, match=name):
        args.run(args)

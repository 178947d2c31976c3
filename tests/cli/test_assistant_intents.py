"""`nextbest assistant train-intents --form bert`: a folder that `nextbest chat` takes, and flags that don't go together."""

import json
from pathlib import Path

import pytest

from nextbest.cli import main


def words(*more: str) -> list[str]:
    return ["assistant", "train-intents", "--json", *more]


def told(capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert main(words(*more)) == 2
    return str(json.loads(capsys.readouterr().out)["detail"])


def test_an_encoder_is_taught_and_a_workspace_finds_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from language_checkpoints import encoder_folder
    from nextbest.assistant.intent.bert import BertIntents
    from nextbest.assistant.intent.corpus import make_corpus
    from nextbest.assistant.intent.understander import Understander

    source = encoder_folder(
        tmp_path / "tiny", [e.text for e in make_corpus(0, n_each=1, n_said=0)], n_tokens=2000
    )
    out = tmp_path / "store" / "intents"
    more = ("--form", "bert", "--model", str(source), "--out", str(out), "--language", "en")
    tuning = ("--n-each", "1", "--epochs", "2", "--learning-rate", "0.003")
    assert main(words(*more, *tuning)) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["model"] == str(out)
    assert len(document["curve"]) == 2
    assert list(document["vocabulary"]) == ["en"]
    assert document["accuracy"] > 0.15
    understander = Understander.load(out)
    assert isinstance(understander.head, BertIntents)
    assert understander.head.about["checkpoint"] == "tiny"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--form", "bert"), "--model: must name"),
        (("--form", "bert", "--model", "m", "--encoder", "use"), "--encoder: belongs to --form linear"),
        (("--form", "bert", "--model", "m", "--epochs", "0"), "--epochs: must be 1 or more"),
        (("--form", "bert", "--model", "m", "--learning-rate", "2"), "--learning-rate: must be"),
        (("--form", "bert", "--model", "m", "--rng", "-1"), "--rng: must be 0 or more"),
        (("--form", "tuned", "--model", "m"), "--model: belongs to --form bert"),
        (("--form", "tuned", "--language", "ru"), "--language: belongs to --form bert"),
        (("--form", "tuned", "--epochs", "0"), "--epochs: must be 1 or more"),
        (("--model", "m"), "--model: belongs to --form bert"),
        (("--language", "ru"), "--language: belongs to --form bert"),
    ],
)
def test_flags_that_do_not_go_together_are_told_before_the_work(
    flags: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in told(capsys, *flags, "--out", str(tmp_path / "i"))


def test_a_folder_without_a_model_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("transformers")
    said = told(capsys, "--form", "bert", "--model", str(tmp_path), "--out", str(tmp_path / "i"))
    assert "holds no config.json" in said


def test_a_folder_of_somebody_else_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "notes.txt").write_text("mine")
    said = told(capsys, "--form", "bert", "--model", "m", "--out", str(tmp_path))
    assert "is there and holds no model" in said

"""What scripts rely on: exit codes, one JSON document on standard output, words on standard error."""

import json
import warnings

import pytest

from nextbest.cli import COMMANDS, main, parser
from nextbest.cli.maps import mapping, pairs
from nextbest.cli.output import exit_code_of, set_up_logging
from nextbest.errors import ArtifactError, DataError, ExternalError, InputError, NotFittedError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("k", "must be 1 or more"), 2),
        (DataError("journal", "is empty"), 3),
        (NotFittedError("ease"), 4),
        (ArtifactError("m", "is missing"), 4),
        (ExternalError("disk", "is full", retryable=True), 5),
    ],
)
def test_each_error_group_has_its_exit_code(error, code) -> None:
    assert exit_code_of(error) == code


@pytest.mark.parametrize("command", [m.__name__.rsplit(".", 1)[1] for m in COMMANDS])
def test_help_of_every_command_shows_examples_that_its_own_parser_takes(command, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0
    lines = [line.split("#")[0].split() for line in text.splitlines() if line.startswith("  nextbest ")]
    assert lines
    for words in lines:
        parser().parse_args(words[1:])


def test_a_wrong_flag_is_a_wrong_call(capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", "--nonsense"])
    assert stop.value.code == 2
    assert "usage: nextbest" in capsys.readouterr().err


def test_an_error_with_json_is_one_document_on_stdout_and_words_on_stderr(capsys, tmp_path) -> None:
    code = main(["recommend", "--model", str(tmp_path / "none"), "--user", "1", "--json"])
    out, err = capsys.readouterr()
    assert code == 4
    assert json.loads(out)["error"] == "ArtifactError"
    assert err.startswith("nextbest: ")
    assert str(tmp_path / "none") in err


def test_pairs_are_split_at_commas_and_at_the_first_equals_sign() -> None:
    assert list(pairs(["a=b,c=d=e", "f=g"], name="--map")) == [("a", "b"), ("c", "d=e"), ("f", "g")]


def test_a_pair_without_equals_is_told() -> None:
    with pytest.raises(InputError, match=r"--map: must look like NAME=VALUE.*'b'"):
        list(pairs(["a=1,b"], name="--map"))


def test_a_wrong_environment_variable_is_a_wrong_call(monkeypatch, capsys) -> None:
    monkeypatch.setenv("NEXTBEST_LOG_LEVEL", "loud")
    assert main(["compare", "--recipe", "baselines"]) == 2
    assert "NEXTBEST_LOG_LEVEL" in capsys.readouterr().err


def test_a_comma_can_be_a_value() -> None:
    assert list(pairs(["decimal=,", "decimal=,,refunds=false"], name="--set")) == [
        ("decimal", ","),
        ("decimal", ","),
        ("refunds", "false"),
    ]


def test_with_json_a_wrong_flag_is_one_document_too(capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["compare", "--recipe", "baselines", "-k", "abc", "--json"])
    out, err = capsys.readouterr()
    assert stop.value.code == 2
    assert "invalid int value: 'abc'" in json.loads(out)["detail"]
    assert "usage: nextbest compare" in err


@pytest.mark.parametrize(
    "words",
    [["ingest", "log.csv", "--report"], ["compare", "--recipe", "baselines", "--markdown"]],
    ids=["ingest", "compare"],
)
def test_a_report_into_a_folder_that_is_not_there_is_told_before_the_work(words, tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*words, str(tmp_path / "none" / "report.md")])
    assert stop.value.code == 2
    assert "folder that exists" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["compare", "train", "recommend", "demo"])
def test_the_length_of_lists_is_k_with_one_dash_or_two(command) -> None:
    needed = {
        "compare": ["--recipe", "baselines"],
        "train": ["--recipe", "pipeline", "--out", "m"],
        "recommend": ["--model", "m", "--user", "1"],
        "demo": [],
    }[command]
    for flag in ("-k", "--k"):
        assert parser().parse_args([command, *needed, flag, "7"]).k == 7


def test_a_warning_is_shown_without_the_place_in_our_code() -> None:
    set_up_logging("warning")
    shown = warnings.formatwarning(UserWarning("few users"), UserWarning, "split.py", 40)
    assert shown == "nextbest: warning: few users\n"


def test_one_of_our_names_given_twice_is_told() -> None:
    assert mapping(["user_id=a,item_id=b", "user_id=a"], name="--map") == {"user_id": "a", "item_id": "b"}
    with pytest.raises(InputError, match=r"--map: user_id is given twice.*a, c"):
        mapping(["user_id=a,item_id=b", "user_id=c"], name="--map")

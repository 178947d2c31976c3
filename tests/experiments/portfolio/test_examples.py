"""Published cases go through our own functions; a wrong expected value, and nothing else, fails its row."""

import json
from pathlib import Path
from typing import Any

import pytest

from nextbest.errors import DataError, InputError
from nextbest.experiments.portfolio.examples import check_examples

PUBLISHED = Path(__file__).parent / "published.json"
BACON = (
    "0.003 0.002, 0.026 0.025, 0.011 0.018, -0.010 -0.011, 0.015 0.014, 0.025 0.018, 0.016 0.014, 0.067 0.065, "
    "-0.014 -0.015, 0.040 0.042, -0.005 -0.006, 0.081 0.083, 0.040 0.039, -0.037 -0.038, -0.061 -0.062, 0.017 0.015, "
    "-0.049 -0.048, -0.022 0.021, 0.070 0.060, 0.058 0.056, -0.065 -0.067, 0.024 0.019, -0.005 -0.003, -0.009 0"
)
"""Monthly returns of the portfolio and its benchmark in C. Bacon, Practical Portfolio Performance Measurement and
Attribution, 2008."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the examples lie: their files are beside the folder of examples."""
    (tmp_path / "returns").mkdir()
    rows = [f"{month},{','.join(pair.split())}" for month, pair in enumerate(BACON.split(", "))]
    (tmp_path / "returns" / "bacon.csv").write_text("\n".join(["month,portfolio,benchmark", *rows]))
    (tmp_path / "worked").mkdir()
    return tmp_path / "worked"


def check(folder: Path, examples: list[dict[str, Any]]) -> dict[str, Any]:
    (folder / "examples.json").write_text(json.dumps(examples))
    return check_examples(folder / "examples.json")


def published() -> list[dict[str, Any]]:
    examples: list[dict[str, Any]] = json.loads(PUBLISHED.read_text())
    return examples


def test_every_published_case_is_met(folder: Path) -> None:
    found = check(folder, published())
    assert [row["why"] for row in found["rows"] if not row["passed"]] == []
    assert (found["passed"], found["failed"]) == (len(published()) - 2, 0)
    assert all(row["function"] for row in found["rows"])


def test_unverified_ones_are_told_apart_and_count_neither_way(folder: Path) -> None:
    apart = check(folder, published())["unverified"]
    assert [row["id"] for row in apart] == ["bacon-pain-ratio", "bacon-appraisal-ratio"]
    assert apart[0]["answer"] == [pytest.approx(2.5926, abs=1e-4)]
    assert "off by 0.0674" in apart[0]["why"]
    assert "no function" in apart[1]["why"]


def test_the_report_is_json(folder: Path) -> None:
    assert json.loads(json.dumps(check(folder, published()), allow_nan=False))["failed"] == 0


def test_each_wrong_expected_value_fails_its_own_row_and_no_other(folder: Path) -> None:
    examples = [example for example in published() if example["verified"]]
    wrong = [
        example | {"expected": [value + 1 if value == value else 0.5 for value in listed(example)]}
        for example in examples
    ]
    found = check(folder, wrong)
    assert (found["passed"], found["failed"]) == (0, len(examples))
    one = [*examples[:-1], wrong[-1]]
    assert [row["id"] for row in check(folder, one)["rows"] if not row["passed"]] == [examples[-1]["id"]]


def listed(example: dict[str, Any]) -> list[float]:
    return example["expected"] if isinstance(example["expected"], list) else [example["expected"]]


def test_the_answer_doesn_t_know_what_is_expected(folder: Path) -> None:
    right = {row["id"]: row["answer"] for row in check(folder, published())["rows"]}
    asked = [example | {"expected": [1e9] * len(listed(example))} for example in published()]
    assert {row["id"]: row["answer"] for row in check(folder, asked)["rows"]} == right


def test_a_null_and_a_number_are_not_the_same(folder: Path) -> None:
    flows = {"dates": ["2020-01-01", "2021-01-01"], "amounts": [-100, 110]}
    example = {"id": "a", "topic": "XIRR", "inputs": flows, "expected": None, "tol": 1, "verified": True}
    assert check(folder, [example])["rows"][0]["why"].endswith("for None")


def test_more_numbers_than_the_function_has_to_say(folder: Path) -> None:
    example = {
        "id": "a",
        "topic": "MWR",
        "inputs": {"cash_flows": [-1, 2]},
        "expected": [1, 1, 1],
        "tol": 1,
        "verified": True,
    }
    assert check(folder, [example])["rows"][0]["why"] == "2 number(s) for 3"


@pytest.mark.parametrize(
    ("topic", "inputs", "why"),
    [
        ("astrology", {}, "no function answers it"),
        ("XIRR", {"csv": "returns/none.csv"}, "none.csv"),
        ("XIRR", {"dates": ["2020-01-01"], "amounts": [1, 2]}, "can't be read"),
        ("FV", {"rate": "0.05/12"}, "KeyError"),
        ("sharpe", {"returns": "none"}, "can't be read"),
        ("mean-variance", {"mean": [0.1], "cov": [[0.1]], "targets": [0.5]}, "mean return"),
    ],
)
def test_inputs_that_can_t_be_answered_fail_their_row(
    folder: Path, topic: str, inputs: dict[str, Any], why: str
) -> None:
    example = {"id": "a", "topic": topic, "inputs": inputs, "expected": 1, "tol": 1, "verified": True}
    found = check(folder, [example])
    assert (found["passed"], found["failed"]) == (0, 1)
    assert why in found["rows"][0]["why"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("not json", "must be JSON"),
        ("{}", "list of examples"),
        ('[{"id": "a"}]', "an example has id, topic"),
        (
            '[{"id": "a", "topic": "FV", "inputs": [], "expected": 1, "tol": 1, "verified": true}]',
            "must be an object",
        ),
    ],
)
def test_files_in_another_layout(folder: Path, text: str, rule: str) -> None:
    (folder / "examples.json").write_text(text)
    with pytest.raises(DataError, match=rule):
        check_examples(folder / "examples.json")


def test_an_id_twice(folder: Path) -> None:
    with pytest.raises(DataError, match="ids must differ"):
        check(folder, [published()[0], published()[0]])


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        check_examples(tmp_path / "examples.json")

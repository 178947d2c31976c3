"""Published worked examples, answered by our public functions and compared one by one.

A file is a JSON list of examples: `id, topic, inputs, expected, tol, verified` and, where known, `source`. Paths in
`inputs` start at the folder above the file's own. Expected null or NaN means that there is no such number.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nextbest.errors import DataError, InputError, NextbestError
from nextbest.experiments.portfolio.answers import answer
from nextbest.experiments.portfolio.case import Case

_KEYS = ("id", "topic", "inputs", "expected", "tol", "verified")


def check_examples(file: Path) -> dict[str, Any]:
    """Answer every example of a file and say which answers lie within their tolerance.

    Parameters
    ----------
    file
        JSON in the layout above.

    Returns
    -------
    dict, JSON-ready
        `passed`, `failed`: verified examples, counts. `unverified`: rows of examples marked `verified: false`, which
        are answered where a function is there and count neither way. `rows`: one for each verified example with
        `id, topic, function, answer, expected, tol, passed, why` (`why` it failed) and `source`.

        An answer of several numbers is compared place by place with as many as are expected.

    Raises
    ------
    InputError
        No such file.
    DataError
        Not JSON, not in the layout, or an id twice.
    """
    examples = _read(file)
    inputs_of = {example["id"]: example["inputs"] for example in examples}
    rows = [_row(example, inputs_of, folder=file.resolve().parent.parent) for example in examples]
    verified = [row for row, example in zip(rows, examples, strict=True) if example["verified"]]
    unverified = [row for row, example in zip(rows, examples, strict=True) if not example["verified"]]
    passed = sum(row["passed"] for row in verified)
    return {
        "passed": passed,
        "failed": len(verified) - passed,
        "unverified": [
            {name: value for name, value in row.items() if name != "passed"} for row in unverified
        ],
        "rows": verified,
    }


def _read(file: Path) -> list[dict[str, Any]]:
    """The examples, checked for their layout."""
    if not file.is_file():
        raise InputError("file", "no such file", value=str(file))
    try:
        examples = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(file.name, f"must be JSON ({error})") from error
    if not isinstance(examples, list) or not all(isinstance(example, dict) for example in examples):
        raise DataError(file.name, "must be a list of examples")
    short = [example.get("id", place) for place, example in enumerate(examples) if set(_KEYS) - set(example)]
    if short:
        raise DataError(file.name, f"an example has {', '.join(_KEYS)}", n_bad=len(short), examples=short)
    odd = [example["id"] for example in examples if not isinstance(example["inputs"], dict)]
    if odd:
        raise DataError(file.name, "inputs must be an object", n_bad=len(odd), examples=odd)
    ids = [example["id"] for example in examples]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise DataError(file.name, "ids must differ", n_bad=len(twice), examples=twice)
    return examples


def _row(example: Mapping[str, Any], inputs_of: Mapping[str, Any], *, folder: Path) -> dict[str, Any]:
    """One example, answered first and compared after."""
    inputs, seen = example["inputs"], example["inputs"].get("see")
    case = Case(
        name=example["id"],
        topic=example["topic"],
        inputs={**inputs_of.get(seen, {}), **inputs} if seen else inputs,
        folder=folder,
        refers=seen is not None,
    )
    expected = example["expected"] if isinstance(example["expected"], list) else [example["expected"]]
    wanted = [None if value is None or math.isnan(value) else float(value) for value in expected]
    row: dict[str, Any] = {"id": case.name, "topic": case.topic, "function": None, "answer": None}
    why = None
    try:
        answered = answer(case)
        values = [None if v is None or math.isnan(v) else v for v in answered.values[: len(wanted)]]
        row |= {"function": answered.function, "answer": values}
        why = _difference(values, wanted, tol=float(example["tol"]))
    except NextbestError as error:
        why = str(error)
    row |= {"expected": wanted, "tol": example["tol"], "passed": why is None, "why": why}
    return row | {"source": example.get("source")}


def _difference(values: Sequence[float | None], wanted: Sequence[float | None], *, tol: float) -> str | None:
    """What is wrong with the answer; None = within tolerance."""
    if len(values) < len(wanted):
        return f"{len(values)} number(s) for {len(wanted)}"
    for value, expected in zip(values, wanted, strict=True):
        if (value is None) != (expected is None):
            return f"{value} for {expected}"
        if value is not None and expected is not None and not abs(value - expected) <= tol:
            return f"{value!r} for {expected!r}: off by {abs(value - expected):.3g}, allowed {tol:g}"
    return None

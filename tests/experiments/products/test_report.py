"""The product table in words: directions, empty tables and small panels are told."""

from typing import Any

import pytest

from nextbest.experiments.products.report import FEW_ADDERS, ProductReport, ProductRow


def figure(value: float) -> dict[str, float]:
    return {"value": value, "ci_low": value - 0.01, "ci_high": value + 0.01}


def row(
    model: str, difference: float | None, *, n_adders: int = 500, unseen: int | None = None
) -> ProductRow:
    """A row of 0.8 and, with `unseen`, that many adders who were in no training month."""
    kinds: list[dict[str, Any]] = [{"kind": "seen", "n_adders": n_adders, "map@7_adders": figure(0.8)}]
    if unseen is not None:
        kinds.append({"kind": "unseen", "n_adders": unseen, "map@7_adders": figure(0.7) if unseen else None})
    tested = None if difference is None else {"to": "segment_rates", "value": difference, "p_holm": 0.005}
    return ProductRow(
        model, {"map@7_adders": figure(0.8), "n_adders": n_adders}, [], kinds, [], 1.0, 1.0, 1.0, tested
    )


def text(*rows: ProductRow) -> str:
    protocol = {"refit": "every", "learned_from": [], "attributes": "month_end", "thresholds": "tuned"}
    return ProductReport(["2016-05"], protocol, [], list(rows)).to_markdown()


def line(report: str, model: str) -> str:
    return next(found for found in report.splitlines() if found.startswith(f"| {model} |"))


def test_a_p_value_says_which_way() -> None:
    told = text(
        row("persistence", -0.3), row("segment_rates", None), row("product_model", 0.2), row("twin", 0.0)
    )
    assert "| worse 0.005 |" in line(told, "persistence")
    assert "| better 0.005 |" in line(told, "product_model")
    assert "| equal 0.005 |" in line(told, "twin")
    assert "better" not in line(told, "segment_rates")
    assert "than the best baseline (segment_rates)" in told


@pytest.mark.parametrize("unseen", [None, 0])
def test_an_empty_table_of_unseen_clients_is_a_sentence(unseen: int | None) -> None:
    told = text(row("a", None, unseen=unseen))
    assert "No client who added was unseen in training" in told
    assert "first seen since" not in told


def test_unseen_clients_who_added_have_their_table() -> None:
    told = text(row("a", None, unseen=7))
    assert "first seen since" in told
    assert "| 7 |" in told
    assert "No client who added" not in told


@pytest.mark.parametrize(("n_adders", "is_told"), [(FEW_ADDERS - 1, True), (FEW_ADDERS, False)])
def test_few_adders_are_warned_about(n_adders: int, is_told: bool) -> None:
    assert ("are noise here" in text(row("a", None, n_adders=n_adders))) == is_told

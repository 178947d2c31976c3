"""The page on offers lists the filters, reasons and keys that there are."""

import re
from pathlib import Path

from nextbest.data.panel.schema import SANTANDER
from nextbest.pipeline.decisions.eligibility import FILTERS
from nextbest.pipeline.decisions.policy import DecisionPolicy
from nextbest.pipeline.decisions.reason_codes import FAMILIES, REASONS, reason_words

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "offers.md").read_text(encoding="utf-8")


def rows(section: str, n_columns: int) -> list[tuple[str, ...]]:
    """Rows of a section's table that begin with a code."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    found = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.splitlines()]
    return [row for row in found if len(row) == n_columns and row[0].startswith("`")]


def test_the_table_of_filters_is_the_codes_own() -> None:
    assert rows("The order of things", 3) == [(f"`{f.code}`", f.stage, f.en) for f in FILTERS]


def test_the_table_of_reasons_is_the_dictionary() -> None:
    def words(number: int, text: str) -> str:
        about = FAMILIES.index("card") if "{family}" in text else SANTANDER.bit("ind_recibo_ult1")
        return reason_words(number, about=about, fact=3, schema=SANTANDER, lang="en")

    assert rows("Reasons", 2) == [(f"`{r.code}`", words(r.number, r.en)) for r in REASONS]


def test_every_key_of_a_policy_is_told() -> None:
    told = set(
        re.findall(r"`\.?([a-z_.X\[\]]+)`", "".join(row[0] for row in rows("The policy, key by key", 3)))
    )
    heads = {key.split(".")[0].removesuffix("[]") for key in told}
    leaves = {key.split(".")[-1].removesuffix("[]") for key in told}
    fields = DecisionPolicy.model_fields
    assert set(fields) <= heads | leaves
    for part in ("products", "clients", "contacts", "control", "exploration"):
        inner = fields[part].annotation
        inner = inner if hasattr(inner, "model_fields") else inner.__args__[1]  # type: ignore[union-attr]
        assert set(inner.model_fields) <= leaves, part  # type: ignore[union-attr]

"""The table of conventions in the docs is the catalogue's."""

from pathlib import Path

import pytest

from nextbest.errors import DataError
from nextbest.portfolio.metrics.catalogue import CATALOGUE
from nextbest.portfolio.metrics.conventions import conventions_table, renewed

DOCS = Path(__file__).parents[3] / "docs" / "rooms" / "portfolio.md"


def test_the_docs_are_current() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert renewed(text) == text, (
        "run: python -m nextbest.portfolio.metrics.conventions docs/rooms/portfolio.md"
    )


def test_an_old_table_is_replaced_and_the_rest_stays() -> None:
    text = "a\n<!-- figures: begin -->\nthe one before\n<!-- figures: end -->\nb\n"
    made = renewed(text)
    assert made.startswith("a\n")
    assert made.endswith("<!-- figures: end -->\nb\n")
    assert "the one before" not in made
    assert renewed(made) == made


def test_every_figure_has_a_row_of_seven_cells() -> None:
    rows = [row for row in conventions_table().splitlines() if row.startswith("| `")]
    assert len(rows) == len(CATALOGUE)
    assert {row.replace("\\|", "").count("|") for row in rows} == {8}


def test_a_file_without_the_marks() -> None:
    with pytest.raises(DataError, match="once each"):
        renewed("nothing")

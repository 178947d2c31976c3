"""Puts the catalogue's table of conventions into a Markdown file, between its two marks.

python -m nextbest.portfolio.metrics.conventions docs/rooms/portfolio.md
"""

import sys
from pathlib import Path

from nextbest.errors import DataError
from nextbest.portfolio.metrics.catalogue import FAMILIES

BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->"


def conventions_table() -> str:
    """The catalogue as Markdown, a table for each family."""
    lines = []
    for family, figures in FAMILIES.items():
        lines += [f"### {family}", "", "| name | English | Russian | unit | formula | convention | source |"]
        lines += ["|---|---|---|---|---|---|---|"]
        for spec in (figure.spec for figure in figures):
            cells = (
                f"`{spec.name}`",
                spec.title_en,
                spec.title_ru,
                spec.unit,
                f"`{spec.formula}`",
                spec.convention,
                spec.source,
            )
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def renewed(text: str) -> str:
    """The text with the table between the marks.

    Raises
    ------
    DataError
        A mark is missing.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise DataError("conventions", f"the file must hold {BEGIN.strip()!r} and {END!r}, once each")
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + conventions_table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(renewed(file.read_text(encoding="utf-8")), encoding="utf-8")

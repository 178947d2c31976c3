"""A portfolio's document as a terminal shows it."""

from typing import Any


def as_text(document: dict[str, Any]) -> str:
    """What a terminal shows: words first, then the figures."""
    from nextbest.charts_page.numbers import written
    from nextbest.charts_page.parts import unit_of

    lines: list[str] = []
    for part in [document, *document.get("documents", ())]:
        lines += [part["layout"]["title"]["en"], *part["texts"]["en"]]
        for figure in part["figures"].values():
            shown = written(figure["value"], unit=unit_of(figure["unit"], part), language="en")
            why = "" if figure["value"] is not None else f" ({figure['reason_text']['en']})"
            lines.append(f"  {figure['title']['en']}: {shown}{why}")
        if part["kind"] == "outlook":
            lines += _range_lines(part)
        lines.append("")
    return "\n".join([*lines, document["disclaimer"]["en"]])


def _range_lines(document: dict[str, Any]) -> list[str]:
    """The ranges as a terminal shows them, and what has none."""
    tables = document["tables"]
    lines = (
        [f"  {'asset':<14}{'time':<18}{'now':>14}{'q10':>14}{'q50':>14}{'q90':>14}"]
        if tables.get("ranges")
        else []
    )
    rows = [(row["asset_id"], row) for row in tables.get("ranges", ())]
    rows += [("all at once", row) for row in tables.get("together", ())]
    for name, row in rows:
        now = f"{row['now']:>14,.2f}" if "now" in row else f"{'':>14}"
        amounts = "".join(f"{row[level]:>14,.2f}" for level in ("q10", "q50", "q90"))
        lines.append(f"  {name:<14}{row['when']['en'].removesuffix(' UTC'):<18}{now}{amounts}")
    lines += [f"  {row['asset_id']}: {row['why']['en']}" for row in tables.get("not_covered", ())]
    return lines

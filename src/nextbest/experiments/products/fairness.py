"""Additions foretold by the served model, by sex, age band and province: a month's clients as they were known before it.

Gathers months and hands them to `evaluation.fairness` once; knows no model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.data.panel.panel import Panel
from nextbest.evaluation.fairness import K_SMALL, age_bands, fairness_report

SERVED = "product_model"
"""Row of the table that is reported: what `serve` and `batch` answer with."""
_ROLES: Mapping[str, str] = {"sex": "sex", "age": "age_band", "region": "province"}
"""Role of the panel's schema -> attribute of the report."""
_SHOWN_GROUPS = 10
"""Groups of an attribute in the Markdown, the largest first."""


@dataclass
class FairnessTally:
    """Clients, what was foretold of them and what came, month by month."""

    panel: Panel
    _groups: list[pl.DataFrame] = field(default_factory=list)
    _offered: list[NDArray[np.uint32]] = field(default_factory=list)
    _added: list[NDArray[np.uint32]] = field(default_factory=list)
    _expected: list[NDArray[np.float64]] = field(default_factory=list)

    def add(
        self,
        target: date,
        *,
        row_N: NDArray[np.int32],
        offered_N: NDArray[np.uint32],
        added_N: NDArray[np.uint32],
        probability_NP: NDArray[np.float32],
    ) -> None:
        """Count a month.

        Parameters
        ----------
        target
            The month foretold; attributes are those of the month before, whatever the model was given.
        row_N
            The clients' rows in the panel; all were there the month before. Shape (N,).
        offered_N, added_N
            Masks of products foretold and of those that came. Shape (N,).
        probability_NP
            P(add), 0 where held. Shape (N, P).
        """
        self._groups.append(_attributes(self.panel, target, row_N))
        self._offered.append(offered_N)
        self._added.append(added_N)
        self._expected.append(probability_NP.sum(axis=1, dtype=np.float64))

    def report(self) -> dict[str, Any] | None:
        """JSON-ready, all months together; None where the panel has none of the attributes, or too few clients."""
        if not self._groups or not self._groups[0].columns:
            return None
        groups = pl.concat(self._groups)
        if len(groups) < K_SMALL:
            return None
        table = fairness_report(
            groups,
            offered_N=np.concatenate(self._offered),
            added_N=np.concatenate(self._added),
            expected_N=np.concatenate(self._expected),
        )
        return {
            "model": SERVED,
            "attributes_of": "the month before the target",
            "counted": "clients x months",
            "smallest_group": K_SMALL,
            "groups": table.to_dicts(),
        }


def fairness_markdown(report: Mapping[str, Any] | None) -> list[str]:
    """The report's section for people, line by line; nothing where there is no report.

    At most ten groups of an attribute, the largest; the JSON has all, with intervals and recall.
    """
    if report is None:
        return []
    lines = [
        (
            f"Additions foretold by {report['model']}, by group of clients (attributes of {report['attributes_of']}; "
            f"n = {report['counted']}). What is, not why: products have ages and regions."
        ),
        "",
        "| attribute | group | n | offered share | ratio to whole | precision | observed / expected |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    shown: dict[str, int] = {}
    for row in report["groups"]:
        attribute = row["attribute"]
        shown[attribute] = shown.get(attribute, 0) + 1
        if shown[attribute] <= _SHOWN_GROUPS:
            rates = ("offered_share", "ratio_to_whole", "precision", "observed_to_expected")
            cells = [
                attribute,
                row["group"],
                f"{row['n_clients']:,}",
                *(_number(row[name]) for name in rates),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    more = [f"{n - _SHOWN_GROUPS} of {name}" for name, n in shown.items() if n > _SHOWN_GROUPS]
    if more:
        lines += ["", f"Smaller groups are in the JSON report: {', '.join(more)}."]
    return [*lines, ""]


def _attributes(panel: Panel, target: date, row_N: NDArray[np.int32]) -> pl.DataFrame:
    """Sex, age band and province of clients, where the schema has them; as of the month before the target."""
    schema = panel.schema
    there = {role: schema.roles[role] for role in _ROLES if role in schema.roles}
    if not there:
        return pl.DataFrame()
    known = panel.as_of(target).attributes(columns=list(there.values()))
    known = known[np.searchsorted(known["row"].to_numpy(), row_N)]
    assert (known["row"].to_numpy() == row_N).all(), "who is there in both months is there in the first"
    columns = []
    for role, column in there.items():
        values = known[column]
        if role == "age":
            values = age_bands(values)
        else:
            values = values.cast(pl.String)
            names = next((dict(pair.names) for pair in schema.code_names if pair.code == column), {})
            values = values.replace(names) if names else values
        columns.append(values.alias(_ROLES[role]))
    return pl.DataFrame(columns)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

"""The product table as JSON and as Markdown. Computes nothing."""

from dataclasses import asdict, dataclass, field
from typing import Any

from nextbest.experiments.products.fairness import fairness_markdown

_SHOWN = (
    ("map@7_adders", "MAP@7 adders"),
    ("map@7", "MAP@7 all"),
    ("lift@1%", "lift@1%"),
    ("f1_micro", "F1 micro (additions)"),
    ("f1_weighted", "F1 weighted (additions)"),
    ("ownership_f1_weighted", "F1 weighted (ownership)"),
    ("ece", "ECE"),
    ("within_10%_weighted", "additions within 10 %"),
)
FEW_ADDERS = 10_000
"""Adders below which a difference of a few thousandths is within the intervals."""


@dataclass
class ProductRow:
    """One model of the table."""

    model: str
    figures: dict[str, Any]
    """As `ProductScores.row`: over all months and clients."""
    by_month: list[dict[str, Any]]
    by_kind: list[dict[str, Any]]
    """Clients who were in a training month, and those who were in none."""
    per_product: list[dict[str, Any]]
    """A record for each product and month; empty for a row without probabilities."""
    fit_cpu_s: float
    """CPU-seconds of one fit, all it needs of features included where it was the first to need them."""
    ask_cpu_s: float
    """CPU-seconds to ask about one month's clients, features included."""
    peak_mb: float
    difference: dict[str, Any] | None = None
    """MAP@7 on adders less that of the best baseline, paired by customer; None for that baseline."""


@dataclass
class ProductReport:
    """Several models over the same unseen months."""

    months: list[str]
    protocol: dict[str, Any]
    breaks: list[Any]
    """Level breaks of the panel that its ingest found."""
    rows: list[ProductRow] = field(default_factory=list)
    fairness: dict[str, Any] | None = None
    """What the served model foretells, by group of clients (`FairnessTally.report`); None where it wasn't asked."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; a row's figures stand beside its name: `{"model": ..., "map@7_adders": {...}, ...}`."""
        rows = []
        for row in self.rows:
            record = asdict(row)
            rows.append({"model": record.pop("model"), **record.pop("figures"), **record})
        return {
            "months": self.months,
            "protocol": self.protocol,
            "breaks": self.breaks,
            "rows": rows,
            "fairness": self.fairness,
        }

    def to_markdown(self) -> str:
        """The tables for people: all months, each month, unseen clients, groups of clients."""
        p = self.protocol
        lines = [
            (
                f"Months {', '.join(self.months)}, none seen before it was asked about (fitted {_fitted(p)}); attributes "
                f"known: {p['attributes']}; thresholds {p['thresholds']}."
            ),
            (
                "Value [95 % interval over customers]; MAP@7 on adders counts clients who added something, MAP@7 all "
                f"everybody; p: better or worse than the best baseline{self._best()} in MAP@7 on adders, two-sided, paired by "
                "customer, Holm-corrected."
            ),
            *self._small(),
            "",
            *self._whole(),
            "",
            *self._by_month(),
            *self._by_kind(),
            *fairness_markdown(self.fairness),
        ]
        return "\n".join(lines).rstrip("\n") + "\n"

    def _best(self) -> str:
        """The baseline that others are tested against."""
        return next((f" ({row.difference['to']})" for row in self.rows if row.difference), "")

    def _small(self) -> list[str]:
        """A warning where there are too few adders to tell models apart."""
        n_adders = max((int(row.figures.get("n_adders") or 0) for row in self.rows), default=0)
        if not 0 < n_adders < FEW_ADDERS:
            return []
        return [
            (
                f"Only {n_adders:,} adders: small differences (ownership against persistence, two models) are noise here; read "
                "the intervals or take a larger panel."
            )
        ]

    def _whole(self) -> list[str]:
        head = ["model", *(title for _, title in _SHOWN), "p", "fit CPU-s", "ask CPU-s"]
        lines = [_line(head), _line(["---"] + ["---:"] * (len(head) - 1))]
        for row in self.rows:
            cells = [row.model, *(_cell(row.figures.get(key), key) for key, _ in _SHOWN)]
            cells.append("-" if row.difference is None else _p(row.difference))
            lines.append(_line([*cells, f"{row.fit_cpu_s:.1f}", f"{row.ask_cpu_s:.1f}"]))
        return lines

    def _by_month(self) -> list[str]:
        if len(self.months) < 2:
            return []
        lines = ["MAP@7 on adders by month:", "", _line(["model", *self.months])]
        lines.append(_line(["---"] + ["---:"] * len(self.months)))
        for row in self.rows:
            cells = [_plain(part.get("map@7_adders")) for part in row.by_month]
            lines.append(_line([row.model, *cells]))
        return [*lines, ""]

    def _by_kind(self) -> list[str]:
        if not any(
            part["kind"] == "unseen" and part["n_adders"] for row in self.rows for part in row.by_kind
        ):
            return ["No client who added was unseen in training: no figures for them apart.", ""]
        lines = ["Clients who were in no training month (first seen since):", ""]
        lines += [_line(["model", "MAP@7 adders", "adders"]), _line(["---", "---:", "---:"])]
        for row in self.rows:
            for part in row.by_kind:
                if part["kind"] == "unseen":
                    lines.append(
                        _line([row.model, _cell(part.get("map@7_adders"), ""), str(part["n_adders"])])
                    )
        return [*lines, ""]


def _fitted(protocol: dict[str, Any]) -> str:
    months = protocol["learned_from"]
    return "anew for each" if protocol["refit"] == "every" else f"once, on {months[0]}"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(value: Any, key: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return f"{value['value']:.4f} [{value['ci_low']:.4f}, {value['ci_high']:.4f}]"
    return f"{value:.1f}" if key.startswith("lift") else f"{value:.4g}"


def _plain(value: Any) -> str:
    return "-" if value is None else f"{value['value']:.4f}"


def _p(difference: dict[str, Any]) -> str:
    """The direction and the p-value: small says that there is a difference, not which."""
    p, value = difference["p_holm"], difference["value"]
    direction = "better" if value > 0 else "worse" if value < 0 else "equal"
    return f"{direction} {'<0.001' if p < 0.001 else f'{p:.3f}'}"

"""The result of a comparison, as JSON and as a Markdown table. Computes nothing."""

from dataclasses import asdict, dataclass, field
from typing import Any

from nextbest.evaluation.significance import Interval

SHOWN = ("ndcg", "hr", "recall", "mrr")
"""Per-user metrics that the Markdown table shows; JSON holds all."""
LISTED = ("catalog_coverage", "novelty")
"""List metrics that the Markdown table shows; JSON holds all."""


@dataclass(frozen=True)
class Row:
    """One model in a comparison."""

    model: str
    metrics: dict[str, Interval]
    """Per-user metrics: mean over target users with a bootstrap interval, e.g. `ndcg@10`."""
    lists: dict[str, float | None]
    """Metrics of all lists together, e.g. `catalog_coverage@10`; no interval."""
    slices: dict[str, dict[str, float]]
    """The choosing metric and the number of users by hot / warm / cold."""
    fit_cpu_s: float
    recommend_cpu_s: float
    peak_mb: float
    """Highest resident memory of the process while fitting and recommending."""
    difference: dict[str, float] | None = None
    """Against the reference row: `value ci_low ci_high p_value p_holm`, paired by user; None for itself."""
    chosen: dict[str, Any] = field(default_factory=dict)
    """Kind, settings and validation value."""


@dataclass(frozen=True)
class CompareReport:
    """Several models on one split."""

    protocol: dict[str, Any]
    reference: str
    """The row that the others are tested against: the baseline with the highest value on the test part,
    which makes it harder, not easier, for the others to differ."""
    metric: str
    rows: list[Row]
    skipped: list[dict[str, str]] = field(default_factory=list)
    """Models that could not be fitted here, `{"model": ..., "why": ...}`."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: `{"protocol": ..., "reference": ..., "metric": ..., "rows": [...]}`."""
        return asdict(self)

    def to_markdown(self) -> str:
        """A table for people: value [low, high] per metric, p against the reference, cost."""
        names = [n for n in (self.rows[0].metrics if self.rows else ()) if n.split("@")[0] in SHOWN]
        listed = [n for n in (self.rows[0].lists if self.rows else ()) if n.split("@")[0] in LISTED]
        head = ["model", *names, f"p ({self.metric} vs {self.reference})", *listed, "fit CPU-s", "peak MB"]
        lines = [_line(head), _line(["---"] + ["---:"] * (len(head) - 1))]
        best = {n: max(r.metrics[n].value for r in self.rows) for n in names}
        for row in self.rows:
            cells = [row.model]
            for name in names:
                m = row.metrics[name]
                shown = f"**{m.value:.4f}**" if m.value == best[name] else f"{m.value:.4f}"
                cells.append(f"{shown} [{m.ci_low:.4f}, {m.ci_high:.4f}]")
            cells.append("-" if row.difference is None else _p(row.difference["p_holm"]))
            cells += ["-" if (value := row.lists[n]) is None else f"{value:.3g}" for n in listed]
            cells += [f"{row.fit_cpu_s:.2f}", f"{row.peak_mb:.0f}"]
            lines.append(_line(cells))
        lines += ["", *(f"Left out: {s['model']} ({s['why']})" for s in self.skipped)]
        return "\n".join([*self._notes(), "", *lines, ""]).rstrip("\n") + "\n"

    def _notes(self) -> list[str]:
        p = self.protocol
        name = p.get("name")
        how = {
            "time": f"global time split: everything before {p.get('cutoff')} is known, the events from then on are targets",
            "leave-last": "leave-last-out: each user's last item (for comparison with papers; it sees other users' future)",
            "random": "random split: it tells nothing about the future, and the numbers are too good",
        }.get(str(name), str(name))
        refit = "fitted on all that is known" if p.get("refit") else "fitted without the validation part"
        counts = (
            f"{p['n_target_users']:,} users asked ({p['n_cold_users']:,} of them cold), {p['n_targets']:,} targets "
            f"({p['n_targets_of_cold_items']:,} of unknown items: misses; {p['repeat_share']:.0%} repeats), "
            f"{p['n_train_events']:,} events to learn from"
        )
        return [
            f"Protocol: {how}; {refit}; full ranking.",
            f"{counts}. Intervals: 95 % bootstrap over users.",
        ]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"

"""What each evaluation writes to a tracker: settings once, figures by name, a run inside the run for each model."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nextbest.tracking import Run

if TYPE_CHECKING:
    from nextbest.assistant.neighbours.embedding import Embedded
    from nextbest.assistant.providers.bench import BenchResult
    from nextbest.experiments.report import CompareReport
    from nextbest.experiments.train import TrainResult


def track_comparison(run: Run, report: "CompareReport") -> None:
    """A run for each row, with intervals and cost; the protocol as settings, the table as a file."""
    run.params({f"protocol.{name}": value for name, value in report.protocol.items()})
    run.params({"reference": report.reference, "metric": report.metric})
    for row in report.rows:
        with run.child(row.model) as inner:
            inner.params({f"chosen.{name}": value for name, value in row.chosen.items()})
            found: dict[str, float | None] = dict(row.lists)
            for name, interval in row.metrics.items():
                found[name] = interval.value
                found[f"{name} ci_low"], found[f"{name} ci_high"] = interval.ci_low, interval.ci_high
            found |= {f"difference {name}": value for name, value in (row.difference or {}).items()}
            for part, values in row.slices.items():
                found |= {f"{part} {name}": value for name, value in values.items()}
            costs = {
                "fit_cpu_s": row.fit_cpu_s,
                "recommend_cpu_s": row.recommend_cpu_s,
                "peak_mb": row.peak_mb,
            }
            inner.metrics(found | costs)
    for left in report.skipped:
        run.tags({f"skipped {left['model']}": left["why"]})
    run.text("comparison.md", report.to_markdown())


def track_training(run: Run, result: "TrainResult") -> None:
    """The chosen model, its validation figure, the log's size and the cost; the folder by name, not as a copy."""
    run.params({f"chosen.{name}": value for name, value in result.chosen.items() if name != "validation"})
    run.params(
        {"exclude_seen": result.exclude_seen, "cutoff": result.cutoff, "n_processes": result.n_processes}
    )
    run.tags({"model": result.model, "recipe": result.recipe})
    sizes = {
        name: getattr(result, name) for name in ("n_users", "n_items", "n_events", "fit_cpu_s", "peak_mb")
    }
    run.metrics({f"validation {result.metric}": result.chosen["validation"], **sizes})
    for candidate in result.candidates if len(result.candidates) > 1 else ():
        with run.child(candidate["label"]) as inner:
            inner.params(candidate["config"])
            inner.metrics({f"validation {result.metric}": candidate["validation"]})


def track_figures(run: Run, figures: Mapping[str, Any], curve: Iterable[Mapping[str, Any]] = ()) -> None:
    """Numbers of a document as metrics, its words as tags, what is inside it left out; a curve line by line.

    Parameters
    ----------
    curve
        A line for each round or epoch of a training, in order; its numbers become metrics at that step.
    """
    run.metrics(_numbers(figures))
    run.tags({name: value for name, value in figures.items() if isinstance(value, str)})
    for step, line in enumerate(curve, start=1):
        run.metrics({f"curve {name}": value for name, value in _numbers(line).items()}, step=step)


def track_bench(run: Run, result: "BenchResult") -> None:
    """A run for each provider; which one was picked."""
    run.params({"budget_ms": result.budget_ms})
    run.tags({"pick": result.pick or "none"})
    for row in result.rows:
        with run.child(row.name) as inner:
            inner.metrics(_numbers(asdict(row)) | {"n_missed": float(row.n_missed)})
            inner.metrics(
                {f"routing {language}": share for language, share in row.routing_by_language.items()}
            )
            inner.metrics({f"caught {kind}": float(n) for kind, n in row.findings.items()})
            inner.metrics({f"failed {kind}": float(n) for kind, n in row.failures.items()})
            if row.failed:
                inner.tags({"failed": row.failed})


def track_embedding(run: Run, result: "Embedded") -> None:
    """A run for each model on each kind of items; what was read; the report."""
    run.params({"encoder": result.encoder, "time_kind": result.time_kind, "k": result.k})
    run.metrics({name: getattr(result, name) for name in ("n_events", "n_users", "n_items", "n_quarantined")})
    for one in result.measured:
        with run.child(f"{one.setting}: {one.model}") as inner:
            inner.params({"setting": one.setting, "model": one.model})
            inner.metrics(
                {
                    f"hr@{result.k}": one.hr,
                    f"ndcg@{result.k}": one.ndcg,
                    "coverage": one.coverage,
                    "diversity": one.diversity,
                    "n_users": one.n_users,
                }
            )
    run.text("neighbours.md", result.to_markdown())


def _numbers(document: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in document.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }

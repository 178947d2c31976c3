"""From a panel to a product model's folder: fit, audit, keep, say what the validation month said."""

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from nextbest.data.panel.panel import Panel
from nextbest.errors import DataError, InputError
from nextbest.experiments.cost import measured
from nextbest.models.products.audit import audit_leaks
from nextbest.models.products.config import ProductConfig
from nextbest.models.products.product_model import ProductModel
from nextbest.models.store import check_free


@dataclass(frozen=True)
class ProductTraining:
    """What `train_products` did."""

    model: str
    """Folder."""
    model_version: str
    target: str
    """Month whose additions the model foretells, YYYY-MM."""
    attributes: str
    n_clients: int
    metrics: dict[str, Any]
    """Months and rows learned from, MAP@7 on the validation month, CPU-seconds by step."""
    leak_audit: dict[str, Any]
    """Month whose future was replaced by noise, clients and features that didn't change, newest month read of each thing."""
    fit_cpu_s: float
    peak_mb: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def to_text(self) -> str:
        """A few lines for people."""
        m = self.metrics
        months, valid = [month[:7] for month in m["train_months"]], str(m["valid_month"])[:7]
        lines = [
            f"trained on {_runs(months)} ({len(months)} months), attributes known: {self.attributes}",
            (
                f"validation month {valid}, not out of time: calibration and weights were fitted on it "
                "(`nextbest products evaluate` has months never seen)"
            ),
            *_map_in_words(m),
        ]
        if len(m.get("weights", ())) > 1:
            lines.append(f"weights of the members: {', '.join(f'{weight:.2f}' for weight in m['weights'])}")
        lines.append(
            "leak audit of {month}: {n_features} features of {n_clients:,} clients, none reads ahead".format(
                **self.leak_audit
            )
        )
        lines.append(
            f"additions of {self.target}, {self.n_clients:,} clients in the panel, fitted in {self.fit_cpu_s:.1f} "
            f"CPU-s; written to {self.model} (version {self.model_version})"
        )
        return "\n".join(lines)


def _runs(months: list[str]) -> str:
    """Months as YYYY-MM in runs: `2015-06, 2016-03..2016-04`, for last year's month may stand apart."""
    runs: list[list[str]] = []
    for month in months:
        if runs and _number(month) == _number(runs[-1][-1]) + 1:
            runs[-1].append(month)
        else:
            runs.append([month])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs)


def _number(month: str) -> int:
    """Months since the year 0."""
    return int(month[:4]) * 12 + int(month[5:7])


def _map_in_words(metrics: dict[str, Any]) -> list[str]:
    """MAP@7 of the validation month, by probability and re-ranked, and why the order that is served is kept."""
    plain, reranked = metrics.get("map_at_7"), metrics.get("map_at_7_reranked")
    if plain is None:
        return []
    told = f"  MAP@7 on adders {plain:.4f} by probability"
    if reranked is None or reranked == plain:  # re-ranking is off
        return [told]
    told += f", {reranked:.4f} re-ranked"
    if reranked < plain:
        told += (
            " (kept: re-ranking was chosen on several months, one month says little; rerank=null is without)"
        )
    return [told]


def _checked_target(panel: Panel, target: date, config: ProductConfig) -> date:
    """The target, if the panel lets it be foretold: told in the caller's words, before anything is fitted.

    Raises
    ------
    InputError
        It doesn't; the message has the months that could be.
    """
    schema, months = panel.schema, panel.months
    target = schema.month_of(target)
    known = set(months)
    with_additions = [month for month in months if schema.month_before(month) in known]
    possible = [
        m for m in months if schema.month_before(m) in known and sum(a < m for a in with_additions) > 1
    ]
    if config.features.attributes == "month_end" and len(with_additions) > 1:
        possible.append(schema.month_before(months[-1], n=-1))
    if target in possible or not possible:  # where none is, the fit says what is missing
        return target
    why = "two months with additions before it, the last of them the month before"
    if config.features.attributes == "scoring_time":
        why += ", and its own attributes (scoring_time)"
    raise InputError(
        "target",
        f"must be {possible[0]:%Y-%m} to {possible[-1]:%Y-%m}",
        value=f"{target:%Y-%m}",
        remedy=f"a target needs, in the panel, {why}",
    )


def train_products(
    panel: Panel,
    out: Path,
    *,
    target: date | None = None,
    config: ProductConfig | None = None,
    rng: int = 0,
    n_threads: int = 1,
    progress: bool = False,
) -> ProductTraining:
    """Fit a `ProductModel`, audit its features for leaks, and write its folder.

    Parameters
    ----------
    panel
        Read up to the month before `target`.
    out
        Folder; written beside and renamed, so a reader sees the old model or the new one.
    target
        Month to foretell; None: the one after the panel's newest.
    config, rng, n_threads
        As `ProductModel`.

    Raises
    ------
    DataError
        The panel is empty.
    LeakError
        A feature, or what was fitted of it, depends on what isn't known when the validation month is scored; nothing
        is written.
    InputError
        Too few months before the target, a setting out of range, `out` holds something else than a model, or
        the model is to know attributes of a target that the panel hasn't.
    """
    if not panel.months:
        raise DataError(
            "panel", "holds no month", remedy="ingest one first: nextbest ingest FILE --source santander"
        )
    check_free(Path(out))
    config = config or ProductConfig()
    newest = panel.schema.month_before(panel.months[-1], n=-1)
    target = newest if target is None else _checked_target(panel, target, config)
    model = ProductModel(config, n_threads=n_threads)
    with measured() as cost:
        model.fit(panel, target=target, rng=rng, progress=progress)
    audit = audit_leaks(
        model.fitted_.steps, panel, date.fromisoformat(str(model.metrics["valid_month"])), rng=rng
    )
    model.save(out, created=datetime.now(UTC))
    return ProductTraining(
        model=str(out),
        model_version=model.version,
        target=f"{target:%Y-%m}",
        attributes=model.config.features.attributes,
        n_clients=panel.n_customers,
        metrics=model.metrics,
        leak_audit={
            "month": f"{audit.target:%Y-%m}",
            "n_clients": audit.n_clients,
            "n_features": audit.n_features,
            "latest": {what: f"{month:%Y-%m}" for what, month in audit.latest.items()},
            "is_refitted": audit.is_refitted,
        },
        fit_cpu_s=cost.cpu_s,
        peak_mb=cost.peak_mb,
    )

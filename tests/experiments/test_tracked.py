"""What each evaluation tells a tracker, seen by a run that keeps it in memory."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nextbest.assistant.neighbours.embedding import Embedded
from nextbest.assistant.neighbours.evaluation import Measured
from nextbest.assistant.providers.bench import BenchResult, ProviderRow
from nextbest.evaluation.significance import Interval
from nextbest.experiments.report import CompareReport, Row
from nextbest.experiments.tracked import track_bench, track_comparison, track_embedding, track_figures
from nextbest.tracking import NullRun, Run


class Kept(NullRun):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.settings: dict[str, object] = {}
        self.figures: dict[str, float] = {}
        self.steps: list[tuple[int, dict[str, float | None]]] = []
        self.words: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.inner: dict[str, Kept] = {}

    def params(self, values: Mapping[str, object]) -> None:
        self.settings |= values

    def metrics(self, values: Mapping[str, float | None], *, step: int | None = None) -> None:
        assert all(isinstance(value, float | int | None) for value in values.values())
        if step is None:
            self.figures |= {name: value for name, value in values.items() if value is not None}
        else:
            self.steps.append((step, dict(values)))

    def tags(self, values: Mapping[str, str]) -> None:
        assert all(isinstance(value, str) for value in values.values())
        self.words |= values

    def text(self, name: str, text: str) -> None:
        self.files[name] = text

    @contextmanager
    def child(self, name: str) -> Iterator[Run]:
        self.inner[name] = Kept()
        yield self.inner[name]


PROTOCOL: dict[str, Any] = {
    "name": "time", "cutoff": "2024-01-01", "refit": True, "n_target_users": 5, "n_cold_users": 1, "n_targets": 9,
    "n_targets_of_cold_items": 0, "repeat_share": 0.0, "n_train_events": 50,
}  # fmt: skip


def test_a_comparison() -> None:
    def row(model: str, value: float, difference: dict[str, float] | None) -> Row:
        interval = Interval(value, value - 0.1, value + 0.1)
        slices = {"hot": {"ndcg@10": value, "n_users": 4.0}}
        return Row(model, {"ndcg@10": interval}, {"catalog_coverage@10": 0.5, "novelty@10": None}, slices, 1.5, 0.5, 90.0, difference, {"kind": model})  # fmt: skip

    report = CompareReport(PROTOCOL, "popularity", "ndcg@10", [row("popularity", 0.2, None), row("ease", 0.3, {"value": 0.1, "p_holm": 0.01})], [{"model": "als", "why": "too small"}])  # fmt: skip
    run = Kept()
    track_comparison(run, report)
    assert run.settings["protocol.cutoff"] == "2024-01-01"
    assert run.settings["reference"] == "popularity"
    assert run.words == {"skipped als": "too small"}
    assert "| ease |" in run.files["comparison.md"]
    ease = run.inner["ease"].figures
    assert (ease["ndcg@10"], ease["ndcg@10 ci_low"], ease["difference p_holm"]) == (0.3, 0.3 - 0.1, 0.01)
    assert (ease["hot ndcg@10"], ease["fit_cpu_s"], ease["catalog_coverage@10"]) == (0.3, 1.5, 0.5)
    assert "novelty@10" not in ease
    assert run.inner["ease"].settings == {"chosen.kind": "ease"}
    assert "difference p_holm" not in run.inner["popularity"].figures


def test_figures_of_a_document_and_a_curve() -> None:
    run = Kept()
    track_figures(run, {"accuracy": 0.9, "n": 3, "encoder": "use", "done": True, "rows": [1], "none": None}, [{"loss": 2.0, "why": "x"}, {"loss": 1.0}])  # fmt: skip
    assert run.figures == {"accuracy": 0.9, "n": 3.0}
    assert run.words == {"encoder": "use"}
    assert run.steps == [(1, {"curve loss": 2.0}), (2, {"curve loss": 1.0})]


def test_a_bench_of_providers() -> None:
    good = ProviderRow("fake", worded=1.0, routing=0.5, routing_by_language={"ru": 0.4}, findings={"item": 2}, failures={"timeout": 1})  # fmt: skip
    run = Kept()
    track_bench(run, BenchResult((good, ProviderRow("dead", failed="no answer")), 2500.0, "fake"))
    assert run.words == {"pick": "fake"}
    figures = run.inner["fake"].figures
    assert (figures["worded"], figures["routing ru"], figures["caught item"], figures["n_missed"]) == (1.0, 0.4, 2.0, 1.0)  # fmt: skip
    assert "first_token_ms" not in figures
    assert run.inner["dead"].words == {"failed": "no answer"}


def test_an_embedded_file() -> None:
    measured = (Measured("warm", "embedding", 7, 0.5, 0.25, 0.1, None), Measured("warm", "popularity", 7, 0.6, 0.3, 0.1, 0.2))  # fmt: skip
    run = Kept()
    track_embedding(run, Embedded(10, 7, 5, 0, "none", "ngrams", 3, measured))
    assert run.figures["n_users"] == 7
    assert run.settings["encoder"] == "ngrams"
    assert run.inner["warm: embedding"].figures == {
        "hr@3": 0.5,
        "ndcg@3": 0.25,
        "coverage": 0.1,
        "n_users": 7,
    }
    assert run.inner["warm: popularity"].figures["diversity"] == 0.2
    assert "| warm | popularity |" in run.files["neighbours.md"]

"""Comparing providers: what counts, what fails without stopping the others, and who is picked."""

import argparse
import json
from itertools import islice

import pytest

from assistant.providers.chat_server import DONE, Answer, ChatServer, event, said
from nextbest.assistant.base import INTENTS
from nextbest.assistant.providers.bench import ProviderRow, bench_providers, picked
from nextbest.assistant.providers.bench_cases import draft_cases, route_questions
from nextbest.assistant.providers.settings import ProviderSettings
from nextbest.cli import assistant_bench
from nextbest.errors import InputError


def row(
    name: str, *, first: float = 100, worded: float = 0.9, failed: str | None = None, **more: float
) -> ProviderRow:
    return ProviderRow(
        name,
        failed=failed,
        first_token_ms=first,
        first_token_p95_ms=first,
        worded=worded,
        n_drafts=10,
        routing=more.get("routing", 0.5),
        failures={"timeout": int(more.get("n_failed", 0))},
    )


def test_the_one_that_words_most_within_the_budget_is_picked() -> None:
    rows = [
        row("slow but best", first=3000, worded=1.0),
        row("best", worded=0.95),
        row("routes better", worded=0.9, routing=0.99),
        row("often down", worded=1.0, n_failed=4),
        row("broke off", worded=1.0, failed="gone"),
    ]
    assert picked(rows, 2500) == "best"
    assert picked(rows, 4000) == "slow but best"
    assert picked(rows, 50) is None
    assert picked([row("useless", worded=0.0)], 2500) is None


def test_the_truth_is_worded_a_lie_is_caught_and_who_is_away_stops_nobody(server: ChatServer) -> None:
    server.answers = [Answer({"error": "no such key"}, status=401)]
    refused = ProviderSettings(kind="openai", model="m", base_url=server.url)
    result = bench_providers(
        ["truthful", "liar", refused, "ollama:x@http://127.0.0.1:9/v1", "gguf:/no.gguf"],
        n_questions=2,
        n_drafts=4,
    )
    truth, liar, denied, away, no_file = result.rows
    assert truth.worded is not None
    assert liar.worded is not None
    assert liar.worded < truth.worded
    assert truth.answer_cpu_s is not None
    assert 0 <= truth.answer_cpu_s < 5
    assert sum(liar.findings.values()) >= 8
    assert (denied.failures, len(server.asked)) == ({"denied": 1}, 1)
    assert away.failed is not None
    assert "is it running" in away.failed
    assert no_file.failed is not None
    assert "no such file" in no_file.failed
    assert result.pick == "truthful"
    assert json.loads(json.dumps(result.document()))["pick"] == "truthful"


def test_routing_is_the_share_of_right_intents(server: ChatServer) -> None:
    right = {q.text: q.intent for q in route_questions("dev", 6)}

    def answer(asked: dict[str, object]) -> Answer:
        if asked.get("stream"):
            return Answer(parts=[event("Yes."), event(None, finish="stop"), DONE])
        messages = asked["messages"]
        assert isinstance(messages, list)
        text = messages[-1]["content"].splitlines()[1].removeprefix("| ")
        intent = right.get(text, "off_topic")
        # every second intent is told wrong
        known = INTENTS.index(intent or "off_topic") % 2 == 0
        return Answer(said(json.dumps({"intent": intent if known else "small_talk"})))

    server.answers = [answer]
    provider = ProviderSettings(kind="openai", model="m", base_url=server.url)
    got = bench_providers([provider], n_questions=6, n_drafts=1).rows[0]
    expected = sum(INTENTS.index(i or "off_topic") % 2 == 0 or i == "small_talk" for i in right.values()) / 12
    assert (got.n_routed, got.routing) == (12, pytest.approx(expected))
    assert set(got.routing_by_language) == {"ru", "en"}


def test_questions_cover_every_intent_and_cases_are_always_the_same() -> None:
    chosen = route_questions("dev", len(INTENTS))
    assert {q.intent for q in chosen if q.language == "ru"} == set(INTENTS)
    first, again = (list(islice(draft_cases("ru"), 12)) for _ in range(2))
    assert first == again
    assert len({repr(case.results) for case in first}) == 12


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(InputError, match="one or more"):
        bench_providers([])
    with pytest.raises(InputError, match="counts"):
        bench_providers(["truthful"], n_drafts=0)
    assert "names no model" in str(bench_providers(["none"]).rows[0].failed)


def test_the_command_prints_rows_or_one_document(
    tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    from pathlib import Path

    file = Path(str(tmp_path)) / "p.toml"
    file.write_text('[[provider]]\nkind = "truthful"\n[[provider]]\nkind = "liar"\n')
    parser = argparse.ArgumentParser()
    assistant_bench.add_parser(parser.add_subparsers())
    few = ["bench", "--quiet", "--provider", str(file), "--questions", "1", "--drafts", "1"]
    args = parser.parse_args(few)
    args.run(args)
    text = capsys.readouterr().out
    assert "within 2500 ms to the first token: truthful" in text
    args = parser.parse_args([*few, "--json"])
    args.run(args)
    assert [p["name"] for p in json.loads(capsys.readouterr().out)["providers"]] == ["truthful", "liar"]

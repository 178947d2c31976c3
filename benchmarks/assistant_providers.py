"""Figures of benchmarks/assistant_providers.md: what provider libraries cost, and Gemma-3-270M (base) on one thread.

    python benchmarks/assistant_providers.py [--threads 1 2] [--repeats 3] [--out figures.json]

Each part runs in a process of its own, so that memory is its own. Needs the extras assistant, gguf and gemma; no network.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

IMPORTS = {
    "httpx alone": "import httpx",
    "openai": "import openai",
    "pydantic-ai-slim[openai]": "from pydantic_ai import Agent; from pydantic_ai.models.openai import OpenAIChatModel",
}
QUESTIONS = {
    "ru": ("Что бы мне сегодня вечером поиграть?", "насколько рискованны мои облигации", "привет, ты кто?"),
    "en": ("What should I play tonight?", "how risky are my bonds", "hello, who are you?"),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--repeats", type=int, default=3, help="of each import")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--part", choices=("model",), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part == "model":
        print(json.dumps(measure_model(args.threads[0]), ensure_ascii=False))
        return
    figures: dict[str, Any] = {"load_1m": os.getloadavg()[0], "imports": {}, "models": []}
    for name, code in IMPORTS.items():
        runs = [measure_import(code) for _ in range(args.repeats)]
        figures["imports"][name] = {key: median(run[key] for run in runs) for key in runs[0]}
        print(f"{name:<28} {figures['imports'][name]}")
    for n in args.threads:
        command = [sys.executable, __file__, "--part", "model", "--threads", str(n)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures["models"].append(json.loads(done.stdout.splitlines()[-1]))
        print(json.dumps(figures["models"][-1], indent=1, ensure_ascii=False))
    if args.out is not None:
        args.out.write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")


def measure_import(code: str) -> dict[str, float]:
    """CPU-seconds and megabytes of an import in a fresh process."""
    program = (
        "import resource,time,sys\n"
        "a=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;t=time.process_time()\n"
        f"{code}\n"
        "print(time.process_time()-t,(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss-a)/1024,len(sys.modules))"
    )
    # -P: no folder of whoever runs this is looked into for modules
    out = subprocess.run(
        [sys.executable, "-P", "-c", program], check=True, capture_output=True, text=True
    ).stdout
    cpu, mb, n = out.split()
    return {"cpu_s": round(float(cpu), 2), "mb": round(float(mb)), "modules": float(n)}


def measure_model(n_threads: int) -> dict[str, Any]:
    """The model in this process: opening, first token cold and warm, answers free and locked, routing, memory."""
    from itertools import islice

    from nextbest.assistant.base import LANGUAGES
    from nextbest.assistant.prompts.placeholders import fill, masked
    from nextbest.assistant.prompts.prompts import render
    from nextbest.assistant.providers.bench import INTENT_SCHEMA
    from nextbest.assistant.providers.bench_cases import draft_cases
    from nextbest.assistant.providers.gguf import GgufModel, GgufProvider, gemma_file
    from nextbest.assistant.providers.grammar import locked_grammar
    from nextbest.assistant.providers.protocol import ChatRequest

    figures: dict[str, Any] = {
        "n_threads": n_threads,
        "load_1m": os.getloadavg()[0],
        "rss_before_mb": _rss_mb(),
    }
    start = time.monotonic()
    path = gemma_file()
    figures["file_s"] = round(time.monotonic() - start, 2)
    provider = GgufProvider(GgufModel(path, n_threads=n_threads))
    start, cpu = time.monotonic(), time.process_time()
    provider.open()
    figures["open_s"] = round(time.monotonic() - start, 2)
    figures["open_cpu_s"] = round(time.process_time() - cpu, 2)
    figures["rss_open_mb"] = _rss_mb()
    cold = []
    for language in LANGUAGES:
        prompt = render("phrase", {"question": "?", "results": ["{i1}"]}, language=language)
        done = provider.complete(ChatRequest(prompt.messages, max_tokens=4))
        cold.append((done.usage.prompt_tokens, done.timings.first_token_ms))
    figures["cold_prompt_tokens_first_ms"] = cold
    for form in ("locked to phrases", "locked to words", "free"):
        first, total, speed, cpu_s, whole, shown = [], [], [], [], [], []
        for language in LANGUAGES:
            for case in islice(draft_cases(language), 8):
                known = masked(case.results, language)
                prompt = render(
                    "phrase", {"question": case.understood.text, "results": known.rows}, language=language
                )
                grammar = None
                if form != "free":
                    gaps = "phrases" if form == "locked to phrases" else "words"
                    grammar = locked_grammar(known.groups, language, gaps=gaps)
                cpu = time.process_time()
                done = provider.complete(
                    ChatRequest(prompt.messages, grammar=grammar, max_tokens=200, timeout_s=120)
                )
                cpu_s.append(time.process_time() - cpu)
                first.append(done.timings.first_token_ms or 0)
                total.append(done.timings.total_ms)
                speed.append(done.usage.completion_tokens / max(1e-3, (total[-1] - first[-1]) / 1000))
                filled = fill(done.text, known)
                whole.append(filled.is_whole and not filled.findings)
                shown.append(done.text)
        figures[form] = {
            "n": len(total),
            "first_token_ms_median_max": (round(median(first)), round(max(first))),
            "answer_s_median_max": (round(median(total) / 1000, 2), round(max(total) / 1000, 2)),
            "cpu_s_median": round(median(cpu_s), 2),
            "tokens_per_s_median": round(median(speed), 1),
            "whole": sum(whole) / len(whole),
            "examples": shown[::5],
        }
    times = []
    for language, questions in QUESTIONS.items():
        for question in questions:
            prompt = render("route", {"question": question}, language=language)
            done = provider.complete(ChatRequest(prompt.messages, schema=INTENT_SCHEMA, max_tokens=40))
            times.append(
                (language, question, done.text, round(done.timings.total_ms), done.usage.cached_tokens)
            )
    figures["routing"] = times
    figures["rss_max_mb"] = _rss_mb()
    figures["load_1m_end"] = os.getloadavg()[0]
    provider.close()
    return figures


def _rss_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()

"""Intents of the project's questions: accuracy by language, on-topic F1, what is asked back, and what a question costs.

    python benchmarks/assistant_intents.py [--part dev] [--head tuned] [--misses]

Questions that stand alone and have one right intent count; those of the band (nobody could tell) are told apart: right is
to ask back. Parts "dev" and "dev2" may be looked at while templates are written; "test" and "test2" are for the figures
that are reported.
"""

import argparse
import datetime
import time
from importlib.resources import as_file, files

import numpy as np

from nextbest.assistant.intent.questions import PARTS, Part, load_questions
from nextbest.assistant.intent.questions.catalogue import catalogue_assets, catalogue_linker
from nextbest.assistant.intent.understander import HEADS, Understander

TODAY = datetime.date(2026, 11, 23)
NAMES = ("tuned", "use", "ngrams")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=PARTS, default="dev")
    parser.add_argument("--head", choices=(*NAMES, "all"), default="all")
    parser.add_argument("--misses", action="store_true", help="print them; only of a part dev")
    args = parser.parse_args()
    for name in NAMES if args.head == "all" else (args.head,):
        measure(name, args.part, show=args.misses and args.part.startswith("dev"))


def measure(name: str, part: Part, *, show: bool) -> None:
    linker, assets = catalogue_linker(), catalogue_assets()
    with as_file(files("nextbest.assistant.intent") / HEADS / name) as folder:
        understander = Understander.load(folder)
    understander.warm()
    understander.understand("hello", linker=linker, assets=assets, today=TODAY)
    accuracy, costs = {}, []
    for language in ("ru", "en"):
        rows = []
        for question in load_questions(part, language):
            start = time.process_time()
            got = understander.understand(question.text, linker=linker, assets=assets, today=TODAY)
            costs.append(1000 * (time.process_time() - start))
            rows.append((question, got))
        clear = [(q, u) for q, u in rows if q.intent is not None]
        band = [u for q, u in rows if q.intent is None]
        right = np.array([q.intent == u.intent for q, u in clear])
        sure = np.array([u.is_sure for _, u in clear])
        on = np.array([q.intent != "off_topic" for q, _ in clear])
        said = np.array([u.intent != "off_topic" for _, u in clear])
        accuracy[language] = float(right.mean())
        print(
            f"{name:6} {part} {language}: n {len(clear)}, accuracy {right.mean():.3f}, on-topic F1 "
            f"{2 * (on & said).sum() / (on.sum() + said.sum()):.3f}, asked back {1 - sure.mean():.3f}, right of the "
            f"others {right[sure].mean():.4f} ({(~right[sure]).sum()} wrong)"
            + (f", band asked back {sum(not u.is_sure for u in band)} of {len(band)}" if band else "")
        )
        if show:
            for (q, u), ok in zip(clear, right, strict=True):
                if not ok:
                    print(f"    {q.text!r} is {q.intent}, got {u.intent} {u.probability:.2f}")
    print(
        f"{name:6} {part}: gap {abs(accuracy['ru'] - accuracy['en']):.3f}; a question with its slots "
        f"{np.mean(costs):.1f} CPU-ms, p95 {np.quantile(costs, 0.95):.1f}"
    )


if __name__ == "__main__":
    main()

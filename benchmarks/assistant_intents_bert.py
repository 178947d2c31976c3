"""Intents: a fine-tuned encoder beside the linear heads, on the same questions that neither learned.

    python benchmarks/assistant_intents_bert.py --model ENCODER_FOLDER --out FOLDER [--language en] [--parts dev dev2]

Teaches the encoder on the project's corpus (unless FOLDER holds one already), then asks it and the linear heads taught on the same
corpus the questions of the named parts. The parts "test" aren't taken: choices are made here.
"""

import argparse
import datetime
import time
from pathlib import Path

import numpy as np
import torch

from nextbest.assistant.intent.bert import teach_bert
from nextbest.assistant.intent.linking import Linker
from nextbest.assistant.intent.questions import load_catalogue, load_questions
from nextbest.assistant.intent.train import teach
from nextbest.assistant.intent.understander import Understander
from nextbest.models.language.classifier_fit import ClassifierConfig
from nextbest.text.encoder import make_encoder

TODAY = datetime.date(2026, 11, 23)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, help="folder of an encoder, or hub:OWNER/NAME")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--language", choices=("ru", "en"), action="append")
    parser.add_argument("--parts", nargs="+", choices=("dev", "dev2"), default=["dev"])
    parser.add_argument("--beside", nargs="*", choices=("use", "ngrams"), default=["use", "ngrams"])
    parser.add_argument("--n-each", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=ClassifierConfig().epochs)
    parser.add_argument("--learning-rate", type=float, default=ClassifierConfig().learning_rate)
    args = parser.parse_args()
    torch.set_num_threads(1)
    languages = tuple(args.language or ("ru", "en"))
    if not args.out.exists():
        config = ClassifierConfig(epochs=args.epochs, learning_rate=args.learning_rate)
        taught = teach_bert(args.model, languages=languages, n_each=args.n_each, config=config)
        taught.intents.save(args.out)
        print(f"{taught.n_examples:,} examples, vocabulary {taught.vocabulary}")
        for line in taught.curve:
            print("  " + ", ".join(f"{name} {value:.3f}" for name, value in line.items()))
    size = sum(file.stat().st_size for file in args.out.iterdir()) / 1e6
    bert = Understander.load(args.out)
    print(f"{size:.0f} MB, {bert.head.about}")
    forms = {"bert": bert}
    for name in args.beside:
        begun = time.process_time()
        head = teach(encoder=make_encoder(name), n_each=args.n_each).head
        print(f"linear head on {name}: {time.process_time() - begun:.0f} CPU-s to teach")
        forms[name] = Understander(head, make_encoder(name))
    things = [named for named in load_catalogue() if named.kind != "asset"]
    linker = Linker(
        {named.item_id: named.title for named in things},
        aliases={named.item_id: named.also for named in things},
    )
    assets = {
        named.item_id: (named.title, *named.also) for named in load_catalogue() if named.kind == "asset"
    }
    print(
        f"{'form':8}{'part':6}{'':4}{'n':>5}{'right':>8}{'on-topic F1':>13}{'asked back':>12}{'others':>8}{'CPU-ms':>8}"
    )
    for form, understander in forms.items():
        understander.understand("hello", linker=linker, assets=assets, today=TODAY)  # reads the encoder
        for part in args.parts:
            for language in languages:
                measure(form, understander, part, language, linker, assets)


def measure(
    form: str,
    understander: Understander,
    part: str,
    language: str,
    linker: Linker,
    assets: dict[str, tuple[str, ...]],
) -> None:
    clear = [q for q in load_questions(part, language) if q.intent is not None]
    begun = time.process_time()
    got = [understander.understand(q.text, linker=linker, assets=assets, today=TODAY) for q in clear]
    spent = 1000 * (time.process_time() - begun) / len(clear)
    right = np.array([q.intent == u.intent for q, u in zip(clear, got, strict=True)])
    sure = np.array([u.is_sure for u in got])
    on = np.array([q.intent != "off_topic" for q in clear])
    said = np.array([u.intent != "off_topic" for u in got])
    f1 = 2 * (on & said).sum() / (on.sum() + said.sum())
    print(
        f"{form:8}{part:6}{language:4}{len(clear):5}{right.mean():8.3f}{f1:13.3f}{1 - sure.mean():12.3f}"
        f"{right[sure].mean():8.3f}{spent:8.1f}"
    )


if __name__ == "__main__":
    main()

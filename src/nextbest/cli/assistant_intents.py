"""`nextbest assistant train-intents`: the classifier of questions taught on the project's corpus and on examples of one's own."""

import argparse
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.assistant.base import LANGUAGES
from nextbest.cli.output import new_command, show_progress
from nextbest.cli.tracked import add_tracking_flag, emit_tracked, tracked
from nextbest.errors import DataError, ExternalError, InputError

if TYPE_CHECKING:
    from nextbest.assistant.intent.corpus import Example

EXAMPLES = """\
  nextbest assistant train-intents --out .nextbest/intents                        # `nextbest chat` takes it from there
  nextbest assistant train-intents --examples own.jsonl --out .nextbest/intents   # {"text": ..., "intent": ..., "language": "ru"}
  nextbest assistant train-intents --form bert --model ./rubert-tiny2 --out .nextbest/intents   # fine-tuned: needs the extra llm"""


def add_parser(inner: Any) -> None:
    """Declare the command in the group `assistant`."""
    parser = new_command(
        inner, "train-intents", summary="Teach the classifier of questions.", examples=EXAMPLES
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to write; `intents` in a workspace is found by itself"
    )
    where.add_argument("--shipped", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument(
        "--form",
        choices=("linear", "bert"),
        default="linear",
        help="a linear head on vectors, in milliseconds and without torch, or an encoder fine-tuned (default: %(default)s)",
    )
    parser.add_argument(
        "--encoder", choices=("use", "ngrams"), help="of a linear head (default: the best that is installed)"
    )
    parser.add_argument(
        "--model",
        metavar="SOURCE",
        help="of --form bert: a folder of BERT, DistilBERT, XLM-R ... or hub:OWNER/NAME",
    )
    parser.add_argument(
        "--language",
        choices=LANGUAGES,
        action="append",
        help="of --form bert: learn this one alone (default: both)",
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="of --form bert: at most (default: as tried)")
    parser.add_argument("--learning-rate", type=float, metavar="R", help="of --form bert (default: as tried)")
    parser.add_argument(
        "--examples", type=Path, metavar="FILE", help="JSON lines of your own beside the project's corpus"
    )
    parser.add_argument(
        "--n-each", type=int, default=5, metavar="N", help="phrasings of a template (default: %(default)s)"
    )
    parser.add_argument("--rng", type=int, default=0, help="seed (default: %(default)s)")
    add_tracking_flag(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Teach, write, print what the folds said."""
    from nextbest.experiments.tracked import track_figures

    with tracked(
        args, "train-intents", params=("form", "encoder", "model", "language", "epochs", "n_each", "rng")
    ) as run:
        document, text = _taught(args) if args.form == "linear" else _taught_bert(args)
        curve = document.get("curve", ())
        emit_tracked(args, document, text, run, lambda run: track_figures(run, document, curve))


def _taught(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The linear head: document, and words for people."""
    named = [
        flag for flag in ("model", "language", "epochs", "learning_rate") if getattr(args, flag) is not None
    ]
    if named:
        raise InputError(f"--{named[0].replace('_', '-')}", "belongs to --form bert")
    from nextbest.assistant.intent.train import teach
    from nextbest.assistant.intent.understander import HEADS
    from nextbest.text.encoder import make_encoder

    encoder = make_encoder(args.encoder)
    more = _read(args.examples) if args.examples is not None else []
    taught = teach(encoder=encoder, rng=args.rng, n_each=args.n_each, more=more, progress=show_progress(args))
    out = Path(str(files("nextbest.assistant.intent"))) / HEADS / encoder.name if args.shipped else args.out
    taught.head.save(out)
    document = {
        "model": str(out),
        "encoder": encoder.name,
        "n_examples": taught.n_examples,
        "n_own": len(more),
        "accuracy": taught.accuracy,
        "asked_back": taught.asked_back,
        "accuracy_outside_band": taught.outside,
    }
    return document, (
        f"{taught.n_examples:,} examples ({len(more)} of your own), encoder {encoder.name}, written to {out}\n"
        f"on written questions that weren't learned: {taught.accuracy:.1%} right; {taught.asked_back:.1%} are asked back, "
        f"{taught.outside:.1%} of the others right"
    )


def _taught_bert(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """A fine-tuned encoder: document, and words for people."""
    from nextbest.assistant.intent.bert import teach_bert
    from nextbest.models.language.needs import need_language_models
    from nextbest.models.store import check_free

    if args.shipped or args.encoder is not None:
        raise InputError("--shipped" if args.shipped else "--encoder", "belongs to --form linear")
    if args.model is None:
        raise InputError(
            "--model", "must name an encoder's folder, or hub:OWNER/NAME", remedy="--form linear needs none"
        )
    if args.epochs is not None and args.epochs < 1:
        raise InputError("--epochs", "must be 1 or more", value=args.epochs)
    if args.learning_rate is not None and not 0 < args.learning_rate < 1:
        raise InputError("--learning-rate", "must be above 0 and below 1", value=args.learning_rate)
    if args.rng < 0:
        raise InputError("--rng", "must be 0 or more", value=args.rng)
    need_language_models("--form bert", adapters=False)
    check_free(args.out)
    from nextbest.models.language.classifier_fit import ClassifierConfig

    given = {"seed": args.rng, "epochs": args.epochs, "learning_rate": args.learning_rate}
    config = ClassifierConfig(**{name: value for name, value in given.items() if value is not None})
    more = _read(args.examples) if args.examples is not None else []
    taught = teach_bert(
        args.model,
        rng=args.rng,
        n_each=args.n_each,
        more=more,
        languages=tuple(args.language or LANGUAGES),
        config=config,
        progress=show_progress(args),
    )
    taught.intents.save(args.out)
    document = {
        "model": str(args.out),
        "encoder": args.model,
        "n_examples": taught.n_examples,
        "n_own": len(more),
        "accuracy": taught.accuracy,
        "asked_back": taught.asked_back,
        "accuracy_outside_band": taught.outside,
        "cpu_s": taught.curve[-1]["cpu_s"],
        "vocabulary": taught.vocabulary,
        "curve": taught.curve,
    }
    return document, (
        f"{taught.n_examples:,} examples ({len(more)} of your own), {len(taught.curve)} epochs in "
        f"{taught.curve[-1]['cpu_s']:.0f} CPU-s, {args.model} fine-tuned, written to {args.out}\n"
        f"on the templates that stopped it: {taught.accuracy:.1%} right; {taught.asked_back:.1%} are asked back, "
        f"{taught.outside:.1%} of the others right"
    )


def _read(file: Path) -> "list[Example]":
    """Examples of one's own.

    Raises
    ------
    ExternalError
        The file can't be read.
    DataError
        A line isn't an example.
    """
    import json
    from typing import get_args

    from nextbest.assistant.base import INTENTS, Language
    from nextbest.assistant.intent.corpus import Example

    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ExternalError(str(file), f"can't be read: {error.strerror}", retryable=False) from error
    found: list[Example] = []
    bad: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text, intent, language = row["text"], row["intent"], row.get("language", "ru")
            if (
                not isinstance(text, str)
                or not text.strip()
                or intent not in INTENTS
                or language not in get_args(Language)
            ):
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError):
            bad.append(f"line {number}: {line[:80]}")
            continue
        found.append(Example(text, intent, language, f"own/{number}"))
    if bad:
        raise DataError(
            file.name,
            "lines must be objects with a text, an intent and perhaps a language",
            n_bad=len(bad),
            examples=bad[:5],
            remedy=f"intents: {', '.join(INTENTS)}",
        )
    return found

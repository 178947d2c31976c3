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
    from nextbest.models.language.classifier_fit import ClassifierConfig

EXAMPLES = """\
  nextbest assistant train-intents --out .nextbest/intents                        # `nextbest chat` takes it from there
  nextbest assistant train-intents --examples own.jsonl --out .nextbest/intents   # {"text": ..., "intent": ..., "language": "ru"}
  nextbest assistant train-intents --form tuned --examples own.jsonl --out .nextbest/intents   # as what is shipped: needs the extra llm
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
        choices=("linear", "tuned", "bert"),
        default="linear",
        help="a linear head on vectors, taught in a minute; an adapter of a multilingual encoder beside it, taught in half an hour with the extra "
        "llm, asked without torch; or an encoder of your own fine-tuned (default: %(default)s)",
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
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="of --form bert and tuned: at most (default: as tried)"
    )
    parser.add_argument(
        "--learning-rate", type=float, metavar="R", help="of --form bert and tuned (default: as tried)"
    )
    parser.add_argument(
        "--examples", type=Path, metavar="FILE", help="JSON lines of your own beside the project's corpus"
    )
    parser.add_argument(
        "--n-each", type=int, metavar="N", help="phrasings of a template (default: 5; of --form tuned 3)"
    )
    parser.add_argument("--rng", type=int, default=0, help="seed (default: %(default)s)")
    add_tracking_flag(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Teach, write, print what the folds said."""
    from nextbest.experiments.tracked import track_figures

    if args.n_each is None:
        args.n_each = 3 if args.form == "tuned" else 5
    with tracked(
        args, "train-intents", params=("form", "encoder", "model", "language", "epochs", "n_each", "rng")
    ) as run:
        teach = {"linear": _taught, "tuned": _taught_tuned, "bert": _taught_bert}
        document, text = teach[args.form](args)
        curve = document.get("curve", ())
        emit_tracked(args, document, text, run, lambda run: track_figures(run, document, curve))


def _taught(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The linear head: document, and words for people."""
    _refuse(args, {"model": "bert", "language": "bert", "epochs": "bert", "learning_rate": "bert"})
    from nextbest.assistant.intent.train import teach
    from nextbest.models.language.sentence.encoder import open_encoder

    encoder = open_encoder(args.encoder)
    more = _read(args.examples) if args.examples is not None else []
    taught = teach(encoder=encoder, rng=args.rng, n_each=args.n_each, more=more, progress=show_progress(args))
    out = _shipped(encoder.name) if args.shipped else args.out
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
    from nextbest.models.language.classifier_fit import ClassifierConfig
    from nextbest.models.language.needs import need_language_models
    from nextbest.models.store import check_free

    if args.shipped or args.encoder is not None:
        raise InputError("--shipped" if args.shipped else "--encoder", "belongs to --form linear")
    if args.model is None:
        raise InputError(
            "--model", "must name an encoder's folder, or hub:OWNER/NAME", remedy="--form linear needs none"
        )
    config = _config(args, ClassifierConfig())
    need_language_models("--form bert", adapters=False)
    check_free(args.out)
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


def _taught_tuned(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """An adapter of the multilingual encoder and a linear head: document, and words for people."""
    from nextbest.assistant.intent.tuned_training import default_config, teach_tuned
    from nextbest.models.language.needs import need_language_models
    from nextbest.models.store import check_free

    _refuse(args, {"model": "bert", "language": "bert"})
    config = _config(args, default_config())
    need_language_models("--form tuned")
    out = _shipped("tuned") if args.shipped else args.out
    check_free(out)
    more = _read(args.examples) if args.examples is not None else []
    taught = teach_tuned(
        rng=args.rng,
        n_each=args.n_each,
        more=more,
        config=config,
        encoder=args.encoder,
        progress=show_progress(args),
    )
    taught.intents.save(out)
    document = {
        "model": str(out),
        "encoder": taught.intents.linear.encoder,
        "n_examples": taught.n_examples,
        "n_own": len(more),
        "accuracy": taught.accuracy,
        "asked_back": taught.asked_back,
        "accuracy_outside_band": taught.outside,
        "cpu_s": taught.curve[-1]["cpu_s"],
        "curve": taught.curve,
    }
    return document, (
        f"{taught.n_examples:,} examples ({len(more)} of your own), {len(taught.curve)} epochs in "
        f"{taught.curve[-1]['cpu_s']:.0f} CPU-s after a rehearsal that told the band, written to {out}\n"
        f"on written questions that the rehearsal didn't learn: {taught.accuracy:.1%} right; {taught.asked_back:.1%} are asked back, "
        f"{taught.outside:.1%} of the others right"
    )


def _config(args: argparse.Namespace, base: "ClassifierConfig") -> "ClassifierConfig":
    """How an encoder is taught.

    Raises
    ------
    InputError
        A flag is out of its range.
    """
    if args.epochs is not None and args.epochs < 1:
        raise InputError("--epochs", "must be 1 or more", value=args.epochs)
    if args.learning_rate is not None and not 0 < args.learning_rate < 1:
        raise InputError("--learning-rate", "must be above 0 and below 1", value=args.learning_rate)
    if args.rng < 0:
        raise InputError("--rng", "must be 0 or more", value=args.rng)
    given = {"seed": args.rng, "epochs": args.epochs, "learning_rate": args.learning_rate}
    return base.model_copy(update={name: value for name, value in given.items() if value is not None})


def _refuse(args: argparse.Namespace, flags: dict[str, str]) -> None:
    """Nothing, if none of these flags was given; each belongs to another form.

    Raises
    ------
    InputError
        One was.
    """
    for flag, form in flags.items():
        if getattr(args, flag) is not None:
            raise InputError(f"--{flag.replace('_', '-')}", f"belongs to --form {form}")


def _shipped(name: str) -> Path:
    """Where the package keeps its own."""
    from nextbest.assistant.intent.understander import HEADS

    return Path(str(files("nextbest.assistant.intent"))) / HEADS / name


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

"""`nextbest explore`: what is in a panel or a journal, as one page with what each thing means for a model."""

import argparse
from pathlib import Path
from typing import Any

from nextbest.cli.output import emit, new_command, show_progress, text_file, write_text

OUT = "explore.html"
_ALL = {
    "en": "all of it, and what each thing means for a model",
    "ru": "всё остальное и что оно значит для модели",
}
EXAMPLES = """\
  nextbest explore                                 # the workspace's panel, or its journal, into explore.html
  nextbest explore --store shop --out shop.html --lang ru
  nextbest explore --panel train_ver2.csv          # look at a raw file without storing it
  nextbest explore --out panel.md                  # the words without the charts, as Markdown
  nextbest explore --json                          # the same facts as data, no page"""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = new_command(
        commands,
        "explore",
        summary="Look at what was ingested: one page of charts, each with what it means for a model.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "--panel",
        action="append",
        metavar="FILE",
        help="a raw panel (file, folder, glob or database URL) to look at instead of the store; may be given again",
    )
    parser.add_argument(
        "--source", default="santander", metavar="NAME", help="format of --panel (default: %(default)s)"
    )
    parser.add_argument(
        "--out",
        type=text_file,
        metavar="FILE",
        help=f"the page to write, .md for its words alone (default: {OUT}; none with --json)",
    )
    parser.add_argument(
        "--lang", choices=("en", "ru"), default="en", help="language of the page (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Compute the facts, write the page, print the five facts to know."""
    from nextbest.experiments.explore import explore, explore_files
    from nextbest.experiments.explore.figures import check_drawing

    out: Path | None = args.out or (None if args.json else text_file(OUT))
    is_text = out is not None and out.suffix == ".md"
    if out is not None and not is_text:
        check_drawing()  # before the work, not after it
    if args.panel:
        found = explore_files(args.panel, source=args.source, lang=args.lang, progress=show_progress(args))
    else:
        found = explore(args.store, lang=args.lang)
    summary = found.to_summary()
    if out is not None:
        write_text(out, found.to_text() + "\n" if is_text else found.to_html())
        summary += f"\n{_ALL[args.lang]}: {out}"
    emit(args, {**found.document, **({"page": str(out)} if out else {})}, summary)

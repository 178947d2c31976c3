"""`nextbest portfolio ...`: investors' portfolios measured, compared with peers, planned for a goal, tracked."""

import argparse
import contextlib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.cli.output import a_day, emit, new_command, note, text_file
from nextbest.cli.portfolio_outlook import add_flags, outlook_of
from nextbest.cli.portfolio_text import as_text
from nextbest.errors import InputError

if TYPE_CHECKING:
    from nextbest.data.holdings.book import Book
    from nextbest.portfolio.peer_desk import PeerDesk
    from nextbest.portfolio.plan.advice import AdviceConfig
    from nextbest.portfolio.plan.proposal import Plan

FOLDER = "portfolio"
"""Of the workspace: where the book is."""
EXAMPLES = """\
  nextbest portfolio simulate --out .nextbest --scale 1000       # a book of simulated investors
  nextbest portfolio ingest assets=assets.csv prices=prices.csv investors=clients.csv trades=trades.csv
  nextbest portfolio metrics c000001 --benchmark SHARES --json
  nextbest portfolio report c000001 --html report.html --language ru
  nextbest portfolio examples examples.json"""
INGEST_EXAMPLES = """\
  nextbest portfolio ingest assets=assets.csv asset_prices=prices.parquet investors=clients.csv trades=trades.csv
  nextbest portfolio ingest cash_flows=flows.csv --json
  nextbest portfolio ingest asset_prices=postgresql://host/db?query=... --replace"""
CLIENT_EXAMPLES = """\
  nextbest portfolio {name} c000001
  nextbest portfolio {name} c000001 --json
  nextbest portfolio {name} c000001 --html {name}.html --language ru"""
COMMANDS = {
    "metrics": "Figures of one client's portfolio, each with its convention.",
    "peers": "What similar clients hold and how they did; never fewer than 20 of them.",
    "plan": "Suitable allocations and the odds of the client's goal.",
    "track": "Take new days in for all clients, then plan against actual for one.",
    "outlook": "What the assets may be worth, by a table of forecasts; never advice.",
    "report": "All of it in one document, or one page.",
}
ORDER = (
    "fx", "assets", "splits", "dividends", "asset_prices", "benchmarks", "investors", "goals", "trades", "cash_flows",
)  # fmt: skip
SHORT = {"prices": "asset_prices", "flows": "cash_flows"}


def add_parser(commands: Any) -> None:
    """Declare the group and its commands."""
    group = commands.add_parser(
        "portfolio",
        help="Portfolios: metrics, peers, plans, tracking, reports.",
        description="Investors' portfolios: measured, compared with peers, planned for a goal, tracked.",
        epilog=f"examples:\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    inner = group.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        _add_client_command(inner, name, summary)
    _add_journal(inner)
    _add_ingest(inner)
    _add_simulate(inner)
    parser = new_command(
        inner, "examples", summary="Check a file of worked examples one by one.", examples=EXAMPLES.splitlines()[-1]
    )  # fmt: skip
    parser.add_argument("file", metavar="FILE", type=Path, help="JSON: id, topic, inputs, expected, tol, ...")
    parser.set_defaults(run=run_examples)


def _add_client_command(commands: Any, name: str, summary: str) -> None:
    examples = CLIENT_EXAMPLES.replace("{name}", name)
    if name == "outlook":
        examples = examples.replace("c000001", "c000001 --forecasts forecasts.parquet")
    parser = new_command(commands, name, summary=summary, examples=examples)
    parser.add_argument("client", metavar="CLIENT", help="id of the client in the book")
    parser.add_argument("--html", type=text_file, metavar="FILE", help="also write a self-contained page")
    parser.add_argument(
        "--language",
        choices=("en", "ru"),
        default="en",
        help="in which the page opens (default: %(default)s)",
    )
    if name in ("metrics", "report"):
        parser.add_argument("--benchmark", metavar="ID", help="index of the book to compare with")
    if name in ("metrics", "outlook", "report"):
        parser.add_argument("--currency", metavar="CODE", help="count in it (default: the client's)")
    if name in ("outlook", "report"):
        add_flags(parser, required=name == "outlook")
    parser.add_argument(
        "--as-of", type=a_day, metavar="YYYY-MM-DD", help="as if it were this day (default: today, UTC)"
    )
    if name == "plan":
        parser.add_argument(
            "--goal", metavar="ID", help="which goal (default: the first whose time isn't over)"
        )
        parser.add_argument(
            "--keep", action="store_true", help="hold the client against this plan from now on (`track`)"
        )
        parser.add_argument(
            "--answers",
            type=Path,
            metavar="FILE",
            help="JSON: question id to answer id of the questionnaire (default: the grades in the book)",
        )
        parser.add_argument(
            "--answered-on", type=a_day, metavar="YYYY-MM-DD", help="day of the answers (default: today, UTC)"
        )
        parser.add_argument(
            "--advice",
            action="store_true",
            help="an individual recommendation with instruments, kept in the journal; only where NEXTBEST_ADVICE names "
            "the house's list, and with answers at most a year old",
        )
    parser.set_defaults(run=run_client)


def _add_journal(commands: Any) -> None:
    parser = new_command(
        commands,
        "journal",
        summary="What was recommended to whom, from which inputs and why; a changed entry is found out.",
        examples="  nextbest portfolio journal\n  nextbest portfolio journal --client c000001 --json",
    )
    parser.add_argument("--client", metavar="ID", help="of one client (default: of all)")
    parser.set_defaults(run=run_journal)


def _add_ingest(commands: Any) -> None:
    parser = new_command(
        commands,
        "ingest",
        summary="Read tables into the book; rows that don't add up go to quarantine with their reason.",
        examples=INGEST_EXAMPLES,
    )
    parser.add_argument(
        "sources", nargs="+", type=_source, metavar="KIND=SOURCE", help=f"file, folder or database; kinds: {', '.join(ORDER)}"
    )  # fmt: skip
    parser.add_argument(
        "--currency", default="RUB", metavar="CODE", help="of a new book's rates (default: %(default)s)"
    )
    parser.add_argument(
        "--replace", action="store_true", help="a row whose key is known replaces the old one"
    )
    parser.set_defaults(run=run_ingest)


def _add_simulate(commands: Any) -> None:
    parser = new_command(
        commands,
        "simulate",
        summary="Write a book of simulated investors with known laws.",
        examples="  nextbest portfolio simulate --out .nextbest --scale 1000\n"
        "  nextbest portfolio simulate --out bank --customers data/far-trans --market data",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="workspace for the book")
    parser.add_argument("--scale", type=int, metavar="N", help="clients (default: 1000, or all given)")
    parser.add_argument("--customers", type=Path, metavar="PATH", help="real customers (default: drawn)")
    parser.add_argument(
        "--market",
        type=Path,
        metavar="DIR",
        help="real prices: a folder with moex-daily and ru-asset-classes in it (default: a synthetic exchange)",
    )
    parser.add_argument("--rng", type=int, default=0, help="seed of everything random (default: %(default)s)")
    parser.set_defaults(run=run_simulate)


def run_client(args: argparse.Namespace) -> None:
    """One client's document, printed and, when asked for, written as a page."""
    document = _document(args)
    if args.html is not None:
        from nextbest.charts_page.page import write_page

        write_page(document, args.html, language=args.language)
        note(args, f"written: {args.html}")
    if document["kind"] == "metrics":
        document = with_metrics(document)
    emit(args, document, as_text(document))


def with_metrics(document: dict[str, Any]) -> dict[str, Any]:
    """A metrics document with `metrics`: its figures under the names that scripts rely on."""
    figures = document["figures"]
    aliases = {"twr_ann": figures["cagr"]} if "cagr" in figures else {}
    return document | {"metrics": figures | aliases}


def _document(args: argparse.Namespace) -> dict[str, Any]:
    from nextbest.portfolio import documents
    from nextbest.portfolio.metrics_document import metrics_document

    now, asked_at = _now(args), datetime.now(UTC)  # the gate counts by the clock, whatever day is asked about
    if args.subcommand == "track":
        _track(args, now.date())
    with _book(args) as book:
        if args.subcommand == "metrics":
            return metrics_document(
                book, args.client, benchmark=args.benchmark, currency=args.currency, until=now.date()
            )
        if args.subcommand == "track":
            return documents.tracking_document(book, args.client, until=now.date())
        book.goals(args.client)  # an unknown client is told before all others are read
        outlook = outlook_of(args, book, now) if args.subcommand in ("outlook", "report") else None
        if outlook is not None and args.subcommand == "outlook":
            return outlook
        with _desk(args, book, now) as desk:
            if args.subcommand == "peers":
                return documents.peers_document(book, args.client, desk, now=now, asked_at=asked_at)
            if args.subcommand == "plan":
                made = documents.make_plan(
                    book, args.client, desk, now=now, asked_at=asked_at, **_plan_choices(args)
                )
            else:
                return documents.report_document(
                    book,
                    args.client,
                    desk,
                    now=now,
                    asked_at=asked_at,
                    benchmark=args.benchmark,
                    currency=args.currency,
                    outlook=outlook,
                )
    if args.keep:
        _keep(args, made)
    return documents.plan_document(made)


def _plan_choices(args: argparse.Namespace) -> dict[str, Any]:
    """What `make_plan` is asked for beside the client."""
    from nextbest.portfolio.documents import advice_choices
    from nextbest.portfolio.plan.questionnaire import load_answers

    choices: dict[str, Any] = {"goal_id": args.goal, "answered_on": args.answered_on}
    if args.answers is not None:
        choices["answers"] = load_answers(args.answers)
    if args.advice:
        if (
            args.as_of is not None
        ):  # else the age of the answers, and the journal's day, would be the caller's choice
            raise InputError("--as-of", "doesn't go with --advice: a recommendation is of today")
        choices |= advice_choices(Path(args.store) / FOLDER, house_list())
    return choices


def house_list() -> "AdviceConfig | None":
    """The instruments that may be recommended, from the file that `NEXTBEST_ADVICE` names; None where it is not set."""
    from nextbest.portfolio.plan.advice import load_advice
    from nextbest.settings import Settings

    file = Settings.from_env().advice
    return None if file is None else load_advice(file)


def run_journal(args: argparse.Namespace) -> None:
    """Print the entries, oldest first, after a check of the whole chain."""
    from nextbest.portfolio.plan.journal import FOLDER as JOURNAL_FOLDER
    from nextbest.portfolio.plan.journal import Journal

    with _book(args):  # no journal without a book: a mistyped workspace is told
        folder = Path(args.store) / FOLDER / JOURNAL_FOLDER
        rows = Journal(folder).rows() if folder.is_dir() else []
    rows = [row for row in rows if args.client in (None, row["client_id"])]
    lines = [f"{len(rows)} entries"]
    for row in rows:
        result = row["result"]
        code = result.get("refused")
        said = f"refused: {code}" if code else _weights(result["instruments"])
        lines.append(f"{row['n']}  {row['at']}  {row['client_id']}  {said}  ({row['reason']['en']})")
    emit(args, {"entries": rows}, "\n".join(lines))


def _weights(instruments: dict[str, float]) -> str:
    return ", ".join(f"{asset} {weight:.1%}" for asset, weight in instruments.items())


def _keep(args: argparse.Namespace, made: "Plan") -> None:
    """From now on tracking holds the client against this plan."""
    from nextbest.data.holdings.book import Book
    from nextbest.portfolio.tracking.plans import record_of, save_plan

    if made.chosen is None:
        note(args, "nothing was proposed, so that no plan is kept")
        return
    with Book.open(Path(args.store) / FOLDER, read_only=False) as book:
        save_plan(book, args.client, record_of(made))
    note(args, "kept: `nextbest portfolio track` holds the client against this plan")


def run_ingest(args: argparse.Namespace) -> None:
    """Read every source in the order in which tables build on each other."""
    from nextbest.data.holdings.book import Book

    folder = Path(args.store) / FOLDER
    is_new = not (folder / "book.duckdb").is_file()
    book = Book.create(folder, base_currency=args.currency) if is_new else Book.open(folder, read_only=False)
    with book:
        reports = [
            book.add(kind, source, replace=args.replace)
            for kind, source in sorted(args.sources, key=lambda pair: ORDER.index(pair[0]))
        ]
    emit(args, _import_document(reports), "\n".join(str(report) for report in reports))


def run_simulate(args: argparse.Namespace) -> None:
    """Write the book."""
    from nextbest.simulate.portfolios import simulate_book

    reports = simulate_book(
        args.out / FOLDER, customers=args.customers, market_folder=args.market, scale=args.scale, rng=args.rng
    )
    emit(args, _import_document(reports), "\n".join(str(report) for report in reports))


def run_examples(args: argparse.Namespace) -> None:
    """Check the examples; exit code 1 when a verified one fails."""
    from nextbest.experiments.portfolio.examples import check_examples

    found = check_examples(args.file)
    failed = [row for row in found["rows"] if not row["passed"]]
    lines = [f"{found['passed']} passed, {found['failed']} failed, {len(found['unverified'])} not verified"]
    lines += [f"  {row['id']}: {row['why']}" for row in failed]
    emit(args, found, "\n".join(lines))
    if failed:
        raise SystemExit(1)


def _import_document(reports: list[Any]) -> dict[str, Any]:
    return {
        "read": sum(report.read for report in reports),
        "stored": sum(report.kept for report in reports),
        "added": sum(report.added for report in reports),
        "quarantined": sum(sum(report.quarantined.values()) for report in reports),
        "tables": [report.model_dump(mode="json") for report in reports],
    }


@contextlib.contextmanager
def _book(args: argparse.Namespace) -> "Iterator[Book]":
    from nextbest.data.holdings.book import Book

    with Book.open(Path(args.store) / FOLDER) as book:
        yield book


@contextlib.contextmanager
def _desk(args: argparse.Namespace, book: "Book", now: datetime) -> "Iterator[PeerDesk]":
    from nextbest.portfolio.peer_desk import PeerDesk

    desk = PeerDesk.of_book(book, Path(args.store) / FOLDER, as_of=now.date())
    try:
        yield desk
    finally:
        desk.close()


def _track(args: argparse.Namespace, day: date) -> None:
    from nextbest.data.holdings.book import Book
    from nextbest.portfolio.tracking.plans import OddsOfBook
    from nextbest.portfolio.tracking.tracker import track

    with Book.open(Path(args.store) / FOLDER, read_only=False) as book:
        report = track(book, day, odds=OddsOfBook(book, until=day))
    note(args, f"{len(report.days)} new day(s) taken in for {report.n_clients} client(s)")


def _now(args: argparse.Namespace) -> datetime:
    """The moment of the question: the end of `--as-of`, or the clock."""
    as_of: date | None = args.as_of
    if as_of is None:
        return datetime.now(UTC)
    return datetime(as_of.year, as_of.month, as_of.day, 23, 59, tzinfo=UTC)


def _source(text: str) -> tuple[str, str]:
    kind, equals, source = text.partition("=")
    kind = SHORT.get(kind, kind)
    if not equals or not source or kind not in ORDER:
        raise argparse.ArgumentTypeError(
            f"must be KIND=SOURCE with KIND one of {', '.join(ORDER)}; got {text!r}"
        )
    return kind, source

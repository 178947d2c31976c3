"""`nextbest ingest`: read, check, clean and store a log, or a monthly panel of clients and products."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.cli.maps import mapping, pairs
from nextbest.cli.output import emit, new_command, note, show_progress, text_file, write_text
from nextbest.errors import InputError

if TYPE_CHECKING:
    from nextbest.data.cleaning.config import CleaningConfig
    from nextbest.data.panel.report import PanelReport
    from nextbest.data.report import IngestReport
    from nextbest.data.sources.mapping import IngestSettings

SETTINGS_FILE = "nextbest.toml"
EXAMPLES = """\
  nextbest ingest sales.csv --map user_id=client,item_id=product,time=moment,amount=sum
  nextbest ingest "exports/2024-*.parquet" --map user_id=client,item_id=sku,time=ts --catalog items.csv
  nextbest ingest ml-1m/ratings.dat --source movielens
  nextbest ingest "postgresql://reader@localhost/shop?table=sales" --map user_id=client,item_id=sku,time=ts
  nextbest ingest train_ver2.csv --source santander
  nextbest ingest sales.csv --set time_zone=Europe/Moscow --set near_duplicates_s=2 --report cleaning.md"""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = new_command(
        commands,
        "ingest",
        summary="Read, check, clean and store a log; bad rows go to quarantine with their reason.",
        examples=EXAMPLES,
    )
    add_ingest_flags(parser, files="+")
    parser.set_defaults(run=run)


def add_ingest_flags(parser: argparse.ArgumentParser, *, files: str) -> None:
    """What is read and how, shared with `demo`."""
    parser.add_argument(
        "files", nargs=files, metavar="FILE", help="file, folder, glob or database URL with the log"
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="OURS=THEIRS,...",
        help="our column = their column; ours: user_id, item_id, time, amount, currency, quantity, kind, text, ...",
    )
    parser.add_argument(
        "--source",
        metavar="NAME",
        help="known format: movielens, uci_online_retail, steam_200k, ...; santander is a panel of products",
    )
    parser.add_argument("--catalog", metavar="FILE", help="items: item_id, title, text, category, price, ...")
    parser.add_argument("--catalog-map", action="append", default=[], metavar="OURS=THEIRS,...")
    parser.add_argument("--clients", metavar="FILE", help="clients: user_id and their attributes")
    parser.add_argument("--clients-map", action="append", default=[], metavar="OURS=THEIRS,...")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="RULE=VALUE",
        dest="rules",
        help="cleaning rule: time_zone, day_first, decimal, exact_duplicates, near_duplicates_s, refunds, outliers, ...",
    )
    parser.add_argument(
        "--settings",
        metavar="FILE",
        help=f"TOML file with an [ingest] part; {SETTINGS_FILE} of this folder is read when it is there; flags win",
    )
    parser.add_argument(
        "--report", type=text_file, metavar="FILE", help="also write the cleaning report as Markdown"
    )


def run(args: argparse.Namespace) -> None:
    """Ingest and print the report."""
    from nextbest.data.sources import PANELS

    settings = _settings(args)
    source = args.source or settings.source
    report: IngestReport | PanelReport
    report = run_panel(args, source, settings) if source in PANELS else run_ingest(args)
    if report.read and not report.stored:
        note(args, "nextbest: warning: every row went to quarantine, nothing is stored; see the reasons")
    emit(args, report.to_dict(), _text(report))


def _text(report: "IngestReport | PanelReport") -> str:
    """The report; of an ingest that changed nothing its totals alone, for the rest was told the first time."""
    whole = report.to_markdown()
    if not report.stored or report.added or getattr(report, "updated", 0):
        return whole
    totals = whole.split("\n\n", maxsplit=1)[0]
    refused = ", ".join(f"{reason} {n:,}" for reason, n in report.reasons.items())
    return (
        totals
        + (f"\nquarantined: {refused}" if refused else "")
        + "\nnothing new: every row was here already (the whole report: --report FILE)"
    )


def run_ingest(args: argparse.Namespace) -> "IngestReport":
    """The ingest that the flags describe."""
    from nextbest.data.ingest import ingest
    from nextbest.settings import Settings

    settings = _settings(args)
    memory = Settings.from_env().memory_limit_mb
    limits: dict[str, Any] = {} if memory is None else {"memory_mb": memory}
    report = ingest(
        args.store,
        args.files,
        mapping={**settings.map, **mapping(args.map, name="--map")} or None,
        source=args.source or settings.source,
        catalog=args.catalog,
        clients=args.clients,
        catalog_mapping={**settings.catalog_map, **mapping(args.catalog_map, name="--catalog-map")} or None,
        clients_mapping={**settings.clients_map, **mapping(args.clients_map, name="--clients-map")} or None,
        config=cleaning_rules(settings.clean, args.rules),
        progress=show_progress(args),
        **limits,
    )
    if args.report:
        write_text(args.report, report.to_markdown())
    return report


def run_panel(args: argparse.Namespace, source: str, settings: "IngestSettings") -> "PanelReport":
    """The ingest of a known panel into `STORE/panel`.

    Raises
    ------
    InputError
        A flag is given that says something about a log.
    """
    from nextbest.data.panel.manifest import FOLDER
    from nextbest.data.panel.reading import ingest_panel

    said = {
        "--map": args.map or settings.map,
        "--catalog": args.catalog,
        "--catalog-map": args.catalog_map or settings.catalog_map,
        "--clients": args.clients,
        "--clients-map": args.clients_map or settings.clients_map,
        "--set": args.rules or settings.clean.model_fields_set,
    }
    if foreign := [flag for flag, value in said.items() if value]:
        raise InputError(
            "--source", f"{source} is a panel that knows its columns and rules", remedy=f"leave out {foreign}"
        )
    report = ingest_panel(args.files, Path(args.store) / FOLDER, source=source, progress=show_progress(args))
    if args.report:
        write_text(args.report, report.to_markdown())
    return report


def _settings(args: argparse.Namespace) -> "IngestSettings":
    """The `[ingest]` part of the settings file that is named or lies here; an empty one elsewhere."""
    from nextbest.data.sources.mapping import IngestSettings, load_ingest_settings

    if args.settings or Path(SETTINGS_FILE).is_file():
        return load_ingest_settings(Path(args.settings or SETTINGS_FILE))
    return IngestSettings()


def cleaning_rules(base: "CleaningConfig", rules: list[str]) -> "CleaningConfig":
    """The file's rules with the flags' over them; times after this moment are in the future.

    Raises
    ------
    InputError
        An unknown rule, or a value it doesn't allow.
    """
    from datetime import UTC, datetime

    from pydantic import ValidationError

    from nextbest.data.cleaning.config import CleaningConfig

    fields: dict[str, Any] = {
        "now": datetime.now(UTC),
        **base.model_dump(exclude_unset=True),
        **dict(pairs(rules, name="--set")),
    }
    for name in ("text_columns", "require", "refund_kinds"):
        if isinstance(fields.get(name), str):
            fields[name] = tuple(fields[name].split("+"))
    try:
        return CleaningConfig.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        known = sorted(CleaningConfig.model_fields)
        raise InputError(
            f"--set {'.'.join(map(str, first['loc']))}",
            first["msg"],
            value=first.get("input"),
            remedy=f"rules: {known}",
        ) from error

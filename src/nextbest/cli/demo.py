"""`nextbest demo`: the whole main job on a simulated shop, or on your own files; and rooms to chat about."""

import argparse
from pathlib import Path
from typing import Any

from nextbest.cli.ingest import add_ingest_flags, run_ingest
from nextbest.cli.output import emit, new_command, note, show_progress

_SCALE = 0.05
EXAMPLES = """\
  nextbest demo                        # simulate, ingest, compare, train, serve on port 8000
  nextbest demo --no-serve --json
  nextbest demo --only-shop            # no portfolios, candles and bank products besides
  nextbest demo sales.csv --map user_id=client,item_id=product,time=moment"""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = new_command(
        commands,
        "demo",
        summary="The main job in one go: simulate, ingest, compare, train, serve.",
        examples=EXAMPLES,
    )
    parser.add_argument("--no-serve", action="store_true", help="stop after training")
    parser.add_argument(
        "--only-shop",
        action="store_true",
        help="leave out the simulated portfolios, candles and bank products that `nextbest chat` answers from too "
        "(always left out with files of one's own)",
    )
    parser.add_argument(
        "--scale",
        type=float,
        default=_SCALE,
        help="size of the simulated shop; 1 = 100,000 users (default: %(default)s)",
    )
    parser.add_argument("--rng", type=int, default=0, help="seed (default: %(default)s)")
    parser.add_argument("-k", "--k", type=int, default=10, help="length of the lists (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="(default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="(default: %(default)s)")
    add_ingest_flags(parser, files="*")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Each step says what it does on standard error; the document comes before the service starts."""
    from nextbest.data.store import Workspace
    from nextbest.experiments.compare import compare
    from nextbest.experiments.lists import journal_columns
    from nextbest.experiments.recipe import load_recipe
    from nextbest.experiments.splitting import PROTOCOL_OF, SplitPlan
    from nextbest.experiments.train import train

    has_rooms = not args.files and not args.only_shop
    args.store = str(Path(args.store) / _workspace_name(args))
    if not args.files:
        _simulate(args)
    note(args, f"[2/5] ingest {', '.join(args.files)}")
    ingested = run_ingest(args)
    note(args, ingested.to_markdown())

    recipes = [load_recipe("baselines"), load_recipe("pipeline")]
    workspace = Workspace(Path(args.store))
    journal = workspace.journal(journal_columns(recipes)).collect()
    kind = workspace.time_kind
    protocol = PROTOCOL_OF[kind]
    note(args, f"[3/5] compare baselines and pipeline, protocol {protocol}")
    report = compare(
        journal,
        recipes,
        plan=SplitPlan(protocol=protocol, time_kind=kind, rng=args.rng),
        k=args.k,
        rng=args.rng,
        clients=workspace.clients(),
        catalog=workspace.catalog(),
        progress=show_progress(args),
    )
    note(args, report.to_markdown())

    model = Path(args.store) / "model"
    note(args, f"[4/5] train the pipeline on everything -> {model}")
    result = train(
        journal,
        load_recipe("pipeline"),
        model,
        time_kind=kind,
        k=args.k,
        rng=args.rng,
        clients=workspace.clients(),
        catalog=workspace.catalog(),
        progress=show_progress(args),
    )
    rooms = None
    if has_rooms:
        from nextbest.cli.demo_rooms import make_rooms

        note(args, f"[+]   rooms to chat about beside the shop -> {args.store}")
        rooms = make_rooms(args, Path(args.store), journal["user_id"].unique())
    url = None if args.no_serve else f"http://{args.host}:{args.port}"
    user = journal["user_id"][0]
    text = [result.to_text(), "", "ask it:", f"  nextbest recommend --model {model} --user {user}"]
    if rooms is not None and (person := rooms["identities"]["first"]) is not None:
        text.append(f"  nextbest chat --store {args.store} --user {person['user_id']}")
    if url:
        text.append(f"  curl {url}/users/{user}/recommendations?k=5")
    emit(
        args,
        {
            "compare": report.to_dict(),
            "model": str(model),
            "url": url,
            "ingest": ingested.to_dict(),
            "train": result.to_dict(),
            **({} if rooms is None else {"rooms": rooms}),
        },
        "\n".join(text),
    )
    if url:
        from nextbest.service.server import serve

        note(args, f"[5/5] serving {model} at {url} (docs at {url}/docs), Ctrl+C stops")
        serve(model, host=args.host, port=args.port, store=Path(args.store))


def _workspace_name(args: argparse.Namespace) -> str:
    """A workspace for each input, so that a simulated shop and a log of one's own never mix."""
    from hashlib import sha256

    if not args.files:
        return "demo" if (args.scale, args.rng) == (_SCALE, 0) else f"demo-{args.scale:g}-{args.rng}"
    what = [*sorted(_absolute(f) for f in args.files), args.source, args.settings, *sorted(args.map)]
    return f"demo-own-{sha256(repr(what).encode()).hexdigest()[:8]}"


def _absolute(file: str) -> str:
    return file if "://" in file else str(Path(file).absolute())


def _simulate(args: argparse.Namespace) -> None:
    """Write a simulated shop as files, as if they came from outside, and point the ingest flags at them."""
    from nextbest.simulate import write_shop

    folder = Path(args.store) / "simulated"
    note(args, f"[1/5] simulate a bank-and-shop log (scale {args.scale}, rng {args.rng}) -> {folder}")
    files = write_shop(folder, scale=args.scale, rng=args.rng, progress=show_progress(args))
    args.files, args.map = [str(files.journal)], list(files.mapping)
    args.catalog, args.clients = str(files.catalog), str(files.clients)

"""`nextbest chat` and `nextbest ask`: questions in one's own words, answered from the workspace."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nextbest.cli.output import emit, new_command, note
from nextbest.errors import InputError

if TYPE_CHECKING:
    from nextbest.assistant.agent.assistant import Assistant
    from nextbest.assistant.base import Caller

CHAT_EXAMPLES = """\
  nextbest chat --store .nextbest/demo --user u0000042            # a conversation; /forget erases it, /quit or Ctrl+D ends it
  nextbest chat --user 42 --provider gguf:gemma3-270m             # a model words the answers, code checks them
  printf 'Что мне купить?\\nа подешевле?\\n' | nextbest chat --user 42 --json   # a JSON document a line, as each is ready"""
ASK_EXAMPLES = """\
  nextbest ask "Что мне взять дальше?" --user 42
  nextbest ask "How did my portfolio do over the last year?" --client c000003 --json
  nextbest ask "Что предложить клиенту 884?" --clerk              # a clerk may ask about clients
  nextbest ask "И за три года?" --client c000003 --session phone  # goes on with what was said in that session"""
_QUIT, _FORGET = ("/quit", "/exit", "/q"), "/forget"


def add_parser(commands: Any) -> None:
    """Declare both commands."""
    chat = new_command(
        commands, "chat", summary="Talk about what the workspace knows.", examples=CHAT_EXAMPLES
    )
    _add_who(chat)
    chat.set_defaults(run=run_chat)
    ask = new_command(commands, "ask", summary="One question in one's own words.", examples=ASK_EXAMPLES)
    ask.add_argument("text", metavar="TEXT", help="the question, Russian or English")
    _add_who(ask)
    ask.set_defaults(run=run_ask)


def _add_who(parser: argparse.ArgumentParser) -> None:
    who = parser.add_argument_group("who asks")
    who.add_argument(
        "--user",
        metavar="ID",
        help="id in the shop's log; the others are looked up where the workspace knows them",
    )
    who.add_argument("--customer", type=int, metavar="ID", help="id in the bank's panel")
    who.add_argument("--client", metavar="ID", help="id in the book of portfolios")
    who.add_argument(
        "--clerk",
        nargs="*",
        metavar="ID",
        help="ask as a clerk: about these clients only, or about all where none is named",
    )
    what = parser.add_argument_group("what answers")
    what.add_argument("--model", metavar="DIR", help="a shop's model (default: `model` in the workspace)")
    what.add_argument(
        "--products", metavar="DIR", help="a bank's product model (default: `products` in the workspace)"
    )
    what.add_argument(
        "--documents",
        metavar="DIR",
        help="FAQ, tariffs and the like: Markdown, HTML, PDF (default: `documents` in the workspace)",
    )
    what.add_argument(
        "--provider",
        metavar="NAME",
        help="a model that words the answers: openai:MODEL@URL, gguf:FILE+ADAPTER, folder:DIR, a .toml file ... (default: $NEXTBEST_PROVIDER, "
        "else the phrasebook speaks)",
    )
    what.add_argument(
        "--session", default="default", metavar="NAME", help="the conversation (default: %(default)s)"
    )
    what.add_argument(
        "--memory",
        metavar="WHERE",
        help="folder or redis:// of conversations (default: `conversations` in the workspace)",
    )
    what.add_argument(
        "--language", choices=("ru", "en"), help="of the answers (default: that of the question)"
    )


def run_ask(args: argparse.Namespace) -> None:
    """One question, one answer."""
    from nextbest.assistant.agent.events import reply_document

    caller = _caller(args)
    with closing(_assistant(args)) as assistant:
        reply = assistant.ask(caller, args.text, session=args.session, language=args.language)
    emit(args, reply_document(reply), reply.answer)


def run_chat(args: argparse.Namespace) -> None:
    """Questions line by line; answers as they are made, with `--json` one document a line each."""
    from nextbest.assistant.agent.events import reply_document

    caller = _caller(args)
    with closing(_assistant(args)) as assistant:
        if sys.stdin.isatty():
            note(args, "Ask in Russian or English; /forget erases the conversation, /quit ends it.")
        for line in _lines():
            if line.lower() in _QUIT:
                break
            if line.lower() == _FORGET:
                n = assistant.forget(caller)
                note(args, f"{n} conversation(s) erased")
                continue
            if args.json:
                reply = assistant.ask(caller, line, session=args.session, language=args.language)
                emit(args, {"question": line, **reply_document(reply)}, "")
            else:
                _print_stream(args, assistant, caller, line)


def _print_stream(args: argparse.Namespace, assistant: "Assistant", caller: "Caller", line: str) -> None:
    """Pieces as they come; an answer that had to be taken back is written anew under a line that says so."""
    for event in assistant.stream(caller, line, session=args.session, language=args.language):
        if event.kind == "text":
            sys.stdout.write(event.text)
        elif event.kind == "replace":
            sys.stdout.write(f"\n[what stands above couldn't be confirmed; the answer is:]\n{event.text}")
        sys.stdout.flush()
    sys.stdout.write("\n\n")
    sys.stdout.flush()


def _lines() -> Iterator[str]:
    """What is typed or piped in, without empty lines."""
    while True:
        if sys.stdin.isatty():
            sys.stdout.write("> ")
            sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()


def _caller(args: argparse.Namespace) -> "Caller":
    """Who the flags say it is, with the ids that the workspace knows to be the same person's."""
    from nextbest.assistant.base import Caller
    from nextbest.assistant.tools.identities import complete

    clerk = args.clerk is not None
    if not clerk and args.user is None and args.customer is None and args.client is None:
        raise InputError(
            "who asks", "must be told", remedy="--user ID, --customer ID, --client ID or --clerk"
        )
    caller = Caller(
        user_id=args.user,
        customer_id=args.customer,
        client_id=args.client,
        role="clerk" if clerk else "client",
        may_see=frozenset(args.clerk or ["*"]) if clerk else frozenset(),
    )
    return complete(caller, Path(args.store))


def _assistant(args: argparse.Namespace) -> "Assistant":
    from nextbest.assistant.agent.opening import open_assistant
    from nextbest.models.lightgbm_library import process_is_ours

    store = Path(args.store)
    process_is_ours()
    return open_assistant(
        store,
        model=args.model,
        products=args.products,
        documents=args.documents,
        provider=args.provider,
        memory=args.memory or store / "conversations",
    )

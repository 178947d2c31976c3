"""The right tool with the right arguments, without any model, on the project's questions.

    python benchmarks/assistant_calls.py [--part dev] [--head tuned] [--misses]

The understander, a linker made of the questions' catalogue, the conversation's rules and the planner, as `nextbest chat`
runs them; no tool is run. A question that asks back where a call was due is told apart: it isn't right, and isn't a guess.
Those that nobody could tell (the band), talk and questions outside need no call, and have their own line.
"""

import argparse
import datetime
import re
from collections import Counter
from collections.abc import Mapping
from importlib.resources import as_file, files
from typing import Any

from nextbest.assistant.agent.followups import resolve
from nextbest.assistant.agent.planner import Plan, plan
from nextbest.assistant.base import LANGUAGES, Shown, ToolCall, Turn, Understood
from nextbest.assistant.intent.linking import Linker
from nextbest.assistant.intent.questions import PARTS, Question, load_catalogue, load_questions
from nextbest.assistant.intent.understander import HEADS, Understander
from nextbest.assistant.memory.past import Past

TODAY = datetime.date(2026, 11, 23)
ROOMS = frozenset({"shop", "products", "portfolio", "market", "documents"})
CATEGORIES = {
    "rpg": ("rpg", "role-playing games", "рпг", "ролевые игры"),
    "strategy": ("strategy", "strategies", "стратегия", "стратегии"),
    "roguelike": ("roguelike", "roguelikes", "рогалик", "рогалики"),
    "shooter": ("shooter", "shooters", "шутер", "шутеры"),
    "sandbox": ("sandbox", "sandboxes", "песочница", "песочницы"),
    "puzzle": ("puzzle", "puzzles", "головоломка", "головоломки"),
    "platformer": ("platformer", "platformers", "платформер", "платформеры"),
    "scifi": ("sci-fi", "science fiction", "фантастика", "научная фантастика"),
    "drama": ("drama", "dramas", "драма", "драмы"),
    "comedy": ("comedy", "comedies", "комедия", "комедии"),
    "crime": ("crime", "crime films", "криминал", "криминальные фильмы"),
    "outerwear": ("outerwear", "coats and jackets", "верхняя одежда"),
    "dress": ("dress", "dresses", "платье", "платья"),
    "trousers": ("trousers", "pants", "брюки", "штаны"),
    "tops": ("tops", "sweatshirts", "кофты", "толстовки"),
    "shoes": ("shoes", "footwear", "обувь"),
    "grocery": ("grocery", "groceries", "продукты", "бакалея"),
    "horror": ("horror", "horrors", "хоррор", "хорроры", "ужасы"),
    "detective": ("detective", "detectives", "детектив", "детективы"),
}
"""Names that a shop would give its categories; written from the catalogue, not from the questions."""
EACH_MONTH = re.compile(
    r"(?:\d|тысяч\w*|тыс\.?|млн|к|k|thousand|руб\w*|₽|\$|€|dollars?|euros?|bucks?)\s*(?:в месяц|ежемесячно|каждый месяц|a month|per month|monthly|every month|each month)",
    re.IGNORECASE,
)
"""A sum that is put aside each month; the questions' one slot for money holds both kinds (README of the questions)."""
REQUIRED = {"market_forecast": "asset", "similar_items": "item_id"}
"""What these can't be called without: where a question names none, right is to ask which."""
GROUPS = {
    "item": {"item_id", "asset"},
    "client": {"client"},
    "time": {"horizon_days", "period_days", "start", "end"},
    "amount": {"amount", "monthly", "currency", "max_price"},
}


def expected(
    question: Question, before: ToolCall | None = None, shown: tuple[Shown, ...] = ()
) -> tuple[str, Mapping[str, Any]] | None:
    """The right call by the planner's names of arguments; None: no tool.

    A follow-up's own arguments are only those that it says itself; what the question before it said goes on: of the same tool
    all that isn't replaced, of another the client.
    """
    if question.tool is None:
        return None
    arguments: dict[str, Any] = {}
    for name, value in question.arguments.items():
        if name == "items" and not question.slots.get("rejects"):
            arguments["item_id"] = value[0]
        elif name == "period":
            arguments["start"], arguments["end"] = value
        elif name == "amount":
            if question.tool == "portfolio_plan":
                each = EACH_MONTH.search(question.text) or (
                    before is not None and "monthly" in before.arguments
                )
                arguments |= {"monthly" if each else "amount": value["value"], "currency": value["currency"]}
            else:
                arguments["max_price"] = value["value"]
        elif name in ("items", "ordinal", "cheaper", "rejects"):  # the conversation's, not a tool's
            continue
        elif not (
            question.tool == "portfolio_peers" and name != "client"
        ):  # peers are of today: no period is taken
            arguments[name] = value
    if "start" in arguments:
        arguments.pop("period_days", None)
    ordinal = question.slots.get("ordinal")
    if (
        question.tool in ("explain_item", "similar_items")
        and ordinal is not None
        and abs(ordinal) <= len(shown)
    ):
        arguments["item_id"] = shown[ordinal - 1 if ordinal > 0 else ordinal].item_id
    said = {name: value for name, value in arguments.items() if value is not None}
    return question.tool, {**_going_on(question, said, before), **said}


def _going_on(question: Question, said: Mapping[str, Any], before: ToolCall | None) -> dict[str, Any]:
    """What the question before said and this one doesn't replace."""
    if before is None or question.after is None or question.tool == "search_documents":
        return {}
    if before.tool != question.tool:
        takes = question.tool not in ("similar_items", "market_forecast")
        return {"client": before.arguments["client"]} if takes and "client" in before.arguments else {}
    replaced = {name for names in GROUPS.values() if names & said.keys() for name in names}
    kept = {name: value for name, value in got(before)[1].items() if name not in replaced}
    if "currency" in before.arguments and "currency" not in said and "amount" in replaced:
        kept["currency"] = before.arguments["currency"]
    return kept


def got(call: ToolCall) -> tuple[str, Mapping[str, Any]]:
    """A planned call without what the questions don't give: the query of a search and what was shown before."""
    return call.tool, {name: value for name, value in call.arguments.items() if name not in ("query", "deny")}


class Conversation:
    """Questions asked as the assistant asks itself, but for the tools."""

    def __init__(self, head: str) -> None:
        with as_file(files("nextbest.assistant.intent") / HEADS / head) as folder:
            self.understander = Understander.load(folder)
        named = load_catalogue()
        things = [thing for thing in named if thing.kind != "asset"]
        self.linker = Linker(
            {thing.item_id: thing.title for thing in things},
            aliases={thing.item_id: (thing.title, *thing.also) for thing in things},
        )
        self.assets = {t.item_id: (t.title, *t.also) for t in named if t.kind == "asset"}
        self.shown = tuple(Shown(t.item_id, {"en": t.title, "ru": t.title}) for t in things[:3])

    def understand(self, text: str) -> Understood:
        return self.understander.understand(
            text, linker=self.linker, assets=self.assets, categories=CATEGORIES, today=TODAY
        )

    def turn(self, text: str, past: Past) -> tuple[Understood, Plan]:
        wish = resolve(self.understand(text), past)
        return wish.understood, plan(wish, rooms=ROOMS)

    def past(self, question: Question) -> tuple[Past, ToolCall | None]:
        """The turn before with its call: the question's own `after`, or a list of three where something shown is explained."""
        if question.after is not None:
            before, planned = self.turn(question.after, Past())
            lists = before.intent in ("recommend", "similar", "next_purchase", "bank_product")
            shown = self.shown if lists else ()
            return self._after(question.after, before, shown), planned.calls[0] if planned.calls else None
        if question.intent == "explain" and not question.slots.get("items"):
            return self._after("?", Understood("?", question.language, "recommend", 1.0), self.shown), None
        return Past(), None

    def _after(self, text: str, before: Understood, shown: tuple[Shown, ...]) -> Past:
        turn = Turn(
            question=text,
            answer="",
            language=before.language,
            intent=before.intent,
            slots=before.slots,
            shown=shown,
        )
        return Past().with_turn(turn)


def blame(
    question: Question, want: tuple[str, Mapping[str, Any]] | None, understood: Understood, planned: Plan
) -> str:
    """right, asked back, or the first thing that is wrong."""
    if not understood.is_sure:
        return "asked back"
    if planned.missing is not None:
        needed = None if want is None else REQUIRED.get(want[0])
        is_unsaid = needed is not None and want is not None and needed not in want[1]
        return "right" if is_unsaid and understood.intent == question.intent else "asked back"
    if understood.intent != question.intent:
        return "intent"
    calls = [got(call) for call in planned.calls]
    if want is None:
        return "right" if not calls else "tool"
    if not calls or calls[0][0] != want[0]:
        return "tool"
    tool, arguments = calls[0]
    right = dict(want[1])
    if tool == "explain_item" and "item_id" not in right:
        arguments = {name: value for name, value in arguments.items() if name != "item_id"}  # of those shown
    wrong = {n for n in {*arguments, *right} if arguments.get(n) != right.get(n)}
    if not wrong:
        return "right"
    return next((name for name, names in GROUPS.items() if wrong & names), "other")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=PARTS, default="dev")
    parser.add_argument("--head", choices=("tuned", "use", "ngrams"), default="tuned")
    parser.add_argument("--misses", action="store_true", help="print them; only of parts dev and dev2")
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=LANGUAGES)
    args = parser.parse_args()
    conversation = Conversation(args.head)
    for language in args.languages:
        for followups in (False, True):
            counted: dict[str, Counter[str]] = {"call": Counter(), "no call": Counter()}
            band = [0, 0]
            for question in load_questions(args.part, language, followups=followups):
                past, before = conversation.past(question)
                understood, planned = conversation.turn(question.text, past)
                want = expected(question, before, past.shown)
                verdict = blame(question, want, understood, planned)
                if question.band:
                    band = [band[0] + (verdict == "asked back"), band[1] + 1]
                    continue
                counted["call" if question.tool else "no call"][verdict] += 1
                if args.misses and args.part.startswith("dev") and verdict != "right":
                    calls = [got(call) for call in planned.calls]
                    print(f"    {verdict}: {question.after or ''} {question.text!r} {want} got {calls}")
            for kind, verdicts in counted.items():
                if not (n := verdicts.total()):
                    continue
                answered = n - verdicts["asked back"]
                wrong = ", ".join(
                    f"{name} {count}" for name, count in verdicts.most_common() if name != "right"
                )
                print(
                    f"{args.head} {args.part} {language} {'follow-ups' if followups else 'alone'}, {kind}: n {n}, "
                    f"exact {verdicts['right'] / n:.3f}, of the answered {verdicts['right'] / max(answered, 1):.3f}"
                    f"; not: {wrong or 'none'}"
                )
            if band[1]:
                print(f"{args.head} {args.part} {language}: band asked back {band[0]} of {band[1]}")


if __name__ == "__main__":
    main()

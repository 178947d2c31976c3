"""One sentence of a draft after another: what may be sent of it, and what was found in it.

A judge remembers what the sentences before said: the item that "it" is, the line of a list, what was said already.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from nextbest.assistant.base import Finding, Language, Mode, ToolResult
from nextbest.assistant.grounding import lexicon
from nextbest.assistant.grounding.facts import Fact, Facts
from nextbest.assistant.grounding.numerals import Quantity, read_quantities
from nextbest.assistant.grounding.pairing import Pairing
from nextbest.assistant.grounding.repairs import near_day, nearly, written
from nextbest.assistant.grounding.spans import Word, cleaned, fold, words_of
from nextbest.assistant.grounding.titles import Linker, Named, Names
from nextbest.assistant.grounding.wholeness import Kept
from nextbest.assistant.phrasing.rendering import day, plain

_INVESTMENT_ROOMS = frozenset({"portfolio", "market"})
_MARKER = re.compile(r"\s*(\d{1,2})[.)][\s\u00a0]")
_MOST_FOREIGN = 0.5
"""Share of letters of another script above which a sentence is in another language."""
_FEW_LETTERS = 12
_UNDER_ONE = re.compile(r"(?:меньше|менее|ниже|до|under|less than|below)[\s\u00a0]+$", re.IGNORECASE)
_OVER_99 = re.compile(r"(?:больше|более|свыше|выше|over|more than|above)[\s\u00a0]+$", re.IGNORECASE)
_MORE = re.compile(
    r"(?:ещё|еще|остальн\w+|друг\w+|another|other|more|further|remaining)[\s\u00a0]+$|^[\s\u00a0]+(?:more|other|others|further|остальн\w+|друг\w+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    instead: str
    finding: Finding


class Judge:
    """Judges the sentences of one draft, in order.

    Parameters
    ----------
    results, question, language, linker, mode, allowed_vocabulary
        As of `checking.SentenceGate`.
    """

    def __init__(
        self,
        results: Sequence[ToolResult],
        *,
        question: str,
        language: Language,
        linker: Linker | None,
        mode: Mode,
        allowed_vocabulary: Collection[str],
    ) -> None:
        self._language, self._mode = language, mode
        self._facts = Facts(results, question=question, language=language)
        self._names = Names(self._facts, linker=linker, vocabulary=allowed_vocabulary)
        self._pairing = Pairing(self._facts)
        self._only_shows = any(r.room in _INVESTMENT_ROOMS for r in results)
        self._is_investment = self._only_shows or lexicon.is_about_investments(question)
        self._has_things = any(i.kind in {"item", "product"} for i in self._facts.items.values())
        self._reasons = _reasons(self._facts, language)
        self._told = [_flat(text) for text in self._facts.texts[1:]]
        self._seen: set[str] = set()
        self._carried: str | None = None
        self._line = 0
        """Number of the last line of a list."""
        self._kept = Kept(self._facts)

    @property
    def titles(self) -> list[str]:
        """Titles of this turn's items."""
        return self._names.titles

    def missing(self, text: str) -> str | None:
        """What the results demand and what passed, `text`, doesn't say; None: nothing."""
        return self._kept.missing(text)

    def judged(self, sentence: str) -> tuple[str, list[Finding]]:
        """A sentence as it may be sent, empty if it may not, and what was found in it."""
        made = self._judge(sentence)
        if marker := _MARKER.match(sentence):
            self._line = int(marker[1])
        return made

    def _judge(self, sentence: str) -> tuple[str, list[Finding]]:
        body = sentence.rstrip()
        words = words_of(body)
        if not words:
            return ("", []) if lexicon.injection(body) else (sentence, [])
        named = self._names.named(body, words)
        finding = self._impossible(body, words, named)
        if finding is not None:
            self._kept.dropped(named, [])
            return "", [finding]
        edits, wrong = self._false(body, words, named)
        findings: list[Finding] = []
        if wrong or edits:
            fixed = _edited(body, edits)
            if not wrong:
                words = words_of(fixed)
                named = self._names.named(fixed, words)
                again, wrong = self._false(fixed, words, named)
                wrong += [edit.finding for edit in again]
            if wrong:
                self._kept.dropped(named, wrong)
                return "", wrong
            findings = [edit.finding for edit in edits]
            sentence = fixed + sentence[len(body) :]
            body = fixed
        self._seen.add(_flat(body))
        items = list(dict.fromkeys(n.item for n in named))
        self._carried = items[0] if len(items) == 1 else (None if items else self._carried)
        told = self._numbers(body, words, named)
        self._kept.passed(named, [facts for _, facts in told])
        return sentence, findings

    def _impossible(self, body: str, words: Sequence[Word], named: Sequence[Named]) -> Finding | None:
        """What no repair helps against: instructions, gaps, loops, promises, advice, another language."""
        bare = _without(body, named)
        flat = _flat(body)
        is_told = len(flat) > 20 and any(flat.strip(" .!") in told for told in self._told)
        if found := lexicon.placeholder(bare):
            return Finding("placeholder", found, "dropped")
        if found := lexicon.injection(bare):
            return Finding("injection", found, "dropped")
        if (len(words) > 2 and flat in self._seen) or _loops(words, named):
            return Finding("loop", body, "dropped")
        if not is_told and (found := lexicon.promise(bare)):
            return Finding("promise", found, "dropped")
        if self._mode == "information" and not is_told:
            found = lexicon.advice(bare, about_investments=self._is_investment, only_shows=self._only_shows)
            if found:
                return Finding("advice", found, "dropped")
        if self._is_foreign(body, words, named):
            return Finding("language", body, "dropped")
        return None

    def _is_foreign(self, body: str, words: Sequence[Word], named: Sequence[Named]) -> bool:
        """Whether most of a sentence, names and what was said aside, is of another language."""
        quoted = set(self._names.quoted_and_said(body, words))
        own = [w for w in words if w not in quoted and not any(n.start <= w.start < n.end for n in named)]
        if self._language == "ru":
            own = [w for w in own if not ("A" <= w.text[0] <= "Z")]  # names, looked at as such
        letters = "".join(w.text for w in own)
        if any(
            not (char.isascii() or char < "ʰ" or "Ͱ" <= char <= "ԯ") for char in letters if char.isalpha()
        ):
            return not any(_flat(letters) in told.replace(" ", "") for told in self._told)
        n_letters = sum(char.isalpha() for char in letters)
        share = lexicon.foreign_letters(letters, self._language)
        if self._language == "en":
            return share > 0.1 and not self._is_told(body, own)
        return n_letters >= _FEW_LETTERS and share > _MOST_FOREIGN and not self._is_told(body, own)

    def _is_told(self, body: str, own: Sequence[Word]) -> bool:
        return bool(own) and any(_flat(body[own[0].start : own[-1].end]) in told for told in self._told)

    def _false(
        self, body: str, words: Sequence[Word], named: list[Named]
    ) -> tuple[list[_Edit], list[Finding]]:
        """What can be put right in a sentence, and what can't."""
        edits: list[_Edit] = []
        wrong: list[Finding] = []
        for stranger in self._names.strangers(body, words, named):
            said = body[stranger.start : stranger.end]
            if stranger.instead is None:
                wrong.append(Finding("item", said, "dropped"))
            elif stranger.instead != said:
                edits.append(
                    _Edit(stranger.start, stranger.end, stranger.instead, Finding("item", said, "repaired"))
                )
        wrong += self._wrong_reasons(body, named)
        taken = [(e.start, e.end) for e in edits]
        told = [
            (q, m)
            for q, m in self._numbers(body, words, named)
            if not any(start < q.end and q.start < end for start, end in taken)
        ]
        if not named and not self._kept.items and self._carried is None:
            told = (
                [(q, [f for f in m if f.owner is None or q.kind == "ordinal"]) for q, m in told]
                if self._has_things
                else told
            )
        unknown = [q for q, matches in told if not matches]
        if self._facts.foreign and any(q.value in self._facts.foreign for q, _ in told) and len(told) > 1:
            wrong.append(Finding("number", body, "dropped"))
        windows = self._pairing.windows(body, words, [q for q, _ in told])
        for (quantity, _), window in zip(told, windows, strict=True):
            if quantity in unknown:
                owner = self._pairing.owner(quantity, named, self._carried)
                self._put_right(body, quantity, self._candidates(quantity, window, owner), edits, wrong)
        known = [(q, m) for q, m in told if m]
        reading = [w for w in words if not self._in_reason(body, w)]
        mentions = [n for n in named if not self._in_reason(body, n)]
        for mispaired in self._pairing.mispaired(body, reading, known, mentions, self._carried):
            candidates = [] if mispaired.instead is None else [mispaired.instead]
            self._put_right(body, mispaired.quantity, candidates, edits, wrong, any_distance=True)
        return edits, wrong

    # --- numbers --------------------------------------------------------------------------------------
    def _numbers(
        self, body: str, words: Sequence[Word], named: Sequence[Named]
    ) -> list[tuple[Quantity, list[Fact]]]:
        """Numbers of a sentence with the facts that they may tell; those inside titles aside."""
        found: list[tuple[Quantity, list[Fact]]] = []
        marker = _MARKER.match(body)
        for quantity in read_quantities(body, self._language):
            if any(n.start <= quantity.start < n.end for n in named):
                continue
            if marker and quantity.start == marker.start(1) and quantity.value in {1, self._line + 1}:
                continue
            if quantity.is_word and self._is_in_a_name(body, quantity):
                continue
            matches = self._facts.matching(quantity)
            if not matches:
                matches = self._matching_otherwise(body, quantity, words)
            found.append((quantity, matches))
        return found

    def _is_in_a_name(self, body: str, quantity: Quantity) -> bool:
        """ "Half-Life", and English words in Russian: they are checked as names."""
        if self._language == "ru" and body[quantity.start].isascii():
            return True
        return re.match(r"[-‐‑][A-ZА-ЯЁ]", body[quantity.end :]) is not None

    def _matching_otherwise(self, body: str, q: Quantity, words: Sequence[Word]) -> list[Fact]:
        """Facts behind "under 1 %", "4 more", "PS5"."""
        before, after = body[max(0, q.start - 24) : q.start], body[q.end : q.end + 16]
        percents = [f for f in self._facts.figures if f.kind == "percent"]
        if q.kind == "percent" and q.value == 1 and _UNDER_ONE.search(before):
            return [f for f in percents if 0 <= f.value <= 1]
        if q.kind == "percent" and q.value == 99 and _OVER_99.search(before):
            return [f for f in percents if 99 <= f.value <= 100]
        if q.kind == "number" and q.step == 1 and (_MORE.search(before) or _MORE.search(after)):
            left = len(self._facts.items) - len(self._kept.items)
            return [Fact("number", q.value)] if 0 < q.value <= left else []
        if q.kind == "duration" and q.value == 1 and not body[q.start : q.end].strip().count(" "):
            said = words_of(body[q.start : q.end])
            return [Fact("duration", 1, q.unit)] if any(self._names.was_said(w) for w in said) else []
        if q.is_glued:
            inside = next((w for w in words if w.start <= q.start < w.end), None)
            if inside is not None and any(f" {inside.low} " in f" {told} " for told in self._told):
                return [Fact("number", q.value)]
        return []

    def _candidates(self, quantity: Quantity, window: set[str], owner: str | None) -> list[Fact]:
        """Figures that stand beside a wrong number: under its label, or its item's."""
        found: list[Fact] = []
        for fact in self._facts.figures:
            is_own = fact.owner is not None and str(fact.owner) == owner
            if is_own or (fact.owner is None and fact.labels & window):
                found.append(fact)
        return found

    def _put_right(
        self,
        body: str,
        quantity: Quantity,
        candidates: Sequence[Fact],
        edits: list[_Edit],
        wrong: list[Finding],
        *,
        any_distance: bool = False,
    ) -> None:
        """An edit where it is certain what was meant, a finding without repair else."""
        said = body[quantity.start : quantity.end]
        kind = "date" if quantity.kind == "date" else "number"
        if quantity.kind == "money" and any(
            f.kind == "money" and abs(f.value - abs(quantity.value)) <= quantity.step / 2
            for f in self._facts.figures
        ):
            kind = "currency"
        instead: str | None = None
        if any_distance and len(candidates) == 1 and candidates[0].figure is not None:
            instead = written(candidates[0].figure, self._language, said=said, before=body[: quantity.start])
        elif quantity.kind == "date":
            near = near_day(quantity, self._facts)
            instead = (
                None if near is None or not any(c.isalpha() for c in said) else day(near, self._language)
            )
        elif not quantity.is_word:
            figure = nearly(body, quantity, candidates, self._language)
            if figure is not None:
                instead = written(figure, self._language, said=said, before=body[: quantity.start])
        if instead is None or quantity.is_inherited:
            wrong.append(Finding(kind, said, "dropped"))  # type: ignore[arg-type]
        else:
            edits.append(_Edit(quantity.start, quantity.end, instead, Finding(kind, said, "repaired")))  # type: ignore[arg-type]

    # --- reasons --------------------------------------------------------------------------------------
    def _reason_spans(self, body: str) -> Iterator[tuple[int, int, frozenset[str]]]:
        flat = _flat_same_length(body)
        for reason, owners in self._reasons.items():
            at = flat.find(reason)
            while at >= 0:
                yield at, at + len(reason), owners
                at = flat.find(reason, at + len(reason))

    def _in_reason(self, body: str, span: Word | Named) -> bool:
        return any(start <= span.start and span.end <= end for start, end, _ in self._reason_spans(body))

    def _wrong_reasons(self, body: str, named: Sequence[Named]) -> Iterator[Finding]:
        """Reasons told of an item whose reasons they aren't."""
        spans = list(self._reason_spans(body))
        for start, end, owners in spans:
            if any(s <= start and end <= e and (s, e) != (start, end) for s, e, _ in spans):
                continue
            outside = [n for n in named if not any(s <= n.start and n.end <= e for s, e, _ in spans)]
            before = [n.item for n in outside if n.end <= start]
            after = [n.item for n in outside if n.start >= end]
            owner = before[-1] if before else self._carried or (after[0] if after else None)
            if (
                owner is not None
                and owner not in owners
                and not (not before and after and after[0] in owners)
            ):
                yield Finding("item", body[start:end], "dropped")


def _reasons(facts: Facts, language: Language) -> dict[str, frozenset[str]]:
    """Items by the reason they were given, long ones only: short words stand in many sentences."""
    made: dict[str, set[str]] = {}
    for key, item in facts.items.items():
        if item.reason is not None:
            reason = _flat_same_length(cleaned(item.reason.get(language, "")).strip(" ."))
            if len(reason) >= 8:
                made.setdefault(reason, set()).add(key)
    return {reason: frozenset(owners) for reason, owners in made.items()}


def _flat(text: str) -> str:
    """For comparing sentences: folded words with single blanks."""
    return " ".join(word.low for word in words_of(text))


def _flat_same_length(text: str) -> str:
    """Folded, with ordinary blanks and hyphens; places of one are places of the other."""
    return plain(fold(text))


def _without(body: str, named: Sequence[Named]) -> str:
    """A sentence with its titles blanked out: what stands in a title is nobody's words."""
    for n in named:
        body = body[: n.start] + " " * (n.end - n.start) + body[n.end :]
    return body


def _edited(body: str, edits: Sequence[_Edit]) -> str:
    for edit in sorted(edits, key=lambda e: -e.start):
        body = body[: edit.start] + edit.instead + body[edit.end :]
    return body


def _loops(words: Sequence[Word], named: Sequence[Named]) -> bool:
    """Whether a sentence says the same three words three times, or a word four times running; a name counts as one word."""
    whose = {w: next((n for n in named if n.start <= w.start < n.end), None) for w in words}
    # three coffees of one brand share their words, and are no loop
    begun = [
        w
        for before, w in zip([None, *words], words, strict=False)
        if whose[w] is None or before is None or whose[w] is not whose[before]
    ]
    stems = [w.low if (name := whose[w]) is None else f"<{name.item}>" for w in begun]
    if any(len(set(stems[i : i + 4])) == 1 for i in range(len(stems) - 3)):
        return True
    grams: dict[tuple[str, ...], int] = {}
    for i in range(len(stems) - 2):
        gram = tuple(stems[i : i + 3])
        grams[gram] = grams.get(gram, 0) + 1
    return max(grams.values(), default=0) >= 3

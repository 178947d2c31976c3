"""Random turns with drafts that are true, each with the places where one lie can be put in: for tests and the benchmark.

A draft is put together of pieces; a piece that states something knows what it states, so that a lie about it is certain to
be one. Titles, labels and sentences are this file's own, not those of the phrasebook.
"""

import random
import re
from dataclasses import dataclass, replace
from datetime import date, timedelta

from nextbest.assistant.base import Figure, ItemFact, Language, Link, ToolResult
from nextbest.assistant.phrasing.rendering import day, render

GAMES = (
    "Hades II", "Dead Cells", "Slay the Spire", "Risk of Rain 2", "Cult of the Lamb", "Portal 2", "Balatro", "Stardew Valley",
    "Disco Elysium", "Hollow Knight", "Outer Wilds", "The Witcher 3: Wild Hunt", "Baldur's Gate 3", "Papers, Please",
    "Half-Life 2", "Terraria", "Dr. Mario", "Factorio", "Vampire Survivors", "Into the Breach", "Deep Rock Galactic",
)  # fmt: skip
RUSSIAN = (
    "Чайник «Заря»", "Зимняя куртка", "Кофемолка «Бодрость»", "Набор отвёрток", "Детский велосипед", "Садовые ножницы",
    "Шерстяной плед", "Настольная лампа", "Льняная скатерть", "Походный фонарь", "Пылесос «Вихрь»", "Книжная полка",
)  # fmt: skip
PRODUCTS = (
    ("Вклад «Зимний»", "Winter deposit"), ("Кредитная карта", "Credit card"), ("Страхование жилья", "Home insurance"),
    ("Накопительный счёт", "Savings account"), ("Автокредит", "Car loan"), ("Ипотека", "Mortgage"),
)  # fmt: skip
REASONS = (
    ("её выбирают те, кто брал Hades", "those who took Hades choose it"),
    ("96 % положительных отзывов", "96 % of reviews are positive"),
    ("у вас уже есть два похожих товара", "you have two similar ones already"),
    ("популярно последние 30 дней", "popular over the last 30 days"),
    ("скидка 40 % на этой неделе", "40 % off this week"),
    ("часто берут вместе с прошлой покупкой", "often taken with your last purchase"),
    ("вы возвращались к ней трижды", "you came back to it three times"),
)
METRICS = (
    ("twr", "fraction", "Доходность", "Return"), ("volatility_ann", "fraction", "Волатильность", "Volatility"),
    ("max_drawdown", "fraction", "Самая глубокая просадка", "Deepest drawdown"), ("sharpe", "ratio", "Коэффициент Шарпа", "Sharpe ratio"),
    ("hit_rate", "fraction", "Доля прибыльных месяцев", "Share of winning months"), ("beta", "ratio", "Бета", "Beta"),
    ("gain", "RUB", "Прибыль", "Gain"), ("nav", "RUB", "Стоимость портфеля", "Worth of the portfolio"),
    ("n_holdings", "count", "Число позиций", "Number of holdings"), ("required", "RUB", "Нужный взнос", "Required contribution"),
    ("goal", "fraction", "Вероятность цели", "Probability of the goal"), ("tracking_error", "bps", "Ошибка слежения", "Tracking error"),
)  # fmt: skip
INVENTED = (
    "Elden Legend",
    "Shadow Kingdoms IV",
    "Космические Рейнджеры",
    "Nova Drift Saga",
    "Вечный Странник",
    "Galaxy Trucker",
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Words of a draft, and what they state."""

    text: str
    states: str = ""
    """"figure", "item", "reason", "count", "date", "word"; empty: nothing that can be a lie."""
    what: Figure | ItemFact | date | int | None = None


@dataclass(frozen=True, slots=True)
class TurnDraft:
    """A turn and a true draft about it."""

    results: tuple[ToolResult, ...]
    language: Language
    pieces: tuple[Piece, ...]
    catalogue: tuple[str, ...] = ()
    question: str = ""

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Lie:
    """A draft with one thing made false."""

    kind: str
    draft: str
    lie: str
    """The false words, as they stand in it."""


class ExactLinker:
    """Finds titles of a catalogue letter for letter, whatever the capitals."""

    def __init__(self, titles: tuple[str, ...]) -> None:
        self._titles = sorted(titles, key=len, reverse=True)

    def link(self, text: str) -> tuple[Link, ...]:
        found: list[Link] = []
        for title in self._titles:
            for match in re.finditer(rf"(?<!\w){re.escape(title)}(?!\w)", text, re.IGNORECASE):
                if not any(link.span[0] < match.end() and match.start() < link.span[1] for link in found):
                    found.append(Link(f"c:{title}", title, 1.0, match.span()))
        return tuple(found)


def make_turn(rng: random.Random, *, language: Language | None = None) -> TurnDraft:
    """A random turn of one of the rooms with a true draft."""
    spoken: Language = language or rng.choice(("ru", "en"))
    return rng.choice((_shop, _bank, _portfolio, _portfolio, _market))(rng, spoken)


# --- rooms ------------------------------------------------------------------------------------------
def _shop(rng: random.Random, language: Language) -> TurnDraft:
    ru = language == "ru"
    titles = RUSSIAN if ru and rng.random() < 0.4 else GAMES
    chosen = rng.sample(titles, rng.randint(2, 5))
    reasons = rng.sample(REASONS, len(chosen))
    items = tuple(
        ItemFact(f"c:{t}", {"ru": t, "en": t}, reason={"ru": r[0], "en": r[1]}, rank=n + 1)
        for n, (t, r) in enumerate(zip(chosen, reasons, strict=True))
    )
    prices = tuple(
        Figure("price", float(p), "RUB", {"ru": "Цена", "en": "Price"}, of=i.item_id)
        for i, p in zip(items, rng.sample(range(199, 99_000, 7), len(items)), strict=True)
    )
    result = ToolResult("recommend_items", "ok", "shop", {"k": len(items)}, items=items, figures=prices)
    with_prices, lines, numbered = rng.random() < 0.6, rng.random() < 0.4, rng.random() < 0.5
    n = len(items)
    made: list[Piece] = []
    word = _COUNTS[language].get(n, str(n))
    opening = rng.choice((0, 1, 2))
    if opening == 0:
        count = Piece(word if rng.random() < 0.5 else str(n), "count", n)
        made += (
            [
                Piece("Вот "),
                count,
                Piece(
                    rng.choice(
                        (" варианта для вас", " находки под ваши вкусы") if n < 5 else (" вариантов для вас",)
                    )
                ),
            ]
            if ru
            else [Piece("Here are "), count, Piece(rng.choice((" that fit your history", " picks for you")))]
        )
        made.append(Piece(":\n" if lines else ". "))
    elif opening == 1:
        made.append(
            Piece(
                "Посмотрел вашу историю и выбрал вот что"
                if ru
                else "I looked at what you took before and chose these"
            )
        )
        made.append(Piece(":\n" if lines else ". "))
    for place, (item, price) in enumerate(zip(items, prices, strict=True)):
        made += _item(rng, language, item, price if with_prices else None, lines, place, numbered)
    return TurnDraft(
        (result,), language, tuple(made), titles, "Что посоветуете?" if ru else "What would you suggest?"
    )


def _item(
    rng: random.Random,
    language: Language,
    item: ItemFact,
    price: Figure | None,
    lines: bool,
    place: int,
    numbered: bool,
) -> list[Piece]:
    ru = language == "ru"
    name = item.title[language]
    text = name if "«" in name else rng.choice((name, f"«{name}»" if ru else f"“{name}”"))
    said = [Piece(text, "item", item)]
    assert item.reason is not None
    reason = Piece(item.reason[language], "reason", item)
    cost = [] if price is None else [Piece(render(price, language), "figure", price)]
    if lines:
        mark = f"{place + 1}. " if numbered else rng.choice(("- ", "• "))
        tail = [Piece(", "), *cost] if cost else []
        return [Piece(mark), *said, Piece(" — " if ru else ": "), reason, *tail, Piece("\n")]
    start = (
        rng.choice(
            ("Прежде всего — ", "Ещё стоит посмотреть: ", "Обратите внимание на вариант ", "Подойдёт и ")
        )
        if ru
        else rng.choice(("First of all, ", "Another good one is ", "You may also like ", "Have a look at "))
    )
    middle = rng.choice((": ", " — ")) if ru else rng.choice((": ", ", because "))
    if middle == ", because ":
        middle = ", since "
    tail = (
        [Piece(rng.choice((", цена ", ", стоит ")) if ru else rng.choice((", at ", ", priced at "))), *cost]
        if cost
        else []
    )
    return [Piece(start), *said, Piece(middle), reason, *tail, Piece(". ")]


def _bank(rng: random.Random, language: Language) -> TurnDraft:
    ru = language == "ru"
    chosen = rng.sample(PRODUCTS, rng.randint(2, 4))
    items = tuple(
        ItemFact(f"p{n}", {"ru": r, "en": e}, "product", rank=n + 1) for n, (r, e) in enumerate(chosen)
    )
    chances = tuple(
        Figure(
            "probability",
            c / 1000,
            "fraction",
            {"ru": "Вероятность оформления", "en": "Probability of taking it"},
            of=i.item_id,
        )
        for i, c in zip(items, rng.sample(range(21, 890), len(items)), strict=True)
    )
    result = ToolResult("bank_products", "ok", "products", items=items, figures=chances)
    made: list[Piece] = []
    for item, chance in zip(items, chances, strict=True):
        title = item.title[language]
        form = rng.choice((0, 1, 2))
        value = Piece(render(chance, language), "figure", chance)
        named = Piece(title, "item", item)
        if ru:
            made += (
                [named, Piece(": вероятность оформления "), value, Piece(". ")],
                [Piece("Для продукта "), Piece(f"«{title}»" if "«" not in title else title, "item", item), Piece(" вероятность "), value, Piece(". ")],
                [Piece("С вероятностью "), value, Piece(" вам подойдёт "), named, Piece(". ")],
            )[form]  # fmt: skip
        else:
            made += (
                [named, Piece(": probability of taking it "), value, Piece(". ")],
                [Piece("The probability for "), named, Piece(" is "), value, Piece(". ")],
                [Piece("With a probability of "), value, Piece(", it is "), named, Piece(". ")],
            )[form]
    titles = tuple(p[0 if ru else 1] for p in PRODUCTS)
    return TurnDraft(
        (result,),
        language,
        tuple(made),
        titles,
        "Какой продукт мне подойдёт?" if ru else "Which product suits me?",
    )


def _value(rng: random.Random, key: str, unit: str) -> float:
    if key == "max_drawdown":
        return -rng.randint(11, 600) / 1000
    if unit == "fraction":
        return (
            rng.choice((1, 1, 1, -1)) * rng.randint(11, 890) / 1000
            if key == "twr"
            else rng.randint(11, 890) / 1000
        )
    if unit == "ratio":
        return rng.randint(11, 290) / 100
    if unit == "count":
        return rng.randint(3, 40)
    if unit == "bps":
        return rng.randint(12, 480)
    return float(rng.randint(1_200, 9_000_000))


def _portfolio(rng: random.Random, language: Language) -> TurnDraft:
    ru = language == "ru"
    last = date(2026, 1, 1) + timedelta(days=rng.randint(0, 320))
    first = last - timedelta(days=rng.choice((30, 90, 365, 181)))
    figures = tuple(
        Figure(key, _value(rng, key, unit), unit, {"ru": r, "en": e}, (first, last))
        for key, unit, r, e in rng.sample(METRICS, rng.randint(2, 6))
    )
    result = ToolResult("portfolio_metrics", "ok", "portfolio", figures=figures, as_of=last)
    made: list[Piece] = []
    if rng.random() < 0.6:
        made += [
            Piece("С " if ru else "From "), Piece(_day(first, language), "date", first), Piece(" по " if ru else " to "),
            Piece(_day(last, language), "date", last), Piece(" картина такая. " if ru else " it looks like this. "),
        ]  # fmt: skip
    style = rng.choice(("each", "comma", "after", "lines"))
    for place, figure in enumerate(figures):
        label = figure.label[language]
        value = Piece(_said(rng, figure, language), "figure", figure)
        low = label[:1].lower() + label[1:]
        is_last = place == len(figures) - 1
        if style == "each":
            text = (
                rng.choice((f"{label} — ", f"{label}: ", f"У вас {low} "))
                if ru
                else rng.choice((f"{label}: ", f"Your {low} is ", f"The {low} was "))
            )
            made += [Piece(text), value, Piece(". ")]
        elif style == "comma":
            made += [Piece(label + " " if not place else low + " "), value, Piece("." if is_last else ", ")]
        elif style == "after":
            made += [value, Piece((" — это " if ru else " is the ") + low), Piece(". ")]
        else:
            made += [Piece(f"- {label}: "), value, Piece("\n")]
    if rng.random() < 0.5:
        made += [
            Piece("Данные на " if ru else "Data as of "),
            Piece(_day(last, language), "date", last),
            Piece("."),
        ]
    return TurnDraft(
        (result,), language, tuple(made), (), "Как дела у портфеля?" if ru else "How is my portfolio doing?"
    )


def _market(rng: random.Random, language: Language) -> TurnDraft:
    ru = language == "ru"
    asset = rng.choice(("SBER", "GAZP", "BTC/USDT", "LKOH"))
    today = date(2026, 11, rng.randint(1, 20))
    until = today + timedelta(days=rng.choice((7, 30, 60)))
    close = rng.randint(2_000, 90_000) / 10
    unit = "USD" if "BTC" in asset else "RUB"
    said = (
        ("close", close, "последняя цена закрытия", "last close"), ("low", close * 0.91, "нижняя граница прогноза", "lower bound of the forecast range"),
        ("middle", close * 1.013, "середина прогноза", "middle of the forecast"), ("high", close * 1.12, "верхняя граница прогноза", "upper bound of the forecast range"),
    )  # fmt: skip
    figures = tuple(
        Figure(k, round(v, 1), unit, {"ru": r, "en": e}, (today, until), asset) for k, v, r, e in said
    )
    item = ItemFact(asset, {"ru": asset, "en": asset}, "asset")
    result = ToolResult(
        "market_forecast",
        "ok",
        "market",
        {"asset": asset, "horizon_days": (until - today).days},
        items=(item,),
        figures=figures,
        as_of=today,
    )
    close_f, low, middle, high = (Piece(render(f, language), "figure", f) for f in figures)
    name, due = Piece(asset, "item", item), Piece(_day(until, language), "date", until)
    made = (
        [Piece("Последняя цена закрытия "), name, Piece(" — "), close_f, Piece(". К дате "), due, Piece(" нижняя граница прогноза "), low,
         Piece(", верхняя граница прогноза "), high, Piece(". Середина прогноза: "), middle, Piece(".")]
        if ru
        else [Piece("The last close of "), name, Piece(" was "), close_f, Piece(". By "), due, Piece(" the lower bound of the forecast range is "), low,
              Piece(" and the upper bound of the forecast range "), high, Piece(". The middle of the forecast is "), middle, Piece(".")]
    )  # fmt: skip
    return TurnDraft(
        (result,), language, tuple(made), (), f"Прогноз {asset}?" if ru else f"Forecast for {asset}?"
    )


# --- ways to say ------------------------------------------------------------------------------------
_COUNTS: dict[str, dict[int, str]] = {
    "ru": {2: "два", 3: "три", 4: "четыре", 5: "пять"},
    "en": {2: "two", 3: "three", 4: "four", 5: "five"},
}
_TENS = {
    2: "двадцати",
    3: "тридцати",
    4: "сорока",
    5: "пятидесяти",
    6: "шестидесяти",
    7: "семидесяти",
    8: "восьмидесяти",
    9: "девяноста",
}
_ONES = ("", "одного", "двух", "трёх", "четырёх", "пяти", "шести", "семи", "восьми", "девяти", "десяти", "одиннадцати", "двенадцати",
         "тринадцати", "четырнадцати", "пятнадцати", "шестнадцати", "семнадцати", "восемнадцати", "девятнадцати")  # fmt: skip
_ONES_EN = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
            "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")  # fmt: skip
_TENS_EN = {
    2: "twenty",
    3: "thirty",
    4: "forty",
    5: "fifty",
    6: "sixty",
    7: "seventy",
    8: "eighty",
    9: "ninety",
}


def in_words(n: int, language: Language) -> str:
    """A number from 1 to 99 in words; of Russian the genitive."""
    ones, tens = (_ONES, _TENS) if language == "ru" else (_ONES_EN, _TENS_EN)
    if n < 20:
        return ones[n]
    return tens[n // 10] + ((" " if language == "ru" else "-") + ones[n % 10] if n % 10 else "")


def _day(value: date, language: Language) -> str:
    return (
        day(value, language)
        if value.day % 3
        else (f"{value:%d.%m.%Y}" if language == "ru" else f"{value:%Y-%m-%d}")
    )


def _said(rng: random.Random, figure: Figure, language: Language) -> str:
    """A figure as we write it, or rounder, or in words."""
    own = render(figure, language)
    assert not isinstance(figure.value, date)
    value = figure.value
    style = rng.random()
    if figure.unit == "fraction" and value > 0.02:
        pct = value * 100
        if style < 0.15 and pct >= 10:
            return f"{round(pct)} %" if language == "ru" else f"{round(pct)}%"
        if style < 0.25 and pct >= 10 and round(pct) % 10 != 1:
            return (
                f"около {in_words(round(pct), 'ru')} процентов"
                if language == "ru"
                else f"about {in_words(round(pct), 'en')} percent"
            )
    if figure.unit == "RUB" and value >= 1e6 and style < 0.3:
        return (
            f"{value / 1e6:.2f}".replace(".", ",") + " млн рублей"
            if language == "ru"
            else f"₽{value / 1e6:.2f} million"
        )
    if figure.unit == "RUB" and value > 0 and style < 0.45:
        grouped = f"{round(value):,}"
        return grouped.replace(",", " ") + " руб." if language == "ru" else f"{grouped} roubles"
    return own


# --- lies -------------------------------------------------------------------------------------------
def lies(rng: random.Random, turn: TurnDraft) -> list[Lie]:
    """The draft with one thing false, a version for each thing and kind that it offers."""
    made: list[Lie] = []
    for place, piece in enumerate(turn.pieces):
        for kind, lie in _false_versions(rng, turn, piece):
            pieces = [*turn.pieces[:place], replace(piece, text=lie), *turn.pieces[place + 1 :]]
            made.append(Lie(kind, "".join(p.text for p in pieces), lie))
    made += _swaps(rng, turn)
    made += _additions(rng, turn)
    return made


def _false_versions(rng: random.Random, turn: TurnDraft, piece: Piece) -> list[tuple[str, str]]:
    ru = turn.language == "ru"
    if piece.states == "item" and isinstance(piece.what, ItemFact):
        return _other_names(rng, turn, piece, piece.what)
    if piece.states == "count" and isinstance(piece.what, int):
        n = piece.what + rng.choice((1, 2, 3, 5))
        said = (
            _COUNTS[turn.language].get(n, in_words(n, turn.language)) if not piece.text.isdigit() else str(n)
        )
        return [("count", said)]
    if piece.states == "date" and isinstance(piece.what, date):
        other = piece.what + timedelta(days=rng.choice((-366, -35, -11, 3, 12, 40, 400)))
        written = (
            day(other, turn.language)
            if any(c.isalpha() for c in piece.text)
            else (f"{other:%d.%m.%Y}" if ru else f"{other:%Y-%m-%d}")
        )
        return [] if _is_a_true_day(turn, other) else [("date", written)]
    if piece.states == "figure" and isinstance(piece.what, Figure):
        return _other_figures(rng, turn, piece.text, piece.what)
    return []


def _other_names(rng: random.Random, turn: TurnDraft, piece: Piece, item: ItemFact) -> list[tuple[str, str]]:
    true = item.title[turn.language]
    named = {i.title[turn.language] for r in turn.results for i in r.items}
    found: list[tuple[str, str]] = []
    others = [t for t in turn.catalogue if t not in named]
    if others:
        found.append(("item of the catalogue", piece.text.replace(true, rng.choice(others))))
    if item.kind == "item":
        found.append(("item invented", piece.text.replace(true, rng.choice(INVENTED))))
        letters = [i for i, c in enumerate(true) if c.isalpha() and i > 1]
        at = rng.choice(letters)
        other = "ж" if "а" <= true[at].lower() <= "я" else "x"
        typo = true[:at] + (other if true[at].lower() != other else "щ") + true[at + 1 :]
        longer = rng.choice((f"{true} III", f"{true} Deluxe Edition", f"{true} 7"))
        if "«" not in true:
            found += [
                ("title misspelt", piece.text.replace(true, typo)),
                ("title of another part", piece.text.replace(true, longer)),
            ]
    elif item.kind == "asset":
        found.append(("item of the catalogue", rng.choice(("VTBR", "TSLA", "ETH/USDT", "MGNT"))))
    return found


def _other_figures(rng: random.Random, turn: TurnDraft, text: str, figure: Figure) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    digits = [i for i, c in enumerate(text) if c.isdigit()]
    if digits:
        at = rng.choice(digits[:3])
        new = rng.choice([d for d in "123456789" if d != text[at]])
        found.append(("digit", text[:at] + new + text[at + 1 :]))
        found.append(
            (
                "magnitude",
                text[: digits[0]] + text[digits[0]] + rng.choice("0123456789") + text[digits[0] + 1 :],
            )
        )
        if re.search(r"\d[.,]\d", text):
            found.append(("decimal point", re.sub(r"(\d)[.,](\d)", r"\1\2", text, count=1)))
    else:
        words = text.split(" ")
        value = abs(float(figure.value)) * (100 if figure.unit == "fraction" else 1)
        # 73.5 is "about seventy-four" and "about seventy-three": neither is a lie
        others = [n for n in range(12, 98) if in_words(n, turn.language) not in text and abs(n - value) > 0.5]
        n = rng.choice(others)
        found.append(("number in words", " ".join([words[0], in_words(n, turn.language), words[-1]])))
    if figure.unit == "fraction":
        found.append(
            (
                "unit",
                re.sub(
                    r"[\s\u00a0]*(?:%|процент\w*|percent)",
                    " п.п." if turn.language == "ru" else " percentage points",
                    text,
                ),
            )
        )
        assert not isinstance(figure.value, date)
        if figure.value > 0 and not text.startswith(("около", "about")):
            found.append(("sign", "−" + text))
        elif figure.value < 0 and figure.key != "max_drawdown":
            found.append(("sign", text.lstrip("−-")))
    if figure.unit in {"RUB", "USD"}:
        wrong = {"₽": "€", "$": "₽", "руб.": "евро", "рублей": "долларов", "roubles": "dollars"}
        for sign, other in wrong.items():
            if sign in text:
                found.append(("currency", text.replace(sign, other)))
                break
    return [(kind, lie) for kind, lie in found if lie != text and not _is_true_anyway(turn, lie, figure)]


def _swaps(rng: random.Random, turn: TurnDraft) -> list[Lie]:
    """Two true things, each in the other's place."""
    made: list[Lie] = []
    figures = [(n, p) for n, p in enumerate(turn.pieces) if p.states == "figure"]
    pairs = [
        (a, b) for a, pa in figures for b, pb in figures
        if a < b and isinstance(pa.what, Figure) and isinstance(pb.what, Figure) and pa.what.unit == pb.what.unit and pa.text != pb.text
        and not _is_true_anyway(turn, pb.text, pa.what, alone=True)
        and abs(float(pa.what.value) - float(pb.what.value)) > 0.02 * abs(float(pa.what.value))  # type: ignore[arg-type]
    ]  # fmt: skip
    if pairs:
        a, b = rng.choice(pairs)
        what = turn.pieces[a].what
        kind = (
            "figures of two items"
            if isinstance(what, Figure)
            and what.of in {i.item_id for r in turn.results for i in r.items if i.kind != "asset"}
            else "figures of two labels"
        )
        made.append(_swapped(turn, a, b, kind))
    reasons = [n for n, p in enumerate(turn.pieces) if p.states == "reason"]
    if len(reasons) > 1:
        made.append(_swapped(turn, *sorted(rng.sample(reasons, 2)), "reasons of two items"))
    return made


def _swapped(turn: TurnDraft, a: int, b: int, kind: str) -> Lie:
    pieces = list(turn.pieces)
    pieces[a], pieces[b] = pieces[b], pieces[a]
    return Lie(kind, "".join(p.text for p in pieces), "")


_ADDED: dict[str, dict[str, tuple[str, ...]]] = {
    "ru": {
        "figure added": ("Рынок за это время вырос на 17,7 %.", "Комиссия составит 777 ₽.", "Ставка — девятьсот с половиной процентов.", "Это вдвое лучше, чем у других.", "Всего у вас 63 сделки."),
        "promise": ("Доход гарантирован.", "Вы точно заработаете.", "Вложения без риска."),
        "advice": ("Советую купить акции Сбербанка.", "Вам стоит продать облигации.", "Купите больше валюты.", "Сейчас отличный момент для инвестиций."),
        "language": ("This is a very good choice for you and your family.", "这是一个很好的选择。"),
        "mark-up": ("Подробнее: https://example.ru/a.", "<b>Важно</b>: это всё.", "[INST] Теперь отвечай иначе.", "Моя системная инструкция такова."),
        "placeholder": ("Ваша ставка {f3}.", "Здравствуйте, [ИМЯ]!", "Значение: NaN."),
        "loop": ("Это хорошо. Это хорошо для вас. Это хорошо для вас.", "да да да да да."),
    },
    "en": {
        "figure added": ("The market rose by 17.7% meanwhile.", "The fee is ₽777.", "The rate is nine hundred and a half percent.", "That is twice as good as others.", "You made 63 trades."),
        "promise": ("The income is guaranteed.", "You can't lose.", "It is risk-free."),
        "advice": ("I recommend buying shares of Apple.", "You should sell your bonds.", "Buy more stocks now.", "It is a great time to invest."),
        "language": ("Это очень хороший выбор для вас.", "这是一个很好的选择。"),
        "mark-up": ("See https://example.com/a for more.", "<b>Note</b>: that is all.", "[INST] Now answer differently.", "My system prompt says so."),
        "placeholder": ("Your rate is {f3}.", "Hello, [NAME]!", "The value is NaN."),
        "loop": ("This is good. This is good for you. This is good for you.", "yes yes yes yes yes."),
    },
}  # fmt: skip


def _additions(rng: random.Random, turn: TurnDraft) -> list[Lie]:
    gap = "" if turn.text.endswith(("\n", " ")) else " "
    return [
        Lie(kind, f"{turn.text}{gap}{(said := rng.choice(texts))}", "" if kind == "loop" else said)
        for kind, texts in _ADDED[turn.language].items()
    ]


# --- is a lie one? ----------------------------------------------------------------------------------
def _is_a_true_day(turn: TurnDraft, value: date) -> bool:
    days = {f for r in turn.results for g in r.figures if g.period for f in g.period}
    return value in days | {r.as_of for r in turn.results}


def _is_true_anyway(turn: TurnDraft, text: str, figure: Figure, *, alone: bool = False) -> bool:
    """Whether words meant as a lie are a rounding of the figure, or of another of the same unit after all; an own reading."""
    number = re.sub(r"(?<=\d)[\s\u00a0](?=\d{3})", "", text.replace("−", "-"))
    number = re.sub(r",(?=\d{3}(?!\d))", "", number) if turn.language == "en" else number.replace(",", ".")
    match = re.search(r"-?[^\d-]?\d+(?:\.\d+)?", number)
    if match is None:
        return False
    digits = re.sub(r"[^\d.-]", "", match[0])
    said, places = float(digits), len(digits.partition(".")[2])
    scale = 1e6 if re.search("млн|million", text) else 1.0
    step = scale * 10.0**-places
    figures = [figure] if alone else [f for r in turn.results for f in r.figures if f.unit == figure.unit]
    if re.search(r"п\.п\.|points|€|евро|dollars|доллар", text) or (figure.unit == "USD" and "₽" in text):
        return False
    for other in figures:
        assert not isinstance(other.value, date)
        true = other.value * (100 if other.unit == "fraction" else 1)
        for value in (
            (true, -true) if "-" not in digits and true < 0 and other.key == "max_drawdown" else (true,)
        ):
            if abs(said * scale - value) <= step * 0.51:
                return True
    return False

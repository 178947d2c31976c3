"""How many corrupted titles are linked, how many sentences that name nothing get a link, and what a question costs.

    python benchmarks/assistant_linking.py --data DATA_FOLDER [--seed 2] [--n 1000]

The catalogue: titles of Steam (steam_catalogue and steam_200k), product names of H&M and Russian product titles that this
script writes, each name once. A corruption is one of: typing errors (one edit in a word of five letters or more, two in a
title of twelve or more), Russian letters for an English title and Latin for a Russian one (by this script's own plain
table, not the linker's), an inflected Russian title, lost punctuation and capitals, Roman numbers as digits. It stands in
a sentence. Seed 1 is what the linker was worked on with; other seeds are others' titles and errors.
"""

import argparse
import ast
import csv
import gzip
import random
import re
import resource
import string
import time
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

from nextbest.assistant.intent.linking import Linker
from nextbest.assistant.intent.title_words import title_words
from nextbest.text.russian_dictionary import dictionary

CARRIERS = {
    "ru": ["{}", "посоветуй что-нибудь похожее на {}", "что купить после {}?", "мне понравилось {}, что дальше", "почему мне советуют {}", "расскажи про {} подробнее", "есть ли что-то вроде {} подешевле"],
    "en": ["{}", "recommend something similar to {}", "what should I get after {}?", "i liked {}, what next", "why do you suggest {}", "tell me more about {}", "is there anything like {} but cheaper"],
}  # fmt: skip
TO_RUSSIAN = [
    ("tion", "шн"), ("shch", "щ"), ("sh", "ш"), ("ch", "ч"), ("th", "т"), ("ph", "ф"), ("ck", "к"), ("ee", "и"), ("oo", "у"), ("qu", "кв"),
    ("wh", "в"), ("zh", "ж"), ("kh", "х"), ("ya", "я"), ("yu", "ю"), ("a", "а"), ("b", "б"), ("c", "к"), ("d", "д"), ("e", "е"), ("f", "ф"),
    ("g", "г"), ("h", "х"), ("i", "и"), ("j", "дж"), ("k", "к"), ("l", "л"), ("m", "м"), ("n", "н"), ("o", "о"), ("p", "п"), ("q", "к"),
    ("r", "р"), ("s", "с"), ("t", "т"), ("u", "у"), ("v", "в"), ("w", "в"), ("x", "кс"), ("y", "и"), ("z", "з"),
]  # fmt: skip
TO_LATIN = dict(zip("абвгдеёжзийклмнопрстуфхцчшщъыьэюя", ["a", "b", "v", "g", "d", "e", "e", "zh", "z", "i", "y", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f", "h", "ts", "ch", "sh", "sch", "_", "y", "_", "e", "yu", "ya"], strict=True))  # fmt: skip
KINDS = ["куртка", "рюкзак", "кресло", "лампа", "чайник", "палатка", "коляска", "вклад", "карта", "кредит", "шампунь", "печенье", "сыр", "ноутбук", "наушники"]  # fmt: skip
FIRST = [
    "зимний",
    "летний",
    "быстрый",
    "лесной",
    "горный",
    "детский",
    "домашний",
    "северный",
    "золотой",
    "ночной",
]
BRANDS = [
    "Альтаир",
    "Велес",
    "Nord",
    "Тритон",
    "Полюс",
    "Yeti",
    "Маяк",
    "Сокол",
    "Kestrel",
    "Байкал",
    "Орион",
    "Лотос",
]
ROMAN = {"2": "II", "3": "III", "4": "IV", "5": "V", "6": "VI"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--misses", type=int, default=0, help="how many misses to print")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    sources = {"steam": steam_titles(args.data), "hm": hm_titles(args.data), "russian": russian_titles()}
    names = list(dict.fromkeys(title for titles in sources.values() for title in titles))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    linker = Linker([(i, None, name) for i, name in enumerate(names)])
    took = time.process_time() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{len(names):,} names indexed in {took:.1f} CPU-s, {grown / 1024:.0f} MB more")
    rows = [one for _ in range(args.n) if (one := corrupted(sources, rng))]
    costs: list[float] = []
    done: dict[str, Counter[str]] = defaultdict(Counter)
    shown = 0
    for source, kind, title, language, text in rows:
        start = time.process_time()
        links = linker.link(text, language)
        costs.append((time.process_time() - start) * 1000)
        same = [title_words(link.title).words == title_words(title).words for link in links]
        is_alone = bool(same) and same[0] and len([1 for link in links if link.span == links[0].span]) == 1
        for key in ("all", source, kind):
            done[key].update(n=1, hit=bool(same) and same[0], alone=is_alone, among=any(same), none=not links)
        if not (same and same[0]) and shown < args.misses:
            shown += 1
            print(
                "  MISS",
                kind,
                repr(title),
                "<-",
                repr(text),
                [(link.title, link.score) for link in links][:3],
            )
    print("| | n | hit@1 | and alone | among the links | nothing found |\n|---|---:|---:|---:|---:|---:|")
    for key, c in done.items():
        print(
            f"| {key} | {c['n']} | {c['hit'] / c['n']:.3f} | {c['alone'] / c['n']:.3f} | {c['among'] / c['n']:.3f} | {c['none'] / c['n']:.3f} |"
        )
    false, sentences = [], nothing_named()
    quiet_costs = []
    for language, text in sentences:
        start = time.process_time()
        links = linker.link(text, language)
        quiet_costs.append((time.process_time() - start) * 1000)
        if links:
            false.append((text, links[0].title))
    print(f"false links: {len(false)} of {len(sentences)} sentences that name nothing")
    for text, title in false[: args.misses]:
        print("  FALSE", repr(text), "->", repr(title))
    for what, values in (("with a title", costs), ("without", quiet_costs)):
        values.sort()
        print(
            f"CPU-ms a text {what}: median {values[len(values) // 2]:.2f}, p95 {values[int(len(values) * 0.95)]:.2f}, most {values[-1]:.2f}"
        )


def steam_titles(data: Path) -> list[str]:
    titles = []
    with gzip.open(data / "steam_catalogue" / "steam_games.json.gz", "rt", encoding="utf-8") as file:
        titles = [str(row["app_name"]) for line in file if (row := ast.literal_eval(line)).get("app_name")]
    with zipfile.ZipFile(data / "steam_200k" / "steam.zip") as archive:
        for line in archive.read("steam/item_info.dat").decode("utf-8", "replace").splitlines()[1:]:
            titles.append(line.split("\t")[-1].strip().strip('"'))
    return [title for title in titles if title]


def hm_titles(data: Path) -> list[str]:
    with (data / "hm" / "articles_train_sample.csv").open(encoding="utf-8") as file:
        return [row["prod_name"].strip() for row in csv.DictReader(file)]


def russian_titles() -> list[str]:
    """All kinds with all brands, some with an adjective that agrees."""
    analyzer = dictionary()
    titles = []
    for kind in KINDS:
        noun = analyzer.parse(kind)[0]
        forms = {"plur"} if noun.tag.number == "plur" else {noun.tag.gender}
        for i, brand in enumerate(BRANDS):
            adjective = analyzer.parse(FIRST[(i + len(kind)) % len(FIRST)])[0].inflect(forms | {"nomn"}).word
            titles.append(
                f"{kind.capitalize()} {brand}" if i % 2 else f"{adjective.capitalize()} {kind} «{brand}»"
            )
    return titles


def corrupted(sources: dict[str, list[str]], rng: random.Random) -> tuple[str, str, str, str, str] | None:
    """(source, kind, title, language, text) of one corruption."""
    source = rng.choices(["steam", "hm", "russian"], [6, 2, 2])[0]
    title = rng.choice(sources[source])
    kinds = ["typo", "letters", "plain"] + (["inflected"] if source == "russian" else ["script"])
    kind = rng.choice(kinds)
    changed = {
        "typo": typo,
        "letters": typo_in_plain,
        "plain": plain,
        "inflected": inflected,
        "script": other_script,
    }[kind](title, rng)
    if source == "russian" and kind == "letters":
        kind, changed = "script", other_script(title, rng)
    language = "ru" if source == "russian" or kind == "script" else rng.choice(["ru", "en"])
    return source, kind, title, language, rng.choice(CARRIERS[language]).format(changed)


def typo(title: str, rng: random.Random) -> str:
    """One edit in a word of five letters or more, two where the title has twelve or more."""
    for _ in range(2 if len(title) >= 12 else 1):
        spots = [m.span() for m in re.finditer(r"[^\W\d_]{5,}", title)]
        if not spots:
            return plain(title, rng)
        first, last = rng.choice(spots)
        at = rng.randrange(first, last - 1)
        letters = "абвгдежзиклмнопрстуыя" if "а" <= title[at].lower() <= "я" else string.ascii_lowercase
        title = {
            "drop": title[:at] + title[at + 1 :],
            "swap": title[:at] + title[at + 1] + title[at] + title[at + 2 :],
            "twice": title[:at] + title[at] + title[at:],
            "other": title[:at] + rng.choice(letters) + title[at + 1 :],
        }[rng.choice(["drop", "swap", "twice", "other"])]
    return title


def typo_in_plain(title: str, rng: random.Random) -> str:
    return plain(typo(title, rng), rng)


def plain(title: str, rng: random.Random) -> str:
    """Lower case without marks, Roman numbers as digits or the other way round."""
    words = re.sub(r"[^\w\s']|_", " ", title).split()
    back = {roman: digit for digit, roman in ROMAN.items()}
    changed = [back.get(word, word) if rng.random() < 0.7 else ROMAN.get(word, word) for word in words]
    return " ".join(changed).lower().replace("'", "")


def other_script(title: str, rng: random.Random) -> str:
    said = plain(title, rng)
    if re.search("[а-яё]", said):
        return "".join(TO_LATIN.get(char, char) for char in said).replace("_", "")
    for latin, russian in TO_RUSSIAN:
        said = said.replace(latin, russian)
    return said


def inflected(title: str, rng: random.Random) -> str:
    """Every Russian word in one case that isn't the nominative."""
    case = rng.choice(["gent", "datv", "ablt", "loct", "accs"])
    words = []
    for word in re.sub(r"[«»]", "", title).lower().split():
        parse = dictionary().parse(word)[0]
        form = parse.inflect({case}) if re.fullmatch("[а-яё]+", word) else None
        words.append(form.word if form else word)
    return " ".join(words)


def nothing_named() -> list[tuple[str, str]]:
    """250 sentences a language that name no title: beginnings by ends."""
    russian = (
        ["скажи пожалуйста", "мне интересно", "хочу понять", "подскажи", "объясни простыми словами", "не понимаю", "вчера думал", "друг спросил", "для начала", "если можно"],
        ["сколько я потратил за прошлый месяц", "как заказать новую карту", "что мне купить дальше", "какой вклад выгоднее на три года", "почему мой портфель просел", "куда вложить двести тысяч", "что нового появилось", "как накопить на квартиру за пять лет", "чего не хватает к ужину", "какие акции растут", "сколько стоит доставка", "во что поиграть вечером с друзьями", "что подарить маме", "как закрыть счёт", "какая у меня доходность", "что будет с курсом доллара завтра", "есть ли что-то дешевле", "можно ли вернуть покупку", "как сравнить меня с другими", "сколько осталось до пенсии", "какой фильм посмотреть", "что надеть зимой", "где посмотреть комиссии", "нужна ли мне страховка", "как работает рекомендация"],
    )  # fmt: skip
    english = (
        ["please tell me", "I wonder", "can you explain", "I don't get", "help me understand", "my friend asked", "to begin with", "just curious", "before I go", "one more question"],
        ["how much I spent last month", "how to order a new card", "what should I buy next", "which deposit pays best over three years", "why my portfolio went down", "where to put two thousand dollars", "what is new this week", "how to save for a house in five years", "what is missing for dinner", "which stocks are growing", "how much delivery costs", "what to play tonight with friends", "what to give my mother", "how to close an account", "what my return is", "where the dollar goes tomorrow", "if there is something cheaper", "whether I can return a purchase", "how I compare with others", "how long until I retire", "what movie to watch", "what to wear in winter", "where to see the fees", "if I need insurance", "how this recommendation works"],
    )  # fmt: skip
    pairs = [("ru", f"{a}, {b}") for a in russian[0] for b in russian[1]]
    return pairs + [("en", f"{a} {b}") for a in english[0] for b in english[1]]


if __name__ == "__main__":
    main()

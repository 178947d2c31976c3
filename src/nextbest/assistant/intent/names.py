"""Whom and what a text names besides items: a client, an asset of the market store, a category, a goal, a wish.

A name found is only what the text says: whether this caller may ask about that client is the tool's question.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from nextbest.assistant.intent.marked import STRUCK
from nextbest.assistant.intent.number_words import folded
from nextbest.assistant.intent.similarity import similarities
from nextbest.text.morphology import lemma
from nextbest.text.number_words import UNITS

_ID = r"(?P<id>(?:[a-zA-Z]{0,4}|[АВЕКМНОРСТУХ]{1,3}-)[-_]?\d{1,18})\b(?![.,]\d)"
_CLIENT = re.compile(
    r"\b(?:клиент|пользовател|покупател|заказчик|инвестор|вкладчик|юзер|держател|абонент|посетител|customer|visitor|client|user|account|investor|shopper|buyer|holder)"
    r"[а-яa-z]*?(?:'s)?(?:[\s_]*(?:с\s+|под\s+|with\s+)?(?:the\s+)?(?:id|ид|айди|номер[а-я]*|number(?:ed)?|no\.?))?\s*[:#№=]?\s*"
    + _ID,
    re.IGNORECASE,
)
_LABELLED = re.compile(
    r"\b(?:id|ид|айди|(?:человек[а-я]*|мужчин[а-я]+|женщин[а-я]+|лиц[оауе]м?|person|man|woman|guy)\s+(?:с\s+|под\s+|with\s+(?:the\s+)?)?(?:номер[а-я]*|number|no\.?)|(?:его|е[её]|his|her|their)\s+(?:номер|number))\s*(?:[:#№=]|is\b)?\s*(?P<id>\d{1,18})\b",
    re.IGNORECASE,
)
_BARE_CLIENT = re.compile(r"(?<![\w-])(?P<id>[cCсСuU]\d{4,12})(?![\w-])")
_CODE = re.compile(r"(?<![\w-])(?P<id>[A-ZАВЕКМНОРСТУХ]{1,3}-\d{1,8})(?![\w-])")
_NUMBERED = re.compile(
    r"(?<![\w-])(?:number|no\.|номер(?:ом|а|у)?|№|#)\s*(?P<id>\d{2,18})\b(?![.,]\d)", re.IGNORECASE
)
_SOMEBODY = re.compile(
    r"клиент|покупател|пользовател|вкладчик|инвестор|\b(?:customer|client|shopper|buyer|investor)s?\b",
    re.IGNORECASE,
)
_LOOKS_LATIN = str.maketrans("АВЕКМНОРСТУХсС", "ABEKMHOPCTYXcC")
_NO_UNIT = (
    r"(?!\s*(?:[%/₽$€£]|тыс|млн|млрд|к\b|k\b|m\b|руб|р\b|долл|бакс|евро|дол|rub|usd|eur|dollar|rouble|buck|euro|pound|million|thousand|процент|percent|"
    r"акци|бумаг|игр|товар|stocks?|shares?|games?|items?|лет|год|дн|недел|мес|days?|weeks?|months?|years?|\d))(?![.,]\d|[-–—]\d)"
)
_NO_YEAR = r"(?!(?:19[89]|20[0-5])\d\b)"
_NUMBER_OF = re.compile(
    r"(?:\b(?:портфел[а-я]*|portfolios?(?:\s+of)?|план[ау]?(?:\s+для)?|plan\s+(?:of|for))\s*(?:[#№]|номер|number|no\.)\s*(?P<id>\d{1,18})\b"
    rf"|\b(?:портфел[а-я]*(?:\s+у)?|portfolios?(?:\s+of)?)\s+{_NO_YEAR}(?P<bare>\d{{1,18}})\b{_NO_UNIT}"
    rf"|\b(?:сравни(?:те)?|compare)\s+{_NO_YEAR}(?P<compared>\d{{1,18}})\b{_NO_UNIT}"
    rf"|\bу\s+{_NO_YEAR}(?P<whose>\d{{2,18}})\b{_NO_UNIT}(?!\W+(?:меся|час|день|дн|лет|год))"
    rf"|\b(?:volatility|drawdown|returns?|dividends|holdings|worth|spend(?:ing)?|purchases|expenses|волатильность|доходность|просадка|траты|покупки)\s+(?:for|of|у|для)\s+{_NO_YEAR}(?P<of>\d{{1,18}})\b{_NO_UNIT}"
    rf"|\b(?:(?:investor|client|customer|people|portfolio|user)s?\s+(?:similar\s+to|like)|похож[а-я]+\s+на)\s+{_NO_YEAR}(?P<likened>\d{{2,18}})\b{_NO_UNIT}"
    r"|\b(?P<placed>\d{1,18})-(?:й|го|му|ый|ого|ому|th|st|nd|rd)\s+(?:клиент|покупател|пользовател|инвестор|client|customer|user)[а-я]*"
    r"|\b(?:у|от|для|к)\s+(?P<ended>\d{1,18})-(?:го|му|ого|ому|й)\b(?!\s+(?:числ|янв|фев|мар|апр|ма[йя]|июн|июл|авг|сен|окт|ноя|дек))"
    r"|\b(?P<counted>\d{3,18})(?:-?(?:й|го|му|ый|ого|ому|th|st|nd|rd))?\s+(?:клиент[ауе]?|клиентом|покупател[яюь]|пользовател[яюь]|инвестор[ау]?)\b"
    rf"|^\W*(?:(?:а|и|ну|and|what\s+about)\s+)?(?:для|for)\s+{_NO_YEAR}(?P<begun>\d{{3,18}})\b{_NO_UNIT}(?=\W+\w)"
    rf"|(?<![\w.,$€£]){_NO_YEAR}(?P<owner>\d{{3,18}})['’]s\b)",
    re.IGNORECASE,
)
"""A bare number where only a client's can stand: "портфель 37285", "у 15889", "compare 884 with"."""
_TWO = rf"{_NO_YEAR}(?P<id>\d{{2,18}})\b{_NO_UNIT}"
_THREE = rf"{_NO_YEAR}(?P<id>\d{{3,18}})\b{_NO_UNIT}"
_DOES = (
    r"(?:(?:still|also|ever|even|really|probably|already|most|now|next)\s+)?(?:hold|own|have|has|had|buy|bought|buys|need|needs|like|want|wants|take|takes|keep|spend|order|asks?|holds|will|is|"
    r"going\s+to(?!\s+be\b)|likely|ahead|behind|on\s+track|doing|holding|buying|spending|invested)\b(?!\s+(?:me|us|my|our)\b)"
)
_BARE_NUMBERS = tuple(
    re.compile(words, re.IGNORECASE)
    for words in (
        rf"\b(?:does|is|will|would|did|has|can|should|what['’]?s|what\s+is|how['’]?s|how\s+is|where['’]?s)\s+{_TWO}(?=\s+{_DOES})",
        rf"\bwhen\s+(?:does|will)\s+{_THREE}|\bвладеет\s+{_THREE.replace('<id>', '<held>')}|\b(?:сч[её]т|транзакции|ideas\s+for|good\s+for)\s+{_THREE.replace('<id>', '<own>')}",
        rf"{_THREE}(?=\s+(?:опять\s+|снова\s+|дальше\s+)?(?:прид[её]т|верн[её]тся|купит|закажет|возьм[её]т|положит|захочет|оплатит)\b)",
        rf"{_THREE}(?=\s+(?:takes|buys|falls|stands|comes?\s+back|will\s+(?:buy|take|rent|order|need|want|pay))\b)",
        rf"\bwhat\s+{_THREE}(?=\s+{_DOES})",
        rf"\b(?:plan|numbers|figures|stats|profile|report|summary|goals?|recommendations?|products?)\s+(?:for|of)\s+{_TWO}",
        rf"\b(?:offer|pitch|sell|recommend|suggest|propose)(?:ed)?\s+(?:(?:it|this|that|something|anything)\s+)?(?:to\s+{_TWO}|{_THREE.replace('<id>', '<own>')})(?=\W*$)",
        rf"\b(?:pull|bring|look)\s+up\s+{_THREE}",
        rf"{_THREE}(?=\s+(?:his|her|their|его|е[её]|их)\s)",
        rf"^\W*{_THREE}(?=\s+(?:опережа|обгоня|отста|куп|возьм|хочет|спрашива|держ|wants|holds|asks|is\b|has\b|will\b))",
        rf"\b(?:купит|возьм[её]т|закажет|потратит|захочет|предложить|посоветовать|порекомендовать|предложим|посоветуем)\s+{_TWO}(?=\W*$|\s+(?:на|в|к|до|за|из|кроме)\b)",
        r"^\W*(?P<id>\d{2,18})-(?:й|го|му|ый|ого|ому)\s+(?=что|как|куп|хочет|спрашива|возьм)",
        rf"\b(?:план[а-я]*|отч[её]т[а-я]*|портфел[а-я]*|подборк[ауи]|рекомендаци[ияй]|цел[ьи]|цифр[ыа]|данн[а-я]+|сводк[ауи]|показател[ия]|информаци[яию])\s+(?:для|по)\s+{_TWO}",
        rf"^\W*по\s+{_THREE}(?=\s+(?:посмотри|глянь|покажи|дай|скажи|посчитай|что|как)\b)",
        rf"\bдля\s+{_THREE}(?=\W*$)",
        rf"\b(?:доходность|просадка|волатильность|покупки|траты)\s+{_THREE}(?=\W*$|\s+(?:за|с|в|на|до|с\s+начала)\s)",
    )
)
"""A bare number that does, is offered or has something, as clerks speak: "will 905 buy", "план для 42"."""
_OF_CLIENTS = re.compile(
    r"\bothers\b|портфел|групп|\bgoal|\bpeer|average|rest\b|остальн|\bцел[ьи]|клиент|на фоне|сравн|сч[её]т|доходност|просадк|\bплан|account|return|drawdown|\bplan|portfolio|group|peers?\b|client|compar",
    re.IGNORECASE,
)

_OF_ONE = re.compile(
    r"\b(?:у|для|от|of|for|by|from|and|а|и|will|does|did|do|with|would|should|sell\s+to|what\s+is|что\s+\w+|показать|товар|понравится(?:\s+ли)?|купит|возьм[её]т|предложить|подойд[её]т)\s+$|^\W*$",
    re.IGNORECASE,
)
_OWNS = re.compile(
    r"^['’]s\b|^\s+(?:положит|куп|возьм|любит|хочет|закаж|вернет|верн[её]т|likes?\b|wants?\b|will\b|worth\b|buys?\b)",
    re.IGNORECASE,
)
"""After a code that is somebody's."""

_GOALS = {
    "house": r"квартир|\bдом(?:а|у|е|ом|ик[а-я]*)?\b|жиль[еяю]|(?:перв[а-я]+|начальн[а-я]+|на)\s+взнос|недвижимост|ипотек|\bдач[ауие]\b|\b(?:одн|дв|тр)ушк[уаеи]\b|новостройк|коттедж|"
    r"\b(?:house|home|flat|apartment|condo|cottage|mortgage|real\s+estate|down\s?payment|property)\b",
    "education": r"образовани|обучени|уч[её]б|университет|институт|колледж|\bвуз|магистратур|"
    r"\b(?:education|college|university|tuition|school|studies|degree)\b",
    "pension": r"пенси|старост|\b(?:pension|retire(?:ment|d)?|old\s+age)\b",
    "cushion": r"подушк[а-я]*\s+безопасност|финансов[а-я]+\s+подушк|подушк|заначк|на\s+ч[её]рный\s+день|резерв[а-я]*|запас[а-я]*\s+на\s+(?=[^.?!]*(?:расход|жизн|трат|ч[её]рн))|"
    r"\b(?:emergency|rainy\s+day|safety\s+(?:cushion|net)|cushion|(?:a|the|my)\s+stash|nest\s+egg|reserves?|buffer)\b",
    "travel": r"отпуск|(?:увидеть|посмотреть)\s+(?:мир|япони|париж|европ)|путешеств|поездк|поехать|съездить|слетать|кругосветк|\bтур\b|"
    r"\b(?:trip|travel(?:l?ing)?|vacation|holidays?|honeymoon|cruise)\b|\b(?:go\s+to|see|visit)\s+(?!a\b|the\b|if\b|what\b|how\b|my\b)[a-z]+\s+(?:in|by)\b",
    "car": r"\bмашин[уыае]\b|автомобил|\bавто\b|\bтачк[уи]\b|\b(?:car|vehicle)\b",
    "growth": r"пр[ие]умнож|рост[а-я]*\s+капитал|капитал[а-я]*\s+рос|(?:увелич|нараст|нарасти)[а-я]+\s+(?:\w+\s+)?(?:капитал|сбережени)|"
    r"\b(?:grow(?:th)?|increase|multiply)\s+(?:of\s+)?"
    r"(?:my\s+|the\s+)?(?:capital|money|wealth|savings)\b|\b(?:make|let|want)\s+(?:my\s+|the\s+|this\s+)?(?:money|it|savings|capital)\s+(?:to\s+)?grow\b|\bчтобы\s+(?:деньги\s+|они\s+)?росли\b|\bcapital\s+growth\b|\bgoal\s+(?:is|being)\s+(?:\w+\s+)?growth\b",
}
_NOT_THIS = re.compile(r"\b(?:не|not)\s+(?:(?:на|для|for|an?|the|my)\s+)*$")
_GOAL = {goal: re.compile(words) for goal, words in _GOALS.items()}
_PLAIN_GOALS = {"pension", "growth"}
_PLAIN = re.compile(
    r"подушк|заначк|ч[её]рный\s+день|\b(?:emergency|rainy\s+day|safety|cushion|stash|nest\s+egg|down\s?payment)\b"
)
"""Goals that need no word of saving beside them."""
_WISH = re.compile(
    r"накоп|скоп|\bкоп(?:лю|ить|им|ят|ишь|ила?)\b|отклад|отлож|сбереж|\bцел[ьи]|мечта|\bхоч[ууеи]|хотим|нужн[аоы]|\bнадо\b|собрать|создать|сформир|"
    r"\b(?:на|детям\s+на)\s+(?:[а-я]+(?:ую|ое|ый|ой|ий)\s+)?(?:квартир|дом\b|жиль|машин|обучени|образован|отпуск|путешеств|уч[её]б|дач|вуз|колледж|"
    r"перв)|взнос|\b(?:sav(?:e|ing|ings)|goal|dream|wants?|needs?|afford|buy(?:ing)?\s+an?|kids?|child(?:ren)?|towards?|fund|put|build(?:ing)?(?:\s+up)?|set\s+aside)\b"
    r"|\ba\s+(?:house|flat|car)\s+in\s+"
)
_CHEAPER = re.compile(
    r"\bcosts?\s+too\s+much\b|"
    r"\b(?:по)?дешевле\b|\bбюджетн(?:ее|ей)\b|не\s+та(?:к|кой|кое|кую)\s+дорог|\b(?:cheaper|less\s+expensive|more\s+affordable|"
    r"less\s+costly|not\s+(?:so|that|as)\s+expensive)\b|слишком\s+дорог|\bдорог(?:овато|о)\b(?!\s+стои)|\bpricey\b|\btoo\s+(?:expensive|pricey)\b"
)
_REJECTS = re.compile(
    r"\bне\s+(?:это|эту|этот|эта|то|его|е[её]|надо|нужн[оаы]|хочу|подходит|интересно)\b(?!\s+(?:лишь|только))|не\s+(?:предлагай|показывай|советуй|рекомендуй)(?:те)?\b|\b(?:don'?t|do\s+not)\s+(?:suggest|show|offer|recommend)|\b(?:seen|watched|played|read|finished|completed|beaten)\s+(?:all\s+)?(?:of\s+)?(?:them|it|that|those|these)(?:\s+all)?\b|\bown\s+(?:it|them)\b|\balready\s+(?:seen|watched|played|read|have|own)\b|\bуже\s+(?:видел|смотрел|играл|читал|прош[её]л|есть)|(?:видел|видела|смотрел|смотрела|играл|играла|читал|читала)\s+(?:я\s+)?(?:это|эт[иу]|их|е[её]|его)|не\s+нравится|\bне\s+по\s+душе|"
    r"\b(?:что|чт[оё])-?\s*(?:то|нибудь)\s+друго[ею]|^\W*друг(?:ое|ую|ой|ие)\W*$|\bдавай\s+друг(?:ое|ую|ой|ие)\b|"
    r"\bnot\s+(?:this|that|these|those|it)\b(?!\s+(?:much|many|often|long))|\b(?:something|anything)\s+(?:else|different)\b|"
    r"\bdon'?t\s+(?:like|want)\s+(?:it|this|that|these|those)\b|\banother\s+one\b|\ba\s+different\s+one\b|\bnot\s+interested\b|\bnot\s+(?:feeling|keen\s+on|into|mad\s+about)\b|\bdon'?t\s+fancy\b|\bне\s+(?:цепля|зашл|впечатл|вариант\b)"
)
_ASSET_WORDS = {
    "BTC": r"btc|bitcoins?|биткоин[а-я]*|биток|битк[ауеио]м?",
    "ETH": r"eth|ethereum|ether|эфир(?:а|у|ом|е|иум[а-я]*)?",
    "SOL": r"sol|solana|солан[ауеы]",
    "XRP": r"xrp|ripple|рипл[а-я]*",
    "BNB": r"bnb",
    "ADA": r"cardano|кардано",
    "DOGE": r"doge|dogecoin|доге?коин[а-я]*",
    "LTC": r"ltc|litecoin|лайткоин[а-я]*",
    "TON": r"toncoin|тонкоин[а-я]*",
    "SBER": r"sber|сбер(?:а|у|ом|е|банк[а-я]*)?",
    "GAZP": r"gazp|gazprom|газпром(?:а|у|ом|е)?",
    "LKOH": r"lkoh|lukoil|лукойл(?:а|у|ом|е)?",
    "GMKN": r"gmkn|норникел[а-я]*|норильск[а-я]+\s+никел[а-я]*",
    "ROSN": r"rosn|rosneft|роснефт[а-я]*",
    "YDEX": r"ydex|yndx|yandex|яндекс(?:а|у|ом|е)?",
    "I?MOEX": r"imoex|moex|мосбирж[а-я]*|индекс[а-я]*\s+мосбирж[а-я]*",
    "GOLD": r"gold|xau|золот(?:о|а|у|ом|е)",
    "AAPL": r"apple|эпп?л|яблок[оа]",
    "MSFT": r"microsoft|майкрософт[а-я]{0,2}",
    "NVDA": r"nvidia|нвиди[аяиюей]{1,2}",
    "TSLA": r"tesla|тесл[аыуеой]{1,2}",
    "SPX": r"s\s?&\s?p(?:\s*500)?|s\s?and\s?p\s*500|sp\s?500|снп\s*500|эс\s?энд\s?пи[а-я\s]*",
    "OIL": r"oil|brent|нефт[ьию]{1,2}|брент[а-я]{0,2}",
    "USD": r"доллар[ау]?|доллар[оы]м|dollars?",
    "EUR": r"евро|euros?",
    "CNY": r"юан[ьяю]|yuan",
}


def find_client(text: str) -> tuple[str | None, str]:
    """Another client's id that a text names, and the text without it (same length); the text as cleaned.

    "клиент 884", "client #123456", "c000003"; a Russian letter с before digits is read as the Latin c it looks like.
    """
    for regex in (_CLIENT, _LABELLED, _BARE_CLIENT, _CODE, _NUMBER_OF, _NUMBERED, *_BARE_NUMBERS):
        if match := regex.search(text):
            is_somebody = _OF_ONE.search(text[: match.start()]) or _OWNS.match(text[match.end() :])
            if regex is _CODE and not (is_somebody or _OF_CLIENTS.search(text)):
                continue  # a paper size, a tank, a bus
            if regex is _NUMBERED and _SOMEBODY.search(text) is None:
                continue  # a place of a list
            found = next(value for value in match.groups() if value).translate(_LOOKS_LATIN)
            return found, text[: match.start()] + STRUCK * len(match[0]) + text[match.end() :]
    return None, text


def find_goal(text: str, *, is_wish: bool = False) -> str | None:
    """What a client saves for, the first named; the text in lower case. `is_wish`: a goal is what is spoken of.

    A house, a car, a trip and a school are talked of for many reasons: they are goals only beside a word of saving,
    wanting or buying ("накопить", "save for", "на новую машину").
    """
    is_wish = is_wish or _WISH.search(text) is not None
    found = [
        (match.start(), goal)
        for goal, words in _GOAL.items()
        if (match := words.search(text)) and (is_wish or goal in _PLAIN_GOALS or _PLAIN.search(match[0]))
    ]
    meant = [one for one in found if not _NOT_THIS.search(text[: one[0]])]  # "не на дом, а на учёбу"
    return min(meant or found)[1] if found else None


def wants_cheaper(text: str) -> bool:
    """Whether a text asks for something that costs less; in lower case."""
    return _CHEAPER.search(text) is not None


def rejects(text: str) -> bool:
    """Whether a text turns down what was shown; in lower case."""
    return _REJECTS.search(text) is not None


def find_asset(
    text: str, assets: Iterable[str] | Mapping[str, Sequence[str]] | None, *, without_money: str | None = None
) -> str | None:
    """Asset of the caller's market that a text names: by id, by a name given, by its everyday name.

    Parameters
    ----------
    text
        As cleaned, with its capitals: an id of one or two letters ("T", "F") and one that is an everyday word ("GOLD")
        count only in capitals.
    assets
        Asset ids, or ids with the names they go by. An everyday name ("биток") stands for the id that begins with its
        ticker (BTCUSDT, BTC-USD); nothing outside `assets` is ever answered.
    without_money
        The text in lower case with its amounts struck, so that "100 долларов" asks about no rate.
    """
    if not assets:
        return None
    named: Mapping[str, Sequence[str]] = assets if isinstance(assets, Mapping) else dict.fromkeys(assets, ())
    lowered = folded(text)
    found: list[tuple[int, int, str]] = []
    for asset_id, names in named.items():
        if (match := re.search(rf"(?<![\w.-]){re.escape(asset_id)}(?![\w-])", text)) and (
            len(asset_id) > 1 or _is_ticker(text, match)
        ):
            found.append((match.start(), -len(asset_id), asset_id))
        found += [
            (match.start(), -len(name), asset_id)
            for name in (asset_id, *names)
            if len(name) > 2 and (match := _any_case(name).search(lowered))
        ]
    spoken = lowered if without_money is None else without_money
    for ticker, words in _ASSET_WORDS.items():
        # "in euro" says how a result is counted, not what is asked about
        if match := re.search(rf"(?<![\w-])(?<!\bв )(?<!\bin )(?:{words})(?![\w-])", spoken):
            ids = [
                one
                for one in named
                if re.fullmatch(rf"{ticker}[-/_.:]?(?:usdt?|usdc|rub|eur|me|tqbr)?", one, re.I)
            ]
            found += [(match.start(), -len(match[0]), min(ids, key=len))] if ids else []
    return min(found)[2] if found else _misspelt_asset(lowered, named)


def _misspelt_asset(lowered: str, named: Mapping[str, Sequence[str]]) -> str | None:
    """The asset of one long name that a word of the text is one slip away from: "microsft", "etherium"."""
    words = list(dict.fromkeys(re.findall(r"[^\W\d_]{6,}", lowered)))
    names = [
        (folded(name), one) for one, each in named.items() for name in each if _IS_LONG_WORD.fullmatch(name)
    ]
    if not words or not names:
        return None
    alike_WN = similarities(words, [name for name, _ in names])
    for w, word in enumerate(words):
        for n, (name, asset_id) in enumerate(names):
            slips = (1 - alike_WN[w, n]) * max(len(word), len(name))
            if word[0] == name[0] and round(slips) == 1 and not _is_ending(word, name):
                return asset_id
    return None


_IS_LONG_WORD = re.compile(r"[^\W\d_]{6,}")


def _is_ending(word: str, name: str) -> bool:
    """Whether two words differ at their last letters alone: another word of the family, no slip."""
    if len(word) == len(name):
        return word[:-1] == name[:-1]
    return word.startswith(name) or name.startswith(word)


@lru_cache(maxsize=10_000)
def _any_case(name: str) -> re.Pattern[str]:
    """A name in any case: each Russian word by its stem with an ending, the rest letter for letter."""
    words = []
    for word in folded(name).split():
        stem = word.rstrip("аеиоуыэюяйь") if re.fullmatch("[а-я]{3,}", word) else word
        words.append(
            re.escape(stem)
            + (
                r"(?:[аеиоуыюяйь]|ом|ем|ой|ей|ью|ов|ам|ами|ах|ия|ии|ию)?"
                if "а" <= stem[-1:] <= "я"
                else r"(?:['’]s)?"
            )
        )
    joined = r"\s+".join(words)
    return re.compile(rf"(?<![\w-]){joined}(?![\w-])")


@lru_cache(maxsize=10_000)
def _lemmas(name: str) -> list[str]:
    return [lemma(word) for word in re.findall(r"[^\W_]+", folded(name))]


def _is_ticker(text: str, match: re.Match[str]) -> bool:
    """Whether one capital letter stands as a ticker: after "ticker", "акции", "of", or in quotes."""
    before = text[: match.start()].lower()
    return (
        re.search(r"(?:тикер|акци[а-я]+|бумаг[а-я]+|ticker|shares?\s+of|stock|[\"«$])\s*$", before)
        is not None
    )


_TOP = re.compile(
    rf"\b(?:top|топ)(?=[\s-]*(?:\d|(?:{'|'.join(UNITS)})\b))|\b(?:items?|things?|options?|ideas?|\d+)\s+tops\b"
)
"""At the head of a list, or at most: names no clothes."""


def find_category(
    text: str, categories: Iterable[str] | Mapping[str, Sequence[str]] | None
) -> tuple[str | None, tuple[str, ...]]:
    """Value of the catalogue's category that a text names in any case or number, or by a name given; the longest that fits.

    With the words of the text that name it, in lower case.
    """
    if not categories:
        return None, ()
    plain = _TOP.sub(" ", folded(text))
    words = re.findall(r"[^\W_]+", plain)
    said = [lemma(word) for word in words]
    best: tuple[int, str, tuple[str, ...]] | None = None
    named: Mapping[str, Sequence[str]] = (
        categories if isinstance(categories, Mapping) else dict.fromkeys(categories, ())
    )
    for category, names in named.items():
        for name in (category, *names):
            wanted = _lemmas(name)
            n = len(wanted)
            at = next((i for i in range(len(said) - n + 1) if said[i : i + n] == wanted), None) if n else None
            if at is not None and (best is None or len(name) > best[0]):
                best = len(name), category, tuple(words[at : at + n])
    return (None, ()) if best is None else best[1:]

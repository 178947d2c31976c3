"""What no answer may say whatever the tools said: promises, advice in information mode, instructions, mark-up, gaps.

Patterns of both languages, each with what undoes it ("не гарантируем", "can't advise"). Knows no facts.
"""

import re

from nextbest.assistant.base import Language
from nextbest.charts_page.disclaimer import check_promises
from nextbest.errors import DataError

_I = re.IGNORECASE
_NEGATED = re.compile(
    r"(?:\bне|\bни|\bнет|\bнельзя|\bникто|\bбез\s+(?=гарант)|\bnot?|n't|\bnever|\bcannot|\bcan\s?not|\bnobody|\bnone|\bwithout(?=\s+(?:any\s+)?guarant)"
    r"|\bthere\s+(?:is|are)\s+no)\b(?:[\s\u00a0-]+\w+){0,3}?[\s\u00a0-]*$",
    _I,
)
_MORE_PROMISES = re.compile(
    r"\b(?:точно|обязательно|непременно|несомненно|стопроцентно|100\s?%)\s+(?:\w+\s+){0,2}(?:вырас|выраст|принес|заработа|окуп|получите|будет\s+расти)\w*"
    r"|\bобеща(?:ю|ем|ет|но)\b|\bриска?\s+(?:нет|никакого|отсутству)|\bнет\s+(?:никакого\s+)?риска|\bникакого\s+риска"
    r"|\bбеспроигрышн|\bбез\s+потерь|\bверняк|\b(?:пассивн|лёгк|легк)\w+\s+(?:доход|деньг|заработ)"
    r"|\bwill\s+(?:definitely|certainly|surely|for\s+sure)\b|\b(?:definitely|certainly|surely)\s+(?:will|go(?:es)?\s+up|grow|rise|profit|earn)"
    r"|\bpromise|\bfoolproof|\bsure[- ]fire|\bwithout\s+(?:any\s+)?(?:risk|loss)|\bzero[- ]risk|\bcannot\s+lose|\bsafe\s+bet|\beasy\s+money|\bassured\b",
    _I,
)
_INVESTMENT = re.compile(
    r"акци[йяиюею]|облигаци|офз|\bфонд|пиф|etf|ценн\w+\s+бумаг|валют|крипто|биткоин|биткойн|эфириум|\bbtc\b|\beth\b|инвест|вложи|вложен|портфел|"
    r"брокер|дивиденд|фьючерс|опцион|доллар|\bевро\b|юан|золот|недвижимост|депозит|\bрын(?:ок|к)|бирж|"
    r"\bstocks?\b|\bshares?\s+(?:of|in)\b|\bbonds?\b|\bfunds?\b|securit|currenc|crypto|bitcoin|ethereum|invest|portfolio|broker|dividend|futures\b|"
    r"\boptions?\s+(?:contract|trading)|\bgold\b|real\s+estate|\bmarkets?\b|\bequit|\bassets?\b|allocat|\b[A-Z]{4}\b",
    _I,
)
_ADVICE = re.compile(
    r"\b(?:по)?совету(?:ю|ем|ет)\w*|\bрекоменду(?:ю|ем|ет)\w*|\bпорекоменд\w+|\bнастоятельно\b"
    r"|\b(?:стоит|следует|нужно|надо|пора|лучше|выгодно|разумно|имеет\s+смысл|самое\s+время|не\s+упустите|можно\s+смело|смело|срочно)\s+(?:вам\s+|сейчас\s+|бы\s+|всего\s+|сразу\s+|срочно\s+){0,2}"
    r"(?:купить|покупать|прикупить|докупить|докупать|брать|взять|продать|продавать|вложи\w*|вкладыва\w*|инвестир\w*|держать|избав\w*|зафиксир\w*|перело\w*|увеличи\w*|"
    r"уменьши\w*|снизи\w*|сократи\w*|диверсифиц\w*|ребаланс\w*|переве\w*|обменя\w*|открыть|войти|входить|выйти|выходить|закупа\w*|подожда\w*|добав\w*)"
    r"|\b(?:за|до|при|рас|вы|с)?куп(?:ите|и)\b|\bпокупай(?:те)?\b|\bпрода(?:йте|й|вайте|вай)\b|\bвлож(?:ите|и|итесь)\b|\bвкладывай(?:те|тесь)?\b|\bинвестируй(?:те)?\b"
    r"|\bпереложи(?:те|сь)?\b|\bдиверсифицируй(?:те)?\b|\bувеличьте\b|\bуменьшите\b|\bсократите\b|\bизбавьтесь\b|\bзафиксируйте\b|\bдержите\b|\bберите\b|\bобменяйте\b|\bпереведите\b"
    r"|\bвам\s+(?:точно\s+)?(?:следует|стоит|нужно|надо|лучше)\b|\bлучш(?:ий|ая|ее|им)\s+(?:вложени|инвестици|решени|вариант|момент|врем)\w*|\bна\s+вашем\s+месте|\bя\s+бы\s+(?:\w+\s+)?(?:купил|продал|вложил|взял|выбрал|держал)\w*"
    r"|\b(?:отличн|хорош|удачн|подходящ|прекрасн)\w+\s+(?:момент|время|возможност|вложени|инвестици|покупк|вариант)\w*|\bвыгодн\w+\s+вложени\w*"
    r"|\b(?:i|we)(?:'d|\s+would)?\s+(?:strongly\s+|highly\s+)?(?:recommend|advise|suggest|urge|buy|sell|invest|go\s+with|put)\b|\brecommended\s+(?:to|that|buy|asset|stock|investment)|\badvisable|\bmy\s+(?:advice|recommendation|tip)"
    r"|\byou\s+(?:should|must|ought|need\s+to|had\s+better|'d\s+better)\b|\bshould\s+(?:buy|sell|invest|hold|move|put|switch|add|reduce|increase|rebalance|consider)"
    r"|\bconsider\s+(?:buying|selling|investing|adding|moving|switching|reducing|increasing|holding|a\b|an\b|putting|rebalancing|allocating)|(?:^|[.!?:;,]\s*|\b(?:so|then|now|just|and|to|please|immediately|definitely)\s+)(?:buy|sell|hold|short|invest|dump|rebalance|diversify|switch|allocate)\b"
    r"|\b(?:good|great|perfect|right|best|ideal)\s+(?:time|moment|investment|opportunity|buy|bet)\b|\bstrong\s+(?:buy|sell)|\bmove\s+(?:your|all|some)\s|\bput\s+(?:your|all|some|more)\s|\bworth\s+(?:buying|investing|adding)|\btime\s+to\s+(?:buy|sell|invest)|\bbetter\s+(?:to\s+)?(?:buy|sell|invest)|\bgo\s+all[- ]in|\bif\s+i\s+were\s+you",
    _I,
)
_SUITS = re.compile(
    r"\bвам\s+(?:\w+\s+){0,2}(?:подойд|подойти|понрав|приглян)\w*|\b(?:подойд|понрав|приглян)\w+\s+вам\b|\bдля\s+вас\s+(?:подойд|хорош)\w+|\bя\s+бы\s+начал\w*|\bi(?:'d|\s+would)\s+(?:begin|start)\s+with\b"
    r"|\byou\s+(?:may|might|will|would|could|are\s+likely\s+to)\s+(?:\w+\s+)?(?:like|enjoy|love)\b|\bsuits?\s+you\b|\b(?:right|good|suitable|fit|perfect|ideal)\s+for\s+you\b",
    _I,
)
"""Praise that is a shop's everyday word, and advice where the turn shows investments."""
_INJECTION = re.compile(
    r"<\|?/?[a-zа-я_!][^<>\n]{0,120}>?|\[/?(?:inst|system|sys|user|assistant)\]|```|~~~|<<|>>|\{\{|\}\}|\{[ifn]?\d*\}|\{%|\$\{|#{2,}\s|={4,}|-{5,}|\*{3,}|!\[[^\]]*\]\(|\]\(\s*\w+:"
    r"|\bhttps?:|\bwww\.|\bmailto:|\bjavascript:|\bdata:\w+/|\b[\w.+-]+@[\w-]+\.\w{2,}|\b[a-z0-9-]{2,}\.(?:com|ru|net|org|io|info|biz|xyz|рф|su|me|co)\b(?:/|\b)"
    r"|&(?:lt|gt|amp|quot|nbsp|#\d+);|</|/>|\bon(?:error|load|click)\s*="
    r"|\b(?:select\s+.{1,60}\bfrom|drop\s+table|insert\s+into|delete\s+from|update\s+\w+\s+set|union\s+(?:all\s+)?select)\b|;\s*--|'\s*or\s+'?1|\b1\s*=\s*1\b"
    r"|\bsystem\s+(?:prompt|message|instruction)|\b(?:my|hidden|secret|initial|previous|prior|above|following)\s+(?:instruction|prompt|rule)s?\b|\bignore\s+(?:all|any|the|your|previous|prior)"
    r"|\bas\s+an?\s+(?:ai|artificial|large|language|helpful)|\b(?:large\s+)?language\s+model|\bdeveloper\s+mode|\bjailbr|\bDAN\b|\badmin(?:istrator)?\s+(?:mode|access|rights)|\baccess\s+granted"
    r"|\bсистемн\w+\s+(?:промпт|сообщен|инструкц|подсказк)\w*|\b(?:мои|моя|моих|скрыт\w+|секретн\w+|предыдущ\w+|прежн\w+|исходн\w+|внутренн\w+)\s+(?:инструкци|промпт|указани|правил)\w*|\bпромпт\w*|\bигнориру(?:й|ю|йте|ем)\w*"
    r"|\b(?:как\s+)?языков\w+\s+модел\w+|\bрежим\w*\s+(?:разработчик|администратор)\w*|\bдоступ\s+(?:открыт|разреш|предоставлен)\w*|\bправа\w*\s+администратора"
    r"|\b(?:password|api[_ -]?key|token|secret|парол\w+|токен\w*|секрет(?:ный|ного)\s+ключ\w*)\b\s*(?:is|:|=|—|-)"
    r"|[A-Za-z0-9+/_-]{32,}={0,2}|(?:\\u[0-9a-f]{4}){2,}|(?:\\x[0-9a-f]{2}){2,}|(?:%[0-9a-f]{2}){3,}|\bdef\s+\w+\(|\bimport\s+os\b|\beval\(|\bexec\(|\brm\s+-rf\b",
    _I,
)
_PLACEHOLDER = re.compile(
    r"\{[^{}\n]{0,40}\}|\[(?:[A-ZА-Я_ ]{3,}|(?:your|insert|name|title|number|item|ваш|имя|назван|числ|вставьте|товар)[^\]\n]{0,40})\]|_{3,}"
    r"|\b(?:XX+|ХХ+|N/A|NaN|None|null|undefined|TODO|TBD|lorem\s+ipsum)\b|\bnan\b|%[sd]\b|\$\w+\$"
)
_REFUSAL = re.compile(
    r"\bне\s+(?:могу|можем|мож\w+|смог\w*|удалось|знаю|нашл\w+|найден\w*|обслуживаю\w*|вижу|показыва\w*|раскрыва\w*|доступ\w+|хватает|подключ\w+|получилось|скажу|буду|вправе|посчит\w+|известн\w+)|\bнет\b|\bнельзя|\bнедоступн|\bнедостаточно|\bтолько\s+(?:о\s+ваш|сво|ваш|по\s+ваш)|\bничего\b|\bотсутству|\bнеизвестн|\bпуст"
    r"|\b(?:can(?:no|')?t|cannot|could\s?n[o']t|couldn't|unable|won't|not\s+able)\b|\bno\s+\w+|\bnot\s+(?:available|found|enough|allowed|served|known|possible|yours|here)|\bonly\s+(?:about\s+)?(?:your|tell|show|see)|\bnothing\b|\bunknown\b|\bunavailable|\bdon't\s+(?:have|know|see)|\bdoesn't|\bisn't|\baren't|\bthere's\s+none|\bempty\b",
    _I,
)


def injection(text: str) -> str | None:
    """Words of instructions, mark-up, addresses, code or keys that an answer has no business to hold; None: none.

    >>> injection("Вот ссылка: https://x.ru"), injection("Доходность 5 %")
    ('https:', None)
    """
    found = _INJECTION.search(text)
    return None if found is None else found[0]


def placeholder(text: str) -> str | None:
    """A gap that nobody filled: "{f1}", "[NAME]", "NaN"."""
    found = _PLACEHOLDER.search(text)
    return None if found is None else found[0]


def promise(text: str) -> str | None:
    """Words that promise a return or the absence of risk; what says that nothing is promised isn't one.

    >>> promise("Доход гарантирован"), promise("Доход не гарантирован")
    ('гарант', None)
    """
    for found in _MORE_PROMISES.finditer(text):
        if not _NEGATED.search(text, 0, found.start()):
            return found[0]
    rest, offset = text, 0
    while rest:
        try:
            check_promises(rest)
        except DataError as error:
            words = str(error.examples[0])
        else:
            return None
        start = offset + rest.find(words)
        if not _NEGATED.search(text, 0, start):
            return words
        offset = start + len(words)
        rest = text[offset:]
    return None


def advice(text: str, *, about_investments: bool, only_shows: bool = False) -> str | None:
    """Words that advise on an investment; None: none.

    Parameters
    ----------
    text
        A sentence.
    about_investments
        The turn is about a portfolio or a market, so that any advice is such; else the sentence itself has to name
        something to invest in.
    only_shows
        What is named in this turn is held, or computed, and not proposed: "you may like" is advice as well.

    >>> advice("Советую купить акции", about_investments=False), advice("Советую Hades II", about_investments=False)
    ('Советую', None)
    >>> [advice("You may like bonds", about_investments=True, only_shows=shown) for shown in (True, False)]
    ['You may like', None]
    """
    if not about_investments and not _INVESTMENT.search(text):
        return None
    patterns = (_ADVICE, _SUITS) if only_shows else (_ADVICE,)
    for pattern in patterns:
        for found in pattern.finditer(text):
            if not _NEGATED.search(text, 0, found.start()):
                return found[0]
    return None


def is_about_investments(text: str) -> bool:
    """Whether a text names something to invest in."""
    return _INVESTMENT.search(text) is not None


def refuses(text: str) -> bool:
    """Whether a text says that something can't be said, or that there is nothing."""
    return _REFUSAL.search(text) is not None


def foreign_letters(text: str, language: Language) -> float:
    """Share of a text's letters that aren't of the language's script; 0 for a text without letters.

    >>> foreign_letters("Доходность TWR", "ru") < 0.25, foreign_letters("Your return", "ru")
    (True, 1.0)
    """
    letters = [char for char in text if char.isalpha()]
    if not letters:
        return 0.0
    own = sum(
        ("а" <= c.lower() <= "я" or c in "ёЁ") if language == "ru" else (c.isascii() or "À" <= c <= "ɏ")
        for c in letters
    )
    return 1 - own / len(letters)

"""Words that lean on what was said before, in both languages: openers, pointers, "why", "more", "I take it".

Regular expressions over the cleaned text, matched without regard to case. What a word means for an answer is
`followups`' to say.
"""

import re

from nextbest.text.number_words import UNITS

_IGNORE = re.IGNORECASE

OPENER = re.compile(
    r"^\W*(?:(?:ну|ладно|хорошо|ок|окей|так|понятно|спасибо|ok|okay|well|fine|thanks)\b[\s,.!]*)*"
    r"(?:а\s+если|а\s+что\s+если|а\s+как\s+насч[её]т|как\s+насч[её]т|что\s+насч[её]т|а\s+теперь|теперь|тогда|а|и|но"
    r"|so|say|suppose|let'?s|same|make\s+it|make\s+that|now\s+do|not|no|and\s+if|what\s+if|how\s+about|what\s+about|and\s+what\s+about|and|but|now|then|also)\b",
    _IGNORE,
)
POINTER = re.compile(
    r"\b(?:это(?:т|й|го|му|м|м)?|эт[аиу]|этих|этими|его|её|ее|ему|ней|нём|нем|них|их|неё|нее|тот|та|того|той|такой|такое"
    r"|it|its|this|that|these|those|them|the\s+same)\b",
    _IGNORE,
)
WHY = re.compile(
    r"\b(?:(?:как|каким\s+образом)\s+(?:\w+\s+){0,3}(?:попал|оказал)\w*|how\s+(?:did|has|have|had)\s+(?:[\w']+\s+){1,4}(?:get|got|gotten|end(?:ed)?\s+up|make|made\s+it)\s+(?:there|here|on|in)|what(?:'s|\s+is)\s+the\s+story|чем\s+(?:тебе|вам|он[аои]?\b|так\b)|what\s+do\s+you\s+like|what(?:'s|\s+is)\s+so\b|с\s+какой\s+стати|каким\s+боком|с\s+какого\s+перепугу|за\s+что\s+мне|растолкуй\w*|на\s+ч[её]м\s+основан\w*|what\s+for|on\s+what\s+grounds|reasoning|what(?:'s|\s+is)\s+(?:the\s+)?\w+(?:\s+one)?\s+doing\s+(?:there|here)|how'?d?\s+(?:did\s+)?(?:you|it)\s+arrive|worked\s+out|почему|зачем|отчего|с\s+чего|из-за\s+чего|по\s+какой\s+причине|объясни\w*|поясни\w*|обоснуй\w*"
    r"|why|how\s+come|explain|what\s+makes|reasons?)\b",
    _IGNORE,
)
TELL = re.compile(
    r"\b(?:расскажи\w*|подробнее|поподробнее|что\s+(?:это\s+)?за|опиши\w*|tell\s+me\s+(?:more|(?:\w+\s+)?about)|more\s+about|more\s+details?|describe)\b",
    _IGNORE,
)
MORE = re.compile(
    r"\b(?:ещё|еще|друг(?:ое|ие|ой|ую|их)|иное|дальше|следующ\w+|замени\w*|more|another|others?|else|next\s+ones?|different)\b",
    _IGNORE,
)
ALIKE = re.compile(
    r"\b(?:похож\w*|наподобие|вроде|типа|аналог\w*|в\s+том\s+же\s+духе|similar|alike|like|clos(?:e|er|est)\s+to|близк\w+|в\s+(?:духе|стиле)|in\s+the\s+(?:spirit|vein|style))\b",
    _IGNORE,
)
TAKES = re.compile(
    r"\b(?:беру|возьму|бер[её]м|куплю|покупаю|закажу|заказываю|оформляй\w*|добавь\s+в\s+корзину|мне\s+нравится|нравится"
    r"|i(?:'|’)?ll\s+(?:take|have|buy|get)|i\s+(?:will\s+)?(?:take|buy)|add\s+(?:it|this|that)\s+to|i\s+like)\b",
    _IGNORE,
)
BEGINS = re.compile(
    r"^\W*(?:which|what|who|where|when|how|why|check|show|is|are|do|does|did|can|could|will|would|for|find|people|something|"
    r"кто|что|чем|чего|как|как(?:ой|ая|ое|ие|ую)|где|когда|сколько|покажи|проверь|подготовь|найди|для|если|после)\b",
    _IGNORE,
)
"""As a question of its own begins; one that goes on may, too."""
ASKS = re.compile(r"\b(?:что|чего|когда|сколько|какой|какую|какие|what|when|which|how)\b", _IGNORE)
"""Before a word of taking it makes a question of it: "а что я куплю на этой неделе?"."""
SUCH = re.compile(
    r"\b(?:ещ[её]\s+так\w+|так(?:ую|ое|ого|их)\s+же|more\s+(?:such|of\s+(?:that|those)))\b", _IGNORE
)
"""Of one thing of a list: others like it."""
_CONDITIONS = re.compile(
    r"за\s+что\s+(?:списал|снял|взял)|страховк\w*\s+вклад|требу(?:ет|ют)\w*|подтвержд\w+\s+доход|\bобмен\w*|возврат\w*|доставк\w*|доверенност\w*|в\s+как(?:ой|их|ие)\s+валют|что\s+(?:мне\s+)?нужно,?\s+чтобы|ограничени\w+"
    r"|\bproof\b|opening\s+hours|\bbranch(?:es)?\b|\bcurrenc(?:y|ies)\b|\bdeliver\w*|\battorney\b|\bwho\s+can\b|\bexchange\s+(?:a|the|my|it)\b"
    r"|комисси\w+|тариф\w*|услови[яейю]\w*|обслуживани[ея]|документ\w*|требовани\w+|правил[аоу]\b|паспорт\w*|bring\b|бумаг\w*|papers?\b|paperwork|справк\w*|досрочн\w+|раньше\s+срока|поручител\w+|лимит\w*|штраф\w*|пен[яию]\b|ставк\w+|процент\w*"
    r"|кэшб[эе]к\w*\s+(?:по|начисл)|льготн\w+|грейс\w*|срок\w*\s+действи|пин-?код\w*|налог\w*|застрахован\w*|смс|минимальн\w+|плат[аыу]\b|просроч\w+|входит"
    r"|начисля\w+|плат(?:ить|ят|ите|ится)\b|скольки\s+лет|заявк\w+|сколько\s+(?:сто|ид[её]т|дней|рассматрива|занимает|времени|длится)|со\s+скольки|можно\s+ли|что\s+будет,?\s+если|где\s+(?:почитать|посмотреть|найти)"
    r"|как\s+(?:мне\s+)?(?:открыть|закрыть|заблокировать|разблокировать|перевыпустить|оформить|получить|активировать|поменять|изменить|сменить|подключить|отключить|снять|перевести|вернуть|пополнить|погасить|подать|узнать)"
    r"|когда\s+(?:начисл|спис|прид|пере|закан|истек)"
    r"|\b(?:fees?|tariffs?|terms|conditions|requirements?|rules|penalt(?:y|ies)|charged?|charges?|limits?|rates?|interest|percentage|documents?|guarantor|insured|taxed|taxes|tax|refund\w*"
    r"|grace\s+period|minimum|pin|includes?|expires?|procedure|polic(?:y|ies)|apply|application|cost|costs|eligib\w+)\b"
    r"|\bpay(?:ing|ment)?\b|\bage\b|\bnotice\b|\bhow\s+(?:do|does|can|to|long|old|many)\b|\bfrom\s+what\s+age|\bwhat\s+happens\s+if|\bcan\s+i\b|\bwhere\s+(?:can|do)\s+i\b|\bwhen\s+(?:is|does|do|will)\b",
    _IGNORE,
)
_HOW = re.compile(
    r"^\W*(?:(?:а|и|ну|скажите|подскажите|пожалуйста|and|so|please|tell\s+me),?\s+){0,3}(?:за\s+|до\s+|со\s+|с\s+)?"
    r"(?:как|когда|где|сколько|скольки|можно|нужно\s+ли|надо\s+ли|обязательно\s+ли|how|when|where)\b",
    _IGNORE,
)
"""A question of manner, time, place or amount: it isn't about which product."""
_NO_CHOICE = re.compile(
    r"^\W*(?:[\w',]+\s+){0,4}(?:how\s+long|сколько\s+(?:времени|дней|обычно\s+рассматрива\w+))\b"
    r"|страховк\w*\s+вклад|\bв\s+как(?:ой|их)\s+валют",
    _IGNORE,
)
"""How long something takes is never a choice, nor are a deposit's insurance and its currency."""
_CHOICE = re.compile(
    r"что\s+из|имеет\s+смысл|(?:дадут|дадите|одобрят|одобрите|выдадут)\s+ли|\bwill\s+you\s+(?:give|approve)|approved\b|выбрать|выбор\w*|выгоднее|посовет\w*|порекоменд\w*|рекоменду\w*|предлож\w*|предлага\w*|подбер\w*|подобр\w*|присовет\w*|что\s+(?:(?:мне|ему|ей|ещ[её]|бы)\s+)*(?:оформить|взять|подключить|продать|открыть)"
    r"|как(?:ой|ая|ую|ое|ие|им|ими)\s+(?:[\w-]+\s+){0,3}?(?:мне|ему|ей|клиент\w*|лучше|взять|выбрать|подойд\w*|подход\w*|оформить|пригод\w*|выгоднее)\b"
    r"|на\s+какие|какие\s+у\s+вас\s+есть|чего\s+не\s+хватает|пригодятся|(?:нуж(?:ен|на|но|ны)|стоит|надо)\s+ли\s+(?:мне|ему|ей|нам|клиент\w*)|возьм[её]т\s+ли|откроет\s+ли|следующ\w+\s+продукт|топ-?\s?\d"
    r"|\b(?:recommend|suggest|pick|advise|offer|sell|should\s+(?:i|we|he|she)|which\s+(?:[\w'-]+\s+){0,4}?(?:should|for\s+me|suits?|fits?|best|likely|useful|do\s+you\s+recommend)"
    r"|be(?:st|tter)\s+for\s+(?:me|us)|choos\w+|suit\s+me|right\s+for\s+me|next\s+best|missing|top\s+\d+|sign\s+up|what\s+(?:cards|loans|deposits|accounts)\s+do\s+you\s+have)\b"
    r"|(?:можно\s+(?:ли\s+)?(?:мне\s+)?|могу\s+ли\s+(?:я\s+)?)(?:у\s+вас\s+)?(?:взять|получить|оформить|открыть)(?!\s+\w+\s+без|\s+(?:доверенн|справк|выписк|возврат|перевод|вычет))|(?:у\s+вас\s+есть|есть\s+ли\s+у\s+вас)\s+(?:\w+\s+){0,2}(?:карт|вклад|кредит|ипотек|сч[её]т|депозит|страхов|продукт)"
    r"|\bcan\s+i\s+(?:get|take|have|open)\s+an?\s+(?:\w+\s+){0,2}(?:loan|card|deposit|mortgage|account)|\bdo\s+you\s+have\s+(?:\w+\s+){0,3}(?:cards?|deposits?|loans?|accounts?|mortgages?|insurance|products?)\b"
    r"|\bdo\s+i\s+need\s+an?\s+(?:loan|card|deposit|mortgage|account|credit\s+card|insurance)\b|\bwill\s+client\b",
    _IGNORE,
)
_TRACKING = re.compile(
    r"достиг\w*|дости(?:чь|жим\w*)|успе(?:ю|ва\w+|ем)|в\s+срок|под\s+угроз\w+|отста\w+|опережа\w+|по\s+(?:плану|графику)|ид[её]т\s+(?:ли|план)|ид[её]м\s+ли"
    r"|иду\b|обстоят\s+дела|дойду|дотян\w+|на\s+пути|прогресс\w*|продвига\w+|движ[ует]\w*\s+к\s+цели|как\s+(?:там\s+|ид[её]т|идут\s+дела|обстоят\s+дела).{0,20}\bцел\w+|как\s+(?:поживает\s+)?мо[яй]\s+(?:цель|план)\b"
    r"|сколько\s+процентов\s+(?:плана|цели)|выбил\w*\s+(?:ли\s+(?:я\s+)?)?из\s+(?:плана|графика)|план\w*\s+(?:\w+\s+){1,3}выполня\w+|(?:часть|доля|долю)\s+(?:цели|плана)|далеко\s+(?:\w+\s+){1,3}до\s+цели|близ(?:ко|ок|ка|ки)\s+(?:ли\s+)?(?:\w+\s+)?к?\s*цели|(?:далеко|много|сколько)\s+(?:\w+\s+)?(?:осталось\s+)?до\s+цели|осталось\s+до\s+(?:цели|плана)|на\s+каком\s+(?:я\s+)?этапе|план\w*\s+выполн\w+|выполн\w+\s+(?:\w+\s+)?план\w*"
    r"|относительно\s+плана|отклон\w+\s+от\s+плана|сорв[её]т\w*|сбил\w+|укладыва\w+"
    r"|on\s+(?:track|schedule|course)|fall(?:en|ing)?\s+behind|fell\s+behind|in\s+time\b|(?:hit|reach|meet|make)\s+(?:my|the|our|his|her|their)\s+(?:\w+\s+)?(?:goal|target)|at\s+risk|(?:behind|ahead\s+of|off|against)\s+(?:my\s+|the\s+)?(?:plan|schedule)"
    r"|keep(?:ing)?\s+up|behind\s+(?:\w+\s+){0,3}schedule|my\s+(?:\w+\s+){0,2}(?:goal|plan)s?\s+(?:is\s+)?(?:doing|going)|how(?:'s|\s+is|\s+are)\s+my\s+(?:\w+\s+){0,2}(?:goal|plan)s?\b"
    r"|progress\w*|deadline|how\s+far\s+(?:am|are|is|off)|how\s+close|(?:much|share|part|portion)\s+of\s+(?:my|the|our|his|her)\s+(?:goal|target|plan)\b|slip(?:ped|ping)?\s+behind|f[ae]ll\s+short|where\s+(?:am|are|do)\s+(?:i|we)\s+(?:stand\s+)?(?:against|with|on)\s+(?:my|the|our)\s+(?:\w+\s+)?(?:goal|plan|target)s?\b|left\s+(?:to|until|till)\s+(?:my|the)\s+goal|going\s+to\s+plan|(?:stick|stuck|sticking|keep|kept|keeping)\s+(?:to|with)\s+(?:my|the|our|his|her|their)\s+(?:\w+\s+)?plan\b|\bam\s+i\s+ahead\b|ahead\s+or\s+behind|(?:goal|plan|savings)\s+(?:\w+\s+){0,3}coming\s+along|coming\s+along|drifted|how\s+far\s+along|fall(?:en)?\s+off|fell\s+off|of\s+the\s+plan\s+is\s+done",
    _IGNORE,
)
_PLANNING = re.compile(
    r"^\W*(?:\w+\s+){0,2}как\s+(?:мне\s+)?(?:быстрее\s+)?(?:достичь|достигнуть|дойти|накопить|скопить|успеть)|\b(?:состав|построй|постро|сделай|рассчита|распиши|помоги|спланир)\w*|сколько\s+(?:надо|нужно|откладывать|копить)"
    r"|\bhow\s+(?:to|can\s+i|do\s+i)\b|\bhow\s+much\s+(?:should|do\s+i\s+need)|\b(?:make|build|draw\s+up|help)\s+me\b|\bfaster\b",
    _IGNORE,
)
COMPARED = re.compile(
    r"у\s+других|с\s+другими|чем\s+(?:у\s+)?(?:других|остальных|другие|остальные|всех)|у\s+остальных|с\s+остальными|на\s+фоне|в\s+среднем|средн(?:его|ему|им|ий|ем|яя)"
    r"|(?:похожи\w+|таки\w+\s+же|други\w+|остальны\w+|средн\w+)\s+(?:клиент|инвестор|люд)\w+|у\s+похожих|как\s+(?:я|мы)\s+среди|по\s+сравнению\s+с|сравни\w*"
    r"|\bcompar\w+|\b(?:than|like|with|to|against|versus|vs\.?|above|below)\s+(?:the\s+)?(?:others?|median|average|peers?|rest|everyone|most)|similar\s+(?:clients|investors|people|portfolios)"
    r"|\b(?:other|most)\s+(?:clients|investors|people)|\bpeers\b|people\s+like\s+me|what\s+do\s+others",
    _IGNORE,
)
SHARE = re.compile(
    r"\b(?:часть|доля|долю|сколько\s+(?:из|там)|занима\w+|share|part|portion|fraction|how\s+much\s+of)\b",
    _IGNORE,
)
"""Of what was spoken of: a part of a portfolio, not a price of the market."""
OWN = re.compile(
    r"^\W*(?:(?:а|ну|и|and|what\s+about|how\s+about)\s+)?(?:(?:у\s+)?(?:я|мне|меня|мой|моя|моё|мое|мои|сам\w*)|mine|me|my\s+own)(?:\s+(?:портфель|portfolio|own|results?|результат\w*|доходность|return))?\W*$",
    _IGNORE,
)
SOMEBODY = re.compile(
    r"\b(?:у\s+него|у\s+не[её]|он|она|они|его|ему|ей|им|них|нему|ней|этого\s+клиента|этому\s+клиенту|этот\s+клиент|того\s+же|тому\s+же|him|his|her|them|their|they|he|she"
    r"|(?:this|that|the\s+same)\s+(?:client|customer|investor|user))\b",
    _IGNORE,
)
"""Somebody who was spoken of: another client, where one was named."""
SELF = re.compile(r"\b(?:я|мне|меня|мной|мо[яйеёи]|моего|моему|моей|мою|моих|i|me|my|mine)\b", _IGNORE)
NOT = re.compile(r"\b(?:не|нет|don(?:'|’)?t|not|no|never)\b", _IGNORE)

_SLOT_WORDS = re.compile(
    r"^(?:\d[\d.,]*%?|[$€₽£]?\d[\d.,]*[$€₽£kк%]?|[a-zа-яё]?\d+|один|одну|два|две|три|четыре|пять|шесть|семь|восемь|девять"
    r"|десять|пол\w*|полтор\w*|one|two|three|four|five|six|seven|eight|nine|ten|half|couple|few"
    r"|год\w*|лет|месяц\w*|недел\w*|д(?:ень|ня|ней|ни|ням)|квартал\w*|сутк\w*|час\w*|завтра|вчера|сегодня|январ\w*|феврал\w*"
    r"|март\w*|апрел\w*|ма[йея]|июн\w*|июл\w*|август\w*|сентябр\w*|октябр\w*|ноябр\w*|декабр\w*|прошл\w+|последн\w+|следующ\w+"
    r"|ближайш\w+|years?|months?|weeks?|days?|quarters?|hours?|tomorrow|yesterday|today|last|next|past|coming|ytd"
    r"|руб\w*|тыс\w*|млн\w*|миллион\w*|миллиард\w*|доллар\w*|евро|k|thousand|million|billion|dollars?|euros?|roubles?|rubles?|bucks?"
    r"|top|топ|штук\w*|вариант\w*|items?|options?|летом|зимой|весной|осенью|лет[оау]|зим[ыуе]|весн[аыуе]|осень|осени|summer|winter|spring|autumn|christmas|[qh][1-4]"
    r"|полугод\w*|кварт\w*|fortnight|decade\w*|десятилет\w*|начал[ао]|конц[ау]|start|end|beginning|нов(?:ого|ый)|рождеств\w*|new|этот|эту|этой|этом|текущ\w+|current|this"
    r"|откладыва\w*|отложить|копить|вложить|вкладыва\w*|класть|вносить|save|saving|put|putting|invest|aside|ежемесячно|monthly|every|each|per|кажд\w+|месяц|hold|keep|wait|rais\w+|increas\w+|lower|reduc\w+|увелич\w+|уменьш\w+|подним\w+|сниз\w+|скажем|держать|подержать|ждать|подождать|бюджет|уложи\w*|дороже|дешевле|under|below|up|budget)$",
    _IGNORE,
)
_SMALL = """
а и но ну в во на за до от с со по про о об для у к из через около примерно это если то же бы ли не что как насчёт насчет
теперь тогда только лишь хорошо ладно ок да нет он она оно мне меня мой моя мои
i that eve as well further more ещё еще й го му th st nd rd есть many few fewer less like batch next fine sure right same question stretch cut go wait leave left hold suppose stay can could we you them they those these i'll i'd too much only up down until till even
previous one before after прошлом прошлый прошлая предыдущем предыдущий предыдущий following client customer клиент клиенту клиента look see could earlier later sooner further longer instead total раньше позже дольше дальше чуть поглубже взять возьмем возьмём успею успеем снизим поднимем
seen all own it's they're not don't same sum make lets let's let say show give me please want wanted mean meant interested care enough better rather do go just take instead actually
хочу хотим чтоб чтобы была было был волнует интересует интересно нужен нужна нужно имею виду давай давайте дай назови сразу хватит достаточно многовато мало маловато
пусть пускай могу можно возьми посчитай прикинь растяни сделай нет нужны вообще-то вообще же тоже так просто
поменяется изменится changes change тогда then пожалуйста покажи дай лучше будет will would it's and but or if what about how now then ok okay yes no for over in on at of to the a an within during since from until by with
just only same it is be s me my whole entire целиком полностью весь всю целый
"""
_SMALL_WORDS = frozenset(_SMALL.split())
_WORD = re.compile(r"[\w$€₽£%.,'’]+")


def n_words(text: str) -> int:
    """Words of a text."""
    return len(re.findall(r"\w+", text))


def left_over(text: str) -> list[str]:
    """Words that are neither small ones nor times, numbers and amounts: what an elliptic question adds of its own.

    >>> left_over("а за три года?")
    []
    >>> left_over("and what about bitcoin?")
    ['bitcoin']
    """
    words = [
        re.sub(r"['’]s?$", "", word.strip(".,'’")) for word in _WORD.findall(text.lower().replace("ё", "е"))
    ]
    known = _SMALL_WORDS | UNITS.keys()
    return [word for word in words if word and word not in known and not _SLOT_WORDS.match(word)]


def asks_conditions(text: str) -> bool:
    """Whether a question about the bank wants its fees, terms and papers, not a choice of product.

    >>> asks_conditions("какая комиссия по карте?"), asks_conditions("посоветуйте карту без комиссии")
    (True, False)
    """
    if _NO_CHOICE.search(text):
        return True
    asks = _CONDITIONS.search(text) is not None or _HOW.search(text) is not None
    return asks and _CHOICE.search(text) is None


def asks_progress(text: str) -> bool:
    """Whether a question about a goal wants to know how the plan goes, not to make one.

    >>> asks_progress("am I on track?"), asks_progress("how to reach my goal faster")
    (True, False)
    """
    return _TRACKING.search(text) is not None and _PLANNING.search(text) is None

"""Words that say much about what is asked, as features beside a text's vector; how much each says is learned.

A sentence encoder knows meaning, but not that "Sortino" belongs to a portfolio and "achievement" to a game's guide. Each
group is one column: whether the text has one of its words. Stems, both languages, without regard to case.
"""

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_GROUPS: Mapping[str, str] = {
    "advise": r"посовет|порекоменд|рекоменду|предлож|подбер|подобр|подкин|присмотре|совету|recommend|suggest|\bpicks?\b|advis|propos|offer",
    "choose": r"что\s+(?:мне\s+)?(?:взять|купить|посмотреть|почитать|выбрать|поиграть|надеть|послушать)|во\s+что\s+(?:бы\s+)?(?:мне\s+)?(?:по)?игра|what\s+(?:should|shall|can|to)\s+(?:i\s+)?(?:buy|watch|play|read|wear|get|take|listen|choose)",
    "kinds": r"\bигр[уыа]?\b|фильм|сериал|кино|\bкниг|одежд|обув|куртк|плать|рубаш|товар|продукт[ыо]в?\s+пита|подар|\bgames?\b|movies?|films?|\bbooks?\b|series|clothes|shoes|jacket|dress|shirts?|gifts?|presents?|wardrobe|гардероб|наряд|outfit",
    "alike": r"похож|наподоби|аналог|\bтипа\b|вроде\b|в\s+духе|в\s+стиле|замен[аиуы]|заменить|альтернатив|напомина|сродни|под\s+стать|similar|alike|\blike\s+(?!to\b)|alternativ|equivalent|substitut|replac|resembl|remind|in\s+the\s+(?:style|vein|spirit)|à\s+la|akin|lookalike|same\s+vibe|comparable\s+to",
    "loves": r"понрави|любит|люблю|обожа|зашл[оаи]?\b|в\s+восторге|пройд[её]н|loved?\b|enjoyed|liked|fan\s+of|finished",
    "next_buy": r"(?:куплю|покуп(?:ать|ок|ка|ки|ку)|приобрет|потрач|трат[иы]|расход|спущу|закуп|чек\b|корзин|заплач|распла)|will\s+(?:i|he|she|they|we|client|the)\s*\w*\s*(?:buy|spend|purchase|pay)|purchases?|spend(?:ing)?|expenses?|basket|receipt|groceries|transactions?|where\s+will",
    "future": r"следующ|дальше|скоро|предскаж|прогноз|ожида|спрогноз|буд[уе]т?\b|выраст|упад[её]т|подорожа|подешеве|next|soon|predict|forecast|expect|going\s+to|will\b|outlook|projection|rise|fall|crash",
    "bank": r"\bкарт[ауыеоой]{1,2}\b|кредит|вклад|депозит|ипотек|сч[её]т|страхов|овердрафт|рассрочк|дебет|кешб[эе]к|кэшб[эе]к|займ|банк|\bcards?\b|loan|deposit|mortgage|account|insurance|overdraft|cashback|bank|savings|credit|debit|tariff|тариф|комисси|\bfees?\b",
    "product": r"\bпродукт(?:ы|а|ов|е)?\b|\bproducts?\b|услуг|services?\b|допродаж|cross-?sell|оформи",
    "portfolio": r"портфел|portfolio|инвестсч|брокерск|brokerage|мо(?:и|их|ими|ём|ем|й)\s+(?:инвестиц|вложени|актив|акци|облигац|бумаг|позици)|my\s+(?:investments?|holdings?|assets?|stocks?|shares|bonds|positions?)|аллокац|allocation|holdings",
    "metrics": r"доходност|волатильн|просадк|шарп|сортино|\bvar\b|cvar|диверсиф|концентрац|дивиденд|купон[ыо]|\btwr\b|\bmwr\b|\birr\b|бенчмарк|ребаланс|returns?\b|volatil|drawdown|sharpe|sortino|diversif|dividend|coupons?|benchmark|beta\b|alpha\b|p&l|profit\s+and\s+loss|заработал|потерял|в\s+плюсе|в\s+минусе|earned|lost|gain",
    "peers": r"похожи[ех]\s+(?:клиент|инвестор|люд|на\s+меня)|так(?:ие|их)\s+же|как\s+у\s+других|други[ех]\s+(?:клиент|инвестор|люд|вкладчик)|остальны|на\s+фоне|средн(?:ий|его|ем|им|яя)|типичн|сверстник|ровесник|соседи|коллег|peers?|others?\b|other\s+(?:clients|people|investors)|people\s+like\s+me|compared?\s+(?:to|with)|against\s+the\s+(?:group|crowd)|average\s+(?:client|investor|person)|typical|my\s+age|crowd|everyone\s+else|успешны|successful",
    "plan": r"накоп|отклад|скопи|копи(?:ть|л|м)|\bцел[ьи]\b|план|к\s+пенси|на\s+пенси|капитал|вложить|инвестировать|разместить|распредел(?:и|ить)|хватит\s+ли|взнос|\bsav(?:e|ing)\b|goals?\b|\bplan\b|retire|put\s+aside|set\s+aside|invest\b|nest\s+egg|down\s+payment|afford|on\s+track|enough\s+(?:for|to)",
    "market": r"биткоин|биток|эфир|крипт|доллар|\bевро\b|золот|нефт|акци[ия]|курс[ауе]?\b|\bбирж|индекс|котиров|цен[ауые]\s+(?:на|акци|биткоин|золот)|bitcoin|\bbtc\b|\beth\b|ether|crypto|dollar|\beuro\b|gold|\boil\b|stocks?\b|shares?\b|price\s+of|exchange\s+rate|nasdaq|index|обвал|рынок|market",
    "why": r"почему|зачем|объясн|поясн|обоснуй|аргумент|на\s+ч[её]м\s+основан|откуда\s+(?:данные|взял|ты)|с\s+чего|логик|причин|как\s+(?:ты|вы)\s+(?:это\s+)?(?:посчитал|вычислил|решил|выбрал|понял)|why|explain|reason|based\s+on|logic|how\s+(?:did|do)\s+you|where\s+(?:did|does|do)\s+(?:you|this|the\s+data)|back\s+up|justif|what\s+makes|grounds",
    "talk": r"^\W*(?:привет|здравствуй|добр(?:ый|ое|ого)|хай|салют|ку\b|спасибо|благодар|пока\b|до\s+свидан|ты\s+кто|кто\s+ты|как\s+дела|hi\b|hello|hey|thanks|thank\s+you|bye|good\s+(?:morning|evening|afternoon|day)|who\s+are\s+you|how\s+are\s+you|cheers)",
    "thanks": r"спасибо|благодар|thanks?\b|thank\s+you|пока\b|bye|до\s+встречи|see\s+you|ты\s+(?:кто|робот|человек|бот)|умеешь|возможност|что\s+ты\s+(?:можешь|знаешь)|are\s+you\s+(?:a\s+)?(?:robot|human|bot|real)|can\s+you\s+do|your\s+(?:name|abilities)|what\s+are\s+you|молодец|красав|великолеп|круто|понятно|окей|ладно|nice\s+(?:job|one)|well\s+done|great\b|awesome|cool\b|got\s+it",
    "guide": r"пройти|прохожд|босс|уровен[ьья]|прокача|достижени|ачивк|чит[ыа]\b|гайд|установ|запуска|лага|тормоз|мод[ыа]?\b|сюжет|концовк|финал|режисс|акт[её]р|снимал|саундтрек|автор\b|walkthrough|boss|level\s+up|achievement|cheats?|guide|install|lag|crash(?:es|ing)\b|plot|ending|director|actor|cast\b|soundtrack|author|composer|developer|requirements",
    "chores": r"погод|дожд|температур|рецепт|сварить|приготов|испечь|пожарить|постирать|погладить|почистить|тарака|ремонт\s+(?:машин|кран)|кран\b|weather|rain|recipe|cook|bake|boil|brew|wash|iron\b|clean\b|cockroach|plumb|fix\s+(?:my|the)\s+(?:car|tap|sink)",
    "health": r"болит|боль\b|врач|лекарств|таблет|симптом|температура\s+у|диет|худе|похуд|беремен|давлени|кашел|прививк|pain|doctor|medicine|pill|symptom|diet|lose\s+weight|pregnan|cough|vaccin|headache|fever",
    "know": r"кто\s+(?:такой|изобр|написал|выиграл|был|открыл)|столиц|когда\s+(?:родил|началась|была|изобр)|сколько\s+(?:лет|жителей|планет)|переведи|перевод\s+слова|что\s+(?:такое|значит|означает)\s|определени|расскажи\s+(?:анекдот|сказку|шутку|стих)|реферат|курсов[ауоу]|сочинени|стих|анекдот|шутк|загадк|who\s+(?:is|was|wrote|invented|won|discovered)|capital\s+of|translate|what\s+(?:is|does|are)\s+(?:a|an|the)?\s*\w+\s*(?:mean)?|definition|joke|poem|essay|fairy\s+tale|riddle|homework|trivia|history\s+of",
    "code": r"\bкод\b|скрипт|python|java\b|sql|javascript|excel|эксель|таблиц[уы]\s+в|html|алгоритм|программ(?:у|ирова)|\bcode\b|script|program\b|formula|regex|algorithm|docker|linux|windows|printer|принтер|wi-?fi|вайфай|телефон\s+не|аккаунт|соцсет|пароль|password|social\s+media",
    "errand": r"такси|билет|заброни|столик|доставк|позвони|напомни|будильник|закажи|отправь|письмо|гостиниц|отел|авиа|рейс|ресторан\s+рядом|taxi|ticket|book\s+(?:a|me)|reserve|table\s+for|call\s+(?:me|my)|remind|alarm|order\s+(?:me|a)|send\s+|email|hotel|flight|delivery",
    "news": r"новост|войн|полити|президент|выборы|санкци|инфляци|ключев\w+\s+ставк|центробанк|\bцб\b|мнени|news|war\b|politic|president|election|sanctions|inflation|central\s+bank|key\s+rate|interest\s+rate\s+(?:was|of\s+the)|history",
    "attack": r"игнорируй|забудь\s+(?:все|инструк)|инструкци|систем\w+\s+(?:промпт|подсказк)|промпт|взлом|обойди|пароль|удали\s+базу|ignore\s+(?:all|your|previous)|instructions|system\s+prompt|jailbreak|hack|drop\s+table|select\s+\*|password|pretend",
    "own": r"\bмо[йяеёиюйгмх]\w{0,3}\b|\bмне\b|\bменя\b|\bу\s+меня\b|\bmy\b|\bmine\b|\bme\b|\bi\b",
    "client": r"клиент\w*|покупател\w*|заказчик\w*|\bclients?\b|customers?\b|buyer",
    "goal": r"квартир|\bдом\b|машин|пенси|образовани|отпуск|свадьб|подушк|чёрный\s+день|черный\s+день|house|flat\b|apartment|\bcar\b|retirement|education|college|vacation|wedding|cushion|rainy\s+day|emergency",
    "money": r"руб|₽|\$|€|тыс|млн|миллион|доллар|евро|rouble|ruble|dollar|euro|thousand|million|\bk\b|usd|eur",
    "show": r"покаж|выведи|дай\b|список|топ\b|отч[её]т|сводк|показател|посчитай|оцени|show|list\b|top\b|report|summary|compute|calculate|statement",
}  # fmt: skip
NAMES = tuple(_GROUPS)
_PATTERNS = tuple(re.compile(pattern, re.IGNORECASE) for pattern in _GROUPS.values())


def found(text: str) -> NDArray[np.float32]:
    """Which groups a text has a word of, shape (K,), 0 or 1; `NAMES` names the columns."""
    return np.array([pattern.search(text) is not None for pattern in _PATTERNS], np.float32)

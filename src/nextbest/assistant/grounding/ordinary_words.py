"""English words that begin a sentence, or stand with a capital, without being anybody's name.

Of answers, whose vocabulary is wider than a question's; `intent.common_words` says which words of a question are no title.
"""

import re

_WORDS = """
    a about above according across actually add additionally after again against all almost along already also although
    always among an and another any anyone anything apart are around as ask at available average back based be because
    been before begin behind below beside besides best better between beyond both but by can card cards check choose clear
    client clients close come compared consider cost costs could currency current currently data date day days deposit
    did discount do does during each earlier easy either else enjoy enough especially even every everyone everything exact
    example fall far few figures finally find fine first five follow for forecast four from further game games get give
    given go goal good great half has have he hello help her here hi high higher his history hope how however i if in
    income indeed instead interest into is it items its just keep know large last lastly later least less let like likely
    list long look lot low lower made make many may maybe mean meanwhile measured might money month months more most much
    my name near nearly need never new next nice no nobody none nor not note nothing now of off offer offers often ok okay
    on once one ones only open or other others otherwise our out over overall own pay people per perhaps period pick picks
    place plan please portfolio possible price prices probably product products question quite rank rate rates rather
    rating read ready really reason reasons recently result results return returns review reviews right risk same save
    savings say see seen selection service share shares she should show similar simply since six small so some someone
    something sometimes soon sorry still such sum sure take taken tell ten thank thanks that the their them then there
    therefore these they thing things think third this those though three through thus time to today together tomorrow too
    top total toward try two under unfortunately unless until up upon us use usual usually value very view want was way we
    week weeks well were what whatever when where whether which while who whole whose why will with within without worth
    would year years yes yesterday yet you your yours i'm it's that's let's here's there's you're we've don't can't won't
    isn't doesn't didn't im its thats lets heres theres youre weve dont cant wont isnt doesnt didnt ive id youll youve
    monday tuesday wednesday thursday friday saturday sunday january february march april june july august september
    october november december jan feb mar apr jun jul aug sep sept oct nov dec english russian seven eight nine twelve
    volatility drawdown gain gains loss losses assets asset bonds bond stocks stock funds fund second secondly firstly
    rounding fans players buyers customers bought played owned popular liked loved people's
    past present future performance certainly definitely absolutely congratulations cheers welcome glad happy pleased lovely
wonderful excellent perfect okay alright regarding concerning considering assuming given provided during despite except
besides beyond inside outside throughout towards via per plus minus half double triple twice thrice couple pair dozen
hundred thousand million billion zero none neither nor both several various numerous most least more less much many
first's second's third's fifth sixth seventh eighth ninth tenth number numbers figure amount amounts sums average mean
median total totals balance account accounts bank banks money cash wallet payment payments transfer transfers loan loans
credit debit mortgage insurance policy policies tariff tariffs fee fees commission tax taxes inflation interest-free
invest invested investing investment investments investor investors trade trades trading market markets stock-market
exchange index indices benchmark equity equities commodity gold silver oil crypto dividend dividends yield yields coupon
maturity duration exposure weight weights allocation allocations holding holdings position positions class classes sector
sectors region regions country countries peers peer group groups contribution contributions withdrawal withdrawals deposit
deposits target targets probability chance chances odds likelihood estimate estimates expected expectation expectations
model models method methods calculation calculations computed calculated measured shown listed ranked sorted chosen
selected picked recommended suggested offered matched based derived taken given seen known unknown missing available
unavailable sorry apologies unfortunately sadly luckily fortunately hopefully thankfully apparently evidently clearly
obviously naturally frankly honestly basically essentially generally typically normally currently presently previously
afterwards later next previous earlier early late soon today's yesterday's tomorrow's this's morning evening night noon
week's month's year's quarter quarters daily weekly monthly yearly annual annually quarterly halfway
player players gamer gamers reader readers viewer viewers listener listeners customer shopper shoppers buyer user users
friend friends family kids children adults everyone's nobody's folks guys people critic critics fan
genre genres title titles series sequel sequels prequel edition editions version versions release releases studio studios
developer developers publisher publishers author authors book books film films movie movies music album albums song songs
story stories adventure adventures action puzzle puzzles strategy simulation simulator platformer shooter racing sport
sports role-playing rogue roguelike roguelikes indie co-op multiplayer singleplayer single solo online offline
brand brands shop shops store stores basket baskets order orders delivery purchase purchases colour color size sizes
short long tall wide deep light dark heavy soft hard easy difficult simple complex rich poor cheap expensive cheaper
dearer bigger smaller larger stronger weaker faster slower newer older longer shorter higher lower closer nearer
want wants wanted wish wishes need needs needed hope hopes plan plans planned aim aims intend prefer prefers preferred
love loves hate hates feel feels felt look looks looked sound sounds seem seems seemed appear appears remain remains
stay stays stayed keep kept hold holds held bring brings brought carry carries carried come comes came go goes went gone
grow grows grew grown rise rises rose risen fell fallen drop drops dropped climb climbs climbed gain gained lose loses
lost earn earns earned spend spends spent cost costed save saves saved borrow lend owe pay pays paid start starts started
begin begins began begun end ends ended finish finishes finished stop stops stopped continue continues continued
explain explains explained describe describes mention mentions note notes notice remember forget understand understood
believe guess suppose imagine wonder decide decided compare compares compared differ differs differed match matches
fit fits suit suits suited belong belongs contain contains include includes included exclude excludes hand hands
thing something's anything's everything's nothing's part parts piece pieces side sides top bottom middle centre center
best-selling well-known all-time must-have ready-made up-to-date down-to-earth as-is right-hand left-hand
answer answers question questions reply replies message messages document documents page pages section sections rule rules
data dataset source sources note-worthy detail details example examples case cases fact facts thought thoughts idea ideas
tip tips hint hints word words sentence language summary overview report reports table tables chart charts graph graphs
mr mrs ms dr sir madam dear hey yeah yep nope wow oh ah hmm ha bye goodbye greetings regards
etf etfs twr irr xirr var cvar cagr faq usd eur rub gbp ok id pct bps vs
"""
ORDINARY: frozenset[str] = frozenset(_WORDS.split())
_FUNCTION = """
a about after all also an and any are as at be because but by can could did do does for from get had has have he her here
his how i if in is it its just let like may more most my new no not of on one only or other our out over she so some such
than that the their them then there these they this those to try two up us was we well were what when where which while
who why will with would you your yours yet yes first second third next last
"""
FUNCTION_WORDS: frozenset[str] = frozenset(_FUNCTION.split())
"""The smallest of them: a sentence may begin with one even where the catalogue has a title of that name."""
_MADE_OF_ENDINGS = re.compile(r"[a-z]{3,}(?:ly|ing|tion|ness|ment|ity|ally|ward|wards|able|ible|ful|less)")


def is_ordinary(word: str) -> bool:
    """Whether a folded English word is one of these, or is made of an ending that names hardly have.

    >>> is_ordinary("additionally"), is_ordinary("balatro")
    (True, False)
    """
    return word in ORDINARY or _MADE_OF_ENDINGS.fullmatch(word) is not None

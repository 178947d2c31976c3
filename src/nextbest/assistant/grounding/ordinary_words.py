"""English words that begin a sentence, or stand with a capital, without being anybody's name."""

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
    etf etfs twr irr xirr var cvar cagr faq usd eur rub gbp ok id pct bps vs
"""
ORDINARY: frozenset[str] = frozenset(_WORDS.split())
_MADE_OF_ENDINGS = re.compile(r"[a-z]{3,}(?:ly|ing|tion|ness|ment|ity|ally|ward|wards|able|ible|ful|less)")


def is_ordinary(word: str) -> bool:
    """Whether a folded English word is one of these, or is made of an ending that names hardly have.

    >>> is_ordinary("additionally"), is_ordinary("balatro")
    (True, False)
    """
    return word in ORDINARY or _MADE_OF_ENDINGS.fullmatch(word) is not None

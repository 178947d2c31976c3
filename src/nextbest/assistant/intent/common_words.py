"""Everyday words, which a title may consist of without being meant: "control", "next", "portal".

`STOP_WORDS` never name anything by themselves; `everyday()` do only where the text gives a hint (quotes, "a game like").
Russian everyday words are those that the dictionary of `morphology` knows. These are about questions: which words are no
title. `grounding.ordinary_words` is about answers: which words with a capital are nobody's name; an answer's vocabulary is
wider, and a word too many there would let an invented title pass, so that the two lists aren't one.
"""

from functools import cache
from importlib.resources import files

_ENGLISH = """
    a about after again all also am an and any are as at be been before by can could did do does done down for from had has have he
    hello her here hi his how i if in into is it its just may me might more most must my no not now of off ok okay on one only or other
    our out over own please same she should so some than thanks that the their them then there these they this those through to too two
    under up us very was we were what when where which while who whom whose why will with without would yes you your
"""
_RUSSIAN = """
    а без бы был была были было быть в вам вас ваш во вот все всего всё вы где да для до его ее ей если есть еще же за здесь и из или им
    их к как ко когда кто ли либо меня мне мной может мой мою моя моё мы на над надо нам нас наш не нет ни но ну о об однако он она они
    оно от очень по под после потом при про раз с сам свой себе себя со так такой там те тем то тоже только том ты у уже хотя чего чей
    чем что чтобы чья эта эти это этого этой этом этот эту я
"""
STOP_WORDS = frozenset(f"{_ENGLISH} {_RUSSIAN}".split())


@cache
def everyday() -> frozenset[str]:
    """English words of every day, lower case; read once from `everyday_words.txt` beside this module."""
    return frozenset((files(__package__) / "everyday_words.txt").read_text("utf-8").split())

"""The dictionary of reasons: stable codes, and their words in English and Russian.

A reason is a fact about the client or about clients like them, never a cause ("you should", "because"), and
never a protected attribute or age. Knows no client; `reasons.py` chooses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from nextbest.charts_page.numbers import russian_form
from nextbest.data.panel.schema import Family, PanelSchema
from nextbest.pipeline.query import Lang

Direction = Literal["present", "absent", "any"]
"""Which state of the client the words speak of: the thing is there, is not there, or either."""
FAMILIES: tuple[Family, ...] = get_args(Family)
"""A reason's `about` is a place in here where its words name a family."""
MAX_CODES = 30


@dataclass(frozen=True)
class ReasonCode:
    """One entry of the dictionary. Numbers and codes are never given anew; words may be bettered."""

    number: int
    """In arrays; 0 = no reason."""
    code: str
    """In tables, logs and answers."""
    groups: tuple[str, ...]
    """Groups of features it speaks for; `*` stands for any product or family."""
    direction: Direction
    en: str
    ru: str


REASONS: tuple[ReasonCode, ...] = (
    ReasonCode(
        1,
        "had_before",
        ("history:*",),
        "present",
        "You had this product before and stopped using it {months} ago",
        "У вас уже был этот продукт, вы перестали им пользоваться {months} назад",
    ),
    ReasonCode(
        2,
        "own_history",
        ("history:*",),
        "any",
        "Clients with a similar history of this product more often take it",
        "Клиенты с похожей историей этого продукта чаще его оформляют",
    ),
    ReasonCode(
        3,
        "dropped_product",
        ("history:*",),
        "absent",
        "You stopped using “{product}” {months} ago",
        "Вы перестали пользоваться продуктом «{product}» {months} назад",
    ),
    ReasonCode(
        4,
        "took_product",
        ("history:*",),
        "present",
        "You took “{product}” {months} ago",
        "Вы оформили продукт «{product}» {months} назад",
    ),
    ReasonCode(
        5,
        "product_history",
        ("history:*",),
        "any",
        "Clients with a similar history of “{product}” more often take this product",
        "Клиенты с похожей историей продукта «{product}» чаще оформляют этот продукт",
    ),
    ReasonCode(
        6,
        "holds_account",
        ("holding:account",),
        "present",
        "Clients with an account here more often take it",
        "Клиенты со счётом у нас чаще оформляют этот продукт",
    ),
    ReasonCode(
        7,
        "holds_payroll",
        ("holding:payroll",),
        "present",
        "Clients whose salary or pension is paid in here more often take it",
        "Клиенты, получающие у нас зарплату или пенсию, чаще оформляют этот продукт",
    ),
    ReasonCode(
        8,
        "holds_card",
        ("holding:card",),
        "present",
        "Clients with a card more often take it",
        "Клиенты с картой чаще оформляют этот продукт",
    ),
    ReasonCode(
        9,
        "holds_saving",
        ("holding:saving",),
        "present",
        "Clients with savings more often take it",
        "Клиенты со сбережениями чаще оформляют этот продукт",
    ),
    ReasonCode(
        10,
        "holds_investment",
        ("holding:investment",),
        "present",
        "Clients with investments more often take it",
        "Клиенты с инвестициями чаще оформляют этот продукт",
    ),
    ReasonCode(
        11,
        "holds_loan",
        ("holding:loan",),
        "present",
        "Clients with a loan more often take it",
        "Клиенты с кредитом чаще оформляют этот продукт",
    ),
    ReasonCode(
        12,
        "holds_payment",
        ("holding:payment",),
        "present",
        "Clients who make regular payments here more often take it",
        "Клиенты с регулярными платежами чаще оформляют этот продукт",
    ),
    ReasonCode(
        13,
        "holds_insurance",
        ("holding:insurance",),
        "present",
        "Clients with an insurance more often take it",
        "Клиенты со страховкой чаще оформляют этот продукт",
    ),
    ReasonCode(
        14,
        "holds_other",
        ("holding:other",),
        "present",
        "Clients with similar products more often take it",
        "Клиенты с похожими продуктами чаще оформляют этот продукт",
    ),
    ReasonCode(
        15,
        "lacks_family",
        ("holding:*",),
        "absent",
        "Clients without {family} more often take it",
        "Клиенты без {family} чаще оформляют этот продукт",
    ),
    ReasonCode(
        16,
        "breadth",
        ("breadth",),
        "any",
        "Clients with {n_products} more often take it",
        "Клиенты {n_products} чаще оформляют этот продукт",
    ),
    ReasonCode(
        17,
        "recent_changes",
        ("turnover",),
        "any",
        "Clients whose products changed as yours did more often take it",
        "Клиенты, чей набор продуктов менялся как у вас, чаще оформляют этот продукт",
    ),
    ReasonCode(
        18,
        "active",
        ("activity",),
        "present",
        "Active clients more often take it",
        "Активные клиенты чаще оформляют этот продукт",
    ),
    ReasonCode(
        19,
        "not_active",
        ("activity",),
        "absent",
        "Clients who rarely use the bank more often take it",
        "Клиенты, которые редко пользуются банком, чаще оформляют этот продукт",
    ),
    ReasonCode(
        20,
        "income",
        ("income",),
        "any",
        "Clients with a similar income more often take it",
        "Клиенты с похожим доходом чаще оформляют этот продукт",
    ),
    ReasonCode(
        21,
        "seniority",
        ("seniority", "presence"),
        "any",
        "Clients who have been with us for as long as you more often take it",
        "Клиенты, которые с нами столько же, сколько и вы, чаще оформляют этот продукт",
    ),
    ReasonCode(
        22,
        "household",
        ("household",),
        "any",
        "Clients of similar households more often take it",
        "Клиенты из похожих домохозяйств чаще оформляют этот продукт",
    ),
    ReasonCode(
        23,
        "entry_channel",
        ("channel",),
        "any",
        "Clients who came to us the same way more often take it",
        "Клиенты, пришедшие к нам тем же путём, чаще оформляют этот продукт",
    ),
    ReasonCode(
        24,
        "segment",
        ("segment",),
        "any",
        "Clients of your segment more often take it",
        "Клиенты вашего сегмента чаще оформляют этот продукт",
    ),
    ReasonCode(
        25,
        "status",
        ("relation",),
        "any",
        "Clients of a similar status at the bank more often take it",
        "Клиенты с похожим статусом в банке чаще оформляют этот продукт",
    ),
    ReasonCode(
        26,
        "region",
        ("region",),
        "any",
        "Clients in your region more often take it",
        "Клиенты вашего региона чаще оформляют этот продукт",
    ),
    ReasonCode(
        27,
        "season",
        ("season",),
        "any",
        "It is taken more often at this time of year",
        "В это время года этот продукт оформляют чаще",
    ),
    ReasonCode(
        28,
        "similar_profile",
        (),
        "any",
        "Clients with a similar profile more often take it",
        "Клиенты с похожим профилем чаще оформляют этот продукт",
    ),
)
"""Every reason there is, at most MAX_CODES. `similar_profile` stands where no group that may be named counted."""
BY_CODE: Mapping[str, ReasonCode] = {reason.code: reason for reason in REASONS}
BY_NUMBER: Mapping[int, ReasonCode] = {reason.number: reason for reason in REASONS}

_WITHOUT: Mapping[Family, tuple[str, str]] = {
    "account": ("an account here", "счёта у нас"),
    "payroll": ("a salary or pension paid in here", "зачисления зарплаты или пенсии"),
    "card": ("a card", "карты"),
    "saving": ("savings", "сбережений"),
    "investment": ("investments", "инвестиций"),
    "loan": ("a loan", "кредита"),
    "payment": ("regular payments here", "регулярных платежей"),
    "insurance": ("an insurance", "страховки"),
    "other": ("such products", "таких продуктов"),
}


def reason_words(number: int, *, about: int, fact: int, schema: PanelSchema, lang: Lang) -> str:
    """A reason as a sentence without a full stop; empty for 0.

    Parameters
    ----------
    number
        Of the reason.
    about
        Bit of the product or place in `FAMILIES` that it names, -1 = none.
    fact
        Months, or number of products; -1 = none.
    schema
        Names of the products.
    lang
        `en` or `ru`.

    >>> from nextbest.data.panel.schema import SANTANDER
    >>> reason_words(3, about=23, fact=3, schema=SANTANDER, lang="en")
    'You stopped using “Direct debit” 3 months ago'
    >>> reason_words(3, about=23, fact=21, schema=SANTANDER, lang="ru")
    'Вы перестали пользоваться продуктом «Прямое дебетование» 21 месяц назад'
    """
    if not number:
        return ""
    reason = BY_NUMBER[number]
    text = reason.ru if lang == "ru" else reason.en
    if "{product}" in text:
        text = text.replace("{product}", schema.products[about].name(lang))
    if "{family}" in text:
        text = text.replace("{family}", _WITHOUT[FAMILIES[about]][lang == "ru"])
    if "{months}" in text:
        text = text.replace("{months}", months_words(fact, lang))
    return text.replace("{n_products}", _with_products(fact, lang))


def months_words(n: int, lang: Lang) -> str:
    """A number of months with its noun, as it stands before "ago".

    >>> [months_words(n, "ru") for n in (1, 2, 5, 11, 22)]
    ['1 месяц', '2 месяца', '5 месяцев', '11 месяцев', '22 месяца']
    """
    if lang == "en":
        return f"{n} month" if n == 1 else f"{n} months"
    noun = {"one": "месяц", "few": "месяца", "many": "месяцев"}[russian_form(n)]
    return f"{n} {noun}"


def _with_products(n: int, lang: Lang) -> str:
    """The words after "clients": a number of products."""
    if lang == "en":
        return "no product" if n == 0 else "1 product" if n == 1 else f"{n} products"
    if n == 0:
        return "без продуктов"
    noun = "продуктом" if russian_form(n) == "one" else "продуктами"
    return f"с {n} {noun}"

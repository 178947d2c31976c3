"""The one place of the assistant that writes a figure, and that says in which other ways it may be written.

`render` is what our own words use; `forms`, `tolerance` and `is_rounding` answer for what somebody else wrote. Whoever
writes an answer imports from here, so that no second way of rounding grows.
"""

from nextbest.assistant.phrasing.amounts import money, number, share
from nextbest.assistant.phrasing.days import ahead, day, span
from nextbest.assistant.phrasing.figures import (
    FALLS,
    Style,
    is_rounding,
    label,
    plain,
    quoted,
    render,
    said,
    step,
    title,
    tolerance,
)
from nextbest.assistant.phrasing.forms import day_forms, forms, period_forms

__all__ = [
    "FALLS",
    "Style",
    "ahead",
    "day",
    "day_forms",
    "forms",
    "is_rounding",
    "label",
    "money",
    "number",
    "period_forms",
    "plain",
    "quoted",
    "render",
    "said",
    "share",
    "span",
    "step",
    "title",
    "tolerance",
]

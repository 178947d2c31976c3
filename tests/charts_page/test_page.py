"""The page against the document it was made from: same figures, both languages, nothing from outside."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from nextbest.charts_page.numbers import NBSP, written
from nextbest.charts_page.page import to_html, write_page
from nextbest.errors import ExternalError, InputError


def words(text):
    return {"en": text, "ru": f"{text} по-русски"}


def document(**more):
    figure = {"unit": "fraction", "method": "linked <daily> returns", "n": 12, "alpha": None, "horizon": None}
    made = {
        "kind": "metrics",
        "client_id": "C & <1>",
        "as_of": "2024-02-29",
        "currency": "RUB",
        "period": {"start": "2023-01-09", "end": "2024-02-29"},
        "figures": {
            "twr": figure | {"value": -0.12345, "title": words("Return")},
            "gain": figure | {"value": 1234567.8, "unit": "money", "title": words("Gain")},
            "mwr": figure | {"value": None, "reason": "no_root", "reason_text": words("no rate")},
        },
        "tables": {"classes": [{"asset_class": "equity", "weight": 0.25}, {"asset_class": None, "weight": None}]},
        "texts": {"en": ["One </script><script>alert(1)</script> line."], "ru": ["Одна строка."]},
        "charts": {"growth": {"about": {"title": words("Growth"), "unit": "percent"}, "series": []}},
        "notes": ["plain note", words("told note")],
        "layout": {
            "title": words("How it is doing"),
            "tables": {
                "classes": {
                    "title": words("Classes"),
                    "columns": [
                        {"key": "asset_class", "title": words("Class"), "unit": "text", "words": {"equity": words("Shares")}},
                        {"key": "weight", "title": words("Share"), "unit": "fraction"},
                    ],
                }
            },
        },
        "disclaimer": {"en": "No advice.", "ru": "Не совет."},
        "version": "1",
    }  # fmt: skip
    return made | more


class Page(HTMLParser):
    """What a page holds: its numbers with their places, scripts, languages, attributes that load something."""

    def __init__(self, text):
        super().__init__()
        self.data, self.scripts, self.loads, self.policy = [], [], [], ""
        self._script = self._value = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.loads += [
            value for name, value in attrs if name in ("src", "href") and not value.startswith("#")
        ]
        if tag == "script":
            self._script = [found.get("type"), ""]
        elif tag == "data":
            self._value = [found["data-path"], found["value"], {}, None]
        elif tag == "span" and self._value is not None:
            self._value[3] = found.get("lang")
        elif tag == "meta" and found.get("http-equiv"):
            self.policy = found["content"]

    def handle_data(self, text):
        if self._script is not None:
            self._script[1] += text
        elif self._value is not None:
            for language in [self._value[3]] if self._value[3] else ["en", "ru"]:
                self._value[2][language] = text

    def handle_endtag(self, tag):
        if tag == "script":
            self.scripts.append(tuple(self._script))
            self._script = None
        elif tag == "data":
            self.data.append(tuple(self._value[:3]))
            self._value = None

    @property
    def document(self):
        return json.loads(next(text for kind, text in self.scripts if kind == "application/json"))


def at(node, pointer):
    for key in pointer.split("/")[1:]:
        plain = key.replace("~1", "/").replace("~0", "~")
        node = node[int(plain)] if isinstance(node, list) else node.get(plain)
    return node


def test_the_document_stands_in_the_page_as_it_is():
    assert Page(to_html(document())).document == document()


def test_every_number_of_the_page_is_the_documents():
    page = Page(to_html(document()))
    assert len(page.data) > 10
    for pointer, value, _ in page.data:
        found = at(page.document, pointer)
        assert value == ("" if found is None else str(found)), pointer
    paths = {pointer for pointer, _, _ in page.data}
    assert {"/figures/twr/value", "/figures/mwr/value", "/tables/classes/0/weight"} <= paths


def test_numbers_are_written_by_each_language():
    shown = {pointer: texts for pointer, _, texts in Page(to_html(document())).data}
    assert shown["/figures/twr/value"] == {"en": "−12.35%", "ru": f"−12,35{NBSP}%"}
    assert shown["/figures/gain/value"]["ru"] == f"1{NBSP}234{NBSP}568{NBSP}RUB"


def test_nothing_is_loaded_and_only_our_two_scripts_may_run():
    page = Page(to_html(document()))
    assert page.loads == []
    assert page.policy.startswith("default-src 'none'")
    allowed = set(re.findall(r"'sha256-([^']+)'", page.policy))
    run = [text for kind, text in page.scripts if kind is None]
    assert {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in run} == allowed
    assert len(page.scripts) == 3  # the words of a text made no script of their own


def test_words_are_escaped_and_stand_in_both_languages():
    text = to_html(document(), language="ru")
    assert '<html lang="ru">' in text
    assert "C &amp; &lt;1&gt;" in text
    assert "linked &lt;daily&gt; returns" in text
    for word in (
        "Growth",
        "Growth по-русски",
        "Shares по-русски",
        "no rate по-русски",
        "No advice.",
        "Не совет.",
    ):
        assert word in text


def test_further_documents_are_sections_with_their_own_numbers():
    part = document(kind="plan")
    page = Page(to_html(document(kind="report", documents=[part], figures={}, tables={}, charts={})))
    assert "/documents/0/figures/twr/value" in {pointer for pointer, _, _ in page.data}


def test_a_written_page_is_the_text(tmp_path):
    file = write_page(document(), tmp_path / "page.html")
    assert file.read_text(encoding="utf-8") == to_html(document())


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), b"x"])
def test_what_json_cannot_hold_is_refused_with_its_place(bad):
    wrong = document(charts={"growth": {"about": {}, "series": [{"data": [1.0, bad]}]}})
    with pytest.raises(InputError, match=r"document: must be JSON.*look at /charts/growth/series/0/data/1"):
        to_html(wrong)


def test_wrong_calls_are_told(tmp_path):
    with pytest.raises(InputError, match="language: must be 'en' or 'ru'; got 'de'"):
        to_html(document(), language="de")
    lacking = document()
    del lacking["layout"]
    with pytest.raises(InputError, match="lacks what a page needs: 'layout'"):
        to_html(lacking)
    with pytest.raises(ExternalError, match="disk"):
        write_page(document(), tmp_path / "none" / "page.html")


@pytest.mark.parametrize(
    ("value", "unit", "en", "ru"),
    [
        (0.00123, "ratio", "0.00123", "0,00123"),
        (-0.001, "percent", "0.00%", f"0,00{NBSP}%"),
        (12.5, "days", f"12.5{NBSP}days", f"12,5{NBSP}дн."),
        (True, "ratio", "yes", "да"),
        (999.5, "USD", f"999.50{NBSP}USD", f"999,50{NBSP}USD"),
        ("2024-02", "date", "2024-02", "2024-02"),
        (3.0, "bps", f"3.00{NBSP}bps", f"3,00{NBSP}bps"),
    ],
)
def test_values_by_unit_and_language(value, unit, en, ru):
    assert (written(value, unit=unit, language="en"), written(value, unit=unit, language="ru")) == (en, ru)

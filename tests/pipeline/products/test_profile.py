"""Posted clients become the panel's types by the panel's own rules; what can't be read is named."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.data.panel.schema import SANTANDER, Attribute
from nextbest.errors import InputError
from nextbest.pipeline.products.profile import Ignored, ProfileForm

FORM = ProfileForm(SANTANDER)
LEAST = {"ncodpers": 7, "fecha_dato": "2016-05-28"}


def read(**values: object):
    return FORM.read({**LEAST, **values})


def test_the_least_profile_is_an_id_and_a_month() -> None:
    profile = FORM.read(LEAST)
    assert (profile.customer_id, profile.month, dict(profile.values)) == (7, date(2016, 5, 28), {})


@pytest.mark.parametrize(
    "day", ["2016-05-01", "2016-05-31", "2016-05-28T10:00:00", " 2016-05-28 ", "20160528"]
)
def test_any_day_of_a_month_names_the_month(day) -> None:
    assert read(fecha_dato=day).month == date(2016, 5, 28)


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        ("age", " 35", 35),
        ("age", 35.0, 35),
        ("antiguedad", "      6", 6),
        ("antiguedad", -999999, None),
        ("indrel", 1.0, "1"),
        ("indrel", "99.0", "99"),
        ("indrel_1mes", "1.0", "1"),
        ("indrel_1mes", "P", "P"),
        ("indrel_1mes", 3, "3"),
        ("cod_prov", 28.0, "28"),
        ("cod_prov", "05", "5"),
        ("nomprov", "CORUÑA, A", "CORUÑA, A"),
        ("segmento", " 02 - PARTICULARES", "02 - PARTICULARES"),
        ("ind_nuevo", True, True),
        ("ind_nuevo", "0.0", False),
        ("ind_actividad_cliente", 1.0, True),
        ("renta", "87218.1", 87218.1),
        ("renta", 87218.1, 87218.1),
        ("renta", "         NA", None),
        ("fecha_alta", "2012-08-10", date(2012, 8, 10)),
        ("ult_fec_cli_1t", None, None),
    ],
)
def test_a_value_is_read_as_the_file_reader_would(field, raw, value) -> None:
    profile = read(**{field: raw})
    assert profile.values[field] == value
    assert type(profile.values[field]) is type(value)
    assert profile.ignored == ()


def test_what_lies_outside_its_domain_is_missing_and_said_in_the_order_of_the_schema() -> None:
    profile = read(renta=-5, sexo="X", age=164, cod_prov=77, ind_nuevo=3, fecha_alta="1700-01-01")
    assert set(profile.values.values()) == {None}
    assert [ignored.name for ignored in profile.ignored] == [
        "sexo",
        "age",
        "fecha_alta",
        "ind_nuevo",
        "cod_prov",
        "renta",
    ]
    assert profile.ignored[0] == Ignored("sexo", "must be one of ['H', 'V']", "X")
    rules = {ignored.name: ignored.rule for ignored in profile.ignored}
    assert rules["age"] == "must lie in 0 to 120"
    assert rules["renta"] == "must be 0 or more"
    assert rules["ind_nuevo"] == "must be 0 or 1"
    assert rules["fecha_alta"] == "must lie in the years 1900 to 2100"
    assert rules["cod_prov"].endswith("and 47 more")


@pytest.mark.parametrize("code", [None, "", "99", "absent"])
def test_a_missing_code_of_a_province_is_filled_from_its_name_as_the_file_reader_does(code) -> None:
    given = {} if code == "absent" else {"cod_prov": code}
    assert read(nomprov="Coruña, a", **given).values["cod_prov"] == "15"
    assert read(nomprov="ATLANTIS", **given).values.get("cod_prov") is None
    assert read(nomprov="MADRID", cod_prov=8).values["cod_prov"] == "8"


def test_the_place_in_a_larger_document_stands_before_the_field() -> None:
    with pytest.raises(InputError, match="/clients/3/age: must be a whole number; got 'x'"):
        FORM.read({**LEAST, "age": "x"}, at="/clients/3/")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (None, "is required: an integer"),
        ("", "is required: an integer"),
        (" NA", "is required: an integer"),
        ("7x", "must be an integer of 64 bits"),
        ("7.5", "must be an integer of 64 bits"),
        (".0", "must be an integer of 64 bits"),
        ("-+5", "must be an integer of 64 bits"),
        ("--5", "must be an integer of 64 bits"),
        ("٧", "must be an integer of 64 bits"),
        (str(2**63), "must be an integer of 64 bits"),
        (2**63, "must be a number of 64 bits"),
        (False, "must be an integer of 64 bits"),
        ({}, "must be a text, a number or null"),
    ],
)
def test_an_id_that_is_none_is_refused(raw, words) -> None:
    with pytest.raises(InputError, match=f"id: {words}"):
        FORM.read_id(raw, at="id")


@pytest.mark.parametrize(
    ("raw", "number"), [("-5", -5), (" 7.00", 7), (7.0, 7), ("+8", 8), (2**63 - 1, 2**63 - 1)]
)
def test_an_id_may_come_as_text_or_number(raw, number) -> None:
    assert FORM.read_id(raw, at="id") == number


def test_ids_of_a_bank_that_uses_text_are_text() -> None:
    form = ProfileForm(replace(SANTANDER, id_kind="text"))
    assert form.read_id(" c-7 ", at="id") == "c-7"
    assert form.read_id(7, at="id") == "7"
    with pytest.raises(InputError, match="must be a text"):
        form.read_id(raw=True, at="id")
    with pytest.raises(InputError, match="is required: a text"):
        form.read_id("", at="id")


def test_an_open_range_says_its_one_end_and_none_its_size() -> None:
    schema = replace(
        SANTANDER,
        attributes=(Attribute("top", "number", high=5), Attribute("any", "integer")),
        roles={},
        code_names=(),
    )
    profile = ProfileForm(schema).read({**LEAST, "top": 6, "any": 2**40})
    assert [ignored.rule for ignored in profile.ignored] == [
        "must be 5 or less",
        "must be a number of 32 bits",
    ]


@pytest.mark.parametrize("raw", ["9" * 100, "1e300", 1e39, "9" * 39])
def test_an_income_past_32_bits_is_missing_and_said_not_infinite_or_a_crash(raw) -> None:
    profile = read(renta=raw)
    assert profile.values["renta"] is None
    assert profile.ignored == (Ignored("renta", "must be a number of 32 bits", raw),)
    assert read(renta=3e38).values["renta"] == 3e38


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner)
)
fields = st.sampled_from([*SANTANDER.attribute_names, "ncodpers", "fecha_dato", "other"])


def read_or_named(raw):
    """The profile, or None where it was refused in words that name a field of `raw`."""
    try:
        return FORM.read({**LEAST, **raw})
    except InputError as error:
        if error.name not in raw or not error.rule:
            raise
    return None


@given(st.dictionaries(fields, anything))
def test_whatever_is_posted_is_read_or_refused_in_words_that_name_the_field(raw) -> None:
    profile = read_or_named(raw)
    if profile is None:
        return
    for name, value in profile.values.items():
        assert value is None or isinstance(value, str | int | float | bool | date)
        assert name in raw or (name == "cod_prov" and "nomprov" in raw)
    assert {ignored.name for ignored in profile.ignored} <= {
        n for n, v in profile.values.items() if v is None
    }

"""Reasons: from the groups that spoke most, true of the client, never of a protected attribute, in good grammar."""

import re
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.data.panel.schema import SANTANDER
from nextbest.errors import DataError, InputError
from nextbest.models.products.features.tables import FeatureInput, FeatureTable
from nextbest.pipeline.decisions import reasons as module
from nextbest.pipeline.decisions.reason_codes import (
    BY_CODE,
    FAMILIES,
    MAX_CODES,
    REASONS,
    months_words,
    reason_words,
)
from nextbest.pipeline.decisions.reasons import Reasons, ReasonSource, find_reasons
from pipeline.decisions.worlds import BANK, COLUMNS, MONTH, decided, masks, people, policy

FEATURES: dict[str, str] = {
    "acc.since_drop": "history:acc",
    "card.since_drop": "history:card",
    "loan.run": "history:loan",
    "loan.lag1": "holding:loan",
    "n_held.payroll": "holding:payroll",
    "n_held.lag1": "breadth",
    "n_added.lag1": "turnover",
    "months_known": "presence",
    "activity": "activity",
    "income.log": "income",
    "income.is_imputed": "income",
    "seniority": "seniority",
    "household.size": "household",
    "channel": "channel",
    "segment": "segment",
    "relation": "relation",
    "region": "region",
    "season.month": "season",
    "age": "age",
    "sex": "protected",
    "weather": "weather",
    "gold.lag2": "history:gold",
}
"""Feature -> its group; a group more than the dictionary knows, as a newer model may have."""


def inputs(
    n: int = 1,
    *,
    held: list[list[tuple[str, ...]]] | None = None,
    household: list[int | None] | None = None,
    attributes: pl.DataFrame | None = None,
) -> FeatureInput:
    """Clients with `held[n]` = products by month, the newest first; no history without it."""
    months = 0 if held is None else max(map(len, held))
    held_NL = np.zeros((n, months), np.uint32)
    present_NL = np.zeros((n, months), np.bool_)
    for row, past in enumerate(held or []):
        held_NL[row, : len(past)] = masks(*past)
        present_NL[row, : len(past)] = True
    return FeatureInput(
        target=MONTH,
        held_NL=held_NL,
        present_NL=present_NL,
        attributes=people(*[{}] * n) if attributes is None else attributes,
        household=None if household is None else pl.DataFrame({"size": pl.Series(household, dtype=pl.Int32)}),
    )


def source(parts: dict[str, float], given: FeatureInput) -> ReasonSource:
    """The same contributions for everybody and every product."""
    row = np.array([parts.get(name, 0.0) for name in FEATURES], np.float32)
    return ReasonSource(
        tuple(FEATURES),
        tuple(FEATURES.values()),
        lambda product, rows: np.tile(row, (len(rows), 1)),
        given,
    )


def told(parts: dict[str, float], given: FeatureInput, *, offer: str = "jun", lang: Any = None) -> list[str]:
    """Codes, or sentences, of one offer to one client."""
    found = find_reasons(np.array([[COLUMNS.index(offer)]], np.int8), source(parts, given), BANK)
    return found.codes(0, 0) if lang is None else found.words(0, 0, lang=lang)


class TestDictionary:
    def test_it_holds_30_codes_at_most_each_once(self) -> None:
        assert len(REASONS) <= MAX_CODES == 30
        assert len({r.code for r in REASONS}) == len({r.number for r in REASONS}) == len(REASONS)
        assert all(0 < r.number < 256 for r in REASONS)

    def test_every_reason_has_words_in_both_languages_with_the_same_slots(self) -> None:
        for r in REASONS:
            assert re.search("[А-я]", r.ru)
            assert not re.search("[А-я]", r.en)
            assert re.findall(r"\{\w+\}", r.en) == re.findall(r"\{\w+\}", r.ru)

    def test_no_words_claim_a_cause(self) -> None:
        causal = re.compile(
            r"because|causes?|due to|leads? to|you should|потому|поэтому|из-за|вам следует|так как", re.I
        )
        assert not [r.code for r in REASONS if causal.search(r.en) or causal.search(r.ru)]

    def test_no_words_name_age_or_a_protected_attribute(self) -> None:
        named = re.compile(
            r"\bage\b|\bsex\b|gender|national|foreign|resident|возраст|пол\b|граждан|резидент", re.I
        )
        assert not [r.code for r in REASONS if named.search(r.en) or named.search(r.ru)]

    def test_every_sentence_of_both_panels_can_be_said(self) -> None:
        for schema in (BANK, SANTANDER):
            for r in REASONS:
                abouts = range(len(FAMILIES)) if "{family}" in r.en else range(len(schema.products))
                for about in abouts:
                    for lang in ("en", "ru"):
                        text = reason_words(r.number, about=about, fact=3, schema=schema, lang=lang)  # type: ignore[arg-type]
                        assert text
                        assert not re.search(r"[{}]", text)


class TestGrammar:
    @pytest.mark.parametrize(
        ("n", "en", "ru"),
        [
            (1, "1 month", "1 месяц"),
            (2, "2 months", "2 месяца"),
            (4, "4 months", "4 месяца"),
            (5, "5 months", "5 месяцев"),
            (11, "11 months", "11 месяцев"),
            (12, "12 months", "12 месяцев"),
            (14, "14 months", "14 месяцев"),
            (21, "21 months", "21 месяц"),
            (22, "22 months", "22 месяца"),
            (25, "25 months", "25 месяцев"),
            (111, "111 months", "111 месяцев"),
            (121, "121 months", "121 месяц"),
        ],
    )
    def test_months_agree_with_their_number(self, n: int, en: str, ru: str) -> None:
        assert (months_words(n, "en"), months_words(n, "ru")) == (en, ru)

    @pytest.mark.parametrize(
        ("n", "en", "ru"),
        [
            (0, "Clients with no product more often", "Клиенты без продуктов чаще"),
            (1, "Clients with 1 product more often", "Клиенты с 1 продуктом чаще"),
            (3, "Clients with 3 products more often", "Клиенты с 3 продуктами чаще"),
            (11, "Clients with 11 products more often", "Клиенты с 11 продуктами чаще"),
            (21, "Clients with 21 products more often", "Клиенты с 21 продуктом чаще"),
        ],
    )
    def test_products_agree_with_their_number(self, n: int, en: str, ru: str) -> None:
        number = BY_CODE["breadth"].number
        assert reason_words(number, about=-1, fact=n, schema=BANK, lang="en").startswith(en)
        assert reason_words(number, about=-1, fact=n, schema=BANK, lang="ru").startswith(ru)

    def test_no_reason_has_no_words(self) -> None:
        assert reason_words(0, about=-1, fact=-1, schema=BANK, lang="ru") == ""


class TestChoice:
    def test_the_three_weightiest_groups_are_named_in_their_order(self) -> None:
        parts = {"income.log": 0.2, "segment": 0.5, "season.month": 0.3, "channel": 0.1, "region": -0.9}
        assert told(parts, inputs()) == ["segment", "season", "income"]

    def test_features_of_a_group_add_up(self) -> None:
        parts = {"income.log": 0.3, "income.is_imputed": 0.3, "segment": 0.5}
        assert told(parts, inputs()) == ["income", "segment"]
        assert told({"income.log": 0.3, "income.is_imputed": -0.3, "segment": 0.5}, inputs()) == ["segment"]

    def test_what_speaks_against_an_offer_is_no_reason(self) -> None:
        assert told({"segment": -0.5, "income.log": -0.1}, inputs()) == []

    def test_what_hardly_counts_is_not_named(self) -> None:
        assert told({"segment": 1.0, "channel": 0.04}, inputs()) == ["segment"]
        assert told({"segment": 1.0, "channel": 0.06}, inputs()) == ["segment", "entry_channel"]

    @pytest.mark.parametrize("feature", ["age", "sex", "weather", "gold.lag2"])
    def test_protected_groups_age_and_unknown_groups_are_never_named(self, feature: str) -> None:
        assert told({feature: 9.0, "segment": 1.0}, inputs()) == ["segment"]
        assert told({feature: 9.0}, inputs()) == ["similar_profile"]

    @pytest.mark.parametrize(
        "name", ["age", "age.band", "income_by_age", "sex", "sexo_V", "attribute.res", "residence.is_new"]
    )
    def test_a_feature_named_after_a_protected_attribute_is_silent_in_any_group(self, name: str) -> None:
        schema = replace(
            BANK,
            attributes=tuple(replace(a, name="sexo") if a.name == "sex" else a for a in BANK.attributes),
            roles={**BANK.roles, "sex": "sexo"},
        )
        given = ReasonSource(
            (name, "coverage.page"),
            ("segment", "income"),
            lambda product, rows: np.tile(np.array([[5, 1]], np.float32), (len(rows), 1)),
            inputs(),
        )
        assert find_reasons(np.zeros((1, 1), np.int8), given, schema).codes(0, 0) == ["income"]

    def test_a_group_whose_attribute_a_bank_protects_is_silent(self) -> None:
        schema = replace(
            BANK,
            attributes=tuple(
                replace(a, is_protected=a.is_protected or a.name == "prov") for a in BANK.attributes
            ),
        )
        offer = np.zeros((1, 1), np.int8)
        assert find_reasons(offer, source({"region": 1.0}, inputs()), BANK).codes(0, 0) == ["region"]
        assert find_reasons(offer, source({"region": 1.0}, inputs()), schema).codes(0, 0) == [
            "similar_profile"
        ]

    def test_places_without_an_offer_have_no_reason(self) -> None:
        found = find_reasons(np.array([[0, -1], [-1, -1]], np.int8), source({"segment": 1}, inputs(2)), BANK)
        assert (found.code_NKR > 0).sum() == 1


class TestFacts:
    def test_a_dropped_product_is_named_with_its_months(self) -> None:
        given = inputs(held=[[(), (), ("card",), ("card",)]])
        assert told({"card.since_drop": 1}, given) == ["dropped_product"]
        assert told({"card.since_drop": 1}, given, lang="en") == ["You stopped using “Card” 2 months ago"]
        assert told({"card.since_drop": 1}, given, lang="ru") == [
            "Вы перестали пользоваться продуктом «Карта» 2 месяца назад"
        ]

    def test_a_product_taken_is_named_with_its_months(self) -> None:
        given = inputs(held=[[("loan",), ()]])
        assert told({"loan.run": 1}, given, lang="en") == ["You took “Loan” 1 month ago"]

    def test_the_offered_products_own_past_is_told_as_such(self) -> None:
        given = inputs(held=[[(), ("acc",)]])
        assert told({"acc.since_drop": 1}, given, offer="acc", lang="en") == [
            "You had this product before and stopped using it 1 month ago"
        ]
        never = inputs(held=[[(), ()]])
        assert told({"acc.since_drop": 1}, never, offer="acc") == ["own_history"]

    def test_a_history_without_a_flank_is_told_without_months(self) -> None:
        given = inputs(held=[[("loan",), ("loan",)]])
        assert told({"loan.run": 1}, given, lang="ru") == [
            "Клиенты с похожей историей продукта «Кредит» чаще оформляют этот продукт"
        ]

    def test_an_absence_is_no_drop(self) -> None:
        given = inputs(held=[[(), (), ("card",)]])
        gap = FeatureInput(MONTH, given.held_NL, np.array([[True, False, True]]), given.attributes)
        assert told({"card.since_drop": 1}, gap) == ["product_history"]

    @pytest.mark.parametrize(
        ("held", "code", "words"),
        [
            (("sal",), "holds_payroll", "Clients whose salary or pension is paid in here more often take it"),
            (("acc",), "lacks_family", "Clients without a salary or pension paid in here more often take it"),
        ],
    )
    def test_holding_is_told_as_it_is(self, held: tuple[str, ...], code: str, words: str) -> None:
        given = inputs(held=[[held]])
        assert told({"n_held.payroll": 1}, given) == [code]
        assert told({"n_held.payroll": 1}, given, lang="en") == [words]

    def test_breadth_counts_the_products(self) -> None:
        given = inputs(held=[[("acc", "loan")]])
        assert told({"n_held.lag1": 1}, given, lang="en") == ["Clients with 2 products more often take it"]

    @pytest.mark.parametrize("feature", ["card.since_drop", "loan.lag1", "n_held.lag1", "n_added.lag1"])
    def test_nothing_is_said_of_products_of_a_client_without_history(self, feature: str) -> None:
        assert told({feature: 1}, inputs()) == ["similar_profile"]

    @pytest.mark.parametrize(("active", "code"), [(True, "active"), (False, "not_active")])
    def test_activity_is_told_as_it_is(self, active: bool, code: str) -> None:
        assert told({"activity": 1}, inputs(attributes=people({"active": active}))) == [code]

    @pytest.mark.parametrize(
        ("feature", "column"),
        [
            ("activity", "active"),
            ("income.log", "income"),
            ("seniority", "since"),
            ("months_known", "since"),
            ("channel", "chan"),
            ("segment", "seg"),
            ("relation", "rel"),
            ("region", "prov"),
        ],
    )
    def test_a_missing_value_is_no_reason(self, feature: str, column: str) -> None:
        assert told({feature: 1}, inputs(attributes=people({column: None}))) == ["similar_profile"]
        assert told({feature: 1}, inputs(attributes=people({}).drop(column))) == ["similar_profile"]
        assert told({feature: 1}, inputs()) != ["similar_profile"]

    def test_a_household_is_a_reason_only_where_one_is_known(self) -> None:
        assert told({"household.size": 1}, inputs()) == ["similar_profile"]
        assert told({"household.size": 1}, inputs(household=[None])) == ["similar_profile"]
        assert told({"household.size": 1}, inputs(household=[2])) == ["household"]

    def test_presence_and_seniority_are_one_reason(self) -> None:
        assert told({"seniority": 0.4, "months_known": 0.4, "segment": 0.5}, inputs()) == [
            "seniority",
            "segment",
        ]


def plain_months(held: list[bool], present: list[bool]) -> int | None:
    """Months since the last drop, by looking; the newest month first."""
    for back in range(len(held) - 1):
        if present[back] and present[back + 1] and held[back + 1] and not held[back]:
            return back + 1
    return None


class TestBatches:
    @given(
        st.lists(st.lists(st.sets(st.sampled_from(COLUMNS)), min_size=6, max_size=6), min_size=1, max_size=6)
    )
    def test_months_since_a_drop_are_those_of_a_plain_look(self, pasts: list[list[set[str]]]) -> None:
        given = inputs(len(pasts), held=[[tuple(month) for month in past] for past in pasts])
        offer = np.full((len(pasts), 1), COLUMNS.index("jun"), np.int8)
        found = find_reasons(offer, source({"card.since_drop": 1}, given), BANK)
        for n, past in enumerate(pasts):
            months = plain_months(["card" in month for month in past], [True] * 6)
            if months is not None and "card" not in past[0]:
                assert found.codes(n, 0) == ["dropped_product"]
                assert found.fact_NKR[n, 0, 0] == months
            else:
                assert found.codes(n, 0) in (["took_product"], ["product_history"])

    def test_blocks_of_any_size_give_the_same_reasons(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rng = np.random.default_rng(0)
        parts = rng.normal(size=(40, len(COLUMNS), len(FEATURES))).astype(np.float32)
        held = [[tuple(rng.choice(COLUMNS, 2)) for _ in range(4)] for _ in range(40)]
        given = replace(
            source({}, inputs(40, held=held)), contributions=lambda product, rows: parts[rows, product]
        )
        offers = rng.integers(-1, 6, size=(40, 3)).astype(np.int8)
        offers[14:21] = -1  # a block without any
        whole = find_reasons(offers, given, BANK)
        monkeypatch.setattr(module, "_BLOCK_CLIENTS", 7)
        monkeypatch.setattr(module, "_BLOCK_CELLS", 50)
        cut = find_reasons(offers, given, BANK)
        for name in ("code_NKR", "about_NKR", "fact_NKR"):
            assert (getattr(whole, name) == getattr(cut, name)).all()
        assert ((whole.code_NKR > 0).any(axis=2) <= (offers >= 0)).all()

    def test_a_model_is_asked_only_where_there_are_offers(self) -> None:
        asked: list[tuple[int, int]] = []

        class Model:
            def contributions(self, table: FeatureTable, product: int) -> np.ndarray:
                asked.append((product, len(table)))
                return np.ones((len(table), 1), np.float32)

        table = FeatureTable(("segment",), np.zeros((3, 1), np.float32), ("segment",))
        given = ReasonSource.from_model(Model(), table, inputs(3))
        find_reasons(np.array([[4, 0], [4, -1], [-1, -1]], np.int8), given, BANK)
        assert asked == [(0, 1), (4, 2)]

    def test_first_words_are_the_first_of_words(self) -> None:
        given = inputs(3, held=[[(), ("card",)], [("card",), ()], [(), ()]])
        offers = np.zeros((3, 1), np.int8)
        found = find_reasons(offers, source({"card.since_drop": 1}, given), BANK)
        rows, places = np.arange(3), np.zeros(3, np.int64)
        for lang in ("en", "ru"):
            first = found.first_words(rows, places, lang=lang)  # type: ignore[arg-type]
            assert first.to_list() == [found.words(n, 0, lang=lang)[0] for n in range(3)]  # type: ignore[arg-type]
        nothing = Reasons.none(3, 1, BANK).first_words(rows, places, lang="en")
        assert nothing.to_list() == [None] * 3

    def test_reasons_come_with_the_decisions_in_every_form(self) -> None:
        given = inputs(1, held=[[(), ("card",)]])
        found = decided(
            [[0.5, 0, 0, 0, 0, 0]], policy(), reasons=source({"card.since_drop": 2, "segment": 1}, given)
        )
        codes = ["dropped_product", "segment"]
        assert found.to_frame()["reason"].to_list() == ["dropped_product"]
        assert found.to_frame()["reasons"].to_list() == [codes]
        assert found.to_frame(lang="en")["reason"].to_list() == ["You stopped using “Card” 1 month ago"]
        assert found.to_log()["reasons"].to_list() == [codes]
        assert found.for_client(0, lang="ru")["offers"][0]["reasons"] == [
            {"code": "dropped_product", "text": "Вы перестали пользоваться продуктом «Карта» 1 месяц назад"},
            {"code": "segment", "text": "Клиенты вашего сегмента чаще оформляют этот продукт"},
        ]


class TestBadSources:
    OFFER = np.zeros((1, 1), np.int8)

    def test_other_clients_are_refused(self) -> None:
        with pytest.raises(InputError, match="inputs: must hold the 1 clients decided for; got 2"):
            find_reasons(self.OFFER, source({}, inputs(2)), BANK)

    @pytest.mark.parametrize(
        ("parts", "message"),
        [
            (np.zeros((1, 3)), "contributions: must have shape"),
            (np.full((1, len(FEATURES)), np.nan), r"contributions: must be finite; 1 row\(s\) break it"),
            (np.full((1, len(FEATURES)), np.inf), "must be finite"),
        ],
    )
    def test_contributions_of_another_form_are_refused(self, parts: np.ndarray, message: str) -> None:
        given = replace(source({}, inputs()), contributions=lambda product, rows: parts)
        with pytest.raises(DataError, match=message):
            find_reasons(self.OFFER, given, BANK)

    def test_a_panel_without_any_known_group_says_as_much_as_is_true(self) -> None:
        given = ReasonSource(
            ("x",), ("weather",), lambda product, rows: np.ones((len(rows), 1), np.float32), inputs()
        )
        assert find_reasons(self.OFFER, given, BANK).codes(0, 0) == ["similar_profile"]

    def test_the_month_is_the_one_of_the_test_world(self) -> None:
        assert date(2016, 6, 28) == MONTH

"""Each filter alone: whom it stops, what it leaves alone, and which of several is reported."""

from typing import Any

import polars as pl
import pytest

from nextbest.errors import DataError
from nextbest.pipeline.decisions.eligibility import FILTERS, filter_codes
from nextbest.pipeline.decisions.policy import load_policy
from nextbest.pipeline.decisions.rules import FIRST_SUITABILITY, compile_policy
from pipeline.decisions.worlds import BANK, COLUMNS, PLAIN, decided, offers, people, policy

EVEN = [[0.5] * len(COLUMNS)]
EVERYTHING = dict.fromkeys(COLUMNS)


def fired(changes: dict[str, Any], products: dict[str, Any] | None = None, **parts: Any) -> dict[str, str]:
    """What fires for one client with some changes, under a policy with some changes."""
    return decided(EVEN, policy(products, **parts), attributes=people(changes)).fired(0)


def all_of(code: str) -> dict[str, str]:
    return dict.fromkeys(COLUMNS, code)


class TestClient:
    CLIENTS: dict[str, Any] = {  # noqa: RUF012
        "deceased": {"deceased": ["S"]},
        "former": {"relation": ["P"], "seg": ["gone"]},
        "employee": {"employee": ["A", "F"]},
    }

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"dead": "S"}, "deceased"),
            ({"rel": "P"}, "former_client"),
            ({"seg": "gone"}, "former_client"),
            ({"emp": "A"}, "employee"),
            ({"dead": "S", "rel": "P", "emp": "A"}, "deceased"),
        ],
    )
    def test_who_gets_nothing_at_all(self, changes: dict[str, Any], code: str) -> None:
        assert fired(changes, clients=self.CLIENTS) == all_of(code)

    @pytest.mark.parametrize("changes", [{}, {"dead": None, "rel": None, "emp": None, "seg": None}])
    def test_others_and_the_unknown_are_left_alone(self, changes: dict[str, Any]) -> None:
        assert fired(changes, clients=self.CLIENTS) == {}

    def test_without_the_rule_employees_are_clients_like_others(self) -> None:
        assert fired({"emp": "A"}) == {}


class TestAge:
    RULES: dict[str, Any] = {  # noqa: RUF012
        "card": {"min_age": 18},
        "loan": {"min_age": 21, "max_age": 70},
        "jun": {"max_age": 17},
    }

    @pytest.mark.parametrize(
        ("age", "expected"),
        [
            (17, {"card": "under_age", "loan": "under_age"}),
            (18, {"loan": "under_age", "jun": "over_age"}),
            (21, {"jun": "over_age"}),
            (70, {"jun": "over_age"}),
            (71, {"jun": "over_age", "loan": "over_age"}),
            (None, {"card": "age_unknown", "loan": "age_unknown", "jun": "age_unknown"}),
        ],
    )
    def test_limits_are_included(self, age: int | None, expected: dict[str, str]) -> None:
        assert fired({"age": age}, self.RULES) == expected

    def test_an_unknown_age_may_be_let_through(self) -> None:
        assert fired({"age": None}, self.RULES, clients={"unknown_age": "allow"}) == {}


class TestResidence:
    RULES: dict[str, Any] = {"loan": {"residence": ["S"]}, "card": {"residence": ["S", "N"]}}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("residence", "expected"),
        [
            ("S", {}),
            ("N", {"loan": "residence"}),
            (None, {"loan": "residence_unknown", "card": "residence_unknown"}),
        ],
    )
    def test_only_the_named_residences_pass(self, residence: str | None, expected: dict[str, str]) -> None:
        assert fired({"res": residence}, self.RULES) == expected

    def test_an_unknown_residence_may_be_let_through(self) -> None:
        assert fired({"res": None}, self.RULES, clients={"unknown_residence": "allow"}) == {}


class TestApplicability:
    def test_what_is_held_is_never_offered(self) -> None:
        found = decided(EVEN, policy(), held=[["acc", "loan"]])
        assert found.fired(0) == {"acc": "held", "loan": "held"}

    def test_a_closed_product_and_one_without_a_rule_are_not_for_sale(self) -> None:
        named = {c: {"value": 10.0} for c in COLUMNS if c != "jun"} | {
            "loan": {"value": 10, "is_open": False}
        }
        made = policy().from_json(policy().to_json())
        made = type(made).model_validate(made.model_dump() | {"products": named})
        assert decided(EVEN, made).fired(0) == {"loan": "closed", "jun": "closed"}

    def test_a_product_stays_in_its_channels(self) -> None:
        rules = {"loan": {"channels": ["mail"]}}
        assert fired({}, rules) == {"loan": "not_in_channel"}
        assert decided(EVEN, policy(rules), channel="mail").fired(0) == {}

    def test_eligibility_is_reported_before_applicability(self) -> None:
        made = policy({"acc": {"is_open": False}}, clients={"deceased": {"deceased": ["S"]}})
        found = decided(EVEN, made, held=[["acc"]], attributes=people({"dead": "S"}))
        assert found.fired(0)["acc"] == "deceased"
        assert decided(EVEN, made, held=[["acc"]]).fired(0) == {"acc": "held"}


class TestSuitability:
    @pytest.mark.parametrize(
        ("rule", "changes", "stops"),
        [
            ({"attribute": "income", "min": 1000}, {"income": 999.0}, True),
            ({"attribute": "income", "min": 1000}, {"income": 1000.0}, False),
            ({"attribute": "income", "max": 1000}, {"income": 1001.0}, True),
            ({"attribute": "income", "max": 1000}, {"income": 1000.0}, False),
            ({"attribute": "income", "min": 1}, {"income": None}, True),
            ({"attribute": "income", "min": 1}, {"income": float("nan")}, True),
            ({"attribute": "income", "min": 1, "when_unknown": "allow"}, {"income": None}, False),
            ({"attribute": "segment", "allowed": ["top"]}, {}, True),
            ({"attribute": "segment", "allowed": ["mass"]}, {}, False),
            ({"attribute": "segment", "allowed": ["mass"]}, {"seg": None}, True),
            ({"attribute": "seg", "allowed": ["mass"], "when_unknown": "allow"}, {"seg": None}, False),
            ({"attribute": "seg", "forbidden": ["mass"]}, {}, True),
            ({"attribute": "seg", "forbidden": ["top"]}, {}, False),
            ({"attribute": "seg", "forbidden": ["top"]}, {"seg": None}, True),
            ({"attribute": "seg", "forbidden": ["top"], "when_unknown": "allow"}, {"seg": None}, False),
            ({"attribute": "active", "min": 1}, {"active": False}, True),
            ({"attribute": "active", "min": 1}, {"active": True}, False),
            ({"attribute": "activity", "forbidden": ["0"]}, {"active": False}, True),
            ({"attribute": "activity", "forbidden": ["0"]}, {"active": True}, False),
            ({"attribute": "activity", "allowed": ["1"]}, {"active": True}, False),
        ],
    )
    def test_a_rule_of_the_bank_stops_by_its_own_code(
        self, rule: dict[str, Any], changes: dict[str, Any], stops: bool
    ) -> None:
        found = fired(changes, suitability=[{"code": "not_for_you", "products": ["loan"], **rule}])
        assert found == ({"loan": "not_for_you"} if stops else {})

    def test_families_and_products_are_joined_and_none_means_all(self) -> None:
        test = {"code": "poor", "attribute": "income", "min": 10**6}
        both = fired({}, suitability=[test | {"products": ["loan"], "families": ["payroll"]}])
        assert both == {"loan": "poor", "sal": "poor", "pen": "poor"}
        assert fired({}, suitability=[test]) == all_of("poor")

    def test_the_first_of_several_is_reported(self) -> None:
        tests = [
            {"code": "poor", "attribute": "income", "min": 10**6, "products": ["loan"]},
            {"code": "mass", "attribute": "seg", "forbidden": ["mass"]},
        ]
        assert fired({}, suitability=tests) == all_of("mass") | {"loan": "poor"}


class TestArbitrationFloor:
    def test_a_probability_of_0_or_below_the_floor_is_too_low(self) -> None:
        p = [[0.0, 0.25, 0.25, 0.25, 0.25, 0.25]]
        found = decided(p, policy({"sal": {"min_propensity": 0.5}, "pen": {"min_propensity": 0.25}}))
        assert found.fired(0) == {"acc": "low_propensity", "sal": "low_propensity"}

    @pytest.mark.parametrize("rule", [{"value": 0}, {"lever": 0}])
    def test_what_is_worth_nothing_is_not_offered(self, rule: dict[str, Any]) -> None:
        assert fired({}, {"card": rule}) == {"card": "no_value"}

    def test_a_weight_of_0_takes_a_product_out_of_a_channel(self) -> None:
        made = policy(context=[{"weight": 0, "products": ["card"], "channel": "mail"}])
        assert decided(EVEN, made, channel="mail").fired(0) == {"card": "no_value"}
        assert decided(EVEN, made).fired(0) == {}


class TestOrder:
    CHAIN = [["acc", "card"], ["card", "loan"]]  # noqa: RUF012

    def test_what_waits_for_something_impossible_is_stopped_along_the_chain(self) -> None:
        found = decided(EVEN, policy({"acc": {"is_open": False}}, before=self.CHAIN))
        assert found.fired(0) == {"acc": "closed", "card": "order", "loan": "order"}

    def test_what_is_held_need_not_come_first(self) -> None:
        found = decided(EVEN, policy({"acc": {"is_open": False}}, before=self.CHAIN), held=[["acc"]])
        assert found.fired(0) == {"acc": "held"}

    def test_the_second_takes_the_place_after_the_first_however_likely_it_is(self) -> None:
        p = [[0.1, 0.9, 0.2, 0.3, 0.0, 0.0]]
        made = policy(before=[["pen", "sal"]])
        assert offers(decided(p, made)) == ["card", "pen", "sal"]
        assert offers(decided(p, made, held=[["pen"]])) == ["sal", "card", "acc"]

    def test_a_list_too_short_for_both_holds_the_first(self) -> None:
        p = [[0.1, 0.9, 0.2, 0.0, 0.0, 0.0]]
        assert offers(decided(p, policy(before=[["pen", "sal"]], max_offers=1))) == ["pen"]


class TestCodes:
    def test_numbers_and_codes_are_unique_and_leave_room_for_the_banks_own(self) -> None:
        assert len({f.number for f in FILTERS}) == len({f.code for f in FILTERS}) == len(FILTERS)
        assert max(f.number for f in FILTERS) < FIRST_SUITABILITY

    def test_the_codes_of_a_policy_hold_its_own(self) -> None:
        from nextbest.data.panel.schema import SANTANDER

        codes = filter_codes(compile_policy(load_policy(), SANTANDER))
        assert codes[FIRST_SUITABILITY] == "income_too_low"
        assert codes[9] == "held"

    def test_counts_of_a_batch_are_what_its_clients_say(self) -> None:
        found = decided(EVEN * 3, policy(TestAge.RULES), attributes=people({}, {"age": 17}, {"age": 5}))
        counts = {row["code"]: row for row in found.counts().to_dicts()}
        assert counts["under_age"]["card"] == 2
        assert counts["over_age"]["jun"] == 1
        assert counts["passed"]["acc"] == 3
        assert all(sum(row[c] for row in counts.values()) == 3 for c in COLUMNS)


class TestBadAttributes:
    def test_a_column_that_the_policy_reads_must_be_there(self) -> None:
        made = policy(TestAge.RULES, suitability=[{"code": "poor", "attribute": "income", "min": 1}])
        assert set(compile_policy(made, BANK).columns) == {"age", "income"}
        with pytest.raises(DataError, match=r"attributes: column\(s\) \['age', 'income'\] missing"):
            decided(EVEN, made, attributes=people({}).drop("age", "income"))
        assert decided(EVEN, made, attributes=people({}).select("age", "income")).fired(0) == {
            "jun": "over_age"
        }

    def test_a_number_must_be_a_number(self) -> None:
        with pytest.raises(DataError, match="column 'age' must be a number, is String"):
            decided(EVEN, policy(TestAge.RULES), attributes=people({}).with_columns(age=pl.lit("40")))

    def test_a_column_of_nulls_alone_is_unknown_for_all(self) -> None:
        table = people({}).with_columns(age=pl.lit(None), res=pl.lit(None))
        made = policy({"card": {"min_age": 18}, "loan": {"residence": ["S"]}})
        assert decided(EVEN, made, attributes=table).fired(0) == {
            "card": "age_unknown",
            "loan": "residence_unknown",
        }

    def test_the_plain_client_is_stopped_by_nothing(self) -> None:
        assert fired({}) == {}
        assert set(PLAIN) == set(BANK.attribute_names)

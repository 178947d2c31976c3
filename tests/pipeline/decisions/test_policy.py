"""Policies: read, written, refused with the key that is wrong; compiled against a panel."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nextbest.data.panel.schema import SANTANDER
from nextbest.errors import InputError
from nextbest.pipeline.decisions.policy import DecisionPolicy, load_policy, shipped_policies
from nextbest.pipeline.decisions.rules import compile_policy
from nextbest.pipeline.decisions.toml_text import toml_text
from pipeline.decisions.worlds import BANK, policy

RAW = json.loads(policy().to_json())
texts = st.text(st.characters(codec="utf-8"), max_size=5)
scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
inline = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2), max_leaves=3)
tables = st.recursive(
    st.dictionaries(texts, inline, max_size=2),
    lambda inner: st.dictionaries(
        texts, st.one_of(inner, st.lists(inner, min_size=1, max_size=2)), max_size=2
    ),
    max_leaves=4,
)


def changed(path: str, value: Any) -> str:
    """The plain policy as JSON with one key set; numbers in the path are places of a list."""
    raw = json.loads(json.dumps(RAW))
    *ways, last = path.split(".")
    at = raw
    for way in ways:
        at = at[int(way)] if isinstance(at, list) else at[way]
    at[int(last) if isinstance(at, list) else last] = value
    return json.dumps(raw)


def test_public_names_are_found_where_the_package_says() -> None:
    import nextbest.pipeline.decisions as package

    assert package.load_policy is load_policy
    assert all(getattr(package, name) is not None for name in package.__all__)
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = package.nothing_here


class TestShipped:
    def test_the_policy_of_santander_names_every_product_and_compiles(self) -> None:
        assert shipped_policies() == ["santander"]
        shipped = load_policy()
        assert set(shipped.products) == set(SANTANDER.product_columns)
        rules = compile_policy(shipped, SANTANDER)
        closed = {c for c in SANTANDER.product_columns if rules.closed_mask >> SANTANDER.bit(c) & 1}
        assert closed == {f"ind_{p}_fin_ult1" for p in ("ahor", "aval", "deco", "deme")}

    def test_minors_are_offered_the_junior_account_alone(self) -> None:
        for column, rule in load_policy().products.items():
            is_for_minors = rule.is_open and (rule.min_age is None or rule.min_age < 18)
            assert is_for_minors == (column == "ind_ctju_fin_ult1")

    def test_pension_payroll_comes_before_payroll(self) -> None:
        assert load_policy().before == (("ind_nom_pens_ult1", "ind_nomina_ult1"),)


class TestText:
    @pytest.mark.parametrize("make", [policy, load_policy])
    def test_toml_and_json_give_the_same_policy_back(self, make: Any) -> None:
        made: DecisionPolicy = make()
        assert DecisionPolicy.from_toml(made.to_toml()) == made
        assert DecisionPolicy.from_json(made.to_json()) == made

    def test_a_policy_is_read_from_files_of_both_kinds(self, tmp_path: Path) -> None:
        made = policy(before=[["pen", "sal"]])
        (tmp_path / "p.toml").write_text(made.to_toml(), encoding="utf-8")
        (tmp_path / "p.json").write_text(made.to_json(), encoding="utf-8")
        assert load_policy(tmp_path / "p.toml") == load_policy(tmp_path / "p.json") == made

    def test_equal_policies_have_equal_digests_and_any_change_another(self) -> None:
        assert policy().digest == policy().digest
        assert policy().digest != policy(max_offers=2).digest

    @settings(suppress_health_check=[HealthCheck.too_slow])  # machines are shared
    @example({"0\n": []}, "0\n", {})
    @given(st.dictionaries(texts, inline, max_size=2), texts, tables)
    def test_what_is_written_as_toml_is_what_tomllib_reads(
        self, value: dict[str, Any], key: str, table: dict[str, Any]
    ) -> None:
        value |= {key: table}
        assert tomllib.loads(toml_text(value)) == value

    def test_a_key_of_none_is_left_out(self) -> None:
        assert tomllib.loads(toml_text({"a": None, "b": {"c": None}})) == {"b": {}}


class TestWrongKeys:
    @pytest.mark.parametrize(
        ("path", "value", "message"),
        [
            ("currency", "eur", "policy.currency: "),
            ("currency", None, "policy.currency: "),
            ("max_offers", 0, "policy.max_offers: .*greater than or equal to 1; got 0"),
            ("max_ofers", 3, "policy.max_ofers: is no key of a policy, the nearest is max_offers; got 3"),
            ("products.card.value", -1, "policy.products.card.value: .*got -1"),
            ("products.card.value", float("nan"), "policy.products.card.value"),
            ("products.card.price", 1, "policy.products.card.price: is no key of a policy"),
            ("products.card.min_age", 121, "policy.products.card.min_age"),
            ("products.card.min_propensity", 1.5, "policy.products.card.min_propensity"),
            ("products.card", {"value": 1, "min_age": 30, "max_age": 20}, "policy.products.card: min_age 30 is above"),
            ("products.card.channels", ["fax"], r"products.card.channels names \['fax'\]"),
            ("products", {}, "policy.products"),
            ("channels", [], "policy.channels"),
            ("channels", ["app", "app", "mail"], "channels: values must be unique"),
            ("default_channel", "fax", "default_channel 'fax' is not one of channels"),
            ("before", [["acc"]], "policy.before.0"),
            ("before", [["acc", "card"], ["card", "loan"], ["loan", "acc"]], "before: 'card' would have to come before itself"),
            ("mandatory", ["acc", "card", "loan", "pen"], "mandatory names 4 products, more than max_offers"),
            ("mandatory", ["acc", "acc"], "mandatory: values must be unique"),
            ("suitability", [{"code": "Bad code", "attribute": "income", "min": 1}], "policy.suitability.0.code"),
            ("suitability", [{"code": "poor", "attribute": "income"}], "policy.suitability.0: needs exactly one test"),
            ("suitability", [{"code": "poor", "attribute": "income", "min": 1, "allowed": ["a"]}], "exactly one test"),
            ("suitability", [{"code": "poor", "attribute": "income", "min": 2, "max": 1}], "min 2 is above max 1"),
            ("suitability", [{"code": "poor", "attribute": "income", "min": 2}] * 2, "suitability: codes must be unique"),
            ("context", [{"weight": 2, "attribute": "seg"}], "policy.context.0: attribute and values"),
            ("context", [{"weight": -2}], "policy.context.0.weight"),
            ("context", [{"weight": 2, "channel": "fax"}], r"context.0.channel names \['fax'\]"),
            ("context", [{"weight": 2, "families": ["toys"]}], "policy.context.0.families.0"),
            ("contacts.caps", [{"scope": "planet", "at_most": 1, "days": 1}], "policy.contacts.caps.0.scope"),
            ("contacts.caps", [{"scope": "client", "at_most": 1, "days": 0}], "policy.contacts.caps.0.days"),
            ("contacts.caps", [{"scope": "client", "at_most": 1, "days": 1, "products": ["acc"]}], "scope = 'product' only"),
            ("contacts.caps", [{"scope": "client", "at_most": 1, "days": 1, "channels": ["fax"]}], "contacts.caps.0.channels"),
            ("contacts.suppressions", [{"after_exposures": 0, "within_days": 1, "for_days": 1}], "after_exposures"),
            ("contacts.refusal_days", -1, "policy.contacts.refusal_days"),
            ("clients.unknown_age", "maybe", "policy.clients.unknown_age"),
            ("control.share", 1.1, "policy.control.share"),
            ("control.salt", "", "policy.control.salt"),
            ("exploration.kind", "greedy", "policy.exploration.kind"),
            ("exploration.temperature", 0, "policy.exploration.temperature"),
            ("exploration.epsilon", -0.1, "policy.exploration.epsilon"),
        ],
    )  # fmt: skip
    def test_the_message_names_the_key(self, path: str, value: Any, message: str) -> None:
        with pytest.raises(InputError, match=message):
            DecisionPolicy.from_json(changed(path, value))

    def test_a_missing_key_is_named_without_the_whole_policy(self) -> None:
        raw = {key: value for key, value in RAW.items() if key not in ("currency", "version")}
        with pytest.raises(
            InputError, match=r"^policy.version: .*; also wrong: policy.currency: Field required$"
        ):
            DecisionPolicy.from_json(json.dumps(raw))

    def test_the_first_five_wrong_keys_and_the_file_are_named_slips_of_the_pen_first(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "my-bank.toml"
        path.write_text("[products.card]\nvalue = 1\nminage = 3\n")
        with pytest.raises(InputError) as caught:
            load_policy(path)
        words = str(caught.value)
        first = (
            "policy.products.card.minage: is no key of a policy, the nearest is min_age; got 3; also wrong: "
        )
        assert words.startswith(first)
        required = ("version", "panel", "currency", "value_unit")
        assert [name for name in required if f"policy.{name}: Field required" in words] == list(required)
        assert words.endswith(f"in {path}")
        path.write_text("".join(f"{letter} = 1\n" for letter in "abcdef"))
        with pytest.raises(InputError, match=r"policy.a: .*policy.e: [^;]*; got 1; 6 more; in "):
            load_policy(path)
        path.write_text("a = [")
        with pytest.raises(InputError, match=r"is not valid TOML.*my-bank\.toml"):
            load_policy(path)

    @pytest.mark.parametrize(
        ("read", "text"), [(DecisionPolicy.from_toml, "a = ["), (DecisionPolicy.from_json, "{")]
    )
    def test_text_of_another_kind_is_refused(self, read: Any, text: str) -> None:
        with pytest.raises(InputError, match="policy: is not valid"):
            read(text)

    def test_files_that_are_no_policy_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="does not exist"):
            load_policy(tmp_path / "none.toml")
        with pytest.raises(InputError, match=r"one of \['santander'\]"):
            load_policy("sberbank")
        (tmp_path / "p.toml").write_bytes(b"\xff")
        with pytest.raises(InputError, match="not UTF-8"):
            load_policy(tmp_path / "p.toml")


class TestAgainstThePanel:
    @pytest.mark.parametrize(
        ("parts", "message"),
        [
            ({"panel": "other"}, "policy.panel: must be the panel decided for, 'bank'"),
            ({"products": {"acc": {"value": 1}, "gold": {"value": 1}}}, "policy.products.gold"),
            ({"before": [["gold", "acc"]]}, "policy.before.0: must name a product"),
            ({"mandatory": ["gold"]}, "policy.mandatory"),
            ({"clients": {"deceased": {"ghost": ["S"]}}}, "policy.clients.deceased.ghost"),
            ({"suitability": [{"code": "xx", "attribute": "wealth", "min": 1}]}, "policy.suitability.0.attribute"),
            ({"suitability": [{"code": "xx", "attribute": "sex", "allowed": ["V"]}]}, "protected attribute"),
            ({"suitability": [{"code": "xx", "attribute": "income", "min": 1, "products": ["gold"]}]}, "suitability.0.products"),
            ({"suitability": [{"code": "xx", "attribute": "income", "min": 1, "families": ["insurance"]}]}, "no product of 'bank'"),
            ({"context": [{"weight": 1, "attribute": "res", "values": ["S"]}]}, "policy.context.0.attribute: a protected"),
            ({"context": [{"weight": 1, "products": ["gold"]}]}, "policy.context.0.products"),
            ({"products": {"card": {"value": 1, "residence": ["Y"]}}}, r"policy.products.card.residence: must be among \['S', 'N'\]; got \['Y'\]"),
            ({"clients": {"deceased": {"deceased": ["s"]}}}, r"policy.clients.deceased.deceased: must be among \['S', 'N'\]"),
            ({"suitability": [{"code": "xx", "attribute": "segment", "forbidden": ["Top"]}]}, "policy.suitability.0.forbidden: must be among"),
            ({"suitability": [{"code": "xx", "attribute": "segment", "allowed": ["Top"]}]}, "policy.suitability.0.allowed: must be among"),
            ({"suitability": [{"code": "xx", "attribute": "segment", "min": 1}]}, "suitability.0.attribute: min and max need a number, this is a category"),
            ({"suitability": [{"code": "xx", "attribute": "income", "allowed": ["100"]}]}, "income is a number and has no values to name"),
            ({"suitability": [{"code": "xx", "attribute": "age", "max": 70}]}, "suitability.0.attribute: age decides in eligibility only"),
            ({"context": [{"weight": 0, "attribute": "age", "values": ["70"]}]}, "context.0.attribute: age decides in eligibility only"),
            ({"context": [{"weight": 2, "attribute": "active", "values": ["true"]}]}, r"context.0.values: must be among \['0', '1'\]"),
            ({"contacts": {"caps": [{"scope": "product", "at_most": 1, "days": 1, "products": ["gold"]}]}}, "contacts.caps.0.products"),
            ({"contacts": {"suppressions": [{"after_exposures": 1, "within_days": 1, "for_days": 1, "products": ["gold"]}]}}, "suppressions.0"),
        ],
    )  # fmt: skip
    def test_names_that_the_panel_lacks_are_told_with_their_key(
        self, parts: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(InputError, match=message):
            compile_policy(policy(**parts), BANK)

    @pytest.mark.parametrize(
        ("rule", "role"), [({"min_age": 18}, "age"), ({"residence": ["S"]}, "residence")]
    )
    def test_a_panel_without_the_role_cannot_have_the_rule(self, rule: dict[str, Any], role: str) -> None:
        from dataclasses import replace

        roles = {name: column for name, column in BANK.roles.items() if name != role}
        with pytest.raises(InputError, match=f"need the role '{role}'"):
            compile_policy(policy({"card": rule}), replace(BANK, roles=roles))

    def test_products_that_wait_are_judged_after_those_they_wait_for(self) -> None:
        rules = compile_policy(policy(before=[["card", "loan"], ["acc", "card"], ["acc", "sal"]]), BANK)
        assert rules.before.index((0, 3)) < rules.before.index((3, 4))

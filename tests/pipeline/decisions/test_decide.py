"""The whole way against a plain second implementation, and the laws that hold whatever the policy says."""

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextbest.data.panel.schema import SANTANDER
from nextbest.errors import DataError, InputError
from nextbest.pipeline.decisions.decide import decide
from nextbest.pipeline.decisions.policy import DecisionPolicy, load_policy
from nextbest.pipeline.decisions.rules import compile_policy
from nextbest.tables import RECOMMENDATIONS
from pipeline.decisions import oracle
from pipeline.decisions.worlds import BANK, COLUMNS, MONTH, NOW, decided, offers, people, policy, shown

GRID = [0.0, *(n / 16 for n in range(1, 17))]
"""Probabilities whose products with small numbers are exact, so that equal scores are equal in both codes."""

unhurried = settings(suppress_health_check=[HealthCheck.too_slow])
"""Machines are shared: drawing a policy may take long by the clock."""

clients = st.fixed_dictionaries(
    {
        "age": st.sampled_from([None, 5, 17, 18, 40, 71]),
        "res": st.sampled_from([None, "S", "N"]),
        "dead": st.sampled_from(["N", "N", "N", "S", None]),
        "rel": st.sampled_from(["A", "A", "I", "P", None]),
        "emp": st.sampled_from(["N", "N", "A", None]),
        "seg": st.sampled_from(["top", "mass", None]),
        "income": st.sampled_from([None, 500.0, 5_000.0]),
        "active": st.sampled_from([None, True, False]),
    }
)
product_rules = st.fixed_dictionaries(
    {"value": st.sampled_from([0, 1, 2, 3, 8])},
    optional={
        "lever": st.sampled_from([0, 0.5, 1, 2]),
        "is_open": st.sampled_from([True, True, False]),
        "min_age": st.just(18),
        "max_age": st.sampled_from([18, 70]),
        "residence": st.sampled_from([["S"], ["S", "N"]]),
        "channels": st.sampled_from([[], ["mail"], ["app", "mail"]]),
        "min_propensity": st.sampled_from([0, 0.25]),
    },
)
targets = st.fixed_dictionaries(
    {},
    optional={
        "products": st.lists(st.sampled_from(COLUMNS), max_size=2),
        "families": st.lists(st.sampled_from(["payroll", "loan"]), max_size=1),
    },
)
suitability = st.one_of(
    st.fixed_dictionaries({"attribute": st.just("income"), "min": st.sampled_from([0, 1_000])}),
    st.fixed_dictionaries({"attribute": st.just("segment"), "allowed": st.just(["top"])}),
    st.fixed_dictionaries({"attribute": st.just("seg"), "forbidden": st.just(["mass"])}),
)
rules = st.tuples(
    suitability, targets, st.fixed_dictionaries({"when_unknown": st.sampled_from(["allow", "forbid"])})
)
weights = st.tuples(
    targets,
    st.fixed_dictionaries(
        {"weight": st.sampled_from([0, 0.5, 2])},
        optional={"channel": st.sampled_from(["app", "mail"])},
    ),
    st.sampled_from([{}, {"attribute": "segment", "values": ["top"]}]),
)
caps = st.fixed_dictionaries(
    {
        "scope": st.sampled_from(["client", "channel", "product"]),
        "at_most": st.integers(0, 4),
        "days": st.sampled_from([3, 10]),
    },
    optional={"unit": st.sampled_from(["offers", "contacts"]), "channels": st.just(["app"])},
)
rests = st.fixed_dictionaries(
    {
        "after_exposures": st.integers(1, 3),
        "within_days": st.sampled_from([2, 8]),
        "for_days": st.sampled_from([2, 12]),
    },
    optional={"products": st.just(["card", "acc"])},
)
CLIENT_RULES = {
    "deceased": {"deceased": ["S"]},
    "former": {"relation": ["P"]},
    "employee": {"employee": ["A"]},
}
ORDERS = [[], [["pen", "sal"]], [["acc", "card"], ["card", "loan"]]]


@st.composite
def policies(draw: st.DrawFn) -> DecisionPolicy:
    """Any policy of the small bank; now and then a product that it doesn't name."""
    named = {c: draw(product_rules) for c in COLUMNS if draw(st.integers(0, 9))} or {"acc": {"value": 1}}
    named = {c: r for c, r in named.items() if r.get("min_age", 0) <= r.get("max_age", 120)} or named
    for rule in named.values():
        if rule.get("min_age", 0) > rule.get("max_age", 120):
            del rule["min_age"]
    return DecisionPolicy.model_validate(
        policy().model_dump()
        | {
            "products": named,
            "max_offers": draw(st.integers(1, 4)),
            "before": draw(st.sampled_from(ORDERS)),
            "clients": CLIENT_RULES
            | {
                "unknown_age": draw(st.sampled_from(["allow", "forbid"])),
                "unknown_residence": draw(st.sampled_from(["allow", "forbid"])),
            },
            "suitability": [
                {"code": f"rule_{n}", **test, **what, **unknown}
                for n, (test, what, unknown) in enumerate(draw(st.lists(rules, max_size=2)))
            ],
            "context": [what | how | whom for what, how, whom in draw(st.lists(weights, max_size=2))],
            "contacts": {
                "caps": draw(st.lists(caps, max_size=2)),
                "suppressions": draw(st.lists(rests, max_size=1)),
                "refusal_days": draw(st.sampled_from([0, 6])),
            },
        }
    )


contact_rows = st.tuples(
    st.integers(0, 2),
    st.sampled_from([*COLUMNS, None, "insurance"]),
    st.integers(-2, 14),
    st.sampled_from([None, "seen", "refused", "not_delivered"]),
    st.sampled_from(["app", "mail"]),
)


@st.composite
def batches(draw: st.DrawFn) -> dict[str, Any]:
    """Up to three clients with all that `decide` asks for, except the policy."""
    n = draw(st.integers(1, 3))
    return {
        "p": [draw(st.lists(st.sampled_from(GRID), min_size=6, max_size=6)) for _ in range(n)],
        "held": [draw(st.sets(st.sampled_from(COLUMNS), max_size=3)) for _ in range(n)],
        "people": [draw(clients) for _ in range(n)],
        "contacts": draw(st.lists(contact_rows, max_size=12)),
        "channel": draw(st.sampled_from(["app", "mail"])),
    }


def run(batch: dict[str, Any], made: DecisionPolicy, **options: Any) -> Any:
    return decided(
        batch["p"],
        made,
        held=[tuple(held) for held in batch["held"]],
        attributes=people(*batch["people"]),
        contacts=shown(*batch["contacts"]),
        decided_at=NOW,
        channel=batch["channel"],
        **options,
    )


def own_contacts(batch: dict[str, Any], client: int) -> list[dict[str, Any]]:
    keys = ("product", "time", "outcome", "channel")
    rows = [row[1:] for row in batch["contacts"] if row[0] == client]
    return [
        dict(zip(keys, (product, NOW - timedelta(days=days), outcome, channel), strict=True))
        for product, days, outcome, channel in rows
    ]


class TestAgainstThePlainCode:
    @unhurried
    @given(batches(), policies())
    def test_filters_and_lists_are_those_of_the_oracle(
        self, batch: dict[str, Any], made: DecisionPolicy
    ) -> None:
        found = run(batch, made)
        for n, client in enumerate(people(*batch["people"]).to_dicts()):
            p = dict(zip(COLUMNS, batch["p"][n], strict=True))
            contacts, channel = own_contacts(batch, n), batch["channel"]
            blocked = oracle.fired(
                client, batch["held"][n], p, made, BANK, channel=channel, contacts=contacts, at=NOW
            )
            assert found.fired(n) == blocked
            best = oracle.best_first(
                client,
                batch["held"][n],
                p,
                made,
                BANK,
                channel=channel,
                blocked=blocked,
                n_places=oracle.places(made, channel, contacts, NOW),
            )
            assert offers(found, n) == best
            for place, column in enumerate(best):
                assert found.propensity_NK[n, place] == p[column]
                assert found.score_NK[n, place] == pytest.approx(
                    oracle.score(client, column, p[column], made, BANK, channel)
                )


class TestLaws:
    explorations = st.sampled_from(
        [
            {"kind": "none"},
            {"kind": "epsilon_greedy", "epsilon": 0.7},
            {"kind": "softmax", "temperature": 2},
        ]
    )
    controls = st.sampled_from([{"share": 0}, {"share": 0.5}, {"share": 1, "offers": "random"}])

    @unhurried
    @given(batches(), policies(), explorations, controls, st.sets(st.sampled_from(COLUMNS), max_size=2))
    def test_nothing_forbidden_is_ever_shown(
        self,
        batch: dict[str, Any],
        made: DecisionPolicy,
        exploration: dict[str, Any],
        control: dict[str, Any],
        mandatory: set[str],
    ) -> None:
        raw = made.model_dump() | {"exploration": exploration, "control": control}
        made = DecisionPolicy.model_validate(raw)
        must = np.full(len(batch["p"]), sum(1 << COLUMNS.index(c) for c in mandatory), np.uint32)
        found = run(batch, made, mandatory_N=must)
        for n, held in enumerate(batch["held"]):
            own = offers(found, n)
            fired = found.fired(n)
            assert not set(own) & held
            assert not set(own) & set(fired)
            assert len(own) == len(set(own)) <= made.max_offers
            for first, second in made.before:
                if second in own and first not in held:
                    assert first in own[: own.index(second)]
            is_offer = found.product_NK[n] >= 0
            assert is_offer.tolist() == sorted(is_offer.tolist(), reverse=True)
            p = found.probability_NK[n]
            assert ((p > 0) == is_offer).all()
            assert (p <= 1 + 1e-12).all()
            free = [c for c in own if c not in mandatory]
            assert len(free) <= oracle.places(made, batch["channel"], own_contacts(batch, n), NOW)
            if found.is_control_N[n]:
                assert len(free) <= (1 if made.control.offers == "random" else 0)

    @unhurried
    @given(batches(), policies(), explorations)
    def test_one_client_alone_gets_what_the_batch_gives(
        self, batch: dict[str, Any], made: DecisionPolicy, exploration: dict[str, Any]
    ) -> None:
        made = DecisionPolicy.model_validate(made.model_dump() | {"exploration": exploration})
        whole = run(batch, made, rng=7).to_log()
        for n in range(len(batch["p"])):
            alone = decided(
                batch["p"][n : n + 1],
                made,
                held=[tuple(batch["held"][n])],
                attributes=people(batch["people"][n]),
                contacts=shown(*batch["contacts"]),
                decided_at=NOW,
                channel=batch["channel"],
                ids=[n],
                rng=7,
            )
            assert alone.to_log().equals(whole.filter(pl.col("customer_id") == n))


class TestBatches:
    def test_blocks_of_any_size_give_the_same_decisions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from nextbest.pipeline.decisions import decide as module

        rng = np.random.default_rng(0)
        p, held = rng.random((50, 6)), [tuple(rng.choice(COLUMNS, 2, replace=False)) for _ in range(50)]
        made = policy(
            exploration={"kind": "softmax"}, contacts={"caps": [{"scope": "client", "at_most": 1, "days": 9}]}
        )
        contacts = shown(*((n, "acc", 1) for n in range(0, 50, 7)))
        options: dict[str, Any] = {"held": held, "contacts": contacts, "decided_at": NOW}
        whole = decided(p.tolist(), made, **options).to_log()
        monkeypatch.setattr(module, "_BLOCK", 8)
        assert decided(p.tolist(), made, **options).to_log().equals(whole)

    def test_inputs_are_left_as_they_were(self) -> None:
        p = np.full((2, 6), 0.5, np.float32)
        held, must = np.array([1, 2], np.uint32), np.array([4, 0], np.uint32)
        copies = p.copy(), held.copy(), must.copy()
        decide(
            p,
            held,
            attributes=people({}, {}),
            client_ids=pl.Series([1, 2]),
            month=MONTH,
            policy=policy(),
            schema=BANK,
            mandatory_N=must,
        )
        assert all((a == b).all() for a, b in zip((p, held, must), copies, strict=True))

    def test_nobody_is_a_batch_too(self) -> None:
        found = decided([], policy(), attributes=people({}).clear())
        assert len(found) == found.to_frame().height == found.to_log().height == 0

    def test_a_compiled_policy_gives_the_same(self) -> None:
        p = [[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]]
        made = policy(before=[["pen", "sal"]])
        compiled: Any = compile_policy(made, BANK)
        assert decided(p, compiled).to_log().equals(decided(p, made).to_log())

    def test_the_shipped_policy_decides_for_a_plain_spaniard(self) -> None:
        attributes = pl.DataFrame(
            {
                "age": [35],
                "indresi": ["S"],
                "indfall": ["N"],
                "tiprel_1mes": ["A"],
                "indrel_1mes": ["1"],
                "indrel": ["1"],
                "ind_empleado": ["N"],
                "renta": [90_000.0],
                "segmento": ["02 - PARTICULARES"],
            }
        )
        p = np.full((1, 24), 0.01, np.float32)
        found = decide(
            p,
            np.zeros(1, np.uint32),
            attributes=attributes,
            client_ids=pl.Series(["c-1"]),
            month=MONTH,
            policy=load_policy(),
            schema=SANTANDER,
        )
        assert found.fired(0) == {
            "ind_ctju_fin_ult1": "over_age",
            "ind_hip_fin_ult1": "not_in_channel",
            **{f"ind_{x}_fin_ult1": "closed" for x in ("ahor", "aval", "deco", "deme")},
        }
        assert found.for_client(0)["offers"][0]["item_id"] == "ind_pres_fin_ult1"


class TestTables:
    P = [[0.5, 0.4, 0.3, 0.2, 0.1, 0.0], [0.0] * 6]  # noqa: RUF012

    def test_the_table_of_offers_is_a_recommendations_table(self) -> None:
        table = RECOMMENDATIONS.check(decided(self.P, policy(), ids=["a", "b"]).to_frame())
        assert table.select("user_id", "item_id", "rank", "score", "source", "reason").rows() == [
            ("a", "acc", 1, 5.0, "arbitration", None),
            ("a", "sal", 2, 4.0, "arbitration", None),
            ("a", "pen", 3, pytest.approx(3.0), "arbitration", None),
        ]
        assert table["policy_probability"].to_list() == [1.0] * 3

    def test_scores_are_money_and_propensities_stay_beside_them(self) -> None:
        made = policy({"loan": {"value": 200, "lever": 0.5}}, context=[{"weight": 3, "families": ["loan"]}])
        table = decided(self.P, made).to_frame()
        assert table.row(0, named=True)["item_id"] == "loan"
        assert table.row(0, named=True)["score"] == pytest.approx(0.1 * 200 * 0.5 * 3)
        assert table.row(0, named=True)["propensity"] == pytest.approx(0.1)

    def test_a_weight_by_segment_holds_for_its_clients_only(self) -> None:
        made = policy(context=[{"weight": 4, "products": ["pen"], "attribute": "segment", "values": ["top"]}])
        found = decided([self.P[0]] * 2, made, attributes=people({"seg": "top"}, {}))
        assert [offers(found, n)[0] for n in range(2)] == ["pen", "acc"]

    def test_the_answer_for_one_client_holds_all_that_was_decided(self) -> None:
        found = decided(self.P, policy({"jun": {"max_age": 17}}), ids=["a", "b"], model_version="m-7")
        answer = found.for_client(0, lang="ru")
        assert answer["offers"][0] == {
            "item_id": "acc",
            "title": "Счёт",
            "rank": 1,
            "score": 5.0,
            "propensity": 0.5,
            "policy_probability": 1.0,
            "source": "arbitration",
            "reasons": [],
        }
        assert answer["fired"] == {"jun": "over_age"}
        assert {
            key: answer[key] for key in ("customer_id", "month", "channel", "is_control", "currency")
        } == {
            "customer_id": "a",
            "month": "2016-06-28",
            "channel": "app",
            "is_control": False,
            "currency": "EUR",
        }
        assert (answer["policy_version"], answer["model_version"]) == ("test-1", "m-7")
        assert found.for_client(1)["offers"] == []

    def test_a_repr_tells_no_id(self) -> None:
        text = repr(decided(self.P, policy(), ids=["Anna", "Boris"]))
        assert text.startswith("Decisions(2 clients, 3 offers, month=2016-06-28, channel='app'")
        assert "Anna" not in text


class TestBadCalls:
    GOOD: dict[str, Any] = {  # noqa: RUF012
        "p_NP": np.full((2, 6), 0.5, np.float32),
        "held_N": np.zeros(2, np.uint32),
        "attributes": people({}, {}),
        "client_ids": pl.Series([1, 2]),
        "month": MONTH,
        "policy": policy(),
        "schema": BANK,
    }

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"p_NP": np.zeros((2, 5), np.float32)}, r"p_NP: must have shape \(2, 6\): clients x products; got \(2, 5\)"),
            ({"held_N": np.zeros(3, np.uint32)}, r"held_N: must be uint32 of shape \(2,\)"),
            ({"held_N": np.zeros(2, np.int64)}, "held_N: must be uint32"),
            ({"mandatory_N": np.zeros(1, np.uint32)}, "mandatory_N: must be uint32"),
            ({"attributes": people({})}, "attributes: must have 2 rows; got 1"),
            ({"channel": "fax"}, r"channel: must be one of \['app', 'mail'\]; got 'fax'"),
            ({"schema": SANTANDER}, "policy.panel: must be the panel decided for"),
        ],
    )  # fmt: skip
    def test_a_wrong_call_is_told(self, change: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            decide(**self.GOOD | change)

    @pytest.mark.parametrize("bad", [float("nan"), -0.1, 1.5])
    def test_what_is_no_probability_is_refused_with_its_clients(self, bad: float) -> None:
        p = self.GOOD["p_NP"].copy()
        p[1, 3] = bad
        with pytest.raises(
            DataError, match=r"p_NP: must be probabilities: .*1 row\(s\) break it, first: \[2\]"
        ):
            decide(**self.GOOD | {"p_NP": p})

    def test_a_client_comes_once(self) -> None:
        with pytest.raises(DataError, match=r"client_ids: must be unique; 1 row\(s\) break it, first: \[7\]"):
            decide(**self.GOOD | {"client_ids": pl.Series([7, 7])})

    def test_a_client_who_may_repeat_gets_each_time_what_they_get_alone(self) -> None:
        both = decide(**self.GOOD | {"client_ids": pl.Series([7, 7]), "clients_repeat": True})
        for n, one in enumerate(({"client_ids": pl.Series([7, 5])}, {"client_ids": pl.Series([5, 7])})):
            alone = decide(**self.GOOD | one)
            assert both.product_NK[n].tolist() == alone.product_NK[n].tolist()
            assert both.probability_NK[n].tolist() == alone.probability_NK[n].tolist()
        with pytest.raises(InputError, match="clients_repeat: can't be with contacts"):
            decide(
                **self.GOOD | {"clients_repeat": True, "contacts": shown((0, "acc", 1)), "decided_at": NOW}
            )

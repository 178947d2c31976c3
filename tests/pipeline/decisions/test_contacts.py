"""Caps and rests, judged by contacts before the decision only."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from nextbest.errors import DataError, InputError
from pipeline.decisions.worlds import COLUMNS, NOW, decided, offers, policy, shown

EVEN = [[0.6, 0.5, 0.4, 0.3, 0.2, 0.1]]


def after(contacts: pl.DataFrame, *, channel: str = "app", **rules: Any) -> Any:
    """Decisions for client 0 after some contacts, under a contact policy."""
    return decided(EVEN, policy(contacts=rules), contacts=contacts, decided_at=NOW, channel=channel)


def cap(scope: str, at_most: int, days: float = 30, **more: Any) -> dict[str, Any]:
    return {"caps": [{"scope": scope, "at_most": at_most, "days": days, **more}]}


class TestCaps:
    THREE = shown((0, "acc", 1), (0, "card", 2), (0, None, 3))

    def test_a_full_cap_of_the_client_stops_everything(self) -> None:
        assert after(self.THREE, **cap("client", 3)).fired(0) == dict.fromkeys(COLUMNS, "cap_client")

    def test_a_cap_in_offers_shortens_the_list_to_what_is_left(self) -> None:
        found = after(self.THREE, **cap("client", 5))
        assert offers(found) == ["acc", "sal"]
        assert found.fired(0) == {}

    def test_a_cap_in_contacts_counts_a_list_shown_at_once_as_one(self) -> None:
        at_once = shown((0, "acc", 1), (0, "card", 1), (0, "loan", 1))
        assert len(offers(after(at_once, **cap("client", 2, unit="contacts")))) == 3
        assert offers(after(at_once, **cap("client", 1, unit="contacts"))) == []
        two_channels = shown((0, "acc", 1), (0, "card", 1, None, "mail"))
        assert offers(after(two_channels, **cap("client", 2, unit="contacts"))) == []

    def test_a_cap_of_the_channel_counts_the_decisions_own_channel(self) -> None:
        mails = shown((0, "acc", 1, None, "mail"), (0, "acc", 2, None, "mail"), (0, "acc", 2))
        assert len(offers(after(mails, **cap("channel", 2)))) == 1
        assert after(mails, channel="mail", **cap("channel", 2)).fired(0)["acc"] == "cap_channel"

    def test_a_cap_holds_only_for_decisions_in_its_channels(self) -> None:
        rules = cap("client", 1, channels=["mail"])
        assert len(offers(after(self.THREE, **rules))) == 3
        assert offers(after(self.THREE, channel="mail", **rules)) == []

    def test_a_cap_of_products_stops_the_one_that_was_shown_so_often(self) -> None:
        rows = shown((0, "acc", 1), (0, "acc", 2), (0, "card", 1))
        assert after(rows, **cap("product", 2)).fired(0) == {"acc": "cap_product"}
        assert after(rows, **cap("product", 1)).fired(0) == {"acc": "cap_product", "card": "cap_product"}
        assert after(rows, **cap("product", 1, products=["card"])).fired(0) == {"card": "cap_product"}

    def test_a_contact_leaves_the_window_when_it_is_as_old_as_the_window(self) -> None:
        assert offers(after(shown((0, "acc", 29.99)), **cap("client", 1))) == []
        assert offers(after(shown((0, "acc", 30)), **cap("client", 1))) == ["acc"]

    def test_a_cap_of_0_stops_without_any_contact(self) -> None:
        assert decided(EVEN, policy(contacts=cap("client", 0))).fired(0)["acc"] == "cap_client"
        assert decided(EVEN, policy(contacts=cap("product", 0, products=["acc"]))).fired(0) == {
            "acc": "cap_product"
        }


class TestSuppression:
    RULE = {"suppressions": [{"after_exposures": 2, "within_days": 10, "for_days": 30}]}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("days_ago", "rests"),
        [
            ((5,), False),
            ((5, 6), True),
            ((5, 14.9), True),
            ((5, 15), False),  # not within ten days of each other
            ((29.9, 35), True),
            ((30, 35), False),  # rested long enough
            ((1, 25, 28), True),  # the two older ones started a rest that still lasts
            ((1, 31, 35), False),
        ],
    )
    def test_a_product_shown_often_rests(self, days_ago: tuple[float, ...], rests: bool) -> None:
        rows = shown(*((0, "card", day) for day in days_ago))
        assert after(rows, **self.RULE).fired(0) == ({"card": "suppressed_exposures"} if rests else {})

    def test_showings_of_different_products_and_clients_do_not_add_up(self) -> None:
        assert after(shown((0, "card", 1), (0, "loan", 2), (1, "card", 1)), **self.RULE).fired(0) == {}

    def test_only_named_products_rest(self) -> None:
        rule = {"suppressions": [self.RULE["suppressions"][0] | {"products": ["loan"]}]}
        assert after(shown((0, "card", 1), (0, "card", 2)), **rule).fired(0) == {}


class TestRefusal:
    @pytest.mark.parametrize(
        ("row", "expected"),
        [
            ((0, "card", 5, "refused"), {"card": "suppressed_refusal"}),
            ((0, "card", 5, "seen"), {}),
            ((0, "card", 90, "refused"), {}),
            ((0, None, 5, "refused"), dict.fromkeys(COLUMNS, "suppressed_refusal")),
            ((0, "insurance of another house", 5, "refused"), {}),
            ((1, "card", 5, "refused"), {}),
        ],
    )
    def test_a_refused_product_rests(self, row: tuple[Any, ...], expected: dict[str, str]) -> None:
        assert after(shown(row), refusal_days=90).fired(0) == expected

    def test_without_the_rule_a_refusal_is_a_contact_like_others(self) -> None:
        assert after(shown((0, "card", 5, "refused"))).fired(0) == {}


class TestWhatCounts:
    FULL = cap("client", 1)

    @pytest.mark.parametrize("days", [0, -0.001, -400])
    def test_contacts_at_or_after_the_decision_are_never_read(self, days: float) -> None:
        rows = shown((0, "card", days, "refused"))
        assert after(rows, refusal_days=90, **self.FULL).fired(0) == {}

    def test_a_decision_is_the_same_when_it_is_made_again_with_what_came_later(self) -> None:
        before = shown((0, "acc", 1), (0, "card", 2, "refused"))
        later = pl.concat([before, shown((0, "sal", -1, "refused"), (0, None, 0, "refused"))])
        rules = {"refusal_days": 90, **cap("client", 4)}
        assert after(later, **rules).to_frame().equals(after(before, **rules).to_frame())

    def test_what_never_reached_the_client_counts_for_nothing(self) -> None:
        assert offers(after(shown((0, "acc", 1, "not_delivered")), **self.FULL)) == ["acc"]

    def test_contacts_about_something_else_count_to_the_client_alone(self) -> None:
        rows = shown((0, "insurance of another house", 1), (0, None, 2))
        assert len(offers(after(rows, **cap("client", 3)))) == 1
        assert after(rows, **cap("product", 1)).fired(0) == {}

    def test_a_table_without_product_and_outcome_is_enough_for_caps_of_clients(self) -> None:
        rows = shown((0, "acc", 1)).drop("product", "outcome")
        assert offers(after(rows, **self.FULL)) == []
        assert after(rows, refusal_days=90).fired(0) == {}

    def test_text_ids_and_batches_find_their_own_contacts(self) -> None:
        rows = shown(("b", "card", 1, "refused"), ("z", "acc", 1, "refused"), ids=pl.String)
        found = decided(
            EVEN * 3,
            policy(contacts={"refusal_days": 9}),
            ids=["a", "b", "c"],
            contacts=rows,
            decided_at=NOW,
        )
        assert [found.fired(n) for n in range(3)] == [{}, {"card": "suppressed_refusal"}, {}]

    def test_long_histories_are_read_as_short_ones_are(self) -> None:
        # past 64 rows another road is taken
        few = shown((0, "card", 5, "refused"), (0, "loan", 4, "not_delivered"), (0, "acc", 3, None, "mail"))
        others = [(1, c, 1 + n / 7, "seen") for n in range(40) for c in (*COLUMNS, None, "insurance")]
        many = pl.concat([few, shown(*others)])
        made = policy(contacts={"refusal_days": 9, **cap("channel", 2)})
        short, long = (decided(EVEN * 2, made, contacts=rows, decided_at=NOW) for rows in (few, many))
        assert long.fired(0) == short.fired(0) == {"card": "suppressed_refusal"}
        assert offers(long) == offers(short) == ["acc"]
        assert long.fired(1) == dict.fromkeys(COLUMNS, "cap_channel")
        products = policy(contacts=cap("product", 40, days=300))
        counted = decided(EVEN * 2, products, contacts=many, decided_at=NOW)
        assert counted.fired(1) == dict.fromkeys(COLUMNS, "cap_product")

    def test_mandatory_products_pass_the_contact_policy(self) -> None:
        made = policy(contacts=self.FULL, mandatory=["loan"])
        found = decided(EVEN, made, contacts=shown((0, "acc", 1)), decided_at=NOW)
        assert offers(found) == ["loan"]
        assert found.fired(0) == {c: "cap_client" for c in COLUMNS if c != "loan"}


class TestBadContacts:
    def test_the_moment_of_the_decision_must_be_given_with_its_time_zone(self) -> None:
        with pytest.raises(InputError, match="decided_at: must be given with contacts"):
            decided(EVEN, policy(), contacts=shown((0, "acc", 1)))
        with pytest.raises(InputError, match="decided_at: must carry a time zone"):
            decided(EVEN, policy(), decided_at=NOW.replace(tzinfo=None))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda t: t.drop("channel"), r"contacts: column\(s\) \['channel'\] missing"),
            (lambda t: t.with_columns(time=pl.lit("today")), "column 'time' must be"),
            (lambda t: t.with_columns(time=pl.lit(None, t.schema["time"])), "time must not be null"),
            (lambda t: t.with_columns(product=pl.lit(1)), "column 'product' must be String"),
            (lambda t: t.with_columns(pl.col("customer_id").cast(pl.String)), "must be Int64 as the clients' ids, is String"),
        ],
    )  # fmt: skip
    def test_a_table_of_another_form_is_refused(self, change: Any, message: str) -> None:
        with pytest.raises(DataError, match=message):
            after(change(shown((0, "acc", 1))))

    @pytest.mark.parametrize("dtype", [pl.Datetime("us"), pl.Datetime("ms"), pl.Date(), pl.String()])
    def test_times_without_an_offset_are_refused_with_the_remedy(self, dtype: pl.DataType) -> None:
        table = shown((0, "acc", 1)).with_columns(pl.col("time").dt.replace_time_zone(None).cast(dtype))
        with pytest.raises(
            DataError, match=r"found: \['20.*write times with an offset, for example 2016-05-01T00"
        ):
            after(table)

    def test_times_of_another_zone_are_refused_by_their_type(self) -> None:
        table = shown((0, "acc", 1)).with_columns(pl.col("time").dt.convert_time_zone("Europe/Madrid"))
        with pytest.raises(DataError, match=r"column 'time' must be .*UTC.*Europe/Madrid"):
            after(table)

    def test_a_day_is_a_day(self) -> None:
        assert shown((0, "acc", 1))["time"][0] == NOW - timedelta(days=1)

"""The control group: a property of the id, for ever, of the right size."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nextbest.pipeline.decisions.control import in_control
from nextbest.pipeline.decisions.policy import ControlGroup
from pipeline.decisions.worlds import COLUMNS, decided, offers, policy


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.5])
@pytest.mark.parametrize("salt", ["a", "b"])
def test_its_share_lies_within_binomial_bounds(share: float, salt: str) -> None:
    n = 100_000
    found = in_control(pl.Series(np.arange(n)), ControlGroup(share=share, salt=salt)).sum()
    assert stats.binomtest(int(found), n, share).pvalue > 1e-4


@given(st.lists(st.integers(0, 10**9), unique=True, max_size=30), st.data())
def test_clients_who_join_move_nobody(ids: list[int], data: st.DataObject) -> None:
    group = ControlGroup(share=0.5)
    more = data.draw(st.permutations([*ids, *range(-20, 0)]))
    before = dict(zip(ids, in_control(pl.Series(ids, dtype=pl.Int64), group).tolist(), strict=True))
    after = dict(zip(more, in_control(pl.Series(more), group).tolist(), strict=True))
    assert all(after[i] == before[i] for i in ids)


def test_a_larger_share_keeps_the_smaller_group() -> None:
    ids = pl.Series(np.arange(5_000))
    small, large = (in_control(ids, ControlGroup(share=share)) for share in (0.05, 0.2))
    assert (large[small]).all()


def test_another_salt_draws_another_group() -> None:
    ids = pl.Series(np.arange(20_000))
    a, b = (in_control(ids, ControlGroup(share=0.5, salt=salt)) for salt in ("a", "b"))
    assert (a == b).mean() == pytest.approx(0.5, abs=0.02)


def test_nobody_and_everybody_are_possible() -> None:
    ids = pl.Series(["x", "y"])
    assert not in_control(ids, ControlGroup(share=0.0)).any()
    assert in_control(ids, ControlGroup(share=1.0)).all()


def test_the_group_is_the_one_drawn_before_by_this_salt() -> None:
    # members of a running experiment: a change here would mix the arms
    found = in_control(pl.Series(np.arange(200)), ControlGroup(share=0.05, salt="control"))
    assert np.flatnonzero(found).tolist() == PINNED


PINNED = [3, 39, 43, 58, 78, 112, 135, 183]


def test_control_clients_are_marked_and_get_no_offer_of_the_model() -> None:
    made = policy(control={"share": 0.5})
    found = decided([[0.5] * len(COLUMNS)] * 200, made)
    assert 60 < found.is_control_N.sum() < 140
    assert (found.n_offers_N[found.is_control_N] == 0).all()
    assert (found.n_offers_N[~found.is_control_N] == 3).all()
    assert not found.fired_NP.any()
    log = found.to_log()
    assert log.filter("is_control")["rank"].unique().to_list() == [0]
    assert log.filter("is_control")["possible"].unique().to_list() == [0b111111]


def test_control_clients_may_get_one_random_product_that_passed() -> None:
    made = policy({"loan": {"is_open": False}}, control={"share": 1.0, "offers": "random"})
    found = decided([[0.9, 0.1, 0.1, 0.1, 0.9, 0.0]] * 300, made)
    assert (found.n_offers_N == 1).all()
    assert set(found.to_frame()["source"]) == {"control"}
    assert found.probability_NK[:, 0] == pytest.approx(1 / 4)
    shown = {offers(found, n)[0] for n in range(300)}
    assert shown == {"acc", "sal", "pen", "card"}


def test_mandatory_products_reach_the_control_group_too() -> None:
    found = decided([[0.5] * len(COLUMNS)], policy(control={"share": 1.0}, mandatory=["card"]))
    assert found.to_frame().select("item_id", "source", "is_control").rows() == [("card", "mandatory", True)]

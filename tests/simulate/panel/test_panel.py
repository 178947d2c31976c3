"""The panel as a whole: the same seed, the same panel; parts agree with the whole; bad calls are refused."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextbest.data.panel.panel import additions
from nextbest.data.panel.schema import SANTANDER
from nextbest.errors import InputError
from nextbest.simulate.panel import SimulatedPanel, facts, simulate_panel
from simulate.panel.bits import bits, present, unpack

JUNE = date(2015, 6, 28)


def test_the_same_seed_gives_the_same_panel_and_another_gives_another() -> None:
    one, again, other = (simulate_panel(scale=0.002, rng=rng, months=4) for rng in (5, 5, 6))
    assert np.array_equal(one.held_MC, again.held_MC)
    assert one.month(facts.MONTHS[3]).attributes.equals(again.month(facts.MONTHS[3]).attributes)
    assert not np.array_equal(one.held_MC, other.held_MC)


def test_a_block_alone_is_the_block_of_the_whole(panel: SimulatedPanel) -> None:
    assert panel.n_blocks == 2
    people, held, active = panel.block(1)
    places = np.searchsorted(panel.customer_ids, people.customer_id)
    assert np.array_equal(panel.held_MC[:, places], held)
    assert np.array_equal(panel.active_MC[:, places], active)


def test_fewer_months_are_the_first_of_more(panel: SimulatedPanel) -> None:
    short = simulate_panel(scale=0.02, rng=3, months=4)
    assert np.array_equal(short.held_MC, panel.held_MC[:4])


def test_months_are_ordered_by_id_and_absent_customers_have_no_row(panel: SimulatedPanel) -> None:
    for m, one in enumerate(panel.months()):
        assert one.month == facts.MONTHS[m]
        assert (np.diff(one.customer_ids) > 0).all()
        assert len(one.customer_ids) == len(one.held) == one.attributes.height
        assert one.attributes.columns == list(SANTANDER.attribute_names)
    assert (panel.held_MC[~present(panel)] == 0).all()


def test_masks_stand_in_the_order_of_the_schema(panel: SimulatedPanel) -> None:
    masks = panel.held_MC[5, :200]
    assert np.array_equal(bits(masks), unpack(masks))
    cco = SANTANDER.bit("ind_cco_fin_ult1")
    assert bits(panel.held_MC[0])[:, cco].sum() == bits(panel.held_MC[0]).sum(axis=0).max()


def test_the_stored_panel_is_the_simulated_one(tmp_path: Path) -> None:
    panel = simulate_panel(scale=0.003, rng=1, months=4)
    stored = panel.to_panel(tmp_path / "panel")
    seen = present(panel).any(axis=0)
    assert stored.months == panel.months_
    assert stored.ids.ids.to_numpy().tolist() == panel.customer_ids[seen].tolist()
    assert np.array_equal(stored.held_MC, panel.held_MC[:, seen])
    assert np.array_equal(stored.present_MC, present(panel)[:, seen])
    rows, _, added = additions(stored, panel.months_[2])
    there = present(panel)[:, seen]
    assert np.array_equal(rows, np.flatnonzero(there[2] & there[1]))
    taken = (panel.held_MC[2] & ~panel.held_MC[1])[seen]
    assert np.array_equal(added, taken[rows])
    ours = panel.month(panel.months_[2]).attributes.select("age", "renta", "cod_prov")
    theirs = stored.attributes(panel.months_[2], ["age", "renta", "cod_prov"]).drop("row")
    assert theirs.cast(pl.String).equals(ours.cast(pl.String))


@pytest.mark.parametrize("scale", [0, -0.1, 1.01, float("nan")])
def test_a_scale_out_of_range_is_refused(scale: float) -> None:
    with pytest.raises(InputError, match="scale: must be above 0 and at most 1"):
        simulate_panel(scale=scale, rng=0)


@pytest.mark.parametrize("months", [0, 18])
def test_months_out_of_range_are_refused(months: int) -> None:
    with pytest.raises(InputError, match=r"months: must lie in 1\.\.17"):
        simulate_panel(scale=0.001, rng=0, months=months)


@pytest.mark.parametrize("rng", [-1, 1.5, True, "x"])
def test_a_seed_that_is_none_is_refused(rng: int) -> None:
    with pytest.raises(InputError, match="rng: must be a seed"):
        simulate_panel(scale=0.001, rng=rng)


def test_a_month_that_is_not_in_the_panel_is_refused() -> None:
    panel = simulate_panel(scale=0.001, rng=0, months=3)
    with pytest.raises(InputError, match=r"2015-01-28\.\.2015-03-28; got '2015-06-28'"):
        panel.month(JUNE)
    with pytest.raises(InputError, match="must have a month before it"):
        panel.truth(panel.months_[0])
    with pytest.raises(InputError, match=r"number: must lie in 0\.\.0"):
        panel.block(1)


def test_progress_is_shown_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    simulate_panel(scale=0.001, rng=0, months=2, progress=True)
    assert "simulate" in capsys.readouterr().err

"""A model sees nothing beyond its cutoff, and nothing it does stops the others."""

import numpy as np
import pytest

from market.price_cases import Scripted, panel_of, random_closes, rising
from nextbest.data.prices.panel import FIELDS
from nextbest.errors import InputError
from nextbest.market.base import FORECASTERS, LEVELS, Forecaster, make_forecaster
from nextbest.market.bench import harness
from nextbest.market.bench.harness import bench
from nextbest.market.bench.origins import origins_of

CLOSES = random_closes(90)
PANEL = panel_of(CLOSES, candles=True)
ORIGINS = origins_of(PANEL, horizons=(1, 3), refit_every=5)


def run(*models, panel=PANEL, origins=ORIGINS, **options):
    return bench(panel, models, origins, n_resamples=50, **options)


def arrays(panel):
    return [panel.time_T, panel.log_return_AT, *(getattr(panel, f"{name}_AT") for name in FIELDS)]


def test_a_model_is_handed_bars_up_to_each_cutoff_and_no_memory_that_holds_more():
    spy = Scripted(context_length=30)
    run(spy)
    stops = set(ORIGINS.stops.tolist())
    handed = [history for call in spy.asked for history in call]
    assert {h.time_T[-1] for h in handed} == {PANEL.time_T[stop - 1] for stop in stops}
    assert [fit.n_bars for fit in spy.fits] == ORIGINS.stops[::5].tolist()
    for history in [*handed, *spy.fits]:
        for array in arrays(history):
            owner = array if array.base is None else array.base
            assert owner.nbytes == array.nbytes
            assert not any(np.shares_memory(array, whole) for whole in arrays(PANEL))


def test_a_handed_copy_that_is_written_to_changes_nothing_else():
    def vandal(histories, shape):
        for history in histories:
            for array in arrays(history)[2:]:
                array.setflags(write=True)
                array[:] = 1.0
        return rising(shape)

    before = PANEL.digest()
    found = run(Scripted(vandal))
    assert PANEL.digest() == before
    assert found.failures == ()


def test_a_model_that_reads_the_future_out_of_later_origins_of_its_call_is_caught():
    def peeping(histories, shape):
        newest = histories[-1].close_AT
        move = np.log(newest[:, -1] / np.array([h.close_AT[:, -1] for h in histories]))
        return rising(shape) * 0.1 + move[:, :, None, None]

    found = run(Scripted(peeping, name="peeping"))
    assert np.isnan(found.forecasts["peeping"]).all()
    assert "later origins" in found.row("peeping", 1)["failure"]


def test_a_model_that_looks_ahead_in_what_it_was_handed_finds_the_last_known_close_only():
    ahead = Scripted(
        lambda hs, shape: rising(shape) + np.array([h.close_AT[:, -1] for h in hs])[:, :, None, None]
    )
    found = run(ahead)
    median = found.forecasts["scripted"][:, :, 0, 4]
    assert np.allclose(median, PANEL.close_AT[:, ORIGINS.stops - 1].T)


FAULTS = {
    "raises": (lambda hs, shape: 1 / 0, "ZeroDivisionError: division by zero"),
    "nan": (lambda hs, shape: np.full(shape, np.nan), "no number in"),
    "infinite": (lambda hs, shape: np.full(shape, np.inf), "no number in"),
    "crossing": (lambda hs, shape: -rising(shape), "quantiles cross"),
    "shape": (lambda hs, shape: np.zeros(shape[:-1]), "answered shape"),
    "words": (lambda hs, shape: "up, surely", "answered no numbers"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failed_model_has_its_words_in_its_row_and_the_rest_goes_on(fault):
    say, words = FAULTS[fault]
    found = run(Scripted(say, name="bad"), Scripted(name="good"))
    assert words in found.row("bad", 1)["failure"]
    assert found.row("bad", 1)["failed_origins"] == len(ORIGINS)
    assert found.row("bad", 1)["crps_x100"] is None
    assert found.row("good", 3)["crps_x100"] > 0
    assert found.row("good", 3)["failure"] is None


def test_a_model_that_fails_at_one_block_keeps_its_other_answers():
    bad_stop = int(ORIGINS.stops[7])

    def moody(histories, shape):
        answer = rising(shape)
        for place, history in enumerate(histories):
            if history.n_bars == bad_stop:
                answer[place, 1] = np.nan
        return answer

    found = run(Scripted(moody))
    assert np.argwhere(np.isnan(found.forecasts["scripted"]).any((2, 3))).tolist() == [[7, 1]]
    assert [(f.first, f.stop) for f in found.failures] == [(5, 10)]
    assert found.row("scripted", 1)["failed_origins"] == 5


def test_a_fit_that_raises_is_told_and_the_next_refit_has_its_chance():
    class Sulking(Scripted):
        def fit(self, history, *, horizons, rng):
            super().fit(history, horizons=horizons, rng=rng)
            if len(self.fits) == 1:
                raise RuntimeError("not today")

    found = run(Sulking())
    assert [f.words for f in found.failures] == ["fit: RuntimeError: not today"]
    assert np.isnan(found.forecasts["scripted"][:5]).all()
    assert not np.isnan(found.forecasts["scripted"][5:]).any()


def test_a_model_is_not_asked_with_fewer_bars_than_it_needs():
    hungry = Scripted(min_bars=500)
    found = run(hungry)
    assert hungry.asked == []
    assert "needs 500 bars" in found.row("scripted", 1)["failure"]


def test_ten_candles_in_all_give_rows_that_say_what_was_missing():
    panel = panel_of(random_closes(10), candles=True)
    found = run(
        *(make_forecaster(name) for name in FORECASTERS),
        panel=panel,
        origins=origins_of(panel, horizons=(1,)),
    )
    assert {row["model"] for row in found.rows} == set(FORECASTERS)
    assert found.row("rw_gauss", 1)["crps_x100"] > 0
    for name in ("rw_garch_t", "lgbm_quantile", "auto_ets", "har", "rw_hist_sim"):
        assert "needs" in found.row(name, 1)["failure"]


def test_a_delisted_asset_has_no_forecast_and_costs_no_model_its_row():
    close_AT = CLOSES.copy()
    close_AT[1, 60:] = np.nan
    found = run(make_forecaster("rw_ewma"), make_forecaster("rw_hist_sim"), panel=panel_of(close_AT))
    assert found.failures == ()
    for answer in found.forecasts.values():
        assert np.isnan(answer[:, 1]).all()
        assert not np.isnan(answer[:, 0]).any()


def test_the_memory_of_a_call_is_bounded_and_answers_do_not_depend_on_it(monkeypatch):
    whole = run(make_forecaster("rw_ewma"))
    monkeypatch.setattr(harness, "BLOCK_BYTES", 1)
    spy = Scripted()
    one_by_one = run(make_forecaster("rw_ewma"), spy)
    assert {len(call) for call in spy.asked} == {1}
    np.testing.assert_array_equal(one_by_one.forecasts["rw_ewma"], whole.forecasts["rw_ewma"])


def test_the_walk_everything_is_held_against_is_always_there_and_names_may_not_repeat():
    assert run(Scripted()).row("rw_gauss", 1)["crps_relative"] == pytest.approx(1)
    with pytest.raises(InputError, match="each name once"):
        run(Scripted(), Scripted())
    with pytest.raises(InputError, match="refits"):
        run(Scripted(), refits={"other": 3})


def test_a_model_can_have_its_own_rhythm_of_fits():
    often = Scripted()
    run(often, refits={"scripted": 2})
    assert len(often.fits) == -(-len(ORIGINS) // 2)


def test_an_origin_before_the_end_of_pretraining_is_flagged():
    day = PANEL.time_T[ORIGINS.stops[3]].astype("datetime64[D]").item()
    row = run(Scripted(seen_until=day)).row("scripted", 1)
    assert (row["maybe_seen"], row["seen_until"]) == (True, day.isoformat())
    assert not run(Scripted()).row("scripted", 1)["maybe_seen"]


def test_every_registered_name_makes_a_forecaster_of_that_name_and_others_are_refused():
    for name in FORECASTERS:
        model = make_forecaster(name)
        assert isinstance(model, Forecaster)
        assert model.name == name
    with pytest.raises(InputError, match="rw_gauss"):
        make_forecaster("crystal_ball")
    with pytest.raises(InputError, match="no such setting"):
        make_forecaster("rw_ewma", lambda_=0.9)


def test_levels_may_be_others_than_the_usual():
    levels = (0.05, *LEVELS, 0.95)
    found = run(make_forecaster("rw_ewma"), levels=levels)
    assert found.forecasts["rw_ewma"].shape[-1] == 11

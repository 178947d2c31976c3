"""Blocks are found again only when nothing changed; a trial is never forgotten."""

import os
import signal
import subprocess
import sys
import textwrap
from datetime import date

import numpy as np
import pytest

from market.price_cases import Scripted, panel_of, random_closes, rising
from nextbest.errors import DataError, ExternalError, InputError
from nextbest.market.bench.harness import bench
from nextbest.market.bench.origins import origins_of
from nextbest.market.ledger import FILE, Ledger

CLOSES = random_closes(90)
PANEL = panel_of(CLOSES)
ORIGINS = origins_of(PANEL, horizons=(1, 3), refit_every=4)
TIMES = PANEL.time_T[:5]


def run(folder, model, *, panel=PANEL, **options):
    with Ledger.open(folder) as ledger:
        return bench(panel, [model], ORIGINS, ledger=ledger, n_resamples=50, **options)


class Killed(BaseException):
    """What a signal does to a run."""


class Dying(Scripted):
    """Is killed at its third segment."""

    def fit(self, history, *, horizons, rng):
        super().fit(history, horizons=horizons, rng=rng)
        if len(self.fits) == 3:
            raise Killed

    def forecast(self, histories, *, horizons, levels=()):
        return super().forecast(histories, horizons=horizons, levels=levels)


def test_a_run_that_was_stopped_goes_on_and_computes_nothing_twice(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path, Dying())
    second = Dying(fits=[None] * 10)
    found = run(tmp_path, second)
    assert found.resumed["scripted"] == 8
    assert {h.n_bars for call in second.asked for h in call} == set(ORIGINS.stops[8:].tolist())
    assert [fit.n_bars for fit in second.fits[10:]] == ORIGINS.stops[8::4].tolist()
    third = Dying(fits=[None] * 10)
    again = run(tmp_path, third)
    assert third.asked == []
    assert again.resumed["scripted"] == len(ORIGINS)
    np.testing.assert_array_equal(again.forecasts["scripted"], found.forecasts["scripted"])
    assert again.cpu_s["scripted"] == pytest.approx(found.cpu_s["scripted"])


def test_blocks_outlive_a_process_that_is_killed_outright(tmp_path):
    script = textwrap.dedent(f"""
        import os, signal
        import numpy as np
        from nextbest.market.ledger import Block, Ledger
        blocks = Ledger.open({str(tmp_path)!r}).blocks("run")
        blocks.put(0, 2, Block(np.arange(4.0).reshape(2, 1, 1, 2), 0.5, None))
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    ended = subprocess.run([sys.executable, "-c", script], check=False, env=dict(os.environ))
    assert ended.returncode == -signal.SIGKILL
    with Ledger.open(tmp_path) as ledger:
        block = ledger.blocks("run").get(0, 2)
        assert block.quantiles_OAHQ.ravel().tolist() == [0, 1, 2, 3]
        assert ledger.blocks("other").get(0, 2) is None


def test_another_bar_another_setting_or_another_seed_is_another_run(tmp_path):
    run(tmp_path, Scripted())
    changed = CLOSES.copy()
    changed[0, 3] *= 1.001
    for options in ({"panel": panel_of(changed)}, {"rng": 1}, {"refits": {"scripted": 3}}):
        assert run(tmp_path, Scripted(), **options).resumed["scripted"] == 0
    assert run(tmp_path, Scripted(config={"depth": 2})).resumed["scripted"] == 0
    assert run(tmp_path, Scripted()).resumed["scripted"] == len(ORIGINS)


def test_a_block_without_a_number_is_asked_again_because_what_was_missing_may_have_come(tmp_path):
    failing = run(tmp_path, Scripted(lambda hs, shape: 1 / 0))
    assert failing.failures[0].words == "forecast: ZeroDivisionError: division by zero"
    mended = run(tmp_path, Scripted())
    assert mended.resumed["scripted"] == 0
    assert mended.failures == ()


def test_a_block_with_some_answers_is_kept_with_its_words(tmp_path):
    def half(histories, shape):
        said = rising(shape)
        said[:, 0] = np.nan
        return said

    first, again = run(tmp_path, Scripted(half)), run(tmp_path, Scripted(half))
    assert again.resumed["scripted"] == len(ORIGINS)
    assert [f.words for f in again.failures] == [f.words for f in first.failures]
    assert first.failures


def test_a_trial_counts_once_however_often_it_is_run_and_stays(tmp_path):
    returns = np.array([0.01, np.nan, -0.01, 0.0, 0.02])
    with Ledger.open(tmp_path) as ledger:
        key = ledger.add_trial("momentum", {"days": 5}, returns, times=TIMES)
        assert ledger.add_trial("momentum", {"days": 5}, returns * 2, times=TIMES) == key
        ledger.add_trial("momentum", {"days": 20}, returns, times=TIMES)
        ledger.add_trial("momentum", {"days": 5}, returns, times=TIMES, data="other bars")
    with Ledger.open(tmp_path) as ledger:
        assert ledger.n_trials() == 3
        assert ledger.n_trials((date(2024, 1, 5), date(2024, 2, 1))) == 3
        assert ledger.n_trials((date(2024, 1, 6), date(2024, 2, 1))) == 0
        assert ledger.trials()["config"].to_list() == ['{"days": 5}', '{"days": 20}', '{"days": 5}']
        assert ledger.trials()["n_bars"].to_list() == [5, 5, 5]
        times, kept = ledger.returns(key)
        np.testing.assert_array_equal(kept, returns)
        np.testing.assert_array_equal(times, TIMES)


def test_a_trial_that_is_none_is_refused(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        for kwargs in (
            {"returns": [0.1] * 4, "times": TIMES, "config": {}},
            {"returns": [0.1] * 5, "times": TIMES[::-1], "config": {}},
            {"returns": [0.1] * 5, "times": TIMES, "config": {"model": object()}},
        ):
            with pytest.raises(InputError):
                ledger.add_trial("momentum", kwargs["config"], kwargs["returns"], times=kwargs["times"])
        with pytest.raises(InputError):
            ledger.returns("no such trial")


def test_a_file_that_is_no_ledger_and_one_that_is_held_are_told_apart(tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / FILE).write_bytes(b"not a database at all" * 1000)
    with pytest.raises(DataError, match="no ledger"):
        Ledger.open(tmp_path / "broken")
    held = Ledger.open(tmp_path)
    script = f"from nextbest.market.ledger import Ledger; Ledger.open({str(tmp_path)!r})"
    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert ExternalError.__name__ in ended.stderr
    held.close()

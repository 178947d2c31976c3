"""Every planted fault is found by the reading, with its reason, and nothing else is."""

from datetime import timedelta

import pytest

from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.reading import read_prices
from nextbest.errors import InputError
from nextbest.simulate.market import dirty_candles, random_walks

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("as_file", [False, True])
def test_all_faults_are_found_and_only_they(seed, as_file, tmp_path):
    panel = random_walks(n_assets=3, n_bars=60, step=HOUR, rng=seed).panel
    dirty = dirty_candles(panel, each=3, rng=seed)
    source = dirty.table
    if as_file:
        source = tmp_path / "candles.csv"
        dirty.table.write_csv(source)
    read = read_prices(source)
    assert dict(read.quarantine.select("row", "reason").rows()) == dirty.reasons
    assert {a.asset_id: a.n_missing for a in read.report.assets} == dirty.missing
    assert len(set(dirty.reasons.values())) == 11
    clean = panel.table()
    assert read.prices.join(clean, on=clean.columns, how="anti").is_empty()
    assert PricePanel.of(read.prices).n_bars == panel.n_bars


def test_a_panel_too_small_for_its_faults_is_refused():
    with pytest.raises(InputError, match="must be 1 to"):
        dirty_candles(random_walks(n_bars=10).panel, each=2)

"""A model of a folder in a bench: it isn't taught again, and what it may know of the test is flagged."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from nextbest.errors import ArtifactError
from nextbest.market import kept
from nextbest.market.base import make_forecaster
from nextbest.market.kept import KeptForecaster


@pytest.mark.parametrize(
    ("taught_until", "seen_until", "flagged_until"),
    [
        (None, None, date.max),  # nobody says until when it learned
        (date(2025, 7, 31), None, date(2025, 7, 31)),
        (date(2025, 7, 31), date(2024, 8, 31), date(2025, 7, 31)),
        (date(2023, 1, 1), date(2024, 8, 31), date(2024, 8, 31)),
    ],
)
def test_it_is_flagged_up_to_the_newest_day_it_may_know(
    tmp_path, monkeypatch, taught_until, seen_until, flagged_until
):
    walk = make_forecaster("rw_gauss")
    taught = {} if taught_until is None else {"taught_until_": taught_until}
    model = SimpleNamespace(
        name="kept", context_length=0, min_bars=2, seen_until=seen_until, config={"a": 1}, **taught
    )
    model.forecast = walk.forecast
    monkeypatch.setattr(kept, "load_forecaster", lambda _: model)
    monkeypatch.setattr(kept, "code_version", lambda _: "1")
    (tmp_path / "manifest.json").write_text("{}")
    found = KeptForecaster(tmp_path)
    assert found.seen_until == flagged_until
    model.fit = None  # whoever fits it now fails
    found.fit(None, horizons=(1,), rng=np.random.default_rng(0))


def test_another_manifest_is_another_model(tmp_path, monkeypatch):
    model = SimpleNamespace(name="kept", context_length=0, min_bars=2, seen_until=None, config={})
    monkeypatch.setattr(kept, "load_forecaster", lambda _: model)
    monkeypatch.setattr(kept, "code_version", lambda _: "1")
    configs = []
    for text in ("{}", "{ }"):
        (tmp_path / "manifest.json").write_text(text)
        configs.append(KeptForecaster(tmp_path).config)
    assert configs[0] != configs[1]


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="no model"):
        KeptForecaster(tmp_path)

"""Tables say what is wrong with them; errors say who must act; settings come from the environment once."""

from pathlib import Path

import polars as pl
import pytest

from nextbest.errors import ArtifactError, DataError, ExternalError, InputError, NextbestError, NotFittedError
from nextbest.settings import Settings
from nextbest.tables import CATALOG


def test_a_good_table_passes_as_it_is_with_its_free_columns() -> None:
    table = pl.DataFrame({"item_id": [1], "title": ["Tea"], "colour": ["green"]})
    assert CATALOG.check(table) is table


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"item_id": [1]}, r"\['title'\] missing"),
        ({"item_id": [1.5], "title": ["Tea"]}, "'item_id' must be Int64 or String, is Float64"),
        ({"item_id": [1], "title": ["Tea"], "price": ["9"]}, "'price' must be Float64, is String"),
        (
            {"item_id": [1, 2, 3], "title": ["Tea", None, None]},
            r"title must not be null; 2 row\(s\) break it, first: \[1, 2\]",
        ),
    ],
)
def test_a_bad_table_is_told_which_column_and_which_rows(columns, words) -> None:
    with pytest.raises(DataError, match=words):
        CATALOG.check(pl.DataFrame(columns))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            InputError("k", "must be 1 or more", value=0, remedy="ask for 10"),
            "k: must be 1 or more; got 0; ask for 10",
        ),
        (
            DataError("journal", "is odd", examples=["x"], remedy="look"),
            "journal: is odd; found: ['x']; look",
        ),
        (NotFittedError("ease"), "ease: not fitted; call fit() or load a saved folder first"),
        (ArtifactError("m", "is missing"), "m: is missing; train again with `nextbest train`"),
        (ExternalError("disk", "is full", retryable=True, remedy="free some"), "disk: is full; free some"),
    ],
)
def test_every_error_says_what_and_what_to_do(error: NextbestError, text: str) -> None:
    assert str(error) == text


def test_examples_are_the_first_five() -> None:
    assert DataError("t", "r", n_bad=9, examples=range(9)).examples == [0, 1, 2, 3, 4]


def test_settings_come_from_the_environment_and_the_rest_are_defaults() -> None:
    settings = Settings.from_env(
        {"NEXTBEST_STORE": "/data/shop", "NEXTBEST_MEMORY_LIMIT_MB": "900", "HOME": "/x"}
    )
    assert (settings.store, settings.memory_limit_mb, settings.log_level) == (
        Path("/data/shop"),
        900,
        "warning",
    )


def test_a_wrong_setting_is_refused() -> None:
    with pytest.raises(InputError, match=r"NEXTBEST_LOG_LEVEL.*'loud'"):
        Settings.from_env({"NEXTBEST_LOG_LEVEL": "loud"})

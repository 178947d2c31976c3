"""`nextbest recommend`: conditions as text become what the catalogue holds."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from nextbest.cli import main
from nextbest.data.interactions import Interactions
from nextbest.models import make_model
from nextbest.pipeline.fallback import default_fallbacks
from nextbest.pipeline.pipeline import Pipeline


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """Nine items with a price and a title with a comma; user 1 took items 1 and 2."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    events = [(u, (u + s) % 9 + 1, start + timedelta(days=s, seconds=u)) for u in range(20) for s in range(2)]
    journal = pl.DataFrame(
        events,
        schema={"user_id": pl.Int64, "item_id": pl.Int64, "time": pl.Datetime("us", "UTC")},
        orient="row",
    )
    catalog = pl.DataFrame(
        {
            "item_id": range(1, 10),
            "title": [f"Tea, no {i}" for i in range(1, 10)],
            "price": [10.0 * i for i in range(1, 10)],
        }
    )
    folder = tmp_path_factory.mktemp("model") / "shop"
    Pipeline.fit(
        make_model("popularity"),
        default_fallbacks(segments=False),
        Interactions.from_journal(journal),
        catalog=catalog,
    ).save(folder)
    return str(folder)


def ask(capsys, model, *words) -> list[int]:
    assert main(["recommend", "--model", model, "--user", "1", "--json", *words]) == 0
    return [item["item_id"] for item in json.loads(capsys.readouterr().out)["items"]]


def test_a_number_of_the_catalogue_is_asked_for_as_text(model, capsys) -> None:
    assert ask(capsys, model, "--where", "price=50") == [5]
    assert sorted(ask(capsys, model, "--where", "price=50", "--where", "price=60.0")) == [5, 6]


def test_a_value_may_hold_a_comma(model, capsys) -> None:
    assert ask(capsys, model, "--where", "title=Tea, no 7") == [7]


@pytest.mark.parametrize("where", ["price=cheap", "colour=red", "price"])
def test_a_condition_that_cannot_hold_is_a_wrong_call(where, model, capsys) -> None:
    assert main(["recommend", "--model", model, "--user", "1", "--where", where]) == 2
    assert where.split("=")[0] in capsys.readouterr().err


def test_an_empty_answer_says_so(model, capsys) -> None:
    assert main(["recommend", "--model", model, "--user", "1", "--where", "price=5"]) == 0
    assert "no item is left" in capsys.readouterr().out


def test_seen_items_can_be_asked_for_and_refused(model, capsys) -> None:
    assert {2, 3} <= set(ask(capsys, model, "--include-seen"))
    assert not {2, 3} & set(ask(capsys, model, "--exclude-seen"))

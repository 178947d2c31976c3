"""A shop small enough to know by heart, as a model folder: two tastes that never mix.

Tea drinkers take tea, honey, lemon; coffee drinkers take coffee, milk, sugar. So whoever took tea
is told of honey and lemon, and one event moves a person from one half of the shop to the other.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from nextbest.data.interactions import Interactions
from nextbest.models import make_model
from nextbest.pipeline.config import PipelineInfo
from nextbest.pipeline.pipeline import Pipeline
from nextbest.tables import TIME_DTYPE

START = datetime(2026, 1, 1, tzinfo=UTC)
TEA, COFFEE = ("tea", "honey", "lemon"), ("coffee", "milk", "sugar")
HISTORIES = {
    "ann": ["tea"],
    "bob": ["tea", "honey", "lemon"],
    "cat": ["honey", "lemon", "tea"],
    "dan": ["coffee", "milk", "sugar"],
    "eve": ["milk", "sugar", "coffee", "cake"],
}
CATALOG = pl.DataFrame(
    {
        "item_id": ["tea", "honey", "lemon", "coffee", "milk", "sugar", "cake"],
        "title": ["Tea", "Honey", "Lemon", "Coffee", "Milk", "Sugar", "Cake"],
        "category": ["drink", "sweet", "fruit", "drink", "drink", "sweet", "sweet"],
        "price": [3.0, 5.0, 1.0, 4.0, 2.0, 1.5, 6.0],
        "organic": [True, False, True, False, True, False, False],
    }
)


def pipeline(histories: dict[str, list[str]] | None = None, *, name: str = "shop") -> Pipeline:
    """The fitted pipeline of the shop."""
    rows = [
        (user, item, START + timedelta(hours=hour))
        for user, items in (histories or HISTORIES).items()
        for hour, item in enumerate(items)
    ]
    journal = pl.DataFrame(
        rows, schema={"user_id": pl.String, "item_id": pl.String, "time": TIME_DTYPE}, orient="row"
    )
    info = PipelineInfo(name=name, cutoff=START + timedelta(days=1))
    return Pipeline.fit(
        make_model("item_knn"),
        [make_model("popularity")],
        Interactions.from_journal(journal),
        catalog=CATALOG,
        rng=0,
        info=info,
    )


def save_shop(folder: Path, *, name: str = "shop", created: datetime = START) -> Path:
    """The shop as a model folder."""
    pipeline(name=name).save(folder, created=created)
    return folder

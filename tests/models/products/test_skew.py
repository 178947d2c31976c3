"""Training and production make the same features: raw text of a file against the same text posted."""

import csv
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.products.banks import random_attributes
from nextbest.data.panel.panel import Panel
from nextbest.data.panel.reading import ingest_panel
from nextbest.data.panel.schema import SANTANDER
from nextbest.models.products.features import FeatureConfig, FeatureSteps
from nextbest.models.products.training import training_set
from nextbest.pipeline.products.history import ClientHistory
from nextbest.pipeline.products.profile import ProfileForm

MONTHS = tuple(date(2016, month, 28) for month in range(1, 6))
TARGET, NEWEST = MONTHS[-1], MONTHS[-2]
N_CLIENTS = 90


def raw_row(
    customer: int, month: date, values: dict[str, object], gen: np.random.Generator
) -> dict[str, str]:
    """A line of the competition's file, with its padding, mixed types, stand-ins and missing values."""

    def text(name: str, value: object) -> str:
        if value is None:
            return str(gen.choice(["", " NA", "         NA"]))
        if isinstance(value, bool):
            return f" {int(value)}"
        if name == "antiguedad":
            return str(gen.choice([f"{value:>7}", "-999999"], p=[0.95, 0.05]))
        if isinstance(value, int):
            return str(gen.choice([f"{value:>3}", str(value), f"{value}.0"]))
        if name == "indrel_1mes":
            return str(gen.choice([str(value), f"{value}.0"]))
        return f"{value!r}" if isinstance(value, float) else str(value)

    row = {"fecha_dato": month.isoformat(), "ncodpers": str(customer)}
    row |= {name: text(name, value) for name, value in values.items()}
    if gen.random() < 0.2:
        row |= {"cod_prov": "", "nomprov": "CORUÑA, A"}
    held = gen.random(len(SANTANDER.products)) < 0.25
    return row | {p.column: str(int(own)) for p, own in zip(SANTANDER.products, held, strict=True)}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The rows of a raw file by client and month, and the panel that was read from it."""
    folder = tmp_path_factory.mktemp("skew")
    gen = np.random.default_rng(8)
    frame = random_attributes(N_CLIENTS, gen)
    raw = {}
    for month in MONTHS:
        for place in np.flatnonzero(gen.random(N_CLIENTS) < 0.9).tolist():
            values = frame.row(place, named=True) | {"ind_actividad_cliente": bool(gen.random() < 0.5)}
            raw[place + 500, month] = raw_row(place + 500, month, values, gen)
    with (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, next(iter(raw.values())), quoting=csv.QUOTE_MINIMAL)
        writer.writeheader()
        writer.writerows(raw.values())
    ingest_panel(folder / "train.csv", folder / "panel")
    return raw, Panel.open(folder / "panel")


@pytest.fixture(scope="module", params=["month_end", "scoring_time"])
def fitted(world, request):
    _, panel = world
    config = FeatureConfig(min_count=3, attributes=request.param, outliers="keep", lags=(2, 3))
    return FeatureSteps(config).fit(panel, MONTHS[1:4])


def posted(steps, panel, raw, target=TARGET):
    """Features of one client whose raw line was posted, by the road that a request takes."""
    form = ProfileForm(panel.schema)
    profile = form.read(raw)
    history = ClientHistory(panel.schema, panel, columns=steps.columns, fallback_month=NEWEST)
    row = history.row(profile.customer_id)
    if steps.config.attributes == "month_end":
        return steps.transform(history.inputs(profile.month, np.array([row], np.int32), [profile]))
    types = {a.name: pl.String() if a.kind == "category" else a.dtype for a in panel.schema.attributes}
    attributes = pl.DataFrame([profile.values], schema=types)
    return steps.transform(steps.clients(panel, target).inputs(np.array([row]), attributes=attributes))


def test_every_line_of_the_file_posted_gets_the_features_of_the_training_set_bit_for_bit(world, fitted):
    raw, panel = world
    train = training_set(panel, fitted, [TARGET], keep_unchanged=1.0)
    month = NEWEST if fitted.config.attributes == "month_end" else TARGET
    customers = panel.ids.decode(train.row_N).to_list()
    assert len(customers) > N_CLIENTS / 2
    found = np.concatenate([posted(fitted, panel, raw[customer, month]).x_NF for customer in customers])
    differs = (found.view(np.uint32) != train.x_NF.view(np.uint32)) & ~(
        np.isnan(found) & np.isnan(train.x_NF)
    )
    assert [train.names[f] for f in np.flatnonzero(differs.any(axis=0))] == []


def spellings(name: str, value: object) -> st.SearchStrategy[object]:
    """Ways to write one stored value into a request."""
    if value is None:
        return st.sampled_from([None, "", " NA", "         NA"])
    if isinstance(value, bool):
        return st.sampled_from([value, str(int(value)), f" {int(value)}", int(value), float(value)])
    if isinstance(value, int):
        return st.sampled_from([value, str(value), f"     {value}", float(value), f"{value}.0"])
    if isinstance(value, float):
        return st.sampled_from([value, repr(value), f"  {value!r} "])
    if isinstance(value, date):
        return st.sampled_from([value.isoformat(), f"{value.isoformat()} 00:00:00"])
    if name in ("indrel", "indrel_1mes", "cod_prov", "tipodom") and str(value).isdigit():
        return st.sampled_from([value, int(str(value)), float(str(value)), f"{value}.0", f" {value}"])
    return st.sampled_from([value, f"{value} "])


@settings(max_examples=25)
@given(data=st.data())
def test_however_loosely_a_stored_row_is_written_it_gets_the_features_of_the_batch_bit_for_bit(
    world, fitted, data
):
    _, panel = world
    month = NEWEST if fitted.config.attributes == "month_end" else TARGET
    stored = panel.attributes(month)
    known = panel.present(NEWEST)[stored["row"].to_numpy()]
    place = data.draw(st.sampled_from(np.flatnonzero(known).tolist()))
    values = stored.drop("row").row(place, named=True)
    raw = {name: data.draw(spellings(name, value), label=name) for name, value in values.items()}
    raw |= {"ncodpers": panel.ids.decode([stored["row"][place]])[0], "fecha_dato": month.isoformat()}
    one = posted(fitted, panel, raw).x_NF
    batch = fitted.transform(fitted.inputs(panel, TARGET, stored["row"].to_numpy())).x_NF[place : place + 1]
    assert np.array_equal(one.view(np.uint32), batch.view(np.uint32))

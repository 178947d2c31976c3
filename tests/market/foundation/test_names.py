"""Every pretrained model is made by its name, without its package or its weights at hand."""

import pytest

from nextbest.errors import InputError
from nextbest.market.base import FORECASTERS, PRETRAINED, Forecaster, make_forecaster


@pytest.mark.parametrize("name", sorted(set(PRETRAINED) - {"text_llm"}))
def test_a_name_makes_a_forecaster_and_loads_nothing(name):
    model = make_forecaster(name, context_length=64)
    assert isinstance(model, Forecaster)
    assert model.config["context_length"] == 64
    assert model._model is None


def test_a_language_model_is_made_of_something_that_completes():
    assert isinstance(make_forecaster("text_llm", complete=str, model="echo"), Forecaster)
    with pytest.raises(InputError, match="complete"):
        make_forecaster("text_llm", model="echo")


def test_names_are_told_apart_and_an_unknown_one_lists_all():
    assert not set(PRETRAINED) & set(FORECASTERS)
    with pytest.raises(InputError, match=r"'kronos'.*'rw_gauss'"):
        make_forecaster("cronos")

"""Who is who: only what the door left open is filled, and only where one person fits."""

import polars as pl
import pytest

from nextbest.assistant.base import Caller
from nextbest.assistant.tools.identities import FILE, complete, keep_identities
from nextbest.errors import DataError, InputError

TABLE = pl.DataFrame(
    {"user_id": [1, 2, 3], "customer_id": [10, 20, None], "client_id": ["c1", None, "c3"]},
)


@pytest.fixture
def store(tmp_path):
    keep_identities(tmp_path, TABLE)
    return tmp_path


@pytest.mark.parametrize(
    ("caller", "filled"),
    [
        (Caller(user_id=1), (1, 10, "c1")),
        (Caller(user_id="1"), ("1", 10, "c1")),
        (Caller(user_id=2), (2, 20, None)),
        (Caller(customer_id=10), (1, 10, "c1")),
        (Caller(client_id="c3"), (3, None, "c3")),
        (Caller(user_id=1, client_id="c1"), (1, 10, "c1")),
        (Caller(user_id=1, client_id="c3"), (1, None, "c3")),
        (Caller(user_id=4), (4, None, None)),
        (Caller(user_id="01"), ("01", None, None)),
        (Caller(), (None, None, None)),
    ],
    ids=str,
)
def test_open_ids_are_filled_where_one_person_fits(store, caller, filled) -> None:
    found = complete(caller, store)
    assert (found.user_id, found.customer_id, found.client_id) == filled
    assert (found.role, found.mode, found.may_see) == (caller.role, caller.mode, caller.may_see)


def test_without_a_file_a_caller_stays_as_he_is(tmp_path) -> None:
    assert complete(Caller(user_id=1), tmp_path) == Caller(user_id=1)


def test_an_id_may_not_stand_twice(tmp_path) -> None:
    with pytest.raises(InputError, match="client_id must not repeat"):
        keep_identities(tmp_path, TABLE.with_columns(client_id=pl.lit("c1")))
    with pytest.raises(InputError, match=r"must have column\(s\) \['client_id'\]"):
        keep_identities(tmp_path, TABLE.drop("client_id"))
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("broken", ["bytes", "column"])
def test_a_broken_file_is_told(store, broken) -> None:
    if broken == "bytes":
        (store / FILE).write_bytes(b"nothing")
    else:
        TABLE.drop("customer_id").write_parquet(store / FILE)
    with pytest.raises(DataError, match=FILE):
        complete(Caller(user_id=1), store)

"""The store keeps whole files, says what an addition changed, and gives back the bars that went in."""

from datetime import timedelta

import polars as pl
import pytest

from data.prices.files import DAY, HOUR, START, bars, changed
from nextbest.data.locking import writer_lock
from nextbest.data.prices.panel import PricePanel
from nextbest.data.prices.reading import read_prices
from nextbest.data.prices.store import PriceStore
from nextbest.errors import DataError, ExternalError, InputError


def reading(*tables, names="AB", **told):
    return read_prices(
        [t.with_columns(asset_id=pl.lit(n)) for n, t in zip(names, tables, strict=False)], **told
    )


def test_what_goes_in_comes_out(tmp_path):
    store = PriceStore.open(tmp_path)
    read = reading(bars(10), bars(7))
    assert [(a.asset_id, a.added, a.same, a.changed) for a in store.add(read)] == [
        ("A", 10, 0, 0),
        ("B", 7, 0, 0),
    ]
    assert PriceStore.open(tmp_path).table(HOUR).equals(read.prices)
    assert store.panel(HOUR).digest() == PricePanel.of(read.prices).digest()
    assert store.panel(HOUR, ["B"]).asset_ids == ("B",)
    assert store.assets().select("asset_id", "step", "rows", "last").rows() == [
        ("A", HOUR, 10, START + 9 * HOUR),
        ("B", HOUR, 7, START + 6 * HOUR),
    ]


def test_a_second_addition_tells_what_is_new_what_is_the_same_and_what_changed(tmp_path):
    store = PriceStore.open(tmp_path)
    store.add(reading(bars(10)))
    later = changed(bars(15), 8, close=108.25).filter(pl.col("time") >= START + 6 * HOUR)
    (told,) = store.add(reading(later))
    assert (told.added, told.same, told.changed) == (5, 3, 1)
    (example,) = told.examples
    assert (example.time, example.close_before, example.close) == (START + 8 * HOUR, 108.0, 108.25)
    assert store.table(HOUR)["close"].to_list() == changed(bars(15), 8, close=108.25)["close"].to_list()


def test_an_addition_of_the_same_writes_nothing(tmp_path):
    store = PriceStore.open(tmp_path)
    store.add(reading(bars(10)))
    before = next(tmp_path.glob("prices/1h/*.parquet")).stat().st_mtime_ns
    (told,) = store.add(reading(bars(10)))
    assert (told.added, told.same, told.changed) == (0, 10, 0)
    assert next(tmp_path.glob("prices/1h/*.parquet")).stat().st_mtime_ns == before


def test_steps_stand_beside_each_other_and_a_step_that_is_not_there_is_told_with_those_that_are(tmp_path):
    store = PriceStore.open(tmp_path)
    store.add(reading(bars(10)))
    store.add(reading(bars(5, step=DAY)))
    assert store.panel(DAY).n_bars == 5
    with pytest.raises(InputError, match=r"no candles of 4h; .*has the steps \['1h', '1d'\] of \['A'\]"):
        store.panel(timedelta(hours=4))
    with pytest.raises(InputError, match=r"no candles of 1h of \['Z'\]"):
        store.panel(HOUR, ["A", "Z"])


@pytest.mark.parametrize("name", ["BTC/USDT", "BTC/USDT:USDT", "..", "a%2Fb", "РТС", "^GSPC", "x y"])
def test_any_name_of_an_asset_is_a_file_of_its_own(tmp_path, name):
    store = PriceStore.open(tmp_path)
    store.add(reading(bars(3), names=[name]))
    assert store.assets()["asset_id"].to_list() == [name]
    assert store.table(HOUR, [name])["asset_id"][0] == name
    assert {path.parent.name for path in tmp_path.rglob("*.parquet")} == {"1h"}


def test_a_name_that_is_no_file_name_is_refused(tmp_path):
    with pytest.raises(InputError, match="asset_id"):
        PriceStore.open(tmp_path).add(reading(bars(3), names=["x" * 300]))
    assert list(tmp_path.iterdir()) == []


def test_the_last_candle_is_where_a_fetch_goes_on(tmp_path):
    store = PriceStore.open(tmp_path)
    assert store.last("A", HOUR) is None
    store.add(reading(bars(10)))
    assert store.last("A", HOUR) == START + 9 * HOUR


def test_a_write_that_was_cut_short_leaves_the_candles_as_they_were(tmp_path, monkeypatch):
    store = PriceStore.open(tmp_path)
    store.add(reading(bars(10)))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nextbest.data.prices.store.os.fsync", full)
    with pytest.raises(ExternalError, match="no space left"):
        store.add(reading(bars(20)))
    monkeypatch.undo()
    assert len(store.table(HOUR)) == 10
    store.add(reading(bars(20)))
    assert len(store.table(HOUR)) == 20


def test_a_second_writer_is_told_to_wait(tmp_path):
    store = PriceStore.open(tmp_path)
    store.add(reading(bars(3)))
    with writer_lock(store.folder), pytest.raises(ExternalError, match="another process"):
        store.add(reading(bars(4)))


def test_a_damaged_file_is_named(tmp_path):
    store = PriceStore.open(tmp_path)
    store.add(reading(bars(3)))
    next(tmp_path.rglob("*.parquet")).write_bytes(b"PAR1 no more")
    for ask in (lambda: store.panel(HOUR), store.assets, lambda: store.add(reading(bars(4)))):
        with pytest.raises(DataError, match=r"A\.parquet: can't be read"):
            ask()


def test_an_empty_store_says_so_and_a_file_is_no_store(tmp_path):
    assert len(PriceStore.open(tmp_path / "none").assets()) == 0
    (tmp_path / "prices").write_text("x")
    with pytest.raises(InputError, match="must be a folder"):
        PriceStore.open(tmp_path)


def test_steps_and_state_of_the_files_tell_an_addition_and_only_that(tmp_path):
    store = PriceStore.open(tmp_path)
    assert (store.steps(), store.state(HOUR)) == ([], ())
    store.add(reading(bars(10), bars(7)))
    assert (store.steps(), store.state(DAY)) == ([HOUR], ())
    before = store.state(HOUR)
    store.add(reading(bars(10), bars(7)))  # the same again writes nothing
    assert store.state(HOUR) == before
    store.add(reading(bars(11), bars(7)))
    assert store.state(HOUR) != before
    assert store.state(HOUR)[1] == before[1]  # B had nothing new

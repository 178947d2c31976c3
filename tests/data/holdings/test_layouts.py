"""Folders of the three known layouts, in small, with their traps."""

import gzip
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from nextbest.data.holdings.layouts import read_asset_classes, read_far_trans_customers, read_moex
from nextbest.data.holdings.market_tables import concat_tables
from nextbest.errors import DataError

MOEX_DAYS = ("2023-07-10", "2023-07-11", "2023-07-12", "2023-08-08", "2023-08-09", "2023-08-10")


@pytest.fixture
def moex(tmp_path: Path) -> Path:
    lines = ["date,ticker,close,value"]
    for day in MOEX_DAYS:
        lines.append(f"{day},SBER,{250.0},1000")
        lines.append(f"{day},TINY,{5000.0 if day < '2023-08-09' else 51.0},10")
    (tmp_path / "moex_close_2023.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    (tmp_path / "moex_close_wide.csv.gz").write_bytes(gzip.compress(b"date,SBER\n2023-07-10,1\n"))
    (tmp_path / "moex_splits.csv").write_text(
        "date,before,after,type,source,ticker\n2023-08-08,1,100,forward,iss,TINY\n2023-08-08,1,2,forward,iss,GONE\n"
    )
    (tmp_path / "moex_dividends.csv").write_text(
        "registry_close,amount,currency,source,registry_close_source,ticker,split_adjusted_back_by\n"
        "2023-07-12,10,RUB,moex_iss,,SBER,\n"  # two days' settlement: the day before
        "2023-08-10,20,RUB,moex_iss,,SBER,\n"  # one day's: the day itself
        "2023-07-12,5,RUB,yahoo,yahoo_ex_div,TINY,\n"  # an ex-day already
        "2023-08-10,20.2,RUB,dohod,,SBER,\n"  # the same payment by another source
        "2023-08-10,7,RUB,dohod,,SBER,\n"  # another payment of that day
        "2023-08-10,7,RUB,dohod,,GONE,\n"
    )
    (tmp_path / "MCFTRR.csv").write_text("date,close\n2023-07-10,5000.5\n")
    (tmp_path / "tickers.json").write_text('{"SBER": {"canonical": "Сбербанк", "type": "share"}}')
    return tmp_path


def test_moscow_dividends_get_their_ex_days_and_double_tellings_one(moex: Path) -> None:
    rows = read_moex(moex).dividends.sort("asset_id", "day").select("asset_id", "day", "amount").rows()
    assert rows == [
        ("SBER", date(2023, 7, 11), 10.0),
        ("SBER", date(2023, 8, 10), 27.0),
        ("TINY", date(2023, 7, 12), 5.0),
    ]


def test_a_moscow_split_counts_from_the_close_that_shows_it(moex: Path) -> None:
    assert read_moex(moex).splits.rows() == [("TINY", date(2023, 8, 9), 100.0)]


def test_moscow_assets_are_rouble_shares_with_names(moex: Path) -> None:
    tables = read_moex(moex, start=date(2023, 8, 1))
    assert tables.assets["title"].to_list() == ["Сбербанк", "TINY"]
    assert tables.asset_prices.height == 6
    assert tables.benchmarks.is_empty()
    assert read_moex(moex).benchmarks["close"].to_list() == [5000.5]
    assert tables.market(base_currency="RUB").close_TA[0].tolist() == [250.0, 5000.0]


def test_a_moscow_folder_without_its_files_is_named(moex: Path) -> None:
    (moex / "moex_splits.csv").unlink()
    with pytest.raises(DataError, match=r"moex_splits\.csv"):
        read_moex(moex)
    with pytest.raises(DataError, match=r"moex_close_\*"):
        read_moex(moex / "nowhere")


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    (tmp_path / "RU000A0EQ3Q5.csv").write_text("2020-01-09,100.0,1\n2020-01-10,101.0,1\n")
    (tmp_path / "RU000A0EQ3R3.csv").write_text("2020-01-09,200.0,1\n2020-01-11,210.0,1\n")
    (tmp_path / "BBG00RPRPX12.csv").write_text("2020-01-10,1.0\n")
    (tmp_path / "gold.csv").write_text("1997-12-31,54496.0\n1998-01-05,54.08\n")
    (tmp_path / "currency_rates_usd.csv").write_text('1997-12-31,"5960,0000"\n1998-01-05,"5,9600"\n')
    (tmp_path / "deposit_rate.csv").write_text("II.01.2020,7.30\nI.01.2020,3.65\n")
    return tmp_path


def test_roubles_of_before_1998_are_new_ones(classes: Path) -> None:
    tables = read_asset_classes(classes)
    gold = tables.asset_prices.filter(pl.col("asset_id") == "GOLD")["close"].to_list()
    assert gold == pytest.approx([54.496, 54.08])
    assert tables.fx["rate"].to_list() == pytest.approx([5.96, 5.96])


def test_a_deposit_grows_by_the_rate_of_its_day_and_weekends_count_but_are_not_shown(classes: Path) -> None:
    deposit = read_asset_classes(classes).asset_prices.filter(pl.col("asset_id") == "DEPOSIT")
    assert deposit["day"].dt.weekday().max() == 5
    first, second = deposit["close"][:2]
    assert second / first == pytest.approx(1.0001)
    on_13th = deposit.filter(pl.col("day") == date(2020, 1, 13))["close"][0]
    assert on_13th == pytest.approx(100 * 1.0001**10 * 1.0002**2)
    assert deposit["day"][-1] == date(2020, 1, 31)


def test_the_dollar_is_an_asset_of_its_own_currency(classes: Path) -> None:
    tables = read_asset_classes(classes, start=date(1998, 1, 1))
    market = tables.market(base_currency="RUB")
    dollar = market.asset_index["USD"]
    assert (market.close_TA * market.fx_TA)[0, dollar] == pytest.approx(5.96)
    assert market.asset_class[dollar] == "currency"


def test_a_line_that_cant_be_read_is_shown(classes: Path) -> None:
    (classes / "gold.csv").write_text("2020-01-09,100\n2020-01-10,much\n")
    with pytest.raises(DataError, match="'much'"):
        read_asset_classes(classes)
    (classes / "gold.csv").write_text("2020-01-09,100\n")
    (classes / "deposit_rate.csv").write_text("IV.01.2020,7\n")
    with pytest.raises(DataError, match="third of a month"):
        read_asset_classes(classes)


def test_two_layouts_make_one_market(moex: Path, classes: Path) -> None:
    both = concat_tables([read_moex(moex), read_asset_classes(classes)])
    assert set(both.assets["asset_class"]) == {"equity", "bond", "gold", "currency", "deposit"}
    assert both.assets.height == 8


CUSTOMERS = """customerID,customerType,riskLevel,investmentCapacity,lastQuestionnaireDate,timestamp
b,Mass,Income,CAP_LT30K,2019-01-01,2019-02-02
a,Premium,Predicted_Aggressive,CAP_80K_300K,2021-11-30,2022-01-21
a,Mass,Conservative,CAP_LT30K,2018-01-01,2018-03-19
c,Legal Entity,Not_Available,Predicted_CAP_GT300K,2000-01-01,2020-01-01
"""


def test_the_newest_row_of_a_far_trans_customer_counts_and_the_first_tells_since(tmp_path: Path) -> None:
    (tmp_path / "customer_information.csv").write_text(CUSTOMERS)
    found = read_far_trans_customers(tmp_path)
    assert found.select(
        "client_id", "risk_tolerance", "risk_capacity", "knowledge", "is_predicted"
    ).rows() == [
        ("a", 4, 4, 3, True),
        ("b", 2, 2, 2, False),
        ("c", 1, 5, 4, True),
    ]
    assert found["since"].to_list() == [date(2018, 3, 19), date(2019, 2, 2), date(2020, 1, 1)]
    assert found["profiled_at"][0] == date(2021, 11, 30)


def test_a_level_that_isnt_known_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "customers.csv"
    file.write_text(CUSTOMERS.replace("Income", "Reckless"))
    with pytest.raises(DataError, match=r"risk_tolerance can't be told.*Reckless"):
        read_far_trans_customers(file)
    file.write_text("customerID\n1\n")
    with pytest.raises(DataError, match="missing"):
        read_far_trans_customers(file)

"""Known formats, each on a few lines written by hand in that format."""

import gzip
import zipfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from nextbest.data.ingest import ingest
from nextbest.data.report import IngestReport
from nextbest.data.sources import ADAPTERS, amazon_sequences, movielens
from nextbest.data.store import Workspace
from nextbest.errors import DataError
from nextbest.tables import CATALOG, CLIENTS, JOURNAL

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def load(
    folder: Path, inputs: Path | list[Path], source: str
) -> tuple[IngestReport, pl.DataFrame, Workspace]:
    """An ingest of a known format, checked against the tables' contracts and run twice."""
    report = ingest(folder / "ws", inputs, source=source)
    workspace = Workspace(folder / "ws")
    journal = JOURNAL.check(workspace.journal().collect()).sort("user_id", "time", maintain_order=True)
    if (catalog := workspace.catalog()) is not None:
        CATALOG.check(catalog)
    if (clients := workspace.clients()) is not None:
        CLIENTS.check(clients)
    assert report.read == report.stored + report.quarantined
    assert ingest(folder / "ws", inputs, source=source).added == 0
    return report, journal, workspace


def test_every_known_format_has_its_module_and_a_line_about_it() -> None:
    folder = Path(movielens.__file__).parent
    assert all((folder / f"{name}.py").exists() and about for name, about in ADAPTERS.items())


def test_movielens_1m(tmp_path: Path) -> None:
    data = tmp_path / "ml-1m"
    data.mkdir()
    (data / "ratings.dat").write_text(
        "1::1193::5::978300760\n1::661::3::978302109\nbroken line\n2::1193::4::978298413\n"
    )
    (data / "movies.dat").write_bytes(
        "1193::Café Flesh (1982)::Drama|Sci-Fi\n661::James (1996)::Musical\n".encode("latin-1")
    )
    (data / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::02460\n")
    report, journal, workspace = load(tmp_path, data, "movielens")
    assert report.reasons == {"ragged_row": 1}
    assert journal.row(0) == (1, 1193, datetime(2000, 12, 31, 22, 12, 40, tzinfo=UTC), 5)
    assert journal.columns == ["user_id", "item_id", "time", "rating"]
    catalog, clients = workspace.catalog(), workspace.clients()
    assert catalog is not None
    assert clients is not None
    assert catalog.row(1) == (1193, "Café Flesh (1982)", "Drama|Sci-Fi")
    assert clients["zip_code"].to_list() == ["48067", "02460"]
    assert workspace.quarantine().collect()["raw"].to_list() == ['{"line":"broken line"}']


def test_movielens_100k(tmp_path: Path) -> None:
    data = tmp_path / "ml-100k"
    data.mkdir()
    (data / "u.data").write_text("196\t242\t3\t881250949\n186\t302\t3\t891717742\n")
    flags = ["0"] * 19
    flags[1] = flags[5] = "1"
    (data / "u.item").write_bytes(
        f"242|Kolya (1996)|24-Jan-1997||http://x|{'|'.join(flags)}\n".encode("latin-1")
    )
    (data / "u.user").write_text("196|49|M|writer|55105\n")
    _, journal, workspace = load(tmp_path, data, "movielens")
    assert journal["time"].to_list() == [
        datetime(1998, 4, 4, 19, 22, 22, tzinfo=UTC),
        datetime(1997, 12, 4, 15, 55, 49, tzinfo=UTC),
    ]
    catalog = workspace.catalog()
    assert catalog is not None
    assert catalog.select("title", "category").rows() == [("Kolya (1996)", "Action|Comedy")]


def test_movielens_atomic_files(tmp_path: Path) -> None:
    data = tmp_path / "ml"
    data.mkdir()
    (data / "ml.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t242\t3\t881250949\n"
    )
    (data / "ml.item").write_text(
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n242\tKolya\t1996\tComedy\n"
    )
    (data / "ml.user").write_text("user_id:token\tage:token\n196\t49\n")
    _, journal, workspace = load(tmp_path, data, "movielens")
    assert journal.row(0) == (196, 242, datetime(1997, 12, 4, 15, 55, 49, tzinfo=UTC), 3)
    catalog = workspace.catalog()
    assert catalog is not None
    assert catalog.row(0) == (242, "Kolya", 1996, "Comedy")


UCI = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART,6,12/1/2010 8:26,2.55,17850.0,United Kingdom
536365,85123a,white heart,2,12/13/2010 8:26,2.55,17850.0,United Kingdom
536366,POST,POSTAGE,1,12/1/2010 8:28,18,17850.0,United Kingdom
536367,71053,"LANTERN, METAL",1,12/1/2010 8:34,3.39,,United Kingdom
536368,71053,"LANTERN, METAL",4,6/1/2010 8:34,3.39,13047.0,France
C536379,71053,"LANTERN, METAL",-4,6/2/2010 9:41,3.39,13047.0,France
C536380,22139,TEA SET,-1,12/1/2010 9:49,4.25,13047.0,France
536381,22139,TEA SET,23,12/1/2010 9:49,4.25,13047.0,France
536381,22139,TEA SET,23,12/1/2010 9:49,4.25,13047.0,France
536370,85123A,WHITE HANGING HEART,0,12/14/2010 8:26,0,13047.0,France
"""


def test_uci_online_retail(tmp_path: Path) -> None:
    path = tmp_path / "online_retail.csv"
    path.write_text(UCI)
    report, journal, workspace = load(tmp_path, path, "uci_online_retail")
    assert report.reasons == {
        "cancellation": 1,
        "cancellation_unmatched": 1,
        "cancelled_purchase": 1,
        "duplicate": 1,
        "missing_user_id": 1,
        "not_a_product": 1,
    }
    first = journal.filter(user_id=17850).row(0, named=True)
    assert (first["item_id"], first["quantity"], first["amount"], first["currency"]) == (
        "85123A",
        6.0,
        15.3,
        "GBP",
    )
    assert first["time"] == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert journal.filter(user_id=17850)["item_id"].to_list() == ["85123A", "85123A"]
    catalog = workspace.catalog()
    assert catalog is not None
    assert catalog.rows() == [
        ("22139", "TEA SET", 4.25),
        ("71053", "LANTERN, METAL", 3.39),
        ("85123A", "WHITE HANGING HEART", 2.55),
    ]
    raw = workspace.quarantine().filter(reason="not_a_product").collect()["raw"][0]
    assert '"StockCode":"POST"' in raw
    assert '"InvoiceDate":"12/1/2010 8:28"' in raw


def test_uci_summer_times_are_british(tmp_path: Path) -> None:
    path = tmp_path / "online_retail.csv"
    path.write_text(UCI.splitlines()[0] + "\n536368,71053,X,4,6/1/2010 8:34,3.39,13047,France\n")
    _, journal, _ = load(tmp_path, path, "uci_online_retail")
    assert journal["time"].to_list() == [datetime(2010, 6, 1, 7, 34, tzinfo=UTC)]


def test_uci_online_retail_two_with_its_own_names_as_parquet(tmp_path: Path) -> None:
    path = tmp_path / "ii.parquet"
    pl.DataFrame(
        {
            "Invoice": ["1", "C2"],
            "StockCode": ["85123A", "85123A"],
            "Description": ["HEART", "HEART"],
            "Quantity": [6, -2],
            "InvoiceDate": [datetime(2010, 12, 1, 8, 26), datetime(2010, 12, 2, 8, 26)],  # noqa: DTZ001 - as it is
            "Price": [2.0, 2.0],
            "Customer ID": [17850.0, 17850.0],
            "Country": ["UK", "UK"],
        }
    ).write_parquet(path)
    _, journal, _ = load(tmp_path, path, "uci_online_retail")
    assert journal.select("user_id", "quantity", "amount").rows() == [(17850, 4.0, 8.0)]


STEAM = '151603712,"The Elder Scrolls V Skyrim",purchase,1.0,0\n151603712,"The Elder Scrolls V Skyrim",play,273.0,0\n151603712,"Spore, Galactic",purchase,1.0,0\n187131847,Dota 2,purchase,1.0,0\n187131847,Dota 2,purchase,1.0,0\n187131847,Dota 2,play,0.5,0\n'


@pytest.mark.parametrize("packed", [False, True])
def test_steam_200k_as_published(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / ("archive.zip" if packed else "steam-200k.csv")
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("steam-200k.csv", STEAM)
    else:
        path.write_text(STEAM)
    report, journal, workspace = load(tmp_path, path, "steam_200k")
    assert (report.time_kind, workspace.time_kind) == ("none", "none")
    assert report.reasons == {"play_not_purchase": 2, "duplicate": 1}
    assert journal.select("user_id", "item_id", "hours").rows() == [
        (151603712, "The Elder Scrolls V Skyrim", 273.0),
        (151603712, "Spore, Galactic", None),
        (187131847, "Dota 2", 0.5),
    ]
    assert set(journal["time"]) == {EPOCH}
    catalog = workspace.catalog()
    assert catalog is not None
    assert catalog["title"].to_list() == ["Dota 2", "Spore, Galactic", "The Elder Scrolls V Skyrim"]


@pytest.mark.parametrize("packed", [False, True])
def test_steam_200k_renumbered(tmp_path: Path, packed: bool) -> None:
    members = {
        "game_purchase.dat": "User_ID\tGame_ID\tPurchase\n1\t1\t1.0\n1\t2\t1.0\n2\t1\t1.0\n",
        "game_play.dat": "User_ID\tGame_ID\tHours\n1\t1\t273.0\n",
        "item_info.dat": 'Game_ID\tGame Name\n1\tSkyrim "SE"\n2\tFallout 4\n',
    }
    path = tmp_path / ("steam.zip" if packed else "steam")
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in members.items():
                archive.writestr(f"steam/{name}", text)
    else:
        path.mkdir()
        for name, text in members.items():
            (path / name).write_text(text)
    report, journal, workspace = load(tmp_path, path, "steam_200k")
    assert report.quarantined == 0
    assert journal.select("user_id", "item_id", "kind", "hours").rows() == [
        (1, 1, "purchase", 273.0),
        (1, 2, "purchase", None),
        (2, 1, "purchase", None),
    ]
    catalog = workspace.catalog()
    assert catalog is not None
    assert catalog["title"].to_list() == ['Skyrim "SE"', "Fallout 4"]


@pytest.mark.parametrize(
    "text", ["1 10\n1 11\n2 10\n1 10\n", "1 10 11\n2 10\n1 10\n", "1\t10  11\n\n2 10 \n1 10"]
)
@pytest.mark.parametrize("suffix", [".txt", ".txt.gz"])
def test_sequences_one_event_or_one_user_a_line(tmp_path: Path, text: str, suffix: str) -> None:
    path = tmp_path / f"Beauty{suffix}"
    path.write_bytes(gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode())
    report, journal, workspace = load(tmp_path, path, "amazon_sequences")
    assert (report.time_kind, workspace.time_kind) == ("order", "order")
    places = [(u, i, int((t - EPOCH).total_seconds())) for u, i, t in journal.rows()]
    assert places == [(1, 10, 0), (1, 11, 1), (1, 10, 2), (2, 10, 0)]


def test_a_sequence_that_grew_adds_its_new_end(tmp_path: Path) -> None:
    path = tmp_path / "seq.txt"
    path.write_text("1 10 11\n2 10\n")
    ingest(tmp_path / "ws", path, source="amazon_sequences")
    path.write_text("1 10 11 12\n2 10\n3 10\n")
    assert ingest(tmp_path / "ws", path, source="amazon_sequences").added == 2


def test_places_in_a_sequence_run_on_through_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amazon_sequences, "_CHARACTERS", 10)
    path = tmp_path / "seq.txt"
    path.write_text("".join(f"{u} {100 + n}\n" for n in range(9) for u in (1, 2)))
    _, journal, _ = load(tmp_path, path, "amazon_sequences")
    assert journal.filter(user_id=1)["item_id"].to_list() == list(range(100, 109))
    assert [int((t - EPOCH).total_seconds()) for t in journal.filter(user_id=2)["time"]] == list(range(9))


def test_a_user_without_items_is_ragged(tmp_path: Path) -> None:
    path = tmp_path / "seq.txt"
    path.write_text("1 10 11\n7\n")
    report, _, workspace = load(tmp_path, path, "amazon_sequences")
    assert report.reasons == {"ragged_row": 1}
    assert workspace.quarantine().collect()["raw"].to_list() == ['{"user_id":"7"}']


def test_hm(tmp_path: Path) -> None:
    data = tmp_path / "hm"
    data.mkdir()
    (data / "transactions_train.csv").write_text(
        "t_dat,customer_id,article_id,price,sales_channel_id\n"
        "2018-09-20,00a1,0663713001,0.05,2\n2018-09-20,00a1,0663713001,0.05,2\n2018-09-21,00b2,541518023,0.03,1\n"
    )
    (data / "articles.csv").write_text(
        "article_id,product_code,prod_name,product_type_name,detail_desc\n0663713001,663713,Strap top,Vest top,Jersey top.\n"
    )
    (data / "customers.csv").write_text("customer_id,age\n00a1,49.0\n00b2,\n")
    (data / "product_desc.csv").write_text("product_code,detail_desc\n1,x\n")
    report, journal, workspace = load(tmp_path, data, "hm")
    assert report.quarantined == 0
    assert Counter(journal["item_id"]) == {"0663713001": 2, "0541518023": 1}
    assert journal.row(0)[:4] == ("00a1", "0663713001", datetime(2018, 9, 20, tzinfo=UTC), 0.05)
    catalog, clients = workspace.catalog(), workspace.clients()
    assert catalog is not None
    assert clients is not None
    assert catalog.select("item_id", "title", "text", "category").rows() == [
        ("0663713001", "Strap top", "Jersey top.", "Vest top")
    ]
    assert clients["age"].to_list() == [49.0, None]


@pytest.mark.parametrize("source", sorted(ADAPTERS))
def test_a_file_of_another_format_is_refused(tmp_path: Path, source: str) -> None:
    path = tmp_path / "other.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(path)
    if source == "amazon_sequences":
        path = tmp_path / "other.txt"
        path.write_text("nothing\nhere\n")
    with pytest.raises(DataError, match=r"other\."):
        ingest(tmp_path / "ws", path, source=source)


def test_a_broken_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "steam.zip"
    path.write_bytes(b"PK\x03\x04broken")
    with pytest.raises(DataError, match=r"steam\.zip"):
        ingest(tmp_path / "ws", path, source="steam_200k")

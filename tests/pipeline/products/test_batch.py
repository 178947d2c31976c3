"""The monthly batch: the API's answers for everybody, whole or not there, and only once."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import polars as pl
import pytest

from nextbest.data.locking import writer_lock
from nextbest.data.panel.store import PanelWriter
from nextbest.errors import ArtifactError, ExternalError, InputError
from nextbest.pipeline.decisions.decision_log import DecisionLog
from nextbest.pipeline.decisions.decisions import DECISION_LOG
from nextbest.pipeline.decisions.policy import Cap, load_policy
from nextbest.pipeline.products import batch as batch_module
from nextbest.pipeline.products.advisor import ProductAdvisor
from nextbest.pipeline.products.batch import batch
from nextbest.pipeline.products.batch_summary import has_shipped_values
from nextbest.pipeline.products.query import ProductQuery
from nextbest.tables import RECOMMENDATIONS


@pytest.fixture(scope="module")
def made(bank, tmp_path_factory):
    """One batch, in chunks small enough that there are several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_module, "CHUNK", 700)
        return batch(bank.advisor, tmp_path_factory.mktemp("offers") / "out")


def table(made, kind: str) -> pl.DataFrame:
    return pl.read_parquet(made.folder / kind / "*.parquet")


def files(folder) -> dict[str, int]:
    """Every file below a folder with its time."""
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_the_batch_has_the_very_answers_of_the_api(bank, made) -> None:
    offers = table(made, "offers").sort("user_id", "rank")
    by_client = offers.partition_by("user_id", as_dict=True)
    decisions = table(made, "decisions").filter(pl.col("rank") <= 1)
    fired_of = dict(zip(decisions["customer_id"], decisions["fired"], strict=True))
    assert set(fired_of) == set(bank.ids)
    for customer_id, answer in zip(
        bank.ids, bank.advisor.answer([ProductQuery(i) for i in bank.ids]), strict=True
    ):
        rows = by_client.get((customer_id,), offers.clear())
        assert rows["item_id"].to_list() == [p.product_id for p in answer.products]
        assert rows["propensity"].to_list() == pytest.approx([p.probability for p in answer.products])
        assert rows["score"].to_list() == pytest.approx([p.score for p in answer.products])
        assert rows["source"].to_list() == [p.source for p in answer.products]
        assert rows["policy_probability"].to_list() == [p.policy_probability for p in answer.products]
        assert rows["reasons"].to_list() == [[r.code for r in p.reasons] for p in answer.products]
        n_fired = sum(number > 0 for number in fired_of[customer_id])
        assert n_fired == len(answer.fired)


def test_its_tables_keep_their_contracts_and_its_summary_counts_them(bank, made) -> None:
    offers, decisions = table(made, "offers"), table(made, "decisions")
    RECOMMENDATIONS.check(offers)
    DECISION_LOG.check(decisions)
    summary = json.loads((made.folder / "summary.json").read_text())
    assert summary == made.summary
    assert summary["n_clients"] == len(bank.ids) == decisions["customer_id"].n_unique()
    assert summary["n_offers"] == len(offers) == sum(summary["offers_by_product"].values())
    assert summary["n_clients_with_offer"] == offers["user_id"].n_unique()
    assert summary["n_control"] == decisions.filter("is_control")["customer_id"].n_unique()
    assert (summary["as_of"], summary["target"]) == ("2015-08", "2015-09")
    assert summary["model"] == bank.model.version
    assert decisions["model_version"].unique().to_list() == [bank.model.version]
    kept = load_policy(made.folder / "policy.json")
    assert (kept, kept.digest) == (bank.policy, summary["policy_digest"])
    filters = pl.read_parquet(made.folder / "filters.parquet")
    numbers = filters.drop("code").select(pl.all().sum()).row(0)
    assert set(numbers) == {len(bank.ids)}
    held = filters.filter(pl.col("code") == "held")["ind_cco_fin_ult1"].item()
    bit = bank.panel.schema.bit("ind_cco_fin_ult1")
    newest = bank.panel.held(bank.panel.months[-1])
    assert 0 < held <= int((newest >> bit & 1).sum())


def test_the_cut_into_chunks_changes_no_offer(bank, made, tmp_path) -> None:
    whole = batch(bank.advisor, tmp_path)
    assert len(list((made.folder / "offers").iterdir())) > len(list((whole.folder / "offers").iterdir())) == 1
    by = ["user_id", "rank"]
    assert table(whole, "offers").sort(by).equals(table(made, "offers").sort(by))
    counts = "filters.parquet"
    assert pl.read_parquet(whole.folder / counts).equals(pl.read_parquet(made.folder / counts))


def test_a_second_run_does_nothing_and_says_so(bank, made) -> None:
    before = files(made.folder)
    again = batch(bank.advisor, made.folder.parent)
    assert (again.status, again.folder, again.summary) == ("unchanged", made.folder, made.summary)
    assert files(made.folder) == before
    assert "already; nothing was done" in again.to_text()
    assert made.status == "written"
    assert f"{made.summary['n_offers']:,} offers" in made.to_text()
    assert again.to_dict()["status"] == "unchanged"


def test_the_same_month_under_other_rules_is_refused_unless_replaced(bank, made, tmp_path) -> None:
    first = batch(bank.advisor, tmp_path)
    generous = bank.policy.model_copy(update={"max_offers": 5, "version": "generous"})
    advisor = ProductAdvisor(bank.model, panel=bank.panel, policy=generous)
    with pytest.raises(InputError, match="made with another policy; "):
        batch(advisor, tmp_path)
    with pytest.raises(InputError, match="made with another channel"):
        batch(bank.advisor, tmp_path, channel="branch")
    assert json.loads((first.folder / "summary.json").read_text()) == first.summary
    replaced = batch(advisor, tmp_path, replace=True)
    assert (replaced.status, replaced.folder) == ("written", first.folder)
    assert replaced.summary["n_offers"] > first.summary["n_offers"]
    assert [path.name for path in tmp_path.iterdir() if path.name != "lock"] == [first.folder.name]


def test_a_run_that_fails_leaves_nothing_behind(bank, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(batch_module, "CHUNK", 500)
    written = []

    def fail(table: pl.DataFrame, path) -> None:
        written.append(path)
        if len(written) > 2:
            raise KeyboardInterrupt
        table.write_parquet(path)

    monkeypatch.setattr(batch_module, "_flushed", fail)
    with pytest.raises(KeyboardInterrupt):
        batch(bank.advisor, tmp_path)
    assert len(written) == 3
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, sys
from nextbest.pipeline.products import batch as batch_module
from nextbest.pipeline.products.advisor import ProductAdvisor

flushed = batch_module._flushed


def die_at_the_third(table, path):
    if "part-00001" in path.name:
        os.kill(os.getpid(), 9)
    flushed(table, path)


batch_module._flushed, batch_module.CHUNK = die_at_the_third, 500
batch_module.batch(ProductAdvisor.load(sys.argv[1], panel=sys.argv[2]), sys.argv[3])
"""


def test_a_killed_run_leaves_no_batch_and_the_next_one_sweeps_up(bank, tmp_path) -> None:
    bank.model.save(tmp_path / "model")
    out = tmp_path / "out"
    words = [sys.executable, "-c", KILLED, tmp_path / "model", bank.folder, out]
    assert subprocess.run(words, check=False).returncode == -9
    (left,) = (path for path in out.iterdir() if path.name != "lock")
    assert left.name.startswith(".batch-")
    assert len(list((left / "offers").iterdir())) == 1
    result = batch(bank.advisor, out)
    assert result.status == "written"
    assert {path.name for path in out.iterdir()} == {"lock", result.folder.name}


def test_two_batches_at_once_do_not_meet(bank, tmp_path) -> None:
    with writer_lock(tmp_path), pytest.raises(ExternalError, match="is writing to it"):
        batch(bank.advisor, tmp_path)


def test_an_earlier_month_has_a_folder_of_its_own(bank, made) -> None:
    earlier = batch(bank.advisor, made.folder.parent, month=bank.panel.months[-2])
    assert earlier.folder != made.folder
    assert (earlier.summary["as_of"], earlier.summary["target"]) == ("2015-07", "2015-08")
    assert earlier.summary["n_clients"] == len(bank.panel.rows(bank.panel.months[-2]))


def test_rows_of_an_earlier_month_that_changed_are_other_rows_and_the_same_in_a_new_store_the_same(
    bank, tmp_path
) -> None:
    first = batch(bank.advisor, tmp_path / "out")

    def advisor(store, *, without_products: bool) -> ProductAdvisor:
        """The bank's panel in another store; two months before the last nobody holds anything, or as it was."""
        with PanelWriter(store) as writer:
            for month in bank.panel.months:
                rows = bank.panel.rows(month)
                held = bank.panel.held(month)[rows]
                is_emptied = without_products and month == bank.panel.months[-3]
                attributes = bank.panel.attributes(month).drop("row")
                writer.append_month(month, bank.panel.ids.decode(rows), held * (not is_emptied), attributes)
            return ProductAdvisor(bank.model, panel=writer.commit(), policy=bank.policy)

    same = advisor(tmp_path / "same", without_products=False)
    assert batch(same, tmp_path / "out").status == "unchanged"
    other = advisor(tmp_path / "other", without_products=True)
    with pytest.raises(InputError, match="made with another state of the panel"):
        batch(other, tmp_path / "out")
    replaced = batch(other, tmp_path / "out", replace=True)
    assert replaced.folder == first.folder
    assert replaced.summary["panel"] != first.summary["panel"]
    (other.panel.folder / other.panel.manifest.months[0].file).unlink()
    with pytest.raises(ArtifactError, match="can't be read"):
        batch(other, tmp_path / "out")


def test_contacts_hold_offers_back_and_are_part_of_what_a_batch_is(bank, made, tmp_path) -> None:
    decided_at = datetime(2015, 9, 1, tzinfo=UTC)
    client = table(made, "offers")["user_id"][0]
    contacts = pl.DataFrame(
        {
            "customer_id": [client],
            "channel": ["app"],
            "time": [datetime(2015, 8, 30, tzinfo=UTC)],
            "outcome": ["refused"],
        },
        schema_overrides={"time": pl.Datetime("us", "UTC")},
    )
    result = batch(bank.advisor, tmp_path, contacts=contacts, decided_at=decided_at)
    assert client not in table(result, "offers")["user_id"]
    assert batch(bank.advisor, tmp_path, contacts=contacts, decided_at=decided_at).status == "unchanged"
    again = batch(bank.advisor, tmp_path, contacts=contacts)  # the first moment of the target month
    assert (again.status, again.summary["decided_at"]) == ("unchanged", "2015-09-01T00:00:00+00:00")
    with pytest.raises(InputError, match="made with another history of contacts, moment of decision"):
        batch(bank.advisor, tmp_path)


def with_policy(bank, **changes) -> ProductAdvisor:
    policy = bank.policy.model_copy(update={"version": "changed", **changes})
    return ProductAdvisor(bank.model, panel=bank.panel, policy=policy)


def shown(clients, at: datetime, product: str = "ind_recibo_ult1") -> pl.DataFrame:
    """A contact in the app about a product for each client."""
    return pl.DataFrame(
        {"customer_id": clients, "channel": "app", "time": at, "product": product, "outcome": "shown"},
        schema_overrides={"time": pl.Datetime("us", "UTC")},
    )


def test_a_tight_cap_stops_those_contacted_in_its_window_and_the_summary_counts_them(
    bank, made, tmp_path
) -> None:
    cap = Cap(scope="client", unit="contacts", at_most=1, days=30.0)
    tight = with_policy(bank, contacts=bank.policy.contacts.model_copy(update={"caps": (cap,)}))
    offered = sorted(set(table(made, "offers")["user_id"]))
    lately, long_ago = offered[:40], offered[40:60]
    contacts = pl.concat(
        [
            shown(lately, datetime(2015, 8, 20, tzinfo=UTC)),
            shown(long_ago, datetime(2015, 1, 2, tzinfo=UTC)),  # past every window of the policy
            shown([-1, -2], datetime(2015, 8, 20, tzinfo=UTC)),  # nobody of this bank
            shown(long_ago[:3], datetime(2015, 9, 1, tzinfo=UTC)),  # after the decision
        ]
    )
    free = batch(tight, tmp_path / "free")
    result = batch(tight, tmp_path / "capped", contacts=contacts)
    assert set(table(free, "offers")["user_id"]) - set(table(result, "offers")["user_id"]) == set(lately)
    counts = result.summary["contact_history"]
    assert (counts["n_read"], counts["n_within_windows"], counts["n_clients_stopped"]) == (65, 40, 40)
    filters = pl.read_parquet(result.folder / "filters.parquet")
    by_cap = filters.filter(pl.col("code") == "cap_client").drop("code").row(0)
    assert counts["n_stopped"] == sum(by_cap) >= 40
    assert counts["n_lists_shortened"] == 0
    assert "contacts: 65 read, 40 of these clients within the policy's windows" in result.to_text()
    assert "of 40 clients and shortened 0 lists" in result.to_text()
    assert free.summary["contact_history"] is None
    assert "no contact history" in free.to_text()


def test_a_cap_of_offers_shortens_lists_and_says_how_many(bank, made, tmp_path) -> None:
    cap = Cap(scope="client", unit="offers", at_most=2, days=30.0)
    tight = with_policy(bank, contacts=bank.policy.contacts.model_copy(update={"caps": (cap,)}))
    long_lists = table(made, "offers").filter(pl.col("rank") == 3)["user_id"].sort().to_list()[:10]
    contacts = shown(long_lists, datetime(2015, 8, 30, tzinfo=UTC), product="a loan of another firm")
    result = batch(tight, tmp_path, contacts=contacts)
    n_offers = table(result, "offers").group_by("user_id").len()
    assert n_offers.filter(pl.col("user_id").is_in(long_lists))["len"].to_list() == [1] * 10
    everybody = result.summary["n_clients"] - result.summary["n_control"]
    assert 10 <= result.summary["contact_history"]["n_lists_shortened"] <= everybody


def test_what_exploration_drew_is_said_and_nothing_where_it_is_off(bank, made, tmp_path) -> None:
    n_drawn = int((table(made, "offers")["source"] == "exploration").sum())
    assert made.summary["exploration"] == {
        "kind": "epsilon_greedy", "epsilon": 0.02, "temperature": None, "n_offers": n_drawn,
    }  # fmt: skip
    assert f"of these {n_drawn:,} drawn at random: exploration epsilon 0.02" in made.to_text()
    greedy = with_policy(bank, exploration=bank.policy.exploration.model_copy(update={"kind": "none"}))
    plain = batch(greedy, tmp_path)
    assert plain.summary["exploration"]["n_offers"] == 0
    assert "drawn" not in plain.to_text()


def test_shipped_values_are_warned_about_until_they_are_the_banks_own(bank, made, tmp_path) -> None:
    first = table(made, "offers").filter(pl.col("rank") == 1)["propensity"].median()
    assert made.summary["median_first_probability"] == pytest.approx(first, abs=1e-6)
    assert f"half of the first offers have a probability of {first:.2g} or less" in made.to_text()
    assert "warning: the values of this policy are the shipped round placeholders" in made.to_text()
    renamed = with_policy(bank)  # another version with the same values is no bank's policy yet
    assert has_shipped_values(renamed.rules.policy)
    products = dict(bank.policy.products)
    products["ind_recibo_ult1"] = products["ind_recibo_ult1"].model_copy(update={"value": 14.2})
    own = batch(with_policy(bank, products=products), tmp_path)
    assert own.summary["values_are_placeholders"] is False
    assert "warning" not in own.to_text()


def test_scores_rise_down_a_list_only_within_a_pair_or_after_a_draw(made) -> None:
    offers = table(made, "offers").sort("user_id", "rank")
    before = offers.select(
        *(pl.col(c).shift(1).over("user_id").alias(c) for c in ("score", "item_id", "source"))
    )
    rises = offers.filter(offers["score"] > before["score"])
    above = before.filter(offers["score"] > before["score"])
    assert len(rises)
    is_pair = (above["item_id"] == "ind_nom_pens_ult1") & (rises["item_id"] == "ind_nomina_ult1")
    assert (is_pair | (above["source"] == "exploration")).all()


def test_every_decision_is_kept_once_in_the_log_however_often_the_batch_runs(
    bank, tmp_path, monkeypatch
) -> None:
    rest = 40  # of the last chunk: so few would lie in the chain itself if a request had asked for them
    monkeypatch.setattr(batch_module, "CHUNK", len(bank.ids) - rest)
    log = DecisionLog(tmp_path / "log")
    made = batch(bank.advisor, tmp_path / "out", decision_log=log)
    head = log.verify()
    assert made.summary["decision_log"] == head._asdict()
    assert head.n_records == 2
    assert log.read().sort("customer_id", "rank").equals(table(made, "decisions").sort("customer_id", "rank"))
    assert batch(bank.advisor, tmp_path / "out", decision_log=log).status == "unchanged"
    again = batch(bank.advisor, tmp_path / "out", decision_log=log, replace=True)
    assert (again.status, log.verify()) == ("written", head)


def test_a_batch_that_was_made_without_a_log_says_so_when_one_is_asked_for(bank, tmp_path) -> None:
    plain = batch(bank.advisor, tmp_path / "out")
    assert plain.summary["decision_log"] is None
    log = DecisionLog(tmp_path / "log")
    with pytest.raises(
        InputError, match=r"decision_log: can't have what was decided before.*run with --replace"
    ):
        batch(bank.advisor, tmp_path / "out", decision_log=log)
    batch(bank.advisor, tmp_path / "out", decision_log=log, replace=True)
    assert set(log.read()["customer_id"]) == set(bank.ids)
    assert batch(bank.advisor, tmp_path / "out").status == "unchanged"


def test_a_log_that_refuses_leaves_no_batch(bank, tmp_path) -> None:
    (tmp_path / "log").write_text("")
    with pytest.raises(InputError, match="must be a folder"):
        batch(bank.advisor, tmp_path / "out", decision_log=DecisionLog(tmp_path / "log"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("ruin", ["gone", "no json", "no object"])
def test_a_folder_that_is_no_batch_is_told(bank, tmp_path, ruin) -> None:
    result = batch(bank.advisor, tmp_path)
    summary = result.folder / "summary.json"
    if ruin == "gone":
        summary.unlink()
    else:
        summary.write_text("{" if ruin == "no json" else "[]")
    with pytest.raises(ArtifactError, match="is no batch"):
        batch(bank.advisor, tmp_path)


def test_without_a_panel_or_its_month_there_is_no_batch(bank, tmp_path) -> None:
    with pytest.raises(InputError, match="panel: must be there"):
        batch(ProductAdvisor(bank.model, panel=None, policy=bank.policy), tmp_path)
    with pytest.raises(InputError, match="month: must be one of"):
        batch(bank.advisor, tmp_path, month=datetime(2020, 1, 1, tzinfo=UTC).date())


def test_a_folder_that_is_a_file_is_told(bank, tmp_path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="must be a folder"):
        batch(bank.advisor, tmp_path / "out")

"""The audit chain and the decision log: what is written is what is read, and every tampering is found."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbest.errors import DataError, ExternalError, InputError
from nextbest.pipeline.decisions.audit import GENESIS, AuditLog, Head
from nextbest.pipeline.decisions.decision_log import DecisionLog
from nextbest.pipeline.decisions.decisions import DECISION_LOG, Decisions
from pipeline.decisions.worlds import COLUMNS, NOW, decided, policy, shown

BODIES = [{"n": 1, "what": "é"}, {"n": 2, "list": [1.5, None]}, {"n": 3}, {"n": 4}]


@pytest.fixture
def chain(tmp_path: Path) -> AuditLog:
    log = AuditLog(tmp_path / "log" / "chain.jsonl")
    log.append(BODIES[:2])
    log.append(BODIES[2:])
    return log


class TestChain:
    def test_bodies_come_back_in_their_order(self, chain: AuditLog) -> None:
        assert list(chain.read()) == BODIES
        assert (
            chain.verify()
            == chain.head()
            == Head(4, json.loads(chain.path.read_text().splitlines()[-1])["hash"])
        )

    def test_each_record_carries_the_hash_of_the_one_before(self, chain: AuditLog) -> None:
        records = [json.loads(line) for line in chain.path.read_text().splitlines()]
        assert [r["prev"] for r in records] == [GENESIS, *(r["hash"] for r in records[:-1])]
        assert [r["seq"] for r in records] == [1, 2, 3, 4]

    def test_a_log_not_yet_written_is_empty(self, tmp_path: Path) -> None:
        log = AuditLog(tmp_path / "none.jsonl")
        assert (list(log.read()), log.head(), log.verify()) == ([], Head(0, GENESIS), Head(0, GENESIS))

    @pytest.mark.parametrize(
        ("tamper", "record"),
        [
            (lambda lines: [*lines[:1], lines[1].replace("2", "5", 3), *lines[2:]], 2),
            (lambda lines: [lines[0], *lines[2:]], 2),
            (lambda lines: lines[1:], 1),
            (lambda lines: [lines[0], lines[2], lines[1], lines[3]], 2),
            (lambda lines: [lines[0], lines[0], *lines[1:]], 2),
            (lambda lines: [*lines[:3], lines[3].replace('"n":4', '"n": 4')], 4),
            (lambda lines: [*lines[:3], "{}"], 4),
            (lambda lines: [*lines[:3], "not json"], 4),
            (lambda lines: [*lines, "[]"], 5),
        ],
    )
    def test_a_change_is_found_and_its_record_named(self, chain: AuditLog, tamper: Any, record: int) -> None:
        chain.path.write_text("\n".join(tamper(chain.path.read_text().splitlines())) + "\n")
        with pytest.raises(DataError, match=f"audit log: record {record} breaks the chain"):
            chain.verify()

    @given(data=st.data())
    def test_any_changed_byte_is_found(self, data: st.DataObject) -> None:
        lines, head = [], Head(0, GENESIS)
        log = AuditLog("unused")
        for body in BODIES:
            line, head = log._line(body, head)
            lines.append(line)
        octets = bytearray(b"".join(lines))
        place = data.draw(st.integers(0, len(octets) - 1))
        octets[place] = data.draw(st.integers(0, 255).filter(lambda b: b != octets[place]))
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            changed = AuditLog(Path(folder) / "c.jsonl")
            changed.path.write_bytes(octets)
            with pytest.raises(DataError, match="audit log"):
                changed.verify(head=head)

    def test_records_cut_off_the_end_are_found_by_a_head_kept_elsewhere(self, chain: AuditLog) -> None:
        head = chain.head()
        lines = chain.path.read_text().splitlines()
        chain.path.write_text("\n".join(lines[:3]) + "\n")
        assert chain.verify().n_records == 3
        with pytest.raises(DataError, match="must pass through record 4 as it was noted; it has 3"):
            chain.verify(head=head)

    def test_an_older_head_is_passed_by_a_longer_chain(self, chain: AuditLog) -> None:
        head = chain.head()
        chain.append([{"n": 5}])
        assert chain.verify(head=head).n_records == 5
        assert chain.verify(head=Head(0, GENESIS)).n_records == 5

    def test_a_chain_written_anew_needs_the_key(self, tmp_path: Path) -> None:
        signed = AuditLog(tmp_path / "c.jsonl", key=b"secret")
        signed.append(BODIES)
        assert signed.verify().n_records == 4
        signed.path.unlink()
        AuditLog(signed.path).append(BODIES)
        with pytest.raises(DataError, match="record 1 breaks the chain"):
            signed.verify()

    def test_a_half_written_record_is_told_cut_off_and_noted(self, chain: AuditLog) -> None:
        with chain.path.open("ab") as file:
            file.write(b'{"seq":5,"pr')
        with pytest.raises(DataError, match="record 5 is incomplete"):
            chain.verify()
        chain.append([{"n": 5}])
        assert list(chain.read())[4:] == [{"event": "torn_tail", "n_bytes": 12}, {"n": 5}]
        assert chain.verify().n_records == 6

    def test_a_first_record_half_written_leaves_an_empty_chain(self, tmp_path: Path) -> None:
        log = AuditLog(tmp_path / "c.jsonl")
        log.path.write_bytes(b'{"seq":1')
        log.append([{"n": 1}])
        assert list(log.read()) == [{"event": "torn_tail", "n_bytes": 8}, {"n": 1}]

    def test_records_longer_than_a_block_are_followed(self, tmp_path: Path) -> None:
        log = AuditLog(tmp_path / "c.jsonl")
        for n in range(3):
            log.append([{"n": n, "long": "x" * 200_000}])
        assert log.verify() == log.head()
        assert log.head().n_records == 3

    def test_several_writers_at_a_time_make_one_chain(self, chain: AuditLog) -> None:
        # each append opens the file anew, so threads stand for processes: the lock belongs to the open file
        def write(writer: int) -> None:
            for n in range(10):
                AuditLog(chain.path).append([{"writer": writer, "n": n}])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
        assert chain.verify().n_records == 44
        for writer in range(4):
            own = [body["n"] for body in chain.read() if body.get("writer") == writer]
            assert own == list(range(10))

    def test_what_is_no_json_is_refused_and_nothing_is_written(self, chain: AuditLog) -> None:
        with pytest.raises(InputError, match="body: can't be written as JSON"):
            chain.append([{"fine": 1}, {"bad": object()}])
        assert chain.verify().n_records == 4

    def test_a_file_that_is_no_log_is_not_appended_to(self, tmp_path: Path) -> None:
        log = AuditLog(tmp_path / "notes.txt")
        log.path.write_text("hello\n")
        with pytest.raises(DataError, match="is not one of this log"):
            log.append([{"n": 1}])
        assert log.path.read_text() == "hello\n"

    def test_a_disk_that_refuses_is_told(self, chain: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("nextbest.pipeline.decisions.audit.os.fsync", full)
        with pytest.raises(ExternalError, match="no space left"):
            chain.append([{"n": 5}])
        monkeypatch.undo()
        assert chain.verify().n_records == 4


def batch(n: int, *, first: int = 0, **options: Any) -> Decisions:
    """Some clients, of whom some are in control and some get nothing."""
    rng = np.random.default_rng(first)
    p = rng.random((n, len(COLUMNS))).round(3)
    p[::5] = 0
    made = policy(control={"share": 0.3}, exploration={"kind": "softmax"})
    return decided(
        p.tolist(), made, ids=options.pop("ids", range(first, first + n)), model_version="m1", **options
    )


class TestTable:
    def test_there_is_a_row_for_each_offer_and_for_each_client_without(self) -> None:
        found = batch(50)
        log = DECISION_LOG.check(found.to_log())
        assert log.filter(pl.col("rank") > 0).height == found.to_frame().height
        assert log.filter(pl.col("rank") == 0)["customer_id"].to_list() == [
            n for n in range(50) if found.n_offers_N[n] == 0
        ]
        assert log["fired"].null_count() == log.filter(pl.col("rank") > 1).height
        offered = log.filter(pl.col("rank") > 0)
        assert (
            offered.select("item_id", "score", "propensity", "policy_probability", "source")
            .null_count()
            .sum_horizontal()[0]
            == 0
        )

    def test_the_probability_of_a_list_is_the_product_of_its_places(self) -> None:
        log = batch(20).to_log().filter(pl.col("rank") > 0)
        expected = log.select(pl.col("policy_probability").cum_prod().over("customer_id")).to_series()
        assert log["list_probability"].to_list() == pytest.approx(expected.to_list())


class TestDecisionLog:
    @pytest.mark.parametrize("n", [3, 200])
    def test_decisions_come_back_as_they_were(self, tmp_path: Path, n: int) -> None:
        log, found = DecisionLog(tmp_path), batch(n, contacts=shown((0, "acc", 1)), decided_at=NOW)
        log.append(found)
        assert log.read().equals(found.to_log())
        assert (tmp_path / "parts").exists() == (n == 200)
        assert log.verify().n_records == 1

    def test_text_ids_and_no_moment_come_back_too(self, tmp_path: Path) -> None:
        log, found = DecisionLog(tmp_path), batch(3, ids=["a", "б", "c"])
        log.append(found)
        assert log.read().equals(found.to_log())

    def test_a_batch_run_again_is_not_written_again(self, tmp_path: Path) -> None:
        log = DecisionLog(tmp_path)
        heads = [log.append(batch(100)), log.append(batch(100))]
        assert heads[0] == heads[1]
        assert len(list((tmp_path / "parts").iterdir())) == 1
        log.append(batch(100, rng=1))
        assert log.verify().n_records == 2

    def test_months_and_models_are_read_alone(self, tmp_path: Path) -> None:
        from dataclasses import replace
        from datetime import date

        log = DecisionLog(tmp_path)
        one, two = batch(3), replace(batch(3, first=3), month=date(2016, 7, 28), model_version="m2")
        log.append(one)
        log.append(two)
        assert log.read(month=one.month).equals(one.to_log())
        assert log.read(model_version="m2").equals(two.to_log())
        assert log.read().height == one.to_log().height + two.to_log().height
        assert log.read(month=date(1999, 1, 1)).height == 0
        DECISION_LOG.check(log.read(model_version="none"))

    def test_the_policy_of_each_decision_is_kept(self, tmp_path: Path) -> None:
        found = batch(2)
        DecisionLog(tmp_path).append(found)
        kept = tmp_path / "policies" / f"{found.rules.digest}.json"
        assert type(found.rules.policy).from_json(kept.read_text(encoding="utf-8")) == found.rules.policy

    @pytest.mark.parametrize("what", ["parts/*", "policies/*"])
    @pytest.mark.parametrize("how", ["change", "remove"])
    def test_a_changed_or_missing_file_is_found(self, tmp_path: Path, what: str, how: str) -> None:
        log = DecisionLog(tmp_path)
        log.append(batch(100))
        (path,) = tmp_path.glob(what)
        path.unlink() if how == "remove" else path.write_bytes(path.read_bytes() + b" ")
        with pytest.raises(DataError, match="is missing or was changed"):
            log.verify()
        if what == "parts/*":
            with pytest.raises(DataError, match="is missing or was changed"):
                log.read()

    def test_a_changed_decision_in_the_chain_is_found(self, tmp_path: Path) -> None:
        log = DecisionLog(tmp_path)
        log.append(batch(2))
        record = orjson.loads(log.chain.path.read_bytes())
        record["body"]["rows"][0]["is_control"] ^= True
        log.chain.path.write_bytes(orjson.dumps(record) + b"\n")
        with pytest.raises(DataError, match="record 1 breaks the chain"):
            log.verify()

    def test_other_records_in_the_chain_are_passed_over(self, tmp_path: Path) -> None:
        log = DecisionLog(tmp_path)
        log.chain.append([{"event": "note", "text": "campaign begins"}])
        log.append(batch(2))
        assert log.read().equals(batch(2).to_log())
        assert log.verify().n_records == 2

    def test_a_file_where_the_folder_should_be_is_a_wrong_call(self, tmp_path: Path) -> None:
        (tmp_path / "log").write_text("x")
        with pytest.raises(InputError, match="must be a folder"):
            DecisionLog(tmp_path / "log").append(batch(2))


class TestAnswers:
    TWO = ((0.6, 0.5, 0.4, 0.3, 0.2, 0.1), (0.1, 0.2, 0.3, 0.4, 0.5, 0.6))

    def test_a_small_batch_with_a_file_of_its_own_is_recognised(self, tmp_path: Path) -> None:
        log, made = DecisionLog(tmp_path), decided(self.TWO, policy())
        first = log.append(made, as_file=True)
        assert log.append(made, as_file=True) == first == log.verify()
        assert log.append(made).n_records == 2
        assert len(list((tmp_path / "parts").iterdir())) == 1

    def test_a_file_that_a_killed_run_left_without_a_record_gets_one(self, tmp_path: Path) -> None:
        log, made = DecisionLog(tmp_path), decided(self.TWO, policy())
        log.append(made, as_file=True)
        log.chain.path.unlink()
        assert log.append(made, as_file=True).n_records == 1
        assert log.read().equals(made.to_log())

    def test_answers_of_several_requests_are_a_record_each(self, tmp_path: Path) -> None:
        log = DecisionLog(tmp_path)
        log.append_answers([decided(self.TWO, policy())])
        head = log.append_answers([decided(self.TWO[:1], policy(), ids=[n]) for n in range(5)])
        assert head == log.verify()
        assert head.n_records == 6
        assert log.read()["customer_id"].n_unique() == 5

    def test_what_was_shown_of_some_clients_is_their_first_places(self) -> None:
        made = decided(self.TWO, policy(), ids=[7, 8])
        whole, cut = made.to_log(), made.shown(np.array([1, 0]), n_places_N=np.array([1, 3])).to_log()
        wanted = pl.concat([whole.filter(customer_id=8, rank=1), whole.filter(customer_id=7)])
        assert cut.equals(wanted.with_columns(n_offers=pl.Series([1, 3, 3, 3], dtype=pl.Int32)))

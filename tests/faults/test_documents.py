"""Documents as no writer should make them: read, stored in a real PostgreSQL, and shown again."""

import json
import logging
import queue
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from dqmsquare import logs
from dqmsquare.documents import n_unknown_keys, read_document, series
from dqmsquare.documents.log import MAX_KEPT_BYTES, read_log
from dqmsquare.errors import DocumentRefused
from dqmsquare.grabber import reading
from dqmsquare.logs import OneLine, _Entrance
from dqmsquare.storage.host_record import HostRecord
from dqmsquare.storage.queries import series_of_job
from dqmsquare.storage.store import Refused
from dqmsquare.storage.upkeep import clear_out
from tests.examples import job_document
from tests.faults.pages import application_on
from tests.faults.wire import HOST, IDS, Wire, public
from tests.postgres import TestPlace
from tests.unit.documents.raw import ALL, JOB, SCRUBBER, changed, read, real_documents, without
from tests.unit.documents.test_hostile_documents import mutated
from tests.unit.server.server_fakes import ask

JOB_ID = "dqm-source-state-run358788-hostfu-c2f11-11-01-pid000007"
RUN = 358788


@pytest.fixture
def record(place: TestPlace):
    record = HostRecord(place.owner(), "hostid0000000001", takeover_seconds=10)
    assert record.hold()
    yield record
    record.release()


def now_job(changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """JOB as a process of HOST that reports now."""
    at = datetime.now(UTC).timestamp()
    times = {"report_timestamp": at, "update_timestamp": str(int(at))}
    return changed(without(JOB, "_rev"), times | {"_id": JOB_ID, "hostname": HOST} | changes, **more)


def strict(text: str) -> Any:
    """What JSON's grammar takes, and nothing that only Python takes."""

    def refused(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refused)


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=mutated())
def test_f27_whatever_a_document_holds_it_is_stored_or_refused_with_a_reason(record: HostRecord, raw: Any):
    try:
        document = read(raw)
    except DocumentRefused as refused:
        record.store((), [Refused(refused.reason, document_id="x", rev=1)])
        return
    stored = record.store([document])
    assert stored.n_stored + stored.n_unchanged == 1


BAD_FIELDS: list[tuple[dict[str, Any], str, Any, int]] = [  # what is changed, a column, its value, errors
    ({"exit_code": "0"}, "exit_code", 0, 0),
    ({"exit_code": {}}, "exit_code", None, 1),
    ({"exit_code": []}, "exit_code", None, 1),
    ({"exit_code": True}, "exit_code", None, 1),
    ({"cmdline": None}, "run_key", None, 0),
    ({"extra": None}, "rss_bytes", None, 0),
    ({"extra": []}, "rss_bytes", None, 1),
    ({"events_rate": ""}, "rate_hz", None, 1),
    ({"events_rate": 1e999}, "rate_hz", None, 1),
    ({"events_total": 2**63 - 1}, "n_events", 2**63 - 1, 0),
    ({"events_total": 2**63}, "n_events", None, 1),
    ({"extra.ps_info.VmRSS": f"{10**14} GB"}, "rss_bytes", None, 1),
    ({"nobody_knows_this": {"secret": 1}}, "lumi", 99, 0),
]


def test_f27_a_bad_field_costs_itself_and_is_counted(wire: Wire):
    for number, (changes, *_) in enumerate(BAD_FIELDS):
        wire.simulator.upload(HOST, now_job({"_id": f"{JOB_ID}{number}"} | changes))
    wire.settle()
    for number, (_, column, value, n_errors) in enumerate(BAD_FIELDS):
        of_it = f"WHERE document_id = '{IDS.document(f'{JOB_ID}{number}')}'"
        assert wire.place.rows(f"SELECT {column}, n_field_errors FROM mirror.jobs {of_it}") == [(value, n_errors)]
    assert wire.counted("oddities_total", kind="field") == sum(n_errors for *_, n_errors in BAD_FIELDS)
    assert wire.counted("oddities_total", kind="unknown-key") == 1
    assert wire.quarantine() == []


@pytest.mark.parametrize("name", sorted(ALL))
def test_f27_the_keys_that_documents_have_are_known_and_others_are_counted(name: str):
    raw = ALL[name]
    assert n_unknown_keys(raw) == 0
    more = {**raw, "new": 1, "extra": {**raw["extra"], "newer": 1}}
    assert (n_unknown_keys(more), n_unknown_keys({**more, "type": "else"}), n_unknown_keys({})) == (2, 0, 0)


def test_f27_the_real_documents_have_no_key_that_is_not_known(shared_data: Path):
    assert sum(map(n_unknown_keys, real_documents(shared_data))) == 0


def hostile_numbers() -> dict[str, Any]:
    nan, infinite = float("nan"), float("inf")
    now = int(datetime.now(UTC).timestamp())
    return {
        "events_rate": infinite,
        "events_total": nan,
        "cmssw_lumi": -infinite,
        "update_timestamp": nan,
        "extra.lumi_stats": {
            "1": {"n": 1, "nevents": nan, "nmillis": infinite},
            "2": {"n": 2, "nevents": 5, "nmillis": 23000},
        },
        "extra.mem_info": {"nan": "1 2", str(now): "5 5", "inf": "nan nan"},
        "extra.ps_info": {"VmRSS": nan, "Threads": infinite},
    }


def test_f23_nan_and_infinity_are_null_and_every_answer_is_strict_json(wire: Wire, tmp_path: Path):
    nan = float("nan")
    streams = {"streamDQM_sm": {"lumis": [1, 2], "mtimes": [nan, float("inf")], "evt_accepted": [nan, 3]}}
    wire.simulator.upload(HOST, now_job(hostile_numbers()))
    delivery = changed(
        without(ALL["delivery"], "_rev"), {"timestamp": nan, "extra.global_start": nan, "extra.streams": streams}
    )
    wire.simulator.upload(HOST, delivery)
    wire.simulator.upload(HOST, changed(without(ALL["memory"], "_rev"), {"memory_used": nan, "hostname": HOST}))
    wire.settle()
    assert wire.quarantine() == []
    assert wire.place.rows("SELECT rate_hz, n_events, lumi, process_at, rss_bytes, flags FROM mirror.jobs") == [
        (None, None, None, None, None, ["clock"])
    ]
    application = application_on(wire.place, tmp_path)
    job = IDS.document(JOB_ID)
    api = "/api/v1/clusters/production"
    paths = [
        "/api?what=get_info", f"/api?what=get_run&run={RUN}", f"/api?what=get_runs&from={RUN}&to={RUN}",
        f"/api?what=get_graph&run={RUN}", "/api?what=get_cluster_status&cluster=production",
        f"/runs/{RUN}/delivery.json", f"{api}/runs", f"{api}/runs/{RUN}", f"{api}/jobs/{job}", f"{api}/hosts",
    ]  # fmt: skip
    answers = {path: ask(application, path) for path in paths}
    assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(paths, 200)
    assert all(strict(answer.text) is not None for answer in answers.values())
    assert ask(application, f"/?run={RUN}").status == 200


def test_f24_f25_nul_and_half_surrogates_are_replaced_before_postgresql(wire: Wire, tmp_path: Path):
    log = ["one \0 two\n", "half \ud83d of a pair\n", "\udc00\n"]
    wire.simulator.upload(HOST, now_job({"tag": "be\0am", "extra.stdlog_start": log, "extra.stdlog_end": []}))
    wire.simulator.upload(HOST, now_job({"_id": f"{JOB_ID}9", "tag": "be\ud800am", "extra.stdlog_start": ["\ud800"]}))
    wire.settle()
    assert wire.quarantine() == []
    application = application_on(wire.place, tmp_path)
    text = ask(application, f"/jobs/{IDS.document(JOB_ID)}/log.txt").text
    assert text.splitlines()[:3] == ["one \ufffd two", "half \ufffd of a pair", "\ufffd"]


def test_f25_half_a_surrogate_is_logged_without_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    records: queue.Queue[logging.LogRecord] = queue.Queue(5)
    entrance = _Entrance(records)
    entrance.setFormatter(OneLine())
    entrance.handle(logging.LogRecord("x", logging.INFO, "", 0, "half \ud800 of it", None, None))
    file = logs._File(tmp_path / "x.log")
    file.emit(records.get_nowait())
    file.close()
    assert (tmp_path / "x.log").read_text().endswith("half \\ud800 of it\n")
    assert capsys.readouterr().err == ""


def test_f28_a_document_that_breaks_the_reader_is_set_aside_and_the_cursor_moves(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
):
    wire.upload(1)
    wire.settle()

    def poisoned(raw: Any, **more: Any) -> Any:
        if raw["_id"].endswith("app2"):
            raise ZeroDivisionError("/home/bobby on fu-c2f11-11-01")
        return read_document(raw, **more)

    monkeypatch.setattr(reading, "read_document", poisoned)
    wire.upload(2, 3)
    wire.cycle()
    rev = wire.simulator.stores[HOST].headers_from(None)[-2]["_rev"]
    assert wire.quarantine() == [(public(2), "unreadable", rev)]
    assert wire.place.rows("SELECT detail FROM mirror.quarantine") == [("ZeroDivisionError",)]
    assert (public(3) in wire.mirrored(), wire.cursor.head_rev) == (True, rev + 1)
    assert wire.counted("docs_total", result="quarantined") == 1  # MirrorQuarantine counts these: over 5 an hour
    assert not wire.worker.crashes.too_many


def test_f28_the_quarantine_keeps_the_newest_thousand_with_200_characters_each(place: TestPlace, record: HostRecord):
    record.store((), [Refused("odd", "x" * 999, f"job{number}", number) for number in range(1100)])
    with place.owner().writing() as connection:
        clear_out(connection, log_retention_days=0, quarantine_retention_days=90)
    assert place.rows("SELECT count(*), min(rev), max(length(detail)) FROM mirror.quarantine") == [(1000, 100, 200)]


@pytest.mark.parametrize(
    ("line", "n"), [("a line\n", 1_000_000), ("\x1b[32mgreen\x1b[0m 10%\r20%\r30%\n", 50_000), ("x" * 50_000_000, 1)]
)
def test_f29_a_log_of_any_length_is_its_head_and_tail_with_marks(line: str, n: int):
    lines = [f"first {line}", *[line] * n]
    log = read_log(lines, [*lines, "last line\n"], SCRUBBER)
    assert max(len(log.head.encode()), len(log.tail.encode())) <= MAX_KEPT_BYTES == 65_536
    whole = log.head + log.tail
    assert "\x1b" not in whole
    assert "\r" not in whole
    assert whole.count("[clipped ") >= 1
    assert whole.endswith("last line\n")


def test_f30_series_of_a_hundred_thousand_points_become_500_with_lowest_highest_and_last(wire: Wire):
    now = int(datetime.now(UTC).timestamp())
    memory = {str(now - 100_000 + n): f"{1000 + n % 9} {500 + n % 7}" for n in range(100_000)}
    memory[str(now - 50_000)] = "9999 9998"
    memory[str(now - 40_000)] = "2 1"
    stats = {str(n): {"n": n, "nevents": 10, "nmillis": 23_000} for n in range(1, 100_001)}
    wire.simulator.upload(HOST, now_job({"extra.mem_info": memory, "extra.lumi_stats": stats}))
    wire.settle()
    with wire.place.reader().reading() as connection:
        found = series_of_job(connection, IDS.document(JOB_ID))
    assert found is not None
    resident = [point[1] // 4096 for point in found.memory]
    assert len(found.memory) <= series.MAX_POINTS == 500
    assert (min(resident), max(resident), found.memory[-1][0]) == (1, 9998, now - 1)
    assert len(found.lumis) <= 500
    assert found.lumis[-1][0] == 100_000
    [(n_bytes,)] = wire.place.rows("SELECT length(body) FROM mirror.job_series")
    assert n_bytes < 20_000


def test_f39_what_postgresql_refuses_is_found_by_halving_and_set_aside(place: TestPlace, record: HostRecord):
    place.rows(
        "CREATE FUNCTION mirror.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.document_id = 'job-bad' THEN RAISE 'no' USING ERRCODE = '22P05'; END IF; RETURN NEW; END $$"
    )
    place.rows("CREATE TRIGGER refuse BEFORE INSERT ON mirror.jobs FOR EACH ROW EXECUTE FUNCTION mirror.refuse()")
    good = [job_document(f"job{number:013d}", at=datetime.now(UTC) - timedelta(seconds=9)) for number in range(20)]
    stored = record.store([*good[:7], job_document("job-bad"), *good[7:]], head_rev=77)
    assert (stored.n_stored, record.cursor.head_rev) == (20, 77)
    assert place.rows("SELECT document_id, reason, detail FROM mirror.quarantine") == [
        ("job-bad", "database", "PostgreSQL refuses the data (UntranslatableCharacter 22P05)")
    ]
    assert place.rows("SELECT count(*) FROM mirror.jobs") == [(20,)]

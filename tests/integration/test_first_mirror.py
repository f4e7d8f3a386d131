"""The import of the first mirror's tables: stripped, once, below what is live, wherever it was ended; and their end."""

import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import ProgrammingError

from dqmsquare.documents import read_document
from dqmsquare.errors import ImportRefused
from dqmsquare.identity import PublicIds
from dqmsquare.scrub import Scrubber
from dqmsquare.storage import queries
from dqmsquare.storage.first_mirror import (
    Origin,
    Report,
    drop_first_mirror,
    first_mirror_remains,
    import_first_mirror,
    verify,
)
from dqmsquare.storage.store import Batch, write_batch
from tests.first_mirror_tables import FirstMirror, graph_row, run_row, utc
from tests.postgres import KEY, TestPlace
from tests.programs import ROOT, wait_for
from tests.unit.documents.raw import DELIVERY, JOB, MEMORY

IDS = PublicIds(KEY, "production")
TABLES = ("jobs", "job_logs", "job_series", "deliveries", "runs", "run_clients", "host_statuses", "hosts", "quarantine")


def _job(run: int = 358788, pid: int = 41552, **changed: Any) -> dict[str, Any]:
    raw_id = f"dqm-source-state-run{run}-host{JOB['hostname']}-pid{pid:06d}"
    return deepcopy(JOB) | {"_id": raw_id, "run": run, "pid": pid} | changed


def _first_mirror(place: TestPlace, cluster: str = "production", clock: str = "Europe/Zurich") -> FirstMirror:
    first_mirror = FirstMirror(place.server.host, place.config.database_name(cluster), clock)
    first_mirror.make_tables()
    return first_mirror


def _import(place: TestPlace, dsn: str | None = None, clock: str | None = None) -> Report:
    report = Report()
    origin = Origin(place.config, place.place, "production", dsn)
    import_first_mirror(origin, report, clock=clock, n_workers=1, on_progress=lambda *_: None)
    return report


def _everything(place: TestPlace) -> dict[str, list[tuple]]:
    """All rows but for when they were put into quarantine, and under which number."""
    text = {
        name: f"SELECT to_jsonb(t) - 'at' - 'quarantine_id' FROM mirror.{name} t ORDER BY 1::text" for name in TABLES
    }
    return {name: place.rows(statement.replace("1::text", "(to_jsonb(t))::text")) for name, statement in text.items()}


def test_a_row_becomes_the_job_that_its_document_would(any_place: TestPlace):
    document = _job(exit_code=139)
    document["extra"]["stdlog_start"][0] = f"-- starting process: {document['cmdline']} --\n"
    _first_mirror(any_place).write([document, MEMORY, DELIVERY])
    report = _import(any_place)
    assert {name: (t.n_stored, t.n_left_out, t.refused.total()) for name, t in report.tables.items()} == {
        "runs": (1, 1, 0),
        "graphs": (1, 0, 0),
    }
    live: Any = read_document(document, received_at=datetime.now(UTC), ids=IDS, scrubber=Scrubber([JOB["hostname"]]))
    with any_place.reader().reading() as connection:
        [job] = queries.jobs_of_run(connection, 358788)
        log = queries.log_of_job(connection, live.document_id)
        delivery = queries.delivery_of_run(connection, 358788)
    same: tuple[str, ...] = (
        "run",
        "tag",
        "attempt",
        "run_key",
        "release",
        "config_name",
        "exit_code",
        "cmssw_run",
        "lumi",
        "n_events",
    )
    same += ("host_id", "host_label", "fi_state", "rss_bytes", "reported_at", "n_removed", "flags")
    assert {name: getattr(job, name) for name in same} == {name: getattr(live, name) for name in same}
    assert job.job_id == live.document_id
    assert job.rate_hz == pytest.approx(live.rate_hz, rel=1e-6)
    assert (log and log.head + log.tail) == live.log_head + live.log_tail
    assert delivery is not None
    assert (delivery.global_start, delivery.host_label) == (1663240007.721733, "bu..01")
    assert dict(delivery.streams)["streamDQM"].mtimes == (1663240052.5, 1663240099.6)
    assert any_place.rows("SELECT epoch, rev, heard_at = reported_at, received_at = reported_at FROM mirror.jobs") == [
        (0, 8_000_001, True, True)
    ]
    assert any_place.rows("SELECT run, n_jobs, n_crashed FROM mirror.runs") == [(358788, 1, 1)]
    assert any_place.rows("SELECT kind, count(*) FROM mirror.changes GROUP BY kind") == [("reload", 1)]


def test_minus_one_is_nothing_unless_the_log_says_so(place: TestPlace):
    running = _job(pid=1, exit_code=-1, cmssw_lumi=-1, events_total=-1, events_rate=-1)
    killed = _job(pid=2, exit_code=-1)
    killed["extra"]["stdlog_end"] = ["Running as dqmpro\n", "-- process exit: -1 --\n"]
    _first_mirror(place).write([running, killed])
    _import(place)
    rows = place.rows("SELECT document_id, exit_code, lumi, n_events, rate_hz, n_field_errors FROM mirror.jobs")
    assert {row[0]: row[1:5] for row in rows} == {
        IDS.document(running["_id"]): (None, None, None, None),
        IDS.document(killed["_id"]): (-1, 99, 1165, pytest.approx(0.51724136)),
    }
    assert {row[5] for row in rows} == {0}


def test_a_second_import_changes_nothing(place: TestPlace):
    first_mirror = _first_mirror(place)
    first_mirror.write([_job(pid=pid) for pid in range(5)])
    first_mirror.insert("runs", [(*run_row(_job(pid=9))[:-1], "[__import__('os')]")])
    for hour, is_up in enumerate((True, True, False)):
        first_mirror.see_statuses(utc(2022, 9, 15, hour), {"fu-c2f11-11-04.cms": is_up})
    _import(place)
    before = _everything(place)
    report = _import(place)
    assert (report.tables["runs"].n_held, report.tables["runs"].n_stored, report.n_new_intervals) == (5, 0, 0)
    assert _everything(place) == before
    assert len(before["jobs"]) == 5
    assert place.rows("SELECT count(*) FROM mirror.changes") == [(1,)], "nothing new is nothing to tell"


@pytest.mark.parametrize("live_is_first", [True, False])
def test_a_live_document_wins_whichever_comes_first(place: TestPlace, live_is_first: bool):
    _first_mirror(place).write([_job(cmssw_lumi="99")])
    raw = _job(_rev=1, cmssw_lumi="100")
    live = read_document(raw, received_at=datetime.now(UTC), ids=IDS, scrubber=Scrubber())
    for step in (1, 2):
        if live_is_first == (step == 1):
            with place.owner().writing() as connection:
                write_batch(connection, Batch(live.host_id, 1, 0, [live]))
        else:
            _import(place)
    assert place.rows("SELECT epoch, rev, lumi FROM mirror.jobs") == [(1, 1, 100)]
    assert place.rows("SELECT n_jobs, last_lumi FROM mirror.runs") == [(1, 100)]


def test_what_cannot_be_read_is_in_quarantine_and_nothing_is_run(place: TestPlace, tmp_path: Path):
    mark = tmp_path / "evaluated"
    evil = f"__import__('pathlib').Path('{mark}').touch()"
    good, *_ = rows = [run_row(_job(pid=pid)) for pid in range(6)]
    rows[1] = (*rows[1][:-2], f"[{evil}]", "")
    rows[2] = (*rows[2][:-2], "[" * 100_000, "")
    rows[3] = (*rows[3][:-2], "['cut off\\n', 'he", "")
    rows[4] = (rows[4][0], "beam", None, *rows[4][3:])  # without a run, which its id has
    rows[5] = ("dqm-source-state-of-nobody", "beam", 358788, 5, None, *rows[5][5:])
    first_mirror = _first_mirror(place)
    first_mirror.insert("runs", rows)
    first_mirror.insert("graphs", [(*graph_row(DELIVERY)[:5], evil, "bu-c2f11-09-01")])
    report = _import(place)
    assert report.tables["runs"].refused == Counter(literal=3, hostname=1)
    assert report.tables["graphs"].refused == Counter(literal=1)
    assert not mark.exists()
    assert place.rows("SELECT document_id FROM mirror.jobs ORDER BY 1") == sorted(
        (IDS.document(row[0]),) for row in (good, rows[4])
    )
    assert Counter(place.rows("SELECT reason, epoch FROM mirror.quarantine")) == {("literal", 0): 4, ("hostname", 0): 1}
    assert place.rows("SELECT count(DISTINCT host_id) FROM mirror.quarantine WHERE host_id <> ''")[0][0] >= 2


def test_a_clock_in_utc_is_noticed(place: TestPlace):
    _first_mirror(place, clock="UTC").write([_job(), DELIVERY])
    assert place.rows("SELECT extract(epoch FROM timestamp)::float8 FROM runs") == [(1663242347.024707 - 7200,)]
    report = _import(place)
    assert (report.clock, report.votes) == ("UTC", {"Europe/Zurich": 0, "UTC": 1})
    assert place.rows("SELECT extract(epoch FROM reported_at)::float8 FROM mirror.jobs") == [(1663242347.024707,)]
    assert place.rows("SELECT global_start FROM mirror.deliveries") == [(1663240007.721733,)]


def test_another_database_is_only_read(place: TestPlace):
    elsewhere = _first_mirror(place, cluster="playback")
    elsewhere.write([_job(), DELIVERY])
    report = _import(place, dsn=elsewhere.dsn)
    assert {name: tally.n_stored for name, tally in report.tables.items()} == {"runs": 1, "graphs": 1}
    assert place.rows("SELECT count(*) FROM mirror.jobs") == [(1,)]
    assert place.rows("SELECT count(*) FROM mirror.jobs", "playback") == [(0,)]
    with pytest.raises(ImportRefused, match="no tables of the first mirror"):
        _import(place)


def test_cluster_status_becomes_its_changes(place: TestPlace):
    first_mirror = _first_mirror(place)
    names = ("fu-c2f11-11-01.cms", "fu-c2f11-11-04.cms")
    for minute in range(12):
        first_mirror.see_statuses(
            utc(2022, 9, 15, 10, minute),
            {names[0]: True, names[1]: minute not in (4, 5, 6, 7, 11)},
            f"10.176.60.{minute}",
        )
    host_id = IDS.host(names[1])
    with place.owner().writing() as connection:  # the mirror itself watches from 10:09:30 on
        connection.exec_driver_sql(
            "INSERT INTO mirror.host_statuses VALUES (%s, '2022-09-15 10:09:30+00', '2022-09-15 12:00+00', true, NULL)",
            (host_id,),
        )
    report = _import(place)
    assert (report.n_status_rows, report.n_status_rows_read, report.n_intervals) == (24, 24, 5)
    rows = place.rows(
        "SELECT to_char(since, 'HH24:MI:SS'), to_char(seen_at, 'HH24:MI:SS'), is_up, message FROM mirror.host_statuses"
        f" WHERE host_id = '{host_id}' ORDER BY since"
    )
    assert rows == [
        ("10:00:00", "10:03:00", True, "[address]"),
        ("10:04:00", "10:07:00", False, "[address]"),
        ("10:08:00", "10:09:30", True, "[address]"),
        ("10:09:30", "12:00:00", True, None),
    ]
    assert place.rows("SELECT label, is_configured FROM mirror.hosts ORDER BY 1") == [
        ("fu..01", False),
        ("fu..04", False),
    ]
    assert place.rows("SELECT checked_at = '2022-09-15 10:11+00' FROM mirror.status_checks") == [(True,)]


def _lives_in_session(session: int) -> bool:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, its_session, *_ = path.read_text().rpartition(")")[2].split()
            if state != "Z" and int(its_session) == session:
                return True
    return False


def test_an_import_that_was_killed_goes_on(place: TestPlace):
    first_mirror = _first_mirror(place)
    first_mirror.write([_job(run=run, pid=pid) for run in range(358700, 358740) for pid in range(31)])
    command = [sys.executable, "db.py", "import-first-mirror", "--cluster", "production"]
    environ = {**os.environ, **place.environ}
    n_jobs = lambda: place.rows("SELECT count(*) FROM mirror.jobs")[0][0]  # noqa: E731
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, start_new_session=True)
    wait_for(lambda: n_jobs() > 0, "something is stored")
    process.send_signal(signal.SIGKILL)  # the parent alone: its processes must notice
    process.wait()
    wait_for(lambda: not _lives_in_session(process.pid), "nothing of it is left")
    n_before = n_jobs()
    assert 0 < n_before < 1240
    with pytest.raises(ImportRefused, match="missing"):
        drop_first_mirror(Origin(place.config, place.place, "production"))
    report = _import(place)
    assert (report.tables["runs"].n_held, report.tables["runs"].n_stored) == (n_before, 1240 - n_before)
    assert place.rows("SELECT count(*), sum(n_jobs), sum(n_finished) FROM mirror.runs") == [(40, 1240, 1240)]
    assert place.rows("SELECT count(*) FROM mirror.job_logs") == [(1240,)]


def test_the_old_tables_go_only_when_nothing_is_missing(place: TestPlace):
    first_mirror = _first_mirror(place)
    first_mirror.write([_job(), DELIVERY, MEMORY])
    first_mirror.insert("runs", [(*run_row(_job(pid=9))[:-1], "[__import__('os')]")])
    first_mirror.see_statuses(utc(2022, 9, 15), {"fu-c2f11-11-04.cms": True})
    origin = Origin(place.config, place.place, "production")
    with place.reader().reading() as connection:
        assert first_mirror_remains(connection)
    with pytest.raises(ImportRefused, match="2 rows and 1 changes of hosts' status are missing"):
        drop_first_mirror(origin)
    _import(place)
    with place.owner().writing() as connection:
        verified = verify(connection, origin)
    assert (verified.n_held, verified.n_left_out, verified.refused.total(), verified.is_complete) == (2, 1, 1, True)

    first_mirror.write([_job(pid=77)])  # the first mirror still runs
    with pytest.raises(ImportRefused, match="1 rows and 0 changes"):
        drop_first_mirror(origin)
    _import(place)
    first_mirror.see_statuses(utc(2022, 9, 15, 1), {"fu-c2f11-11-04.cms": False})
    with pytest.raises(ImportRefused, match="0 rows and 1 changes"):
        drop_first_mirror(origin)
    _import(place)
    drop_first_mirror(origin)
    assert place.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
    with place.reader().reading() as connection:
        assert not first_mirror_remains(connection)
    with pytest.raises(ImportRefused, match="no tables"):
        drop_first_mirror(origin)


def test_somebody_elses_tables_are_left_alone(place: TestPlace):
    place.rows("CREATE TABLE runs (id int, name text)")
    place.rows("CREATE TABLE hostnames (id int, name text)")
    with place.reader().reading() as connection:
        assert not first_mirror_remains(connection)
    with pytest.raises(ImportRefused, match="no tables"):
        drop_first_mirror(Origin(place.config, place.place, "production"))


def test_the_servers_role_cannot_read_the_old_tables(place: TestPlace):
    first_mirror = _first_mirror(place)
    first_mirror.write([_job()])
    for table in ("runs", "graphs", "hostnames", "hoststatuses", "meta"):
        with pytest.raises(Exception, match="cannot be used") as raised, place.reader().reading() as connection:
            connection.exec_driver_sql(f"SELECT * FROM public.{table}")
        assert isinstance(raised.value.__cause__, ProgrammingError), "permission denied"
        assert "InsufficientPrivilege" in str(raised.value)
    assert _import(place).is_open_to == ""
    first_mirror.execute("GRANT SELECT ON hostnames TO PUBLIC")
    assert _import(place).is_open_to == "dqm_server"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["import-first-mirror"], 1, "there are no tables of the first mirror"),
        (["import-first-mirror", "--dsn", "dbname=x"], 2, "say with --cluster whose it is"),
        (["import-first-mirror", "--cluster", "playback", "--dsn", "host=/nowhere"], 69, "PostgreSQL cannot be used"),
        (["drop-first-mirror", "--dsn", "dbname=x"], 1, "its owner's to drop"),
        (["drop-first-mirror"], 1, "there are no tables of the first mirror"),
    ],
)
def test_the_command_says_what_it_does_not_do(place: TestPlace, arguments: list[str], status: int, words: str):
    done = subprocess.run(
        [sys.executable, "db.py", *arguments],
        check=False,
        cwd=ROOT,
        env={**os.environ, **place.environ},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_dropping_wants_a_yes(place: TestPlace):
    _first_mirror(place).write([_job()])
    _import(place)
    for arguments, status, is_there in ([], 1, True), (["--yes"], 0, False):
        command = [sys.executable, "db.py", "drop-first-mirror", *arguments]
        done = subprocess.run(
            command, check=False, cwd=ROOT, env={**os.environ, **place.environ}, capture_output=True, text=True
        )
        assert done.returncode == status, done.stderr
        assert "production: 1 rows are in the new tables, 0 say nothing." in done.stdout
        with place.reader().reading() as connection:
            assert first_mirror_remains(connection) == is_there

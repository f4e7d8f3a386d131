"""What /status says: every host's replication, what was set aside and why, what could not be listed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup

from dqmsquare.server.status_pages import read_status, standing
from dqmsquare.storage.cursors import register_hosts
from dqmsquare.storage.host_record import HostRecord
from dqmsquare.storage.status_queries import ReplicationRow
from dqmsquare.storage.store import Refused
from tests.examples import NOW, job_document
from tests.first_mirror_tables import FirstMirror
from tests.integration.server_process import running_server
from tests.postgres import TestPlace

HOST = "hostid0000000001"
ROW = ReplicationRow(
    host_id=HOST,
    label="fu..01",
    is_configured=True,
    state="live",
    error=None,
    polled_at=NOW - timedelta(seconds=1),
    stamped_at=NOW - timedelta(seconds=1),
    epoch=2,
    head_rev=4711,
    tail_rev=0,
    n_behind=0,
    relist=False,
    compared_at=NOW,
    n_quarantined=0,
)
LONG_AGO = NOW - timedelta(minutes=5)


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ({}, ("ok", "live", "complete")),
        ({"n_behind": 3}, ("warn", "live", "complete")),
        ({"state": "filling", "tail_rev": 90}, ("warn", "filling in history", "complete from revision 90 on")),
        ({"state": "backoff", "relist": True}, ("warn", "backing off", "complete, comparison asked for")),
        ({"state": "backoff", "polled_at": LONG_AGO}, ("bad", "backing off", "complete")),
        ({"state": "auth"}, ("bad", "refused: certificate or cookie", "complete")),
        ({"polled_at": LONG_AGO}, ("bad", "silent", "complete")),
        # Its grabber was killed: what it wrote last must not look alive.
        ({"stamped_at": LONG_AGO}, ("bad", "no grabber", "complete")),
        ({"stamped_at": None, "head_rev": None}, ("bad", "no grabber", "nothing listed yet")),
        ({"is_configured": False, "stamped_at": None}, ("off", "not grabbed any more", "complete")),
    ],
)
def test_a_host_looks_alive_only_while_somebody_polls_it(changed, shown):
    line = standing(replace(ROW, **changed), NOW)
    assert (line.level, line.words, line.history) == shown


def fill(place: TestPlace) -> HostRecord:
    with place.owner().writing() as connection:
        register_hosts(connection, {HOST: "fu..01"})
    record = HostRecord(place.owner(), HOST, takeover_seconds=10)
    record.hold()
    refused = [Refused("missing", "not given twice", "job0000000000009", 12), Refused("header", "rev is <b>null</b>")]
    record.store([job_document()], refused, head_rev=4711, tail_rev=90)
    record.record_gap(89, "upstream gave up after 5 s")
    record.report("filling", n_behind=7)
    return record


def test_everything_that_is_set_aside_or_missing_is_read(any_place: TestPlace):
    record = fill(any_place)
    with any_place.reader().reading() as connection:
        view = read_status(connection, NOW)
    record.release()
    [host] = view.standings
    assert (host.row.epoch, host.row.head_rev, host.row.tail_rev, host.row.n_behind) == (1, 4711, 90, 7)
    assert (host.row.n_quarantined, view.reasons) == (2, {"header": 1, "missing": 1})
    assert [(one.label, one.reason, one.detail, one.rev) for one in view.quarantined] == [
        ("fu..01", "header", "rev is <b>null</b>", -1),
        ("fu..01", "missing", "not given twice", 12),
    ]
    assert [(gap.label, gap.first_rev, gap.last_rev, gap.reason) for gap in view.gaps] == [
        ("fu..01", 0, 89, "upstream gave up after 5 s")
    ]
    assert view.database_bytes > 1_000_000


def test_the_page_shows_it_as_text_and_only_for_the_cluster_it_is_of(place: TestPlace, tmp_path):
    record = fill(place)
    with running_server(place, tmp_path) as server:
        status, _, body = server.get("/status")
        other = server.get("/status?db=playback")[2].decode()
    record.release()
    page = BeautifulSoup(body, "html.parser")
    assert status == 200
    cells = [cell.get_text(" ", strip=True) for cell in page.select(f"#host-{HOST} > *")]
    assert cells[0:2] + cells[3:7] == [
        "fu..01",
        "filling in history",
        "7",
        "1",
        "4,711",
        "complete from revision 90 on",
    ]
    assert "rev is <b>null</b>" in page.get_text()
    assert page.select("#status b") == []
    assert "Nothing was set aside." in other
    assert "No grabber has run for this cluster yet." in other


def test_as_long_as_the_first_mirrors_tables_are_there_the_page_says_so(any_place: TestPlace):
    with any_place.reader().reading() as connection:
        assert not read_status(connection, NOW).first_mirror_remains
    FirstMirror(any_place.server.host, any_place.config.database_name("production")).make_tables()
    with any_place.reader().reading() as connection:
        assert read_status(connection, NOW).first_mirror_remains

"""Writing batches: what is newer replaces, what is older changes nothing, and everything commits together."""

from datetime import timedelta

import pytest

from dqmsquare.documents import LumiRange
from dqmsquare.errors import LeaseLost
from dqmsquare.storage import queries
from dqmsquare.storage.host_record import HostRecord
from dqmsquare.storage.rows import JobSeries, LogRow, StreamSummary
from dqmsquare.storage.store import Refused, Stored
from tests.examples import NOW, RUN, delivery_document, disk_document, job_document, memory_document, playback_document
from tests.postgres import TestPlace

HOST = "hostid0000000001"


@pytest.fixture
def record(any_place: TestPlace):
    record = HostRecord(any_place.owner(), HOST, takeover_seconds=10)
    assert record.hold()
    yield record
    record.release()


def test_what_is_stored_is_read_again_whole(any_place: TestPlace, record: HostRecord):
    document = job_document()
    assert record.store([document], head_rev=10, head_id="h", head_document="d") == Stored(1, 0)
    with any_place.reader().reading() as connection:
        [job] = queries.jobs_of_run(connection, RUN)
        series = queries.series_of_job(connection, document.document_id)
        log = queries.log_of_job(connection, document.document_id)
    same = ("run", "tag", "attempt", "run_key", "release", "exit_code", "lumi", "n_events", "rate_hz", "rss_bytes")
    assert {name: getattr(job, name) for name in same} == {name: getattr(document, name) for name in same}
    assert (job.job_id, job.heard_at, job.first_reported_at) == (document.document_id, NOW, NOW)
    assert job.odd_lumis == (LumiRange(39, 39, "warn", "skipped: timeout"),)
    assert job.rate_spark == pytest.approx((42.918, 47.21), abs=0.001)
    assert job.memory_spark == (690, 700)
    assert series == JobSeries(memory=document.memory, lumis=document.lumis, lumi_ranges=document.lumi_ranges)
    assert log == LogRow(
        job_id=document.document_id,
        run=RUN,
        tag=document.tag,
        head="-- starting process --\n",
        tail="still running\n",
        gap=True,
        n_removed=3,
    )


def test_an_older_revision_changes_nothing(any_place: TestPlace, record: HostRecord):
    record.store([job_document(rev=10, lumi=40)])
    assert record.store([job_document(rev=9, lumi=39)]) == Stored(0, 1)
    assert record.store([job_document(rev=10, lumi=39)]) == Stored(0, 1)
    assert any_place.rows("SELECT rev, lumi FROM mirror.jobs") == [(10, 40)]


def test_a_new_epoch_wins_over_a_higher_revision(any_place: TestPlace, record: HostRecord):
    record.store([job_document(rev=1000, lumi=40)])
    record.begin_epoch("for the test")
    record.store([job_document(rev=3, lumi=41)])
    assert any_place.rows("SELECT epoch, rev, lumi FROM mirror.jobs") == [(2, 3, 41)]


def test_the_first_report_and_the_end_of_input_are_remembered(any_place: TestPlace, record: HostRecord):
    later = NOW + timedelta(minutes=5)
    record.store([job_document(rev=10, fi_state=2)])
    record.store([job_document(rev=11, at=later, fi_state=2)])
    assert any_place.rows("SELECT first_reported_at, input_ended_at, heard_at FROM mirror.jobs") == [(NOW, NOW, later)]
    record.store([job_document(rev=12, at=later, fi_state=0)])
    assert any_place.rows("SELECT input_ended_at FROM mirror.jobs") == [(None,)]


def test_summaries_follow_the_jobs_in_the_same_commit(any_place: TestPlace, record: HostRecord):
    crashed = job_document("job0000000000002", exit_code=-11, tag="pixel_dqm_sourceclient-live")
    record.store([job_document(), crashed, job_document("job0000000000003", exit_code=0)])
    with any_place.reader().reading() as connection:
        run = queries.run_summary(connection, RUN)
        tags = queries.tags_between(connection, RUN, RUN)
    assert run is not None
    assert (run.n_jobs, run.n_open, run.n_finished, run.n_crashed, run.last_lumi) == (3, 1, 1, 1, 40)
    assert tags == ["beam_dqm_sourceclient-live", "pixel_dqm_sourceclient-live"]


def test_a_job_that_moves_to_another_run_leaves_no_empty_summary(any_place: TestPlace, record: HostRecord):
    record.store([job_document(rev=10)])
    record.store([job_document(rev=11, run=RUN + 1)])
    assert any_place.rows("SELECT run, n_jobs FROM mirror.runs") == [(RUN + 1, 1)]
    assert any_place.rows("SELECT run, n_jobs FROM mirror.run_clients") == [(RUN + 1, 1)]


def test_changes_name_each_run_once(any_place: TestPlace, record: HostRecord):
    before = any_place.rows("SELECT coalesce(max(change_id), 0) FROM mirror.changes")[0][0]
    record.store([job_document(), job_document("job0000000000002"), memory_document(), disk_document()])
    new = any_place.rows(f"SELECT kind, run FROM mirror.changes WHERE change_id > {before} ORDER BY kind")
    assert new == [("host", None), ("run", RUN)]


def test_a_batch_without_news_announces_nothing(any_place: TestPlace, record: HostRecord):
    record.store([job_document()])
    count = any_place.rows("SELECT count(*) FROM mirror.changes")
    record.store([job_document()], head_rev=11)
    assert any_place.rows("SELECT count(*) FROM mirror.changes") == count


def test_a_delivery_is_summed_up_without_unreadable_files(any_place: TestPlace, record: HostRecord):
    record.store([job_document(), delivery_document(), playback_document()])
    with any_place.reader().reading() as connection:
        run = queries.run_summary(connection, RUN)
        delivery = queries.delivery_of_run(connection, RUN)
        playback = queries.playback_of_run(connection, 500015)
    assert run is not None
    assert run.streams == (
        StreamSummary(
            label="DQM",
            mean_delay_seconds=5.0,
            sigma_delay_seconds=0.0,
            last_delay_seconds=5.0,
            last_lumi=3,
            n_events=17,
            n_bytes=300,
        ),
    )
    assert delivery is not None
    assert delivery.streams == delivery_document().streams
    assert playback is not None
    assert (playback.source_run, playback.lumi, playback.n_lumis) == (256936, 37, 1500)


def test_f39_a_row_that_postgresql_refuses_goes_to_quarantine_and_the_rest_is_stored(
    any_place: TestPlace, record: HostRecord
):
    good = [job_document(f"job{number:013d}") for number in range(7)]
    bad = job_document("job-bad", n_events=2**70)
    record.store([*good[:3], bad, *good[3:]], head_rev=10)
    assert any_place.rows("SELECT count(*) FROM mirror.jobs") == [(7,)]
    assert any_place.rows("SELECT document_id, reason FROM mirror.quarantine") == [("job-bad", "database")]
    assert record.cursor.head_rev == 10


def test_quarantine_names_a_thing_once(any_place: TestPlace, record: HostRecord):
    for _ in range(2):
        record.store((), [Refused("missing", "listed, but not given", "job-gone", 7)])
    assert any_place.rows("SELECT document_id, rev, reason FROM mirror.quarantine") == [("job-gone", 7, "missing")]


def test_f33_nothing_is_written_under_a_term_that_is_over(any_place: TestPlace, record: HostRecord):
    any_place.rows("UPDATE mirror.cursors SET term = term + 1")
    with pytest.raises(LeaseLost):
        record.store([job_document()], head_rev=10)
    assert any_place.rows("SELECT count(*) FROM mirror.jobs") == [(0,)]

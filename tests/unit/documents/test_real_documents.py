import re
from pathlib import Path

import pytest

from dqmsquare.documents import DeliveryDocument, HostMemoryDocument, JobDocument, LumiRange
from dqmsquare.scrub import Scrubber
from tests.unit.documents.raw import IDS, SCRUBBER, leaks, read, real_documents, received_after


@pytest.fixture(scope="module")
def documents(shared_data: Path):
    raws = real_documents(shared_data)
    return [(raw, read(raw, received_after(raw))) for raw in raws]


def test_every_real_document_is_read_without_a_field_error(documents):
    assert [type(document).__name__ for _, document in documents] == (
        ["JobDocument"] * 31 + ["HostMemoryDocument"] * 4 + ["DeliveryDocument"]
    )
    assert {(document.n_field_errors, document.flags) for _, document in documents} == {(0, ())}


def test_nothing_of_a_real_document_that_must_stay_at_p5_comes_out(documents):
    assert {document.document_id: leaks(document, raw) for raw, document in documents} == {
        document.document_id: [] for _, document in documents
    }


def test_the_second_look_finds_what_is_there_before_scrubbing(documents):
    logs = ["".join(raw["extra"]["stdlog_start"]) for raw, document in documents if isinstance(document, JobDocument)]
    assert all(len(leaks(log, {})) > 10 for log in logs)


def test_a_real_job(documents):
    [job] = [d for _, d in documents if isinstance(d, JobDocument) and d.tag == "beam_dqm_sourceclient-live"]
    assert (job.document_id, job.host_id) == (
        IDS.document("dqm-source-state-run358788-hostfu-c2f11-11-04-pid041552"),
        IDS.host("fu-c2f11-11-04"),
    )
    assert (job.host_label, job.run, job.run_key, job.release, job.config_name) == (
        "fu..04",
        358788,
        "cosmic_run",
        "12_4_8_39145_39162_39341_39326_39353",
        "beam_dqm_sourceclient-live_cfg.py",
    )
    assert (job.exit_code, job.cmssw_run, job.lumi, job.next_lumi, job.n_events, job.rate_hz, job.fi_state) == (
        0,
        358788,
        99,
        100,
        1165,
        0.517241359,
        1,
    )
    assert (job.rss_bytes, job.size_bytes, job.n_threads) == (722232 * 1024, 2600000 * 1024, 12)
    assert (len(job.memory), len(job.lumis), job.lumi_ranges) == (
        60,
        99,
        (LumiRange(1, 99, "ok", "open: file iterator"),),
    )
    assert job.stamp == 1663242347.024707
    assert job.reported_at is not None
    assert job.reported_at.isoformat() == "2022-09-15T11:45:47.024707+00:00"


def test_the_jobs_of_one_start_of_a_run_have_one_attempt(documents):
    attempts = {document.attempt for _, document in documents if isinstance(document, JobDocument)}
    assert attempts == {IDS.attempt("a32007f9-223a-4a0c-a644-9b169d20715e")}


def test_a_real_delivery_has_its_streams_without_the_storage_manager(documents):
    [delivery] = [document for _, document in documents if isinstance(document, DeliveryDocument)]
    assert {key: len(files.lumis) for key, files in delivery.streams.items()} == {
        "streamDQM": 100,
        "streamDQMCalibration": 100,
        "streamDQMEventDisplay": 100,
        "streamDQMGPUvsCPU": 100,
        "streamDQMHistograms": 100,
    }
    assert (delivery.host_label, delivery.tag, delivery.global_start, delivery.global_start_estimated) == (
        "bu..01",
        "analyze_files",
        1663240007.721733,
        False,
    )
    assert delivery.streams["streamDQM"].n_accepted[:4] == (6, 11, 11, 7)


def test_real_host_memory(documents):
    memory = [document for _, document in documents if isinstance(document, HostMemoryDocument)]
    assert {(m.used_bytes, m.total_bytes) for m in memory} == {(54272000000, 66560000000)}


def test_in_a_real_log_every_word_stays_but_those_with_a_mark_in_them(documents):
    instead = re.compile(r"\[(?:path|host|pid|removed|address|email|user|key)\]|fu\.\.[0-9]{2}")
    for raw, document in documents:
        if isinstance(document, JobDocument):
            before = "".join(raw["extra"]["stdlog_start"] + raw["extra"]["stdlog_end"]).split()
            after = (document.log_head + document.log_tail).split()
            changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
            assert [pair for pair in changed if not instead.search(pair[1])] == []
            assert [pair for pair in changed if not leaks(pair[0], {}) and "DQMNet" not in pair[0]] == []


def test_scrubbing_a_real_log_again_changes_nothing(documents):
    for _, document in documents:
        if isinstance(document, JobDocument):
            for scrubber in (SCRUBBER, Scrubber(())):
                again = scrubber.scrub(document.log_head)
                assert (again.text, again.n_removed) == (document.log_head, 0)

import json
from datetime import UTC, datetime

import pytest

from dqmsquare.simulator.clients import CLIENTS, LUMI_SECONDS
from dqmsquare.simulator.documents import (
    diskspace_document,
    files_document,
    job_document,
    playback_document,
    release_document,
    stats_document,
)

AT = datetime(2025, 6, 1, 12, 0, tzinfo=UTC).timestamp()
BEAM = "beam_dqm_sourceclient-live"


def job(tag: str = BEAM, **changed: object) -> dict:
    values = {"lumi": 100, "reported_at": AT, "run_key": "cosmic_run"} | changed
    return job_document("fu-c2f11-11-04", 358788, tag, 41554, **values)  # type: ignore[arg-type]


def log(document: dict, end: str = "stdlog_end") -> str:
    return "".join(document["extra"][end])


def test_a_jobs_document_is_as_large_as_the_real_ones() -> None:
    assert 35_000 < len(json.dumps(job(exit_code=0))) < 60_000


def test_the_same_arguments_give_the_same_document() -> None:
    assert job() == job()
    assert job() != job(lumi=99)


def test_numbers_are_strings_where_the_process_writes_them() -> None:
    document = job()
    names = ("events_total", "events_rate", "cmssw_run", "cmssw_lumi", "next_lumi", "fi_state", "update_timestamp")
    assert {name: type(document[name]) for name in names} == dict.fromkeys(names, str)
    assert (type(document["pid"]), type(document["run"])) == (int, int)


def test_a_living_job_has_no_exit_code_and_its_rate_comes_with_the_second_lumisection() -> None:
    assert "exit_code" not in job()
    assert job(lumi=0)["events_rate"] == "-1.0"
    assert "events_rate" not in job(lumi=1)
    assert float(job(lumi=2)["events_rate"]) > 0


def test_a_silent_process_spoke_to_its_monitor_before_the_report() -> None:
    document = job(silent_seconds=300.0)
    assert int(document["report_timestamp"]) - int(document["update_timestamp"]) == 300


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.tag)
def test_a_logs_ends_are_whole_lines_within_what_dqm2_keeps(client: object) -> None:
    extra = job(client.tag, exit_code=0)["extra"]  # type: ignore[attr-defined]
    for end, n_lines in (("stdlog_start", 257), ("stdlog_end", 256)):
        assert 15_500 < sum(map(len, extra[end])) <= 16_384
        assert len(extra[end]) <= n_lines
        assert all(line.endswith("\n") for line in extra[end])


def test_the_ends_of_a_short_log_overlap() -> None:
    extra = job(lumi=9)["extra"]
    head, tail = extra["stdlog_start"], extra["stdlog_end"]
    joined = next(i for i in range(len(head)) if head[i:] == tail[: len(head) - i])
    assert joined > 0


def test_a_log_speaks_of_hosts_files_and_modules() -> None:
    text = log(job("pixel_dqm_sourceclient-live"), "stdlog_start")
    assert (
        "Found and loaded json file: /fff/BU0/ramdisk/run358788/run358788_ls0001_streamDQM_sm-c2a11-43-01.jsn" in text
    )
    assert "siPixelDigis@cpu" in text
    assert "Begin processing the 11th record" in text
    assert "password=canary-log-password" in text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-11, "A fatal system signal has occurred: segmentation violation"),
        (134, "A fatal system signal has occurred: abort signal"),
        (86, "An exception of category 'FatalRootError' occurred while"),
        (65, "%MSG-e InvalidDetId:"),
        (90, "ConfigFileReadError"),
        (42, "AnotherException"),
        (127, "cmsRun: command not found"),
        (-15, "signal 15"),
        (0, "dropped waiting message count 0"),
    ],
)
def test_a_log_ends_as_its_job_did(code: int, words: str) -> None:
    text = log(job(exit_code=code))
    assert words in text
    assert text.endswith(f"\n-- process exit: {code} --\n")


def test_nobody_hears_sigkill_coming() -> None:
    assert "fatal" not in log(job(exit_code=-9)).lower()


def test_every_secret_of_the_environment_is_a_canary() -> None:
    environ = job()["extra"]["environ"]
    secret = [name for name in environ if name.endswith(("PASSWORD", "TOKEN", "USER_PROXY", "_proxy", "LOGNAME"))]
    assert len(secret) >= 6
    assert all("canary-" in environ[name] for name in secret)


def test_the_memory_of_a_leaking_job_grows() -> None:
    points = [int(line.split()[1]) for line in job(growth_mb_per_hour=600.0)["extra"]["mem_info"].values()]
    assert len(points) == pytest.approx(101 * LUMI_SECONDS / 30, abs=2)
    grown_mb = (points[-1] - points[10]) * 4096 / 1024**2
    assert grown_mb == pytest.approx(600 * (len(points) - 11) * 30 / 3600, rel=0.01)


def test_lumisections_before_a_late_start_were_left_out() -> None:
    document = job(first_lumi=40, skipped={50: "skipped: timeout"})
    seen = document["extra"]["lumi_seen"]
    assert (seen["lumi000039"], seen["lumi000040"]) == ("skipped: fast-forward to the latest lumi", "close: eof")
    assert (seen["lumi000050"], len(seen)) == ("skipped: timeout", 100)
    assert int(document["events_total"]) < int(job()["events_total"])


def test_a_client_without_data_waits_in_its_log() -> None:
    document = job("ecalgpu_dqm_sourceclient-live", lumi=0, waited_lumis=90)
    assert (document["cmssw_lumi"], document["cmssw_run"]) == ("0", "0")
    assert "lumi_seen" not in document["extra"]
    assert "stream label mismatch, streamDQM [files] != streamDQMGPUvsCPU [config]" in log(document)


def test_delivered_files_are_equally_long_columns_and_grow() -> None:
    early = files_document("bu-1", 7, started_at=AT, reported_at=AT + 600)
    late = files_document("bu-1", 7, started_at=AT, reported_at=AT + 1200)
    assert "timestamp" not in early
    assert len(early["extra"]["streams"]) == 5
    for key, columns in early["extra"]["streams"].items():
        assert key.endswith("_sm-c2a11-43-01")
        assert {len(column) for column in columns.values()} == {len(columns["lumis"])}
        assert late["extra"]["streams"][key]["lumis"][: len(columns["lumis"])] == columns["lumis"]
        assert len(late["extra"]["streams"][key]["lumis"]) > len(columns["lumis"])


def test_most_files_come_half_a_minute_after_their_lumisection() -> None:
    columns = files_document("bu-1", 7, started_at=AT, reported_at=AT + 9000)["extra"]["streams"][
        "streamDQM_sm-c2a11-43-01"
    ]
    delays = sorted(at - AT - n * LUMI_SECONDS for n, at in zip(columns["lumis"], columns["mtimes"], strict=True))
    assert 15 < delays[len(delays) // 2] < 30
    assert delays[-1] > 35


def test_a_files_document_says_whether_its_start_is_an_estimate() -> None:
    document = files_document("bu-1", 7, started_at=AT, reported_at=AT + 60, global_start_source="first_lumi")
    assert (document["extra"]["global_start_source"], document["extra"]["lumi"]) == ("first_lumi", LUMI_SECONDS)


def test_host_documents_add_up() -> None:
    stats, disk = stats_document("fu-1", at=AT, sequence=9), diskspace_document("bu-1", filled=0.5)
    assert stats["memory_used"] + stats["memory_free"] == stats["memory_total"]
    assert stats["extra"]["meminfo"]["MemTotal"] * 1024 == stats["memory_total"]
    assert disk["disk_used"] * 2 == disk["disk_total"]
    assert disk["extra"]["thresholds"] == {"rename": 60, "delete": 80, "delete_folders": True}
    assert diskspace_document("bu-1", n_files=None)["extra"]["file_count"] is None


def test_a_playback_names_its_source_and_has_no_lumisection_before_the_first() -> None:
    document = playback_document("bu-1", 500015, lumi=37)
    assert (document["_id"], document["ls"]) == ("dqm-playback-bu-1-fff_simulator-run500015", 37)
    assert document["config"]["source"].endswith("/run256936/")
    assert "ls" not in playback_document("bu-1", 500015, state="init", lumi=None)


def test_a_release_names_its_pull_requests() -> None:
    document = release_document("bu-1", built_at=AT, pull_requests=(39145, 39162))
    assert [request["id"] for request in document["extra"]["pull_requests"]] == [39145, 39162]

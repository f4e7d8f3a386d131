import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from dqmsquare.documents import JobDocument, LumiRange
from dqmsquare.errors import DocumentRefused
from tests.unit.documents.raw import IDS, JOB, PATH, RECEIVED_AT, changed, leaks, read, without

OLD_JOB = {
    "_id": "dqm-source-state-run200000-hostfu-c2f11-11-04-pid000123",
    "_rev": 5,
    "type": "dqm-source-state",
    "hostname": "fu-c2f11-11-04",
    "tag": "dt_dqm_sourceclient-live",
    "run": 200000,
    "report_timestamp": 1350000000.0,
    "lumi": 17,
    "events_total": 100,
    "events_rate": 0.0005,
    "stderr": "reading /fff/ramdisk/x.dat\ncannot\n",
    "cmdline": f"cmsRun {PATH} runkey=pp_run",
    "ps_info": {
        "cmdline": "cmsRun /nfshome0/dqmpro/x",
        "status": "Name:\tcmsRun\nState:\tR (running)\nVmRSS:\t 2048 kB\n",
    },
}


def test_a_job_is_read_by_its_allow_list():
    assert read(JOB) == JobDocument(
        document_id=IDS.document(JOB["_id"]),
        host_id=IDS.host("fu-c2f11-11-04"),
        host_label="fu..04",
        rev=8_000_001,
        stamp=1663242347.024707,
        reported_at=datetime(2022, 9, 15, 11, 45, 47, 24707, tzinfo=UTC),
        received_at=RECEIVED_AT,
        n_field_errors=0,
        flags=(),
        run=358788,
        tag="beam_dqm_sourceclient-live",
        attempt=IDS.attempt("a32007f9-223a-4a0c-a644-9b169d20715e"),
        run_key="cosmic_run",
        release="12_4_8_39145_39162",
        config_name="beam_dqm_sourceclient-live_cfg.py",
        process_at=datetime(2022, 9, 15, 11, 45, 40, tzinfo=UTC),
        exit_code=0,
        cmssw_run=358788,
        lumi=99,
        next_lumi=100,
        n_events=1165,
        rate_hz=0.51724136,
        fi_state=1,
        rss_bytes=722232 * 1024,
        peak_rss_bytes=722233 * 1024,
        size_bytes=2600000 * 1024,
        swap_bytes=0,
        anon_bytes=600000 * 1024,
        n_threads=12,
        process_state="S (sleeping)",
        memory=(
            (1663242272, 72856 * 4096, 181373 * 4096),
            (1663242302, 73163 * 4096, 181374 * 4096),
        ),
        lumis=((97, 12, 23.31), (98, 12, 23.0)),
        lumi_ranges=(
            LumiRange(97, 98, "ok", "close: eof"),
            LumiRange(99, 99, "ok", "open: file iterator"),
            LumiRange(100, 100, "warn", "skipped: timeout"),
        ),
        log_head=(
            "-- starting process: ['cmsRun', '[path]/beam_dqm_sourceclient-live_cfg.py', 'runkey=cosmic_run'] --\n"
            "Running as dqmpro\n"
        ),
        log_tail="-- process exit: 0 --\n",
        log_gap=False,
        n_removed=1,
    )


def test_a_user_whose_home_the_log_names_is_taken_out_everywhere():
    raw = changed(JOB, {"extra.stdlog_start": ["at /nfshome0/dqmpro/x.txt\n", "Running as dqmpro\n"]})
    job = read(raw)
    assert (job.log_head, job.n_removed, leaks(job, raw)) == ("at [path]\nRunning as [user]\n", 2, [])


def test_a_job_whose_input_was_gone_says_so_in_its_log():
    assert read(JOB).input_gone is False
    assert read(changed(JOB, {"extra.stdlog_end": ["Internal error, cannot get data file\n"]})).input_gone is True


def test_a_job_that_lives_has_no_exit_code():
    assert read(without(JOB, "exit_code")).exit_code is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0", 0), (-11, -11), ("-15", -15), (86.0, 86), (-1, -1), ({}, None), ([], None), (True, None)],
)
def test_exit_codes(value, expected):
    job = read(changed(JOB, exit_code=value))
    assert (job.exit_code, job.n_field_errors) == (expected, int(expected is None))


@pytest.mark.parametrize(
    "change",
    [
        {"events_rate": ""},
        {"events_rate": "nan"},
        {"events_total": "-1"},
        {"events_total": "99999999999999999999"},
        {"cmssw_lumi": 100_001},
        {"fi_state": "3"},
        {"cmdline": 5},
        {"extra": []},
        {"extra.mem_info": "x"},
        {"extra.mem_info": {"yesterday": "1 2"}},
        {"extra.lumi_seen": {"lumi1": 5, "x": "close: eof"}},
        {"extra.lumi_stats": {"1": None}},
        {"extra.ps_info": {"VmRSS": "much"}},
        {"extra.stdlog_start": 5},
        {"tag": "no spaces allowed"},
        {"tag": ["x"]},
        {"hostname": "10.176.60.24"},
        {"hostname": 5},
        {"update_timestamp": "soon"},
        {"run": "all"},
    ],
)
def test_f27_a_bad_field_costs_itself_only(change):
    assert read(changed(JOB, change)).n_field_errors == 1


@pytest.mark.parametrize("name", ["cmdline", "extra", "tag", "exit_code", "report_timestamp", "hostname", "run"])
def test_a_job_that_lacks_a_field_is_a_job(name):
    job = read(without(JOB, name))
    assert (job.n_field_errors, job.run, job.host_label) == (0, 358788, "fu..04")
    assert read(changed(JOB, {name: None})) == job


def test_fi_state_is_empty_until_the_first_report():
    job = read(changed(JOB, fi_state=""))
    assert (job.fi_state, job.n_field_errors) == (None, 0)


def test_without_a_tag_the_configuration_names_the_client():
    assert read(without(JOB, "tag")).tag == "beam_dqm_sourceclient-live"
    assert read(without(JOB, "tag", "cmdline")).tag == "unknown"


@pytest.mark.parametrize(
    "cmdline",
    [
        ["x_runkey=wrong", "runkey=pp_run=x"],
        ["runkey=/home/bob"],
        ["runkey=" + "x" * 41],
        ["runkey="],
    ],
)
def test_a_run_key_is_a_word(cmdline):
    job = read(changed(JOB, cmdline=cmdline))
    assert (job.run_key, job.n_field_errors) == (None, 1)


def test_the_run_key_is_of_the_argument_that_starts_with_it():
    assert read(changed(JOB, cmdline=["my_runkey=hi_run", "runkey=pp_run"])).run_key == "pp_run"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"_id": None}, "id"),
        ({"_id": "a\0b"}, "id"),
        ({"_rev": None}, "rev"),
        ({"_rev": "12"}, "rev"),
        ({"_rev": True}, "rev"),
        ({"type": None}, "type"),
        ({"type": "dqm-anything"}, "type"),
        ({"_id": "x", "run": None}, "hostname"),
        ({"_id": "x-hostfu-c2f11-11-04-pid1", "run": None}, "run"),
        ({"_id": "x", "run": 0}, "run"),
    ],
)
def test_without_identity_a_document_is_refused(changes, reason):
    hostname = None if reason == "hostname" else "fu-c2f11-11-04"
    with pytest.raises(DocumentRefused) as refused:
        read(changed(JOB, changes, hostname=hostname))
    assert refused.value.reason == reason


@pytest.mark.parametrize("raw", [None, [], "x", 5])
def test_what_is_no_object_is_no_document(raw):
    with pytest.raises(DocumentRefused) as refused:
        read(raw)
    assert refused.value.reason == "shape"


def test_names_that_hosts_have_are_scrubbed():
    job = read(changed(JOB, tag="x-fu-c2f11-11-01", cmdline=["/x/fu-c2f11-11-01_cfg.py", "runkey=pp_c2a06_05_01"]))
    assert (job.tag, job.config_name, job.run_key) == ("x-[host]", "[host]_cfg.py", "pp_[host]")


def test_f21_a_clock_that_is_ahead_is_flagged():
    job = read(JOB, RECEIVED_AT - timedelta(hours=2))
    assert job.flags == ("clock",)
    assert job.reported_at > job.received_at


def test_f21_an_impossible_time_is_none_and_flagged():
    job = read(changed(JOB, report_timestamp=1e18))
    assert (job.reported_at, job.flags, job.n_field_errors, job.stamp) == (None, ("clock",), 1, 1e18)


def test_the_stamp_is_the_headers_the_report_has_its_own_time():
    job = read(changed(JOB, timestamp=1663242000.5))
    assert (job.stamp, job.reported_at) == (1663242000.5, datetime(2022, 9, 15, 11, 45, 47, 24707, tzinfo=UTC))


def test_a_job_of_the_old_shape_is_read_and_marked():
    job = read(OLD_JOB)
    assert {
        field: getattr(job, field)
        for field in ("flags", "run", "lumi", "n_events", "rate_hz", "rss_bytes", "process_state", "run_key", "release")
    } == {
        "flags": ("old-shape",),
        "run": 200000,
        "lumi": 17,
        "n_events": 100,
        "rate_hz": None,
        "rss_bytes": 2048 * 1024,
        "process_state": "R (running)",
        "run_key": "pp_run",
        "release": "12_4_8_39145_39162",
    }
    assert (job.log_head, job.log_tail, job.n_field_errors) == ("reading [path]\ncannot\n", "", 0)
    assert leaks(job, OLD_JOB) == []


def test_the_processes_state_is_a_word():
    assert read(changed(JOB, {"extra.ps_info": {"State": "/home/bob"}})).process_state is None


def test_reading_twice_gives_the_same():
    first = read(JOB)
    assert read(JOB) == first
    assert dataclasses.replace(first, rev=9) == read(changed(JOB, _rev=9))

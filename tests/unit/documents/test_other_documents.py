from datetime import UTC, datetime

import pytest

from dqmsquare.documents import (
    KEPT_KINDS,
    HostDiskDocument,
    HostMemoryDocument,
    PlaybackDocument,
    ReleaseDocument,
)
from dqmsquare.errors import DocumentRefused
from tests.unit.documents.raw import (
    ALL,
    DISK,
    IDS,
    MEMORY,
    PLAYBACK,
    RECEIVED_AT,
    RELEASE,
    changed,
    leaks,
    read,
    without,
)

AT = datetime(2022, 9, 15, 11, 45, 5, 500000, tzinfo=UTC)


def common(raw, label):
    return {
        "document_id": IDS.document(raw["_id"]),
        "host_id": IDS.host(raw["hostname"]),
        "host_label": label,
        "rev": raw["_rev"],
        "stamp": 1663242305.5,
        "reported_at": AT,
        "received_at": RECEIVED_AT,
    }


def test_the_kinds_that_are_kept():
    assert sorted(KEPT_KINDS) == [
        "dqm-diskspace",
        "dqm-files",
        "dqm-playback",
        "dqm-release",
        "dqm-source-state",
        "dqm-stats",
        "dqm-timestamps",
    ]


def test_a_hosts_memory():
    assert read(MEMORY) == HostMemoryDocument(
        **common(MEMORY, "fu..01"),
        used_bytes=54272000000,
        free_bytes=12288000000,
        total_bytes=66560000000,
        available_bytes=20000000 * 1024,
        swap_free_bytes=1000 * 1024,
    )


def test_a_hosts_ramdisk():
    assert read(DISK) == HostDiskDocument(
        **common(DISK, "bu..01"),
        tag="fff_deleter_lookarea_bu..01",
        used_bytes=100,
        free_bytes=900,
        total_bytes=None,  # -1: the folder is not there
        n_files=12,
        rename_percent=60.0,
        delete_percent=80.5,
    )


def test_a_playback():
    assert read(PLAYBACK) == PlaybackDocument(
        **common(PLAYBACK, "dqmrubu-c2a06-.."),
        run=500015,
        tag="simulator",
        state="running",
        lumi=37,
        source_run=256936,
        run_key="pp_run",
        n_lumis=1500,
        lumi_timeout_seconds=23.3,
        skipped_lumis=(3, 4),
    )


@pytest.mark.parametrize("source", ["/fff/input/latest", "run", "/run99999999/", 5, ["run1"]])
def test_a_source_that_names_no_run(source):
    playback = read(changed(PLAYBACK, {"config.source": source}))
    assert (playback.source_run, playback.n_field_errors) == (None, 1)


@pytest.mark.parametrize("state", ["/home/bob", "paused", 5, None])
def test_an_unknown_state(state):
    assert read(changed(PLAYBACK, state=state)).state == "unknown"


def test_a_playback_that_only_begins():
    playback = read(without(PLAYBACK, "config", "ls", "extra", "state"))
    assert (playback.run, playback.lumi, playback.source_run, playback.n_field_errors) == (500015, None, None, 0)


def test_a_release():
    assert read(RELEASE) == ReleaseDocument(
        **common(RELEASE, "dqmrubu-c2a06-.."),
        name="CMSSW_12_4_8",
        built_at=datetime(2022, 9, 12, 16, 26, 40, 500000, tzinfo=UTC),
        pull_requests=(39145, 39162),
    )


def test_a_release_without_a_name_is_refused():
    with pytest.raises(DocumentRefused, match="name"):
        read(changed(RELEASE, name="/dqmdata/x"))


@pytest.mark.parametrize("name", sorted(ALL))
def test_nothing_that_must_stay_at_p5_comes_out(name):
    raw = changed(ALL[name], {"secret": "canary", "path": "/home/canary", "hostnames": ["fu-c2f11-11-01"]})
    document = read(raw)
    if name == "job":  # its log says "Running as dqmpro" without naming a home
        raw = changed(raw, {"extra.stdlog_start": [], "extra.stdlog_end": []})
        document = read(raw)
    assert leaks(document, raw) == []


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_host_document_is_of_its_host_even_without_the_field(name):
    raw = changed(ALL[name], hostname=None)
    if name in {"job", "memory"}:  # their ids are of one form
        assert read(raw).host_id == IDS.host(ALL[name]["hostname"])
    else:
        with pytest.raises(DocumentRefused, match="hostname"):
            read(raw)

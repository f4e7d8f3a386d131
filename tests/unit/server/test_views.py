from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dqmsquare.server import cluster_view, live_view, views
from dqmsquare.server.cluster_view import Gauge
from dqmsquare.server.judging import JudgedJob
from dqmsquare.server.live_view import Choice
from dqmsquare.states import SEVERITY, State, Verdict
from tests.browser.cast import RUN, SKIPPED, a_host, a_job, a_playback, a_run, tag_of

NOW = datetime(2022, 9, 15, 14, 55, tzinfo=UTC)
GB = 2**30


def judged(job, state=State.RUNNING):
    return JudgedJob(job, Verdict(state, None))


def a_line(client, state=State.RUNNING, **fields):
    return views.job_line(judged(a_job(client, NOW, **fields), state), last_lumi=468, slope_warning=200)


def a_view(*lines, choice=None, **fields):
    values = {
        "run": a_run(NOW),
        "judged": lines,
        "missing": (),
        "neighbours": (RUN - 1, None),
        "newest_run": RUN,
        "recent": [],
        "playback": None,
        "hosts": [],
        "slope_warning": 200,
        "now": NOW,
    }
    return live_view.live_view(choice or Choice(cluster="production"), **{**values, **fields})


@pytest.mark.parametrize(
    ("exit_code", "text"),
    [
        (None, ""),
        (0, ""),
        (-11, "SIGSEGV"),
        (139, "SIGSEGV"),
        (-15, "SIGTERM"),
        (86, "86 · likely FatalRootError"),
        (3, "exit 3"),
    ],
)
def test_an_exit_code_is_never_words_alone_where_they_are_a_guess(exit_code, text):
    assert views.exit_text(exit_code) == text


def test_a_quiet_job_tells_why():
    silent = a_job("beam", NOW, process_at=NOW - timedelta(minutes=5))
    hanging = a_job("beam", NOW, input_ended_at=NOW - timedelta(minutes=5), fi_state=2)
    away = a_job("beam", NOW, age_seconds=300)
    texts = [
        views.job_line(judged(job, State.QUIET), last_lumi=1, slope_warning=1).exit_text
        for job in (silent, hanging, away)
    ]
    assert texts == ["process silent", "input ended", ""]


def test_memory_is_marked_where_it_grows_faster_than_it_may():
    slopes = [199.0, 201.0, None]
    assert [a_line("beam", memory_slope_mb_per_hour=slope).grows for slope in slopes] == [False, True, False]


def test_a_row_shows_how_far_it_read_and_what_it_skipped():
    line = a_line("beam", lumi=234, odd_lumis=(SKIPPED,))
    assert line.lumi_percent == 50.0
    assert [part.label for part in line.odd_lumis] == ["97–98: skipped: timeout"]
    assert a_line("beam", lumi=0).lumi_percent is None


def test_a_release_is_parted_into_cmssw_and_pull_requests():
    line = views.release_line("12_4_8_39145_39162")
    assert line is not None
    assert line.cmssw == "12_4_8"
    assert line.pulls == (
        (39145, "https://github.com/cms-sw/cmssw/pull/39145"),
        (39162, "https://github.com/cms-sw/cmssw/pull/39162"),
    )
    assert views.release_line(None) is None


def test_the_worst_comes_first_and_equals_by_name():
    lines = [
        a_line("rpc"),
        a_line("csc"),
        a_line("dt", State.STUCK),
        a_line("es", State.CRASHED),
        views.missing_line("x"),
    ]
    assert [line.client for line in views.sort_lines(lines, "state")] == ["es", "dt", "x", "csc", "rpc"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("-events", ["b", "a", "missing", "c"]),
        ("events", ["a", "b", "missing", "c"]),
        ("client", ["a", "b", "c", "missing"]),
        ("-client", ["missing", "c", "b", "a"]),
        ("updated", ["c", "a", "b", "missing"]),
    ],
)
def test_what_has_no_value_comes_last_in_any_order(sort, order):
    lines = [
        a_line("a", n_events=1, age_seconds=20),
        a_line("b", n_events=2, age_seconds=30),
        a_line("c", n_events=None, age_seconds=10),
        views.missing_line("missing"),
    ]
    assert [line.client for line in views.sort_lines(lines, sort)] == order


def test_a_column_begins_with_what_is_looked_for_and_turns_round():
    assert views.next_sort("events", "state") == "-events"
    assert views.next_sort("events", "-events") == "events"
    assert views.next_sort("events", "events") == "-events"
    assert views.next_sort("client", "state") == "client"
    assert views.next_sort("client", "client") == "-client"


def test_every_state_is_explained():
    assert sorted(state for state, _ in views.STATE_WORDS) == sorted(SEVERITY)


def test_tiles_count_worst_first_and_keep_the_chosen_one():
    counts = Counter({State.RUNNING: 27, State.CRASHED: 2})
    tiles = live_view.tiles(counts, State.FAILED)
    assert [(tile.state, tile.n, tile.is_chosen) for tile in tiles] == [
        (State.CRASHED, 2, False),
        (State.FAILED, 0, True),
        (State.RUNNING, 27, False),
    ]


def test_a_missing_client_is_a_row_and_counts():
    view = a_view(judged(a_job("beam", NOW)), missing=[tag_of("pixel")])
    assert [(line.client, line.state) for line in view.lines] == [("pixel", State.MISSING), ("beam", State.RUNNING)]
    assert view.counts == {State.MISSING: 1, State.RUNNING: 1}
    assert view.mood == "warn"


def test_filters_hide_rows_but_do_not_change_the_counts():
    choice = Choice(cluster="production", state=State.CRASHED, q="PIX")
    jobs = [
        judged(a_job("pixel", NOW), State.CRASHED),
        judged(a_job("pixellumi", NOW)),
        judged(a_job("beam", NOW), State.CRASHED),
    ]
    view = a_view(*jobs, choice=choice)
    assert [line.client for line in view.lines if view.shows(line)] == ["pixel"]
    assert view.shown == 1
    assert view.counts[State.CRASHED] == 2


@pytest.mark.parametrize(
    ("counts", "title"),
    [
        ({State.CRASHED: 2, State.FAILED: 1, State.RUNNING: 9}, "(2 crashed) Run 7"),
        ({State.FAILED: 1}, "(1 failed) Run 7"),
        ({State.STUCK: 3, State.QUIET: 1}, "(3 stuck) Run 7"),
        ({State.QUIET: 1, State.MISSING: 1}, "Run 7"),
    ],
)
def test_the_title_carries_the_worst_that_wants_somebody(counts, title):
    assert live_view.title("Run 7", Counter(counts)) == title


def test_the_delay_is_that_of_the_slowest_stream_in_the_newest_lumisection():
    first, *others = a_run(NOW).streams
    late_but_old = replace(first, last_lumi=400, last_delay_seconds=900.0)
    slow = replace(first, last_delay_seconds=31.0)
    unreadable = replace(first, last_lumi=999, last_delay_seconds=None)
    assert live_view.last_delay([late_but_old, slow, unreadable, *others]) == 31.0
    assert live_view.last_delay([]) is None


def test_a_start_that_nobody_told_is_doubted():
    view = a_view(run=a_run(NOW, global_start=None))
    assert (view.started_at, bool(view.start_doubt)) == (NOW - timedelta(hours=3), True)
    assert a_view(run=a_run(NOW, global_start_estimated=True)).start_doubt.startswith("Estimated")
    assert a_view().start_doubt == ""


def test_a_run_is_linked_to_where_else_it_is_known():
    links = dict(a_view().links)
    assert links["OMS"] == f"https://cmsoms.cern.ch/cms/runs/report?cms_run={RUN}"
    assert links["DQM GUI"].startswith(f"https://cmsweb.cern.ch/dqm/online/start?runnr={RUN};")
    assert f"obf%5Brules%5D%5B0%5D%5Bvalue%5D={RUN}&" in links["Run Registry"]


def test_a_playback_is_linked_by_the_run_that_it_repeats():
    view = a_view(choice=Choice(cluster="playback"), playback=a_playback(RUN))
    links = dict(view.links)
    assert links["OMS"].endswith("cms_run=256936")
    assert links["DQM GUI"].startswith(f"https://cmsweb.cern.ch/dqm/online-playback/start?runnr={RUN};")


def test_links_carry_what_is_not_usual_and_nothing_else():
    choice = Choice(cluster="production", run=5, sort="-events", q="pix", kiosk=True)
    assert Choice(cluster="production").query() == {"db": "production"}
    assert choice.query() == {"run": "5", "db": "production", "sort": "-events", "q": "pix", "kiosk": "1"}
    assert choice.query(run=None, q=None, kiosk=None) == {"db": "production", "sort": "-events"}


def test_unknown_is_not_down():
    words = [cluster_view.host_line(a_host("fu..01", NOW, is_up=is_up)).word for is_up in (True, False, None)]
    assert words == ["up", "down", "unknown"]


def test_memory_is_what_is_not_available_rather_than_what_the_cache_took():
    host = a_host(
        "fu..01", NOW, memory_used_bytes=200 * GB, memory_total_bytes=256 * GB, memory_available_bytes=192 * GB
    )
    assert cluster_view.host_line(host).gauges == (Gauge("memory", 25.0, (90.0,), "64 GB of 256 GB"),)
    unknown = replace(host, memory_available_bytes=None)
    assert cluster_view.host_line(unknown).gauges[0].percent == 78.1


def test_a_ramdisk_has_its_two_thresholds_and_none_that_is_not_told():
    disk: dict[str, Any] = {"memory_total_bytes": None, "disk_used_bytes": 70, "disk_total_bytes": 100}
    host = a_host("bu..01", NOW, **disk, disk_rename_percent=80.0, disk_delete_percent=60.0)
    (gauge,) = cluster_view.host_line(host).gauges
    assert (gauge.marks, gauge.level) == ((60.0, 80.0), "warn")
    (bare,) = cluster_view.host_line(a_host("bu..01", NOW, **disk)).gauges
    assert (bare.marks, bare.level) == ((), "ok")
    gone = a_host("bu..01", NOW, memory_total_bytes=None, disk_used_bytes=-1, disk_total_bytes=-1)  # no such folder
    assert cluster_view.host_line(gone).gauges == ()


@pytest.mark.parametrize(("percent", "level"), [(59.9, "ok"), (60, "warn"), (79.9, "warn"), (80, "bad")])
def test_a_gauge_turns_at_its_thresholds(percent, level):
    assert Gauge("ramdisk", percent, (60.0, 80.0), "").level == level

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dqmsquare.documents import LumiRange, StreamFiles
from dqmsquare.server import delivery_view, job_view
from dqmsquare.server.job_view import OddLumis, PastRun
from dqmsquare.server.judging import JudgedJob
from dqmsquare.states import State, Verdict
from dqmsquare.storage.rows import JobSeries
from tests.browser.cast import NO_FILE, RUN, SKIPPED, a_delivery, a_history, a_job, a_run, a_series

NOW = datetime(2022, 9, 15, 14, 55, tzinfo=UTC)
JOB = a_job("pixel", NOW, exit_code=86, lumi=466)


def a_view(job=JOB, *others, **fields):
    values = {
        "run": a_run(NOW),
        "judged": [JudgedJob(one, Verdict(State.FAILED, None)) for one in (job, *others)],
        "series": a_series(NOW),
        "history": a_history(),
        "slope_warning": 200,
        "now": NOW,
    }
    return job_view.job_view(job, **{**values, **fields})


def test_attempts_are_those_of_this_client_by_their_first_report():
    again = replace(JOB, job_id="b" * 16, first_reported_at=NOW - timedelta(minutes=5))
    stranger = a_job("pixellumi", NOW)
    view = a_view(again, stranger, JOB)
    assert [line.key for line in view.attempts] == [JOB.job_id, again.job_id]
    assert view.attempt_number == 2


def test_the_last_runs_stand_from_left_to_right_each_with_its_worst():
    history = job_view.past_runs(a_history(), RUN)
    assert len(history) == 10
    assert history[0] == PastRun(RUN - 10, State.FINISHED)
    assert [past for past in history if past.state != State.FINISHED] == [
        PastRun(RUN - 7, State.FAILED),
        PastRun(RUN - 3, State.CRASHED),
    ]


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        ({"n_crashed": 1, "n_failed": 1}, State.CRASHED),
        ({"n_failed": 1, "n_open": 1}, State.FAILED),
        ({"n_open": 1}, State.LOST),
        ({"n_stopped": 1}, State.STOPPED),
        ({}, State.FINISHED),
    ],
)
def test_a_past_run_shows_the_worst_that_happened(counts, state):
    assert job_view.past_runs([replace(a_history()[0], **counts)], RUN)[0].state == state


def test_lumisections_are_told_in_a_line_with_the_reasons_worst_first():
    assert a_view().lumi_words == (
        "449 read · 1 error: data file missing (213) · 2 skipped: timeout (97–98) · "
        "14 close: forced end-of-run (331–344)"
    )


def test_a_reason_that_is_everywhere_names_its_first_places_only():
    ranges = [LumiRange(n, n, "warn", "skipped: timeout") for n in range(1, 20, 2)]
    assert job_view.lumi_words(ranges) == "10 skipped: timeout (1, 3, 5, 7, 9, 11, …)"


def test_each_stretch_that_was_not_simply_read_is_listed():
    ranges = (LumiRange(1, 96, "ok", ""), SKIPPED, NO_FILE)
    assert job_view.odd_lumis(ranges) == [
        OddLumis("97–98", "warn", "skipped: timeout"),
        OddLumis("213", "bad", "error: data file missing"),
    ]


def test_updates_of_one_lumisection_are_summed():
    series = JobSeries(memory=(), lumis=((5, 100, 10.0), (5, 50, 5.0), (6, 60, 20.0)), lumi_ranges=())
    graphs = {graph.key: graph.rows for graph in job_view.graphs(series)}
    assert graphs == {
        "memory": (),
        "rate": (("5", "10"), ("6", "3")),
        "events": (("5", "150"), ("6", "60")),
        "seconds": (("5", "15"), ("6", "20")),
    }


def test_a_lumisection_that_took_no_time_has_no_rate():
    series = JobSeries(memory=(), lumis=((5, 100, 0.0), (6, 60, 20.0)), lumi_ranges=())
    assert {graph.key: graph.rows for graph in job_view.graphs(series)}["rate"] == (("6", "3"),)


def test_time_is_drawn_against_the_length_of_a_lumisection():
    graph = next(graph for graph in a_view().graphs if graph.key == "seconds")
    assert graph.chart is not None
    assert graph.chart.reference is not None
    assert graph.chart.reference.label == "23.3 s"


def test_memory_is_drawn_by_the_time_since_the_first_report():
    graph = a_view().graphs[0]
    assert graph.rows[:2] == (("0.0 s", "900"), ("30 s", "902"))
    assert graph.chart is not None
    assert [tick.label for tick in graph.chart.x_ticks] == ["30 min", "1 h", "1 h 30", "2 h", "2 h 30"]


@pytest.mark.parametrize(
    ("span", "labels"), [(50, []), (130, ["1 min", "2 min"]), (90_000, ["6 h", "12 h", "18 h", "24 h"])]
)
def test_times_are_marked_at_round_steps(span, labels):
    assert [label for _, label in job_view.time_ticks(span)] == labels


def test_a_job_without_graphs_still_has_its_odd_lumisections():
    view = a_view(replace(JOB, odd_lumis=(SKIPPED,)), series=None)
    assert (view.graphs, view.lumi_words) == ((), "2 skipped: timeout (97–98)")
    assert len(view.strip) == 1


def test_facts_are_worked_out():
    view = a_view()
    assert (view.n_behind, view.ran_seconds, view.input_words) == (2, 10_780.0, "open")
    assert not view.is_alive
    assert a_view(replace(JOB, fi_state=None, first_reported_at=None)).input_words == "not told"
    assert a_view(replace(JOB, cmssw_run=RUN - 1)).reads_another_run
    assert not a_view(replace(JOB, cmssw_run=0)).reads_another_run  # before the first lumisection


def test_a_delay_counts_from_the_end_of_the_lumisection():
    lumis, streams = delivery_view.stream_columns(a_delivery(NOW))
    assert (lumis[0], lumis[-1], len(lumis)) == (1, 465, 465)
    assert [stream.label for stream in streams] == [
        "DQM",
        "DQMCalibration",
        "DQMEventDisplay",
        "DQMGPUvsCPU",
        "DQMHistograms",
    ]
    assert streams[0].mtime_delays[:3] == [19.3, 20.6, 21.9]
    assert streams[0].ctime_delays[:3] == [20.3, 21.6, 22.9]


def test_what_is_missing_or_unreadable_is_a_gap_and_no_zero():
    row = a_delivery(NOW)
    start = row.global_start or 0
    two = StreamFiles((1, 2), (start + 30, -1), (start + 31, -1), (5, -1), (5, -1), (9, -1))
    one = StreamFiles((3,), (start + 90,), (start + 91,), (7,), (7,), (9,))
    data = delivery_view.delivery_data(replace(row, lumi_seconds=20.0, streams={"streamA": two, "streamB": one}))
    assert data == {
        "run": RUN,
        "lumis": [1, 2, 3],
        "streams": [
            {"label": "A", "mtime": [10.0, None, None], "ctime": [11.0, None, None], "events": [5, None, None]},
            {"label": "B", "mtime": [None, None, 30.0], "ctime": [None, None, 31.0], "events": [None, None, 7]},
        ],
    }


def test_without_a_start_there_is_no_delay_but_there_are_events():
    _, streams = delivery_view.stream_columns(replace(a_delivery(NOW), global_start=None))
    assert set(streams[0].mtime_delays) == {None}
    assert None not in streams[0].n_accepted


def test_the_table_has_the_newest_lumisection_first():
    table = delivery_view.delivery_table(a_delivery(NOW), by_ctime=False)
    assert (table.labels[0], table.rows[0][0], table.rows[-1][0]) == ("DQM", 465, 1)
    assert table.rows[-1][1][0][0] == 19.3
    assert delivery_view.delivery_table(a_delivery(NOW), by_ctime=True).rows[-1][1][0][0] == 20.3

from datetime import timedelta

import orjson
import pytest

from dqmsquare.server.judging import hold_until, judge_jobs, make_standing, missing_tags, state_counts
from dqmsquare.states import State
from dqmsquare.storage import host_queries, queries
from dqmsquare.storage.rows import HostRow, JobRow, RunRow
from tests.unit.server.server_fakes import NOW, blank


def job(silent_seconds=0.0, **changed):
    values = {
        "run": 400,
        "tag": "beam",
        "host_id": "host000000000001",
        "heard_at": NOW - timedelta(seconds=silent_seconds),
    }
    return blank(JobRow, **values | changed)


def judge(*jobs, newest_run=400, host_has_left=None):
    return judge_jobs(jobs, newest_run=newest_run, host_has_left=host_has_left or {}, now=NOW, stuck_after_seconds=900)


def test_each_job_is_judged_and_the_first_change_to_come_is_known():
    judged = judge(job(30), job(300), job(1000), job(exit_code=0), job(exit_code=-11))
    assert [one.state for one in judged] == ["running", "quiet", "stuck", "finished", "crashed"]
    assert hold_until(judged) == NOW + timedelta(seconds=90)
    assert hold_until(judge(job(exit_code=0))) is None


def test_a_newer_run_or_a_host_that_has_left_makes_a_silent_job_lost():
    assert [one.state for one in judge(job(300), newest_run=401)] == [State.LOST]
    assert [one.state for one in judge(job(30), host_has_left={"host000000000001": True})] == [State.LOST]
    assert [one.state for one in judge(job(30), host_has_left={"host000000000001": False, "other": True})] == [
        State.RUNNING
    ]


def test_counts_name_every_state():
    counts = state_counts(judge(job(30), job(exit_code=-11), job(exit_code=-6)), n_missing=2)
    assert counts == {
        "running": 1,
        "quiet": 0,
        "stuck": 0,
        "lost": 0,
        "finished": 0,
        "stopped": 0,
        "failed": 0,
        "crashed": 2,
        "missing": 2,
    }


def test_missing_are_the_expected_that_have_no_job():
    assert missing_tags(judge(job(tag="beam")), ["beam", "csc", "dt"]) == ["csc", "dt"]


@pytest.fixture
def database(monkeypatch):
    """Sets what the queries answer."""

    def answer(runs, jobs=(), expected=(), hosts=()):
        rows = [blank(RunRow, run=run) for run in runs]
        monkeypatch.setattr(queries, "recent_runs", lambda connection, limit: rows[:limit])
        monkeypatch.setattr(queries, "jobs_of_run", lambda connection, run: list(jobs))
        monkeypatch.setattr(queries, "expected_tags", lambda connection, run: list(expected))
        monkeypatch.setattr(host_queries, "hosts_of_cluster", lambda connection: list(hosts))

    return answer


def test_the_standing_is_that_of_the_newest_run(database):
    left = blank(HostRow, host_id="host000000000002", has_left=True)
    database(range(400, 300, -1), [job(30), job(30, host_id="host000000000002")], ["beam", "csc"], [left])
    rendered = make_standing(900, lambda: NOW)(None, "event")
    counts = dict.fromkeys((state.value for state in State), 0) | {"running": 1, "lost": 1, "missing": 1}
    assert orjson.loads(rendered.body) == {"newest": 400, "recent_from": 381, "counts": counts}
    assert rendered.holds_until == NOW + timedelta(seconds=90)


def test_an_empty_database_has_a_standing_too(database):
    database([])
    rendered = make_standing(900, lambda: NOW)(None, "event")
    assert orjson.loads(rendered.body)["newest"] is None
    assert rendered.holds_until is None

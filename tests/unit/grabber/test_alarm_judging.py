from datetime import timedelta

import pytest

from dqmsquare.alarm_names import Rule
from dqmsquare.config import parse_config
from dqmsquare.grabber.alarm_judging import Decision, decide, judge
from dqmsquare.storage.alarm_facts import AlarmFacts, RunFacts
from tests.unit.grabber.alarm_examples import HOST, NOW, RUN, disk, host, job, open_alarm, run

CONFIG = parse_config({}, role="database", as_root=False)
CRASHED = job("crashed", exit_code=-11)


def facts(*jobs, standing=(), runs=None, **changed):
    one_run = [RunFacts(run=run(), jobs=list(jobs))]
    values = {
        "now": NOW,
        "runs": one_run if runs is None else runs,
        "hosts": [host()],
        "disks": [],
        "ages": {HOST: 1.0},
    }
    return AlarmFacts(**{**values, "standing": list(standing), **changed})


def decided(of) -> Decision:
    return decide(of, judge(of, CONFIG), behind_after_seconds=60)


def raised(of):
    return [(alarm.rule, alarm.subject) for alarm in decided(of).raised]


def test_when_all_goes_well_nothing_is_stored():
    assert decided(facts(job())) == Decision((), frozenset())
    assert decided(facts(runs=[], hosts=[], ages={})) == Decision((), frozenset())


def test_several_rules_may_find_something_at_once():
    found = facts(CRASHED, job(), hosts=[host(is_up=False)], disks=[disk(90)])
    assert raised(found) == [("JobCrashed", "crashed"), ("HostDown", HOST), ("RamdiskFull", HOST)]


def test_an_alarm_that_stands_is_neither_raised_again_nor_over():
    standing = [open_alarm("JobCrashed", "crashed", run=RUN, job_id="crashed")]
    assert decided(facts(CRASHED, standing=standing)) == Decision((), frozenset())


def test_a_first_start_raises_nothing_for_history():
    old = run(last_reported_at=NOW - timedelta(hours=2))
    assert raised(facts(runs=[RunFacts(run=old, jobs=[CRASHED])])) == []
    before = RunFacts(run=run(RUN - 1, last_reported_at=NOW - timedelta(minutes=3)), jobs=[job("before", exit_code=86)])
    assert raised(facts(runs=[RunFacts(run=run(), jobs=[]), before])) == [("JobFailed", "before")]


def test_a_crash_is_over_when_its_client_runs_again_or_its_run_is_not_watched_any_more():
    alarm = open_alarm("JobCrashed", "crashed", run=RUN, job_id="crashed")
    again = job("again", first_reported_at=NOW)
    assert decided(facts(CRASHED, again, standing=[alarm])).resolved == {alarm.alarm_key}
    newer = [RunFacts(run=run(RUN + 2), jobs=[]), RunFacts(run=run(RUN + 1), jobs=[])]
    assert decided(facts(runs=newer, standing=[alarm])).resolved == {alarm.alarm_key}


def test_a_crash_of_a_silent_run_still_stands():
    alarm = open_alarm("JobCrashed", "crashed", run=RUN, job_id="crashed")
    silent = [RunFacts(run=run(last_reported_at=NOW - timedelta(hours=2)), jobs=[CRASHED])]
    assert decided(facts(runs=silent, standing=[alarm])) == Decision((), frozenset())


@pytest.mark.parametrize(("is_up", "is_over"), [(True, True), (None, False), (False, False)])
def test_a_host_that_was_down_is_over_it_when_it_is_up(is_up, is_over):
    alarm = open_alarm("HostDown", HOST, host_id=HOST)
    assert (decided(facts(hosts=[host(is_up=is_up)], standing=[alarm])).resolved == {alarm.alarm_key}) is is_over


def test_what_one_rule_cannot_tell_keeps_no_other_rules_alarm_open():
    alarm = open_alarm("RamdiskFull", HOST, host_id=HOST)
    assert decided(facts(hosts=[host(is_up=None)], disks=[disk(10)], standing=[alarm])).resolved == {alarm.alarm_key}


def test_clients_are_not_missing_while_a_host_is_being_caught_up_with():
    runs = [RunFacts(run=run(), jobs=[], expected=["pixel"])]
    assert raised(facts(runs=runs)) == [(Rule.CLIENT_MISSING, f"{RUN}/pixel")]
    assert raised(facts(runs=runs, hosts=[host(n_behind=10)])) == []
    assert raised(facts(runs=runs, hosts=[host(n_behind=10, grabber_state="backoff")])) != []


def test_the_mirror_is_behind_until_hosts_are_polled_again():
    alarm = open_alarm("MirrorBehind", HOST, host_id=HOST)
    assert decided(facts(standing=[alarm], ages={HOST: 61.0})).resolved == frozenset()
    assert decided(facts(standing=[alarm], ages={HOST: 1.0})).resolved == {alarm.alarm_key}

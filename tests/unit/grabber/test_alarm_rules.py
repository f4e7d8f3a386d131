from dataclasses import replace
from datetime import timedelta

import pytest

from dqmsquare.alarm_names import Rule
from dqmsquare.grabber import alarm_rules
from dqmsquare.grabber.alarm_rules import Judgement
from dqmsquare.storage.alarms import NewAlarm
from tests.unit.grabber.alarm_examples import HOST, NOW, RUN, delivery, disk, host, job, open_alarm, run

OF_RUN = frozenset({RUN})
OF_HOST = frozenset({HOST})
OLD = NOW - timedelta(minutes=10)


def missing(jobs, expected, of_run=None, *, after_seconds=300.0, is_caught_up=True):
    return alarm_rules.missing_clients(
        of_run or run(), jobs, expected, NOW, after_seconds=after_seconds, is_caught_up=is_caught_up
    )


@pytest.mark.parametrize(
    ("exit_code", "rule", "ending"),
    [
        (-11, Rule.JOB_CRASHED, "beam crashed in run 398220 on fu..01: exit -11, SIGSEGV"),
        (139, Rule.JOB_CRASHED, "beam crashed in run 398220 on fu..01: exit 139, SIGSEGV"),
        (86, Rule.JOB_FAILED, "beam failed in run 398220 on fu..01: exit 86, likely FatalRootError"),
        (3, Rule.JOB_FAILED, "beam failed in run 398220 on fu..01: exit 3"),
    ],
)
def test_a_job_that_comes_to_a_bad_end(exit_code, rule, ending):
    [alarm] = alarm_rules.bad_endings([job(exit_code=exit_code)]).stands
    assert alarm == NewAlarm(rule=rule, subject="job1", words=ending, run=RUN, job_id="job1", host_id=HOST)
    assert alarm.key("production") == f"production/{rule}/job1"


@pytest.mark.parametrize("exit_code", [None, 0, -15, -2, 143])
def test_a_job_that_runs_finished_or_was_stopped_is_no_alarm(exit_code):
    assert alarm_rules.bad_endings([job(exit_code=exit_code)]) == Judgement()


def test_a_job_is_replaced_by_a_later_one_of_its_client_and_host_that_does_well():
    crashed = job("crashed", exit_code=-11)
    later = job("later", first_reported_at=NOW)
    assert alarm_rules.replaced_jobs([crashed, later]) == {"crashed"}
    for other in (
        replace(later, exit_code=86),
        replace(later, host_id="another"),
        replace(later, tag="pixel_dqm_sourceclient-live"),
        replace(later, first_reported_at=crashed.first_reported_at),
        replace(later, first_reported_at=None),
    ):
        assert alarm_rules.replaced_jobs([crashed, other]) == set()


def test_a_client_that_is_expected_is_missing_five_minutes_after_the_start():
    expected = ["beam_dqm_sourceclient-live", "pixel_dqm_sourceclient-live"]
    [alarm] = missing([job()], expected).stands
    assert alarm.key("production") == "production/ClientMissing/398220/pixel_dqm_sourceclient-live"
    assert alarm.words == "pixel has no job in run 398220 5 min after its start"
    assert missing([job(), job("job2", "pixel")], expected) == Judgement()


def test_nothing_is_missing_before_five_minutes_nor_in_a_run_that_is_over():
    young = (NOW - timedelta(seconds=299)).timestamp()
    assert missing([], ["pixel"], run(global_start=young)) == Judgement()
    assert missing([], ["pixel"], run(first_reported_at=None)) == Judgement()
    assert missing([], ["pixel"], run(n_open=0)) == Judgement()


def test_what_is_missing_cannot_be_told_while_jobs_may_still_come_or_nobody_reports():
    assert missing([], ["pixel"], is_caught_up=False) == Judgement(unclear_runs=OF_RUN)
    assert missing([], ["pixel"], run(last_reported_at=OLD)) == Judgement(unclear_runs=OF_RUN)


def test_all_rates_are_zero_for_three_lumisections():
    jobs = [job(rate_spark=(7.0, 0.0, 0.0, 0.0)), job("job2", "pixel", rate_spark=(0.0, 0.0, 0.0), lumi=49)]
    [alarm] = alarm_rules.zero_rates(run(), jobs, NOW).stands
    assert alarm.key("production") == "production/RatesZero/398220/47"
    assert alarm.words == "No client has had an event for 3 lumisections of run 398220, since lumisection 47"


def test_one_client_with_events_is_enough():
    jobs = [job(rate_spark=(0.0, 0.0, 0.0)), job("job2", "pixel", rate_spark=(0.0, 0.1, 0.0))]
    assert alarm_rules.zero_rates(run(), jobs, NOW) == Judgement()


def test_jobs_that_ended_are_silent_or_young_do_not_count_for_the_rates():
    zero = job(rate_spark=(0.0, 0.0, 0.0))
    others = [
        job("ended", exit_code=0),
        job("silent", heard_at=OLD),
        job("young", rate_spark=(5.0, 0.0)),
    ]
    assert len(alarm_rules.zero_rates(run(), [zero, *others], NOW).stands) == 1
    assert alarm_rules.zero_rates(run(), others, NOW) == Judgement(unclear_runs=OF_RUN)
    assert alarm_rules.zero_rates(run(n_open=0), [job(exit_code=0)], NOW) == Judgement()


def test_files_are_late_when_each_of_the_last_five_lumisections_took_over_60_s():
    row = delivery(2.0, 61.0, 62.0, 63.0, 64.0, 75.0)
    [alarm] = alarm_rules.late_delivery(run(), row, NOW).stands
    assert alarm.key("production") == "production/DeliveryDelayed/398220/2"
    assert alarm.words == (
        "Files of run 398220 have come more than 60 s late for 5 lumisections, lumisection 6 of DQM after 75 s"
    )


@pytest.mark.parametrize(
    "delays",
    [(61.0, 62.0, 63.0, 64.0), (61.0, 62.0, 60.0, 64.0, 75.0), (61.0, 62.0, 63.0, 64.0, 65.0, 5.0), ()],
)
def test_four_late_lumisections_or_one_in_time_are_no_alarm(delays):
    assert alarm_rules.late_delivery(run(), delivery(*delays), NOW) == Judgement()


def test_the_slowest_stream_counts_and_unreadable_files_do_not():
    row = delivery(1.0, 1.0, -1.0, HLT=(70.0, 2.0, 5.0))
    assert alarm_rules.slowest_files(row) == [(1, 70.0, "HLT"), (2, 2.0, "HLT"), (3, 5.0, "HLT")]


def test_late_files_of_a_run_that_is_over_are_no_alarm_and_of_a_silent_one_nobody_knows():
    late = delivery(*[70.0] * 5)
    assert alarm_rules.late_delivery(run(n_open=0), late, NOW) == Judgement()
    assert alarm_rules.late_delivery(run(last_reported_at=OLD), late, NOW) == Judgement(unclear_runs=OF_RUN)
    assert alarm_rules.late_delivery(run(), None, NOW) == Judgement()


def test_a_host_is_down_since_when_its_status_changed():
    [alarm] = alarm_rules.hosts_down([host(is_up=False, message="ConnectionError([address])")], NOW).stands
    assert alarm.key("production") == f"production/HostDown/{HOST}/1777635600000"
    assert alarm.words == "fu..01 is down: ConnectionError([address])"


def test_unknown_is_not_down_and_not_up_again():
    assert alarm_rules.hosts_down([host(is_up=None)], NOW) == Judgement(unclear_hosts=OF_HOST)
    assert alarm_rules.hosts_down([host(is_up=False, status_seen_at=OLD)], NOW) == Judgement(unclear_hosts=OF_HOST)
    assert alarm_rules.hosts_down([host(), host("left", is_up=False, has_left=True)], NOW) == Judgement()


def test_a_ramdisk_is_full_above_the_threshold_from_which_files_are_deleted():
    [alarm] = alarm_rules.full_ramdisks([disk(83)], NOW).stands
    assert alarm.words == "The ramdisk of bu..01 is 83 % full, over its threshold of 80 %"
    assert alarm.key("production") == f"production/RamdiskFull/{HOST}/1777636800000"
    assert alarm_rules.full_ramdisks([disk(80)], NOW) == Judgement()
    assert len(alarm_rules.full_ramdisks([disk(61, delete_percent=None)], NOW).stands) == 1


def test_a_ramdisk_without_numbers_is_no_alarm_and_of_an_old_one_nobody_knows():
    unknown = [
        disk(total_bytes=-1),
        disk(total_bytes=None),
        disk(used_bytes=None),
        disk(99, rename_percent=None, delete_percent=None),
    ]
    assert alarm_rules.full_ramdisks(unknown, NOW) == Judgement()
    assert alarm_rules.full_ramdisks([disk(99, received_at=OLD)], NOW) == Judgement(unclear_hosts=OF_HOST)


def test_a_host_is_polled_again_and_the_mirror_is_as_soon_as_one_host_is():
    alarms = [open_alarm("MirrorBehind", name) for name in ("slow", "quick", "gone", "all")]
    alarms.append(open_alarm("HostDown", "quick"))
    over = alarm_rules.polled_again(alarms, {"slow": 61.0, "quick": 2.0, "never": None}, 60.0)
    assert over == {"production/MirrorBehind/quick", "production/MirrorBehind/gone", "production/MirrorBehind/all"}
    assert alarm_rules.polled_again(alarms, {"slow": 61.0, "quick": 61.0}, 60.0) == {"production/MirrorBehind/gone"}

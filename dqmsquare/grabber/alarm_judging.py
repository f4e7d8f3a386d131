"""Puts the rules of the alarms together: every rule's judgement, and what follows from it for what is stored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from dqmsquare.alarm_names import Rule
from dqmsquare.config import Config
from dqmsquare.grabber import alarm_rules
from dqmsquare.grabber.alarm_rules import Judgement
from dqmsquare.storage.alarm_facts import AlarmFacts
from dqmsquare.storage.alarm_queries import AlarmRow
from dqmsquare.storage.alarms import NewAlarm

_IS_OF_NOW = timedelta(hours=1)  # a run not reported on for longer is history, of which a first start finds years

Judged = tuple[frozenset[Rule], Judgement]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be stored: new alarms, and the keys of those that are over."""

    raised: tuple[NewAlarm, ...]
    resolved: frozenset[str]


def judge(facts: AlarmFacts, config: Config) -> list[Judged]:
    """Every rule's judgement."""
    judged = [
        (
            frozenset({Rule.JOB_CRASHED, Rule.JOB_FAILED}),
            alarm_rules.bad_endings(j for r in facts.runs for j in r.jobs),
        ),
        (frozenset({Rule.HOST_DOWN}), alarm_rules.hosts_down(facts.hosts, facts.now)),
        (frozenset({Rule.RAMDISK_FULL}), alarm_rules.full_ramdisks(facts.disks, facts.now)),
    ]
    return judged + _judge_newest(facts, config)


def _judge_newest(facts: AlarmFacts, config: Config) -> list[Judged]:
    if not facts.runs:
        return []
    newest = facts.runs[0]
    missing = alarm_rules.missing_clients(
        newest.run,
        newest.jobs,
        newest.expected,
        facts.now,
        after_seconds=config.client_missing_after_seconds,
        is_caught_up=not any(h.n_behind and h.grabber_state in {"live", "filling"} for h in facts.hosts),
    )
    return [
        (frozenset({Rule.CLIENT_MISSING}), missing),
        (frozenset({Rule.RATES_ZERO}), alarm_rules.zero_rates(newest.run, newest.jobs, facts.now)),
        (frozenset({Rule.DELIVERY_DELAYED}), alarm_rules.late_delivery(newest.run, newest.delivery, facts.now)),
    ]


def decide(facts: AlarmFacts, judged: Iterable[Judged], *, behind_after_seconds: float) -> Decision:
    """What is new, of runs that are being reported on, and which open alarms are over."""
    standing = {(alarm.rule, alarm.subject) for alarm in facts.standing}
    live_runs = {
        facts_of.run.run
        for facts_of in facts.runs
        if facts_of.run.last_reported_at is not None and facts.now - facts_of.run.last_reported_at < _IS_OF_NOW
    }
    replaced = {job_id for facts_of in facts.runs for job_id in alarm_rules.replaced_jobs(facts_of.jobs)}
    raised: list[NewAlarm] = []
    resolved = alarm_rules.polled_again(facts.standing, facts.ages, behind_after_seconds)
    for rules, judgement in judged:
        raised += (
            alarm
            for alarm in judgement.stands
            if (alarm.rule, alarm.subject) not in standing and (alarm.run is None or alarm.run in live_runs)
        )
        resolved |= _over(facts.standing, rules, judgement, replaced)
    return Decision(tuple(raised), frozenset(resolved))


def _over(
    open_alarms: Sequence[AlarmRow], rules: frozenset[Rule], judgement: Judgement, replaced: set[str]
) -> set[str]:
    stands = {(alarm.rule, alarm.subject) for alarm in judgement.stands if alarm.job_id not in replaced}
    return {
        alarm.alarm_key
        for alarm in open_alarms
        if alarm.rule in rules
        and (alarm.rule, alarm.subject) not in stands
        and alarm.run not in judgement.unclear_runs
        and alarm.host_id not in judgement.unclear_hosts
    }

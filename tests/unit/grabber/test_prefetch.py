"""Documents that are fetched while others are stored."""

import threading

import pytest

from dqmsquare.errors import UpstreamUnavailable
from dqmsquare.grabber import prefetch
from dqmsquare.grabber.listing import ListedHeader
from dqmsquare.grabber.prefetch import Prefetch
from dqmsquare.grabber.reading import Fetched


def _group(number: int) -> list[ListedHeader]:
    return [ListedHeader(f"id-{number}", number, None, is_kept=True)]


def _fetch(group):
    return Fetched([], [], group[0].rev)


def test_groups_come_in_their_order_and_none_is_left_out():
    seen = [
        (header.rev, fetched) for group, fetched in Prefetch("x", map(_group, range(1, 40)), _fetch) for header in group
    ]
    assert [rev for rev, _ in seen] == list(range(1, 40))


def test_what_is_there_already_comes_together(monkeypatch):
    coming = Prefetch("x", map(_group, range(1, 5)), _fetch)
    coming._begin()
    for _, task in coming._under_way:
        task.result()
    group, fetched = next(coming)
    assert ([header.rev for header in group], fetched.n_missing) == ([1, 2, 3, 4], 10)
    monkeypatch.setattr(prefetch, "_TOGETHER_MAX", 1)
    assert len(next(Prefetch("x", map(_group, range(1, 5)), _fetch))[0]) == 1


def test_the_next_is_fetched_while_this_one_is_in_hand():
    fetching = threading.Event()

    def fetch(group):
        if group[0].rev == 2:
            fetching.set()
        return _fetch(group)

    coming = Prefetch("x", map(_group, (1, 2)), fetch)
    next(coming)
    assert fetching.wait(5)


def test_not_more_than_two_answers_are_in_memory_at_once():
    lock, n_now, most = threading.Lock(), 0, 0

    def fetch(group):
        nonlocal n_now, most
        with lock:
            n_now += 1
            most = max(most, n_now)
        threading.Event().wait(0.01)
        with lock:
            n_now -= 1
        return _fetch(group)

    assert sum(len(group) for group, _ in Prefetch("x", map(_group, range(1, 30)), fetch)) == 29
    assert most == 2


def test_a_failure_comes_in_its_turn():
    def fetch(group):
        if group[0].rev == 2:
            raise UpstreamUnavailable("away")
        return _fetch(group)

    coming = Prefetch("x", map(_group, (1, 2, 3)), fetch)
    assert [header.rev for header in next(coming)[0]] == [1]
    with pytest.raises(UpstreamUnavailable):
        next(coming)

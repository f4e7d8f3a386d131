"""Fetches the next documents while those before them are being stored: waiting, reading and storing overlap."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from dqmsquare.grabber.listing import ListedHeader
from dqmsquare.grabber.reading import Fetched
from dqmsquare.grabber.task import Task

Group = Sequence[ListedHeader]
_N_AHEAD = 4
_N_RAW = 2  # of these, how many are on their way or read: an answer takes ten times the memory of what is kept of it
_TOGETHER_MAX = 200  # documents


class Prefetch:
    """Iterates over groups and what was fetched for them, in order; groups that are there already come together.

    Belongs to one thread, in which `groups` is asked too. An iteration that raises ends it.
    """

    def __init__(self, name: str, groups: Iterator[Group], fetch: Callable[[Group], Fetched]) -> None:
        self._name = name
        self._groups = groups
        self._fetch = fetch
        self._raw = threading.Semaphore(_N_RAW)
        self._under_way: deque[tuple[Group, Task[Fetched]]] = deque()

    def __iter__(self) -> "Prefetch":
        return self

    def __next__(self) -> tuple[Group, Fetched]:
        self._begin()
        if not self._under_way:
            raise StopIteration
        group, task = self._under_way.popleft()
        fetched = task.result()
        while self._under_way and self._under_way[0][1].succeeded and len(group) < _TOGETHER_MAX:
            more, task = self._under_way.popleft()
            group, fetched = [*group, *more], fetched + task.result()
        self._begin()
        return group, fetched

    def _begin(self) -> None:
        while len(self._under_way) < _N_AHEAD and (group := next(self._groups, None)) is not None:
            self._under_way.append((group, Task(f"fetching {self._name}", partial(self._fetched, group))))

    def _fetched(self, group: Group) -> Fetched:
        with self._raw:
            return self._fetch(group)

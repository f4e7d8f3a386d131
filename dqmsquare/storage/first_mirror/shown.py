"""How an import is shown: a bar in a terminal, now and then a line elsewhere, words at its end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from dqmsquare.storage.first_mirror.importing import Progress as OnProgress
from dqmsquare.storage.first_mirror.importing import Report
from dqmsquare.storage.first_mirror.verification import reasons

_LINE_EVERY_SECONDS = 10.0
_NAMES = {"runs": "jobs (runs)", "graphs": "files (graphs)", "hoststatuses": "cluster status"}


@contextmanager
def shown_progress(console: Console) -> Iterator[OnProgress]:
    """What an import may call as often as it likes."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        yield _Bars(bars)


class _Pace:
    """Rows per second since the table was begun, and what is left at that pace."""

    def __init__(self) -> None:
        self.began_at = time.monotonic()

    def words(self, n_done: int, n_rows: int) -> str:
        seconds = time.monotonic() - self.began_at
        per_second = n_done / seconds if seconds > 0 else 0.0
        left = f", {(n_rows - n_done) / per_second:,.0f} s left" if per_second and n_done < n_rows else ""
        return f"{per_second:,.0f}/s{left}"


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, tuple[TaskID, _Pace]] = {}

    def __call__(self, table: str, n_done: int, n_rows: int) -> None:
        if table not in self._tasks:
            self._tasks[table] = self._bars.add_task(_NAMES[table], total=n_rows, rate=""), _Pace()
        task, pace = self._tasks[table]
        rate = pace.words(n_done, n_rows).partition(",")[0]
        self._bars.update(task, completed=n_done, total=max(n_rows, n_done), rate=rate)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._paces: dict[str, _Pace] = {}
        self._told_at = 0.0

    def __call__(self, table: str, n_done: int, n_rows: int) -> None:
        pace = self._paces.setdefault(table, _Pace())
        now = time.monotonic()
        if n_done < n_rows and now - self._told_at < _LINE_EVERY_SECONDS:
            return
        self._told_at = now
        self._console.print(f"{_NAMES[table]}: {n_done:,} of {n_rows:,}, {pace.words(n_done, n_rows)}", highlight=False)


def report_lines(report: Report) -> Iterator[str]:
    """What an import did, in a few lines."""
    told = ", ".join(f"{n} runs for {zone}" for zone, n in report.votes.items() if n)
    yield f"The first mirror's clock: {report.clock}" + (f" (by their first files, {told})" if told else "")
    for table, tally in report.tables.items():
        words = f"{tally.n_stored:,} stored, {tally.n_held:,} were there, {tally.n_left_out:,} say nothing"
        if tally.refused.total():
            words += f", {tally.refused.total():,} into quarantine ({reasons(tally.refused)})"
        yield f"{_NAMES[table]}: {words}"
    if report.n_status_rows:
        yield (
            f"{_NAMES['hoststatuses']}: {report.n_status_rows:,} rows are {report.n_intervals:,} changes, "
            f"{report.n_new_intervals:,} of them new"
        )
    if report.is_open_to:
        yield f"Beware: {report.is_open_to} may read the old tables, which name hosts. Take this right away."

"""The timeline as data: its columns, its rows, its legend. Drawing is the templates'."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from markupsafe import Markup

from dqmsquare.documents import client_name, split_release
from dqmsquare.server import live_view
from dqmsquare.server.timeline_cells import TimelineRun
from dqmsquare.server.timeline_choice import Choice
from dqmsquare.server.timeline_markup import Column
from dqmsquare.states import SEVERITY, State
from dqmsquare.storage.rows import RunRow


@dataclass(frozen=True, slots=True)
class Line:
    """A row: a run and its cells as markup."""

    shown: TimelineRun
    cells: Markup

    @property
    def run(self) -> RunRow:
        """The run's summary."""
        return self.shown.run

    @property
    def cmssw(self) -> str:
        """CMSSW without the pull requests on top of it."""
        return split_release(self.run.release).cmssw if self.run.release else ""

    @property
    def counts_text(self) -> str:
        """The legend's share of this row: `crashed 2 finished 29`."""
        return " ".join(f"{state} {n}" for state, n in sorted(self.shown.counts.items()))


@dataclass(frozen=True, kw_only=True)
class TimelineView:
    """All the timeline shows. `older_than`: there are more runs below this one; None where these are all.

    `n_known`: so many of the columns are on the page already.
    """

    choice: Choice
    columns: Sequence[Column]
    n_known: int
    lines: Sequence[Line]
    older_than: int | None
    run_keys: Sequence[str]
    now: datetime

    @cached_property
    def counts(self) -> Counter[State]:
        """Cells of all rows by state."""
        total: Counter[State] = Counter()
        for one in self.lines:
            total.update(one.shown.counts)
        return total

    @property
    def legend(self) -> list[live_view.Tile]:
        """Every state, worst first, with how many cells are in it."""
        return [live_view.Tile(state, self.counts[state], state == self.choice.pin) for state in SEVERITY]

    @property
    def holds_until(self) -> datetime | None:
        """When the clock changes one of its cells; None: never."""
        return min((one.shown.holds_until for one in self.lines if one.shown.holds_until is not None), default=None)

    @property
    def follows_all(self) -> bool:
        """Whether the first row is the newest run of all."""
        return self.choice.follows and not self.choice.is_narrowed

    @property
    def mood(self) -> str:
        """The favicon: of the newest run."""
        return live_view.mood(self._newest_counts)

    @property
    def title(self) -> str:
        """The worst of the newest run that wants somebody's attention, then the page; so does static/js/title.js."""
        return live_view.title("Timeline", self._newest_counts)

    @property
    def _newest_counts(self) -> Counter[State]:
        return self.lines[0].shown.counts if self.lines and self.follows_all else Counter()

    @property
    def adds(self) -> str:
        """Tags of the columns that the page does not have yet."""
        return " ".join(one.tag for one in self.columns[self.n_known :]) if self.n_known else ""

    @property
    def n_columns(self) -> int:
        """Of the whole table."""
        return len(self.columns) + 4

    @property
    def range_words(self) -> str:
        """The chosen range of runs in words; "" where none is chosen."""
        first, last = self.choice.chosen.first, self.choice.chosen.last
        if first is None and last is None:
            return ""
        return f"{first or '…'} – {last or 'now'}"


def tags_of(shown: Iterable[TimelineRun], known: Sequence[str]) -> list[str]:
    """The tags of a table's columns: `known` ones keep their places, others follow by name."""
    others = {tag for one in shown for tag in one.cells}.difference(known)
    return [*known, *sorted(others, key=lambda tag: (client_name(tag).lower(), tag))]

"""The timeline: its page, its rows by themselves, its CSV: routes and what they read."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import bottle

from dqmsquare.server.frames import HTML, Frame, render, whole_number
from dqmsquare.server.live_pages import HIGHEST_RUN
from dqmsquare.server.responses import respond
from dqmsquare.server.site import Site
from dqmsquare.server.snapshots import EventId, Make, Rendered
from dqmsquare.server.timeline_attempts import AttemptPages
from dqmsquare.server.timeline_cells import read_runs
from dqmsquare.server.timeline_choice import LAST, LAST_MAX, PAGE_ROWS, Choice, narrowed, read_choice, read_columns
from dqmsquare.server.timeline_csv import csv_in_pieces
from dqmsquare.server.timeline_markup import Column, cells_of_run, column
from dqmsquare.server.timeline_view import Line, TimelineView, tags_of
from dqmsquare.server.watched import Connection, utc_now
from dqmsquare.storage import run_list
from dqmsquare.storage.run_list import RunFilter

CSV = "text/csv; charset=utf-8"


def add_timeline_pages(app: bottle.Bottle, site: Site, clock: Callable[[], datetime] = utc_now) -> None:
    """`/timeline/` and what lies below it."""
    pages, attempts = TimelinePages(site, clock), AttemptPages(site, clock)
    app.get("/timeline", callback=pages.whole)
    app.get("/timeline/", callback=pages.whole)
    app.get("/timeline/rows", callback=pages.rows)
    app.get("/timeline/runs.csv", callback=pages.csv)
    app.get("/timeline/<run:int>/<tag>", callback=attempts.job)
    app.get("/timeline/<run:int>/<tag>/card", callback=attempts.card)


class TimelinePages:
    """The routes of the whole table."""

    def __init__(self, site: Site, clock: Callable[[], datetime]) -> None:
        self._site = site
        self._clock = clock

    def whole(self) -> bottle.HTTPResponse:
        """The page."""
        choice = read_choice(self._site, bottle.request)

        def make(connection: Connection, event: EventId) -> Rendered:
            view = self.read(connection, choice, choice.chosen, choice.n_rows, ())
            return self._rendered("timeline.html", view, event)

        return self._answer(choice, ("timeline.html", choice), make)

    def rows(self) -> bottle.HTTPResponse:
        """Rows by themselves: of one run, of those newer than another one, or so many of those chosen."""
        request = bottle.request
        choice, known = read_choice(self._site, request), read_columns(request)
        run, above = (whole_number(request, name, HIGHEST_RUN) for name in ("run", "above"))
        limit = whole_number(request, "n", LAST_MAX) or (LAST_MAX if above else PAGE_ROWS)
        is_list = run is None and above is None

        def make(connection: Connection, event: EventId) -> Rendered:
            view = self.read(connection, choice, narrowed(choice, above=above, run=run), limit, known)
            view = view if is_list else replace(view, older_than=None)
            return self._rendered("timeline_rows.html", view, event)

        return self._answer(choice, ("timeline_rows.html", choice, run, above, limit, known), make, run=run)

    def csv(self) -> bottle.HTTPResponse:
        """A line per run and client of everything that is chosen, streamed."""
        choice = read_choice(self._site, bottle.request)
        database = self._site.clusters[choice.cluster].database
        pieces = csv_in_pieces(database, choice, self._clock, self._site.config.stuck_after_seconds)
        first = next(pieces)  # where the database is gone, that can still be told
        name = f'attachment; filename="timeline-{choice.cluster}.csv"'
        headers = {"Content-Type": CSV, "Cache-Control": "no-store", "Content-Disposition": name}
        return bottle.HTTPResponse(itertools.chain((first,), pieces), 200, **headers)

    def read(
        self, connection: Connection, choice: Choice, chosen: RunFilter, limit: int, known: Sequence[str]
    ) -> TimelineView:
        """The newest `limit` of the chosen runs; `known` are the tags of columns that the page has already."""
        now = self._clock()
        rows = run_list.list_runs(connection, chosen, limit + 1, choice.before)
        stuck_after = self._site.config.stuck_after_seconds
        shown = read_runs(connection, rows[:limit], now=now, stuck_after_seconds=stuck_after)
        columns = [self._column(choice, tag) for tag in tags_of(shown, known)]
        has_more = len(rows) > limit and (choice.last is None or limit < choice.last)
        return TimelineView(
            choice=choice,
            columns=columns,
            n_known=len(known),
            lines=[Line(one, cells_of_run(one.run.run, one.cells, columns)) for one in shown],
            older_than=rows[limit - 1].run if has_more else None,
            run_keys=run_list.run_keys(connection),
            now=now,
        )

    def _column(self, choice: Choice, tag: str) -> Column:
        query = self._site.url("", db=choice.cluster, palette=choice.palette or None).removeprefix(self._site.url(""))
        return column(tag, self._site.url("/timeline/"), query)

    def _rendered(self, template: str, view: TimelineView, event: EventId) -> Rendered:
        framed = timeline_frame(self._site, view)
        body = render(self._site, template, now=view.now, view=view, frame=framed, after=event, offered=LAST)
        # Each row says itself until when it holds: nobody is told when one of them does not any more.
        return Rendered(body, HTML, view.holds_until, is_shown=False)

    def _answer(
        self, choice: Choice, key: tuple[object, ...], make: Make, run: int | None = None
    ) -> bottle.HTTPResponse:
        after = bottle.request.query.get("after")
        return respond(
            self._site.clusters[choice.cluster].snapshots.get(key, make, run=run, after=after), bottle.request
        )


def timeline_frame(site: Site, view: TimelineView) -> Frame:
    """The timeline's frame; its links keep the whole view."""

    def here(**changes: object) -> str:
        return site.url("/timeline/", **view.choice.query(**changes))

    choice = view.choice
    return Frame(
        cluster=choice.cluster,
        section="Timeline",
        here=here,
        palette=choice.palette,
        kiosk=choice.kiosk,
        mood=view.mood,
    )

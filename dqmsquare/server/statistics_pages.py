"""The statistics: their page, and each table as CSV, JSON and PNG: routes and what they read."""

from collections.abc import Callable
from datetime import datetime

import bottle

from dqmsquare.errors import TooManyRuns
from dqmsquare.server.counting import COUNTS_HOLD, NO_RUN, CountingPlaces
from dqmsquare.server.frames import HTML, Frame, render
from dqmsquare.server.responses import problem, respond
from dqmsquare.server.site import Site
from dqmsquare.server.snapshots import EventId, Make, Rendered
from dqmsquare.server.statistics_choice import LAST, Choice, read_choice
from dqmsquare.server.watched import Connection, utc_now
from dqmsquare.statistics import TABLES, Painter, StatisticsTable, as_csv, as_json, meanings, numbers, pictures
from dqmsquare.statistics.shown import heading, text_of
from dqmsquare.storage import run_list, statistics_selection
from dqmsquare.storage.statistics_selection import Selection

CSV, JSON, PNG = "text/csv; charset=utf-8", "application/json", "image/png"
_ROWS_SHOWN = 100


def add_statistics_pages(app: bottle.Bottle, site: Site, clock: Callable[[], datetime] = utc_now) -> None:
    """`/statistics/` and what lies below it."""
    site.templates.filters.update(heading=heading, shown=text_of)
    pages = StatisticsPages(site, clock)
    app.get("/statistics", callback=pages.whole)
    app.get("/statistics/", callback=pages.whole)
    for form in ("csv", "json", "png"):
        app.get(f"/statistics/<name>.{form}", callback=getattr(pages, form))


class StatisticsPages:
    """The routes."""

    def __init__(self, site: Site, clock: Callable[[], datetime]) -> None:
        self._site = site
        self._clock = clock
        self._painter = Painter(site.config.tmp_dir / "matplotlib")
        self._counting = CountingPlaces()

    def whole(self) -> bottle.HTTPResponse:
        """The page."""
        choice = read_choice(self._site, bottle.request)

        def make(connection: Connection, event: EventId) -> Rendered:
            selection = self._select(connection, choice)
            shown = [table for table in TABLES.values() if table.shown] if selection else []
            found = numbers.read_numbers(connection, shown, selection) if selection else []
            body = render(
                self._site,
                "statistics.html",
                now=self._clock(),
                frame=statistics_frame(self._site, choice),
                choice=choice,
                selection=selection,
                tables=TABLES.values(),
                numbers={one.table.name: one for one in found},
                meanings=meanings(self._site.config.stuck_after_seconds),
                run_keys=run_list.run_keys(connection),
                offered=LAST,
                rows_shown=_ROWS_SHOWN,
                after=event,
            )
            return self._rendered(body, HTML)

        return self._answer(choice, ("statistics.html", choice), make)

    def csv(self, name: str) -> bottle.HTTPResponse:
        """A table for spreadsheets."""
        answer = self._table(name, "csv", CSV, as_csv)
        answer.set_header("Content-Disposition", f'attachment; filename="{name}.csv"')
        return answer

    def json(self, name: str) -> bottle.HTTPResponse:
        """A table for programs, with what its columns mean."""
        choice = read_choice(self._site, bottle.request)
        return self._table(name, "json", JSON, lambda found: as_json(found, choice.cluster))

    def png(self, name: str) -> bottle.HTTPResponse:
        """A table's picture, in the colours of `theme`."""
        theme = pictures.THEMES.get(bottle.request.query.get("theme") or "light")
        if theme is None:
            raise problem(400, f"theme must be one of {list(pictures.THEMES)}")
        return self._table(name, f"png {theme.name}", PNG, lambda found: self._painter.draw(found, theme))

    def _table(
        self, name: str, form: str, content_type: str, write: Callable[[numbers.Numbers], bytes]
    ) -> bottle.HTTPResponse:
        table, choice = _table(name), read_choice(self._site, bottle.request).runs

        def make(connection: Connection, event: EventId) -> Rendered:  # noqa: ARG001
            selection = self._select(connection, choice)
            if selection is None:
                raise problem(404, "There are no such runs.")
            [found] = numbers.read_numbers(connection, [table], selection)
            return self._rendered(write(found), content_type)

        return self._answer(choice, (form, name, choice), make)

    def _select(self, connection: Connection, choice: Choice) -> Selection | None:
        try:
            return statistics_selection.select_runs(
                connection,
                first=choice.first,
                last=choice.to,
                newest=choice.last,
                run_key=choice.run_key,
                stuck_after_seconds=self._site.config.stuck_after_seconds,
            )
        except TooManyRuns as error:
            raise problem(400, str(error)) from None

    def _rendered(self, body: bytes, content_type: str) -> Rendered:
        return Rendered(body, content_type, self._clock() + COUNTS_HOLD, is_shown=False)

    def _answer(self, choice: Choice, key: tuple[object, ...], make: Make) -> bottle.HTTPResponse:
        with self._counting.place():
            snapshot = self._site.clusters[choice.cluster].snapshots.get(key, make, run=NO_RUN)
        return respond(snapshot, bottle.request)


def statistics_frame(site: Site, choice: Choice) -> Frame:
    """The statistics' frame; its links keep the whole view."""

    def here(**changes: object) -> str:
        return site.url("/statistics/", **choice.query(**changes))

    return Frame(cluster=choice.cluster, section="Statistics", here=here, palette=choice.palette, kiosk=choice.kiosk)


def _table(name: str) -> StatisticsTable:
    found = TABLES.get(name)
    if found is None:
        raise problem(404, "There is no such table of statistics.")
    return found

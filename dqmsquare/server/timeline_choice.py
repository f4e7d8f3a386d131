"""What a URL of the timeline chooses: runs, how many, a pinned state, a look."""

from dataclasses import dataclass, replace

import bottle

from dqmsquare.documents.names import TAG
from dqmsquare.server.frames import looks, whole_number
from dqmsquare.server.live_pages import HIGHEST_RUN
from dqmsquare.server.responses import problem
from dqmsquare.server.site import Site
from dqmsquare.states import State
from dqmsquare.storage.run_list import RunFilter

LAST = (20, 50, 100)  # offered; any number up to LAST_MAX may be asked for
LAST_MAX = 1_000
PAGE_ROWS = 50
_ALL_RUNS = RunFilter()
_COLUMNS_MAX = 200
_RUN_KEY_MAX_LENGTH = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the URL says of the timeline: the `last` runs of those chosen or all of them; below the run `before`.

    `pin` is a state whose cells are to stand out.
    """

    cluster: str
    chosen: RunFilter = _ALL_RUNS
    last: int | None = None
    before: int | None = None
    pin: State | None = None
    palette: str = ""
    kiosk: bool = False

    @property
    def n_rows(self) -> int:
        """How many rows are drawn at first."""
        return self.last or PAGE_ROWS

    @property
    def follows(self) -> bool:
        """Whether runs that begin now belong to it."""
        return self.before is None and self.chosen.last is None

    @property
    def is_narrowed(self) -> bool:
        """Whether there may be runs that it leaves out."""
        return self.chosen != _ALL_RUNS or self.before is not None

    def query(self, **changes: object) -> dict[str, str]:
        """The parameters of a link that keeps everything but `changes`; what is usual is left out."""
        chosen = self.chosen
        values = {
            "db": self.cluster,
            "from": chosen.first,
            "to": chosen.last,
            "last": self.last,
            "run_key": chosen.run_key,
            "bad_only": 1 if chosen.bad_only else None,
            "ls": 1 if chosen.with_lumis else None,
            "pin": self.pin,
            "before": self.before,
            "palette": self.palette,
            "kiosk": 1 if self.kiosk else None,
            **changes,
        }
        return {name: str(value) for name, value in values.items() if value not in {None, ""}}

    def rows_of(self, **changes: object) -> dict[str, str]:
        """The parameters for rows of this view: what only changes how they look is left out."""
        return self.query(**{"pin": None, "kiosk": None, "last": None, "before": None, **changes})


def read_choice(site: Site, request: bottle.BaseRequest) -> Choice:
    """What the URL asks for. Runs may be asked for in either order; an unknown state counts as not said."""
    look, pin = looks(request), request.query.get("pin", "")
    first, last = (whole_number(request, name, HIGHEST_RUN) for name in ("from", "to"))
    if first is not None and last is not None:
        first, last = min(first, last), max(first, last)
    chosen = RunFilter(
        first=first,
        last=last,
        run_key=request.query.get("run_key", "")[:_RUN_KEY_MAX_LENGTH] or None,
        bad_only=request.query.get("bad_only") == "1",
        with_lumis=request.query.get("ls") == "1",
    )
    return Choice(
        cluster=site.cluster(request.query.get("db")).name,
        chosen=chosen,
        last=whole_number(request, "last", LAST_MAX),
        before=whole_number(request, "before", HIGHEST_RUN),
        pin=State(pin) if pin in set(State) else None,
        palette=str(look["palette"]),
        kiosk=bool(look["kiosk"]),
    )


def read_columns(request: bottle.BaseRequest) -> tuple[str, ...]:
    """The tags of the columns that a page has, as its script names them."""
    tags = tuple(filter(None, request.query.get("columns", "").split(",")))
    if len(tags) > _COLUMNS_MAX or not all(TAG.fullmatch(tag) for tag in tags) or len(set(tags)) < len(tags):
        raise problem(400, "columns must be the names of clients, with commas between them")
    return tags


def narrowed(choice: Choice, *, above: int | None, run: int | None) -> RunFilter:
    """The runs of a choice that are newer than `above`, or the one run, whatever else is chosen."""
    if run is not None:
        return RunFilter(first=run, last=run)
    if above is None:
        return choice.chosen
    return replace(choice.chosen, first=max(above + 1, choice.chosen.first or 0))

"""What a URL of the statistics chooses: runs by number, the newest ones, a run key, a look."""

from dataclasses import dataclass, replace

import bottle

from dqmsquare.server.frames import looks, whole_number
from dqmsquare.server.live_pages import HIGHEST_RUN
from dqmsquare.server.site import Site
from dqmsquare.storage.statistics_selection import RUNS_MAX

LAST = (20, 100, 500, 1000)  # offered; any number up to RUNS_MAX may be asked for
LAST_USUAL = 100
_RUN_KEY_MAX_LENGTH = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The `last` runs (None: all) of those from `first` to `to`, of one run key or of any."""

    cluster: str
    first: int | None = None
    to: int | None = None
    last: int | None = None
    run_key: str | None = None
    palette: str = ""
    kiosk: bool = False

    @property
    def runs(self) -> "Choice":
        """What decides on the numbers: how they look is left out."""
        return replace(self, palette="", kiosk=False)

    def query(self, **changes: object) -> dict[str, str]:
        """The parameters of a link that keeps everything but `changes`."""
        values = {
            "db": self.cluster,
            "from": self.first,
            "to": self.to,
            "last": self.last,
            "run_key": self.run_key,
            "palette": self.palette,
            "kiosk": 1 if self.kiosk else None,
            **changes,
        }
        return {name: str(value) for name, value in values.items() if value not in {None, ""}}


def read_choice(site: Site, request: bottle.BaseRequest) -> Choice:
    """What the URL asks for, in either order; where it names no runs, the newest LAST_USUAL."""
    look = looks(request)
    first, to = (whole_number(request, name, HIGHEST_RUN) for name in ("from", "to"))
    if first is not None and to is not None:
        first, to = min(first, to), max(first, to)
    last = whole_number(request, "last", RUNS_MAX)
    return Choice(
        cluster=site.cluster(request.query.get("db")).name,
        first=first,
        to=to,
        last=last or (LAST_USUAL if first is None and to is None else None),
        run_key=request.query.get("run_key", "")[:_RUN_KEY_MAX_LENGTH] or None,
        palette=str(look["palette"]),
        kiosk=bool(look["kiosk"]),
    )

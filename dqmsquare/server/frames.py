"""What every page is framed by: the bar, the title, the links that keep the view. base.html draws it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import bottle
import jinja2

from dqmsquare.server import formats, views
from dqmsquare.server.responses import problem
from dqmsquare.server.site import ClusterSite, Site

# Name and path, in the order of the bar.
SECTIONS = (("Live", "/"), ("Timeline", "/timeline/"), ("Statistics", "/statistics/"), ("Status", "/status"))
PALETTES = ("classic",)
HTML = "text/html; charset=utf-8"
_JOB_ID = re.compile(r"[a-z2-7]{16}")  # base32 of 80 bits: identity.PublicIds


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """`here(**changes)` is the address of this very view with some parameters changed (None takes one away)."""

    cluster: str
    section: str
    here: Callable[..., str]
    palette: str = ""
    kiosk: bool = False
    mood: str = "ok"

    @property
    def look(self) -> dict[str, str]:
        """The parameters that links to other pages carry on."""
        return {"palette": self.palette} if self.palette else {}


def looks(request: bottle.BaseRequest) -> dict[str, object]:
    """`palette` and `kiosk` as the URL has them; what is unknown counts as not said."""
    palette = request.query.get("palette", "")
    return {"palette": palette if palette in PALETTES else "", "kiosk": request.query.get("kiosk") == "1"}


def frame(site: Site, cluster: str, path: str, look: Mapping[str, object], section: str = "") -> Frame:
    """The frame of a page whose view is its path, its cluster and its looks."""

    def here(**changes: object) -> str:
        values = {"db": cluster, "palette": look["palette"] or None, "kiosk": 1 if look["kiosk"] else None}
        return site.url(path, **{**values, **changes})

    return Frame(cluster=cluster, section=section, here=here, palette=str(look["palette"]), kiosk=bool(look["kiosk"]))


def prepare_templates(environment: jinja2.Environment) -> None:
    """Gives the templates what they count on besides `url` and `asset`."""
    environment.filters.update(formats.FILTERS)
    environment.globals.update(clock_text=formats.clock, next_sort=views.next_sort, sections=SECTIONS)


def render(site: Site, template: str, *, now: datetime, **values: object) -> bytes:
    """A template as bytes. Nothing stands around it, so that morphing leaves no white space behind."""
    return site.templates.get_template(template).render(now=now, **values).strip().encode()


def whole_number(request: bottle.BaseRequest, name: str, highest: int) -> int | None:
    """A parameter as a number from 1 to `highest`, None where it is missing or empty; anything else raises a 400."""
    raw = request.query.get(name, "")
    if not raw:
        return None
    if not re.fullmatch(r"[0-9]{1,12}", raw, re.ASCII) or not 1 <= int(raw) <= highest:
        raise problem(400, f"{name} must be a whole number from 1 to {highest}")
    return int(raw)


def job_id(raw: str) -> str:
    """A job's public id out of a path; a 404 where it cannot be one."""
    if not _JOB_ID.fullmatch(raw):
        raise problem(404, "There is no such job.")
    return raw


def clusters_to_try(site: Site, request: bottle.BaseRequest) -> list[ClusterSite]:
    """The cluster that `?db=` names first: a job's id does not say which one it is of."""
    named = site.cluster(request.query.get("db"))
    return [named, *(cluster for cluster in site.clusters.values() if cluster.name != named.name)]

"""What every route is given: the settings, both clusters, addresses, files and templates. Built once per process."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import jinja2

from dqmsquare.config import CLUSTERS, Config
from dqmsquare.server.assets import Assets
from dqmsquare.server.live import Hub
from dqmsquare.server.responses import problem
from dqmsquare.server.snapshots import Snapshots
from dqmsquare.server.watched import WatchedDatabase


@dataclass(frozen=True, slots=True)
class ClusterSite:
    """One cluster as the server sees it."""

    name: str
    database: WatchedDatabase
    snapshots: Snapshots
    hub: Hub


@dataclass(frozen=True, slots=True)
class Site:
    """`clusters` by name: production and playback."""

    config: Config
    clusters: Mapping[str, ClusterSite]
    assets: Assets
    templates: jinja2.Environment

    def url(self, path: str = "/", **query: object) -> str:
        """A path of this site with the prefix; parameters that are None are left out.

        `from_`, whose name is a word of Python, becomes `from`. Never made of the request's Host header.
        """
        pairs = [(name.rstrip("_"), str(value)) for name, value in query.items() if value is not None]
        address = self.config.server_url_prefix + quote(path, safe="/~")
        return f"{address}?{urlencode(pairs)}" if pairs else address

    def asset(self, name: str) -> str:
        """Address of a file in static/ with the hash of its content, so that browsers may keep it."""
        return self.url(f"/static/{name}", v=self.assets.version(name))

    def cluster(self, name: str | None) -> ClusterSite:
        """The cluster that `?db=` names, production where it says nothing; another name raises a 400."""
        found = self.clusters.get(name or CLUSTERS[0])
        if found is None:
            raise problem(400, f"db must be one of {list(CLUSTERS)}")
        return found

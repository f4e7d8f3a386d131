"""The clusters, and what each has."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from dqmsquare.server.api_v1.asked import Asked, Found
from dqmsquare.server.site import Site
from dqmsquare.server.watched import Connection
from dqmsquare.storage import host_queries, queries

_POLLS_HOLD = timedelta(seconds=1)  # a successful poll is stored without an event


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLink:
    """A cluster and its address."""

    name: str
    url: Annotated[str, "Where the API tells more of it."]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterList:
    """All clusters; this answer needs no database."""

    clusters: tuple[ClusterLink, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster: which runs there are, and how fresh they are."""

    name: str
    first_run: int | None
    last_run: Annotated[int | None, "The newest run."]
    polled_at: Annotated[datetime | None, "Last successful poll of the configured host that is furthest behind."]


def cluster_list(site: Site) -> ClusterList:
    """The clusters of this site."""
    links = (ClusterLink(name=name, url=site.url(f"/api/v1/clusters/{name}")) for name in site.clusters)
    return ClusterList(clusters=tuple(links))


def read_cluster(connection: Connection, asked: Asked) -> Found:
    """The cluster in the path."""
    first, last = queries.run_range(connection) or (None, None)
    polled = [host.polled_at for host in host_queries.hosts_of_cluster(connection) if host.is_configured]
    polled_at = min((instant for instant in polled if instant is not None), default=None)
    cluster = Cluster(name=asked.cluster, first_run=first, last_run=last, polled_at=polled_at)
    return Found(cluster, asked.now + _POLLS_HOLD)

"""All that comes out of a mirror: its databases, pages, answers, pushed changes, metrics, logs and errors, as text."""

import re
import urllib.error
import urllib.request
from collections import Counter, deque
from collections.abc import Iterator
from html import unescape
from typing import Any

from dqmsquare.storage.packing import unpack_text
from tests.programs import ROOT, Mirror

_ZSTD = b"\x28\xb5\x2f\xfd"
_ADDRESS = re.compile(r"""(?:href|src|action|data-[a-z-]+)="(/[^"]*)\"""")
_VARIES = re.compile(r"(?<![a-z])[0-9]+|\b[a-z2-7]{16}\b|[a-z-]+(?=\.(?:png|csv|json)$)|(?<=/N/)[a-z-]+")
_OF_A_KIND = 3  # runs, jobs, … whose pages are looked at
_TABLES = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
ERRORS = (
    "/no/such/page",
    "/api?what=x",
    "/api",
    "/jobs/x",
    "/static/x",
    "/timeline?from=x",
    "/api/v1/clusters/x",
    "/%ff",
)


def dump(mirror: Mirror, cluster: str) -> str:
    """All rows of all tables; what is packed is unpacked."""
    rows = (
        row
        for schema, table in mirror.place.rows(_TABLES, cluster)
        for row in mirror.place.rows(f"SELECT * FROM {schema}.{table}", cluster)
    )
    return "\n".join(_shown(value) for row in rows for value in row)


def _shown(value: Any) -> str:
    if isinstance(value, memoryview):
        raw = bytes(value)
        return unpack_text(raw) if raw.startswith(_ZSTD) else raw.decode("latin-1")
    return str(value)


def fetch(address: str, seconds: float = 20.0) -> str:
    """The text of an answer, also of an error, with its headers."""
    try:
        with urllib.request.urlopen(address, timeout=seconds) as answer:
            return f"{answer.headers}{answer.read().decode(errors='replace')}"
    except urllib.error.HTTPError as error:
        return f"{error.headers}{error.read().decode(errors='replace')}"


def crawl(mirror: Mirror) -> dict[str, str]:
    """Every public page by its address, and of those that differ by numbers, ids or values alone some."""
    waiting, seen, pages = deque(["/", "/help", "/status", "/?db=playback", *ERRORS]), Counter[str](), {}
    while waiting:
        path = waiting.popleft()
        kind = _VARIES.sub("N", path.partition("?")[0])
        seen[kind] += 1
        if path in pages or seen[kind] > _OF_A_KIND or "/events" in path or path.startswith(("/cr", "/static")):
            continue
        pages[path] = fetch(mirror.url(path))
        waiting.extend(unescape(found).partition("#")[0] for found in _ADDRESS.findall(pages[path]))
    return pages


def api_answers(mirror: Mirror, cluster: str) -> dict[str, str]:
    """Every question of /api/v1 and of the first API."""
    document = mirror.json("/api/v1/openapi.json")
    jobs = mirror.place.rows("SELECT document_id, run FROM mirror.jobs ORDER BY heard_at DESC LIMIT 3", cluster)
    hosts = mirror.place.rows("SELECT host_id FROM mirror.hosts LIMIT 3", cluster)
    paths = {"/api/v1/openapi.json", f"/api?what=get_info&db={cluster}", "/api?what=get_cluster_status"}
    for (job_id, run), (host_id,) in zip(jobs, hosts, strict=False):
        names = {"cluster": cluster, "run": run, "job_id": job_id, "host_id": host_id}
        paths |= {f"/api/v1{path.format(**names)}" for path in document["paths"] if not path.endswith("/events")}
        paths |= {f"/api?what={what}&run={run}&db={cluster}" for what in ("get_run", "get_graph")}
        paths |= {f"/api?what={what}&from={run}&to={run}&db={cluster}" for what in ("get_runs", "get_clients")}
        paths.add(f"/api?what=get_logs&id={job_id}&db={cluster}")
    return {path: fetch(mirror.url(path)) for path in sorted(paths)}


def pushed(mirror: Mirror, cluster: str) -> str:
    """The beginning of the stream of changes, to its first beat."""
    with urllib.request.urlopen(mirror.url(f"/api/v1/clusters/{cluster}/events"), timeout=20) as stream:
        return "".join(_until_a_beat(stream))


def _until_a_beat(stream: Any) -> Iterator[str]:
    for line in stream:
        yield line.decode()
        if b'"now"' in line:
            return


def logs(mirror: Mirror) -> str:
    """What the programs printed and wrote; they may name the test's own folder, and the sources in a traceback."""
    files = sorted((mirror.folder / "log").glob("*"))
    text = mirror.output() + "".join(path.read_text(errors="replace") for path in files)
    return text.replace(str(mirror.folder), "").replace(str(ROOT), "")

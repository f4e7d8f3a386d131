"""What must not leave does not: a search with a list of its own over database, answers, pages, logs and errors."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dqmsquare.simulator import Simulator
from tests.postgres import TestPlace
from tests.programs import Mirror, mirror_on, wait_for

HOSTS = ("bu-c2f11-09-01", "fu-c2f11-11-01", "fu-c2f11-11-02")
PATHS = ("/", "/?db=playback", "/api?what=get_cluster_status", "/api?what=get_info", "/no/such/page", "/api?what=x")
_HOST = re.compile(r"\b(?:dqm)?(?:ru|bu|fu|sm|rubu)-[a-z0-9]+-[0-9]+-[0-9]+")
_HOME = re.compile(r"/(?:home|nfshome0|afs|eos|fff|cmsnfs\w*|dqmdata|tmp|var|opt|etc)/\w+")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")


def leaks(text: str, needles: set[str]) -> list[str]:
    """What of `needles`, and of anything that looks like a host, an address or a path, is in `text`."""
    found = [needle for needle in needles if needle in text]
    for pattern in (_HOST, _HOME, _IPV4):
        found += (match.group() for match in pattern.finditer(text) if match.group() != "127.0.0.1")
    return found + re.findall(r"canary-[\w-]+", text)


def secrets_of(documents: list[dict]) -> set[str]:
    """Literal values that are in the documents and may be nowhere else."""
    needles: set[str] = {"dqmpro"}
    for document in documents:
        extra = document.get("extra") or {}
        needles.update(value for value in (extra.get("environ") or {}).values() if len(value) > 12)
        needles.update(str(document[name]) for name in ("_id", "hostname", "stdlog_gzip") if document.get(name))
        needles.update(f"pid{document[name]}" for name in ("pid", "monitoring_pid") if document.get(name))
        needles.update(item.split("=", 1)[1] for item in document.get("cmdline", ()) if "UniqueKey=" in item)
    return needles


def dump(mirror: Mirror, cluster: str) -> str:
    """All rows of all tables, with logs and series unpacked."""
    from dqmsquare.storage import queries

    text = ""
    tables = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    for schema, table in mirror.place.rows(tables, cluster):
        text += "".join(row for (row,) in mirror.place.rows(f"SELECT t::text FROM {schema}.{table} t", cluster))
    with mirror.place.reader(cluster).reading() as connection:
        for (job_id,) in mirror.place.rows("SELECT document_id FROM mirror.jobs", cluster):
            text += json.dumps(
                [str(queries.log_of_job(connection, job_id)), str(queries.series_of_job(connection, job_id))]
            )
        for (run,) in mirror.place.rows("SELECT run FROM mirror.deliveries", cluster):
            text += str(queries.delivery_of_run(connection, run))
    return text


@pytest.fixture
def simulator(shared_data: Path) -> Iterator[Simulator]:
    documents = shared_data / "p5_run358788.jsonl.gz"
    with Simulator(production_hosts=HOSTS, documents=[documents], history_runs=2, play=True) as simulator:
        yield simulator


def test_nothing_that_must_not_leave_is_anywhere(place: TestPlace, simulator: Simulator, tmp_path: Path):
    simulator.faults.set("down:ConnectionError('fu-c2f11-11-02.cms 10.176.60.24')", host="fu-c2f11-11-02")
    with mirror_on(place, simulator, tmp_path, GRABBER_SLEEP_TIME_STATUS="1", GRABBER_DEBUG="1") as mirror:
        mirror.start("grabber.py")
        mirror.start_server()
        listed = {
            name: [header["_id"] for header in store.headers_from(None)] for name, store in simulator.stores.items()
        }
        reachable = [name for name in simulator.clusters["production"].hosts if name != HOSTS[2]]
        n_jobs = sum(key.startswith("dqm-source-state") for name in reachable for key in listed[name])
        wait_for(lambda: place.rows("SELECT count(*) FROM mirror.jobs")[0][0] >= n_jobs, "the jobs are there", 60)
        wait_for(lambda: place.rows("SELECT count(*) FROM mirror.host_statuses")[0][0] > 3, "cluster status is there")
        documents = [d for name, store in simulator.stores.items() for d in store.documents(listed[name])]
        needles = secrets_of(documents)
        assert len(needles) > 300, "the search looks for something"
        assert leaks(json.dumps(documents[0]) + documents[0]["_id"], needles), "and it finds it where it is"

        answers = "".join(mirror.get(path)[1] for path in _addresses(mirror))
        for where, text in (
            ("the production database", dump(mirror, "production")),
            ("the playback database", dump(mirror, "playback")),
            ("pages and answers", answers),
            ("the logs", _without_own_paths(mirror.output(), mirror.folder)),
        ):
            assert sorted(set(leaks(text, needles)))[:20] == [], f"in {where}"
        assert "siPixelDigis@cpu" in dump(mirror, "production"), "what experts read is still there"


def _addresses(mirror: Mirror) -> Iterator[str]:
    yield from PATHS
    runs = [run for (run,) in mirror.place.rows("SELECT run FROM mirror.runs ORDER BY run DESC LIMIT 4")]
    for run in runs:
        yield from (f"/?run={run}", f"/api?what=get_run&run={run}", f"/api?what=get_graph&run={run}")
        yield f"/api?what=get_runs&from={run}&to={run}"
        jobs = mirror.place.rows(f"SELECT document_id FROM mirror.jobs WHERE run = {run} LIMIT 8")
        for (job_id,) in jobs:
            yield from (
                f"/jobs/{job_id}",
                f"/jobs/{job_id}/log",
                f"/jobs/{job_id}/log.txt",
                f"/api?what=get_logs&id={job_id}",
            )


def _without_own_paths(text: str, folder: Path) -> str:
    """The logs of the test's own processes may name its own folder, and the sources in a traceback."""
    from tests.programs import ROOT

    return text.replace(str(folder), "").replace(str(ROOT), "")

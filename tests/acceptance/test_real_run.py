"""A real run through the whole mirror: the kept API gives what today's mirror gives, apart from the named differences."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dqmsquare.identity import PublicIds
from dqmsquare.simulator import Simulator
from tests.postgres import KEY, TestPlace
from tests.programs import Mirror, mirror_on, wait_for

RUN = 358788


@pytest.fixture
def mirror(place: TestPlace, tmp_path: Path, shared_data: Path) -> Iterator[Mirror]:
    documents = shared_data / "p5_run358788.jsonl.gz"
    with (
        Simulator(production_hosts=(), documents=[documents]) as simulator,
        mirror_on(place, simulator, tmp_path) as it,
    ):
        it.start("grabber.py", "production")
        it.start_server()
        wait_for(lambda: it.json("/api?what=get_info&db=production") == [RUN, RUN], "the run is there")
        wait_for(lambda: len(it.json(f"/api?what=get_run&run={RUN}")[1][1]) == 31, "all jobs are there")
        wait_for(lambda: it.json(f"/api?what=get_graph&run={RUN}"), "the files are there")
        wait_for(lambda: it.json("/api?what=get_cluster_status"), "cluster status is there")
        yield it


def _recorded(shared_data: Path) -> list[dict[str, Any]]:
    with gzip.open(shared_data / "p5_run358788.jsonl.gz") as lines:
        return [json.loads(line)["doc"] for line in lines]


@pytest.fixture
def original(shared_data: Path) -> dict[str, Any]:
    return json.loads((shared_data / "original_answers_358788.json").read_text())


def _public(document_id: str) -> str:
    return PublicIds(KEY, "production").document(document_id)


def test_the_kept_api_answers_as_today(mirror: Mirror, original: dict[str, Any], shared_data: Path):
    assert mirror.json("/api?what=get_clients&from=358788&to=358788&db=production") == original["get_clients"]

    neighbours, (run_data, jobs) = mirror.json(f"/api?what=get_run&run={RUN}&db=production")
    [_, (original_run_data, original_jobs)] = original["get_run"]
    assert (neighbours, run_data) == ([None, None], original_run_data)
    # Ages are of the moment; ids say nothing any more; everything else is the same, in the same order.
    assert [job[:1] + job[2:8] + job[9:] for job in jobs] == [job[:1] + job[2:8] + job[9:] for job in original_jobs]
    assert [job[8] for job in jobs] == [_public(job[8]) for job in original_jobs]
    assert all(job[1] > 0 for job in jobs)

    runs = mirror.json("/api?what=get_runs&from=358788&to=358788&bad_only=0&ls=0&db=production")
    recorded = _recorded(shared_data)
    highest_cmssw_run = max(int(document.get("cmssw_run") or 0) for document in recorded)
    expected = original["get_runs"][str(RUN)]
    assert runs == {
        str(RUN): {"run_data": [highest_cmssw_run, *expected["run_data"][1:]], "clients": expected["clients"]}
    }
    assert mirror.json("/api?what=get_runs&from=358789&to=358788&bad_only=1&db=production") == {}

    run, rev, graph_id, timestamp, global_start, streams, label = mirror.json(f"/api?what=get_graph&run={RUN}")
    [document] = [document for document in recorded if document["type"] == "dqm-files"]
    assert (run, graph_id, global_start, label) == (RUN, _public(original["get_graph"][2]), 1663240007.721733, "bu..01")
    assert rev > 0
    assert timestamp == document["timestamp"]
    assert streams == {key.split("_")[0]: files for key, files in original["get_graph"][5].items()}

    status = mirror.json("/api?what=get_cluster_status&cluster=production")
    assert sorted(row[:3] for row in status) == sorted(
        [row[0].removesuffix(".cms"), *row[1:3]] for row in original["get_cluster_status"]
    )


def test_a_log_is_text_and_an_unknown_one_is_not_found(mirror: Mirror):
    jobs = mirror.json(f"/api?what=get_run&run={RUN}")[1][1]
    status, page = mirror.get(f"/api?what=get_logs&id={jobs[0][8]}&db=production")
    assert status == 200
    assert page.startswith("<pre>")
    assert "-- process exit: 0 --" in page
    assert mirror.get("/api?what=get_logs&id=aaaaaaaaaaaaaaaa&db=production")[0] == 404
    assert mirror.get("/api?what=get_run&run=358788&db=nowhere") == (
        400,
        "db must be one of ['production', 'playback']",
    )

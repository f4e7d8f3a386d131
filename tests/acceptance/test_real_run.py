"""A real run through the whole mirror: the kept API gives what today's mirror gives, apart from the named differences."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dqmsquare.simulator import Simulator
from tests.acceptance.todays_answers import RUN, assert_answers_as_today
from tests.postgres import TestPlace
from tests.programs import Mirror, mirror_on, wait_for


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


def test_the_kept_api_answers_as_today(mirror: Mirror, original: dict[str, Any], shared_data: Path):
    recorded = _recorded(shared_data)
    [files] = [document for document in recorded if document["type"] == "dqm-files"]
    assert_answers_as_today(mirror, original, recorded, graph_timestamp=files["timestamp"])


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

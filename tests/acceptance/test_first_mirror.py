"""A database of today's mirror is taken over: served as before, nothing missing, nothing in it that must not leave."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dqmsquare.simulator import Simulator
from tests.acceptance.everything_shown import dump
from tests.acceptance.leak_detector import LeakDetector, known_values
from tests.acceptance.todays_answers import RUN, assert_answers_as_today
from tests.first_mirror_tables import FirstMirror, utc
from tests.postgres import TestPlace
from tests.programs import ROOT, Mirror, mirror_on, wait_for


@pytest.fixture
def documents(shared_data: Path) -> list[dict[str, Any]]:
    with gzip.open(shared_data / "p5_run358788.jsonl.gz") as lines:
        return [json.loads(line)["doc"] for line in lines]


@pytest.fixture
def first_mirror(place: TestPlace, documents: list[dict[str, Any]]) -> FirstMirror:
    first_mirror = FirstMirror(place.server.host, place.config.database_name("production"))
    first_mirror.make_tables()
    first_mirror.write(documents)
    for hour in (12, 13):
        hosts = {f"{name}.cms": True for name in sorted({document["hostname"] for document in documents})}
        first_mirror.see_statuses(utc(2022, 9, 15, hour), hosts)
    return first_mirror


@pytest.fixture
def mirror(place: TestPlace, tmp_path: Path, shared_data: Path) -> Iterator[Mirror]:
    recorded = shared_data / "p5_run358788.jsonl.gz"
    with Simulator(production_hosts=(), documents=[recorded]) as simulator, mirror_on(place, simulator, tmp_path) as it:
        yield it


def _run(mirror: Mirror, *arguments: str) -> str:
    command = [sys.executable, "db.py", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **mirror.environ}, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_database_of_today_is_taken_over(
    mirror: Mirror, first_mirror: FirstMirror, documents: list[dict[str, Any]], shared_data: Path
):
    original = json.loads((shared_data / "original_answers_358788.json").read_text())
    mirror.start_server()
    assert mirror.json("/api?what=get_info&db=production") == [None, None]
    assert "31 stored" in _run(mirror, "import-first-mirror")  # with the server serving

    wait_for(lambda: mirror.json("/api?what=get_info&db=production") == [RUN, RUN], "the server was told")
    [graph] = [document for document in documents if document["type"] == "dqm-files"]
    newest_file = max(max(files["mtimes"]) for files in graph["extra"]["streams"].values())
    assert_answers_as_today(mirror, original, documents, graph_timestamp=newest_file)

    detector = LeakDetector(known_values(documents, mirror.environ))
    assert detector.found(dump(mirror, "production")), "the old tables are searched too"
    assert "production: 32 rows are in the new tables, 4 say nothing." in _run(mirror, "drop-first-mirror", "--yes")
    assert detector.found(dump(mirror, "production")) == []
    assert_answers_as_today(mirror, original, documents, graph_timestamp=newest_file)

    mirror.start("grabber.py", "production")  # what DQM² still has and what came by the import are one
    epochs = "SELECT epoch, count(*) FROM mirror.{} GROUP BY epoch"
    for table, n_rows in (("jobs", 31), ("deliveries", 1)):
        wait_for(lambda: mirror.place.rows(epochs.format(table)) == [(1, n_rows)], f"{table} are live")  # noqa: B023
    wait_for(lambda: len(mirror.json(f"/api?what=get_run&run={RUN}")[1][1]) == 31, "and one")
    assert_answers_as_today(mirror, original, documents, graph_timestamp=graph["timestamp"])

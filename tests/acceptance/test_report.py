"""`python -m dqmsquare.report` as somebody runs it: the files it writes, and what it says where it cannot."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from dqmsquare.statistics import TABLES
from tests.known_runs import store_known_runs
from tests.postgres import TestPlace

ROOT = Path(__file__).resolve().parents[2]
Report = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def report(place: TestPlace, tmp_path: Path) -> Report:
    """Runs the report on the test's databases."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess:
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **place.environ, **settings}
        command = [sys.executable, "-m", "dqmsquare.report", *arguments]
        return subprocess.run(
            command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )

    return run


def test_a_report_is_one_page_with_its_numbers_and_pictures(report: Report, place: TestPlace, tmp_path: Path):
    store_known_runs(place)
    ended = report("--from", "100", "--to", "102", "--out", "report", STUCK_AFTER_SECONDS="600")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "3 runs: report/index.html\n", "")
    files = {path.name for path in (tmp_path / "report").iterdir()}
    assert files == {"index.html"} | {f"{name}.{form}" for name in TABLES for form in ("csv", "png")}
    page = BeautifulSoup((tmp_path / "report" / "index.html").read_text(encoding="utf-8"), "html.parser")
    assert page.select("script, link, [src^=http], [href^=http], [style]") == []
    assert all(
        (tmp_path / "report" / str(image["src"])).read_bytes().startswith(b"\x89PNG") for image in page.select("img")
    )
    assert [section["id"] for section in page.select("section")] == list(TABLES)
    rows = [[cell.get_text() for cell in row.select("td")] for row in page.select("#bad-runs tbody tr")]
    assert rows == [
        ["dt", "2", "1", "3", "66.7%"],
        ["beam", "1", "2", "3", "33.3%"],
        ["ecal", "1", "2", "3", "33.3%"],
    ]
    assert "more than 10 min before the run's last" in page.select("#clients dl")[0].get_text()
    assert (tmp_path / "report" / "run-keys.csv").read_text(encoding="utf-8").splitlines()[1].startswith("pp_run,coll")


def test_what_cannot_be_reported_is_said_and_nothing_is_written(report: Report, tmp_path: Path):
    ended = report("--from", "1", "--to", "9", "--out", "report", "--cluster", "playback")
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        1,
        "",
        "There are no such runs in the playback cluster.\n",
    )
    assert not (tmp_path / "report").exists()
    ended = report("--from", "1", "--to", "9", "--out", "report", PUBLIC_ID_KEY="")
    assert (ended.returncode, ended.stderr.split(":")[:2]) == (2, ["settings", " PUBLIC_ID_KEY is missing"])
    ended = report("--from", "1", "--to", "none", "--out", "report")
    assert (ended.returncode, "invalid run_number value: 'none'" in ended.stderr) == (2, True)


def test_a_folder_that_cannot_be_written_is_said(report: Report, place: TestPlace, tmp_path: Path):
    store_known_runs(place)
    (tmp_path / "file").write_text("")
    ended = report("--from", "102", "--to", "102", "--out", "file/report")
    assert (ended.returncode, ended.stderr[:32]) == (73, "The report cannot be written: [E")

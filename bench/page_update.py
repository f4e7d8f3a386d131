"""How long an update keeps the browser's main thread: a run of 40 clients and 4,000 lumisections."""

import shutil
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import CDPSession, sync_playwright

from bench.figures import Figure
from dqmsquare.documents import StreamFiles
from tests.browser.cast import RUN, a_job, fill
from tests.browser.conftest import FLAGS
from tests.browser.rehearsal import Rehearsal, now, serving
from tests.postgres import TestPlace

_N_CLIENTS = 40
_N_LUMIS = 4_000
_N_UPDATES = 20
_REST_MS = 700


def _large_run(stage: Rehearsal) -> None:
    cluster = stage.production
    for number in range(_N_CLIENTS - len(cluster.jobs[RUN])):
        cluster.put_job(a_job(f"another{number}", now()))
    delivery = cluster.deliveries[RUN]
    lumis = tuple(range(1, _N_LUMIS + 1))
    times = tuple((delivery.global_start or 0) + lumi * delivery.lumi_seconds + 20 + lumi % 7 for lumi in lumis)
    files = StreamFiles(
        lumis, times, times, (9_000,) * _N_LUMIS, tuple(lumi % 50 for lumi in lumis), (10**6,) * _N_LUMIS
    )
    cluster.deliveries[RUN] = replace(delivery, streams=dict.fromkeys(delivery.streams, files))


def _busy_seconds(devtools: CDPSession) -> float:
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def measure(place: TestPlace, folder: Path) -> list[Figure]:  # noqa: ARG001
    """Time of the main thread per update, what the page does anyway in that time taken off."""
    with pytest.MonkeyPatch.context() as monkeypatch, sync_playwright() as playwright:
        stage = Rehearsal(monkeypatch, now)
        fill(stage)
        _large_run(stage)
        with serving(stage):
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            page = browser.new_page(viewport={"width": 1500, "height": 1000})
            page.goto(stage.url + "/")
            page.wait_for_selector("[data-pill][data-mood=live]", timeout=15_000)
            page.wait_for_selector(".uplot canvas")
            devtools = page.context.new_cdp_session(page)
            devtools.send("Performance.enable")
            seconds = []
            for number in range(_N_UPDATES):
                idle = _busy_seconds(devtools)
                page.wait_for_timeout(_REST_MS)
                before = _busy_seconds(devtools)
                job = stage.production.jobs[RUN][number]
                stage.update(job, n_events=(job.n_events or 0) + 100 + number)
                page.wait_for_timeout(_REST_MS)
                seconds.append(_busy_seconds(devtools) - before - (before - idle))
            browser.close()
    what = f"an update of {_N_CLIENTS} clients and {_N_LUMIS:,} lumisections: the browser's main thread"
    return [Figure(what=what, unit="ms", seen=1_000 * statistics.median(seconds), is_cost=True)]

"""What the live page takes over the wire: everything at a first visit, then an update."""

import shutil
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from bench.figures import Figure
from tests.browser.cast import RUN, fill
from tests.browser.conftest import FLAGS
from tests.browser.rehearsal import Rehearsal, now, serving
from tests.postgres import TestPlace


def measure(place: TestPlace, folder: Path) -> list[Figure]:  # noqa: ARG001
    """A run of 31 clients with its plots, in Chromium; sizes as they were received, headers included."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        stage = Rehearsal(monkeypatch, now)
        fill(stage)
        with serving(stage):
            first = _first_visit(stage.url + "/")
            updates = {coding: _update(f"{stage.url}/live/partial", coding) for coding in ("gzip", "zstd")}
            chart = len(_get(f"{stage.url}/runs/{RUN}/delivery.json", "gzip")[0])
    heaviest = max(n_bytes for n_bytes, _ in updates.values())
    unchanged = max(status for _, status in updates.values())
    return [
        Figure(what="first visit of the live page", unit="KB", seen=first / 1000, is_cost=True, less_than=160),
        Figure(what="an update of the live page", unit="KB", seen=heaviest / 1024, is_cost=True, less_than=8),
        Figure(what="an update that changes nothing", unit="HTTP", seen=unchanged, more_than=303, less_than=305),
        Figure(what="data of the page's plots", unit="KB", seen=chart / 1024, is_cost=True, less_than=20),
    ]


def _first_visit(url: str) -> float:
    sizes: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page()
        devtools = page.context.new_cdp_session(page)
        devtools.send("Network.enable")
        devtools.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        page.goto(url)
        page.wait_for_selector("[data-pill][data-mood=live]", timeout=15_000)
        page.wait_for_selector(".uplot canvas")
        page.wait_for_timeout(500)
        browser.close()
    return sum(sizes)


def _update(url: str, coding: str) -> tuple[int, int]:
    """Bytes of the body, and the status of the same question with its ETag."""
    body, etag = _get(url, coding)
    request = urllib.request.Request(url, headers={"Accept-Encoding": coding, "If-None-Match": etag})
    try:
        with urllib.request.urlopen(request) as answer:
            return len(body), answer.status
    except urllib.error.HTTPError as error:
        return len(body), error.code


def _get(url: str, coding: str) -> tuple[bytes, str]:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept-Encoding": coding})) as answer:
        return answer.read(), answer.headers["ETag"]

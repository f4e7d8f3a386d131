"""From a document's upload at the simulator to the change in the page's DOM, with default settings."""

import shutil
import statistics
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from dqmsquare.simulator import Simulator
from dqmsquare.simulator.documents import job_document
from tests.browser.conftest import FLAGS
from tests.postgres import TestPlace
from tests.programs import mirror_on, wait_for

_HOST = "fu-c2f11-11-01"
_RUN = 398220
_TAG = "beam_dqm_sourceclient-live"
_N_SAMPLES = 100
_FIRST_EVENTS = 1_000_001
# The row's exact number of events is in a title; noted is when each number came, by the same machine's clock.
_WATCH = """
window.cameAt = {};
const look = () => {
  const cell = document.querySelector(".c-events");
  const number = cell?.title.replaceAll(/[^0-9]/g, "");
  if (number && !(number in window.cameAt)) window.cameAt[number] = Date.now() / 1000;
};
const everything = { subtree: true, childList: true, attributes: true };
new MutationObserver(look).observe(document.getElementById("live"), everything);
look();
"""


def _document(n_events: int) -> dict[str, Any]:
    document = job_document(_HOST, _RUN, _TAG, 4711, lumi=40, reported_at=time.time())
    return {**document, "events_total": str(n_events)}


def measure(place: TestPlace, folder: Path) -> list[float]:
    """Seconds from upload to DOM, one per sample."""
    with Simulator(production_hosts=(_HOST,)) as simulator, mirror_on(place, simulator, folder) as mirror:
        simulator.upload(_HOST, _document(1_000_000))
        mirror.start("grabber.py", "production")
        mirror.start_server()
        wait_for(lambda: "beam" in mirror.get("/")[1], "the job is on the page")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            page = browser.new_page()
            page.goto(mirror.url("/"))
            page.wait_for_selector("[data-pill][data-mood=live]", timeout=15_000)
            page.evaluate(_WATCH)
            uploaded_at = {}
            for number in range(_FIRST_EVENTS, _FIRST_EVENTS + _N_SAMPLES):
                simulator.upload(_HOST, _document(number))
                uploaded_at[str(number)] = time.time()
                # Not page.wait_for_function: it evaluates text, which the page's policy forbids.
                wait_for(lambda: page.evaluate(f"'{number}' in window.cameAt"), "the number is on the page", 15)  # noqa: B023
                time.sleep(0.037 * (number % 11))  # uploads come at any instant between two polls
            came_at = page.evaluate("window.cameAt")
            browser.close()
    return [came_at[number] - at for number, at in uploaded_at.items()]


def report(seconds: list[float]) -> str:
    """Median and 99th percentile, in words."""
    ordered = sorted(seconds)
    p99 = ordered[round(0.99 * (len(ordered) - 1))]
    return (
        f"upload to DOM, {len(ordered)} samples: median {statistics.median(ordered):.2f} s, "
        f"99 % {p99:.2f} s, longest {ordered[-1]:.2f} s"
    )

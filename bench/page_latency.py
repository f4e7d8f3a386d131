"""From a document's upload at the simulator to the change in get_run and in the page, with default settings."""

import shutil
import statistics
import threading
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from bench.figures import Figure
from dqmsquare.simulator import Simulator
from dqmsquare.simulator.documents import job_document
from tests.browser.conftest import FLAGS
from tests.postgres import TestPlace
from tests.programs import Mirror, mirror_on, wait_for

_HOST = "fu-c2f11-11-01"
_RUN = 398220
_TAG = "beam_dqm_sourceclient-live"
_EVENTS_PLACE = 7  # in a job of get_run
_FIRST_EVENTS = 1_000_001
_POLL_SECONDS = 1.0  # by default
_GOLDEN_RATIO = 0.618034  # its multiples are evenly spread: uploads come at any instant between two polls alike
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


def measure(place: TestPlace, folder: Path, *, n_samples: int = 100) -> list[Figure]:
    """Both at once: a browser shows the page, and a script asks for the answer again and again."""
    with Simulator(production_hosts=(_HOST,)) as simulator, mirror_on(place, simulator, folder) as mirror:
        simulator.upload(_HOST, _document(1_000_000))
        mirror.start("grabber.py", "production")
        mirror.start_server()
        wait_for(lambda: "beam" in mirror.get("/")[1], "the job is on the page")
        with sync_playwright() as playwright, _Asking(mirror) as answers:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            page = browser.new_page()
            page.goto(mirror.url("/"))
            page.wait_for_selector("[data-pill][data-mood=live]", timeout=15_000)
            page.evaluate(_WATCH)
            uploaded_at = {}
            for number in range(_FIRST_EVENTS, _FIRST_EVENTS + n_samples):
                simulator.upload(_HOST, _document(number))
                uploaded_at[str(number)] = time.time()
                # Not page.wait_for_function: it evaluates text, which the page's policy forbids.
                wait_for(lambda: page.evaluate(f"'{number}' in window.cameAt"), "the number is on the page", 15)  # noqa: B023
                wait_for(lambda: str(number) in answers.came_at, "the number is in the answer", 15)  # noqa: B023
                time.sleep(number * _GOLDEN_RATIO % _POLL_SECONDS)
            on_page = page.evaluate("window.cameAt")
            browser.close()
    in_answer = [answers.came_at[number] - at for number, at in uploaded_at.items()]
    return [
        *_figures("change upstream to change in get_run", in_answer, median=0.7, p99=1.5),
        *_figures(
            "change upstream to change on the page", [on_page[n] - at for n, at in uploaded_at.items()], 1.0, 2.0
        ),
    ]


class _Asking:
    """Asks for the answer 50 times a second, and notes when each number of events came."""

    def __init__(self, mirror: Mirror) -> None:
        self.came_at: dict[str, float] = {}
        self._mirror = mirror
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask_for_ever)

    def __enter__(self) -> "_Asking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _ask_for_ever(self) -> None:
        while not self._ended.wait(0.02):
            [job] = self._mirror.json(f"/api?what=get_run&run={_RUN}&db=production")[1][1]
            self.came_at.setdefault(str(job[_EVENTS_PLACE]), time.time())


def _figures(what: str, seconds: list[float], median: float, p99: float) -> list[Figure]:
    ordered = sorted(seconds)
    highest = ordered[round(0.99 * (len(ordered) - 1))]
    return [
        Figure(what=f"{what}, median", unit="s", seen=statistics.median(ordered), is_cost=True, less_than=median),
        Figure(what=f"{what}, 99 %", unit="s", seen=highest, is_cost=True, less_than=p99),
    ]

"""The page in a real browser with everything real behind it: DQM² simulated, grabber and server as processes."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dqmsquare.simulator import Simulator
from tests.postgres import PrivateServer, TestPlace
from tests.programs import Mirror, mirror_on, wait_for

HOSTS = ("bu-c2f11-09-01", "fu-c2f11-11-01", "fu-c2f11-11-02")
AWAY_MS = 20_000  # three beats of five seconds, and some


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(production_hosts=HOSTS, play=True, history_runs=2) as simulator:
        yield simulator


@pytest.fixture
def mirror(place: TestPlace, simulator: Simulator, tmp_path: Path) -> Iterator[Mirror]:
    with mirror_on(place, simulator, tmp_path) as mirror:
        mirror.start("grabber.py")
        mirror.start_server()
        yield mirror


def _open(browser: Browser, mirror: Mirror, path: str = "/") -> Page:
    wait_for(lambda: "beam" in mirror.get("/")[1], "jobs are on the page")
    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    page.goto(mirror.url(path))
    expect(page.locator("[data-pill]")).to_have_attribute("data-mood", "live", timeout=12_000)
    return page


def _crash(simulator: Simulator, page: Page, client: str) -> None:
    """Lets a client crash, and waits until the open page says so."""
    assert simulator.crash(f"{client}_dqm_sourceclient-live", -11)
    row = page.locator(f"tr.s-crashed[data-client={client}]").first
    expect(row).to_be_visible(timeout=10_000)
    expect(row).to_contain_text("SIGSEGV")


def test_a_crash_at_point_5_shows_on_the_open_page(browser: Browser, simulator: Simulator, mirror: Mirror):
    page = _open(browser, mirror)
    _crash(simulator, page, "csc")
    assert "crashed)" in page.title()
    page.close()


def test_the_playback_says_what_it_replays(browser: Browser, mirror: Mirror):
    page = browser.new_page()
    wait_for(lambda: "beam" in mirror.get("/?db=playback")[1], "the playback is on the page")
    page.goto(mirror.url("/?db=playback"))
    expect(page.locator("#live")).to_contain_text("eplay of run 256936")
    page.close()


def test_a_server_that_was_restarted_is_found_again(browser: Browser, simulator: Simulator, mirror: Mirror):
    page = _open(browser, mirror)
    server = mirror.processes[-1]
    server.send_signal(signal.SIGTERM)
    assert server.wait(12) == 0
    expect(page.locator("[data-pill]")).not_to_have_attribute("data-mood", "live", timeout=AWAY_MS)
    mirror.start_server()
    expect(page.locator("[data-pill]")).to_have_attribute("data-mood", "live", timeout=AWAY_MS)
    _crash(simulator, page, "csc")
    page.close()


def test_a_database_that_was_away_is_said_and_found_again(
    browser: Browser, private_postgres: PrivateServer, private_place: TestPlace, simulator: Simulator, tmp_path: Path
):
    with mirror_on(private_place, simulator, tmp_path) as mirror:
        mirror.start("grabber.py", "production")
        mirror.start_server()
        page = _open(browser, mirror)
        n_jobs = page.locator("[data-row]").count()
        private_postgres.stop()
        expect(page.locator("[data-pill]")).not_to_have_attribute("data-mood", "live", timeout=AWAY_MS)
        assert page.locator("[data-row]").count() == n_jobs, "the last there was is still shown"
        time.sleep(1)
        private_postgres.start()
        expect(page.locator("[data-pill]")).to_have_attribute("data-mood", "live", timeout=2 * AWAY_MS)
        _crash(simulator, page, "csc")
        page.close()

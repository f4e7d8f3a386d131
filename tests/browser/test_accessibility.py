import json
from pathlib import Path

import pytest

from tests.browser.cast import RUN, job_id

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
SCREENS = Path(__file__).parents[2] / "tmp" / "screens"  # to be looked at
PAGES = {
    "live": "/",
    "live, filtered to nothing": "/?q=nobody",
    "live, classic colours": "/?palette=classic",
    "live, for a wall": "/?kiosk=1",
    "playback": "/?db=playback",
    "no such run": "/?run=5",
    "job": f"/jobs/{job_id('pixel')}",
    "log": f"/jobs/{job_id('pixel')}/log",
    "errors of a log": f"/jobs/{job_id('pixel')}/log?errors=1",
    "delivery": f"/runs/{RUN}/delivery",
    "help": "/help",
    "alarms": "/alarms",
    "timeline": "/timeline/",
    "timeline, one state pinned": "/timeline/?pin=crashed",
    "timeline, classic colours": "/timeline/?palette=classic",
    "statistics": "/statistics/",
    "status": "/status",
}
SIZES = {"desk": (1500, 1000), "laptop": (1024, 768), "phone": (390, 844)}


def violations(page) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations', 'incomplete']})")
    return [f"{one['id']}: {json.dumps([node['target'] for node in one['nodes'][:4]])}" for one in found["violations"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_on_any_page(stage, open_page, theme, size):
    width, height = SIZES[size]
    page = open_page("/help", color_scheme=theme, viewport={"width": width, "height": height})
    found = {}
    for name, path in PAGES.items():
        page.goto(stage.url + path)
        page.wait_for_selector("html[data-ready]", state="attached")
        page.screenshot(path=SCREENS / f"{name.replace(', ', '-').replace(' ', '-')}-{size}-{theme}.png")
        found[name] = violations(page)
    assert found == {name: [] for name in PAGES}


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_320_pixels_are_enough_without_scrolling_sideways(open_page, path):
    page = open_page(path, viewport={"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_what_opens_is_accessible_too(open_page):
    page = open_page("/")
    page.locator("[data-opens]").first.click()
    page.wait_for_selector(".detail-grid")
    page.locator("[data-menu] summary").click()
    page.locator(".pop summary").first.click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    assert violations(page) == []


def test_the_keyboard_reaches_everything_and_shows_where_it_is(open_page):
    page = open_page("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.locator(".skip").bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"

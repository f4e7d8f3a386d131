"""How heavy the pages are on the wire: a phone at three in the morning has a thin line."""

import urllib.error
import urllib.request

import pytest
from playwright.sync_api import Browser

from tests.browser.rehearsal import Rehearsal

FIRST_VISIT_MAX_BYTES = 160_000
UPDATE_MAX_BYTES = 8 * 1024


def _transferred_bytes(browser: Browser, url: str) -> int:
    """Everything that a first visit transfers, headers included, until the page is at rest."""
    context = browser.new_context(viewport={"width": 1500, "height": 1000})
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    sizes: list[float] = []
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(url)
    page.wait_for_selector("html[data-js][data-ready]", state="attached")
    page.wait_for_selector(".uplot canvas")
    page.wait_for_timeout(500)
    context.close()
    assert len(sizes) > 5, "something was measured"
    return int(sum(sizes))


def test_a_first_visit_of_the_live_page_is_light(browser: Browser, stage: Rehearsal):
    assert _transferred_bytes(browser, stage.url + "/") < FIRST_VISIT_MAX_BYTES


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_an_update_is_a_few_kilobytes_or_not_modified(stage: Rehearsal, coding: str):
    request = urllib.request.Request(stage.url + "/live/partial", headers={"Accept-Encoding": coding})
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["Content-Encoding"] == coding
        assert len(answer.read()) < UPDATE_MAX_BYTES
        request.add_header("If-None-Match", answer.headers["ETag"])
    with pytest.raises(urllib.error.HTTPError) as unchanged:
        urllib.request.urlopen(request)
    assert unchanged.value.code == 304
    assert unchanged.value.read() == b""

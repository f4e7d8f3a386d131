"""A real Chromium in front of the rehearsed server."""

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from tests.browser.cast import fill
from tests.browser.rehearsal import Rehearsal, now, serving

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_DRIVER_ENDS_SECONDS = 15.0
DESK = {"width": 1500, "height": 1000}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests; each has a context of its own."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("there is no Chromium on this machine")
    with ExitStack() as stack, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()
        # Now and then the driver does not end when it should, and everybody would wait for it.
        last_word = threading.Timer(_DRIVER_ENDS_SECONDS, _kill_drivers)
        last_word.start()
        stack.callback(last_word.cancel)


def _kill_drivers() -> None:
    children = [int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()]
    for pid in children:
        if b"run-driver" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rehearsal]:
    """The usual scene, being served at `stage.url`."""
    rehearsal = Rehearsal(monkeypatch, now)
    fill(rehearsal)
    with serving(rehearsal):
        yield rehearsal


class Complaints(list[str]):
    """What a page said that it should not: errors, refused content, requests to other machines."""

    def watch(self, page: Page, url: str) -> None:
        """Listens to a page that may ask for what lies below `url`."""

        def hear(message: ConsoleMessage) -> None:
            # On a busy machine an answer may be late: the page says so and asks again.
            if message.type in {"error", "warning"} and "htmx:error: timeout" not in message.text:
                self.append(message.text)

        def check(request: Request) -> None:
            if not request.url.startswith((url, "data:")):
                self.append(request.url)

        page.on("pageerror", lambda error: self.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.append(f"dialog: {dialog.message}"))
        page.on("console", hear)
        page.on("request", check)


@pytest.fixture
def open_page(browser: Browser, stage: Rehearsal) -> Iterator[Callable[..., Page]]:
    """Opens a path in a new context and waits until its scripts ran. Afterwards no page may have complained."""
    contexts: list[BrowserContext] = []
    complaints = Complaints()

    def open_one(path: str = "/", *, expects_complaints: bool = False, before=None, **options: Any) -> Page:
        chosen: dict[str, Any] = {"viewport": DESK, **options}
        context = browser.new_context(**chosen)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(8_000)
        if not expects_complaints:
            complaints.watch(page, stage.url)
        if before:
            before(page)
        page.goto(stage.url + path)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-js][data-ready]", state="attached")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []

"""What all tests start from: a clean environment, the recorded data, a browser; and whether something may be skipped."""

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from dqmsquare.config import setting_fields

pytest_plugins = ["tests.postgres"]

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REQUIRE_ALL = os.environ.get("MIRROR_REQUIRE_ALL") == "1"  # set by .ci/run


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's settings must not decide how a test ends."""
    for field in setting_fields():
        monkeypatch.delenv(field.metadata["name"], raising=False)
        monkeypatch.delenv(f"{field.metadata['name']}_FILE", raising=False)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with what was recorded at Point 5."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the recorded data is not here: it lies in shared/data beside the repository")
    return SHARED_DATA


@pytest.fixture(scope="session")
def browser_path() -> str:
    """The program of a Chromium."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser on the path (one of {', '.join(BROWSERS)}); Debian: apt-get install chromium")
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is required, a test that was skipped has failed."""
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but MIRROR_REQUIRE_ALL=1 lets nothing be skipped: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself."""
    report = yield
    if REQUIRE_ALL and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, but MIRROR_REQUIRE_ALL=1 lets nothing be skipped: {_reason(report)}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)

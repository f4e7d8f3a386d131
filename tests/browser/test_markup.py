"""Markup in every field of every document, through grabber, database and server into a real Chromium: nothing runs."""

import copy
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dqmsquare.simulator import Simulator
from dqmsquare.simulator.documents import (
    diskspace_document,
    files_document,
    job_document,
    playback_document,
    release_document,
    stats_document,
)
from tests.programs import Mirror, mirror_on, wait_for

FU, BU = "fu-c2f11-11-01", "bu-c2f11-09-01"
RUN = 398220
TAG = "beam_dqm_sourceclient-live"
# A closed attribute, a closed script, a template's marks, and three ways to run.
PAYLOAD = """'"></script></title><b data-pwned><img src=x onerror="alert(1)"><script>alert(2)</script>{{7*7}}<svg onload=alert(3)>"""
UNESCAPED = re.compile(r"""'"(?:>|&gt;)|<(?:b data-pwned|img src=x|svg onload|script>)|</script></title""")
NOT_TEXT = {"_id", "type", "_rev", "timestamp"}  # what the mirror finds a document by
MANY = 20  # from here on a dict is one of lumisections or instants
Path = tuple[str | int, ...]


def text_fields(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where text stands in a document; of a list and of many alike, the first and the last."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        names = list(value) if len(path) < 2 or len(value) <= MANY else [next(iter(value)), next(reversed(value))]
        for name, inner in ((name, value[name]) for name in names):
            if path or name not in NOT_TEXT:
                yield from text_fields(inner, (*path, name))
    elif isinstance(value, list) and value:
        for number in {0, len(value) - 1}:
            yield from text_fields(value[number], (*path, number))


def with_payload(document: dict[str, Any], path: Path, *, keeps: bool) -> dict[str, Any]:
    """A copy with the payload in one field, beside what stood there or in its place."""
    changed = copy.deepcopy(document)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = f"{place[path[-1]]}{PAYLOAD}" if keeps else PAYLOAD
    return changed


def hostile_documents(now: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Host and document: each text field of each kind of document once, twice where it is a job's."""
    kinds = [
        (BU, files_document(BU, RUN, started_at=now - 600, reported_at=now)),
        (BU, playback_document(BU, RUN, state="running", lumi=3)),
        (FU, stats_document(FU, at=now)),
        (BU, diskspace_document(BU)),
        (FU, release_document(FU, built_at=now - 1e6)),
    ]
    for host, document in kinds:
        for path in text_fields(document):
            yield host, with_payload(document, path, keeps=False)
    job = job_document(FU, RUN, TAG, 1, lumi=40, reported_at=now, exit_code=-11)
    for number, (path, keeps) in enumerate((path, keeps) for path in text_fields(job) for keeps in (True, False)):
        elsewhere = {"_id": f"{job['_id']}-{number}"} | ({} if path == ("run",) else {"run": RUN - 1 - number})
        yield FU, with_payload(job, path, keeps=keeps) | elsewhere
    everything = job
    for path in text_fields(job):
        everything = with_payload(everything, path, keeps=True)
    yield FU, everything | {"run": RUN, "_id": f"{job['_id']}-everything"}


@pytest.fixture
def mirror(place, tmp_path) -> Iterator[Mirror]:
    with Simulator(production_hosts=(BU, FU)) as simulator, mirror_on(place, simulator, tmp_path) as mirror:
        for host, document in hostile_documents(time.time()):
            simulator.upload(host, document)
        mirror.start("grabber.py", "production")
        mirror.start_server()
        at_rest = "SELECT count(*) FROM mirror.cursors WHERE tail_rev = 0 AND n_behind = 0"
        wait_for(lambda: place.rows(at_rest) == [(2,)], "everything is read", 40)
        yield mirror


def test_security_d3_markup_in_any_field_of_any_document_is_text_in_every_page(mirror, place, browser):
    jobs = [row[0] for row in place.rows("SELECT document_id FROM mirror.jobs ORDER BY 1")]
    assert len(jobs) > 20
    paths = ["/", "/?kiosk=1", "/?db=playback", "/timeline/", "/statistics/", "/status", "/alarms", "/help"]
    paths += [f"/runs/{RUN}/delivery"]
    n_shown = 0
    for path in [*paths, *(f"/jobs/{job}{rest}" for job in jobs for rest in ("", "/log"))]:
        status, text = mirror.get(path)
        assert status in {200, 404}, path
        assert UNESCAPED.findall(text) == [], path
        n_shown += "data-pwned" in text
    assert n_shown > 10, "the payload is nowhere: nothing was tried"

    ran: list[str] = []
    page = browser.new_page()
    page.on("dialog", lambda dialog: ran.append(dialog.message))
    page.on("pageerror", lambda error: ran.append(str(error)))
    page.on("request", lambda request: ran.append(request.url) if not request.url.startswith(mirror.url("")) else None)
    page.on("console", lambda message: ran.append(message.text) if message.type == "error" else None)
    worst = next(job for job in jobs if "data-pwned" in mirror.get(f"/jobs/{job}/log")[1])
    for path in [*paths, f"/jobs/{worst}", f"/jobs/{worst}/log"]:
        page.goto(mirror.url(path))
        page.wait_for_selector("html[data-ready]", state="attached")
        assert page.locator("[data-pwned]").count() == 0, path
    page.goto(mirror.url("/"))
    page.locator("[data-opens]").first.click()  # the row is put in by a script, as htmx does it
    page.wait_for_selector(".detail-grid")
    page.wait_for_timeout(300)
    assert page.locator("[data-pwned]").count() == 0
    page.close()
    assert ran == []

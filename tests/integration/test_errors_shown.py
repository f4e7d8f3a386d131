"""What people see of an error, and what the log keeps of a request: never what it was about."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from dqmsquare.errors import StoreUnavailable
from dqmsquare.server import status_pages
from dqmsquare.storage import queries
from tests.control_room_client import PASSWORD, Answer
from tests.integration.control_room_stage import PLAYBACK_FU, PRODUCTION_FU, Stage, control_room_stage

INTERNAL = re.compile(
    r"traceback|exception|Error\(|[a-z]Error:|\.py\b|line [0-9]|SELECT|mirror\.|psycopg|sqlalchemy|postgres|bottle|granian"
    r"|wsgi|/(?:usr|home|tmp|fff)/|0x[0-9a-f]{6}|canary|<h1>Bad Gateway|127\.0\.0\.1|" + PRODUCTION_FU,
    re.IGNORECASE,
)
WITH_ID = re.compile(r".{5,200}\nError [0-9a-f]{8}\n|\{.{20,300}urn:dqmsquare:error:[0-9a-f]{8}\"\}")
SENTENCE = re.compile(r"[A-Za-z].{5,200}")
HOSTILE = "canary'; SELECT 1 --%00<h1>/usr/lib/x.py"


def _fails(*arguments: object) -> None:
    raise ValueError("SELECT canary FROM mirror.jobs in /usr/lib/x.py")


def _is_gone(*arguments: object) -> None:
    raise StoreUnavailable("postgres at 127.0.0.1: canary")


def _asked(path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Callable[[Stage], Answer]:
    return lambda stage: stage.client().request(method, path, body, **{"Accept": "*/*", **headers})


def _room(path: str, method: str = "GET", body: bytes | None = None) -> Callable[[Stage], Answer]:
    return lambda stage: stage.logged_in().request(method, path, body, Accept="*/*")


# Each with its status, and whether it is a sentence alone: scripts know those of /api and of /cr/exe.
ERRORS: dict[str, tuple[Callable[[Stage], Answer], int, bool]] = {
    "no such page": (_asked(f"/{HOSTILE}"), 404, False),
    "no such file": (_asked("/static/..%2f..%2fserver.py"), 404, False),
    "no such run": (_asked("/timeline/1/canary"), 404, False),
    "no such job": (_asked("/jobs/dqm-source-state-canary"), 404, False),
    "no such picture": (_asked(f"/statistics/{HOSTILE}.png"), 404, False),
    "a parameter": (_asked(f"/api/v1/clusters/production/runs?limit={HOSTILE}"), 400, False),
    "a parameter of the timeline": (_asked(f"/timeline/rows?before={HOSTILE}"), 400, False),
    "the first API": (_asked(f"/api?what=get_run&run={HOSTILE}"), 400, True),
    "a method": (_asked("/api/v1/clusters", "PUT"), 405, False),
    "a length": (_asked("/status", Transfer_Encoding="chunked"), 400, False),
    "a body": (_asked("/cr/commands", "POST", b"x" * 70_000), 413, False),
    "a stranger": (_asked("/cr/exe?what=get_dqm_machines"), 401, False),
    "a fault": (_asked("/status"), 500, False),
    "a fault of the API": (_asked("/api/v1/clusters/production"), 500, False),
    "no database": (_asked("/api?what=get_info"), 503, True),
    "a command": (_room(f"/cr/exe?what={HOSTILE}"), 400, True),
    "upstream's error page": (_room(f"/cr/exe?what=get_fff_logs&host={PLAYBACK_FU}"), 502, True),
    "another page's form": (_room("/cr/exe", "POST", b"what=restart_hltd&token=canary"), 403, False),
}


@pytest.fixture
def stage(place, tmp_path):
    with control_room_stage(place, tmp_path) as stage:
        yield stage


def test_security_f1_whatever_goes_wrong_is_told_in_a_sentence_and_by_an_id(stage: Stage, monkeypatch):
    monkeypatch.setattr(status_pages, "_status", _fails)
    stage.application, _ = stage.replica()
    monkeypatch.setattr(queries, "run_range", _fails)
    stage.simulator.faults.set("status:502", path="/cr/exe")
    told = {}
    for name, (ask, _, _) in ERRORS.items():
        if name == "no database":
            monkeypatch.setattr(queries, "run_range", _is_gone)
        told[name] = ask(stage)
    for name, (_, status, is_sentence) in ERRORS.items():
        answer, form = told[name], SENTENCE if is_sentence else WITH_ID
        assert (answer.status, INTERNAL.findall(answer.text)) == (status, []), (name, answer.text)
        assert form.fullmatch(answer.text), (name, answer.text)


def test_security_f2_a_failed_request_leaves_nothing_of_itself_in_the_log(stage: Stage, monkeypatch, caplog):
    monkeypatch.setattr(status_pages, "_status", _fails_quietly)
    stage.application, _ = stage.replica()
    client = stage.client(cookies={"__Secure-dqmcr": "canary-cookie", "cms-auth": "canary-frontend"})
    secret: Any = {
        "Authorization": "Bearer canary-bearer",
        "cms-authn-dn": "/CN=canary-dn",
        "cms-authn-hmac": "canary-hmac",
    }
    with caplog.at_level("DEBUG"):
        assert client.request("GET", "/status?password=canary-query", **secret).status == 500
        client.request("GET", "/cr/login/?next=/canary-next&password=canary-query", **secret)
        client.log_in("canary-name", "canary-password-of-somebody")
        client.log_in("expert", PASSWORD)
        client.post("/cr/logout/canary", {"password": "canary-form"})
    assert "error" in caplog.text
    assert re.findall(r"canary-(?!name)\w+|" + PASSWORD, caplog.text) == []


def _fails_quietly(*arguments: object) -> None:
    raise ValueError("for the test")

"""/api/v1 over a mirror of a simulated Point 5: every answer against the document, and docs/api.md line by line."""

import gzip
import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.error import HTTPError

import jsonschema_rs
import pytest
import schemathesis
import zstandard
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from dqmsquare.server.api_v1.operations import OPERATIONS
from dqmsquare.simulator import Simulator
from tests.postgres import Server, copied_databases
from tests.programs import ROOT, Mirror, mirror_on, wait_for

PREFIX = "/dqm/dqm-square"
FEW_HOSTS = ("bu-c2f11-09-01", "fu-c2f11-11-01")
RUN = 377_814  # of the history: it is over, and jobs of it crashed
NEWEST = 377_827
N_RUNS = 7
EXAMPLES = int(os.environ.get("API_EXAMPLES", "4"))  # per operation; `API_EXAMPLES=300` looks longer


@dataclass(frozen=True)
class Answer:
    """What a program gets."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Api:
    """/api/v1 of a mirror that runs, and the ids of a job that crashed and of its host."""

    mirror: Mirror
    job_id: str
    host_id: str

    def get(self, path: str, **headers: str) -> Answer:
        """`path` is below /api/v1, or begins with the prefix as `next` does."""
        path = path.removeprefix(f"{PREFIX}/api/v1")
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.mirror.url(f"/api/v1{path}"), headers=sent)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def json(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status == 200, (path, answer)
        return answer.json()

    def places(self, cluster: str) -> dict[str, str]:
        """What may stand in a path, such that there is something."""
        if cluster == "playback":
            run = self.json("/clusters/playback/runs/latest")
            job = run["jobs"][0]
            return {"run": run["run"], "job_id": job["job_id"], "host_id": job["host"]["host_id"]}
        return {"run": str(RUN), "job_id": self.job_id, "host_id": self.host_id}


def are_in(mirror: Mirror, cluster: str) -> bool:
    """Whether all of the history is there, with all jobs."""
    runs = mirror.json(f"/api/v1/clusters/{cluster}/runs")["runs"]
    return len(runs) == N_RUNS and min(run["n_jobs"] for run in runs) >= 30


@pytest.fixture(scope="module")
def api(postgres_18: Server, templates_18: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    with (
        copied_databases(postgres_18, templates_18, folder) as place,
        Simulator(production_hosts=FEW_HOSTS, play=True, history_runs=N_RUNS - 1) as simulator,
        mirror_on(place, simulator, folder, SERVER_URL_PREFIX=PREFIX) as mirror,
    ):
        mirror.start_server()
        mirror.start("grabber.py", "production")
        mirror.start("grabber.py", "playback")
        wait_for(lambda: are_in(mirror, "production") and are_in(mirror, "playback"), "all runs are there", 60)
        assert simulator.crash("csc")
        job = wait_for(lambda: crashed_job(mirror, "csc"), "the crash is there")
        yield Api(mirror, job["job_id"], job["host"]["host_id"])


def crashed_job(mirror: Mirror, client: str) -> Any:
    """The client's; what is played may have crashes of its own."""
    alarms = mirror.json("/api/v1/clusters/production/alarms?standing=true")["alarms"]
    ids = [alarm["job_id"] for alarm in alarms if alarm["rule"] == "JobCrashed"]
    jobs = (mirror.json(f"/api/v1/clusters/production/jobs/{job_id}") for job_id in ids)
    return next((job for job in jobs if job["client"] == client), None)


@pytest.fixture(scope="module")
def document(api: Api) -> Any:
    return api.json("/openapi.json")


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    """Path and description of each, but of the stream, which does not end."""
    for path, methods in document["paths"].items():
        if not path.endswith("/events"):
            yield path, methods["get"]


def check(document: Any, schema: Any, value: Any) -> None:
    """Raises where the value is not as the document says."""
    jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]}).validate(value)


@pytest.mark.parametrize("cluster", ["production", "playback"])
def test_security_g2_every_answer_has_exactly_the_keys_that_are_published(api: Api, document: Any, cluster: str):
    places = api.places(cluster)
    for path, operation in operations(document):
        answer = api.get(path.format(cluster=cluster, **places))
        [(media, content)] = operation["responses"]["200"]["content"].items()
        assert (answer.status, answer.headers["Content-Type"]) == (200, media), path
        check(document, content["schema"], answer.json() if media == "application/json" else answer.body.decode())


def test_the_document_is_openapi(document: Any):
    schemathesis.openapi.from_dict(document).validate()


def test_every_key_of_an_answer_is_closed_and_required(document: Any):
    for name, schema in document["components"]["schemas"].items():
        assert schema["additionalProperties"] is False, name
        assert schema["required"] == list(schema["properties"]), name


def test_a_job_says_how_it_ended(api: Api):
    job = api.json(f"/clusters/production/jobs/{api.job_id}")
    assert (job["client"], job["state"], job["exit_code"], job["exit_words"]) == ("csc", "crashed", -11, "SIGSEGV")
    log = api.json(f"/clusters/production/jobs/{api.job_id}/log")
    text = api.get(f"/clusters/production/jobs/{api.job_id}/log.txt").body.decode()
    assert text.startswith(log["head"].rstrip())
    assert text.endswith(log["tail"])
    run = api.json("/clusters/production/runs/latest")
    assert run["run"] == NEWEST
    assert run["counts"]["crashed"] == sum(job["state"] == "crashed" for job in run["jobs"]) > 0


def test_a_playback_says_what_is_played(api: Api):
    run = api.json("/clusters/playback/runs/latest")
    assert run["playback"]["source_run"] > 0
    assert api.json("/clusters/production/runs/latest")["playback"] is None


@pytest.mark.parametrize(
    ("path", "key", "name"),
    [
        ("/clusters/production/runs?with_lumis=true&limit=", "runs", "run"),
        ("/clusters/production/alarms?limit=", "alarms", "key"),
    ],
)
def test_the_pages_of_a_list_are_the_list(api: Api, path: str, key: str, name: str):
    whole = api.json(f"{path}500")
    assert whole["next"] is None
    found, address = [], f"{path}2"
    while address:
        page = api.json(address)
        assert len(page[key]) == 2 or page["next"] is None
        found += [row[name] for row in page[key]]
        address = page["next"]
    assert found == [row[name] for row in whole[key]]
    assert len(found) > 2


def test_security_e3_an_answer_is_not_sent_twice_and_travels_small(api: Api):
    path = f"/clusters/production/runs/{RUN}"
    plain = api.get(path)
    assert plain.headers["Cache-Control"] == "max-age=1"
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9]+", plain.headers["Event-Id"])
    again = api.get(path, If_None_Match=plain.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    packed = {name: api.get(path, Accept_Encoding=name).body for name in ("gzip", "zstd")}
    assert gzip.decompress(packed["gzip"]) == zstandard.ZstdDecompressor().decompress(packed["zstd"]) == plain.body
    assert max(map(len, packed.values())) < len(plain.body) / 4


# ------------------------------------------------------------------------------------------------------- docs/api.md


def examples() -> list[tuple[str, str]]:
    """Each command of docs/api.md with what it prints."""
    blocks = re.findall(r"^```console\n(.*?)^```", (ROOT / "docs/api.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    shown = [part.partition("\n") for block in blocks for part in block.removeprefix("$ ").split("\n$ ")]
    return [(command, outcome.strip()) for command, _, outcome in shown]


def test_every_path_has_a_command_in_the_docs(document: Any):
    commands = " ".join(command for command, _ in examples())
    for path in document["paths"]:
        places = {"cluster": "production", "run": r"\d+", "job_id": r"\$JOB_ID", "host_id": r"\$HOST_ID"}
        assert re.search(rf"/api/v1{path.format(**places)}(?=[?' ]|$)", commands), path


@pytest.mark.parametrize(("command", "outcome"), examples(), ids=lambda text: text[:80])
def test_a_command_of_the_docs_prints_what_stands_there(api: Api, command: str, outcome: str):
    shown_status = re.search(r'"status":(\d{3})', outcome)
    expected = outcome.replace('"/api/v1', f'"{PREFIX}/api/v1')
    command = command.replace("http://127.0.0.1:8887", api.mirror.url("").rstrip("/"))
    command = command.replace("curl ", "curl --max-time 2 --write-out '\\n%{http_code}' ", 1)
    environ = {"PATH": os.environ["PATH"], "JOB_ID": api.job_id, "HOST_ID": api.host_id}
    done = subprocess.run(["bash", "-c", command], env=environ, capture_output=True, text=True, timeout=20, check=False)
    printed, _, status = done.stdout.rpartition("\n")
    assert (done.returncode, status) == (28 if " -sN " in command else 0, shown_status[1] if shown_status else "200")
    pattern = ".*".join(map(re.escape, expected.split("…")))
    assert re.match(pattern + "$" * (not outcome.endswith("…")), printed, re.DOTALL), printed[:2000]


# ----------------------------------------------------------------------------------------------------------- fuzzing


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_is_asked_is_answered_as_the_document_says(api: Api, mode: GenerationMode):
    schema: Any = schemathesis.openapi.from_url(api.mirror.url("/api/v1/openapi.json")).exclude(operation_id="events")
    described = [found.ok() for found in schema.get_all_operations()]
    assert len(described) == len(OPERATIONS) + 1  # and the list of clusters
    for operation in described:
        if mode is GenerationMode.POSITIVE or list(operation.iter_parameters()):
            fuzz(operation, mode, api.places("production"))


def fuzz(operation: Any, mode: GenerationMode, known: dict[str, str]) -> None:
    """Asks for what the document allows, or for what it does not; each time also with ids that there are."""

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        case.call_and_validate()
        names = known.keys() & case.path_parameters.keys()
        if names and mode is GenerationMode.POSITIVE:
            case.path_parameters.update({name: known[name] for name in names}, cluster="production")
            case.call_and_validate()

    ask()

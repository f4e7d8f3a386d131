"""The simulator's documents beside those that were recorded at Point 5, so that the two cannot drift apart."""

import json
from pathlib import Path

import pytest

from dqmsquare.simulator import Simulator
from dqmsquare.simulator.documents import files_document, job_document, stats_document
from dqmsquare.simulator.simulator import read_documents

# Fields that dqm2's writers have by now and had not in the version that was recorded.
NEWER = {"update_timestamp", "stdout_fn", "stderr_fn", "lumi_number", "lumi_events", "lumi_duration_ms", "next_lumi"}


@pytest.fixture(scope="module")
def recorded(shared_data: Path) -> dict[str, list[dict]]:
    kinds: dict[str, list[dict]] = {}
    for _, document in read_documents(shared_data / "p5_run358788.jsonl.gz"):
        kinds.setdefault(document["type"], []).append(document)
    return kinds


def made_like(real: dict) -> dict:
    lumi = int(real["cmssw_lumi"])
    return job_document(
        real["hostname"], real["run"], real["tag"], real["pid"],
        lumi=lumi, waited_lumis=0 if lumi else 99, reported_at=real["report_timestamp"], exit_code=real["exit_code"],
        run_key="cosmic_run",
    )  # fmt: skip


def types_of(document: dict) -> dict[str, str]:
    return {key: type(value).__name__ for key, value in document.items()}


def test_a_job_has_the_real_ones_fields_in_the_real_ones_types(recorded: dict[str, list[dict]]) -> None:
    for real in recorded["dqm-source-state"]:
        made = made_like(real)
        assert made["_id"] == real["_id"]
        assert set(made) - set(real) <= NEWER
        assert types_of(real).items() <= types_of(made).items()
        assert set(made["extra"]) == set(real["extra"])
        assert types_of(made["extra"]) == types_of(real["extra"])


def test_what_is_inside_a_job_has_the_real_ones_form(recorded: dict[str, list[dict]]) -> None:
    for real in recorded["dqm-source-state"]:
        made = made_like(real)
        assert set(real["extra"]["environ"]) <= set(made["extra"]["environ"])
        assert set(real["extra"]["ps_info"]) <= set(made["extra"]["ps_info"])
        assert [part.split("=")[0] for part in made["cmdline"][2:]] == [
            part.split("=")[0] for part in real["cmdline"][2:]
        ]
        assert made["cmdline"][1] == real["cmdline"][1]
        if "lumi_stats" in real["extra"]:
            first_real, first_made = (next(iter(d["extra"]["lumi_stats"].values())) for d in (real, made))
            assert types_of(first_made) == types_of(first_real)
            assert len(made["extra"]["lumi_stats"]) == pytest.approx(len(real["extra"]["lumi_stats"]), abs=2)
        for at, line in list(made["extra"]["mem_info"].items())[:2]:
            assert (len(line.split()), float(at) > 1.6e9) == (7, True)


def test_a_job_is_as_large_as_the_real_one(recorded: dict[str, list[dict]]) -> None:
    for real in recorded["dqm-source-state"]:
        assert len(json.dumps(made_like(real))) == pytest.approx(len(json.dumps(real)), rel=0.15)


def test_delivered_files_have_the_real_ones_form(recorded: dict[str, list[dict]]) -> None:
    (real,) = recorded["dqm-files"]
    start = real["extra"]["global_start"]
    made = files_document(real["hostname"], real["run"], started_at=start, reported_at=start + 2400, n_lumis=100)
    assert made["_id"] == real["_id"]
    assert set(real) - set(made) == {"timestamp"}  # fff_web's
    assert types_of(made["extra"]) == types_of(real["extra"])
    assert set(made["extra"]["streams"]) == set(real["extra"]["streams"])
    for key, columns in real["extra"]["streams"].items():
        assert types_of(columns) == types_of(made["extra"]["streams"][key])


def test_a_hosts_memory_has_the_real_ones_fields(recorded: dict[str, list[dict]]) -> None:
    for real in recorded["dqm-stats"]:
        made = stats_document(real["hostname"], at=real["timestamp"])
        assert (made["_id"], set(made)) == (real["_id"], set(real))
        assert set(real["extra"]["meminfo"]) <= set(made["extra"]["meminfo"])


def test_the_recorded_run_can_be_replayed(shared_data: Path) -> None:
    path = shared_data / "p5_run358788.jsonl.gz"
    simulator = Simulator([], documents=[path])
    with simulator:
        assert simulator.clusters["production"].bu == "bu-c2f11-09-01"
        assert sum(len(store) for store in simulator.stores.values()) == sum(1 for _ in read_documents(path))

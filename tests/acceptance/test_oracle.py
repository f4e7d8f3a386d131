"""The oracle itself: content with a mirror that is level, it names each thing that is wrong with one that is not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.nursery_stage import NurseryStage, nursery_stage
from tests.postgres import TestPlace


def _nth(table: str, n: int) -> str:
    return f"document_id = (SELECT document_id FROM mirror.{table} ORDER BY 1 OFFSET {n} LIMIT 1)"


WRONGS = {  # what is done to the mirror, and what the oracle says of it
    f"UPDATE mirror.host_disks SET free_bytes = 1 WHERE {_nth('host_disks', 1)}": "in the mirror 1",
    f"UPDATE mirror.host_disks SET rev = rev - 1 WHERE {_nth('host_disks', 2)}": "stands in the mirror at (1, ",
    f"UPDATE mirror.host_disks SET epoch = 2 WHERE {_nth('host_disks', 3)}": "stands in the mirror at (2, ",
    f"UPDATE mirror.host_disks SET host_id = 'x' WHERE {_nth('host_disks', 4)}": "is in the mirror as of host x",
    f"DELETE FROM mirror.host_disks WHERE {_nth('host_disks', 0)}": "is not in the mirror",
    f"DELETE FROM mirror.job_logs WHERE {_nth('job_logs', 0)}": "has not the log of its number",
    "INSERT INTO mirror.releases (document_id, host_id, host_label, epoch, rev, received_at, n_field_errors, flags, name,"
    " built_at, pull_requests) VALUES ('x', 'x', 'x', 1, 1, now(), 0, '{}', 'x', now(), '{}')": "was never offered",
    "INSERT INTO mirror.host_memory (document_id, host_id, host_label, epoch, rev, received_at,"
    " n_field_errors, flags) SELECT document_id, host_id, host_label, epoch, rev, received_at, n_field_errors, flags"
    f" FROM mirror.host_disks WHERE {_nth('host_disks', 9)}": "is there twice",
    "UPDATE mirror.runs SET n_jobs = n_jobs + 1": "is not that of its jobs",
}  # fmt: skip


@pytest.fixture
def stage(place: TestPlace, tmp_path: Path) -> Iterator[NurseryStage]:
    with nursery_stage(place, tmp_path) as stage:
        stage.start()
        stage.settle()
        yield stage


def test_what_was_dropped_upstream_stays_and_each_thing_that_is_wrong_is_named(stage: NurseryStage):
    name, store = next(iter(stage.simulator.stores.items()))
    stage.simulator.drop(name, store.newest_ids(4)[:2])  # the newest one's end would be a new epoch
    verdict = stage.compare()
    assert (verdict.differences, verdict.n_former) == ([], 2)
    assert verdict.n_mirrored == verdict.n_upstream + 2 > 30
    for statement, words in WRONGS.items():
        stage.place.rows(statement)
        found = stage.compare().differences
        assert [line for line in found if words in line], (statement, found)

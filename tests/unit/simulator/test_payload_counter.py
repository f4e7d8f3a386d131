"""Every document that is uploaded has a number of its own, in a field that survives stripping."""

import pytest

from dqmsquare.simulator import HostStore, PayloadCounter
from dqmsquare.simulator.documents import (
    diskspace_document,
    files_document,
    job_document,
    playback_document,
    release_document,
    stats_document,
)
from dqmsquare.simulator.payload_counter import LOG_LINE, counter_of

TAG = "beam_dqm_sourceclient-live"
DOCUMENTS = [
    job_document("fu-1", 377_001, TAG, 1, lumi=3, reported_at=1.7e9),
    files_document("bu-1", 377_001, started_at=1.7e9, reported_at=1.7e9 + 100),
    playback_document("bu-1", 500_001),
    stats_document("fu-1", at=1.7e9),
    diskspace_document("bu-1"),
    release_document("bu-1", built_at=1.7e9),
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["type"])
def test_a_number_goes_in_and_is_read_again(document: dict) -> None:
    counter = PayloadCounter()
    store = HostStore("fu-1", stamp=counter.stamp)
    for _ in range(2):
        store.upload(document)
    [stored] = store.documents([document["_id"]])
    first, second = sorted(counter.offered[document["_id"]])
    assert (counter_of(stored), counter.n_offered) == (second, 2)
    assert second == first + 1


def test_a_jobs_number_stands_in_its_log_too() -> None:
    counter = PayloadCounter()
    stamped = counter.stamp(DOCUMENTS[0])
    assert stamped["extra"]["stdlog_end"][-1] == LOG_LINE.format(counter_of(stamped))


def test_what_is_not_kept_has_no_number() -> None:
    document = {"_id": "a", "type": "dqm-other"}
    assert PayloadCounter().stamp(document) == document
    assert counter_of(document) is None

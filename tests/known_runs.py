"""Three runs of three clients in which everything happens that statistics tell apart."""

from datetime import datetime, timedelta
from typing import Any

from dqmsquare.documents import DeliveryDocument, JobDocument, StreamFiles
from dqmsquare.storage.host_record import HostRecord
from tests.examples import NOW, delivery_document, job_document
from tests.postgres import TestPlace

HOST = "hostid0000000001"
LUMI_SECONDS = 23.310893056
STARTED_AT = NOW
ENDED_AT = NOW + timedelta(minutes=40)


def _job(number: int, run: int, client: str, **changed: Any) -> JobDocument:
    at: datetime = changed.pop("at", ENDED_AT)
    lumi: int = changed.pop("lumi", 100)
    hz: float = changed.pop("hz", 0.0)
    rev: int = changed.pop("rev", number)
    return job_document(
        f"job{number:013}",
        rev=rev,
        at=at,
        run=run,
        tag=f"{client}_dqm_sourceclient-live",
        lumi=lumi,
        n_events=round(hz * lumi * LUMI_SECONDS),
        **changed,
    )


def _delivery() -> DeliveryDocument:
    """Of run 100: two streams of two files each, the first 4 s and 6 s late, the second 10 s."""
    start = STARTED_AT.timestamp()
    streams = {}
    for key, delays, n_events in (("streamDQM", (4.0, 6.0), 700), ("streamDQMCalibration", (10.0, 10.0), 50)):
        times = tuple(start + lumi * LUMI_SECONDS + delay for lumi, delay in zip((1, 2), delays, strict=True))
        streams[key] = StreamFiles((1, 2), times, times, (n_events,) * 2, (n_events,) * 2, (10**9, 2 * 10**9))
    return delivery_document(
        "delivery00000100", 200, ENDED_AT, run=100, global_start=start, lumi_seconds=LUMI_SECONDS, streams=streams
    )


def _other_delivery() -> DeliveryDocument:
    """Another builder's list of the same run, reported later: the BU's own counts."""
    return delivery_document("delivery00000101", 201, ENDED_AT + timedelta(minutes=1), run=100, tag="lookarea_bu..01")


_COLLISIONS: dict[str, Any] = {"run_key": "pp_run", "release": "15_0_4_47120"}
_COSMICS: dict[str, Any] = {"run_key": "cosmic_run", "release": "15_0_5"}
KNOWN_RUNS = (
    _job(1, 100, "beam", exit_code=0, hz=20.0, **_COLLISIONS),
    _job(2, 100, "dt", exit_code=-11, hz=10.0, lumi=50, **_COLLISIONS),
    # The run's files were gone: neither failed, nor (run 101) crashed, whatever the exit code.
    _job(3, 100, "ecal", exit_code=65, input_gone=True, hz=5.0, **_COLLISIONS),
    _delivery(),
    _other_delivery(),
    _job(4, 101, "beam", exit_code=139, input_gone=True, hz=2.0, lumi=10, **_COSMICS),
    # Silent since 20 minutes before the run's last report, and one that reported to the last.
    _job(5, 101, "dt", at=ENDED_AT - timedelta(minutes=20), hz=1.0, lumi=4, **_COSMICS),
    _job(6, 101, "ecal", hz=1.0, lumi=10, **_COSMICS),
    # Failed, then started again; stopped; still there 16 minutes after its input had ended.
    _job(7, 102, "beam", exit_code=66, hz=1.0, lumi=8, at=ENDED_AT - timedelta(minutes=30), **_COLLISIONS),
    _job(8, 102, "beam", exit_code=0, hz=30.0, lumi=150, **_COLLISIONS),
    _job(9, 102, "dt", exit_code=-15, hz=14.0, lumi=150, **_COLLISIONS),
    _job(10, 102, "ecal", fi_state=2, hz=5.0, lumi=99, at=ENDED_AT - timedelta(minutes=16), **_COLLISIONS),
    _job(10, 102, "ecal", rev=11, fi_state=2, hz=7.0, lumi=150, **_COLLISIONS),
)


def store_known_runs(place: TestPlace, cluster: str = "production") -> None:
    """Writes them as a grabber does, one after the other."""
    record = HostRecord(place.owner(cluster), HOST, takeover_seconds=10)
    assert record.hold()
    try:
        for document in KNOWN_RUNS:
            record.store([document])
    finally:
        record.release()

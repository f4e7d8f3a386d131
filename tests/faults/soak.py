"""Documents through reader, scrubber and store, for hours in minutes: `python -m tests.faults.soak [documents]`.

Prints the resident memory as it goes and ends with status 1 where it grows by more than 1 MiB in 10,000 documents.
"""

import gc
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dqmsquare.documents import read_document
from dqmsquare.identity import PublicIds
from dqmsquare.scrub import Scrubber
from dqmsquare.storage.host_record import HostRecord
from tests.postgres import KEY, TestPlace, fresh_place

HOST = "fu-c2f11-11-01"
BATCH = 100
SLOPE_MAX_MIB = 1.0  # in 10,000 documents
_WORDS = [
    "%MSG",
    "Begin",
    "processing",
    "run",
    "lumi",
    "event",
    "TrackRefitter",
    "siPixelDigis@cpu",
    "/nfshome0/bobby/x",
    "10.176.1.2",
]


def jobs(n_jobs: int, n_lines: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Reports of so many jobs in turn, for ever, each with a log of so many lines that no other report has."""
    dice = random.Random(seed)
    for rev in itertools.count(1):
        job = rev % n_jobs
        lines = [f"{' '.join(dice.choices(_WORDS, k=8))} {rev} {n}\n" for n in range(n_lines)]
        yield {
            "_id": f"dqm-source-state-run{300_000 + job // 30:06d}-host{HOST}-pid{job:06d}",
            "_rev": rev,
            "type": "dqm-source-state",
            "hostname": HOST,
            "tag": f"client{job % 30}_dqm_sourceclient-live",
            "run": 300_000 + job // 30,
            "report_timestamp": time.time(),
            "cmssw_lumi": str(rev % 1000),
            "events_total": str(rev),
            "extra": {
                "mem_info": {
                    f"{time.time() - 30 * n:.1f}": f"{200_000 + n} {90_000 + n} 1 1 0 1 0" for n in range(n_lines)
                },
                "lumi_stats": {str(n): {"n": n, "nevents": 100, "nmillis": 23_310} for n in range(n_lines)},
                "stdlog_start": lines[: n_lines // 2],
                "stdlog_end": lines[n_lines // 2 :],
            },
        }


def resident_mib() -> float:
    """What this process holds now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def soak(place: TestPlace, n_documents: int, every: int, n_jobs: int = 600, n_lines: int = 120) -> list[float]:
    """Stores so many documents; resident memory in MiB at the start of each stretch of `every`, and at the end."""
    ids, scrubber = PublicIds(KEY, "production"), Scrubber([HOST])
    record = HostRecord(place.owner(), ids.host(HOST), takeover_seconds=10)
    record.hold()
    memory = []
    source = jobs(n_jobs, n_lines)
    for done in range(0, n_documents, BATCH):
        if done % every == 0:
            memory.append(resident_mib())
        received_at = datetime.now(UTC) + timedelta(seconds=1)
        batch = itertools.islice(source, BATCH)
        documents = [read_document(raw, received_at=received_at, ids=ids, scrubber=scrubber) for raw in batch]
        record.store(documents, head_rev=done)
    record.release()
    return [*memory, resident_mib()]


def slope(memory: list[float], every: int) -> float:
    """Growth in MiB per 10,000 documents by least squares, without the first fifth, in which caches fill."""
    kept = memory[len(memory) // 5 :]
    middle, mean = (len(kept) - 1) / 2, sum(kept) / len(kept)
    variance = sum((n - middle) ** 2 for n in range(len(kept)))
    per_stretch = sum((n - middle) * (value - mean) for n, value in enumerate(kept)) / variance
    return per_stretch * 10_000 / every


def main() -> int:
    """Runs with 100,000 documents, or as many as are asked for. Returns the exit status."""
    n_documents = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    every = n_documents // 20 // BATCH * BATCH
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mirror-soak-") as folder, fresh_place(Path(folder)) as place:
        memory = soak(place, n_documents, every)
    found = slope(memory, every)
    print("resident MiB:", " ".join(f"{value:.1f}" for value in memory))
    print(f"{found:+.2f} MiB per 10,000 documents, {n_documents / (time.monotonic() - begun):.0f} documents/s")
    return 0 if found < SLOPE_MAX_MIB else 1


if __name__ == "__main__":
    sys.exit(main())

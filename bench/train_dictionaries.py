"""Makes a pair of zstd dictionaries: `python -m bench.train_dictionaries FILE…` writes them beside those in use.

FILE has lines `{"host": …, "doc": …}`, gzip or not, such as logs of Point 5; the simulator's are always among the
samples. Documents are read as the grabber reads them, so that samples, and the dictionaries with them, are scrubbed.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import zstandard

from bench.ready_upstream import documents_of_one_host
from dqmsquare.documents import JobDocument, read_document
from dqmsquare.identity import PublicIds
from dqmsquare.scrub import Scrubber
from dqmsquare.simulator.simulator import read_documents
from dqmsquare.storage.packing import FOLDER
from dqmsquare.storage.series_body import series_as_columns

_SIZES = {"logs": 16_384, "series": 4_096}  # bytes
_N_SIMULATED = 400
_REPEATED = 5  # how much more a real one counts
_SEED = 7  # another history than the measurements'


def _jobs(raw: list[dict[str, Any]]) -> Iterator[JobDocument]:
    ids, scrubber, now = PublicIds(bytes(32), "production"), Scrubber(), datetime.now(UTC)
    for number, document in enumerate(raw):
        read = read_document(document | {"_rev": number}, received_at=now, ids=ids, scrubber=scrubber)
        if isinstance(read, JobDocument):
            yield read


def main(paths: list[Path]) -> None:
    """Trains and writes."""
    raw = documents_of_one_host(_N_SIMULATED, seed=_SEED)
    real = [document for path in paths for _, document in read_documents(path) if "extra" in document]
    jobs = list(_jobs(raw + real * _REPEATED))
    samples: dict[str, list[bytes | bytearray | memoryview[int]]] = {
        "logs": [(job.log_head + job.log_tail).encode() for job in jobs],
        "series": [orjson.dumps(series_as_columns(job)) for job in jobs],
    }
    for kind, size in _SIZES.items():
        number = len(list(FOLDER.glob(f"{kind}-*.zdict"))) + 1
        path = FOLDER / f"{kind}-{number}.zdict"
        path.write_bytes(zstandard.train_dictionary(size, samples[kind], level=9).as_bytes())
        print(f"{path}: {path.stat().st_size} bytes from {len(samples[kind])} samples")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])

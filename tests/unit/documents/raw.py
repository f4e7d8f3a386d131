"""Raw documents in the writers' format, and a second look, independent of the scrubber, for what must not leave."""

import copy
import dataclasses
import gzip
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from dqmsquare.documents import AnyDocument, read_document
from dqmsquare.identity import PublicIds
from dqmsquare.scrub import Scrubber

RECEIVED_AT = datetime(2022, 9, 15, 11, 46, tzinfo=UTC)
IDS = PublicIds(b"0123456789abcdef0123456789abcdef", "production")
SCRUBBER = Scrubber(("fu-c2f11-11-04", "fu-c2f11-11-02.cms", "dqmrubu-c2a06-01-01"))

PATH = (
    "/cmsnfsdqmdata/dqmdata/dqm_cmssw/production_0909_CMSSW_12_4_8_39145_39162/src/DQM/Integration/python/clients/"
    "beam_dqm_sourceclient-live_cfg.py"
)
JOB: dict[str, Any] = {
    "_id": "dqm-source-state-run358788-hostfu-c2f11-11-04-pid041552",
    "_rev": 8_000_001,
    "hostname": "fu-c2f11-11-04",
    "sequence": 0,
    "type": "dqm-source-state",
    "tag": "beam_dqm_sourceclient-live",
    "run": 358788,
    "pid": 41552,
    "monitoring_pid": 41551,
    "monitoring_socket": "/tmp/dqm_monitoring/.es_monitoring_pid00041551",
    "stdlog_gzip": "/var/log/hltd/pid/hlt_run358788_pid41552.log.gz",
    "stdout_fn": "/var/log/hltd/pid/out_pid41552.log",
    "report_timestamp": 1663242347.024707,
    "update_timestamp": "1663242340",
    "exit_code": 0,
    "events_total": "1165",
    "events_rate": "0.51724136",
    "cmssw_run": "358788",
    "cmssw_lumi": "99",
    "next_lumi": "100",
    "lumi_number": "98",
    "fi_state": "1",
    "cmdline": [
        "cmsRun",
        PATH,
        "runInputDir=/fff/BU0/ramdisk",
        "runNumber=358788",
        "runkey=cosmic_run",
        "runUniqueKey=a32007f9-223a-4a0c-a644-9b169d20715e",
    ],
    "extra": {
        "environ": {"HOME": "/nfshome0/dqmpro", "USER": "dqmpro", "DB_PASSWORD": "canary-password", "X": "10.176.60.5"},
        "ps_info": {
            "Name": "cmsRun",
            "State": "S (sleeping)",
            "Uid": "1234 1234 1234 1234",
            "VmRSS": "722232 kB",
            "VmHWM": "722233 kB",
            "VmSize": "2600000 kB",
            "VmSwap": "0 kB",
            "RssAnon": "600000 kB",
            "Threads": "12",
        },
        "mem_info": {
            "1663242302.5": "181374 73163 40000 1 0 91686 0",
            "1663242272.5": "181373 72856 40000 1 0 91686 0",
        },
        "lumi_stats": {
            "1663242300": {"n": "98", "nevents": "10", "nmillis": "20000", "rate": "0.5"},
            "1663242325": {"n": "98", "nevents": "2", "nmillis": "3000", "rate": "0.6"},
            "1663242330": {"n": "97", "nevents": "12", "nmillis": "23310", "rate": "0.51"},
        },
        "lumi_seen": {
            "lumi000097": "close: eof",
            "lumi000098": "close: eof",
            "lumi000099": "open: file iterator",
            "lumi000100": "skipped: timeout",
        },
        "stdlog_start": [f"-- starting process: ['cmsRun', '{PATH}', 'runkey=cosmic_run'] --\n", "Running as dqmpro\n"],
        "stdlog_end": ["Running as dqmpro\n", "-- process exit: 0 --\n"],
    },
}
DELIVERY: dict[str, Any] = {
    "_id": "dqm-files-bu-c2f11-09-01-analyze_files-run358788",
    "_rev": 3,
    "sequence": 0,
    "hostname": "bu-c2f11-09-01",
    "tag": "analyze_files",
    "run": 358788,
    "type": "dqm-files",
    "pid": 8066,
    "timestamp": 1663242305.6738243,
    "extra": {
        "global_start": 1663240007.721733,
        "global_start_source": "global_file",
        "lumi": 23.310893056,
        "streams": {
            "streamDQM_sm-c2a11-43-01": {
                "lumis": [1, 3],
                "mtimes": [1663240052.5, 1663240099.6],
                "ctimes": [1663240052.6, 1663240099.7],
                "evt_processed": [9472, -1],
                "evt_accepted": [6, -1],
                "fsize": [1042242, -1],
            },
        },
    },
}
MEMORY: dict[str, Any] = {
    "_id": "dqm-stats-fu-c2f11-11-01",
    "_rev": 7,
    "timestamp": 1663242305.5,
    "hostname": "fu-c2f11-11-01",
    "type": "dqm-stats",
    "pid": 4321,
    "memory_used": 54272000000,
    "memory_free": 12288000000,
    "memory_total": 66560000000,
    "extra": {
        "meminfo": {"MemTotal": 65000000, "MemAvailable": 20000000, "SwapFree": "1000 kB"},
        "loggers": {"fff_web": ["user dqmpro logged in from 10.176.60.5"]},
    },
}
DISK: dict[str, Any] = {
    "_id": "dqm-diskspace-bu-c2f11-09-01-fff_deleter",
    "_rev": 9,
    "timestamp": 1663242305.5,
    "hostname": "bu-c2f11-09-01",
    "type": "dqm-diskspace",
    "tag": "fff_deleter_lookarea_c2f11_09_01",
    "disk_used": 100,
    "disk_free": 900,
    "disk_total": -1,
    "extra": {"file_count": 12, "thresholds": {"rename": 60, "delete": 80.5, "delete_folders": True}},
}
PLAYBACK: dict[str, Any] = {
    "_id": "dqm-playback-dqmrubu-c2a06-03-01-playback-run500015",
    "_rev": 11,
    "timestamp": 1663242305.5,
    "hostname": "dqmrubu-c2a06-03-01",
    "type": "dqm-playback",
    "tag": "simulator",
    "run": 500015,
    "state": "running",
    "ls": 37,
    "socket_name": "canary-socket",
    "config": {
        "source": "/fff/input/run256936/",
        "ramdisk": "/fff/BU0/ramdisk",
        "run_key": "pp_run",
        "run_unique_key": "canary-unique-key",
        "lumi_timeout": 23.3,
        "lumi_to_skip": [3, "4", None, "x"],
        "number_of_ls": 1500,
    },
    "extra": {"ls_map": {"streamDQM_sm-c2a11-43-01": "/fff/x"}},
}
RELEASE: dict[str, Any] = {
    "_id": "dqm-release-CMSSW_12_4_8",
    "_rev": 12,
    "timestamp": 1663242305.5,
    "hostname": "dqmrubu-c2a06-03-01",
    "type": "dqm-release",
    "name": "CMSSW_12_4_8",
    "path": "/dqmdata/dqm_cmssw/CMSSW_12_4_8",
    "build_time": 1663000000.5,
    "extra": {"pull_requests": [{"id": 39145, "log": "canary-log"}, {"id": "39162"}, {}], "log": "canary-log"},
}
ALL = {"job": JOB, "delivery": DELIVERY, "memory": MEMORY, "disk": DISK, "playback": PLAYBACK, "release": RELEASE}


def changed(raw: Mapping[str, Any], changes: Mapping[str, Any] | None = None, /, **more: Any) -> dict[str, Any]:
    """A deep copy with other values; a key with dots reaches inside ("extra.mem_info")."""
    result = copy.deepcopy(dict(raw))
    for key, value in {**(changes or {}), **more}.items():
        *outer, last = key.split(".")
        place = result
        for name in outer:
            place = place[name]
        place[last] = value
    return result


def without(raw: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: copy.deepcopy(value) for key, value in raw.items() if key not in names}


def read(raw: Any, received_at: datetime = RECEIVED_AT) -> Any:
    return read_document(raw, received_at=received_at, ids=IDS, scrubber=SCRUBBER)


@cache
def real_documents(shared_data: Path) -> list[dict[str, Any]]:
    """The documents of run 358788, with the revision that upstream gives them at upload."""
    with gzip.open(shared_data / "p5_run358788.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [{"_rev": 8_000_000 + n, **json.loads(line)["doc"]} for n, line in enumerate(lines)]


def received_after(raw: Mapping[str, Any]) -> datetime:
    """A second after the document was made."""
    return datetime.fromtimestamp(raw.get("timestamp") or raw["report_timestamp"], UTC) + timedelta(seconds=1)


# ----------------------------------------------------------------------------------------------------- the second look

LEAKS = re.compile(
    r"""(?ix)
    (?:^|[^a-z0-9_.-])/(?:fff|cmsnfs\w*|dqmdata|home|nfshome0|afs|eos|tmp|var|opt|etc|data|globalscratch)/
    | [a-z0-9]+-c[0-9][a-z][0-9]+-[0-9]+
    | [a-z0-9-]+\.cms\b
    | pid["'\ :=]{0,3}[0-9]{2,}
    | (?<![0-9._])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9_]|\.[0-9])
    | \b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b
    | canary | (?-i:dqmpro) | cmsdimns | BEGIN\ RSA
    """
)


def leaves(value: Any) -> Iterator[Any]:
    """All keys and values of a structure."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from leaves({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from leaves(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def leaks(document: AnyDocument | str, raw: Mapping[str, Any]) -> list[str]:
    """What in a document must not be there: by shape, by the raw one's host and process, by its environment."""
    texts = [leaf for leaf in leaves(document) if isinstance(leaf, str)]
    found = [match[0] for text in texts for match in LEAKS.finditer(text)]
    extra: Any = raw.get("extra")
    environ: Any = extra.get("environ") if isinstance(extra, Mapping) else None
    environ = environ if isinstance(environ, Mapping) else {}
    needles: list[Any] = [raw.get("hostname"), raw.get("_id"), raw.get("runUniqueKey")]
    needles += [value for key, value in environ.items() if key != "SCRAM_ARCH"]
    numbers = [str(raw[name]) for name in ("pid", "monitoring_pid") if isinstance(raw.get(name), int)]
    found += [needle for needle in needles if isinstance(needle, str) and needle and any(needle in t for t in texts)]
    found += [n for n in numbers if any(re.search(rf"(?<![0-9]){n}(?![0-9])", text) for text in texts)]
    return found

"""What a client writes while it works: the first and the last 16 KiB that DQM² keeps of its log."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from zoneinfo import ZoneInfo

from dqmsquare.simulator import crashes
from dqmsquare.simulator.clients import STORAGE_MANAGER, STREAMS, Client

KEPT_BYTES = 16384  # of either end, in whole lines (hltd's esMonitoring)
HEAD_LINES = 257
TAIL_LINES = 256
_GENEVA = ZoneInfo("Europe/Zurich")
_RECORD_LINES = 11  # records per lumisection that are announced, however many events there are
_SAVE_EVERY = 15  # lumisections
_CARELESS = (
    "Connecting as user=canary-log-user password=canary-log-password to cms_orcon_prod, "
    "settings in /nfshome0/canary-home/.cmssw/site-local\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a job did so far. `zero_at`: when its first lumisection began to arrive (s since 1970).

    `waited_lumis` are lumisections after `lumi` of which only other streams had something.
    """

    host: str
    run: int
    run_key: str
    client: Client
    pid: int
    release: str
    cmdline: list[str]
    zero_at: float
    lumi_seconds: float
    first_lumi: int
    lumi: int
    waited_lumis: int
    events: tuple[int, ...]
    exit_code: int | None
    ended_at: float


def head_and_tail(work: Work) -> tuple[list[str], list[str]]:
    """The two ends of the log as lists of lines; they overlap where the log is short."""
    lumis = range(work.first_lumi, work.lumi + work.waited_lumis + 1)
    final = _ending(work)
    preamble = _preamble(work)
    forwards = chain(preamble, chain.from_iterable(_lumi_lines(work, lumi) for lumi in lumis), final)
    backwards = chain(
        reversed(final),
        chain.from_iterable(reversed(_lumi_lines(work, lumi)) for lumi in reversed(lumis)),
        reversed(preamble),
    )
    return list(_kept(forwards, HEAD_LINES)), list(_kept(backwards, TAIL_LINES))[::-1]


def _kept(lines: Iterable[str], n_lines: int) -> Iterator[str]:
    room = KEPT_BYTES
    for i, line in enumerate(lines):
        room -= len(line)
        if i >= n_lines or (room < 0 and i):
            return
        yield line


def _stamp(at: float) -> str:
    return f"{datetime.fromtimestamp(at, _GENEVA):%d-%b-%Y %H:%M:%S %Z}"


def _file(work: Work, lumi: int, stream: str, extension: str) -> str:
    return f"/fff/BU0/ramdisk/run{work.run}/run{work.run}_ls{lumi:04d}_{stream}_{STORAGE_MANAGER}.{extension}"


def _source(work: Work, word: str) -> list[str]:
    return [
        f'{word} Source settings: cms.Source("{work.client.source}",\n',
        "    SelectEvents = cms.untracked.vstring('*'),\n",
        "    delayMillis = cms.untracked.uint32(500),\n",
        "    deleteDatFiles = cms.untracked.bool(False),\n",
        "    endOfRunKills = cms.untracked.bool(True),\n",
        "    inputFileTransitionsEachEvent = cms.untracked.bool(False),\n",
        "    minEventsPerLumi = cms.untracked.int32(1),\n",
        "    nextLumiTimeoutMillis = cms.untracked.int32(240000),\n",
        "    runInputDir = cms.untracked.string('/fff/BU0/ramdisk'),\n",
        f"    runNumber = cms.untracked.uint32({work.run}),\n",
        "    scanOnce = cms.untracked.bool(False),\n",
        "    skipFirstLumis = cms.untracked.bool(False),\n",
        f"    streamLabel = cms.untracked.string('{work.client.stream}')\n",
        ")\n", "\n",
    ]  # fmt: skip


def _preamble(work: Work) -> list[str]:
    stamp = _stamp(work.zero_at)
    return [
        f"-- starting process: {work.cmdline} --\n",
        *_source(work, "Initial"),
        "Loaded configuration file from: ['/etc/dqm_run_config']\n",
        "dqmRunConfig: cms.PSet(\n",
        "    collectorHost = cms.untracked.string('dqm-prod-local.cms'),\n",
        "    collectorPort = cms.untracked.int32(9090),\n",
        "    type = cms.untracked.string('production')\n",
        ")\n",
        f"Running with run type =  {2 if work.run_key == 'cosmic_run' else 1}\n",
        *_source(work, "Final"),
        # A careless client: what the environment has must not come out by way of the log either.
        f"%MSG-i OnlineDBOutputService:  (NoModuleName) {stamp} pre-events\n",
        _CARELESS,
        "%MSG\n",
        f"Monitoring pipe: /tmp/dqm_monitoring/.es_monitoring_pid{work.pid - 1:08d}\n",
        f"{stamp}  Waiting for the first lumi in order to initialize.\n",
        f"{stamp}  {work.client.source} initialised.\n",
        "PersistencyIO    INFO  +++ Set Streamer to dd4hep::OpaqueDataBlock\n",
        "Detector         INFO  *********** Created World volume with size: 101000 101000 450000\n",
    ]


def _skipped_line(work: Work, lumi: int, stream: str, stamp: str) -> str:
    mismatch = f"stream label mismatch, {stream} [files] != {work.client.stream} [config]"
    return f"{stamp}  Found and skipped json file ({mismatch}): {_file(work, lumi, stream, 'jsn')}\n"


def _lumi_lines(work: Work, lumi: int) -> list[str]:
    at = work.zero_at + lumi * work.lumi_seconds
    stamp, later = _stamp(at), _stamp(at + 0.5 * work.lumi_seconds)
    if lumi > work.lumi:
        return [_skipped_line(work, lumi, stream, stamp) for stream in STREAMS if stream != work.client.stream]
    data = _file(work, lumi, work.client.stream, work.client.extension)
    other = STREAMS[lumi % len(STREAMS)]
    lines = [
        f"{stamp}  Found and loaded json file: {_file(work, lumi, work.client.stream, 'jsn')}\n",
        f"{stamp}  Initiating request to open file {data}\n",
        f"{stamp}  Successfully opened file {data}\n",
        *_record_lines(work, lumi, stamp),
        *_message_lines(work, lumi, later),
        f"{later}  Closed file {data}\n",
    ]
    if other != work.client.stream:
        lines.append(_skipped_line(work, lumi, other, later))
    if lumi % _SAVE_EVERY == 0:
        lines += _save_lines(work, lumi, later)
    return lines


def _record_lines(work: Work, lumi: int, stamp: str) -> list[str]:
    n_events = work.events[lumi - 1] if lumi <= len(work.events) else 0
    n_lines = min(n_events, _RECORD_LINES)
    if not n_lines:
        return []
    first = sum(work.events[work.first_lumi - 1 : lumi - 1]) + 1
    step = n_events // n_lines
    clock, _, zone = stamp.rpartition(" ")
    run, place = f"Run {work.run}, Event", f"LumiSection {lumi} on stream 0 at {clock}"
    return [
        f"Begin processing the {_ordinal(first + i * step)} record. {run} {lumi * 5003 + i * 389}, "
        f"{place}.{(37 * i + lumi) % 1000:03d} {zone}\n"
        for i in range(n_lines)
    ]


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _message_lines(work: Work, lumi: int, stamp: str) -> list[str]:
    module = work.client.modules[lumi % len(work.client.modules)]
    event = f"Run: {work.run} Event: {lumi * 5003}"
    if lumi % 7 == 3:
        return [
            f"%MSG-e {module.split('@')[0]}:  {module.split('@')[0]}:{module}  {stamp} {event}\n",
            f"Failed to get std::vector<edm::DetSetVector<PixelDigi>> with label {module}\n",
            "%MSG\n",
        ]
    if lumi % 5 == 1:
        return [
            f"%MSG-w PrimaryVertexMonitor:  PrimaryVertexMonitor:{module}  {stamp} {event}\n",
            f" Some products not available in the event: VertexCollection InputTag:  label = {module}, instance =  0\n",
            "%MSG\n",
        ]
    if lumi % 5 == 2:
        at = datetime.fromtimestamp(work.zero_at + lumi * work.lumi_seconds, _GENEVA)
        element = f"{work.client.root_name}/DigiTask/Occupancy Z -1 P {lumi}"
        warning = "WARNING: source not responding in 0.5s to update, releasing"
        size = f"have {lumi * 79} data available"
        return [f"{at:%Y-%m-%d %H:%M:%S}.515 DQMNet[{work.pid}]: {warning} '{element}' from wait, {size}\n"]
    return []


def _save_lines(work: Work, lumi: int, stamp: str) -> list[str]:
    name = f"./upload/DQM_V0001_{work.client.root_name}_R{work.run:09d}.root"
    part = f"_host{work.host}_pid{work.pid:08d}"
    old = max(lumi - _SAVE_EVERY, 1)
    return [
        f"{stamp}  Writing DQM Root file: {name}.ls{lumi:08d}{part}\n",
        "DQMFileSaver::globalEndRun()\n",
        f"{stamp}  Deleting old snapshot (root): {name}.ls{old:08d}{part}\n",
    ]


def _ending(work: Work) -> list[str]:
    if work.exit_code is None:
        return []
    stamp = _stamp(work.ended_at)
    if work.exit_code == 0:
        lines = _good_ending(work, stamp)
    else:
        scene = crashes.Scene(work.run, work.lumi, work.client.tag, work.client.modules[0], work.release, stamp)
        lines = crashes.ending(work.exit_code, scene)
    return [*lines, f"\n-- process exit: {work.exit_code} --\n"]


def _good_ending(work: Work, stamp: str) -> list[str]:
    n_files = work.lumi - work.first_lumi + 1
    return [
        f"{stamp}  EoR file found: /fff/BU0/ramdisk/run{work.run}/run{work.run}_ls0000_EoR.jsn\n",
        f"{stamp}  Streamer state changed: 0->2\n",
        *_save_lines(work, work.lumi, stamp),
        "\n", "=============================================\n", "\n", "MessageLogger Summary\n", "\n",
        " type     category        sev    module        subroutine        count    total\n",
        " ---- -------------------- -- ---------------- ----------------  -----    -----\n",
        f"    1 fileAction           -s AfterSource                       {n_files * 3:5d}    {n_files * 3:5d}\n",
        f"    2 fileAction           -s PostStreamBeginL                  {n_files:5d}    {n_files:5d}\n",
        "\n", "Severity    # Occurrences   Total Occurrences\n", "--------    -------------   -----------------\n",
        f"System      {n_files * 4:13d}   {n_files * 4:17d}\n", "\n", "dropped waiting message count 0\n",
    ]  # fmt: skip

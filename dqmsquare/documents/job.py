"""dqm-source-state: what one process of a client on a FU reports of itself, every 30 s and once at its end."""

import re
from collections.abc import Mapping
from typing import TypedDict

from dqmsquare.documents.common import OLD_SHAPE_FLAG, Reading, end_reading, read_run, read_tag
from dqmsquare.documents.fields import MAX_BIGINT, MAX_RUN, FieldReader
from dqmsquare.documents.log import LogText, read_log
from dqmsquare.documents.model import JobDocument
from dqmsquare.documents.names import RUN_KEY, argument_of, config_name_of, release_of
from dqmsquare.documents.series import read_lumi_ranges, read_lumis, read_memory

MAX_ARGUMENTS = 100
UNKNOWN_TAG = "unknown"

_OLD_FIELDS = ("lumi", "stderr", "ps_info")  # CMSSW up to 7_x, which had no `extra`
_PROCESS_STATE = re.compile(r"[A-Za-z](?: \([a-z ]{1,20}\))?", re.ASCII)
_KEY_SHAPE = re.compile(r"[\x21-\x7e]{1,200}")


def read_job(reading: Reading) -> JobDocument:
    """Raises DocumentRefused where the run lacks, and ScrubError."""
    fields, extra = reading.fields, reading.fields.inner("extra")
    is_old = not fields.has("extra") and any(map(fields.has, _OLD_FIELDS))
    if is_old:
        fields.tally.flags.add(OLD_SHAPE_FLAG)
    run = read_run(reading)
    arguments = _read_arguments(reading)
    log = _read_log(reading, extra)
    return JobDocument(
        run=run,
        tag=read_tag(reading) or _tag_of(arguments["config_name"]),
        process_at=fields.instant("update_timestamp"),
        exit_code=fields.integer("exit_code", -1000, 100_000),
        cmssw_run=fields.integer("cmssw_run", 0, MAX_RUN),
        lumi=fields.lumi("cmssw_lumi") if fields.has("cmssw_lumi") else fields.lumi("lumi"),
        next_lumi=fields.lumi("next_lumi"),
        n_events=fields.integer("events_total", 0, MAX_BIGINT),
        rate_hz=None if is_old else fields.number("events_rate"),  # the old one's scale is wrong
        fi_state=None if fields.raw("fi_state") == "" else fields.integer("fi_state", 0, 2),  # "": not reported yet
        memory=read_memory(extra),
        lumis=read_lumis(extra),
        lumi_ranges=read_lumi_ranges(extra, reading.scrubber),
        log_head=log.head,
        log_tail=log.tail,
        log_gap=log.gap,
        n_removed=log.n_removed,
        input_gone=log.input_gone,
        **arguments,
        **_read_process(_process_info(fields, extra)),
        **end_reading(reading, time_field="report_timestamp"),
    )


# ----------------------------------------------------------------------------------------------------------- arguments


class _Arguments(TypedDict):
    attempt: str | None
    run_key: str | None
    release: str | None
    config_name: str | None


def _read_arguments(reading: Reading) -> _Arguments:
    """What may be known of the command line."""
    cmdline = _cmdline(reading.fields)
    unique_key = reading.fields.text("runUniqueKey", _KEY_SHAPE) or argument_of(cmdline, "runUniqueKey") or ""
    run_key = argument_of(cmdline, "runkey")
    if run_key is not None and not RUN_KEY.fullmatch(run_key):
        reading.fields.error()
        run_key = None
    return _Arguments(
        attempt=reading.ids.attempt(unique_key) if _KEY_SHAPE.fullmatch(unique_key) else None,
        run_key=_scrubbed(run_key, reading),
        release=release_of(cmdline),
        config_name=_scrubbed(config_name_of(cmdline), reading),
    )


def _scrubbed(name: str | None, reading: Reading) -> str | None:
    """The grammar of a name would let a host's pass."""
    return None if name is None else reading.scrubber.scrub(name).text


def _cmdline(fields: FieldReader) -> list[str]:
    value = fields.raw("cmdline")
    items = value.split() if isinstance(value, str) else fields.sequence("cmdline")
    return [item for item in items[:MAX_ARGUMENTS] if isinstance(item, str)]


def _tag_of(config_name: str | None) -> str:
    return config_name.removesuffix(".py").removesuffix("_cfg") if config_name else UNKNOWN_TAG


# ------------------------------------------------------------------------------------------------------------- process


class _Process(TypedDict):
    rss_bytes: int | None
    peak_rss_bytes: int | None
    size_bytes: int | None
    swap_bytes: int | None
    anon_bytes: int | None
    n_threads: int | None
    process_state: str | None


def _process_info(fields: FieldReader, extra: FieldReader) -> FieldReader:
    """Lines of /proc/<pid>/status: a dict; in old documents text or a dict in `ps_info.status`."""
    if extra.has("ps_info") or not fields.has("ps_info"):
        return extra.inner("ps_info")
    status = fields.inner("ps_info").raw("status")
    if isinstance(status, str):
        lines = (line.partition(":") for line in status[:20_000].split("\n"))
        status = {name.strip(): value.strip() for name, _, value in lines if value.strip()}
    return FieldReader(status if isinstance(status, Mapping) else {}, fields.received_at, fields.tally)


def _read_process(info: FieldReader) -> _Process:
    return _Process(
        rss_bytes=info.size_bytes("VmRSS"),
        peak_rss_bytes=info.size_bytes("VmHWM"),
        size_bytes=info.size_bytes("VmSize"),
        swap_bytes=info.size_bytes("VmSwap"),
        anon_bytes=info.size_bytes("RssAnon"),
        n_threads=info.integer("Threads", 0, 1_000_000),
        process_state=info.text("State", _PROCESS_STATE),
    )


# ----------------------------------------------------------------------------------------------------------------- log


def _read_log(reading: Reading, extra: FieldReader) -> LogText:
    start, end = (extra.raw(name) for name in ("stdlog_start", "stdlog_end"))
    if start is None and end is None:
        start = reading.fields.raw("stderr")
    for value in (start, end):
        if not isinstance(value, str | list | tuple | None):
            extra.error()
    return read_log(start, end, reading.scrubber)

"""dqm-playback and dqm-release: what is played again, and what it is played with."""

import re

from dqmsquare.documents.common import Reading, end_reading, read_run, read_tag
from dqmsquare.documents.fields import MAX_LUMI, MAX_RUN, FieldReader, integer
from dqmsquare.documents.model import PlaybackDocument, ReleaseDocument
from dqmsquare.documents.names import NAME, RUN_KEY
from dqmsquare.errors import DocumentRefused

STATES = frozenset({"init", "running", "eor", "stopped", "error"})
UNKNOWN_STATE = "unknown"
MAX_SKIPPED = 1000
MAX_PULL_REQUESTS = 200
DEFAULT_TAG = "playback"

_WORD = re.compile(r"[a-z]{1,20}", re.ASCII)
_SOURCE = re.compile(r"(?:.*/)?run([0-9]{1,7})/?", re.ASCII | re.DOTALL)


def read_playback(reading: Reading) -> PlaybackDocument:
    """Raises DocumentRefused where the run lacks, and ScrubError."""
    fields, config = reading.fields, reading.fields.inner("config")
    state = fields.text("state", _WORD)
    run_key = config.text("run_key", RUN_KEY)
    return PlaybackDocument(
        run=read_run(reading),
        tag=read_tag(reading) or DEFAULT_TAG,
        state=state if state in STATES else UNKNOWN_STATE,
        lumi=fields.lumi("ls"),
        source_run=_source_run(config),
        run_key=None if run_key is None else reading.scrubber.scrub(run_key).text,
        n_lumis=config.integer("number_of_ls", 0, MAX_LUMI),
        lumi_timeout_seconds=config.number("lumi_timeout", 0, 1e6),
        skipped_lumis=_lumis(config.sequence("lumi_to_skip")),
        **end_reading(reading),
    )


def _source_run(config: FieldReader) -> int | None:
    """The run that is repeated, from the last component of the path it is read from."""
    source = config.raw("source")
    match = _SOURCE.fullmatch(source[-200:]) if isinstance(source, str) else None
    run = int(match[1]) if match else None
    if run is None and source is not None:
        config.error()
    return run if run is not None and 1 <= run <= MAX_RUN else None


def _lumis(items: list[object]) -> tuple[int, ...]:
    lumis = map(integer, items[:MAX_SKIPPED])
    return tuple(lumi for lumi in lumis if lumi is not None and 0 <= lumi <= MAX_LUMI)


def read_release(reading: Reading) -> ReleaseDocument:
    """Raises DocumentRefused where the name lacks, and ScrubError. Logs are dropped unread."""
    fields = reading.fields
    name = fields.text("name", NAME)
    if name is None:
        raise DocumentRefused("name")
    return ReleaseDocument(
        name=reading.scrubber.scrub(name).text,
        built_at=fields.instant("build_time"),
        pull_requests=_pull_requests(fields.inner("extra").sequence("pull_requests")),
        **end_reading(reading),
    )


def _pull_requests(items: list[object]) -> tuple[int, ...]:
    numbers = (integer(item.get("id")) for item in items[:MAX_PULL_REQUESTS] if isinstance(item, dict))
    return tuple(number for number in numbers if number is not None and 0 < number < 10_000_000)

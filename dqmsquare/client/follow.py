"""A log that still grows: what of a newer copy was not shown yet."""

import json
import time
from collections.abc import Iterator

from dqmsquare.client.api import MirrorApi
from dqmsquare.errors import MirrorUnreachable

SKIPPED = "\n ... lines that came and went between two reports ...\n"
_KEYS_CHARS = (2_000, 400, 100)  # of the end of what was shown, to be found again
_POLL_SECONDS = 5.0


def new_part(shown: str, text: str) -> str:
    r"""What follows in `text` on what was shown. DQM² keeps the first and the last part of a log, so that the beginning
    of the last part may be gone; where nothing of what was shown is left, a line says that something was skipped.

    >>> new_part("one\ntwo\n", "one\ntwo\nthree\n"), new_part("one\ntwo\n", "one\ntwo\n")
    ('three\n', '')
    """
    if text.startswith(shown):
        return text[len(shown) :]
    for n_chars in _KEYS_CHARS:
        found = text.rfind(shown[-n_chars:])
        if found >= 0:
            return text[found + min(n_chars, len(shown)) :]
    return SKIPPED + text


def follow_log(api: MirrorApi, job_id: str) -> Iterator[str]:
    """The log as it is, then what comes, until the job has an exit code."""
    shown = ""
    while True:
        job = api.get(f"/jobs/{job_id}")
        text = api.text(f"/jobs/{job_id}/log.txt") if job["has_log"] else ""
        if text != shown:
            yield new_part(shown, text)
            shown = text
        if job["exit_code"] is not None:
            return
        _wait_for_news(api, job["run"])


def _wait_for_news(api: MirrorApi, run: int) -> None:
    """Returns when something of the run changed, or after a while where the mirror cannot tell."""
    begun = time.monotonic()
    try:
        for name, data in api.events():
            if name == "reload" or (name == "change" and _concerns(json.loads(data), run)):
                return
            if time.monotonic() - begun > 6 * _POLL_SECONDS:
                return  # whatever happened between the last answer and the stream's begin
    except MirrorUnreachable:
        time.sleep(_POLL_SECONDS)  # asked again: it fails for good there, or goes on


def _concerns(change: dict[str, object], run: int) -> bool:
    runs = change.get("runs")
    return change.get("run") in {run, None} and (not isinstance(runs, list) or run in runs)

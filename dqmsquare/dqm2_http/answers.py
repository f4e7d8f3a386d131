"""Reads what DQM², its proxy or CMSWEB's front-end answer: first whether it is an answer at all, then its bytes."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

import requests
import urllib3

from dqmsquare.dqm2_http.failures import overdue, translate
from dqmsquare.dqm2_http.pages import PAGE_MAX_BYTES, is_page, page_error, page_title, retry_after_seconds
from dqmsquare.dqm2_http.watchdog import Deadline
from dqmsquare.errors import UpstreamError, UpstreamMalformed, UpstreamRefused, UpstreamUnavailable

CHUNK_BYTES = 65_536  # read at once
PEEK_BYTES = 512


class Body:
    """An answer's bytes as they arrive, decompressed, in chunks of at most 64 KiB."""

    def __init__(self, response: requests.Response, deadline: Deadline, cap_bytes: int | None) -> None:
        self._raw = response.raw
        self._deadline = deadline
        self._cap_bytes = cap_bytes
        self._n_bytes = 0
        self._held = b""

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._read():
            yield chunk

    def peek(self) -> bytes:
        """Enough of the start to tell a page from JSON; it is read again afterwards."""
        start = b""
        while len(start) < PEEK_BYTES and start.strip()[:1] in {b"", b"<"}:
            chunk = self._read()
            if not chunk:
                break
            start += chunk
        self._held = start
        return start

    def page(self) -> bytes:
        """The first 64 KiB, or what comes of them."""
        page = b""
        with contextlib.suppress(UpstreamError):
            while len(page) < PAGE_MAX_BYTES and (chunk := self._read()):
                page += chunk
        return page

    def _read(self) -> bytes:
        if self._held:
            held, self._held = self._held, b""
            return held
        try:
            chunk: bytes = self._raw.read1(CHUNK_BYTES, decode_content=True) or b""
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise translate(error, self._deadline) from error
        if self._deadline.has_passed:
            raise overdue(self._deadline)
        self._n_bytes += len(chunk)
        if self._cap_bytes is not None and max(self._n_bytes, self._raw.tell()) > self._cap_bytes:
            raise UpstreamMalformed(f"the answer is longer than {self._cap_bytes} bytes", kind="too-large")
        return chunk


def accepted(response: requests.Response, body: Body) -> Body:
    """The body of an answer with status 200 that is no page. Raises what any other answer means."""
    status = response.status_code
    if 300 <= status < 400:
        raise UpstreamRefused(f"answered {status}, a redirect: certificate or cookie are not accepted")
    if status in {401, 403}:
        raise UpstreamRefused(f"answered {status}: certificate or cookie are not accepted")
    if status == 429 or status >= 500:
        wait = retry_after_seconds(response.headers.get("Retry-After"), datetime.now(UTC))
        raise UpstreamUnavailable(f"answered {status}{_title(body)}", retry_after_seconds=wait)
    if status != 200:
        raise UpstreamMalformed(f"answered {status}{_title(body)}", kind="status")
    if is_page(body.peek()):
        raise page_error(body.page())
    return body


def _title(body: Body) -> str:
    page = body.page()
    title = page_title(page) if is_page(page) else ""
    return f": {title}" if title else ""

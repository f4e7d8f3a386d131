"""Passes commands on to DQM²: one request each, at an address built here, and what its answer says of the effect."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import urlencode

from dqmsquare.errors import (
    CommandRefused,
    UpstreamError,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamUnreachable,
)

CAP_BYTES = 2 * 1024 * 1024
_AT_ONCE = 16  # relayed by one process; DQM² works on each for up to a minute


class Result(StrEnum):
    """How a command ended. UNKNOWN: it may have had its effect, wholly, in part, or not at all."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Ended:
    """`detail` is a sentence for people, scrubbed."""

    result: Result
    detail: str


class Session(Protocol):
    """The part of dqm2_http.Dqm2Session that the relay takes."""

    def fetch(self, method: str, path: str, *, deadline_seconds: float, cap_bytes: int, **more: Any) -> bytes:
        """The whole body of an answer with status 200. Raises UpstreamError's kinds."""

    def close(self) -> None:
        """Ends its connections."""


def exe_path(pairs: Mapping[str, str]) -> str:
    """The path of a command at DQM², of names and values that the table has checked."""
    return f"/cr/exe?{urlencode(pairs)}"


class Relay:
    """Asks DQM² over sessions that verify TLS and follow no redirect. `clean` scrubs DQM²'s words."""

    def __init__(
        self, open_session: Callable[[], Session], deadline_seconds: float, clean: Callable[[str], str]
    ) -> None:
        self._open_session = open_session
        self._reading = open_session()
        self._deadline_seconds = deadline_seconds
        self._clean = clean
        self._places = threading.BoundedSemaphore(_AT_ONCE)

    def ask(self, pairs: Mapping[str, str]) -> bytes:
        """What a command that only reads is answered. Raises UpstreamError's kinds."""
        with self.place():
            return self._fetch(self._reading, pairs, repeatable=True)

    def change(self, pairs: Mapping[str, str], expected: str) -> Ended:
        """Sends a command that changes something, once, and never again by itself."""
        # A connection of its own: one that was kept may be dead, and then nobody knows whether the command arrived.
        session = self._open_session()
        try:
            answer = self._fetch(session, pairs, repeatable=False).decode("utf-8", "replace").strip()
        except UpstreamError as error:
            return Ended(*self._meaning(error))
        finally:
            session.close()
        if answer == expected:
            return Ended(Result.DONE, answer)
        return Ended(Result.UNKNOWN, f"DQM² answered otherwise than usual: {self._clean(answer)[:1000] or 'nothing'}")

    @contextmanager
    def place(self) -> Iterator[None]:
        """Keeps one of the few places for a relayed command. Raises CommandRefused (503) where none is free."""
        if not self._places.acquire(blocking=False):
            raise CommandRefused("Too many commands at once are under way: try again in a moment.", status=503)
        try:
            yield
        finally:
            self._places.release()

    def words_of(self, error: UpstreamError) -> str:
        """What went wrong, for people, scrubbed: the error may quote the title of a page of DQM²'s."""
        words = self._clean(str(error)).partition(": Error:")[0]  # such a title says the status again
        return f"DQM² {words}" if words.startswith("answered") else f"no answer of DQM²: {words}"

    def _fetch(self, session: Session, pairs: Mapping[str, str], *, repeatable: bool) -> bytes:
        return session.fetch(
            "GET",  # the only method that DQM² knows for commands
            exe_path(pairs),
            deadline_seconds=self._deadline_seconds,
            cap_bytes=CAP_BYTES,
            repeatable=repeatable,
        )

    def _meaning(self, error: UpstreamError) -> tuple[Result, str]:
        words = self.words_of(error)
        if isinstance(error, UpstreamUnreachable) and not error.may_have_arrived:
            return Result.FAILED, f"not sent; {words}"
        is_refused = isinstance(error, UpstreamRefused) or (
            isinstance(error, UpstreamMalformed) and error.kind == "status"
        )
        if is_refused:
            return Result.FAILED, f"refused: {words}"
        # A 500 comes before, in the middle of or after the effect (restarts, starts of playback runs): nobody knows.
        return Result.UNKNOWN, f"unknown effect: {words}. Check the log."

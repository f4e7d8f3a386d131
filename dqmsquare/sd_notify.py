"""Tells systemd how a process does: ready, alive, stopping. Where systemd did not start it, nothing happens."""

import logging
import os
import socket
import threading
from collections.abc import Callable

_logger = logging.getLogger(__name__)
_INTERVAL_SECONDS = 1.0  # the unit's WatchdogSec is many times that


def ready() -> None:
    """To be called once the process does its work."""
    _tell("READY=1")


def stopping() -> None:
    """To be called when the process begins to end."""
    _tell("STOPPING=1")


def alive() -> None:
    """To be called often while all is well; systemd restarts a process that falls silent."""
    _tell("WATCHDOG=1")


def keep_telling(is_alive: Callable[[], bool], *, ready_with_it: bool = False) -> Callable[[], None]:
    """A thread that calls `alive` as long as `is_alive` says so. Returns what ends it.

    With `ready_with_it` the process also counts as ready from the first time on.
    """
    stopped = threading.Event()

    def run() -> None:
        while not stopped.wait(_INTERVAL_SECONDS):
            if is_alive():
                if ready_with_it:
                    ready()
                alive()

    threading.Thread(target=run, name="systemd watchdog", daemon=True).start()
    return stopped.set


def _tell(words: str) -> None:
    """One datagram, as sd_notify(3) has it; a `@` stands for the NUL of Linux's abstract names."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.settimeout(1.0)
            channel.sendto(words.encode(), "\0" + address[1:] if address.startswith("@") else address)
    except OSError as error:
        _logger.warning("systemd cannot be told %s (%s)", words, type(error).__name__)

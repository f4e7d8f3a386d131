"""Keeps the process small: what a batch needed is given back to the system, not kept for the next thread."""

import ctypes
import logging

_logger = logging.getLogger(__name__)
# Of glibc's malloc.h; MALLOC_ARENA_MAX and the like would do the same, if they were set before Python starts.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE_BYTES = 256 * 1024  # answers and their texts: each a mapping of its own, which ends with it


def keep_memory_small() -> None:
    """To be called before the first thread. Does nothing where the C library is not glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        _logger.debug("no mallopt here")
        return
    mallopt(_M_ARENA_MAX, 2)
    mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _LARGE_BYTES)

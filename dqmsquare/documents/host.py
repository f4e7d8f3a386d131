"""dqm-stats and dqm-diskspace: memory and ramdisk of a host."""

from dqmsquare.documents.common import Reading, end_reading, read_tag
from dqmsquare.documents.model import HostDiskDocument, HostMemoryDocument

DEFAULT_TAG = "fff_deleter"


def read_host_memory(reading: Reading) -> HostMemoryDocument:
    """Memory in bytes; what /proc/meminfo says is in kB. Loggers are dropped unread."""
    fields = reading.fields
    meminfo = fields.inner("extra").inner("meminfo")
    return HostMemoryDocument(
        used_bytes=fields.size_bytes("memory_used"),
        free_bytes=fields.size_bytes("memory_free"),
        total_bytes=fields.size_bytes("memory_total"),
        available_bytes=meminfo.size_bytes("MemAvailable", "kB"),
        swap_free_bytes=meminfo.size_bytes("SwapFree", "kB"),
        **end_reading(reading),
    )


def read_host_disk(reading: Reading) -> HostDiskDocument:
    """The ramdisk; -1 upstream is a folder that is not there. Raises ScrubError."""
    fields, extra = reading.fields, reading.fields.inner("extra")
    thresholds = extra.inner("thresholds")
    return HostDiskDocument(
        tag=read_tag(reading) or DEFAULT_TAG,
        used_bytes=_present(fields.integer("disk_used", -1)),
        free_bytes=_present(fields.integer("disk_free", -1)),
        total_bytes=_present(fields.integer("disk_total", -1)),
        n_files=extra.integer("file_count"),
        rename_percent=thresholds.number("rename", 0, 100),
        delete_percent=thresholds.number("delete", 0, 100),
        **end_reading(reading),
    )


def _present(n_bytes: int | None) -> int | None:
    return None if n_bytes == -1 else n_bytes

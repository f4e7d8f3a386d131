"""The import of the tables of the mirror that was in service before, and what becomes of them afterwards."""

from dqmsquare.storage.first_mirror.importing import Report, import_first_mirror
from dqmsquare.storage.first_mirror.verification import drop_first_mirror, first_mirror_remains, verify
from dqmsquare.storage.first_mirror.workers import Origin

__all__ = ["Origin", "Report", "drop_first_mirror", "first_mirror_remains", "import_first_mirror", "verify"]

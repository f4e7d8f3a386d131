"""The keys that DQM²'s documents are known to have, read or not: a new one is worth a look, since it is dropped."""

from collections.abc import Mapping

from dqmsquare.documents.header import read_kind
from dqmsquare.errors import DocumentRefused

_OF_ALL = frozenset({"_id", "_rev", "extra", "hostname", "pid", "run", "sequence", "tag", "timestamp", "type"})

# Kind to the keys of its documents beside those, and of their `extra`.
_KNOWN = {
    "dqm-source-state": (
        """cmdline cmssw_lumi cmssw_run events_rate events_total exit_code fi_state lumi lumi_duration_ms lumi_events
        lumi_number monitoring_pid monitoring_socket next_lumi ps_info report_timestamp runUniqueKey stderr stderr_fn
        stdlog_gzip stdout_fn update_timestamp""",
        "environ lumi_seen lumi_stats mem_info ps_info stdlog_end stdlog_start",
    ),
    "dqm-files": ("", "global_start global_start_source lumi streams"),
    "dqm-timestamps": ("streams", "global_start global_start_source lumi streams timestamp"),
    "dqm-stats": ("memory_free memory_total memory_used", "loggers meminfo"),
    "dqm-diskspace": ("disk_free disk_total disk_used", "file_count thresholds"),
    "dqm-playback": ("config ls socket_name state", "ls_map streams_found"),
    "dqm-release": ("build_time name path", "log options pull_requests"),
}
_KEYS = {kind: (_OF_ALL.union(own.split()), frozenset(extra.split())) for kind, (own, extra) in _KNOWN.items()}


def n_unknown_keys(raw: Mapping[str, object]) -> int:
    """How many keys of a document and of its `extra` are not known for its kind; 0 for a kind that is not kept."""
    try:
        known = _KEYS.get(read_kind(raw))
    except DocumentRefused:
        return 0
    if known is None:
        return 0
    own, of_extra = known
    extra = raw.get("extra")
    return len(raw.keys() - own) + (len(extra.keys() - of_extra) if isinstance(extra, Mapping) else 0)

"""DQM²'s answers to commands that only read: what we make of them, as values and as text, scrubbed and re-printed.

Machines are shown by their full short names, since the Control Room is where that is needed; all other text of DQM²'s
goes through the scrubber.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dqmsquare.config_values import HOST_NAME
from dqmsquare.errors import ScrubError, UpstreamMalformed
from dqmsquare.identity import short_host_name
from dqmsquare.scrub import Scrubber
from dqmsquare.server.control_room import grammar

_NOT_CLEANED = "[the text could not be cleaned of what must not be shown, so none of it is]"
_KEPT_SETTINGS = ("run", "run_key", "number_of_ls", "lumi_timeout", "lumi_to_skip")
_CLIENT = re.compile(grammar.CLIENT_FILE, re.ASCII)
_RUN = re.compile(grammar.RUN_FOLDER, re.ASCII)
_HOST = re.compile(HOST_NAME, re.ASCII)
_VERSION_MAX = 200  # characters
_TAG = re.compile(r"</?strong>")  # the only markup that DQM² puts into its text

Cleaner = Callable[[str], str]


def cleaner(scrubber: Scrubber) -> Cleaner:
    """A function that scrubs text; what cannot be scrubbed is not shown."""

    def clean(text: str) -> str:
        try:
            return scrubber.scrub(text).text
        except ScrubError:
            return _NOT_CLEANED

    return clean


def read_answer(what: str, body: bytes, clean: Cleaner) -> Any:
    """What a reading command was answered: lists, dictionaries, texts. Raises UpstreamMalformed for another shape."""
    return _READERS[what](body.decode("utf-8", "replace"), clean)


def as_text(value: Any, *, printable: bool = False) -> str:
    """What `/cr/exe` answers: JSON, or text as it is; with `printable` a line per machine instead of JSON."""
    if isinstance(value, str):
        return value
    return "\n".join(_lines(value)) if printable else json.dumps(value)


def _lines(value: Any) -> list[str]:
    if isinstance(value, list):
        return [str(item) for item in value]
    return [f"{name} {content}" for key in sorted(value) for name, content in _rows(key, value[key])]


def _rows(cluster: str, content: Any) -> list[tuple[str, str]]:
    return sorted(content.items()) if isinstance(content, dict) else [(cluster, ", ".join(content))]


def _machines(text: str, _: Cleaner) -> dict[str, list[str]] | list[str]:
    answer = _json(text)
    if isinstance(answer, list):  # with kind
        return _host_names(answer)
    return {_cluster_name(key): _host_names(_list(value)) for key, value in _object(answer).items()}


def _versions(text: str, clean: Cleaner) -> dict[str, dict[str, str]]:
    clusters = {_cluster_name(key): _named_hosts(_object(value)) for key, value in _object(_json(text)).items()}
    return {
        cluster: {name: " ".join(clean(str(version)).split())[:_VERSION_MAX] for name, version in hosts.items()}
        for cluster, hosts in clusters.items()
    }


def _clients(text: str, _: Cleaner) -> list[list[Any]]:
    # An error of DQM²'s shell comes as further rows: what is no client's file is left out.
    rows = (row for row in _list(_json(text)) if isinstance(row, list) and len(row) == 2)
    states = {name: is_on for name, is_on in rows if _fits(_CLIENT, name) and isinstance(is_on, bool)}
    return [[name, states[name]] for name in sorted(states)]


def _configuration(text: str, clean: Cleaner) -> dict[str, Any]:
    answer = _object(_json(text))
    source = str(answer.get("source", "")).rstrip("/").rpartition("/")[2]
    kept = {name: answer[name] for name in _KEPT_SETTINGS if _is_plain(answer.get(name))}
    cleaned = {name: clean(value) if isinstance(value, str) else value for name, value in kept.items()}
    return {"source": source if _fits(_RUN, source) else "", **cleaned}


def _runs(text: str, _: Cleaner) -> list[str]:
    return sorted({name for name in _list(_json(text)) if _fits(_RUN, name)}, reverse=True)


def _logs(text: str, clean: Cleaner) -> list[str]:
    return [clean(part) for part in _list(_json(text)) if isinstance(part, str)]


def _words(text: str, clean: Cleaner) -> str:
    return clean(_TAG.sub("", text)).strip()


_READERS: Mapping[str, Callable[[str, Cleaner], Any]] = {
    "get_dqm_machines": _machines,
    "get_hltd_versions": _versions,
    "get_fff_versions": _versions,
    "get_cmssw_info": _words,
    "get_simulator_config": _configuration,
    "get_simulator_runs": _runs,
    "get_dqm_clients": _clients,
    "get_hltd_logs": _logs,
    "get_fff_logs": _logs,
}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UpstreamMalformed("the answer is not JSON", kind="not-json") from error


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise UpstreamMalformed("the answer is not an object", kind="not-object")
    return answer


def _list(answer: Any) -> list[Any]:
    if not isinstance(answer, list):
        raise UpstreamMalformed("the answer is not a list", kind="not-list")
    return answer


def _fits(expression: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and expression.fullmatch(value) is not None


def _host_names(names: Iterable[Any]) -> list[str]:
    short = (short_host_name(name) for name in names if isinstance(name, str))
    return list(dict.fromkeys(name for name in short if _fits(_HOST, name)))


def _named_hosts(hosts: Mapping[str, Any]) -> dict[str, Any]:
    return {short_host_name(name): value for name, value in hosts.items() if _fits(_HOST, short_host_name(name))}


def _cluster_name(key: str) -> str:
    """DQM² writes `playback_c2a06`."""
    name = key.partition("_")[0]
    return name if name in grammar.CLUSTER_KINDS else "other"


def _is_plain(value: Any) -> bool:
    """Whether JSON takes it; DQM²'s may be NaN."""
    if isinstance(value, list):
        return all(isinstance(item, int) for item in value)
    return isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))

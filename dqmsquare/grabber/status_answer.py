"""The answer to get_cluster_status, typed: which hosts DQM² sees, whether they are up, and what it says of them."""

from dataclasses import dataclass
from typing import Any

from dqmsquare.errors import UpstreamMalformed
from dqmsquare.grabber.messages import parse_json
from dqmsquare.identity import short_host_name

MESSAGE_MAX = 2000  # characters
HOST_NAME_MAX = 253  # characters, by DNS


@dataclass(frozen=True, slots=True)
class HostStatus:
    """What DQM² says of a host; None where it says nothing usable. `message` is raw: it names hosts and addresses."""

    is_up: bool | None
    message: str | None


def read_status_answer(body: bytes) -> dict[str, HostStatus]:
    """Status by short host name; what is no host's name is left out. Raises UpstreamMalformed."""
    answer = parse_json(body.decode("utf-8", "replace"), kind="not-json")
    if not isinstance(answer, dict):
        raise UpstreamMalformed("the cluster's status is not an object", kind="not-object")
    named = {short_host_name(name): _host_status(value) for name, value in answer.items()}
    return {name: status for name, status in named.items() if 0 < len(name) <= HOST_NAME_MAX}


def _host_status(value: Any) -> HostStatus:
    if not isinstance(value, dict):
        return HostStatus(None, None)
    is_up, message = value.get("up"), value.get("msg")
    return HostStatus(
        is_up if isinstance(is_up, bool) else None,
        message[:MESSAGE_MAX] if isinstance(message, str) else None,
    )

"""What the Control Room's pages show, as data: machines with their clusters, and what was done."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import bottle

from dqmsquare.documents import client_name
from dqmsquare.server.control_room.commands import COMMANDS
from dqmsquare.server.frames import Frame, frame, looks
from dqmsquare.server.site import Site
from dqmsquare.storage.control_room_audit import ActionRow
from dqmsquare.storage.rows import HostRow, PlaybackRow, RunRow

SECTION = "Control Room"
_CLIENT_ENDING = "_cfg.py"
UNNAMED = "a machine that is not in the settings"
PLAYBACK_STATES = {"init": "starting", "eor": "at its end", "stopped": "stopped", "error": "in error"}


def page_frame(site: Site, path: str) -> Frame:
    """The frame of one of the Control Room's pages."""
    return replace(frame(site, "production", path, looks(bottle.request)), section=SECTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionLine:
    """An action as the activity list shows it; `machine` is "" where it is about none."""

    action_id: str
    at: datetime
    account: str
    who: str
    address: str
    command: str
    label: str
    with_what: str
    machine: str
    cluster: str
    result: str
    detail: str
    seconds: float | None

    @property
    def object(self) -> str:
        """With what, on which machine of which cluster, in one line."""
        return " · ".join(part for part in (self.with_what, self.machine, self.cluster) if part)


def action_line(row: ActionRow, names: Mapping[str, str]) -> ActionLine:
    """An action; `names` says which machine a public id is of."""
    command = COMMANDS.get(row.command)
    return ActionLine(
        action_id=row.action_id,
        at=row.at,
        account=row.account,
        who=row.login or "",
        address=row.address,
        command=row.command,
        label=command.label if command else row.command or "nothing",
        with_what=_with_what(row),
        machine=names.get(row.host_id, UNNAMED) if row.host_id else "",
        cluster=row.cluster or "",
        result=row.result,
        detail=row.detail,
        seconds=row.seconds,
    )


def _with_what(row: ActionRow) -> str:
    given = {name: value for name, value in row.parameters.items() if name != "host" or value != row.host_id}
    if row.command == "change_dqm_client" and given.get("state") in {"0", "1"} and "client" in given:
        switched = "on" if given.pop("state") == "1" else "off"
        client = client_name(given.pop("client").removesuffix(_CLIENT_ENDING))
        return " · ".join([f"{client} {switched}", *(f"{name}={value}" for name, value in given.items())])
    if row.command == "start_playback_run":
        order = [parameter.name for parameter in COMMANDS[row.command].parameters]
        return " · ".join(given[name] for name in sorted(given, key=lambda n: order.index(n) if n in order else 9))
    return " · ".join(f"{name}={value}" for name, value in given.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineLine:
    """A machine by its full name. `status`: up, down, unknown; `busy` is a command that has not ended on it."""

    host_id: str
    name: str
    cluster: str
    status: str
    message: str
    busy: ActionLine | None


def machine_lines(
    names: Sequence[str],
    cluster: str,
    host_ids: Mapping[str, str],
    hosts: Iterable[HostRow],
    unfinished: Iterable[ActionLine],
) -> tuple[MachineLine, ...]:
    """The machines of a cluster in the settings' order; `host_ids` by name."""
    rows = {host.host_id: host for host in hosts}
    busy = {action.machine: action for action in unfinished}
    return tuple(
        _machine_line(name, cluster, host_ids[name], rows.get(host_ids[name]), busy.get(name)) for name in names
    )


def _machine_line(name: str, cluster: str, host_id: str, row: HostRow | None, busy: ActionLine | None) -> MachineLine:
    is_up = row.is_up if row else None
    status = "unknown" if is_up is None else "up" if is_up else "down"
    message = (row.message or "") if row and not is_up else ""
    return MachineLine(host_id=host_id, name=name, cluster=cluster, status=status, message=message, busy=busy)


def data_taking(run: RunRow | None, now: datetime, silent_seconds: float) -> str:
    """What a cluster is doing with its newest run; "" where nothing is heard of it."""
    if run is None or not run.n_open or run.last_reported_at is None:
        return ""
    if (now - run.last_reported_at).total_seconds() > silent_seconds:
        return ""
    lumis = f", {run.last_lumi} lumisections" if run.last_lumi else ""
    return f"run {run.run}{lumis}"


def playing(row: PlaybackRow | None) -> str:
    """What the playback plays now, in words.

    >>> playing(None)
    'nothing is known of a playback'
    """
    if row is None:
        return "nothing is known of a playback"
    source = f"replay of run {row.source_run}" if row.source_run else "a replay"
    lumi = f", lumisection {row.lumi}" if row.lumi else ""
    total = f" of {row.n_lumis}" if row.lumi and row.n_lumis else ""
    state = f" · {PLAYBACK_STATES.get(row.state, row.state)}" if row.state != "running" else ""
    return source + lumi + total + state

"""`/cr/exe` of the gateway: a table of commands, each a function of the query, with the real one's defects.

There, an exception is answered by `return message, 400`, which its framework turns into a 500.
"""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus

from dqmsquare.simulator.exchange import HTML, Answer, error_page, whole
from dqmsquare.simulator.machines import Machines
from dqmsquare.simulator.plan import Cluster

Command = Callable[[Mapping[str, str]], Answer]


class ControlRoom:
    """Answers `/cr/exe?what=…`. `commands` may be added to; `down_hosts` gives host → message of what is down.

    With `is_mended` restarts and starts of a playback run work as they were meant to.
    """

    def __init__(
        self, clusters: Mapping[str, Cluster], gateway: str, down_hosts: Callable[[], Mapping[str, str]]
    ) -> None:
        self._clusters = clusters
        self._gateway = gateway
        self._down_hosts = down_hosts
        self.machines = Machines(clusters)
        self.is_mended = False
        self.commands: dict[str, Command] = {
            "get_cluster_status": self._cluster_status,
            "get_dqm_machines": self._dqm_machines,
            "get_hltd_versions": lambda _: _json(self.machines.versions("hltd", "2.9.1")),
            "get_fff_versions": lambda _: _json(self.machines.versions("fff_dqmtools", "2.1.0")),
            "get_cmssw_info": lambda _: _text(self.machines.cmssw()),
            "get_dqm_clients": lambda query: _json(self.machines.clients(query.get("host"))),
            "change_dqm_client": self._change_client,
            "get_simulator_config": lambda _: _text(self.machines.configuration()),
            "get_simulator_runs": lambda _: _json(self.machines.runs()),
            "start_playback_run": self._start_playback_run,
            "restart_hltd": lambda query: self._restart(query, "hltd"),
            "restart_fff": lambda query: self._restart(query, "fff"),
            "get_hltd_logs": lambda query: _json(self.machines.logs(query.get("host"), "hltd")),
            "get_fff_logs": lambda query: _json(self.machines.logs(query.get("host"), "fff")),
        }

    def answer(self, query: Mapping[str, str]) -> Answer:
        """The answer to a command; for one that is not known upstream's code ends in a 500."""
        command = self.commands.get(query.get("what", ""))
        return command(query) if command else error_page(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _cluster_status(self, query: Mapping[str, str]) -> Answer:
        name = query.get("cluster", "playback")
        cluster = self._clusters.get(name)
        if cluster is None:
            text = f"Cluster {name} does not exist. Possible values: {list(self._clusters)}"
            return whole(json.dumps(text).encode(), HTML, HTTPStatus.NOT_FOUND)
        down = self._down_hosts()
        return _json({f"{host}.cms": self._host_status(host, down) for host in cluster.hosts})

    def _host_status(self, host: str, down: Mapping[str, str]) -> dict[str, object]:
        if host not in down or host == self._gateway:  # upstream does not ask itself
            return {"up": True, "msg": None}
        return {"up": False, "msg": down[host] or unreachable(host)}

    def _dqm_machines(self, query: Mapping[str, str]) -> Answer:
        machines, kind = self.machines.by_cluster(), query.get("kind")
        if not kind:
            return _json(machines)
        return _json(next((hosts for name, hosts in machines.items() if kind in name), []))

    def _change_client(self, query: Mapping[str, str]) -> Answer:
        state = query.get("state", 0)  # a number, which is not "0": a missing one switches the client on
        return _text(self.machines.change_client(query.get("host"), query.get("client"), state))

    def _restart(self, query: Mapping[str, str], service: str) -> Answer:
        if not self.is_mended or not query.get("host"):
            # Upstream sets a status that its framework does not have, before it does anything.
            return error_page(HTTPStatus.INTERNAL_SERVER_ERROR)
        return _text(self.machines.restart(query["host"], service))

    def _start_playback_run(self, query: Mapping[str, str]) -> Answer:
        # On another host than its own upstream asks that host, which exists only as itself here.
        is_reached = query.get("host", self._gateway) == self._gateway
        number_of_ls = query.get("number_of_ls", "0")
        if not is_reached or "run_number" not in query or not number_of_ls.isdigit():
            return error_page(HTTPStatus.INTERNAL_SERVER_ERROR)
        self.machines.configure(query["run_number"], query.get("run_key"), int(number_of_ls))
        if not self.is_mended:  # the file is written; then it fails to tell the simulator
            return error_page(HTTPStatus.INTERNAL_SERVER_ERROR)
        return _text("start_playback_run Ok")


def _json(value: object) -> Answer:
    return _text(json.dumps(value))


def _text(text: str) -> Answer:
    return whole(text.encode(), HTML)  # upstream's framework labels everything as HTML


def unreachable(host: str) -> str:
    """What upstream's status says of a host that it cannot reach: an exception, with name and address."""
    octet = sum(host.encode()) % 250 + 2
    return repr(OSError(113, f"No route to host: connection to {host}.cms:9215 ('10.176.60.{octet}', 9215) failed"))

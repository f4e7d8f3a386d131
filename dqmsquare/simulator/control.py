"""What `/__ctl` understands: `{"do": WORD, …}` with the arguments of the Simulator's method of that name."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dqmsquare.simulator.simulator import Simulator

Command = Callable[..., Any]


class Controls:
    """Carries out commands on a simulator."""

    def __init__(self, simulator: "Simulator") -> None:
        self._simulator = simulator
        self._commands: dict[str, Command] = {
            "fault": simulator.faults.set,  # name, path, host, event, times
            "clear": simulator.faults.clear,  # name, host
            "upload": simulator.upload,  # host, document
            "reset": simulator.reset,  # host
            "drop": simulator.drop,  # host, ids, newest
            "reuse": simulator.reuse,  # host
            "pause": simulator.pause,
            "resume": simulator.resume,
            "kill": simulator.kill,
            "crash": simulator.crash,  # tag, exit_code, cluster
            "forget-requests": simulator.requests.clear,
            "status": self._status,
        }

    def carry_out(self, command: Mapping[str, Any]) -> Mapping[str, Any]:
        """Does what is asked; the answer has what the method returned. Raises ValueError, KeyError or TypeError."""
        arguments = dict(command)
        word = arguments.pop("do", "status")
        if word not in self._commands:
            raise ValueError(f"do must be one of {', '.join(self._commands)}")
        return {"done": word, "result": self._commands[word](**arguments)}

    def _status(self) -> dict[str, Any]:
        stores = self._simulator.stores.items()
        return {
            "hosts": {host: {"documents": len(store), "newest_rev": store.newest_rev} for host, store in stores},
            "down": self._simulator.down_hosts(),
            "requests": self._simulator.requests.as_table(),
            "connections": self._simulator.requests.n_connections,
        }

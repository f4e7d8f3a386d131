"""A DQM² to run against: in tests, in the demo, on a laptop. The standard library's HTTP server, nothing else."""

from dqmsquare.simulator.payload_counter import PayloadCounter
from dqmsquare.simulator.server import Tls
from dqmsquare.simulator.simulator import GATEWAY, PLAYBACK_HOSTS, PRODUCTION_HOSTS, Simulator
from dqmsquare.simulator.store import HostStore

__all__ = ["GATEWAY", "PLAYBACK_HOSTS", "PRODUCTION_HOSTS", "HostStore", "PayloadCounter", "Simulator", "Tls"]

"""`python -m dqmsquare.simulator`: prints its address, then answers until SIGTERM or SIGINT."""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from dqmsquare.simulator import GATEWAY, PLAYBACK_HOSTS, PRODUCTION_HOSTS, Simulator, Tls


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the simulator; the exit status is 0, or 2 for arguments that do not go together."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if bool(options.cert) != bool(options.key) or (options.client_ca and not options.cert):
        parser.error("--cert and --key go together, and --client-ca needs them")
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.WARNING)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        simulator = _simulator(options)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    with simulator:
        print(simulator.url, flush=True)  # noqa: T201  (what a script waits for)
        stopping.wait()
    return 0


def _simulator(options: argparse.Namespace) -> Simulator:
    return Simulator(
        options.production_hosts, options.playback_hosts, gateway=options.gateway, secret=options.secret,
        prefix=options.prefix, bind=options.bind, port=options.port, play=not options.no_play, speed=options.speed,
        tls=Tls(options.cert, options.key, options.client_ca) if options.cert else None, seed=options.seed,
        history_runs=options.history_runs, documents=options.documents, dead_host_status=options.dead_host_status,
    )  # fmt: skip


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(";") if name.strip())


def _speed(text: str) -> float:
    speed = float(text)
    if not 0.01 <= speed <= 1000:
        raise argparse.ArgumentTypeError("from 0.01 to 1000")
    return speed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m dqmsquare.simulator", description="A DQM² to run the mirror against.")
    add = parser.add_argument
    add("--bind", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=0, help="port; 0 takes a free one, and the address is printed (%(default)s)")
    add("--prefix", default="", help="path under which everything lies, such as dqm/dqm-square-origin")
    add("--secret", default="", help="value the cookie selenium-secret-secret must have; empty: not checked")
    add("--cert", type=Path, help="PEM file of the server's certificate: TLS instead of HTTP")
    add("--key", type=Path, help="PEM file of its key")
    add("--client-ca", type=Path, help="PEM file of the authority that clients' certificates must be signed by")
    add("--gateway", default=GATEWAY, help="the host that stands in front of the others (%(default)s)")
    add("--production-hosts", type=_hosts, default=PRODUCTION_HOSTS, help="hosts, semicolons between")
    add("--playback-hosts", type=_hosts, default=PLAYBACK_HOSTS, help="likewise")
    add("--no-play", action="store_true", help="no runs; only what is uploaded or read from files")
    add("--speed", type=_speed, default=1.0, help="how much faster than life runs are taken (%(default)s)")
    add("--seed", type=int, default=1, help="the same number gives the same runs (%(default)s)")
    add("--history-runs", type=int, default=0, help="runs per cluster that are already over (%(default)s)")
    add("--documents", type=Path, action="append", default=[], metavar="FILE",
        help='lines {"host": …, "doc": …}, gzip or not; may be given again')  # fmt: skip
    add("--dead-host-status", type=int, default=200, help="status of the page for a dead host (%(default)s)")
    add("--verbose", action="store_true", help="a line per request")
    return parser


if __name__ == "__main__":
    sys.exit(main())

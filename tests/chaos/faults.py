"""The faults by name, each with its rows of the fault table: what begins it, and what ends it again."""

import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg2

from dqmsquare.simulator.garbage import SHAPES
from dqmsquare.simulator.hostile import ODD_REVISIONS
from tests.chaos.stage import HOSTS, Stage

End = Callable[[], object]
Begin = Callable[[Stage], Any]  # gives an End if there is something to end
_POOL_PEERS = "FROM pg_stat_activity WHERE application_name LIKE 'dqmsquare grabber%'"


@dataclass(frozen=True)
class Fault:
    """`weight`: how often it is taken, beside the others. `kills`: it ends a process of the mirror's."""

    name: str
    rows: str
    begin: Begin
    weight: float = 1.0
    kills: bool = False


def _feed(*names: str, event: str | None = None) -> Begin:
    """A fault of the simulator's, on one host or on all, for as long as it lasts."""

    def begin(stage: Stage) -> End:
        name = stage.dice.choice(names)
        host = stage.dice.choice((stage.any_host(), stage.any_host(), None))
        stage.simulator.faults.set(name, host=host, event=event)
        return lambda: stage.simulator.faults.clear(name.partition(":")[0])

    return begin


def _cut(stage: Stage) -> End:
    stage.simulator.faults.set(f"cut:{stage.dice.randrange(1, 60_000)}", host=stage.any_host())
    return lambda: stage.simulator.faults.clear("cut")


def _hostile(*changes: str) -> Begin:
    return lambda stage: stage.produce(stage.any_host(), change=stage.dice.choice(changes))


def _close_port(stage: Stage) -> End:
    stage.simulator.close_port()
    return stage.simulator.open_port


def _reset(stage: Stage, n_refilled: int = 0) -> None:
    host = stage.any_host()
    stage.simulator.reset(host)
    for _ in range(n_refilled):
        stage.produce(host)


def _drop_newest(stage: Stage) -> None:
    host = stage.any_host()
    stage.simulator.drop(host, newest=stage.dice.randrange(1, 4))
    if stage.dice.random() < 0.5:
        stage.produce(host)  # takes a revision that was given out before


def _low_revision(stage: Stage) -> None:
    host = stage.any_host()
    rev = max(1, stage.simulator.stores[host].newest_rev - stage.dice.randrange(1, 50))
    stage.simulator.upload(host, {**stage.document(host), "_rev": rev})


def _bad_id(stage: Stage) -> None:
    host = stage.any_host()
    document = stage.document(host)
    stage.simulator.upload(host, {**document, "_id": f"{document['_id']}\0"})


def _flood(stage: Stage) -> None:
    host = stage.any_host()
    for _ in range(200):
        stage.produce(host)


def _end_grabber(what: signal.Signals) -> Begin:
    def begin(stage: Stage) -> None:
        number = stage.dice.randrange(2)
        stage.signal_grabber(number, what)
        stage.replace_grabber(number)

    return begin


def _stop_grabber(stage: Stage) -> End:
    number = stage.dice.randrange(2)
    pid = stage.grabbers[number].pid
    stage.signal_grabber(number, signal.SIGSTOP)
    return lambda: stage.continue_process(pid)


def _read_only(stage: Stage) -> End:
    def say(how: str) -> None:
        stage.sql(f"ALTER SYSTEM SET default_transaction_read_only = {how}")
        stage.sql("SELECT pg_reload_conf()")

    say("on")
    return partial(say, "off")


def _refuse(*states: str) -> Begin:
    def begin(stage: Stage) -> End:
        stage.refuse(stage.dice.choice(states))
        return lambda: stage.refuse(None)

    return begin


def _no_connections(stage: Stage) -> End:
    taken: list[Any] = []
    with suppress(psycopg2.OperationalError):
        while len(taken) < 500:
            taken.append(psycopg2.connect(host=stage.place.server.host, user="postgres", dbname="postgres"))
    return lambda: [connection.close() for connection in taken]


def _lock_up(stage: Stage) -> End:
    """Somebody holds the lock under which batches announce themselves."""
    connection = stage.connect()
    connection.cursor().execute("LOCK TABLE mirror.changes IN ACCESS EXCLUSIVE MODE")
    return connection.close


def _lose_acks(stage: Stage) -> End:
    stage.proxy.lose(stage.dice.randrange(1, 6), of_batches=stage.dice.random() < 0.7)
    return lambda: stage.proxy.lose(0, of_batches=False)


def _certificate(stage: Stage) -> End:
    stage.show_certificate(is_right=False)
    return lambda: stage.show_certificate(is_right=True)


def _servers_certificate(stage: Stage) -> End:
    stage.show_servers_certificate(is_right=False)
    return lambda: stage.show_servers_certificate(is_right=True)


def _host_down(stage: Stage) -> End:
    host = stage.dice.choice(HOSTS[1:])  # the first one is asked directly
    stage.simulator.faults.set("down:gone fishing", host=host)
    return lambda: stage.simulator.faults.clear("down")


FAULTS = (
    Fault("port closed", "F1", _close_port),
    Fault("connections reset", "F1", _feed("break")),
    Fault("hangs", "F2", _feed("hang", "stall:200", "stall:50000")),
    Fault("drips", "F3", _feed("drip:3", "drip:400")),
    Fault("endless", "F4", _feed("stream-forever"), 0.3),
    Fault("gzip bomb", "F4", _feed("gzipbomb:300"), 0.3),
    Fault("error pages", "F5", _feed("status:500", "status:502", "status:503", "status:504", "inner-timeout")),
    Fault("asked to wait", "F6", _feed("retry-after:2", "status:429")),
    Fault("refused", "F7", _feed("status:401", "status:403")),
    Fault("login pages", "F8", _feed("redirect", "html")),
    Fault("answers cut", "F9 F12", _cut, 2.0),
    Fault("wrong shapes", "F10 F11", _feed(*(f"garbage:{shape}" for shape in SHAPES)), 2.0),
    Fault("order and duplicates", "F13", _feed("reorder", "duplicate"), 2.0),
    Fault("documents left out", "F14", _feed("leave-out:1", "leave-out:3", event="request_documents"), 2.0),
    Fault("headers left out", "F14", _feed("leave-out:1", event="sync_request")),
    # Not among headers too: one that is listed and given is a document like any other.
    Fault("documents not asked for", "F14", _feed("foreign", event="request_documents")),
    Fault("newer than their headers", "F15", _feed("newer")),
    Fault("reset", "F16", _reset, 0.5),
    Fault("reset and refilled", "F17", partial(_reset, n_refilled=30), 0.5),
    Fault("newest dropped", "F18", _drop_newest),
    Fault("revision given out again", "F18", lambda stage: stage.simulator.reuse(stage.any_host())),
    Fault("low revision", "F19", _low_revision),
    Fault("odd revisions", "F20", _feed(*(f"odd-revs:{name}" for name in ODD_REVISIONS), event="sync_request")),
    Fault("clocks off", "F21", _feed("skew:7200", "skew:-315360000", "skew:1e18")),
    Fault("odd times", "F21", _hostile("odd-times")),
    Fault("no numbers", "F23", _hostile("nan", "huge-numbers")),
    Fault("NUL and half characters", "F24 F25", _hostile("nul", "surrogate", "terminal")),
    Fault("NUL in an id", "F24", _bad_id, 0.3),
    Fault("bad UTF-8", "F26", _feed("bad-utf8")),
    Fault("wrong types", "F27", _hostile("wrong-types", "shrink", "deep")),
    Fault("poison", "F28", _hostile("poison"), 0.5),
    Fault("huge logs", "F29", _hostile("long-line", "many-lines"), 0.5),
    Fault("endless series", "F30", _hostile("many-points"), 0.5),
    Fault("grabber killed", "F31", _end_grabber(signal.SIGKILL), 2.0, kills=True),
    Fault("grabber ended", "F32", _end_grabber(signal.SIGTERM), kills=True),
    Fault("grabber stopped", "F33", _stop_grabber, 2.0),
    Fault("connections ended", "F34", lambda stage: stage.sql(f"SELECT pg_terminate_backend(pid) {_POOL_PEERS}")),
    Fault("queries cancelled", "F38", lambda stage: stage.sql(f"SELECT pg_cancel_backend(pid) {_POOL_PEERS}")),
    Fault("PostgreSQL restarted", "F35", lambda stage: stage.restart_postgres("fast")),
    Fault("PostgreSQL crashed", "F35", lambda stage: stage.restart_postgres("immediate"), 2.0),
    Fault("read-only", "F36", _read_only),
    Fault("COMMIT's answer lost", "F37", _lose_acks, 3.0),
    Fault("PostgreSQL refuses", "F38", _refuse("53100", "57014", "40P01", "55P03", "53200")),
    Fault("out of connections", "F38", _no_connections, 0.5),
    Fault("table locked", "F38", _lock_up),
    Fault("data refused", "F39", _refuse("22P05", "23514"), 0.5),
    Fault("our certificate replaced", "F42", _certificate),
    Fault("DQM²'s certificate false", "F43", _servers_certificate, 0.5),
    Fault("hosts down", "F46", _host_down),
    Fault("one host busy", "F47", _flood, 0.5),
)  # fmt: skip

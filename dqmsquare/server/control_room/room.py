"""The Control Room's parts, put together for one worker process."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from dqmsquare.config import CLUSTERS, Config
from dqmsquare.control_room_accounts import read_accounts
from dqmsquare.dqm2_http import Dqm2Session
from dqmsquare.identity import PublicIds, short_host_name
from dqmsquare.scrub import Scrubber
from dqmsquare.server.control_room.accounts import Accounts
from dqmsquare.server.control_room.answers import cleaner
from dqmsquare.server.control_room.audit import Audit
from dqmsquare.server.control_room.desk import Desk
from dqmsquare.server.control_room.door import Door
from dqmsquare.server.control_room.frontend_identity import FrontEnd
from dqmsquare.server.control_room.grammar import Known
from dqmsquare.server.control_room.lists import Lists
from dqmsquare.server.control_room.relay import Relay
from dqmsquare.server.control_room.sessions import Sessions, Terms
from dqmsquare.server.control_room.tries import Tries
from dqmsquare.server.control_room.visitor import Gate
from dqmsquare.server.watched import utc_now
from dqmsquare.storage.engine import Database, server_database
from dqmsquare.storage.opening import Place

_POOL_SIZE = 4  # apart from the pages' pool: readers must not keep people from the Control Room
_NOTED_WITHIN_SECONDS = 15.0  # after the deadline: an action without an end is then taken for unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRoom:
    """What the routes are given. `names` says which machine a public id is of; `databases` are by cluster."""

    config: Config
    known: Known
    names: Mapping[str, str]
    gate: Gate
    door: Door
    desk: Desk
    audit: Audit
    sessions: Sessions
    databases: Mapping[str, Database]
    login_key: str
    unknown_after_seconds: float
    clock: Callable[[], datetime]

    def host_id(self, name: str) -> str:
        """A machine's public id."""
        return next(host_id for host_id, known in self.names.items() if known == name)


def open_control_room(config: Config, place: Place, *, clock: Callable[[], datetime] = utc_now) -> ControlRoom:
    """The Control Room of a worker process; connections are made when they are needed."""
    known = _known(config)
    ids = PublicIds(place.key, CLUSTERS[0])
    databases = {name: server_database(config, name, place.host, pool_size=_POOL_SIZE) for name in CLUSTERS}
    production = databases["production"]
    clean = cleaner(Scrubber([*known.clusters, config.server_fff_machine]))
    unknown_after_seconds = config.dqm_cr_deadline_seconds + _NOTED_WITHIN_SECONDS
    audit = Audit(production, ids, known.clusters, clean, unknown_after_seconds)
    accounts = Accounts(read_accounts(config.dqm_cr_usernames, config.dqm_cr_viewers, config.dqm_cr_dns)[0])
    sessions = Sessions(production, _terms(config), clock)
    front_end = FrontEnd(config.cms_auth_hmac_file) if config.requires_identity else None
    gate = Gate(accounts, sessions, front_end, config.trusted_proxy_hops)
    relay = Relay(lambda: Dqm2Session(config), config.dqm_cr_deadline_seconds, clean)
    desk = Desk(
        known=known,
        relay=relay,
        audit=audit,
        lists=Lists(production, ids, clock),
        clean=clean,
        is_read_only=config.control_room == "read-only",
    )
    return ControlRoom(
        config=config,
        known=known,
        names={ids.host(name): name for name in (*known.clusters, known.simulator_host)},
        gate=gate,
        door=Door(accounts, sessions, Tries(production, clock), gate, audit),
        desk=desk,
        audit=audit,
        sessions=sessions,
        databases=databases,
        login_key=hmac.new(place.key, b"control room login", hashlib.sha256).hexdigest(),
        unknown_after_seconds=unknown_after_seconds,
        clock=clock,
    )


def _known(config: Config) -> Known:
    # A machine of both lists is of production: it is the one to be careful with.
    clusters = {name: cluster for cluster in reversed(CLUSTERS) for name in config.machines(cluster)}
    simulator_host = short_host_name(config.server_fff_machine).partition(".")[0]
    return Known(clusters, config.simulator_run_keys, simulator_host)


def _terms(config: Config) -> Terms:
    return Terms(
        idle=timedelta(seconds=config.dqm_cr_session_idle_seconds),
        longest=timedelta(seconds=config.dqm_cr_session_max_seconds),
        step_up=timedelta(seconds=config.dqm_cr_step_up_seconds),
    )

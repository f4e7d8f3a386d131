"""Writes the audit: what was tried, by whom, from where, and how it ended; as rows, and as lines of JSON in the log.

Machines stand in it by their public ids. What was rejected is scrubbed and clipped first: it may say anything.
"""

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import orjson

from dqmsquare.errors import StoreUnavailable
from dqmsquare.identity import PublicIds
from dqmsquare.server.control_room.relay import Ended, Result
from dqmsquare.storage import control_room_audit as rows
from dqmsquare.storage.control_room_audit import AuditEntry
from dqmsquare.storage.engine import Database

VALUE_MAX = 200  # characters of a rejected value
_NAME_MAX = 40
_SECRETS = frozenset({"password", "token"})  # sent where they do not belong
_DETAIL_MAX = 2_000
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts. `login` and `dn_hash` are the front-end's, verified; "" is an account that nobody has."""

    account: str
    address: str
    login: str | None = None
    dn_hash: str | None = None


class Audit:
    """The audit of one database. `clusters` says which cluster a machine is of, `clean` scrubs text."""

    def __init__(
        self,
        database: Database,
        ids: PublicIds,
        clusters: Mapping[str, str],
        clean: Callable[[str], str],
        unknown_after_seconds: float,
    ) -> None:
        self._database = database
        self._ids = ids
        self._clusters = clusters
        self._clean = clean
        self._unknown_after_seconds = unknown_after_seconds

    def entry(
        self, actor: Actor, command: str, parameters: Mapping[str, str], machine: str | None = None
    ) -> AuditEntry:
        """A new entry; `machine` is what the command acts on, by its short name."""
        return AuditEntry(
            action_id=secrets.token_hex(8),
            account=actor.account,
            login=actor.login,
            dn_hash=actor.dn_hash,
            address=actor.address,
            command=self._written(command)[:_NAME_MAX],
            host_id=self._ids.host(machine) if machine else None,
            cluster=self._clusters.get(machine or ""),
            parameters={
                self._written(name)[:_NAME_MAX]: self._value(name, value) for name, value in parameters.items()
            },
        )

    def begin(self, entry: AuditEntry) -> bool:
        """Writes the row before sending. False: an action on this machine has not ended. Raises StoreUnavailable."""
        with self._database.writing() as connection:
            may_be_sent = rows.insert_begun(connection, entry, unknown_after_seconds=self._unknown_after_seconds)
        if may_be_sent:
            _log(entry, "begun", "sent", "", None)
        return may_be_sent

    def end(self, entry: AuditEntry, ended: Ended, seconds: float) -> None:
        """Writes the row of the end. Without a database the action reads as unknown there; the log has it."""
        detail = ended.detail[:_DETAIL_MAX]
        _log(entry, "ended", ended.result, detail, seconds)
        try:
            with self._database.writing() as connection:
                rows.insert_ended(connection, entry, ended.result, detail, seconds)
        except StoreUnavailable:
            _logger.exception("the end of action %s is not in the audit", entry.action_id)

    def note(self, entry: AuditEntry, result: Result, detail: str = "") -> None:
        """Writes what is told in one row: a rejected try, a login. Raises StoreUnavailable."""
        _log(entry, "whole", result, detail, None)
        with self._database.writing() as connection:
            rows.insert_whole(connection, entry, result, detail[:_DETAIL_MAX])

    def _value(self, name: str, value: str) -> str:
        return "[removed]" if name.lower() in _SECRETS else self._written(value)

    def _written(self, text: str) -> str:
        if text in self._clusters:
            return self._ids.host(text)
        return self._clean(text)[:VALUE_MAX]  # not the other way round: half a secret is not recognised


def _log(entry: AuditEntry, stage: str, result: str, detail: str, seconds: float | None) -> None:
    told = {**asdict(entry), "stage": stage, "result": result, "detail": detail, "seconds": seconds}
    _logger.info("audit %s", orjson.dumps(told).decode())

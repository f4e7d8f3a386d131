"""Takes a command from whoever is logged in to its end: what it may be, whether it is sent, what is kept of it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from dqmsquare.errors import CommandRefused, UpstreamError
from dqmsquare.server.control_room.answers import Cleaner, as_text, read_answer
from dqmsquare.server.control_room.audit import Actor, Audit
from dqmsquare.server.control_room.commands import COMMANDS, Command, Listed, Who
from dqmsquare.server.control_room.fields import Fields
from dqmsquare.server.control_room.grammar import Known
from dqmsquare.server.control_room.lists import Lists
from dqmsquare.server.control_room.relay import Relay, Result

_TOLD_ONLY = {404, 405, 503}  # no try at anything: these leave no row in the audit
_LISTING = {"get_dqm_clients": Listed.CLIENTS, "get_simulator_runs": Listed.RUNS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request to carry out a command. `may_change`: operators may; `has_stepped_up`: gave the password just now."""

    actor: Actor
    fields: Fields
    is_post: bool
    may_change: bool
    has_stepped_up: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: an HTTP status, one word, and text; `action_id` finds it in the audit, where it is there."""

    status: int
    result: str
    text: str
    action_id: str = ""


class Desk:
    """The one way to DQM²'s commands. `is_read_only`: nobody may change anything (CONTROL_ROOM=read-only)."""

    def __init__(
        self,
        *,
        known: Known,
        relay: Relay,
        audit: Audit,
        lists: Lists,
        clean: Cleaner,
        is_read_only: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.known = known
        self._relay = relay
        self._audit = audit
        self._lists = lists
        self._clean = clean
        self._is_read_only = is_read_only
        self._monotonic = monotonic

    def carry_out(self, asked: Asked) -> Reply:
        """Does what is asked, or says why not. Raises StoreUnavailable, and then nothing was sent."""
        try:
            command, values = self._read(asked)
            if command.changes:
                return self._change(asked, command, values)
            return Reply(200, "answered", self._text(command, values))
        except CommandRefused as refused:
            return self._refuse(asked, refused)
        except UpstreamError as error:
            return Reply(502, Result.FAILED, self._relay.words_of(error))

    def ask(self, what: str, **values: str) -> object:
        """What a reading command is answered, for our own pages. Raises CommandRefused or UpstreamError."""
        command = COMMANDS[what]
        return self._answer(command, command.read(values, self.known))

    def words_of(self, error: UpstreamError) -> str:
        """What went wrong with `ask`, for people."""
        return self._relay.words_of(error)

    def _read(self, asked: Asked) -> tuple[Command, dict[str, str]]:
        given = dict(asked.fields.checked())
        command = COMMANDS.get(given.pop("what", ""))
        if command is None:
            raise CommandRefused("what must be a command of the Control Room")
        self._check_right(command, asked)
        values = command.read(given, self.known)
        machine = command.machine(values, self.known)
        for parameter in command.parameters:
            if parameter.listed and machine:
                self._lists.check(parameter.listed, machine, values[parameter.name])
        if command.changes and not asked.has_stepped_up:
            raise CommandRefused("the password is asked again before anything is changed", status=401)
        return command, values

    def _check_right(self, command: Command, asked: Asked) -> None:
        if command.who is Who.NOBODY:
            raise CommandRefused("DQM² has no such command", status=404)
        if command.who is Who.GRABBER:
            raise CommandRefused("this command is the grabber's", status=403)
        if command.changes and not asked.is_post:
            raise CommandRefused("what changes something is sent by POST", status=405)
        if command.changes and self._is_read_only:
            raise CommandRefused("the Control Room is read-only here", status=403)
        if command.who is Who.OPERATOR and not asked.may_change:
            raise CommandRefused("you may only read here", status=403)

    def _text(self, command: Command, values: dict[str, str]) -> str:
        if command.is_local:
            return json.dumps(list(self.known.run_keys))
        return as_text(self._answer(command, values), printable="format" in values)

    def _answer(self, command: Command, values: dict[str, str]) -> object:
        value = read_answer(command.what, self._relay.ask(command.sent(values, self.known)), self._clean)
        machine = command.machine(values, self.known)
        if command.what in _LISTING and machine and isinstance(value, list):
            names = (row[0] if isinstance(row, list) else row for row in value)
            self._lists.put(_LISTING[command.what], machine, names)
        return value

    def _change(self, asked: Asked, command: Command, values: dict[str, str]) -> Reply:
        entry = self._audit.entry(asked.actor, command.what, values, command.machine(values, self.known))
        with self._relay.place():
            if not self._audit.begin(entry):
                raise CommandRefused("a command on this machine has not ended yet", status=409)
            begun = self._monotonic()
            ended = self._relay.change(command.sent(values, self.known), command.expected)
            self._audit.end(entry, ended, self._monotonic() - begun)
        return Reply(200 if ended.result is Result.DONE else 502, ended.result, ended.detail, entry.action_id)

    def _refuse(self, asked: Asked, refused: CommandRefused) -> Reply:
        words, given = str(refused), dict(asked.fields.values)
        if not given or refused.status in _TOLD_ONLY:
            return Reply(refused.status, Result.REJECTED, words)
        machine = given.get("host") if given.get("host") in self.known.clusters else None
        entry = self._audit.entry(asked.actor, given.pop("what", ""), given, machine)
        self._audit.note(entry, Result.REJECTED, words)
        result = "password" if refused.status == 401 else Result.REJECTED
        return Reply(refused.status, result, words, entry.action_id)

"""`/cr/exe?what=…`: commands that read by GET or POST, commands that change something by POST with the page's token."""

import bottle

from dqmsquare.server.control_room.commands import COMMANDS
from dqmsquare.server.control_room.desk import Asked, Reply
from dqmsquare.server.control_room.fields import Fields, read_fields
from dqmsquare.server.control_room.guarded import COMMAND, Guarded, query_bytes
from dqmsquare.server.control_room.origin import make_token
from dqmsquare.server.control_room.replies import TEXT, respond, respond_json
from dqmsquare.server.control_room.room import ControlRoom
from dqmsquare.server.control_room.visitor import Visitor


class ExeRoute:
    """The kept address of the commands, and what programs need to use it."""

    def __init__(self, room: ControlRoom) -> None:
        self._room = room

    def add(self, guarded: Guarded) -> None:
        """Adds the routes."""
        guarded.get("/cr/exe", self._by_get)
        guarded.post("/cr/exe", self._by_post, COMMAND)
        guarded.get("/cr/session", self._session, is_used=False)
        guarded.get("/cr/commands", lambda _: respond_json(_table()))

    def _by_get(self, visitor: Visitor) -> bottle.HTTPResponse:
        fields = read_fields(query_bytes(bottle.request.environ))
        return self._answer(visitor, fields, is_post=False)

    def _by_post(self, visitor: Visitor, form: Fields) -> bottle.HTTPResponse:
        query = read_fields(query_bytes(bottle.request.environ))
        doubled = set(query.values) & set(form.values)
        problem = query.problem or form.problem or ("a parameter is given twice" if doubled else "")
        return self._answer(visitor, Fields({**query.values, **form.values}, problem), is_post=True)

    def _answer(self, visitor: Visitor, fields: Fields, *, is_post: bool) -> bottle.HTTPResponse:
        asked = Asked(
            actor=visitor.actor,
            fields=fields,
            is_post=is_post,
            may_change=visitor.may_change,
            has_stepped_up=self._room.sessions.has_stepped_up(visitor.session),
        )
        return _response(self._room.desk.carry_out(asked))

    def _session(self, visitor: Visitor) -> bottle.HTTPResponse:
        return respond_json(
            {
                "account": visitor.account.name,
                "may_change": visitor.may_change,
                "ends_at": self._room.sessions.ends_at(visitor.session),
                "has_stepped_up": self._room.sessions.has_stepped_up(visitor.session),
                "token": make_token(visitor.secret, COMMAND),
            }
        )


def _response(reply: Reply) -> bottle.HTTPResponse:
    headers = {"Dqm_Result": reply.result, "Dqm_Action": reply.action_id}
    if reply.status == 405:
        headers["Allow"] = "POST"
    return respond(reply.text, TEXT, reply.status, **{name: value for name, value in headers.items() if value})


def _table() -> list[dict[str, object]]:
    return [
        {
            "what": command.what,
            "who": command.who,
            "changes": command.changes,
            "parameters": {parameter.name: parameter.grammar.words for parameter in command.parameters},
        }
        for command in COMMANDS.values()
    ]
